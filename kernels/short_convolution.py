r"""The short causal depthwise convolution in front of the recurrence (d_conv taps, each channel by itself).

    s_t = silu(bias + Σ_k weight_k x_{t − d_conv + 1 + k})

(arXiv 2410.06577, §3.1: "ShortConv".) `CausalConv1d` is the PyTorch version of the convolution, `short_convolution_triton` holds
the kernels that compute it with SiLU in one pass.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .kernel_dispatch import is_exporting, use_kernels
from .second_derivatives import plain_gradients

_BLOCK = 1 << 16  # numbers in a block of the backward pass


def short_convolution_reference(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    history: torch.Tensor | None = None,
    seq_idx: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the formula, one step and one tap after another.

    Args:
        x: `[batch, seq_len, channels]`.
        weight, bias: `[channels, 1, taps]` and `[channels]`, as in `nn.Conv1d`.
        history: the inputs before the first step, at least `taps − 1` of them, `[batch, steps, channels]`; zeros if None.
        seq_idx: number of the sequence of each step, `[batch, seq_len]`; a tap does not reach into another sequence, and the
            history belongs to a row's first one.

    Returns:
        s, of the shape of `x`.
    """
    taps, rows = weight.shape[2], []
    before = x.new_zeros(x.shape[0], taps, x.shape[2]) if history is None else history.to(x.dtype)
    steps = torch.cat([before, x], 1)
    numbers = None if seq_idx is None else F.pad(seq_idx, (before.shape[1], 0), value=-1)
    for t in range(x.shape[1]):
        now, total = t + before.shape[1], bias.to(x.dtype).expand(x.shape[0], -1)
        for lag in range(taps):
            term = weight[:, 0, taps - 1 - lag].to(x.dtype) * steps[:, now - lag]
            if numbers is not None:
                of_row = torch.where(numbers[:, now - lag] < 0, seq_idx[:, 0], numbers[:, now - lag])
                term = term * (of_row == seq_idx[:, t])[:, None]
            total = total + term
        rows.append(total * torch.sigmoid(total))
    return torch.stack(rows, 1)


class _ConvolutionAndSiLU(torch.autograd.Function):
    """Convolution and SiLU of `[batch, taps - 1 + seq_len, channels]` with gradients on a CPU, where PyTorch's own backward pass
    of a depthwise convolution takes longer than the linear layers around it."""

    @staticmethod
    def forward(ctx, steps, weight, bias):
        summed = _convolve(steps.transpose(1, 2), weight, bias).transpose(1, 2)
        ctx.save_for_backward(steps, weight, bias, summed)
        return F.silu(summed)

    @staticmethod
    def backward(ctx, d_out):
        steps, weight, bias, summed = ctx.saved_tensors
        if torch.is_grad_enabled():

            def formula(steps, weight, bias):
                weight, bias = (x.to(steps.dtype) for x in (weight, bias))  # as autocast did
                return (F.silu(_convolve(steps.transpose(1, 2), weight, bias).transpose(1, 2)),)

            return tuple(plain_gradients(formula, (steps, weight, bias), ctx.needs_input_grad, (d_out,)))
        dtype = steps.dtype if steps.dtype == torch.float64 else torch.float32
        taps, seq_len = weight.shape[2], summed.shape[1]
        by_tap = weight[:, 0].T.to(dtype).contiguous()
        d_steps = steps.new_empty(steps.shape, dtype=dtype)
        d_steps[:, : taps - 1] = 0
        d_by_tap, d_bias = torch.zeros_like(by_tap), by_tap.new_zeros(by_tap.shape[1])
        # Block by block, each of which stays in the processor's cache.
        block = max(_BLOCK // max(steps.shape[0] * steps.shape[2], 1), 1)
        for first in range(0, seq_len, block):
            last = min(first + block, seq_len)
            d_summed = torch.ops.aten.silu_backward(d_out[:, first:last].to(dtype), summed[:, first:last].to(dtype))
            d_bias += d_summed.sum((0, 1))
            torch.mul(d_summed, by_tap[-1], out=d_steps[:, first + taps - 1 : last + taps - 1])
            product = torch.empty_like(d_summed)
            for tap in range(taps):
                seen = slice(first + tap, last + tap)
                if tap < taps - 1:
                    d_steps[:, seen].addcmul_(d_summed, by_tap[tap])
                d_by_tap[tap] += torch.mul(d_summed, steps[:, seen], out=product).sum((0, 1))
        return d_steps, d_by_tap.T.unsqueeze(1), d_bias


def _convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Depthwise convolution of `[batch, channels, seq_len]` without padding."""
    if torch.compiler.is_compiling() and not is_exporting():
        # Tap by tap: a compiler makes one loop of it, and of its gradients, which PyTorch's own convolution takes long for.
        taps, seq_len = weight.shape[2], x.shape[2] - weight.shape[2] + 1
        summed = bias[:, None]
        for tap in range(taps):
            summed = summed + weight[:, :, tap] * x[:, :, tap : tap + seq_len]
        return summed.to(x.dtype)
    # As a 2D image of height 1 the view is what PyTorch calls channels_last, for which CPUs have a fast kernel.
    return F.conv2d(x.unsqueeze(2), weight.unsqueeze(2), bias, groups=x.shape[1]).squeeze(2)


class CausalConv1d(nn.Conv1d):
    """Depthwise `nn.Conv1d` without padding, quick on sequences that are stored channels-last.

    Takes `[batch, channels, seq_len + kernel_size - 1]`, a view of channels-last memory being the fast case, and returns
    `[batch, channels, seq_len]` in the same memory order. Parameters and results are those of `nn.Conv1d(groups=channels)`.
    """

    # Layers in the place of this one (adapters, other number formats) have no kernels.
    has_kernels = True

    def __init__(self, channels: int, kernel_size: int, *others, **settings):
        if others or settings:  # PEFT makes the two factors of an adapter as layers of the class that it adapts
            raise ValueError(
                "LoRA has no use for this depthwise convolution, whose channels do not mix: its two factors would be larger than the "
                'convolution. Leave conv1d out of target_modules; to train it, whole, pass modules_to_save=["conv1d"]'
            )
        super().__init__(channels, channels, kernel_size, groups=channels)

    def forward(self, x: torch.Tensor, **fused) -> torch.Tensor | list[torch.Tensor]:
        """Convolve `x`, `[batch, channels, seq_len]`, without padding: each output sees `kernel_size` inputs, so there are
        fewer of them. With `fused` arguments convolve and apply SiLU in one pass, `[batch, seq_len, channels]`."""
        if fused:
            return self._fused(x, **fused)
        return _convolve(x, self.weight, self.bias)

    def _fused(self, x, state=None, history=None, seq_idx=None, behind_history=False):
        """Convolution and SiLU, of `x` `[batch, seq_len, channels]`: `short_convolution_branched_triton`; with a `state`
        `short_convolution_step` or its kernel. If its first `kernel_size - 1` steps are the history: in PyTorch, with gradients."""
        if behind_history:
            return _ConvolutionAndSiLU.apply(x, self.weight, self.bias)
        if state is not None and not use_kernels(x):
            return short_convolution_step(x, state, self.weight, self.bias)
        from .short_convolution_triton import short_convolution_branched_triton, short_convolution_step_triton

        if state is not None:
            return short_convolution_step_triton(x, state, self.weight, self.bias)
        return short_convolution_branched_triton(x, self.weight, self.bias, history, seq_idx)


def short_convolution_step(
    x: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Compute convolution and SiLU of one further step, without gradients; **`state` is updated in place**.

    Args:
        x: `[batch, 1, channels]`.
        state: the last inputs, `[batch, channels, taps]`, in float32 or float64.
        weight, bias: as in `nn.Conv1d`.

    Returns:
        `[batch, 1, channels]`, in the dtype of `x`.
    """
    state.copy_(torch.cat([state[..., 1:], x.transpose(1, 2)], -1))
    # One output: setting up a convolution takes longer than the sum itself.
    out = F.silu((state * weight[:, 0]).sum(-1).add_(bias), inplace=True).unsqueeze(1)
    return out if out.dtype == x.dtype else out.to(x.dtype)


def insert_gaps(x: torch.Tensor, seq_idx: torch.Tensor, gap: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Moves packed sequences apart, so that a convolution over `gap + 1` taps does not reach from one into the next.

    Args:
        x: `[batch, seq_len, channels]`.
        seq_idx: number of the sequence of each step, starting from 0 in each row, `[batch, seq_len]`.
        gap: zeros between two sequences.

    Returns:
        The sequences with gaps `[batch, seq_len + gap · (sequences − 1), channels]`, and where each step of `x` now is
        `[batch, seq_len]`.
    """
    positions = torch.arange(x.shape[1], device=x.device) + gap * seq_idx
    spread = x.new_zeros(x.shape[0], x.shape[1] + gap * int(seq_idx.max()), x.shape[2])
    return spread.scatter(1, positions[..., None].expand_as(x), x), positions
