"""Virtual tokens: what PEFT's prompt tuning and p-tuning put in front of every text while `generate` runs.

`generate` does not know of them: it counts the tokens of the text alone. While it runs, PEFT's model stands in for the base
model's `prepare_inputs_for_generation`, which is how they are found.
"""

from typing import Any

from torch import nn
from transformers.cache_utils import Cache

from .cache_rodimus import has_past


def virtual_tokens(model: nn.Module) -> int:
    """Count the tokens that PEFT puts in front of every text that this model generates from; 0 without prompt tuning."""
    wrapper = getattr(vars(model).get("prepare_inputs_for_generation"), "__self__", None)
    return getattr(getattr(wrapper, "active_peft_config", None), "num_virtual_tokens", None) or 0


def check_virtual_tokens(generation_config: Any, past_key_values: Cache | None) -> None:
    """Raise `ValueError` for what `generate` counts wrongly where there are virtual tokens (with every model)."""
    if past_key_values is not None and has_past(past_key_values):
        raise ValueError(
            "past_key_values has seen virtual tokens (prompt tuning) that generate does not count, so it would drop as many of the "
            "new text: pass the whole text without a cache"
        )
    if generation_config.prefill_chunk_size is not None:
        raise ValueError("prefill_chunk_size cannot be used with virtual tokens (prompt tuning): leave it out")
