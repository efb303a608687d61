"""Triton kernels of short convolution and SiLU in one pass; the formula is `short_convolution_reference`.

Taps are read as shifted blocks, which lie in the cache of the multiprocessor after the first. Backward computes the
convolution again instead of keeping it. `s` is read in several places (`branches`), and so is `x` (`input_branches`): their
gradients are added up where the backward pass reads them, and not in passes of their own.
"""

import torch

from .halves import empty_gradient
from .kernel_dispatch import on_device_of, operator_name

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

CHANNELS = 128  # a program
STEPS, STEPS_PACKED, STEPS_BACKWARD = 16, 8, 8  # at a time: as many as registers hold
SPAN = 128  # steps a program
MAX_BRANCHES, MAX_INPUT_BRANCHES = 3, 2
# Sizes that change from call to call; what was compiled for one is run for all.
SIZES = ["T", "HISTORY"]


@triton.jit
def _input(
    x, history, seq_idx, t, seq_now, chan, in_chan, T, HISTORY, x_step, history_step, history_chan,
    HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr,
):  # fmt: skip
    """Load the inputs at the steps `t`, zero where they are of another sequence than `seq_now`."""
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


@triton.jit(do_not_specialize=SIZES)
def _forward(
    x, history, weight, bias, seq_idx, s,
    T, channels, HISTORY, x_batch, x_step, history_batch, history_step, history_chan,
    TAPS: tl.constexpr, HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr,
    BC: tl.constexpr, BT: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    """Compute `SPAN` steps of `BC` channels: s_t = silu(bias + Σ_lag weight_lag x_{t − lag})."""
    b, chan = tl.program_id(2).to(tl.int64), tl.program_id(0) * BC + tl.arange(0, BC)
    in_chan = chan < channels
    x += b * x_batch
    s += b * T * channels
    if HAS_HISTORY:
        history += b * history_batch
    if HAS_SEQ:
        seq_idx += b * T
    offset = tl.load(bias + chan, mask=in_chan, other=0.0).to(tl.float32)
    first = tl.program_id(1) * SPAN
    for block in range(first, tl.minimum(first + SPAN, T), BT):
        t = (block + tl.arange(0, BT)).to(tl.int64)
        seq_now = t
        if HAS_SEQ:
            seq_now = tl.load(seq_idx + tl.minimum(t, T - 1))
        total = tl.zeros([BT, BC], tl.float32) + offset[None, :]
        for lag in tl.static_range(TAPS):
            tap = tl.load(weight + chan * TAPS + TAPS - 1 - lag, mask=in_chan, other=0.0).to(tl.float32)
            values = _input(
                x, history, seq_idx, t - lag, seq_now, chan, in_chan, T, HISTORY, x_step, history_step, history_chan,
                HAS_HISTORY, HAS_SEQ,
            )  # fmt: skip
            total += tap[None, :] * values
        inside, at = (t < T)[:, None] & in_chan[None, :], t[:, None] * channels + chan[None, :]
        tl.store(s + at, (total * tl.sigmoid(total)).to(s.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=SIZES)
def _backward(
    x, history, weight, bias, seq_idx, d_s, d_s1, d_s2, d_x1, d_x2, d_x, d_weights,
    T, channels, HISTORY, x_batch, x_step, history_batch, history_step, history_chan, d_x_batch, d_x_step,
    TAPS: tl.constexpr, HAS_HISTORY: tl.constexpr, HAS_SEQ: tl.constexpr, BC: tl.constexpr, BT: tl.constexpr,
    SPAN: tl.constexpr, SUMS: tl.constexpr, BRANCHES: tl.constexpr, INPUT_BRANCHES: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of `SPAN` steps of `BC` channels: of x, and for the weights their sums over these steps.

    d_x_t = Σ_ahead weight_ahead d_total_{t + ahead} + what x gets elsewhere; `d_weights` `[batch · spans, TAPS + 1, channels]`:
    parts of the gradients of the taps, newest first, and of the bias.
    """
    b, chan = tl.program_id(2).to(tl.int64), tl.program_id(0) * BC + tl.arange(0, BC)
    in_chan, which = chan < channels, tl.arange(0, SUMS)
    row_offset = b * T * channels
    x, d_s, d_x = x + b * x_batch, d_s + row_offset, d_x + b * d_x_batch
    if BRANCHES > 1:
        d_s1 += row_offset
    if BRANCHES > 2:
        d_s2 += row_offset
    if HAS_HISTORY:
        history += b * history_batch
    if HAS_SEQ:
        seq_idx += b * T
    if INPUT_BRANCHES > 0:
        d_x1 += row_offset
    if INPUT_BRANCHES > 1:
        d_x2 += row_offset
    offset = tl.load(bias + chan, mask=in_chan, other=0.0).to(tl.float32)
    sums = tl.zeros([SUMS, BC], tl.float32)
    first = tl.program_id(1) * SPAN
    for block in range(first, tl.minimum(first + SPAN, T), BT):
        t = (block + tl.arange(0, BT)).to(tl.int64)
        seq_own = t
        if HAS_SEQ:
            seq_own = tl.load(seq_idx + tl.minimum(t, T - 1))
        grad = tl.zeros([BT, BC], tl.float32)
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
                sums += tl.where((which == TAPS)[:, None], tl.sum(d, 0)[None, :], 0.0)
        inside, at = (t < T)[:, None] & in_chan[None, :], t[:, None] * channels + chan[None, :]
        if INPUT_BRANCHES > 0:
            grad += tl.load(d_x1 + at, mask=inside, other=0.0).to(tl.float32)
        if INPUT_BRANCHES > 1:
            grad += tl.load(d_x2 + at, mask=inside, other=0.0).to(tl.float32)
        tl.store(d_x + t[:, None] * d_x_step + chan[None, :], grad.to(d_x.dtype.element_ty), mask=inside)
    part = d_weights + (b * tl.num_programs(1) + tl.program_id(1)) * (TAPS + 1) * channels
    tl.store(part + which[:, None] * channels + chan[None, :], sums, mask=(which <= TAPS)[:, None] & in_chan[None, :])


@triton.jit
def _step(
    x, state, weight, bias, s,
    channels, x_batch, x_step, state_batch, state_chan,
    S: tl.constexpr, TAPS: tl.constexpr, TAPS_POW2: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Compute S further steps after the window `state` `[batch, channels, TAPS]` (newest last), which is moved on in place."""
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


def _launch(kernel, x, weight, bias, history, seq_idx, results, strides=(), **options):
    (batch, seq_len, channels), x = x.shape, _dense(x)
    seq_idx = None if seq_idx is None else seq_idx.contiguous()
    steps, history_strides = (0, (0, 0, 0)) if history is None else (history.shape[1], history.stride())
    with on_device_of(x):
        kernel[(triton.cdiv(channels, CHANNELS), triton.cdiv(seq_len, SPAN), batch)](
            x, history, weight.contiguous(), bias.contiguous(), seq_idx, *results,
            seq_len, channels, steps, x.stride(0), x.stride(1), *history_strides, *strides,
            TAPS=weight.shape[2], HAS_HISTORY=history is not None, HAS_SEQ=seq_idx is not None,
            BC=CHANNELS, SPAN=SPAN, **options,
        )  # fmt: skip


@torch.library.custom_op(operator_name(__name__, "short_convolution_triton"), mutates_args=())
def _forward_op(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, history: torch.Tensor | None, seq_idx: torch.Tensor | None
) -> torch.Tensor:  # fmt: skip
    s = x.new_empty(x.shape)
    _launch(_forward, x, weight, bias, history, seq_idx, (s,), BT=STEPS if seq_idx is None else STEPS_PACKED)
    return s


@_forward_op.register_fake
def _(x, weight, bias, history, seq_idx):
    return x.new_empty(x.shape)


def _run_backward(x, weight, bias, history, seq_idx, d_s: list[torch.Tensor], others: list[torch.Tensor], d_x):
    """Fill `d_x` and return it with the gradients of weight and bias.

    `d_s`: gradients of s, one to three; `others`: what x gets from elsewhere, up to two gradients. They are added up.
    """
    taps, channels = weight.shape[2], x.shape[2]
    parts = x.new_empty((x.shape[0] * triton.cdiv(x.shape[1], SPAN), taps + 1, channels), dtype=torch.float32)
    given = [y.contiguous() for y in d_s] + [None] * (MAX_BRANCHES - len(d_s))
    given += [y.contiguous() for y in others] + [None] * (MAX_INPUT_BRANCHES - len(others))
    sums = triton.next_power_of_2(taps + 1)
    _launch(
        _backward, x, weight, bias, history, seq_idx, (*given, d_x, parts), d_x.stride()[:2], BT=STEPS_BACKWARD,
        num_warps=8, SUMS=sums, BRANCHES=len(d_s), INPUT_BRANCHES=len(others),
    )  # fmt: skip
    total = parts.sum(0)
    d_weight = total[:taps].flip(0).T.reshape(weight.shape).to(weight.dtype).contiguous()
    return d_x, d_weight, total[taps].to(bias.dtype, copy=True)


@torch.library.custom_op(operator_name(__name__, "short_convolution_backward_triton"), mutates_args=())
def _backward_op(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, history: torch.Tensor | None,
    seq_idx: torch.Tensor | None, d_s: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Compute the gradients of x, weight and bias."""
    return _run_backward(x, weight, bias, history, seq_idx, [d_s], [], x.new_empty(x.shape))


@_backward_op.register_fake
def _(x, weight, bias, history, seq_idx, d_s):
    return tuple(y.new_empty(y.shape) for y in (x, weight, bias))


def _keep_for_backward(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _gradients(ctx, d_s):
    return *_backward_op(*ctx.saved_tensors, d_s), None, None


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


class _Branched(torch.autograd.Function):
    """Return s and x several times, so that backward gets a gradient from each place where they are read."""

    @staticmethod
    def forward(ctx, branches, input_branches, *inputs):
        s = _forward_op(*inputs)
        ctx.branches = branches
        ctx.save_for_backward(*inputs)
        ctx.set_materialize_grads(False)
        return *(s.detach() for _ in range(branches)), *(inputs[0].detach() for _ in range(input_branches))

    @staticmethod
    def backward(ctx, *gradients):
        inputs = ctx.saved_tensors  # to be asked for only once under gradient checkpointing
        d_s = [d for d in gradients[: ctx.branches] if d is not None] or [inputs[0].new_zeros(inputs[0].shape)]
        others = [d for d in gradients[ctx.branches :] if d is not None]
        if torch.is_grad_enabled():  # gradients of gradients are wanted: this operator says that it has none
            d_x, *of_weights = _backward_op(*inputs, sum(d_s))
            return None, None, sum(others, d_x), *of_weights, None, None
        return None, None, *_run_backward(*inputs, d_s, others, empty_gradient(inputs[0])), None, None


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


def _dense(x: torch.Tensor) -> torch.Tensor:
    """Lay channels side by side; the kernels take any other strides."""
    return x if x.stride(2) == 1 else x.contiguous()


def short_convolution_triton(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    history: torch.Tensor | None = None,
    seq_idx: torch.Tensor | None = None,
) -> torch.Tensor:
    """Run the convolution and SiLU by the kernels: `short_convolution_reference`, but that no gradient goes to the history.

    Args:
        x: `[batch, seq_len, channels]`; weight: `[channels, 1, taps]`; bias: `[channels]`.
        history: inputs before the first, `[batch, steps, channels]`; seq_idx: the sequence of each step, `[batch, seq_len]`.

    Returns:
        s, like `x`.
    """
    return _forward_op(x, weight, bias, history, seq_idx)


def short_convolution_branched_triton(
    *inputs: torch.Tensor | None, branches: int = MAX_BRANCHES, input_branches: int = MAX_INPUT_BRANCHES
) -> list[torch.Tensor]:
    """Return s of `short_convolution_triton`'s arguments and x itself, each so many times: once for each place that reads it."""
    # A compiler adds gradients up in one pass by itself.
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return [*_Branched.apply(branches, input_branches, *inputs)]
    return [_forward_op(*inputs)] * branches + [inputs[0]] * input_branches


def short_convolution_step_triton(
    x: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Compute a few steps of decoding: the convolution and SiLU of `x` `[batch, steps, channels]`.

    **`state` is moved on in place**: the last `taps` inputs, newest last, `[batch, channels, taps]`, last dimension contiguous.
    """
    return _step_op(x, state, weight, bias)
