"""Rodimus in PyTorch with weights in 8 and 4 bits: it answers nearly as before, and adapters train on it."""

import copy
import importlib.util

import pytest
import torch

from codefuse_hf.export import torch_layers
from codefuse_hf.export.quantizing import kept_in_float32, quantize_torch
from codefuse_hf.export.torch_layers import Int4Linear, Int8Embedding, Int8Linear, operators_work
from helpers.models_rodimus import make_ids, make_model, plus

needs_torchao = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is not installed")
each_scheme = pytest.mark.parametrize("scheme", ["int8", "int4"])


def model_of_width_64():
    return make_model(plus(d_model=64))


@each_scheme
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_fast_layers_answer_as_their_rounded_weights_do_for_a_token_and_for_a_prompt(scheme, tied, dtype):
    model, ids = make_model(plus(d_model=64, tie_word_embeddings=tied)).to(dtype), make_ids(2, 30)
    quantised = quantize_torch(copy.deepcopy(model), scheme)
    kinds = {type(module).__name__ for name, module in quantised.named_modules() if not kept_in_float32(name)}
    assert "Linear" not in kinds and "Int8Linear" in kinds and ("Int4Linear" in kinds) == (scheme == "int4")
    if tied:
        assert quantised.lm_head.weight is quantised.model.embeddings.weight
    for name, module in quantised.named_modules():
        if isinstance(module, (Int8Linear, Int4Linear)):
            assert module.bias is None
            model.get_submodule(name).weight.copy_(module(torch.eye(module.in_features)).t())
    expected = model(ids).logits.float()
    past = quantised(ids[:, :20]).past_key_values
    assert past.layers[0].keys.dtype == past.layers[0].values.dtype == torch.bfloat16
    steps = [quantised(ids[:, i : i + 1], past_key_values=past).logits for i in range(20, 30)]
    for got, right in ((quantised(ids).logits, expected), (torch.cat(steps, 1), expected[:, 20:])):
        assert got.dtype == dtype
        assert (got.float() - right).norm() / right.norm() < 0.06


@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize(("inputs", "outputs"), [(256, 48), (96, 32), (64, 16), (60, 61)])
def test_layers_compute_with_the_weights_that_they_hold(rows, inputs, outputs):
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(inputs, outputs), torch.randn(2, rows, inputs).bfloat16().float()
    exact = torch.nn.functional.linear(x, linear.weight)
    bounds = {Int8Linear: 0.01, Int4Linear: 0.12}
    for kind, bound in bounds.items() if Int4Linear.fits(linear) else [(Int8Linear, 0.01)]:
        out = kind(linear)(x)
        assert out.shape == (2, rows, outputs) and out.dtype == torch.float32
        assert (out - linear.bias - exact).norm() / exact.norm() < bound
    table = Int8Linear(linear)
    rounded = Int8Embedding(table, torch.float32)(torch.tensor([[3, 0]]))
    assert (rounded - linear.weight[[3, 0]]).abs().max() <= linear.weight.abs().max() / 127


@pytest.mark.parametrize("inputs", [48, 60])
def test_8_bits_of_any_width_are_not_made_wide_for_a_token(inputs, monkeypatch):
    called, operator = [], torch._weight_int8pack_mm
    monkeypatch.setattr(torch, "_weight_int8pack_mm", lambda *x: called.append(x[0].shape) or operator(*x))
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(inputs, 32, bias=False), torch.randn(3, inputs).bfloat16().float()
    layer = Int8Linear(linear)
    few, many = layer(x), layer(x.repeat(9, 1))[:3]
    assert called[-1] == (3, 64)
    torch.testing.assert_close(few, many, rtol=0.02, atol=0.02)
    assert (few - linear(x)).norm() / linear(x).norm() < 0.01


@needs_torchao
@each_scheme
@torch.no_grad()
def test_it_answers_as_its_rounded_weights_do_and_gates_stay(scheme):
    model, ids = model_of_width_64(), make_ids(2, 30)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())  # the quantised head has weights of its own
    quantised = quantize_torch(copy.deepcopy(model), scheme, for_training=True)
    for (name, module), rounded in zip(quantised.named_modules(), model.modules(), strict=True):
        if isinstance(module, torch.nn.Linear):
            plain = type(module.weight.data) is torch.Tensor
            assert plain == (kept_in_float32(name) or (scheme == "int4" and module.in_features % 32 > 0)), name
            if not plain:
                step = rounded.weight.abs().max() / (127 if scheme == "int8" else 7)
                weight = module.weight.dequantize()
                assert 0 < (weight - rounded.weight).abs().max() <= step
                rounded.weight.copy_(weight)
    torch.testing.assert_close(quantised(ids).logits, model(ids).logits, rtol=1e-3, atol=1e-3)


@needs_torchao
@each_scheme
def test_an_adapter_trains_on_it(scheme):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    torch.manual_seed(0)
    base = quantize_torch(model_of_width_64(), scheme, for_training=True)
    before = {name: p.dequantize() for name, p in base.named_parameters() if hasattr(p, "qdata")}
    assert before
    model = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules=["fc", "in_proj", "out_proj", "q_proj"]))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    ids, losses = make_ids(2, 24), []
    for _ in range(8):
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
    assert losses[-1] < losses[0] - 0.1
    after = {name: p.dequantize() for name, p in base.named_parameters() if hasattr(p, "qdata")}
    assert before.keys() <= {name.replace(".base_layer", "") for name in after}
    for name, weight in after.items():
        assert torch.equal(weight, before[name.replace(".base_layer", "")])


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="unknown quantisation 'int3'"):
        quantize_torch(model_of_width_64(), "int3")


@pytest.mark.parametrize("kind", [Int8Linear, Int4Linear])
@pytest.mark.parametrize(("outputs", "wide"), [(48, 1024), (64, 1024), (112, 64), (192, 64), (192, 128), (192, 1024)])
@torch.no_grad()
def test_many_rows_are_multiplied_as_few_rows_are(kind, outputs, wide, monkeypatch):
    """`wide`: of how many outputs the weights are made wide at a time."""
    monkeypatch.setattr(torch_layers, "_WIDE", wide)
    torch.manual_seed(0)
    layer, x = kind(torch.nn.Linear(256, outputs)), torch.randn(2, 150, 256)
    few = torch.cat([layer(part) for part in x.flatten(0, 1).split(15)]).view(2, 150, outputs)
    assert (layer(x) - few).norm() / few.norm() < 0.01


def test_a_pytorch_without_the_operators_is_told_from_others(monkeypatch):
    operators_work.cache_clear()
    try:
        monkeypatch.setattr(torch_layers, "_multiply_int4", lambda rows, weight, *others: rows.new_zeros(32, 64))
        monkeypatch.delattr(torch, "_weight_int8pack_mm")
        assert not operators_work(8) and not operators_work(4)
        linear, x = torch.nn.Linear(64, 32, bias=False), torch.randn(2, 64)
        torch.testing.assert_close(Int8Linear(linear)(x), linear(x), rtol=0.05, atol=0.05)
        with pytest.raises(RuntimeError, match=r'does not multiply by weights in 4 bits on a CPU.*use "int8"'):
            Int4Linear(linear)
    finally:
        operators_work.cache_clear()
