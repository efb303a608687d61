"""The example that made the shipped search model, at a tiny size: a corpus in, a model and its figures out."""

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("bm25s")

import numpy as np

from codefuse_hf.search.small_cge import SmallCGE

EXAMPLE = Path(__file__).parents[2] / "examples" / "cge_train_from_scratch.py"
VERBS = ("open", "close", "count", "paint", "move", "sort")
NOUNS = ("door", "window", "table", "lamp", "chair", "wall")


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("cge_train_from_scratch", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpus(tmp_path):
    """Two packages of Python and one of Java."""
    folder = tmp_path / "corpus"
    for package, adverb in (("one", "slowly"), ("two", "quickly"), ("three", "quietly")):
        functions = [
            (f"{verb}_{noun}", f"{verb.title()} the {noun} {adverb} by hand.") for verb in VERBS for noun in NOUNS
        ]
        (folder / package).mkdir(parents=True)
        if package == "three":
            methods = "".join(
                f"  /** {text} */\n  int {name}(int x) {{\n    int y = x + 1;\n    return y;\n  }}\n"
                for name, text in functions
            )
            (folder / package / "Home.java").write_text(f"class Home {{\n{methods}}}\n")
        else:
            python = (
                f'def {name}(x):\n    """{text}"""\n    y = x.{name}("{adverb}")\n    return y\n\n\n'
                for name, text in functions
            )
            (folder / package / "home.py").write_text("".join(python))
    return folder


def test_a_tiny_run(example, corpus, tmp_path):
    results = example.main(
        f"--corpus {corpus} --hold-out two --languages python java --output {tmp_path / 'model'} --poolings pma --steps 4 "
        "--hidden-size 64 --vocab-size 200 --max-length 24 --batch-size 12".split()
    )
    assert set(results) == {"BM25", "CGE (attention pooling)", "CGE (attention pooling) + BM25"}
    assert all(0 < each["mrr"] <= 1 and 0 < each["recall@10"] <= 1 for each in results.values())
    figures = json.loads((tmp_path / "model" / "results.json").read_text())
    assert (
        figures["training_pairs"] == 72
        and figures["held_out_pairs"] == 36
        and figures["saved"] == "CGE (attention pooling)"
    )
    model = SmallCGE.load(tmp_path / "model")  # what search runs without PyTorch
    vectors = model.encode_document(["open the door", "def open_door(x): pass"])
    assert vectors.shape == (2, 64) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_training_goes_on_from_a_model(example, corpus, tmp_path):
    options = f"--corpus {corpus} --hold-out two --poolings pma --steps 2 --hidden-size 64 --vocab-size 200 --max-length 24 --batch-size 12"
    example.main([*options.split(), "--output", str(tmp_path / "first")])
    first = SmallCGE.load(tmp_path / "first")
    example.main(
        [
            *options.split(),
            "--languages",
            "java",
            "python",
            "--bf16",
            "--most",
            "30",
            "--start-from",
            str(tmp_path / "first"),
            "--output",
            str(tmp_path / "second"),
        ]
    )
    second = SmallCGE.load(tmp_path / "second")
    assert (tmp_path / "first" / "tokenizer.json").read_bytes() == (tmp_path / "second" / "tokenizer.json").read_bytes()
    name = "plm_model.model.embed_tokens.weight"
    assert first.weights[name].shape == second.weights[name].shape and not np.array_equal(
        first.weights[name], second.weights[name]
    )
    assert np.abs(first.weights[name] - second.weights[name]).max() < 0.05, "it went on; it did not begin anew"
