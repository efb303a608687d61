"""Derivatives other than one backward pass: gradients of gradients, and the transforms of `torch.func`."""

import pytest
import torch
from torch.autograd import gradgradcheck
from torch.func import functional_call, grad, jvp, stack_module_state, vmap

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention, gated_linear_attention_reference
from codefuse_hf.kernels.second_derivatives import plain_gradients

BATCH, D_KEY, D_VALUE = 2, 3, 2
IDS = torch.arange(3 * 70).view(3, 70) * 7 % 50


def inputs_of(steps: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(steps)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return {
        "q": normal(BATCH, steps, D_KEY),
        "k": normal(BATCH, steps, D_KEY),
        "v": normal(BATCH, steps, D_VALUE),
        "g": -normal(BATCH, steps, D_KEY).exp(),
        "value_gate": normal(BATCH, steps, D_VALUE),
        "initial_state": normal(BATCH, D_KEY, D_VALUE),
    }


def both(operator, x: dict[str, torch.Tensor], seq_idx=None):
    return operator(**x, output_final_state=True, seq_idx=seq_idx)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_gradients_have_gradients(steps, packed):
    x = {name: y.requires_grad_() for name, y in inputs_of(steps).items()}
    seq_idx = torch.arange(steps).expand(BATCH, -1) // 3 if packed else None
    assert gradgradcheck(lambda *y: both(gated_linear_attention, dict(zip(x, y, strict=True)), seq_idx), [*x.values()])


@pytest.mark.parametrize("wanted", ["q", "g", "initial_state"])
def test_gradients_of_gradients_over_several_chunks_are_those_of_the_formula(wanted):
    """Also where only one input needs a gradient, and where decays are extreme."""
    found = []
    for operator in (gated_linear_attention, gated_linear_attention_reference):
        x = inputs_of(150)
        x["g"] = x["g"] * torch.tensor([1e-6, 1.0, 80.0], dtype=torch.float64)
        x[wanted].requires_grad_()
        (first,) = torch.autograd.grad(both(operator, x)[0].square().sum(), x[wanted], create_graph=True)
        found.append((first.detach(), *torch.autograd.grad(first.square().sum(), x[wanted])))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_transforms_give_what_the_formula_gives():
    x, tangents = inputs_of(70), {name: torch.ones_like(y) for name, y in inputs_of(70).items()}

    def loss(operator, **x):
        output, state = both(operator, x)
        return output.square().sum() + state.sum()

    def one_row(operator, x):  # operators take batches, and vmap takes them apart
        return both(operator, {name: y[None] for name, y in x.items()})[0][0]

    results = []
    for operator in (gated_linear_attention, gated_linear_attention_reference):
        results.append(
            (
                grad(lambda x: loss(operator, **x))(x),  # noqa: B023
                vmap(lambda x: one_row(operator, x))(x),  # noqa: B023
                jvp(lambda x: both(operator, x), (x,), (tangents,)),  # noqa: B023
                vmap(grad(lambda x: one_row(operator, x).square().sum()))(x),  # noqa: B023
                grad(lambda x: grad(lambda x: loss(operator, **x))(x)["k"].square().sum())(x),  # noqa: B023
            )
        )
    torch.testing.assert_close(*results)


def tiny(block_type: str) -> RodimusForCausalLM:
    torch.manual_seed(0)
    config = RodimusConfig(
        d_model=32, n_layer=1, vocab_size=50, block_type=block_type, attn_cfg={"num_heads": 2, "window_size": 32}
    )
    return RodimusForCausalLM(config)


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
def test_a_model_has_gradients_of_each_example_and_makes_ensembles(block_type):
    model, other = tiny(block_type), tiny(block_type)
    torch.nn.init.normal_(other.model.embeddings.weight)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, ids):
        return functional_call(model, parameters, (ids,), {"labels": ids, "use_cache": False}).loss

    model(IDS, labels=IDS, use_cache=False).loss.backward()
    of_each = vmap(grad(loss), (None, 0))(parameters, IDS[:, None])
    for name, p in model.named_parameters():
        torch.testing.assert_close(of_each[name].mean(0), p.grad, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(grad(loss)(parameters, IDS)[name], p.grad, rtol=1e-4, atol=1e-6)
    stacked, buffers = stack_module_state([model, other])
    logits = vmap(lambda p, b: functional_call(model, (p, b), (IDS,), {"use_cache": False}).logits)(stacked, buffers)
    torch.testing.assert_close(logits, torch.stack([model(IDS).logits, other(IDS).logits]), rtol=1e-4, atol=1e-5)


def test_gradients_of_a_formula_are_those_that_are_needed():
    """An output that no gradient reaches is left out; what is returned can be differentiated again."""
    x, y, unused = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64).unbind()
    x.requires_grad_(), y.requires_grad_()
    d = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    found = plain_gradients(lambda x, y, z: (x**3 * y, z * 2), (x, y, unused), (True, False, False), (d, d))
    assert found[1:] == [None, None] and found[0] == 36
    (again,) = torch.autograd.grad(found[0], x)
    assert again == 36
