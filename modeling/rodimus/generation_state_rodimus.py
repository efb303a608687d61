"""Saving what a Rodimus model remembers of a text to one file of constant size, and going on from it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers.cache_utils import Cache, DynamicCache

from codefuse_hf.modeling.whole_file import whole_file

from .cache_rodimus import adopt_cache, past_length

STATE_FORMAT = "codefuse-hf rodimus generation state, version 1"


class GenerationStateMixin:
    """Saving and resuming the state of a prompt, for a model with `config`, `named_parameters` and `device`."""

    def save_generation_state(
        self,
        path: str | os.PathLike,
        past_key_values: Cache,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> None:
        """Write what the model remembers of a prompt to one safetensors file, whole or not at all.

        Args:
            path: the file.
            past_key_values: a `DynamicCache` that has seen the prompt.
            input_ids, attention_mask: the whole text so far, `[batch, length]`, row by row that of the cache; stored so that
                `model.generate(**model.load_generation_state(path))` goes on by itself.

        Raises:
            ValueError: an empty cache, or one of another model or of another kind; a text of other rows than the cache's, or
                shorter than what the cache has seen; a model whose weights cannot be read here, such as an offloaded one.
            OSError: the file cannot be written.
        """
        adopt_cache(past_key_values, self.config)
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
        batch = len(tensors["layers.0.conv_state"])
        for name, tensor in (("input_ids", input_ids), ("attention_mask", attention_mask)):
            if tensor is not None:
                _check_text(name, tensor, batch, int(tensors["length"]))
                tensors[name] = tensor
        if input_ids is not None and attention_mask is not None and input_ids.shape != attention_mask.shape:
            raise ValueError(
                f"input_ids {tuple(input_ids.shape)} and attention_mask {tuple(attention_mask.shape)} must be of one shape"
            )
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        metadata = {"format": STATE_FORMAT, "model": self._fingerprint()}
        with whole_file(path) as partial:
            save_file(tensors, partial, metadata=metadata)

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
        text = {name: tensors[name] for name in ("input_ids", "attention_mask") if name in tensors}
        for name, tensor in text.items():
            _check_text(f"{path}: {name}", tensor, len(tensors["layers.0.conv_state"]), int(tensors["length"]))
        return state | text

    def _cache_from_tensors(self, tensors: dict[str, torch.Tensor], path: str | os.PathLike) -> Cache:
        config = self.config
        if "length" not in tensors or tensors["length"].ndim or tensors["length"].dtype != torch.long:
            raise ValueError(f"{path}: length must be one integer")
        length = int(tensors["length"])
        cache = adopt_cache(DynamicCache(config=config), config)
        for i, layer in enumerate(cache.layers):
            conv = self._checked(tensors, f"layers.{i}.conv_state", (config.d_inner, config.d_conv), path)
            state = self._checked(tensors, f"layers.{i}.recurrent_state", (config.mem_size, config.d_inner), path)
            layer.update_conv_state(conv, conv_kernel_size=config.d_conv)
            layer.update_recurrent_state(state)
            if config.has_attention:
                steps = tensors[f"layers.{i}.keys"].shape[2] if f"layers.{i}.keys" in tensors else 0
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
        rows = len(tensors["layers.0.conv_state"])
        if len(tensors[name]) != rows or not tensors[name].is_floating_point():
            raise ValueError(
                f"{path}: {name} must hold {rows} rows of floating-point numbers, found {len(tensors[name])} of {tensors[name].dtype}"
            )
        return tensors[name]

    def _fingerprint(self) -> str:
        """Identifies configuration and weights. Weights are sampled and compared in bfloat16, so that neither the
        device nor the loading precision matters."""
        config = self.config
        shape = {"block_type": config.block_type, "mixer": config.mixer_cfg, "attention": config.attn_cfg}
        digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode())
        for name, parameter in sorted(self.named_parameters()):
            shape = tuple(parameter.shape) if parameter.is_floating_point() else ""
            digest.update(f"{name}{shape}".encode() + _sample(name, parameter.detach()))
        return digest.hexdigest()


def _sample(name: str, weight: torch.Tensor) -> bytes:
    """About 64 of a weight's numbers; only the size of a quantised one, whose layout changes when it is used."""
    if weight.is_meta:
        raise ValueError(
            f"the model's weights are offloaded ({name} is not in memory), so a state cannot be tied to them: load the model without "
            "offloading to disk or CPU"
        )
    if not weight.is_floating_point():
        return f"{weight.dtype}{weight.numel()}".encode()
    try:
        if type(weight) is not torch.Tensor:
            weight = weight.dequantize()
        flat = weight.flatten()
        return flat[:: max(flat.numel() // 64, 1)].to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"weights of type {type(weight).__name__} ({name}) cannot be read, so a state cannot be tied to them ({error}): load the "
            "model whole and with another quantisation"
        ) from error


def _check_text(name: str, tensor: torch.Tensor, batch: int, length: int) -> None:
    """Raises `ValueError` for ids or a mask that are not those of a cache of `batch` rows that has seen `length` tokens."""
    if tensor.ndim != 2 or len(tensor) != batch:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}, but the cache has {batch} rows: it must be [{batch}, length], row by row the text "
            "that the cache has seen. After beam search the cache holds every beam; run the text that was chosen through the model, "
            "and save that cache"
        )
    if tensor.shape[1] < length:
        raise ValueError(
            f"{name} has {tensor.shape[1]} tokens, but the cache has seen {length}: pass the whole text so far"
        )
