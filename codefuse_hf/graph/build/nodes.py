"""Turns the definitions of one file into the arrays of its nodes, without a record in between: most nodes are slices of the file's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from codefuse_hf.graph.arrays import EXTRA, LANGUAGE_CODES, NO_NUMBER, as_json
from codefuse_hf.graph.languages.base import TEXT, Definition
from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.schema import FIELDS, NODE_CODES, FieldKind, Language, NodeType
from codefuse_hf.graph.spill import Spill
from codefuse_hf.graph.text_store import ABSENT

_INTERN_LIMIT = 64  # characters: names, types and headers repeat; longer texts seldom do


@dataclass(slots=True)
class NodeTable:
    """The nodes of one file, n in all, without ids and edges.

    Attributes:
        types, languages: uint8 [n], codes of `NODE_TYPES` and `LANGUAGES`.
        buffer: the UTF-8 bytes that texts are slices of.
        texts, numbers: names of the columns.
        columns: int32 [2 * texts + numbers, n]: start (in bytes) and length of each text, length -1 where it is absent; then the numbers,
            `NO_NUMBER` where absent.
    """

    types: np.ndarray
    languages: np.ndarray
    buffer: bytes
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    columns: np.ndarray

    @property
    def text_size(self) -> int:
        """Bytes of the buffer."""
        return len(self.buffer)

    def load(self) -> NodeTable:
        """Reads the nodes themselves: see `StoredNodes`."""
        return self

    def put_away(self, spill: Spill, key: int) -> StoredNodes:
        """Puts texts and columns away under a key."""
        spill[key] = self.buffer + self.columns.tobytes()
        return StoredNodes(self.types, self.languages, self.texts, self.numbers, self.text_size, spill, key)


@dataclass(slots=True)
class StoredNodes:
    """A `NodeTable` of which the bulk is put away until `load` fetches it."""

    types: np.ndarray
    languages: np.ndarray
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    text_size: int
    spill: Spill
    key: int

    def load(self) -> NodeTable:
        """Reads the nodes as they were."""
        blob = self.spill[self.key]
        columns = np.frombuffer(blob, np.uint8, offset=self.text_size).view(np.int32).reshape(-1, len(self.types))
        return NodeTable(self.types, self.languages, blob[: self.text_size], self.texts, self.numbers, columns)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the fields of one node type are written: column and kind by key."""

    code: int
    columns: Mapping[str, tuple[str, FieldKind]]


def _plan(node_type: NodeType) -> _Plan:
    columns: dict[str, tuple[str, FieldKind]] = {}
    for field in FIELDS[node_type]:
        for key in field.keys:
            columns.setdefault(key, (field.column, field.kind))
    return _Plan(NODE_CODES[node_type], columns)


_PLANS = {str(node_type): _plan(node_type) for node_type in NodeType}


def write_nodes(
    path: str, language: str, source: SourceText, definitions: list[Definition], order: list[int] | None
) -> NodeTable:
    """Writes the nodes of one file in pre-order; `order` is that of `preorder`."""
    if order is not None:
        indices = sorted(range(len(definitions)), key=order.__getitem__)
    else:
        indices = range(len(definitions))
    code = LANGUAGE_CODES[None if language == TEXT else Language(language)]
    writer = _Writer(source, [definitions[index] for index in indices], code)
    folder, _, name = clean_path(path).rpartition("/")
    if language == TEXT:
        writer.add_fields(0, {"name": name, "path": folder or "."})
        return writer.finish(located=False)
    writer.add_fields(0, {"name": name, "path": folder} if folder else {"name": name})
    cuts = spans_cut(definitions)
    for rank, index in enumerate(indices):
        definition = definitions[index]
        if rank:
            writer.add_fields(rank, definition.fields)
        if definition.node_type in ("Class", "File"):
            writer.add_clean_text(rank, cuts.get(index, ()))
    return writer.finish(located=True)


class _Writer:
    """Fills the columns of one file's nodes, which are given in their order."""

    def __init__(self, source: SourceText, definitions: list[Definition], language: int):
        self.source, self.definitions = source, definitions
        self.size = len(definitions)
        spans = np.array([(definition.start, definition.end) for definition in definitions], np.int64)
        data, offsets = _bytes_and_offsets(source, spans)
        self.spans, self.offsets = spans, offsets
        self.stretches = offsets.tolist()
        self.buffer = bytearray(data)
        self.types = np.empty(self.size, np.uint8)
        self.languages = np.full(self.size, language, np.uint8)
        self.texts: dict[str, tuple[list[int], list[int]]] = {}
        self.interned: dict[str, tuple[int, int]] = {}

    def add_fields(self, index: int, fields: Mapping[str, Any]) -> None:
        """Writes the fields of a node but its text and place."""
        plan = _PLANS[self.definitions[index].node_type]
        self.types[index] = plan.code
        extra = {}
        for key, value in fields.items():
            if value is None:
                continue
            if key not in plan.columns:
                extra[key] = value
                continue
            column, kind = plan.columns[key]
            self.put(index, column, self.place(index, value if kind is FieldKind.TEXT else as_json(value)))
        if extra:
            self.put(index, EXTRA, self.place(index, as_json(extra)))

    def add_clean_text(self, index: int, cuts: list[tuple[int, int]]) -> None:
        """Writes the text of a node without what `cuts` takes out of it."""
        start, end = self.stretches[index]
        place = start, end - start
        if cuts:
            place = self.append(clean_text(self.source.text, self.definitions[index], cuts))
        self.put(index, "clean_text", place)

    def put(self, index: int, column: str, place: tuple[int, int]) -> None:
        found = self.texts.get(column)
        if found is None:
            found = self.texts[column] = [0] * self.size, [ABSENT] * self.size
        found[0][index], found[1][index] = place

    def place(self, index: int, value: str) -> tuple[int, int]:
        """Finds the start and length of a value in the buffer: inside the node's text, as written before, or at the end."""
        short = len(value) <= _INTERN_LIMIT
        if short and (known := self.interned.get(value)) is not None:
            return known
        data = value.encode("utf-8", "surrogatepass")
        start = self.buffer.find(data, *self.stretches[index])
        found = self.append(value) if start < 0 else (start, len(data))
        if short:
            self.interned[value] = found
        return found

    def append(self, value: str) -> tuple[int, int]:
        data, start = value.encode("utf-8", "surrogatepass"), len(self.buffer)
        self.buffer += data
        return start, len(data)

    def finish(self, located: bool) -> NodeTable:
        """Makes the table; with the places of all nodes but the first if `located`."""
        rows = [self.offsets[:, 0], self.offsets[:, 1] - self.offsets[:, 0]]
        for pair in self.texts.values():
            rows += pair
        numbers = {}
        if located and self.size > 1:
            numbers = _places(self.source, self.spans)
            rows += numbers.values()
        columns = np.array(rows, np.int32)
        return NodeTable(self.types, self.languages, bytes(self.buffer), ("text", *self.texts), tuple(numbers), columns)


def _places(source: SourceText, spans: np.ndarray) -> dict[str, np.ndarray]:
    """The location fields of nodes by column, int64 [n] each; the first node, the file, has none."""
    starts, ends = spans.T
    line_starts = np.array(source.line_starts, np.int64)
    first = np.searchsorted(line_starts, starts, "right")
    last = np.searchsorted(line_starts, np.where(ends > starts, ends - 1, starts), "right")
    places = {"start_line": first, "column": starts - line_starts[first - 1], "end_line": last}
    for column in places.values():
        column[0] = NO_NUMBER
    return places


def _bytes_and_offsets(source: SourceText, spans: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The text as UTF-8 (lone surrogates pass), and `spans` of characters as spans of its bytes."""
    if source.is_ascii:
        return source.utf8, spans
    points = np.frombuffer(source.text.encode("utf-32-le", "surrogatepass"), np.uint32)
    wide = np.flatnonzero(points > 0x7F)
    points = points[wide]
    ahead = np.concatenate([[0], np.cumsum(1 + (points > 0x7FF) + (points > 0xFFFF))])
    lone = ((points >> 11) == 0x1B).any()
    data = source.text.encode("utf-8", "surrogatepass") if lone else source.utf8
    return data, spans + ahead[np.searchsorted(wide, spans)]


def clean_path(path: str) -> str:
    """Turns a path into text that can be written as UTF-8 (file names on disk may hold any bytes)."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def preorder(definitions: list[Definition]) -> list[int] | None:
    """Finds the rank of each definition when the tree is walked in pre-order; None when the list is in that order already."""
    stack: list[int] = []
    for index, definition in enumerate(definitions):
        while stack and stack[-1] != definition.parent:
            stack.pop()
        if index and not stack:
            break
        stack.append(index)
    else:
        return None
    children: dict[int, list[int]] = {}
    for index, definition in enumerate(definitions[1:], 1):
        children.setdefault(definition.parent, []).append(index)
    ranks, pending, rank = [0] * len(definitions), [0], 0
    while pending:
        index = pending.pop()
        ranks[index] = rank
        rank += 1
        pending.extend(sorted(children.get(index, ()), key=lambda i: (definitions[i].start, i), reverse=True))
    return ranks


def spans_cut(definitions: list[Definition]) -> dict[int, list[tuple[int, int]]]:
    """Finds, per container, the spans that its `clean_text` leaves out. What lies inside a function goes with the function's own span."""
    cuts: dict[int, list[tuple[int, int]]] = {}
    for definition in definitions[1:]:
        if definition.cut_start >= 0:
            cuts.setdefault(definition.parent, []).append((definition.cut_start, definition.end))
    return cuts


def clean_text(text: str, definition: Definition, cuts: list[tuple[int, int]]) -> str:
    """Writes the text of a node without the contained nodes in `cuts`: their lines go, with the blank lines before them."""
    pieces, position = [], definition.start
    for start, end in sorted(cuts):
        if start < position:
            continue
        line_start = start
        while line_start > position and text[line_start - 1] in " \t\f":
            line_start -= 1
        whole_line = line_start == 0 or text[line_start - 1] in "\r\n"
        kept = text[position : line_start if whole_line else start]
        pieces.append(kept.rstrip() + _line_end(kept) if whole_line and kept.strip() else "" if whole_line else kept)
        position = end
        while position < definition.end and text[position] in " \t\f":
            position += 1
        if whole_line and position < definition.end and text[position] in "\r\n":
            position += 2 if text.startswith("\r\n", position) else 1
    rest = text[position : definition.end]
    if rest.strip():
        pieces.append(rest)
    return "".join(pieces)


def _line_end(text: str) -> str:
    """The line end that closes the last line of text before blank lines."""
    tail = text[len(text.rstrip()) :]
    tail = tail.lstrip(" \t\f")
    return "\r\n" if tail.startswith("\r\n") else tail[:1]
