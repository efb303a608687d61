"""Compact text of a graph: one UTF-8 buffer, and columns of slices into it.

A method's text lies inside its class's, which lies inside its file's. Stored as Python strings a graph would hold each
line of source once per level of nesting; stored as slices of one buffer it holds it once. Lone surrogates (which JSON
can carry) survive, because the buffer is written and read with `surrogatepass`.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ABSENT = -1
_INTERN_LIMIT = 64  # bytes: names, types, headers and folders repeat; longer texts seldom do
_MAX_MISSES = 8  # texts of one file that are no slices of it before the search for slices is given up


@dataclass(slots=True)
class TextColumn:
    """One text field of all nodes: node i's value is `buffer[starts[i] : starts[i] + lengths[i]]`; length -1 is absent.

    Attributes:
        starts: int64 [num_nodes], bytes.
        lengths: int32 [num_nodes], bytes.
    """

    starts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def absent(cls, size: int) -> "TextColumn":
        """Makes a column of `size` absent values."""
        return cls(np.zeros(size, np.int64), np.full(size, ABSENT, np.int32))

    def take(self, indices: np.ndarray) -> "TextColumn":
        """Takes the column of the nodes at `indices`."""
        return TextColumn(self.starts[indices], self.lengths[indices])


def read_text(buffer: bytes | bytearray, column: TextColumn, index: int) -> str | None:
    """Reads the value of node `index`, or None where it is absent."""
    length = column.lengths[index]
    if length < 0:
        return None
    start = column.starts[index]
    return str(memoryview(buffer)[start : start + length], "utf-8", "surrogatepass")


def concatenate(parts: Sequence[tuple[bytes | bytearray, Mapping[str, TextColumn], int]]) -> tuple[bytearray, dict]:
    """Puts stores `(buffer, columns, num_nodes)` one after the other; returns the joint buffer and columns."""
    buffer = bytearray()
    pieces: dict[str, list[TextColumn]] = {name: [] for _, columns, _ in parts for name in columns}
    for part, columns, size in parts:
        for name, collected in pieces.items():
            column = columns.get(name) or TextColumn.absent(size)
            collected.append(TextColumn(column.starts + len(buffer), column.lengths))
        buffer += part
    joined = {
        name: TextColumn(np.concatenate([c.starts for c in found]), np.concatenate([c.lengths for c in found]))
        for name, found in pieces.items()
    }
    return buffer, joined


def compact(buffer: bytes | bytearray, columns: Mapping[str, TextColumn]) -> tuple[bytearray, dict[str, TextColumn]]:
    """Copies only the bytes that some column refers to; slices that overlap stay slices of one stretch."""
    columns = {name: column for name, column in columns.items() if (column.lengths >= 0).any()}
    filled = {name: column.lengths > 0 for name, column in columns.items()}
    empty = {name: TextColumn(np.zeros_like(c.starts), c.lengths) for name, c in columns.items()}
    if not any(mask.any() for mask in filled.values()):
        return bytearray(), empty
    starts = np.concatenate([c.starts[filled[name]] for name, c in columns.items()])
    ends = starts + np.concatenate([c.lengths[filled[name]] for name, c in columns.items()])
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    opens = np.concatenate([[True], starts[1:] > reach[:-1]])  # where a new stretch of used bytes begins
    first = np.flatnonzero(opens)
    stretch_starts = starts[first]
    stretch_ends = reach[np.concatenate([first[1:] - 1, [len(reach) - 1]])]
    moved_to = np.concatenate([[0], np.cumsum(stretch_ends - stretch_starts)])
    view, packed = memoryview(buffer), bytearray(int(moved_to[-1]))
    for start, end, target in zip(stretch_starts.tolist(), stretch_ends.tolist(), moved_to.tolist(), strict=False):
        packed[target : target + end - start] = view[start:end]
    for name, column in columns.items():
        old = column.starts[filled[name]]
        stretch = np.searchsorted(stretch_starts, old, side="right") - 1
        empty[name].starts[filled[name]] = moved_to[stretch] + old - stretch_starts[stretch]
    return packed, empty


class TextWriter:
    """Fills a buffer and its columns node by node, finding texts that are slices of what is already there.

    Nodes are expected in pre-order: a file, then what it contains in the order of the source. Any other order gives the
    same values, only less compactly.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._columns: dict[str, tuple[array, array, array]] = {}
        self._interned: dict[bytes, int] = {}
        self._file = (0, 0)  # the stretch of the current file's text
        self._cursor = 0  # where in it the last node's text began
        self._misses = 0
        self._node = (0, 0)  # the stretch of the current node's text

    def begin_node(self) -> None:
        """Forgets the previous node's text."""
        self._node = (0, 0)

    def add_file_text(self, index: int, name: str, value: str) -> None:
        """Adds a file's text, of which the texts that follow may be slices."""
        data = value.encode("utf-8", "surrogatepass")
        start = self._append(data)
        self._node = self._file = (start, start + len(data))
        self._cursor, self._misses = start, 0
        self._put(index, name, start, len(data))

    def add_body(self, index: int, name: str, value: str) -> None:
        """Adds the text of a node that lies in the current file."""
        data = value.encode("utf-8", "surrogatepass")
        start = self._find_in_file(data)
        if start < 0:
            start = self._append(data)
        self._node = (start, start + len(data))
        self._put(index, name, start, len(data))

    def add(self, index: int, name: str, value: str) -> None:
        """Adds another field of the current node; short values are interned, long ones looked for in the node's text."""
        data = value.encode("utf-8", "surrogatepass")
        if len(data) <= _INTERN_LIMIT:
            start = self._interned.get(data, ABSENT)
            if start < 0:
                start = self._interned[data] = self._append(data)
        else:
            start = self.buffer.find(data, *self._node)
            if start < 0:
                start = self._append(data)
        self._put(index, name, start, len(data))

    def finish(self, size: int) -> dict[str, TextColumn]:
        """Makes the columns of `size` nodes. The writer is spent afterwards."""
        self._interned.clear()
        columns = {}
        for name, (indices, starts, lengths) in self._columns.items():
            column = columns[name] = TextColumn.absent(size)
            where = np.frombuffer(indices, np.int32)
            column.starts[where] = np.frombuffer(starts, np.int64)
            column.lengths[where] = np.frombuffer(lengths, np.int32)
        self._columns.clear()
        return columns

    def _append(self, data: bytes) -> int:
        start = len(self.buffer)
        self.buffer += data
        return start

    def _find_in_file(self, data: bytes) -> int:
        start, end = self._file
        if len(data) > end - start or self._misses >= _MAX_MISSES:
            return ABSENT
        found = self.buffer.find(data, self._cursor, end)
        if found < 0:
            found = self.buffer.find(data, start, end)
        if found < 0:
            self._misses += 1
        else:
            self._cursor, self._misses = found, 0
        return found

    def _put(self, index: int, name: str, start: int, length: int) -> None:
        columns = self._columns.get(name)
        if columns is None:
            columns = self._columns[name] = (array("i"), array("q"), array("i"))
        columns[0].append(index)
        columns[1].append(start)
        columns[2].append(length)
