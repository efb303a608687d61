"""Python: files to definitions and facts, facts to edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY, FileFacts, LanguageFrontEnd, Project, Ref, Resolution
from codefuse_hf.graph.languages.python.reading.facts import PythonFacts
from codefuse_hf.graph.languages.python.reading.file import extract_python
from codefuse_hf.graph.languages.python.reading.program import pack
from codefuse_hf.graph.languages.python.resolution import PythonResolution
from codefuse_hf.graph.languages.python.update.resolution import KeptResolution
from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.schema import EDGE_TYPES


class PythonFrontEnd(LanguageFrontEnd):
    """Python 3 (and what of Python 2 the grammar reads)."""

    def extract(self, path: str, source: SourceText) -> FileFacts:
        return extract_python(path, source)

    def shrink(self, facts: PythonFacts | None) -> PythonFacts | None:
        """Packs the program of a file, in place."""
        if facts is not None:
            pack(facts)
        return facts

    def resolve(self, project: Mapping[str, FileFacts]) -> Iterator[tuple[str, Ref, Ref]]:
        """Yields the edges of copies of the facts, since resolving consumes what it is given."""
        owned = Project(
            {path: replace(file, facts=_packed_copy(file.facts)) for path, file in project.items()},
            getattr(project, "root_name", ""),
            getattr(project, "metadata", {}),
        )
        paths, codes, ends = self.resolution(owned, keep=False).numbers()
        for code, (source, first, target, second) in zip(codes.tolist(), ends.tolist(), strict=True):
            yield str(EDGE_TYPES[code]), Ref(paths[source], first), Ref(paths[target], second)

    def resolution(
        self, project: Mapping[str, FileFacts], keep: bool, progress: bool = False, memory: int = DEFAULT_MEMORY
    ) -> Resolution:
        """Resolves a project, whose facts it consumes."""
        return (KeptResolution if keep else PythonResolution)(project, progress, memory)


def _packed_copy(facts: PythonFacts) -> PythonFacts:
    """Facts that resolution may consume."""
    facts = copy(facts)
    if not facts.program:
        pack(facts)
    return facts
