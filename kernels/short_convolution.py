"""The short causal depthwise convolution in front of the recurrence (d_conv taps, each channel by itself)."""

import torch
from torch import nn
from torch.nn import functional as F


class CausalConv1d(nn.Conv1d):
    """Depthwise `nn.Conv1d` without padding, quick on sequences that are stored channels-last.

    Takes `[batch, channels, seq_len + kernel_size - 1]`, a view of channels-last memory being the fast case, and returns
    `[batch, channels, seq_len]` in the same memory order. Parameters and results are those of `nn.Conv1d(groups=channels)`.
    """

    def __init__(self, channels: int, kernel_size: int):
        super().__init__(channels, channels, kernel_size, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        decoding = x.shape[2] == self.kernel_size[0] and not torch.is_grad_enabled()
        if decoding and x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64):
            # One output: setting up a convolution takes six times as long as the sum itself.
            return (torch.linalg.vecdot(x, self.weight.squeeze(1)) + self.bias).unsqueeze(-1)
        # As a 2D image of height 1 the view is what PyTorch calls channels_last, for which CPUs have a fast kernel.
        return F.conv2d(x.unsqueeze(2), self.weight.unsqueeze(2), self.bias, groups=self.groups).squeeze(2)


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
