r"""Triton kernels of gated linear attention; the formula is `gated_linear_attention_reference`.

One head, few key channels (M), very many value channels (V): what counts is how often a `[seq_len, I]` tensor passes
through memory. So all that does not involve values is computed once per chunk (`_intra_chunk`) and
then shared by all blocks of value channels:

    scores[i, j] = scale · Σ_m q_i k_j exp(Σ_{j<l≤i} g_l)   q_in_i = scale · q_i exp(Σ_{l≤i} g_l)
    k_out_j = k_j exp(Σ_{l>j} g_l)                           decay = exp(Σ_l g_l)

Forward (`_outputs`): one program for a block of value channels walks along the chunks with its part of the state in
registers, reads `v` (and its gate, where there is one) once and writes `o` once. If rows and blocks are too few to fill the
device, the sequence is cut into segments; what the earlier ones add to the state comes from a pass over `v` alone (`_states`).

Backward: the gradient of the state comes from a pass over `d_o` from the end (`_states` again), then one program per
chunk (`_chunk_gradients`) sums over all value channels what `_intra_chunk` returned, and writes `d_v`. One state in
`KEPT_EVERY` steps is all that is kept; those in between are computed again. `_intra_chunk_backward` ends at q, k and g.
Every segment of that pass begins with zero: what comes from behind it fades on its own, and is added where a state is read.

No exponent is ever positive: each is a sum of log decays between a step and a border (start of a sub-chunk of `SUB` steps,
start or end of a chunk), computed as a sum and not as a difference of sums. Within a sub-chunk decays are multiplied step by
step, which is exact for any mixture of them. State and sums are float32; see `_state_dtype` for the products with states.
"""

import torch

from .kernel_dispatch import dot_precision, generation, on_device_of, operator_name, processors

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

SUB = 16
# Steps between two states that are kept for backward.
KEPT_EVERY = 256
MIN_SEGMENT = 8  # chunks
KEY_SIZES = (16, 32, 64, 128)


# In Triton's interpreter a product of bfloat16 numbers would multiply their bits.
_INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def _product(a, b, addend, PRECISION: tl.constexpr):
    """a @ b + addend in float32 (`addend` may be None); PRECISION is that of float32 operands."""
    if _INTERPRETED:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, addend, input_precision=PRECISION)


@triton.jit
def _values(v, gate, at, at_gate, inside, HAS_GATE: tl.constexpr):
    """Load the values at `at`, times the sigmoid of their gate, where there is one."""
    values = tl.load(v + at, mask=inside, other=0.0)
    if HAS_GATE:
        c = tl.load(gate + at_gate, mask=inside, other=0.0).to(tl.float32)
        values = (values.to(tl.float32) * tl.sigmoid(c)).to(values.dtype)
    return values


@triton.jit
def _intra_chunk(
    q, k, g, seq_idx, scores, q_in, k_out, decay,
    scale, T, NC,
    M: tl.constexpr, C: tl.constexpr, SUB: tl.constexpr, HAS_SEQ: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Compute what does not involve values, of one chunk: scores `[C, C]`, q_in and k_out `[C, M]`, decay `[M]`."""
    n, b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, sub, chans = tl.arange(0, C), tl.arange(0, SUB), tl.arange(0, M)
    t = n * C + rows
    q, k, g = q + b * T * M, k + b * T * M, g + b * T * M
    chunk = b * NC + n
    scores, q_in, k_out = scores + chunk * C * C, q_in + chunk * C * M, k_out + chunk * C * M
    at = t[:, None] * M + chans[None, :]
    g_all = tl.load(g + at, mask=(t < T)[:, None], other=0.0).to(tl.float32)
    # Row j holds the log decay of step j + 1: sums over these exclude the step itself.
    g_next = tl.load(g + at + M, mask=((t + 1 < T) & (rows + 1 < C))[:, None], other=0.0).to(tl.float32)
    k_all = tl.load(k + at, mask=(t < T)[:, None], other=0.0).to(tl.float32)
    if HAS_SEQ:
        seq_idx += b * T
        seq = tl.load(seq_idx + tl.minimum(t, T - 1))
        seq_before = tl.load(seq_idx + tl.maximum(n * C - 1, 0))
        seq_end = tl.load(seq_idx + tl.minimum(n * C + C, T) - 1)
    total = tl.exp(tl.sum(g_all, 0))
    if HAS_SEQ:
        total = tl.where(seq_end == seq_before, total, 0.0)
    tl.store(decay + chunk * M + chans, total)

    for s in range(0, C, SUB):
        i = s + sub
        own = (n * C + i < T)[:, None]
        at_own = (n * C + i)[:, None] * M + chans[None, :]
        q_own = tl.load(q + at_own, mask=own, other=0.0).to(tl.float32) * scale
        k_own = tl.load(k + at_own, mask=own, other=0.0).to(tl.float32)
        g_own = tl.load(g + at_own, mask=own, other=0.0).to(tl.float32)
        own_next = ((n * C + i + 1 < T) & (sub + 1 < SUB))[:, None]
        g_own_next = tl.load(g + at_own + M, mask=own_next, other=0.0).to(tl.float32)
        before = tl.sum(tl.where((rows < s)[:, None], g_all, 0.0), 0)
        after = tl.sum(tl.where((rows >= s + SUB)[:, None], g_all, 0.0), 0)
        within = tl.cumsum(g_own, 0)
        q_decayed = q_own * tl.exp(within + before[None, :])
        k_decayed = k_own * tl.exp(tl.cumsum(g_own_next, 0, reverse=True) + after[None, :])
        if HAS_SEQ:
            seq_own = tl.load(seq_idx + tl.minimum(n * C + i, T - 1))
            q_decayed = tl.where((seq_own == seq_before)[:, None], q_decayed, 0.0)
            k_decayed = tl.where((seq_own == seq_end)[:, None], k_decayed, 0.0)
        at_chunk = i[:, None] * M + chans[None, :]
        tl.store(q_in + at_chunk, q_decayed.to(q_in.dtype.element_ty))
        tl.store(k_out + at_chunk, k_decayed.to(k_out.dtype.element_ty))
        # Keys of earlier sub-chunks meet the queries at the border between them.
        to_border = tl.cumsum(tl.where((rows + 1 < s)[:, None], g_next, 0.0), 0, reverse=True)
        keys = tl.where((rows < s)[:, None], k_all * tl.exp(to_border), 0.0)
        block = _product(q_own * tl.exp(within), tl.trans(keys), None, PRECISION)
        if HAS_SEQ:
            block = tl.where(seq_own[:, None] == seq[None, :], block, 0.0)
        outside = (rows < s) | (rows >= s + SUB)
        tl.store(
            scores + i[:, None] * C + rows[None, :],
            block.to(scores.dtype.element_ty),
            mask=outside[None, :] & (sub >= 0)[:, None],
        )
        # Within the sub-chunk: `between[j]` is the decay from step j to step r, kept by multiplying.
        between = tl.zeros([SUB, M], tl.float32)
        for r in range(SUB):
            step = n * C + s + r
            q_r = tl.load(q + step * M + chans, mask=step * M + chans < T * M, other=0.0).to(tl.float32) * scale
            g_r = tl.load(g + step * M + chans, mask=step * M + chans < T * M, other=0.0).to(tl.float32)
            between = tl.where((sub == r)[:, None], 1.0, between * tl.exp(g_r)[None, :])
            row = tl.sum(between * k_own * q_r[None, :], 1)
            if HAS_SEQ:
                seq_r = tl.load(seq_idx + tl.minimum(step, T - 1))
                row = tl.where(seq_own == seq_r, row, 0.0)
            tl.store(scores + (s + r) * C + s + sub, row.to(scores.dtype.element_ty))


@triton.jit
def _outputs(
    scores, q_in, k_out, decay, v, gate, initial, local, fade, o, states, final,
    T, V, NC, per_segment, v_batch, v_step, gate_batch, gate_step,
    M: tl.constexpr, C: tl.constexpr, GROUP: tl.constexpr, HAS_GATE: tl.constexpr, HAS_INITIAL: tl.constexpr,
    CUT: tl.constexpr, KEEP_STATES: tl.constexpr, STORE_FINAL: tl.constexpr, STATE: tl.constexpr,
    PRECISION: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """Write the outputs of a block of value channels, chunk after chunk of a segment, with the state `[M, BV]` in registers.

    o = q_in state + scores v,   state ← decay ∘ state + k_outᵀ v
    """
    segment, b = tl.program_id(1), tl.program_id(2).to(tl.int64)
    cols, rows, chans = tl.program_id(0) * BV + tl.arange(0, BV), tl.arange(0, C), tl.arange(0, M)
    in_cols = cols < V
    at_state = chans[:, None] * V + cols[None, :]
    v += b * v_batch
    o += b * T * V
    if HAS_GATE:
        gate += b * gate_batch
    if HAS_INITIAL:
        state = tl.load(initial + b * M * V + at_state, mask=in_cols[None, :], other=0.0).to(tl.float32)
    else:
        state = tl.zeros([M, BV], tl.float32)
    if CUT:
        for e in range(segment):
            at = b * (tl.num_programs(1) - 1) + e
            state *= tl.load(fade + (b * tl.num_programs(1) + e) * M + chans)[:, None]
            state += tl.load(local + at * M * V + at_state, mask=in_cols[None, :], other=0.0)
    begin = segment * per_segment
    end = tl.minimum(begin + per_segment, NC)
    for n in range(begin, end):
        if KEEP_STATES:
            if n % GROUP == 0:
                kept = states + (b * tl.cdiv(NC, GROUP) + n // GROUP) * M * V
                tl.store(kept + at_state, state.to(states.dtype.element_ty), mask=in_cols[None, :])
        chunk = b * NC + n
        t = (n * C + rows).to(tl.int64)
        inside = (t < T)[:, None] & in_cols[None, :]
        at, at_gate = t[:, None] * v_step + cols[None, :], t[:, None] * gate_step + cols[None, :]
        values = _values(v, gate, at, at_gate, inside, HAS_GATE)
        weights = tl.load(scores + chunk * C * C + rows[:, None] * C + rows[None, :])
        queries = tl.load(q_in + chunk * C * M + rows[:, None] * M + chans[None, :])
        keys = tl.load(k_out + chunk * C * M + rows[None, :] * M + chans[:, None])
        lasting = tl.load(decay + chunk * M + chans)
        out = _product(queries.to(STATE), state.to(STATE), None, PRECISION)
        out = _product(weights, values, out, PRECISION)
        tl.store(o + t[:, None] * V + cols[None, :], out.to(o.dtype.element_ty), mask=inside)
        state = _product(keys, values, state * lasting[:, None], PRECISION)
    if STORE_FINAL:
        if end == NC:
            tl.store(final + b * M * V + at_state, state.to(final.dtype.element_ty), mask=in_cols[None, :])


@triton.jit
def _states(
    keys, decay, x, gate, states, final,
    T, V, NC, per_segment, x_batch, x_step, gate_batch, gate_step,
    M: tl.constexpr, C: tl.constexpr, GROUP: tl.constexpr, HAS_GATE: tl.constexpr, KEEP_STATES: tl.constexpr,
    STORE_FINAL: tl.constexpr, REVERSE: tl.constexpr, PRECISION: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """Carry a state `[M, BV]` along a segment's chunks, from zero: state ← decay ∘ state + keysᵀ x; REVERSE: from the last chunk.

    What is kept is the state before the update.
    """
    segment, b = tl.program_id(1), tl.program_id(2).to(tl.int64)
    cols, rows, chans = tl.program_id(0) * BV + tl.arange(0, BV), tl.arange(0, C), tl.arange(0, M)
    in_cols = cols < V
    at_state = chans[:, None] * V + cols[None, :]
    at_segment = (b * tl.num_programs(1) + segment) * M * V
    x += b * x_batch
    if HAS_GATE:
        gate += b * gate_batch
    state = tl.zeros([M, BV], tl.float32)
    begin = segment * per_segment
    end = tl.minimum(begin + per_segment, NC)
    for step in range(begin, end):
        n = step
        if REVERSE:
            n = begin + end - 1 - step
        if KEEP_STATES:
            keep = n % GROUP == GROUP - 1 or n == NC - 1
            if keep:
                kept = states + (b * tl.cdiv(NC, GROUP) + n // GROUP) * M * V
                tl.store(kept + at_state, state.to(states.dtype.element_ty), mask=in_cols[None, :])
        chunk = b * NC + n
        t = (n * C + rows).to(tl.int64)
        inside = (t < T)[:, None] & in_cols[None, :]
        at, at_gate = t[:, None] * x_step + cols[None, :], t[:, None] * gate_step + cols[None, :]
        values = _values(x, gate, at, at_gate, inside, HAS_GATE)
        key = tl.load(keys + chunk * C * M + rows[None, :] * M + chans[:, None])
        lasting = tl.load(decay + chunk * M + chans)
        state = _product(key, values.to(key.dtype), state * lasting[:, None], PRECISION)
    if STORE_FINAL:
        tl.store(final + at_segment + at_state, state, mask=in_cols[None, :])


@triton.jit
def _chunk_gradients(
    scores, q_in, k_out, decay, v, gate, d_o, states, d_states, entrances, reach, d_v, d_gate,
    d_scores, d_q_in, d_k_out, d_decay,
    T, V, NC, per_split, per_segment, v_batch, v_step, gate_batch, gate_step,
    M: tl.constexpr, C: tl.constexpr, GROUP: tl.constexpr, HAS_GATE: tl.constexpr, HAS_ENTRANCE: tl.constexpr,
    WANT_VALUES: tl.constexpr, WANT_SUMS: tl.constexpr, STATE: tl.constexpr, PRECISION: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """Compute one chunk's gradients: of values (and their gate) block by block, of scores, q_in, k_out and decay summed over them.

    d_v = k_out d_state + scoresᵀ d_o, where d_state is the gradient of the state at the chunk's end, and
    d_scores = d_o vᵀ,   d_q_in = d_o stateᵀ,   d_k_out = v d_stateᵀ,   d_decay = Σ_values state ∘ d_state.
    """
    n, split, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    rows, chans, block_cols = tl.arange(0, C), tl.arange(0, M), tl.arange(0, BV)
    group = n // GROUP
    group_begin = group * GROUP
    group_end = tl.minimum(group_begin + GROUP, NC)
    chunk = b * NC + n
    v += b * v_batch
    d_o += b * T * V
    d_v += b * T * V
    if HAS_GATE:
        gate += b * gate_batch
        d_gate += b * T * V
    at_group = (b * tl.cdiv(NC, GROUP) + group) * M * V
    by_step, by_channel = rows[:, None] * M + chans[None, :], rows[None, :] * M + chans[:, None]
    sum_scores, sum_q = tl.zeros([C, C], tl.float32), tl.zeros([C, M], tl.float32)
    sum_k, sum_decay = tl.zeros([C, M], tl.float32), tl.zeros([M], tl.float32)
    for first_col in range(split * per_split, tl.minimum((split + 1) * per_split, V), BV):
        cols = first_col + block_cols
        in_cols = cols < V
        at_state = at_group + chans[:, None] * V + cols[None, :]
        if WANT_SUMS:
            state = tl.load(states + at_state, mask=in_cols[None, :], other=0.0).to(tl.float32)
            for e in range(group_begin, n):
                t_e = (e * C + rows).to(tl.int64)
                at_e, at_gate_e = t_e[:, None] * v_step + cols[None, :], t_e[:, None] * gate_step + cols[None, :]
                values_e = _values(v, gate, at_e, at_gate_e, (t_e < T)[:, None] & in_cols[None, :], HAS_GATE)
                key_e = tl.load(k_out + (b * NC + e) * C * M + by_channel)
                fade_e = tl.load(decay + (b * NC + e) * M + chans)
                state = _product(key_e, values_e, state * fade_e[:, None], PRECISION)
        d_state = tl.load(d_states + at_state, mask=in_cols[None, :], other=0.0).to(tl.float32)
        if HAS_ENTRANCE:
            # What the segment's gradient was at its end, as far as it reaches to the group's last chunk.
            segment = b * tl.cdiv(NC, per_segment) + (group_end - 1) // per_segment
            at_entrance = segment * M * V + chans[:, None] * V + cols[None, :]
            entrance = tl.load(entrances + at_entrance, mask=in_cols[None, :], other=0.0)
            d_state += entrance * tl.load(reach + (b * NC + group_end - 1) * M + chans)[:, None]
        for back in range(n + 1, group_end):
            e = group_end + n - back
            t_e = (e * C + rows).to(tl.int64)
            inside_e = (t_e < T)[:, None] & in_cols[None, :]
            d_out_e = tl.load(d_o + t_e[:, None] * V + cols[None, :], mask=inside_e, other=0.0)
            query_e = tl.load(q_in + (b * NC + e) * C * M + by_channel)
            fade_e = tl.load(decay + (b * NC + e) * M + chans)
            d_state = _product(query_e, d_out_e.to(query_e.dtype), d_state * fade_e[:, None], PRECISION)
        t = (n * C + rows).to(tl.int64)
        inside = (t < T)[:, None] & in_cols[None, :]
        at, at_gate = t[:, None] * v_step + cols[None, :], t[:, None] * gate_step + cols[None, :]
        values = _values(v, gate, at, at_gate, inside, HAS_GATE)
        d_out = tl.load(d_o + t[:, None] * V + cols[None, :], mask=inside, other=0.0).to(values.dtype)
        if WANT_SUMS:
            sum_decay += tl.sum(state * d_state, 1)
            sum_scores = _product(d_out, tl.trans(values), sum_scores, PRECISION)
            sum_q = _product(d_out.to(STATE), tl.trans(state.to(STATE)), sum_q, PRECISION)
            sum_k = _product(values.to(STATE), tl.trans(d_state.to(STATE)), sum_k, PRECISION)
        if WANT_VALUES:
            weights = tl.load(scores + chunk * C * C + rows[None, :] * C + rows[:, None])  # transposed
            keys = tl.load(k_out + chunk * C * M + by_step)
            d_values = _product(keys.to(STATE), d_state.to(STATE), None, PRECISION)
            d_values = _product(weights, d_out, d_values, PRECISION)
            at_result = t[:, None] * V + cols[None, :]
            if HAS_GATE:
                sigmoid = tl.sigmoid(tl.load(gate + at_gate, mask=inside, other=0.0).to(tl.float32))
                d_c = d_values * values.to(tl.float32) * (1 - sigmoid)
                tl.store(d_gate + at_result, d_c.to(d_gate.dtype.element_ty), mask=inside)
                d_values *= sigmoid
            tl.store(d_v + at_result, d_values.to(d_v.dtype.element_ty), mask=inside)
    if WANT_SUMS:
        part = split * tl.num_programs(2) * NC + chunk
        tl.store(d_scores + part * C * C + rows[:, None] * C + rows[None, :], sum_scores)
        tl.store(d_q_in + part * C * M + by_step, sum_q)
        tl.store(d_k_out + part * C * M + by_step, sum_k)
        tl.store(d_decay + part * M + chans, sum_decay)


@triton.jit
def _intra_chunk_backward(
    q, k, g, seq_idx, d_scores, d_q_in, d_k_out, d_decay, d_q, d_k, d_g,
    scale, T, NC,
    M: tl.constexpr, C: tl.constexpr, SUB: tl.constexpr, HAS_SEQ: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of q, k and g of one chunk, from those of what `_intra_chunk` returned.

    The log decay at step l acts on every pair j < l ≤ i. With e_i = q_i d_q_i (what comes in at i) and f_j = k_j d_k_j
    (what goes out at j), restricted to the chunk, d_g_l = Σ_{i≥l} e_i − f_i for pairs inside, Σ_{i≥l} e_i for what comes
    from before the chunk, Σ_{j<l} f_j for what leaves it, and a constant for what passes through.

    Sub-chunks meet in pairs, each read again for every other: registers do not hold whole chunks.
    """
    n, b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, sub, chans = tl.arange(0, C), tl.arange(0, SUB), tl.arange(0, M)
    t = n * C + rows
    begin = (b * T + n * C) * M
    q, k, g = q + begin, k + begin, g + begin
    d_q, d_k, d_g = d_q + begin, d_k + begin, d_g + begin
    chunk = b * NC + n
    d_scores, d_q_in, d_k_out = d_scores + chunk * C * C, d_q_in + chunk * C * M, d_k_out + chunk * C * M
    g_all = tl.load(g + rows[:, None] * M + chans[None, :], mask=(t < T)[:, None], other=0.0).to(tl.float32)
    passing = tl.load(d_decay + chunk * M + chans) * tl.exp(tl.sum(g_all, 0))
    if HAS_SEQ:
        seq_idx += b * T
        seq_before = tl.load(seq_idx + tl.maximum(n * C - 1, 0)).to(tl.int32)
        seq_end = tl.load(seq_idx + tl.minimum(n * C + C, T) - 1).to(tl.int32)
        passing = tl.where(seq_end == seq_before, passing, 0.0)
    later = tl.zeros([M], tl.float32)  # Σ e − f over the sub-chunks after this one
    for back in range(0, C, SUB):
        s = C - SUB - back
        i = s + sub
        own = (n * C + i < T)[:, None]
        at_own = i[:, None] * M + chans[None, :]
        if HAS_SEQ:
            seq_own = tl.load(seq_idx + tl.minimum(n * C + i, T - 1)).to(tl.int32)
        # Pairs with other sub-chunks, which meet at the border of this one: the earlier from the nearest on, then the later.
        pair_q, pair_k = tl.zeros([SUB, M], tl.float32), tl.zeros([SUB, M], tl.float32)
        before, left_before, after = tl.zeros([M], tl.float32), tl.zeros([M], tl.float32), tl.zeros([M], tl.float32)
        for distance in range(SUB, s + 1, SUB):
            j = s - distance + sub
            at = j[:, None] * M + chans[None, :]
            g_next = tl.load(g + at + M, mask=((sub + 1 < SUB) & (n * C + j + 1 < T))[:, None], other=0.0)
            decay = tl.exp(tl.cumsum(g_next.to(tl.float32), 0, reverse=True) + before[None, :])
            keys = tl.load(k + at, mask=(n * C + j < T)[:, None], other=0.0).to(tl.float32) * decay
            d_rows, left = tl.load(d_scores + i[:, None] * C + j[None, :]), tl.load(d_k_out + at) * keys
            if HAS_SEQ:
                seq = tl.load(seq_idx + tl.minimum(n * C + j, T - 1)).to(tl.int32)
                d_rows = tl.where(seq_own[:, None] == seq[None, :], d_rows, 0.0)
                left = tl.where((seq == seq_end)[:, None], left, 0.0)
            pair_q = _product(d_rows, keys, pair_q, PRECISION)
            left_before += tl.sum(left, 0)
            before += tl.sum(tl.load(g + at, mask=(n * C + j < T)[:, None], other=0.0).to(tl.float32), 0)
        for first in range(s + SUB, C, SUB):
            j = first + sub
            at = j[:, None] * M + chans[None, :]
            g_later = tl.load(g + at, mask=(n * C + j < T)[:, None], other=0.0).to(tl.float32)
            queries = tl.load(q + at, mask=(n * C + j < T)[:, None], other=0.0).to(tl.float32) * scale
            queries *= tl.exp(tl.cumsum(g_later, 0) + after[None, :])
            d_cols = tl.load(d_scores + j[None, :] * C + i[:, None])  # transposed
            if HAS_SEQ:
                seq = tl.load(seq_idx + tl.minimum(n * C + j, T - 1)).to(tl.int32)
                d_cols = tl.where(seq_own[:, None] == seq[None, :], d_cols, 0.0)
            pair_k = _product(d_cols, queries, pair_k, PRECISION)
            after += tl.sum(g_later, 0)
        # Pairs within.
        k_own = tl.load(k + at_own, mask=own, other=0.0).to(tl.float32)
        g_own = tl.load(g + at_own, mask=own, other=0.0).to(tl.float32)
        own_next = ((n * C + i + 1 < T) & (sub + 1 < SUB))[:, None]
        g_own_next = tl.load(g + at_own + M, mask=own_next, other=0.0).to(tl.float32)
        from_start, log_to_end = tl.exp(tl.cumsum(g_own, 0)), tl.cumsum(g_own_next, 0, reverse=True)
        left_before *= tl.exp(tl.sum(g_own, 0) + after)
        pair_q, pair_k = pair_q * from_start, pair_k * tl.exp(log_to_end)
        between = tl.zeros([SUB, M], tl.float32)
        for r in range(tl.minimum(SUB, T - n * C - s)):
            q_r = tl.load(q + (s + r) * M + chans).to(tl.float32) * scale
            g_r = tl.load(g + (s + r) * M + chans).to(tl.float32)
            between = tl.where((sub == r)[:, None], 1.0, between * tl.exp(g_r)[None, :])
            d_row = tl.load(d_scores + (s + r) * C + s + sub)
            if HAS_SEQ:
                seq_r = tl.load(seq_idx + n * C + s + r).to(tl.int32)
                d_row = tl.where(seq_own == seq_r, d_row, 0.0)
            weighted = d_row[:, None] * between
            pair_q += tl.where((sub == r)[:, None], tl.sum(weighted * k_own, 0)[None, :], 0.0)
            pair_k += weighted * q_r[None, :]
        # What comes from before the chunk, and what leaves it.
        q_own = tl.load(q + at_own, mask=own, other=0.0).to(tl.float32) * scale
        grad_q = tl.load(d_q_in + at_own) * from_start * tl.exp(before)[None, :]
        grad_k = tl.load(d_k_out + at_own) * tl.exp(log_to_end + after[None, :])
        if HAS_SEQ:
            grad_q = tl.where((seq_own == seq_before)[:, None], grad_q, 0.0)
            grad_k = tl.where((seq_own == seq_end)[:, None], grad_k, 0.0)
        left_own = k_own * grad_k
        coming = q_own * (grad_q + pair_q) - k_own * pair_k
        grad_g = tl.cumsum(coming, 0, reverse=True) + later[None, :] + passing[None, :]
        grad_g += tl.cumsum(left_own, 0) - left_own + left_before[None, :]
        later += tl.sum(coming, 0)
        tl.store(d_q + at_own, ((grad_q + pair_q) * scale).to(d_q.dtype.element_ty), mask=own)
        tl.store(d_k + at_own, (grad_k + pair_k).to(d_k.dtype.element_ty), mask=own)
        tl.store(d_g + at_own, grad_g.to(d_g.dtype.element_ty), mask=own)


def _configs(*options: tuple[int, int, int]) -> list[triton.Config]:
    """Make configurations of a block of value channels, warps and pipeline stages; the interpreter can only take one."""
    configs = [triton.Config({"BV": bv}, num_warps=warps, num_stages=stages) for bv, warps, stages in options]
    return configs[:1] if triton.knobs.runtime.interpret else configs


def walk_configs(configs: list[triton.Config], m: int, precision: str, generation: int) -> list[triton.Config]:
    """Choose those of `_outputs` and `_states` whose state stays in registers, and whose stages fit into shared memory.

    `generation` as in `kernel_dispatch`. What fits was found by compiling (`benchmarks/kernel_static.py`): products to float32's
    digits ("tf32x3") take three times the registers, and AMD has 64 KB of shared memory.
    """
    if precision == "tf32x3":
        fitting = {(32, 4, 3), (32, 8, 2), (128, 8, 2)} if m < 64 else {(16, 4, 2), (16, 8, 2)}
        fitting -= {(16, 4, 2)} if m > 64 else {(32, 8, 2)} if generation > 9 else set()
    elif generation == 0:
        fitting = {(32, 4, 2), (16, 4, 2)}
    else:
        fitting = {(32, 8, 2)} | ({(128, 8, 2)} if m <= 64 else set())
        fitting |= {(64, 4, 3)} if m == 64 and generation > 8 else set()
        fitting |= {(32, 4, 3)} if m == 64 or (m > 64 and generation < 10) else set()
    return _only(configs, fitting)


def gradient_configs(configs: list[triton.Config], m: int, together: bool, generation: int) -> list[triton.Config]:
    """Choose those of `_chunk_gradients` that keep everything in registers; `generation` as in `kernel_dispatch`."""
    if together and generation >= 9:
        return _only(configs, {(32, 8, 2), (32, 8, 1)})
    return _only(configs, {(16, 4, 1)} if generation == 0 or (generation == 9 and m < 64) else {(16, 8, 1)})


def _only(configs: list[triton.Config], fitting: set[tuple[int, int, int]]) -> list[triton.Config]:
    return [x for x in configs if (x.kwargs["BV"], x.num_warps, x.num_stages) in fitting] or configs[:1]


def intra_backward_warps(m: int, generation: int) -> int:
    """Choose the warps of `_intra_chunk_backward`, with which nothing spills; AMD's are twice as wide as NVIDIA's."""
    if generation == 0 or m == 64:
        return 4
    return 2 if m < 64 else 8


def in_parts(dtype: torch.dtype, d_key: int) -> bool:
    """Tell whether gradients of values and of all else come from two launches, since registers do not hold both at once."""
    return d_key > 64 or dtype != torch.bfloat16


def _prune_walk(configs, named_args, **kwargs):
    return walk_configs(configs, kwargs["M"], kwargs["PRECISION"], generation(named_args["decay"].device))


def _prune_gradients(configs, named_args, **kwargs):
    together = kwargs["WANT_VALUES"] and kwargs["WANT_SUMS"]
    return gradient_configs(configs, kwargs["M"], together, generation(named_args["v"].device))


WALK_CONFIGS = _configs((64, 4, 3), (32, 4, 3), (128, 8, 2), (32, 8, 2), (32, 4, 2), (16, 4, 2), (16, 8, 2))
GRADIENT_CONFIGS = _configs((32, 8, 2), (32, 8, 1), (16, 4, 1), (16, 8, 1))
_walk = {"key": ["M", "V", "KEEP_STATES"], "prune_configs_by": {"early_config_prune": _prune_walk}}
_tuned_outputs, _tuned_states = (triton.autotune(WALK_CONFIGS, **_walk)(x) for x in (_outputs, _states))
_tuned_gradients = triton.autotune(
    GRADIENT_CONFIGS,
    key=["M", "V", "WANT_VALUES", "WANT_SUMS"],
    prune_configs_by={"early_config_prune": _prune_gradients},
)(_chunk_gradients)


def supported(q: torch.Tensor, v: torch.Tensor) -> bool:
    """Tell whether the kernels take these sizes."""
    return q.shape[2] in KEY_SIZES and v.shape[2] % 8 == 0 and q.shape[1] > 0 and q.shape[0] > 0


def chunk_size(v: torch.Tensor, d_key: int) -> int:
    """Return the steps per chunk: as many as fit into registers."""
    return 64 // (1 + (d_key > 64)) // (1 + (v.dtype == torch.float32))


def _state_dtype(v: torch.Tensor) -> tuple[torch.dtype, tl.dtype]:
    """Return the dtype of operands of products with a state, which may leave the range of float16; and what kept states are stored in."""
    return (torch.bfloat16, tl.bfloat16) if v.dtype == torch.bfloat16 else (torch.float32, tl.float32)


def _run_intra_chunk(q, k, g, seq_idx, steps, dtype, scale, precision):
    batch, seq_len, d_key = q.shape
    chunks = triton.cdiv(seq_len, steps)
    scores = q.new_empty(batch, chunks, steps, steps, dtype=dtype)
    q_in, k_out = (q.new_empty(batch, chunks, steps, d_key, dtype=dtype) for _ in range(2))
    decay = q.new_empty(batch, chunks, d_key, dtype=torch.float32)
    _intra_chunk[(chunks, batch)](
        q, k, g, seq_idx, scores, q_in, k_out, decay, scale, seq_len, chunks,
        M=d_key, C=steps, SUB=SUB, HAS_SEQ=seq_idx is not None, PRECISION=precision, num_warps=4,
    )  # fmt: skip
    return scores, q_in, k_out, decay


def _cut(batch: int, chunks: int, d_value: int, device: torch.device) -> tuple[int, int]:
    """Return the number of segments, and of chunks in each, so that all multiprocessors work even for few rows."""
    programs = batch * triton.cdiv(d_value, 64)
    segments = max(min(processors(device) // programs, chunks // MIN_SEGMENT), 1)
    length = triton.cdiv(chunks, segments)
    return triton.cdiv(chunks, length), length


def _segment_states(keys, decay, x, gate, segments, length, precision, kept=None, **options):
    """Compute what each of the first `segments` segments adds to the state by itself, `[batch, segments, d_key, d_value]`."""
    batch, chunks, steps, d_key = keys.shape
    seq_len, d_value = x.shape[1:]
    options = {"STORE_FINAL": True, "REVERSE": False} | options
    local = x.new_empty((batch, segments, d_key, d_value) if options["STORE_FINAL"] else (0,), dtype=torch.float32)
    _tuned_states[lambda meta: (triton.cdiv(d_value, meta["BV"]), segments, batch)](
        keys, decay, x, gate, kept, local, seq_len, d_value, chunks, length, *_strides(x), *_strides(gate),
        M=d_key, C=steps, GROUP=KEPT_EVERY // steps, HAS_GATE=gate is not None, KEEP_STATES=kept is not None, PRECISION=precision, **options,
    )  # fmt: skip
    return local


def _strides(x: torch.Tensor | None) -> tuple[int, ...]:
    """Return the strides of rows and steps; the kernels want channels side by side."""
    return (0, 0) if x is None else x.stride()[:2]


def _dense(x: torch.Tensor | None) -> torch.Tensor | None:
    return x if x is None or x.stride(2) == 1 else x.contiguous()


def _joined(local, decay, boundary, length):
    """Compute the gradient of the state at the end of each segment `[batch, segments, d_key, d_value]`, and before the first.

    `local`: what segments add to a gradient that was zero; `boundary`: the gradient at the end of all, or None for zero.
    """
    batch, segments, d_key, d_value = local.shape
    fade, state = _fade(decay, length), local.new_zeros(batch, d_key, d_value) if boundary is None else boundary.float()
    entrance = torch.empty_like(local)
    for segment in reversed(range(segments)):
        entrance[:, segment] = state
        state = torch.addcmul(local[:, segment], fade[:, segment, :, None], state)
    return entrance, state


def _fade(decay, length):
    """Compute what is left of a state after each segment, `[batch, segments, d_key]`."""
    return _by_segment(decay, length).prod(2)


def _by_segment(decay, length):
    """Cut into segments: `[batch, chunks, d_key]` → `[batch, segments, length, d_key]`, filled up with chunks in which nothing fades."""
    return torch.nn.functional.pad(decay, (0, 0, 0, -decay.shape[1] % length), value=1.0).unflatten(1, (-1, length))


def _reach(decay, length):
    """Compute how much of the gradient at its segment's end reaches the end of each chunk, `[batch, chunks, d_key]`."""
    later = torch.nn.functional.pad(_by_segment(decay, length)[:, :, 1:], (0, 0, 0, 1), value=1.0)
    return later.flip(2).cumprod(2).flip(2).flatten(1, 2)[:, : decay.shape[1]].contiguous()


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention_triton"), mutates_args=())
def _forward_op(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor, value_gate: torch.Tensor | None,
    initial_state: torch.Tensor | None, seq_idx: torch.Tensor | None, scale: float, output_final_state: bool,
    keep_states: bool, output_dtype: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Compute outputs, final state and states kept for backward; empty tensors for what is not wanted."""
    batch, seq_len, d_key, d_value = *q.shape, v.shape[2]
    v, value_gate = _dense(v), _dense(value_gate)
    _, state = _state_dtype(v)
    precision, steps = dot_precision(v), chunk_size(v, d_key)
    output, final, states = _empty_results(q, v, output_final_state, keep_states, output_dtype)
    with on_device_of(v):
        intra = _run_intra_chunk(
            q.contiguous(), k.contiguous(), g.contiguous(), seq_idx, steps, v.dtype, scale, precision
        )
        chunks = intra[0].shape[1]
        segments, length = _cut(batch, chunks, d_value, v.device)
        initial = None if initial_state is None else initial_state.float().contiguous()
        local, fade, cut = None, None, segments > 1
        if cut:
            local = _segment_states(intra[2], intra[3], v, value_gate, segments - 1, length, precision)
            fade = _fade(intra[3], length)
        _tuned_outputs[lambda meta: (triton.cdiv(d_value, meta["BV"]), segments, batch)](
            *intra, v, value_gate, initial, local, fade, output, states, final,
            seq_len, d_value, chunks, length, *_strides(v), *_strides(value_gate),
            M=d_key, C=steps, GROUP=KEPT_EVERY // steps, HAS_GATE=value_gate is not None,
            HAS_INITIAL=initial is not None, CUT=cut, KEEP_STATES=keep_states, STORE_FINAL=output_final_state, STATE=state, PRECISION=precision,
        )  # fmt: skip
    return output, final, states


@_forward_op.register_fake
def _(q, k, v, g, value_gate, initial_state, seq_idx, scale, output_final_state, keep_states, output_dtype):
    return _empty_results(q, v, output_final_state, keep_states, output_dtype)


def _empty_results(q, v, output_final_state, keep_states, output_dtype):
    batch, seq_len, d_key, d_value = *q.shape, v.shape[2]
    groups = (seq_len + KEPT_EVERY - 1) // KEPT_EVERY
    final = (batch, d_key, d_value) if output_final_state else (0,)
    states = (batch, groups, d_key, d_value) if keep_states else (0,)
    return (
        v.new_empty((batch, seq_len, d_value), dtype=output_dtype),
        v.new_empty(final, dtype=torch.float32),
        v.new_empty(states, dtype=_state_dtype(v)[0]),
    )


@torch.library.custom_op(operator_name(__name__, "gated_linear_attention_backward_triton"), mutates_args=())
def _backward_op(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor, value_gate: torch.Tensor | None,
    seq_idx: torch.Tensor | None, states: torch.Tensor, d_output: torch.Tensor, d_final: torch.Tensor | None,
    scale: float, has_initial: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Compute the gradients of q, k, v, g, of the values' gate and of the initial state, empty where there is none."""
    batch, seq_len, d_key, d_value = *q.shape, v.shape[2]
    q, k, g, d_output = (x.contiguous() for x in (q, k, g, d_output))
    v, value_gate = _dense(v), _dense(value_gate)
    precision, steps = dot_precision(v), chunk_size(v, d_key)
    d_v, d_gate = v.new_empty(v.shape), _empty_gate(v, value_gate)
    d_q, d_k, d_g = (torch.empty_like(x) for x in (q, k, g))
    with on_device_of(v):
        scores, q_in, k_out, decay = _run_intra_chunk(q, k, g, seq_idx, steps, v.dtype, scale, precision)
        chunks = scores.shape[1]
        segments, length = _cut(batch, chunks, d_value, v.device)
        d_states, d_initial, entrances, reach = torch.empty_like(states), None, None, None
        joined = segments > 1 or d_final is not None
        local = _segment_states(
            q_in, decay, d_output, None, segments, length, precision, d_states,
            REVERSE=True, STORE_FINAL=joined or has_initial,
        )  # fmt: skip
        if joined:
            entrances, d_initial = _joined(local, decay, d_final, length)
            reach = _reach(decay, length)
        blocks = triton.cdiv(d_value, 64)
        splits = max(min(2 * processors(v.device) // (chunks * batch), blocks), 1)
        parts = [
            q.new_empty((splits, batch, chunks, *shape), dtype=torch.float32)
            for shape in ((steps, steps), (steps, d_key), (steps, d_key), (d_key,))
        ]
        together = not in_parts(v.dtype, d_key)
        for sums in (True,) if together else (True, False):
            _tuned_gradients[(chunks, splits, batch)](
                scores, q_in, k_out, decay, v, value_gate, d_output, states, d_states, entrances, reach, d_v, d_gate, *parts,
                seq_len, d_value, chunks, triton.cdiv(blocks, splits) * 64, length, *_strides(v), *_strides(value_gate),
                M=d_key, C=steps, GROUP=KEPT_EVERY // steps, HAS_GATE=value_gate is not None, HAS_ENTRANCE=joined,
                WANT_VALUES=together or not sums, WANT_SUMS=sums, STATE=_state_dtype(v)[1], PRECISION=precision,
            )  # fmt: skip
        parts = [part[0] if splits == 1 else part.sum(0) for part in parts]
        _intra_chunk_backward[(chunks, batch)](
            q, k, g, seq_idx, *parts, d_q, d_k, d_g, scale, seq_len, chunks,
            M=d_key, C=steps, SUB=SUB, HAS_SEQ=seq_idx is not None, PRECISION=precision,
            num_warps=intra_backward_warps(d_key, generation(v.device)),
        )  # fmt: skip
    if not has_initial:
        d_initial = v.new_empty(0, dtype=torch.float32)
    elif not joined:
        d_initial = local[:, 0].clone()
    return d_q, d_k, d_v, d_g, d_gate, d_initial


def _empty_gate(v, value_gate):
    return v.new_empty(0) if value_gate is None else value_gate.new_empty(value_gate.shape)


@_backward_op.register_fake
def _(q, k, v, g, value_gate, seq_idx, states, d_output, d_final, scale, has_initial):
    shape = (v.shape[0], q.shape[2], v.shape[2]) if has_initial else (0,)
    d_initial = v.new_empty(shape, dtype=torch.float32)
    d_q, d_k, d_v, d_g = (x.new_empty(x.shape) for x in (q, k, v, g))
    return d_q, d_k, d_v, d_g, _empty_gate(v, value_gate), d_initial


def _keep_for_backward(ctx, inputs, output):
    q, k, v, g, value_gate, initial_state, seq_idx, ctx.scale, ctx.output_final_state = inputs[:9]
    ctx.initial_dtype = None if initial_state is None else initial_state.dtype
    ctx.save_for_backward(q, k, v, g, value_gate, seq_idx, output[2])
    ctx.set_materialize_grads(False)


def _gradients(ctx, d_output, d_final, _):
    *inputs, states = ctx.saved_tensors
    v, value_gate = inputs[2], inputs[4]
    if d_output is None:
        d_output = v.new_zeros(v.shape)
    d_final = d_final if ctx.output_final_state else None
    has_initial = ctx.initial_dtype is not None
    *gradients, d_gate, d_initial = _backward_op(*inputs, states, d_output, d_final, ctx.scale, has_initial)
    d_gate = None if value_gate is None else d_gate
    d_initial = d_initial.to(ctx.initial_dtype) if has_initial else None
    return *gradients, d_gate, d_initial, None, None, None, None, None


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


def gated_linear_attention_triton(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    g: torch.Tensor,
    *,
    scale: float,
    value_gate: torch.Tensor | None = None,
    initial_state: torch.Tensor | None = None,
    output_final_state: bool = False,
    seq_idx: torch.Tensor | None = None,
    output_dtype: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Run gated linear attention by the kernels: `gated_linear_attention` for sizes that are `supported`.

    Args:
        q, k, g: queries, keys and log decays, `[batch, seq_len, d_key]`.
        v, value_gate: values and the logits of their gate, `[batch, seq_len, d_value]`.
        scale, initial_state, output_final_state, seq_idx: as in `gated_linear_attention`.
        output_dtype: of the output, which is computed in float32.

    Returns:
        The output `[batch, seq_len, d_value]` and the final state `[batch, d_key, d_value]` in float32, or None.
    """
    tensors = (q, k, v, g, value_gate, initial_state)
    keep = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)
    output, final, _ = _forward_op(*tensors, seq_idx, scale, output_final_state, keep, output_dtype)
    return output, final if output_final_state else None
