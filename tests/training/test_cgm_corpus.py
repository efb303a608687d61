"""Many repositories to one corpus: `datasets.map` and `datatrove`, two processes, resuming, repositories that fail."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.training.cgm_corpus import CorpusRecipe, build_corpus
from codefuse_hf.training.cgm_records import FEATURES
from helpers.corpus_cgm import RECIPE, records_or_death, records_or_error, write_repository
from helpers.processes import child_environment

datatrove = pytest.importorskip("datatrove")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repositories")
    return [str(write_repository(folder, number)) for number in range(3)]


@pytest.fixture(scope="module")
def expected(sources):
    """By repository, as this process makes them."""
    return {Path(source).name: build_corpus([source], RECIPE).records.to_list() for source in sources}


def by_repository(records):
    return {
        name: [row for row in records.to_list() if row["repository"] == name] for name in set(records["repository"])
    }


def test_two_processes_of_datasets_make_what_one_makes(sources, expected, tmp_path):
    corpus = build_corpus(sources, RECIPE, num_proc=2, cache_dir=tmp_path)
    assert corpus.failures == {} and corpus.records.features == FEATURES
    assert corpus.records.to_list() == [row for rows in expected.values() for row in rows]


def test_a_failing_repository_costs_its_own_records_alone(sources, expected):
    corpus = build_corpus(sources, records_or_error, num_proc=2)
    assert corpus.failures == {sources[1]: "RuntimeError: the disk is"}
    assert by_repository(corpus.records) == {name: expected[name] for name in ("shop0", "shop2")}


def test_repositories_that_are_not_there_are_named(sources, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")
    wrong = [str(tmp_path / name) for name in ("nowhere", "empty", "broken.json")]
    corpus = build_corpus([*wrong, sources[0]], RECIPE)
    assert list(corpus.failures) == wrong and set(corpus.records["repository"]) == {"shop0"}
    assert "nowhere" in corpus.failures[wrong[0]] and corpus.failures[wrong[1]] == "it gave no records"
    for given in ([], [sources[0], sources[0]]):
        with pytest.raises(ValueError, match="different repositories"):
            build_corpus(given)


def test_the_graph_of_a_repository_stands_for_it(sources, expected, tmp_path):
    file = tmp_path / "shop0.json.gz"
    build_code_graph(sources[0], workers=0, progress=False).save(file)
    rows = build_corpus([file], RECIPE).records.to_list()
    assert [{**row, "repository": "shop0"} for row in rows] == expected["shop0"]
    assert not list(CorpusRecipe(reconstructions=0, questions=0)(sources[0]))


def test_datatrove_makes_what_datasets_makes(sources, expected, tmp_path):
    from codefuse_hf.training.cgm_datatrove import build_corpus_with_datatrove

    corpus = build_corpus_with_datatrove(sources, tmp_path, RECIPE, workers=2)
    assert corpus.failures == {} and corpus.records.features == FEATURES
    assert by_repository(corpus.records) == expected
    assert len(list((tmp_path / "logs" / "completions").iterdir())) == 3
    with pytest.raises(ValueError, match="other repositories"):
        build_corpus_with_datatrove(sources[:2], tmp_path, RECIPE)
    with pytest.raises(ValueError, match="another recipe"):
        build_corpus_with_datatrove(sources, tmp_path, CorpusRecipe())


def test_datatrove_reports_a_failing_repository_and_tries_it_again(sources, expected, tmp_path):
    from codefuse_hf.training.cgm_datatrove import build_corpus_with_datatrove, read_corpus

    corpus = build_corpus_with_datatrove(sources, tmp_path, records_or_error, workers=2)
    assert corpus.failures == {sources[1]: "RuntimeError: the disk is"}
    assert by_repository(corpus.records) == {name: expected[name] for name in ("shop0", "shop2")}
    (tmp_path / "corpus.json").write_text(json.dumps({"sources": sources, "recipe": repr(RECIPE)}))  # mended
    written = {file: file.stat().st_mtime_ns for file in tmp_path.glob("records/*.parquet")}
    corpus = build_corpus_with_datatrove(sources, tmp_path, RECIPE, workers=2)
    assert corpus.failures == {} and by_repository(corpus.records) == expected == by_repository(
        read_corpus(tmp_path).records
    )
    assert all(file.stat().st_mtime_ns == time for file, time in written.items()), "what was done is not done again"


def test_datatrove_goes_on_after_a_death(sources, expected, tmp_path):
    """The process of the second repository dies; the same call makes up for it alone."""
    from codefuse_hf.training.cgm_datatrove import build_corpus_with_datatrove

    copies = [str(write_repository(tmp_path / "repositories", number)) for number in range(3)]
    beside = Path(copies[0]).parent
    (beside / "LETHAL").touch()
    code = (
        "import sys; from helpers.corpus_cgm import records_or_death as make\n"
        "from codefuse_hf.training.cgm_datatrove import build_corpus_with_datatrove\n"
        "build_corpus_with_datatrove(sys.argv[2:], sys.argv[1], make, workers=1)"
    )
    command = [sys.executable, "-P", "-c", code, str(tmp_path / "corpus"), *copies]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=child_environment(), start_new_session=True, **quiet) as process:
        try:
            assert process.wait(timeout=200) == 9
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # datatrove's manager outlives it
    assert (beside / "log").read_text().split() == ["shop0"]
    (beside / "LETHAL").unlink()
    corpus = build_corpus_with_datatrove(copies, tmp_path / "corpus", records_or_death, workers=2)
    assert sorted((beside / "log").read_text().split()) == ["shop0", "shop1", "shop2"], "each was made once"
    assert corpus.failures == {} and by_repository(corpus.records) == expected
