"""From a code graph to node tokens: reading it, choosing the nodes that fit, and a report of what was left out.

A graph is a `CodeGraph` of codefuse-hf (anything with `records()` and `edges()`), the published JSON form as a dictionary,
or a path to such a file. This reader needs nothing but the records, so that it works where codefuse-hf is not installed.
"""

import gzip
import json
import numbers
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .segments_cgm import GraphSegments, Tokenizer, cut_segments
from .sentences_cgm import SENTENCES, record_name, record_sentence, speaks_java

EDGE_TYPES = ("contains", "imports", "extends", "implements", "calls", "references")
_ID_KEYS = ("nodeId", "id")  # a node that has both is known by its `nodeId`, as in the published reader
_IDS = range(-(2**63), 2**63)
_OTHER_SUFFIXES = (".py", ".pyi", ".pyw")
TYPE_ORDER = (
    *("Repo", "Module", "Package", "File", "Class", "Function", "Method"),
    *("Attribute", "Field", "Lambda", "Textfile"),
)
"""Which nodes go first into a budget when no anchors say otherwise: containers before what they contain."""
_RANK = {node_type: rank for rank, node_type in enumerate(TYPE_ORDER)}


@dataclass(frozen=True)
class PlainGraph:
    """A graph as the processor needs it: n nodes in their order, e edges.

    Attributes:
        ids, types: n each. sentences: gives the n sentences, for the name of the repository or None.
        name: gives the short name of the node at a position, "" for none.
        edges: int64 [2, e], (source, target) positions. edge_types: e.
        dropped_edges: how many edges had an end that is no node.
    """

    ids: list[int]
    types: list[str]
    sentences: Callable[[str | None], Iterable[str]]
    name: Callable[[int], str]
    edges: np.ndarray
    edge_types: list[str]
    dropped_edges: int

    def edge_index(self, edge_types: Iterable[str] | None = None) -> np.ndarray:
        """Return int64 [2, edges]: positions of sources and targets, of all or the named edge types."""
        if edge_types is None:
            return self.edges
        chosen = {_edge_type(name) for name in ([edge_types] if isinstance(edge_types, str) else edge_types)}
        return self.edges[:, [edge_type in chosen for edge_type in self.edge_types]]


@dataclass(frozen=True)
class GraphReport:
    """What became of a graph's nodes.

    Attributes:
        kept, left_out: node ids; a node is kept whole or not at all.
        shortened: ids of kept nodes whose text was cut to `max_segments_per_node`.
        wordless: ids of nodes whose text has no tokens, which therefore have no node token.
        node_tokens: node tokens of the kept nodes.
        wanted: node tokens of all nodes.
        dropped_edges: edges of the input with an end that is no node.
        order: in words, which nodes went first.
    """

    kept: list[int]
    left_out: list[int]
    shortened: list[int]
    wordless: list[int]
    node_tokens: int
    wanted: int
    dropped_edges: int
    order: str = field(repr=False)

    def __str__(self) -> str:
        text = f"{self.node_tokens} node tokens of {len(self.kept)} nodes"
        if self.left_out:
            text += f"; {len(self.left_out)} nodes left out ({self.wanted} node tokens wanted), {self.order}"
        for name, ids in (("shortened", self.shortened), ("without tokens", self.wordless)):
            text += f"; {len(ids)} {name}" if ids else ""
        return text + (f"; {self.dropped_edges} edges without both ends dropped" if self.dropped_edges else "")


@dataclass(frozen=True)
class PreparedGraph:
    """The node tokens of a graph, made once for many texts.

    Attributes:
        segments: tokens and adjacency of the node tokens.
        names: type and name of each node token's node, for pictures (its id where it has no name).
        report: what was kept.
    """

    segments: GraphSegments
    names: list[str]
    report: GraphReport


def read_graph(graph: Any) -> PlainGraph:
    """Read a graph: a `CodeGraph`, its JSON as a dictionary, or the path of a JSON file (gzipped or not).

    Raises:
        OSError: the file cannot be read. ValueError: no graph, or something outside the schema; says where.
        TypeError: anything else.
    """
    if isinstance(graph, PlainGraph):
        return graph
    if isinstance(graph, str | os.PathLike):
        try:
            return read_graph(_load_json(Path(graph)))
        except ValueError as error:
            raise ValueError(f"{os.fspath(graph)}: {error}") from None
    if isinstance(graph, Mapping):
        nodes, edges = graph.get("nodes"), graph.get("edges", [])
        if not isinstance(nodes, Sequence) or not isinstance(edges, Sequence):
            raise ValueError("not a code graph: expected {'nodes': [...], 'edges': [...]}")
        return _from_records(nodes, edges)
    if all(hasattr(graph, name) for name in ("records", "edges", "sentences", "dropped_edges")):
        plain = _from_records(graph.records(), graph.edges())
        return replace(plain, sentences=graph.sentences, dropped_edges=graph.dropped_edges)
    raise TypeError(
        f"a graph must be a CodeGraph, a dictionary with 'nodes' and 'edges', or a path, found {_shown(graph)}"
    )


def _load_json(path: Path) -> Any:
    data = path.read_bytes()
    try:
        found = json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    except (EOFError, OSError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no JSON text ({error})") from None
    if not isinstance(found, dict):
        raise ValueError("not a code graph: expected an object {'nodes': [...], 'edges': [...]}")
    return found


def _from_records(nodes: Iterable[Any], edges: Iterable[Any]) -> PlainGraph:
    places: dict[int, int] = {}
    records: list[Mapping[str, Any]] = []
    types: list[str] = []
    for index, record in enumerate(nodes):
        if not isinstance(record, Mapping):
            raise ValueError(f"nodes[{index}] must be an object with nodeType and id, found {_shown(record)}")
        node_type = "Textfile" if record.get("nodeType") == "TextFile" else record.get("nodeType")
        if not isinstance(node_type, str) or node_type not in SENTENCES:
            known = ", ".join(SENTENCES)
            raise ValueError(f"nodes[{index}]: unknown node type {node_type!r}: expected one of {known}")
        key = next((key for key in _ID_KEYS if record.get(key) is not None), None)
        if key is None:
            raise ValueError(f"nodes[{index}] ({node_type}) has no 'id' and no 'nodeId'")
        node_id = _read_id(record[key], f"nodes[{index}]: {key!r}")
        if node_id in places:
            if records[places[node_id]] != record:
                raise ValueError(f"two different nodes have the id {node_id} (nodes[{index}] is the second)")
            continue
        places[node_id] = len(records)
        records.append(record)
        types.append(str(node_type))
    ends, edge_types, dropped = _read_edges(edges, places)
    java = _in_java(types, records, ends, edge_types)

    def sentences(repo_name: str | None) -> Iterable[str]:
        return (record_sentence(*each, repo_name) for each in zip(types, records, java, strict=True))

    def name(node: int) -> str:
        return record_name(types[node], records[node])

    return PlainGraph(list(places), types, sentences, name, ends, edge_types, dropped)


def _read_edges(edges: Iterable[Any], places: dict[int, int]) -> tuple[np.ndarray, list[str], int]:
    seen: dict[tuple[str, int, int], None] = {}
    dropped = 0
    for index, edge in enumerate(edges):
        try:
            kind, source, target = (
                (edge["edgeType"], edge["source"], edge["target"]) if isinstance(edge, Mapping) else edge
            )
            kind = _edge_type(kind)
            source, target = (_read_id(end, name) for end, name in ((source, "source"), (target, "target")))
        except KeyError as error:
            raise ValueError(f"edges[{index}] has no {error}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"edges[{index}]: {error}") from None
        if source in places and target in places:
            seen[kind, places[source], places[target]] = None
        else:
            dropped += 1
    ends = np.array([edge[1:] for edge in seen], np.int64).reshape(-1, 2).T
    return ends, [edge[0] for edge in seen], dropped


def _edge_type(value: Any) -> str:
    found = value.lower() if isinstance(value, str) else value
    if found not in EDGE_TYPES:
        raise ValueError(f"unknown edge type {value!r}: expected one of {', '.join(EDGE_TYPES)}")
    return str(found)


def _read_id(value: Any, what: str) -> int:
    """A node id: a whole number of 64 bits, or its decimal digits."""
    digits = isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit()
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if (digits or whole or (isinstance(value, float) and value.is_integer())) and int(value) in _IDS:
        return int(value)
    raise ValueError(f"{what} must be a whole number of at most 64 bits, found {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _in_java(
    types: list[str], records: list[Mapping[str, Any]], edges: np.ndarray, edge_types: list[str]
) -> list[bool]:
    """For each node, whether its sentence has Java's form: the file that contains it decides, else its own spelling."""
    java = []
    for node_type, record in zip(types, records, strict=True):
        name = next((record[key] for key in ("fileName", "name") if record.get(key)), "") if node_type == "File" else ""
        suffixed = isinstance(name, str) and name.lower().endswith((".java", *_OTHER_SUFFIXES))
        java.append(name.lower().endswith(".java") if suffixed else speaks_java(node_type, record))
    parents: dict[int, int] = {}
    for kind, source, target in zip(edge_types, *edges.tolist(), strict=True):
        if kind == "contains":
            parents.setdefault(target, source)
    for node, node_type in enumerate(types):
        if node_type != "Class":
            continue
        seen, at = {node}, parents.get(node)
        while at is not None and at not in seen and types[at] not in ("File", "Textfile"):
            seen.add(at)
            at = parents.get(at)
        if at is not None and types[at] == "File":
            java[node] = java[at]
    return java


def prepare_graph(
    graph: Any,
    tokenizer: Tokenizer,
    *,
    segment_length: int = 512,
    max_nodes: int | None = None,
    max_segments_per_node: int | None = None,
    edge_types: Iterable[str] | None = None,
    anchors: Iterable[int] = (),
    repo_name: str | None = None,
    when_full: str = "drop",
) -> PreparedGraph:
    """Read a graph, cut it into segments, and keep what fits into the budget.

    Nodes near `anchors` (ids) go first, by the number of edges on the way, in either direction; then, and without
    anchors from the start, containers before what they contain (`TYPE_ORDER`), in node order. A node that does not fit
    any more is passed over whole; smaller ones after it may still fit.

    Args:
        max_nodes: node tokens at most; None for no limit. when_full: "drop" what does not fit, or "error".
        Others as in `CGMProcessor`.

    Raises:
        ValueError: no graph, an anchor that is no node, or a graph beyond the budget with `when_full="error"`.
    """
    plain = read_graph(graph)
    edges = plain.edge_index(edge_types)
    segments = cut_segments(plain.sentences(repo_name), edges, tokenizer, segment_length)
    counts = np.diff(segments.node_offsets)
    shortened = np.zeros(len(counts), bool)
    if max_segments_per_node is not None and (counts > max_segments_per_node).any():
        shortened = counts > max_segments_per_node
        segments = cut_segments(plain.sentences(repo_name), edges, tokenizer, segment_length, max_segments_per_node)
        counts = np.diff(segments.node_offsets)
    wanted = int(counts.sum())
    if max_nodes is not None and wanted > max_nodes and when_full == "error":
        raise ValueError(
            f"the graph has {wanted} node tokens, `max_nodes` is {max_nodes}: take a subgraph (CodeGraph.subgraph), "
            'shorten long files with `max_segments_per_node`, or let when_full="drop" choose.'
        )
    anchors = list(anchors)
    order = _order(plain, anchors)
    kept = np.sort(_take_while_it_fits(order, counts, max_nodes))
    ids = np.array(plain.ids, object)
    chosen = np.zeros(len(counts), bool)
    chosen[kept] = True
    report = GraphReport(
        kept=list(ids[kept]),
        left_out=list(ids[~chosen]),
        shortened=list(ids[chosen & shortened]),
        wordless=list(ids[counts == 0]),
        node_tokens=int(counts[kept].sum()),
        wanted=wanted,
        dropped_edges=plain.dropped_edges,
        order=("the nodes nearest to the anchors went first, " if anchors else "")
        + "containers before what they contain, in node order",
    )
    names = [f"{plain.types[node]} {plain.name(node) or plain.ids[node]}" for node in kept]
    segments = segments.take(kept)
    return PreparedGraph(segments, [names[owner] for owner in segments.owners], report)


def _order(plain: PlainGraph, anchors: list[int]) -> np.ndarray:
    """Positions of nodes, the most wanted first."""
    ranks = np.array([_RANK[node_type] for node_type in plain.types], np.int64)
    distances = np.zeros(len(ranks), np.int64)
    if anchors:
        place = {node_id: index for index, node_id in enumerate(plain.ids)}
        unknown = [anchor for anchor in anchors if anchor not in place]
        if unknown:
            raise ValueError(f"anchors must be ids of nodes of the graph; not found: {unknown[:5]}")
        distances = _distances(plain.edges, len(ranks), [place[anchor] for anchor in anchors])
    return np.lexsort([np.arange(len(ranks)), ranks, distances])


def _distances(edges: np.ndarray, num_nodes: int, starts: list[int]) -> np.ndarray:
    """Edges on the shortest way from any of `starts`, in either direction; `num_nodes` where there is no way."""
    sources, targets = np.concatenate([edges, edges[::-1]], axis=1)
    distances = np.full(num_nodes, num_nodes, np.int64)
    reached = np.zeros(num_nodes, bool)
    reached[starts] = True
    distances[starts] = step = 0
    while reached.any():
        step += 1
        found = targets[reached[sources]]
        reached = np.zeros(num_nodes, bool)
        reached[found[distances[found] == num_nodes]] = True
        distances[reached] = step
    return distances


def _take_while_it_fits(order: np.ndarray, counts: np.ndarray, budget: int | None) -> np.ndarray:
    if budget is None or counts.sum() <= budget:
        return order
    taken = []
    for node in order.tolist():
        if counts[node] <= budget:
            taken.append(node)
            budget -= int(counts[node])
    return np.array(taken, np.int64)
