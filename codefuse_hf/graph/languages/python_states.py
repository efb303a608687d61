"""What the runs of files have found out, file by file, and where it is kept: in memory as far as there is room, else in a temporary file."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from codefuse_hf.graph.blob_store import BlobStore, Handle
from codefuse_hf.graph.languages.python_packed import Program
from codefuse_hf.graph.languages.python_structure import Place
from codefuse_hf.graph.memory import give_back

Step = tuple
"""What happens to each value of a variable: the name of a method of the solver, and what it takes after the value. Plain data."""


class FileState:
    """What one run has found out about one file. Everything in it but the program is plain data.

    Attributes:
        program: what is run.
        points: values of each variable, few each, in order of arrival.
        far: what has arrived here of other files' variables.
        copies: where a variable's values go: one variable, or a list.
        steps: what else happens to each of them: one step, or a list.
        extra: variables by what the run knows them by; `named`: by the names that others may use.
        opened: numbers that others use, and the variables that they are here.
        subscribers: the files that want a variable's values, with the variable's number.
        watched: the other files' tables of stores and items whose entries are sent here.
        later: fall-backs for the next phase.
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
        "later",
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
        "uses",
        "views",
        "views_by_name",
        "watched",
        "watchers",
    )

    def __init__(self, slot: int, program: Program, variables: int):
        self.slot, self.program = slot, program
        self.points: list[tuple[int, ...]] = [()] * variables
        self.far: dict[int, tuple[int, ...]] = {}
        self.copies: dict[int, int | list[int]] = {}
        self.steps: dict[int, Step | list[Step]] = {}
        self.extra: dict[Any, int] = {}
        self.named: dict[tuple, int] = {}
        self.opened: dict[int, int] = {}
        self.subscribers: dict[int, list[tuple[int, int]]] = {}
        self.watched: set[int] = set()
        self.later: list[tuple] = []
        self.found: dict[str, list[np.ndarray]] = {"calls": [], "uses": []}
        self.calls: set[tuple[int, int, int]] = set()
        self.uses: set[tuple[int, int, int]] = set()
        self.asked: set[tuple] = set()
        self.bound: set[tuple] = set()
        self.caught: set[tuple[int, int]] = set()
        self.sites: dict[Any, int] = {}
        self.site_fields: dict[int, dict[Any, int]] = {}
        self.watchers: dict[int, list[tuple]] = {}
        self.site_watchers: dict[int, list[tuple[int, int]]] = {}
        self.partials: dict[tuple, int] = {}
        self.prefixes: dict[int, str] | None = None
        self.views: dict[tuple[int, str], tuple] = {}
        self.views_by_name: dict[str, list[tuple[int, int]]] = {}
        self.stores: dict[str, list[tuple[Place, int]]] = {}
        self.store_watchers: dict[int, list[int]] = {}

    def edges(self, kind: str) -> np.ndarray:
        """The edges found so far, `calls` or `uses`: int32 [n, 3]; an edge may come more than once."""
        now = np.array(list(getattr(self, kind)), np.int32).reshape(-1, 3)
        return np.concatenate([*self.found[kind], now])

    def pack(self) -> bytes:
        """What the run goes on with, as bytes: all but the program and `found`, to which the edges go."""
        for kind, found in self.found.items():
            edges = getattr(self, kind)
            if edges:
                found.append(np.array(list(edges), np.int32))
                edges.clear()
        self.views.clear()  # they can be had again
        return marshal.dumps([getattr(self, name) for name in _PACKED])

    @classmethod
    def unpack(cls, slot: int, program: Program, found: dict[str, list[np.ndarray]], data: bytes) -> FileState:
        """The state that `pack` was called on."""
        state = cls.__new__(cls)
        state.slot, state.program, state.found = slot, program, found
        for name, value in zip(_PACKED, marshal.loads(data), strict=True):
            setattr(state, name, value)
        return state

    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        weight = 8 * len(self.points) + 120 * (len(self.copies) + len(self.far) + len(self.opened))
        weight += 260 * (len(self.steps) + len(self.views)) + 200 * (
            len(self.extra) + len(self.named) + len(self.bound)
        )
        weight += 150 * (len(self.calls) + len(self.uses) + len(self.subscribers) + len(self.site_fields))
        return weight + 60 * len(self.program.starts) + 5000


_PACKED = tuple(name for name in FileState.__slots__ if name not in ("program", "slot", "found"))


class States:
    """The states of the files that run. When they outgrow `memory` bytes of memory, those that have not run for long are put away.

    Files take turns from first to last in one round and from last to first in the next, so that what ran last is what runs first.
    """

    def __init__(self, load_program: Callable[[int], Program], memory: int):
        self._load_program, self._room = load_program, memory
        self._here: dict[int, FileState] = {}
        self._weights: dict[int, int] = {}
        self._total = self._freed = 0
        self._away: dict[int, Handle | None] = {}
        self._found: dict[int, dict[str, list[np.ndarray]]] = {}
        self._store: BlobStore | None = None

    def __contains__(self, slot: int) -> bool:
        return slot in self._away

    def __iter__(self) -> Iterator[int]:
        return iter(self._away)

    def __len__(self) -> int:
        return len(self._away)

    def add(self, state: FileState) -> None:
        """Takes in a new state (or a file's next one)."""
        self._away.setdefault(state.slot, None)
        self._here.pop(state.slot, None)
        self._here[state.slot] = state
        self.weigh(state)

    def get(self, slot: int) -> FileState:
        """A file's state, to be run: `weigh` it afterwards."""
        state = self._here.pop(slot, None)
        if state is None:
            data = self._store.get(self._away[slot])
            state = FileState.unpack(slot, self._load_program(slot), self._found.pop(slot), data)
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
        slot = next(reversed(self._here)) if self._here else next(iter(self._away))
        state = self.get(slot)
        del self._here[slot]
        handle = self._away.pop(slot)
        if handle is not None:
            self._store.remove(handle)
        self._total -= self._weights.pop(slot, 0)
        if not self._away and self._store is not None:
            self._store.close()
            self._store = None
        return state

    def _put_away(self, slot: int) -> None:
        if self._store is None:
            self._store = BlobStore()
        state = self._here.pop(slot)
        self._away[slot] = self._store.replace(self._away[slot], state.pack())
        self._found[slot] = state.found
        weight = self._weights.pop(slot)
        self._total -= weight
        self._freed += weight
        if self._freed > self._room:
            self._freed = 0
            give_back()
