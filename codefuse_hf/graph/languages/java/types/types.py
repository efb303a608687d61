"""Types of a Java project while it is resolved: classes with their members, type variables, substitution, subtyping.

A type is `None` (unknown), a primitive's name (also "void" and "null"), a `TypeVariable`, an `ArrayType` or a `ClassType`. Wildcards
are their bounds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.java.reading import facts as op

PRIMITIVES = frozenset({"byte", "short", "char", "int", "long", "float", "double", "boolean", "void"})
BOXES = {
    "Integer": "int", "Long": "long", "Short": "short", "Byte": "byte", "Character": "char", "Boolean": "boolean", "Float": "float", "Double": "double",
}  # fmt: skip
_BOX_OF = {primitive: box for box, primitive in BOXES.items()}
_WIDER = {
    "byte": frozenset({"short", "int", "long", "float", "double"}),
    "short": frozenset({"int", "long", "float", "double"}),
    "char": frozenset({"int", "long", "float", "double"}),
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
}
_MOST_ANCESTORS = 2_000
_TOKEN = re.compile(r"\[\]|[<>,]|[^<>,\[\]]+")


class TypeVariable:
    """A type parameter of a class or method; `bound` is looked up when it is first needed."""

    __slots__ = ("bound_name", "environment", "name", "unit")

    def __init__(self, name: str, bound_name: str, unit: Any, environment: int) -> None:
        self.name, self.bound_name, self.unit, self.environment = name, bound_name, unit, environment


class ArrayType(NamedTuple):
    """An array of elements of a type; `element` is None when that is unknown."""

    element: Any


class ClassType(NamedTuple):
    """A class with as many arguments as it has parameters, or none (raw)."""

    cls: JavaClass
    arguments: tuple = ()


class JavaMethod:
    """A method or constructor; `declared` and `result` are its types, made on first use by `Names`."""

    __slots__ = (
        "facts",
        "flags",
        "name",
        "node",
        "owner",
        "parameter_places",
        "parameters",
        "ref",
        "result",
        "result_place",
        "this_place",
        "unit",
        "variables",
        "variadic",
    )

    def __init__(self, facts: op.MethodFacts, owner: JavaClass, unit: Any) -> None:
        self.facts, self.owner, self.unit = facts, owner, unit
        self.name, self.flags, self.variadic = facts.name, facts.flags, facts.variadic
        self.ref = Ref(unit.path, facts.definition) if unit.path else None
        self.parameters: tuple | None = None
        self.result: Any = None
        self.variables: tuple = ()
        self.node = -1
        self.parameter_places: tuple | None = None
        self.result_place: int | None = None
        self.this_place: int | None = None

    @property
    def is_static(self) -> bool:
        """Whether it needs no object."""
        return bool(self.flags & op.STATIC)

    @property
    def is_abstract(self) -> bool:
        """Whether it has no code of its own."""
        return bool(self.flags & op.ABSTRACT)


class JavaField:
    """A field, enum constant or record component."""

    __slots__ = ("facts", "known", "name", "node", "owner", "place", "ref", "type", "unit")

    def __init__(self, facts: op.FieldFacts, owner: JavaClass, unit: Any) -> None:
        self.facts, self.owner, self.unit, self.name = facts, owner, unit, facts.name
        self.ref = Ref(unit.path, facts.definition) if unit.path else None
        self.type: Any = None
        self.known = False
        self.node = -1
        self.place: int | None = None


class JavaClass:
    """A class of the project or of the library, or one that is known by its name only (`external`)."""

    __slots__ = (
        "_ancestors", "_functional", "_named", "external", "facts", "fields", "index", "kind", "members", "methods", "name", "open", "outer", "package",
        "ref", "subclasses", "supers", "unit", "variables",
    )  # fmt: skip

    def __init__(self, name: str, unit: Any, facts: op.ClassFacts | None, index: int = -1) -> None:
        self.name, self.unit, self.facts, self.index = name, unit, facts, index
        self.kind = facts.kind if facts is not None else "class"
        self.external = facts is None
        self.open = facts is None
        self.package: str = unit.package if unit is not None else ""
        self.ref = Ref(unit.path, facts.definition) if unit is not None and unit.path else None
        self.outer: JavaClass | None = None
        self.variables: tuple = ()
        self.supers: list[ClassType] = []
        self.subclasses: list[JavaClass] = []
        self.methods: dict[str, list[JavaMethod]] = {}
        self.fields: dict[str, JavaField] = {}
        self.members: dict[str, JavaClass] = {}
        self._ancestors: dict[JavaClass, tuple] | None = None
        self._named: dict[str, list[JavaMethod]] = {}
        self._functional: Any = False

    @property
    def is_interface(self) -> bool:
        """Whether it is an interface, annotations included."""
        return self.kind in ("interface", "annotation")

    @property
    def is_final(self) -> bool:
        """Whether it can have no subclasses."""
        return self.kind in ("record", "anonymous") or (self.facts is not None and bool(self.facts.flags & op.FINAL))

    @property
    def top(self) -> JavaClass:
        """The class around all others, inside of which private members are known."""
        found = self
        while found.outer is not None:
            found = found.outer
        return found

    @property
    def this_type(self) -> ClassType:
        """The type of `this`: the class with its own type parameters."""
        return ClassType(self, self.variables)

    def ancestors(self) -> dict[JavaClass, tuple]:
        """Lists the class itself and every supertype, nearest first, with the arguments it has in terms of the own parameters."""
        if self._ancestors is None:
            found: dict[JavaClass, tuple] = {self: self.variables}
            waiting = deque([self])
            while waiting and len(found) < _MOST_ANCESTORS:
                current = waiting.popleft()
                bindings = dict(zip(current.variables, found[current], strict=False)) if found[current] else {}
                raw = bool(current.variables) and not found[current]
                for parent, arguments in current.supers:
                    if parent not in found:
                        found[parent] = () if raw else tuple([substitute(a, bindings) for a in arguments])
                        waiting.append(parent)
            # classes before interfaces: what a superclass implements wins over an interface's default
            self._ancestors = {cls: found[cls] for cls in sorted(found, key=lambda each: each.is_interface)}
        return self._ancestors

    def is_open(self) -> bool:
        """Tells whether a supertype is not known, so that members may be missing."""
        return any(ancestor.open for ancestor in self.ancestors())

    def is_fluent(self) -> bool:
        """Tells whether an unknown supertype is told this class, as `class Builder extends AbstractBuilder<Thing, Builder>` does: its setters return it."""
        return any(
            ancestor.open and any(type(each) is ClassType and each.cls is self for each in arguments)
            for ancestor, arguments in self.ancestors().items()
        )

    def superclass(self) -> JavaClass | None:
        """Finds the class that this one extends, if it says so."""
        for parent, _ in self.supers:
            if not parent.is_interface:
                return parent
        return None

    def named(self, name: str) -> list[JavaMethod]:
        """Lists all methods of a name, own and inherited, without those that are overridden; the nearest first."""
        found = self._named.get(name)
        if found is None:
            found = []
            for ancestor in self.ancestors():
                for method in ancestor.methods.get(name, ()):
                    if method.flags & op.PRIVATE and ancestor is not self:
                        continue
                    for position, other in enumerate(found):
                        if other.owner is not method.owner and overrides(other, method, self):
                            if other.owner in method.owner.ancestors():
                                found[position] = method  # an interface below the one that came first
                            break
                    else:
                        found.append(method)
            self._named[name] = found
        return found

    def field(self, name: str) -> JavaField | None:
        """Finds a field by its name, own or inherited."""
        found = self.fields.get(name)
        if found is not None:
            return found
        for ancestor in self.ancestors():
            if name in ancestor.fields:
                return ancestor.fields[name]
        return None

    def member(self, name: str) -> JavaClass | None:
        """Finds an inner class by its name, own or inherited."""
        found = self.members.get(name)
        if found is not None:
            return found
        for ancestor in self.ancestors():
            if name in ancestor.members:
                return ancestor.members[name]
        return None

    def descendants(self) -> Iterator[JavaClass]:
        """Yields all known subtypes, without the class itself."""
        seen = {self}
        waiting = [self]
        while waiting:
            for child in waiting.pop().subclasses:
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child

    def functional_method(self) -> JavaMethod | None:
        """Finds the single abstract method of a functional interface."""
        if self._functional is False:
            self._functional = None
            if self.is_interface:
                abstract = [
                    m
                    for ancestor in self.ancestors()
                    for methods in ancestor.methods.values()
                    for m in methods
                    if m.is_abstract
                ]
                names = {m.name for m in abstract} - {"equals", "hashCode", "toString"}
                if len(names) == 1:
                    candidates = [m for m in self.named(names.pop()) if m.is_abstract]
                    self._functional = candidates[0] if candidates else None
        return self._functional

    def __repr__(self) -> str:
        return f"JavaClass({self.name})"


def substitute(kind: Any, bindings: dict) -> Any:
    """Replaces the type variables in `kind` as `bindings` say."""
    if not bindings or kind is None or type(kind) is str:
        return kind
    if type(kind) is TypeVariable:
        return bindings.get(kind, kind)
    if type(kind) is ArrayType:
        return ArrayType(substitute(kind.element, bindings))
    if not kind.arguments:
        return kind
    return ClassType(kind.cls, tuple([substitute(argument, bindings) for argument in kind.arguments]))


def bindings_of(kind: Any, owner: JavaClass) -> dict | None:
    """Tells what the type variables of `owner` are for a value of type `kind`; None when `kind` is raw or no subtype."""
    if type(kind) is not ClassType:
        return None
    cls, arguments = kind
    inherited = cls.ancestors().get(owner)
    if inherited is None or not owner.variables:
        return {} if inherited is not None else None
    if cls.variables and not arguments:
        return None
    own = dict(zip(cls.variables, arguments, strict=False))
    return dict(zip(owner.variables, [substitute(each, own) for each in inherited], strict=False))


def erasure(kind: Any) -> Any:
    """Finds the class, primitive, or array that a type is at run time; None when unknown."""
    depth = 0
    while type(kind) is ArrayType:
        depth, kind = depth + 1, kind.element
    while type(kind) is TypeVariable:
        kind = kind.unit.bound(kind)
    if type(kind) is ClassType:
        kind = kind.cls
    for _ in range(depth):
        kind = ArrayType(kind)
    return kind


def overrides(method: JavaMethod, base: JavaMethod, cls: JavaClass) -> bool:
    """Tells whether `method`, seen from `cls`, has the signature of `base` (same name assumed)."""
    if len(method.facts.parameters) != len(base.facts.parameters):
        return False
    if not method.facts.parameters:
        return True
    own = method.unit.parameter_types(method)
    other = base.unit.parameter_types(base)
    inherited = cls.ancestors()
    left = dict(zip(method.owner.variables, inherited.get(method.owner, ()), strict=False))
    right = dict(zip(base.owner.variables, inherited.get(base.owner, ()), strict=False))
    pairs = zip(own, other, strict=True)
    return all(_same_erasure(substitute(a, left), substitute(b, right), a, b) for a, b in pairs)


def _same_erasure(a: Any, b: Any, raw_a: Any, raw_b: Any) -> bool:
    if type(a) is TypeVariable and type(b) is TypeVariable:
        return True
    first, second = erasure(a), erasure(b)
    if first is None or second is None:
        known = second if first is None else first
        if type(a) is TypeVariable or type(b) is TypeVariable:  # one without a bound: an Object
            return known is None or (type(known) is JavaClass and known.name == "java.lang.Object")
        return type(known) is not str  # unknown: only a reference can be meant
    return first == second or first == erasure(raw_b) or erasure(raw_a) == second


def is_subclass(cls: JavaClass, other: JavaClass) -> int:
    """Tells whether `cls` is `other` or below it: 2 when it is, 1 when that may be (an ancestor is not known), 0 when not."""
    if cls is other or other.name == "java.lang.Object":
        return 2
    ancestors = cls.ancestors()
    if other in ancestors:
        return 2
    return 1 if any(ancestor.open for ancestor in ancestors) else 0


def boxed(kind: Any, library: Any) -> Any:
    """Makes the class type of a primitive; any other type as it is."""
    if type(kind) is str:
        box = _BOX_OF.get(kind)
        return ClassType(library["java.lang." + box]) if box else None
    return kind


def unboxed(kind: Any) -> str | None:
    """Finds the primitive of a primitive or of its class."""
    if type(kind) is str:
        return kind
    if type(kind) is ClassType and kind.cls.name.startswith("java.lang."):
        return BOXES.get(kind.cls.name[10:])
    return None


def convertible(kind: Any, target: Any, loose: bool) -> int:
    """Tells whether a value of type `kind` may be given where `target` is declared: 2 yes, 1 perhaps, 0 no.

    `loose` allows boxing, as in the second phase of overload resolution.
    """
    if kind is None or target is None or kind is target:
        return 2
    if type(target) is TypeVariable:
        if type(kind) is str and kind != "null":
            return 2 if loose else 0
        bound = erasure(target)
        return 2 if bound is None else convertible(kind, ClassType(bound) if type(bound) is JavaClass else bound, loose)
    if type(kind) is TypeVariable:
        bound = erasure(kind)
        if bound is None:
            return 0 if type(target) is str else 2 if _is_object(target) else 1
        kind = ClassType(bound) if type(bound) is JavaClass else bound
    if type(kind) is str:
        if kind == "null":
            return 0 if type(target) is str else 2
        if type(target) is str:
            return 2 if kind == target or target in _WIDER.get(kind, ()) else 0
        if not loose or type(target) is ArrayType:
            return 0
        return _boxes_to(kind, target.cls)
    if type(target) is str:
        inner = unboxed(kind) if loose else None
        return 2 if inner is not None and (inner == target or target in _WIDER.get(inner, ())) else 0
    if type(kind) is ArrayType:
        if type(target) is ClassType:
            return 2 if target.cls.name in ("java.lang.Object", "java.lang.Cloneable", "java.io.Serializable") else 0
        if type(kind.element) is str or type(target.element) is str:
            return 2 if kind == target or kind.element is None or target.element is None else 0
        return convertible(kind.element, target.element, False)
    return 0 if type(target) is ArrayType else is_subclass(kind.cls, target.cls)


def _is_object(kind: Any) -> bool:
    return type(kind) is ClassType and kind.cls.name == "java.lang.Object"


def _boxes_to(primitive: str, target: JavaClass) -> int:
    name = target.name
    if name in ("java.lang.Object", "java.io.Serializable", "java.lang.Comparable"):
        return 2
    if name == "java.lang.Number":
        return 2 if primitive not in ("boolean", "char") else 0
    return 2 if name.startswith("java.lang.") and BOXES.get(name[10:]) == primitive else 0


class WrittenType(NamedTuple):
    """A type as it is written: nobody has looked yet what its name means. `dimensions` counts the `[]` behind it."""

    name: str
    arguments: tuple[WrittenType, ...] = ()
    dimensions: int = 0


def parse_type(text: str) -> WrittenType:
    """Parses a type in normal form; never recursive."""
    if "<" not in text:
        name = text.partition("[")[0]
        return WrittenType(name, (), (len(text) - len(name)) // 2)
    root: list = ["", [], 0]
    stack = [root]
    for token in _TOKEN.findall(text):
        if token == "<":
            stack.append(["", [], 0])
            stack[-2][1].append(stack[-1])
        elif token == ",":
            if len(stack) > 1:
                stack[-1] = ["", [], 0]
                stack[-2][1].append(stack[-1])
        elif token == ">":
            if len(stack) > 1:
                stack.pop()
        elif token == "[]":
            stack[-1][2] += 1
        else:
            stack[-1][0] = token if not stack[-1][0] else stack[-1][0] + token
        if len(stack) > 100:  # nobody means such a type
            return WrittenType(text.partition("<")[0])
    return _frozen(root)


def _frozen(node: list) -> WrittenType:
    name, arguments, dimensions = node
    return WrittenType(name, tuple([_frozen(argument) for argument in arguments]), dimensions)
