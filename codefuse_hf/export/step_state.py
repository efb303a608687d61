"""What a Rodimus remembers between two calls and a graph gives out anew, as tensors that go into it and come out of it."""

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache

# Tokens of a prompt that go through a graph at a time. The work inside of a segment grows with its square.
SEGMENT = 64


class StepState(Cache):
    """The memory of a `RodimusForCausalLM` but for windows (`Windows`): of constant size.

    A `Cache` only in name, for transformers' exporters know by it what they may keep inside of a graph.

    Attributes:
        conv: per layer, the inputs of the short convolution at the last few tokens (`history_length`), `[batch, history, d_inner]`.
        recurrent: per layer, the state of the recurrence, `[batch, mem_size, d_inner]`.
    """

    def __init__(self, conv, recurrent):
        self.conv = list(conv)
        self.recurrent = list(recurrent)

    @classmethod
    def empty(cls, config: PreTrainedConfig, batch: int) -> "StepState":
        """Make the state before the first token."""
        layers = range(config.num_hidden_layers)
        return cls(
            [torch.zeros(batch, history_length(config), config.d_inner) for _ in layers],
            [torch.zeros(batch, config.mem_size, config.d_inner) for _ in layers],
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by their names in an exported graph, without the graph's prefix."""
        return {f"{name}.{i}": tensor for name in ("conv", "recurrent") for i, tensor in enumerate(getattr(self, name))}

    def with_tensors(self, tensors) -> "StepState":
        """Make a state of other tensors, in the order of `tensors`."""
        tensors = list(tensors)
        return StepState(tensors[: len(self.conv)], tensors[len(self.conv) :])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({ {name: tuple(x.shape) for name, x in self.tensors().items()} })"


def history_length(config: PreTrainedConfig) -> int:
    """Return how many inputs the short convolution remembers. With a single tap it needs none and remembers one, since graphs
    want no empty tensors."""
    return max(config.d_conv - 1, 1)
