"""The node records of one file, and the texts that its nodes show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codefuse_hf.graph.languages.base import TEXT, Definition
from codefuse_hf.graph.source_text import SourceText

_WITH_CLEAN_TEXT = frozenset({"Class"})


def clean_path(path: str) -> str:
    """A path as text that can be written as UTF-8 (file names on disk may hold any bytes)."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def file_records(
    path: str, language: str, text: str, definitions: list[Definition], order: list[int] | None
) -> Iterator[dict[str, Any]]:
    """The records of one file's nodes in pre-order, with ids that count from 0; `order` is that of `preorder`."""
    folder, _, name = clean_path(path).rpartition("/")
    if language == TEXT:
        yield {"id": 0, "nodeType": "Textfile", "name": name, "text": text, "path": folder or "."}
        return
    source, cuts = SourceText(text), _cuts(definitions)
    record = {
        "id": 0,
        "nodeType": "File",
        "fileName": name,
        "text": text,
        "clean_text": clean_text(source, definitions[0], cuts.get(0, ())),
    }
    if folder:
        record["filePath"] = folder
    yield record
    indices = range(len(definitions)) if order is None else sorted(range(len(definitions)), key=order.__getitem__)
    for rank, index in enumerate(indices):
        if not index:
            continue
        definition = definitions[index]
        start, end = definition.start, definition.end
        record = {"id": rank, "nodeType": definition.node_type, **definition.fields, "text": text[start:end]}
        line = source.line(start)
        record["startLoc"], record["col"] = line, start - source.line_starts[line - 1]
        record["endLoc"] = source.line(end - 1) if end > start else line
        if definition.node_type in _WITH_CLEAN_TEXT:
            record["clean_text"] = clean_text(source, definition, cuts.get(index, ()))
        yield record


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


def _cuts(definitions: list[Definition]) -> dict[int, list[tuple[int, int]]]:
    """Per Class and File: the spans that its `clean_text` leaves out."""
    cuts: dict[int, list[tuple[int, int]]] = {}
    for definition in definitions[1:]:
        if definition.cut_start < 0:
            continue
        owner = definition.parent
        while True:
            cuts.setdefault(owner, []).append((definition.cut_start, definition.end))
            # A definition inside a function is part of the body that the function's own cut removes.
            break
    return cuts


def clean_text(source: SourceText, definition: Definition, cuts: list[tuple[int, int]]) -> str:
    """The text of a node without the contained nodes in `cuts`: their lines go, with the blank lines before them."""
    if not cuts:
        return source.text[definition.start : definition.end]
    text, pieces, position = source.text, [], definition.start
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
