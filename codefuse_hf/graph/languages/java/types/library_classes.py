"""The classes of Java's own library in one project: made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages.java import library
from codefuse_hf.graph.languages.java.types.types import JavaClass

_MISSING: Any = object()


class LibraryClasses:
    """Looks up library classes by their qualified names, as `java.util.Map.Entry`."""

    def __init__(self, make: Callable[[Any], list[JavaClass]], link: Callable[[JavaClass], None]) -> None:
        """`make` turns the facts of a file into classes, `link` finds out their supertypes."""
        self._make, self._link = make, link
        self._classes: dict[str, JavaClass | None] = {}
        self.loading = 0
        """How many classes are being made right now: until then their supertypes are not known."""

    def __getitem__(self, name: str) -> JavaClass:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str) -> JavaClass | None:
        """Finds the class of a qualified name, None when the library has none that is known."""
        found = self._classes.get(name, _MISSING)
        if found is _MISSING:
            self._load(name)
            found = self._classes.setdefault(name, None)
        return found

    def _load(self, name: str) -> None:
        package = name
        while package and package not in library.packages():
            package = package.rpartition(".")[0]
        top = name[len(package) + 1 :].partition(".")[0]
        facts = library.facts_of(package, top) if package and top else None
        if facts is None or f"{package}.{top}" in self._classes:
            return
        classes = self._make(facts)
        for cls in classes:
            self._classes[cls.name] = cls
        self.loading += 1
        for cls in classes:
            self._link(cls)
        self.loading -= 1
