"""The CGM example runs offline, from a repository to an answer."""

import importlib.util
import sys
from pathlib import Path

import pytest

from helpers.models_cgm import tiny_with_encoder, word_tokenizer

EXAMPLE = Path(__file__).parents[2] / "examples" / "cgm_ask.py"


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "a.py").write_text("def load(path):\n    return open(path)\n\n\ndef run():\n    return load('x')\n")
    (repository / "b.py").write_text("from a import run\n\n\nclass Engine:\n    def go(self):\n        return run()\n")
    spec = importlib.util.spec_from_file_location("cgm_ask", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cgm_ask.py", str(repository), "What calls load?", *map(str, arguments)])
        module.main()
        return capsys.readouterr().out

    return call


def test_with_a_random_model(ask, tmp_path):
    picture, cache = tmp_path / "mask.png", tmp_path / "cache"
    out = ask("--max-nodes", 4, "--max-new-tokens", 3, "--picture", picture, "--cache", cache)
    assert "named in the question: a.load" in out and "nodes left out" in out and "answer:" in out
    assert picture.stat().st_size > 1000 and list(cache.rglob("*.safetensors"))


def test_with_a_folder(ask, tmp_path):
    from codefuse_hf import CGMProcessor

    model = tiny_with_encoder()
    model.save_pretrained(tmp_path / "cgm")
    CGMProcessor(word_tokenizer(chat=True), word_tokenizer(60), segment_length=16).save_pretrained(tmp_path / "cgm")
    assert "answer:" in ask("--model", tmp_path / "cgm", "--max-nodes", 20, "--max-new-tokens", 3)
