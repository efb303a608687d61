"""A graph in parts: the nodes of each file as arrays of their own, and the whole as what joining them gives.

A part depends on its file alone, so after a change only that file's part is made again; joining is a copy of arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codefuse_hf.graph.arrays import LANGUAGE_CODES, NO_NUMBER, GraphArrays, unique_edges
from codefuse_hf.graph.build.nodes import NodeTable, StoredNodes, clean_path, preorder, write_nodes
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.graph.languages.base import TEXT, FileFacts, Ref
from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.schema import EDGE_CODES, NODE_CODES, Diagnostic, EdgeType, NodeType
from codefuse_hf.graph.text_store import TextColumn

_BATCH = 512  # files whose columns are joined at a time


@dataclass(slots=True)
class FilePart:
    """The nodes of one file.

    Attributes:
        language, package: as in `FileFacts`.
        nodes: the n nodes in pre-order.
        parents: int32 [n], position of each node's container, -1 for the file itself.
        ranks: int32 [n], position of each definition; None where definitions are in pre-order already.
    """

    language: str
    package: str | None
    nodes: NodeTable | StoredNodes
    parents: np.ndarray
    ranks: np.ndarray | None

    def same_shape(self, other: FilePart) -> bool:
        """Tells whether the definitions are of the same types in the same places of the tree, whatever their texts."""
        mine, theirs = self.nodes.types, other.nodes.types
        if (self.ranks is None) != (other.ranks is None):
            return False
        same_order = self.ranks is None or np.array_equal(self.ranks, other.ranks)
        return same_order and np.array_equal(mine, theirs) and np.array_equal(self.parents, other.parents)


def file_part(facts: FileFacts, source: SourceText) -> FilePart:
    """Makes the part of one file with its text; the facts' definitions are not needed after this."""
    definitions = facts.definitions
    order = preorder(definitions)
    nodes = write_nodes(facts.path, facts.language, source, definitions, order)
    parents = np.fromiter((d.parent for d in definitions), np.int32, len(definitions))
    ranks = None
    if order is not None:
        ranks, by_index = np.array(order, np.int32), parents
        parents = np.empty_like(by_index)
        parents[ranks] = np.where(by_index < 0, -1, ranks[by_index])
    return FilePart(facts.language, facts.package, nodes, parents, ranks)


class EdgeTable:
    """Edges between definitions of files, five numbers each."""

    def __init__(self, edges: Iterable[tuple[str, Ref, Ref]], paths: Iterable[str]):
        self.paths = list(paths)
        slots = {path: slot for slot, path in enumerate(self.paths)}
        codes, ends = array("B"), array("i")
        known = {str(kind): EDGE_CODES[kind] for kind in EdgeType}
        for kind, (source, first), (target, second) in edges:
            codes.append(known[kind])
            ends.extend((slots[source], first, slots[target], second))
        self.codes = np.array(codes, np.uint8)
        self.ends = np.array(ends, np.int32).reshape(-1, 4)

    @classmethod
    def of_numbers(cls, paths: Iterable[str], codes: np.ndarray, ends: np.ndarray) -> EdgeTable:
        """Makes a table of arrays: edge codes, uint8 [n]; int32 [n, 4] with file, definition, file, definition, files by their places in `paths`."""
        table = cls((), paths)
        table.codes, table.ends = codes, ends
        return table


class _Layout:
    """Where each folder and file of a repository lies in the order of nodes; files in order of their paths' parts.

    Attributes:
        folders: position of each folder; that of the repository itself is "".
        sizes, bases: int64 [files], the nodes of each file and the position of its first.
        parents: int64 [folders + files, 2], position of the folder above and own position; the repository itself has none.
        size: nodes in all.
    """

    def __init__(self, parts: Mapping[str, FilePart]):
        self.folders: dict[str, int] = {"": 0}
        self.sizes = np.array([len(part.parents) for part in parts.values()], np.int64)
        bases: list[int] = []
        above: list[tuple[int, int]] = []
        number, last, home = 1, "", 0
        for path, size in zip(parts, self.sizes.tolist(), strict=True):
            folder = path.rpartition("/")[0]
            if folder != last:
                last = folder
                for each in _chain(folder):
                    if each not in self.folders:
                        self.folders[each] = number
                        above.append((self.folders[each.rpartition("/")[0]], number))
                        number += 1
                home = self.folders[folder]
            bases.append(number)
            above.append((home, number))
            number += size
        self.bases = np.array(bases, np.int64)
        self.parents = np.array(above, np.int64).reshape(-1, 2)
        self.size = number


def _chain(folder: str) -> list[str]:
    """A folder and those above it, the outermost first, without the repository itself."""
    chain = []
    while folder:
        chain.append(folder)
        folder = folder.rpartition("/")[0]
    return chain[::-1]


def join_parts(
    name: str,
    parts: Mapping[str, FilePart],
    tables: Iterable[EdgeTable],
    diagnostics: Iterable[Diagnostic] = (),
) -> CodeGraph:
    """Makes the graph of a repository called `name`: its files' parts, in order of their paths' parts, under folders, with edges."""
    layout = _Layout(parts)
    codes, sources, targets = (np.concatenate(c) for c in zip(*_edges(parts, layout, tables), strict=True))
    sources, targets, codes = unique_edges(sources, targets, codes, layout.size)
    packages = _package_names(parts, layout)
    repository = _folder_table(NodeType.REPO, {"name": name, "group_name": ""})
    folders = {
        place: _folder_table(NodeType.PACKAGE, {"name": packages[f]}) for f, place in layout.folders.items() if f
    }
    files = [part.nodes for part in parts.values()]
    joined = _Joined(layout.size, sum(nodes.text_size for nodes in (repository, *folders.values(), *files)))
    joined.add([repository], np.zeros(1, np.int64))
    joined.add(list(folders.values()), np.array(list(folders), np.int64))
    for start in range(0, len(files), _BATCH):
        batch = [nodes.load() for nodes in files[start : start + _BATCH]]
        joined.add_mixed(batch, layout.bases[start : start + _BATCH])
    arrays = GraphArrays(
        ids=np.arange(layout.size, dtype=np.int64),
        types=joined.types,
        languages=joined.languages,
        buffer=joined.buffer,
        texts=joined.texts,
        numbers=joined.numbers,
        sources=sources,
        targets=targets,
        edge_types=codes,
    )
    return CodeGraph(arrays, diagnostics)


class _Joined:
    """The columns of all nodes, filled by many tables at a time: an operation on arrays of a few nodes costs more than they do."""

    def __init__(self, size: int, text_size: int):
        self.size = size
        self.types, self.languages = np.empty(size, np.uint8), np.empty(size, np.uint8)
        self.buffer, self.filled = bytearray(text_size), 0
        self.texts: dict[str, TextColumn] = {}
        self.numbers: dict[str, np.ndarray] = {}

    def add_mixed(self, tables: Sequence[NodeTable], bases: np.ndarray) -> None:
        """Takes in tables with any columns; `bases`: int64 [tables], the position of the first node of each."""
        alike: dict[tuple, list[int]] = {}
        for number, table in enumerate(tables):
            alike.setdefault((table.texts, table.numbers), []).append(number)
        for numbers in alike.values():
            self.add([tables[number] for number in numbers], bases[numbers])

    def add(self, tables: Sequence[NodeTable], bases: np.ndarray) -> None:
        """Takes in tables with the same columns."""
        if not tables:
            return
        sizes = np.array([len(table.types) for table in tables], np.int64)
        where = _stretches(bases, sizes)
        self.types[where] = np.concatenate([table.types for table in tables])
        self.languages[where] = np.concatenate([table.languages for table in tables])
        offsets = np.repeat(self._add_buffers(tables), sizes)
        rows = iter(np.concatenate([table.columns for table in tables], axis=1))
        for name in tables[0].texts:
            if name not in self.texts:
                self.texts[name] = TextColumn.absent(self.size)
            column, starts, lengths = self.texts[name], next(rows), next(rows)
            column.starts[where] = starts + offsets
            column.lengths[where] = lengths
        for name in tables[0].numbers:
            if name not in self.numbers:
                self.numbers[name] = np.full(self.size, NO_NUMBER, np.int32)
            self.numbers[name][where] = next(rows)

    def _add_buffers(self, tables: Sequence[NodeTable]) -> np.ndarray:
        """int64 [tables]: where the texts of each begin."""
        starts = []
        with memoryview(self.buffer) as view:
            for table in tables:
                starts.append(self.filled)
                view[self.filled : self.filled + len(table.buffer)] = table.buffer
                self.filled += len(table.buffer)
        return np.array(starts, np.int64)


def _stretches(bases: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """int64: the numbers of the first stretch, `bases[0]` and so on, then those of the second …"""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(bases - (ends - sizes), sizes)


def _folder_table(node_type: NodeType, fields: Mapping[str, str]) -> NodeTable:
    """A table of one node that has no text."""
    values = [value.encode("utf-8", "surrogatepass") for value in fields.values()]
    lengths = [len(value) for value in values]
    columns = np.array([number for i, n in enumerate(lengths) for number in (sum(lengths[:i]), n)], np.int32)
    return NodeTable(
        np.array([NODE_CODES[node_type]], np.uint8),
        np.array([LANGUAGE_CODES[None]], np.uint8),
        b"".join(values),
        tuple(fields),
        (),
        columns.reshape(-1, 1),
    )


def _package_names(parts: Mapping[str, FilePart], layout: _Layout) -> dict[str, str]:
    declared: dict[str, set[str | None]] = {}
    for path, part in parts.items():
        if part.language != TEXT:
            declared.setdefault(path.rpartition("/")[0], set()).add(part.package)
    names = {folder: clean_path(folder).replace("/", ".") for folder in layout.folders}
    for folder, packages in declared.items():
        if folder and len(packages) == 1 and (package := next(iter(packages))):
            names[folder] = package
    return names


def _edges(
    parts: Mapping[str, FilePart], layout: _Layout, tables: Iterable[EdgeTable]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Codes, sources and targets: containment, then each table's edges."""
    contains = EDGE_CODES[EdgeType.CONTAINS]
    yield np.full(len(layout.parents), contains, np.uint8), layout.parents[:, 0], layout.parents[:, 1]
    if parts:
        above = np.concatenate([part.parents for part in parts.values()])
        inside = np.flatnonzero(above >= 0)
        above = above[inside] + np.repeat(layout.bases, layout.sizes)[inside]
        yield np.full(len(inside), contains, np.uint8), above, _stretches(layout.bases, layout.sizes)[inside]
    numbers = {path: number for number, path in enumerate(parts)}
    for table in tables:
        if not len(table.codes):
            continue
        chosen = np.array([numbers[path] for path in table.paths])
        bases, sizes = layout.bases[chosen], layout.sizes[chosen]
        starts, flat = np.cumsum(sizes) - sizes, _stretches(bases, sizes)
        for path, base, start in zip(table.paths, bases.tolist(), starts.tolist(), strict=True):
            ranks = parts[path].ranks
            if ranks is not None:
                flat[start : start + len(ranks)] = ranks + np.int64(base)
        ends = table.ends
        yield table.codes, flat[starts[ends[:, 0]] + ends[:, 1]], flat[starts[ends[:, 2]] + ends[:, 3]]
