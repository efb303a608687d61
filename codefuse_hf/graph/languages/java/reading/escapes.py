"""Unicode escapes in names: `caf\\u00e9` is `café`. The grammar does not know them, so they are covered while a file is parsed."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\u+([0-9a-fA-F]{4})")
_COVERED = re.compile(
    rb'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/|(\\u+[0-9a-fA-F]{4})',
    re.DOTALL,
)
NAMES = frozenset({"identifier", "type_identifier", "scoped_identifier", "scoped_type_identifier"})
"""Nodes whose text is a name."""


def cover(data: bytes) -> bytes:
    """Replaces the escapes outside of literals and comments by as many letters."""
    return _COVERED.sub(lambda match: b"_" * len(match[1]) if match[1] else match[0], data) if b"\\u" in data else data


def decode(name: str) -> str:
    """Replaces the escapes in a name by what they stand for."""
    if "\\u" not in name:
        return name
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
