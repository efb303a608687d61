"""Layers with weights in 8 or 4 bits for PyTorch on a CPU, by PyTorch's own products of bfloat16 with such weights.

torchao 0.18 has no configuration that runs fast there: `Int8WeightOnlyConfig` and `IntxWeightOnlyConfig` widen the weights at every
call, and the packing formats of `Int4WeightOnlyConfig` are for GPUs. The operators below are those that Inductor and torchao's
prototypes call. With inputs in float32 or float16 they are many times slower than in bfloat16, so inputs are rounded to that. They
are not in PyTorch's public interface, so `operators_work` tries them first: without them 8 bits are slower, and 4 bits refused.
"""

import functools
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

# Beyond so many rows, widening the weights costs less than it saves.
_FEW_ROWS_INT8, _FEW_ROWS_INT4 = 16, 64
_WIDE = 1024  # outputs whose weights are wide at a time: they stay in the processor's cache, and take little memory
_WIDTH = 32  # inputs of a layer in 8 bits are filled up with zeros to a multiple of this
_GROUPS = (128, 64, 32)
_BLOCK = 64  # outputs that are packed together, or a multiple of that
_AT_A_TIME = 1 << 18  # weights that are wide while a layer is made

# Weights of a layer's outputs from a first up to a last, `[last - first, in_features]`.
Rows = Callable[[int, int], torch.Tensor]


@functools.cache
def operators_work(bits: int) -> bool:
    """Tell whether this PyTorch multiplies by weights in 8 or 4 bits on a CPU, and to the right result."""
    numbers = (torch.arange(64)[:, None] + torch.arange(32)) % 16
    scale, inputs = torch.arange(1, 65).bfloat16(), torch.eye(32).bfloat16()
    try:
        if bits == 8:
            found = torch._weight_int8pack_mm(inputs, (numbers - 8).to(torch.int8), scale)
        else:
            scales_and_middles = torch.stack([scale, torch.zeros_like(scale)], 1)[None]
            found = _multiply_int4(inputs, _pack(numbers), 32, scales_and_middles)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(found.float(), ((numbers - 8) * scale[:, None]).T.float())


class Int8Linear(nn.Module):
    """A linear layer with weights in 8 bits and a scale for each output.

    Args:
        linear: the layer that it stands for; without gradients.
        rows: gives its weights, where it has none itself (on the meta device).
    """

    def __init__(self, linear: nn.Linear, rows: Rows | None = None):
        super().__init__()
        self.out_features, self.in_features = linear.weight.shape
        # For other widths the operator reads beyond its inputs (PyTorch 2.13: a crash with three rows of 60).
        self.fill = -self.in_features % _WIDTH
        self.register_buffer("weight", torch.zeros(self.out_features, self.in_features + self.fill, dtype=torch.int8))
        self.register_buffer("scale", torch.empty(self.out_features, dtype=torch.bfloat16))
        for place, weight in _in_blocks(linear, rows):
            scale = (weight.abs().amax(1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny).bfloat16()
            self.weight[place, : self.in_features] = weight.div_(scale.float()).round_().clamp_(-127, 127)
            self.scale[place] = scale[:, 0]
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer: `[…, in_features]` to `[…, out_features]`, of the inputs' dtype."""
        rows = x.reshape(-1, self.in_features).bfloat16()
        if self.fill:
            rows = F.pad(rows, (0, self.fill))
        if rows.shape[0] <= _FEW_ROWS_INT8 and operators_work(8):
            out = torch._weight_int8pack_mm(rows.contiguous(), self.weight, self.scale)
        else:
            out = rows.new_empty(rows.shape[0], self.out_features)
            for part, weight in zip(out.split(_WIDE, 1), self.weight.split(_WIDE), strict=True):
                part.copy_(F.linear(rows, weight.bfloat16()))
            out.mul_(self.scale)
        return _finish(out, x, self.bias)


class Int8Embedding(nn.Module):
    """Look-ups in the weights of an `Int8Linear`; results have a dtype."""

    def __init__(self, table: Int8Linear, dtype: torch.dtype):
        super().__init__()
        self.weight, self.scale, self.dtype, self.width = table.weight, table.scale, dtype, table.in_features

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up rows: token ids `[…]` to `[…, width]`."""
        return self.weight[ids][..., : self.width].to(self.dtype) * self.scale[ids, None].to(self.dtype)


class Int4Linear(nn.Module):
    """A linear layer with weights in 4 bits, and a scale and an offset for each group of up to 128 inputs.

    Args:
        linear: the layer that it stands for, one that `fits`; without gradients.
        rows: gives its weights, where it has none itself (on the meta device).

    Raises:
        RuntimeError: this PyTorch has no product with such weights on CPUs.
    """

    def __init__(self, linear: nn.Linear, rows: Rows | None = None):
        super().__init__()
        if not operators_work(4):
            raise RuntimeError(
                f"PyTorch {torch.__version__} does not multiply by weights in 4 bits on a CPU as version 2.13 does "
                '(aten::_weight_int4pack_mm_for_cpu): use "int8", or for_training=True, or export the model to ONNX'
            )
        self.out_features, self.in_features = linear.weight.shape
        self.group = next(group for group in _GROUPS if self.in_features % group == 0)
        self.register_buffer("weight", torch.empty(self.out_features, self.in_features // 2, dtype=torch.uint8))
        shape = (self.in_features // self.group, self.out_features, 2)
        self.register_buffer("scales_and_middles", torch.empty(shape, dtype=torch.bfloat16))
        for place, weight in _in_blocks(linear, rows):
            weight = weight.unflatten(1, (-1, self.group))
            low, high = weight.aminmax(dim=2, keepdim=True)
            scale = ((high - low) / 15).clamp(min=1e-6).bfloat16()
            middle = (low + 8 * scale).bfloat16()  # what 8 of 0 to 15 stands for
            numbers = weight.sub_(middle.float()).div_(scale.float()).round_().add_(8).clamp_(0, 15)
            self.weight[place] = _pack(numbers.flatten(1))
            self.scales_and_middles[:, place] = torch.cat([scale, middle], 2).transpose(0, 1)
        self.bias = linear.bias

    @staticmethod
    def fits(linear: nn.Linear) -> bool:
        """Tell whether the operator takes a layer of this shape."""
        return linear.in_features % _GROUPS[-1] == 0 and linear.out_features % 16 == 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer: `[…, in_features]` to `[…, out_features]`, of the inputs' dtype."""
        rows = x.reshape(-1, self.in_features).bfloat16().contiguous()
        # Outputs are packed in blocks, of which a last one may be smaller.
        whole = self.out_features // _BLOCK * _BLOCK if rows.shape[0] > _FEW_ROWS_INT4 else 0
        places = _places(whole) if whole > 0 else None
        if places is None:
            out = _multiply_int4(rows, self.weight, self.group, self.scales_and_middles)
        else:
            out = self._multiply_widened(rows, places)
            if whole < self.out_features:
                scales = self.scales_and_middles[:, whole:].contiguous()
                out = torch.cat([out, _multiply_int4(rows, self.weight[whole:], self.group, scales)], 1)
        return _finish(out, x, self.bias)

    def _multiply_widened(self, rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """The first outputs by weights in bfloat16, in the order in which they are packed: `places` says which is where."""
        out = rows.new_empty(rows.shape[0], places.numel())
        for part in places.split(max(_WIDE // places.shape[1], 1)):
            first, last = int(part.min()), int(part.max()) + 1
            found = rows @ self._widened(part, first, last)
            out[:, first:last] = found[:, part.flatten().argsort()]
        return out

    def _widened(self, places: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Weights of the outputs from a first up to a last, `[in_features, last - first]`, in the order in which they are packed."""
        blocks, block = places.shape
        packed = self.weight[first:last].view(blocks, self.in_features, block // 2).transpose(0, 1).contiguous()
        weight = torch.empty(self.in_features, blocks, 2, block // 2, dtype=torch.bfloat16)
        for half, numbers in enumerate((packed & 15, packed >> 4)):
            weight[:, :, half] = numbers.view(torch.int8).sub_(8)
        scale, middle = self.scales_and_middles[:, places.flatten()].movedim(-1, 0).unsqueeze(2).contiguous()
        weight = weight.view(-1, self.group, places.numel()).mul_(scale).add_(middle)
        return weight.flatten(0, 1)


def _in_blocks(linear: nn.Linear, rows: Rows | None) -> Iterator[tuple[slice, torch.Tensor]]:
    """A copy of a layer's weights in float32, some outputs at a time, which are packed together with none of the others."""
    weight = linear.weight.detach()
    count = max(_AT_A_TIME // (weight.shape[1] * _BLOCK), 1) * _BLOCK
    for first in range(0, len(weight), count):
        last = min(first + count, len(weight))
        part = weight[first:last] if rows is None else rows(first, last)
        yield slice(first, last), part.to(torch.float32, copy=rows is None)


def _pack(numbers: torch.Tensor) -> torch.Tensor:
    """Two of `[outputs, inputs]` numbers from 0 to 15 in a byte, in the order of this processor's kernel."""
    return torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers.to(torch.int32), 1)


def _multiply_int4(rows: torch.Tensor, weight: torch.Tensor, group: int, scales_and_middles: torch.Tensor):
    return torch.ops.aten._weight_int4pack_mm_for_cpu(rows, weight, group, scales_and_middles)


@functools.cache
def _places(outputs: int) -> torch.Tensor | None:
    """Which output each number of packed weights belongs to, `[blocks, outputs of a block]`: first of the bytes' lower halves, then
    of the upper. None where the kernel lays them out in another way.

    The order depends on the processor, so it is found by packing the outputs' own numbers, and some numbers of inputs.
    """
    inputs = 32
    digits = [_pack((torch.arange(outputs) >> shift & 15)[:, None].expand(-1, inputs)) for shift in (0, 4, 8, 12, 16)]
    columns = _pack((torch.arange(inputs) % 16).expand(outputs, -1))
    for block in (64, 32, 16):
        if outputs % block == 0:
            parts = [x.view(-1, inputs, block // 2) for x in digits]
            found = sum(torch.cat([x & 15, x >> 4], -1).long() << 4 * i for i, x in enumerate(parts))
            column = columns.view(-1, inputs, block // 2) & 15
            in_turn = torch.equal(column, (torch.arange(inputs) % 16)[:, None].expand_as(column).to(column.dtype))
            together = torch.equal(found[:, 0].sort(1).values.flatten(), torch.arange(outputs))
            if in_turn and together and torch.equal(found, found[:, :1].expand_as(found)):
                return found[:, 0].clone()
    return None


def _finish(out: torch.Tensor, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    out = out.to(x.dtype) if bias is None else out.to(x.dtype) + bias
    return out.view(*x.shape[:-1], -1)
