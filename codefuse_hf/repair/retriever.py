"""The second stage: the part of the code graph that an issue is about, within a budget.

Anchors are nodes that the rewriter's names match (RapidFuzz), that its queries find in an index, and that the ranking without a
language model names. From them the graph is expanded as CGM was trained (arXiv 2505.16901): two hops through files, the
containers up to the repository, and all that lies in the files.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING

from codefuse_hf.graph import CodeGraph, NodeType

from ..graph.build.test_paths import is_test
from .locate import Ranking
from .records import Record
from .rewriter import Rewriting

if TYPE_CHECKING:
    from codefuse_hf.search import CodeIndex

MAX_FILES = 60
_FUNCTIONS = (NodeType.FUNCTION, NodeType.METHOD)


@dataclass(frozen=True)
class Anchor(Record):
    """A node that the subgraph grows from, and why."""

    node_id: int
    name: str
    path: str
    why: str


@dataclass(frozen=True)
class Retrieval(Record):
    """The part of a graph that an issue is about.

    Attributes:
        anchors: where it grew from, the ranking's first.
        files: paths of the source files in it, the likeliest first.
        node_ids: its nodes, in the graph's order.
        left_out: how many further files the expansion reached that did not fit.
    """

    anchors: tuple[Anchor, ...] = ()
    files: tuple[str, ...] = ()
    node_ids: tuple[int, ...] = ()
    left_out: int = 0

    def subgraph(self, graph: CodeGraph) -> CodeGraph:
        """Cut the retrieved nodes out of their graph, as a graph."""
        return graph.subgraph(self.node_ids)

    @property
    def anchor_ids(self) -> list[int]:
        """The anchors that are in the subgraph."""
        inside = set(self.node_ids)
        return [anchor.node_id for anchor in self.anchors if anchor.node_id in inside]


class Retriever:
    """Finds the part of one graph for any number of issues.

    Args:
        graph: of the repository.
        index: the repository's index (`codefuse-hf index`), if there is one.
        max_files: of the subgraph.
        per_name: nodes that each name or keyword matches.
        per_query: nodes that each query finds.
        ranked: files and units of the ranking that are anchors.
    """

    def __init__(
        self, graph: CodeGraph, *, index: "CodeIndex | None" = None, max_files: int = MAX_FILES, per_name: int = 3,
        per_query: int = 15, ranked: int = 10,
    ) -> None:  # fmt: skip
        if max_files < 1:
            raise ValueError(f"max_files must be 1 or more, found {max_files}")
        self.graph, self.index, self.max_files = graph, index, max_files
        self.per_name, self.per_query, self.ranked = per_name, per_query, ranked

    def retrieve(self, ranking: Ranking, rewriting: Rewriting | None = None) -> Retrieval:
        """Find the part that an issue is about.

        Args:
            ranking: of the same graph for the issue, see `Locator`.
            rewriting: of the issue; None: the ranking alone counts.
        """
        rewriting = rewriting or Rewriting()
        names = [*rewriting.entities, *rewriting.keywords]
        sources = [
            list(self._of_ranking(ranking)),
            [anchor for name in names for anchor in self.matches(name)],
            [anchor for query in rewriting.queries for anchor in self.found(query)],
        ]
        anchors = {anchor.node_id: anchor for source in reversed(sources) for anchor in reversed(source)}
        ordered = [anchors[node_id] for node_id in dict.fromkeys(each.node_id for source in sources for each in source)]
        reached = self._reached(ordered)
        files = self._ordered_files(ranking, sources, reached)
        kept = files[: self.max_files]
        nodes = self.graph.with_containers([self._files[path] for path in kept]) if kept else []
        node_ids = self.graph.file_closure(nodes) if nodes else []
        return Retrieval(tuple(ordered), tuple(kept), tuple(node_ids), len(files) - len(kept))

    def matches(self, name: str) -> list[Anchor]:
        """Find the nodes whose names are most like a name; for one with "/" also the files whose paths are.

        By RapidFuzz's WRatio, case-sensitive, ties in node order; a blank name matches nothing.
        """
        from rapidfuzz import fuzz, process

        if not name.strip():
            return []
        tables = [self._names] + [self._paths] * ("/" in name)
        return [
            self._anchor(ids[position], f"is like {name!r} ({score:.0f} of 100)")
            for ids, texts in tables
            for _, score, position in process.extract(name, texts, scorer=fuzz.WRatio, limit=self.per_name)
        ]

    def found(self, query: str) -> list[Anchor]:
        """Find the nodes that the search index gives for a query; none without an index."""
        if self.index is None or not query.strip():
            return []
        anchors = []
        for result in self.index.search(query, self.per_query):
            node_id = self._node_at(result.path, result.name, result.line)
            if node_id is not None:
                anchors.append(self._anchor(node_id, f"is found for {query[:60]!r}"))
        return anchors

    def _of_ranking(self, ranking: Ranking) -> Iterator[Anchor]:
        for file in ranking.files[: self.ranked]:
            if file.path in self._files:
                yield self._anchor(self._files[file.path], "is among the likeliest files")
        for unit in ranking.units[: self.ranked]:
            if unit.node_id in self.graph:
                yield self._anchor(unit.node_id, "is among the likeliest functions and classes")

    def _reached(self, anchors: Sequence[Anchor]) -> list[str]:
        """The files that the expansion reaches, those with the most nodes first."""
        if not anchors:
            return []
        nodes = self.graph.expand([anchor.node_id for anchor in anchors], 2, through=NodeType.FILE)
        reached = Counter(self.graph[file].file_path for file in map(self.graph.file_of, nodes) if file is not None)
        return [path for path, _ in sorted(reached.items(), key=lambda pair: (-pair[1], pair[0]))]

    def _ordered_files(self, ranking: Ranking, sources: list[list[Anchor]], reached: list[str]) -> list[str]:
        """One order of all files: names and queries take turns with the ranking, which begins and has every second turn; what only the graph
        reaches comes last."""
        ranked = [file.path for file in ranking.files]
        named, found = (list(dict.fromkeys(each.path for each in source)) for source in sources[1:])
        turns = [
            path for turn in zip_longest(ranked[::2], named, ranked[1::2], found) for path in turn if path is not None
        ]
        return [path for path in dict.fromkeys([*turns, *reached]) if path in self._files and not is_test(path)]

    def _anchor(self, node_id: int, why: str) -> Anchor:
        node = self.graph[node_id]
        return Anchor(node_id, node.qualified_name, node.file_path or "", why)

    def _node_at(self, path: str, name: str, line: int) -> int | None:
        """The node of what an index found: by its line, else by its name, since an index may be of yesterday; else the file."""
        file = self._files.get(path)
        if file is None:
            return None
        inside = self._definitions.get(path, {})
        return inside.get((name.rpartition(".")[2], line), inside.get((name.rpartition(".")[2], 0), file))

    @cached_property
    def _files(self) -> dict[str, int]:
        return {node.file_path: node.id for node in self.graph.nodes(NodeType.FILE)}

    @cached_property
    def _definitions(self) -> dict[str, dict[tuple[str, int], int]]:
        """Path → (name, line) → node; line 0 is the first of the name."""
        found: dict[str, dict[tuple[str, int], int]] = {}
        for node in self.graph.nodes(NodeType.CLASS, *_FUNCTIONS):
            inside = found.setdefault(node.file_path or "", {})
            inside[(node.name or "", node.start_line or 0)] = node.id
            inside.setdefault((node.name or "", 0), node.id)
        return found

    @cached_property
    def _names(self) -> tuple[list[int], list[str]]:
        named = [(node.id, node.name) for node in self.graph.nodes() if node.type is not NodeType.REPO and node.name]
        return [each[0] for each in named], [each[1] for each in named]

    @cached_property
    def _paths(self) -> tuple[list[int], list[str]]:
        return list(self._files.values()), list(self._files)
