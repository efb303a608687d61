"""Which methods a call means: overload resolution, and the methods that may run in the end (class hierarchy analysis)."""

from __future__ import annotations

from typing import Any, NamedTuple

from codefuse_hf.graph.languages.java import library
from codefuse_hf.graph.languages.java.calls.function_flow import FunctionValue, has_shape
from codefuse_hf.graph.languages.java.types.names import Project
from codefuse_hf.graph.languages.java.types.types import (
    ArrayType,
    ClassType,
    JavaClass,
    JavaMethod,
    TypeVariable,
    bindings_of,
    boxed,
    convertible,
    erasure,
    overrides,
    substitute,
)

_MOST_TARGETS = 50
"""A call through a library interface that more methods of the project implement says nothing about this call: it has no edges, and its
file has a diagnostic."""


class Value(NamedTuple):
    """What is known of an expression.

    `kind` is `VALUE`; `EXACT` for an object of exactly the class `exact`, whatever its declared type; `FUNCTION` for nothing but functions; or `TYPE` and
    `PACKAGE` for names that are no values. `nodes` are where functions may flow from, `functions` those not yet typed; `place` is where its objects are
    (`calls/objects.py`), -1 where only its type tells.
    """

    type: Any = None
    nodes: tuple = ()
    functions: tuple = ()
    kind: int = 0
    exact: Any = None
    place: int = -1


VALUE, EXACT, FUNCTION, TYPE, PACKAGE = range(5)
UNKNOWN = Value()


class DispatchKey(NamedTuple):
    """What decides which methods a call may run: the class, the method, and the class's type arguments."""

    cls: JavaClass
    method: JavaMethod
    arguments: tuple


class Methods:
    """Overload resolution and dispatch over one project; caches what it finds."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._dispatched: dict[DispatchKey, tuple[JavaMethod, ...]] = {}
        self._tables: dict[DispatchKey, dict[JavaMethod, list[JavaClass]]] = {}
        self._undecided: dict[DispatchKey, int] = {}
        self._by_name: dict[tuple[str, int], list[JavaMethod]] | None = None

    # -- overloads -----------------------------------------------------------------------------------------------------------

    def choose(self, candidates: list[JavaMethod], arguments: list[Value], receiver: Any) -> list[JavaMethod]:
        """Chooses the applicable methods of which none is more specific; more than one when argument types are unknown."""
        count = len(arguments)
        fitting = [
            m
            for m in candidates
            if len(m.facts.parameters) == count or (m.variadic and count >= len(m.facts.parameters) - 1)
        ]
        if len(fitting) <= 1:
            return fitting
        for loose, variadic in ((False, False), (True, False), (True, True)):
            scored = [(self._fits(m, arguments, receiver, loose, variadic), m) for m in fitting]
            best = max(score for score, _ in scored)
            if best:
                return self._most_specific([m for score, m in scored if score == best], arguments, receiver, variadic)
        return []

    def formals(self, method: JavaMethod, receiver: Any, count: int, variadic: bool) -> list:
        """Makes the parameter types for `count` arguments, with the receiver's type arguments put in."""
        types = method.unit.parameter_types(method)
        bindings = bindings_of(receiver, method.owner)
        if bindings:
            types = [substitute(each, bindings) for each in types]
        if not variadic:
            return list(types)
        last = types[-1]
        element = last.element if type(last) is ArrayType else last
        return [*types[:-1], *[element] * (count - len(types) + 1)]

    def _fits(self, method: JavaMethod, arguments: list[Value], receiver: Any, loose: bool, variadic: bool) -> int:
        """2 when the method is applicable, 1 when it may be, 0 when not."""
        count = len(arguments)
        if variadic != method.variadic and variadic:
            return 0
        if not variadic and len(method.facts.parameters) != count:
            return 0
        score = 2
        for argument, formal in zip(arguments, self.formals(method, receiver, count, variadic), strict=True):
            if argument.functions:
                score = min(score, self._function_fits(argument.functions[0], formal))
            elif argument.type is not None:
                score = min(score, convertible(argument.type, formal, loose))
            if not score:
                return 0
        return score

    def _function_fits(self, function: FunctionValue, formal: Any) -> int:
        if formal is None or type(formal) is TypeVariable:
            return 2
        if type(formal) is not ClassType:
            return 0
        cls = formal.cls
        if cls.external:
            return 2
        method = cls.functional_method()
        if method is None:
            return 1 if cls.is_open() else 0
        if function.reference is not None:
            return self._reference_fits(function.reference, method, formal)
        return 2 if has_shape(function, method) else 0

    def _reference_fits(self, reference: tuple[Value, bool, str], method: JavaMethod, formal: Any) -> int:
        """As `_fits`, for `target::name` where an interface with `method` is declared: numbers of parameters, and types if there is one method only."""
        target, _, name = reference
        given = [
            substitute(each, bindings_of(formal, method.owner) or {}) for each in method.unit.parameter_types(method)
        ]
        if type(target.type) is ArrayType:
            return 2 if name != "new" or len(given) == 1 else 0
        cls = erasure(target.type)
        if type(cls) is not JavaClass or cls.is_open():
            return 2
        methods = cls.methods.get("<init>", []) if name == "new" else cls.named(name)
        if not methods:
            return 2
        fitting = [
            m for m in methods if self._takes(m, given[1:] if _skips(m, target, name) else given, len(methods) == 1)
        ]
        if not fitting:
            return 0
        void = fitting[0].facts.result == "void" and name != "new"
        return 0 if len(methods) == 1 and void and method.facts.result != "void" else 2

    def _takes(self, method: JavaMethod, given: list, exact: bool) -> bool:
        """Whether a method takes so many values, and if `exact` of these types."""
        types = method.unit.parameter_types(method)
        if method.variadic:
            return len(given) >= len(types) - 1
        if len(types) != len(given):
            return False
        pairs = zip(given, types, strict=True)
        return not exact or all(type(a) is TypeVariable or convertible(a, b, True) for a, b in pairs)

    def _most_specific(
        self, methods: list[JavaMethod], arguments: list[Value], receiver: Any, variadic: bool
    ) -> list[JavaMethod]:
        if len(methods) == 1:
            return methods
        count = len(arguments)
        rows = [(m, self.formals(m, receiver, count, variadic)) for m in methods]
        kept = []
        for method, formals in rows:
            beaten = any(
                other is not method
                and self._more_specific(theirs, formals, arguments)
                and not self._more_specific(formals, theirs, arguments)
                for other, theirs in rows
            )
            if not beaten:
                kept.append(method)
        kept = kept or methods
        if len(kept) > 1:
            concrete = [m for m in kept if not m.is_abstract]
            known = all(a.type is not None or a.functions for a in arguments)
            if known and any(overrides(a, b, a.owner) for a in kept for b in kept if a is not b):
                return concrete[:1] or kept[:1]
        return kept

    def _more_specific(self, these: list, those: list, arguments: list[Value]) -> bool:
        for argument, a, b in zip(arguments, these, those, strict=True):
            if a == b:
                continue
            if argument.functions:
                if not self._more_specific_function(argument.functions[0], a, b):
                    return False
            elif argument.type is None and erasure(a) is not erasure(b):
                return False  # nobody knows which one it is
            elif convertible(a, b, False) != 2:
                return False
        return True

    def _more_specific_function(self, function: FunctionValue, a: Any, b: Any) -> bool:
        """A function type with a result is preferred for an expression with a value."""
        if convertible(a, b, False) == 2:
            return True
        if type(a) is not ClassType or type(b) is not ClassType:
            return False
        first, second = a.cls.functional_method(), b.cls.functional_method()
        if first is None or second is None:
            return False
        first_void, second_void = first.facts.result == "void", second.facts.result == "void"
        if first_void != second_void:
            return second_void if function.result != "void" else first_void
        return False

    # -- inference -----------------------------------------------------------------------------------------------------------

    def unify(self, formal: Any, actual: Any, open_variables: set, bindings: dict) -> None:
        """Notes in `bindings` what `formal`'s variables must be for a value of type `actual`."""
        if actual is None or actual == "null" or actual == "void":
            return
        if type(formal) is TypeVariable:
            if formal in open_variables:
                actual = boxed(actual, self.project.library)
                known = bindings.get(formal)
                if known is None or (known != actual and convertible(known, actual, False) == 2):
                    bindings[formal] = actual
            return
        if type(formal) is ArrayType:
            if type(actual) is ArrayType:
                self.unify(formal.element, actual.element, open_variables, bindings)
            return
        if type(formal) is not ClassType:
            return
        actual = boxed(actual, self.project.library)
        if type(actual) is TypeVariable:
            actual = actual.unit.bound(actual)
        if type(actual) is not ClassType or not formal.arguments:
            return
        inherited = bindings_of(actual, formal.cls)
        if inherited:
            for variable, argument in zip(formal.cls.variables, formal.arguments, strict=False):
                self.unify(argument, inherited.get(variable), open_variables, bindings)

    def close(self, variables: tuple, bindings: dict) -> dict:
        """Returns `bindings` with the variables that nothing is known of at their bounds."""
        for variable in variables:
            if variable not in bindings:
                bound = variable.unit.bound(variable)
                has_arguments = type(bound) is ClassType and bound.arguments
                bindings[variable] = ClassType(bound.cls) if has_arguments else bound
        return bindings

    # -- dispatch --------------------------------------------------------------------------------------------------------------

    def dispatch(self, receiver: Any, method: JavaMethod) -> tuple[JavaMethod, ...]:
        """Finds the methods of the project that a call of `method` on a value of type `receiver` may run.

        These are the implementations in all concrete classes at or below the receiver's, and the method itself when it
        is abstract: then it is what the call names.
        """
        return self.dispatch_key(self.key(receiver, method))

    def dispatch_key(self, key: DispatchKey) -> tuple[JavaMethod, ...]:
        """Finds the same as `dispatch`, by what decides it."""
        found = self._dispatched.get(key)
        if found is None:
            found = tuple([m for m in self.table(key) if m.ref is not None])
            if self.too_many(key, len(found)):
                self._undecided[key] = len(found)
                found = ()
            self._dispatched[key] = found
        return found

    @staticmethod
    def too_many(key: DispatchKey, count: int) -> bool:
        """Tells whether so many methods may be meant by a call that they say nothing about it."""
        return key.method.ref is None and key.cls.ref is None and count > _MOST_TARGETS

    def undecided(self, key: DispatchKey) -> int:
        """Tells how many methods `dispatch` found for a call when these were too many to tell which is meant; 0 when they were not."""
        return self._undecided.get(key, 0) if self._undecided else 0

    @staticmethod
    def key(receiver: Any, method: JavaMethod) -> DispatchKey:
        """Makes what decides a call of `method` on a value of type `receiver`."""
        kind = erasure(receiver)
        cls = kind if type(kind) is JavaClass else method.owner
        if method.owner not in cls.ancestors():
            cls = method.owner
        arguments = receiver.arguments if type(receiver) is ClassType and receiver.cls is cls else ()
        return DispatchKey(cls, method, arguments)

    def table(self, key: DispatchKey) -> dict[JavaMethod, list[JavaClass]]:
        """Lists what a call may run, each with the classes whose objects run it; none for the method itself where that has no code, and for
        what lambdas have of their interface."""
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = self._table(*key)
        return found

    def of_lambdas(self, key: DispatchKey) -> JavaMethod | None:
        """Returns what a call runs on a lambda, where the interface has code for it."""
        found = self.implementation(key.cls, key.method) if key.cls.functional_method() is not None else None
        return None if found is None or found.is_abstract else found

    def _table(self, cls: JavaClass, method: JavaMethod, arguments: tuple) -> dict[JavaMethod, list[JavaClass]]:
        if method.is_static or method.flags & 8 or method.name == "<init>":
            return {method: []}
        if cls is self.project.object.cls:
            return {}  # every class has these methods
        found: dict[JavaMethod, list[JavaClass]] = {}
        if method.ref is not None and method.is_abstract:
            found[method] = []
        elif (default := self.of_lambdas(DispatchKey(cls, method, arguments))) is not None:
            found[default] = []
        if not self.is_abstract(cls):
            found.setdefault(self.implementation(cls, method), []).append(cls)
        if not cls.is_final:
            for child in cls.descendants():
                if not self.is_abstract(child) and self._compatible(child, cls, arguments):
                    found.setdefault(self.implementation(child, method), []).append(child)
        return found or {method: []}

    @staticmethod
    def is_abstract(cls: JavaClass) -> bool:
        """Tells whether no object is of exactly this class."""
        if cls.facts is None:
            return False
        if cls.kind == "enum":  # constants with bodies implement what is abstract
            return False
        return cls.is_interface or bool(cls.facts.flags & 2)

    def _compatible(self, child: JavaClass, cls: JavaClass, arguments: tuple) -> bool:
        """Whether a value of static type `cls<arguments>` may be a `child`: `Handler<A>` is no `Handler<B>`."""
        for actual, wanted in zip(child.ancestors().get(cls, ()), arguments, strict=False):
            if type(actual) is TypeVariable:
                bound = erasure(actual)
                actual = ClassType(bound) if type(bound) is JavaClass else None
            if type(actual) is not ClassType or type(wanted) is not ClassType:
                continue
            if not convertible(actual, wanted, False) and not convertible(wanted, actual, False):
                return False
        return True

    def implementation(self, cls: JavaClass, method: JavaMethod) -> JavaMethod:
        """Finds what runs when `method` is called on an object of exactly this class."""
        fallback = method
        candidates = cls.named(method.name)
        if method in candidates and not method.is_abstract:
            return method
        for found in candidates:
            if found is method or overrides(found, method, cls):
                if not found.is_abstract:
                    return found
                fallback = found
        return fallback

    def by_unique_name(self, name: str, count: int) -> list[JavaMethod]:
        """Finds the methods that a call on an unknown receiver may mean, if all of this name belong to one hierarchy."""
        if self._by_name is None:
            self._by_name = {}
            for unit in self.project.units:
                for method in unit.methods:
                    self._by_name.setdefault((method.name, len(method.facts.parameters)), []).append(method)
        found = self._by_name.get((name, count), [])
        if not 0 < len(found) <= 20 or name in library.method_names() or any(m.is_static for m in found):
            return []
        roots = [m for m in found if all(m.owner in other.owner.ancestors() for other in found)]
        return roots[:1]


def _skips(method: JavaMethod, target: Value, name: str) -> bool:
    """Whether the first value goes to the receiver in `Type::name`."""
    return target.kind == TYPE and name != "new" and not method.is_static
