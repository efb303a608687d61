"""The kernels around the recurrence against their formulas in float64: gates, convolution, norm and decoding step."""

import functools
import itertools

import kernel_traffic
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from codefuse_hf.kernels import short_convolution_triton as short_convolution_kernels
from codefuse_hf.kernels.decoding_step import decoding_step
from codefuse_hf.kernels.gated_norm import gated_norm, gated_norm_reference
from codefuse_hf.kernels.halves import empty_gradient, halves
from codefuse_hf.kernels.short_convolution import short_convolution_reference
from codefuse_hf.kernels.short_convolution_triton import (
    short_convolution_branched_triton,
    short_convolution_step_triton,
    short_convolution_triton,
)
from codefuse_hf.kernels.tempered_selection import tempered_selection, tempered_selection_reference
from helpers.operators import compare

TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mem_size", [16, 24])
def test_gates(launches, mem_size, dtype):
    query_key, gates = torch.randn(2, 19, 2 * mem_size), torch.randn(2, 19, 2 * mem_size)
    gates *= 10 ** (torch.rand_like(gates) * 3 - 1)  # from −100 to 100
    query_key[0, 0] = 0
    x = {"query_key": query_key.to(dtype), "gates": gates.to(dtype)}
    compare(tempered_selection, tempered_selection_reference, x, TOLERANCE[dtype], eps=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "channels"), [(1, 8), (9, 104), (3, 6144), (3, 6152), (2, 16384)])
def test_gated_norm(launches, rows, channels, dtype):
    out, residual, gate = torch.randn(2, rows, 3, channels).to(dtype).unbind(2)  # not contiguous
    weights = {"residual_weight": torch.randn(channels), "weight": torch.randn(channels).to(dtype)}
    x = {"out": out, "residual": residual, "gate": gate} | weights
    compare(gated_norm, gated_norm_reference, x, TOLERANCE[dtype], eps=1e-5)


@pytest.mark.parametrize(
    ("steps", "taps", "channels", "packed", "history", "dtype"),
    [
        (37, 4, 136, False, True, torch.float32),
        (1, 4, 8, False, True, torch.float32),
        (2, 4, 24, True, False, torch.float32),
        (7, 3, 24, False, False, torch.bfloat16),
        (3, 1, 24, False, False, torch.float16),
    ],
)
def test_short_convolution(launches, steps, taps, channels, packed, history, dtype):
    x = {"x": torch.randn(2, steps, channels).to(dtype), "weight": torch.randn(channels, 1, taps)}
    x["bias"] = torch.randn(channels)
    numbers = (torch.arange(steps) // torch.tensor([[3], [61]])).long() if packed else None
    past = torch.randn(2, channels, taps).transpose(1, 2) if history else None
    kwargs = {"history": past, "seq_idx": numbers}
    compare(short_convolution_triton, short_convolution_reference, x, TOLERANCE[dtype], **kwargs)


def test_short_convolution_in_several_spans(launches, monkeypatch):
    """Programs begin amid a row, and sequences before, at and after where they do."""
    monkeypatch.setattr(short_convolution_kernels, "SPAN", 16)
    x = {"x": torch.randn(2, 53, 24), "weight": torch.randn(24, 1, 4), "bias": torch.randn(24)}
    numbers = (torch.arange(53) // torch.tensor([[3], [17]])).long()
    kwargs = {"history": torch.randn(2, 24, 4).transpose(1, 2), "seq_idx": numbers}
    compare(short_convolution_triton, short_convolution_reference, x, TOLERANCE[torch.float32], **kwargs)


@pytest.mark.parametrize(("branches", "input_branches"), [(2, 0), (3, 1), (3, 2)])
def test_gradients_of_the_convolution_from_several_places(launches, branches, input_branches):
    """They are added up in the backward pass: no place's own gradient goes through a kernel of its own."""
    x = {"x": torch.randn(2, 19, 24), "weight": torch.randn(24, 1, 4), "bias": torch.randn(24)}

    def reference(x, weight, bias):
        s = short_convolution_reference(x, weight, bias)
        return *(s * 1 for _ in range(branches)), *(x * 1 for _ in range(input_branches))

    def kernel(x, weight, bias):
        numbers = {"branches": branches, "input_branches": input_branches}
        return tuple(short_convolution_branched_triton(x, weight, bias, None, None, **numbers))

    compare(kernel, reference, x, TOLERANCE[torch.float32])
    assert [launch.kernel for launch in launches] == ["_forward", "_backward"]


def test_a_place_that_sends_no_gradient(launches):
    x = torch.randn(1, 9, 24, requires_grad=True)
    weights = torch.randn(24, 1, 4), torch.randn(24)
    s, other, same, _ = short_convolution_branched_triton(x, *weights, None, None, branches=2)
    (actual,) = torch.autograd.grad(other.sum(), x, retain_graph=True)
    (expected,) = torch.autograd.grad(short_convolution_reference(x, *weights).sum(), x)
    torch.testing.assert_close(actual, expected)
    assert torch.equal(s, other)
    (actual,) = torch.autograd.grad(same.sum(), x)
    assert torch.equal(actual, torch.ones_like(x))


def test_rows_too_long_to_be_held_take_pytorch():
    row, weights = torch.randn(1, 16392), torch.randn(2, 16392)
    with kernel_traffic.record() as launches:
        actual = gated_norm(row, row, weights[0], row, weights[1], 1e-5)
    assert not launches
    torch.testing.assert_close(actual, gated_norm_reference(row, row, weights[0], row, weights[1], 1e-5))


class Names(TorchDispatchMode):
    """The operators that PyTorch runs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.name())
        return function(*args, **(kwargs or {}))


class Written(torch.autograd.Function):
    """Three times x, with its gradient written where `empty_gradient` says."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 3 * x

    @staticmethod
    def backward(ctx, d):
        return empty_gradient(ctx.saved_tensors[0]).copy_(3 * d)


def gradient_of_halves(function):
    both = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
    function(*halves(both * 1)).sum().backward()
    return both.grad[0, 0].tolist()


def test_gradients_of_halves_that_are_written_side_by_side_are_not_copied():
    both = torch.randn(2, 3, 4, requires_grad=True)
    with Names() as names:
        first, second = halves(both)
        out = (Written.apply(first) + Written.apply(second)).sum()
        before = len(names.seen)
        out.backward(retain_graph=True)
        assert not any("cat" in name for name in names.seen[before:])
        out.backward()
    assert torch.equal(both.grad, torch.full_like(both, 6))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a, b: Written.apply(a) + b, [3, 3, 1, 1]),
        (lambda a, b: Written.apply(a) + Written.apply(a) + Written.apply(b), [6, 6, 3, 3]),
        (lambda a, b: Written.apply(b), [0, 0, 3, 3]),
        (lambda a, b: a * 2, [2, 2, 0, 0]),
    ],
)
def test_gradients_of_halves_that_come_otherwise(function, expected):
    assert gradient_of_halves(function) == expected


def test_memory_of_a_gradient_is_given_out_once():
    first, _ = halves(torch.randn(2, 4, requires_grad=True))
    out = Written.apply(first)
    (kept,) = torch.autograd.grad(out.sum(), first, retain_graph=True)
    torch.autograd.grad((5 * out).sum(), first)
    assert torch.equal(kept, torch.full_like(first, 3))


@pytest.mark.parametrize(
    ("batch", "steps", "taps"),
    [*itertools.product([3], [1, 2, 5], [1, 3, 4]), (17, 1, 4), (17, 2, 3), (17, 5, 1), (64, 1, 4)],
)
def test_convolution_of_decoding_steps(launches, batch, steps, taps):
    wide, weight, bias = torch.randn(batch, steps, 48), torch.randn(24, 1, taps), torch.randn(24)
    state, x = torch.randn(batch, 24, taps), wide[..., :24]
    past, address = state.clone().transpose(1, 2), state.data_ptr()
    actual = short_convolution_step_triton(x, state, weight, bias)
    torch.testing.assert_close(actual, short_convolution_reference(x, weight, bias, past))
    torch.testing.assert_close(state, torch.cat([past, x], 1)[:, -taps:].transpose(1, 2))
    assert state.data_ptr() == address


@pytest.mark.parametrize(
    ("batch", "steps", "mem_size", "channels"),
    [(1, 1, 64, 40), (3, 5, 16, 72), (2, 16, 16, 8), (4, 3, 32, 24), (17, 2, 16, 40), (64, 1, 16, 8)],
)
def test_decoding_steps(launches, batch, steps, mem_size, channels):
    """Two calls, as in decoding: the second goes on from the state that the first left at the same address."""
    state = torch.randn(batch, mem_size, channels)
    expected_state, address = state.double(), state.data_ptr()
    for _ in range(2):
        query_key, gates = torch.randn(2, batch, steps, 2 * mem_size)
        gates = gates * 10 ** (torch.rand_like(gates) * 2 - 1)
        channel_gate, x = torch.randn(batch, steps, 2, channels).unbind(2)
        inputs = (query_key, gates, channel_gate, x)
        expected = one_step_after_another(*(y.double() for y in inputs), expected_state)
        actual = decoding_step(*inputs, state, 1e-6)
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(state.double(), expected_state, rtol=1e-5, atol=1e-5)
        assert state.data_ptr() == address


def one_step_after_another(query_key, gates, channel_gate, x, state):
    """The formula of `decoding_step` as it stands."""
    query, key, log_decay = tempered_selection_reference(query_key, gates, 1e-6)
    value, outputs = torch.sigmoid(channel_gate) * x, []
    for t in range(x.shape[1]):
        state.copy_(log_decay[:, t].exp()[..., None] * state + key[:, t, :, None] * value[:, t, None])
        outputs.append(torch.einsum("bm,bmi->bi", query[:, t], state) * query.shape[-1] ** -0.5)
    return torch.stack(outputs, 1)


def test_operators_are_registered_as_pytorch_wants():
    from codefuse_hf.kernels import decoding_step_triton, gated_norm_triton, short_convolution_triton
    from codefuse_hf.kernels import tempered_selection_triton as gates

    leaf = functools.partial(torch.randn, requires_grad=True)
    conv = (leaf(1, 5, 16), leaf(16, 1, 4), leaf(16), None, None)
    norm = (leaf(3, 16), leaf(3, 16), leaf(16), leaf(3, 16), leaf(16), 1e-5)
    step = (*(torch.randn(1, 1, n) for n in (32, 32, 8, 8)), torch.randn(1, 16, 8), 1e-6)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    for operator, arguments in (
        (short_convolution_triton._forward_op, conv),
        (short_convolution_triton._step_op, (torch.randn(1, 1, 8), torch.randn(1, 8, 4), *torch.randn(2, 8, 1, 4)[:1], torch.randn(8))),
        (gated_norm_triton._forward_op, norm),
        (gates._forward_op, (leaf(3, 32), leaf(3, 32), 1e-6)),
        (decoding_step_triton._step_op, step),
    ):  # fmt: skip
        torch.library.opcheck(operator, arguments, test_utils=checks, atol=1e-4, rtol=1e-4)
