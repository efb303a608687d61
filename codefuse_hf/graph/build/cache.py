"""A build kept on disk: the finished graph and what it was made from, so that an unchanged repository is not parsed again.

Two plain files in one folder, both data only: `manifest.json` (what was read, and how) and `graph.json.gz` (the graph in its public form).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from codefuse_hf.files import replacing
from codefuse_hf.graph.build.sources import SourceReader, SourceTree
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.graph.schema import Diagnostic

_FORMAT = 1
_MANIFEST, _GRAPH = "manifest.json", "graph.json.gz"


class BuildCache:
    """One graph in one folder. A missing, foreign or damaged cache is as good as none: the graph is built anew."""

    def __init__(self, folder: str | os.PathLike, options: Mapping[str, Any]):
        self._folder = Path(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise NotADirectoryError(
                f"cache={os.fspath(folder)!r} is a file; expected a folder, which is made if it does not exist"
            )
        self._options = dict(options)

    def fingerprint(self, tree: SourceTree, limit: int) -> dict[str, str]:
        """Makes a digest of the contents of every listed file."""
        found = {}
        with SourceReader(tree.root, tree.blobs) as reader:
            for path in tree.paths:
                if tree.blobs is not None:
                    found[path] = tree.blobs[path]
                    continue
                try:
                    data, size = reader.read(path, limit)
                    found[path] = f"size {size}" if data is None else blake2b(data, digest_size=16).hexdigest()
                except OSError as error:
                    found[path] = f"unreadable {error.errno}"
        return found

    def load(self, fingerprint: Mapping[str, str]) -> CodeGraph | None:
        """Reads the kept graph, if it was made from exactly these files with these options."""
        try:
            manifest = json.loads((self._folder / _MANIFEST).read_text(encoding="utf-8"))
            same = (
                manifest["format"] == _FORMAT
                and manifest["options"] == self._options
                and manifest["files"] == fingerprint
            )
            if not same:
                return None
            graph = CodeGraph.load(self._folder / _GRAPH)
            graph.diagnostics = [Diagnostic(*fields) for fields in manifest["diagnostics"]]
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            return None
        return graph

    def save(self, fingerprint: Mapping[str, str], graph: CodeGraph) -> None:
        """Keeps a graph; the manifest is taken away first and comes back last, so that a half-written cache is never believed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _MANIFEST).unlink(missing_ok=True)
        graph.save(self._folder / _GRAPH)
        diagnostics = [[d.path, d.kind, d.message, d.line] for d in graph.diagnostics]
        manifest = {"format": _FORMAT, "options": self._options, "files": dict(fingerprint), "diagnostics": diagnostics}
        with replacing(self._folder / _MANIFEST, "w", encoding="utf-8") as file:
            json.dump(manifest, file)
