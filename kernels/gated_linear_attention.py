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
length; exporters, the transforms of `torch.func` and second derivatives get the chunks in plain operators without a loop or a branch
(`_forward_traced`).
"""

import functools
from collections.abc import Callable

import torch

from .kernel_dispatch import is_exporting, is_transformed, operator_name, use_kernels
from .second_derivatives import plain_gradients

# Steps per chunk. At 64 the work inside a chunk and the work on the states balance for 64 key channels.
CHUNK_SIZE = 64


def without_autocast(function: Callable) -> Callable:
    """Runs an operator, whose first argument is a tensor, in the precision of its own choice under autocast too."""

    @functools.wraps(function)
    def run(q: torch.Tensor, *args, **kwargs):
        if not torch.is_autocast_enabled(q.device.type):
            return function(q, *args, **kwargs)
        with torch.autocast(q.device.type, enabled=False):
            return function(q, *args, **kwargs)

    return run


@without_autocast
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
    if isinstance(q.shape[1], int) and q.shape[1] == 1:
        arguments |= {"value_gate": value_gate, "output_final_state": True}
        output, state = gated_linear_attention_reference(q, k, v, g, **arguments)
    elif torch.compiler.is_compiling() and not is_exporting():
        keep_states = torch.is_grad_enabled()
        output, state, _ = _compiled(q, k, v, g, value_gate, _scale(q, scale), initial_state, seq_idx, keep_states)
    else:
        arguments |= {"value_gate": value_gate, "output_final_state": True}
        output, state = gated_linear_attention_chunk(q, k, v, g, **arguments)
    return output if output_dtype is None else output.to(output_dtype), state if output_final_state else None


@without_autocast
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


@without_autocast
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
        q, k, g: `[batch, 1, d_key]`.
        v: `[batch, 1, d_value]`.
        state: `[batch, d_key, d_value]`, float32 or float64.
        scale: factor of the queries; `d_key ** -0.5` if None.

    Returns:
        The output, `[batch, 1, d_value]`, in the precision of the state.
    """
    q, k, v, g = (x if x.dtype == state.dtype else x.to(state.dtype) for x in (q, k, v, g))
    state.mul_(g.exp().transpose(1, 2)).baddbmm_(k.transpose(1, 2), v)
    return torch.baddbmm(v, q, state, beta=0, alpha=_scale(q, scale))


@without_autocast
def gated_linear_attention_chunk(
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
    chunk_size: int = CHUNK_SIZE,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute it in chunks, in parallel, with its own backward. Arguments and results as in `gated_linear_attention`.

    `chunk_size` is a power of two. Within a chunk the outputs are one masked product of queries and keys, as in
    attention; between chunks the state is carried (arXiv 2312.06635, §4.1).
    """
    if chunk_size < 1 or chunk_size & (chunk_size - 1):
        raise ValueError(f"chunk_size must be a power of two, got {chunk_size}")
    traced = _is_traced()
    if value_gate is not None and traced:
        v, value_gate = _gated(v, value_gate), None
    seq_len = q.shape[1]
    if not traced:
        if seq_len == 0:
            v = v.to(_compute_dtype(q, k, v, g))
            return v, _initial_state(k, v, initial_state) if output_final_state else None
        chunk_size = _shorter(chunk_size, seq_len)
    q, k, v, g, value_gate, links = _in_chunks(q, k, v, g, value_gate, _scale(q, scale), seq_idx, chunk_size)
    state = _initial_state(k, v, initial_state)
    if traced:
        output, state = _forward_traced(q, k, v, g, state, links)
    elif torch.is_grad_enabled():
        if state.requires_grad:
            state = state.clone()  # kept, while a cache's state may be moved on in place
        output, state = _ChunkFunction.apply(q, k, v, g, state, value_gate, links)
    else:
        output, state = _forward(q, k, v, g, state, links, value_gate)[:2]
    return _steps(output, seq_len), state if output_final_state else None


def _shorter(chunk_size: int, seq_len: int) -> int:
    """A chunk for a sequence that may be shorter than one."""
    return min(chunk_size, 1 << (seq_len - 1).bit_length())


def _in_chunks(q, k, v, g, value_gate, scale: float, seq_idx, chunk_size: int):
    """Inputs in chunks and in the precision of the computation, and the links between their sequences. Steps that only fill up the
    last chunk do nothing: no key, no decay."""
    dtype, seq_len = _compute_dtype(*(x for x in (q, k, v, g, value_gate) if x is not None)), q.shape[1]
    # A traced graph gets a chunk more, so that it need not be another one where there is a single chunk.
    chunks = (seq_len + chunk_size - 1) // chunk_size + _is_traced()
    padding = chunks * chunk_size - seq_len
    inputs = (q.to(dtype) * scale, *(x if x is None else x.to(dtype) for x in (k, v, g, value_gate)))
    inputs = (x if x is None else _chunks(x, padding, chunks, chunk_size) for x in inputs)
    return *inputs, None if seq_idx is None else _sequence_links(seq_idx, padding, chunks, chunk_size)


def _steps(x: torch.Tensor, seq_len: int) -> torch.Tensor:
    """Steps in chunks as one sequence again, without those that filled up the last chunk."""
    x = x.flatten(1, 2)
    return x[:, :seq_len] if _is_traced() or x.shape[1] > seq_len else x


class _ChunkFunction(torch.autograd.Function):
    """Keeps the inputs and the states between chunks only; everything inside the chunks is computed again."""

    @staticmethod
    def forward(ctx, q, k, v, g, state, value_gate, links):
        output, final_state, states = _forward(q, k, v, g, state, links, value_gate, keep_states=True)
        ctx.save_for_backward(q, k, v, g, state if ctx.needs_input_grad[4] else None, value_gate, states)
        ctx.links = links
        return output, final_state

    @staticmethod
    def backward(ctx, d_output, d_state):
        q, k, v, g, state, value_gate, states = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return *_backward(q, k, v, g, states, value_gate, ctx.links, d_output, d_state), None

        def formula(q, k, v, g, state, value_gate):
            return _forward_traced(q, k, _gated(v, value_gate), g, state, ctx.links)

        inputs = (q, k, v, g, states[:, 0] if state is None else state, value_gate)
        return *plain_gradients(formula, inputs, ctx.needs_input_grad[:6], (d_output, d_state)), None


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention"), mutates_args=())
@without_autocast
def _compiled(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    value_gate: torch.Tensor | None,
    scale: float,
    initial_state: torch.Tensor | None,
    seq_idx: torch.Tensor | None,
    keep_states: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`gated_linear_attention` as one operator, opaque to `torch.compile`: output, final state, and the states before each chunk
    for the backward pass (none without `keep_states`)."""
    seq_len, chunk_size = q.shape[1], _shorter(CHUNK_SIZE, q.shape[1])
    q, k, v, g, value_gate, links = _in_chunks(q, k, v, g, value_gate, scale, seq_idx, chunk_size)
    output, state, states = _forward(q, k, v, g, _initial_state(k, v, initial_state), links, value_gate, keep_states)
    return _steps(output, seq_len).contiguous(), state, v.new_empty(0) if states is None else states


@_compiled.register_fake
def _(q, k, v, g, value_gate, scale, initial_state, seq_idx, keep_states):
    dtype = _compute_dtype(*(x for x in (q, k, v, g, value_gate) if x is not None))
    batch, seq_len, d_key = q.shape
    state = v.new_empty(batch, d_key, v.shape[2], dtype=dtype)
    chunks = (seq_len + CHUNK_SIZE - 1) // CHUNK_SIZE
    states = state.new_empty(batch, chunks, *state.shape[1:]) if keep_states else state.new_empty(0)
    return torch.empty_like(v, dtype=dtype).contiguous(), state, states


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention_backward"), mutates_args=())
def _compiled_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    value_gate: torch.Tensor | None,
    scale: float,
    initial_state: torch.Tensor | None,
    seq_idx: torch.Tensor | None,
    states: torch.Tensor,
    d_output: torch.Tensor,
    d_state: torch.Tensor,
) -> list[torch.Tensor]:
    """Gradients of q, k, v, g and, where there are any, of value gate and initial state."""
    seq_len, chunk_size = q.shape[1], _shorter(CHUNK_SIZE, q.shape[1])
    *inputs, links = _in_chunks(q, k, v, g, value_gate, scale, seq_idx, chunk_size)
    padding = states.shape[1] * chunk_size - seq_len
    d_output = _chunks(d_output, padding, states.shape[1], chunk_size)
    *d_steps, d_state, d_value_gate = _backward(*inputs[:4], states, inputs[4], links, d_output, d_state)
    d_steps[0].mul_(scale)
    d_steps = [x if x is None else _steps(x, seq_len) for x in (*d_steps, d_value_gate)]
    gradients = zip((*d_steps, d_state), (q, k, v, g, value_gate, initial_state), strict=True)
    return [d.to(x.dtype).contiguous() for d, x in gradients if x is not None]


@_compiled_backward.register_fake
def _(q, k, v, g, value_gate, scale, initial_state, seq_idx, states, d_output, d_state):
    return [torch.empty_like(x).contiguous() for x in (q, k, v, g, value_gate, initial_state) if x is not None]


def _keep_for_backward(ctx, inputs, output):
    q, k, v, g, value_gate, ctx.scale, initial_state, seq_idx, _ = inputs
    ctx.mark_non_differentiable(output[2])
    ctx.save_for_backward(q, k, v, g, value_gate, initial_state, seq_idx, output[2])


def _backward_of_compiled(ctx, d_output, d_state, _):
    q, k, v, g, value_gate, initial_state, seq_idx, states = ctx.saved_tensors
    d_outputs = (d_output.contiguous(), d_state.contiguous())
    found = iter(_compiled_backward(q, k, v, g, value_gate, ctx.scale, initial_state, seq_idx, states, *d_outputs))
    gradients = [None if x is None else next(found) for x in (q, k, v, g, value_gate, initial_state)]
    return *gradients[:5], None, gradients[5], None, None


_compiled.register_autograd(_backward_of_compiled, setup_context=_keep_for_backward)


def _forward(q, k, v, g, state, links, value_gate=None, keep_states: bool = False):
    """Outputs `[batch, chunks, steps, d_value]`, the final state, and the state before each chunk if asked for."""
    scores, q_in, k_out, decay = _intra_chunk(q, k, _factors(g), links)
    batch, chunks, steps, d_value = v.shape
    output = v.new_empty(v.shape)
    states = v.new_empty(batch, chunks, *state.shape[1:]) if keep_states else None
    # What a chunk reads lies together, its values in front of the state: one product, and all of it stays in the processor's cache.
    weights = torch.cat([scores, q_in], -1)
    both = v.new_empty(batch, steps + state.shape[1], d_value)
    values, carried = both.split([steps, state.shape[1]], 1)
    carried.copy_(state)
    for n in range(chunks):
        if value_gate is None:
            values.copy_(v[:, n])
        else:
            torch.sigmoid(value_gate[:, n], out=values).mul_(v[:, n])
        if states is not None:
            states[:, n] = carried
        torch.bmm(weights[:, n], both, out=output[:, n])
        carried.mul_(decay[:, n, :, None]).baddbmm_(k_out[:, n].transpose(1, 2), values)
    return output, carried.clone(), states


@without_autocast
def _forward_traced(q, k, v, g, state, links):
    """`_forward` in plain operators, for a graph that serves every number of chunks and for derivatives of any kind: without
    loops over chunks, and without writes into views.

    The state before chunk i is the sum of what the chunks j < i wrote, each times the decay of the chunks between them.
    """
    scores, q_in, k_out, _ = _intra_chunk(q, k, _factors(g), links, _scores_traced)
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


@without_autocast
def _backward(q, k, v, g, states, value_gate, links, d_output, d_state):
    """Gradients of `_forward` with respect to its inputs, `links` excepted."""
    factors = _factors(g)
    intra = _intra_chunk(q, k, factors, links)
    d_intra, d_v, d_state, d_value_gate = _inter_chunk_backward(*intra, v, states, value_gate, d_output, d_state)
    d_q, d_k, d_g = _intra_chunk_backward(q, k, factors, links, *d_intra)
    return d_q, d_k, d_v, d_g, d_state, d_value_gate


def _inter_chunk_backward(scores, q_in, k_out, decay, v, states, value_gate, d_output, d_state):
    """Gradients of `_forward` with respect to what `_intra_chunk` returns, the values, the initial state and the value gate."""
    steps, d_key = q_in.shape[2:]
    d_k_out, d_decay = torch.empty_like(k_out), torch.empty_like(decay)
    d_v, d_state = v.new_empty(v.shape), d_state.clone()
    d_value_gate = None if value_gate is None else v.new_empty(v.shape)
    # As in `_forward`: values in front of the state, in one product.
    weights = torch.cat([scores, q_in], -1)
    d_weights = torch.empty_like(weights)
    both, d_both = (v.new_empty(v.shape[0], steps + d_key, v.shape[3]) for _ in range(2))
    values, carried = both.split([steps, d_key], 1)
    for n in reversed(range(v.shape[1])):
        d_out, gate = d_output[:, n], None
        if value_gate is None:
            values.copy_(v[:, n])
        else:
            gate = torch.sigmoid(value_gate[:, n])
            torch.mul(gate, v[:, n], out=values)
        carried.copy_(states[:, n])
        torch.bmm(d_out, both.transpose(1, 2), out=d_weights[:, n])
        torch.bmm(values, d_state.transpose(1, 2), out=d_k_out[:, n])
        torch.bmm(weights[:, n].transpose(1, 2), d_out, out=d_both)
        d_values, d_carried = d_both.split([steps, d_key], 1)
        d_values.baddbmm_(k_out[:, n], d_state)
        torch.linalg.vecdot(d_state, carried, out=d_decay[:, n])
        d_state.mul_(decay[:, n, :, None]).add_(d_carried)
        if gate is None:
            d_v[:, n] = d_values
        else:
            torch.mul(d_values, gate, out=d_v[:, n])
            d_values.mul_(v[:, n])
            torch.ops.aten.sigmoid_backward.grad_input(d_values, gate, grad_input=d_value_gate[:, n])
    d_scores, d_q_in = d_weights.split([steps, d_key], -1)
    return (d_scores, d_q_in, d_k_out, d_decay), d_v, d_state, d_value_gate


def _factors(g):
    """All exponentials of `_intra_chunk`, `[batch, chunks, levels + 2, steps, d_key]`: of the ways to the borders of each level,
    then from the chunk's start and to its end."""
    steps = g.shape[-2]
    levels, sums = _exponent_matrix(steps, g.dtype, g.device)
    # One product gives all exponents: a row of `sums` adds up the log decays that lie between a step and a border.
    return torch.matmul(sums, g).exp().unflatten(2, (levels + 2, steps))


def _intra_chunk(q, k, factors, links, make_scores=None):
    r"""Everything about a chunk that does not involve values or states. q and k `[batch, chunks, steps, d_key]`.

    Returns `scores[i, j] = Σ_m q_i k_j exp(G_i − G_j)` for j ≤ i (G: cumulative log decay), `q_in = q exp(G)`,
    `k_out = k exp(G_last − G)` and `decay = exp(G_last)`.

    exp(G_i − G_j) cannot be split into exp(G_i) · exp(−G_j): for strong decays the second factor overflows, and G itself
    grows so large that the difference loses its digits. So the triangle is halved again and again: in a block of
    2s steps, a query of the second half meets a key of the first half through the border b between them,
    exp(G_i − G_b) · exp(G_b − G_j), and both exponents are sums of a few non-positive numbers, each computed directly.
    What remains is the diagonal, where no decay acts.
    """
    q_in, k_out = q * factors[:, :, -2], k * factors[:, :, -1]
    decay = factors[:, :, -2, -1]
    scores = (make_scores or _scores)(q, k, factors)
    if links is not None:
        within, from_before, to_after = links
        scores, q_in, k_out = scores * within, q_in * from_before[..., None], k_out * to_after[..., None]
        # The state passes through a chunk only if the chunk's last step still belongs to the same sequence.
        decay = decay * from_before[..., -1:]
    return scores, q_in, k_out, decay


def _intra_chunk_backward(q, k, factors, links, d_scores, d_q_in, d_k_out, d_decay):
    """Gradients of `_intra_chunk` with respect to q, k and the log decays."""
    if links is not None:
        within, from_before, to_after = links
        d_scores, d_q_in, d_k_out = d_scores * within, d_q_in * from_before[..., None], d_k_out * to_after[..., None]
        d_decay = d_decay * from_before[..., -1:]
    d_q, d_k, d_exponents = d_q_in * factors[:, :, -2], d_k_out * factors[:, :, -1], torch.empty_like(factors)
    torch.mul(d_q, q, out=d_exponents[:, :, -2])
    torch.mul(d_k, k, out=d_exponents[:, :, -1])
    d_exponents[:, :, -2, -1].addcmul_(d_decay, factors[:, :, -2, -1])
    d_diagonal = d_scores.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    d_q.addcmul_(d_diagonal, k)
    d_k.addcmul_(d_diagonal, q)
    for level in range(factors.shape[2] - 2):
        (queries, keys), d_blocks = _queries_and_keys(q, k, factors, level), _blocks(d_scores, level)
        d_queries, d_keys = torch.matmul(d_blocks, keys), torch.matmul(d_blocks.transpose(-1, -2), queries)
        (of_keys, of_queries), (d_first, d_second) = (_halves(x[:, :, level], level) for x in (factors, d_exponents))
        _halves(d_q, level)[1].addcmul_(d_queries, of_queries)
        _halves(d_k, level)[0].addcmul_(d_keys, of_keys)
        torch.mul(d_queries, queries, out=d_second)
        torch.mul(d_keys, keys, out=d_first)
    sums = _exponent_matrix(q.shape[2], q.dtype, q.device)[1]
    return d_q, d_k, torch.matmul(sums.T, d_exponents.flatten(2, 3))


def _scores(q, k, factors):
    """Scores within chunks, block by block. `factors`: exponentials `[batch, chunks, levels + 2, steps, d_key]`."""
    scores = torch.diag_embed((q * k).sum(-1))
    for level in range(factors.shape[2] - 2):
        queries, keys = _queries_and_keys(q, k, factors, level)
        _blocks(scores, level).copy_(torch.matmul(queries, keys.transpose(-1, -2)))
    return scores


def _queries_and_keys(q, k, factors, level):
    """Those that meet at a level, each with its way to the border."""
    first, second = _halves(factors[:, :, level], level)
    return _halves(q, level)[1] * second, _halves(k, level)[0] * first


def _halves(x, level):
    """First and second halves of the blocks of a level: `[batch, chunks, steps, d_key]` → `[batch, chunks, blocks, half, d_key]`."""
    return x.unflatten(2, (-1, 2, 1 << level)).unbind(3)


def _blocks(scores, level):
    """Where second halves meet the first halves of their blocks, a view `[batch, chunks, blocks, half, half]`."""
    half = (-1, 2, 1 << level)
    met = scores.unflatten(3, half).unflatten(2, half)[:, :, :, 1, :, :, 0]
    return met.diagonal(dim1=2, dim2=4).permute(0, 1, 4, 2, 3)


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
    if _is_traced() or padding:
        seq_idx = torch.cat([seq_idx, seq_idx[:, -1:].expand(-1, padding)], 1)
    before = torch.cat([seq_idx[:, :1], seq_idx[:, :-1]], 1).unflatten(1, (chunks, chunk_size))[..., 0]
    seq_idx = seq_idx.unflatten(1, (chunks, chunk_size))
    within = seq_idx[..., :, None] == seq_idx[..., None, :]
    return within, seq_idx == before[..., None], seq_idx == seq_idx[..., -1:]


def _chunks(x: torch.Tensor, padding: int, chunks: int, chunk_size: int) -> torch.Tensor:
    if _is_traced() or padding:
        x = torch.nn.functional.pad(x, (0, 0, 0, padding))
    return x.unflatten(1, (chunks, chunk_size))


def _is_traced() -> bool:
    """Tell whether plain operators are wanted: for a graph that is traced, or for derivatives other than one backward pass."""
    return torch.compiler.is_compiling() or is_transformed()


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
