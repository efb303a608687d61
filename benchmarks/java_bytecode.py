"""Reads what the oracle needs of Java class files: supertypes, methods, the calls in their code, and the lambdas they make.

The format is that of the Java Virtual Machine Specification, chapter 4. Class files of a folder, of jars and of a JDK's
`jmods` are looked up by name, when they are first asked for.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

STATIC, FINAL, BRIDGE, INTERFACE, ABSTRACT, SYNTHETIC, PRIVATE = 0x8, 0x10, 0x40, 0x200, 0x400, 0x1000, 0x2
_PARAMETER = re.compile(r"\[*(?:[BCDFIJSZ]|L[^;]+;)")
_LAMBDAS = "java/lang/invoke/LambdaMetafactory"


class Invocation(NamedTuple):
    """A call in the code: `kind` is "virtual", "special", "static" or "interface"."""

    line: int
    kind: str
    owner: str
    name: str
    descriptor: str


class Function(NamedTuple):
    """A lambda or method reference that the code makes: its interface, the method it implements, and what it runs."""

    line: int
    interface: str
    name: str
    target: Invocation


@dataclass(eq=False)
class Method:
    """A method of a class file; `lines` are those of its code in the order of the code."""

    owner: str
    name: str
    descriptor: str
    flags: int
    lines: list[int] = field(default_factory=list)
    calls: list[Invocation] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters' types: `int`, `java/lang/String`, `[]` behind them for arrays."""
        return [type_name(each) for each in _PARAMETER.findall(self.descriptor.partition(")")[0])]


_PRIMITIVES = {
    "B": "byte", "C": "char", "D": "double", "F": "float", "I": "int", "J": "long", "S": "short", "Z": "boolean",
}  # fmt: skip


def type_name(descriptor: str) -> str:
    """The name of a type in a descriptor."""
    element = descriptor.lstrip("[")
    name = element[1:-1] if element.startswith("L") else _PRIMITIVES[element]
    return name + "[]" * (len(descriptor) - len(element))


class ClassFile:
    """One class."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._read_pool()
        at = self._end_of_pool
        self.flags, this, parent, count = struct.unpack_from(">HHHH", data, at)
        self.name = self._class(this)
        self.parent = self._class(parent) if parent else None
        self.interfaces = [self._class(n) for n in struct.unpack_from(f">{count}H", data, at + 8)]
        self._members = at + 8 + 2 * count

    # -- constants -----------------------------------------------------------------------------------------------------

    def _read_pool(self) -> None:
        sizes = {
            3: 4,
            4: 4,
            5: 8,
            6: 8,
            7: 2,
            8: 2,
            9: 4,
            10: 4,
            11: 4,
            12: 4,
            15: 3,
            16: 2,
            17: 4,
            18: 4,
            19: 2,
            20: 2,
        }
        count, at, index = struct.unpack_from(">H", self.data, 8)[0], 10, 1
        self._pool = [0] * count
        while index < count:
            self._pool[index] = at
            tag = self.data[at]
            at += 3 + struct.unpack_from(">H", self.data, at + 1)[0] if tag == 1 else 1 + sizes[tag]
            index += 2 if tag in (5, 6) else 1
        self._end_of_pool = at

    def _pair(self, index: int) -> tuple[int, int]:
        return struct.unpack_from(">HH", self.data, self._pool[index] + 1)

    def _text(self, index: int) -> str:
        at = self._pool[index]
        size = struct.unpack_from(">H", self.data, at + 1)[0]
        return self.data[at + 3 : at + 3 + size].decode("utf-8", "replace")

    def _class(self, index: int) -> str:
        return self._text(struct.unpack_from(">H", self.data, self._pool[index] + 1)[0])

    def _member(self, index: int) -> tuple[str, str, str]:
        owner, name_and_type = self._pair(index)
        name, descriptor = self._pair(name_and_type)
        return self._class(owner), self._text(name), self._text(descriptor)

    # -- members and attributes ------------------------------------------------------------------------------------------

    def _attributes(self, at: int) -> tuple[dict[str, tuple[int, int]], int]:
        """Where the attributes at a place begin and end, and what comes behind them."""
        found = {}
        count = struct.unpack_from(">H", self.data, at)[0]
        at += 2
        for _ in range(count):
            name, size = struct.unpack_from(">HI", self.data, at)
            found[self._text(name)] = (at + 6, at + 6 + size)
            at += 6 + size
        return found, at

    @cached_property
    def _layout(self) -> tuple[list[tuple[int, int, int, dict]], dict[str, tuple[int, int]]]:
        """The methods as (flags, name, descriptor, attributes), and the attributes of the class."""
        at, kinds = self._members, []
        for _ in range(2):
            count = struct.unpack_from(">H", self.data, at)[0]
            at += 2
            members = []
            for _ in range(count):
                head = struct.unpack_from(">HHH", self.data, at)
                attributes, at = self._attributes(at + 6)
                members.append((*head, attributes))
            kinds.append(members)
        return kinds[1], self._attributes(at)[0]

    @cached_property
    def source_file(self) -> str | None:
        place = self._layout[1].get("SourceFile")
        return self._text(struct.unpack_from(">H", self.data, place[0])[0]) if place else None

    @cached_property
    def methods(self) -> dict[tuple[str, str], Method]:
        """The methods by name and descriptor."""
        found = {}
        for flags, name, descriptor, attributes in self._layout[0]:
            method = Method(self.name, self._text(name), self._text(descriptor), flags)
            if "Code" in attributes:
                self._read_code(method, attributes["Code"][0])
            found[method.name, method.descriptor] = method
        return found

    def _read_code(self, method: Method, at: int) -> None:
        size = struct.unpack_from(">I", self.data, at + 4)[0]
        start, end = at + 8, at + 8 + size
        handlers = struct.unpack_from(">H", self.data, end)[0]
        attributes, _ = self._attributes(end + 2 + 8 * handlers)
        lines: list[tuple[int, int]] = []
        if "LineNumberTable" in attributes:
            place = attributes["LineNumberTable"][0]
            count = struct.unpack_from(">H", self.data, place)[0]
            lines = sorted(struct.unpack_from(">HH", self.data, place + 2 + 4 * n) for n in range(count))
        method.lines = [line for _, line in lines]
        current, following = 0, 0
        for position, opcode in self._instructions(start, end):
            while following < len(lines) and lines[following][0] <= position - start:
                current = lines[following][1]
                following += 1
            if 0xB6 <= opcode <= 0xB9:
                kind = ("virtual", "special", "static", "interface")[opcode - 0xB6]
                index = struct.unpack_from(">H", self.data, position + 1)[0]
                method.calls.append(Invocation(current, kind, *self._member(index)))
            elif opcode == 0xBA:
                made = self._function(current, struct.unpack_from(">H", self.data, position + 1)[0])
                if made is not None:
                    method.functions.append(made)

    def _instructions(self, at: int, end: int) -> Iterator[tuple[int, int]]:
        data, start = self.data, at
        while at < end:
            opcode = data[at]
            yield at, opcode
            if opcode in (0xAA, 0xAB):
                aligned = at + 4 - (at - start) % 4
                if opcode == 0xAA:
                    low, high = struct.unpack_from(">ii", data, aligned + 4)
                    at = aligned + 12 + 4 * (high - low + 1)
                else:
                    at = aligned + 8 + 8 * struct.unpack_from(">i", data, aligned + 4)[0]
            elif opcode == 0xC4:
                at += 6 if data[at + 1] == 0x84 else 4
            else:
                at += _SIZES[opcode]

    def _function(self, line: int, index: int) -> Function | None:
        number, name_and_type = self._pair(index)
        name, descriptor = (self._text(each) for each in self._pair(name_and_type))
        factory, arguments = self._bootstraps[number]
        if factory[0] != _LAMBDAS or len(arguments) < 3:
            return None
        kind, reference = struct.unpack_from(">BH", self.data, self._pool[arguments[1]] + 1)
        kinds = {5: "virtual", 6: "static", 7: "special", 8: "special", 9: "interface"}
        interface = descriptor.partition(")")[2][1:-1]
        return Function(line, interface, name, Invocation(line, kinds[kind], *self._member(reference)))

    @cached_property
    def _bootstraps(self) -> list[tuple[tuple[str, str, str], tuple[int, ...]]]:
        at = self._layout[1]["BootstrapMethods"][0]
        found = []
        count = struct.unpack_from(">H", self.data, at)[0]
        at += 2
        for _ in range(count):
            handle, arguments = struct.unpack_from(">HH", self.data, at)
            reference = struct.unpack_from(">BH", self.data, self._pool[handle] + 1)[1]
            found.append((self._member(reference), struct.unpack_from(f">{arguments}H", self.data, at + 4)))
            at += 4 + 2 * arguments
        return found


def _sizes() -> list[int]:
    sizes = [1] * 256
    for size, opcodes in (
        (2, (0x10, 0x12, *range(0x15, 0x1A), *range(0x36, 0x3B), 0xA9, 0xBC)),
        (3, (0x11, 0x13, 0x14, 0x84, *range(0x99, 0xA9), *range(0xB2, 0xB9), 0xBB, 0xBD, 0xC0, 0xC1, 0xC6, 0xC7)),
        (4, (0xC5,)),
        (5, (0xB9, 0xBA, 0xC8, 0xC9)),
    ):
        for opcode in opcodes:
            sizes[opcode] = size
    return sizes


_SIZES = _sizes()


class World:
    """All classes that a program may use: its own ones, read at once, and those of libraries, read when asked for."""

    def __init__(self, folder: Path | None, archives: Iterable[Path]) -> None:
        paths = sorted(folder.rglob("*.class")) if folder is not None else []
        files = (ClassFile(path.read_bytes()) for path in paths)
        self.own = {each.name: each for each in files if each.name != "module-info"}
        self._entries: dict[str, tuple[zipfile.ZipFile, str]] = {}
        for archive in archives:
            opened = zipfile.ZipFile(archive)
            for entry in opened.namelist():
                if entry.endswith(".class"):
                    name = entry.removeprefix("classes/").removesuffix(".class")
                    self._entries.setdefault(name, (opened, entry))
        self._others: dict[str, ClassFile | None] = {}
        self._ancestors: dict[str, list[str]] = {}

    def get(self, name: str) -> ClassFile | None:
        """A class by its name `java/util/Map$Entry`; None when it is not known."""
        found = self.own.get(name)
        if found is None and name not in self._others:
            archive, entry = self._entries.get(name, (None, ""))
            self._others[name] = ClassFile(archive.read(entry)) if archive is not None else None
        return found or self._others.get(name)

    def ancestors(self, name: str) -> list[str]:
        """A class and its supertypes: superclasses first, nearest first."""
        found = self._ancestors.get(name)
        if found is None:
            chain, interfaces = [], []
            current = self.get(name)
            while current is not None:
                chain.append(current.name)
                interfaces += current.interfaces
                current = self.get(current.parent) if current.parent else None
            below = [each for interface in interfaces for each in self.ancestors(interface)]
            found = self._ancestors[name] = list(dict.fromkeys([*(chain or [name]), *below, "java/lang/Object"]))
        return found

    @cached_property
    def heirs(self) -> dict[str, list[str]]:
        """The program's classes below each type, itself included if it is one of them."""
        found: dict[str, list[str]] = {}
        for name in self.own:
            for ancestor in self.ancestors(name):
                found.setdefault(ancestor, []).append(name)
        return found

    def find(self, owner: str, name: str, descriptor: str) -> Method | None:
        """The method that a class has, own or inherited; one with code goes before one without."""
        abstract = None
        for ancestor in self.ancestors(owner):
            cls = self.get(ancestor)
            method = cls.methods.get((name, descriptor)) if cls is not None else None
            if method is not None:
                if not method.flags & ABSTRACT:
                    return method
                abstract = abstract or method
        return abstract

    def functional_method(self, name: str) -> Method | None:
        """The only abstract method of an interface."""
        cls = self.get(name)
        if cls is None or not cls.flags & INTERFACE:
            return None
        names = {}
        for ancestor in reversed(self.ancestors(name)):
            known = self.get(ancestor)
            if known is None or ancestor == "java/lang/Object":
                continue
            for key, method in known.methods.items():
                if method.flags & ABSTRACT:
                    names[key] = method
                elif not method.flags & STATIC:
                    names.pop(key, None)
        abstract = [m for key, m in names.items() if key[0] not in ("equals", "hashCode", "toString")]
        return abstract[-1] if len({m.name for m in abstract}) == 1 else None
