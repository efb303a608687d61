"""Stubs: `.pyi` files beside sources. What they say of types holds for the definitions of the sources, and it is these that names lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from codefuse_hf.graph.languages.python.names.modules import Entity
from codefuse_hf.graph.languages.python.reading.facts import OWN_TYPE, Annotation, PythonFacts

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.python.names.names import Names

Place = tuple[int, int]
"""A class or function: file, label."""

SUFFIX = ".pyi"


def sources_of_stubs(paths: Iterable[str]) -> dict[str, str]:
    """Returns the source beside each stub that has one."""
    paths = set(paths)
    pairs = {path: path.removesuffix(SUFFIX) for path in paths if path.endswith(SUFFIX)}
    return {path: stem + suffix for path, stem in pairs.items() for suffix in (".pyw", ".py") if stem + suffix in paths}


class StubTypes:
    """What the stubs of a project say of the definitions in its sources.

    An annotation is (file of the stub, variable, attribute names): as in `facts.py`, with the file whose names it is made of.

    Attributes:
        results, parameters: annotations by function; those of parameters by their names.
        own: functions that return an object of their receiver's class.
        typed: what is said of variables and of attributes of classes, by file, as in `PythonFacts.typed`.
        files: the stubs, their sources, and where the definitions are that these export.
    """

    def __init__(self, names: Names, slots: Mapping[str, int]):
        self.names, self.slots = names, slots
        self.results: dict[Place, tuple] = {}
        self.parameters: dict[Place, dict[str, tuple]] = {}
        self.own: set[Place] = set()
        self.typed: dict[int, list[tuple]] = {}
        self.files: set[str] = set()
        for path, source in names.sources.items():
            self.files |= {path, source}
            names.read_by(path, self._read, path, source)

    def depends_on(self, changed: Iterable[str], readers: Iterable[str], now: Mapping[str, PythonFacts]) -> bool:
        """Tells whether any of this may be otherwise once files have `changed`, and what `readers` read."""
        if not self.files.isdisjoint(changed) or any(path in self.files for path in readers if path.endswith(SUFFIX)):
            return True
        stems = {path.rpartition(".")[0] for path in changed}
        return any(stem + SUFFIX in now and (stem + ".py" in now or stem + ".pyw" in now) for stem in stems)

    def _read(self, path: str, source: str) -> None:
        facts = self.names.facts[path]
        groups: dict[tuple[int, str], list[int]] = {}
        for label in facts.functions.present():
            groups.setdefault((facts.functions.owner(label), facts.functions.name(label)), []).append(label)
        for labels in groups.values():
            for target in self.names.behind_stub(path, "function", labels[-1]):
                self._read_function(path, labels, target)
        for owner, name, variable, annotation in facts.typed:
            if owner >= 0:
                for target in self.names.behind_stub(path, "class", owner):
                    self._note(target.place, (target.index, name, 0, self._of(path, annotation)))
            elif owner == -1:
                exported = [name for name, each in facts.exports.items() if each == variable]
                for name in exported:
                    if name in self.names.facts[source].exports:
                        variable = self.names.facts[source].exports[name]
                        self._note(source, (-1, "", variable, self._of(path, annotation)))

    def _note(self, path: str, entry: tuple) -> None:
        self.files.add(path)
        self.typed.setdefault(self.slots[path], []).append(entry)

    def _of(self, path: str, annotation: Annotation) -> tuple:
        return self.slots[path], *annotation

    def _read_function(self, path: str, labels: list[int], target: Entity) -> None:
        """Takes what a stub's function says, which may have several `labels` (overloads): its results are any of theirs, its parameters unknown."""
        functions = self.names.facts[path].functions
        place = self.slots[target.place], target.index
        self.files.add(target.place)
        results = [functions.annotation(label, -1) for label in labels]
        if all(results):
            trees = [("name", *each) if each[0] else each[1] for each in results]
            both = results[0] if len(results) == 1 else (0, ("union", *dict.fromkeys(trees)))
            self.results.setdefault(place, self._of(path, both))
        if all(OWN_TYPE in functions.arguments(label)[0] for label in labels):
            self.own.add(place)
        if len(labels) == 1:
            words = self.parameters.setdefault(place, {})
            for position, (name, _, _) in enumerate(functions.parameters(labels[0])):
                annotation = functions.annotation(labels[0], position)
                if annotation is not None:
                    words.setdefault(name, self._of(path, annotation))


def behind_stub(names: Names, path: str, kind: str, label: int) -> Iterator[Entity]:
    """Returns the definitions of sources that a definition of a stub stands for, of the same kind; none where the source does not have the
    name."""
    facts = names.facts[path]
    if kind == "class":
        name = facts.classes.name(label)
        around = facts.classes.caller(label)
        owner = next((each for each in facts.classes.present() if facts.classes.definition(each) == around), -1)
    else:
        name, owner = facts.functions.name(label), facts.functions.owner(label)
    if owner < 0:
        found = names.exported(names.sources[path], name)
    else:
        found = [each for outer in names.behind_stub(path, "class", owner) for each in names.own_member(outer, name)]
    return (each for each in found if each.kind == kind and each.place != path)
