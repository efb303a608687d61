"""The content of a graph as arrays, and what they are filled and read with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from codefuse_hf.graph.schema import Language
from codefuse_hf.graph.text_store import TextColumn

NO_NUMBER = np.iinfo(np.int32).min
"""The value of a number field that is absent."""
LANGUAGES: tuple[Language | None, ...] = (None, *Language)
"""Languages in the order of their codes; the first means that the node's spelling is the same in all."""
LANGUAGE_CODES: Mapping[Language | None, int] = {language: code for code, language in enumerate(LANGUAGES)}
EXTRA = "extra"
"""The column of fields outside the schema, as one JSON object: kept, so that nothing is lost between load and save."""


@dataclass(slots=True)
class GraphArrays:
    """The content of a graph. n nodes in their order, e edges sorted by (source, type, target) and free of duplicates.

    Attributes:
        ids: int64 [n]. types, languages: uint8 [n], codes of `NODE_TYPES` and `LANGUAGES`.
        buffer, texts: the text fields, see `text_store`. numbers: int32 [n] per field, `NO_NUMBER` where absent.
        sources, targets: int32 [e], positions of nodes. edge_types: uint8 [e], codes of `EDGE_TYPES`.
        dropped_edges: how many edges were left out because an end was missing.
    """

    ids: np.ndarray
    types: np.ndarray
    languages: np.ndarray
    buffer: bytes | bytearray
    texts: dict[str, TextColumn]
    numbers: dict[str, np.ndarray]
    sources: np.ndarray
    targets: np.ndarray
    edge_types: np.ndarray
    dropped_edges: int = 0


def as_json(value: Any) -> str:
    """Writes a field's value as compact JSON; ValueError for what is none."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON value ({error}): {shown(value)}") from None


def shown(value: Any) -> str:
    """Describes a value and its type for an error's message, in at most 60 characters."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


class IdIndex:
    """From node ids to positions, 4 to 8 bytes a node (none where the ids are 0 … n - 1)."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids = ids
        self._order: np.ndarray | None = None
        if not np.array_equal(ids, np.arange(len(ids))):
            self._order = np.argsort(ids, kind="stable")
            self._ids = ids[self._order]

    def positions(self, wanted: np.ndarray) -> np.ndarray:
        """Finds the position of each of `wanted`, int64: the first where an id repeats; -1 where there is none."""
        size = len(self._ids)
        if self._order is None:
            return np.where((wanted >= 0) & (wanted < size), wanted, -1)
        found = np.minimum(np.searchsorted(self._ids, wanted), size - 1)
        return np.where(self._ids[found] == wanted, self._order[found], -1)


def unique_edges(
    sources: np.ndarray, targets: np.ndarray, types: np.ndarray, num_nodes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts edges by (source, type, target) and keeps each once: int32 sources, int32 targets, uint8 types."""
    if num_nodes >= 2**30:  # the sort key below would pass 63 bits
        raise ValueError(f"a graph of {num_nodes} nodes is too large: at most 2**30")
    # 30 bits of source, 3 of type, 30 of target. Sorted here, because np.unique makes a hash table first, which takes ten times as long.
    key = sources.astype(np.int64) << 33 | types.astype(np.int64) << 30 | targets
    key.sort()
    if len(key):
        key = key[np.concatenate([[True], key[1:] != key[:-1]])]
    return (key >> 33).astype(np.int32), (key & 2**30 - 1).astype(np.int32), (key >> 30 & 7).astype(np.uint8)
