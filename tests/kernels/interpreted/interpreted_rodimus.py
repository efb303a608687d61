"""Rodimus through the kernels equals Rodimus in plain PyTorch: outputs, gradients, caches, padding, packing, tools."""

import json

import kernel_traffic
import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache, StaticCache

from codefuse_hf import RodimusForCausalLM
from helpers.kernel_models import IDS, assert_same, both, loss_and_gradients, plain_pytorch, tiny


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
def test_loss_and_gradients(block_type):
    model = tiny(block_type)
    assert_same(lambda: loss_and_gradients(model, input_ids=IDS))


def test_gradients_of_the_mixer_are_neither_added_nor_put_together_in_passes_of_their_own():
    """Where x, s and gate are read in several places."""
    mixer, shapes = tiny().model.layers[0].mixer, []

    class Passes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if function in (torch.ops.aten.cat.default, torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor):
                shapes.append(tuple(out.shape))
            return out

    x = torch.randn(2, 21, 32, requires_grad=True)
    with Passes():
        mixer(x).sum().backward()
    assert not [shape for shape in shapes if shape[:2] == (2, 21) and shape[-1] >= 48]


def test_packed_sequences():
    model = tiny()
    positions = torch.cat([torch.arange(9), torch.arange(1), torch.arange(11)])[None]
    assert_same(lambda: loss_and_gradients(model, input_ids=IDS[:1], position_ids=positions))


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(side):
    model, mask = tiny("rodimus_plus"), torch.ones(2, 21, dtype=torch.long)
    mask[0, slice(0, 5) if side == "left" else slice(16, 21)] = 0

    def run():
        cache = DynamicCache(config=model.config)
        outputs = [model(IDS, attention_mask=mask, past_key_values=cache).logits * mask[..., None]]
        for token in range(2):
            grown = torch.nn.functional.pad(mask, (0, token + 1), value=1)
            outputs.append(model(IDS[:, token : token + 1], attention_mask=grown, past_key_values=cache).logits)
        return outputs

    assert_same(run)


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_cached_decoding_in_segments_and_steps(cache):
    """A prompt, a segment longer than a few steps, single tokens, a few tokens at a time."""
    model, ids = tiny("rodimus_plus", n_layer=2), torch.arange(35)[None]

    def run():
        past = DynamicCache(config=model.config)
        if cache == "static":
            past = StaticCache(config=model.config, max_cache_len=64)
        outputs, addresses = [], []
        for part in ids.split([3, 25, 1, 1, 4, 1], 1):
            outputs.append(model(part, past_key_values=past).logits)
            layer = past.layers[0]
            addresses.append((layer.conv_states[0].data_ptr(), layer.recurrent_states[0].data_ptr()))
        assert len(set(addresses)) == 1
        return [*outputs, *(x.clone() for y in past.layers for x in (y.conv_states[0], y.recurrent_states[0]))]

    assert_same(run)


@torch.no_grad()
def test_generation():
    model = tiny()
    actual, expected = both(lambda: model.generate(IDS, max_new_tokens=6, do_sample=False, pad_token_id=0))
    assert torch.equal(actual, expected)


def test_training_through_a_cache():
    model = tiny()

    def run():
        model.zero_grad()
        cache = DynamicCache(config=model.config)
        with torch.no_grad():
            model(IDS, past_key_values=cache)
        model(IDS[:, :2], past_key_values=cache, labels=IDS[:, :2]).loss.backward()
        return [p.grad.clone() for p in model.parameters()]

    assert_same(run)


def test_gradient_checkpointing_and_autocast():
    model = tiny().train()
    with torch.autocast("cpu", torch.bfloat16):
        kept = loss_and_gradients(model, input_ids=IDS[:1])
        model.gradient_checkpointing_enable()
        recomputed, plain = both(lambda: loss_and_gradients(model, input_ids=IDS[:1]))
    torch.testing.assert_close(recomputed, kept, rtol=0, atol=0)
    for actual, expected in zip(recomputed, plain, strict=True):
        assert (actual - expected).abs().max() <= 4e-2 * expected.abs().max()


def test_compiled_in_one_graph_with_gradients():
    model = tiny()
    with plain_pytorch():
        expected = loss_and_gradients(model, input_ids=IDS)
    model.forward = torch.compile(model.forward, backend="aot_eager", fullgraph=True)
    with kernel_traffic.record() as launches:
        actual = loss_and_gradients(model, input_ids=IDS)
    assert launches
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_exported_programs_are_plain_pytorch():
    program = torch.export.export(tiny(), (IDS,), {"use_cache": False}, strict=False)
    assert "triton" not in str(program.graph)
    with torch.no_grad(), plain_pytorch():
        expected = tiny()(IDS).logits
        torch.testing.assert_close(program.module()(IDS, use_cache=False).logits, expected, rtol=1e-4, atol=1e-4)


def test_adapters_of_every_projection_count():
    from peft import LoraConfig, get_peft_model

    targets = ["fc", "in_proj", "mem_gate_proj", "ch_gate_proj.0", "ch_gate_proj.1", "mixer.out_proj"]
    model = get_peft_model(tiny(), LoraConfig(target_modules=targets, r=2, init_lora_weights=False)).eval()
    assert_same(lambda: loss_and_gradients(model, input_ids=IDS))


@torch.no_grad()
def test_half_precision():
    model = tiny().to(torch.bfloat16)
    actual, expected = both(lambda: model(IDS).logits.float())
    assert (actual - expected).abs().max() <= 3e-2 * expected.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("case", ["rodimus_tiny", "rodimus_plus_tiny"])
def test_known_answers(golden, case, launches):
    folder = golden / "rodimus" / case
    io = load_file(folder / "io.safetensors")
    model = RodimusForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    logits = model(io["input_ids"][:1]).logits
    torch.testing.assert_close(logits, io["logits"][:1], rtol=0, atol=1e-4)


@torch.no_grad()
def test_known_answers_of_decoding(golden, launches):
    folder = golden / "rodimus" / "decode_rodimus"
    weights = (folder / json.loads((folder / "meta.json").read_text())["weights"]).resolve().parent
    model, io = (
        RodimusForCausalLM.from_pretrained(weights, dtype=torch.float32).eval(),
        load_file(folder / "io.safetensors"),
    )
    cache = DynamicCache(config=model.config)
    model(io["input_ids"][:1, :20], past_key_values=cache)
    for t in range(10):
        logits = model(io["input_ids"][:1, 20 + t : 21 + t], past_key_values=cache).logits
        torch.testing.assert_close(logits[:, 0], io["decode_logits"][:1, t], rtol=0, atol=1e-4)
