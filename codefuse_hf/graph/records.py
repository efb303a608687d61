"""Node records and containment: the tree from the repository through folders and files to definitions, with ids in pre-order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codefuse_hf.graph.extraction import TEXT, ExtractedFile
from codefuse_hf.graph.languages.base import Definition
from codefuse_hf.graph.source_text import SourceText

_WITH_CLEAN_TEXT = frozenset({"Class"})


def clean_path(path: str) -> str:
    """A path as text that can be written as UTF-8 (file names on disk may hold any bytes)."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class FileRecords:
    """Ids and records of all nodes. `files` in order of their path's parts, so that a folder's contents lie together."""

    def __init__(self, name: str, files: Mapping[str, ExtractedFile]):
        self._name, self._files = name, files
        self._folders: dict[str, int] = {"": 0}
        self._bases: dict[str, int] = {}
        self._orders: dict[str, list[int] | None] = {}
        self._sequence: list[tuple[str, bool]] = []
        number = 1
        for path, file in files.items():
            parts = path.split("/")[:-1]
            for depth in range(len(parts)):
                folder = "/".join(parts[: depth + 1])
                if folder not in self._folders:
                    self._folders[folder] = number
                    self._sequence.append((folder, True))
                    number += 1
            self._bases[path] = number
            self._sequence.append((path, False))
            self._orders[path] = _preorder(file.facts.definitions)
            number += len(file.facts.definitions)
        self._packages = self._package_names()

    def _package_names(self) -> dict[str, str]:
        declared: dict[str, set[str | None]] = {}
        for path, file in self._files.items():
            if file.language != TEXT:
                declared.setdefault(path.rpartition("/")[0], set()).add(file.facts.package)
        names = {folder: clean_path(folder).replace("/", ".") for folder in self._folders}
        for folder, packages in declared.items():
            if folder and len(packages) == 1 and (package := next(iter(packages))):
                names[folder] = package
        return names

    def id_of(self, path: str, index: int) -> int:
        order = self._orders[path]
        return self._bases[path] + (index if order is None else order[index])

    def containment(self) -> Iterator[tuple[str, int, int]]:
        """The `contains` edges."""
        for place, is_folder in self._sequence:
            parent = self._folders[place.rpartition("/")[0]]
            if is_folder:
                yield "contains", parent, self._folders[place]
                continue
            yield "contains", parent, self._bases[place]
            for index, definition in enumerate(self._files[place].facts.definitions):
                if index:
                    yield "contains", self.id_of(place, definition.parent), self.id_of(place, index)

    def nodes(self) -> Iterator[dict[str, Any]]:
        """The records of all nodes, by id."""
        yield {"id": 0, "nodeType": "Repo", "repoName": self._name, "groupName": ""}
        for place, is_folder in self._sequence:
            if is_folder:
                yield {"id": self._folders[place], "nodeType": "Package", "name": self._packages[place]}
            else:
                yield from self._file_nodes(place, self._files[place])

    def _file_nodes(self, path: str, file: ExtractedFile) -> Iterator[dict[str, Any]]:
        folder, _, name = clean_path(path).rpartition("/")
        base = self._bases[path]
        if file.language == TEXT:
            yield {"id": base, "nodeType": "Textfile", "name": name, "text": file.text, "path": folder or "."}
            return
        source, definitions = SourceText(file.text), file.facts.definitions
        cuts = _cuts(definitions)
        record = {
            "id": base,
            "nodeType": "File",
            "fileName": name,
            "text": file.text,
            "clean_text": clean_text(source, definitions[0], cuts.get(0, ())),
        }
        if folder:
            record["filePath"] = folder
        yield record
        order = self._orders[path]
        indices = range(len(definitions)) if order is None else sorted(range(len(definitions)), key=order.__getitem__)
        for index in indices:
            if not index:
                continue
            definition = definitions[index]
            start, end = definition.start, definition.end
            record = {
                "id": self.id_of(path, index),
                "nodeType": definition.node_type,
                **definition.fields,
                "text": file.text[start:end],
            }
            line = source.line(start)
            record["startLoc"], record["col"] = line, start - source.line_starts[line - 1]
            record["endLoc"] = source.line(end - 1) if end > start else line
            if definition.node_type in _WITH_CLEAN_TEXT:
                record["clean_text"] = clean_text(source, definition, cuts.get(index, ()))
            yield record


def _preorder(definitions: list[Definition]) -> list[int] | None:
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
