"""Padding and packing: what a batch of uneven sequences, or several sequences in one row, mean to a recurrent model.

A recurrence has no mask. Padding must not touch the state, and the short convolution and the sliding window must count
real tokens only, on whichever side the padding stands and whatever is in the cache already. So wherever tokens meet
their neighbours, each row is brought into *packed order*: all its padding first, then what the cache holds, then its new
tokens. In that order every row ends with its own sequence, without holes, and causal windows are right by themselves.
Left padding in front of an empty cache, the usual case, is in that order already.
"""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class Padding:
    """The padding of one forward pass.

    Attributes:
        mask: real tokens of the new segment, bool `[batch, seq_len]`, in the order of the input.
        full_mask: real tokens of cache and segment in packed order, bool `[batch, past_len + seq_len]`.
        in_order: the segment is in packed order as it stands; nothing needs to be moved.
        past_len: number of tokens (padding included) that the cache has seen.
    """

    mask: torch.Tensor
    full_mask: torch.Tensor
    in_order: bool
    past_len: int

    @classmethod
    def from_attention_mask(cls, attention_mask: torch.Tensor | None, seq_len: int) -> "Padding | None":
        """None if there is no padding at all. `attention_mask` is `[batch, past_len + seq_len]`, 1 for real tokens."""
        if attention_mask is None:
            return None
        full_mask = attention_mask.bool()
        if bool(full_mask.all()):
            return None
        total = full_mask.shape[1]
        past_len, mask = total - seq_len, full_mask[:, total - seq_len :]
        packed = torch.arange(total, device=mask.device) >= total - full_mask.sum(1, keepdim=True)
        if past_len > 0:
            in_order = bool(mask.all())
        else:
            in_order = bool((mask == packed).all())
        return cls(mask, packed, in_order, past_len)

    def position_ids(self) -> torch.Tensor:
        """Positions of the segment's tokens in their own sequences, `[batch, seq_len]`; 0 for padding before them."""
        real_before = self.full_mask.sum(1, keepdim=True) - self.mask.sum(1, keepdim=True)
        return (real_before + self.mask.cumsum(1) - 1).clamp(min=0)

    def order(self, past_len: int = 0) -> torch.Tensor:
        """Indices that bring `past_len` cached steps followed by the segment into packed order, `[batch, past_len + seq_len]`."""
        past = self.mask.new_ones(self.mask.shape[0], past_len)
        return torch.argsort(torch.cat([past, self.mask], 1).to(torch.uint8), dim=1, stable=True)

    def pack(self, x: torch.Tensor) -> torch.Tensor:
        """`[batch, seq_len, channels]` from the order of the input into packed order."""
        return x if self.in_order else take_steps(x, self.order())

    def unpack(self, x: torch.Tensor) -> torch.Tensor:
        """The inverse of `pack`."""
        return x if self.in_order else take_steps(x, torch.argsort(self.order(), dim=1))

    def pack_with_past(self, past: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cached steps and new steps, both `[batch, steps, channels]`, in packed order, cut again into the same lengths."""
        if self.in_order:
            return past, x
        packed = take_steps(torch.cat([past.to(x.dtype), x], 1), self.order(past.shape[1]))
        return packed[:, : past.shape[1]], packed[:, past.shape[1] :]


def take_steps(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Rows of `x` `[batch, steps, channels]` in the order `[batch, steps]`."""
    return x.gather(1, order[..., None].expand(-1, -1, x.shape[-1]))


def sequence_index(
    inputs_embeds: torch.Tensor, position_ids: torch.Tensor | None, has_mask_or_past: bool, kwargs: dict[str, Any]
) -> torch.Tensor | None:
    """Which of several sequences packed into a row each token belongs to, `[batch, seq_len]`, or None for one a row.

    Read from `seq_idx` or `cu_seq_lens_q` where given (`DataCollatorWithFlattening`), else from positions that start
    again, which transformers' own attention masks understand as packing under the same conditions.

    Raises:
        ValueError: `cu_seq_lens_q` that does not fit the input.
    """
    batch, seq_len = inputs_embeds.shape[:2]
    if (seq_idx := kwargs.get("seq_idx")) is not None:
        if seq_idx.shape != (batch, seq_len):
            raise ValueError(f"seq_idx must have shape {(batch, seq_len)}, got {tuple(seq_idx.shape)}")
        starts = torch.nn.functional.pad(seq_idx[:, 1:] != seq_idx[:, :-1], (1, 0))
    elif (cu_seq_lens := kwargs.get("cu_seq_lens_q")) is not None:
        if batch != 1 or int(cu_seq_lens[-1]) != seq_len:
            raise ValueError(
                f"cu_seq_lens_q ends at {int(cu_seq_lens[-1])}, but the input has shape {(batch, seq_len)}: packed sequences "
                "are one row, and their lengths add up to it"
            )
        starts = torch.zeros(1, seq_len, dtype=torch.bool, device=inputs_embeds.device)
        starts[:, cu_seq_lens[1:-1].long()] = True
    elif position_ids is not None and not has_mask_or_past:
        starts = torch.nn.functional.pad(position_ids[:, 1:] != position_ids[:, :-1] + 1, (1, 0)).expand(batch, -1)
    else:
        return None
    return starts.cumsum(1) if bool(starts.any()) else None


def positions_of_sequences(seq_idx: torch.Tensor) -> torch.Tensor:
    """Positions that start again with every packed sequence, `[batch, seq_len]`."""
    steps = torch.arange(seq_idx.shape[1], device=seq_idx.device).expand_as(seq_idx)
    starts = torch.nn.functional.pad(seq_idx[:, 1:] != seq_idx[:, :-1], (1, 0), value=True)
    return steps - torch.where(starts, steps, 0).cummax(1).values
