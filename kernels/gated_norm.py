r"""What follows the recurrence of Rodimus: residual, output gate and norm (arXiv 2410.06577, §3.1, figure 3).

z = (o + w_res ⊙ s) ⊙ silu(g),   y = z / sqrt(mean(z²) + eps) ⊙ w_norm      over the last dimension
"""

import torch
from torch.nn import functional as F

from .kernel_dispatch import use_kernels


def gated_norm_reference(out, residual, residual_weight, gate, weight, eps: float) -> torch.Tensor:
    """The formula as it stands. Arguments and result as in `gated_norm`."""
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
    """Residual-weighted sum, output gate and RMSNorm, in float32 (float64 if `out` is).

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
    out = torch.addcmul(out, residual.to(out.dtype), residual_weight.to(out.dtype))
    return F.rms_norm(out * F.silu(gate.to(out.dtype)), weight.shape, weight.to(out.dtype), eps).to(weight.dtype)
