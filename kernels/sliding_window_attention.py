"""Causal sliding-window softmax attention at a cost that is linear in the sequence length.

A mask over all pairs of steps costs time and memory with the square of the length. Here blocks of queries meet just
the keys that their windows reach into, by PyTorch's own attention. For `torch.compile` on a CPU that is one opaque operator: a
compiler would copy the keys and values that blocks share, once for each head and block.
"""

import contextlib

import torch
from torch.nn import functional as F

from .kernel_dispatch import is_exporting, operator_name

# Queries of a block. Fewer would see fewer keys that are not theirs, and make products too small to be quick.
_BLOCK = 64


def worth_blocks(steps: int, window: int | None) -> bool:
    """Tell whether blocks are cheaper than one masked product over all pairs: where a block sees fewer keys than that."""
    return window is not None and window > 1 and steps > window - 1 + _block(window)


def _block(window: int) -> int:
    return min(_BLOCK, window - 1)


def sliding_window_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int, scaling: float, dropout: float = 0.0
) -> torch.Tensor:
    """Compute softmax attention in which each query sees the `window` keys up to its own.

    Args:
        query: `[batch, heads, steps, dim]`.
        key, value: `[batch, key_heads, past + steps, dim]` and `[batch, value_heads, past + steps, dim_value]`, where the last
            key is the last query's and `past < window`. Query head j reads heads `j % key_heads` and `j % value_heads`.
        window: keys that a query sees, its own included; at least 2.
        scaling: factor of the scores.
        dropout: probability of dropping an attention weight.

    Returns:
        `[batch, heads, steps, dim_value]`.
    """
    compiled = torch.compiler.is_compiling() and not is_exporting() and query.device.type == "cpu"
    if compiled and dropout == 0.0:
        return _compiled(query, key, value, window, scaling)
    return _attend(query, key, value, window, scaling, dropout)


def _attend(query, key, value, window: int, scaling: float, dropout: float = 0.0) -> torch.Tensor:
    past = key.shape[2] - query.shape[2]
    first = min(window - past, query.shape[2])  # queries that see all before them
    seen = (_tile(x[:, :, : past + first], query.shape[1]) for x in (key, value))
    mask = query.new_ones(first, past + first, dtype=torch.bool).tril(past) if past > 0 else None
    outputs = [
        F.scaled_dot_product_attention(query[:, :, :first], *seen, mask, dropout, is_causal=mask is None, scale=scaling)
    ]
    if first < query.shape[2]:
        rest = (query[:, :, first:], key[:, :, 1:], value[:, :, 1:])
        outputs.append(_in_blocks(*rest, window, scaling, dropout))
    return torch.cat(outputs, 2) if len(outputs) > 1 else outputs[0]


def _in_blocks(query, key, value, window: int, scaling: float, dropout: float) -> torch.Tensor:
    """The same for queries that all see a full window; the first key is the first that the first query sees."""
    batch, heads, steps, _ = query.shape
    block = _block(window)
    blocks = -(-steps // block)
    fill, span = blocks * block - steps, block + window - 1
    queries = F.pad(query, (0, 0, 0, fill)).unflatten(2, (blocks, block))
    keys, values = (
        _tile(F.pad(x, (0, 0, 0, fill)).unfold(2, span, block).transpose(3, 4), heads) for x in (key, value)
    )
    row = torch.arange(block, device=query.device)[:, None]
    column = torch.arange(span, device=query.device)
    band = (row <= column) & (column < row + window)
    # Blocks become rows of the batch.
    rows = (x.transpose(1, 2).flatten(0, 1) for x in (queries, keys, values))
    out = F.scaled_dot_product_attention(*rows, band, dropout, scale=scaling).unflatten(0, (batch, blocks))
    return out.transpose(1, 2).flatten(2, 3)[:, :, :steps]


@torch.library.custom_op(operator_name(__name__, "sliding_window_attention"), mutates_args=())
def _compiled(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int, scaling: float) -> torch.Tensor:
    """`sliding_window_attention` as one operator, opaque to `torch.compile`."""
    return _attend(query, key, value, window, scaling).transpose(1, 2).contiguous().transpose(1, 2)


@_compiled.register_fake
def _(query, key, value, window, scaling):
    batch, heads, steps, _ = query.shape
    return query.new_empty(batch, steps, heads, value.shape[3]).transpose(1, 2)


@torch.library.custom_op(operator_name(__name__, "sliding_window_attention_backward"), mutates_args=())
def _compiled_backward(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int, scaling: float, d_out: torch.Tensor
) -> list[torch.Tensor]:
    """Gradients of query, key and value; the forward pass is computed again."""
    inputs = [x.detach().requires_grad_() for x in (query, key, value)]
    with _autograd_within_an_operator():
        return [x.contiguous() for x in torch.autograd.grad(_attend(*inputs, window, scaling), inputs, d_out)]


@_compiled_backward.register_fake
def _(query, key, value, window, scaling, d_out):
    return [x.new_empty(x.shape) for x in (query, key, value)]


@contextlib.contextmanager
def _autograd_within_an_operator():
    """The dispatcher keeps autograd out of an operator's implementation; here it is wanted."""
    excluded = torch._C._dispatch_tls_local_exclude_set() - torch._C.DispatchKeySet(
        torch._C.DispatchKey.AutogradFunctionality
    )
    with torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), excluded), torch.enable_grad():
        yield


def _keep_for_backward(ctx, inputs, output):
    *tensors, ctx.window, ctx.scaling = inputs
    ctx.save_for_backward(*tensors)


def _backward_of_compiled(ctx, d_out):
    return *_compiled_backward(*ctx.saved_tensors, ctx.window, ctx.scaling, d_out), None, None


_compiled.register_autograd(_backward_of_compiled, setup_context=_keep_for_backward)


def window_attention_step(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dim: int, scaling: float
) -> torch.Tensor:
    """Compute softmax attention of one query over all keys, without gradients: quicker on a CPU than PyTorch's own for one query.

    Args:
        query: `[batch, 1, heads · dim]`.
        key, value: `[batch, steps, key_heads · dim]` and `[batch, steps, value_heads · dim]`; query head j reads heads
            `j % key_heads` and `j % value_heads`.
        dim: width of a head.
        scaling: factor of the scores.

    Returns:
        `[batch, 1, heads · dim]`.
    """
    batch, steps, width = value.shape
    heads, key_heads, value_heads = query.shape[2] // dim, key.shape[2] // dim, width // dim
    # Query heads that read the same head are one matrix.
    if key_heads == 1:
        queries = query.view(batch, heads, dim)
        scores = torch.baddbmm(queries[:, :, :1], queries, key.transpose(1, 2), beta=0, alpha=scaling)
    else:
        queries = query.view(batch, heads // key_heads, key_heads, dim).transpose(1, 2) * scaling
        keys = key.view(batch, steps, key_heads, dim).permute(0, 2, 3, 1)
        scores = torch.matmul(queries, keys).transpose(1, 2).reshape(batch, heads, steps)
    weights = scores.softmax(-1).view(batch, heads // value_heads, value_heads, steps).transpose(1, 2)
    out = torch.matmul(weights, value.view(batch, steps, value_heads, dim).transpose(1, 2))
    return out.transpose(1, 2).reshape(batch, 1, heads * dim)


def _tile(x: torch.Tensor, heads: int) -> torch.Tensor:
    """The heads of `x` (dimension 1) repeated in turn, up to `heads`; a single one without a copy."""
    if x.shape[1] == 1:
        return x.expand(-1, heads, *[-1] * (x.ndim - 2))
    return x if x.shape[1] == heads else x.repeat(1, heads // x.shape[1], *[1] * (x.ndim - 2))
