"""The bulky lists of a file's data-flow program as arrays of numbers: they look like the lists they stand for, at a fifth of the memory.

In a large project call sites and attribute accesses come by the hundred thousand; as tuples of tuples they outweigh the source.
"""

from __future__ import annotations

import marshal
from abc import abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from sys import intern
from typing import Any, Self

from codefuse_hf.graph.languages.python.reading.facts import (
    ClassFacts,
    Constant,
    FunctionFacts,
    ImportFacts,
    Parameter,
    PythonFacts,
)


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


def _object(objects: list[Any], number: int) -> Any:
    """The object of a number. One that comes from bytes may still be the list that stands for a Constant there: nothing else is one."""
    item = objects[number]
    if item.__class__ is list:
        item = objects[number] = Constant(*item)
    return item


class Interned(tuple):
    """The objects of a file's packed lists: names and tuples of names. Equal names are one object over all files, also when they come from a worker."""

    __slots__ = ()

    def __reduce__(self) -> tuple:
        return _interned, (tuple(self),)


def _interned(objects: Iterable[str | tuple[str, ...]]) -> Interned:
    return Interned([intern(each) if type(each) is str else tuple([intern(name) for name in each]) for each in objects])


class _Numbers:
    """An array of numbers, and the objects that some of them stand for."""

    __slots__ = ("_data", "_objects")

    def __init__(self, data: array, objects: Sequence[Any]):
        self._data, self._objects = data, objects

    @classmethod
    def pack(cls, items: Any, pool: Pool) -> Self:
        """From what this stands for."""
        data = array("i")
        cls._pack(items, data, pool.number)
        return cls(data, pool.objects)

    @staticmethod
    @abstractmethod
    def _pack(items: Any, data: array, number: Callable[[Any], int]) -> None: ...

    def small(self, objects: Sequence[Any]) -> Self:
        """The same in half of the memory, where no number is large; `objects` take the place of equal ones."""
        return type(self)(_small(self._data), objects)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._data == other._data and self._objects == other._objects

    __hash__ = None

    def __reduce__(self) -> tuple:
        return type(self), (self._data, self._objects)

    def tobytes(self) -> bytes:
        """Everything but the objects."""
        return self._data.tobytes()

    @classmethod
    def frombytes(cls, data: bytes, objects: Sequence[Any]) -> Self:
        """What `tobytes` was taken of."""
        return cls(_numbers(data), objects)


def _small(numbers: array) -> array:
    """The same numbers, without room for more."""
    try:
        return array("h", numbers)
    except OverflowError:
        return numbers[:]


def _numbers(data: bytes) -> array:
    numbers = array("i")
    numbers.frombytes(data)
    return numbers


class _Packed(_Numbers, Sequence):
    """A list of items of the same size."""

    __slots__ = ()


class _Uneven(_Packed):
    """A list of items of different sizes. In front: how many there are, and where each begins and the last one ends."""

    __slots__ = ()

    @classmethod
    def _pack(cls, items: Sequence[Any], data: array, number: Callable[[Any], int]) -> None:
        data.append(len(items))
        data.extend([0] * (len(items) + 1))
        for place, item in enumerate(items, 1):
            data[place] = len(data)
            if item is not None:
                cls._pack_one(item, data, number)
        data[len(items) + 1] = len(data)

    @staticmethod
    @abstractmethod
    def _pack_one(item: Any, data: array, number: Callable[[Any], int]) -> None: ...

    def __len__(self) -> int:
        return self._data[0]

    def _span(self, index: int) -> tuple[int, int]:
        data = self._data
        if not 0 <= index < data[0]:
            raise IndexError(index)
        return data[index + 1], data[index + 2]


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
        return self._objects[data[at]], data[at + 1], data[at + 2], data[at + 3] == 1


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
        return _object(self._objects, ~key) if key < 0 else key, data[at + 1], data[at + 2]


class PackedReferences(_Packed):
    """`PythonFacts.references`."""

    __slots__ = ()
    _size = 2

    @staticmethod
    def _pack(items: Iterable[tuple], data: array, number: Callable[[Any], int]) -> None:
        for each in items:
            data.extend(each)

    def __len__(self) -> int:
        return len(self._data) // self._size

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return tuple(self._data[self._size * index : self._size * (index + 1)])

    def __iter__(self) -> Iterator[tuple]:
        return zip(*[self._data[place :: self._size] for place in range(self._size)], strict=True)


class PackedDecorated(PackedReferences):
    """`PythonFacts.decorated`."""

    __slots__ = ()
    _size = 3


class PackedNames(_Numbers, Mapping):
    """`PythonFacts.cells`, and any variables by name. Looking for one goes through all."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Mapping[str, int], data: array, number: Callable[[Any], int]) -> None:
        for name, variable in items.items():
            data.append(number(name))
            data.append(variable)

    def __len__(self) -> int:
        return len(self._data) // 2

    def __iter__(self) -> Iterator[str]:
        objects = self._objects
        return iter([objects[name] for name in self._data[::2]])

    def values(self) -> array:
        return self._data[1::2]

    def items(self) -> Iterator[tuple[str, int]]:
        return zip(self, self.values(), strict=True)

    def __getitem__(self, name: str) -> int:
        for place, each in enumerate(self):
            if each == name:
                return self._data[2 * place + 1]
        raise KeyError(name)


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
        return variable, _SEED_KINDS[kind], self._objects[payload] if kind == _CONSTANT else payload

    def __iter__(self) -> Iterator[tuple]:
        objects = self._objects
        for variable, kind, payload in zip(self._data[::3], self._data[1::3], self._data[2::3], strict=True):
            yield variable, _SEED_KINDS[kind], objects[payload] if kind == _CONSTANT else payload


_SEED_KINDS = ("function", "class", "object", "constant")
_CONSTANT = _SEED_KINDS.index("constant")


class PackedCalls(_Uneven):
    """`PythonFacts.calls`: four numbers, then one per positional argument and two per keyword."""

    __slots__ = ()

    @staticmethod
    def _pack_one(item: tuple, data: array, number: Callable[[Any], int]) -> None:
        caller, callee, target, positional, keywords, decorates = item
        data.extend((caller, callee, target, 2 * len(positional) + bool(decorates)))
        for star, value in positional:
            code = value if type(value) is int else ~number(value)
            data.append(2 * code + (1 if star else 0))
        for name, value in keywords:
            data.append(-1 if name is None else number(name))
            data.append(value if type(value) is int else ~number(value))

    def __getitem__(self, index: int) -> tuple:
        data, objects = self._data, self._objects
        if not 0 <= index < data[0]:
            raise IndexError(index)
        start, stop = data[index + 1], data[index + 2]
        caller, callee, target, count = data[start : start + 4]
        middle = start + 4 + (count >> 1)
        positional = tuple(
            [
                (code & 1, code >> 1 if code >= 0 else _object(objects, ~(code >> 1)))
                for code in data[start + 4 : middle]
            ]
        )
        keywords = tuple(
            [
                (
                    None if data[i] < 0 else objects[data[i]],
                    data[i + 1] if data[i + 1] >= 0 else _object(objects, ~data[i + 1]),
                )
                for i in range(middle, stop, 2)
            ]
        )
        return caller, callee, target, positional, keywords, count & 1 == 1


class _Definitions(_Uneven):
    """Functions or classes; one that is gone (None) has no numbers, others begin with their definition and name.

    The methods that tell one thing of an item without the rest are for items that are there.
    """

    __slots__ = ()

    def has(self, index: int) -> bool:
        """Whether there is such an item."""
        data = self._data
        return index < data[0] and data[index + 1] != data[index + 2]

    def present(self) -> list[int]:
        """The indices of the items that are there."""
        starts = self._data[1 : self._data[0] + 2]
        return [index for index in range(len(starts) - 1) if starts[index] != starts[index + 1]]

    def in_order(self) -> list[int]:
        """The same in order of their definitions."""
        return sorted(self.present(), key=self.definition)

    def definition(self, index: int) -> int:
        data = self._data
        return data[data[index + 1]]

    def name(self, index: int) -> str:
        data = self._data
        return self._objects[data[data[index + 1] + 1]]


class PackedFunctions(_Definitions):
    """`PythonFacts.functions`: eight numbers, two per parameter, two per annotation (that of the result first), and one per parameter that is returned."""

    __slots__ = ()

    @staticmethod
    def _pack_one(item: FunctionFacts, data: array, number: Callable[[Any], int]) -> None:
        definition, name, parameters, returned, yielded, owner, is_async, returned_parameters, sites, result = item
        shape = 4 * len(parameters) + 2 * (result is not None) + bool(is_async)
        data.extend((definition, number(name), returned, yielded, owner, *sites, shape))
        annotations = [] if result is None else [result]
        for word, kind, variable, annotation in parameters:
            code = 16 * number(word) + kind
            if annotation is not None:
                code += 8
                annotations.append(annotation)
            data.append(code)
            data.append(variable)
        for variable, names in annotations:
            data.append(variable)
            data.append(number(names))
        data.extend(returned_parameters)

    def __getitem__(self, index: int) -> FunctionFacts | None:
        data, objects = self._data, self._objects
        start, stop = self._span(index)
        if start == stop:
            return None
        definition, name, returned, yielded, owner, rest, named, shape = data[start : start + 8]
        at = start + 8 + 2 * (shape >> 2)
        result = None
        if shape & 2:
            result = data[at], objects[data[at + 1]]
            at += 2
        parameters = []
        for i in range(start + 8, start + 8 + 2 * (shape >> 2), 2):
            code, annotation = data[i], None
            if code & 8:
                annotation = data[at], objects[data[at + 1]]
                at += 2
            parameters.append(Parameter(objects[code >> 4], code & 7, data[i + 1], annotation))
        return FunctionFacts(
            definition, objects[name], tuple(parameters), returned, yielded, owner, shape & 1 == 1, tuple(data[at:stop]), (rest, named), result,
        )  # fmt: skip

    def returned(self, index: int) -> int:
        data = self._data
        return data[data[index + 1] + 2]

    def yielded(self, index: int) -> int:
        data = self._data
        return data[data[index + 1] + 3]

    def owner(self, index: int) -> int:
        data = self._data
        return data[data[index + 1] + 4]

    def parameter(self, index: int, position: int) -> int:
        """The variable of a parameter."""
        data = self._data
        return data[data[index + 1] + 9 + 2 * position]

    def parameters(self, index: int) -> list[tuple[str, int, int]]:
        """The name, kind and variable of each parameter."""
        data, objects = self._data, self._objects
        start = data[index + 1] + 8
        stop = start + 2 * (data[start - 1] >> 2)
        return [(objects[data[i] >> 4], data[i] & 7, data[i + 1]) for i in range(start, stop, 2)]

    def arguments(self, index: int) -> tuple[tuple[int, ...], tuple[int, int]]:
        """`returned_parameters` and `variadic_sites`."""
        data = self._data
        start = data[index + 1] + 8
        shape = data[start - 1]
        middle = start + 2 * (shape >> 2)
        annotated = (shape >> 1 & 1) + sum([code >> 3 & 1 for code in data[start:middle:2]])
        return tuple(data[middle + 2 * annotated : data[index + 2]]), (data[start - 3], data[start - 2])

    def annotation(self, index: int, position: int) -> tuple[int, tuple[str, ...]] | None:
        """That of a parameter; of the result for position -1."""
        data = self._data
        start = data[index + 1] + 8
        shape = data[start - 1]
        if not (shape & 2 if position < 0 else data[start + 2 * position] & 8):
            return None  # most often
        flags = [shape & 2, *[code & 8 for code in data[start : start + 2 * (shape >> 2) : 2]]]
        at = start + 2 * (shape >> 2) + 2 * sum(map(bool, flags[: position + 1]))
        return data[at], self._objects[data[at + 1]]

    def all_returned(self) -> list[int]:
        """What `returned` is of each function."""
        data = self._data
        starts = data[1 : data[0] + 2]
        return [data[start + 2] for start, stop in pairwise(starts) if start != stop]


class PackedClasses(_Definitions):
    """`PythonFacts.classes`: seven numbers, two per base, for the metaclass, and per name in `namespace`, `plain` and `attributes`, and one per field."""

    __slots__ = ()

    def is_derived(self, index: int) -> bool:
        """Whether there are bases or a metaclass."""
        data = self._data
        return data[data[index + 1] + 3] > 1

    def caller(self, index: int) -> int:
        data = self._data
        return data[data[index + 1] + 2]

    def bases(self, index: int) -> list[tuple[int, tuple[str, ...]]]:
        data, objects = self._data, self._objects
        start = data[index + 1] + 7
        stop = start + 2 * (data[start - 4] >> 2)
        return [(data[at], objects[data[at + 1]]) for at in range(start, stop, 2)]

    def plain(self, index: int) -> dict[str, int]:
        data, objects = self._data, self._objects
        start = data[index + 1]
        size = data[start + 5]
        if not size:
            return {}
        shape = data[start + 3]
        at = start + 7 + 2 * (shape >> 2) + (shape & 2) + 2 * data[start + 4]
        numbers = data[at : at + 2 * size]
        return dict(zip([objects[word] for word in numbers[::2]], numbers[1::2], strict=True))

    @staticmethod
    def _pack_one(item: ClassFacts, data: array, number: Callable[[Any], int]) -> None:
        definition, name, bases, metaclass, *tables, fields, is_dataclass, caller = item
        shape = 4 * len(bases) + 2 * (metaclass is not None) + bool(is_dataclass)
        data.extend((definition, number(name), caller, shape, *map(len, tables)))
        for variable, names in bases if metaclass is None else (*bases, metaclass):
            data.append(variable)
            data.append(number(names))
        for table in tables:
            for word, value in table.items():
                data.append(number(word))
                data.append(value)
        data.extend(map(number, fields))

    def __getitem__(self, index: int) -> ClassFacts | None:
        data, objects = self._data, self._objects
        start, stop = self._span(index)
        if start == stop:
            return None
        definition, name, caller, shape, *sizes = data[start : start + 7]
        at = start + 7 + 2 * (shape >> 2) + (shape & 2)
        numbers = data[start + 7 : at]
        bases = [(variable, objects[names]) for variable, names in zip(numbers[::2], numbers[1::2], strict=True)]
        metaclass = bases.pop() if shape & 2 else None
        tables = []
        for size in sizes:
            if not size:
                tables.append({})
                continue
            numbers = data[at : at + 2 * size]
            tables.append(dict(zip([objects[word] for word in numbers[::2]], numbers[1::2], strict=True)))
            at += 2 * size
        fields = tuple([objects[word] for word in data[at:stop]])
        return ClassFacts(
            definition, objects[name], tuple(bases), metaclass, *tables, fields, shape & 1 == 1, caller
        )  # fmt: skip


class PackedImports(_Packed):
    """`PythonFacts.imports`."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Iterable[ImportFacts], data: array, number: Callable[[Any], int]) -> None:
        for level, module, name, whole, variable, caller in items:
            code = _NO_NAME if name is None else _STAR if name == "*" else number(name)
            data.extend((code, 2 * level + bool(whole), number(module), variable, caller))

    def __len__(self) -> int:
        return len(self._data) // 5

    def __getitem__(self, index: int) -> ImportFacts:
        if not 0 <= index < len(self):
            raise IndexError(index)
        code, level, module, variable, caller = self._data[5 * index : 5 * index + 5]
        objects = self._objects
        name = objects[code] if code >= 0 else "*" if code == _STAR else None
        return ImportFacts(level >> 1, objects[module], name, level & 1 == 1, variable, caller)

    def __iter__(self) -> Iterator[ImportFacts]:
        data, objects = self._data, self._objects
        for code, level, module, variable, caller in zip(*[data[place::5] for place in range(5)], strict=True):
            name = objects[code] if code >= 0 else "*" if code == _STAR else None
            yield ImportFacts(level >> 1, objects[module], name, level & 1 == 1, variable, caller)

    def stars(self) -> list[ImportFacts]:
        """The star imports."""
        codes = self._data[::5]
        return [self[index] for index, code in enumerate(codes) if code == _STAR] if _STAR in codes else []


_NO_NAME, _STAR = -1, -2


class PackedOrigins(_Numbers, Mapping):
    """`PythonFacts.origins`: how many there are, the variables in order, then what each of them names; behind it the variables of each phi, after their
    number."""

    __slots__ = ()

    @staticmethod
    def _pack(items: Mapping[int, tuple], data: array, number: Callable[[Any], int]) -> None:
        variables = sorted(items)
        data.append(len(variables))
        data.extend(variables)
        data.extend([0] * len(variables))
        for place, variable in enumerate(variables, len(variables) + 1):
            kind, payload = items[variable]
            if kind == "phi":
                at = len(data)
                data.append(len(payload))
                data.extend(payload)
                payload = at
            data[place] = 8 * payload + _ORIGINS.index(kind)

    def __len__(self) -> int:
        return self._data[0]

    def __iter__(self) -> Iterator[int]:
        return iter(self._data[1 : self._data[0] + 1])

    def get(self, variable: int, default: Any = None) -> Any:
        data = self._data
        end = data[0] + 1
        place = bisect_left(data, variable, 1, end)
        if place == end or data[place] != variable:
            return default
        code = data[place + end - 1]
        kind, payload = _ORIGINS[code & 7], code >> 3
        if kind == "phi":
            return kind, tuple(data[payload + 1 : payload + 1 + data[payload]])
        return kind, payload

    def __getitem__(self, variable: int) -> tuple:
        found = self.get(variable)
        if found is None:
            raise KeyError(variable)
        return found

    def __contains__(self, variable: object) -> bool:
        return self.get(variable) is not None


_ORIGINS = ("class", "function", "import", "attribute", "phi")


class Program:
    """The data-flow program of a file, as in `PythonFacts`. It is read again and again while files take turns, so what can wait is read when it is used."""

    __slots__ = ("_sites", "calls", "items", "loads", "names", "operations", "seeds", "starts")

    def __init__(self, data: bytes):
        *lists, objects, self.names, self._sites, operations, starts = marshal.loads(data)
        self.loads, self.items, self.calls, self.seeds = (
            kind.frombytes(each, objects) for kind, each in zip(_LISTS.values(), lists, strict=True)
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


_KEPT = {
    "functions": PackedFunctions,
    "classes": PackedClasses,
    "imports": PackedImports,
    "origins": PackedOrigins,
    "references": PackedReferences,
    "decorated": PackedDecorated,
    "cells": PackedNames,
}
"""What stays at hand for all files while they are resolved."""
_NOTHING = array("i")


def pack(facts: PythonFacts) -> None:
    """Puts `program` in place of the lists that it holds, and packs others."""
    facts.program = pack_program(facts)
    facts.operations = facts.starts = _NOTHING
    facts.names = facts.loads = facts.items = facts.calls = facts.seeds = facts.sites = ()
    facts.wanted = _small(array("i", sorted(facts.wanted)))
    pack_kept(facts)


def pack_kept(facts: PythonFacts) -> None:
    """Packs what stays at hand; some of it may be packed already."""
    pool = Pool()
    packed = {name: kind.pack(getattr(facts, name), pool) for name, kind in _KEPT.items()}
    objects = _interned(pool.objects)
    for name, each in packed.items():
        setattr(facts, name, each.small(objects))
