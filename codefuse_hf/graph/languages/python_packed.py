"""The bulky lists of a file's data-flow program as arrays of numbers: they look like the lists they stand for, at a fifth of the memory.

In a large project call sites and attribute accesses come by the hundred thousand; as tuples of tuples they outweigh the source.
"""

from __future__ import annotations

import marshal
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from sys import intern
from typing import Any, Self

from codefuse_hf.graph.languages.python_facts import Constant, PythonFacts


class Pool:
    """Objects by number. Equal objects of different types (1, True, 1.0) stay apart."""

    __slots__ = ("_numbers", "objects")

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, item: Any) -> int:
        key = item if type(item) is str else (type(item), repr(item))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.objects)
            self.objects.append(item)
        return found

    def get(self, number: int) -> Any:
        """The object of a number. One that comes from bytes may still be the list that stands for a Constant there: nothing else is one."""
        item = self.objects[number]
        if item.__class__ is list:
            item = self.objects[number] = Constant(*item)
        return item


class _Packed(Sequence):
    __slots__ = ("_data", "_pool")

    def __init__(self, data: array, pool: Pool):
        self._data, self._pool = data, pool

    @classmethod
    def pack(cls, items: Iterable[tuple], pool: Pool) -> Self:
        """From the list that this stands for."""
        data = array("i")
        cls._pack(items, data, pool.number)
        return cls(data, pool)

    @staticmethod
    @abstractmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None: ...

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._data == other._data and self._pool.objects == other._pool.objects

    __hash__ = None

    def tobytes(self) -> bytes:
        """Everything but the pool."""
        return self._data.tobytes()

    @classmethod
    def frombytes(cls, data: bytes, pool: Pool) -> Self:
        """What `tobytes` was taken of."""
        return cls(_numbers(data), pool)


def _numbers(data: bytes) -> array:
    numbers = array("i")
    numbers.frombytes(data)
    return numbers


class PackedLoads(_Packed):
    """`PythonFacts.loads`."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None:
        extend = data.extend
        for name, target, caller, is_callee in items:
            extend((number(name), target, caller, is_callee))

    def __len__(self) -> int:
        return len(self._data) // 4

    def __getitem__(self, index: int) -> tuple:
        data, at = self._data, 4 * index
        if not 0 <= at < len(data):
            raise IndexError(index)
        return self._pool.objects[data[at]], data[at + 1], data[at + 2], data[at + 3] == 1


class PackedItems(_Packed):
    """`PythonFacts.items`; keys that are variables stay numbers, others are in the pool."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None:
        extend = data.extend
        for key, target, caller in items:
            extend((key if type(key) is int else ~number(key), target, caller))

    def __len__(self) -> int:
        return len(self._data) // 3

    def __getitem__(self, index: int) -> tuple:
        data, at = self._data, 3 * index
        if not 0 <= at < len(data):
            raise IndexError(index)
        key = data[at]
        return self._pool.get(~key) if key < 0 else key, data[at + 1], data[at + 2]


class PackedReferences(_Packed):
    """`PythonFacts.references`."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None:
        for pair in items:
            data.extend(pair)

    def __len__(self) -> int:
        return len(self._data) // 2

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._data[2 * index], self._data[2 * index + 1]

    def __iter__(self) -> Iterator[tuple]:
        return zip(self._data[::2], self._data[1::2], strict=True)


class PackedSeeds(_Packed):
    """`PythonFacts.seeds`; what is no number of a definition or a display is in the pool."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None:
        extend = data.extend
        for variable, kind, payload in items:
            extend((variable, _SEED_KINDS.index(kind), number(payload) if kind == "constant" else payload))

    def __len__(self) -> int:
        return len(self._data) // 3

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self):
            raise IndexError(index)
        variable, kind, payload = self._data[3 * index : 3 * index + 3]
        return variable, _SEED_KINDS[kind], self._pool.objects[payload] if kind == _CONSTANT else payload

    def __iter__(self) -> Iterator[tuple]:
        objects = self._pool.objects
        for variable, kind, payload in zip(self._data[::3], self._data[1::3], self._data[2::3], strict=True):
            yield variable, _SEED_KINDS[kind], objects[payload] if kind == _CONSTANT else payload


_SEED_KINDS = ("function", "class", "object", "constant")
_CONSTANT = _SEED_KINDS.index("constant")


class PackedCalls(_Packed):
    """`PythonFacts.calls`: four numbers, then one per positional argument and two per keyword. In front: how many calls, and where each begins and
    the last one ends."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Sequence[tuple], data: array, number: Callable[[Any], int]) -> None:
        data.append(len(items))
        data.extend([0] * (len(items) + 1))
        for place, (caller, callee, target, positional, keywords, decorates) in enumerate(items, 1):
            data[place] = len(data)
            data.extend((caller, callee, target, 2 * len(positional) + bool(decorates)))
            for star, value in positional:
                code = value if type(value) is int else ~number(value)
                data.append(2 * code + (1 if star else 0))
            for name, value in keywords:
                data.append(-1 if name is None else number(name))
                data.append(value if type(value) is int else ~number(value))
        data[len(items) + 1] = len(data)

    def __len__(self) -> int:
        return self._data[0]

    def __getitem__(self, index: int) -> tuple:
        data, get = self._data, self._pool.get
        if not 0 <= index < data[0]:
            raise IndexError(index)
        start, stop = data[index + 1], data[index + 2]
        caller, callee, target, count = data[start : start + 4]
        middle = start + 4 + (count >> 1)
        positional = tuple(
            [(code & 1, code >> 1 if code >= 0 else get(~(code >> 1))) for code in data[start + 4 : middle]]
        )
        keywords = tuple(
            [
                (
                    None if data[i] < 0 else get(data[i]),
                    data[i + 1] if data[i + 1] >= 0 else get(~data[i + 1]),
                )
                for i in range(middle, stop, 2)
            ]
        )
        return caller, callee, target, positional, keywords, count & 1 == 1


class Program:
    """The data-flow program of a file, as in `PythonFacts`. It is read again and again while files take turns, so what can wait is read when it is used."""

    __slots__ = ("_sites", "calls", "items", "loads", "names", "operations", "seeds", "starts")

    def __init__(self, data: bytes):
        *lists, objects, self.names, self._sites, operations, starts = marshal.loads(data)
        pool = Pool()
        pool.objects = objects
        self.loads, self.items, self.calls, self.seeds = (
            kind.frombytes(each, pool) for kind, each in zip(_LISTS.values(), lists, strict=True)
        )
        self.operations, self.starts = _numbers(operations), _numbers(starts)

    @property
    def sites(self) -> list[tuple]:
        """The displays."""
        if self._sites.__class__ is bytes:
            self._sites = marshal.loads(self._sites)
        return self._sites

    @sites.setter
    def sites(self, sites: list[tuple]) -> None:
        self._sites = sites


_LISTS = {"loads": PackedLoads, "items": PackedItems, "calls": PackedCalls, "seeds": PackedSeeds}


def pack_program(facts: PythonFacts | Program) -> bytes:
    """The program of a file as bytes, from which `Program` makes it again; equal programs give equal bytes.

    They are written and read in one process and its workers, and never come from elsewhere.
    """
    pool = Pool()
    lists = [kind.pack(getattr(facts, name), pool).tobytes() for name, kind in _LISTS.items()]
    objects = [_plain(item) for item in pool.objects]
    # Without references, which depend on who else holds an object.
    sites = marshal.dumps(facts.sites, 2)
    return marshal.dumps((*lists, objects, facts.names, sites, facts.operations.tobytes(), facts.starts.tobytes()), 2)


def _plain(item: Any) -> Any:
    """A list stands for a Constant. Strings are marked to be one object each over all programs when they are read."""
    if type(item) is Constant:
        return list(item)
    return intern(item) if type(item) is str else item


def pack(facts: PythonFacts) -> None:
    """Puts `program` in place of the lists that it holds."""
    facts.program = pack_program(facts)
    facts.operations, facts.starts = array("i"), array("i")
    facts.names, facts.loads, facts.items, facts.calls, facts.seeds, facts.sites = [], [], [], [], [], []
    facts.references = PackedReferences.pack(facts.references, Pool())
