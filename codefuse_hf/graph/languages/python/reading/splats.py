"""Splats of what stands in brackets (`a[*(b or c)]`, `x = *(b or c), d`), written so that the grammar reads them, without moving a byte.

The grammar of 2025 reads `*` in a subscript and in a bare tuple as part of a call or of a pattern, and gives up where a bracket follows. There the star
becomes a blank: what is in the brackets is read, and is taken for an item instead of for several.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    rb"""#[^\n]*|[rbfutRBFUT]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')|\w+|\*\*|[=!<>]=|[^\s\\]""",
    re.DOTALL,
)
_BEFORE_TUPLE = frozenset((b"=", b",", b"return", b"yield", b"in"))


def blanks_for_stars(data: bytes) -> bytes:
    """Returns source without the stars that the grammar does not read; the same object where there are none."""
    made: bytearray | None = None
    brackets: list[bool] = []  # whether each open bracket is that of a subscript
    before = star = b""
    place = -1
    for token in _TOKEN.finditer(data):
        kind = token[0]
        if kind.startswith(b"#"):
            continue
        if star and kind in (b"(", b"[", b"{"):
            made = bytearray(data) if made is None else made
            made[place] = ord(" ")
        in_subscript = brackets[-1] if brackets else None
        starts = (in_subscript and before in (b"[", b",")) or (in_subscript is None and before in _BEFORE_TUPLE)
        star, place = (kind, token.start()) if kind == b"*" and starts else (b"", -1)
        if kind in (b"(", b"[", b"{"):
            brackets.append(
                kind == b"[" and (before[-1:].isalnum() or before in (b"_", b")", b"]")) and before not in _BEFORE_TUPLE
            )
        elif kind in (b")", b"]", b"}") and brackets:
            brackets.pop()
        before = kind
    return data if made is None else bytes(made)
