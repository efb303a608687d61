"""Which objects arrive where: classes move through variables, fields, parameters, results and arrays to the receivers of calls.

A *place* stands for what a variable, a field, a method's result or `this` may hold. An object is its class: all that `new` makes of one class count as
one, and a method has one set of variables whoever calls it (a points-to analysis of Andersen's kind, insensitive to context, with the calls found as the
objects arrive). A place of a declared type takes only the classes at or below it. Sets of classes are integers, a bit a class; three bits are no classes:

* `LIBRARY`: an object that code outside of the project made, a lambda, a string: it has no method of the project.
* `MOCK`: an object that a mocking library made; it stands for itself only.
* `ANYTHING`: an object of which nothing is known. A place of a declared type takes it for one of every class at or below that type.

What the library is given to keep (elements of containers) is one place, `outside`, and comes back out of it wherever the type fits. A place
that nothing is put into in the project (a test's parameter, an injected field) may hold any object of its type.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.java.calls.methods import DispatchKey, Methods
from codefuse_hf.graph.languages.java.types.types import ArrayType, JavaClass, JavaMethod, TypeVariable, erasure

LIBRARY, ANYTHING, MOCK = 1, 2, 4
NOWHERE = -1
"""The place of what can hold no object of the project that matters."""
_UNKNOWN = object()


class ObjectCall(NamedTuple):
    """A call that several methods may answer; `arguments` and `result` are places."""

    caller: Ref
    arguments: tuple[int, ...]
    result: int
    library_result: int


class Objects:
    """Places, what flows between them, and the calls that wait for objects."""

    def __init__(self, methods: Methods) -> None:
        self.methods = methods
        self.limits: list[JavaClass | Callable[[], Iterable[JavaClass]] | None] = []
        self.variables: list[int] = []
        self.arrays: set[int] = set()
        self.calls: dict[tuple[int, DispatchKey], list[ObjectCall]] = {}
        self._from, self._to = array("i"), array("i")
        self._constants: dict[Any, int] = {}
        self._seeds: list[tuple[int, int | JavaClass | tuple]] = []
        self._kinds: dict[JavaClass, Any] = {}
        self._bits: dict[JavaClass, int] = {}
        self._masks: dict[JavaClass, int] = {}
        self.library = self._constant(LIBRARY, LIBRARY)
        self.anything = self._constant(ANYTHING, ANYTHING)
        self.outside = self.place()
        self.connect(self.library, self.outside)

    # -- places ------------------------------------------------------------------------------------------------------------------

    def place(self, limit: JavaClass | Callable[[], Iterable[JavaClass]] | None = None) -> int:
        """Makes a place, for objects at or below a class, or of some classes."""
        self.limits.append(limit)
        return len(self.limits) - 1

    def variable(self, kind: Any) -> int:
        """Makes the place of a variable or field of a type; `NOWHERE` where it is clear already what it holds."""
        if not self.matters(kind):
            return NOWHERE
        made = self.result(kind)
        self.variables.append(made)
        return made

    def variable_of(self, classes: Callable[[], Iterable[JavaClass]]) -> int:
        """Makes the place of a variable for objects of some classes."""
        made = self.place(classes)
        self.variables.append(made)
        return made

    def result(self, kind: Any) -> int:
        """Makes the place of what a method returns."""
        if not self.matters(kind):
            return NOWHERE
        made = self.place(self.limit(kind))
        if type(kind) is ArrayType:
            self.arrays.add(made)
        return made

    def limit(self, kind: Any) -> JavaClass | None:
        """Finds the class that a type's objects are at or below; None for any."""
        while type(kind) is ArrayType:
            kind = kind.element
        cls = erasure(kind)
        return cls if type(cls) is JavaClass and cls.name != "java.lang.Object" else None

    def matters(self, kind: Any) -> bool:
        """Tells whether objects of different classes with methods of the project may be of a type."""
        return self._known_class(kind) is _UNKNOWN

    def _known_class(self, kind: Any) -> Any:
        """The only class of the project at or below a type; None when there is none, `_UNKNOWN` when there are several."""
        while type(kind) is ArrayType:
            kind = kind.element
        if type(kind) is str:
            return None
        if type(kind) is TypeVariable:
            kind = erasure(kind)
            if type(kind) is ArrayType:
                return _UNKNOWN
        cls = kind if type(kind) is JavaClass or kind is None else kind.cls
        if cls is None:
            return _UNKNOWN
        found = self._kinds.get(cls, self)
        if found is self:
            found = self._kinds[cls] = self._find_known_class(cls)
        return found

    def _find_known_class(self, cls: JavaClass) -> Any:
        if cls.name == "java.lang.Object":
            return _UNKNOWN
        if cls.external:
            return None
        classes = [] if self.methods.is_abstract(cls) or cls.ref is None else [cls]
        for child in cls.descendants():
            if not self.methods.is_abstract(child) and child.ref is not None:
                classes.append(child)
                if len(classes) > 1:
                    return _UNKNOWN
        if classes and (cls.ref is None or cls.functional_method() is not None):
            return _UNKNOWN
        return classes[0] if classes else None

    def of_class(self, cls: JavaClass) -> int:
        """Returns the place that holds an object of exactly one class."""
        if cls.ref is None:
            return self.library
        return self._constant(cls, ((cls,), 0))

    def any_of(self, kind: Any) -> int:
        """Returns the place that holds an object of unknown origin, of a declared type."""
        known = self._known_class(kind)
        if known is None:
            return self.library
        if known is not _UNKNOWN:
            return self.of_class(known)
        cls = self.limit(kind)
        if cls is None:
            return self.anything
        found = self._constants.get(("any", cls))
        if found is None:
            found = self._constant(("any", cls), cls)
            self.limits[found] = cls
            self.connect(self.outside, found)
        return found

    def one_of(self, key: Any, classes: Callable[[], Iterable[JavaClass]], others: int = 0) -> int:
        """Returns the place that holds objects of some classes, and `others`; the same for the same key."""
        found = self._constants.get(key)
        return found if found is not None else self._constant(key, (classes, others))

    def _constant(self, key: Any, holds: Any) -> int:
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = self.place()
            self._seeds.append((found, holds))
        return found

    def connect(self, source: int, target: int) -> None:
        """Lets what a place holds flow to another one."""
        if source >= 0 and target >= 0 and source != target:
            self._from.append(source)
            self._to.append(target)
            if target in self.arrays and source in self.arrays:  # the same array: what is put into it later is in both
                self._from.append(target)
                self._to.append(source)

    def merge(self, places: Iterable[int]) -> int:
        """Returns one place that holds what several hold."""
        kept = list(dict.fromkeys(place for place in places if place >= 0))
        if len(kept) < 2:
            return kept[0] if kept else NOWHERE
        made = self.place()
        for each in kept:
            self.connect(each, made)
        return made

    def call(self, receiver: int, key: DispatchKey, call: ObjectCall) -> None:
        """Notes a call on what a place holds."""
        self.calls.setdefault((receiver, key), []).append(call)

    # -- sets of classes ---------------------------------------------------------------------------------------------------------

    def _bit(self, cls: JavaClass) -> int:
        found = self._bits.get(cls)
        if found is None:
            found = self._bits[cls] = 8 << len(self._bits)
        return found

    def _mask(self, cls: JavaClass) -> int:
        """The set of all that a place of a type may hold."""
        found = self._masks.get(cls)
        if found is None:
            found = MOCK | (LIBRARY if cls.ref is None or cls.functional_method() is not None else 0)
            if not self.methods.is_abstract(cls) and cls.ref is not None:
                found |= self._bit(cls)
            for child in cls.descendants():
                if not self.methods.is_abstract(child) and child.ref is not None:
                    found |= self._bit(child)
            self._masks[cls] = found
        return found

    def _made_outside(self, cls: JavaClass) -> int:
        """The set of what code outside of the project may make of a type by itself: what has a name, and the constants of enums."""
        found = self._mask(cls)
        for each in (cls, *cls.descendants()):
            if each.ref is not None and not each.facts.member and not any(up.kind == "enum" for up, _ in each.supers):
                found &= ~self._bits.get(each, 0)
        return found

    def _set(self, holds: Any) -> int:
        if type(holds) is int:
            return holds
        if type(holds) is JavaClass:
            return self._made_outside(holds)
        classes, found = holds
        for cls in classes() if callable(classes) else classes:
            found |= self._bit(cls)
        return found

    # -- solving -----------------------------------------------------------------------------------------------------------------

    def solve(
        self, enter: Callable[[int, JavaMethod, ObjectCall], list[tuple[int, int]]]
    ) -> Iterable[tuple[DispatchKey, ObjectCall, list[JavaMethod]]]:
        """Moves all objects as far as they go; tells for each call what it runs. `enter` says where objects flow when a call runs a method."""
        return _Solver(self, enter).solve()


class _Waiting:
    """The calls of one method on what one place holds, and what has not run yet."""

    __slots__ = ("calls", "key", "ran", "receiver", "rest", "started")

    def __init__(self, receiver: int, key: DispatchKey, calls: list[ObjectCall], table: list) -> None:
        self.receiver, self.key, self.calls = receiver, key, calls
        self.rest = table
        self.ran: list[JavaMethod] = []
        self.started = False


class _Solver:
    """The state of solving."""

    def __init__(self, objects: Objects, enter: Callable[[int, JavaMethod, ObjectCall], list[tuple[int, int]]]) -> None:
        self.objects, self.enter = objects, enter
        self.new = [0] * len(objects.limits)
        self.masks = [
            -1
            if limit is None
            else objects._mask(limit)
            if type(limit) is JavaClass
            else objects._set((limit, MOCK | LIBRARY))
            for limit in objects.limits
        ]
        self.masks[objects.outside] = ~ANYTHING
        self.room = list(self.masks)
        """What each place has not taken yet of what it takes."""
        self.open: set[int] = set()
        self.targets: list[Any] = [None] * len(objects.limits)
        self.waiting: list[int] = []
        self.at: dict[int, list[_Waiting]] = {}

    def solve(self) -> Iterable[tuple[DispatchKey, ObjectCall, list[JavaMethod]]]:
        objects = self.objects
        fed = bytearray(len(objects.limits))
        for source, target in zip(objects._from, objects._to, strict=True):
            fed[target] = 1
            self._edge(source, target)
        tables: dict[DispatchKey, list] = {}
        all_calls = []
        for (receiver, key), calls in objects.calls.items():
            if key not in tables:
                tables[key] = self._table(key)
            waiting = _Waiting(receiver, key, calls, tables[key])
            all_calls.append(waiting)
            self.at.setdefault(receiver, []).append(waiting)
        for place in self._parameters_of(tables):
            fed[place] = 1
        for place, holds in objects._seeds:
            self._put(place, objects._set(holds))
        for place in objects.variables:
            if not fed[place]:
                self._put(place, ANYTHING)
        self._run()
        for waiting in all_calls:
            if not waiting.started:
                self._activate(waiting, -1)
        self._run()
        for waiting in all_calls:
            for call in waiting.calls:
                yield waiting.key, call, waiting.ran

    def _table(self, key: DispatchKey) -> list:
        """What a call may run, each with the classes of receivers that run it; None is code of the library."""
        objects = self.objects
        table: list = []
        by_lambdas = objects.methods.of_lambdas(key)
        elsewhere = MOCK | (LIBRARY if key.cls.ref is None or key.cls.functional_method() is not None else 0)
        for method, classes in objects.methods.table(key).items():
            given = objects._set(([cls for cls in classes if cls.ref is not None], 0))
            if method is by_lambdas:
                given |= LIBRARY
            if method.ref is None:
                elsewhere |= given
            elif given:
                table.append((given, method))
        return [*table, (elsewhere, None)]

    def _parameters_of(self, tables: dict[DispatchKey, list]) -> Iterable[int]:
        """The parameters that calls may put something into when objects arrive."""
        for method in dict.fromkeys(method for table in tables.values() for _, method in table if method is not None):
            places = (method.this_place, *(method.parameter_places or ()))
            yield from (place for place in places if place is not None and place >= 0)

    def _edge(self, source: int, target: int) -> bool:
        targets = self.targets[source]
        if targets is None:
            self.targets[source] = {target}
            return True
        if target in targets:
            return False
        targets.add(target)
        return True

    def _put(self, place: int, given: int) -> None:
        if given & ANYTHING and self.masks[place] >= 0:
            self._put_anything(place)
        given &= self.room[place]
        if given:
            self.room[place] ^= given
            if not self.new[place]:
                self.waiting.append(place)
            self.new[place] |= given

    def _put_anything(self, place: int) -> None:
        """Puts into a place of a type what code outside of the project may have made or been given."""
        if place in self.open:
            return
        self.open.add(place)
        limit = self.objects.limits[place]
        if type(limit) is JavaClass:
            self._connect(self.objects.outside, place)
            self._put(place, self.objects._made_outside(limit))
        else:
            self._put(place, self.masks[place])

    def _run(self) -> None:
        room, new, masks, targets = self.room, self.new, self.masks, self.targets
        while self.waiting:
            batch, waiting = self.waiting, []
            self.waiting = waiting
            for place in batch:
                given, new[place] = new[place], 0
                if not given:
                    continue
                anything = given & ANYTHING
                for target in tuple(targets[place] or ()) if anything else targets[place] or ():
                    if anything and masks[target] >= 0:
                        self._put_anything(target)
                    more = given & room[target]
                    if more:
                        room[target] ^= more
                        if not new[target]:
                            waiting.append(target)
                        new[target] |= more
                for call in self.at.get(place, ()):
                    if call.rest:
                        self._activate(call, given)

    def _connect(self, source: int, target: int) -> None:
        if source >= 0 and target >= 0 and source != target and self._edge(source, target):
            self._put(target, self.masks[source] & ~self.room[source])

    def _activate(self, waiting: _Waiting, given: int) -> None:
        """Runs what the new objects at a receiver run."""
        if given & ANYTHING:
            given = -1
        rest = []
        for entry in waiting.rest:
            if not entry[0] & given:
                rest.append(entry)
                continue
            method = entry[1]
            waiting.started = True
            if method is not None:
                waiting.ran.append(method)
            for call in waiting.calls:
                pairs = (
                    self.enter(waiting.receiver, method, call)
                    if method is not None
                    else [(call.library_result, call.result)]
                )
                for source, target in pairs:
                    self._connect(source, target)
                    if target in self.objects.arrays and source in self.objects.arrays:
                        self._connect(target, source)
        waiting.rest = rest
