"""Embedding models, and how indexes call and recognise them."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from codefuse_hf.search.default_model import DEFAULT_MODEL, FOLDER

_PROBE = "def read_lines(path):\n    with open(path) as file:\n        return file.readlines()\n"


class Encoder:
    """An embedding model: an object with `encode_query` and `encode_document`, or the name or folder of a sentence-transformers one.

    Args:
        model: the model; `DEFAULT_MODEL` needs neither PyTorch nor sentence-transformers.
        trust_remote_code: for a model given by name, run the code that its folder carries.
        batch_size: texts embedded at once.

    Raises:
        TypeError: `model` is something else.
        ValueError: it carries code, and that is not trusted.
    """

    def __init__(self, model: Any, trust_remote_code: bool = False, batch_size: int = 32) -> None:
        self.name, self.batch_size, self.model = str(model), batch_size, model
        if isinstance(model, str | os.PathLike):
            self.model = _load_model(model, trust_remote_code)
            if model != DEFAULT_MODEL and Path(model).exists():
                self.name = os.fspath(Path(model).resolve())
        elif not hasattr(model, "encode_document"):
            raise TypeError(
                f"model must be a sentence-transformers model or the name of one, got {type(model).__name__}"
            )
        else:
            self.name = getattr(getattr(model, "model_card_data", None), "base_model", None) or type(model).__name__

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed documents: `[len(texts), width]`, float32, each of length 1."""
        texts = [_encodable(text) for text in texts]
        return _unit_vectors(self.model.encode_document(texts, batch_size=self.batch_size, **_QUIET))

    def encode_query(self, query: str) -> np.ndarray:
        """Embed one query: `[width]`."""
        return _unit_vectors(self.model.encode_query([_encodable(query)], **_QUIET))[0]

    def probe(self) -> np.ndarray:
        """Embed one fixed text: `[width]`. By this vector an index recognises the model that made it, whatever its name."""
        return self.encode([_PROBE])[0]


def same_probe(stored: np.ndarray, probe: np.ndarray) -> bool:
    """Tell whether two probes come from the same model: cosine above 0.999, since kernels differ in the last digits."""
    return stored.shape == probe.shape and float(stored @ probe) > 0.999


_QUIET = {"convert_to_numpy": True, "show_progress_bar": False}


def _load_model(model: str | os.PathLike, trust_remote_code: bool) -> Any:
    if model == DEFAULT_MODEL:
        from codefuse_hf.search.small_cge import SmallCGE

        return SmallCGE.load(FOLDER)
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(os.fspath(model), trust_remote_code=trust_remote_code)
    except ValueError as error:
        if trust_remote_code or "trust_remote_code" not in str(error):
            raise
        raise ValueError(
            f"the model {os.fspath(model)!r} carries code of its own, which is run only if you name the model and say so: "
            "--model with --trust-remote-code (in Python, trust_remote_code=True)"
        ) from error


def _encodable(text: str) -> str:
    """A text for a tokenizer, which takes no lone surrogates; they come from names of files that are not UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _unit_vectors(vectors: np.ndarray) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
