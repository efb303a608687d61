"""Padding and packing: what a batch of uneven sequences, or several sequences in one row, mean to a recurrent model.

A recurrence has no mask. Padding must not touch the state, and the short convolution and the sliding window must count
real tokens only, on whichever side the padding stands and whatever is in the cache already. So wherever tokens meet
their neighbours, each row is brought into *packed order*: all its padding first, then what the cache holds, then its new
tokens. In that order every row ends with its own sequence, without holes, and causal windows are right by themselves.
Left padding in front of an empty cache, the usual case, is in that order already.

While a graph is traced, for a compiler or an exporter, nothing can depend on the values of a mask: then every mask is
taken to hold padding anywhere.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional as F

from codefuse_hf.kernels.kernel_dispatch import is_exporting


@dataclass
class Padding:
    """The padding of one forward pass.

    Attributes:
        mask: real tokens of the new segment, bool `[batch, seq_len]`, in the order of the input.
        full_mask: real tokens of cache and segment in packed order, bool `[batch, past_len + seq_len]`.
        input_mask: the same in the order of the input.
        in_order: the segment is in packed order as it stands; nothing needs to be moved.
        all_in_order: so are cache and segment together.
        past_len: number of tokens (padding included) that the cache has seen.
    """

    mask: torch.Tensor
    full_mask: torch.Tensor
    input_mask: torch.Tensor
    in_order: bool
    all_in_order: bool
    past_len: int

    @classmethod
    def from_attention_mask(cls, attention_mask: torch.Tensor | None, seq_len: int) -> "Padding | None":
        """Return None if there is no padding at all. `attention_mask` is `[batch, past_len + seq_len]`, 1 for real tokens."""
        if attention_mask is None:
            return None
        full_mask, traced = attention_mask.bool(), torch.compiler.is_compiling()
        if not traced and bool(full_mask.all()):
            return None
        total = full_mask.shape[1]
        past_len, mask = total - seq_len, full_mask[:, total - seq_len :]
        packed = torch.arange(total, device=mask.device) >= total - full_mask.sum(1, keepdim=True)
        all_in_order = not traced and bool((full_mask == packed).all())
        in_order = all_in_order if traced or past_len == 0 else bool(mask.all())
        return cls(mask, packed, full_mask, in_order, all_in_order, past_len)

    def position_ids(self) -> torch.Tensor:
        """Return the positions of the segment's tokens in their own sequences, `[batch, seq_len]`; 0 for padding before them."""
        real_before = self.full_mask.sum(1, keepdim=True) - self.mask.sum(1, keepdim=True)
        return (real_before + self.mask.cumsum(1) - 1).clamp(min=0)

    def piece(self, steps: slice) -> "Padding":
        """Return the padding of some steps of the segment, for operators that need no more than `mask`; `in_order` only."""
        return replace(self, mask=self.mask[:, steps])

    def pack(self, x: torch.Tensor) -> torch.Tensor:
        """Bring `[batch, seq_len, channels]` from the order of the input into packed order."""
        return x if self.in_order else take_steps(x, _order(packed_places(self.mask)))

    def unpack(self, x: torch.Tensor) -> torch.Tensor:
        """Undo `pack`."""
        return x if self.in_order else take_steps(x, packed_places(self.mask))

    def pack_with_past(self, past: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring cached steps and new steps, both `[batch, steps, channels]`, into packed order, cut again into the same lengths."""
        if self.in_order:
            return past, x
        steps = past.shape[1]
        cached = self.mask.new_ones(self.mask.shape[0], steps)
        order = _order(packed_places(torch.cat([cached, self.mask], 1)))
        packed = take_steps(torch.cat([past.to(x.dtype), x], 1), order)
        return packed[:, :steps], packed[:, steps:]

    def weights_in_input_order(self, weights: torch.Tensor) -> torch.Tensor:
        """Return attention weights `[batch, heads, seq_len, keys]`, whose last `keys` are packed, for the tokens as they were given.

        Returns them for all tokens of cache and segment, `[batch, heads, seq_len, past_len + seq_len]`: those that a sliding
        window has dropped, with weight 0, may lie anywhere among those that it keeps.
        """
        if not self.in_order:
            rows = packed_places(self.mask)[:, None, :, None]
            weights = weights.gather(2, rows.expand(-1, weights.shape[1], -1, weights.shape[3]))
        total = self.input_mask.shape[1]
        weights = F.pad(weights, (total - weights.shape[3], 0))
        columns = packed_places(self.input_mask)[:, None, None]
        return weights.gather(3, columns.expand(-1, weights.shape[1], weights.shape[2], -1))


def packed_places(mask: torch.Tensor) -> torch.Tensor:
    """Tell where each step stands in packed order, `[batch, steps]`: padding first, then the steps of `mask`, both in turn."""
    padding = ~mask
    return torch.where(mask, padding.sum(1, keepdim=True) + mask.cumsum(1), padding.cumsum(1)) - 1


def _order(places: torch.Tensor) -> torch.Tensor:
    """The inverse of a permutation of each row."""
    steps = torch.arange(places.shape[1], device=places.device).expand_as(places)
    return torch.zeros_like(places).scatter(1, places, steps)


def take_steps(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Take rows of `x` `[batch, steps, channels]` in the order `[batch, steps]`."""
    return x.gather(1, order[..., None].expand(-1, -1, x.shape[-1]))


@dataclass
class Packing:
    """Several sequences in each row.

    Attributes:
        numbers: which sequence each token belongs to, `[batch, seq_len]`, 0, 1, … along a row; padding counts to the
            sequence before it.
        packed: the same in packed order; what stands first there, padding, counts to sequence 0.
    """

    numbers: torch.Tensor
    packed: torch.Tensor

    @classmethod
    def find(
        cls,
        inputs_embeds: torch.Tensor,
        numbers: torch.Tensor | None,
        position_ids: torch.Tensor | None,
        padding: Padding | None,
        has_past: bool,
        kwargs: dict[str, Any],
    ) -> "Packing | None":
        """Find the sequences in each row; None for one sequence a row.

        Read from `numbers` (of a mask), `seq_idx` or `cu_seq_lens_q` where given (`DataCollatorWithFlattening`), else from
        positions that start again, which transformers' own attention masks understand as packing under the same
        conditions: no padding and no cache. An exported graph does not look at positions.

        Raises:
            ValueError: `seq_idx` or `cu_seq_lens_q` that do not fit the input; packing behind a filled cache.
        """
        batch, seq_len = inputs_embeds.shape[:2]
        if isinstance(seq_len, int) and seq_len == 1:
            return None
        traced = torch.compiler.is_compiling()
        if numbers is None:
            numbers = _stated_numbers(batch, seq_len, kwargs)
        if numbers is None and position_ids is not None and not has_past and (padding is None or traced):
            if is_exporting():
                return None
            restarts = F.pad(position_ids[:, 1:] != position_ids[:, :-1] + 1, (1, 0)).expand(batch, -1)
            if padding is not None:
                restarts = restarts & padding.mask.all()
            numbers = restarts.cumsum(1)
        if numbers is None:
            return None
        if padding is not None:
            numbers = padding.pack(numbers[..., None])[..., 0]
        starts = numbers[:, 1:] != numbers[:, :-1]
        if padding is not None:
            starts = starts & padding.full_mask[:, -seq_len:][:, :-1]
        if not traced and not bool(starts.any()):
            return None
        if has_past:
            raise ValueError("packed sequences cannot continue from a cache: start with an empty one")
        packed = F.pad(starts, (1, 0)).cumsum(1)
        if padding is None or padding.in_order:
            return cls(packed, packed)
        numbers = torch.where(padding.mask, padding.unpack(packed[..., None])[..., 0], 0).cummax(1).values
        return cls(numbers, packed)

    def position_ids(self) -> torch.Tensor:
        """Return the positions that start again with every sequence, `[batch, seq_len]`; padding counts."""
        steps = torch.arange(self.numbers.shape[1], device=self.numbers.device).expand_as(self.numbers)
        starts = F.pad(self.numbers[:, 1:] != self.numbers[:, :-1], (1, 0), value=True)
        return steps - torch.where(starts, steps, 0).cummax(1).values


def _stated_numbers(batch: int, seq_len: int, kwargs: dict[str, Any]) -> torch.Tensor | None:
    if (seq_idx := kwargs.get("seq_idx")) is not None:
        if seq_idx.shape != (batch, seq_len):
            raise ValueError(f"seq_idx must have shape {(batch, seq_len)}, got {tuple(seq_idx.shape)}")
        return seq_idx
    if (cu_seq_lens := kwargs.get("cu_seq_lens_q")) is None:
        return None
    if batch != 1 or (not torch.compiler.is_compiling() and int(cu_seq_lens[-1]) != seq_len):
        raise ValueError(
            f"cu_seq_lens_q ends at {int(cu_seq_lens[-1])}, but the input has shape {(batch, seq_len)}: packed sequences "
            "are one row, and their lengths add up to it"
        )
    steps = torch.arange(seq_len, device=cu_seq_lens.device)
    return (steps[:, None] >= cu_seq_lens[1:-1]).sum(1)[None]
