"""Reads node and edge records, one at a time, into the compact arrays of a `CodeGraph`."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codefuse_hf.graph.arrays import (
    EXTRA,
    LANGUAGE_CODES,
    NO_NUMBER,
    GraphArrays,
    IdIndex,
    as_json,
    shown,
    unique_edges,
)
from codefuse_hf.graph.languages import language_of_path
from codefuse_hf.graph.schema import (
    EDGE_CODES,
    FIELDS,
    ID_KEYS,
    NODE_CODES,
    EdgeType,
    Field,
    FieldKind,
    Language,
    NodeType,
)
from codefuse_hf.graph.text_store import TextWriter

_ID_RANGE = range(-(2**63), 2**63)


@dataclass(slots=True)
class _Plan:
    """How records of one node type are read: text first, because the other fields may be slices of it."""

    code: int
    type: NodeType
    fields: tuple[Field, ...]
    known_keys: frozenset[str]
    has_spelling: bool
    language: Language | None


def spelled_language(node_type: NodeType, record: Mapping[str, Any]) -> Language | None:
    """Tells the language of a record that lies in no file: a file's by its suffix, else by whose spelling it has."""
    if node_type is NodeType.FILE:
        name = next((record[key] for key in _FILE_NAMES if record.get(key)), None)
        if isinstance(name, str) and (found := language_of_path(name) or language_of_path(name.lower())):
            return Language(found)
    return next((each for each in Language if each.description.speaks(node_type, record)), None)


_FILE_NAMES = next(field.keys for field in FIELDS[NodeType.FILE] if field.column == "name")


def _plan(node_type: NodeType) -> _Plan:
    fields = FIELDS[node_type]
    known = frozenset({"nodeType", *ID_KEYS, *(key for each in fields for key in each.keys)})
    ordered = tuple(sorted(fields, key=lambda each: each.column != "text"))
    has_spelling = node_type in (NodeType.FILE, NodeType.CLASS)  # the others have one language, or none
    return _Plan(NODE_CODES[node_type], node_type, ordered, known, has_spelling, spelled_language(node_type, {}))


_PLANS: dict[NodeType, _Plan] = {node_type: _plan(node_type) for node_type in NodeType}


def read_id(value: Any, what: str) -> int:
    """Reads a node id: a whole number of 64 bits, or its decimal digits. ValueError naming `what` for anything else."""
    if type(value) is int and value in _ID_RANGE:
        return value
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and int(value) in _ID_RANGE:
        return int(value)
    if isinstance(value, float) and value.is_integer() and int(value) in _ID_RANGE:
        return int(value)
    if isinstance(value, np.integer) and int(value) in _ID_RANGE:
        return int(value)
    raise ValueError(f"{what} must be a whole number of at most 64 bits, found {shown(value)}")


@dataclass(slots=True)
class GraphAssembler:
    """Collects nodes and edges, in any order of the two, and turns them into `GraphArrays`.

    Memory is that of the result plus the ids of the edges: no record is kept.
    """

    _ids: array = field(default_factory=lambda: array("q"))
    _types: array = field(default_factory=lambda: array("B"))
    _languages: array = field(default_factory=lambda: array("B"))
    _texts: TextWriter = field(default_factory=TextWriter)
    _numbers: dict[str, tuple[array, array]] = field(default_factory=dict)
    _edges: tuple[array, array, array] = field(default_factory=lambda: (array("B"), array("q"), array("q")))

    def add_node(self, record: Mapping[str, Any]) -> None:
        """Adds one node record. ValueError, naming the node, for what the schema does not allow."""
        index = len(self._ids)
        try:
            plan, node_id = self._plan_and_id(record)
        except ValueError as error:
            raise ValueError(f"nodes[{index}]{error}") from None
        self._ids.append(node_id)
        self._types.append(plan.code)
        language = spelled_language(plan.type, record) if plan.has_spelling else plan.language
        self._languages.append(LANGUAGE_CODES[language])
        self._add_fields(index, plan, record)

    @staticmethod
    def _plan_and_id(record: Mapping[str, Any]) -> tuple[_Plan, int]:
        """How to read a record, and its id; the message of a ValueError goes on after the node's place."""
        if type(record) is not dict and not isinstance(record, Mapping):
            raise ValueError(f" must be an object with nodeType and id, found {shown(record)}")
        if (name := record.get("nodeType")) is None:
            raise ValueError(f" has no 'nodeType' (its keys: {', '.join(map(str, record)) or 'none'})")
        try:
            plan = _PLANS[name]
        except (KeyError, TypeError):
            try:
                plan = _PLANS[NodeType.parse(name)]
            except ValueError as error:
                raise ValueError(f": {error}") from None
        for key in ID_KEYS:
            if (value := record.get(key)) is not None:
                break
        else:
            raise ValueError(f" ({plan.type}) has no 'id' and no 'nodeId'")
        return plan, value if type(value) is int and -(2**63) <= value < 2**63 else read_id(
            value, f" ({plan.type}): {key!r}"
        )

    def _add_fields(self, index: int, plan: _Plan, record: Mapping[str, Any]) -> None:
        texts = self._texts
        texts.begin_node()
        for each in plan.fields:
            for key in each.keys:
                value = record.get(key)
                if value is not None:
                    break
            else:
                continue
            if each.kind is FieldKind.TEXT:
                if type(value) is not str and not isinstance(value, str):
                    raise ValueError(f"nodes[{index}] ({plan.type}): {key!r} must be text, found {shown(value)}")
                if each.column != "text":
                    texts.add(index, each.column, value)
                elif plan.type is NodeType.FILE:
                    texts.add_file_text(index, each.column, value)
                else:
                    texts.add_body(index, each.column, value)
            elif each.kind is FieldKind.NUMBER:
                self._add_number(index, each.column, value, f"nodes[{index}] ({plan.type}): {key!r}")
            else:
                texts.add(index, each.column, as_json(value))
        if not record.keys() <= plan.known_keys:
            extra = {key: value for key, value in record.items() if key not in plan.known_keys and value is not None}
            if extra:
                texts.add(index, EXTRA, as_json(extra))

    def _add_number(self, index: int, column: str, value: Any, what: str) -> None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        is_whole = type(value) is int or (isinstance(value, int | np.integer) and not isinstance(value, bool))
        if not is_whole or not NO_NUMBER < value < 2**31:
            raise ValueError(f"{what} must be a whole number, found {shown(value)}")
        if (arrays := self._numbers.get(column)) is None:
            arrays = self._numbers[column] = (array("i"), array("i"))
        arrays[0].append(index)
        arrays[1].append(value)

    def add_edge(self, edge_type: str, source: Any, target: Any) -> None:
        """Adds one edge. ValueError, naming the edge, for an unknown type or an end that is no id."""
        types, sources, targets = self._edges
        try:
            code = EDGE_CODES[EdgeType.parse(edge_type)]
        except ValueError as error:
            raise ValueError(f"edges[{len(types)}]: {error}") from None
        if type(source) is not int or source not in _ID_RANGE:
            source = read_id(source, f"the source of edges[{len(types)}]")
        if type(target) is not int or target not in _ID_RANGE:
            target = read_id(target, f"the target of edges[{len(types)}]")
        types.append(code)
        sources.append(source)
        targets.append(target)

    def add_edges(self, edges: Iterable[Any]) -> None:
        """Adds edges given as `(edgeType, source, target)` or as records with these keys."""
        for edge in edges:
            if type(edge) is tuple and len(edge) == 3:
                self.add_edge(*edge)
            elif isinstance(edge, Mapping):
                missing = [key for key in ("edgeType", "source", "target") if edge.get(key) is None]
                if missing:
                    raise ValueError(f"edges[{len(self._edges[0])}] has no {missing[0]!r}: found {shown(dict(edge))}")
                self.add_edge(edge["edgeType"], edge["source"], edge["target"])
            elif isinstance(edge, tuple | list) and len(edge) == 3:
                self.add_edge(*edge)
            else:
                expected = "(edgeType, source, target)"
                raise ValueError(f"edges[{len(self._edges[0])}] must be {expected}, found {shown(edge)}")

    def finish(self) -> GraphArrays:
        """Makes the arrays of the graph. Edges without both ends are dropped and counted; the assembler is spent."""
        size = len(self._ids)
        numbers = {}
        for name, (indices, values) in self._numbers.items():
            column = numbers[name] = np.full(size, NO_NUMBER, np.int32)
            column[np.frombuffer(indices, np.int32)] = np.frombuffer(values, np.int32)
        ids = np.array(self._ids, np.int64)
        edge_types, sources, targets = (np.array(part) for part in self._edges)
        index = IdIndex(ids)
        sources, targets = index.positions(sources), index.positions(targets)
        kept = (sources >= 0) & (targets >= 0)
        sources, targets, edge_types = unique_edges(sources[kept], targets[kept], edge_types[kept], size)
        return GraphArrays(
            ids=ids,
            types=np.array(self._types, np.uint8),
            languages=np.array(self._languages, np.uint8),
            buffer=self._texts.buffer,
            texts=self._texts.finish(size),
            numbers=numbers,
            sources=sources,
            targets=targets,
            edge_types=edge_types,
            dropped_edges=int(len(kept) - kept.sum()),
        )
