"""What the runs of files have found out, file by file, and where it is kept: in memory as far as there is room, else in a temporary file."""

from __future__ import annotations

import pickle
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from codefuse_hf.free_memory import give_back
from codefuse_hf.graph.languages.python.flow.declarations import Place
from codefuse_hf.graph.languages.python.reading.program import Program
from codefuse_hf.graph.spill import Spill

Step = tuple | int
"""What happens to each value of a variable: the name of a method of the solver, and what it takes after the value. Plain data. Most steps, by far, see
what an attribute load of the program finds (`Attributes.see`); such a step is the number of the load."""


class FileState:
    """What one run has found out about one file. Everything in it but the program is plain data.

    Attributes:
        program: what is run.
        points: values of each variable, few each, in order of arrival.
        far: what has arrived here of other files' variables.
        copies: where a variable's values go: one variable, or several as an int64 array.
        steps: what else happens to each of them: one step, or a list.
        extra: variables by what the run knows them by; `named`: by hashes of the names that others may use (not those of items of
            containers, which `site_fields` has). `bound`: what has been done once and for all, as hashes.
        opened: numbers that others use, and the variables that they are here.
        subscribers: the files that want a variable's values, each with the variable's number, as an int64 array.
        watched: the other files' tables of stores and items whose entries are sent here.
        later: fall-backs for the next phase.
        taken: the annotations of what is taken out of annotated containers (taken.py), by variable; `limits`: with all others, while this is in memory.
        has_dropped: whether a variable was offered more values than it holds, or calls inside calls went too deep.
        calls, uses: edges (definition, target file, target definition); `found` has those of before the state was last put away, as arrays.
        asked: questions put to the Structure.
    """

    __slots__ = (
        "asked",
        "bound",
        "calls",
        "caught",
        "copies",
        "extra",
        "far",
        "found",
        "has_dropped",
        "later",
        "limits",
        "named",
        "opened",
        "partials",
        "points",
        "prefixes",
        "program",
        "site_fields",
        "site_watchers",
        "sites",
        "slot",
        "steps",
        "store_watchers",
        "stores",
        "subscribers",
        "taken",
        "uses",
        "views",
        "views_by_name",
        "watched",
        "watchers",
    )

    def __init__(self, slot: int, program: Program, variables: int):
        self._begin(slot, program, {"calls": [], "uses": []})
        self.points: list[tuple[int, ...]] = [()] * variables
        self.far: dict[int, tuple[int, ...]] = {}
        self.copies: dict[int, int | array] = {}
        self.steps: dict[int, Step | list[Step]] = {}
        self.extra: dict[Any, int] = {}
        self.named: dict[int, int] = {}
        self.bound: set[int] = set()
        self.opened: dict[int, int] = {}
        self.subscribers: dict[int, array] = {}
        self.later: list[tuple] = []
        self.taken: dict[int, tuple] = {}
        self.has_dropped = False
        self.watched: set[int] = set()
        self.asked: set[tuple] = set()
        self.caught: set[tuple[int, int]] = set()
        self.sites: dict[Any, int] = {}
        self.site_fields: dict[int, dict[Any, int]] = {}
        self.watchers: dict[int, list[tuple]] = {}
        self.site_watchers: dict[int, list[tuple[int, int]]] = {}
        self.partials: dict[tuple, int] = {}
        self.prefixes: dict[int, str] | None = None
        self.views_by_name: dict[str, list[tuple[int, int]]] = {}
        self.stores: dict[str, list[tuple[Place, int]]] = {}
        self.store_watchers: dict[int, list[int]] = {}

    def _begin(self, slot: int, program: Program, found: dict[str, list[np.ndarray]]) -> None:
        self.slot, self.program, self.found = slot, program, found
        self.calls: set[tuple[int, int, int]] = set()
        self.uses: set[tuple[int, int, int]] = set()
        self.views: dict[tuple[int, str], tuple] = {}
        self.limits: dict[int, tuple] | None = None

    def edges(self, kind: str) -> np.ndarray:
        """Returns the edges found so far, `calls` or `uses`: int32 [n, 3]; an edge may come more than once."""
        return np.concatenate([*self.found[kind], _edge_array(getattr(self, kind))])

    def pack(self) -> bytes:
        """Turns what the run goes on with into bytes: all but the program and `found`, to which the edges go."""
        for kind, found in self.found.items():
            edges = getattr(self, kind)
            if edges:
                found.append(_edge_array(edges))
                edges.clear()
        single, several = {}, {}
        for variable, targets in self.copies.items():
            (single if targets.__class__ is int else several)[variable] = targets
        values = [getattr(self, name) for name in _PACKED]
        return pickle.dumps((values, single, _joined(several), _joined(self.subscribers)), 5)

    @classmethod
    def unpack(cls, slot: int, program: Program, found: dict[str, list[np.ndarray]], data: bytes) -> FileState:
        """Makes the state again that `pack` was called on. The bytes come from this process."""
        state = cls.__new__(cls)
        state._begin(slot, program, found)
        values, state.copies, several, subscribers = pickle.loads(data)
        for name, value in zip(_PACKED, values, strict=True):
            setattr(state, name, value)
        state.copies.update(_parted(*several))
        state.subscribers = _parted(*subscribers)
        return state

    def weight(self) -> int:
        """Estimates how many bytes of memory this takes."""
        weight = 45 * len(self.points) + 100 * len(self.steps)
        weight += 120 * (len(self.copies) + len(self.far) + len(self.opened) + len(self.subscribers))
        weight += 200 * len(self.extra) + 120 * len(self.named) + 80 * len(self.bound) + 260 * len(self.views)
        weight += 150 * (len(self.calls) + len(self.uses))
        return weight + 60 * len(self.program.starts) + 5000


_PACKED = tuple(
    sorted(
        set(FileState.__slots__)
        - {"calls", "copies", "found", "limits", "program", "slot", "subscribers", "uses", "views"}
    )
)


def _joined(table: dict[int, array]) -> tuple[list[int], list[int], bytes]:
    """A table of arrays as its keys, the arrays' lengths and the arrays one after the other: to pickle each takes long."""
    return list(table), list(map(len, table.values())), b"".join(table.values())


def _parted(keys: list[int], lengths: list[int], data: bytes) -> dict[int, array]:
    """What `_joined` was given."""
    items, found, start = array("q", data), {}, 0
    for key, length in zip(keys, lengths, strict=True):
        found[key] = items[start : start + length]
        start += length
    return found


def _edge_array(edges: set[tuple[int, int, int]]) -> np.ndarray:
    return np.array(array("i", chain.from_iterable(edges)), np.int32).reshape(-1, 3)


class States:
    """The states of the files that run. When they outgrow `memory` bytes of memory, those that have not run for long are put away.

    Files take turns from first to last in one sweep and from last to first in the next (rounds.py), so that what ran last is what runs first.
    """

    def __init__(self, load_program: Callable[[int], Program], memory: int):
        self._load_program, self._room = load_program, memory
        self._here: OrderedDict[int, FileState] = OrderedDict()
        self._weights: dict[int, int] = {}
        self._total = self._freed = 0
        self._known: dict[int, None] = {}
        self._found: dict[int, dict[str, list[np.ndarray]]] = {}
        self._spill: Spill | None = None

    def __contains__(self, slot: int) -> bool:
        return slot in self._known

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, state: FileState) -> None:
        """Takes in a new state (or a file's next one)."""
        self._known[state.slot] = None
        self._here.pop(state.slot, None)
        self._here[state.slot] = state
        self.weigh(state)

    def get(self, slot: int) -> FileState:
        """Returns a file's state, to be run: `weigh` it afterwards."""
        state = self._here.pop(slot, None)
        if state is None:
            state = FileState.unpack(slot, self._load_program(slot), self._found.pop(slot), self._spill[slot])
        self._here[slot] = state  # now the last to be put away
        return state

    def weigh(self, state: FileState) -> None:
        """Notes how large a state has become, and makes room if need be."""
        weight = state.weight()
        self._total += weight - self._weights.get(state.slot, 0)
        self._weights[state.slot] = weight
        while self._total > self._room and len(self._here) > 1:
            self._put_away(next(iter(self._here)))

    def take(self) -> FileState:
        """Removes any one state and returns it."""
        slot = next(reversed(self._here)) if self._here else next(iter(self._known))
        state = self.get(slot)
        del self._here[slot], self._known[slot]
        self._total -= self._weights.pop(slot, 0)
        if not self._known and self._spill is not None:
            self._spill.close()
            self._spill = None
        return state

    def _put_away(self, slot: int) -> None:
        if self._spill is None:
            self._spill = Spill()
        state = self._here.pop(slot)
        self._spill[slot] = state.pack()
        self._found[slot] = state.found
        weight = self._weights.pop(slot)
        self._total -= weight
        self._freed += weight
        if self._freed > self._room:
            self._freed = 0
            give_back()
