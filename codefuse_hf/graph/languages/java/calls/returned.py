"""What a method hands back of what it is given: `this`, as a fluent setter does, or an argument, as a check for null does.

Such a result is told from call to call, where all others are one place for all callers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from codefuse_hf.graph.languages.java.calls.methods import DispatchKey, Methods
from codefuse_hf.graph.languages.java.types.types import JavaMethod

THIS = -1
_DEEPEST = 50
"""Calls that return what calls return, beyond which it is not followed."""


class Passed(NamedTuple):
    """What a method returns: positions of arguments, `THIS` for its object, and `made` for anything else."""

    positions: tuple[int, ...]
    made: bool


_FLUENT = Passed((THIS,), False)
_OTHER = Passed((), True)


class DirectCall(NamedTuple):
    """A call that runs one method whatever its object is; places of the object and the arguments."""

    method: JavaMethod
    receiver: int
    arguments: tuple[int, ...]


class Returned:
    """Finds it out when all code has been read."""

    def __init__(self, methods: Methods, own_places: Callable[[JavaMethod], dict[int, int]]) -> None:
        """`own_places` tells the places of a method's `this` and parameters, with their positions."""
        self._methods, self._own_places = methods, own_places
        self._known: dict[JavaMethod, Passed] = {}
        self._depth = 0
        self.places: dict[JavaMethod, list[int]] = {}
        self.direct: dict[int, DirectCall] = {}
        self.virtual: dict[int, tuple[DispatchKey, int]] = {}

    def of(self, method: JavaMethod) -> Passed:
        """Tells what a method returns."""
        found = self._known.get(method)
        if found is None and self._depth < _DEEPEST:
            self._known[method] = _OTHER  # while it is found out: a method that returns what it returns itself
            self._depth += 1
            found = self._known[method] = self._find(method)
            self._depth -= 1
        return found or _OTHER

    def _find(self, method: JavaMethod) -> Passed:
        if method.facts.body < 0:
            return _OTHER
        own = self._own_places(method)
        positions: dict[int, None] = {}
        made = False
        for place in self.places.get(method, ()):
            passed = self.origin(place, own)
            made = made or passed is None
            positions.update(dict.fromkeys(passed or ()))
        return Passed(tuple(positions), made)

    def origin(self, place: int, own: dict[int, int]) -> tuple[int, ...] | None:
        """Tells which of a method's own places a returned one is, be it through other methods; None when it is any other."""
        found: dict[int, None] = {}
        waiting, seen = [place], {place}
        while waiting:
            current = waiting.pop()
            call = self.direct.get(current)
            if current in own:
                found[own[current]] = None
            elif call is not None:
                passed = self.of(call.method)
                given = [
                    call.receiver if each == THIS else call.arguments[each]
                    for each in passed.positions
                    if each < len(call.arguments)
                ]
                if passed.made:
                    return None
                waiting += [each for each in given if each not in seen]
                seen.update(given)
            elif self._is_fluent(current, own):
                found[THIS] = None
            else:
                return None
        return tuple(found)

    def _is_fluent(self, place: int, own: dict[int, int]) -> bool:
        """Whether a place is what a method of the own object returns, all of whose implementations return that object."""
        key, receiver = self.virtual.get(place, (None, THIS))
        if key is None or own.get(receiver) != THIS:
            return False
        run = [m for m in self._methods.table(key) if m.facts.body >= 0]
        return bool(run) and all(self.of(m) == _FLUENT for m in run)
