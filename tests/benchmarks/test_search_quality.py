"""The benchmark of search's answers: questions are drawn as the rule says, and ranks mean what they say."""

import json
import subprocess

import pytest

pytest.importorskip("faiss")
pytest.importorskip("bm25s")

import search_quality
import search_questions
from search_quality import _answers, _rank, measure

from codefuse_hf.search import SearchResult
from codefuse_hf.search.units import Unit

BEFORE = '''def brew(water):
    """Make a cup of hot tea slowly.

    More.
    """
    leaves = pick()
    hot = boil(water)
    wait()
    return pour(hot, leaves)


def boil(water):
    water.heat()
    water.heat()
    water.heat()
    water.heat()
    return water
'''


@pytest.fixture
def repositories(tmp_path, monkeypatch):
    """One repository of two commits, the second inside one function."""
    work = tmp_path / "work"
    (work / "src").mkdir(parents=True)

    def git(*arguments):
        options = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *options, "-C", work, *arguments], check=True, capture_output=True)

    git("init", "-q")
    for text, message in (
        (BEFORE, "first of all"),
        (BEFORE.replace("wait()", "sleep()"), "fix(tea): let the leaves rest for longer (#12)"),
    ):
        (work / "src" / "tea.py").write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", message)
    folder = tmp_path / "repositories" / "me+tea" / "repo"
    subprocess.run(["git", "clone", "-q", "--bare", work, folder], check=True, capture_output=True)
    commit = subprocess.run(
        ["git", "--git-dir", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    data = tmp_path / "questions.json"
    hand = {"source": "hand", "repository": "me/tea", "path": "src/tea.py", "unit": "boil", "text": "heat the water"}
    facts = {"me/tea": {"commit": commit, "split": "development", "under": "src/"}}
    data.write_text(json.dumps({"repositories": facts, "questions": [hand]}))
    for module in (search_questions, search_quality):
        monkeypatch.setattr(module, "DATA", data)
    return tmp_path / "repositories"


def test_questions_are_drawn_and_answered(repositories, tmp_path, capsys):
    search_questions.main([str(repositories)])
    data = json.loads(search_questions.DATA.read_text())
    questions = {each["source"]: each for each in data["questions"]}
    assert {source: each["unit"] for source, each in questions.items()} == {
        "docstring": "brew",
        "commit": "brew",
        "hand": "boil",
    }
    assert questions["docstring"]["remove"] == [2, 5] and "text" not in questions["docstring"]
    answered = search_quality.main([str(repositories), "--results", str(tmp_path / "figures.json")])["development"]
    texts = {each["source"]: each["question"] for each in answered}
    assert texts == {
        "docstring": "Make a cup of hot tea slowly.",
        "commit": "let the leaves rest for longer",
        "hand": "heat the water",
    }
    assert next(each for each in answered if each["source"] == "hand")["ranks"]["words"] == 1
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]["development"]
    assert figures["hand"]["shipped model, hybrid"]["hit@1"] == 1.0
    assert "development, all (3 questions)" in (tmp_path / "figures.md").read_text()


def test_questions_of_some_repositories_are_drawn_anew(repositories):
    search_questions.main([str(repositories), "--only"])
    assert [each["source"] for each in json.loads(search_questions.DATA.read_text())["questions"]] == ["hand"]
    search_questions.main([str(repositories), "--only", "me/tea"])
    assert len(json.loads(search_questions.DATA.read_text())["questions"]) == 3
    with pytest.raises(SystemExit):
        search_questions.main([str(repositories), "--only", "you/tea"])


def test_the_docstring_is_taken_out(repositories, tmp_path):
    search_questions.main([str(repositories)])
    data = json.loads(search_questions.DATA.read_text())
    folder = tmp_path / "out"
    folder.mkdir()
    search_questions.check_out(repositories / "me+tea" / "repo", data["repositories"]["me/tea"]["commit"], folder)
    for question in data["questions"]:
        search_questions.take_out(question, folder)
    text = (folder / "src" / "tea.py").read_text()
    assert "cup" not in text and "More" not in text and text.count("\n") == BEFORE.count("\n")


def test_what_counts_as_right():
    def result(kind, first, last, path="a.py"):
        return SearchResult(1.0, kind, "n", path, first, last, "")

    answer = [Unit("function", "f", "a.py", 10, 19, "")]
    wrong = [
        result("file", 1, 20),
        result("function", 10, 19, "b.py"),
        result("class", 1, 40),
        result("function", 20, 30),
    ]
    assert _rank(wrong, answer) is None
    assert _rank([*wrong, result("function", 10, 19)], answer) == 5
    assert _rank([result("section", 15, 24)], answer) == 1, "half of what is shown is the answer"
    assert _rank([result("function", 12, 14)], answer) == 1, "a part of the answer"


def test_overloads_are_all_right():
    units = [Unit("function", f"C.f({kind})", "a.java", i, i + 5, "") for i, kind in enumerate(("int", "long"))]
    question = {"path": "a.java", "unit": "f", "repository": "r"}
    assert _answers(question, units) == units
    with pytest.raises(ValueError, match=r"r has no g in a\.java"):
        _answers(question | {"unit": "g"}, units)


def test_figures():
    answered = [{"source": "hand", "ranks": {"m": rank}, "file_ranks": {"m": 1}} for rank in (1, 4, 10, None)]
    assert measure(answered, "all") == {"m": {"hit@1": 0.25, "hit@5": 0.5, "mrr": 0.338, "file hit@5": 1.0}}


def test_the_questions_are_well_formed():
    data = json.loads(search_questions.DATA.read_text())
    splits = {name: facts["split"] for name, facts in data["repositories"].items()}
    assert set(splits.values()) == {"development", "untouched", "further"} and len(data["repositories"]) >= 6
    by_split = {
        split: [each for each in data["questions"] if splits[each["repository"]] == split]
        for split in set(splits.values())
    }
    halves = by_split["development"] + by_split["untouched"]
    assert len(halves) >= 100 and len(by_split["development"]) == len(by_split["untouched"])
    assert sum(each["source"] == "hand" for each in halves) >= len(halves) / 3
    assert by_split["further"] and all(each["source"] != "hand" for each in by_split["further"])
    assert all(("text" in each) == (each["source"] == "hand") for each in data["questions"])
