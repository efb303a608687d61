"""Modules of a project: where imports find them, and how that changes with the files there are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SUFFIXES = (".py", ".pyi", ".pyw")


class Entity(NamedTuple):
    """What a name stands for. `kind`: module (index 0), class, function (index into the file's facts), attribute (definition), namespace, external.

    `place` is the file's path, the folder of a namespace package, or the dotted name of something outside the project.
    """

    kind: str
    place: str
    index: int


class Record:
    """What has been read since the innermost question began; `reads` is None where nothing is put on record."""

    __slots__ = ("reads",)

    def __init__(self, keep: bool = False):
        self.reads: list[tuple] | None = [] if keep else None


class Modules:
    """Finds modules the way the interpreter would, for every plausible entry of `sys.path` inside the project."""

    def __init__(
        self, paths: list[str], root_name: str = "", record: Record | None = None, packages: Mapping[str, str] = {}
    ):
        """`packages`: the folders of packages that do not lie where their names say (metadata.py)."""
        self.record = record or Record()
        self.root_name = root_name
        self.packages = packages
        self.paths: set[str] = set()
        # By folder, how many files and folders lie directly in it.
        self.folders: dict[str, int] = {"": 0}
        for path in paths:
            self._enter(path)
        self._homes: dict[str, list[str]] = {}
        for folder in sorted(self.folders, key=_depth):
            if folder:
                self._homes.setdefault(folder.rpartition("/")[2], []).append(folder.rpartition("/")[0])
        for path in sorted(paths, key=_depth):
            folder, stem = _folder_and_stem(path)
            homes = self._homes.setdefault(stem, [])
            if stem != "__init__" and folder not in homes:
                homes.append(folder)
        self._roots: dict[str, dict[str, str | None]] = {}

    def is_package(self, folder: str) -> bool:
        """Tells whether a folder has an `__init__`."""
        return self.file(_join(folder, "__init__")) is not None

    def file(self, stem: str) -> str | None:
        """Returns the path of a module, source or stub, by its path without suffix; None if there is none."""
        for suffix in SUFFIXES:
            if stem + suffix in self.paths:
                return stem + suffix
        return None

    def at(self, location: str) -> Entity | None:
        """Returns the module or package at a `/`-separated path without suffix; a package wins over a module of the same name."""
        if self.record.reads is not None:
            self.record.reads.append(("at", location))
        return self._at(location)

    def _at(self, location: str) -> Entity | None:
        found = self.file(_join(location, "__init__")) or (self.file(location) if location else None)
        if found is not None:
            return Entity("module", found, 0)
        return Entity("namespace", location, 0) if location in self.folders else None

    def root(self, folder: str, top: str) -> str | None:
        """Returns the folder in which an absolute import of `top` from a file in `folder` finds it."""
        if self.record.reads is not None:
            self.record.reads.append(("root", folder, top))
        roots = self._roots.setdefault(top, {})
        if folder not in roots:
            roots[folder] = self._find_root(folder, top)
        return roots[folder]

    def _find_root(self, folder: str, top: str) -> str | None:
        proper = self._proper_homes(folder, top)
        found = [h for h in proper if (entity := self._at(_join(h, top))) is not None and entity.kind == "module"]
        for candidates in (found, proper):
            ancestors = [h for h in candidates if _is_within(folder, h)]
            if ancestors:
                return max(ancestors, key=len)
            if candidates:
                return candidates[0]
        return None

    def _proper_homes(self, folder: str, top: str) -> list[str]:
        """The folders in which a file in `folder` may find `top`."""
        # Inside a package absolute names do not look beside the file; a root that is a package itself serves its own scripts only.
        proper = [h for h in self._homes.get(top, ()) if not self.is_package(h) or (h == folder == "")]
        if top in sys.stdlib_module_names:
            # Only a script's own folder comes before the standard library.
            proper = [h for h in proper if h == folder and not self.is_package(h)]
        return proper

    def resolve(self, importer: str, level: int, module: str) -> Entity | None:
        """Returns the module that `from {'.' * level}{module} import …` in the file `importer` names; None outside the project."""
        folder = importer.rpartition("/")[0]
        if level:
            for _ in range(level - 1):
                if not folder:
                    return None
                folder = folder.rpartition("/")[0]
            return self.at(_join(folder, module.replace(".", "/"))) if module else self.at(folder)
        if not module:
            return None
        parts = module.split(".")
        for size in range(len(parts), -1, -1) if self.packages else ():
            declared = self.packages.get(".".join(parts[:size]))
            if declared is not None:
                found = self.at(_join(declared, "/".join(parts[size:])))
                if found is not None and (size or found.kind == "module"):
                    return found
        home = self.root(folder, parts[0])
        if home is not None:
            found = self.at(_join(home, "/".join(parts)))
            return self._elsewhere(folder, home, parts) if found is None and len(parts) > 1 else found
        if parts[0] == self.root_name and self.is_package(""):
            return self.at("/".join(parts[1:]))
        return None

    def _elsewhere(self, folder: str, home: str, parts: list[str]) -> Entity | None:
        """Returns a module that is not where the first of its names is found, but where another folder or module has that name, too:
        packages without `__init__` have several places, or a module of their own name in them (`poetry/poetry.py`)."""
        others = [each for each in self._proper_homes(folder, parts[0]) if each != home]
        for each in sorted(others, key=lambda each: (not _is_within(folder, each), -len(each))):
            found = self.at(_join(each, "/".join(parts)))
            if found is not None:
                return found
        return None

    def child(self, entity: Entity, name: str) -> Entity | None:
        """Returns the submodule `name` of a package."""
        if entity.kind == "namespace":
            return self.at(_join(entity.place, name))
        folder, _, file = entity.place.rpartition("/")
        return self.at(_join(folder, name)) if file.startswith("__init__.") else None

    # -- updates -------------------------------------------------------------------------------------------------------------------

    def update(self, added: Iterable[str], removed: Iterable[str]) -> set[tuple]:
        """Takes in another set of files; the ids of what is found elsewhere than before, or no more."""
        added, removed = list(added), list(removed)
        if not added and not removed:
            return set()
        before = {place: self._at(place) for path in (*added, *removed) for place in _places(path)}
        was_package = self.is_package("")
        moved = {_join(*_folder_and_stem(path)) for path in (*added, *removed)}
        for path in removed:
            moved |= self._leave(path)
        for path in added:
            moved |= self._enter(path)
        places = {place for place in before if self._at(place) != before[place]}
        changed: set[tuple] = {("at", place) for place in places}
        changed |= self._moved_roots(moved | places - {""}, [path for path in (*added, *removed) if _is_init(path)])
        if was_package != self.is_package(""):
            changed |= {("root", folder, self.root_name) for folder in self._roots.get(self.root_name, ())}
        return changed

    def _enter(self, path: str) -> set[str]:
        """Adds a file; the folders that are new."""
        self.paths.add(path)
        new: set[str] = set()
        folder = path.rpartition("/")[0]
        while folder not in self.folders:
            self.folders[folder] = 1
            new.add(folder)
            folder = folder.rpartition("/")[0]
        self.folders[folder] += 1
        return new

    def _leave(self, path: str) -> set[str]:
        """Takes a file out; the folders that are gone."""
        self.paths.discard(path)
        gone: set[str] = set()
        folder = path.rpartition("/")[0]
        self.folders[folder] -= 1
        while folder and not self.folders[folder]:
            del self.folders[folder]
            gone.add(folder)
            folder = folder.rpartition("/")[0]
            self.folders[folder] -= 1
        return gone

    def _renew_homes(self, top: str, others: set[str]) -> bool:
        """Finds again in which folders there is a module or folder `top`: those it had, and perhaps `others`. Tells whether there are others now."""
        before = self._homes.get(top, [])
        homes = others.union(self._homes.get(top, ()))
        places = sorted([place for h in homes if (place := _join(h, top)) in self.folders], key=_depth)
        found = dict.fromkeys(place.rpartition("/")[0] for place in places)
        if top != "__init__":
            files = [_join(h, top) + suffix for h in homes for suffix in SUFFIXES]
            found.update((path.rpartition("/")[0], None) for path in sorted(files, key=_depth) if path in self.paths)
        self._homes[top] = list(found)
        return self._homes[top] != before

    def _moved_roots(self, places: set[str], inits: list[str]) -> set[tuple]:
        """Ids of the roots that are others now. A folder that becomes a package, or none, is another root for all that lies in it."""
        by_top: dict[str, set[str]] = {}
        for place in places:
            folder, _, top = place.rpartition("/")
            by_top.setdefault(top, set()).add(folder)
        others = {top for top, folders in by_top.items() if self._renew_homes(top, folders)}
        tops = set(by_top)
        for folder in {path.rpartition("/")[0] for path in inits}:
            others.update(top for top in self._roots if folder in self._homes.get(top, ()))
        tops |= others
        changed = set()
        for top in tops & self._roots.keys():
            roots = self._roots[top]
            for folder, before in roots.items():
                roots[folder] = self._find_root(folder, top)
                if roots[folder] != before or top in others:
                    changed.add(("root", folder, top))
        return changed


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _is_within(folder: str, above: str) -> bool:
    return above == "" or folder == above or folder.startswith(above + "/")


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _folder_and_stem(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name.rsplit(".", 1)[0]


def _is_init(path: str) -> bool:
    return _folder_and_stem(path)[1] == "__init__"


def _places(path: str) -> list[str]:
    """Where a file, by being there, may be found or make a folder be found: itself and the folders above it."""
    folder, stem = _folder_and_stem(path)
    places = [_join(folder, stem), folder]
    while folder:
        folder = folder.rpartition("/")[0]
        places.append(folder)
    return places
