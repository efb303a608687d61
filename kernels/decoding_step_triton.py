"""Triton kernel of a few decoding steps, with the state in registers between them; the formula stands in `decoding_step`."""

import torch

from .kernel_dispatch import on_device_of, operator_name
from .tempered_selection_triton import selection_gates

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

VALUES = 32  # value channels a program: 128 bytes of the state's rows


@triton.jit
def _step(
    query_key, gates, channel_gate, x, state, out,
    channels, eps, scale, qk_batch, qk_step, gates_batch, gates_step, c_batch, c_step, x_batch, x_step,
    S: tl.constexpr, M: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """Compute S steps of `BV` value channels, gates included, and move their part of the state on in place.

    state ← decay ∘ state + keyᵀ (sigmoid(c) x),   out = query state
    """
    b, col, chan = tl.program_id(1).to(tl.int64), tl.program_id(0) * BV + tl.arange(0, BV), tl.arange(0, M)
    inside = col < channels
    at_state = state + b * M * channels + chan[:, None] * channels + col[None, :]
    memory = tl.load(at_state, mask=inside[None, :], other=0.0)
    query_key, gates = query_key + b * qk_batch + chan, gates + b * gates_batch + chan
    channel_gate, x, out = channel_gate + b * c_batch + col, x + b * x_batch + col, out + b * S * channels + col
    for t in range(S):
        query = tl.load(query_key + t * qk_step).to(tl.float32) * scale
        key = tl.load(query_key + t * qk_step + M).to(tl.float32)
        selection = tl.load(gates + t * gates_step).to(tl.float32)
        temperature = tl.load(gates + t * gates_step + M).to(tl.float32)
        gamma, log_gamma, tau = selection_gates(selection, temperature)
        key = key / tl.maximum(tl.sqrt(tl.sum(key * key, 0)), eps) * tl.exp(tau * log_gamma)
        c = tl.load(channel_gate + t * c_step, mask=inside, other=0.0).to(tl.float32)
        value = tl.sigmoid(c) * tl.load(x + t * x_step, mask=inside, other=0.0).to(tl.float32)
        memory = memory * tl.exp(-gamma * tau)[:, None] + key[:, None] * value[None, :]
        tl.store(out + t * channels, tl.sum(memory * query[:, None], 0), mask=inside)
    tl.store(at_state, memory, mask=inside[None, :])


def supported(query_key: torch.Tensor, state: torch.Tensor) -> bool:
    """Tell whether the kernel takes these sizes: a power of two of key channels and a state in float32."""
    mem_size, steps = state.shape[1], query_key.shape[1]
    return mem_size in (16, 32, 64, 128) and steps > 0 and state.dtype == torch.float32


@torch.library.custom_op(operator_name(__name__, "decoding_step_triton"), mutates_args=("state",))
def _step_op(
    query_key: torch.Tensor, gates: torch.Tensor, channel_gate: torch.Tensor, x: torch.Tensor, state: torch.Tensor,
    eps: float,
) -> torch.Tensor:  # fmt: skip
    batch, steps, channels = x.shape
    out = x.new_empty(x.shape, dtype=torch.float32)
    inputs = [y if y.stride(2) == 1 else y.contiguous() for y in (query_key, gates, channel_gate, x)]
    strides = [stride for y in inputs for stride in y.stride()[:2]]
    mem_size = state.shape[1]
    with on_device_of(x):
        _step[(triton.cdiv(channels, VALUES), batch)](
            *inputs, state, out, channels, eps, mem_size**-0.5, *strides, S=steps, M=mem_size, BV=VALUES
        )
    return out


@_step_op.register_fake
def _(query_key, gates, channel_gate, x, state, eps):
    return x.new_empty(x.shape, dtype=torch.float32)


def decoding_step_triton(
    query_key: torch.Tensor,
    gates: torch.Tensor,
    channel_gate: torch.Tensor,
    x: torch.Tensor,
    state: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Run a few decoding steps by the kernel: `decoding_step` for sizes that are `supported` and a contiguous state.

    Args:
        query_key, gates: `[batch, steps, 2 · mem_size]`; channel_gate, x: `[batch, steps, d_inner]`.
        state: `[batch, mem_size, d_inner]` in float32, **moved on in place**.

    Returns:
        `[batch, steps, d_inner]` in float32.
    """
    return _step_op(query_key, gates, channel_gate, x, state, eps)
