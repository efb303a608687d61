"""Triton kernels of residual, output gate and norm, each in one pass; the formula is `gated_norm_reference`."""

import torch

from .kernel_dispatch import on_device_of, operator_name, processors

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

MAX_CHANNELS = 16384  # a row is held in registers


@triton.jit
def _forward(
    out, residual, residual_weight, gate, weight, y,
    channels, eps, out_row, residual_row, gate_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    row, chan = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    inside = chan < channels
    o = tl.load(out + row * out_row + chan, mask=inside, other=0.0).to(tl.float32)
    s = tl.load(residual + row * residual_row + chan, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(gate + row * gate_row + chan, mask=inside, other=0.0).to(tl.float32)
    w_res = tl.load(residual_weight + chan, mask=inside, other=0.0).to(tl.float32)
    z = (o + w_res * s) * g * tl.sigmoid(g)
    rms = 1 / tl.sqrt(tl.sum(z * z, 0) / channels + eps)
    w = tl.load(weight + chan, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * channels + chan, (z * rms * w).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _backward(
    out, residual, residual_weight, gate, weight, d_y, d_out, d_residual, d_gate, d_weights,
    rows, channels, eps, out_row, residual_row, gate_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    program, chan = tl.program_id(0), tl.arange(0, BLOCK)
    inside = chan < channels
    sum_res, sum_w = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    for step in range(tl.cdiv(rows - program, tl.num_programs(0))):
        row = program.to(tl.int64) + step * tl.num_programs(0)
        o = tl.load(out + row * out_row + chan, mask=inside, other=0.0).to(tl.float32)
        s = tl.load(residual + row * residual_row + chan, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(gate + row * gate_row + chan, mask=inside, other=0.0).to(tl.float32)
        d = tl.load(d_y + row * channels + chan, mask=inside, other=0.0).to(tl.float32)
        # The weights stay in the cache; registers are for the sums.
        w_res = tl.load(residual_weight + chan, mask=inside, other=0.0).to(tl.float32)
        w = tl.load(weight + chan, mask=inside, other=0.0).to(tl.float32)
        sigmoid = tl.sigmoid(g)
        summed = o + w_res * s
        z = summed * g * sigmoid
        rms = 1 / tl.sqrt(tl.sum(z * z, 0) / channels + eps)
        sum_w += d * z * rms
        d = d * w * rms
        d_z = d - z * (tl.sum(d * z, 0) * rms * rms / channels)
        d_summed = d_z * g * sigmoid
        sum_res += d_summed * s
        at = row * channels + chan
        tl.store(d_out + at, d_summed.to(d_out.dtype.element_ty), mask=inside)
        tl.store(d_residual + at, (d_summed * w_res).to(d_residual.dtype.element_ty), mask=inside)
        d_g = d_z * summed * sigmoid * (1 + g * (1 - sigmoid))
        tl.store(d_gate + at, d_g.to(d_gate.dtype.element_ty), mask=inside)
    tl.store(d_weights + program * 2 * channels + chan, sum_res, mask=inside)
    tl.store(d_weights + (program * 2 + 1) * channels + chan, sum_w, mask=inside)


def supported(out: torch.Tensor) -> bool:
    """Whether the kernels take this size."""
    return out.shape[-1] <= MAX_CHANNELS and out.numel() > 0


def options(channels: int) -> dict[str, int]:
    """Block and number of warps: 16 channels a thread."""
    block = triton.next_power_of_2(channels)
    return {"BLOCK": block, "num_warps": min(max(block // 512, 1), 32)}


@torch.library.custom_op(operator_name(__name__, "gated_norm_triton"), mutates_args=())
def _forward_op(
    out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor,
    weight: torch.Tensor, eps: float,
) -> torch.Tensor:  # fmt: skip
    """Rows `[steps, d_inner]`."""
    y = weight.new_empty(out.shape)
    with on_device_of(out):
        _forward[(out.shape[0],)](
            out, residual, residual_weight, gate, weight, y,
            out.shape[1], eps, out.stride(0), residual.stride(0), gate.stride(0), **options(out.shape[1]),
        )  # fmt: skip
    return y


@_forward_op.register_fake
def _(out, residual, residual_weight, gate, weight, eps):
    return weight.new_empty(out.shape)


@torch.library.custom_op(operator_name(__name__, "gated_norm_backward_triton"), mutates_args=())
def _backward_op(
    out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor,
    weight: torch.Tensor, d_y: torch.Tensor, eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    rows, channels = out.shape
    d_y = d_y.contiguous()
    d_out, d_residual, d_gate = (x.new_empty(x.shape) for x in (out, residual, gate))
    programs = min(rows, 4 * processors(out.device))
    d_weights = out.new_empty((programs, 2, channels), dtype=torch.float32)
    with on_device_of(out):
        _backward[(programs,)](
            out, residual, residual_weight, gate, weight, d_y, d_out, d_residual, d_gate, d_weights,
            rows, channels, eps, out.stride(0), residual.stride(0), gate.stride(0), **options(channels),
        )  # fmt: skip
    d_residual_weight, d_weight = d_weights[:, 0].sum(0), d_weights[:, 1].sum(0)
    return d_out, d_residual, d_residual_weight.to(residual_weight.dtype), d_gate, d_weight.to(weight.dtype)


@_backward_op.register_fake
def _(out, residual, residual_weight, gate, weight, d_y, eps):
    return tuple(x.new_empty(x.shape) for x in (out, residual, residual_weight, gate, weight))


def _keep_for_backward(ctx, inputs, output):
    *tensors, ctx.eps = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx, d_y):
    return *_backward_op(*ctx.saved_tensors, d_y, ctx.eps), None


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


def gated_norm_triton(
    out: torch.Tensor,
    residual: torch.Tensor,
    residual_weight: torch.Tensor,
    gate: torch.Tensor,
    weight: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Arguments and result as in `gated_norm`, for a size that is `supported`."""
    rows = (x.reshape(-1, x.shape[-1]) for x in (out, residual, gate))
    o, s, g = (x if x.stride(1) == 1 else x.contiguous() for x in rows)
    return _forward_op(o, s, residual_weight.contiguous(), g, weight.contiguous(), eps).view(out.shape)
