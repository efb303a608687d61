"""Runs a small CGE with NumPy alone: the shipped model answers a query before PyTorch would have been imported.

It knows one shape of CGE: Llama layers (no biases, plain RoPE, as many key heads as query heads) and attention pooling of the mode
"post_normal". `tests/search/test_default_model.py` compares it with `CGEModel`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_EXPECTED = {"model_type": "cge", "embedding_method": "pma", "pma_norm_mode": "post_normal", "pma_ln": True}
_EXPECTED_TEXT = {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
_LAYER_NORM_EPSILON = 1e-5


class SmallCGE:
    """Texts → vectors of length 1, with the two methods of sentence-transformers' models that search needs.

    Args:
        config: the model's configuration as in `config.json`.
        weights: arrays by parameter name.
        tokenizer: a `tokenizers.Tokenizer` that ends texts as in training, with one token, and does not cut them.

    Raises:
        ValueError: a CGE of another shape.
    """

    def __init__(self, config: Mapping, weights: Mapping[str, np.ndarray], tokenizer) -> None:
        text = config.get("text_config") or {}
        _check(config, _EXPECTED)
        _check(text, _EXPECTED_TEXT)
        _check(
            {"num_key_value_heads": text.get("num_key_value_heads")},
            {"num_key_value_heads": text["num_attention_heads"]},
        )
        _check(text.get("rope_parameters") or {}, {"rope_type": "default"}, optional=True)
        self.heads, self.epsilon = text["num_attention_heads"], text["rms_norm_eps"]
        self.theta, self.pooling_heads = text["rope_parameters"]["rope_theta"], config["pma_num_heads"]
        self.layers, self.max_length = text["num_hidden_layers"], config["inf_seq_length"]
        self.weights = {name: array.astype(np.float32) for name, array in weights.items()}
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "SmallCGE":
        """Read `config.json`, `model.safetensors` and `tokenizer.json` of a folder that `CGEModel` saved."""
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return cls(config, load_file(folder / "model.safetensors"), tokenizer)

    def encode_document(self, texts: Sequence[str], batch_size: int = 32, **_) -> np.ndarray:
        """Embed texts: float32 `[len(texts), width]`, rows of length 1. Texts of like length are computed together."""
        rows = self._tokenize(list(texts))
        vectors = np.zeros((len(rows), self.weights["mha_pma.S"].shape[-1]), np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            vectors[chosen] = self.forward([rows[i] for i in chosen])
        return vectors

    encode_query = encode_document

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text, cut to the model's length. Of a long text only the beginning is read, up to a space, where that
        has more tokens than the model takes: they are those of the whole text."""
        beginnings = [_beginning(text, 8 * self.max_length) for text in texts]
        rows = [encoded.ids for encoded in self.tokenizer.encode_batch(beginnings)]
        for position, (text, beginning) in enumerate(zip(texts, beginnings, strict=True)):
            if len(beginning) < len(text) and len(rows[position]) <= self.max_length:
                rows[position] = self.tokenizer.encode(text).ids
        return [row if len(row) <= self.max_length else row[: self.max_length - 1] + row[-1:] for row in rows]

    def forward(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Embed token ids: float32 `[len(rows), width]`."""
        lengths = np.array([len(row) for row in rows])
        ids = np.zeros((len(rows), max(1, lengths.max(initial=0))), np.int64)
        for position, row in enumerate(rows):
            ids[position, : len(row)] = row
        states = self.weights["plm_model.model.embed_tokens.weight"][ids]
        rotation = _rotation(ids.shape[1], states.shape[-1] // self.heads, self.theta)
        for layer in range(self.layers):
            states = self._layer(states, f"plm_model.model.layers.{layer}.", rotation)
        states = self._rms_norm(states, "plm_model.model.norm.weight")
        vectors = self._pool(states, np.arange(ids.shape[1]) < lengths[:, None])
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)

    def _layer(self, states: np.ndarray, name: str, rotation: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """One decoder layer on `[batch, seq_len, hidden]`. Tokens see what is left of them, so padding on the right is harmless."""
        batch, length, hidden = states.shape
        normed = self._rms_norm(states, f"{name}input_layernorm.weight")
        q, k, v = (
            self._linear(normed, f"{name}self_attn.{each}_proj").reshape(batch, length, self.heads, -1).swapaxes(1, 2)
            for each in "qkv"
        )
        scores = _rotate(q, rotation) @ _rotate(k, rotation).swapaxes(-1, -2) * (q.shape[-1] ** -0.5)
        scores += np.triu(
            np.full((length, length), -np.inf, np.float32), 1
        )  # in place: scores are the largest array here
        attended = (_softmax(scores) @ v).swapaxes(1, 2).reshape(batch, length, hidden)
        states = states + self._linear(attended, f"{name}self_attn.o_proj")
        normed = self._rms_norm(states, f"{name}post_attention_layernorm.weight")
        gate, up = (self._linear(normed, f"{name}mlp.{each}_proj") for each in ("gate", "up"))
        return states + self._linear(gate / (1 + np.exp(-np.clip(gate, -80, None))) * up, f"{name}mlp.down_proj")

    def _pool(self, states: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Attention from the seed to the tokens where `mask` `[batch, seq_len]` is true: `[batch, width]`.

        The seed is the same for all tokens, so that keys need not be made: q·(W x) = (Wᵀ q)·x, and the bias adds the same to every
        score. Values are made of the weighted means of the tokens, one a head, for the same reason.
        """
        seed, heads = self.weights["mha_pma.S"][0], self.pooling_heads
        q = self._linear(seed, "mha_pma.mab.fc_q").reshape(heads, 1, -1)
        width = q.size
        queries = (q @ self.weights["mha_pma.mab.fc_k.weight"].reshape(heads, width // heads, -1))[
            :, 0
        ]  # [heads, hidden]
        scores = (states @ queries.T).swapaxes(1, 2) * width**-0.5  # [batch, heads, seq_len]
        means = _softmax(np.where(mask[:, None], scores, np.float32(-1e30))) @ states  # [batch, heads, hidden]
        values = self.weights["mha_pma.mab.fc_v.weight"].reshape(heads, width // heads, -1)
        attended = np.einsum("bhd,hwd->bhw", means, values, optimize=True).reshape(len(states), width)
        z = self._layer_norm(seed + attended + self.weights["mha_pma.mab.fc_v.bias"], "mha_pma.mab.ln0")
        return self._layer_norm(z + np.maximum(self._linear(z, "mha_pma.mab.fc_o"), 0), "mha_pma.mab.ln1")

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        y = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))
        return y if bias is None else y + bias

    def _rms_norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self.epsilon)) * self.weights[name]

    def _layer_norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + np.float32(_LAYER_NORM_EPSILON))
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _beginning(text: str, length: int) -> str:
    cut = max(text.rfind(" ", 0, length), text.rfind("\n", 0, length))
    return text[:cut] if len(text) > length and cut > 0 else text


def _check(found: Mapping, expected: Mapping, optional: bool = False) -> None:
    for name, value in expected.items():
        if found.get(name, value if optional else None) != value:
            raise ValueError(f"this CGE has {name} {found.get(name)!r}, NumPy runs those with {value!r}: use CGEModel")


def _rotation(length: int, size: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of rotary positions, each `[length, size]`."""
    frequencies = 1.0 / theta ** (np.arange(0, size, 2) / size)
    angles = np.tile(np.arange(length)[:, None] * frequencies, 2)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _rotate(x: np.ndarray, rotation: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    half = x.shape[-1] // 2
    return x * rotation[0] + np.concatenate([-x[..., half:], x[..., :half]], axis=-1) * rotation[1]


def _softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores
