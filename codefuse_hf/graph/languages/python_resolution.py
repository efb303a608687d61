"""All edges of a Python project, kept per file, so that after a change only those of the files that it reaches are found again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from codefuse_hf.graph.languages.base import FileFacts, Resolution
from codefuse_hf.graph.languages.python_facts import PythonFacts
from codefuse_hf.graph.languages.python_labels import describe_names, moved_definitions, relabelled
from codefuse_hf.graph.languages.python_modules import Names
from codefuse_hf.graph.languages.python_name_edges import Edge, name_edges
from codefuse_hf.graph.languages.python_rounds import FileLog, Rounds
from codefuse_hf.graph.languages.python_solver import Solver
from codefuse_hf.graph.languages.python_structure import LOCAL_QUESTIONS, Structure
from codefuse_hf.graph.schema import EDGE_CODES, EdgeType

_CODES = {str(kind): EDGE_CODES[kind] for kind in EdgeType}
_CALLS, _REFERENCES = EDGE_CODES[EdgeType.CALLS], EDGE_CODES[EdgeType.REFERENCES]
Edges = tuple[np.ndarray, np.ndarray]
"""Edges of one file: codes, uint8 [n]; int32 [n, 3] of definition, target file, target definition."""


class PythonResolution(Resolution):
    """The resolved project.

    Attributes:
        facts: by path, relabelled.
        slots: the number of each file that there ever was.
        logs: of each file's run.
        replayed: paths of the files that the last update ran.
    """

    def __init__(self, project: Mapping[str, FileFacts], keep: bool, progress: bool = False):
        self.keep, self.progress = keep, progress
        self._build(project)

    def _build(self, project: Mapping[str, FileFacts]) -> None:
        self.root_name = getattr(project, "root_name", "")
        self.facts: dict[str, PythonFacts] = {path: file.facts for path, file in project.items()}
        self.slots = {path: slot for slot, path in enumerate(self.facts)}
        self.paths = list(self.facts)
        self.names = Names(self.facts, self.root_name)
        self.structure = Structure(self.names, self.slots, len(self.paths))
        self.rounds = Rounds(Solver(self.structure), self.keep, self.progress)
        self.name_edges = {self.slots[path]: self._name_edges(path) for path in self.facts}
        order = range(len(self.paths))
        logs = self.rounds.run(order, order)
        self.flow_edges = {slot: _flow_edges(log) for slot, log in logs.items()}
        self.by_name_edges = {slot: self._by_name(log) for slot, log in logs.items()}
        self.size = len(self.rounds.solver.kinds) + len(self.rounds.solver.names)
        self.replayed = list(self.facts)

    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        codes: list[np.ndarray] = [np.zeros(0, np.uint8)]
        ends: list[np.ndarray] = [np.zeros((0, 4), np.int32)]
        places = np.zeros(len(self.paths), np.int32)
        for place, path in enumerate(self.facts):
            places[self.slots[path]] = place
        for place, path in enumerate(self.facts):
            slot = self.slots[path]
            for kept in (self.name_edges, self.flow_edges, self.by_name_edges):
                found, targets = kept[slot]
                codes.append(found)
                columns = np.empty((len(found), 4), np.int32)
                columns[:, 0], columns[:, 1] = place, targets[:, 0]
                columns[:, 2], columns[:, 3] = places[targets[:, 1]], targets[:, 2]
                ends.append(columns)
        return list(self.facts), np.concatenate(codes), np.concatenate(ends)

    # -- updates -------------------------------------------------------------------------------------------------------------------

    def update(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> None:
        if len(self.rounds.solver.kinds) + len(self.rounds.solver.names) > 2 * self.size + 1000:
            self._build(project)  # names of what is long gone outweigh the others
            return
        facts, old = {path: file.facts for path, file in project.items()}, self.facts
        changed = {path for path in changed if path in facts and path in old}
        added = [path for path in facts if path not in old]
        removed = [path for path in old if path not in facts]
        for path in added:
            if path not in self.slots:
                self.slots[path] = len(self.paths)
                self.paths.append(path)
        moved: dict[int, dict[int, int]] = {}
        same_names = not added and not removed
        now = {}
        for path, each in facts.items():
            if path in changed:
                now[path] = relabelled(each, old[path])
                moved[self.slots[path]] = moved_definitions(old[path], now[path])
                same_names = same_names and describe_names(now[path]) == describe_names(old[path])
            else:
                now[path] = old.get(path, each)
        self.facts = now
        live = {self.slots[path] for path in (*changed, *added)}
        gone = {self.slots[path] for path in removed}
        for kept in (self.name_edges, self.flow_edges, self.by_name_edges):
            for slot in gone:
                del kept[slot]
        self._move(moved)
        live |= self._refresh(changed, moved) if same_names else self._renew(live | gone, moved)
        order = [self.slots[path] for path in now]
        logs = self.rounds.run(order, live, gone)
        for slot, log in logs.items():
            self.flow_edges[slot] = _flow_edges(log)
            self.by_name_edges[slot] = self._by_name(log)
        self.replayed = [self.paths[slot] for slot in logs]

    def _move(self, moved: Mapping[int, Mapping[int, int]]) -> None:
        """Has the edges of all files point to where the definitions of changed files are now."""
        for slot, places in moved.items():
            if all(before == now for before, now in places.items()):
                continue
            table = np.arange(max(places) + 1, dtype=np.int32)
            table[list(places)] = list(places.values())
            for kept in (self.name_edges, self.flow_edges, self.by_name_edges):
                for _, targets in kept.values():
                    chosen = np.flatnonzero((targets[:, 1] == slot) & (targets[:, 2] < len(table)))
                    targets[chosen, 2] = table[targets[chosen, 2]]

    def _refresh(self, changed: Iterable[str], moved: Mapping[int, Mapping[int, int]]) -> set[int]:
        """Puts changed facts in place where names mean what they meant before; the files that get other answers."""
        structure, slots = self.structure, {self.slots[path] for path in changed}
        for path in changed:
            slot = self.slots[path]
            self.names.replace(path, self.facts[path], moved[slot])
            structure.replace(slot, self.facts[path], moved[slot])
            self.name_edges[self.slots[path]] = self._name_edges(path)
        questions = [
            key for key in structure.memo if key[1] in slots and (key[0] in LOCAL_QUESTIONS or key[0] == "annotated")
        ]
        before = {key: structure.memo.pop(key) for key in questions}
        other = {key for key, answer in before.items() if key[0] in LOCAL_QUESTIONS and structure.ask(key) != answer}
        return self._askers(other, slots)

    def _renew(self, slots: set[int], moved: Mapping[int, Mapping[int, int]]) -> set[int]:
        """Follows all names anew; the files (but `slots`) that get other answers."""
        old, before = self.structure, self.structure.memo
        self.names = Names(self.facts, self.root_name)
        self.structure = Structure(self.names, {path: self.slots[path] for path in self.facts}, len(self.paths))
        self.rounds.solver.structure = self.structure
        self.name_edges = {self.slots[path]: self._name_edges(path) for path in self.facts}
        logs = {slot: log for slot, log in self.rounds.logs.items() if slot not in slots}
        asked = set().union(*(log.asked for log in logs.values()))
        asked = self.structure.take_over(old, slots, asked)
        other = {key for key in asked if _moved_answer(key, before[key], moved) != self.structure.ask(key)}
        named = {("methods", name) for log in logs.values() for _, name in log.unknown}
        for key in named:
            if self.structure.ask(key) != before.get(key):
                other.add(key)
        for slot, log in logs.items():
            if any(("methods", name) in other for _, name in log.unknown):
                self.by_name_edges[slot] = self._by_name(log)
        return self._askers(other, slots)

    def _askers(self, questions: set[tuple], slots: set[int]) -> set[int]:
        if not questions:
            return set()
        logs = self.rounds.logs
        return {slot for slot, log in logs.items() if slot not in slots and not questions.isdisjoint(log.asked)}

    # -- edges ---------------------------------------------------------------------------------------------------------------------

    def _name_edges(self, path: str) -> Edges:
        return _edges(name_edges(self.names, path), self.slots)

    def _by_name(self, log: FileLog) -> Edges:
        """Calls of methods of objects that nothing is known of."""
        structure = self.structure
        found = {
            (caller, slot, structure.function(slot, function).definition)
            for caller, name in log.unknown
            for slot, function in structure.ask(("methods", name))
        }
        return np.full(len(found), _CALLS, np.uint8), np.array(list(found), np.int32).reshape(-1, 3)


def _flow_edges(log: FileLog) -> Edges:
    ends = np.array([*log.calls, *log.uses], np.int32).reshape(-1, 3)
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


def _moved_answer(key: tuple, answer: tuple, moved: Mapping[int, Mapping[int, int]]) -> tuple:
    """An earlier answer with definitions numbered as they are now."""
    if key[0] != "used":
        return answer
    return tuple(
        [
            (kind, slot, moved[slot].get(index, -1)) if kind == "attribute" and slot in moved else (kind, slot, index)
            for kind, slot, index in answer
        ]
    )
