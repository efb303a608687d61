"""Calls of code that is not in the project: which of the functions and objects given to it are called from here, and what comes back.

Java's own library says by its signatures what it calls: an argument for a parameter of a functional interface's type. It may also keep what it is given
and hand it out again (`list.add(x)`, `list.get(0)`), or make a new function of it (`a.thenComparing(b)`), which calls it when it is called itself. Of other
libraries nothing is known but the call: they call the functions that are written as their arguments.
"""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.java.calls.function_flow import Flow, FunctionValue, Site
from codefuse_hf.graph.languages.java.calls.methods import EXACT, FUNCTION, Value
from codefuse_hf.graph.languages.java.calls.object_places import ObjectPlaces, mentions_variable
from codefuse_hf.graph.languages.java.calls.objects import NOWHERE
from codefuse_hf.graph.languages.java.types.types import ArrayType, ClassType, JavaClass, JavaMethod, erasure

_NOT_CALLED = frozenset({"java.lang.Iterable", "java.lang.Comparable", "java.lang.AutoCloseable"})
"""Interfaces with one method whose objects are values first of all."""
_COLLECTOR = "java.util.stream.Collector"


class LibraryCalls(ObjectPlaces):
    """What `Calls` knows of code outside of the project."""

    flow: Flow

    def settle(self, value: Value, expected: Any) -> None:
        """Types the functions in a value by the type that is expected of it; in `Calls`."""
        raise NotImplementedError

    def call_unknown_code(self, frame: Any, receiver: Value, values: tuple, name: str = "") -> Value:
        """Calls code of which nothing but a name is known: it calls the functions written as its arguments, and may return what it was given."""
        returned = list(receiver.nodes)
        if not name.startswith("assert"):  # these look at an object and forget it
            self.keep_outside(values)
        for value in values:
            self.settle(value, None)
            returned += value.nodes
            called = erasure(value.type)
            if value.nodes and (value.kind == FUNCTION or (type(called) is JavaClass and _may_be_called(called))):
                wanted = called if type(called) is JavaClass and value.kind != FUNCTION else None
                returned.append(self._call_back(frame, value, receiver, values, wanted, False))
        return Value(None, self.flow.merge(tuple(dict.fromkeys(returned))))

    def call_library(
        self, frame: Any, method: JavaMethod, receiver: Value, values: tuple, formals: list, kind: Any
    ) -> Value:
        """Calls a method of Java's library whose signature is known; `formals` and `kind` are its parameters' and its result's types for this call."""
        declared = method.unit.parameter_types(method)
        composes = _is_called(method.result)
        composed: list[int] = []
        made: list[int] = []
        runs = _runs_its_object(method)
        kept: list[int] = [] if runs else list(receiver.nodes)
        for position, value in enumerate(values):
            self.settle(value, None)
            if position >= len(formals):
                break
            parameter = declared[min(position, len(declared) - 1)]
            called = _called_class(parameter)
            if called is None:
                if value.nodes and not runs and mentions_variable(parameter):
                    self.flow.connect(value.nodes, *receiver.nodes)
                    kept += value.nodes
            elif composes:
                composed += value.nodes
            else:
                if value.nodes:
                    made.append(self._call_back(frame, value, receiver, values, called, True))
                if value.type is not None:
                    self._call_object(frame, value, formals[position])
        self.flow.connect(made, *kept)  # as of `computeIfAbsent(key, k -> () -> …)` and `setAll(array, i -> () -> …)`
        returned = [*kept, *made]
        if composed:
            returned.append(self._compose(method, composed))
        place = self.library_objects(method, values, kind)
        return Value(None, self.flow.merge(tuple(dict.fromkeys(returned))), place=place)

    def _call_back(
        self, frame: Any, value: Value, receiver: Value, values: tuple, called: JavaClass | None, known: bool
    ) -> int:
        """Calls the functions that reach an argument; their parameters may receive anything else that the library has."""
        others = [*receiver.nodes, *(node for other in values if other is not value for node in other.nodes)]
        made = self.flow.node()
        places = tuple([self.place_of(other) for other in values if other is not value]) if known else None
        site = Site(frame.caller, (tuple(dict.fromkeys(others)),), made, True, called, places=places)
        self.flow.add_site(value.nodes, site)
        return made

    def _compose(self, method: JavaMethod, nodes: list[int]) -> int:
        """Makes a new function that calls those at `nodes`, as of `comparing(…)` and `andThen(…)`."""
        function = FunctionValue(None, -1, None)
        function.done = True
        function.interface = erasure(method.result)
        function.composed = tuple(dict.fromkeys(nodes))
        return self.flow.add_function(function)

    def _call_object(self, frame: Any, value: Value, formal: Any) -> None:
        """Lets the library call an object of a class of the project: `new Thread(new Worker())`."""
        cls, wanted = erasure(value.type), erasure(formal)
        if type(cls) is not JavaClass or cls.ref is None or type(wanted) is not JavaClass:
            return
        method = wanted.functional_method()
        if method is None or wanted not in cls.ancestors():
            return
        key = self.methods.key(value.type, method)
        if value.kind == EXACT:
            self.call_edge(frame.caller, self.methods.implementation(value.exact, method).ref)
        elif self.is_open(key):
            self.call_objects(frame.caller, key, value, (), NOWHERE, NOWHERE)
        else:
            for target in self.methods.dispatch_key(key):
                self.call_edge(frame.caller, target.ref)


def _runs_its_object(method: JavaMethod) -> bool:
    """Whether a method is that of a functional interface: its object holds nothing, and returns what its code returns."""
    return method.owner.name not in _NOT_CALLED and method.owner.functional_method() is method


def _is_called(kind: Any) -> bool:
    """Whether the library calls what it is given as this type."""
    if type(kind) is not ClassType:
        return False
    cls = kind.cls
    return cls.name == _COLLECTOR or (cls.functional_method() is not None and cls.name not in _NOT_CALLED)


def _may_be_called(cls: JavaClass) -> bool:
    """Whether an unknown library may take objects of a type for functions: functional interfaces, and what is not known."""
    return cls.external or (cls.functional_method() is not None and cls.name not in _NOT_CALLED)


def _called_class(parameter: Any) -> JavaClass | None:
    """The functional interface of a parameter, or of the elements of an array or container of them."""
    while type(parameter) is ArrayType:
        parameter = parameter.element
    if type(parameter) is not ClassType:
        return None
    if _is_called(parameter):
        return parameter.cls
    return next((argument.cls for argument in parameter.arguments if _is_called(argument)), None)
