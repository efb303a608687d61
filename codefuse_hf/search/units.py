"""What is found: the functions, classes, sections and files of a repository, one after another."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from codefuse_hf.files import readable_size
from codefuse_hf.graph.build import sources
from codefuse_hf.graph.languages import front_end, language_of_path, languages
from codefuse_hf.graph.languages.base import Definition, FileFacts
from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.schema import FIELDS, Diagnostic, NodeType
from codefuse_hf.search.kinds import KINDS
from codefuse_hf.search.paths import PathFilter
from codefuse_hf.search.sections import MAX_CHARACTERS, is_markdown, markdown_sections, uncovered_sections

_SNIPPET_LINES, _SNIPPET_CHARACTERS = 3, 240


@dataclass(frozen=True)
class Unit:
    """One thing to be found.

    Attributes:
        kind: "function", "class", "section" or "file".
        name: qualified name within the file ("Class.method"), a section's headings; the file's name for a file and for a section
            without headings.
        path: `/`-separated, relative to the repository.
        line, end_line: from 1, both inclusive; for a long function or class all of it.
        text: its source, what is embedded and indexed, by its beginning; what is cut off is in sections.
        comment: what a comment before it says, where that is not part of its text.
    """

    kind: str
    name: str
    path: str
    line: int
    end_line: int
    text: str
    comment: str = ""

    @property
    def described(self) -> str:
        """What is embedded: the comment before it and its text."""
        return f"{self.comment}\n{self.text}" if self.comment else self.text

    @property
    def content_hash(self) -> str:
        """Same hash, same vector: it depends on what is embedded, not on where it stands."""
        return hashlib.sha256(self.described.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def snippet(self) -> str:
        """The first lines, to look at."""
        return "\n".join(self.text.strip("\n").split("\n")[:_SNIPPET_LINES])[:_SNIPPET_CHARACTERS]


def iter_units(
    root: str | os.PathLike,
    *,
    kinds: tuple[str, ...] = KINDS,
    wanted: PathFilter | None = None,
    max_file_size: int = sources.DEFAULT_MAX_FILE_SIZE,
    max_files: int = sources.DEFAULT_MAX_FILES,
    progress: bool = True,
    problems: list[Diagnostic] | None = None,
) -> Iterator[Unit]:
    """Yield the units of a repository in the order of their paths and lines; files that cannot be read or are too large are
    left out.

    Args:
        wanted: only files that it chooses.
        problems: takes what was left out although it may belong to the repository, and why.

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
    problems = [] if problems is None else problems
    problems += [each for each in tree.diagnostics if each.kind != "symlink"]
    paths = [path for path in tree.paths if wanted is None or wanted(path)]
    with sources.SourceReader(tree.root, tree.blobs) as reader:
        for path in tqdm(paths, desc="Reading", unit="file", disable=None if progress else True):
            if sources.has_binary_suffix(path):
                continue
            try:
                data, size = reader.read(path, max_file_size)
            except OSError as error:
                problems.append(Diagnostic(path, "unreadable", f"skipped: {error.strerror or error}"))
                continue
            if data is None:
                problems.append(Diagnostic(path, "too-large", f"{readable_size(size)}: not indexed"))
            if data:
                yield from (unit for unit in units_of_file(path, data) if unit.kind in kinds)


def units_of_file(path: str, data: bytes) -> Iterator[Unit]:
    """Yield the units of one file: the file itself, then its classes, functions and sections; none for binary data."""
    language = language_of_path(path)
    text = sources.decode_text(data) if language is None else sources.decode_source(data)[0]
    if text is None or not text.strip():
        return
    source = SourceText(text)
    name = path.rpartition("/")[2]
    yield Unit("file", name, path, 1, _line(source, len(text) - 1), f"{path}\n{text[:MAX_CHARACTERS]}")
    covered = [_covered(text, 0, len(text))]
    if language is not None:
        for unit, span in _definitions(path, source, front_end(language).extract(path, source)):
            covered.append(_covered(text, *span))
            yield unit
    if is_markdown(path):
        for title, start, end in markdown_sections(text):
            covered.append((start, end))
            yield _section(source, path, title or name, start, end)
    for start, end in uncovered_sections(text, covered):
        yield _section(source, path, name, start, end)


def _covered(text: str, start: int, end: int) -> tuple[int, int]:
    """What of `[start, end)` is in a unit's text: whole lines, if there are several."""
    if end - start > MAX_CHARACTERS:
        end = text.rfind("\n", start, start + MAX_CHARACTERS) + 1 or start + MAX_CHARACTERS
    return start, end


def _section(source: SourceText, path: str, name: str, start: int, end: int) -> Unit:
    return Unit("section", name, path, source.line(start), _line(source, end - 1), source.text[start:end])


def _line(source: SourceText, at: int) -> int:
    return source.line(max(at, 0))


def _definitions(path: str, source: SourceText, facts: FileFacts) -> Iterator[tuple[Unit, tuple[int, int]]]:
    """The functions and classes, with where each starts and ends."""
    kinds = languages()[facts.language].unit_kinds
    for definition in facts.definitions[1:]:
        kind = kinds.get(definition.node_type)
        text = source.text[definition.start : definition.end]
        if kind is None or not text.strip():
            continue
        lines = source.line(definition.start), _line(source, definition.end - 1)
        comment = definition.fields.get("comment") or ""
        comment = comment[:MAX_CHARACTERS] if isinstance(comment, str) and comment not in text else ""
        unit = Unit(kind, _qualified_name(definition, facts), path, *lines, text[:MAX_CHARACTERS], comment)
        yield unit, (definition.start, definition.end)


def _qualified_name(definition: Definition, facts: FileFacts) -> str:
    parts, kinds = [], languages()[facts.language].unit_kinds
    while definition.parent >= 0:
        if definition.node_type in kinds:
            parts.append(_own_name(definition))
        definition = facts.definitions[definition.parent]
    return ".".join(part for part in reversed(parts) if part)


def _own_name(definition: Definition) -> str:
    """The name that tells a definition from its neighbours: with the types of its parameters, where the language has overloads."""
    signature = definition.fields.get("signature")
    if isinstance(signature, str) and "#" in signature:
        return signature.partition("#")[2]
    columns = {field.column: field for field in FIELDS[NodeType(definition.node_type)]}
    return next((definition.fields[key] for key in columns["name"].keys if definition.fields.get(key)), "")
