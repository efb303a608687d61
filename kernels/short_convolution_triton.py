"""Triton kernels of short convolution, SiLU and channel gate in one pass; the formula is `short_convolution_reference`.

Taps are read as shifted blocks, which lie in the cache of the multiprocessor after the first. Backward computes the
convolution again instead of keeping it. `s` is read in several places (`branches`): their gradients are added up where the
backward pass reads them, and not in passes of their own.
"""

import torch
from torch.autograd.function import once_differentiable

from .kernel_dispatch import on_device_of, operator_name

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

CHANNELS = 128  # a program
STEPS, STEPS_BACKWARD = 16, 8  # at a time
SPAN = 128  # steps a program
MAX_BRANCHES = 3


@triton.jit
def _input(
    x, history, seq_idx, t, seq_now, chan, in_chan, T, HISTORY, x_step, history_step, history_chan,
    HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr,
):  # fmt: skip
    """Inputs at the steps `t`, zero where they are of another sequence than `seq_now`."""
    present = (t >= 0) & (t < T)
    if HAS_SEQ:
        present = present & (tl.load(seq_idx + tl.minimum(tl.maximum(t, 0), T - 1)) == seq_now)
    values = tl.load(x + t[:, None] * x_step + chan[None, :], mask=present[:, None] & in_chan[None, :], other=0.0)
    values = values.to(tl.float32)
    if HAS_HISTORY:
        past = (t < 0) & (t >= -HISTORY)
        if HAS_SEQ:
            past = past & (tl.load(seq_idx + tl.minimum(t, 0) * 0) == seq_now)
        at = (HISTORY + t)[:, None] * history_step + chan[None, :] * history_chan
        values += tl.load(history + at, mask=past[:, None] & in_chan[None, :], other=0.0).to(tl.float32)
    return values


@triton.jit
def _forward(
    x, history, weight, bias, seq_idx, channel_gate, s, u,
    T, channels, HISTORY, x_batch, x_step, history_batch, history_step, history_chan, gate_batch, gate_step,
    TAPS: tl.constexpr, HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr, HAS_GATE: tl.constexpr,
    BC: tl.constexpr, BT: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    b, chan = tl.program_id(2).to(tl.int64), tl.program_id(0) * BC + tl.arange(0, BC)
    in_chan = chan < channels
    x += b * x_batch
    s += b * T * channels
    if HAS_HISTORY:
        history += b * history_batch
    if HAS_SEQ:
        seq_idx += b * T
    if HAS_GATE:
        channel_gate += b * gate_batch
        u += b * T * channels
    offset = tl.load(bias + chan, mask=in_chan, other=0.0).to(tl.float32)
    first = tl.program_id(1) * SPAN
    for block in range(first, tl.minimum(first + SPAN, T), BT):
        t = (block + tl.arange(0, BT)).to(tl.int64)
        seq_now = t
        if HAS_SEQ:
            seq_now = tl.load(seq_idx + tl.minimum(t, T - 1))
        now = tl.zeros([BT, BC], tl.float32)
        total = now + offset[None, :]
        for lag in tl.static_range(TAPS):
            tap = tl.load(weight + chan * TAPS + TAPS - 1 - lag, mask=in_chan, other=0.0).to(tl.float32)
            values = _input(
                x, history, seq_idx, t - lag, seq_now, chan, in_chan, T, HISTORY, x_step, history_step, history_chan,
                HAS_HISTORY, HAS_SEQ,
            )  # fmt: skip
            total += tap[None, :] * values
            if lag == 0:
                now = values
        inside, at = (t < T)[:, None] & in_chan[None, :], t[:, None] * channels + chan[None, :]
        tl.store(s + at, (total * tl.sigmoid(total)).to(s.dtype.element_ty), mask=inside)
        if HAS_GATE:
            c = tl.load(channel_gate + t[:, None] * gate_step + chan[None, :], mask=inside, other=0.0).to(tl.float32)
            tl.store(u + at, (now * tl.sigmoid(c)).to(u.dtype.element_ty), mask=inside)


@triton.jit
def _backward(
    x, history, weight, bias, seq_idx, channel_gate, d_s, d_s1, d_s2, d_u, d_x, d_gate, d_weights,
    T, channels, HISTORY, x_batch, x_step, history_batch, history_step, history_chan, gate_batch, gate_step,
    TAPS: tl.constexpr, HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr, HAS_GATE: tl.constexpr,
    BC: tl.constexpr, BT: tl.constexpr, SPAN: tl.constexpr, SUMS: tl.constexpr, BRANCHES: tl.constexpr,
):  # fmt: skip
    """`d_weights` `[batch · spans, TAPS + 1, channels]`: parts of the gradients of the taps, newest first, and of the bias."""
    b, chan = tl.program_id(2).to(tl.int64), tl.program_id(0) * BC + tl.arange(0, BC)
    in_chan, which = chan < channels, tl.arange(0, SUMS)
    row_offset = b * T * channels
    x, d_s, d_x = x + b * x_batch, d_s + row_offset, d_x + row_offset
    if BRANCHES > 1:
        d_s1 += row_offset
    if BRANCHES > 2:
        d_s2 += row_offset
    if HAS_HISTORY:
        history += b * history_batch
    if HAS_SEQ:
        seq_idx += b * T
    if HAS_GATE:
        channel_gate += b * gate_batch
        d_u, d_gate = d_u + row_offset, d_gate + row_offset
    offset = tl.load(bias + chan, mask=in_chan, other=0.0).to(tl.float32)
    sums = tl.zeros([SUMS, BC], tl.float32)
    first = tl.program_id(1) * SPAN
    for block in range(first, tl.minimum(first + SPAN, T), BT):
        t = (block + tl.arange(0, BT)).to(tl.int64)
        seq_own = t
        if HAS_SEQ:
            seq_own = tl.load(seq_idx + tl.minimum(t, T - 1))
        grad = tl.zeros([BT, BC], tl.float32)
        now = grad
        for ahead in tl.static_range(TAPS):
            then = t + ahead
            seq_then, reached = then, then < T
            if HAS_SEQ:
                seq_then = tl.load(seq_idx + tl.minimum(then, T - 1))
                reached = reached & (seq_then == seq_own)
            total = tl.zeros([BT, BC], tl.float32) + offset[None, :]
            for lag in tl.static_range(TAPS):
                tap = tl.load(weight + chan * TAPS + TAPS - 1 - lag, mask=in_chan, other=0.0).to(tl.float32)
                total += tap[None, :] * _input(
                    x, history, seq_idx, then - lag, seq_then, chan, in_chan, T, HISTORY, x_step, history_step,
                    history_chan, HAS_HISTORY, HAS_SEQ,
                )  # fmt: skip
            inside = reached[:, None] & in_chan[None, :]
            at_then = then[:, None] * channels + chan[None, :]
            d = tl.load(d_s + at_then, mask=inside, other=0.0).to(tl.float32)
            if BRANCHES > 1:
                d += tl.load(d_s1 + at_then, mask=inside, other=0.0).to(tl.float32)
            if BRANCHES > 2:
                d += tl.load(d_s2 + at_then, mask=inside, other=0.0).to(tl.float32)
            sigmoid = tl.sigmoid(total)
            d *= sigmoid * (1 + total * (1 - sigmoid))
            tap = tl.load(weight + chan * TAPS + TAPS - 1 - ahead, mask=in_chan, other=0.0).to(tl.float32)
            grad += tap[None, :] * d
            if ahead == 0:
                for lag in tl.static_range(TAPS):
                    values = _input(
                        x, history, seq_idx, t - lag, seq_own, chan, in_chan, T, HISTORY, x_step, history_step,
                        history_chan, HAS_HISTORY, HAS_SEQ,
                    )  # fmt: skip
                    sums += tl.where((which == lag)[:, None], tl.sum(d * values, 0)[None, :], 0.0)
                    if lag == 0:
                        now = values
                sums += tl.where((which == TAPS)[:, None], tl.sum(d, 0)[None, :], 0.0)
        inside, at = (t < T)[:, None] & in_chan[None, :], t[:, None] * channels + chan[None, :]
        if HAS_GATE:
            c = tl.load(channel_gate + t[:, None] * gate_step + chan[None, :], mask=inside, other=0.0).to(tl.float32)
            d = tl.load(d_u + at, mask=inside, other=0.0).to(tl.float32)
            sigmoid = tl.sigmoid(c)
            grad += d * sigmoid
            tl.store(d_gate + at, (d * now * sigmoid * (1 - sigmoid)).to(d_gate.dtype.element_ty), mask=inside)
        tl.store(d_x + at, grad.to(d_x.dtype.element_ty), mask=inside)
    part = d_weights + (b * tl.num_programs(1) + tl.program_id(1)) * (TAPS + 1) * channels
    tl.store(part + which[:, None] * channels + chan[None, :], sums, mask=(which <= TAPS)[:, None] & in_chan[None, :])


@triton.jit
def _step(
    x, state, weight, bias, s,
    channels, x_batch, x_step, state_batch, state_chan,
    S: tl.constexpr, TAPS: tl.constexpr, TAPS_POW2: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """S further steps after the window `state` `[batch, channels, TAPS]` (newest last), which is moved on in place."""
    b, chan, k = tl.program_id(1).to(tl.int64), tl.program_id(0) * BC + tl.arange(0, BC), tl.arange(0, TAPS_POW2)
    in_chan = chan < channels
    x, state, s = x + b * x_batch, state + b * state_batch, s + b * S * channels
    at_state, is_tap = state + chan[:, None] * state_chan, in_chan[:, None] & (k < TAPS)[None, :]
    taps = tl.load(weight + chan[:, None] * TAPS + k[None, :], mask=is_tap, other=0.0).to(tl.float32)
    offset = tl.load(bias + chan, mask=in_chan, other=0.0).to(tl.float32)
    window = tl.zeros([BC, TAPS_POW2], tl.float32)
    for t in tl.static_range(S):
        # The window after step t: what is left of the state, then new steps.
        at = k + t + 1
        window = tl.load(at_state + at[None, :], mask=is_tap & (at < TAPS)[None, :], other=0.0).to(tl.float32)
        new = is_tap & (at >= TAPS)[None, :]
        window += tl.load(x + (at - TAPS)[None, :] * x_step + chan[:, None], mask=new, other=0.0).to(tl.float32)
        total = offset + tl.sum(taps * window, 1)
        tl.store(s + t * channels + chan, (total * tl.sigmoid(total)).to(s.dtype.element_ty), mask=in_chan)
    tl.debug_barrier()  # all have read the old window
    tl.store(at_state + k[None, :], window.to(state.dtype.element_ty), mask=is_tap)


def _launch(kernel, x, weight, bias, history, seq_idx, channel_gate, results, **options):
    batch, seq_len, channels = x.shape
    steps, strides = (0, (0, 0, 0)) if history is None else (history.shape[1], history.stride())
    gate_strides = (0, 0) if channel_gate is None else channel_gate.stride()[:2]
    with on_device_of(x):
        kernel[(triton.cdiv(channels, CHANNELS), triton.cdiv(seq_len, SPAN), batch)](
            x, history, weight, bias, seq_idx, channel_gate, *results,
            seq_len, channels, steps, x.stride(0), x.stride(1), *strides, *gate_strides,
            TAPS=weight.shape[2], HAS_HISTORY=history is not None, HAS_SEQ=seq_idx is not None,
            HAS_GATE=channel_gate is not None, BC=CHANNELS, SPAN=SPAN, **options,
        )  # fmt: skip


@torch.library.custom_op(operator_name(__name__, "short_convolution_triton"), mutates_args=())
def _forward_op(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, history: torch.Tensor | None,
    seq_idx: torch.Tensor | None, channel_gate: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    results = _empty_results(x, weight, bias, history, seq_idx, channel_gate)
    weight, bias = weight.contiguous(), bias.contiguous()
    _launch(_forward, _dense(x), weight, bias, history, seq_idx, _dense(channel_gate), results, BT=STEPS)
    return results


@_forward_op.register_fake
def _empty_results(x, weight, bias, history, seq_idx, channel_gate):
    return x.new_empty(x.shape), x.new_empty(x.shape if channel_gate is not None else (0,))


@torch.library.custom_op(operator_name(__name__, "short_convolution_backward_triton"), mutates_args=())
def _backward_op(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, history: torch.Tensor | None,
    seq_idx: torch.Tensor | None, channel_gate: torch.Tensor | None, d_s: list[torch.Tensor], d_u: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Gradients of x, weight, bias and channel gate (empty if there is none). `d_s`: one to three, to be added up."""
    taps, channels = weight.shape[2], x.shape[2]
    d_x, d_gate = _empty_results(x, weight, bias, history, seq_idx, channel_gate)
    parts = x.new_empty((x.shape[0] * triton.cdiv(x.shape[1], SPAN), taps + 1, channels), dtype=torch.float32)
    branches = [x.contiguous() for x in d_s] + [None] * (MAX_BRANCHES - len(d_s))
    results = (*branches, d_u.contiguous(), d_x, d_gate, parts)
    weight, bias = weight.contiguous(), bias.contiguous()
    sums = triton.next_power_of_2(taps + 1)
    _launch(
        _backward,
        _dense(x),
        weight,
        bias,
        history,
        seq_idx,
        _dense(channel_gate),
        results,
        BT=STEPS_BACKWARD,
        num_warps=8,
        SUMS=sums,
        BRANCHES=len(d_s),
    )
    total = parts.sum(0)
    d_weight = total[:taps].flip(0).T.reshape(weight.shape).to(weight.dtype).contiguous()
    return d_x, d_weight, total[taps].to(bias.dtype, copy=True), d_gate


@_backward_op.register_fake
def _(x, weight, bias, history, seq_idx, channel_gate, d_s, d_u):
    d_gate = x.new_empty(x.shape if channel_gate is not None else (0,))
    return x.new_empty(x.shape), weight.new_empty(weight.shape), bias.new_empty(bias.shape), d_gate


def _keep_for_backward(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _gradients(ctx, d_s, d_u):
    inputs = ctx.saved_tensors  # to be asked for only once under gradient checkpointing
    d_x, d_weight, d_bias, d_gate = _backward_op(*inputs, [d_s], d_u)
    return d_x, d_weight, d_bias, None, None, None if inputs[5] is None else d_gate


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


class _Branched(torch.autograd.Function):
    """The convolution with `s` returned several times, so that backward gets a gradient from each place where it is read."""

    @staticmethod
    def forward(ctx, branches, *inputs):
        s, u = _forward_op(*inputs)
        ctx.save_for_backward(*inputs)
        ctx.set_materialize_grads(False)
        return u, *(s.detach() for _ in range(branches))

    @staticmethod
    @once_differentiable
    def backward(ctx, d_u, *d_s):
        inputs = ctx.saved_tensors
        x, has_gate = inputs[0], inputs[5] is not None
        d_s = [d for d in d_s if d is not None] or [x.new_zeros(x.shape)]
        if d_u is None:
            d_u = x.new_zeros(x.shape if has_gate else (0,))
        d_x, d_weight, d_bias, d_gate = _backward_op(*inputs, d_s, d_u)
        return None, d_x, d_weight, d_bias, None, None, d_gate if has_gate else None


@torch.library.custom_op(operator_name(__name__, "short_convolution_step_triton"), mutates_args=("state",))
def _step_op(x: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    (batch, steps, channels), taps = x.shape, weight.shape[2]
    s, x = x.new_empty(x.shape), _dense(x)
    with on_device_of(x):
        _step[(triton.cdiv(channels, CHANNELS), batch)](
            x, state, weight.contiguous(), bias.contiguous(), s,
            channels, x.stride(0), x.stride(1), state.stride(0), state.stride(1),
            S=steps, TAPS=taps, TAPS_POW2=triton.next_power_of_2(taps), BC=CHANNELS,
        )  # fmt: skip
    return s


@_step_op.register_fake
def _(x, state, weight, bias):
    return x.new_empty(x.shape)


def _dense(x: torch.Tensor | None) -> torch.Tensor | None:
    """The kernels take any strides but that of the channels."""
    return x if x is None or x.stride(2) == 1 else x.contiguous()


def short_convolution_triton(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    history: torch.Tensor | None = None,
    seq_idx: torch.Tensor | None = None,
    channel_gate: torch.Tensor | None = None,
    branches: int = 1,
) -> tuple[torch.Tensor | None, ...]:
    """Arguments and results as in `short_convolution_reference`; no gradient goes to the history.

    `branches`: how many times s is returned, at most three: one for each place that reads it. Then u comes.
    """
    inputs = (x, weight, bias, history, seq_idx, channel_gate)
    # A compiler adds gradients up in one pass by itself.
    if branches > 1 and torch.is_grad_enabled() and not torch.compiler.is_compiling():
        u, *s = _Branched.apply(branches, *inputs)
    else:
        s, u = _forward_op(*inputs)
        s = [s] * branches
    return *s, u if channel_gate is not None else None


def short_convolution_step_triton(
    x: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """A few steps of decoding: the convolution and SiLU of `x` `[batch, steps, channels]`.

    **`state` is moved on in place**: the last `taps` inputs, newest last, `[batch, channels, taps]`, last dimension contiguous.
    """
    return _step_op(x, state, weight, bias)
