"""What is found: the functions, classes and files of a repository, one after another."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from codefuse_hf.graph.build import sources
from codefuse_hf.graph.languages import front_end, language_of_path, languages
from codefuse_hf.graph.languages.base import Definition, FileFacts
from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.schema import FIELDS, NodeType
from codefuse_hf.search.kinds import KINDS

# A file or a class is known by its beginning; its functions are units of their own.
MAX_CHARACTERS = 4000
_SNIPPET_LINES, _SNIPPET_CHARACTERS = 3, 240


@dataclass(frozen=True)
class Unit:
    """One thing to be found.

    Attributes:
        kind: "function", "class" or "file".
        name: qualified name within the file ("Class.method"); the file's name for a file.
        path: `/`-separated, relative to the repository.
        line, end_line: from 1, both inclusive.
        text: its source, what is embedded and indexed; a file or class by its beginning.
    """

    kind: str
    name: str
    path: str
    line: int
    end_line: int
    text: str

    @property
    def content_hash(self) -> str:
        """Same hash, same vector: it depends on what is embedded, not on where it stands."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def snippet(self) -> str:
        """The first lines, to look at."""
        return "\n".join(self.text.split("\n")[:_SNIPPET_LINES])[:_SNIPPET_CHARACTERS]


def iter_units(
    root: str | os.PathLike,
    *,
    kinds: tuple[str, ...] = KINDS,
    max_file_size: int = sources.DEFAULT_MAX_FILE_SIZE,
    max_files: int = sources.DEFAULT_MAX_FILES,
    progress: bool = True,
) -> Iterator[Unit]:
    """The units of a repository in the order of their paths and lines; files that cannot be read or are too large are left out.

    Raises:
        ValueError: an unknown kind.
        OSError: `root` does not exist.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"unknown kind {sorted(unknown)[0]!r}: expected some of {', '.join(KINDS)}")
    if not Path(root).is_dir():
        raise FileNotFoundError(f"there is no folder {os.fspath(root)!r} to index")
    tree = sources.list_sources(root, max_files=max_files)
    with sources.SourceReader(tree.root, tree.blobs) as reader:
        for path in tqdm(tree.paths, desc="Reading", unit="file", disable=not progress):
            if sources.has_binary_suffix(path):
                continue
            try:
                data, _ = reader.read(path, max_file_size)
            except OSError:
                continue
            if data:
                yield from (unit for unit in _units_of_file(path, data) if unit.kind in kinds)


def _units_of_file(path: str, data: bytes) -> Iterator[Unit]:
    language = language_of_path(path)
    text = sources.decode_text(data) if language is None else sources.decode_source(data)[0]
    if text is None or not text.strip():
        return
    source = SourceText(text)
    name = path.rpartition("/")[2]
    yield Unit("file", name, path, 1, source.line(max(len(text) - 1, 0)), f"{path}\n{text[:MAX_CHARACTERS]}")
    if language is not None:
        yield from _definitions(path, source, front_end(language).extract(path, source))


def _definitions(path: str, source: SourceText, facts: FileFacts) -> Iterator[Unit]:
    kinds = languages()[facts.language].unit_kinds
    for definition in facts.definitions[1:]:
        kind = kinds.get(definition.node_type)
        text = source.text[definition.start : definition.end]
        if kind is None or not text.strip():
            continue
        lines = source.line(definition.start), source.line(max(definition.end - 1, definition.start))
        yield Unit(kind, _qualified_name(definition, facts), path, *lines, text[:MAX_CHARACTERS])


def _qualified_name(definition: Definition, facts: FileFacts) -> str:
    parts, kinds = [], languages()[facts.language].unit_kinds
    while definition.parent >= 0:
        if definition.node_type in kinds:
            parts.append(_own_name(definition))
        definition = facts.definitions[definition.parent]
    return ".".join(part for part in reversed(parts) if part)


def _own_name(definition: Definition) -> str:
    """The name that tells a definition from its neighbours: with its parameters, where the language has overloads."""
    columns = {field.column: field for field in FIELDS[NodeType(definition.node_type)]}
    keys = [key for name in ("method_signature", "name") if name in columns for key in columns[name].keys]
    return next((definition.fields[key] for key in keys if definition.fields.get(key)), "")
