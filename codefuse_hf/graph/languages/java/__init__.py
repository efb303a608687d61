"""Java: files to definitions and facts, facts to edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codefuse_hf.graph.languages.base import Fields, LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.java.front_end import JavaFrontEnd

    return JavaFrontEnd()


def _speaks(node_type: str, record: Mapping[str, Any]) -> bool:
    """Whether a record is spelled as in the published Java graphs: files and classes have a plain `name`."""
    if node_type not in ("File", "Class"):
        return node_type in ("Module", "Field", "Method")
    other = {"File": "fileName", "Class": "className"}[node_type]
    return record.get(other) is None and any(record.get(key) is not None for key in ("name", "modifiers"))


def _file_sentence(fields: Fields) -> str:
    return f"{fields('path')}/{fields('name')}" if fields("path") else fields("name")


def _class_sentence(fields: Fields) -> str:
    return f"{fields('modifiers')} {fields('name')}\n{fields('comment')}".strip(" ")


LANGUAGE = LanguageDescription(
    name="java",
    suffixes=(".java",),
    front_end=_front_end,
    grammar="java",
    speaks=_speaks,
    sentences={"File": _file_sentence, "Class": _class_sentence},
    named_by_path=False,
)
