"""Keeps all edges of a Python project per file, so that after a change only those of the files that it reaches are found again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY, FileFacts, Problem, UpdatableResolution
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.names.edges import name_edges
from codefuse_hf.graph.languages.python.names.metadata import project_packages
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.reading.facts import PythonFacts
from codefuse_hf.graph.languages.python.resolution import (
    Edges,
    edges_by_name,
    edges_of,
    flow_edges,
    joined_edges,
    problems_of,
)
from codefuse_hf.graph.languages.python.update.declarations import KeptStructure
from codefuse_hf.graph.languages.python.update.labels import relabelled
from codefuse_hf.graph.languages.python.update.name_changes import FileChange, update_names
from codefuse_hf.graph.languages.python.update.rounds import History


class _EdgeStore:
    """The edges of all files in two arrays.

    Attributes:
        codes: uint8 [n].
        ends: int32 [n, 4] of file, definition, target file, target definition; files by slot.
    """

    def __init__(self) -> None:
        self.codes, self.ends = np.zeros(0, np.uint8), np.zeros((0, 4), np.int32)

    def replace(self, slots: Collection[int], found: Iterable[tuple[int, Edges]], size: int) -> None:
        """Puts the edges `found`, by slot, in place of those of the files `slots`; there are `size` slots."""
        if not slots:
            return
        is_old = np.zeros(size, bool)
        is_old[list(slots)] = True
        kept = ~is_old[self.ends[:, 0]]
        codes, ends = joined_edges(found)
        self.codes, self.ends = np.concatenate([self.codes[kept], codes]), np.concatenate([self.ends[kept], ends])

    def move(self, slot: int, places: Mapping[int, int]) -> None:
        """Has the edges of all files point to where the definitions of a changed file are now."""
        if all(before == now for before, now in places.items()):
            return
        table = np.arange(max(places) + 1, dtype=np.int32)
        table[list(places)] = list(places.values())
        chosen = np.flatnonzero((self.ends[:, 2] == slot) & (self.ends[:, 3] < len(table)))
        self.ends[chosen, 3] = table[self.ends[chosen, 3]]


class KeptResolution(UpdatableResolution):
    """The resolved project.

    Attributes:
        facts: by path, relabelled.
        slots: the number of each file that there ever was.
        order: the files in order of their paths, by slot.
        replayed: paths of the files that the last update ran.
        reread: paths of the files whose names the last update followed.
    """

    def __init__(self, project: Mapping[str, FileFacts], progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.progress, self.memory = progress, memory
        self._build(project)

    def _build(self, project: Mapping[str, FileFacts]) -> None:
        self.facts: dict[str, PythonFacts] = {path: file.facts for path, file in project.items()}
        self.slots = {path: slot for slot, path in enumerate(self.facts)}
        self.paths = list(self.facts)
        self.order = list(range(len(self.paths)))
        self.names = Names(self.facts, getattr(project, "root_name", ""), True, project_packages(project))
        self.structure = KeptStructure(self.names, self.slots, len(self.paths))
        self.history = History(Solver(self.structure), self.progress, self.memory)
        self.name_edges, self.flow_edges, self.by_name_edges = _EdgeStore(), _EdgeStore(), _EdgeStore()
        # By name, the files that call methods of that name on objects that nothing is known of.
        self.callers: dict[str, set[int]] = {}
        self.unknown: dict[int, list[tuple[int, str]]] = {}
        self._follow_names(self.facts)
        self._run(self.order)
        self.size = self._memory()

    def _memory(self) -> int:
        """How much is kept that an update adds to and never takes anything from."""
        solver = self.history.solver
        return len(solver.kinds) + len(solver.names) + len(self.structure.memo) + len(self.names.readers)

    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Gives the edges with files numbered as the project lists them now, not as they came."""
        stores = self.name_edges, self.flow_edges, self.by_name_edges
        places = np.zeros(len(self.paths), np.int32)
        places[self.order] = np.arange(len(self.order))
        ends = np.concatenate([store.ends for store in stores])
        ends[:, 0], ends[:, 2] = places[ends[:, 0]], places[ends[:, 2]]
        return list(self.facts), np.concatenate([store.codes for store in stores]), ends

    def problems(self) -> Mapping[str, list[Problem]]:
        found = {path: problems_of(self.history.logs[self.slots[path]]) for path in self.facts}
        return {path: each for path, each in found.items() if each}

    # -- updates -------------------------------------------------------------------------------------------------------------------

    def update(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> None:
        """Resolves what the changes affect; all of it where imports mean something else, or what is long gone outweighs the rest."""
        moved = self.names.modules.packages != project_packages(project)
        if moved or self._memory() > 2 * self.size + 1000:
            self._build(project)
            return
        changes = self._changes(project, changed)
        self._take_facts(project, changes)
        stores = self.name_edges, self.flow_edges, self.by_name_edges
        live = {self.slots[path] for path, change in changes.items() if change.now is not None}
        gone = {self.slots[path] for path, change in changes.items() if change.now is None}
        for store in stores:
            store.replace(gone, (), len(self.paths))
            for path, change in changes.items():
                if change.now is not None and change.before is not None:
                    store.move(self.slots[path], change.moved)
        self.structure.find_subclasses()
        renamed = update_names(self.names, changes)
        if self.structure.stubs.depends_on(changes, renamed.readers, self.facts):
            self._build(project)
            return
        other = self.structure.update(changes, renamed, self._ranks())
        self._follow_names([path for path in renamed.readers if path in self.facts])
        self._run(live | self._askers(other, live | gone), gone)
        self._call_by_name({key[1] for key in other if key[0] == "methods"})

    def _changes(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> dict[str, FileChange]:
        old = self.facts
        changes = {}
        for path in changed:
            if path in project and path in old:
                changes[path] = FileChange(old[path], relabelled(project[path].facts, old[path]))
        for path in project.keys() - old.keys():
            changes[path] = FileChange(None, project[path].facts)
        for path in old.keys() - project.keys():
            changes[path] = FileChange(old[path], None)
        return changes

    def _take_facts(self, project: Mapping[str, FileFacts], changes: Mapping[str, FileChange]) -> None:
        same_files = True
        for path, change in changes.items():
            same_files = same_files and change.before is not None and change.now is not None
            self.facts[path] = change.now
            if path not in self.slots:
                self.slots[path] = len(self.paths)
                self.paths.append(path)
        if not same_files:
            self.facts = {path: self.facts[path] for path in project}
            self.order = [self.slots[path] for path in project]

    def _ranks(self) -> list[int]:
        ranks = np.zeros(len(self.paths), np.int64)
        ranks[self.order] = np.arange(len(self.order))
        return ranks.tolist()

    def _askers(self, questions: set[tuple], slots: set[int]) -> set[int]:
        """The files, `slots` apart, that asked one of these questions."""
        if not questions:
            return set()
        logs = self.history.logs
        return {slot for slot, log in logs.items() if slot not in slots and not questions.isdisjoint(log.asked)}

    # -- edges ---------------------------------------------------------------------------------------------------------------------

    def _run(self, slots: Iterable[int], gone: Iterable[int] = ()) -> None:
        """Runs files and whatever they affect, and puts their edges in place."""
        for slot in gone:
            self._forget_calls(slot)
        logs = self.history.run(self.order, slots, gone)
        for slot, log in logs.items():
            self._forget_calls(slot)
            self.unknown[slot] = log.unknown
            for _, name in self.unknown.get(slot, ()):
                self.callers.setdefault(name, set()).add(slot)
        size = len(self.paths)
        self.flow_edges.replace(logs, ((slot, flow_edges(log)) for slot, log in logs.items()), size)
        self.by_name_edges.replace(
            logs, ((slot, edges_by_name(self.structure, log)) for slot, log in logs.items()), size
        )
        self.replayed = [self.paths[slot] for slot in logs]

    def _follow_names(self, paths: Iterable[str]) -> None:
        """Finds the edges that names alone tell of some files."""
        self.reread = list(paths)
        found = ((self.slots[path], self._name_edges(path)) for path in self.reread)
        self.name_edges.replace([self.slots[path] for path in self.reread], found, len(self.paths))

    def _name_edges(self, path: str) -> Edges:
        edges, _ = self.names.read_by(path, lambda: edges_of(name_edges(self.names, path), self.slots))
        return edges

    def _call_by_name(self, names: set[str]) -> None:
        """Finds the calls by name again of the files that call methods of these names."""
        slots = set().union(*(self.callers.get(name, ()) for name in names))
        found = ((slot, edges_by_name(self.structure, self.history.logs[slot])) for slot in slots)
        self.by_name_edges.replace(slots, found, len(self.paths))

    def _forget_calls(self, slot: int) -> None:
        for _, name in self.unknown.pop(slot, ()):
            self.callers[name].discard(slot)
