"""Operators whose backward pass on a CPU is written by hand, against PyTorch's numerical gradients, first and second."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from codefuse_hf.kernels import gated_norm as norms
from codefuse_hf.kernels import short_convolution as convolutions
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_chunk, gated_linear_attention_reference
from codefuse_hf.kernels.gated_norm import gated_norm, gated_norm_reference, rms_norm
from codefuse_hf.kernels.short_convolution import CausalConv1d, short_convolution_reference

EPS = 1e-5


def leaves(*shapes: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, and a last one that is smaller."""
    monkeypatch.setattr(norms, "_BLOCK", 12)
    monkeypatch.setattr(norms, "_BLOCK_BACKWARD", 12)
    monkeypatch.setattr(convolutions, "_BLOCK", 12)


def check(function, inputs) -> None:
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("batch", [1, 2])
def test_gated_norm(batch):
    out, residual, gate, w_residual, weight = leaves(*[(batch, 5, 3)] * 3, (3,), (3,))
    check(lambda o, s, r, g, w: gated_norm(o, s, r, g, w, EPS), (out, residual, w_residual, gate, weight))


def test_rms_norm():
    check(lambda x, w: rms_norm(x, w, EPS), leaves((2, 5, 3), (3,)))


@pytest.mark.parametrize(("batch", "taps", "steps"), [(1, 4, 6), (2, 4, 1), (2, 1, 5), (1, 7, 3)])
def test_short_convolution(batch, taps, steps):
    conv = CausalConv1d(3, taps).double()

    def run(x, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, x, {"behind_history": True})

    x, weight, bias = inputs = leaves((batch, taps - 1 + steps, 3), (3, 1, taps), (3,))
    expected = short_convolution_reference(x[:, taps - 1 :], weight, bias, x[:, : taps - 1])
    torch.testing.assert_close(run(*inputs), expected)
    check(run, inputs)


@pytest.mark.parametrize("packed", [False, True])
def test_values_gated_within_the_recurrence(packed):
    q, k, v, g, gate, state = leaves(*[(2, 7, 2)] * 2, (2, 7, 3), (2, 7, 2), (2, 7, 3), (2, 2, 3))
    seq_idx = torch.tensor([[0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 0, 0, 1]]) if packed else None

    def run(function, q, k, v, g, gate, state, **kwargs):
        kwargs |= {"value_gate": gate, "initial_state": state, "output_final_state": True, "seq_idx": seq_idx}
        return function(q, k, v, -g.exp(), **kwargs)

    inputs = (q, k, v, g, gate, state)
    for found, expected in zip(
        run(gated_linear_attention_chunk, *inputs, chunk_size=4),
        run(gated_linear_attention_reference, *inputs),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
    check(lambda *x: run(gated_linear_attention_chunk, *x, chunk_size=4), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_have_the_dtypes_of_the_inputs(dtype):
    out, residual, gate, w_residual, weight = (
        x.detach().to(dtype).requires_grad_() for x in leaves(*[(2, 5, 8)] * 3, (8,), (8,))
    )
    inputs = (out, residual, w_residual, gate, weight)
    found = torch.autograd.grad(gated_norm(*inputs, EPS).float().square().sum(), inputs)
    expected = torch.autograd.grad(gated_norm_reference(*inputs, EPS).float().square().sum(), inputs)
    for x, y, z in zip(found, expected, inputs, strict=True):
        assert x.dtype == z.dtype
        torch.testing.assert_close(x, y, rtol=3e-2 if dtype == torch.bfloat16 else 1e-4, atol=3e-2)
    conv = CausalConv1d(8, 4).to(dtype)
    x = out.detach().requires_grad_()
    s = conv(torch.cat([x.new_zeros(2, 3, 8), x], 1), behind_history=True)
    found = torch.autograd.grad(s.float().square().sum(), (x, conv.weight, conv.bias))
    expected = short_convolution_reference(x, conv.weight, conv.bias)
    expected = torch.autograd.grad(expected.float().square().sum(), (x, conv.weight, conv.bias))
    for y, z in zip(found, expected, strict=True):
        assert y.dtype == dtype
        torch.testing.assert_close(y, z, rtol=5e-2 if dtype == torch.bfloat16 else 1e-4, atol=5e-2)
