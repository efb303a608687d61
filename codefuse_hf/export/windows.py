"""The windows of an exported Rodimus+: the keys and values that its next token looks back at.

A graph reads them and gives out those of its own tokens, which are then put in their places here. A graph that gave out whole
windows would copy them for every token, for they are far larger than what a token adds.
"""

import torch
import torch.nn.functional as F
from transformers import PreTrainedConfig

# Places that windows get at a time, as long as a text has not filled them.
_MORE = 256


class Windows:
    """Keys and values of the last tokens of each text of a batch, and room for more.

    Args:
        config: of a Rodimus+.
        batch: how many texts there are.
        places: how many tokens there is room for; by default for the first few, and `make_room` makes more.

    Attributes:
        keys, values: per layer, `[batch, heads, places, head_dim]`; token n is in place `n % window_capacity`.
        positions: which token of its text each place holds, −1 for none, int64 `[batch, places]`.
    """

    def __init__(self, config: PreTrainedConfig, batch: int, places: int | None = None):
        self.capacity = window_capacity(config)
        places = min(_MORE, self.capacity) if places is None else places
        layers, dim = range(config.num_hidden_layers), config.head_dim
        self.keys = [torch.zeros(batch, config.num_key_heads, places, dim) for _ in layers]
        self.values = [torch.zeros(batch, config.num_value_heads, places, dim) for _ in layers]
        self.positions = torch.full((batch, places), -1)

    def make_room(self, tokens: int) -> None:
        """Make places for texts of so many tokens, as far as a window holds them."""
        places = min(self.capacity, -(-tokens // _MORE) * _MORE)
        more = places - self.positions.shape[1]
        if more > 0:
            self.positions = F.pad(self.positions, (0, more), value=-1)
            for tensors in (self.keys, self.values):
                for i, x in enumerate(tensors):  # one after another, so that only one of them exists twice
                    tensors[i] = F.pad(x, (0, 0, 0, more))

    def write(self, positions: torch.Tensor, keys: list[torch.Tensor], values: list[torch.Tensor]) -> None:
        """Put a segment's keys and values in their places, in those of the tokens that are no longer seen.

        Args:
            positions: which token of its text each of the segment is, −1 for padding: int64 `[batch, segment]`.
            keys, values: per layer, `[batch, heads, segment, head_dim]`.
        """
        last = positions.max(1, keepdim=True).values
        rows, steps = ((positions >= 0) & (positions > last - self.capacity)).nonzero(as_tuple=True)
        numbers = positions[rows, steps]
        places = numbers % self.capacity
        self.positions[rows, places] = numbers
        # NumPy takes half of PyTorch's time for so little.
        rows, steps, places = rows.numpy(), steps.numpy(), places.numpy()
        for mine, new in zip((*self.keys, *self.values), (*keys, *values), strict=True):
            mine.numpy()[rows, :, places] = new.numpy()[rows, :, steps]

    def reorder(self, rows: torch.Tensor) -> None:
        """Choose rows of the batch; rows may repeat."""
        self.positions = self.positions[rows]
        self.keys, self.values = ([x[rows] for x in tensors] for tensors in (self.keys, self.values))

    def arguments(self) -> dict:
        """Return what a graph reads."""
        return {"keys": self.keys, "values": self.values, "positions": self.positions}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what a graph reads, by its names there."""
        named = {f"windows.{name}.{i}": x for name in ("keys", "values") for i, x in enumerate(getattr(self, name))}
        return named | {"windows.positions": self.positions}

    def nbytes(self) -> int:
        """Count the bytes of all windows."""
        return sum(x.nbytes for x in self.tensors().values())


def window_capacity(config: PreTrainedConfig) -> int:
    """Return how many tokens the window holds before the next one; 0 for a model without attention.

    Raises:
        ValueError: attention to all tokens, whose memory grows without bound.
    """
    if not config.has_attention:
        return 0
    if config.sliding_window is None:
        raise ValueError(
            "a Rodimus+ whose attention has no window (attn_cfg window_size null) remembers every token: its memory is not of "
            "constant size, so it is not exported. Set a window_size, as the published models have, or run it in PyTorch"
        )
    return max(config.sliding_window - 1, 1)
