"""Batches of rows of uneven length: real tokens moved to the left, or packed into one row, and back again."""

import torch
import torch.nn.functional as F

from codefuse_hf.kernels.kernel_dispatch import is_exporting


class RaggedBatch:
    """A batch whose real tokens have been moved to the left, in order, and that is as wide as its longest row.

    Attributes:
        inputs: ids `[batch, width]` or embeddings `[batch, width, hidden]`.
        mask: bool `[batch, width]`, true at real tokens (a prefix of each row); `None` where every position is real.
        is_uneven: whether there is any padding.
        num_tokens: how many real tokens there are; 0 while a graph is exported, where nothing may depend on it.
    """

    def __init__(self, inputs: torch.Tensor, attention_mask: torch.Tensor | None):
        """`inputs` `[batch, seq_len, …]`; `attention_mask` `[batch, seq_len]`, nonzero at real tokens, or None."""
        self._seq_len = inputs.shape[1]
        self.num_tokens = inputs.shape[0] * inputs.shape[1]
        self._order: torch.Tensor | None = None
        self._places: torch.Tensor | None = None
        self.inputs = inputs
        self.mask: torch.Tensor | None = None
        if attention_mask is None and self._seq_len:
            self.is_uneven = False
            return
        if is_exporting():
            self._move_all(inputs, attention_mask.bool())
            return
        mask = inputs.new_zeros(inputs.shape[:2], dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        lengths = mask.sum(dim=-1)
        self.num_tokens = int(lengths.sum())
        shortest, longest = (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
        self.is_uneven = shortest < max(longest, 1)
        width = max(longest, 1)  # a batch of empty texts still has one (masked) position
        prefix = torch.arange(width, device=mask.device) < lengths.unsqueeze(-1)
        if self._seq_len < width:
            self.inputs = F.pad(inputs, (0, 0) * (inputs.dim() - 2) + (0, width - self._seq_len))
        elif shortest < self._seq_len:
            if not torch.equal(mask[:, :width], prefix):
                self._order = torch.argsort((~mask).byte(), dim=-1, stable=True)[:, :width]
                self.inputs = _take(inputs, self._order)
            else:
                self.inputs = inputs[:, :width]
        self.mask = prefix if self.is_uneven else None

    def _move_all(self, inputs: torch.Tensor, mask: torch.Tensor) -> None:
        """As for any padding, in full width: a graph serves all of it."""
        real = mask.sum(1, keepdim=True)
        steps = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
        self._places = torch.where(mask, mask.cumsum(1) - 1, real + (~mask).cumsum(1) - 1)
        self.inputs = _take(inputs, torch.zeros_like(self._places).scatter(1, self._places, steps))
        self.mask, self.is_uneven, self.num_tokens = steps < real, True, 0

    def pack(self, flash: bool) -> dict[str, torch.Tensor | int]:
        """Put the real tokens into one row `[1, total, …]` under `inputs`, with `position_ids` that restart at every text
        and, for variable-length (flash) attention, the boundaries that transformers' attention functions read."""
        lengths = self.mask.sum(dim=-1)
        lengths = lengths[lengths > 0]
        positions = torch.arange(self.mask.shape[1], device=self.mask.device).expand_as(self.mask)
        packed = {
            "inputs": self.inputs[self.mask].unsqueeze(0),
            "position_ids": positions[self.mask].unsqueeze(0),
        }
        if flash:
            boundaries = F.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
            longest = int(lengths.max())
            packed |= {"cu_seq_lens_q": boundaries, "cu_seq_lens_k": boundaries}
            packed |= {"max_length_q": longest, "max_length_k": longest}
        return packed

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """Turn `[1, total, hidden]` into `[batch, width, hidden]`, zero at padding."""
        rows = packed.new_zeros((*self.mask.shape, packed.shape[-1]))
        return rows.masked_scatter(self.mask.unsqueeze(-1), packed)

    def restore(self, states: torch.Tensor) -> torch.Tensor:
        """Turn `[batch, width, hidden]` into `[batch, seq_len, hidden]`: each vector back at its token's place in the input."""
        if self._places is not None:
            return _take(states * self.mask.unsqueeze(-1), self._places)
        width = states.shape[1]
        if self._order is not None:
            target = states.new_zeros((states.shape[0], self._seq_len, states.shape[2]))
            states = states if self.mask is None else states * self.mask.unsqueeze(-1)
            return target.scatter(1, self._order.unsqueeze(-1).expand(-1, -1, states.shape[2]), states)
        if width < self._seq_len:
            return F.pad(states, (0, 0, 0, self._seq_len - width))
        return states[:, : self._seq_len]


def _take(inputs: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    if inputs.dim() == 3:
        order = order.unsqueeze(-1).expand(-1, -1, inputs.shape[2])
    return inputs.gather(1, order)
