"""What Rodimus adds to transformers' caches: the length of a purely recurrent one, and saving a state to a file.

`DynamicCache(config=…)` and `StaticCache(config=…)` hold everything that the model remembers: per layer the last inputs
of the short convolution, the recurrent state (float32) and, for `rodimus_plus`, the sliding window of keys and values.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, LinearAttentionLayer

STATE_FORMAT = "codefuse-hf rodimus generation state, version 1"


class RecurrentLayer(LinearAttentionLayer, CacheLayerMixin):
    """A linear-attention cache layer that also counts the tokens it has seen.

    `generate` asks a cache for its length, which transformers' linear-attention layer does not know; in a model with
    attention layers those answer instead. The count is a tensor, so that compiled decoding is not compiled anew for
    every length.
    """

    supports_early_init = False

    def __init__(self, number_of_states: int = 1, **kwargs):
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)
        self.keys = self.values = None
        self.is_initialized = False
        self.cumulative_length = torch.tensor(0, dtype=torch.long)

    @classmethod
    def upgrade(cls, layer: LinearAttentionLayer) -> "RecurrentLayer":
        """The same layer, with its states, able to count."""
        counting = cls(number_of_states=layer.number_of_states)
        counting.__dict__.update(layer.__dict__)
        return counting

    def advance(self, tokens: int, device: torch.device) -> None:
        """Count `tokens` more."""
        if self.cumulative_length.device != device:
            self.cumulative_length = self.cumulative_length.to(device)
            if not torch.compiler.is_compiling():
                torch._dynamo.mark_static_address(self.cumulative_length)
        self.cumulative_length.add_(tokens)

    def get_seq_length(self) -> int:
        return int(self.cumulative_length)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        raise ValueError("a recurrent layer keeps no keys and values; use update_conv_state and update_recurrent_state")

    def reset(self) -> None:
        LinearAttentionLayer.reset(self)
        self.cumulative_length.zero_()


def count_tokens(cache: Cache, config: Any) -> Cache:
    """Let the first layer of a purely recurrent cache count tokens; other caches are returned as they are."""
    layers = cache.layers
    if not config.has_attention and layers and not isinstance(layers[0], CacheLayerMixin):
        layers[0] = RecurrentLayer.upgrade(layers[0])
    return cache


def check_cache(cache: Any, config: Any) -> None:
    """Raises `ValueError` for a cache that cannot hold this model's states."""
    if not isinstance(cache, Cache):
        raise ValueError(f"past_key_values must be a transformers Cache, got {type(cache).__name__}")
    layers = cache.layers
    if len(layers) != config.num_hidden_layers or not all(isinstance(x, LinearAttentionLayer) for x in layers):
        raise ValueError(
            f"past_key_values has layers {[type(x).__name__ for x in layers[:3]]}…, which cannot hold the recurrent states of "
            f"{config.num_hidden_layers} Rodimus layers: make it with DynamicCache(config=model.config) or "
            "StaticCache(config=model.config, max_cache_len=…)"
        )


def past_length(cache: Cache | None) -> int:
    """Tokens that a cache has seen, padding included."""
    if cache is None or not isinstance(cache.layers[0], CacheLayerMixin):
        return 0
    return cache.get_seq_length()


class GenerationStateMixin:
    """Saving and resuming the state of a prompt, for a model with `config`, `named_parameters` and `device`."""

    def save_generation_state(
        self,
        path: str | os.PathLike,
        past_key_values: Cache,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> None:
        """Write what the model remembers of a prompt to one safetensors file, atomically.

        Args:
            path: the file.
            past_key_values: a `DynamicCache` that has seen the prompt.
            input_ids, attention_mask: the whole text so far, `[batch, length]`; stored so that
                `model.generate(**model.load_generation_state(path))` goes on by itself.

        Raises:
            ValueError: an empty cache, or one of another model or of another kind.
            OSError: the file cannot be written.
        """
        check_cache(past_key_values, self.config)
        if not isinstance(past_key_values, DynamicCache):
            raise ValueError(f"only a DynamicCache can be saved, got {type(past_key_values).__name__}")
        tensors = {"length": torch.tensor(past_length(past_key_values))}
        for i, layer in enumerate(past_key_values.layers):
            if not layer.has_previous_state[0]:
                raise ValueError("past_key_values is empty: run the prompt through the model first")
            tensors[f"layers.{i}.conv_state"] = layer.conv_states[0]
            tensors[f"layers.{i}.recurrent_state"] = layer.recurrent_states[0]
            if self.config.has_attention:
                tensors[f"layers.{i}.keys"], tensors[f"layers.{i}.values"] = layer.keys, layer.values
        for name, tensor in (("input_ids", input_ids), ("attention_mask", attention_mask)):
            if tensor is not None:
                tensors[name] = tensor
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            save_file(tensors, partial, metadata={"format": STATE_FORMAT, "model": self._fingerprint()})
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def load_generation_state(
        self, path: str | os.PathLike, device: torch.device | str | None = None
    ) -> dict[str, Cache | torch.Tensor]:
        """Read a state written by `save_generation_state`.

        Returns:
            `{"past_key_values": DynamicCache, "input_ids": …, "attention_mask": …}`, the latter two where they were saved:
            the keyword arguments of `generate` or of a forward pass.

        Raises:
            ValueError: not such a file, or the state of another model or of other shapes.
            OSError: the file cannot be read.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"no generation state at {path}")
        try:
            with safe_open(path, "pt", device=str(device if device is not None else self.device)) as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        except SafetensorError as error:
            raise ValueError(f"{path} is not a safetensors file: {error}") from error
        if metadata.get("format") != STATE_FORMAT:
            raise ValueError(
                f"{path} is not a generation state (format {metadata.get('format')!r}, not {STATE_FORMAT!r})"
            )
        if metadata.get("model") != self._fingerprint():
            raise ValueError(
                f"{path} holds the state of another model: its configuration or its weights differ from this one's. "
                "Load the model that wrote it."
            )
        state: dict[str, Any] = {"past_key_values": self._cache_from_tensors(tensors, path)}
        return state | {name: tensors[name] for name in ("input_ids", "attention_mask") if name in tensors}

    def _cache_from_tensors(self, tensors: dict[str, torch.Tensor], path: str | os.PathLike) -> Cache:
        config, length = self.config, int(tensors["length"])
        cache = count_tokens(DynamicCache(config=config), config)
        for i, layer in enumerate(cache.layers):
            conv = self._checked(tensors, f"layers.{i}.conv_state", (config.d_inner, config.d_conv), path)
            state = self._checked(tensors, f"layers.{i}.recurrent_state", (config.mem_size, config.d_inner), path)
            layer.update_conv_state(conv, conv_kernel_size=config.d_conv)
            layer.update_recurrent_state(state)
            if config.has_attention:
                steps = tensors[f"layers.{i}.keys"].shape[2]
                widths = (config.num_key_heads * config.head_dim, config.num_value_heads * config.head_dim)
                keys = self._checked(tensors, f"layers.{i}.keys", (1, steps, widths[0]), path)
                values = self._checked(tensors, f"layers.{i}.values", (1, steps, widths[1]), path)
                layer.update(keys, values)
                if hasattr(layer, "cumulative_length"):
                    layer.cumulative_length = length
        if not config.has_attention:
            cache.layers[0].advance(length, tensors["length"].device)
        return cache

    def _checked(self, tensors: dict[str, torch.Tensor], name: str, shape: tuple[int, ...], path) -> torch.Tensor:
        if name not in tensors or tuple(tensors[name].shape[1:]) != shape:
            found = tuple(tensors[name].shape) if name in tensors else "nothing"
            raise ValueError(f"{path}: {name} must have shape [batch, {', '.join(map(str, shape))}], found {found}")
        return tensors[name]

    def _fingerprint(self) -> str:
        """Identifies configuration and weights. Weights are sampled and compared in bfloat16, so that neither the
        device nor the loading precision matters."""
        config = self.config
        shape = {"block_type": config.block_type, "mixer": config.mixer_cfg, "attention": config.attn_cfg}
        digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode())
        for name, parameter in sorted(self.named_parameters()):
            flat = parameter.detach().flatten()
            sample = flat[:: max(flat.numel() // 64, 1)].to("cpu", torch.bfloat16).view(torch.int16)
            digest.update(f"{name}{tuple(parameter.shape)}".encode() + sample.numpy().tobytes())
        return digest.hexdigest()
