"""`CodeGraph`: the code graph of a repository in compact arrays, with the queries that people and CGM ask of it.

No Python object is kept per node or edge: a graph of a million nodes is some arrays and one buffer of text. `Node` is a
view that is made when it is asked for. Methods take ids or nodes and return ids, in node order.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codefuse_hf.graph.adjacency import Adjacency, containment_parents, edge_type_mask, nearest_container, reach
from codefuse_hf.graph.arrays import EXTRA, LANGUAGES, NO_NUMBER, GraphArrays, IdIndex, unique_edges
from codefuse_hf.graph.formats.records import GraphAssembler
from codefuse_hf.graph.naming import file_path, files_at, name_index, named, qualified_name
from codefuse_hf.graph.node import Node
from codefuse_hf.graph.schema import (
    EDGE_TYPES,
    FIELDS,
    NODE_CODES,
    NODE_TYPES,
    Diagnostic,
    EdgeType,
    FieldKind,
    NodeType,
)
from codefuse_hf.graph.text_store import compact, concatenate, read_text

if TYPE_CHECKING:
    import datasets
    import networkx

DIRECTIONS = ("out", "in", "both")


class CodeGraph:
    """A code graph: typed nodes with their fields, and typed directed edges.

    Make one with `build_code_graph` (from source), `CodeGraph.load` (from a JSON file), or `CodeGraph.from_records`.

    Attributes:
        arrays: the content, see `GraphArrays`; to be read, not changed.
        diagnostics: the problems met while the graph was built, as a list of `Diagnostic`.
    """

    __hash__ = None  # a container that compares by content

    def __init__(self, arrays: GraphArrays, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.arrays = arrays
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        self._collapse_duplicates()
        self._settle_languages()

    # ------------------------------------------------------------------ making

    @classmethod
    def from_records(
        cls,
        nodes: Iterable[Mapping[str, Any]],
        edges: Iterable[tuple[str, int, int] | Mapping[str, Any]] = (),
        diagnostics: Iterable[Diagnostic] = (),
    ) -> "CodeGraph":
        """Makes a graph from JSON-like node records and edges `(edgeType, source, target)` or records with these keys.

        Records are read one by one and not kept, so generators keep memory low. Nodes in pre-order (a file directly
        before what it contains) are stored most compactly. Edges without both ends are dropped and counted in
        `dropped_edges`; repeated edges and repeated equal nodes collapse. ValueError for anything outside the schema
        and for two different nodes with one id.
        """
        assembler = GraphAssembler()
        for record in nodes:
            assembler.add_node(record)
        assembler.add_edges(edges)
        return cls(assembler.finish(), diagnostics)

    @classmethod
    def load(cls, path: str | PathLike) -> "CodeGraph":
        """Reads a graph from a `.json` or `.json.gz` file, or from a folder of rows that `formats.tables.save_rows` wrote.

        Raises:
            OSError: nothing is there, or it cannot be read.
            ValueError: it holds no graph; the message names the file and the place.
        """
        from codefuse_hf.graph.formats import json, tables

        if Path(path).is_dir():
            return cls.from_dataset(tables.read_rows(path))
        return cls(*json.load(path))

    def save(self, path: str | PathLike) -> None:
        """Writes the graph to a `.json` or `.json.gz` file: the same bytes for the same graph."""
        from codefuse_hf.graph.formats import json

        json.save(self, path)

    def to_json(self) -> str:
        """Writes the graph in the JSON form of the schema, one node or edge a line."""
        from codefuse_hf.graph.formats import json

        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "CodeGraph":
        """Reads a graph from JSON text, see `formats.json.loads`."""
        from codefuse_hf.graph.formats import json

        return cls(*json.loads(text))

    def to_networkx(self, *, text: bool = True) -> "networkx.MultiDiGraph":
        """Makes the graph as a `networkx.MultiDiGraph`, see `formats.networkx.to_networkx`."""
        from codefuse_hf.graph.formats import networkx

        return networkx.to_networkx(self, text=text)

    def to_dataset(self) -> "datasets.DatasetDict":
        """Makes the graph as Hugging Face data sets `nodes`, `edges` and, if there are some, `diagnostics`, see `formats.tables.to_dataset`."""
        from codefuse_hf.graph.formats import tables

        return tables.to_dataset(self)

    @classmethod
    def from_networkx(cls, graph: "networkx.DiGraph | networkx.MultiDiGraph") -> "CodeGraph":
        """Makes a code graph from a directed networkx graph whose nodes are whole numbers and carry `nodeType` and other fields.

        An edge's type is its attribute `edgeType`, or else its key. ValueError for what the schema does not allow.
        """
        from codefuse_hf.graph.formats import networkx

        return cls.from_records(*networkx.read_networkx(graph))

    @classmethod
    def from_dataset(cls, tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> "CodeGraph":
        """Makes the graph of data sets (or any iterables of rows) under the names `nodes`, `edges` and, if there, `diagnostics`, see `to_dataset`.

        Columns may be missing or in any order, and spelled as any reader of the schema accepts; null means absent.
        """
        from codefuse_hf.graph.formats.tables import read_tables

        return cls.from_records(*read_tables(tables))

    def _collapse_duplicates(self) -> None:
        """Keeps the first of nodes that are the same in every field; ValueError where two differ."""
        ids, first, inverse = np.unique(self.arrays.ids, return_index=True, return_inverse=True)
        if len(ids) == len(self.arrays.ids):
            return
        keeper = first[inverse]
        for index in np.flatnonzero(keeper != np.arange(len(keeper))).tolist():
            if self._record(index, spelled=False) != self._record(int(keeper[index]), spelled=False):
                node_id = int(self.arrays.ids[index])
                raise ValueError(f"two different nodes have the id {node_id} (nodes[{keeper[index]}], nodes[{index}])")
        dropped = self.arrays.dropped_edges
        self.arrays = self._taken(np.sort(first)).arrays
        self.arrays.dropped_edges = dropped

    def _settle_languages(self) -> None:
        """The file that contains a node decides its language: the same Class is spelled differently in the two."""
        arrays = self.arrays
        files = self._nearest_file
        in_code = (files >= 0) & (
            arrays.types[files] == NODE_CODES[NodeType.FILE]
        )  # a Textfile has no language to give
        inside = np.flatnonzero(in_code & (files != np.arange(len(files))))
        arrays.languages[inside] = arrays.languages[files[inside]]

    # ------------------------------------------------------------------ looking

    @property
    def num_nodes(self) -> int:
        """How many nodes there are."""
        return len(self.arrays.ids)

    @property
    def num_edges(self) -> int:
        """How many edges there are, each (type, source, target) counted once."""
        return len(self.arrays.sources)

    @property
    def dropped_edges(self) -> int:
        """How many edges of the input were left out because they had an end that is no node."""
        return self.arrays.dropped_edges

    @property
    def node_ids(self) -> np.ndarray:
        """int64 [num_nodes]: the ids in node order."""
        return self.arrays.ids

    def edge_index(self, edge_types: str | Iterable[str] | None = None) -> np.ndarray:
        """Gives the positions (not ids) of sources and targets, int64 [2, num_edges], of all or the named edge types."""
        edges = np.stack([self.arrays.sources, self.arrays.targets]).astype(np.int64)
        mask = edge_type_mask(edge_types)
        return edges if mask is None else edges[:, mask[self.arrays.edge_types]]

    def counts(self) -> dict[str, dict[str, int]]:
        """Counts nodes and edges by type: `{"nodes": {type: count}, "edges": {type: count}}`, types that occur only, in schema order."""
        nodes, edges = Counter(self.arrays.types.tolist()), Counter(self.arrays.edge_types.tolist())
        return {
            "nodes": {str(t): nodes[code] for code, t in enumerate(NODE_TYPES) if nodes[code]},
            "edges": {str(t): edges[code] for code, t in enumerate(EDGE_TYPES) if edges[code]},
        }

    def __len__(self) -> int:
        return self.num_nodes

    def __contains__(self, node: object) -> bool:
        if isinstance(node, Node):
            return node._graph is self
        is_id = isinstance(node, int | np.integer) and not isinstance(node, bool) and -(2**63) <= node < 2**63
        return is_id and bool(self._positions([int(node)], check=False)[0] >= 0)

    def __getitem__(self, node_id: int) -> Node:
        return Node(self, int(self._positions(node_id)[0]))

    def __repr__(self) -> str:
        return f"CodeGraph(num_nodes={self.num_nodes}, num_edges={self.num_edges})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeGraph):
            return NotImplemented
        mine, theirs = self.arrays, other.arrays
        arrays = ("ids", "types", "languages", "sources", "targets", "edge_types")
        if not all(np.array_equal(getattr(mine, name), getattr(theirs, name)) for name in arrays):
            return False
        return all(self._record(index) == other._record(index) for index in range(self.num_nodes))

    def nodes(self, *types: str) -> Iterator[Node]:
        """Lists the nodes, or those of the given types, in node order."""
        for index in self._of_types(types).tolist():
            yield Node(self, index)

    def edges(self, *types: str) -> Iterator[tuple[EdgeType, int, int]]:
        """Lists edges, or those of the given types, as `(type, source id, target id)`, sorted by source, type, target."""
        arrays = self.arrays
        mask = edge_type_mask(types or None)
        chosen = slice(None) if mask is None else mask[arrays.edge_types]
        sources, targets = arrays.ids[arrays.sources[chosen]], arrays.ids[arrays.targets[chosen]]
        codes = arrays.edge_types[chosen]
        for code, source, target in zip(codes.tolist(), sources.tolist(), targets.tolist(), strict=True):
            yield EDGE_TYPES[code], source, target

    def records(self) -> Iterator[dict[str, Any]]:
        """Lists the nodes as JSON records, in node order."""
        return map(self._record, range(self.num_nodes))

    def sentences(self, repo_name: str | None = None) -> Iterator[str]:
        """Writes the texts of the nodes that CGM reads, in node order, see `cgm.sentences.node_sentences`."""
        from codefuse_hf.graph.cgm.sentences import node_sentences

        return node_sentences(self, repo_name=repo_name)

    def find(
        self, name: str | None = None, *, path: str | None = None, types: str | Iterable[str] | None = None
    ) -> list[int]:
        """Finds the nodes with a name, in the files with a path, of the given types: each condition may be left out.

        `name` is a simple name (`run`), the end of a dotted name (`Engine.run`, `src.core.engine`), a method's signature
        (`Engine#run(int)`) or a pattern of either with `*`, `?`, `[…]` (`Engine.*`). `path` is the path of a file, a folder (for all the files
        below it), or a pattern. With a path alone the files themselves are found; with a name, what lies inside them.
        """
        if name is None and path is None and types is None:
            raise ValueError("find needs a name, a path or types")
        chosen = np.arange(self.num_nodes) if name is None else named(self, name)
        if path is not None:
            files = files_at(self, path)
            chosen = files if name is None and types is None else chosen[np.isin(self._nearest_file[chosen], files)]
        if types is not None:
            wanted = [types] if isinstance(types, str) else list(types)
            chosen = chosen[np.isin(self.arrays.types[chosen], [NODE_CODES[NodeType.parse(t)] for t in wanted])]
        return self.arrays.ids[chosen].tolist()

    def qualified_name(self, node: "int | Node") -> str:
        """Spells the dotted name: the file's path as a module's or the package's name, as the language has it, then the containers' names.

        A lambda is `<lambda>`; a text file is its path; a repository, package or module is its name.
        """
        return qualified_name(self, int(self._positions(node)[0]))

    # ------------------------------------------------------------------ walking

    def neighbors(
        self, node: "int | Node", edge_types: str | Iterable[str] | None = None, direction: str = "out"
    ) -> list[int]:
        """Finds the nodes at the other end of a node's edges, each once. `direction`: "out", "in" or "both"."""
        position = self._positions(node)
        mask = edge_type_mask(edge_types)
        found = [adjacency.of(position, mask) for adjacency in self._adjacencies(direction)]
        return self.arrays.ids[np.unique(np.concatenate(found))].tolist()

    def incident_edges(
        self, node: "int | Node", edge_types: str | Iterable[str] | None = None, direction: str = "both"
    ) -> list[tuple[EdgeType, int, int]]:
        """Lists a node's edges as `(type, source id, target id)`; a loop comes once."""
        index = int(self._positions(node)[0])
        mask = edge_type_mask(edge_types)
        ids, own = self.arrays.ids, int(self.arrays.ids[index])
        edges: dict[tuple[EdgeType, int, int], None] = {}
        for adjacency, outgoing in zip(self._adjacencies(direction), _outgoing(direction), strict=True):
            for entry in range(int(adjacency.pointers[index]), int(adjacency.pointers[index + 1])):
                code, other = adjacency.types[entry], int(ids[adjacency.neighbors[entry]])
                if mask is None or mask[code]:
                    edges[(EDGE_TYPES[code], own, other) if outgoing else (EDGE_TYPES[code], other, own)] = None
        return list(edges)

    def expand(
        self,
        anchors: "int | Node | Iterable[int | Node]",
        hops: int = 1,
        *,
        edge_types: str | Iterable[str] | None = None,
        direction: str = "both",
        node_types: str | Iterable[str] | None = None,
        through: str | Iterable[str] | None = None,
    ) -> list[int]:
        """Finds the anchors and the nodes within `hops` edges of them.

        Args:
            edge_types, direction: the edges that are followed; all, both ways, by default.
            node_types: the nodes that may be reached; others are neither added nor passed.
            through: the nodes that a path may pass; others are added but not left again. Anchors are always left.
                CGM's expansion is `expand(anchors, 2, through="File")`.
        """
        if hops < 0:
            raise ValueError(f"hops must be 0 or more, found {hops}")
        adjacencies, mask = self._adjacencies(direction), edge_type_mask(edge_types)
        enter, leave = self._type_mask(node_types), self._type_mask(through)
        frontier = np.unique(self._positions(anchors))
        seen = np.zeros(self.num_nodes, bool)
        seen[frontier] = True
        for _ in range(hops):
            if len(frontier) == 0:
                break
            found = np.unique(np.concatenate([adjacency.of(frontier, mask) for adjacency in adjacencies]))
            found = found[~seen[found] & enter[self.arrays.types[found]]]
            seen[found] = True
            frontier = found[leave[self.arrays.types[found]]]
        return self.arrays.ids[seen].tolist()

    def containers(self, node: "int | Node") -> list[int]:
        """Lists the containers of a node, from the nearest up to the repository."""
        return self.arrays.ids[self._container_positions(int(self._positions(node)[0]))].tolist()

    def children(self, node: "int | Node") -> list[int]:
        """Lists the nodes that a node contains directly."""
        return self.neighbors(node, EdgeType.CONTAINS)

    def file_of(self, node: "int | Node") -> int | None:
        """Finds the File or Textfile that a node lies in (or is); None for a repository, package or module."""
        index = self._nearest_file[self._positions(node)[0]]
        return None if index < 0 else int(self.arrays.ids[index])

    def with_containers(self, nodes: "int | Node | Iterable[int | Node]") -> list[int]:
        """Finds the nodes and all their containers up to the repository, so that containment connects them."""
        chosen = np.zeros(self.num_nodes, bool)
        frontier = np.unique(self._positions(nodes))
        while len(frontier):
            chosen[frontier] = True
            above = np.unique(self._parents[frontier])
            above = above[above >= 0]
            frontier = above[~chosen[above]]
        return self.arrays.ids[chosen].tolist()

    def file_closure(self, nodes: "int | Node | Iterable[int | Node]") -> list[int]:
        """Finds the nodes, and everything that lies inside the files among them."""
        positions = self._positions(nodes)
        chosen = np.zeros(self.num_nodes, bool)
        chosen[positions] = True
        files = positions[self._type_mask((NodeType.FILE,))[self.arrays.types[positions]]]
        inside = reach(files, [self._outgoing], self.num_nodes, edge_type_mask(EdgeType.CONTAINS))
        return self.arrays.ids[chosen | inside].tolist()

    def cgm_nodes(self, anchors: "int | Node | Iterable[int | Node]", hops: int = 2) -> list[int]:
        """Chooses the nodes that CGM reads for some anchors: `hops` hops passing only through files, the containers of what was
        reached up to the repository, and everything inside the files among all these (arXiv 2505.16901)."""
        return self.file_closure(self.with_containers(self.expand(anchors, hops, through=NodeType.FILE)))

    # ------------------------------------------------------------------ deriving

    def subgraph(self, nodes: "int | Node | Iterable[int | Node]") -> "CodeGraph":
        """Cuts out the graph of some nodes and the edges between them, in the same order with the same ids; texts are copied."""
        return self._taken(np.unique(self._positions(nodes)))

    def merge(self, *others: "CodeGraph", renumber: bool = False) -> "CodeGraph":
        """Makes one graph of the nodes and edges of several.

        Nodes with the same id must be the same node, as in subgraphs of one graph, and become one. Graphs of different
        repositories number their nodes independently: with `renumber`, all ids are made new, 0 … n - 1 in order.
        """
        graphs = [self, *others]
        sizes = [graph.num_nodes for graph in graphs]
        shifts = np.cumsum([0, *sizes[:-1]]).tolist()
        parts = [graph.arrays for graph in graphs]
        ids = np.arange(sum(sizes)) if renumber else np.concatenate([part.ids for part in parts])
        buffer, texts = concatenate([(part.buffer, part.texts, n) for part, n in zip(parts, sizes, strict=True)])
        keeper = IdIndex(ids).positions(ids)  # edges between repeated nodes meet at the first of them
        sources, targets, edge_types = unique_edges(
            keeper[np.concatenate([part.sources + shift for part, shift in zip(parts, shifts, strict=True)])],
            keeper[np.concatenate([part.targets + shift for part, shift in zip(parts, shifts, strict=True)])],
            np.concatenate([part.edge_types for part in parts]),
            len(ids),
        )
        absent = [np.full(n, NO_NUMBER, np.int32) for n in sizes]
        arrays = GraphArrays(
            ids=ids,
            types=np.concatenate([part.types for part in parts]),
            languages=np.concatenate([part.languages for part in parts]),
            buffer=buffer,
            texts=texts,
            numbers={
                name: np.concatenate([part.numbers.get(name, none) for part, none in zip(parts, absent, strict=True)])
                for name in dict.fromkeys(name for part in parts for name in part.numbers)
            },
            sources=sources,
            targets=targets,
            edge_types=edge_types,
            dropped_edges=sum(part.dropped_edges for part in parts),
        )
        try:
            return CodeGraph(arrays, [each for graph in graphs for each in graph.diagnostics])
        except ValueError as error:
            raise ValueError(f"{error}: graphs of different repositories are merged with renumber=True") from None

    def _taken(self, chosen: np.ndarray) -> "CodeGraph":
        """The graph of the nodes at the sorted positions `chosen`."""
        arrays = self.arrays
        moved = np.full(self.num_nodes, -1, np.int64)
        moved[chosen] = np.arange(len(chosen))
        sources, targets = moved[arrays.sources], moved[arrays.targets]
        kept = (sources >= 0) & (targets >= 0)
        buffer, texts = compact(arrays.buffer, {name: column.take(chosen) for name, column in arrays.texts.items()})
        taken = GraphArrays(
            ids=arrays.ids[chosen],
            types=arrays.types[chosen],
            languages=arrays.languages[chosen],
            buffer=buffer,
            texts=texts,
            numbers={name: values[chosen] for name, values in arrays.numbers.items()},
            sources=sources[kept].astype(np.int32),
            targets=targets[kept].astype(np.int32),
            edge_types=arrays.edge_types[kept],
        )
        return CodeGraph(taken, self.diagnostics)

    # ------------------------------------------------------------------ inside

    @cached_property
    def _id_index(self) -> IdIndex:
        return IdIndex(self.arrays.ids)

    @cached_property
    def _outgoing(self) -> Adjacency:
        arrays = self.arrays
        return Adjacency.from_edges(arrays.sources, arrays.targets, arrays.edge_types, self.num_nodes)

    @cached_property
    def _incoming(self) -> Adjacency:
        arrays = self.arrays
        return Adjacency.from_edges(arrays.targets, arrays.sources, arrays.edge_types, self.num_nodes)

    @cached_property
    def _parents(self) -> np.ndarray:
        arrays = self.arrays
        return containment_parents(arrays.sources, arrays.targets, arrays.edge_types, self.num_nodes)

    @cached_property
    def _nearest_file(self) -> np.ndarray:
        return nearest_container(self._parents, self._type_mask((NodeType.FILE, NodeType.TEXTFILE))[self.arrays.types])

    @cached_property
    def _name_index(self) -> tuple[np.ndarray, np.ndarray]:
        return name_index(self)

    def _adjacencies(self, direction: str) -> list[Adjacency]:
        return [self._outgoing if outgoing else self._incoming for outgoing in _outgoing(direction)]

    def _positions(self, nodes: "int | Node | Iterable[int | Node]", check: bool = True) -> np.ndarray:
        if isinstance(nodes, Node) and nodes._graph is self:
            return np.array([nodes._index])
        if isinstance(nodes, Node | int | np.integer):
            nodes = [nodes]
        if isinstance(nodes, np.ndarray):
            wanted = nodes.astype(np.int64, casting="same_kind").ravel()
        else:
            wanted = np.array([node.id if isinstance(node, Node) else node for node in nodes], dtype=object)
            if not all(isinstance(each, int | np.integer) and not isinstance(each, bool) for each in wanted):
                raise TypeError(f"nodes are given by id or as Node, found {wanted[:3].tolist()!r}")
            outside = [each for each in wanted if not -(2**63) <= each < 2**63]
            if outside:
                raise ValueError(f"no node with id {outside[0]} in this graph: ids have 64 bits")
            wanted = wanted.astype(np.int64)
        found = self._id_index.positions(wanted)
        if check and (found < 0).any():
            missing = wanted[found < 0]
            raise ValueError(f"no node with id {missing[0]} in this graph of {self.num_nodes} nodes")
        return found

    def _of_types(self, types: Iterable[str]) -> np.ndarray:
        return np.flatnonzero(self._type_mask(tuple(types) or None)[self.arrays.types])

    def _type_mask(self, types: str | Iterable[str] | None) -> np.ndarray:
        """bool [len(NODE_TYPES)], True for the named types; all of them for None."""
        mask = np.full(len(NODE_TYPES), types is None)
        for each in [types] if isinstance(types, str) else types or ():
            mask[NODE_CODES[NodeType.parse(each)]] = True
        return mask

    def _text(self, column: str, index: int) -> str | None:
        found = self.arrays.texts.get(column)
        return None if found is None else read_text(self.arrays.buffer, found, index)

    def _number(self, column: str, index: int) -> int | None:
        found = self.arrays.numbers.get(column)
        return None if found is None or found[index] == NO_NUMBER else int(found[index])

    def _record(self, index: int, spelled: bool = True) -> dict[str, Any]:
        arrays = self.arrays
        node_type = NODE_TYPES[arrays.types[index]]
        language = LANGUAGES[arrays.languages[index]] if spelled else None
        record: dict[str, Any] = {"nodeType": node_type.value, "id": int(arrays.ids[index])}
        for field in FIELDS[node_type]:
            if field.kind is FieldKind.NUMBER:
                value = self._number(field.column, index)
            else:
                value = self._text(field.column, index)
                if value is not None and field.kind is FieldKind.JSON:
                    value = json.loads(value)
            if value is not None:
                record[field.key(language)] = value
        extra = self._text(EXTRA, index)
        return record if extra is None else {**record, **json.loads(extra)}

    def _container_positions(self, index: int) -> list[int]:
        chain: dict[int, None] = {}
        parent = int(self._parents[index])
        while parent >= 0 and parent != index and parent not in chain:  # faulty data may hold a cycle
            chain[parent] = None
            parent = int(self._parents[parent])
        return list(chain)

    def _path_of_file(self, index: int) -> str | None:
        file = int(self._nearest_file[index])
        return None if file < 0 else file_path(self, file)


def _outgoing(direction: str) -> tuple[bool, ...]:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, found {direction!r}")
    return {"out": (True,), "in": (False,), "both": (True, False)}[direction]


from_networkx = CodeGraph.from_networkx
from_dataset = CodeGraph.from_dataset
