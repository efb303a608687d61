"""What an attention mask says, in the terms of a recurrence: which tokens are padding, and where a sequence begins.

A recurrence sees every token before it, so of all masks over pairs of tokens it can obey just these: causal, with padding
left out, and in blocks along the diagonal (packed sequences). Those are recognised in every form in which transformers'
users write them; any other is refused, since ignoring it would give wrong results silently.
"""

import torch

from codefuse_hf.kernels.kernel_dispatch import is_exporting

_ADVICE = (
    "A recurrent model sees all tokens before a token. Pass a 2D mask of 0 (padding) and 1, or numbers 1, 2, … of the sequences "
    "packed in a row, or position_ids that start again with each of them"
)


def read_attention_mask(
    attention_mask: torch.Tensor | None, batch: int, seq_len: int, past_len: int, window: int | None
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Read padding and packing from a mask.

    Args:
        attention_mask: `[batch, past_len + seq_len]` of 0 for padding and 1, or 1, 2, … (numbers of packed sequences); or for
            pairs of tokens `[batch, 1, seq_len, past_len + seq_len]` (the second dimension may be missing or that of the
            heads), true, 1 or additive 0 where a token sees another.
        window: tokens that a token sees, for masks over pairs that have been limited to it.

    Returns:
        Real tokens `[batch, past_len + seq_len]`, nonzero or true, or None; and numbers of sequences `[batch, seq_len]`,
        or None where the mask has none.

    Raises:
        ValueError: a mask of another shape, or one that no recurrence can obey; the message says what to pass instead.
    """
    if attention_mask is None:
        return None, None
    if not isinstance(attention_mask, torch.Tensor):
        raise ValueError(f"attention_mask must be a tensor, got {type(attention_mask).__name__}. {_ADVICE}")
    if attention_mask.ndim in (3, 4):
        if is_exporting():
            raise ValueError(f"a mask of {attention_mask.ndim} dimensions cannot be exported. {_ADVICE}")
        return _read_pairs(attention_mask, batch, seq_len, past_len, window)
    traced = torch.compiler.is_compiling()
    if not traced and attention_mask.shape != (batch, past_len + seq_len):
        raise ValueError(
            f"attention_mask must have shape {(batch, past_len + seq_len)}: batch, and the {past_len} tokens in the cache plus "
            f"the {seq_len} new ones; got {tuple(attention_mask.shape)}"
        )
    if attention_mask.dtype == torch.bool or is_exporting():
        return attention_mask, None
    plain = ((attention_mask == 0) | (attention_mask == 1)).all()
    if traced:
        torch._assert_async(
            plain, "in a compiled graph attention_mask may only hold 0 and 1: pass position_ids or seq_idx"
        )
        return attention_mask, None
    return (attention_mask, None) if bool(plain) else _read_numbers(attention_mask, past_len)


def _read_numbers(mask: torch.Tensor, past_len: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A mask of 0 for padding and the number of its sequence for every other token."""
    if bool((mask < 0).any()) or bool((mask != mask.round()).any()):
        raise ValueError(
            f"attention_mask must hold 0, 1, 2, …, got values such as {mask[mask != mask.round().abs()][0]}"
        )
    real = mask != 0
    sequences = torch.zeros(mask.shape[0], dtype=torch.long, device=mask.device)
    for row in range(mask.shape[0]):
        numbers = mask[row, real[row]].unique_consecutive()
        sequences[row] = len(numbers)
        if len(numbers) != len(numbers.unique()):
            raise ValueError(
                f"attention_mask numbers packed sequences, but row {row} comes back to an earlier one: {numbers.tolist()}. "
                "The tokens of a sequence must follow one another"
            )
    if past_len > 0 and bool((sequences > 1).any()):
        raise ValueError(
            "attention_mask numbers packed sequences, which cannot continue from a cache: start with an empty one"
        )
    return real, mask.long() if past_len == 0 else None


@torch.compiler.disable
def _read_pairs(
    mask: torch.Tensor, batch: int, seq_len: int, past_len: int, window: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A mask over pairs of tokens: what it says of padding and packing, if that is all that it says."""
    total = past_len + seq_len
    pairs = mask[:, None] if mask.ndim == 3 else mask
    if pairs.shape[0] not in (1, batch) or pairs.shape[2:] != (seq_len, total):
        raise ValueError(
            f"attention_mask must have shape {(batch, 1, seq_len, total)}: batch, heads, the {seq_len} new tokens and all "
            f"{total} with those in the cache; got {tuple(mask.shape)}"
        )
    sees = _seen(pairs)
    if not bool((sees == sees[:, :1]).all()):
        raise ValueError(f"attention_mask differs from head to head. {_ADVICE}")
    sees = sees[:, 0].expand(batch, -1, -1)
    step = torch.arange(total, device=mask.device)
    # Padding sees nothing, or everything lest there be NaN: what comes after it, or at the end of a row other padding.
    ahead = (sees & (step > step[past_len:, None])).any(2)
    new = sees[:, :, past_len:].diagonal(dim1=1, dim2=2) & ~ahead
    new = new & ~(sees.all(2) & ~new.all(1, keepdim=True))
    real = torch.cat([(sees & new[..., None])[:, :, :past_len].any(1), new], 1)
    # A real token belongs to the sequence of the real token before it, or begins one.
    before = torch.where(real, step, -1).cummax(1).values
    before = torch.nn.functional.pad(before, (1, 0), value=-1)[:, past_len:-1]
    begins = new & (before >= 0) & ~sees.gather(2, before.clamp(min=0)[..., None])[..., 0]
    numbers = torch.nn.functional.pad(begins.cumsum(1), (past_len, 0))
    same = numbers[:, past_len:, None] == numbers[:, None]
    expected = real[:, None] & same & (step <= step[past_len:, None])
    fits = [expected]
    if window is not None:
        rank = real.cumsum(1)
        fits.append(expected & (rank[:, past_len:, None] - rank[:, None] < window))
    nothing_left = ~new.any(1) & sees.flatten(1).any(1)  # what sees everything in every row is no padding
    if bool(nothing_left.any()) or not any(bool(((sees == x) | ~new[..., None]).all()) for x in fits):
        raise ValueError(
            "attention_mask is neither causal nor block-diagonal (causal in blocks), with or without padding: other patterns "
            f"cannot be obeyed. {_ADVICE}"
        )
    if not bool(begins.any()):
        return real, None
    if past_len > 0:
        raise ValueError(
            "attention_mask holds packed sequences, which cannot continue from a cache: start with an empty one"
        )
    return real, numbers


def _seen(pairs: torch.Tensor) -> torch.Tensor:
    """Where a mask over pairs lets a token see another."""
    if pairs.dtype == torch.bool:
        return pairs
    if not pairs.is_floating_point():
        allowed, forbidden, form = pairs == 1, pairs == 0, "0 and 1"
    else:
        allowed, forbidden, form = (
            pairs == 0,
            pairs <= -1e4,
            "0 and the most negative number (they are added to the scores)",
        )
    if not bool((allowed | forbidden).all()):
        value = pairs[~(allowed | forbidden)][0].item()
        raise ValueError(
            f"attention_mask over pairs of tokens, of dtype {pairs.dtype}, must hold {form} only, got {value}. {_ADVICE}"
        )
    return allowed
