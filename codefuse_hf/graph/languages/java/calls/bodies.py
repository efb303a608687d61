"""Follows the code of all methods: the type of each expression, and the calls and references that come of it."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.deep import DeepCalls, counted
from codefuse_hf.graph.languages.java.calls.function_calls import FunctionCalls
from codefuse_hf.graph.languages.java.calls.function_flow import FunctionValue
from codefuse_hf.graph.languages.java.calls.methods import EXACT, FUNCTION, PACKAGE, TYPE, UNKNOWN, VALUE, Value
from codefuse_hf.graph.languages.java.calls.objects import NOWHERE
from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.types.names import Project, Unit
from codefuse_hf.graph.languages.java.types.types import (
    ArrayType,
    ClassType,
    JavaClass,
    JavaField,
    TypeVariable,
    bindings_of,
    convertible,
    erasure,
    substitute,
    unboxed,
)

_DEEPEST_LAMBDA = 200
"""Lambdas inside lambdas beyond which the types of their parameters are not inferred any more."""
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">=", "&&", "||"})
_RANKS = {"byte": 0, "short": 0, "char": 0, "int": 1, "long": 2, "float": 3, "double": 4}


class Frame:
    """One body while it is followed."""

    __slots__ = ("caller", "environment", "expected", "function", "method", "owner", "unit", "values")

    def __init__(self, unit: Unit, body: op.BodyFacts, method: Any, function: FunctionValue | None) -> None:
        self.unit, self.method, self.function = unit, method, function
        self.caller = Ref(unit.path, body.caller)
        self.owner: JavaClass | None = unit.classes[body.owner] if body.owner >= 0 else None
        self.environment = body.environment
        self.expected: Any = None
        self.values: list[Value] = []


class Bodies(DeepCalls, FunctionCalls):
    """Follows every body of a project once; `edges` is the outcome."""

    frames_per_step = 60  # from one body to that of a lambda in it

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.depth = 0
        self._handlers = [
            self.local, self.name, self.select, self.this, self.outer_this, self.call, self.super_call, self.creation, self.chain, self.literal, self.cast,
            self.binary, self.same, self.join, self.index, self.array, self.set, self.assign, self.initialize, self.each, self.close_resource,
            self.return_value, self.make_lambda, self.make_reference, self.class_literal, self.case, self.match,
        ]  # fmt: skip

    @counted
    def run(self) -> None:
        """Follows all methods and initializers of the project, then the lambdas that are left, then what flows between them."""
        for unit in self.project.units:
            methods = {m.facts.body: m for m in unit.methods if m.facts.body >= 0}
            for index in range(len(unit.bodies)):
                if unit.bodies[index].shape in ("method", "initializer"):
                    self.follow(unit, index, methods.get(index), None)
            self.follow_rest(unit)
        self.add_external_sites()
        self.flow.run(self.call_function)
        self.resolve_objects()

    def follow_rest(self, unit: Unit) -> None:
        """Reads the lambdas whose context says nothing of their type."""
        while self.postponed:
            function = self.postponed.pop()
            self.settle_function(function, function.expected)

    @counted
    def follow(self, unit: Unit, index: int, method: Any, function: FunctionValue | None, expected: Any = None) -> None:
        """Runs the instructions of one body in their order; lambdas in it that still have no type wait in `postponed`.

        Args:
            index: the body's place in the file.
            method: the `JavaMethod` whose body it is, None for an initializer or a lambda.
            function: the lambda whose body it is, None for others.
            expected: the type that a lambda should return, as far as it is known.
        """
        body = unit.bodies[index]
        frame = Frame(unit, body, method, function)
        if method is not None:
            method.unit.parameter_types(method)
            frame.expected = method.result
        else:
            frame.expected = expected
        values = frame.values
        handlers = self._handlers
        for instruction in body.code:
            operation, *operands = instruction
            values.append(handlers[operation](frame, *operands) or UNKNOWN)
        for value in values:
            for each in value.functions:
                if not each.done:
                    self.postponed.append(each)

    # -- functions -----------------------------------------------------------------------------------------------------------

    def settle_function(self, function: FunctionValue, expected: Any) -> None:
        """Types a lambda or method reference by the functional interface that it becomes."""
        cls = erasure(expected)
        method = cls.functional_method() if type(cls) is JavaClass else None
        if function.interface is None and type(cls) is JavaClass and (method is not None or cls.external):
            function.interface = cls
        if function.done:
            return
        formals: tuple = ()
        result: Any = None
        if method is not None:
            types = method.unit.parameter_types(method)
            bindings = bindings_of(expected, method.owner)
            if bindings is None:
                bindings = dict.fromkeys(method.owner.variables)
            formals = tuple([substitute(each, bindings) for each in types])
            result = substitute(method.result, bindings)
        if function.reference is not None:
            function.done = True
            self.settle_reference(function, formals, method is not None)
            return
        if self.depth >= _DEEPEST_LAMBDA:
            function.expected = expected
            self.postponed.append(function)
            return
        function.done = True
        unit = function.frame.unit
        for slot, formal in zip(unit.bodies[function.body].parameters, formals, strict=False):
            if unit.slots[slot].type is None:
                self.slot_types[(unit.path, slot)] = formal
        self.depth += 1
        self.follow(unit, function.body, None, function, result)
        self.depth -= 1

    def make_lambda(self, frame: Frame, body: int) -> Value:
        """Makes the function of a lambda; its body is followed when its type is known, or at once where nothing is to infer."""
        facts = frame.unit.bodies[body]
        function = FunctionValue(frame, body, None)
        function.arity, function.shape = len(facts.parameters), facts.shape
        function.ref = Ref(frame.unit.path, facts.caller)
        function.parameter_nodes = tuple([self.slot_node(frame.unit, slot) for slot in facts.parameters])
        function.result_node = self.flow.node()
        function.result_place = self.objects.place()
        if facts.shape == "expression" and self._stands_alone(frame.unit, facts):
            # nothing to infer: its result helps to choose the overload that it is passed to
            function.done = True
            self.depth += 1
            self.follow(frame.unit, body, None, function)
            self.depth -= 1
        return Value(None, (self.flow.add_function(function),), (function,), FUNCTION)

    def _stands_alone(self, unit: Unit, facts: op.BodyFacts) -> bool:
        """Whether the code of a lambda can be followed before it is known what the lambda is passed to."""
        typed = all(unit.slots[slot].type is not None for slot in facts.parameters)
        return (
            typed
            and self.depth < _DEEPEST_LAMBDA
            and not any(operation in (op.LAMBDA, op.REFERENCE) for operation, *_ in facts.code)
        )

    def make_reference(self, frame: Frame, value: int, kind: str | None, name: str) -> Value:
        """Makes the function of `value::name`, or of `kind::name` where there is no value."""
        target = frame.values[value] if value >= 0 else Value(frame.unit.type(frame.environment, kind), (), (), TYPE)
        if kind == "super":
            target = Value(frame.owner.this_type if frame.owner else None, (), (), VALUE)
        function = FunctionValue(frame, -1, (target, kind == "super", name))
        function.result_node = self.flow.node()
        return Value(None, (self.flow.add_function(function),), (function,), FUNCTION)

    def return_value(self, frame: Frame, value: int) -> Value:
        """Lets a value flow out of the method or lambda; in a lambda it also helps to infer the result type."""
        if value < 0:
            return UNKNOWN
        made = frame.values[value]
        function = frame.function
        if function is not None:
            if frame.expected is not None and type(frame.expected) is not TypeVariable:
                self.settle(made, frame.expected)
            known = function.result
            function.result = self.join_types(known, made.type) if known not in (None, "null") else made.type
            self.flow.connect(made.nodes, function.result_node)
            self.put(made, function.result_place)
        elif frame.method is not None:
            self.settle(made, frame.expected)
            self.returns(frame.method, made)
            if made.nodes:
                self.flow.connect(made.nodes, self.result_node(frame.method))
        return made

    # -- names ---------------------------------------------------------------------------------------------------------------

    def local(self, frame: Frame, slot: int) -> Value:
        """Reads a local variable or parameter."""
        unit = frame.unit
        key = (unit.path, slot)
        known = self.slot_values.get(key)
        if known is not None:
            return known
        kind = self.slot_type(unit, slot)
        nodes = (self.slot_node(unit, slot),) if self.carries(kind) else ()
        return Value(kind, nodes, place=self.slot_place(unit, slot, kind))

    def slot_type(self, unit: Unit, slot: int) -> Any:
        """Tells the type of a local variable or parameter, declared or inferred."""
        text, environment, _ = unit.slots[slot]
        return unit.type(environment, text) if text is not None else self.slot_types.get((unit.path, slot))

    def name(self, frame: Frame, name: str) -> Value:
        """Reads a simple name that is no local variable: a field of this class or of those around it, a static import, a type, or else a
        package."""
        cls = frame.owner
        while cls is not None:
            field = cls.field(name)
            if field is not None:
                return self.field_value(frame, field, cls.this_type)
            cls = cls.outer
        field = frame.unit.static_field(name)
        if field is not None:
            return self.field_value(frame, field, None)
        found = frame.unit.lookup(frame.environment, name)
        if type(found) is JavaClass:
            self.refer(frame.caller, found.ref)
            return Value(ClassType(found), (), (), TYPE)
        return Value(name, (), (), PACKAGE)

    def field_value(self, frame: Frame, field: JavaField, receiver: Any) -> Value:
        """Reads a field: an edge to it, and its type as `receiver` has it."""
        self.refer(frame.caller, field.ref)
        kind = field.unit.field_type(field)
        bindings = bindings_of(receiver, field.owner)
        if bindings:
            kind = substitute(kind, bindings)
        return Value(kind, (self.field_node(field),) if self.carries(kind) else (), place=self.field_place(field))

    def select(self, frame: Frame, value: int, name: str) -> Value:
        """Reads `value.name`: a field, a type inside a package or a class, an array's length, or a longer name of a package."""
        target = frame.values[value] if value >= 0 else UNKNOWN
        if target.kind == PACKAGE:
            found = frame.unit.project.known(f"{target.type}.{name}", frame.unit)
            if found is None:
                return Value(f"{target.type}.{name}", (), (), PACKAGE)
            self.refer(frame.caller, found.ref)
            return Value(ClassType(found), (), (), TYPE)
        kind = target.type
        if type(kind) is ArrayType:
            return Value("int") if name == "length" else UNKNOWN
        cls = erasure(kind)
        if type(cls) is not JavaClass:
            return UNKNOWN
        field = cls.field(name)
        if field is not None:
            return self.field_value(frame, field, kind if type(kind) is ClassType else ClassType(cls))
        if target.kind == TYPE:
            inner = cls.member(name)
            if inner is not None:
                self.refer(frame.caller, inner.ref)
                return Value(ClassType(inner), (), (), TYPE)
        return UNKNOWN

    def this(self, frame: Frame) -> Value:
        """Reads `this`."""
        return self.this_value(frame, frame.owner) if frame.owner is not None else UNKNOWN

    def outer_this(self, frame: Frame, name: str) -> Value:
        """Reads `Outer.this`."""
        found = frame.unit.named_class(frame.environment, name)
        return Value(found.this_type) if type(found) is JavaClass else UNKNOWN

    def case(self, frame: Frame, selector: int, name: str) -> Value:
        """Reads the label of a `case`: a constant of the selector's enum, or any other name."""
        cls = erasure(frame.values[selector].type) if selector >= 0 else None
        if type(cls) is JavaClass and cls.kind == "enum" and name in cls.fields:
            return self.field_value(frame, cls.fields[name], None)
        return self.name(frame, name)

    def class_literal(self, frame: Frame, kind: str) -> Value:
        """Reads `Type.class`."""
        return Value(ClassType(self.project.library["java.lang.Class"], (frame.unit.type(frame.environment, kind),)))

    # -- operators -------------------------------------------------------------------------------------------------------------

    def literal(self, frame: Frame, kind: str) -> Value:
        """Reads a literal of a type."""
        return Value(self.project.string if kind == "String" else kind)

    def cast(self, frame: Frame, kind: str, value: int) -> Value:
        """Gives a value another type; a lambda is typed by it."""
        made = frame.unit.type(frame.environment, kind)
        if value < 0:
            return Value(made)
        inner = frame.values[value]
        self.settle(inner, made)
        kind_kept = inner.kind if inner.kind in (EXACT, FUNCTION) else VALUE
        place = self.place_of(inner) if inner.type is not None and self.objects.matters(inner.type) else inner.place
        return Value(made, inner.nodes if self.carries(made) else (), (), kind_kept, inner.exact, place)

    def binary(self, frame: Frame, operator: str, left: int, right: int) -> Value:
        """Types an operator's result: `boolean`, `String`, or the wider of two numbers (JLS 5.6)."""
        if operator in _COMPARISONS:
            return Value("boolean")
        a = frame.values[left].type if left >= 0 else None
        b = frame.values[right].type if right >= 0 else None
        if operator == "+" and self.project.string in (a, b):
            return Value(self.project.string)
        first, second = unboxed(a), unboxed(b)
        if operator in ("<<", ">>", ">>>"):
            second = first
        if first == "boolean" and second == "boolean":
            return Value("boolean")
        if first in _RANKS and second in _RANKS:
            return Value(("int", "int", "long", "float", "double")[max(_RANKS[first], _RANKS[second])])
        return UNKNOWN

    def same(self, frame: Frame, value: int) -> Value:
        """Passes a value on, as parentheses and signs do."""
        return frame.values[value] if value >= 0 else UNKNOWN

    def join(self, frame: Frame, values: tuple) -> Value:
        """Makes one value of those that an expression may have, as of `a ? b : c`."""
        made = [frame.values[value] for value in values if value >= 0]
        if len(made) == 1:
            return made[0]
        kind: Any = None
        for each in made:
            kind = each.type if kind is None else self.join_types(kind, each.type)
        nodes = tuple([node for each in made for node in each.nodes])
        functions = tuple([function for each in made for function in each.functions])
        all_functions = functions and all(each.kind == FUNCTION for each in made)
        place = self.objects.merge([self.place_of(each) for each in made]) if self.objects.matters(kind) else NOWHERE
        return Value(kind, nodes, functions, FUNCTION if all_functions else VALUE, place=place)

    def join_types(self, a: Any, b: Any) -> Any:
        """Finds a type that holds values of both."""
        if a == b or b is None or b == "null":
            return a
        if a is None or a == "null":
            return b
        first, second = unboxed(a), unboxed(b)
        if first in _RANKS and second in _RANKS:
            return first if _RANKS[first] >= _RANKS[second] else second
        if convertible(b, a, True) == 2:
            return a
        if convertible(a, b, True) == 2:
            return b
        x, y = erasure(a), erasure(b)
        if type(x) is JavaClass and type(y) is JavaClass:
            shared = y.ancestors()
            for cls, arguments in x.ancestors().items():
                if (
                    cls in shared
                    and cls is not self.project.object.cls
                    and cls.name not in ("java.lang.Record", "java.lang.Enum")
                ):
                    return ClassType(cls, arguments)
        return None

    def index(self, frame: Frame, array: int) -> Value:
        """Reads an element of an array."""
        target = frame.values[array] if array >= 0 else UNKNOWN
        kind = target.type
        element = kind.element if type(kind) is ArrayType else None
        place = self.place_of(target) if self.objects.matters(element) else NOWHERE
        return Value(element, target.nodes if self.carries(element) else (), place=place)

    def array(self, frame: Frame, kind: str, elements: tuple) -> Value:
        """Makes an array, which holds the functions that its elements hold."""
        made = frame.unit.type(frame.environment, kind)
        element = made.element if type(made) is ArrayType else None
        nodes: list[int] = []
        for each in elements:
            if each >= 0:
                self.settle(frame.values[each], element)
                nodes.extend(frame.values[each].nodes)
        place = NOWHERE
        if self.objects.matters(element):
            given = [self.place_of(frame.values[each]) for each in elements if each >= 0]
            place = self.objects.result(made)
            for each in (self.objects.library, *given):
                self.objects.connect(each, place)
        if not self.carries(element):
            return Value(made, place=place)
        content = self.flow.node()
        self.flow.connect(nodes, content)
        return Value(made, (content,), place=place)

    # -- assignments -----------------------------------------------------------------------------------------------------------

    def set(self, frame: Frame, slot: int, value: int) -> Value:
        """Assigns to a local variable. One that is assigned once keeps what is known of the value beyond its type."""
        unit = frame.unit
        text, environment, single = unit.slots[slot]
        made = frame.values[value] if value >= 0 else UNKNOWN
        if text is None:
            kind = self.join_types(self.slot_types.get((unit.path, slot)), made.type)
            self.slot_types[(unit.path, slot)] = kind
        else:
            kind = unit.type(environment, text)
        self.settle(made, kind)
        if made.nodes:
            self.flow.connect(made.nodes, self.slot_node(unit, slot))
        self.put(made, self.slot_place(unit, slot, kind))
        if single and made.kind in (EXACT, FUNCTION):
            nodes = (self.slot_node(unit, slot),) if self.carries(kind) else ()
            if made.kind == FUNCTION:
                self.slot_values[(unit.path, slot)] = Value(kind, nodes, (), FUNCTION)
            else:
                self.slot_values[(unit.path, slot)] = Value(kind, nodes, (), EXACT, made.exact)
        return made

    def match(self, frame: Frame, slot: int, value: int) -> Value:
        """Assigns to a variable of a pattern, whose type is that of the value."""
        return self.set(frame, slot, value)

    def assign(self, frame: Frame, target: int, value: int) -> Value:
        """Assigns to anything else: a field, an element of an array."""
        place = frame.values[target] if target >= 0 else UNKNOWN
        made = frame.values[value] if value >= 0 else UNKNOWN
        self.settle(made, place.type)
        for node in place.nodes:
            self.flow.connect(made.nodes, node)
        self.put(made, place.place)
        return made

    def initialize(self, frame: Frame, field: int, value: int) -> Value:
        """Gives a field its first value."""
        target = frame.unit.fields[field]
        made = frame.values[value] if value >= 0 else UNKNOWN
        self.settle(made, frame.unit.field_type(target))
        if made.nodes:
            self.flow.connect(made.nodes, self.field_node(target))
        self.put(made, self.field_place(target))
        return made

    def each(self, frame: Frame, slot: int, value: int) -> Value:
        """Assigns the elements of an iterable to the variable of a `for`."""
        unit = frame.unit
        made = frame.values[value] if value >= 0 else UNKNOWN
        element, place = self.iterate(frame, made)
        if unit.slots[slot].type is None:
            self.slot_types[(unit.path, slot)] = element
        if made.nodes:
            self.flow.connect(made.nodes, self.slot_node(unit, slot))
        self.objects.connect(place, self.slot_place(unit, slot, self.slot_type(unit, slot)))
        return UNKNOWN

    def iterate(self, frame: Frame, made: Value) -> tuple[Any, int]:
        """Finds the type and the place of the elements that a `for` runs over; a class of the project is asked for its iterator."""
        kind = made.type
        place = self.objects.outside
        if type(kind) is ArrayType:
            return kind.element, self.place_of(made)
        cls = erasure(kind)
        if type(cls) is not JavaClass:
            return None, self.objects.anything
        if cls.ref is not None:
            iterator = self.call_named(frame, made, "iterator", ())
            if erasure(iterator.type) is not None and self._in_project(iterator.type, made):
                self.call_named(frame, iterator, "hasNext", ())
                place = self.objects.merge([place, self.call_named(frame, iterator, "next", ()).place])
        bindings = bindings_of(
            kind if type(kind) is ClassType else ClassType(cls), self.project.library["java.lang.Iterable"]
        )
        return next(iter(bindings.values()), None) if bindings else None, place

    def _in_project(self, iterator: Any, iterable: Value) -> bool:
        cls = erasure(iterator)
        return type(cls) is JavaClass and (
            cls.ref is not None or any(child.ref is not None for child in cls.descendants())
        )

    def close_resource(self, frame: Frame, value: int) -> Value:
        """Calls `close` at the end of a `try` with resources."""
        if value >= 0 and frame.values[value].type is not None:
            self.call_named(frame, frame.values[value], "close", ())
        return UNKNOWN
