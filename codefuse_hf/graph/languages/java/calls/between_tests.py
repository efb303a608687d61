"""Calls from one test file into what another one made for itself.

By their types, a test's lambdas and objects of anonymous and local classes fit wherever their interface is called, in other tests as well.
They get there only if one of the two files knows the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codefuse_hf.graph.build.test_paths import is_test
from codefuse_hf.graph.languages.base import FileFacts, Ref

Edge = tuple[str, Ref, Ref]


def without_calls_between_tests(edges: Iterable[Edge], files: Mapping[str, FileFacts]) -> list[Edge]:
    """Leave out calls of lambdas and of anonymous and local classes of a test file from another, where neither refers to the other, be it
    through further test files."""
    edges = list(edges)
    own = {path: _made_in_place(facts) for path, facts in files.items() if is_test(path)}
    named: dict[str, set[str]] = {}
    for kind, source, target in edges:
        if kind != "calls" and source.path != target.path and target.path in own:
            named.setdefault(source.path, set()).add(target.path)
    known: dict[str, set[str]] = {}

    def strange(kind: str, source: Ref, target: Ref) -> bool:
        if kind != "calls" or source.path == target.path or source.path not in own:
            return False
        return (
            target.path in own
            and target.index in own[target.path]
            and target.path not in _reached(source.path, named, known)
            and source.path not in _reached(target.path, named, known)
        )

    return [edge for edge in edges if not strange(*edge)]


def _made_in_place(file: FileFacts) -> set[int]:
    """The definitions of lambdas, of anonymous and local classes, and of their methods."""
    facts = file.facts
    if facts is None:
        return set()
    made = {body.caller for body in facts.bodies if body.shape not in ("method", "initializer")}
    inside: list[bool] = []  # a class comes after the one around it
    for each in facts.classes:
        inside.append(not each.member or (each.outer >= 0 and inside[each.outer]))
    made |= {each.definition for each, local in zip(facts.classes, inside, strict=True) if local}
    return made | {each.definition for each in facts.methods if inside[each.owner]}


def _reached(path: str, named: Mapping[str, set[str]], known: dict[str, set[str]]) -> set[str]:
    if path not in known:
        reached, waiting = {path}, [path]
        while waiting:
            new = named.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        known[path] = reached
    return known[path]
