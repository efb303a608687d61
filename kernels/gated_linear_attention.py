r"""Gated linear attention with a decay for every key channel: the recurrence of Rodimus.

    S_t = diag(exp(g_t)) S_{t-1} + k_t v_tᵀ          state  [d_key, d_value], g_t ≤ 0
    o_t = scale · S_tᵀ q_t                           output [d_value]

(Rodimus, arXiv 2410.06577, eq. 8 to 12; the general form is gated linear attention, arXiv 2312.06635, eq. 3.)

Four implementations of the same function of the same inputs:

* `gated_linear_attention_reference`: the formula, one step after another. The specification.
* `gated_linear_attention_chunk`: chunks of `CHUNK_SIZE` steps in parallel, forward and backward, memory linear in the
  sequence length. Works for every decay: see `_intra_chunk` for how no exponent ever becomes positive.
* `gated_linear_attention_step`: one decoding step, on the state in place.

* the Triton kernels in `gated_linear_attention_triton`, for GPUs.

`gated_linear_attention` chooses among them. For `torch.compile` it is one opaque operator, so that a graph serves every
length; exporters get the chunks in plain operators without a loop or a branch (`_forward_traced`).
"""

import contextlib
import functools
from collections.abc import Callable

import torch
from torch.autograd.function import once_differentiable

from .kernel_dispatch import operator_name, use_kernels

# Steps per chunk. At 64 the work inside a chunk and the work on the states balance for 64 key channels.
CHUNK_SIZE = 64


def _without_autocast(function: Callable) -> Callable:
    """Runs an operator, whose first argument is a tensor, in the precision of its own choice under autocast too."""

    @functools.wraps(function)
    def run(q: torch.Tensor, *args, **kwargs):
        if not torch.is_autocast_enabled(q.device.type):
            return function(q, *args, **kwargs)
        with torch.autocast(q.device.type, enabled=False):
            return function(q, *args, **kwargs)

    return run


@_without_autocast
def gated_linear_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    *,
    scale: float | None = None,
    value_gate: torch.Tensor | None = None,
    initial_state: torch.Tensor | None = None,
    output_final_state: bool = False,
    seq_idx: torch.Tensor | None = None,
    output_dtype: torch.dtype | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    r"""Compute gated linear attention over a sequence, by the fastest implementation for these inputs.

    Args:
        q, k: queries and keys, `[batch, seq_len, d_key]`.
        v: values, `[batch, seq_len, d_value]`.
        g: natural logarithm of the decay of each key channel, ≤ 0, `[batch, seq_len, d_key]`.
        scale: factor of the queries; `d_key ** -0.5` if None.
        value_gate: c, of the shape of `v`, for values sigmoid(c) ⊙ v: the channel gate of Rodimus (§3.1). None for `v` as it is.
        initial_state: state before the first step, `[batch, d_key, d_value]`; zero if None.
        output_final_state: also return the state after the last step.
        seq_idx: number of the sequence that each step belongs to, `[batch, seq_len]`, non-decreasing along a row. The
            state is dropped wherever it changes; the initial state belongs to the row's first sequence.
        output_dtype: dtype of the outputs; float32 if None (float64 if any input is).

    Returns:
        Outputs `[batch, seq_len, d_value]`, and the final state `[batch, d_key, d_value]` in float32 (float64 if any input
        is), or None.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _check_shapes(q, k, v, g, value_gate, initial_state, seq_idx)
    arguments = {"scale": scale, "initial_state": initial_state, "seq_idx": seq_idx}
    if use_kernels(q, k, v, g, value_gate, initial_state):
        from .gated_linear_attention_triton import gated_linear_attention_triton, supported

        if supported(q, v):
            arguments |= {"scale": _scale(q, scale), "output_dtype": output_dtype or torch.float32}
            arguments |= {"value_gate": value_gate}
            return gated_linear_attention_triton(q, k, v, g, output_final_state=output_final_state, **arguments)
    v = _gated(v, value_gate)
    if isinstance(q.shape[1], int) and q.shape[1] == 1:
        output, state = gated_linear_attention_reference(q, k, v, g, output_final_state=True, **arguments)
    elif torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        output, state = _compiled(q, k, v, g, _scale(q, scale), initial_state, seq_idx)
    else:
        output, state = gated_linear_attention_chunk(q, k, v, g, output_final_state=True, **arguments)
    return output if output_dtype is None else output.to(output_dtype), state if output_final_state else None


@_without_autocast
def gated_linear_attention_reference(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    *,
    scale: float | None = None,
    value_gate: torch.Tensor | None = None,
    initial_state: torch.Tensor | None = None,
    output_final_state: bool = False,
    seq_idx: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute the recurrence, one step after another. Arguments and results as in `gated_linear_attention`."""
    dtype, scale, v = _compute_dtype(q, k, v, g), _scale(q, scale), _gated(v, value_gate)
    q, k, v, g = (x.to(dtype) for x in (q, k, v, g))
    state = _initial_state(k, v, initial_state)
    decay, outputs = g.exp(), []
    for t in range(q.shape[1]):
        if seq_idx is not None and t > 0:
            state = state * (seq_idx[:, t] == seq_idx[:, t - 1])[:, None, None]
        state = decay[:, t, :, None] * state + k[:, t, :, None] * v[:, t, None, :]
        outputs.append(scale * torch.einsum("bmi,bm->bi", state, q[:, t]))
    output = torch.stack(outputs, 1) if outputs else v.new_zeros(v.shape)
    return output, state if output_final_state else None


@_without_autocast
def gated_linear_attention_step(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    state: torch.Tensor,
    *,
    scale: float | None = None,
) -> torch.Tensor:
    """Compute one decoding step; **`state` is updated in place**.

    Args:
        q, k, g: `[batch, d_key]`.
        v: `[batch, d_value]`.
        state: `[batch, d_key, d_value]`, float32 or float64.
        scale: factor of the queries; `d_key ** -0.5` if None.

    Returns:
        The output, `[batch, d_value]`, in the precision of the state.
    """
    q, k, v, g = (x if x.dtype == state.dtype else x.to(state.dtype) for x in (q, k, v, g))
    state.mul_(g.exp().unsqueeze(-1)).baddbmm_(k.unsqueeze(2), v.unsqueeze(1))
    return torch.baddbmm(state[:, :1], q.unsqueeze(1), state, beta=0, alpha=_scale(q, scale)).squeeze(1)


@_without_autocast
def gated_linear_attention_chunk(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    *,
    scale: float | None = None,
    initial_state: torch.Tensor | None = None,
    output_final_state: bool = False,
    seq_idx: torch.Tensor | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute it in chunks, in parallel, with its own backward. Arguments and results as in `gated_linear_attention`.

    `chunk_size` is a power of two. Within a chunk the outputs are one masked product of queries and keys, as in
    attention; between chunks the state is carried (arXiv 2312.06635, §4.1).
    """
    if chunk_size < 1 or chunk_size & (chunk_size - 1):
        raise ValueError(f"chunk_size must be a power of two, got {chunk_size}")
    seq_len, dtype, scale = q.shape[1], _compute_dtype(q, k, v, g), _scale(q, scale)
    traced = torch.compiler.is_compiling()
    if not traced:
        if seq_len == 0:
            return v.to(dtype), _initial_state(k.to(dtype), v.to(dtype), initial_state) if output_final_state else None
        chunk_size = min(chunk_size, 1 << (seq_len - 1).bit_length())
    # A traced graph gets a chunk more, so that it need not be another one where there is a single chunk.
    chunks = (seq_len + chunk_size - 1) // chunk_size + traced
    padding = chunks * chunk_size - seq_len
    # Steps that only fill up the last chunk do nothing: no key, no decay.
    q, k, v, g = (
        _chunks(x, padding, chunks, chunk_size) for x in (q.to(dtype) * scale, *(x.to(dtype) for x in (k, v, g)))
    )
    state = _initial_state(k[:, 0], v[:, 0], initial_state)
    links = _sequence_links(seq_idx, padding, chunks, chunk_size) if seq_idx is not None else None
    if traced:
        output, state = _forward_traced(q, k, v, g, state, links)
    elif torch.is_grad_enabled():
        output, state = _ChunkFunction.apply(q, k, v, g, state, links)
    else:
        output, state = _forward(q, k, v, g, state, links)[:2]
    output = output.flatten(1, 2)
    return output[:, :seq_len] if traced or padding else output, state if output_final_state else None


class _ChunkFunction(torch.autograd.Function):
    """Keeps the inputs and the states between chunks only; everything inside the chunks is computed again."""

    @staticmethod
    def forward(ctx, q, k, v, g, state, links):
        output, final_state, states = _forward(q, k, v, g, state, links, keep_states=True)
        ctx.save_for_backward(q, k, v, g, states)
        ctx.links = links
        return output, final_state

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output, d_state):
        q, k, v, g, states = ctx.saved_tensors
        return *_backward(q, k, v, g, states, ctx.links, d_output, d_state), None


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention"), mutates_args=())
def _compiled(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    scale: float,
    initial_state: torch.Tensor | None,
    seq_idx: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`gated_linear_attention` as one operator, opaque to `torch.compile`: output and final state."""
    with torch.no_grad():
        output, state = gated_linear_attention(
            q, k, v, g, scale=scale, initial_state=initial_state, seq_idx=seq_idx, output_final_state=True
        )
    return output.contiguous(), state.clone()


@_compiled.register_fake
def _(q, k, v, g, scale, initial_state, seq_idx):
    dtype = _compute_dtype(q, k, v, g)
    return torch.empty_like(v, dtype=dtype).contiguous(), v.new_empty(q.shape[0], q.shape[2], v.shape[2], dtype=dtype)


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention_backward"), mutates_args=())
def _compiled_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    scale: float,
    initial_state: torch.Tensor | None,
    seq_idx: torch.Tensor | None,
    d_output: torch.Tensor,
    d_state: torch.Tensor,
) -> list[torch.Tensor]:
    """Gradients of q, k, v, g and, where there is one, of the initial state; the forward pass is computed again."""
    inputs = [x.detach().requires_grad_() for x in (q, k, v, g, initial_state) if x is not None]
    with _autograd_within_an_operator():
        state = inputs[4] if initial_state is not None else None
        outputs = gated_linear_attention(
            *inputs[:4], scale=scale, initial_state=state, seq_idx=seq_idx, output_final_state=True
        )
        return [x.contiguous() for x in torch.autograd.grad(outputs, inputs, (d_output, d_state))]


@contextlib.contextmanager
def _autograd_within_an_operator():
    """The dispatcher keeps autograd out of an operator's implementation; here it is wanted."""
    excluded = torch._C._dispatch_tls_local_exclude_set() - torch._C.DispatchKeySet(
        torch._C.DispatchKey.AutogradFunctionality
    )
    with torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), excluded), torch.enable_grad():
        yield


@_compiled_backward.register_fake
def _(q, k, v, g, scale, initial_state, seq_idx, d_output, d_state):
    return [torch.empty_like(x).contiguous() for x in (q, k, v, g, initial_state) if x is not None]


def _keep_for_backward(ctx, inputs, output):
    q, k, v, g, ctx.scale, initial_state, seq_idx = inputs
    ctx.save_for_backward(q, k, v, g, initial_state, seq_idx)


def _backward_of_compiled(ctx, d_output, d_state):
    q, k, v, g, initial_state, seq_idx = ctx.saved_tensors
    grads = _compiled_backward(
        q, k, v, g, ctx.scale, initial_state, seq_idx, d_output.contiguous(), d_state.contiguous()
    )
    return *grads[:4], None, grads[4] if initial_state is not None else None, None


_compiled.register_autograd(_backward_of_compiled, setup_context=_keep_for_backward)


def _forward(q, k, v, g, state, links, keep_states: bool = False):
    """Outputs `[batch, chunks, steps, d_value]`, the final state, and the state before each chunk if asked for."""
    scores, q_in, k_out, decay = _intra_chunk(q, k, g, links)
    batch, chunks = v.shape[:2]
    output = torch.matmul(scores, v)
    states = v.new_empty(batch, chunks, *state.shape[1:]) if keep_states else None
    state = state.clone()
    for n in range(chunks):
        if states is not None:
            states[:, n] = state
        output[:, n] += torch.bmm(q_in[:, n], state)
        state.mul_(decay[:, n, :, None]).baddbmm_(k_out[:, n].transpose(1, 2), v[:, n])
    return output, state, states


def _forward_traced(q, k, v, g, state, links):
    """`_forward` for a graph that serves every number of chunks: without loops over them, and without writes into views.

    The state before chunk i is the sum of what the chunks j < i wrote, each times the decay of the chunks between them.
    """
    scores, q_in, k_out, _ = _intra_chunk(q, k, g, links)
    written = torch.cat(
        [state[:, None], torch.matmul(k_out.transpose(2, 3), v)], 1
    )  # [batch, 1 + chunks, d_key, d_value]
    log_decay = g.sum(2)
    if links is not None:
        log_decay = log_decay.masked_fill(~links[1][..., -1:], float("-inf"))
    log_decay = torch.nn.functional.pad(log_decay, (0, 0, 1, 0))
    border = torch.arange(log_decay.shape[1], device=g.device)
    later = (border[:, None] > border)[None, :, :, None]
    # Sums of non-positive numbers only: differences of running sums would lose their digits for strong decays.
    between = torch.where(later, log_decay[:, :, None], 0).cumsum(1)
    weights = between.exp() * (border[:, None] >= border)[None, :, :, None]
    states = torch.einsum("bijm,bjmv->bimv", weights, written)
    return torch.matmul(scores, v) + torch.matmul(q_in, states[:, :-1]), states[:, -1]


@_without_autocast
def _backward(q, k, v, g, states, links, d_output, d_state):
    """Gradients of `_forward` with respect to its inputs, `links` excepted."""
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in (q, k, g)]
        intra = _intra_chunk(*inputs, links)
    d_intra, d_v, d_state = _inter_chunk_backward(*(x.detach() for x in intra), v, states, d_output, d_state)
    d_q, d_k, d_g = torch.autograd.grad(intra, inputs, d_intra)
    return d_q, d_k, d_v, d_g, d_state


def _inter_chunk_backward(scores, q_in, k_out, decay, v, states, d_output, d_state):
    """Gradients of `_forward` with respect to what `_intra_chunk` returns, the values and the initial state."""
    d_scores = torch.matmul(d_output, v.transpose(2, 3))
    d_q_in = torch.matmul(d_output, states.transpose(2, 3))
    d_v = torch.matmul(scores.transpose(2, 3), d_output)
    d_k_out, d_decay = torch.empty_like(k_out), torch.empty_like(decay)
    d_state = d_state.clone()
    for n in reversed(range(v.shape[1])):
        torch.bmm(v[:, n], d_state.transpose(1, 2), out=d_k_out[:, n])
        d_v[:, n] += torch.bmm(k_out[:, n], d_state)
        torch.linalg.vecdot(d_state, states[:, n], out=d_decay[:, n])
        d_state.mul_(decay[:, n, :, None]).baddbmm_(q_in[:, n].transpose(1, 2), d_output[:, n])
    return (d_scores, d_q_in, d_k_out, d_decay), d_v, d_state


def _intra_chunk(q, k, g, links):
    r"""Everything about a chunk that does not involve values or states. All inputs `[batch, chunks, steps, d_key]`.

    Returns `scores[i, j] = Σ_m q_i k_j exp(G_i − G_j)` for j ≤ i (G: cumulative log decay), `q_in = q exp(G)`,
    `k_out = k exp(G_last − G)` and `decay = exp(G_last)`.

    exp(G_i − G_j) cannot be split into exp(G_i) · exp(−G_j): for strong decays the second factor overflows, and G itself
    grows so large that the difference loses its digits. So the triangle is halved again and again: in a block of
    2s steps, a query of the second half meets a key of the first half through the border b between them,
    exp(G_i − G_b) · exp(G_b − G_j), and both exponents are sums of a few non-positive numbers, each computed directly.
    What remains is the diagonal, where no decay acts.
    """
    steps = q.shape[-2]
    levels, sums = _exponent_matrix(steps, q.dtype, q.device)
    # One product gives all exponents: a row of `sums` adds up the log decays that lie between a step and a border.
    factors = torch.matmul(sums, g).exp().unflatten(2, (levels + 2, steps))
    q_in, k_out = q * factors[:, :, levels], k * factors[:, :, levels + 1]
    decay = factors[:, :, levels, -1]
    if torch.compiler.is_compiling():
        scores = _scores_traced(q, k, factors)
    else:
        scores = _scores(q, k, factors)
    if links is not None:
        within, from_before, to_after = links
        scores, q_in, k_out = scores * within, q_in * from_before[..., None], k_out * to_after[..., None]
        # The state passes through a chunk only if the chunk's last step still belongs to the same sequence.
        decay = decay * from_before[..., -1:]
    return scores, q_in, k_out, decay


def _scores(q, k, factors):
    """Scores within chunks, block by block. `factors`: exponentials `[batch, chunks, levels + 2, steps, d_key]`."""
    steps, d_key = q.shape[-2:]
    scores = torch.diag_embed((q * k).sum(-1))
    for level in range(steps.bit_length() - 1):
        half = 1 << level
        blocks = (*q.shape[:2], steps // (2 * half), 2 * half, d_key)
        factor, q_blocks, k_blocks = factors[:, :, level].reshape(blocks), q.reshape(blocks), k.reshape(blocks)
        queries = q_blocks[..., half:, :] * factor[..., half:, :]
        keys = k_blocks[..., :half, :] * factor[..., :half, :]
        target = scores.view(*q.shape[:2], blocks[2], 2 * half, blocks[2], 2 * half)
        target = target.diagonal(dim1=2, dim2=4).permute(0, 1, 4, 2, 3)
        target[..., half:, :half] = torch.matmul(queries, keys.transpose(-1, -2))
    return scores


def _scores_traced(q, k, factors):
    """As `_scores`, each level as a masked product of the whole chunk: exporters take no writes into diagonal views."""
    step = torch.arange(q.shape[2], device=q.device)
    query, key = step[:, None], step
    scores = torch.where(query == key, (q * k).sum(-1)[..., None], 0)
    for level in range(factors.shape[2] - 2):
        half, factor = 1 << level, factors[:, :, level]
        second, first = query // half % 2 == 1, key // half % 2 == 0
        in_level = second & first & (query // (2 * half) == key // (2 * half))
        scores = scores + torch.matmul(q * factor, (k * factor).transpose(-1, -2)) * in_level
    return scores


def _exponent_matrix(steps: int, dtype: torch.dtype, device: torch.device) -> tuple[int, torch.Tensor]:
    """Rows that add up log decays: for each halving level the way to the border, then from the chunk's start (the
    step itself included), then to the chunk's end (the step itself excluded). Returns (levels, `[(levels + 2)·steps, steps]`)."""
    if torch.compiler.is_compiling():
        return _make_exponent_matrix(steps, dtype, device)
    return _cached_exponent_matrix(steps, dtype, device)


@functools.lru_cache(maxsize=16)
def _cached_exponent_matrix(steps, dtype, device):
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        return _make_exponent_matrix(steps, dtype, device)


def _make_exponent_matrix(steps, dtype, device):
    levels = steps.bit_length() - 1
    step = torch.arange(steps, device=device)[:, None]
    summed = step.T
    rows = []
    for level in range(levels):
        half = 1 << level
        border = (step // (2 * half)) * 2 * half + half  # first step of the second half
        query = (step >= border) & (border <= summed) & (summed <= step)
        key = (step < border) & (step < summed) & (summed < border)
        rows.append(query | key)
    rows += [summed <= step, summed > step]
    return levels, torch.cat(rows).to(dtype)


def _sequence_links(seq_idx: torch.Tensor, padding: int, chunks: int, chunk_size: int) -> tuple[torch.Tensor, ...]:
    """Masks of 0/1: same sequence within a chunk `[b, n, c, c]`, as the state before it and as the state after it `[b, n, c]`."""
    if torch.compiler.is_compiling() or padding:
        seq_idx = torch.cat([seq_idx, seq_idx[:, -1:].expand(-1, padding)], 1)
    before = torch.cat([seq_idx[:, :1], seq_idx[:, :-1]], 1).unflatten(1, (chunks, chunk_size))[..., 0]
    seq_idx = seq_idx.unflatten(1, (chunks, chunk_size))
    within = seq_idx[..., :, None] == seq_idx[..., None, :]
    return within, seq_idx == before[..., None], seq_idx == seq_idx[..., -1:]


def _chunks(x: torch.Tensor, padding: int, chunks: int, chunk_size: int) -> torch.Tensor:
    if torch.compiler.is_compiling() or padding:
        x = torch.nn.functional.pad(x, (0, 0, 0, padding))
    return x.unflatten(1, (chunks, chunk_size))


def _gated(v: torch.Tensor, value_gate: torch.Tensor | None) -> torch.Tensor:
    if value_gate is None:
        return v
    return torch.sigmoid(value_gate if value_gate.dtype == torch.float64 else value_gate.float()) * v


def _initial_state(k: torch.Tensor, v: torch.Tensor, initial_state: torch.Tensor | None) -> torch.Tensor:
    if initial_state is None:
        return v.new_zeros(v.shape[0], k.shape[-1], v.shape[-1])
    return initial_state.to(v.dtype)


def _compute_dtype(*tensors: torch.Tensor) -> torch.dtype:
    return torch.float64 if any(x.dtype == torch.float64 for x in tensors) else torch.float32


def _scale(q: torch.Tensor, scale: float | None) -> float:
    return q.shape[-1] ** -0.5 if scale is None else scale


def _check_shapes(q, k, v, g, value_gate, initial_state, seq_idx) -> None:
    if q.ndim != 3 or k.shape != q.shape or g.shape != q.shape or v.ndim != 3 or v.shape[:2] != q.shape[:2]:
        raise ValueError(
            "gated_linear_attention takes q, k, g of shape [batch, seq_len, d_key] and v of shape [batch, seq_len, d_value], "
            f"got q {tuple(q.shape)}, k {tuple(k.shape)}, g {tuple(g.shape)}, v {tuple(v.shape)}"
        )
    if value_gate is not None and value_gate.shape != v.shape:
        raise ValueError(f"value_gate must have the shape of v, {tuple(v.shape)}, got {tuple(value_gate.shape)}")
    expected = (q.shape[0], q.shape[2], v.shape[2])
    if initial_state is not None and tuple(initial_state.shape) != expected:
        raise ValueError(f"initial_state must have shape {expected}, got {tuple(initial_state.shape)}")
    if seq_idx is not None and seq_idx.shape != q.shape[:2]:
        raise ValueError(f"seq_idx must have shape {tuple(q.shape[:2])}, got {tuple(seq_idx.shape)}")
