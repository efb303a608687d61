"""Causal sliding-window softmax attention at a cost that is linear in the sequence length.

A mask over all pairs of steps costs time and memory with the square of the length. Here blocks of `window − 1` queries meet
just the two blocks of keys that their windows reach into, by PyTorch's own attention.
"""

import torch
from torch.nn import functional as F


def worth_blocks(steps: int, window: int | None) -> bool:
    """Tell whether blocks are cheaper than one masked product over all pairs: from two blocks of queries on."""
    return window is not None and window > 1 and steps > 2 * (window - 1)


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
    batch, heads, steps, _ = query.shape
    block, past = window - 1, key.shape[2] - steps
    rest = -(-steps // block) - 1  # blocks after the first
    first = min(block, steps)
    row = torch.arange(block, device=query.device)[:, None]
    column = torch.arange(2 * block, device=query.device)
    # Seen from a block's queries, the keys begin one block earlier.
    band = (row <= column) & (column <= row + block)
    keys, values = _tile(key[:, :, : past + first], heads), _tile(value[:, :, : past + first], heads)
    mask = band[:first, block - past : block + first]
    output = F.scaled_dot_product_attention(query[:, :, :first], keys, values, mask, dropout, scale=scaling)
    if rest == 0:
        return output
    # The last block is filled up; the additional queries are dropped, the additional keys come after all others.
    fill = (0, 0, 0, (rest + 1) * block - steps)
    queries = F.pad(query[:, :, block:], fill).unflatten(2, (rest, block))
    keys, values = (
        _tile(F.pad(x[:, :, past:], fill).unfold(2, 2 * block, block).transpose(3, 4), heads) for x in (key, value)
    )
    # Blocks become rows of the batch.
    queries, keys, values = (x.transpose(1, 2).flatten(0, 1) for x in (queries, keys, values))
    later = F.scaled_dot_product_attention(queries, keys, values, band, dropout, scale=scaling)
    later = later.unflatten(0, (batch, rest)).transpose(1, 2).flatten(2, 3)
    return torch.cat([output, later[:, :, : steps - block]], 2)


def window_attention_step(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    """Compute softmax attention of one query over all keys, without gradients: quicker on a CPU than PyTorch's own for one query.

    Args:
        query: `[batch, heads, dim]`.
        key, value: `[batch, steps, key_heads, dim]` and `[batch, steps, value_heads, dim_value]`; query head j reads heads
            `j % key_heads` and `j % value_heads`.
        scaling: factor of the scores.

    Returns:
        `[batch, heads, dim_value]`.
    """
    batch, heads, _ = query.shape
    key_heads, value_heads = key.shape[2], value.shape[2]
    # Query heads that read the same head are one matrix.
    queries = query.view(batch, heads // key_heads, key_heads, -1).transpose(1, 2)
    scores = torch.matmul(queries * scaling, key.permute(0, 2, 3, 1)).transpose(1, 2).reshape(batch, heads, -1)
    weights = scores.softmax(-1).view(batch, heads // value_heads, value_heads, -1).transpose(1, 2)
    return torch.matmul(weights, value.transpose(1, 2)).transpose(1, 2).reshape(batch, heads, -1)


def _tile(x: torch.Tensor, heads: int) -> torch.Tensor:
    """The heads of `x` (dimension 1) repeated in turn, up to `heads`; a single one without a copy."""
    if x.shape[1] == 1:
        return x.expand(-1, heads, *[-1] * (x.ndim - 2))
    return x if x.shape[1] == heads else x.repeat(1, heads // x.shape[1], *[1] * (x.ndim - 2))
