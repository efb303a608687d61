r"""What follows the recurrence of Rodimus: residual, output gate and norm (arXiv 2410.06577, §3.1, figure 3).

z = (o + w_res ⊙ s) ⊙ silu(g),   y = z / sqrt(mean(z²) + eps) ⊙ w_norm      over the last dimension
"""

import math

import torch
from torch.nn import functional as F

from .kernel_dispatch import use_kernels

# Numbers in a block of what need not be kept for gradients: half a megabyte in float32.
_BLOCK = 1 << 17


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
    out = out if out.dtype == torch.float64 else out.float()
    residual, residual_weight, gate = (
        x if x.dtype == out.dtype else x.to(out.dtype) for x in (residual, residual_weight, gate)
    )
    if torch.is_grad_enabled() or out.device.type != "cpu" or torch.compiler.is_compiling() or out.numel() <= _BLOCK:
        gated = torch.addcmul(out, residual, residual_weight)
        gated = gated * F.silu(gate) if torch.is_grad_enabled() else gated.mul_(F.silu(gate))
        return rms_norm(gated, weight, eps)
    # Block by block, each of which stays in the processor's cache from the first operation to the last.
    normed, steps = out.new_empty(out.shape, dtype=weight.dtype), max(_BLOCK // (out.shape[0] * out.shape[2]), 1)
    for block, *parts in zip(*(x.split(steps, 1) for x in (normed, out, residual, gate)), strict=True):
        in_place = block if block.dtype == out.dtype else torch.empty_like(block, dtype=out.dtype)
        gated = torch.addcmul(parts[0], parts[1], residual_weight, out=in_place).mul_(F.silu(parts[2]))
        norm = _norm(gated, eps)
        torch.div(gated.mul_(weight), norm, out=block)
    return normed


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """Compute RMSNorm over the last dimension, in float32 (float64 if `x` is); the result has the dtype of `weight`."""
    wide = x if x.dtype == torch.float64 else x.float()
    wide_weight = weight if weight.dtype == wide.dtype else weight.to(wide.dtype)
    if torch.is_grad_enabled() or wide.device.type != "cpu" or torch.compiler.is_compiling():
        normed = F.rms_norm(wide, weight.shape, wide_weight, eps)
    else:
        # PyTorch's own is put together from more operations there, each of them another way through memory.
        normed = (wide * wide_weight).div_(_norm(wide, eps))
    return normed if normed.dtype == weight.dtype else normed.to(weight.dtype)


def _norm(x: torch.Tensor, eps: float) -> torch.Tensor:
    """What RMSNorm divides by, `[…, 1]`."""
    width = x.shape[-1]
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(x.new_full((), math.sqrt(eps * width)))
    return norm.mul_(width**-0.5)
