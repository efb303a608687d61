"""CGM under `Trainer`, PEFT, checkpointing, accumulation, several processes, and with a quantised language model."""

import json
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from codefuse_hf import CGMForCausalLM
from helpers import training_cgm
from helpers.models_cgm import WIDTH, alone, collate, example, text_config, tiny
from helpers.processes import child_environment
from helpers.training_cgm import PROCESSOR, losses, make_examples, make_model, make_trainer

LORA = {
    "r": 4,
    "lora_alpha": 4,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "query", "value"],
    "modules_to_save": ["adapter"],
    "task_type": "CAUSAL_LM",
}


def test_trainer_from_a_data_set_to_a_folder(tmp_path):
    """Through `datasets`, with evaluation, a checkpoint and going on from it."""
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list(make_examples(16))
    settings = {"learning_rate": 5e-3, "save_strategy": "steps", "save_steps": 10}
    trainer = make_trainer(tmp_path, make_model(), data, **{**settings, "max_steps": 20})
    before = trainer.evaluate(data)["eval_loss"]
    trainer.train()
    assert trainer.evaluate(data)["eval_loss"] < 0.7 * before
    again = make_trainer(tmp_path, make_model(), data, **{**settings, "max_steps": 20})
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-10"))
    assert losses(again)[-1] == pytest.approx(losses(trainer)[-1], rel=1e-3)
    loaded = CGMForCausalLM.from_pretrained(tmp_path / "checkpoint-20")
    batch = PROCESSOR.collate(make_examples(4))
    assert_close(loaded(**batch).loss, trainer.model.eval()(**batch).loss, atol=1e-5, rtol=1e-5)


def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path):
    """Answers differ in length, so a mean of means would differ."""
    found = []
    for size, steps in ((8, 1), (2, 4)):
        trainer = make_trainer(
            tmp_path, make_model(), per_device_train_batch_size=size, gradient_accumulation_steps=steps, optim="sgd"
        )
        trainer.train()
        found.append((losses(trainer), trainer.model.state_dict()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for name, value in found[0][1].items():
        assert_close(value, found[1][1][name], atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_no_gradient(reentrant):
    gradients = []
    for checkpointing in (False, True):
        model = make_model().train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
            assert model.lm.is_gradient_checkpointing and model.encoder.model.is_gradient_checkpointing
        model(**PROCESSOR.collate(make_examples(4))).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 30
    for name, gradient in gradients[0].items():
        assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_loss_is_that_of_the_answer_alone():
    model = make_model()
    batch = PROCESSOR.collate(make_examples(3))
    output = model(**batch)
    expected = [
        -output.logits[row, at - 1].log_softmax(-1)[batch["labels"][row, at]]
        for row, at in (batch["labels"] != -100).nonzero().tolist()
    ]
    assert_close(output.loss, torch.stack(expected).mean())


def test_lora_with_the_adapter_in_full(tmp_path):
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(make_model(), peft.LoraConfig(**LORA))
    trainer = make_trainer(tmp_path, model, max_steps=12)
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    model(**PROCESSOR.collate(make_examples(4))).loss.backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    for part in (
        "lm.model.layers.0.self_attn.q_proj.lora_B",
        "encoder.model.encoder.layer.0.attention.self.query.lora_B",
    ):
        assert any(part in name for name in reached), part
    assert {name for name in reached if "modules_to_save" in name and "adapter" in name and name.endswith("weight")}
    model.zero_grad()
    trainer.train()
    assert losses(trainer)[-1] < losses(trainer)[0]
    assert all(torch.equal(p, frozen[name]) for name, p in model.named_parameters() if name in frozen)
    model.eval()
    batch = PROCESSOR.pad(make_examples(2))
    del batch["labels"]
    tokens = model.generate(**batch, max_new_tokens=4, do_sample=False)
    trainer.save_model(str(tmp_path / "adapter"))
    loaded = peft.PeftModel.from_pretrained(make_model(), tmp_path / "adapter").eval()
    assert torch.equal(loaded.generate(**batch, max_new_tokens=4, do_sample=False), tokens)
    merged = loaded.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert type(whole) is CGMForCausalLM
    assert_close(whole(**batch).logits, model(**batch).logits, atol=1e-4, rtol=1e-3)


def test_lora_finds_its_targets_by_default():
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(make_model(), peft.LoraConfig(r=2))
    assert any("encoder" in name and "lora_A" in name for name, _ in model.named_parameters())
    assert any("gate_proj.lora_A" in name for name, _ in model.named_parameters())


def test_a_quantised_language_model(tmp_path):
    """4-bit weights under LoRA; the adapter stays as it is, also where the whole CGM is loaded quantised."""
    pytest.importorskip("bitsandbytes")
    peft = pytest.importorskip("peft")
    four_bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    plain = tiny(text=text_config(hidden_size=64, intermediate_size=128))
    plain.save_pretrained(tmp_path / "cgm")
    plain.lm.save_pretrained(tmp_path / "lm")
    whole = CGMForCausalLM.from_pretrained(tmp_path / "cgm", quantization_config=four_bits)
    made = CGMForCausalLM.from_base(
        str(tmp_path / "lm"), embedding_dim=WIDTH, adapter_hidden_dim=16, lm_kwargs={"quantization_config": four_bits}
    )
    batch = collate([example(5, 6, 0), example(4, 6, 1)])
    for model in (whole, made):
        assert type(model.lm.model.layers[0].self_attn.q_proj).__name__ == "Linear4bit"
        assert type(model.adapter.fc1) is torch.nn.Linear and model.is_loaded_in_4bit
        model = peft.get_peft_model(model, peft.LoraConfig(**{**LORA, "target_modules": ["q_proj", "v_proj"]}))
        model(**batch, labels=batch["input_ids"]).loss.backward()
        reached = [n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
        assert any("lora_B" in name for name in reached) and any("adapter" in name for name in reached)
    far = (whole(**alone(example(5, 6))).logits - plain(**alone(example(5, 6))).logits).abs().mean()
    assert 0 < far < plain(**alone(example(5, 6))).logits.abs().mean()


def run_processes(folder, kind, batch_size, count=2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = [
        subprocess.Popen(
            [sys.executable, training_cgm.__file__, str(folder), kind, str(batch_size // count)],
            env=child_environment(
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                WORLD_SIZE=str(count),
                LOCAL_WORLD_SIZE=str(count),
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=port,
                ACCELERATE_USE_CPU="true",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        outputs = [process.communicate(timeout=250)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert all(process.returncode == 0 for process in running), outputs[0][-5000:]
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.parametrize("kind", training_cgm.KINDS)
def test_two_processes_train_as_one(tmp_path, kind):
    """With graphs of different sizes, so that one process has more nodes to encode than the other, or none."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    expected = training_cgm.KINDS[kind](one, 4)
    count, found = run_processes(two, kind, 4)
    half = "bf16" in kind
    assert count == 2 and found == pytest.approx(expected, rel=3e-2 if half else 1e-4)
    weights = [load_file(folder / "model.safetensors") for folder in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    before = training_cgm.make_model().state_dict()
    for name, value in weights[0].items():
        if half:  # other batches round otherwise: the steps are compared, not the weights
            moved = (value - before[name]).norm()
            assert (weights[1][name] - value).norm() <= 0.1 * moved + 1e-4, name
        else:
            assert_close(weights[1][name], value, atol=1e-5, rtol=1e-4, msg=name)
