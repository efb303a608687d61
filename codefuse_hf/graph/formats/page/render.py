"""One self-contained HTML page on which people look at a code graph.

The map is a nested treemap (containment), drawn on a canvas; the other edges are drawn over it, gathered into the
smallest rectangles that can be seen at the current zoom. The page needs no network and no library: script, style and
data are inside it, a content security policy allows nothing but that script, and the data reaches the document only as
text. Each file's source is stored once; the nodes inside it are shown as lines of it.
"""

import base64
import hashlib
import html
import json
import os
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from codefuse_hf.files import replacing
from codefuse_hf.graph.arrays import LANGUAGES
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.graph.formats.page.treemap import nested_treemap
from codefuse_hf.graph.node import Node
from codefuse_hf.graph.schema import EDGE_CODES, EDGE_TYPES, NODE_CODES, NODE_TYPES, EdgeType, NodeType

MAX_NODES = 20_000
"""Nodes on a page by default: more is slow to open and no easier to read."""
MAX_TEXT = 400_000
"""Characters of one text on a page; longer ones are cut, and say so."""
_DETAIL_FIRST = (  # what is left out first where there are too many nodes
    (NodeType.LAMBDA, NodeType.ATTRIBUTE, NodeType.FIELD),
    (NodeType.FUNCTION, NodeType.METHOD),
    (NodeType.TEXTFILE,),
    (NodeType.CLASS,),
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_HTML_SAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def save_page(
    graph: CodeGraph, path: str | os.PathLike, *, title: str | None = None, max_nodes: int = MAX_NODES
) -> dict[str, int]:
    """Writes the page of a graph to `path`; see `render_page`. Returns how many nodes of each type were left out."""
    page, left_out = render_page(graph, title=title, max_nodes=max_nodes)
    with replacing(path) as file:
        file.write(page.encode("utf-8", errors="replace"))
    return left_out


def render_page(
    graph: CodeGraph, *, title: str | None = None, max_nodes: int = MAX_NODES
) -> tuple[str, dict[str, int]]:
    """Renders the HTML of the page, and how many nodes of each type had to be left out to keep to `max_nodes`.

    Left out are first lambdas, attributes and fields, then functions, text files, classes: always whole levels of
    detail. Their edges are drawn at what contains them. ValueError when the files alone are too many.
    """
    kept, left_out = _choose_nodes(graph, max_nodes)
    tree = _Tree.of(graph, kept)
    title = title or _default_title(graph)
    payload = {
        "title": title,
        "leftOut": left_out,
        "diagnostics": len(graph.diagnostics),
        "droppedEdges": graph.dropped_edges,
        "nodeTypes": [each.value for each in NODE_TYPES],
        "edgeTypes": [each.value for each in EDGE_TYPES],
        "languages": _languages(graph),
        "nodes": _node_columns(graph, tree),
        "edges": _edge_columns(graph, tree),
    }
    data = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).translate(_HTML_SAFE)
    folder = resources.files(__package__)
    script, style, page = ((folder / name).read_text(encoding="utf-8") for name in ("page.js", "page.css", "page.html"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {"TITLE": html.escape(title), "DIGEST": digest, "STYLE": style, "SCRIPT": script, "DATA": data}
    pieces = page.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:  # in one pass: what is put in is not searched again
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled), left_out


def _default_title(graph: CodeGraph) -> str:
    repo = next(graph.nodes(NodeType.REPO), None)
    name = None if repo is None else repo.name or repo.path
    return name or "code graph"


def _choose_nodes(graph: CodeGraph, max_nodes: int) -> tuple[np.ndarray, dict[str, int]]:
    types = graph.arrays.types
    kept = np.ones(len(types), bool)
    left_out: dict[str, int] = {}
    for group in _DETAIL_FIRST:
        if kept.sum() <= max_nodes:
            break
        for node_type in group:
            dropped = kept & (types == NODE_CODES[node_type])
            if dropped.any():
                left_out[node_type.value] = int(dropped.sum())
                kept &= ~dropped
    if kept.sum() > max_nodes:
        raise ValueError(
            f"{int(kept.sum())} repository, package and file nodes do not fit on a page of {max_nodes}: "
            "show a part of the repository, or raise max_nodes"
        )
    return kept, left_out


@dataclass(slots=True)
class _Tree:
    """The nodes of the page in pre-order, row 0 the root. Graph positions are those of `CodeGraph`'s arrays.

    Attributes:
        positions: graph position per row, -1 for a root that was made up because the graph has several.
        parents: row of the container, -1 for the root. ends: one past the last row inside.
        rows: row per graph position; a node that was left out has its container's.
    """

    positions: list[int]
    parents: list[int]
    ends: list[int]
    rows: np.ndarray

    @classmethod
    def of(cls, graph: CodeGraph, kept: np.ndarray) -> "_Tree":
        parents = _acyclic(graph._parents)
        container = parents.copy()
        while (outside := (container >= 0) & ~kept[container]).any():  # hang what is kept under what is kept
            container[outside] = parents[container[outside]]
        children: dict[int, list[int]] = {}
        for node in np.flatnonzero(kept).tolist():
            children.setdefault(int(container[node]), []).append(node)
        roots = children.get(-1, [])
        made_up = len(roots) != 1
        tree = cls([-1] if made_up else [], [-1] if made_up else [], [], np.full(graph.num_nodes, -1, np.int64))
        tree._add(roots, children, 0 if made_up else -1)
        hidden = np.flatnonzero(~kept)
        tree.rows[hidden] = np.where(container[hidden] >= 0, tree.rows[container[hidden]], 0)
        return tree

    def _add(self, roots: list[int], children: dict[int, list[int]], top: int) -> None:
        stack = [(node, top) for node in reversed(roots)]
        while stack:
            node, parent = stack.pop()
            row = self.rows[node] = len(self.positions)
            self.positions.append(node)
            self.parents.append(parent)
            stack += [(child, int(row)) for child in reversed(children.get(node, []))]
        self.ends = list(range(1, len(self.positions) + 1))
        for row in range(len(self.positions) - 1, 0, -1):
            self.ends[self.parents[row]] = max(self.ends[self.parents[row]], self.ends[row])


def _acyclic(parents: np.ndarray) -> np.ndarray:
    """Parents without the cycles that faulty data may hold: one link of each is cut."""
    parents, state = parents.copy(), np.zeros(len(parents), np.int8)
    for start in np.flatnonzero(parents >= 0).tolist():
        node, walked = start, []
        while node >= 0 and state[node] == 0:
            state[node] = 1
            walked.append(node)
            node = int(parents[node])
        if node >= 0 and state[node] == 1:
            parents[walked[-1]] = -1
        state[walked] = 2
    return parents


def _languages(graph: CodeGraph) -> list[dict[str, Any]]:
    """How source in the graph's languages is coloured."""
    found = [LANGUAGES[code].description for code in np.unique(graph.arrays.languages).tolist() if LANGUAGES[code]]
    return [{"suffixes": each.suffixes, "keywords": each.keywords, "comment": each.comment} for each in found]


def _node_columns(graph: CodeGraph, tree: _Tree) -> dict[str, list]:
    """The nodes as columns, one value a row."""
    names, lines = _Names(graph), []
    columns: dict[str, list] = {
        key: [] for key in ("id", "type", "name", "qual", "path", "start", "end", "text", "note")
    }
    for position in tree.positions:
        row = names.row(position)
        lines.append(row.pop("lines"))
        for key, value in row.items():
            columns[key].append(value)
    boxes = nested_treemap(tree.parents, [float(count) ** 0.8 + 1.5 for count in lines])
    for index, key in enumerate(("x", "y", "w", "h")):
        columns[key] = [round(value, 3) for value in boxes[:, index].tolist()]
    return {**columns, "parent": tree.parents, "stop": tree.ends}


class _Names:
    """Makes the rows of nodes; remembers the lines of the file that it is in, to tell which nodes are lines of it."""

    def __init__(self, graph: CodeGraph) -> None:
        self.graph = graph
        self.file = -1
        self.lines: list[str] = []

    def row(self, position: int) -> dict[str, Any]:
        if position < 0:
            blank = dict.fromkeys(("name", "qual", "path", "note"), "")
            return {**blank, "id": -1, "type": -1, "start": 0, "end": 0, "text": None, "lines": 1}
        graph = self.graph
        node = Node(graph, position)
        text = node.text
        if node.type in (NodeType.FILE, NodeType.TEXTFILE):
            self.file, self.lines = position, _LINE_END.split((text or "")[:MAX_TEXT])
        start, end = node.start_line or 0, node.end_line or 0
        counted = end - start + 1 if 0 < start <= end else (text or "").count("\n") + 1
        is_slice = self._is_slice(position, text, start, end)
        if text is not None and len(text) > MAX_TEXT:
            text = text[:MAX_TEXT] + f"\n… cut: {len(text) - MAX_TEXT} more characters"
        comment = node.comment or ""
        return {
            "id": node.id,
            "type": int(graph.arrays.types[position]),
            "name": node.name or (node.path or "" if node.type is NodeType.REPO else ""),
            "qual": node.qualified_name,
            "path": node.file_path or "",
            "start": start,
            "end": end,
            "text": None if is_slice else text,
            "note": comment[:2000] if comment and not is_slice and comment not in (text or "") else "",
            "lines": max(counted, 1),
        }

    def _is_slice(self, position: int, text: str | None, start: int, end: int) -> bool:
        """Whether the lines start … end of the current file hold the node's text."""
        if text is None or not 0 < start <= end <= len(self.lines) or self.graph._nearest_file[position] != self.file:
            return False
        first = _LINE_END.split(text.lstrip(), maxsplit=1)[0]
        return bool(first) and first in self.lines[start - 1]


def _edge_columns(graph: CodeGraph, tree: _Tree) -> dict[str, list[int]]:
    """The edges as columns of rows, without containment (which the map shows) and without repeats."""
    arrays = graph.arrays
    crossing = arrays.edge_types != EDGE_CODES[EdgeType.CONTAINS]
    sources, targets = tree.rows[arrays.sources[crossing]], tree.rows[arrays.targets[crossing]]
    edges = np.unique(np.stack([arrays.edge_types[crossing], sources, targets]), axis=1)
    moved = (edges[1] != edges[2]) | np.isin(edges[1], tree.rows[arrays.sources[arrays.sources == arrays.targets]])
    kinds, sources, targets = edges[:, moved].tolist()
    return {"type": kinds, "source": sources, "target": targets}
