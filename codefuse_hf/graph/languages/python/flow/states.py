"""What the runs of files have found out, file by file, and where it is kept: in memory as far as there is room, else in a temporary file.

A state that was put away and comes back is read as it is used: a run touches a few of a file's variables, and reading all of them would take longer than the
run. So the values of variables are read one by one from flat arrays, steps stay bytes until they are taken, and tables that are rarely needed stay bytes as
a whole; what was not read is written again as it is.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, islice
from typing import Any

import numpy as np

from codefuse_hf.graph.languages.python.flow.declarations import Place
from codefuse_hf.graph.languages.python.reading.program import Program
from codefuse_hf.graph.memory import give_back
from codefuse_hf.graph.spill import Spill

Step = tuple
"""What happens to each value of a variable: the name of a method of the solver, and what it takes after the value. Plain data."""


class Points(dict[int, tuple[int, ...]]):
    """The values of each variable of a state that was put away; stands for the list of tuples. Those that have changed since are in the dict."""

    __slots__ = ("_size", "_sizes", "_starts", "_values")

    def __init__(self, sizes: bytes, values: bytes):
        self._sizes, self._size = sizes, len(sizes)
        self._values = array("i", values)
        self._starts = array("i", accumulate(sizes, initial=0))

    def __missing__(self, variable: int) -> tuple[int, ...]:
        start, stop = self._starts[variable], self._starts[variable + 1]
        return tuple(self._values[start:stop]) if stop > start else ()

    def __len__(self) -> int:
        return self._size

    def append(self, values: tuple[int, ...]) -> None:
        """Adds a variable."""
        self[self._size] = values
        self._size += 1

    def pack(self) -> tuple[bytes, bytes]:
        """What makes this again: how many values each variable has, and the values, of int32."""
        old, starts, end = self._values, self._starts, len(self._sizes)
        sizes, values, after = bytearray(self._sizes), array("i"), 0
        sizes.extend(bytes(self._size - end))
        for variable in sorted(self):
            values += old[starts[min(after, end)] : starts[min(variable, end)]]
            values.extend(self[variable])
            sizes[variable] = len(self[variable])
            after = variable + 1
        values += old[starts[min(after, end)] :]
        return bytes(sizes), values.tobytes()


def pack_points(points: list[tuple[int, ...]] | Points) -> tuple[bytes, bytes]:
    """What `Points` is made of."""
    if type(points) is Points:
        return points.pack()
    return bytes(map(len, points)), array("i", chain.from_iterable(points)).tobytes()


class FileState:
    """What one run has found out about one file. Everything in it but the program is plain data.

    Attributes:
        program: what is run.
        points: values of each variable, few each, in order of arrival.
        far: what has arrived here of other files' variables.
        copies: where a variable's values go: one variable, or several as an int64 array (or its bytes).
        steps: what else happens to each of them: one step, or a list (or either as bytes, for `steps_of`).
        extra: variables by what the run knows them by; `named`: by the names that others may use. `bound`: what has been done once and for all. When a
            state comes back, these three are empty until `recall` is called.
        opened: numbers that others use, and the variables that they are here.
        subscribers: the files that want a variable's values, each with the variable's number, as an int64 array (or its bytes).
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
        "past",
        "points",
        "prefixes",
        "program",
        "recalled",
        "site_fields",
        "site_watchers",
        "sites",
        "slot",
        "steps",
        "store_watchers",
        "stores",
        "subscribers",
        "unread",
        "uses",
        "views",
        "views_by_name",
        "watched",
        "watchers",
    )

    def __init__(self, slot: int, program: Program, variables: int):
        self._begin(slot, program, {"calls": [], "uses": []})
        self.points: list[tuple[int, ...]] | Points = [()] * variables
        self.far: dict[int, tuple[int, ...]] = {}
        self.copies: dict[int, int | array | bytes] = {}
        self.steps: dict[int, Step | list[Step] | bytes] = {}
        self.opened: dict[int, int] = {}
        self.subscribers: dict[int, array | bytes] = {}
        self.later: list[tuple] = []
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
        self.extra: dict[Any, int] = {}
        self.named: dict[tuple, int] = {}
        self.bound: dict[tuple, None] = {}
        self.views: dict[tuple[int, str], tuple] = {}
        self.past: dict[str, list[bytes]] = {}  # of the three that grow only: what was put away, in parts
        self.recalled: dict[str, int] = {}  # of them, how much of what is here is in `past`, too
        self.unread: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        """Reads a table that has not been needed since the state came back."""
        try:
            value = marshal.loads(self.unread.pop(name))
        except KeyError:
            raise AttributeError(name) from None
        setattr(self, name, value)
        return value

    def recall(self, name: str) -> bool:
        """Reads `extra`, `named` or `bound`, which is empty until then; False if it is there already. Nothing is added to them without looking first."""
        if name in self.recalled or name not in self.past:
            return False
        table = getattr(self, name)
        for part in self.past[name]:
            table.update(marshal.loads(part))
        self.recalled[name] = len(table)
        return True

    def steps_of(self, variable: int) -> list[Step]:
        """The steps of a variable that has some."""
        steps = self.steps[variable]
        if steps.__class__ is bytes:
            steps = marshal.loads(steps)
        return [steps] if steps.__class__ is tuple else steps

    def edges(self, kind: str) -> np.ndarray:
        """The edges found so far, `calls` or `uses`: int32 [n, 3]; an edge may come more than once."""
        return np.concatenate([*self.found[kind], _edge_array(getattr(self, kind))])

    def pack(self) -> bytes:
        """What the run goes on with, as bytes: all but the program and `found`, to which the edges go."""
        for kind, found in self.found.items():
            edges = getattr(self, kind)
            if edges:
                found.append(_edge_array(edges))
                edges.clear()
        for name in _GROWING:
            table, known = getattr(self, name), self.recalled.get(name, 0)
            if len(table) > known:
                new = dict(islice(table.items(), known, None))
                self.past.setdefault(name, []).append(marshal.dumps(new))
        unread = {name: self.unread.get(name) or marshal.dumps(getattr(self, name)) for name in _READ_LATER}
        steps = {
            variable: each if each.__class__ is bytes else marshal.dumps(each, 2)
            for variable, each in self.steps.items()
        }
        # Arrays become bytes.
        content = pack_points(self.points), steps, self.past, unread, [getattr(self, name) for name in _READ_AT_ONCE]
        return marshal.dumps(content)

    @classmethod
    def unpack(cls, slot: int, program: Program, found: dict[str, list[np.ndarray]], data: bytes) -> FileState:
        """The state that `pack` was called on."""
        state = cls.__new__(cls)
        state._begin(slot, program, found)
        points, state.steps, state.past, state.unread, others = marshal.loads(data)
        state.points = Points(*points)
        for name, value in zip(_READ_AT_ONCE, others, strict=True):
            setattr(state, name, value)
        return state

    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        points, steps = self.points, self.steps
        if type(points) is Points:
            weight = 5 * len(points) + 160 * dict.__len__(points) + 110 * len(steps)
        else:
            weight = 45 * len(points) + 260 * len(steps)
        weight += 120 * (len(self.copies) + len(self.far) + len(self.opened) + len(self.subscribers))
        weight += 200 * (len(self.extra) + len(self.named) + len(self.bound)) + 260 * len(self.views)
        weight += 150 * (len(self.calls) + len(self.uses))
        weight += sum([len(part) for parts in self.past.values() for part in parts])
        return weight + 60 * len(self.program.starts) + 5000


def _edge_array(edges: set[tuple[int, int, int]]) -> np.ndarray:
    return np.array(array("i", chain.from_iterable(edges)), np.int32).reshape(-1, 3)


_GROWING = ("extra", "named", "bound")
_READ_AT_ONCE = ("far", "copies", "opened", "subscribers", "later")
_READ_LATER = (
    "asked",
    "caught",
    "partials",
    "prefixes",
    "site_fields",
    "site_watchers",
    "sites",
    "store_watchers",
    "stores",
    "views_by_name",
    "watched",
    "watchers",
)


class States:
    """The states of the files that run. When they outgrow `memory` bytes of memory, those that have not run for long are put away.

    Files take turns from first to last in one round and from last to first in the next, so that what ran last is what runs first.
    """

    def __init__(self, load_program: Callable[[int], Program], memory: int):
        self._load_program, self._room = load_program, memory
        self._here: dict[int, FileState] = {}
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
        """A file's state, to be run: `weigh` it afterwards."""
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
