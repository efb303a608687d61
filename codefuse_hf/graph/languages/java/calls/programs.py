"""Calls between files that no program has together.

A test, an example or a benchmark is a program of its own: it runs what it refers to, be it through other files. An object whose class it does not know is
never made in it, even if the types would take it. So a call from such code, or to it, needs a file from which references lead to both ends. Where a
container wires objects together (Spring, CDI, Guice …), any program may have its objects, and so it is with what a module provides as a service. What
kind of code a file holds is told by the folders above its package: `com.example` and `org.acme.samples` are packages like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from codefuse_hf.graph.build.test_paths import is_test
from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.java.types.names import Unit

Edge = tuple[str, Ref, Ref]
_PROGRAMS = re.compile(
    r"(?:^|[-_/.])(?:tests?|testsuite|integration-?tests?|examples?|samples?|demos?|(?:micro)?bench(?:marks?)?|jmh)[-_/.]",
    re.I,
)
_CONTAINERS = re.compile(
    r"(?:org\.springframework|(?:jakarta|javax)\.(?:inject|enterprise|ejb)|com\.google\.inject|dagger|io\.(?:micronaut|quarkus))\."
)


def without_calls_between_programs(edges: Iterable[Edge], units: Iterable[Unit]) -> list[Edge]:
    """Leave out calls between two files, one of them of a test, example or benchmark, that no file leads to."""
    edges, units = list(edges), list(units)
    numbers = {unit.path: number for number, unit in enumerate(units)}
    referring: list[dict[int, None]] = [{} for _ in units]
    for kind, source, target in edges:
        if kind != "calls" and source.path != target.path:
            referring[numbers[target.path]][numbers[source.path]] = None
    leading = _leading(referring)
    places = [_without_package(unit) for unit in units]
    own_program = [is_test(place) or _PROGRAMS.search(place.rpartition("/")[0] + "/") is not None for place in places]
    wired = sum(1 << number for number, unit in enumerate(units) if is_wired(unit))
    known: dict[tuple[int, int], bool] = {}

    def strange(source: int, target: int) -> bool:
        if not (own_program[source] or own_program[target]):
            return False
        return not leading[source] & leading[target] and not leading[target] & wired

    kept = []
    for edge in edges:
        kind, source, target = edge
        if kind == "calls" and source.path != target.path:
            pair = (numbers[source.path], numbers[target.path])
            found = known.get(pair)
            if found is None:
                found = known[pair] = strange(*pair)
            if found:
                continue
        kept.append(edge)
    return kept


def _without_package(unit: Unit) -> str:
    """The path of a file less the folders of its package."""
    folder, _, name = unit.path.rpartition("/")
    return f"{folder.removesuffix(unit.package.replace('.', '/'))}/{name}".lstrip("/")


def is_wired(unit: Unit) -> bool:
    """Tells whether a container may make objects of a file's classes, or a module provides them. (What a test makes it makes itself.)"""
    if is_test(_without_package(unit)):
        return False
    if unit.path.rpartition("/")[2] == "module-info.java":
        return True
    return any(_CONTAINERS.match(name) for name in (*unit.single.values(), *(each + "." for each in unit.packages)))


def _leading(referring: list[dict[int, None]]) -> list[int]:
    """The files from which references lead to each file, itself included, as sets of bits."""
    count = len(referring)
    order: list[int] = []  # files before those that refer to them
    seen = bytearray(count)
    for start in range(count):
        stack = [(start, iter(referring[start]))] if not seen[start] else []
        seen[start] = 1
        while stack:
            number, rest = stack[-1]
            following = next((each for each in rest if not seen[each]), None)
            if following is None:
                order.append(number)
                stack.pop()
            else:
                seen[following] = 1
                stack.append((following, iter(referring[following])))
    found = [1 << number for number in range(count)]
    changed = True
    while changed:
        changed = False
        for number in order:
            gathered = found[number]
            for each in referring[number]:
                gathered |= found[each]
            if gathered != found[number]:
                found[number] = gathered
                changed = True
    return found
