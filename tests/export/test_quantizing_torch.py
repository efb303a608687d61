"""Rodimus in PyTorch with weights in 8 and 4 bits by torchao: it answers nearly as before, and adapters train on it."""

import copy

import pytest
import torch

from codefuse_hf.export.quantizing import kept_in_float32, quantize_torch
from helpers.models_rodimus import make_ids, make_model, plus

pytest.importorskip("torchao", reason="torchao is not installed")
each_scheme = pytest.mark.parametrize("scheme", ["int8", "int4"])


def model_of_width_64():
    return make_model(plus(d_model=64))


@each_scheme
@torch.no_grad()
def test_it_answers_as_its_rounded_weights_do_and_gates_stay(scheme):
    model, ids = model_of_width_64(), make_ids(2, 30)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())  # the quantised head has weights of its own
    quantised = quantize_torch(copy.deepcopy(model), scheme)
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


@each_scheme
def test_an_adapter_trains_on_it(scheme):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    torch.manual_seed(0)
    base = quantize_torch(model_of_width_64(), scheme)
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
