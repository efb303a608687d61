"""`codefuse-hf quickstart`: the whole run on a tiny corpus, and what it refuses."""

import json
import subprocess

import pytest

from codefuse_hf.cli import build_parser, main
from codefuse_hf.cli import quickstart as command
from codefuse_hf.hub.isolation import isolated_command
from codefuse_hf.quickstart.corpus import read_corpus
from codefuse_hf.quickstart.output import MARKER, check_output

CONTEXTS = ["--contexts", "32", "64"]


def parse(*options: str):
    return build_parser("quickstart").parse_args(["quickstart", *options])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(12):
        lines = [f"def add_{i}_{j}(a, b):\n    return a + b * {j}\n" for j in range(40)]
        (folder / f"module_{i}.py").write_text("\n\n".join(lines), encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    return folder


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """The output folder of one run of a few seconds."""
    output = tmp_path_factory.mktemp("run") / "out"
    options = ["--minutes", "0.06", "--corpus", str(corpus), "--new-tokens", "8", "--output", str(output)]
    assert main(["quickstart", *options, *CONTEXTS, "--prompt", "def add"]) == 0
    return output


def test_all_results_are_written(finished):
    names = {entry.name for entry in finished.iterdir()}
    assert names == {"model", "generate.py", "samples.txt", "measurements.png", "quickstart.json"}
    assert (finished / "measurements.png").read_bytes().startswith(b"\x89PNG")
    assert {"config.json", "model.safetensors", "modeling_rodimus.py", "tokenizer.json"} <= {
        entry.name for entry in (finished / "model").iterdir()
    }


def test_report_holds_training_samples_and_measurements(finished):
    report = json.loads((finished / "quickstart.json").read_text())
    assert report["training"]["steps"] >= 1
    assert report["samples"][0]["text"].startswith("def add")
    points = {(r["model"], r["context"]): r for r in report["measurements"]["records"]}
    assert set(points) == {(model, context) for model in ("Rodimus+", "Llama") for context in (32, 64)}
    assert points["Llama", 64]["cache_bytes"] > points["Llama", 32]["cache_bytes"]
    assert all(r["median_seconds_per_token"] > 0 for r in points.values())
    parameters = report["measurements"]["parameters"]
    assert parameters["Llama"] == pytest.approx(parameters["Rodimus+"], rel=0.01)


def test_generate_script_continues_a_prompt_from_the_command_line(finished):
    script = isolated_command(finished / "generate.py", "class Stack", "--new-tokens", 8)
    output = subprocess.run(script, capture_output=True, text=True, check=True, cwd=finished.parent).stdout
    assert json.loads(output.splitlines()[0])["text"].startswith("class Stack")


def test_earlier_results_are_replaced_only_with_force(finished, capsys):
    assert main(["quickstart", "--output", str(finished)]) == 1
    assert "--force" in capsys.readouterr().err
    check_output(finished, force=True)


def test_foreign_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        command.run(parse("--output", str(tmp_path), "--force"))


def test_foreign_files_beside_earlier_results_are_never_replaced(tmp_path):
    (tmp_path / MARKER).write_text("{}")
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        command.run(parse("--output", str(tmp_path), "--force"))


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="--output"):
        command.run(parse("--output", str(tmp_path / "file")))


def test_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        command.run(parse("--output", str(tmp_path / "file" / "out")))


def test_empty_corpus_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "corpus").mkdir()
    with pytest.raises(ValueError, match="no text to train on"):
        command.run(parse("--corpus", str(tmp_path / "corpus"), "--output", str(tmp_path / "out")))
    assert [entry.name for entry in tmp_path.iterdir()] == ["corpus"]


def test_missing_corpus_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        command.run(parse("--corpus", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")))


def test_corpus_with_too_little_text_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("x = 1\n")
    with pytest.raises(ValueError, match="give more text"):
        command.run(parse("--corpus", str(tmp_path / "short.txt"), "--output", str(tmp_path / "out")))


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "0.01", "inf"])
def test_impossible_budget_is_refused(minutes, tmp_path):
    with pytest.raises(ValueError, match="--minutes"):
        command.run(parse("--minutes", minutes, "--output", str(tmp_path / "out")))


@pytest.mark.parametrize("contexts", [["64", "32"], ["0", "512"], ["64", "66"]])
def test_contexts_that_do_not_rise_are_refused(contexts, tmp_path):
    with pytest.raises(ValueError, match="contexts"):
        command.run(parse("--contexts", *contexts, "--output", str(tmp_path / "out")))


def test_default_corpus_is_the_standard_library():
    corpus = read_corpus(None, seed=0)
    assert "standard library" in corpus.origin
    assert len(corpus.texts) > 100
    assert any("def " in text for text in corpus.texts)
