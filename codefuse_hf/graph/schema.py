"""The schema of a code graph: node types, edge types, their fields, and the spellings that a reader accepts.

The graph is the one that CGM reads (arXiv 2505.16901) in the JSON form of the published `codefuse-ai/CodeGraph` data
sets: `{"nodes": [{"nodeType": …, "id": …, …}], "edges": [{"edgeType": …, "source": …, "target": …}]}`. Graphs
of different languages name a few fields differently (`className`/`name`, `fileName`/`name`, …; see the languages'
descriptions): every spelling is read for every language, and a node is written in that of its own. A null field counts
as absent.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codefuse_hf.graph.languages import languages
from codefuse_hf.graph.languages.base import LanguageDescription


class NodeType(enum.StrEnum):
    """The type of a node; the value is its `nodeType` in JSON."""

    REPO = "Repo"
    MODULE = "Module"
    PACKAGE = "Package"
    FILE = "File"
    TEXTFILE = "Textfile"
    CLASS = "Class"
    ATTRIBUTE = "Attribute"
    FUNCTION = "Function"
    LAMBDA = "Lambda"
    FIELD = "Field"
    METHOD = "Method"

    @classmethod
    def parse(cls, value: Any) -> "NodeType":
        """Reads the node type that `value` names (`TextFile` is `Textfile`); ValueError for one that is not of the schema."""
        try:
            return _NODE_TYPE_BY_NAME[value]
        except (KeyError, TypeError):
            names = ", ".join(cls)
            raise ValueError(f"unknown node type {value!r}: expected one of {names}") from None


class EdgeType(enum.StrEnum):
    """The type of an edge; the value is its `edgeType` in JSON. Read in any case, written in lower case."""

    CONTAINS = "contains"
    IMPORTS = "imports"
    EXTENDS = "extends"
    IMPLEMENTS = "implements"
    CALLS = "calls"
    REFERENCES = "references"

    @classmethod
    def parse(cls, value: Any) -> "EdgeType":
        """Reads the edge type that `value` names, in any case; ValueError for one that is not of the schema."""
        try:
            return _EDGE_TYPE_BY_NAME[value]
        except (KeyError, TypeError):
            pass
        try:
            return _EDGE_TYPE_BY_NAME[value.lower()]
        except (KeyError, TypeError, AttributeError):
            names = ", ".join(cls)
            raise ValueError(f"unknown edge type {value!r}: expected one of {names}") from None


class _LanguageName(enum.StrEnum):
    """The language of a node: which spelling of fields and which form of sentence it has."""

    @classmethod
    def parse(cls, value: Any) -> "Language":
        """Reads the language that `value` names, in any case; ValueError for one that there is not."""
        try:
            return cls(value.lower())
        except (ValueError, AttributeError):
            raise ValueError(f"unknown language {value!r}: expected one of {', '.join(cls)}") from None

    @property
    def description(self) -> LanguageDescription:
        """What its folder says of the language."""
        return languages()[self.value]


Language = _LanguageName("Language", {name.upper(): name for name in languages()}, module=__name__)
"""The languages that there are folders of, by name."""

NODE_TYPES: tuple[NodeType, ...] = tuple(NodeType)
"""Node types in the order of their codes in compact arrays."""
EDGE_TYPES: tuple[EdgeType, ...] = tuple(EdgeType)
"""Edge types in the order of their codes in compact arrays."""
NODE_CODES: Mapping[NodeType, int] = {node_type: code for code, node_type in enumerate(NODE_TYPES)}
EDGE_CODES: Mapping[EdgeType, int] = {edge_type: code for code, edge_type in enumerate(EDGE_TYPES)}

_NODE_TYPE_BY_NAME: dict[str, NodeType] = {**{t.value: t for t in NodeType}, "TextFile": NodeType.TEXTFILE}
_EDGE_TYPE_BY_NAME: dict[str, EdgeType] = {t.value: t for t in EdgeType}


class FieldKind(enum.Enum):
    """What a field holds: text, a whole number (a line counted from 1, a column from 0), or any JSON value."""

    TEXT = "text"
    NUMBER = "number"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a node type.

    Attributes:
        column: its language-neutral name, shared by all node types (what `Node` offers as an attribute).
        default_key: the key it is written under, but for the languages in `spellings`.
        keys: all the keys it is read from; the first that is present wins.
    """

    column: str
    default_key: str
    spellings: Mapping[str, str]
    keys: tuple[str, ...]
    kind: FieldKind

    def key(self, language: str | None) -> str:
        """Gives the key that a node of `language` has for this field."""
        return self.spellings.get(language, self.default_key)


def _field(column: str, key: str = "", *variants: str, kind: FieldKind = FieldKind.TEXT) -> Field:
    key = key or column
    return Field(column, key, {}, tuple(dict.fromkeys((key, *variants))), kind)


def _spelled(node_type: NodeType, field: Field) -> Field:
    """The field with the keys that languages have for it."""
    own = {name: each.spelling.get(node_type, {}).get(field.column) for name, each in languages().items()}
    own = {name: key for name, key in own.items() if key}
    return replace(field, spellings=own, keys=tuple(dict.fromkeys((*own.values(), *field.keys))))


_NAME = _field("name")
_PATH = _field("path", "path", "filePath")
_TEXT = _field("text")
_CLEAN_TEXT = _field("clean_text")
_COMMENT = _field("comment")
_MODIFIERS = _field("modifiers")
_LOCATION = (
    _field("start_line", "startLoc", kind=FieldKind.NUMBER),
    _field("end_line", "endLoc", kind=FieldKind.NUMBER),
    _field("column", "col", kind=FieldKind.NUMBER),
)

_FIELDS: Mapping[NodeType, tuple[Field, ...]] = {
    NodeType.REPO: (
        _field("name", "repoName", "name"),
        _field("group_name", "groupName"),
        _field("path"),
    ),
    NodeType.MODULE: (_NAME,),
    NodeType.PACKAGE: (_NAME,),
    NodeType.FILE: (
        _NAME,
        _field("path"),
        _TEXT,
        _CLEAN_TEXT,
    ),
    NodeType.TEXTFILE: (_field("name", "name", "fileName"), _TEXT, _PATH),
    NodeType.CLASS: (
        _NAME,
        _field("kind", "classType", "type"),
        _MODIFIERS,
        _COMMENT,
        _TEXT,
        *_LOCATION,
        _CLEAN_TEXT,
    ),
    NodeType.ATTRIBUTE: (
        _NAME,
        _field("kind", "attributeType", "type"),
        _COMMENT,
        _TEXT,
        *_LOCATION,
    ),
    NodeType.FUNCTION: (_NAME, _field("header"), _COMMENT, _TEXT, *_LOCATION),
    NodeType.LAMBDA: (_TEXT, *_LOCATION),
    NodeType.FIELD: (
        _NAME,
        _field("kind", "fieldType", "type"),
        _field("initializer"),
        _MODIFIERS,
        _COMMENT,
        _field("arguments", kind=FieldKind.JSON),
        _TEXT,
        *_LOCATION,
    ),
    NodeType.METHOD: (
        _field("signature"),
        _field("class_name", "className"),
        _field("name", "methodName", "name"),
        _field("method_signature", "methodSig"),
        _MODIFIERS,
        _COMMENT,
        _TEXT,
        *_LOCATION,
    ),
}

FIELDS: Mapping[NodeType, tuple[Field, ...]] = {
    node_type: tuple(_spelled(node_type, field) for field in fields) for node_type, fields in _FIELDS.items()
}
"""The fields of each node type, in the order in which they are written."""

ID_KEYS: tuple[str, ...] = ("nodeId", "id")
"""The keys of a node's id. A node that has both is known by its `nodeId`, as in the published reader."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem that was met while a graph was built; the rest of the graph is complete.

    Attributes:
        path: the file or folder it concerns, relative to the root, with `/`.
        kind: a short stable word to filter by (`syntax`, `encoding`, `unreadable`, `too-large`, …).
        message: what was found and what was done about it.
        line: where, counted from 1, or None when the problem concerns the whole file.
    """

    path: str
    kind: str
    message: str
    line: int | None = None
