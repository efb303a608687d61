"""All edges of a Python project, kept per file, so that after a change only those of the files that it reaches are found again."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY, FileFacts, Resolution
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.rounds import FileLog, Rounds
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.names.edges import Edge, name_edges
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.reading.facts import PythonFacts
from codefuse_hf.graph.languages.python.update.labels import relabelled
from codefuse_hf.graph.languages.python.update.name_changes import FileChange, update_names
from codefuse_hf.graph.schema import EDGE_CODES, EdgeType

_CODES = {str(kind): EDGE_CODES[kind] for kind in EdgeType}
_CALLS, _REFERENCES = EDGE_CODES[EdgeType.CALLS], EDGE_CODES[EdgeType.REFERENCES]
Edges = tuple[np.ndarray, np.ndarray]
"""Edges of one file: codes, uint8 [n]; int32 [n, 3] of definition, target file, target definition."""


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
        codes, ends = [self.codes[kept]], [self.ends[kept]]
        for slot, (each, targets) in found:
            codes.append(each)
            ends.append(np.empty((len(each), 4), np.int32))
            ends[-1][:, 0], ends[-1][:, 1] = slot, targets[:, 0]
            ends[-1][:, 2:] = targets[:, 1:]
        self.codes, self.ends = np.concatenate(codes), np.concatenate(ends)

    def move(self, slot: int, places: Mapping[int, int]) -> None:
        """Has the edges of all files point to where the definitions of a changed file are now."""
        if all(before == now for before, now in places.items()):
            return
        table = np.arange(max(places) + 1, dtype=np.int32)
        table[list(places)] = list(places.values())
        chosen = np.flatnonzero((self.ends[:, 2] == slot) & (self.ends[:, 3] < len(table)))
        self.ends[chosen, 3] = table[self.ends[chosen, 3]]


class PythonResolution(Resolution):
    """The resolved project.

    Attributes:
        facts: by path, relabelled.
        slots: the number of each file that there ever was.
        order: the files in order of their paths, by slot.
        replayed: paths of the files that the last update ran.
        reread: paths of the files whose names the last update followed.
    """

    def __init__(
        self,
        project: Mapping[str, FileFacts],
        keep: bool,
        progress: bool = False,
        memory: int = DEFAULT_MEMORY,
    ):
        self.keep, self.progress, self.memory = keep, progress, memory
        self._build(project)

    def _build(self, project: Mapping[str, FileFacts]) -> None:
        self.root_name = getattr(project, "root_name", "")
        self.facts: dict[str, PythonFacts] = {path: file.facts for path, file in project.items()}
        self.slots = {path: slot for slot, path in enumerate(self.facts)}
        self.paths = list(self.facts)
        self.order = list(range(len(self.paths)))
        self.names = Names(self.facts, self.root_name, self.keep)
        self.structure = Structure(self.names, self.slots, len(self.paths), self.keep)
        self.rounds = Rounds(Solver(self.structure), self.keep, self.progress, self.memory)
        self.name_edges, self.flow_edges, self.by_name_edges = _EdgeStore(), _EdgeStore(), _EdgeStore()
        # By name, the files that call methods of that name on objects that nothing is known of.
        self.callers: dict[str, set[int]] = {}
        self.unknown: dict[int, list[tuple[int, str]]] = {}
        self._follow_names(self.facts)
        if not self.keep:
            self.structure.put_programs_away()
        self._run(self.order)
        self.structure.close()
        self.size = self._memory()

    def _memory(self) -> int:
        """How much is kept that an update adds to and never takes anything from."""
        solver = self.rounds.solver
        return len(solver.kinds) + len(solver.names) + len(self.structure.memo) + len(self.names.readers)

    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        stores = self.name_edges, self.flow_edges, self.by_name_edges
        places = np.zeros(len(self.paths), np.int32)
        places[self.order] = np.arange(len(self.order))
        ends = np.concatenate([store.ends for store in stores])
        ends[:, 0], ends[:, 2] = places[ends[:, 0]], places[ends[:, 2]]
        return list(self.facts), np.concatenate([store.codes for store in stores]), ends

    # -- updates -------------------------------------------------------------------------------------------------------------------

    def update(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> None:
        if self._memory() > 2 * self.size + 1000:
            self._build(project)  # what is long gone outweighs the rest
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
        logs = self.rounds.logs
        return {slot for slot, log in logs.items() if slot not in slots and not questions.isdisjoint(log.asked)}

    # -- edges ---------------------------------------------------------------------------------------------------------------------

    def _run(self, slots: Iterable[int], gone: Iterable[int] = ()) -> None:
        """Runs files and whatever they affect, and puts their edges in place."""
        for slot in gone:
            self._forget_calls(slot)
        logs = self.rounds.run(self.order, slots, gone)
        for slot, log in logs.items():
            self._forget_calls(slot)
            if self.keep:
                self.unknown[slot] = log.unknown
            for _, name in self.unknown.get(slot, ()):
                self.callers.setdefault(name, set()).add(slot)
        size = len(self.paths)
        self.flow_edges.replace(logs, ((slot, _flow_edges(log)) for slot, log in logs.items()), size)
        self.by_name_edges.replace(logs, ((slot, self._by_name(log)) for slot, log in logs.items()), size)
        self.replayed = [self.paths[slot] for slot in logs]

    def _follow_names(self, paths: Iterable[str]) -> None:
        """Finds the edges that names alone tell of some files."""
        self.reread = list(paths)
        found = ((self.slots[path], self._name_edges(path)) for path in self.reread)
        self.name_edges.replace([self.slots[path] for path in self.reread], found, len(self.paths))

    def _name_edges(self, path: str) -> Edges:
        edges, _ = self.names.read_by(path, lambda: _edges(name_edges(self.names, path), self.slots))
        return edges

    def _call_by_name(self, names: set[str]) -> None:
        """Finds the calls by name again of the files that call methods of these names."""
        slots = set().union(*(self.callers.get(name, ()) for name in names))
        found = ((slot, self._by_name(self.rounds.logs[slot])) for slot in slots)
        self.by_name_edges.replace(slots, found, len(self.paths))

    def _forget_calls(self, slot: int) -> None:
        for _, name in self.unknown.pop(slot, ()):
            self.callers[name].discard(slot)

    def _by_name(self, log: FileLog) -> Edges:
        """Calls of methods of objects that nothing is known of."""
        structure = self.structure
        found = {
            (caller, slot, structure.facts[slot].functions.definition(function))
            for caller, name in log.unknown
            for slot, function in structure.ask(("methods", name))
        }
        return np.full(len(found), _CALLS, np.uint8), np.array(list(found), np.int32).reshape(-1, 3)


def _flow_edges(log: FileLog) -> Edges:
    ends = np.concatenate([log.calls, log.uses])
    codes = np.full(len(ends), _CALLS, np.uint8)
    codes[len(log.calls) :] = _REFERENCES
    log.calls = log.uses = None
    return codes, ends


def _edges(edges: Iterator[Edge], slots: Mapping[str, int]) -> Edges:
    codes, ends = array("B"), array("i")
    for kind, source, target in edges:
        codes.append(_CODES[kind])
        ends.extend((source.index, slots[target.path], target.index))
    return np.array(codes, np.uint8), np.array(ends, np.int32).reshape(-1, 3)
