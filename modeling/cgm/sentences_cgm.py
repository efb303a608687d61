"""Makes node sentences: the text of a node that CGM's encoder reads (the published graphs' convention).

| node              | by default, as in Python           | in the published graphs of Java               |
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

The graph package and CGM's processor share this file, which therefore stands with what travels to the Hub.
"""

from collections.abc import Callable, Mapping
from typing import Any

Fields = Callable[[str], str]
"""Gives a text field of a node by its column's name, "" where the node does not have it."""

NULLABLE = frozenset({"text", "comment", "kind", "modifiers"})
"""Columns whose null the published encoder read as the text "None"."""

_NAMED = {"name": ("name",)}
_TEXT = {"comment": ("comment",), "text": ("text",)}
KEYS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Repo": {"name": ("repoName", "name"), "path": ("path",)},
    "Module": _NAMED,
    "Package": _NAMED,
    "File": {"name": ("fileName", "name"), "path": ("filePath", "path"), "text": ("text",)},
    "Textfile": {"name": ("name", "fileName"), "text": ("text",)},
    "Class": {"name": ("className", "name"), "kind": ("classType", "type"), "modifiers": ("modifiers",), **_TEXT},
    "Attribute": {**_NAMED, "kind": ("attributeType", "type"), **_TEXT},
    "Function": {**_NAMED, "header": ("header",), **_TEXT},
    "Lambda": {"text": ("text",)},
    "Field": {**_NAMED, "kind": ("fieldType", "type"), "modifiers": ("modifiers",), "comment": ("comment",)},
    "Method": {
        "signature": ("signature",),
        "class_name": ("className",),
        "name": ("methodName", "name"),
        "modifiers": ("modifiers",),
        **_TEXT,
    },
}
"""The keys of JSON records that sentences are made of, by node type and column, as in the graph package's schema."""


def file_sentence(fields: Fields) -> str:
    """Write `path/name⏎text`."""
    return f"{file_path(fields)}\n{fields('text')}"


def file_path(fields: Fields) -> str:
    """Write `path/name`: a file's path, and its whole sentence in Java."""
    return f"{fields('path')}/{fields('name')}" if fields("path") else fields("name")


def class_sentence(fields: Fields) -> str:
    """Write `kind name⏎comment⏎text`."""
    return f"{fields('kind')} {fields('name')}\n{fields('comment')}\n{fields('text')}".strip(" ")


def java_class_sentence(fields: Fields) -> str:
    """Write `modifiers name⏎comment`."""
    return f"{fields('modifiers')} {fields('name')}\n{fields('comment')}".strip(" ")


def _field_sentence(fields: Fields) -> str:
    return f"{fields('modifiers')} {fields('kind')} {fields('name')}\n{fields('comment')}".strip(" ")


def _function_sentence(fields: Fields) -> str:
    return f"{fields('header')} {fields('name')}\n{_optional(fields('comment'), chr(10))}{fields('text')}".strip(" ")


def _method_sentence(fields: Fields) -> str:
    comment, modifiers = _optional(fields("comment"), "\n"), _optional(fields("modifiers"), " ")
    return f"{_method_name(fields)}\n{comment}{modifiers}{fields('text')}"


def _method_name(fields: Fields) -> str:
    owner, name = fields("class_name"), fields("name")
    if not owner or not name:  # the signature "Class#method(args)" holds both
        owner, _, rest = fields("signature").partition("#")
        name = rest.partition("(")[0]
    return f"{owner}.{name}"


def _optional(part: str, separator: str) -> str:
    return part + separator if part else ""


SENTENCES: Mapping[str, Callable[[Fields], str]] = {
    "Repo": lambda fields: fields("name") or fields("path"),
    "Package": lambda fields: fields("name"),
    "Module": lambda fields: fields("name"),
    "File": file_sentence,
    "Textfile": lambda fields: f"{fields('name')}\n{fields('text')}",
    "Class": class_sentence,
    "Attribute": class_sentence,
    "Field": _field_sentence,
    "Function": _function_sentence,
    "Method": _method_sentence,
    "Lambda": lambda fields: fields("text").strip(" "),
}
"""The sentences, by node type, of languages that have no other."""
JAVA_SENTENCES: Mapping[str, Callable[[Fields], str]] = {"File": file_path, "Class": java_class_sentence}
"""Those of Java that differ."""


def speaks_java(node_type: str, record: Mapping[str, Any]) -> bool:
    """Tell whether a record is spelled as in the published Java graphs: files and classes have a plain `name`."""
    if node_type not in ("File", "Class"):
        return node_type in ("Module", "Field", "Method")
    other = {"File": "fileName", "Class": "className"}[node_type]
    return record.get(other) is None and any(record.get(key) is not None for key in ("name", "modifiers"))


def record_sentence(node_type: str, record: Mapping[str, Any], java: bool, repo_name: str | None = None) -> str:
    """Return the sentence of a JSON record in any published spelling; a null field counts as absent.

    Args:
        node_type: one of `SENTENCES`.
        java: in Java's form.
        repo_name: the sentence of a Repo; its own name (or path) by default.

    Raises:
        ValueError: a field that is no text.
    """
    if node_type == "Repo" and repo_name is not None:
        return repo_name
    own = JAVA_SENTENCES if java else {}
    return (own.get(node_type) or SENTENCES[node_type])(_fields(node_type, record))


def record_name(node_type: str, record: Mapping[str, Any]) -> str:
    """Return the short name of a JSON record's node, a Java method's with its class; "" where it has none.

    Raises:
        ValueError: a field that is no text.
    """
    fields = _fields(node_type, record)
    return _method_name(fields).strip(".") if node_type == "Method" else fields("name")


def _fields(node_type: str, record: Mapping[str, Any]) -> Fields:
    values: dict[str, str] = {}
    for column, keys in KEYS[node_type].items():
        found = next(((key, record[key]) for key in keys if record.get(key) is not None), None)
        if found is not None and not isinstance(found[1], str):
            raise ValueError(f"{node_type}: {found[0]!r} must be text, found {found[1]!r}")
        values[column] = "" if found is None else found[1]
    return lambda column: values.get(column, "")
