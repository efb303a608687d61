"""Training Rodimus with `transformers.Trainer` and TRL's `SFTTrainer`, on real text."""

import signal
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, Trainer

from codefuse_hf.training.weight_decay import ModelWeightDecayMixin
from helpers.processes import child_environment
from helpers.tiny_rodimus import SOURCE, losses, make_arguments, make_examples, make_model

BLOCKS = ["rodimus", "rodimus_plus"]


def train(folder, model, examples, **kwargs) -> Trainer:
    trainer = Trainer(model, make_arguments(folder, **kwargs), train_dataset=examples)
    trainer.train()
    return trainer


def assert_same_parameters(first, second, atol: float) -> None:
    for (name, p), q in zip(first.named_parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=atol, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("block_type", BLOCKS)
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16 autocast"])
def test_loss_falls(tmp_path, block_type, bf16):
    trainer = train(tmp_path, make_model(block_type), make_examples(64), max_steps=30, bf16=bf16)
    history = losses(trainer)
    assert history[0] == pytest.approx(5.5, abs=0.3)  # ln 256
    assert sum(history[-5:]) / 5 < 3.4


@pytest.mark.parametrize("block_type", BLOCKS)
def test_bf16_autocast_keeps_parameters_and_gates_in_float32(block_type):
    model, seen = make_model(block_type), {}
    mixer = model.model.layers[0].mixer.inner_mixer
    mixer.register_forward_hook(lambda module, args, out: seen.update(mixer=out[0].dtype))
    mixer.in_proj.register_forward_hook(lambda module, args, out: seen.update(projection=out.dtype))
    batch = {name: torch.stack([x[name] for x in make_examples(2)]) for name in ("input_ids", "labels")}
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch).loss
    loss.backward()
    assert seen == {"mixer": torch.float32, "projection": torch.bfloat16}
    assert all(p.dtype == p.grad.dtype == torch.float32 and torch.isfinite(p.grad).all() for p in model.parameters())
    assert loss.item() == pytest.approx(model(**batch).loss.item(), rel=0.02)


@pytest.mark.parametrize("block_type", BLOCKS)
def test_gradient_accumulation_gives_the_step_of_one_large_batch(tmp_path, block_type):
    """Rows of different lengths: averaging the small batches' means would be wrong."""
    examples, whole, parts = make_examples(8, ragged=True), make_model(block_type), make_model(block_type)
    options = {"max_steps": 2, "optim": "sgd", "learning_rate": 1.0, "max_grad_norm": 0.0}
    first = train(tmp_path, whole, examples, per_device_train_batch_size=8, **options)
    second = train(tmp_path, parts, examples, per_device_train_batch_size=2, gradient_accumulation_steps=4, **options)
    assert losses(second) == pytest.approx(losses(first), rel=1e-4)
    assert (whole.lm_head.weight - make_model(block_type).lm_head.weight).abs().max() > 1e-3
    assert_same_parameters(whole, parts, atol=1e-5)


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("block_type", BLOCKS)
def test_gradient_checkpointing_gives_the_same_step(tmp_path, block_type, use_reentrant):
    examples, plain, checkpointed = make_examples(8), make_model(block_type), make_model(block_type)
    options = {"max_steps": 2, "optim": "sgd", "learning_rate": 1.0}
    train(tmp_path, plain, examples, **options)
    calls = []
    checkpointed.model.layers[0].mixer.register_forward_pre_hook(lambda *args: calls.append(1))
    kwargs = {"use_reentrant": use_reentrant}
    train(
        tmp_path, checkpointed, examples, gradient_checkpointing=True, gradient_checkpointing_kwargs=kwargs, **options
    )
    assert len(calls) == 4  # twice a step: it is computed again for the backward pass
    assert_same_parameters(plain, checkpointed, atol=1e-6)


# Trains, and is killed in its third step.
KILLED = """
import os, signal, sys
from helpers.tiny_rodimus import *
from transformers import Trainer, TrainerCallback

class Kill(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGKILL)

arguments = make_arguments(sys.argv[1], max_steps=6, save_strategy="steps", save_steps=2)
Trainer(make_model(dropout=0.1), arguments, train_dataset=make_examples(24), callbacks=[Kill()]).train()
"""


def test_save_kill_resume_gives_the_same_losses(tmp_path):
    whole = train(tmp_path / "whole", make_model(dropout=0.1), make_examples(24), max_steps=6)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode == -signal.SIGKILL, done.stderr
    arguments = make_arguments(tmp_path / "killed", max_steps=6)
    resumed = Trainer(make_model(seed=5, dropout=0.1), arguments, train_dataset=make_examples(24))
    resumed.train(resume_from_checkpoint=True)
    assert len(losses(resumed)) == 6
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-6)
    assert_same_parameters(whole.model, resumed.model, atol=1e-6)


def test_trained_model_is_saved_and_loaded(tmp_path):
    trainer = train(tmp_path, make_model(), make_examples(8), max_steps=1)
    trainer.save_model()
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert_same_parameters(trainer.model, loaded, atol=0)


def test_evaluation(tmp_path):
    trainer = Trainer(make_model(), make_arguments(tmp_path), eval_dataset=make_examples(4, ragged=True))
    rows = [{name: x[None] for name, x in example.items()} for example in make_examples(4, ragged=True)]
    counts = [int((row["labels"][:, 1:] != -100).sum()) for row in rows]
    with torch.no_grad():
        expected = sum(trainer.model(**row).loss * n for row, n in zip(rows, counts, strict=True)) / sum(counts)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_weight_decay_spares_what_the_model_names(tmp_path, tied):
    class DecayTrainer(ModelWeightDecayMixin, Trainer):
        pass

    model = make_model(tie_word_embeddings=tied)
    trainer = DecayTrainer(model, make_arguments(tmp_path, weight_decay=0.1), train_dataset=make_examples(8))
    trainer.create_optimizer()
    names = {id(p): name for name, p in model.named_parameters()}
    decayed = {names[id(p)] for g in trainer.optimizer.param_groups if g["weight_decay"] > 0 for p in g["params"]}
    assert decayed == set(names.values()) - model.no_weight_decay()
    assert decayed == {names[id(p)] for p in model.parameter_groups(0.1)[0]["params"]}
    assert ("model.embeddings.weight" in decayed) == tied


@pytest.fixture(scope="module")
def tokenizer():
    """A byte-level tokenizer made on the spot."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())[:255]
    backend = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


@pytest.mark.parametrize("lora", [False, True], ids=["whole model", "LoRA"])
def test_sft_trainer(tmp_path, tokenizer, lora):
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from peft import LoraConfig

    text = SOURCE.read_text()
    data = Dataset.from_dict({"text": [text[i : i + 40 + i % 17] for i in range(0, 64 * 40, 40)]})
    options = make_arguments(tmp_path, max_steps=12).to_dict() | {"max_length": 64, "learning_rate": 5e-3}
    known = trl.SFTConfig.__dataclass_fields__
    arguments = trl.SFTConfig(**{k: v for k, v in options.items() if k in known and known[k].init})
    peft_config = LoraConfig(target_modules="all-linear", r=8, task_type="CAUSAL_LM") if lora else None
    trainer = trl.SFTTrainer(
        make_model(), args=arguments, train_dataset=data, processing_class=tokenizer, peft_config=peft_config
    )
    trainer.train()
    history = losses(trainer)
    assert history[-1] < history[0] - (0.05 if lora else 0.5)
