"""Caches of prompts that were read before, so that the next turn of a conversation reads its new tokens only."""

import copy
from collections import OrderedDict
from dataclasses import dataclass

import torch
from transformers import Cache, DynamicCache, PreTrainedModel

from ..modeling.cache_names import CACHE_NAME, CACHE_NAMES


@dataclass
class _Known:
    ids: torch.Tensor  # [length], the tokens that the cache has seen
    cache: Cache


class PromptStates:
    """Keeps the caches of the last token sequences, and finds the longest that a new prompt begins with.

    A recurrent state cannot be rewound: it serves a prompt that begins with *all* the tokens it has seen, and no other.
    So a state is kept from before each answer and from after it. A client that goes on from the answer finds the later,
    one that asks for another answer to the same prompt the earlier; one that edits a message finds what was kept of the
    turns before it, or nothing, and the rest is read. The result is the same in each case.

    Args:
        capacity: States to keep; those that were not used for longest go first. For Rodimus each takes the same memory
            whatever the length; a model with attention over everything keeps keys and values of each token.
    """

    def __init__(self, capacity: int = 16):
        if capacity < 0:
            raise ValueError(f"capacity must be 0 or more states, found {capacity}")
        self.capacity = capacity
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, ids: torch.Tensor) -> tuple[int, Cache | None]:
        """Find the longest kept sequence that `ids` begins with, and is longer than.

        Args:
            ids: `[length]`, the tokens of a prompt.

        Returns:
            How many tokens are known, and a copy of their cache (None if nothing is known).
        """
        ids, best = ids.cpu(), None
        for key, known in self._known.items():
            length = len(known.ids)
            longer = length < len(ids) and (best is None or length > len(self._known[best].ids))
            if longer and torch.equal(known.ids, ids[:length]):
                best = key
        if best is None:
            return 0, None
        self._known.move_to_end(best)
        return len(self._known[best].ids), copy.deepcopy(self._known[best].cache)

    def keep(self, ids: torch.Tensor, cache: Cache) -> None:
        """Keep the cache of a sequence that it has seen, `[length]` token ids; it must not be changed afterwards."""
        key = ids.cpu().numpy().tobytes()
        self._known[key] = _Known(ids.cpu().clone(), cache)
        self._known.move_to_end(key)
        while len(self._known) > self.capacity:
            self._known.popitem(last=False)


@torch.no_grad()
def generate_from_states(model: PreTrainedModel, states: PromptStates, input_ids: torch.Tensor, **kwargs):
    """Run `model.generate` for one prompt, beginning where a kept state ends; keeps the states of this one.

    Args:
        model: A causal language model.
        states: The states of this model.
        input_ids: `[1, length]`.
        kwargs: As for `generate`. What one running state cannot serve (several rows, beams, padding, a cache of the
            caller's) goes to `generate` as it is.

    Returns:
        What `generate` returns.
    """
    plain = type(model).generate
    if not states.capacity or not _is_one_sequence(input_ids, kwargs):
        return plain(model, input_ids=input_ids, **kwargs)
    before_last = input_ids.shape[1] - 1
    length, cache = states.find(input_ids[0])
    if cache is None:
        cache = DynamicCache(config=model.config)
    if length < before_last:
        model(input_ids=input_ids[:, length:before_last], **{CACHE_NAME: cache}, use_cache=True, logits_to_keep=1)
        states.keep(input_ids[0, :before_last], copy.deepcopy(cache))
    out = plain(model, input_ids=input_ids, **{CACHE_NAME: cache}, **kwargs)
    sequence = out if isinstance(out, torch.Tensor) else out.sequences
    states.keep(sequence[0, : cache.get_seq_length()], cache)
    return out


def _is_one_sequence(input_ids: torch.Tensor, kwargs: dict) -> bool:
    config, mask = kwargs.get("generation_config"), kwargs.get("attention_mask")
    if input_ids.shape[0] != 1 or input_ids.shape[1] < 2 or any(name in kwargs for name in CACHE_NAMES):
        return False
    if mask is not None and not bool(mask.bool().all()):
        return False
    settings = {name: getattr(config, name, None) for name in ("num_beams", "num_return_sequences")}
    settings |= {name: kwargs[name] for name in settings if name in kwargs}
    static = kwargs.get("cache_implementation") or getattr(config, "cache_implementation", None)
    return static is None and all(value in (None, 1) for value in settings.values())
