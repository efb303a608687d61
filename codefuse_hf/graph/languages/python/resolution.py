"""Finds all edges of a Python project, once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY, FileFacts, Problem, Resolution
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.rounds import FileLog, Rounds
from codefuse_hf.graph.languages.python.flow.scatter import MAX_FAMILIES
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.flow.variables import MAX_OBJECTS, MAX_VALUES
from codefuse_hf.graph.languages.python.names.edges import Edge, name_edges
from codefuse_hf.graph.languages.python.names.metadata import project_packages
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.reading.facts import PythonFacts
from codefuse_hf.graph.schema import EDGE_CODES, EdgeType

_CODES = {str(kind): EDGE_CODES[kind] for kind in EdgeType}
_CALLS, _REFERENCES = EDGE_CODES[EdgeType.CALLS], EDGE_CODES[EdgeType.REFERENCES]
Edges = tuple[np.ndarray, np.ndarray]
"""Edges of one file: codes, uint8 [n]; int32 [n, 3] of definition, target file, target definition."""


class PythonResolution(Resolution):
    """A project resolved in one go, file after file. For one that can be updated see `update/resolution.py`."""

    def __init__(self, project: Mapping[str, FileFacts], progress: bool = False, memory: int = DEFAULT_MEMORY):
        facts: dict[str, PythonFacts] = {path: file.facts for path, file in project.items()}
        self.paths = list(facts)
        slots = {path: slot for slot, path in enumerate(facts)}
        names = Names(facts, getattr(project, "root_name", ""), packages=project_packages(project))
        structure = Structure(names, slots, len(slots))
        found = [(slot, edges_of(name_edges(names, path), slots)) for path, slot in slots.items()]
        structure.put_programs_away()
        logs = Rounds(Solver(structure), range(len(slots)), progress, memory).run(range(len(slots)))
        for slot, log in logs.items():
            found += (slot, flow_edges(log)), (slot, edges_by_name(structure, log))
        problems = {self.paths[slot]: problems_of(log) for slot, log in logs.items()}
        self.found_problems = {path: each for path, each in problems.items() if each}
        structure.close()
        self.codes, self.ends = joined_edges(found)

    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        return self.paths, self.codes, self.ends

    def problems(self) -> Mapping[str, list[Problem]]:
        return self.found_problems


def problems_of(log: FileLog) -> list[Problem]:
    """Tells what a file's run did not follow."""
    found = []
    if log.has_dropped:
        message = f"more than {MAX_VALUES} values, or {MAX_OBJECTS} objects that no annotation describes, meet in one place: calls of the others may be missing"
        found.append(Problem("bound", message))
    if log.is_scattered:
        message = f"methods of more than {MAX_FAMILIES} unrelated classes might be called at one place: it has no edges to them"
        found.append(Problem("bound", message))
    return found


def joined_edges(found: Iterable[tuple[int, Edges]]) -> Edges:
    """Joins the edges of files, by slot: codes, uint8 [n]; int32 [n, 4] of file, definition, target file, target definition."""
    codes, ends = [np.zeros(0, np.uint8)], [np.zeros((0, 4), np.int32)]
    for slot, (each, targets) in found:
        codes.append(each)
        ends.append(np.empty((len(each), 4), np.int32))
        ends[-1][:, 0], ends[-1][:, 1:] = slot, targets
    return np.concatenate(codes), np.concatenate(ends)


def flow_edges(log: FileLog) -> Edges:
    """Takes the edges that the flow of values tells out of a file's log."""
    ends = np.concatenate([log.calls, log.uses])
    codes = np.full(len(ends), _CALLS, np.uint8)
    codes[len(log.calls) :] = _REFERENCES
    log.calls = log.uses = None
    return codes, ends


def edges_by_name(structure: Structure, log: FileLog) -> Edges:
    """Finds the calls of methods of objects that nothing is known of."""
    found = {
        (caller, slot, structure.facts[slot].functions.definition(function))
        for caller, name in log.unknown
        for slot, function in structure.ask(("methods", name))
    }
    return np.full(len(found), _CALLS, np.uint8), np.array(list(found), np.int32).reshape(-1, 3)


def edges_of(edges: Iterator[Edge], slots: Mapping[str, int]) -> Edges:
    """Turns edges between definitions into numbers."""
    codes, ends = array("B"), array("i")
    for kind, source, target in edges:
        codes.append(_CODES[kind])
        ends.extend((source.index, slots[target.path], target.index))
    return np.array(codes, np.uint8), np.array(ends, np.int32).reshape(-1, 3)
