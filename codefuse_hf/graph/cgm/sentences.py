"""Node sentences: the text of a node that CGM's encoder reads (the published graphs' convention).

| node              | Python                             | Java                                          |
|-------------------|------------------------------------|-----------------------------------------------|
| Repo              | the repository's name              | the repository's name                         |
| Package, Module   | `name`                             | `name`                                        |
| File              | `path/name⏎text`                   | `path/name`                                   |
| Textfile          | `name⏎text`                        | `name⏎text`                                   |
| Class             | `kind name⏎comment⏎text`           | `modifiers name⏎comment`                      |
| Attribute, Field  | `type name⏎comment⏎text`           | `modifiers type name⏎comment`                 |
| Function, Method  | `header name⏎[comment⏎]text`       | `Class.method⏎[comment⏎][modifiers ]text`     |
| Lambda            | `text`                             | `text`                                        |

⏎ is a line feed. A part in brackets is left out with its separator when it is empty; other empty parts leave their
separators. Spaces (no other blanks) are then stripped from both ends of Class, Attribute, Field, Function and Lambda.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.build.assembler import LANGUAGES, spelled_language
from codefuse_hf.graph.schema import FIELDS, NODE_TYPES, FieldKind, Language, NodeType

if TYPE_CHECKING:
    from codefuse_hf.graph.code_graph import CodeGraph, Node

Fields = Callable[[str], str]
"""Gives a text field of a node by its column name, "" where it is absent."""
_NULLABLE = frozenset({"text", "comment", "kind", "modifiers"})


def node_sentence(
    node: "Node | Mapping[str, Any]",
    *,
    repo_name: str | None = None,
    language: str | None = None,
    null_text: str = "",
    max_length: int | None = None,
) -> str:
    """The sentence of one node, given as a node of a graph or as a JSON record in any spelling that can be read.

    Args:
        repo_name: the sentence of a Repo; its own name (or path) by default.
        language: "python" or "java"; by default that of the node, for a record the one that its spelling suggests.
        null_text: what a null comment, text, kind or modifier of a record counts as. A null is absent by default; the
            published encoder was fed with "None", which `null_text="None"` reproduces.
        max_length: characters to keep, all by default.
    """
    if isinstance(node, Mapping):
        node_type, own_language, fields = _read_record(node, null_text)
    else:
        node_type, own_language = node.type, node.language
        fields = _fields_of(node._graph, node._index)
    java = (Language.parse(language) if language is not None else own_language) is Language.JAVA
    return _sentence(node_type, fields, java, repo_name)[:max_length]


def node_sentences(graph: "CodeGraph", *, repo_name: str | None = None, max_length: int | None = None) -> Iterator[str]:
    """The sentences of all nodes of a graph, in node order, each in the form of its own language."""
    arrays = graph.arrays
    for index in range(graph.num_nodes):
        java = LANGUAGES[arrays.languages[index]] is Language.JAVA
        yield _sentence(NODE_TYPES[arrays.types[index]], _fields_of(graph, index), java, repo_name)[:max_length]


def _fields_of(graph: "CodeGraph", index: int) -> Fields:
    return lambda column: graph._text(column, index) or ""


def _sentence(node_type: NodeType, fields: Fields, java: bool, repo_name: str | None) -> str:
    if node_type is NodeType.REPO:
        return (fields("name") or fields("path")) if repo_name is None else repo_name
    if node_type in (NodeType.PACKAGE, NodeType.MODULE):
        return fields("name")
    if node_type is NodeType.FILE:
        folder = fields("path")
        path = f"{folder}/{fields('name')}" if folder else fields("name")
        return path if java else f"{path}\n{fields('text')}"
    if node_type is NodeType.TEXTFILE:
        return f"{fields('name')}\n{fields('text')}"
    if node_type is NodeType.METHOD:
        return _method_sentence(fields)
    return _definition_sentence(node_type, fields, java).strip(" ")


def _definition_sentence(node_type: NodeType, fields: Fields, java: bool) -> str:
    if node_type is NodeType.CLASS:
        if java:
            return f"{fields('modifiers')} {fields('name')}\n{fields('comment')}"
        return f"{fields('kind')} {fields('name')}\n{fields('comment')}\n{fields('text')}"
    if node_type is NodeType.ATTRIBUTE:
        return f"{fields('kind')} {fields('name')}\n{fields('comment')}\n{fields('text')}"
    if node_type is NodeType.FIELD:
        return f"{fields('modifiers')} {fields('kind')} {fields('name')}\n{fields('comment')}"
    if node_type is NodeType.FUNCTION:
        return f"{fields('header')} {fields('name')}\n{_optional(fields('comment'), chr(10))}{fields('text')}"
    if node_type is NodeType.LAMBDA:
        return fields("text")
    raise ValueError(f"no sentence is defined for the node type {node_type!r}")


def _method_sentence(fields: Fields) -> str:
    owner, name = fields("class_name"), fields("name")
    if not owner or not name:  # the signature "Class#method(args)" holds both
        owner, _, rest = fields("signature").partition("#")
        name = rest.partition("(")[0]
    comment, modifiers = _optional(fields("comment"), "\n"), _optional(fields("modifiers"), " ")
    return f"{owner}.{name}\n{comment}{modifiers}{fields('text')}"


def _optional(part: str, separator: str) -> str:
    return part + separator if part else ""


def _read_record(record: Mapping[str, Any], null_text: str) -> tuple[NodeType, Language | None, Fields]:
    """A record's type, the language that its spelling suggests, and its text fields by column name."""
    node_type = NodeType.parse(record.get("nodeType"))
    values: dict[str, str] = {}
    for field in FIELDS[node_type]:
        if field.kind is not FieldKind.TEXT:
            continue
        present = [key for key in field.keys if key in record]
        null = null_text if present and field.column in _NULLABLE else ""
        value = next((record[key] for key in present if record[key] is not None), null)
        if not isinstance(value, str):
            raise ValueError(f"{node_type} {record.get('id')}: {present[0]!r} must be text, found {value!r}")
        values[field.column] = value
    return node_type, spelled_language(node_type, record), lambda column: values.get(column, "")
