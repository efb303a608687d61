"""What Rodimus adds to transformers' caches: layers on which every operation is exact.

`DynamicCache(config=…)` and `StaticCache(config=…)` hold everything that the model remembers: per layer the last inputs
of the short convolution, the recurrent state (float32) and, for `rodimus_plus`, the sliding window of keys and values.
"""

from typing import Any

import torch
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionAndStaticFullAttentionLayer,
    LinearAttentionAndStaticSlidingWindowAttentionLayer,
    LinearAttentionLayer,
    StaticLayer,
)


class StateOperations:
    """What can be done to a cache layer with a recurrent state, beside transformers' own reordering."""

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row `repeats` times."""
        self._each_tensor(lambda x: x.repeat_interleave(repeats, 0))

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows `indices`, or those where a mask is true."""
        self._each_tensor(lambda x: x[indices.to(x.device) if isinstance(indices, torch.Tensor) else indices])

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Put rows in the order `beam_idx`, as beam search does."""
        self._each_tensor(lambda x: x.index_select(0, beam_idx.to(x.device)))

    def offload(self) -> None:
        """Move all that the layer holds to the CPU."""
        self._each_tensor(lambda x: x.to("cpu", non_blocking=True))

    def prefetch(self) -> None:
        """Move all that the layer holds back to its device."""
        if self.device is not None:
            self._each_tensor(lambda x: x.to(self.device, non_blocking=True))

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last tokens, of which only 0 can be removed.

        Raises:
            ValueError: any other number, since a recurrent state cannot be rolled back.
        """
        if tokens_to_remove != 0:
            raise ValueError(
                "a recurrent state cannot be cropped: what it has read cannot be taken out of it. Keep a copy of the cache, "
                "copy.deepcopy(past_key_values), from before the tokens that may have to go"
            )

    def activate_past_recording(self) -> None:
        """Raise `ValueError`: only convolutions could be rolled back, not the recurrence behind them."""
        raise ValueError("a recurrent state keeps no past to return to; keep copies of the cache instead")

    def _each_tensor(self, function) -> None:
        for states in (self.conv_states, self.recurrent_states):
            states.update({i: function(x) for i, x in states.items() if x is not None})
        if self.keys is not None:
            self.keys, self.values, self.room = function(self.keys), function(self.values), None
            if hasattr(self, "batch_size"):
                self.batch_size = self.keys.shape[0]


class RecurrentLayer(StateOperations, LinearAttentionLayer, CacheLayerMixin):
    """A linear-attention cache layer that also counts the tokens it has seen.

    `generate` asks a cache for its length, which transformers' linear-attention layer does not know; in a model with
    attention layers those answer instead. The count is a tensor, so that compiled decoding is not compiled anew for
    every length.
    """

    supports_early_init = False
    is_croppable = False

    def __init__(self, number_of_states: int = 1, **kwargs):
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)
        self.keys = self.values = None
        self.is_initialized = False
        self.cumulative_length = torch.tensor(0, dtype=torch.long)

    def advance(self, tokens: int, device: torch.device) -> None:
        """Count `tokens` more."""
        if self.cumulative_length.device != device:
            self.cumulative_length = self.cumulative_length.to(device)
            if not torch.compiler.is_compiling():
                torch._dynamo.mark_static_address(self.cumulative_length)
        self.cumulative_length.add_(tokens)

    def get_seq_length(self) -> int:
        """Count the tokens that the layer has seen, padding included."""
        return _length(self.cumulative_length)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the length that a mask covers, all tokens so far and those to come, and where it begins: 0."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """Return the longest text that fits: -1, which means any."""
        return -1

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Raise `ValueError`: a recurrent layer keeps no keys and values."""
        raise ValueError("a recurrent layer keeps no keys and values; use update_conv_state and update_recurrent_state")

    def reset(self) -> None:
        """Forget all tokens, and that there were any."""
        LinearAttentionLayer.reset(self)
        self.cumulative_length.zero_()


class SlidingLayer(StateOperations, LinearAttentionAndSlidingWindowAttentionLayer):
    """Recurrent state and sliding window of one layer, in a dynamic cache."""

    is_croppable = False
    room = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a segment's keys and values, and return those that it sees: the window's, then its own, `[batch, heads, tokens,
        head_dim]`. A single token is written behind the others where they lie, without a copy of the window."""
        traced = torch.is_grad_enabled() or torch.compiler.is_compiling()
        if traced or key_states.shape[2] != 1 or not self.is_initialized or key_states.dtype != self.keys.dtype:
            self.room = None
            return super().update(key_states, value_states, *args, **kwargs)
        if self.room is None or not self.room.takes(self.keys):
            self.room = _Room(self.keys, self.values, max(self.sliding_window // 8, 1))
        keys, values = self.room.append(key_states, value_states)
        self.cumulative_length += 1
        left = max(keys.shape[2] - self.sliding_window + 1, 0)
        self.keys, self.values = (x[:, :, left:] if left else x for x in (keys, values))
        self.room.latest = self.keys
        return keys, values

    def reset(self) -> None:
        """Forget all tokens."""
        # Dropped, not zeroed as in older versions of transformers: zeros would count as tokens that were seen.
        self.keys = self.values = self.room = None
        self.is_initialized = False
        super().reset()


class _Room:
    """Memory with a window in front and free places behind it, so that a token costs a write and not another window.

    What was handed out is never written to again: where the places are used up, a new room is made.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, places: int):
        self.stop, self.start, self.latest = keys.shape[2], 0, keys
        self.tensors = [torch.cat([x, x.new_empty(*x.shape[:2], places, x.shape[3])], 2) for x in (keys, values)]

    def takes(self, keys: torch.Tensor) -> bool:
        """Whether these are the keys that it holds, with a place behind them that may be written."""
        writable = torch.is_inference_mode_enabled() or not self.tensors[0].is_inference()
        return keys is self.latest and self.stop < self.tensors[0].shape[2] and writable

    def append(self, *states: torch.Tensor) -> list[torch.Tensor]:
        """Keys and values with those of a further token; the first of them leave with the next one, if `latest` is shorter."""
        self.start = self.stop - self.latest.shape[2]
        for tensor, state in zip(self.tensors, states, strict=True):
            tensor.narrow(2, self.stop, 1).copy_(state)
        self.stop += 1
        return [tensor.narrow(2, self.start, self.stop - self.start) for tensor in self.tensors]


class FullLayer(StateOperations, LinearAttentionAndFullAttentionLayer):
    """Recurrent state and all keys and values of one layer, in a dynamic cache."""

    is_croppable = False

    def reset(self) -> None:
        """Forget all tokens."""
        # Dropped, not zeroed as in older versions of transformers: zeros would count as tokens that were seen.
        self.keys = self.values = None
        self.is_initialized = False
        super().reset()


class WindowLayer(StateOperations, LinearAttentionAndStaticSlidingWindowAttentionLayer):
    """Recurrent state and a window of constant size of one layer, in a static cache.

    The newest token is always the window's last, so nothing depends on how many there have been: a compiled step serves
    all of them. (transformers' layer fills from the left and counts with Python's integers, which a compiler guards.)
    """

    is_croppable = False

    def __init__(self, max_cache_len: int, sliding_window: int, number_of_states: int = 1, **kwargs):
        super().__init__(max_cache_len, sliding_window, number_of_states)
        self.started = False

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a segment's keys and values, and return those that it sees: the window's other tokens, then its own; its own
        alone if it is the first."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.started:
            key_states = torch.cat([self.keys[:, :, 1:], key_states], 2)
            value_states = torch.cat([self.values[:, :, 1:], value_states], 2)
        steps = key_states.shape[2]
        self.cumulative_length.add_(steps - self.past)
        for buffer, x in ((self.keys, key_states), (self.values, value_states)):
            if not self.started:
                x = torch.nn.functional.pad(x, (0, 0, self.max_cache_len, 0))
            buffer.copy_(x[:, :, -self.max_cache_len :])
        self.started = True
        return key_states, value_states

    @property
    def past(self) -> int:
        """Keys that `update` returns in front of those of the segment."""
        return self.max_cache_len - 1 if self.started else 0

    def get_seq_length(self) -> int:
        """Count the tokens that the layer has seen, padding included."""
        return _length(self.cumulative_length) if self.is_initialized else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the length of what `update` returns, and the position in the text of its first token, which is negative where
        places in the window are still free."""
        return self.past + query_length, self.get_seq_length() - self.past

    def reset(self) -> None:
        """Forget all tokens."""
        super().reset()
        self.started = False


class WindowView:
    """A cache as transformers' mask functions ask for it, seen from the first slot of a `WindowLayer`."""

    is_compileable = True

    def __init__(self, past: int):
        self.past = past

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return how many places of the window lie before the segment."""
        return self.past

    get_query_offset = get_seq_length

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Return the length that a mask covers, window and segment, and where it begins: 0."""
        return self.past + query_length, 0


def adopt_cache(cache: Cache, config: Any) -> Cache:
    """Give a cache that transformers made the layers of this file, which can do all that a cache layer should.

    Raises:
        ValueError: a cache that cannot hold this model's states.
    """
    _check_cache(cache, config)
    for i, layer in enumerate(cache.layers):
        make = _ADOPTED.get(type(layer))
        if make is not None:
            cache.layers[i] = make(layer, config.sliding_window)
            if any(layer.has_previous_state.values()):
                raise ValueError("past_key_values was filled by another model: make a new one for this model")
    return cache


def _window_layer(layer: StaticLayer, window: int | None) -> WindowLayer:
    size = layer.max_cache_len if window is None else min(layer.max_cache_len, window)
    return WindowLayer(size, size, layer.number_of_states)


_ADOPTED = {
    LinearAttentionLayer: lambda layer, window: RecurrentLayer(layer.number_of_states),
    LinearAttentionAndFullAttentionLayer: lambda layer, window: FullLayer(layer.number_of_states),
    LinearAttentionAndSlidingWindowAttentionLayer: lambda layer, window: SlidingLayer(window, layer.number_of_states),
    LinearAttentionAndStaticFullAttentionLayer: _window_layer,
    LinearAttentionAndStaticSlidingWindowAttentionLayer: _window_layer,
}


def _check_cache(cache: Any, config: Any) -> None:
    if not isinstance(cache, Cache):
        raise ValueError(f"past_key_values must be a transformers Cache, got {type(cache).__name__}")
    layers = cache.layers
    if len(layers) != config.num_hidden_layers or not all(isinstance(x, LinearAttentionLayer) for x in layers):
        raise ValueError(
            f"past_key_values has layers {[type(x).__name__ for x in layers[:3]]}…, which cannot hold the recurrent states of "
            f"{config.num_hidden_layers} Rodimus layers: make it with DynamicCache(config=model.config) or "
            "StaticCache(config=model.config, max_cache_len=…)"
        )
    for layer in layers:
        if getattr(layer, "keys", None) is not None and not layer.is_recurrent_states_initialized[0]:
            raise ValueError(
                "past_key_values holds keys and values without recurrent states, as after going through tuples: pass the "
                "cache itself on, or copy it with copy.deepcopy"
            )


def check_capacity(cache: Cache, config: Any, seq_len: int) -> None:
    """Raise `ValueError` where a static cache is too short for the window and full: it would forget too early."""
    layer = cache.layers[0]
    if not isinstance(layer, WindowLayer) or layer.max_cache_len == config.sliding_window:
        return
    if layer.get_seq_length() + seq_len > layer.max_cache_len:
        raise ValueError(
            f"the static cache holds {layer.max_cache_len} tokens, of which {layer.get_seq_length()} are taken, and {seq_len} "
            "more came: make it with a larger max_cache_len"
        )


def has_past(cache: Cache | None) -> bool:
    """Tell whether a cache has seen anything."""
    return cache is not None and cache.layers[0].has_previous_state[0]


def past_length(cache: Cache | None) -> int:
    """Count the tokens that a cache has seen, padding included."""
    return cache.get_seq_length() if has_past(cache) else 0


def _length(count: torch.Tensor) -> int | torch.Tensor:
    """A count as a number; in a traced graph, where its value is not known, as it is."""
    return count if torch.compiler.is_compiling() else int(count)
