"""What a Rodimus remembers between two calls, as tensors that go into a graph and come out of it."""

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache


class StepState(Cache):
    """The memory of a `RodimusForCausalLM`: of constant size, but for a window that fills up.

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
        if config.has_attention and not window_grows(config):
            window = window_capacity(config)
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


def window_grows(config: PreTrainedConfig) -> bool:
    """Tell whether a window gets its places with the tokens. The smallest have all of them from the start: a graph that is traced
    with hardly any growth would be one without."""
    return window_capacity(config) > 3


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
