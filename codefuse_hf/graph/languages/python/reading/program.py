"""Keeps the data-flow program of a file as bytes, of which each row is read when it is asked for: at a fifth of the memory of the lists they stand for.

In a large project call sites and attribute accesses come by the hundred thousand; as tuples of tuples they outweigh the source.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import Constant, Op, PythonFacts

_VERSION = 2
"""Of marshal's format: it has no references, which depend on who else holds an object, so that equal programs give equal bytes."""


class Rows(Sequence):
    """A list of tuples, one after the other as marshal writes them. A row with Constants is in a list, and they are lists of their value."""

    __slots__ = ("_data", "_starts")

    def __init__(self, starts: bytes, data: bytes):
        self._starts, self._data = _numbers(starts), data

    @staticmethod
    def pack(rows: Iterable[tuple]) -> tuple[bytes, bytes]:
        """Returns what `Rows` is made of."""
        starts, parts, size = array("i", (0,)), [], 0
        for row in rows:
            try:
                part = marshal.dumps(row, _VERSION)
            except ValueError:  # marshal knows no Constant
                part = marshal.dumps([_listed(row)], _VERSION)
            parts.append(part)
            size += len(part)
            starts.append(size)
        return starts.tobytes(), b"".join(parts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self._starts) - 1:
            raise IndexError(index)
        row = marshal.loads(self._data[self._starts[index] : self._starts[index + 1]])
        if row.__class__ is list:
            row = _unlisted(row[0])
        if row and row[0].__class__ is str:
            return intern(row[0]), *row[1:]  # equal names are one object over all programs
        return row


class Loads:
    """The attribute loads: (name, target, caller, whether it is called). Four numbers each, since they are read more often than anything else."""

    __slots__ = ("_names", "_numbers")

    def __init__(self, names: Sequence[str], numbers: bytes):
        self._names = tuple(map(intern, names))  # equal names are one object over all programs
        self._numbers = _numbers(numbers)

    @staticmethod
    def pack(loads: Iterable[tuple[str, int, int, bool]]) -> tuple[tuple[str, ...], bytes]:
        """Returns what `Loads` is made of."""
        names: dict[str, int] = {}
        numbers = array("i")
        for name, target, caller, is_callee in loads:
            numbers.extend((names.setdefault(name, len(names)), target, caller, is_callee))
        return tuple(names), numbers.tobytes()

    def __len__(self) -> int:
        return len(self._numbers) // 4

    def __iter__(self) -> Iterator[tuple[str, int, int, bool]]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> tuple[str, int, int, bool]:
        name, target, caller, is_callee = self._numbers[4 * index : 4 * index + 4]
        return self._names[name], target, caller, is_callee == 1


def _listed(item: Any) -> Any:
    """An item with a list in place of each Constant."""
    if item.__class__ is Constant:
        return list(item)
    return tuple([_listed(part) for part in item]) if item.__class__ is tuple else item


def _unlisted(item: Any) -> Any:
    """What `_listed` was given."""
    if item.__class__ is list:
        return Constant(*item)
    return tuple([_unlisted(part) for part in item]) if item.__class__ is tuple else item


def _numbers(data: bytes) -> array:
    numbers = array("i")
    numbers.frombytes(data)
    return numbers


class Program:
    """The data-flow program of a file, as in `PythonFacts`. It is read again and again while files take turns, so what can wait is read when it is used."""

    __slots__ = ("_sites", "calls", "items", "loads", "names", "operations", "seeds", "starts")

    def __init__(self, data: bytes):
        rows, self.names, self._sites, operations, starts = marshal.loads(data)
        self.loads = Loads(*rows[0])
        self.items, self.calls, self.seeds = (Rows(*each) for each in rows[1:])
        self.operations, self.starts = _numbers(operations), _numbers(starts)

    def copied(self, variable: int) -> set[int]:
        """Finds the variables that have what is in `variable` as it is, itself among them."""
        found, pending = {variable}, [variable]
        for each in pending:
            for i in range(3 * self.starts[each], 3 * self.starts[each + 1], 3):
                if self.operations[i] == Op.COPY and self.operations[i + 1] not in found:
                    found.add(self.operations[i + 1])
                    pending.append(self.operations[i + 1])
        return found

    @property
    def sites(self) -> list[tuple]:
        """The displays, read from their bytes when they are first wanted."""
        if self._sites.__class__ is bytes:
            self._sites = marshal.loads(self._sites)
        return self._sites

    @sites.setter
    def sites(self, sites: list[tuple]) -> None:
        self._sites = sites


def pack_program(facts: PythonFacts | Program) -> bytes:
    """Turns the program of a file into bytes, from which `Program` makes it again; equal programs give equal bytes.

    They are written and read in one process and its workers, and never come from elsewhere.
    """
    rows = [Loads.pack(facts.loads), *(Rows.pack(each) for each in (facts.items, facts.calls, facts.seeds))]
    sites = marshal.dumps(facts.sites, _VERSION)
    return marshal.dumps((rows, facts.names, sites, facts.operations.tobytes(), facts.starts.tobytes()), _VERSION)


def pack(facts: PythonFacts) -> None:
    """Puts `program` in place of the lists that only running it needs."""
    facts.program = pack_program(facts)
    facts.operations = facts.starts = array("i")
    facts.wanted = array("i", sorted(facts.wanted))
    facts.names = facts.loads = facts.items = facts.calls = facts.seeds = facts.sites = ()
