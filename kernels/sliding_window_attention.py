"""Causal sliding-window softmax attention at a cost that is linear in the sequence length.

A mask over all pairs of steps costs time and memory with the square of the length. Here blocks of queries meet just
the keys that their windows reach into, by PyTorch's own attention.
"""

import torch
from torch.nn import functional as F

# Queries of a block. Fewer would see fewer keys that are not theirs, and make products too small to be quick.
_BLOCK = 128


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
    batch, heads, steps, _ = query.shape
    block, past = _block(window), key.shape[2] - steps
    span, blocks = block + window - 1, -(-steps // block)
    # A block sees its own keys and `window - 1` before them; the first and the last are filled up to that.
    front, fill = window - 1 - past, blocks * block - steps
    queries = F.pad(query, (0, 0, 0, fill)).unflatten(2, (blocks, block))
    keys, values = (
        _tile(F.pad(x, (0, 0, front, fill)).unfold(2, span, block).transpose(3, 4), heads) for x in (key, value)
    )
    row = torch.arange(block, device=query.device)[:, None]
    column = torch.arange(span, device=query.device)
    band = (row <= column) & (column < row + window)
    early = min(-(-front // block), blocks)  # blocks that begin with filling
    start = block * torch.arange(early, device=query.device)[:, None, None, None]

    def attend(part: slice, mask: torch.Tensor) -> torch.Tensor:
        # Blocks become rows of the batch.
        rows = (x[:, :, part].transpose(1, 2).flatten(0, 1) for x in (queries, keys, values))
        return F.scaled_dot_product_attention(*rows, mask, dropout, scale=scaling).unflatten(0, (batch, -1))

    outputs = []
    if early > 0:
        outputs.append(attend(slice(early), (band & (column + start >= front)).repeat(batch, 1, 1, 1)))
    if early < blocks:
        outputs.append(attend(slice(early, None), band))
    output = torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]
    return output.transpose(1, 2).flatten(2, 3)[:, :, :steps]


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
