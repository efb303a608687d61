"""Fine-tuning with sentence-transformers' own trainer and losses."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)

from codefuse_hf import to_sentence_transformer
from helpers import train_data_parallel_cge

PAIRS = {
    "anchor": [f"return the number {n}" for n in range(16)],
    "positive": [f"def f{n}(): return {n}" for n in range(16)],
}
TEXTS = [*PAIRS["anchor"][:3], *PAIRS["positive"][:3]]


@pytest.fixture
def embedder(make_model, tokenizer):
    return to_sentence_transformer(make_model(), tokenizer)


def train(embedder, loss, output, data=None, steps=8, **arguments):
    """A few steps; returns the trainer and the losses by step."""
    arguments = {
        "per_device_train_batch_size": 8,
        "max_steps": steps,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
        **arguments,
    }
    trainer = SentenceTransformerTrainer(
        model=embedder,
        args=SentenceTransformerTrainingArguments(output_dir=str(output), **arguments),
        train_dataset=Dataset.from_dict(PAIRS if data is None else data),
        loss=loss,
    )
    trainer.train()
    return trainer, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def gradients(embedder, loss):
    embedder.zero_grad()
    batch = [embedder.preprocess(PAIRS["anchor"][:6]), embedder.preprocess(PAIRS["positive"][:6])]
    with torch.enable_grad():
        value = loss(batch, None)
        value.backward()
    return value.item(), {name: p.grad.clone() for name, p in embedder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("backbone", ["qwen2", "rodimus_plus"])
def test_loss_falls(make_model, tokenizer, tmp_path, backbone):
    embedder = to_sentence_transformer(make_model(backbone), tokenizer)
    _, losses = train(embedder, MultipleNegativesRankingLoss(embedder), tmp_path, steps=16)
    assert losses[-1] < 0.7 * losses[0]


def test_hard_negatives(embedder, tmp_path):
    data = {**PAIRS, "negative": PAIRS["positive"][1:] + PAIRS["positive"][:1]}
    _, losses = train(embedder, MultipleNegativesRankingLoss(embedder), tmp_path, data, steps=16)
    assert losses[-1] < 0.9 * losses[0]


def test_matryoshka(embedder, tmp_path):
    loss = MatryoshkaLoss(embedder, MultipleNegativesRankingLoss(embedder), [32, 16, 8])
    _, losses = train(embedder, loss, tmp_path, steps=12)
    assert losses[-1] < 0.8 * losses[0]
    assert embedder.encode(TEXTS, truncate_dim=8).shape == (6, 8)


def test_bf16(embedder, tmp_path):
    _, losses = train(embedder, MultipleNegativesRankingLoss(embedder), tmp_path, bf16=True, steps=16)
    assert losses[-1] < 0.8 * losses[0] and embedder.dtype == torch.float32


@pytest.mark.parametrize("checkpointing", [False, True], ids=["plain", "checkpointing"])
def test_cached_loss_has_the_gradients_of_the_whole_batch(embedder, checkpointing):
    embedder.train()
    if checkpointing:
        embedder.gradient_checkpointing_enable()
    value, whole = gradients(embedder, MultipleNegativesRankingLoss(embedder))
    cached_value, cached = gradients(embedder, CachedMultipleNegativesRankingLoss(embedder, mini_batch_size=2))
    assert cached_value == pytest.approx(value, abs=1e-5)
    assert whole.keys() == cached.keys() and len(whole) > 40
    for name, gradient in whole.items():
        torch.testing.assert_close(cached[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_gradient_checkpointing_trains_the_same(make_model, tokenizer, tmp_path):
    losses = []
    for checkpointing in (False, True):
        embedder = to_sentence_transformer(make_model(), tokenizer)
        loss = CachedMultipleNegativesRankingLoss(embedder, mini_batch_size=4)
        losses.append(train(embedder, loss, tmp_path, steps=4, gradient_checkpointing=checkpointing)[1])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def test_prompts_in_training(make_model, tokenizer, tmp_path):
    embedder = to_sentence_transformer(make_model(prompt_position="after"), tokenizer)
    seen, preprocess = [], embedder[0].preprocess
    embedder[0].preprocess = lambda texts, prompt=None, **kwargs: (
        seen.append(prompt) or preprocess(texts, prompt=prompt, **kwargs)
    )
    prompts = {"anchor": embedder.prompts["python-query"], "positive": embedder.prompts["python-document"]}
    train(embedder, MultipleNegativesRankingLoss(embedder), tmp_path, steps=1, prompts=prompts)
    assert [prompt for prompt in seen if prompt][:2] == [prompts["anchor"], prompts["positive"]]


def test_checkpoint_is_loaded_again_at_the_end(embedder, tmp_path):
    trainer, _ = train(
        embedder,
        MultipleNegativesRankingLoss(embedder),
        tmp_path,
        steps=4,
        save_strategy="steps",
        save_steps=2,
        eval_strategy="no",
    )
    after = embedder.encode(TEXTS)
    trainer._load_from_checkpoint(str(tmp_path / "checkpoint-2"))
    assert np.abs(embedder.encode(TEXTS) - after).max() > 1e-4
    trainer._load_from_checkpoint(str(tmp_path / "checkpoint-4"))
    np.testing.assert_allclose(embedder.encode(TEXTS), after, atol=1e-6)
    checkpoint = SentenceTransformer(str(tmp_path / "checkpoint-4"), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(checkpoint.encode(TEXTS), after, atol=1e-6)


def test_resumed_training_goes_on_as_if_never_stopped(make_model, tokenizer, tmp_path):
    def run(folder, steps, resume=None):
        embedder = to_sentence_transformer(make_model(), tokenizer)
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(folder), max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-3, seed=3,
            lr_scheduler_type="constant", save_steps=2, report_to="none", use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        loss = MultipleNegativesRankingLoss(embedder)
        trainer = SentenceTransformerTrainer(embedder, arguments, train_dataset=Dataset.from_dict(PAIRS), loss=loss)
        trainer.train(resume_from_checkpoint=resume)
        return embedder.encode(TEXTS)

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "stopped", 2)
    resumed = run(tmp_path / "stopped", 4, str(tmp_path / "stopped" / "checkpoint-2"))
    np.testing.assert_allclose(resumed, whole, atol=1e-6)


# --- LoRA -------------------------------------------------------------------------------------------------------------


def add_lora(embedder, **keys):
    embedder.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, **keys))


def test_every_adapter_gets_a_gradient(make_model, tokenizer):
    for backbone in ("qwen2", "rodimus_plus"):
        embedder = to_sentence_transformer(make_model(backbone), tokenizer).train()
        add_lora(embedder)
        _, found = gradients(embedder, MultipleNegativesRankingLoss(embedder))
        adapters = {name for name, _ in embedder.named_parameters() if "lora_" in name}
        assert any("mha_pma" in name for name in adapters) and any("plm_model" in name for name in adapters)
        assert set(found) == adapters
        assert all(gradient.abs().sum() > 0 for gradient in found.values())


def test_merged_adapters_change_no_vector_and_save_a_plain_model(embedder, tmp_path):
    plain = embedder.encode(TEXTS)
    add_lora(embedder)
    adapted = embedder.encode(TEXTS)
    assert np.abs(adapted - plain).max() > 1e-3
    embedder[0].model.merge_and_unload()
    np.testing.assert_allclose(embedder.encode(TEXTS), adapted, atol=1e-5)
    embedder.save_pretrained(str(tmp_path))
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "lora" in name or "base_layer" in name]
    assert not (tmp_path / "adapter_config.json").exists() and (tmp_path / "modeling_cge.py").exists()
    again = SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(TEXTS), adapted, atol=1e-5)


def test_merging_without_adapters_is_refused(embedder):
    with pytest.raises(ValueError, match="has no adapters to merge"):
        embedder[0].model.merge_and_unload()


def test_adapters_of_a_model_that_is_nowhere_else_are_saved_with_it(embedder, tmp_path):
    add_lora(embedder)
    adapted = embedder.encode(TEXTS)
    embedder.save_pretrained(str(tmp_path))
    assert (tmp_path / "adapter_model.safetensors").exists() and (tmp_path / "model.safetensors").exists()
    again = SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(TEXTS), adapted, atol=1e-5)
    assert any("lora_" in name for name, _ in again.named_parameters())


def test_adapters_of_a_saved_model_are_saved_alone(embedder, tmp_path):
    embedder.save_pretrained(str(tmp_path / "base"))
    base = SentenceTransformer(str(tmp_path / "base"), trust_remote_code=True, device="cpu")
    add_lora(base)
    base.save_pretrained(str(tmp_path / "adapters"))
    assert not (tmp_path / "adapters" / "model.safetensors").exists()
    again = SentenceTransformer(str(tmp_path / "adapters"), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(TEXTS), base.encode(TEXTS), atol=1e-5)


def test_training_with_adapters_and_a_free_pooling(embedder, tmp_path):
    embedder.add_adapter(LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    embedder[0].model.mha_pma.requires_grad_(True)
    before = {name: p.detach().clone() for name, p in embedder.named_parameters()}
    _, losses = train(embedder, MultipleNegativesRankingLoss(embedder), tmp_path / "run", steps=16)
    changed = {name for name, p in embedder.named_parameters() if not torch.equal(p, before[name])}
    assert losses[-1] < losses[0] and changed == {n for n in before if "lora_" in n or "mha_pma" in n}
    embedder.save_pretrained(str(tmp_path / "model"))
    again = SentenceTransformer(str(tmp_path / "model"), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(TEXTS), embedder.encode(TEXTS), atol=1e-5)


# --- several processes ------------------------------------------------------------------------------------------------


def test_two_processes_train_the_same_model_as_one(embedder, tmp_path):
    embedder.save_pretrained(str(tmp_path / "start"))
    train_data_parallel_cge.main(str(tmp_path / "start"), str(tmp_path / "one"), "8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port", port]
    command = [*torchrun, train_data_parallel_cge.__file__, str(tmp_path / "start"), str(tmp_path / "two"), "4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    start = load_file(tmp_path / "start" / "model.safetensors")
    assert max((weights[0][name] - start[name]).abs().max() for name in start) > 1e-4
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-6, rtol=1e-4, msg=name)
