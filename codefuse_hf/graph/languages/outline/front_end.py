"""The front end of languages that a table describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codefuse_hf.graph.languages.base import FileFacts, LanguageFrontEnd, Ref
from codefuse_hf.graph.languages.outline.reading import read_outline
from codefuse_hf.graph.languages.outline.resolution import find_edges
from codefuse_hf.graph.languages.outline.table import Outline
from codefuse_hf.graph.languages.source_text import SourceText


class OutlineFrontEnd(LanguageFrontEnd):
    """Definitions, imports and calls as far as syntax and names tell them; no types, no flow of values.

    Args:
        language: the language's name.
        outline: its table.
        others: tables, by name, of the languages whose files are resolved together with this one's.
    """

    def __init__(self, language: str, outline: Outline, others: Mapping[str, Outline] = {}):
        self._language, self._outline = language, outline
        self._outlines = {**others, language: outline}

    def extract(self, path: str, source: SourceText) -> FileFacts:
        """Read a file."""
        return read_outline(self._language, self._outline, path, source)

    def resolve(self, project: Mapping[str, FileFacts]) -> Iterable[tuple[str, Ref, Ref]]:
        """Find the edges between all files."""
        return find_edges(project, self._outlines, getattr(project, "metadata", {}))
