r"""Triton kernels of gated linear attention; the formula is `gated_linear_attention_reference`.

One head, few key channels (M), very many value channels (V): what counts is how often a `[seq_len, I]` tensor passes
through memory. So all that does not involve values is computed once per chunk (`intra_chunk_kernel`) and
then shared by all blocks of value channels:

    scores[i, j] = scale · Σ_m q_i k_j exp(Σ_{j<l≤i} g_l)   q_in_i = scale · q_i exp(Σ_{l≤i} g_l)
    k_out_j = k_j exp(Σ_{l>j} g_l)                           decay = exp(Σ_l g_l)

Forward (`outputs_kernel`): one program for a block of value channels walks along the chunks with its part of the state in
registers, reads `v` (and its gate, where there is one) once and writes `o` once. If rows and blocks are too few to fill the
device, the sequence is cut into segments; what the earlier ones add to the state comes from a pass over `v` alone (`states_kernel`).

Backward: the gradient of the state comes from a pass over `d_o` from the end (`states_kernel` again), then one program per
chunk (`chunk_gradients_kernel`) sums over all value channels what `intra_chunk_kernel` returned, and writes `d_v`. One state in
`KEPT_EVERY` steps is all that is kept; those in between are computed again. `intra_chunk_backward_kernel` ends at q, k and g.
Every segment of that pass begins with zero: what comes from behind it fades on its own, and is added where a state is read.

No exponent is ever positive: each is a sum of log decays between a step and a border (start of a sub-chunk of `SUB` steps,
start or end of a chunk), computed as a sum and not as a difference of sums. Within a sub-chunk decays are multiplied step by
step, which is exact for any mixture of them. State and sums are float32; see `_state_dtype` for the products with states.
"""

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

# Sizes that change from call to call; what was compiled for one is run for all.
SIZES = ["T", "NC", "per_segment"]

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


@triton.jit(do_not_specialize=SIZES)
def intra_chunk_kernel(
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


@triton.jit(do_not_specialize=SIZES)
def outputs_kernel(
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


@triton.jit(do_not_specialize=SIZES)
def states_kernel(
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


@triton.jit(do_not_specialize=SIZES)
def chunk_gradients_kernel(
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


@triton.jit(do_not_specialize=SIZES)
def intra_chunk_backward_kernel(
    q, k, g, seq_idx, d_scores, d_q_in, d_k_out, d_decay, d_q, d_k, d_g,
    scale, T, NC,
    M: tl.constexpr, C: tl.constexpr, SUB: tl.constexpr, HAS_SEQ: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of q, k and g of one chunk, from those of what `intra_chunk_kernel` returned.

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
