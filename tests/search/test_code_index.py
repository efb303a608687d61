"""Code search: results, modes, incremental builds, bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("faiss")

from codefuse_hf.cli import main
from codefuse_hf.search import CodeIndex, iter_units
from codefuse_hf.search.places import default_folder
from helpers.search_models import BagOfWords

RETRY = '''def fetch_with_retry(url, attempts=3):
    """Download, and try again when the connection breaks."""
    for _ in range(attempts):
        try:
            return download(url)
        except ConnectionError:
            continue
'''
PARSER = '''class ConfigParser:
    """Reads settings from a file."""

    def parse_line(self, line):
        key, _, value = line.partition("=")
        return key.strip(), value.strip()
'''


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    (root / "net").mkdir(parents=True)
    (root / "net" / "client.py").write_text(RETRY)
    (root / "settings.py").write_text(PARSER)
    (root / "notes.md").write_text("How to deploy the service to production.\n")
    (root / "image.png").write_bytes(b"\x89PNG\x00\x01\x02")
    (root / "Tool.java").write_text("class Tool { int addNumbers(int a, int b) { return a + b; } }\n")
    return root


def test_units_have_names_places_and_text(repository):
    units = {(u.kind, u.name): u for u in iter_units(repository, progress=False)}
    method = units["function", "ConfigParser.parse_line"]
    assert (method.path, method.line, method.end_line) == ("settings.py", 4, 6)
    assert method.text.startswith("def parse_line")
    assert units["class", "ConfigParser"].line == 1
    assert units["file", "notes.md"].text.endswith("production.\n")
    assert ("function", "fetch_with_retry") in units
    assert any("addNumbers" in name for kind, name in units if kind == "function")
    assert not any(u.path == "image.png" for u in units.values())


@pytest.mark.parametrize("mode", ["hybrid", "vectors", "words"])
def test_finds_what_is_described(repository, mode):
    index = CodeIndex.build(repository, model=BagOfWords(), progress=False)
    best = index.search("fetch with retry when the connection breaks", mode=mode, kinds=("function",))[0]
    assert (best.path, best.name, best.line) == ("net/client.py", "fetch_with_retry", 1)
    assert best.snippet.startswith("def fetch_with_retry")


def test_a_model_on_another_device_is_asked_for_arrays(repository):
    class Elsewhere(BagOfWords):
        def encode_document(self, texts, convert_to_numpy=False, **_):
            vectors = super().encode_document(texts)
            return vectors if convert_to_numpy else torch.from_numpy(vectors).to("meta")

        encode_query = encode_document

    index = CodeIndex.build(repository, model=Elsewhere(), progress=False)
    assert index.search("fetch with retry", mode="vectors", kinds=("function",))[0].name == "fetch_with_retry"


def test_words_alone_need_no_model(repository):
    index = CodeIndex.build(repository, progress=False)
    assert index.search("deploy production")[0].path == "notes.md"
    assert index.search("zebra") == []
    with pytest.raises(ValueError, match="without a model"):
        index.search("deploy", mode="vectors")


def test_words_elsewhere_in_the_file_count(tmp_path):
    for name, topic in (("first", "umbrella"), ("second", "parachute")):
        text = (
            f'def load(place):\n    """Read it."""\n    return {name}(place)\n\n\ndef other():\n    return "{topic}"\n'
        )
        (tmp_path / f"{name}.py").write_text(text)
    index = CodeIndex.build(tmp_path, progress=False)
    for name, topic in (("first", "umbrella"), ("second", "parachute")):
        best = index.search(f"load the {topic}", kinds=("function",))
        assert next(result.path for result in best if result.name == "load") == f"{name}.py"


def test_what_cannot_be_removed_does_not_end_a_run(repository, tmp_path):
    folder, elsewhere = default_folder(repository), tmp_path / "elsewhere"
    CodeIndex.build(repository, progress=False)
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("text")
    (folder / "g7").symlink_to(elsewhere)  # which is no generation of this index, and nothing that is followed
    CodeIndex.build(repository, progress=False)
    assert CodeIndex.load(folder).search("deploy production")[0].path == "notes.md"
    assert (elsewhere / "precious").read_text() == "text" and not (folder / "g1").exists()


def test_results_are_ordered_and_bounded(repository):
    results = CodeIndex.build(repository, model=BagOfWords(), progress=False).search("parse a line of settings", k=3)
    assert len(results) == 3
    assert [r.score for r in results] == sorted((r.score for r in results), reverse=True)


def test_only_new_content_is_embedded(repository):
    CodeIndex.build(repository, model=BagOfWords(), progress=False)
    (repository / "moved.py").write_text("\n\n" + RETRY)  # the same function at another place
    (repository / "settings.py").write_text(PARSER.replace("partition", "rpartition"))
    (repository / "notes.md").unlink()
    model = BagOfWords()
    index = CodeIndex.build(repository, model=model, progress=False)
    embedded = "\n".join(model.texts)
    assert "rpartition" in embedded and "try again" in embedded  # the new file as a file
    assert not any(text.startswith("def fetch_with_retry") for text in model.texts)
    assert {r.path for r in index.search("fetch with retry", kinds=("function",), k=2)} == {"net/client.py", "moved.py"}
    assert not any(unit["path"] == "notes.md" for unit in index.units)


def test_an_interrupted_build_goes_on(repository, monkeypatch, capsys):
    monkeypatch.setattr("codefuse_hf.search.building._BLOCK", 2)
    with pytest.raises(KeyboardInterrupt):
        CodeIndex.build(repository, model=BagOfWords(fail_after=4), progress=False)
    folder = default_folder(repository)
    with pytest.raises(FileNotFoundError, match="no index"):
        CodeIndex.load(folder)
    model = BagOfWords()
    index = CodeIndex.build(repository, model=model, progress=False)
    assert (
        len(model.texts) - 1 == len({unit["hash"] for unit in index.units}) - 2
    )  # a probe more; a finished block less
    assert "left 2 vectors" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} <= {".gitignore", "manifest.json", "g1", "lock"}


def test_another_model_is_refused(repository):
    index = CodeIndex.build(repository, model=BagOfWords(), progress=False)
    index = CodeIndex.load(index.folder)
    index.use_model(BagOfWords())
    for other in (BagOfWords(width=32), BagOfWords(seed=1)):
        with pytest.raises(ValueError, match="made with another model"):
            index.use_model(other)


def test_no_pickle_in_the_index(repository):
    folder = CodeIndex.build(repository, model=BagOfWords(), progress=False).folder
    files = {path.suffix or path.name for path in folder.rglob("*") if path.is_file()}
    assert files == {".json", ".jsonl", ".faiss", ".safetensors", ".gitignore", "lock"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "  "}, "empty"),
        ({"query": "x", "k": 0}, "k must be"),
        ({"query": "x", "mode": "fuzzy"}, "mode one of"),
    ],
)
def test_bad_queries(repository, arguments, message):
    with pytest.raises(ValueError, match=message):
        CodeIndex.build(repository, progress=False).search(**arguments)


def test_bad_places(tmp_path, repository):
    with pytest.raises(FileNotFoundError, match="no folder"):
        CodeIndex.build(tmp_path / "absent", progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="nothing to index"):
        CodeIndex.build(tmp_path / "empty", progress=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("keep")
    with pytest.raises(ValueError, match=r"holds 'precious\.txt'"):
        CodeIndex.build(repository, folder=tmp_path / "mine", progress=False)
    assert (tmp_path / "mine" / "precious.txt").read_text() == "keep"
    with pytest.raises(FileNotFoundError, match="no index at"):
        CodeIndex.load(tmp_path)


@pytest.mark.parametrize("damage", ["manifest.json", "units.jsonl", "words.json", "words.safetensors", "files.json"])
def test_damaged_index_is_refused(repository, damage):
    folder = CodeIndex.build(repository, progress=False).folder
    path = folder / damage if damage == "manifest.json" else folder / "g1" / damage
    path.write_text("{}" if damage.endswith(".json") else "")
    with pytest.raises(ValueError, match="make it again"):
        CodeIndex.load(folder)


def changed(**values):
    return lambda text: json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("manifest.json", changed(format="codefuse-hf index 0"), "its format is not"),
        ("manifest.json", changed(generation="../elsewhere"), "is no name of a generation"),
        ("manifest.json", changed(units=99), "disagree about the number of units"),
        (
            "g1/files.json",
            lambda text: text.replace("settings.py", "other.py"),
            "units lie in files that it does not know",
        ),
        ("g1/vectors.faiss", lambda text: "IxPQ", "no flat index"),
    ],
)
def test_a_damaged_index_says_what_is_wrong(repository, name, spoil, message):
    folder = CodeIndex.build(repository, model=BagOfWords(), progress=False).folder
    file = folder / name
    file.write_text(spoil(file.read_text(errors="replace")))
    with pytest.raises(ValueError, match=f"is not a usable index.*{message}"):
        CodeIndex.load(folder)


def test_commands(repository, capsys):
    assert main(["index", str(repository), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"] == len(CodeIndex.load(default_folder(repository)))
    assert main(["search", "--path", str(repository), "--json", "deploy", "the", "service"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["path"] == "notes.md"
    assert main(["search", "--path", str(repository), "connection breaks", "--kinds", "function"]) == 0
    assert "net/client.py:1" in capsys.readouterr().out
    assert main(["search", "--path", str(repository.parent), "x"]) == 1
    assert "make an index with `codefuse-hf index" in capsys.readouterr().err


def test_indexing_words_needs_no_torch(repository):
    code = "import sys; from codefuse_hf.search import CodeIndex; CodeIndex.build(sys.argv[1], progress=False)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(repository)], check=True)


def test_benchmark_measures_memory(tmp_path):
    script = Path(__file__).parents[2] / "benchmarks" / "search_index.py"
    target = tmp_path / "figures.json"
    subprocess.run(
        [sys.executable, str(script), "--functions", "250", "--shipped", "40", "--results", str(target)], check=True
    )
    figures = json.loads(target.read_text())
    assert figures["functions"] == 250 and figures["peak_mib"] >= figures["mib_before"] > 0
    shipped = figures["shipped_model"]
    assert shipped["index"]["functions"] == 40 and shipped["cold_query"]["warm_query_cpu_seconds"] > 0


def test_vectors_of_another_model_are_not_used_again(repository, tmp_path):
    """Same width and same texts: only the probe tells the models apart."""
    folder = tmp_path / "index"
    CodeIndex.build(repository, model=BagOfWords(seed=0), folder=folder, progress=False)
    other = BagOfWords(seed=1)
    index = CodeIndex.build(repository, model=other, folder=folder, progress=False)
    fresh = CodeIndex.build(repository, model=BagOfWords(seed=1), folder=tmp_path / "fresh", progress=False)
    assert index.manifest["embedded_now"] == len(index)
    for query in ("try again", "add numbers"):
        found, expected = index.search(query, mode="vectors"), fresh.search(query, mode="vectors")
        assert [(each.name, each.score) for each in found] == [(each.name, each.score) for each in expected]


def test_an_interrupted_run_of_another_model_is_not_gone_on_with(repository, tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        CodeIndex.build(repository, model=BagOfWords(seed=0, fail_after=3), folder=folder, batch_size=1, progress=False)
    index = CodeIndex.build(repository, model=BagOfWords(seed=1), folder=folder, progress=False)
    assert index.manifest["embedded_now"] == len(index)


def test_what_cannot_be_indexed_is_said_before_anything_is_read(repository):
    with pytest.raises(ValueError, match="unknown kind 'poem': expected some of"):
        next(iter_units(repository, kinds=("poem",), progress=False))
    with pytest.raises(FileNotFoundError, match=r"no folder '.*absent' to index"):
        next(iter_units(repository / "absent", progress=False))
    with pytest.raises(TypeError, match="the name of one, got int"):
        CodeIndex.build(repository, model=5, progress=False)
