"""Gated linear attention by Triton kernels: what is launched, with which tiles, and how gradients are asked for.

The kernels, and how they share the work, stand in `gated_linear_attention_triton_kernels`, the formula in
`gated_linear_attention_reference`.
"""

import torch

from .gated_linear_attention_triton_kernels import (
    chunk_gradients_kernel,
    intra_chunk_backward_kernel,
    intra_chunk_kernel,
    outputs_kernel,
    states_kernel,
)
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


def _configs(*options: tuple[int, int, int]) -> list[triton.Config]:
    """Make configurations of a block of value channels, warps and pipeline stages; the interpreter can only take one."""
    configs = [triton.Config({"BV": bv}, num_warps=warps, num_stages=stages) for bv, warps, stages in options]
    return configs[:1] if triton.knobs.runtime.interpret else configs


def walk_configs(configs: list[triton.Config], m: int, precision: str, generation: int) -> list[triton.Config]:
    """Choose those of `outputs_kernel` and `states_kernel` whose state stays in registers, and whose stages fit into shared memory.

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
    """Choose those of `chunk_gradients_kernel` that keep everything in registers; `generation` as in `kernel_dispatch`."""
    if together and generation >= 9:
        return _only(configs, {(32, 8, 2), (32, 8, 1)})
    return _only(configs, {(16, 4, 1)} if generation == 0 or (generation == 9 and m < 64) else {(16, 8, 1)})


def _only(configs: list[triton.Config], fitting: set[tuple[int, int, int]]) -> list[triton.Config]:
    """Keep those that fit; where PyTorch is told to be deterministic the first of them, not the one that is timed fastest."""
    kept = [x for x in configs if (x.kwargs["BV"], x.num_warps, x.num_stages) in fitting] or configs[:1]
    return kept[:1] if torch.are_deterministic_algorithms_enabled() else kept


def intra_backward_warps(m: int, generation: int) -> int:
    """Choose the warps of `intra_chunk_backward_kernel`, with which nothing spills; AMD's are twice as wide as NVIDIA's."""
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
_tuned_outputs, _tuned_states = (triton.autotune(WALK_CONFIGS, **_walk)(x) for x in (outputs_kernel, states_kernel))
_tuned_gradients = triton.autotune(
    GRADIENT_CONFIGS,
    key=["M", "V", "WANT_VALUES", "WANT_SUMS"],
    prune_configs_by={"early_config_prune": _prune_gradients},
)(chunk_gradients_kernel)


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
    intra_chunk_kernel[(chunks, batch)](
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
    seq_idx = None if seq_idx is None else seq_idx.contiguous()
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
    seq_idx = None if seq_idx is None else seq_idx.contiguous()
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
        intra_chunk_backward_kernel[(chunks, batch)](
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
