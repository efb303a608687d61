"""Tells which units of an index are still there, and where: code changes after it was indexed."""

import os
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from codefuse_hf.graph.build.sources import DEFAULT_MAX_FILE_SIZE, SourceReader
from codefuse_hf.search.units import Unit, units_of_file


class Freshness:
    """Compares units with the repository as it is now; each file is looked at once.

    Args:
        root: the repository.
        files: path → [size, time of change, hash] as it was read for the index.
    """

    def __init__(self, root: str | os.PathLike, files: dict[str, list]) -> None:
        self.root, self.files = Path(root), files
        self._found: dict[str, dict[tuple, list[Unit]] | None] = {}

    def now(self, unit: dict[str, Any]) -> dict[str, Any] | None:
        """Find a unit's record with its lines of today; None where its code is gone or has changed."""
        path = unit["path"]
        if path not in self._found:
            self._found[path] = self._changed_units(path)
        changed = self._found[path]
        if changed is None:
            return unit
        same = changed.get((unit["kind"], unit["name"], unit["hash"])) or changed.get((unit["kind"], unit["hash"]))
        if not same:
            return None
        nearest = min(same, key=lambda each: abs(each.line - unit["line"]))
        return {**unit, "name": nearest.name, "line": nearest.line, "end_line": nearest.end_line}

    def _changed_units(self, path: str) -> dict[tuple, list[Unit]] | None:
        """None for a file that is as it was; otherwise its units now."""
        size, time, digest = self.files.get(path, (-1, -1, ""))
        try:
            status = os.stat(self.root / path)
            if (status.st_size, status.st_mtime_ns) == (size, time):
                return None
            with SourceReader(os.fspath(self.root)) as reader:
                data, _ = reader.read(path, DEFAULT_MAX_FILE_SIZE)
        except (OSError, ValueError):
            return {}
        if data is None:
            return {}
        if blake2b(data, digest_size=16).hexdigest() == digest:
            return None
        found = defaultdict(list)
        for unit in units_of_file(path, data):
            found[unit.kind, unit.name, unit.content_hash].append(unit)
            found[unit.kind, unit.content_hash].append(unit)
        return dict(found)
