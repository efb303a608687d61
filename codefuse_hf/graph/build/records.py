"""What the nodes of one file show: their order, and texts without what they contain."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import Definition


def clean_path(path: str) -> str:
    """A path as text that can be written as UTF-8 (file names on disk may hold any bytes)."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def preorder(definitions: list[Definition]) -> list[int] | None:
    """Rank of each definition when the tree is walked in pre-order; None when the list is in that order already."""
    stack: list[int] = []
    for index, definition in enumerate(definitions):
        while stack and stack[-1] != definition.parent:
            stack.pop()
        if index and not stack:
            break
        stack.append(index)
    else:
        return None
    children: dict[int, list[int]] = {}
    for index, definition in enumerate(definitions[1:], 1):
        children.setdefault(definition.parent, []).append(index)
    ranks, pending, rank = [0] * len(definitions), [0], 0
    while pending:
        index = pending.pop()
        ranks[index] = rank
        rank += 1
        pending.extend(sorted(children.get(index, ()), key=lambda i: (definitions[i].start, i), reverse=True))
    return ranks


def spans_cut(definitions: list[Definition]) -> dict[int, list[tuple[int, int]]]:
    """Per container: the spans that its `clean_text` leaves out. What lies inside a function goes with the function's own span."""
    cuts: dict[int, list[tuple[int, int]]] = {}
    for definition in definitions[1:]:
        if definition.cut_start >= 0:
            cuts.setdefault(definition.parent, []).append((definition.cut_start, definition.end))
    return cuts


def clean_text(text: str, definition: Definition, cuts: list[tuple[int, int]]) -> str:
    """The text of a node without the contained nodes in `cuts`: their lines go, with the blank lines before them."""
    pieces, position = [], definition.start
    for start, end in sorted(cuts):
        if start < position:
            continue
        line_start = start
        while line_start > position and text[line_start - 1] in " \t\f":
            line_start -= 1
        whole_line = line_start == 0 or text[line_start - 1] in "\r\n"
        kept = text[position : line_start if whole_line else start]
        pieces.append(kept.rstrip() + _line_end(kept) if whole_line and kept.strip() else "" if whole_line else kept)
        position = end
        while position < definition.end and text[position] in " \t\f":
            position += 1
        if whole_line and position < definition.end and text[position] in "\r\n":
            position += 2 if text.startswith("\r\n", position) else 1
    rest = text[position : definition.end]
    if rest.strip():
        pieces.append(rest)
    return "".join(pieces)


def _line_end(text: str) -> str:
    """The line end that closes the last line of text before blank lines."""
    tail = text[len(text.rstrip()) :]
    tail = tail.lstrip(" \t\f")
    return "\r\n" if tail.startswith("\r\n") else tail[:1]
