r"""What follows the recurrence of Rodimus: residual, output gate and norm (arXiv 2410.06577, §3.1, figure 3).

z = (o + w_res ⊙ s) ⊙ silu(g),   y = z / sqrt(mean(z²) + eps) ⊙ w_norm      over the last dimension
"""

import math

import torch
from torch.nn import functional as F

from .kernel_dispatch import is_transformed, use_kernels
from .second_derivatives import plain_gradients

# Numbers in a block: half a megabyte in float32, and half of that on the way back, where there are more tensors.
_BLOCK, _BLOCK_BACKWARD = 1 << 17, 1 << 16


def gated_norm_reference(out, residual, residual_weight, gate, weight, eps: float) -> torch.Tensor:
    """Compute the formula as it stands. Arguments and result as in `gated_norm`."""
    out, residual, residual_weight, gate, weight_wide = (
        x if x.dtype == torch.float64 else x.float() for x in (out, residual, residual_weight, gate, weight)
    )
    z = (out + residual_weight * residual) * gate / (1 + torch.exp(-gate))
    return (z / torch.sqrt((z * z).mean(-1, keepdim=True) + eps) * weight_wide).to(weight.dtype)


def gated_norm(
    out: torch.Tensor,
    residual: torch.Tensor,
    residual_weight: torch.Tensor,
    gate: torch.Tensor,
    weight: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Compute the residual-weighted sum, output gate and RMSNorm, in float32 (float64 if `out` is).

    Args:
        out, residual, gate: o, s and g, `[batch, seq_len, d_inner]`.
        residual_weight, weight: w_res and w_norm, `[d_inner]`.
        eps: added to the mean square.

    Returns:
        `[batch, seq_len, d_inner]` in the dtype of `weight`.
    """
    if use_kernels(out, residual, residual_weight, gate, weight):
        from .gated_norm_triton import gated_norm_triton, supported

        if supported(out):
            return gated_norm_triton(out, residual, residual_weight, gate, weight, eps)
    by_blocks = (
        out.ndim == 3 and out.device.type == "cpu" and not torch.compiler.is_compiling() and not is_transformed()
    )
    if by_blocks and torch.is_grad_enabled():
        return _GatedNorm.apply(out, residual, residual_weight, gate, weight, eps)
    out, residual, residual_weight, gate = _alike(out, residual, residual_weight, gate)
    if by_blocks and out.numel() > _BLOCK:
        return _in_blocks(out, residual, residual_weight, gate, weight, eps)
    return _plain(out, residual, residual_weight, gate, weight, eps)


def _plain(out, residual, residual_weight, gate, weight, eps: float) -> torch.Tensor:
    gated = torch.addcmul(out, residual, residual_weight)
    gated = gated * F.silu(gate) if torch.is_grad_enabled() or is_transformed() else gated.mul_(F.silu(gate))
    return rms_norm(gated, weight, eps)


def _in_blocks(out, residual, residual_weight, gate, weight, eps: float) -> torch.Tensor:
    """Without gradients, block by block, each of which stays in the processor's cache from the first operation to the last."""
    normed, steps = out.new_empty(out.shape, dtype=weight.dtype), max(_BLOCK // max(out.shape[0] * out.shape[2], 1), 1)
    for block, *parts in zip(*(x.split(steps, 1) for x in (normed, out, residual, gate)), strict=True):
        in_place = block if block.dtype == out.dtype else torch.empty_like(block, dtype=out.dtype)
        gated = torch.addcmul(parts[0], parts[1], residual_weight, out=in_place).mul_(F.silu(parts[2]))
        norm = _norm(gated, eps)
        torch.div(gated.mul_(weight), norm, out=block)
    return normed


class _GatedNorm(torch.autograd.Function):
    """With gradients on a CPU: forward and backward in blocks. It keeps its inputs only, and computes the rest again."""

    @staticmethod
    def forward(ctx, out, residual, residual_weight, gate, weight, eps):
        ctx.save_for_backward(out, residual, residual_weight, gate, weight)
        ctx.eps = eps
        return _in_blocks(*_alike(out, residual, residual_weight, gate), weight, eps)

    @staticmethod
    def backward(ctx, d_normed):
        out, residual, residual_weight, gate, weight = ctx.saved_tensors
        if torch.is_grad_enabled():

            def formula(*inputs):
                return (_plain(*_alike(*inputs[:4]), inputs[4], ctx.eps),)

            return *plain_gradients(formula, ctx.saved_tensors, ctx.needs_input_grad[:5], (d_normed,)), None
        inputs = (out, residual, gate)
        d_inputs = [torch.empty_like(x) for x in inputs]
        wide, w_residual = _alike(out.new_empty(0), residual_weight)
        w_norm = weight.to(wide.dtype)
        d_w_residual, d_w_norm = torch.zeros_like(w_residual), torch.zeros_like(w_norm)
        steps = max(_BLOCK_BACKWARD // max(out.shape[0] * out.shape[2], 1), 1)
        for d, *parts in zip(*(x.split(steps, 1) for x in (d_normed, *inputs, *d_inputs)), strict=True):
            d, o, s, g = (x if x.dtype == wide.dtype else x.to(wide.dtype) for x in (d, *parts[:3]))
            d_out, d_residual, d_gate = parts[3:]
            summed, silu = torch.addcmul(o, s, w_residual), F.silu(g)
            d_gated, d_weight = _rms_norm_backward(d, summed * silu, w_norm, ctx.eps)
            d_w_norm += d_weight
            torch.ops.aten.silu_backward.grad_input(summed.mul_(d_gated), g, grad_input=d_gate)
            d_summed = d_gated.mul_(silu)
            d_out.copy_(d_summed)
            torch.mul(d_summed, w_residual, out=d_residual)
            d_w_residual += torch.mul(d_summed, s, out=silu).sum((0, 1))
        d_out, d_residual, d_gate = d_inputs
        return d_out, d_residual, d_w_residual, d_gate, d_w_norm, None


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """Compute RMSNorm over the last dimension, in float32 (float64 if `x` is); the result has the dtype of `weight`."""
    wide = x if x.dtype == torch.float64 else x.float()
    wide_weight = weight if weight.dtype == wide.dtype else weight.to(wide.dtype)
    if wide.device.type != "cpu" or torch.compiler.is_compiling() or is_transformed():
        normed = F.rms_norm(wide, weight.shape, wide_weight, eps)
    elif torch.is_grad_enabled():
        normed = _RMSNorm.apply(wide, wide_weight, eps)
    elif wide.numel() == wide.shape[-1] and type(wide) is torch.Tensor and not torch.jit.is_tracing():
        # A single row, as in decoding, where operations cost more than what they compute. (A trace would keep the number.)
        row = wide.reshape(-1)
        mean = torch.dot(row, row).item() / wide.shape[-1] + eps
        normed = (wide * wide_weight).mul_(mean**-0.5 if mean > 0 else math.nan)
    else:
        # PyTorch's own is put together from more operations there, each of them another way through memory.
        normed = (wide * wide_weight).div_(_norm(wide, eps))
    return normed if normed.dtype == weight.dtype else normed.to(weight.dtype)


class _RMSNorm(torch.autograd.Function):
    """RMSNorm with gradients on a CPU."""

    @staticmethod
    def forward(ctx, x, weight, eps):
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return (x * weight).div_(_norm(x, eps))

    @staticmethod
    def backward(ctx, d_normed):
        if not torch.is_grad_enabled():
            return *_rms_norm_backward(d_normed, *ctx.saved_tensors, ctx.eps), None

        def formula(x, weight):
            return (F.rms_norm(x, weight.shape, weight, ctx.eps),)

        return *plain_gradients(formula, ctx.saved_tensors, ctx.needs_input_grad[:2], (d_normed,)), None


def _rms_norm_backward(d_normed, x, weight, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of RMSNorm with respect to its input and its weight."""
    scale, product = _norm(x, eps).reciprocal_(), d_normed * x
    along = torch.matmul(product, weight).unsqueeze(-1).mul_(scale**3).div_(-x.shape[-1])
    d_x = (d_normed * weight).mul_(scale).addcmul_(x, along)
    return d_x, torch.mv(product.flatten(0, -2).T, scale.flatten())


def _alike(out: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
    """In float32, or all in float64 if `out` is."""
    out = out if out.dtype == torch.float64 else out.float()
    return [out, *(x if x.dtype == out.dtype else x.to(out.dtype) for x in others)]


def _norm(x: torch.Tensor, eps: float) -> torch.Tensor:
    """What RMSNorm divides by, `[…, 1]`."""
    width = x.shape[-1]
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(x.new_full((), math.sqrt(eps * width)))
    return norm.mul_(width**-0.5)
