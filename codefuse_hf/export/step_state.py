"""What a Rodimus remembers between two calls, as tensors that go into a graph and come out of it."""

import torch
import torch.nn.functional as F
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache

# Tokens of a prompt that go through a graph at a time. The work inside of a segment grows with its square.
SEGMENT = 64
# Places that a window gets at a time, as long as it fills up.
_MORE = 256


class StepState(Cache):
    """The memory of a `RodimusForCausalLM`: of constant size, but for a window that fills up, to which `widened` adds places.

    A `Cache` only in name, for transformers' exporters know by it what they may keep inside of a graph.

    Attributes:
        position: real tokens seen so far, int64 `[batch]`.
        conv: per layer, the inputs of the short convolution at the last few of them (`history_length`), `[batch, history, d_inner]`.
        recurrent: per layer, the state of the recurrence, `[batch, mem_size, d_inner]`.
        keys, values: per layer of a Rodimus+, the window before the next token, `[batch, heads, places, head_dim]`. The first place
            never holds anything (padding is written there); token n is in place `1 + n % window_capacity`.
        window_positions: which token of its row each of the window's places holds, −1 for none, int64 `[batch, places]`.
    """

    def __init__(self, position, conv, recurrent, keys=(), values=(), window_positions=None):
        self.position = position
        self.conv = list(conv)
        self.recurrent = list(recurrent)
        self.keys = list(keys)
        self.values = list(values)
        self.window_positions = window_positions

    @classmethod
    def empty(cls, config: PreTrainedConfig, batch: int, window: int = 0) -> "StepState":
        """Make the state before the first token, with places for `window` tokens (a Rodimus has no window)."""
        layers = range(config.num_hidden_layers)
        window_positions, keys, values = None, (), ()
        if config.has_attention:
            keys = [torch.zeros(batch, config.num_key_heads, 1 + window, config.head_dim) for _ in layers]
            values = [torch.zeros(batch, config.num_value_heads, 1 + window, config.head_dim) for _ in layers]
            window_positions = torch.full((batch, 1 + window), -1)
        return cls(
            torch.zeros(batch, dtype=torch.long),
            [torch.zeros(batch, history_length(config), config.d_inner) for _ in layers],
            [torch.zeros(batch, config.mem_size, config.d_inner) for _ in layers],
            keys,
            values,
            window_positions,
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by their names in an exported graph, without the graph's prefix."""
        named = {"position": self.position}
        for name in ("conv", "recurrent", "keys", "values"):
            named |= {f"{name}.{i}": tensor for i, tensor in enumerate(getattr(self, name))}
        return named if self.window_positions is None else {**named, "window_positions": self.window_positions}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({ {name: tuple(x.shape) for name, x in self.tensors().items()} })"


def history_length(config: PreTrainedConfig) -> int:
    """Return how many inputs the short convolution remembers. With a single tap it needs none and remembers one, since graphs
    want no empty tensors."""
    return max(config.d_conv - 1, 1)


def window_capacity(config: PreTrainedConfig) -> int:
    """Return how many tokens the window holds before the next segment; 0 for a model without attention.

    A segment more than a token sees: what a segment writes then takes no place that one of its tokens reads, and an engine may write
    first, in place.

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
    return config.sliding_window - 1 + SEGMENT


def window_places(config: PreTrainedConfig, tokens: int) -> int:
    """Return how many places the windows of a text of so many tokens have: enough for these, and the first, which is never read."""
    return 1 + min(window_capacity(config), -(-tokens // _MORE) * _MORE)


def is_window(name: str) -> bool:
    """Tell whether the tensor of this name is a window, or says which token is in each of its places."""
    return window_axis(name) is not None


def window_axis(name: str) -> int | None:
    """Return along which axis the tensor of this name, in whichever graph, has the places of a window; None if along none."""
    part = name.rpartition("past_key_values.")[2].partition(".")[0]
    return {"keys": 2, "values": 2, "window_positions": 1}.get(part)


def widened(name: str, tensor: torch.Tensor, places: int) -> torch.Tensor:
    """Return a window with so many places. Those that come new hold nothing."""
    axis = window_axis(name)
    more = (0, 0) * (tensor.dim() - 1 - axis) + (0, places - tensor.shape[axis])
    return F.pad(tensor, more, value=-1 if axis == 1 else 0)
