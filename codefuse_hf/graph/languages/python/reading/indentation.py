"""Wide indentation, made narrow for the parser without moving a byte."""

from __future__ import annotations

import re

_WIDE_INDENTATION = re.compile(rb"^[ \t]{32,}", re.MULTILINE)
_INDENTATION = re.compile(rb"^([ \t\f]+)(?=[^ \t\f\r\n])", re.MULTILINE)
_WIDEST = 255  # columns; the bundled grammar's scanner keeps them in a byte
_TAB = 8


def _columns(indentation: bytes) -> int:
    after_form_feed = indentation.rpartition(b"\f")[2]
    return len(after_form_feed) + (_TAB - 1) * after_form_feed.count(b"\t")


def narrow_indentation(data: bytes) -> bytes:
    """Source whose indentation of over 255 columns is replaced by a narrower one of as many bytes.

    Python allows 100 levels of any width, the grammar of `tree-sitter-languages` counts columns up to 255. Each width used in the file is replaced by a
    smaller one in the same order, which keeps what is nested in what; a form feed, from where columns are counted anew, stands before it and fills the place.
    """
    if b"\t" not in data and b" " * (_WIDEST + 1) not in data:
        return data  # as nearly always
    if not any(_columns(m[0]) > _WIDEST for m in _WIDE_INDENTATION.finditer(data)):
        return data
    shortest: dict[int, int] = {}  # bytes of the shortest way in which each width is written
    for match in _INDENTATION.finditer(data):
        columns = _columns(match[1])
        shortest[columns] = min(len(match[1]), shortest.get(columns, len(match[1])))
    narrow: dict[int, bytes] = {0: b""}
    width = 0
    for columns, length in sorted(shortest.items()):
        if columns:
            width += 1
            if sum(divmod(width, _TAB)) > length:  # only whole tabs fit; never more than `columns`
                width += -width % _TAB
            tabs, spaces = divmod(width, _TAB)
            narrow[columns] = b"\t" * tabs + b" " * spaces

    def replace(match: re.Match[bytes]) -> bytes:
        new = narrow[_columns(match[1])]
        gap = len(match[1]) - len(new)
        return b" " * (gap - 1) + b"\f" + new if gap else new

    return _INDENTATION.sub(replace, data)
