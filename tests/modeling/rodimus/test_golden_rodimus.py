"""Published-layout checkpoints with known answers."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import DynamicCache

import codefuse_hf  # noqa: F401 - registers the models
from codefuse_hf import RodimusForCausalLM

ATOL = 1e-4


def load(golden, case: str):
    """Model, inputs and outputs of a case."""
    folder = golden / "rodimus" / case
    meta = json.loads((folder / "meta.json").read_text())
    weights = (folder / meta["weights"]).resolve().parent
    model = RodimusForCausalLM.from_pretrained(weights, dtype=torch.float32).eval()
    return model, load_file(folder / "io.safetensors")


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=ATOL, rtol=0)


@pytest.fixture(params=["rodimus_tiny", "rodimus_plus_tiny"])
def case(request) -> str:
    return request.param


@torch.no_grad()
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_logits_loss_and_hidden_state(golden, case, attention):
    model, io = load(golden, case)
    model.set_attn_implementation(attention)
    out = model(io["input_ids"], labels=io["labels"], output_hidden_states=True)
    assert_close(out.logits, io["logits"])
    assert_close(out.loss, io["loss"])
    assert_close(out.hidden_states[-1], io["last_hidden_state"])


@torch.no_grad()
def test_values_inside(golden, case):
    model, io = load(golden, case)
    expected = load_file(golden / "rodimus" / case / "intermediates.safetensors")
    block, found = model.model.layers[0], {}

    def keep(name):
        return lambda module, args, out: found.update({name: out[0] if isinstance(out, tuple) else out})

    def keep_sum(module, args, out):  # what the inner mixer returns is added up by the norm after it
        found["layer0.inner_mixer_out"] = torch.addcmul(*out)

    block.mixer.inner_mixer.short_conv.register_forward_hook(keep("layer0.short_conv_out"))
    block.mixer.inner_mixer.register_forward_hook(keep_sum)
    block.mixer.register_forward_hook(keep("layer0.mixer_out"))
    if "layer0.attn_out" in expected:
        block.attn.register_forward_hook(keep("layer0.attn_out"))
    for i, layer in enumerate(model.model.layers):
        layer.register_forward_hook(keep(f"layer{i}"))
    model(io["input_ids"][:1])
    for i in range(len(model.model.layers)):
        stream = expected.pop(f"layer{i}.hidden") + expected.pop(f"layer{i}.residual")
        assert_close(found.pop(f"layer{i}"), stream)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert_close(found[name], tensor)


@torch.no_grad()
def test_decoding_and_its_states(golden):
    model, io = load(golden, "decode_rodimus")
    states = load_file(golden / "rodimus" / "decode_rodimus" / "states.safetensors")
    ids, cache = io["input_ids"], DynamicCache(config=model.config)

    def check_states(when: str) -> None:
        for i, layer in enumerate(cache.layers):
            assert_close(layer.conv_states[0], states[f"{when}.layer{i}.conv_state"])
            assert_close(layer.recurrent_states[0], states[f"{when}.layer{i}.ssm_state"][:, 0])

    assert_close(model(ids).logits, io["full_logits"])
    assert_close(model(ids[:, :20], past_key_values=cache).logits, io["prefill_logits"])
    check_states("after_prefill")
    for t in range(20, 30):
        assert_close(model(ids[:, t : t + 1], past_key_values=cache).logits[:, 0], io["decode_logits"][:, t - 20])
    check_states("final")


@torch.no_grad()
def test_decoding_after_left_padding(golden):
    model, io = load(golden, "decode_rodimus")
    ids, mask, cache = io["input_ids_leftpad"], io["attention_mask_leftpad"], DynamicCache(config=model.config)
    out = model(ids[:, :20], attention_mask=mask[:, :20], past_key_values=cache).logits
    real = mask[:, :20].bool()
    assert_close(out[real], io["prefill_logits_leftpad"][real])
    for t in range(20, 30):
        out = model(ids[:, t : t + 1], attention_mask=mask[:, : t + 1], past_key_values=cache).logits
        assert_close(out[:, 0], io["decode_logits_leftpad"][:, t - 20])


@torch.no_grad()
def test_left_padding(golden):
    model, io = load(golden, "leftpad_rodimus")
    out = model(io["input_ids"], attention_mask=io["attention_mask"], labels=io["labels_skip_first"])
    assert_close(out.logits[0], io["logits_row0"])
    assert_close(out.logits[1, 9:], io["logits_row1_real"])
    assert_close(out.logits[1, 9:], io["logits_row1_alone"])
    assert_close(out.loss, io["loss_skip_first"])
