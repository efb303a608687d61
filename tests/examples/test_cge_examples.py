"""The LoRA example of code embeddings: from pairs to a merged folder that finds better, and on from that folder."""

import importlib.util
import json
import random
import sys
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

EXAMPLE = Path(__file__).parents[2] / "examples" / "cge_finetune_lora.py"
VERBS = ["load", "save", "merge", "split", "count", "find", "sort", "draw"]
NOUNS = ["graph", "table", "token", "image", "file", "node"]


def pairs() -> list[dict]:
    """Descriptions and functions whose names have none of their words."""
    code = {word: f"w{i}q" for i, word in enumerate(VERBS + NOUNS)}
    return [
        {"anchor": f"{verb} the {noun}", "positive": f"def {code[verb]}_{code[noun]}(x):\n    return {code[noun]}(x)"}
        for verb in VERBS
        for noun in NOUNS
    ]


@pytest.fixture
def tune(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("cge_finetune_lora", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs())))

    def run(model: Path, output: str, *arguments) -> Path:
        torch.manual_seed(0)
        command = [
            "cge_finetune_lora.py",
            str(model),
            str(tmp_path / "pairs.jsonl"),
            "--output",
            str(tmp_path / output),
        ]
        monkeypatch.setattr(sys, "argv", [*command, *map(str, arguments)])
        module.main()
        return tmp_path / output

    return run


@pytest.fixture
def base(tmp_path) -> Path:
    """A language model with random weights, and its tokenizer."""
    torch.manual_seed(0)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<pad>"], initial_alphabet=alphabet)
    words.train_from_iterator([text for pair in pairs() for text in pair.values()], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>")
    config = Qwen2Config(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=128,
        initializer_range=0.2,  # random texts must differ, or there is nothing to start from
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def contrastive_loss(folder: Path) -> float:
    """How well each description finds its function among all: cross entropy of the similarities."""
    embedder = SentenceTransformer(str(folder), device="cpu", trust_remote_code=True)
    anchors = embedder.encode([x["anchor"] for x in pairs()], prompt_name="query", convert_to_tensor=True)
    positives = embedder.encode([x["positive"] for x in pairs()], prompt_name="document", convert_to_tensor=True)
    scores = 20 * embedder.similarity(anchors, positives)
    return torch.nn.functional.cross_entropy(scores, torch.arange(len(anchors))).item()


def test_lora_fine_tuning_tells_pairs_apart_and_goes_on_from_its_folder(tune, base, tmp_path):
    random.seed(0)
    options = ["--batch-size", 24, "--learning-rate", "3e-3"]
    first = tune(base, "first", "--embedding-dim", 32, "--max-steps", 2, *options)
    assert not list(first.rglob("adapter_*"))  # merged
    weights = {path.name for path in first.rglob("*.safetensors")}
    assert weights == {"model.safetensors"}
    before = contrastive_loss(first)
    after = contrastive_loss(tune(first, "second", "--max-steps", 40, "--trust-remote-code", *options))
    assert after < before - 0.5, (before, after)
