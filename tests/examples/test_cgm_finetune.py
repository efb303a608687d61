"""The example of CGM training goes from local repositories to a folder that answers."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoProcessor

from codefuse_hf import CGMProcessor
from helpers.corpus_cgm import write_repository
from helpers.models_cgm import text_config, tiny_with_encoder, word_tokenizer

EXAMPLE = Path(__file__).parents[2] / "examples" / "cgm_finetune.py"


def run(monkeypatch, *arguments):
    spec = importlib.util.spec_from_file_location("cgm_finetune", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["cgm_finetune.py", *map(str, arguments)])
    module.main()


@pytest.fixture
def folder(tmp_path):
    """A CGM, its parts, and a repository."""
    model = tiny_with_encoder(text=text_config(max_position_embeddings=4096))
    model.save_pretrained(tmp_path / "cgm")
    CGMProcessor(word_tokenizer(), word_tokenizer(60), segment_length=32).save_pretrained(tmp_path / "cgm")
    model.lm.save_pretrained(tmp_path / "lm")
    word_tokenizer().save_pretrained(tmp_path / "lm")
    model.encoder.model.save_pretrained(tmp_path / "encoder")
    word_tokenizer(60).save_pretrained(tmp_path / "encoder")
    write_repository(tmp_path, modules=6)
    return tmp_path


@pytest.mark.parametrize("new", [False, True])
def test_from_repositories_to_a_folder(folder, new, monkeypatch, capsys):
    parts = ["--lm", folder / "lm", "--encoder", folder / "encoder"] if new else ["--model", folder / "cgm"]
    (folder / "empty").mkdir()
    sizes = ["--reconstructions", 3, "--questions", 1, "--max-steps", 2, "--batch-size", 2, "--max-nodes", 20]
    run(monkeypatch, folder / "shop0", folder / "empty", *parts, *sizes, "--output", folder / "tuned")
    out = capsys.readouterr().out
    assert f"left out: {folder / 'empty'}: it gave no records" in out and "from 1 repositories" in out
    tuned = AutoModelForCausalLM.from_pretrained(folder / "tuned")
    processor = AutoProcessor.from_pretrained(folder / "tuned")
    assert processor.max_nodes == 20
    if not new:
        before = AutoModelForCausalLM.from_pretrained(folder / "cgm")
        for name in ("lm.model.layers.0.self_attn.q_proj.weight", "adapter.fc1.weight"):
            assert not torch.equal(tuned.state_dict()[name], before.state_dict()[name])
    inputs = processor(text="What calls it?", graph={"nodes": [{"nodeType": "Lambda", "id": 1, "text": "x"}]})
    assert tuned.generate(**inputs, max_new_tokens=2).shape[0] == 1


def test_it_says_what_is_missing(folder, monkeypatch, capsys):
    for arguments in ([], ["--lm", folder / "lm"], ["--lm", "a", "--encoder", "b", "--model", "c"]):
        with pytest.raises(SystemExit):
            run(monkeypatch, folder / "shop0", *arguments)
        assert "give --model, or --lm and --encoder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(monkeypatch, folder / "nowhere", "--model", folder / "cgm")
    assert "none of the repositories" in capsys.readouterr().err
