"""Layers with weights in 8 or 4 bits for PyTorch on a CPU, by PyTorch's own products of bfloat16 with such weights.

torchao 0.18 has no configuration that runs fast there: `Int8WeightOnlyConfig` and `IntxWeightOnlyConfig` widen the weights at every
call, and the packing formats of `Int4WeightOnlyConfig` are for GPUs. The operators below are those that Inductor and torchao's
prototypes call. With inputs in float32 or float16 they are many times slower than in bfloat16, so inputs are rounded to that.
"""

import torch
from torch import nn
from torch.nn import functional as F

# Beyond this, widening the weights costs less than it saves.
_FEW_ROWS = 16
_GROUPS = (128, 64, 32)


class Int8Linear(nn.Module):
    """A linear layer with weights in 8 bits and a scale for each output.

    Args:
        linear: the layer that it stands for; without gradients.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.out_features, self.in_features = linear.weight.shape
        weight = linear.weight.detach().float()
        scale = (weight.abs().amax(1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny).bfloat16()
        self.register_buffer("weight", (weight / scale.float()).round().clamp(-127, 127).to(torch.int8))
        self.register_buffer("scale", scale[:, 0])
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer: `[…, in_features]` to `[…, out_features]`, of the inputs' dtype."""
        rows = x.reshape(-1, self.in_features).bfloat16()
        # For other widths the operator reads beyond its inputs (PyTorch 2.13: a crash with three rows of 60).
        if rows.shape[0] <= _FEW_ROWS and self.in_features % 32 == 0:
            out = torch._weight_int8pack_mm(rows.contiguous(), self.weight, self.scale)
        else:
            out = F.linear(rows, self.weight.bfloat16()).mul_(self.scale)
        return _finish(out, x, self.bias)


class Int8Embedding(nn.Module):
    """Look-ups in the weights of an `Int8Linear`; results have a dtype."""

    def __init__(self, table: Int8Linear, dtype: torch.dtype):
        super().__init__()
        self.weight, self.scale, self.dtype = table.weight, table.scale, dtype

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up rows: token ids `[…]` to `[…, width]`."""
        return self.weight[ids].to(self.dtype) * self.scale[ids, None].to(self.dtype)


class Int4Linear(nn.Module):
    """A linear layer with weights in 4 bits, and a scale and an offset for each group of up to 128 inputs.

    Args:
        linear: the layer that it stands for, one that `fits`; without gradients.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.out_features, self.in_features = linear.weight.shape
        self.group = next(group for group in _GROUPS if self.in_features % group == 0)
        weight = linear.weight.detach().float().unflatten(1, (-1, self.group))
        low, high = weight.aminmax(dim=2, keepdim=True)
        scale = ((high - low) / 15).clamp(min=1e-6).bfloat16()
        middle = (low + 8 * scale).bfloat16()  # what 8 of 0 to 15 stands for
        numbers = ((weight - middle.float()) / scale.float()).round().add(8).clamp(0, 15).to(torch.int32).flatten(1)
        self.register_buffer("weight", torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers, 1))
        self.register_buffer("scales_and_middles", torch.cat([scale, middle], 2).transpose(0, 1).contiguous())
        self.bias = linear.bias

    @staticmethod
    def fits(linear: nn.Linear) -> bool:
        """Tell whether the operator takes a layer of this shape."""
        return linear.in_features % _GROUPS[-1] == 0 and linear.out_features % 16 == 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer: `[…, in_features]` to `[…, out_features]`, of the inputs' dtype."""
        rows = x.reshape(-1, self.in_features).bfloat16().contiguous()
        out = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.weight, self.group, self.scales_and_middles)
        return _finish(out, x, self.bias)


def _finish(out: torch.Tensor, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    out = out.to(x.dtype) if bias is None else out.to(x.dtype) + bias
    return out.view(*x.shape[:-1], -1)
