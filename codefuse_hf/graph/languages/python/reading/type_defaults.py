"""Defaults of type parameters (PEP 696), written so that the grammar reads them, without moving a byte.

The grammar of 2025 knows bounds (`class A[T: B]`) but no defaults (`class A[T = B]`): it gives up on the whole class. To the graph both are expressions that
are evaluated on demand, so the `=` of a default becomes the `:` of a bound, or `|` behind a bound. Only what the parser sees changes, not the nodes' texts.
"""

from __future__ import annotations

import re

_HEAD = re.compile(rb"\b(?:class|def|type)[ \t]+\w+[ \t]*\[")
_TOKEN = re.compile(rb"#[^\n]*|[rbfutRBFUT]{0,2}(?:\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')|[=!<>:]=|[\[\](){},:=]")


def bounds_for_defaults(data: bytes) -> bytes:
    """Returns source whose type parameters have bounds where they had defaults; the same object where there are none."""
    made: bytearray | None = None
    for head in _HEAD.finditer(data):
        depth, bound = 1, False
        for token in _TOKEN.finditer(data, head.end()):
            kind = token[0]
            if kind in (b"[", b"(", b"{"):
                depth += 1
            elif kind in (b"]", b")", b"}"):
                depth -= 1
                if not depth:
                    break
            elif depth > 1:
                continue
            elif kind == b",":
                bound = False
            elif kind == b":":
                bound = True
            elif kind == b"=":
                made = bytearray(data) if made is None else made
                made[token.start()] = ord("|" if bound else ":")
                bound = True
    return data if made is None else bytes(made)
