"""Keeps the data-flow program of a file as bytes, and runs through it as arrays of numbers: at a fifth of the memory of the lists they stand for.

In a large project call sites and attribute accesses come by the hundred thousand; as tuples of tuples they outweigh the source.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import Constant, Op, PythonFacts

_NUMBER, _TUPLE, _OBJECT = 0, 1, 2
"""What a code stands for, in its last two bits; before them: the number, the size of a tuple whose parts follow, the place of an object."""
_NUMBERS = range(-(1 << 29), 1 << 29)


class Objects:
    """Gives objects numbers. Equal objects of different types (1, True, 1.0) stay apart."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, item: Any) -> int:
        """Returns the number of an object."""
        key = item if type(item) is str else (type(item), repr(item))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.objects)
            self.objects.append(item)
        return found


class Rows(Sequence):
    """A list of tuples of numbers, tuples and objects, as one array of codes, of which each row is read when it is asked for."""

    __slots__ = ("_codes", "_objects", "_starts")

    def __init__(self, starts: bytes, codes: bytes, objects: list[Any]):
        self._starts, self._codes, self._objects = _numbers(starts), _numbers(codes), objects

    @staticmethod
    def pack(rows: Iterable[tuple], objects: Objects) -> tuple[bytes, bytes]:
        """Returns what `Rows` is made of, but for the objects."""
        starts, codes = array("i"), array("i")
        for row in rows:
            starts.append(len(codes))
            _encode(row, codes, objects)
        starts.append(len(codes))
        return starts.tobytes(), codes.tobytes()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self._starts) - 1:
            raise IndexError(index)
        codes = iter(self._codes[self._starts[index] : self._starts[index + 1]])
        return _decode(next(codes) >> 2, codes, self._objects)

    def __iter__(self) -> Iterator[tuple]:
        codes = iter(self._codes)
        for head in codes:
            yield _decode(head >> 2, codes, self._objects)


def _encode(item: Any, codes: array, objects: Objects) -> None:
    if type(item) is int and item in _NUMBERS:
        codes.append(item << 2)
    elif type(item) is tuple:
        codes.append(len(item) << 2 | _TUPLE)
        for part in item:
            _encode(part, codes, objects)
    else:
        codes.append(objects.number(item) << 2 | _OBJECT)


def _decode(size: int, codes: Iterator[int], objects: list[Any]) -> tuple:
    """A tuple of `size` parts, which come next."""
    parts: list[Any] = []
    for _ in range(size):
        code = next(codes)
        kind = code & 3
        if kind == _NUMBER:
            parts.append(code >> 2)
        elif kind == _OBJECT:
            parts.append(objects[code >> 2])
        else:
            parts.append(_decode(code >> 2, codes, objects))
    return tuple(parts)


def _numbers(data: bytes) -> array:
    numbers = array("i")
    numbers.frombytes(data)
    return numbers


class Program:
    """The data-flow program of a file, as in `PythonFacts`. It is read again and again while files take turns, so what can wait is read when it is used."""

    __slots__ = ("_sites", "calls", "items", "loads", "names", "operations", "seeds", "starts")

    def __init__(self, data: bytes):
        rows, objects, self.names, self._sites, operations, starts = marshal.loads(data)
        objects = [_object(item) for item in objects]
        self.loads, self.items, self.calls, self.seeds = (Rows(*each, objects) for each in rows)
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
        """The displays."""
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
    objects = Objects()
    rows = [Rows.pack(each, objects) for each in (facts.loads, facts.items, facts.calls, facts.seeds)]
    plain = [_plain(item) for item in objects.objects]
    # Version 2 has no references, which depend on who else holds an object.
    sites = marshal.dumps(facts.sites, 2)
    return marshal.dumps((rows, plain, facts.names, sites, facts.operations.tobytes(), facts.starts.tobytes()), 2)


def _plain(item: Any) -> Any:
    """A list stands for a Constant."""
    return list(item) if type(item) is Constant else item


def _object(item: Any) -> Any:
    """What `_plain` was made of; equal names are one object over all programs."""
    return intern(item) if item.__class__ is str else Constant(*item) if item.__class__ is list else item


def pack(facts: PythonFacts) -> None:
    """Puts `program` in place of the lists that only running it needs."""
    facts.program = pack_program(facts)
    facts.operations = facts.starts = array("i")
    facts.wanted = array("i", sorted(facts.wanted))
    facts.names = facts.loads = facts.items = facts.calls = facts.seeds = facts.sites = ()
