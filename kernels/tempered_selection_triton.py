"""Triton kernels of the gates, each in one pass; the formula is `tempered_selection_reference`."""

import torch

from .kernel_dispatch import on_device_of, operator_name

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError("the kernels in this file need Triton (pip install triton)") from error

STEPS = 16  # steps a program


@triton.jit
def selection_gates(selection, temperature):
    """Compute γ = softplus(selection), log γ and τ = sigmoid(temperature).

    For a selection far to the left γ is its exponential, and log γ the selection itself.
    """
    e = tl.exp(-tl.abs(selection))
    # log(1 + e), by its series where adding 1 would lose digits
    log1p = tl.where(e < 1e-3, e * (1 - e * (0.5 - e * (1.0 / 3))), tl.log(1 + e))
    gamma = tl.maximum(selection, 0.0) + log1p
    log_gamma = tl.where(selection < -15, selection - 0.5 * e, tl.log(tl.maximum(gamma, 1e-30)))
    return gamma, log_gamma, tl.sigmoid(temperature)


@triton.jit(do_not_specialize=["rows"])  # compiled once for every length
def _forward(
    query_key, gates, query, key, log_decay,
    rows, eps, qk_row, gates_row,
    M: tl.constexpr, MP: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    """Compute `STEPS` steps of the query, of the key k / |k| γ^τ and of the log decay −γ τ, each `[rows, M]`."""
    row, chan = tl.program_id(0).to(tl.int64) * STEPS + tl.arange(0, STEPS)[:, None], tl.arange(0, MP)[None, :]
    inside = (row < rows) & (chan < M)
    at = row * M + chan
    tl.store(query + at, tl.load(query_key + row * qk_row + chan, mask=inside, other=0.0).to(tl.float32), mask=inside)
    k = tl.load(query_key + row * qk_row + M + chan, mask=inside, other=0.0).to(tl.float32)
    a = tl.load(gates + row * gates_row + chan, mask=inside, other=0.0).to(tl.float32)
    t = tl.load(gates + row * gates_row + M + chan, mask=inside, other=0.0).to(tl.float32)
    gamma, log_gamma, tau = selection_gates(a, t)
    norm = tl.maximum(tl.sqrt(tl.sum(k * k, 1)), eps)
    tl.store(key + at, k / norm[:, None] * tl.exp(tau * log_gamma), mask=inside)
    tl.store(log_decay + at, -gamma * tau, mask=inside)


@triton.jit(do_not_specialize=["rows"])
def _backward(
    query_key, gates, d_query, d_key, d_log_decay, d_query_key, d_gates,
    rows, eps, qk_row, gates_row,
    M: tl.constexpr, MP: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of `STEPS` steps of query and key, and of selection and temperature, each pair `[rows, 2 M]`."""
    row, chan = tl.program_id(0).to(tl.int64) * STEPS + tl.arange(0, STEPS)[:, None], tl.arange(0, MP)[None, :]
    inside = (row < rows) & (chan < M)
    at, at_pair = row * M + chan, row * 2 * M + chan
    d_q = tl.load(d_query + at, mask=inside, other=0.0)
    tl.store(d_query_key + at_pair, d_q.to(d_query_key.dtype.element_ty), mask=inside)
    k = tl.load(query_key + row * qk_row + M + chan, mask=inside, other=0.0).to(tl.float32)
    a = tl.load(gates + row * gates_row + chan, mask=inside, other=0.0).to(tl.float32)
    t = tl.load(gates + row * gates_row + M + chan, mask=inside, other=0.0).to(tl.float32)
    gamma, log_gamma, tau = selection_gates(a, t)
    write = tl.exp(tau * log_gamma)
    length = tl.sqrt(tl.sum(k * k, 1))
    norm = tl.maximum(length, eps)[:, None]
    d_k = tl.load(d_key + at, mask=inside, other=0.0)
    d_decay = tl.load(d_log_decay + at, mask=inside, other=0.0)
    unit = k / norm
    d_log_write = d_k * unit * write
    along = tl.sum(d_log_write, 1)
    # A key shorter than eps is only scaled.
    turned = tl.where((length > eps)[:, None], unit * along[:, None], 0.0)
    d_k = (d_k * write - turned) / norm
    tl.store(d_query_key + at_pair + M, d_k.to(d_query_key.dtype.element_ty), mask=inside)
    # d log γ / da = sigmoid(a) / γ, which far to the left is 1.
    slope = tl.sigmoid(a)
    d_log_gamma = tl.where(a < -15, 1.0, slope / tl.maximum(gamma, 1e-30))
    d_a = d_log_write * tau * d_log_gamma - d_decay * tau * slope
    d_t = (d_log_write * log_gamma - d_decay * gamma) * tau * (1 - tau)
    tl.store(d_gates + at_pair, d_a.to(d_gates.dtype.element_ty), mask=inside)
    tl.store(d_gates + at_pair + M, d_t.to(d_gates.dtype.element_ty), mask=inside)


def _launch(kernel, query_key, gates, results, eps):
    rows, mem_size = query_key.shape[0], query_key.shape[1] // 2
    with on_device_of(query_key):
        kernel[(triton.cdiv(rows, STEPS),)](
            query_key, gates, *results, rows, eps, query_key.stride(0), gates.stride(0),
            M=mem_size, MP=triton.next_power_of_2(mem_size), STEPS=STEPS,
        )  # fmt: skip
    return results


@torch.library.custom_op(operator_name(__name__, "tempered_selection_triton"), mutates_args=())
def _forward_op(
    query_key: torch.Tensor, gates: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute query, gated key and log decay of rows `[steps, 2 · mem_size]`."""
    return _launch(_forward, query_key, gates, _empty_results(query_key, gates, eps), eps)


@_forward_op.register_fake
def _empty_results(query_key, gates, eps):
    shape = (query_key.shape[0], query_key.shape[1] // 2)
    return tuple(query_key.new_empty(shape, dtype=torch.float32) for _ in range(3))


@torch.library.custom_op(operator_name(__name__, "tempered_selection_backward_triton"), mutates_args=())
def _backward_op(
    query_key: torch.Tensor, gates: torch.Tensor, d_query: torch.Tensor, d_key: torch.Tensor,
    d_log_decay: torch.Tensor, eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    d_query, d_key, d_log_decay = (x.contiguous() for x in (d_query, d_key, d_log_decay))
    results = query_key.new_empty(query_key.shape), gates.new_empty(gates.shape)
    _launch(_backward, query_key, gates, (d_query, d_key, d_log_decay, *results), eps)
    return results


@_backward_op.register_fake
def _(query_key, gates, d_query, d_key, d_log_decay, eps):
    return query_key.new_empty(query_key.shape), gates.new_empty(gates.shape)


def _keep_for_backward(ctx, inputs, output):
    query_key, gates, ctx.eps = inputs
    ctx.save_for_backward(query_key, gates)


def _gradients(ctx, d_query, d_key, d_log_decay):
    return *_backward_op(*ctx.saved_tensors, d_query, d_key, d_log_decay, ctx.eps), None


_forward_op.register_autograd(_gradients, setup_context=_keep_for_backward)


def tempered_selection_triton(
    query_key: torch.Tensor, gates: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run the gates by the kernels: `tempered_selection`.

    Args:
        query_key, gates: query and key, selection and temperature side by side, `[..., 2 · mem_size]`.

    Returns:
        Query, gated key and log decay, `[..., mem_size]` in float32.
    """
    shape = (*query_key.shape[:-1], query_key.shape[-1] // 2)
    rows = (x.reshape(-1, x.shape[-1]) for x in (query_key, gates))
    rows = (x if x.stride(1) == 1 else x.contiguous() for x in rows)
    return tuple(x.view(shape) for x in _forward_op(*rows, eps))
