"""What a reader of a published layout provides, and the list of all readers."""

import importlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..weights import StoredTensor, find_tensors

# "module:name", imported when a repository is to be read. The first that matches reads it.
READERS = (
    "codefuse_hf.hub.convert.cgm:CGMReader",
    "codefuse_hf.hub.convert.rodimus:RodimusReader",
    "codefuse_hf.hub.convert.cge:CGEReader",
)


class Reader(ABC):
    """Reads one published layout; all methods work on `config.json` and tensor names alone, never on code.

    Attributes:
        layout: what it reads, in words, for messages.
    """

    layout: str

    @classmethod
    @abstractmethod
    def matches(cls, config: dict[str, Any]) -> bool:
        """Tell whether a repository with this `config.json` is in the layout."""

    @classmethod
    def claims(cls, config: dict[str, Any], source: Path) -> bool:
        """Tell whether the folder `source` with this `config.json` is in the layout; by default its `config.json` decides."""
        return cls.matches(config)

    def find_tensors(self, source: Path) -> dict[str, StoredTensor]:
        """Return all stored tensors, by the names that `rename` takes; reads headers only."""
        return find_tensors(source)

    @abstractmethod
    def build(self, source: Path, config: dict[str, Any]) -> PreTrainedModel:
        """Make the model of the folder `source`, to be called under the meta device: no weights, no memory.

        Raises:
            ValueError: a configuration that no model can have.
        """

    def rename(self, name: str) -> str | None:
        """Return our name of a published tensor; None for one that is left out on purpose."""
        return name

    @abstractmethod
    def write_rest(self, source: Path, folder: Path, model: PreTrainedModel) -> None:
        """Write everything but weights and model card into `folder`: configuration with code, tokenizer, and the like."""


def reader_of(config: dict[str, Any], source: Path) -> Reader:
    """Return the reader of a published folder with this `config.json`.

    Raises:
        ValueError: no layout fits.
    """
    classes = []
    for path in READERS:
        module, _, name = path.partition(":")
        classes.append(getattr(importlib.import_module(module), name))
    for cls in classes:
        if cls.claims(config, source):
            return cls()
    known = "; ".join(cls.layout for cls in classes)
    raise ValueError(
        f"no published layout fits model_type {config.get('model_type')!r} with architectures {config.get('architectures')!r}. "
        f"Known layouts: {known}"
    )
