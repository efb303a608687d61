"""The schema of a code graph: node types, edge types, their fields, and the spellings that a reader accepts.

The graph is the one that CGM reads (arXiv 2505.16901) in the JSON form of the published `codefuse-ai/CodeGraph` data
sets: `{"nodes": [{"nodeType": …, "id": …, …}], "edges": [{"edgeType": …, "source": …, "target": …}]}`. Python and Java
graphs name a few fields differently (`className`/`name`, `fileName`/`name`, …); both spellings are read for both
languages, and each node is written in the spelling of its own language. A null field counts as absent.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
        """The node type that `value` names (`TextFile` is `Textfile`); ValueError for one that is not of the schema."""
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
        """The edge type that `value` names, in any case; ValueError for one that is not of the schema."""
        try:
            return _EDGE_TYPE_BY_NAME[value]
        except (KeyError, TypeError):
            pass
        try:
            return _EDGE_TYPE_BY_NAME[value.lower()]
        except (KeyError, TypeError, AttributeError):
            names = ", ".join(cls)
            raise ValueError(f"unknown edge type {value!r}: expected one of {names}") from None


class Language(enum.StrEnum):
    """The language of a node: which spelling of fields and which form of sentence it has."""

    PYTHON = "python"
    JAVA = "java"

    @classmethod
    def parse(cls, value: Any) -> "Language":
        """The language that `value` names, in any case; ValueError for one that has no spelling in the schema."""
        try:
            return cls(value.lower())
        except (ValueError, AttributeError):
            raise ValueError(f"unknown language {value!r}: expected one of {', '.join(cls)}") from None


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

    `column` is its language-neutral name, shared by all node types (what `Node` offers as an attribute); `python` and
    `java` are the keys it is written under; `keys` are all the keys it is read from, the first that is present wins.
    """

    column: str
    python: str
    java: str
    keys: tuple[str, ...]
    kind: FieldKind

    def key(self, language: Language | None) -> str:
        """The key that a node of `language` has for this field; without a language, Python's."""
        return self.java if language is Language.JAVA else self.python


def _field(column: str, python: str = "", java: str = "", *variants: str, kind: FieldKind = FieldKind.TEXT) -> Field:
    python = python or column
    java = java or python
    return Field(column, python, java, tuple(dict.fromkeys((python, java, *variants))), kind)


_NAME = _field("name")
_PATH = _field("path", "path", "path", "filePath")
_TEXT = _field("text")
_CLEAN_TEXT = _field("clean_text")
_COMMENT = _field("comment")
_MODIFIERS = _field("modifiers")
_LOCATION = (
    _field("start_line", "startLoc", kind=FieldKind.NUMBER),
    _field("end_line", "endLoc", kind=FieldKind.NUMBER),
    _field("column", "col", kind=FieldKind.NUMBER),
)

FIELDS: Mapping[NodeType, tuple[Field, ...]] = {
    NodeType.REPO: (
        _field("name", "repoName", "repoName", "name"),
        _field("group_name", "groupName"),
        _field("path"),
    ),
    NodeType.MODULE: (_NAME,),
    NodeType.PACKAGE: (_NAME,),
    NodeType.FILE: (
        _field("name", "fileName", "name"),
        _field("path", "filePath", "path"),
        _TEXT,
        _CLEAN_TEXT,
    ),
    NodeType.TEXTFILE: (_field("name", "name", "name", "fileName"), _TEXT, _PATH),
    NodeType.CLASS: (
        _field("name", "className", "name"),
        _field("kind", "classType", "classType", "type"),
        _MODIFIERS,
        _COMMENT,
        _TEXT,
        *_LOCATION,
        _CLEAN_TEXT,
    ),
    NodeType.ATTRIBUTE: (
        _NAME,
        _field("kind", "attributeType", "attributeType", "type"),
        _COMMENT,
        _TEXT,
        *_LOCATION,
    ),
    NodeType.FUNCTION: (_NAME, _field("header"), _COMMENT, _TEXT, *_LOCATION),
    NodeType.LAMBDA: (_TEXT, *_LOCATION),
    NodeType.FIELD: (
        _NAME,
        _field("kind", "fieldType", "fieldType", "type"),
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
        _field("name", "methodName", "methodName", "name"),
        _field("method_signature", "methodSig"),
        _MODIFIERS,
        _COMMENT,
        _TEXT,
        *_LOCATION,
    ),
}
"""The fields of each node type, in the order in which they are written."""

ID_KEYS: tuple[str, ...] = ("nodeId", "id")
"""The keys of a node's id. A node that has both is known by its `nodeId`, as in the published reader."""

JAVA_ONLY_TYPES = frozenset({NodeType.MODULE, NodeType.FIELD, NodeType.METHOD})
PYTHON_ONLY_TYPES = frozenset({NodeType.ATTRIBUTE, NodeType.FUNCTION})


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
