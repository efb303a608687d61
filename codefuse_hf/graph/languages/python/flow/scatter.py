"""Leaves out what says nothing: calls of a method at one place of objects of so many unrelated classes that anything may stand there.

Where values of all kinds meet (a helper that everything goes through), a method that many classes have would have an edge to each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.states import FileState

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.python.flow.solver import Solver

MAX_FAMILIES = 3
"""Classes with nothing in common of which a place may call a method of one name."""
MAX_SPECIAL_FAMILIES = 4
"""The same of special methods, for all places of a function: they are not told apart."""
_OF_CLASSES = frozenset(("__init__", "__new__", "__post_init__", "__init_subclass__", "__class_getitem__"))
"""What is called with a class that has a name there, most often."""
_SAY_NOTHING = frozenset(("object", "Generic", "Protocol", "ABC", "Exception", "type"))
"""Bases outside the project that make classes no relatives."""


def without_scatter(solver: Solver, state: FileState) -> tuple[np.ndarray, bool]:
    """Returns the calls of a file that has run, and whether any was left out. What is asked about other files is on record as the file's
    question."""
    calls = np.unique(state.edges("calls"), axis=0)
    callers, counts = np.unique(calls[:, 0], return_counts=True)
    many = callers[counts > MAX_FAMILIES]
    if not len(many):
        return calls, False
    solver.enter_file(state)
    rows = np.flatnonzero(np.isin(calls[:, 0], many))
    groups: dict[tuple[int, str], list[tuple[int, int, int]]] = {}
    for row in rows.tolist():
        caller, slot, definition = calls[row].tolist()
        method = solver.structure.methods_by_definition(slot).get(definition)
        if method is not None and method[0] not in _OF_CLASSES:
            groups.setdefault((caller, method[0]), []).append((row, slot, method[1]))
    groups = {key: found for key, found in groups.items() if len(found) > MAX_FAMILIES}
    dropped: list[int] = []
    places = _places(state, groups.keys()) if groups else {}
    for (caller, name), found in groups.items():
        is_special = name.startswith("__") and name.endswith("__")
        bound = MAX_SPECIAL_FAMILIES if is_special else MAX_FAMILIES * max(places.get((caller, name), 0), 1)
        if _families(solver, {each[1:] for each in found}, bound) > bound:
            dropped += [row for row, _, _ in found]
    return (np.delete(calls, dropped, axis=0) if dropped else calls), bool(dropped)


def _places(state: FileState, wanted: object) -> dict[tuple[int, str], int]:
    """How often a caller reads an attribute of a name."""
    found: dict[tuple[int, str], int] = {}
    for name, _, caller, _ in state.program.loads:
        if (caller, name) in wanted:
            found[caller, name] = found.get((caller, name), 0) + 1
    return found


def _families(solver: Solver, classes: set[tuple[int, int]], bound: int) -> int:
    """How many groups of classes there are without a base in common; classes outside the project count."""
    families: list[set] = []
    if len(classes) <= bound:
        return len(classes)
    for slot, label in sorted(classes):
        family = set(solver.ask(Structure.mro, slot, label))
        family.update(
            base
            for base in solver.ask(Structure.external_bases, slot, label)
            if base.rpartition(".")[2] not in _SAY_NOTHING
        )
        related = [each for each in families if not each.isdisjoint(family)]
        families = [each for each in families if each not in related]
        families.append(family.union(*related))
    return len(families)
