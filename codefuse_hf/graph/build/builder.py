"""Builds code graphs: lists sources, extracts each file, resolves each language, assembles nodes and edges."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tqdm.auto import tqdm

from codefuse_hf import __version__
from codefuse_hf.free_memory import give_back
from codefuse_hf.graph.build import sources
from codefuse_hf.graph.build.cache import BuildCache
from codefuse_hf.graph.build.extraction import ExtractedFile, extract_files
from codefuse_hf.graph.build.joining import EdgeTable, FilePart, join_parts
from codefuse_hf.graph.build.nodes import clean_path
from codefuse_hf.graph.build.options import BuildOptions
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.graph.languages import front_end, languages, resolved_as, select_languages, tree_sitter
from codefuse_hf.graph.languages.base import TEXT, Edges, FileFacts, Problem, Project, UpdatableResolution
from codefuse_hf.graph.schema import Diagnostic
from codefuse_hf.graph.spill import Spill

_LARGE = 200
"""Files from where on memory is worth a collection of garbage, which takes longer than a small build."""


def build_code_graph(
    path: str | os.PathLike | Iterable[str | os.PathLike],
    *,
    cache: str | os.PathLike | None = None,
    **options: Any,
) -> CodeGraph:
    """Builds the code graph of a folder, of a list of files, or of a revision of a local git repository.

    Args:
        path: a folder, a file, or several files.
        cache: a folder in which the graph is kept; the next build with the same options of a repository whose files have
            not changed reads it from there. For changes while a program runs, see `GraphBuilder.update`.
        options: what is read and how (`revision`, `files`, `languages`, `workers`, …), see `BuildOptions`.

    Returns:
        The graph. `graph.diagnostics` lists, per file, what was wrong with it; nothing that is wrong with a file stops the build.

    Raises:
        OSError: the path does not exist or cannot be listed.
        ValueError: an unknown language or revision, or a file outside the folder.
    """
    builder = GraphBuilder(path, keep=False, **options)
    return builder.build() if cache is None else builder.build_cached(cache)


class GraphBuilder:
    """Builds a graph and keeps what is needed to build it again after changes.

    Args:
        path: as in `build_code_graph`.
        keep: whether to keep it; without, a build takes less memory, and an update is a build.
        options: see `BuildOptions`.
    """

    def __init__(
        self, path: str | os.PathLike | Iterable[str | os.PathLike], *, keep: bool = True, **options: Any
    ) -> None:
        self._path = path if isinstance(path, str | os.PathLike) else list(path)
        self._options, self._keeps = BuildOptions(**options), keep
        self._forget()

    def _forget(self) -> None:
        self._tree: sources.SourceTree | None = None
        self._extracted: dict[str, ExtractedFile] = {}
        self._parts: dict[str, FilePart] = {}
        self._resolved: dict[str, EdgeTable] = {}
        self._lacks: dict[str, Mapping[str, list[Problem]]] = {}
        self._metadata: dict[str, dict[str, str]] = {}
        self._resolutions: dict[str, UpdatableResolution] = {}
        self._changed: set[str] = set()
        self._is_sorted = True
        self._spill: Spill | None = None

    def build(self) -> CodeGraph:
        """Builds the graph from scratch."""
        tree = self._list()
        ordered = sorted(tree.paths, key=_path_order)
        found = extract_files(tree, ordered, self._options)
        self._forget()
        self._tree = tree
        if not self._keeps:
            self._spill = Spill()  # nodes wait there until all edges are found
        with _no_collection():
            for file in found:
                self._keep(file)
            self._is_sorted = True
            return self._assemble()

    def build_cached(self, folder: str | os.PathLike) -> CodeGraph:
        """Reads the graph from a cache folder if nothing has changed since it was kept there, else builds and keeps it."""
        tree = self._list()
        options = {
            **self._options.decisive(),
            "name": self._options.name or tree.name,
            "version": __version__,
        }
        options["grammars"] = {
            name: tree_sitter.grammar_version(each.grammar)
            for name, each in select_languages(self._options.languages).items()
            if each.grammar
        }
        kept = BuildCache(folder, options)
        fingerprint = kept.fingerprint(tree, self._options.max_file_size)
        graph = kept.load(fingerprint)
        if graph is None:
            graph = self.build()
            kept.save(fingerprint, graph)
        return graph

    def update(self, changed: Iterable[str | os.PathLike] | None = None) -> CodeGraph:
        """Builds the graph again after changes on disk; the same bytes as `build()` would give.

        Only changed files are read, parsed and turned into nodes; the other files' nodes are copied, as arrays. While only
        comments, docstrings and layout change, so are all edges. Otherwise, for Python, the changed files are resolved
        again, and of the others those which receive other values from them, or for which some name, class or signature
        has another meaning now: what each file has read of others is on record. The edges of the rest are copied. Other
        languages are resolved as a whole.

        Args:
            changed: paths of the files that were changed, made or removed, relative to the folder or absolute; None looks
                at every file and compares contents.
        """
        if self._tree is None:
            return self.build()
        with _no_collection():
            self._take_changes(changed)
            return self._assemble()

    def _take_changes(self, changed: Iterable[str | os.PathLike] | None) -> None:
        """Reads what has changed; `changed` as in `update`."""
        tree = self._list()
        present = set(tree.paths)
        candidates = present ^ self._extracted.keys()
        candidates.update(present if changed is None else map(self._relative, changed))
        self._tree = tree
        for path in candidates - present:
            self._drop(path)
        again = sorted(candidates & present, key=_path_order)
        known = {path: file.digest for path in again if (file := self._extracted.get(path)) and file.digest}
        for file in extract_files(tree, again, self._options, known=known):
            old = self._extracted.get(file.path)
            if old is None or old.digest != file.digest or not file.digest:
                self._take(file)
        if not self._is_sorted:
            self._extracted = {path: self._extracted[path] for path in sorted(self._extracted, key=_path_order)}
            self._parts = {path: self._parts[path] for path in self._extracted if path in self._parts}
            self._is_sorted = True

    def _drop(self, path: str) -> None:
        """Takes out a file that is gone."""
        file = self._extracted.pop(path, None)
        self._parts.pop(path, None)
        if file is not None:
            self._resolved.pop(resolved_as(file.language), None)

    def _take(self, file: ExtractedFile) -> None:
        """Takes in a file that is new or another one; its language is resolved again unless only its texts are others."""
        old, part = self._extracted.get(file.path), self._parts.get(file.path)
        self._keep(file)
        now = self._parts.get(file.path)
        if (
            old is None
            or part is None
            or now is None
            or old.facts.facts != file.facts.facts
            or not now.same_shape(part)
        ):
            self._resolved.pop(resolved_as(file.language), None)
            if old is not None:
                self._resolved.pop(resolved_as(old.language), None)
            self._changed.add(file.path)

    def _list(self) -> sources.SourceTree:
        options = self._options
        return sources.list_sources(
            self._path,
            revision=options.revision,
            files=options.files,
            max_files=options.max_files,
            ignored=options.ignored,
        )

    def _relative(self, path: str | os.PathLike) -> str:
        root = self._tree.root
        relative = os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
        if relative.startswith("../"):
            raise ValueError(
                f"{os.fspath(path)!r} lies outside {root!r}: update() takes files of the folder the graph is built from"
            )
        return relative

    def _keep(self, file: ExtractedFile) -> None:
        """Takes in one extracted file."""
        path = file.path
        if path not in self._extracted or (file.part is not None and path not in self._parts):
            self._is_sorted = False
        self._extracted[path] = file
        if file.part is None:
            self._parts.pop(path, None)
        else:
            self._parts[path] = file.part
            if self._spill is not None:
                file.part.nodes = file.part.nodes.put_away(self._spill, len(self._extracted))
            file.part = None

    def _assemble(self) -> CodeGraph:
        tree = self._tree
        self._resolve_all(tree.name)
        if not self._keeps:
            for file in self._extracted.values():
                file.facts = None
            if len(self._extracted) >= _LARGE:
                gc.collect()  # little is left to look at, and what only the collector finds is large
                give_back()
        graph = join_parts(self._options.name or tree.name, self._parts, self._resolved.values(), self._diagnostics())
        if not self._keeps:
            self._spill.close()
            self._forget()
        self._changed.clear()
        return graph

    def _diagnostics(self) -> list[Diagnostic]:
        found = [Diagnostic(clean_path(d.path), d.kind, d.message, d.line) for d in self._tree.diagnostics]
        for file in self._extracted.values():
            lacks = [p for language in self._resolved for p in self._lacks.get(language, {}).get(file.path, ())]
            found += [Diagnostic(clean_path(file.path), p.kind, p.message, p.line) for p in [*file.problems, *lacks]]
        return sorted(found, key=lambda d: (d.path, d.line or 0, d.kind, d.message))

    def _resolve_all(self, root_name: str) -> None:
        """Resolves the languages that need it."""
        by_language: dict[str, dict[str, FileFacts]] = {}
        for path, file in self._extracted.items():
            if file.language != TEXT and file.facts is not None and file.facts.facts is not None:
                by_language.setdefault(resolved_as(file.language), {})[path] = file.facts
        self._resolved = {language: edges for language, edges in self._resolved.items() if language in by_language}
        self._resolutions = {language: each for language, each in self._resolutions.items() if language in by_language}
        metadata = {language: self._read_metadata(language) for language in by_language}
        for language, texts in metadata.items():
            if texts != self._metadata.get(language, {}):
                self._resolved.pop(language, None)
        self._metadata = metadata
        for language, files in by_language.items():
            if language not in self._resolved:
                self._resolved[language] = self._resolve(language, Project(files, root_name, metadata[language]))

    def _read_metadata(self, language: str) -> dict[str, str]:
        """The texts of the files that say something about the project to a language."""
        tree, names = self._tree, languages()[language].metadata
        present = [path for path in tree.paths if path.rpartition("/")[2] in names] if names else []
        if not present:
            return {}
        texts = {}
        with sources.SourceReader(tree.root, tree.blobs) as reader:
            for path in present:
                with contextlib.suppress(OSError):
                    texts[path] = (
                        sources.decode_text(reader.read(path, self._options.max_textfile_size)[0] or b"") or ""
                    )
        return texts

    def _resolve(self, language: str, project: Project) -> EdgeTable:
        with _no_collection():
            resolution = self._resolutions.get(language)
            if resolution is None:
                resolution = front_end(language).resolution(
                    project, keep=self._keeps, progress=self._options.progress, memory=self._options.memory
                )
            else:
                resolution.update(project, self._changed)
            if resolution is not None:
                if self._keeps:
                    self._resolutions[language] = resolution
                self._lacks[language] = resolution.problems()
                return EdgeTable.of_numbers(*resolution.numbers())
            edges = front_end(language).resolve(project)
            self._lacks[language] = edges.problems if isinstance(edges, Edges) else {}
            with tqdm(
                edges, desc=f"Resolving {language}", unit="edge", disable=not self._options.progress, leave=False
            ) as bar:
                return EdgeTable(bar, project)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of small objects are made that all stay: the collector would only look at them again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _path_order(path: str) -> list[str]:
    return path.split("/")
