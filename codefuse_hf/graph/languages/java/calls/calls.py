"""Calls: from a name, a receiver and arguments to edges, result types and the flow of functions."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.base import Problem, Ref
from codefuse_hf.graph.languages.java.calls.function_flow import Flow, FunctionValue, Site
from codefuse_hf.graph.languages.java.calls.library_calls import LibraryCalls
from codefuse_hf.graph.languages.java.calls.methods import EXACT, FUNCTION, PACKAGE, TYPE, UNKNOWN, Value
from codefuse_hf.graph.languages.java.calls.objects import NOWHERE
from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.types.names import Project, Unit
from codefuse_hf.graph.languages.java.types.types import (
    ArrayType,
    ClassType,
    JavaClass,
    JavaField,
    JavaMethod,
    TypeVariable,
    bindings_of,
    convertible,
    erasure,
    substitute,
)

_OF_OBJECTS = frozenset({"equals", "getClass", "hashCode", "notify", "notifyAll", "toString", "wait"})
_NOT_FLUENT = ("get", "is", "has", "build", "create", "to")


class Calls(LibraryCalls):
    """Everything about calls; `Bodies` adds the other instructions."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.flow = Flow()
        self.edges: dict[tuple[str, Ref, Ref], None] = {}
        self.slot_types: dict[tuple[str, int], Any] = {}
        self.slot_values: dict[tuple[str, int], Value] = {}
        self.postponed: list[FunctionValue] = []
        self._slot_nodes: dict[tuple[str, int], int] = {}
        self._carrying: dict[JavaClass, bool] = {}
        self._hubs: dict[tuple, int] = {}
        self._composed_calls: set[tuple[Ref, FunctionValue]] = set()
        self._external_calls: dict[tuple[JavaClass, int], dict[str, list[tuple[tuple[int, ...], Site]]]] = {}

    # -- edges and nodes -------------------------------------------------------------------------------------------------------

    def refer(self, source: Ref, target: Ref | None) -> None:
        """Adds an edge from a definition to what it names; none to itself or to what is not in the project."""
        if target is not None and target != source:
            self.edges[("references", source, target)] = None

    def call_edge(self, caller: Ref, target: Ref | None) -> None:
        """Adds a call; none to what is not in the project."""
        if target is not None:
            self.edges[("calls", caller, target)] = None

    def dispatch(self, caller: Ref, receiver: Any, method: JavaMethod) -> tuple[JavaMethod, ...]:
        """Finds what a call may run (`Methods.dispatch`); remembers calls of which too many methods may be meant."""
        key = self.methods.key(receiver, method)
        targets = self.methods.dispatch_key(key)
        if not targets and (count := self.methods.undecided(key)):
            self.unfollowed.setdefault((caller.path, f"{method.owner.name}.{method.name}", count), set()).add(caller)
        return targets

    def problems(self) -> dict[str, list[Problem]]:
        """Lists what the edges lack, by path."""
        found: dict[str, list[Problem]] = {}
        for (path, name, count), callers in sorted(self.unfollowed.items()):
            message = f"{count} methods of the project may be meant where {len(callers)} of this file call {name}; these calls have no edges"
            found.setdefault(path, []).append(Problem("calls", message))
        return found

    def slot_node(self, unit: Unit, slot: int) -> int:
        """Returns the node of the flow of functions for a local variable, making it at first."""
        key = (unit.path, slot)
        found = self._slot_nodes.get(key)
        if found is None:
            text, environment, _ = unit.slots[slot]
            found = self._slot_nodes[key] = self.flow.node(unit.type(environment, text))
        return found

    def field_node(self, field: JavaField) -> int:
        """Returns the node for a field, making it at first."""
        if field.node < 0:
            field.node = self.flow.node(field.unit.field_type(field))
        return field.node

    def result_node(self, method: JavaMethod) -> int:
        """Returns the node for what a method returns, making it at first."""
        if method.node < 0:
            method.unit.parameter_types(method)
            method.node = self.flow.node(method.result)
        return method.node

    def carries(self, kind: Any) -> bool:
        """Tells whether a value of this type may be, or hold, a function; a container may whose elements may."""
        while type(kind) is ArrayType:
            kind = kind.element
        if type(kind) is not ClassType:
            return kind is None or type(kind) is TypeVariable
        cls = kind.cls
        found = self._carrying.get(cls)
        if found is None:
            found = cls.functional_method() is not None or (
                bool(cls.supers and cls.is_open())
                if cls.ref is not None
                else cls.external or cls is self.project.object.cls
            )
            self._carrying[cls] = found
        if found or cls.ref is not None or not cls.variables:
            return found
        return not kind.arguments or any(self.carries(each) for each in kind.arguments)

    def settle(self, value: Value, expected: Any) -> None:
        """Types the functions in a value by the type that is expected of it."""
        for function in value.functions:
            self.settle_function(function, expected)

    def settle_function(self, function: FunctionValue, expected: Any) -> None:
        """Types one function; `Bodies` does it, since that follows the function's body."""
        raise NotImplementedError

    # -- the kinds of calls ----------------------------------------------------------------------------------------------------

    def call(self, frame: Any, receiver: int, name: str, arguments: tuple) -> Value:
        """Calls `receiver.name(…)`; without a receiver a method of this class, of those around it, or of a static import."""
        values = tuple([frame.values[a] if a >= 0 else UNKNOWN for a in arguments])
        if receiver >= 0:
            made = self.call_named(frame, frame.values[receiver], name, values)
        else:
            made = self.call_simple(frame, name, values)
        return self.mocked(name, values, made)

    def call_simple(self, frame: Any, name: str, values: tuple) -> Value:
        """Calls `name(…)`."""
        cls = frame.owner
        while cls is not None:
            implicit = self.implicit_method(frame, cls, name, values, True)
            if implicit is not None:
                return implicit
            found = cls.named(name)
            if found:
                return self.invoke(frame, found, self.this_value(frame, cls), values, virtual=True)
            cls = cls.outer
        found = frame.unit.static_methods(name)
        if not found and frame.owner is None:
            found = [m for m in self.project.nowhere.methods.get(name, ()) if m.unit is frame.unit]
        if found:
            return self.invoke(frame, found, UNKNOWN, values, virtual=False)
        return self.call_unknown_code(frame, UNKNOWN, values, name)

    def call_named(self, frame: Any, receiver: Value, name: str, values: tuple) -> Value:
        """Calls the method of a name on a value."""
        kind = receiver.type
        if receiver.kind == PACKAGE:
            return self.call_unknown_code(frame, UNKNOWN, values)
        if type(kind) is ArrayType:
            found = self.project.object.cls.named(name) if name != "clone" else []
            return self.invoke(frame, found, receiver, values, virtual=True) if found else receiver
        cls = erasure(kind)
        if type(cls) is not JavaClass:
            return self.call_unknown(frame, receiver, name, values)
        if type(kind) is TypeVariable:
            bound = kind.unit.bound(kind)
            receiver = receiver._replace(type=bound if type(bound) in (ArrayType, ClassType) else ClassType(cls))
        implicit = self.implicit_method(frame, cls, name, values, receiver.kind == TYPE)
        if implicit is not None:
            return implicit
        found = cls.named(name)
        if not found and cls.is_interface:
            found = self.project.object.cls.named(name)
        if found:
            return self.invoke(frame, found, receiver, values, virtual=receiver.kind != TYPE)
        if cls.external:
            if receiver.nodes and receiver.kind != TYPE and name not in _OF_OBJECTS:
                return self.call_external(frame, receiver, cls, name, values)
            return self.call_unknown(frame, receiver, name, values)
        if values and receiver.kind != TYPE and cls.is_fluent() and not name.startswith(_NOT_FLUENT):
            return self.call_unknown_code(frame, receiver, values)._replace(type=receiver.type, place=receiver.place)
        return self.call_unknown_code(frame, receiver, values)

    def call_unknown(self, frame: Any, receiver: Value, name: str, values: tuple) -> Value:
        """Calls a method of a value of unknown type: by its name, if only one hierarchy of the project has it."""
        found = (
            self.methods.by_unique_name(name, len(values))
            if receiver.kind != TYPE and type(receiver.type) is not str
            else []
        )
        if found and receiver.type is None:
            return self.invoke(frame, found, Value(ClassType(found[0].owner), receiver.nodes), values, virtual=True)
        return self.call_unknown_code(frame, receiver, values, name)

    def call_external(self, frame: Any, receiver: Value, cls: JavaClass, name: str, values: tuple) -> Value:
        """Calls a method of an object of a library's type, which may be a lambda that was made for it."""
        nodes, places = tuple([value.nodes for value in values]), tuple([self.place_of(value) for value in values])
        site = Site(frame.caller, nodes, self.flow.node(), False, cls, len(values), places)
        self._external_calls.setdefault((cls, len(values)), {}).setdefault(name, []).append((receiver.nodes, site))
        held = receiver._replace(nodes=(self.flow.content(receiver.nodes, cls),))
        made = self.call_unknown(frame, held, name, values)
        return made._replace(nodes=(*made.nodes, site.result))

    def add_external_sites(self) -> None:
        """Decides which method of a library's type is the one that a lambda is the code of: the only one that is called with so
        many arguments."""
        for calls in self._external_calls.values():
            if len(calls) == 1:
                for nodes, site in next(iter(calls.values())):
                    self.flow.add_site(nodes, site)

    def implicit_method(self, frame: Any, cls: JavaClass, name: str, values: tuple, static: bool) -> Value | None:
        """Calls what the compiler adds: accessors of records, `values()` and `valueOf()` of enums."""
        if name in cls.methods:
            return None
        if cls.kind == "record" and not values and name in cls.fields:
            return self.field_value(frame, cls.fields[name], cls.this_type)
        if cls.kind == "enum" and static:
            if name == "values" and not values:
                return Value(ArrayType(ClassType(cls)))
            if name == "valueOf" and len(values) == 1:
                return Value(ClassType(cls))
        return None

    def super_call(self, frame: Any, of: str | None, name: str, arguments: tuple) -> Value:
        """Calls `super.name(…)` or `Type.super.name(…)`."""
        values = tuple([frame.values[a] if a >= 0 else UNKNOWN for a in arguments])
        cls = frame.owner
        if of is not None:
            named = frame.unit.named_class(frame.environment, of)
            if type(named) is JavaClass and named.is_interface:
                return self.invoke_super(frame, named.named(name), named.this_type, values)
            cls = named if type(named) is JavaClass else cls
        found: list[JavaMethod] = []
        for parent in cls.supers if cls is not None else ():
            found = [m for m in parent.cls.named(name) if not m.is_abstract] or parent.cls.named(name)
            if found:
                return self.invoke_super(frame, found, parent, values)
        return self.call_unknown_code(frame, UNKNOWN, values)

    def invoke_super(self, frame: Any, found: list[JavaMethod], parent: Any, values: tuple) -> Value:
        """Calls a method of a supertype on `this`."""
        self.super_called.update(found)
        place = self.place_of(self.this_value(frame, frame.owner)) if frame.owner is not None else NOWHERE
        return self.invoke(frame, found, Value(parent, place=place), values, virtual=False)

    # -- constructors ------------------------------------------------------------------------------------------------------------

    def creation(self, frame: Any, kind: str | None, arguments: tuple, anonymous: int, outer: int) -> Value:
        """Runs `new Type(…)`, also of an anonymous class (its index, else -1) and of an inner class (`outer` is the instance around it)."""
        values = tuple([frame.values[a] if a >= 0 else UNKNOWN for a in arguments])
        made = frame.unit.type(frame.environment, kind)
        if outer >= 0 and kind is not None:
            around = erasure(frame.values[outer].type)
            inner = around.member(kind.partition("<")[0]) if type(around) is JavaClass else None
            if inner is not None:
                made = ClassType(inner)
        if type(made) is not ClassType:
            self.call_unknown_code(frame, UNKNOWN, values)
            return UNKNOWN
        self.refer(frame.caller, made.cls.ref)
        nodes = (self.flow.node(),) if self.carries(made) and made.cls.ref is None else ()
        made = self.construct(frame, made, values, nodes)
        if anonymous >= 0:
            own = frame.unit.classes[anonymous]
            return Value(ClassType(own), (), (), EXACT, own)
        return Value(made, nodes, (), EXACT, made.cls)

    def construct(self, frame: Any, made: ClassType, values: tuple, nodes: tuple = ()) -> ClassType:
        """Calls a constructor, of an object that functions may be put into at `nodes`; returns the type with inferred arguments."""
        cls = made.cls
        seen: set[JavaClass] = set()
        while cls not in seen:
            seen.add(cls)
            constructors = cls.methods.get("<init>")
            if constructors:
                receiver = made if made.cls is cls else ClassType(cls)
                if cls.variables and not receiver.arguments:
                    receiver = cls.this_type
                self.invoke(frame, constructors, Value(receiver, nodes, (), TYPE), values, virtual=False)
                if not made.arguments and made.cls is cls and cls.variables:
                    return self.inferred(cls, constructors, values)
                return made
            if cls.kind == "record":
                self.fill_components(cls, values)
                return made
            parent = cls.superclass()
            if parent is None or (parent.ref is None and not parent.methods.get("<init>")):
                break
            cls, values = parent, (values if cls.kind == "anonymous" else ())
        self.call_unknown_code(frame, UNKNOWN, values)
        return made

    def inferred(self, cls: JavaClass, constructors: list[JavaMethod], values: tuple) -> ClassType:
        """Infers the type of `new C<>(…)`."""
        bindings: dict = {}
        for method in self.methods.choose(constructors, list(values), cls.this_type)[:1]:
            for formal, value in zip(method.unit.parameter_types(method), values, strict=False):
                self.methods.unify(formal, value.type, set(cls.variables), bindings)
        return ClassType(cls, tuple([bindings.get(variable) for variable in cls.variables]) if bindings else ())

    def fill_components(self, cls: JavaClass, values: tuple) -> None:
        """Lets the arguments of a record's own constructor flow into its components."""
        fields = [field for field in cls.fields.values() if not field.facts.flags & 1]
        for field, value in zip(fields, values, strict=False):
            self.settle(value, cls.unit.field_type(field))
            if value.nodes:
                self.flow.connect(value.nodes, self.field_node(field))
            self.put(value, self.field_place(field))

    def chain(self, frame: Any, which: str, arguments: tuple, outer: int) -> Value:
        """Calls the constructor that another one begins with: `this(…)` or `super(…)`, also where it is left out."""
        values = tuple([frame.values[a] if a >= 0 else UNKNOWN for a in arguments])
        cls = frame.owner
        if cls is None:
            return UNKNOWN
        if which == "this":
            constructors = cls.methods.get("<init>")
            if constructors:
                self.invoke(frame, constructors, Value(cls.this_type, (), (), TYPE), values, virtual=False)
            return UNKNOWN
        parent = cls.superclass() if cls.kind not in ("enum", "record") else None
        if parent is not None and (parent.ref is not None or values):
            arguments_of = next((given for each, given in cls.supers if each is parent), ())
            self.construct(frame, ClassType(parent, arguments_of), values)
        return UNKNOWN

    # -- one call --------------------------------------------------------------------------------------------------------------------

    def invoke(self, frame: Any, candidates: list[JavaMethod], receiver: Value, values: tuple, virtual: bool) -> Value:
        """Calls the candidates that fit the arguments best; what is left of several is joined into one value."""
        candidates = [m for m in candidates if not m.flags & op.PRIVATE or m.owner.top is _top(frame.owner)]
        chosen = self.methods.choose(candidates, list(values), receiver.type)
        if not chosen:
            return self.call_unknown_code(frame, receiver, values)
        result: Value | None = None
        for method in chosen:
            made = self.invoke_one(frame, method, receiver, values, virtual)
            result = (
                made
                if result is None
                else Value(
                    result.type if result.type == made.type else None,
                    result.nodes + made.nodes,
                    place=self.objects.merge([self.place_of(result), self.place_of(made)]),
                )
            )
        return result or UNKNOWN

    def invoke_one(self, frame: Any, method: JavaMethod, receiver: Value, values: tuple, virtual: bool) -> Value:
        """Calls one method: edges to all that may run, and the flow of functions in and out."""
        formals, kind = self.bind(method, receiver, values)
        key = None
        if virtual and receiver.kind == EXACT and not method.is_static:
            target = self.methods.implementation(receiver.exact, method)
            targets: tuple = (target,) if target.ref is not None else ()
        elif virtual and receiver.kind != FUNCTION:
            key = self.methods.key(receiver.type, method)
            targets = self.methods.dispatch_key(key)
        else:  # a lambda overrides nothing that its interface has code for
            targets = (method,) if method.ref is not None else ()
        self.pass_arguments(targets, values)
        if virtual and receiver.nodes:
            self.pass_receiver(targets, receiver)
        nodes = list(self.result_hub(targets)) if self.carries(kind) else []
        places: list[int] = []
        if virtual and receiver.nodes and method.is_abstract and self.is_functional(method, receiver.type):
            places.append(self.objects.result(kind))
            nodes.append(self.add_site(frame, receiver, values, places[0]))
        if method.ref is None:
            if method.name == "start" and method.owner.name == "java.lang.Thread":
                self.call_named(frame, receiver, "run", ())
            made = self.call_library(frame, method, receiver, values, formals, kind)
            nodes.extend(made.nodes)
            places.append(made.place)
        if key is not None and self.is_open(key):
            for target in targets:
                if target is method and target.is_abstract:
                    self.call_edge(frame.caller, target.ref)
            result = self.objects.result(kind)
            self.call_objects(frame.caller, key, receiver, values, result, self.objects.merge(places))
            places = [result]
        else:
            places += self.call_methods(frame.caller, targets, receiver, values, kind)
        place = self.objects.merge(places) if places else NOWHERE
        return Value(kind, self.flow.merge(tuple(nodes)) if self.carries(kind) else (), place=place)

    def is_functional(self, method: JavaMethod, kind: Any) -> bool:
        """Tells whether a method is the one method of a functional interface."""
        cls = erasure(kind)
        found = cls.functional_method() if type(cls) is JavaClass else None
        return found is not None and found.name == method.name

    def add_site(self, frame: Any, receiver: Value, values: tuple, place: int) -> int:
        """Calls the functions that reach the receiver; returns the node of what they return, whose objects go to `place`."""
        result = self.flow.node()
        nodes, places = tuple([value.nodes for value in values]), tuple([self.place_of(value) for value in values])
        called = erasure(receiver.type)
        site = Site(frame.caller, nodes, result, False, called, places=places, result_place=place)
        self.flow.add_site(receiver.nodes, site)
        return result

    def bind(self, method: JavaMethod, receiver: Value, values: tuple) -> tuple[list, Any]:
        """Finds the parameter types for these arguments, and the type of the result; types the functions among the arguments."""
        types = method.unit.parameter_types(method)
        count = len(values)
        variadic = method.variadic and not (
            count == len(types)
            and values
            and type(values[-1].type) is ArrayType
            and convertible(values[-1].type, types[-1], False) == 2
        )
        owned = bindings_of(receiver.type, method.owner) if not method.is_static else {}
        raw = owned is None
        owned = self.methods.close(method.owner.variables, {}) if raw else owned
        declared = self.methods.formals(method, None, count, variadic)
        formals = [substitute(each, owned) for each in declared]
        open_variables = set(method.variables)
        found: dict = {}
        for formal, value in zip(formals, values, strict=False):
            if not value.functions:
                self.methods.unify(formal, value.type, open_variables, found)
        for formal, value in zip(formals, values, strict=False):
            for function in value.functions:
                self.infer_parameter(formal, function, open_variables, found)
                unsettled = {**dict.fromkeys(open_variables), **found}
                expected = substitute(formal, unsettled)
                self.settle_function(function, formal if expected is None else expected)
                self.infer_result(formal, function, open_variables, found)
        if method.result is None and method.name == "<init>":
            return formals, None
        result = substitute(method.result, owned)
        if method.variables:
            result = substitute(result, self.methods.close(method.variables, found))
        if method.name == "getClass" and not values:
            result = ClassType(self.project.library["java.lang.Class"], (receiver.type,))
        return formals, result

    def infer_parameter(self, formal: Any, function: FunctionValue, open_variables: set, found: dict) -> None:
        """Infers the method's type parameters from what `Type::name` is called on, as T in `comparing(Function<T, U>)`."""
        cls = erasure(formal)
        method = cls.functional_method() if type(cls) is JavaClass else None
        if method is None or function.reference is None or type(formal) is not ClassType:
            return
        target, _, name = function.reference
        named = erasure(target.type)
        if target.kind != TYPE or type(named) is not JavaClass or any(m.is_static for m in named.named(name)):
            return
        given = method.unit.parameter_types(method)
        bindings = bindings_of(formal, method.owner)
        if given and bindings and named.named(name):
            self.methods.unify(substitute(given[0], bindings), target.type, open_variables, found)

    def infer_result(self, formal: Any, function: FunctionValue, open_variables: set, found: dict) -> None:
        """Infers the method's type parameters from what a lambda returns, as R in `map(Function<T, R>)`."""
        cls = erasure(formal)
        method = cls.functional_method() if type(cls) is JavaClass else None
        if method is None or type(formal) is not ClassType:
            return
        method.unit.parameter_types(method)
        bindings = bindings_of(formal, method.owner)
        if bindings:
            self.methods.unify(substitute(method.result, bindings), function.result, open_variables, found)

    def pass_arguments(self, targets: tuple[JavaMethod, ...], values: tuple) -> None:
        """Lets functions among the arguments flow into the parameters of all targets."""
        for position, value in enumerate(values):
            if value.nodes and targets:
                self.flow.connect(value.nodes, self._parameter_hub(targets, position))

    def pass_receiver(self, targets: tuple[JavaMethod, ...], receiver: Value) -> None:
        """Lets a function be `this` in the methods with code of its interface."""
        for method in targets:
            if not method.is_abstract and method.owner.functional_method() is not None:
                self.flow.connect(receiver.nodes, self.this_node(method))

    def this_node(self, method: JavaMethod) -> int:
        """Returns the node for `this` in a method, making it at first."""
        key = (method, -2)
        found = self._hubs.get(key)
        if found is None:
            found = self._hubs[key] = self.flow.node(method.owner.this_type)
        return found

    def this_value(self, frame: Any, cls: JavaClass) -> Value:
        """Makes the value of `this`, or of the instance of a class around it; in a method of a functional interface it may be a function."""
        method = frame.method
        function = frame.function
        while method is None and function is not None:
            method, function = function.frame.method, function.frame.function
        is_function = method is not None and method.owner is cls and cls.functional_method() is not None
        place = self.this_place(method) if method is not None and method.owner is cls else NOWHERE
        return Value(cls.this_type, (self.this_node(method),) if is_function else (), place=place)

    def _parameter_hub(self, targets: tuple[JavaMethod, ...], position: int) -> int:
        """Makes one node in front of the same parameter of several methods."""
        key = (targets, position)
        found = self._hubs.get(key)
        if found is None:
            found = self._hubs[key] = self.flow.node()
            for method in targets:
                slots = method.unit.bodies[method.facts.body].parameters if method.facts.body >= 0 else ()
                if slots:
                    self.flow.connect((found,), self.slot_node(method.unit, slots[min(position, len(slots) - 1)]))
        return found

    def result_hub(self, targets: tuple[JavaMethod, ...]) -> tuple[int, ...]:
        """Makes one node behind the results of several methods."""
        if len(targets) < 2:
            return tuple([self.result_node(target) for target in targets])
        found = self._hubs.get((targets, -1))
        if found is None:
            found = self._hubs[(targets, -1)] = self.flow.node()
            for method in targets:
                self.flow.connect((self.result_node(method),), found)
        return (found,)


def _top(cls: JavaClass | None) -> JavaClass | None:
    return cls.top if cls is not None else None
