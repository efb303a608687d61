"""Triton kernels of residual, output gate and norm, each in one pass; the formula is `gated_norm_reference`."""

import torch

from .halves import empty_gradient, is_half
from .kernel_dispatch import on_device_of, operator_name, processors

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

MAX_CHANNELS = 16384  # a row is held in registers
# In the backward pass: what is held at once, what is held as sums while a row is read piece by piece, and a piece.
MAX_CHANNELS_AT_ONCE, MAX_CHANNELS_SUMMED, PIECE = 4096, 6144, 2048


@triton.jit
def _forward(
    out, residual, residual_weight, gate, weight, y,
    channels, eps, out_row, residual_row, gate_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Compute one row of y: z = (o + w_res s) silu(g), y = z / sqrt(mean(z²) + eps) w."""
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
def _load_piece(out, residual, residual_weight, gate, weight, d_y, chan, inside):
    """Load some channels of a row, in float32."""
    o = tl.load(out + chan, mask=inside, other=0.0).to(tl.float32)
    s = tl.load(residual + chan, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(gate + chan, mask=inside, other=0.0).to(tl.float32)
    d = tl.load(d_y + chan, mask=inside, other=0.0).to(tl.float32)
    # The weights stay in the cache; registers are for the sums.
    w_res = tl.load(residual_weight + chan, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(weight + chan, mask=inside, other=0.0).to(tl.float32)
    return o, s, w_res, g, w, d


@triton.jit
def _statistics(
    out, residual, residual_weight, gate, weight, d_y, statistics,
    channels, eps, out_row, residual_row, gate_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Compute of one row what its gradients need of all of its channels: 1 / rms, and Σ d_y w z / rms² / channels."""
    row, square, along = tl.program_id(0).to(tl.int64), 0.0, 0.0
    for first in range(0, channels, BLOCK):
        chan = first + tl.arange(0, BLOCK)
        o, s, w_res, g, w, d = _load_piece(
            out + row * out_row, residual + row * residual_row, residual_weight, gate + row * gate_row, weight,
            d_y + row * channels, chan, chan < channels,
        )  # fmt: skip
        z = (o + w_res * s) * g * tl.sigmoid(g)
        square += tl.sum(z * z, 0)
        along += tl.sum(d * w * z, 0)
    rms = 1 / tl.sqrt(square / channels + eps)
    tl.store(statistics + 2 * row, rms)
    tl.store(statistics + 2 * row + 1, along * rms * rms / channels)


@triton.jit(do_not_specialize=["rows"])  # compiled once for every length
def _backward(
    out, residual, residual_weight, gate, weight, d_y, statistics, d_out, d_residual, d_gate, d_weights,
    rows, channels, eps, out_row, residual_row, gate_row, d_gate_row,
    BLOCK: tl.constexpr, PIECES: tl.constexpr, HAS_STATISTICS: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of some rows, and their sums for the weights: `d_weights` `[programs, 2, channels]`, of w_res and w.

    A row is in `PIECES` blocks: with more than one, they are read again from the cache, since registers do not hold them all.
    With statistics a program has its part of the channels only.
    """
    program, begin, sums = tl.program_id(0), tl.program_id(1) * PIECES * BLOCK, ()  # sums piece after piece
    for _ in tl.static_range(2 * PIECES):
        sums = sums + (tl.zeros([BLOCK], tl.float32),)
    for step in range(tl.cdiv(rows - program, tl.num_programs(0))):
        row = program.to(tl.int64) + step * tl.num_programs(0)
        out_at, residual_at, gate_at = out + row * out_row, residual + row * residual_row, gate + row * gate_row
        square, along, grown = 0.0, 0.0, ()
        if HAS_STATISTICS:
            rms, along = tl.load(statistics + 2 * row), tl.load(statistics + 2 * row + 1)
        else:
            for piece in tl.static_range(PIECES):
                chan = piece * BLOCK + tl.arange(0, BLOCK)
                o, s, w_res, g, w, d = _load_piece(
                    out_at, residual_at, residual_weight, gate_at, weight, d_y + row * channels, chan, chan < channels
                )
                z = (o + w_res * s) * g * tl.sigmoid(g)
                square += tl.sum(z * z, 0)
                along += tl.sum(d * w * z, 0)
            rms = 1 / tl.sqrt(square / channels + eps)
            along *= rms * rms / channels
        for piece in tl.static_range(PIECES):
            chan = begin + piece * BLOCK + tl.arange(0, BLOCK)
            inside, at = chan < channels, row * channels + chan
            if PIECES > 1 or HAS_STATISTICS:
                o, s, w_res, g, w, d = _load_piece(
                    out_at, residual_at, residual_weight, gate_at, weight, d_y + row * channels, chan, inside
                )
            sigmoid = tl.sigmoid(g)
            summed = o + w_res * s
            z = summed * g * sigmoid
            d_z = (d * w - z * along) * rms
            d_summed = d_z * g * sigmoid
            grown = grown + (sums[2 * piece] + d_summed * s, sums[2 * piece + 1] + d * z * rms)
            tl.store(d_out + at, d_summed.to(d_out.dtype.element_ty), mask=inside)
            tl.store(d_residual + at, (d_summed * w_res).to(d_residual.dtype.element_ty), mask=inside)
            d_g = d_z * summed * sigmoid * (1 + g * (1 - sigmoid))
            tl.store(d_gate + row * d_gate_row + chan, d_g.to(d_gate.dtype.element_ty), mask=inside)
        sums = grown
    for piece in tl.static_range(PIECES):
        chan = begin + piece * BLOCK + tl.arange(0, BLOCK)
        inside, at = chan < channels, d_weights + program * 2 * channels + chan
        tl.store(at, sums[2 * piece], mask=inside)
        tl.store(at + channels, sums[2 * piece + 1], mask=inside)


def supported(out: torch.Tensor) -> bool:
    """Tell whether the kernels take this size."""
    return out.shape[-1] <= MAX_CHANNELS and out.numel() > 0


def options(channels: int) -> dict[str, int]:
    """Choose block and number of warps: 16 channels a thread."""
    block = triton.next_power_of_2(channels)
    return {"BLOCK": block, "num_warps": min(max(block // 512, 1), 32)}


def backward_options(channels: int) -> dict[str, int]:
    """Choose blocks and warps of the backward pass, which has twice as much to hold: the most that compiles without spills."""
    if channels <= MAX_CHANNELS_AT_ONCE:
        return options(channels) | {"PIECES": 1, "HAS_STATISTICS": False}
    if channels <= MAX_CHANNELS_SUMMED:
        return {"BLOCK": PIECE, "PIECES": triton.cdiv(channels, PIECE), "num_warps": 16, "HAS_STATISTICS": False}
    return options(PIECE) | {"PIECES": 1, "HAS_STATISTICS": True}


@torch.library.custom_op(operator_name(__name__, "gated_norm_triton"), mutates_args=())
def _forward_op(
    out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor,
    weight: torch.Tensor, eps: float,
) -> torch.Tensor:  # fmt: skip
    y, (o, s, g) = weight.new_empty(out.shape), _rows(out, residual, gate)
    with on_device_of(out):
        _forward[(o.shape[0],)](
            o, s, residual_weight.contiguous(), g, weight.contiguous(), y,
            o.shape[1], eps, o.stride(0), s.stride(0), g.stride(0), **options(o.shape[1]),
        )  # fmt: skip
    return y


@_forward_op.register_fake
def _(out, residual, residual_weight, gate, weight, eps):
    return weight.new_empty(out.shape)


def _rows(*tensors):
    """Lay each out as `[steps, d_inner]`, with channels side by side."""
    rows = (x.reshape(-1, x.shape[-1]) for x in tensors)
    return [x if x.stride(1) == 1 else x.contiguous() for x in rows]


def _run_backward(out, residual, residual_weight, gate, weight, d_y, eps, d_gate):
    """Fill `d_gate`, whose rows lie at equal distances, and return it with the other gradients."""
    o, s, g = _rows(out, residual, gate)
    rows, channels = o.shape
    d_out, d_residual, d_gate_rows = (
        out.new_empty(out.shape),
        residual.new_empty(residual.shape),
        d_gate.view(-1, channels),
    )
    options = backward_options(channels)
    blocks = triton.cdiv(channels, options["BLOCK"] * options["PIECES"])
    programs = max(min(rows, 4 * processors(out.device) // blocks), 1)
    d_weights, statistics = out.new_empty((programs, 2, channels), dtype=torch.float32), None
    given = o, s, residual_weight.contiguous(), g, weight.contiguous(), d_y.contiguous()
    with on_device_of(out):
        if options["HAS_STATISTICS"]:
            statistics = out.new_empty((rows, 2), dtype=torch.float32)
            _statistics[(rows,)](
                *given, statistics, channels, eps, o.stride(0), s.stride(0), g.stride(0), BLOCK=options["BLOCK"]
            )
        _backward[(programs, blocks)](
            *given, statistics, d_out, d_residual, d_gate_rows, d_weights,
            rows, channels, eps, o.stride(0), s.stride(0), g.stride(0), d_gate_rows.stride(0), **options,
        )  # fmt: skip
    d_residual_weight, d_weight = d_weights[:, 0].sum(0), d_weights[:, 1].sum(0)
    return d_out, d_residual, d_residual_weight.to(residual_weight.dtype), d_gate, d_weight.to(weight.dtype)


@torch.library.custom_op(operator_name(__name__, "gated_norm_backward_triton"), mutates_args=())
def _backward_op(
    out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor,
    weight: torch.Tensor, d_y: torch.Tensor, eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    return _run_backward(out, residual, residual_weight, gate, weight, d_y, eps, gate.new_empty(gate.shape))


@_backward_op.register_fake
def _(out, residual, residual_weight, gate, weight, d_y, eps):
    return tuple(x.new_empty(x.shape) for x in (out, residual, residual_weight, gate, weight))


def _keep_for_backward(ctx, inputs, output):
    *tensors, ctx.eps = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx, d_y):
    tensors = ctx.saved_tensors
    gate = tensors[3]
    if is_half(gate) and not torch.is_grad_enabled():  # else of gradients: the operator says that there are none
        return *_run_backward(*tensors, d_y, ctx.eps, empty_gradient(gate)), None
    return *_backward_op(*tensors, d_y, ctx.eps), None


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


def gated_norm_triton(
    out: torch.Tensor,
    residual: torch.Tensor,
    residual_weight: torch.Tensor,
    gate: torch.Tensor,
    weight: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Run residual, output gate and norm by the kernels: `gated_norm` for a size that is `supported`.

    Args:
        out, residual, gate: `[..., d_inner]`.
        residual_weight, weight: `[d_inner]`.

    Returns:
        `[..., d_inner]` in the dtype of `weight`.
    """
    return _forward_op(out, residual, residual_weight, gate, weight, eps)
