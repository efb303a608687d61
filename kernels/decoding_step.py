r"""A few decoding steps of Rodimus between its projections: gates, state update and output in one.

    u = sigmoid(c) ⊙ x,   (r, k̂, log decay) = tempered_selection(…),   S ← diag(exp(log decay)) S + k̂ uᵀ,   o = Sᵀ r · M^−½

The state `[batch, mem_size, d_inner]` is read once, written once, and stays where it is.
"""

import torch

from .gated_linear_attention import gated_linear_attention_step, without_autocast
from .kernel_dispatch import use_kernels
from .tempered_selection import select, tempered_selection

MAX_STEPS = 16  # from here on the chunks of the parallel form are cheaper


def decoding_step(
    query_key: torch.Tensor,
    gates: torch.Tensor,
    channel_gate: torch.Tensor,
    x: torch.Tensor,
    state: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Compute the outputs of a few further steps; **`state` is updated in place**.

    Args:
        query_key, gates: as in `tempered_selection`, `[batch, steps, 2 · mem_size]`.
        channel_gate, x: c and x, `[batch, steps, d_inner]`.
        state: `[batch, mem_size, d_inner]`, float32 or float64.
        eps: the least norm that a key is divided by.

    Returns:
        `[batch, steps, d_inner]`, in the precision of the state.
    """
    if use_kernels(query_key, gates, channel_gate, x, state) and state.is_contiguous():
        from .decoding_step_triton import decoding_step_triton, supported

        if supported(query_key, state):
            return decoding_step_triton(query_key, gates, channel_gate, x, state, eps)
    if x.shape[1] == 1 and not torch.compiler.is_compiling():
        return _one_step(query_key, gates, channel_gate, x, state, eps)
    query, key, log_decay = tempered_selection(query_key, gates, eps)
    value = torch.sigmoid(channel_gate if channel_gate.dtype == state.dtype else channel_gate.to(state.dtype)) * x
    if x.shape[1] == 1:
        return gated_linear_attention_step(query, key, value, log_decay, state)
    steps = zip(*(tensor.split(1, 1) for tensor in (query, key, value, log_decay)), strict=True)
    return torch.cat([gated_linear_attention_step(*step, state) for step in steps], 1)


@without_autocast
def _one_step(query_key, gates, channel_gate, x, state, eps: float) -> torch.Tensor:
    """A single step, one operation after another: on a CPU what stands around an operation costs as much as the operation."""
    inputs = (query_key, gates, channel_gate, x)
    query_key, gates, channel_gate, x = (y if y.dtype == state.dtype else y.to(state.dtype) for y in inputs)
    query, key = query_key.chunk(2, -1)
    key, log_decay = select(key, *gates.chunk(2, -1), eps)
    value = torch.sigmoid(channel_gate).mul_(x)
    state.mul_(log_decay.exp_().transpose(1, 2)).baddbmm_(key.transpose(1, 2), value)
    return torch.baddbmm(value, query, state, beta=0, alpha=query.shape[-1] ** -0.5)
