"""What the code says of places (`calls/objects.py`): which one each expression has, and what calls let flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.java.calls.function_flow import FunctionValue, Site
from codefuse_hf.graph.languages.java.calls.methods import EXACT, FUNCTION, PACKAGE, TYPE, DispatchKey, Methods, Value
from codefuse_hf.graph.languages.java.calls.objects import MOCK, NOWHERE, ObjectCall, Objects
from codefuse_hf.graph.languages.java.calls.programs import is_wired
from codefuse_hf.graph.languages.java.calls.returned import THIS, DirectCall, Returned
from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.types.names import Project, Unit
from codefuse_hf.graph.languages.java.types.types import (
    ArrayType,
    ClassType,
    JavaClass,
    JavaField,
    JavaMethod,
    TypeVariable,
    erasure,
    overrides,
)

_MOCKS = frozenset({"mock", "createMock", "createNiceMock", "createStrictMock", "niceMock", "strictMock"})
"""Functions of mocking libraries: given `T.class`, they return an object that is of no other class of the project than T."""
_OF_ANY_CLASS = frozenset({"java.lang.Object", "java.lang.Throwable", "java.lang.Thread", "java.lang.ClassLoader"})
"""What the library declares to return where it returns the project's objects without saying so in types."""

_MAKE_ANY_CLASS = frozenset(("java.lang.Class", "java.lang.reflect.Constructor"))
"""Their methods return objects of classes that are told at run time."""
_FILL_ARRAYS = frozenset({"copyInto", "parallelSetAll", "setAll", "toArray"})
"""Methods of the library that put what it keeps into an array."""


class ObjectPlaces:
    """What `Calls` and `Bodies` know of objects."""

    project: Project
    methods: Methods

    def __init__(self, project: Project) -> None:
        self.project = project
        self.methods = Methods(project)
        self.objects = Objects(self.methods)
        self.returned = Returned(self.methods, self._own_places)
        self.super_called: set[JavaMethod] = set()
        self.unfollowed: dict[tuple[str, str, int], set[Ref]] = {}
        self._open: dict[DispatchKey, bool] = {}
        self._overriding: dict[JavaMethod, bool] = {}

    def call_edge(self, caller: Ref, target: Ref | None) -> None:
        """Adds a call; in `Calls`."""
        raise NotImplementedError

    # -- places --------------------------------------------------------------------------------------------------------------------

    def place_of(self, value: Value) -> int:
        """Returns the place of an expression's objects; `NOWHERE` for null."""
        if value.place >= 0:
            return value.place
        if value.kind == EXACT:
            return self.objects.of_class(value.exact)
        if value.kind in (FUNCTION, TYPE, PACKAGE):
            return self.objects.library
        return NOWHERE if value.type == "null" else self.objects.any_of(value.type)

    def put(self, value: Value, place: int) -> None:
        """Lets an expression's objects flow to a place."""
        if place >= 0:
            self.objects.connect(self.place_of(value), place)

    def slot_place(self, unit: Unit, slot: int, kind: Any) -> int:
        """Returns the place of a local variable or parameter."""
        found = unit.places[slot]
        if found is None:
            found = unit.places[slot] = self.objects.variable(kind)
        return found

    def field_place(self, field: JavaField) -> int:
        """Returns the place of a field. What a volatile one holds may have come through the library (`VarHandle`, updaters)."""
        found = field.place
        if found is None:
            kind = field.unit.field_type(field)
            found = field.place = self.objects.variable(kind)
            if found >= 0 and field.facts.flags & op.VOLATILE:
                self.objects.connect(self.objects.outside, found)
            if found >= 0 and field.facts.flags & op.MOCKED:
                self.objects.connect(self.mock_of(kind), found)
            if found >= 0 and field.facts.flags & op.INJECTED:
                self.objects.connect(self.objects.any_of(kind), found)
        return found

    def result_place(self, method: JavaMethod) -> int:
        """Returns the place of what a method makes and returns."""
        if method.result_place is None:
            method.unit.parameter_types(method)
            method.result_place = self.objects.result(method.result)
            if method.facts.body < 0:
                self.objects.connect(self.objects.any_of(method.result), method.result_place)
            elif method.result_place >= 0 and self.overrides_library(method):
                self.objects.connect(method.result_place, self.objects.outside)
        return method.result_place

    def parameter_places(self, method: JavaMethod) -> tuple[int, ...]:
        """Returns the places of a method's parameters. A method that overrides one of the library may be called by it, with anything, and so may
        one that a container calls, whatever tests give it."""
        found = method.parameter_places
        if found is None:
            body = method.facts.body
            slots = method.unit.bodies[body].parameters if body >= 0 else ()
            kinds = method.unit.parameter_types(method)
            found = method.parameter_places = tuple(
                [self.slot_place(method.unit, slot, kind) for slot, kind in zip(slots, kinds, strict=False)]
            )
            if any(place >= 0 for place in found) and (self.overrides_library(method) or _is_injected(method)):
                for place, kind in zip(found, kinds, strict=False):
                    self.objects.connect(self.objects.any_of(kind), place)
        return found

    def overrides_library(self, method: JavaMethod) -> bool:
        """Tells whether code outside of the project may call a method: one of the library has its signature, or perhaps of a type not known."""
        found = self._overriding.get(method)
        if found is None:
            found = self._overriding[method] = self._overrides_library(method)
        return found

    def _overrides_library(self, method: JavaMethod) -> bool:
        if method.is_static or method.flags & op.PRIVATE or method.name == "<init>":
            return False
        owner = method.owner
        known = False
        for ancestor in owner.ancestors():
            if ancestor is owner:
                continue
            found = any(overrides(method, each, owner) for each in ancestor.methods.get(method.name, ()))
            if found and ancestor.ref is None:
                return True
            known = known or found
        return not known and owner.is_open()

    def this_place(self, method: JavaMethod) -> int:
        """Returns the place of `this` in a method."""
        found = method.this_place
        if found is None:
            found = method.this_place = NOWHERE
            if not method.is_static and self.objects.matters(ClassType(method.owner)):
                found = method.this_place = self.objects.variable_of(lambda: self._objects_of(method))
                if method.name == "<init>" or self.overrides_library(method):
                    self.call_from_outside(method)
        return found

    def call_from_outside(self, method: JavaMethod) -> None:
        """Lets `this` be, in a method that the library calls, any object that has the method."""
        place = self.this_place(method)
        if place >= 0:
            self.objects.connect(self.objects.one_of(method, lambda: self._objects_of(method)), place)

    def _objects_of(self, method: JavaMethod) -> Iterable[JavaClass]:
        """The classes whose objects have a method; all below its own where it may be called by `super.name()`."""
        every = method.name == "<init>" or method.flags & op.PRIVATE or method in self.super_called
        for each in self._classes(method.owner):
            if every or self._inherits(each, method):
                yield each

    def _inherits(self, cls: JavaClass, method: JavaMethod) -> bool:
        current: JavaClass | None = cls
        while current is not None and current is not method.owner and method.name not in current.methods:
            current = current.superclass()
        return current is method.owner or self.methods.implementation(cls, method) is method

    def _classes(self, cls: JavaClass) -> Iterable[JavaClass]:
        """The classes of the project at or below a class that objects are made of."""
        return (e for e in (cls, *cls.descendants()) if e.ref is not None and not self.methods.is_abstract(e))

    def mock_of(self, kind: Any) -> int:
        """Returns the place of a mock: an object that runs the methods of its own class, if any."""
        cls = erasure(kind)
        if type(cls) is not JavaClass:
            return self.objects.any_of(kind)
        return self.objects.one_of(
            ("mock", cls), lambda: () if cls.ref is None or self.methods.is_abstract(cls) else (cls,), MOCK
        )

    def mocked(self, name: str, values: tuple, made: Value) -> Value:
        """Says what a mocking library's function returns; any other call's value as it is."""
        given = values[0].type if values else None
        if name == "spy" and len(values) == 1 and type(given) is ClassType and given.cls.name != "java.lang.Class":
            return made._replace(type=given, place=self.place_of(values[0]))
        if name in _MOCKS or name == "spy":
            for value in values:
                kind = value.type
                if type(kind) is ClassType and kind.cls.name == "java.lang.Class" and kind.arguments:
                    wanted = kind.arguments[0]
                    if type(wanted) is ClassType:
                        return made._replace(type=wanted, place=self.mock_of(wanted))
        return made

    # -- calls ---------------------------------------------------------------------------------------------------------------------

    def is_open(self, key: DispatchKey) -> bool:
        """Tells whether it depends on the object what a call runs."""
        found = self._open.get(key)
        if found is None:
            table = self.methods.table(key)
            several = sum(method.ref is not None and bool(classes) for method, classes in table.items())
            alone = key.cls.ref is not None and key.cls.functional_method() is None
            found = self._open[key] = several > 1 or (several == 1 and not alone)
        return found

    def call_methods(
        self, caller: Ref, targets: Iterable[JavaMethod], receiver: Value, values: tuple, kind: Any
    ) -> list[int]:
        """Calls methods that run whatever the object is; returns the places of their results."""
        places: tuple[int, ...] | None = None
        results: list[int] = []
        targets = tuple(targets)
        for target in targets:
            self.call_edge(caller, target.ref)
            if target.is_abstract and len(targets) > 1:
                continue
            parameters = self.parameter_places(target)
            wanted = self.objects.matters(kind)
            self.objects.connect(self.place_of(receiver), self.this_place(target))
            if not wanted and not any(place >= 0 for place in parameters):
                continue
            if places is None:
                places = tuple([self.place_of(value) for value in values])
            for source, into in _pairs(places, parameters):
                self.objects.connect(source, into)
            if wanted:
                results.append(self.objects.result(kind))
                self.returned.direct[results[-1]] = DirectCall(target, self.place_of(receiver), places)
        return results

    def returns(self, method: JavaMethod, value: Value) -> None:
        """Notes what a method returns."""
        if self.result_place(method) >= 0:
            self.returned.places.setdefault(method, []).append(self.place_of(value))

    def _own_places(self, method: JavaMethod) -> dict[int, int]:
        """The places of `this` and of the parameters that are never assigned, with their positions."""
        slots = method.unit.bodies[method.facts.body].parameters
        own = {
            place: position
            for position, (place, slot) in enumerate(zip(self.parameter_places(method), slots, strict=False))
            if place >= 0 and method.unit.slots[slot].single
        }
        if not method.is_static:
            own[self.place_of(Value(ClassType(method.owner), place=self.this_place(method)))] = THIS
        return own

    def results_of(self, target: JavaMethod, receiver: int, places: tuple[int, ...]) -> list[int]:
        """Lists the places of what a call of a method returns."""
        passed = self.returned.of(target)
        found = [receiver if each == THIS else places[each] for each in passed.positions if each < len(places)]
        return [*found, self.result_place(target)] if passed.made else found

    def _connect_results(self) -> None:
        """Lets what methods return flow to their direct calls."""
        for method, places in self.returned.places.items():
            own = self._own_places(method)
            for place in places:
                if self.returned.origin(place, own) is None:
                    self.objects.connect(place, self.result_place(method))
        for result, call in self.returned.direct.items():
            for place in self.results_of(*call):
                self.objects.connect(place, result)

    def call_objects(
        self, caller: Ref, key: DispatchKey, receiver: Value, values: tuple, result: int, library_result: int
    ) -> None:
        """Calls a method of which it depends on the object what it runs."""
        places = tuple([self.place_of(value) for value in values])
        place = self.place_of(receiver)
        self.objects.call(place, key, ObjectCall(caller, places, result, library_result))
        if result >= 0:
            self.returned.virtual[result] = (key, place)

    def enter(self, receiver: int, method: JavaMethod, call: ObjectCall) -> list[tuple[int, int]]:
        """Lists what flows when a call runs a method."""
        pairs = _pairs(call.arguments, self.parameter_places(method))
        pairs.append((receiver, self.this_place(method)))
        if call.result >= 0:
            pairs += [(place, call.result) for place in self.results_of(method, receiver, call.arguments)]
        return pairs

    def resolve_objects(self) -> None:
        """Adds the calls that depend on objects."""
        keys = dict.fromkeys(key for _, key in self.objects.calls)
        for method in dict.fromkeys(method for key in keys for method in self.methods.table(key)):
            if method.ref is not None:
                self.parameter_places(method)
                self.result_place(method)
                self.this_place(method)
        self._connect_results()
        for key, call, ran in self.objects.solve(self.enter):
            if self.methods.too_many(key, len(ran)):
                name = f"{key.method.owner.name}.{key.method.name}"
                self.unfollowed.setdefault((call.caller.path, name, len(ran)), set()).add(call.caller)
                continue
            for method in ran:
                self.call_edge(call.caller, method.ref)

    # -- functions -----------------------------------------------------------------------------------------------------------------

    def feed_objects(self, site: Site, function: FunctionValue) -> None:
        """Lets objects flow into and out of a function that is called at a site."""
        objects = self.objects
        result = objects.outside if site.callback else site.result_place
        if function.ref is not None:
            unit = function.frame.unit
            slots = unit.bodies[function.body].parameters
            kinds = [self.slot_type(unit, slot) for slot in slots]
            places = [self.slot_place(unit, slot, kind) for slot, kind in zip(slots, kinds, strict=True)]
            self._feed_places(site, places, kinds)
        objects.connect(function.result_place, result)
        known = site.places if site.places is not None and not site.callback else None
        for method, skipped in function.targets.items():
            if method in function.open:
                continue
            kinds = [None] * skipped + list(method.unit.parameter_types(method))
            self.call_from_outside(method)
            self._feed_places(site, [NOWHERE] * skipped + list(self.parameter_places(method)), kinds)
            if method.name != "<init>":
                receiver = known[0] if skipped and known else self.place_of(function.reference[0])
                for place in self.results_of(method, receiver, known[skipped:] if known is not None else ()):
                    objects.connect(place, result)
        for key, skipped, receiver in dict.fromkeys(function.open.values()):
            if skipped:
                receiver = known[0] if known else objects.any_of(ClassType(key.cls))
            types = key.method.unit.parameter_types(key.method)
            given = known[skipped:] if known is not None else tuple([objects.any_of(each) for each in types])
            objects.call(receiver, key, ObjectCall(site.caller, given, result, objects.outside))

    def slot_type(self, unit: Unit, slot: int) -> Any:
        """Tells the type of a local variable; in `Bodies`."""
        raise NotImplementedError

    def _feed_places(self, site: Site, places: list[int], kinds: list) -> None:
        for position, (place, kind) in enumerate(zip(places, kinds, strict=False)):
            if place < 0:
                continue
            if site.places is None:
                self.objects.connect(self.objects.any_of(kind), place)
            elif site.callback:
                for each in (self.objects.outside, *site.places):
                    self.objects.connect(each, place)
            elif site.places:
                self.objects.connect(site.places[min(position, len(site.places) - 1)], place)

    # -- the library ---------------------------------------------------------------------------------------------------------------

    def keep_outside(self, values: Iterable[Value]) -> None:
        """Lets the library keep objects."""
        for value in values:
            self.put(value, self.objects.outside)

    def library_objects(self, method: JavaMethod, values: tuple, kind: Any) -> int:
        """Passes arguments to a method of the library; returns the place of its result."""
        declared = method.unit.parameter_types(method)
        handle = method.owner.name == "java.lang.invoke.VarHandle"
        passed: list[int] = []
        for position, value in enumerate(values):
            parameter = declared[min(position, len(declared) - 1)] if declared else None
            if parameter is method.result and type(parameter) is TypeVariable and parameter in method.variables:
                passed.append(self.place_of(value))  # as `requireNonNull(T)` returns T
            elif handle or mentions_variable(parameter):
                self.put(value, self.objects.outside)
            if type(value.type) is ArrayType and self.objects.matters(value.type):
                self.objects.connect(self._copied(method.name, values), self.place_of(value))
        if method.owner.name == "java.util.ServiceLoader" and type(kind) is ClassType and kind.arguments:
            loaded = self.objects.any_of(kind.arguments[0])
            self.objects.connect(loaded, self.objects.outside)  # its iterator gives them
        if not self.objects.matters(kind):
            return NOWHERE
        if method.owner.name in _MAKE_ANY_CLASS:
            return self.objects.any_of(kind)
        if passed:
            return self.objects.merge([*passed, self.objects.outside] if len(values) > len(passed) else passed)
        made = method.result
        while type(made) is ArrayType:
            made = made.element
        if handle or type(made) is TypeVariable:
            return self.objects.outside
        cls = erasure(kind)
        if type(cls) is not JavaClass or cls.name in _OF_ANY_CLASS:
            return self.objects.any_of(kind)
        return self.objects.library

    def _copied(self, name: str, values: tuple) -> int:
        """Finds what the library may write into an array that it is given."""
        if name == "arraycopy":
            return self.place_of(values[0])
        if name == "fill":
            return self.place_of(values[-1])
        return self.objects.outside if name in _FILL_ARRAYS else NOWHERE


def _is_injected(method: JavaMethod) -> bool:
    """Tells whether a container may call a method to hand in what it has made."""
    return bool(method.flags & op.INJECTED) or (method.name == "<init>" and is_wired(method.unit))


def _pairs(sources: tuple[int, ...], targets: tuple[int, ...]) -> list[tuple[int, int]]:
    """Arguments and the parameters that they go to; what is left goes to the last one."""
    if not targets:
        return []
    last = len(targets) - 1
    return [
        (source, targets[min(position, last)])
        for position, source in enumerate(sources)
        if source >= 0 and targets[min(position, last)] >= 0
    ]


def mentions_variable(kind: Any) -> bool:
    """Tells whether a type is a type variable or has one in it: such a parameter's value is kept or returned."""
    waiting = [kind]
    while waiting:
        current = waiting.pop()
        if type(current) is TypeVariable:
            return True
        if type(current) is ArrayType:
            waiting.append(current.element)
        elif type(current) is ClassType:
            waiting += current.arguments
    return False
