"""The short causal convolution, and the gaps that keep packed sequences apart in it."""

import pytest
import torch
from torch import nn

from codefuse_hf.kernels.short_convolution import CausalConv1d, insert_gaps, short_convolution_reference


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 2, 4, 7])
def test_equals_conv1d_with_gradients(kernel_size, compiled):
    torch.manual_seed(0)
    ours, plain = CausalConv1d(5, kernel_size), nn.Conv1d(5, 5, kernel_size, groups=5)
    if compiled:
        ours.compile(backend="aot_eager", fullgraph=True)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 5, 11 + kernel_size)
    y, z = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = ours(y), plain(z)
    torch.testing.assert_close(out, expected)
    weights = torch.randn(expected.shape)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(y.grad, z.grad)
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad, rtol=1e-4, atol=1e-5)


def test_channels_last_views_give_the_same():
    torch.manual_seed(0)
    conv, x = CausalConv1d(6, 4), torch.randn(2, 9, 6)
    torch.testing.assert_close(conv(x.transpose(1, 2)), conv(x.transpose(1, 2).contiguous()))


def test_parameter_names_and_shapes_are_those_of_conv1d():
    shapes = {name: tuple(tensor.shape) for name, tensor in CausalConv1d(6, 4).state_dict().items()}
    assert shapes == {"weight": (6, 1, 4), "bias": (6,)}


def test_insert_gaps_moves_sequences_apart():
    x = torch.arange(1.0, 7.0)[None, :, None]
    spread, positions = insert_gaps(x, torch.tensor([[0, 0, 1, 1, 1, 2]]), 2)
    assert spread[0, :, 0].tolist() == [1, 2, 0, 0, 3, 4, 5, 0, 0, 6]
    assert positions.tolist() == [[0, 1, 4, 5, 6, 9]]


def test_insert_gaps_rows_may_hold_different_numbers_of_sequences():
    x = torch.ones(2, 3, 1)
    spread, positions = insert_gaps(x, torch.tensor([[0, 0, 0], [0, 1, 2]]), 1)
    assert spread[..., 0].tolist() == [[1, 1, 1, 0, 0], [1, 0, 1, 0, 1]]
    assert positions.tolist() == [[0, 1, 2], [0, 2, 4]]


def test_insert_gaps_passes_gradients():
    x = torch.randn(1, 4, 2, requires_grad=True)
    spread, _ = insert_gaps(x, torch.tensor([[0, 0, 1, 1]]), 3)
    spread.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


@pytest.mark.parametrize("numbers", [(0, 1, 2), (1, 0, 2), (5, 0, 3)])
def test_packed_sequences_do_not_see_one_another_whatever_their_numbers(numbers):
    torch.manual_seed(0)
    conv, x, history = CausalConv1d(6, 4).double(), torch.randn(1, 9, 6).double(), torch.randn(1, 4, 6).double()
    seq_idx = torch.tensor(numbers).repeat_interleave(3)[None]
    found = short_convolution_reference(x, conv.weight, conv.bias, history, seq_idx)
    alone = [
        short_convolution_reference(part, conv.weight, conv.bias, history if first else None)
        for part, first in zip(x.split(3, 1), (True, False, False), strict=True)
    ]
    torch.testing.assert_close(found, torch.cat(alone, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_decoding_step_equals_the_last_output_of_a_sequence(dtype):
    torch.manual_seed(0)
    conv = CausalConv1d(6, 4).to(dtype)
    x = torch.randn(2, 6, 9, dtype=dtype)
    with torch.no_grad():
        torch.testing.assert_close(conv(x[..., -4:]), conv(x)[..., -1:])


@pytest.mark.parametrize("kernel_size", [1, 2, 4])
@torch.no_grad()
def test_single_steps_on_a_state_give_what_the_sequence_gives(kernel_size):
    torch.manual_seed(0)
    conv, x, state = (
        CausalConv1d(6, kernel_size).double(),
        torch.randn(2, 9, 6).double(),
        torch.zeros(2, 6, kernel_size),
    )
    state = state.double()
    steps = [conv(step, state=state) for step in x.split(1, 1)]
    torch.testing.assert_close(torch.cat(steps, 1), short_convolution_reference(x, conv.weight, conv.bias))
    torch.testing.assert_close(state, x[:, -kernel_size:].transpose(1, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_a_step_of_half_precision_is_computed_in_the_precision_of_the_state(dtype):
    torch.manual_seed(0)
    conv, state = CausalConv1d(6, 4).to(dtype), torch.randn(2, 6, 4)
    x, history = torch.randn(2, 1, 6).to(dtype), state.transpose(1, 2).clone()
    expected = short_convolution_reference(x.double(), conv.weight.double(), conv.bias.double(), history.double())
    out = conv(x, state=state)
    assert out.dtype == dtype and state.dtype == torch.float32
    torch.testing.assert_close(out, expected.to(dtype), atol=torch.finfo(dtype).eps, rtol=torch.finfo(dtype).eps)
    torch.testing.assert_close(state, torch.cat([history[:, 1:], x.float()], 1).transpose(1, 2))
