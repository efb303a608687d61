r"""The gates of Rodimus: data-dependent tempered selection (DDTS; arXiv 2410.06577, §3.1, eq. 9 to 12).

From a query r, a key k, a selection a and a temperature t of each step:

    γ = softplus(a),  τ = sigmoid(t),  write = γ ^ τ,  log decay = −γ · τ,  k̂ = k / max(‖k‖₂, eps) · write

All in float32 (float64 if the inputs are).
"""

import torch
from torch.nn import functional as F

from .kernel_dispatch import use_kernels


def tempered_selection_reference(
    query_key: torch.Tensor, gates: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the formula as it stands. Arguments and results as in `tempered_selection`."""
    query, key = _wide(query_key).chunk(2, -1)
    selection, temperature = _wide(gates).chunk(2, -1)
    gamma, tau = torch.log1p(selection.exp()), 1 / (1 + torch.exp(-temperature))
    key = key / key.norm(dim=-1, keepdim=True).clamp(min=eps) * gamma**tau
    return query, key, -gamma * tau


def tempered_selection(
    query_key: torch.Tensor, gates: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute query, gated key and log decay of each step.

    Args:
        query_key: query and key side by side, `[batch, seq_len, 2 · mem_size]`.
        gates: selection and temperature side by side, of the same shape.
        eps: the least norm that a key is divided by.

    Returns:
        Query r, gated key k̂ and log decay −γτ, each `[batch, seq_len, mem_size]`.
    """
    if use_kernels(query_key, gates) and query_key.numel() > 0:
        from .tempered_selection_triton import tempered_selection_triton

        return tempered_selection_triton(query_key, gates, eps)
    query, key = _wide(query_key).chunk(2, -1)
    selection, temperature = _wide(gates).chunk(2, -1)
    if not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return query, *select(key, selection, temperature, eps)
    gamma, tau = F.softplus(selection), torch.sigmoid(temperature)
    # γ ** τ through its logarithm, which far to the left is the argument itself; a power would have no gradient there.
    log_gamma = torch.where(selection < -60, selection, F.softplus(selection.clamp(min=-60)).log())
    key = F.normalize(key, dim=-1, eps=eps) * torch.exp(tau * log_gamma)
    return query, key, -gamma * tau


def select(
    key: torch.Tensor, selection: torch.Tensor, temperature: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute gated key and log decay in fewer operations, where nobody asks for gradients; all in one dtype, float32 or float64.
    A γ that is no more than 10⁻²⁶ counts as that."""
    limited = selection.clamp(min=-60)
    gamma, tau = F.softplus(limited), torch.sigmoid(temperature)
    write = torch.minimum(gamma.log(), selection).mul_(tau).exp_()
    key = (key / torch.linalg.vector_norm(key, dim=-1, keepdim=True).clamp_(min=eps)).mul_(write)
    return key, gamma.mul_(tau).neg_()


def _wide(x: torch.Tensor) -> torch.Tensor:
    """At least float32."""
    return x if x.dtype == torch.float64 else x.float()
