"""Python: files to definitions and facts, facts to edges."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd
from codefuse_hf.graph.languages.python.names.metadata import METADATA
from codefuse_hf.graph.languages.python.names.modules import SUFFIXES

_OWN_NAME = {"File": "fileName", "Class": "className"}


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.python.front_end import PythonFrontEnd

    return PythonFrontEnd()


def _speaks(node_type: str, record: Mapping[str, Any]) -> bool:
    """Whether a record is spelled as in the published Python graphs; so is one that has no name at all."""
    if node_type not in _OWN_NAME:
        return node_type in ("Attribute", "Function")
    return record.get(_OWN_NAME[node_type]) is not None or all(record.get(k) is None for k in ("name", "modifiers"))


LANGUAGE = LanguageDescription(
    name="python",
    suffixes=SUFFIXES,
    front_end=_front_end,
    grammar="python",
    spelling={"File": {"name": "fileName", "path": "filePath"}, "Class": {"name": "className"}},
    speaks=_speaks,
    package_files=("__init__",),
    metadata=METADATA,
    keywords=(*keyword.kwlist, "match", "self", "cls"),
    comment="#",
)
