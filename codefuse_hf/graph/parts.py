"""A graph in parts: the nodes of each file as arrays of their own, and the whole as what joining them gives.

A part depends on its file alone, so after a change only that file's part is made again; joining is a copy of arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from codefuse_hf.graph.assembler import LANGUAGE_CODES, NO_NUMBER, GraphArrays, spelled_language, unique_edges
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.graph.languages.base import TEXT, FileFacts, Ref
from codefuse_hf.graph.part_writer import NodeTable, write_nodes
from codefuse_hf.graph.records import clean_path, preorder
from codefuse_hf.graph.schema import EDGE_CODES, NODE_CODES, Diagnostic, EdgeType, NodeType
from codefuse_hf.graph.source_text import SourceText
from codefuse_hf.graph.text_store import TextColumn


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
    nodes: NodeTable
    parents: np.ndarray
    ranks: np.ndarray | None

    def same_shape(self, other: FilePart) -> bool:
        """Whether the definitions are of the same types in the same places of the tree, whatever their texts."""
        mine, theirs = self.nodes.types, other.nodes.types
        if (self.ranks is None) != (other.ranks is None):
            return False
        same_order = self.ranks is None or np.array_equal(self.ranks, other.ranks)
        return same_order and np.array_equal(mine, theirs) and np.array_equal(self.parents, other.parents)


def file_part(facts: FileFacts, source: SourceText) -> FilePart:
    """The part of one file with its text; the facts' definitions are not needed after this."""
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
        """From arrays: edge codes, uint8 [n]; int32 [n, 4] with file, definition, file, definition, files by their places in `paths`."""
        table = cls((), paths)
        table.codes, table.ends = codes, ends
        return table


class _Layout:
    """Where each folder and file of a repository lies in the order of nodes; files in order of their paths' parts."""

    def __init__(self, parts: Mapping[str, FilePart]):
        self.folders: dict[str, int] = {"": 0}
        self.bases: dict[str, int] = {}
        self.parents: list[tuple[int, int]] = []
        self.sequence: list[tuple[str, bool]] = []
        number = 1
        for path, part in parts.items():
            pieces = path.split("/")[:-1]
            for depth in range(len(pieces)):
                folder = "/".join(pieces[: depth + 1])
                if folder not in self.folders:
                    self.folders[folder] = number
                    self.parents.append((self.folders[folder.rpartition("/")[0]], number))
                    self.sequence.append((folder, True))
                    number += 1
            self.bases[path] = number
            self.parents.append((self.folders[path.rpartition("/")[0]], number))
            self.sequence.append((path, False))
            number += len(part.parents)
        self.size = number


def join_parts(
    name: str,
    parts: Mapping[str, FilePart],
    tables: Iterable[EdgeTable],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    consume: bool = False,
) -> CodeGraph:
    """The graph of a repository called `name`: its files' parts, in order of their paths' parts, under folders, with edges.

    `consume`: the parts are not needed afterwards; their texts are freed while they are copied.
    """
    layout = _Layout(parts)
    codes, sources, targets = (np.concatenate(c) for c in zip(*_edges(parts, layout, tables), strict=True))
    sources, targets, codes = unique_edges(sources, targets, codes, layout.size)
    joined = _Joined(layout.size)
    for nodes in _pieces(name, parts, layout):
        joined.add(nodes)
        if consume:
            nodes.buffer = b""
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
    """The columns of all nodes, filled table by table."""

    def __init__(self, size: int):
        self.size, self.position = size, 0
        self.types, self.languages = np.empty(size, np.uint8), np.empty(size, np.uint8)
        self.buffer = bytearray()
        self.texts: dict[str, TextColumn] = {}
        self.numbers: dict[str, np.ndarray] = {}

    def add(self, nodes: NodeTable) -> None:
        """Appends the nodes of a table."""
        start, stop = self.position, self.position + len(nodes.types)
        self.types[start:stop], self.languages[start:stop] = nodes.types, nodes.languages
        rows = iter(nodes.columns)
        for name in nodes.texts:
            if name not in self.texts:
                self.texts[name] = TextColumn.absent(self.size)
            column, starts, lengths = self.texts[name], next(rows), next(rows)
            np.add(starts, len(self.buffer), out=column.starts[start:stop])
            column.lengths[start:stop] = lengths
        for name in nodes.numbers:
            if name not in self.numbers:
                self.numbers[name] = np.full(self.size, NO_NUMBER, np.int32)
            self.numbers[name][start:stop] = next(rows)
        self.buffer += nodes.buffer
        self.position = stop


def _pieces(name: str, parts: Mapping[str, FilePart], layout: _Layout) -> Iterator[NodeTable]:
    """Tables of all nodes in order: folders that follow each other, then a file, and so on."""
    packages = _package_names(parts, layout)
    yield _folder_table(NodeType.REPO, {"name": name, "group_name": ""})
    for place, is_folder in layout.sequence:
        if is_folder:
            yield _folder_table(NodeType.PACKAGE, {"name": packages[place]})
        else:
            yield parts[place].nodes


def _folder_table(node_type: NodeType, fields: Mapping[str, str]) -> NodeTable:
    """A table of one node that has no text."""
    values = [value.encode("utf-8", "surrogatepass") for value in fields.values()]
    lengths = [len(value) for value in values]
    columns = np.array([(sum(lengths[:i]), length) for i, length in enumerate(lengths)], np.int32).reshape(-1, 1)
    language = LANGUAGE_CODES[spelled_language(node_type, {})]
    return NodeTable(
        np.array([NODE_CODES[node_type]], np.uint8),
        np.array([language], np.uint8),
        b"".join(values),
        tuple(fields),
        (),
        columns,
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
    above = np.array(layout.parents, np.int64).reshape(-1, 2)
    yield np.full(len(above), contains, np.uint8), above[:, 0], above[:, 1]
    for path, part in parts.items():
        if len(part.parents) > 1:
            inside = np.arange(1, len(part.parents)) + layout.bases[path]
            yield np.full(len(inside), contains, np.uint8), part.parents[1:] + np.int64(layout.bases[path]), inside
    for table in tables:
        if not len(table.codes):
            continue
        owned = [parts[path] for path in table.paths]
        ids = [
            layout.bases[path] + (np.arange(len(part.parents)) if part.ranks is None else part.ranks.astype(np.int64))
            for path, part in zip(table.paths, owned, strict=True)
        ]
        starts = np.concatenate([[0], np.cumsum([len(each) for each in ids])])
        flat, ends = np.concatenate(ids), table.ends
        yield table.codes, flat[starts[ends[:, 0]] + ends[:, 1]], flat[starts[ends[:, 2]] + ends[:, 3]]
