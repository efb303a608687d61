r"""The short causal depthwise convolution in front of the recurrence (d_conv taps, each channel by itself).

    s_t = silu(bias + Σ_k weight_k x_{t − d_conv + 1 + k})

(arXiv 2410.06577, §3.1: "ShortConv".) `CausalConv1d` is the PyTorch version of the convolution, `short_convolution_triton` holds
the kernels that compute it with SiLU in one pass.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .kernel_dispatch import use_kernels


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
        # As a 2D image of height 1 the view is what PyTorch calls channels_last, for which CPUs have a fast kernel.
        return F.conv2d(x.unsqueeze(2), self.weight.unsqueeze(2), self.bias, groups=self.groups).squeeze(2)

    def _fused(self, x, state=None, history=None, seq_idx=None):
        """Convolution and SiLU, of `x` `[batch, seq_len, channels]`: `short_convolution_branched_triton`; with a `state`
        `short_convolution_step` or its kernel."""
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
