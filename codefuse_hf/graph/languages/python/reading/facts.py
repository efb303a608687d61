"""What is known of one Python file by itself: its definitions and a small data-flow program over numbered variables.

The program is what cross-file resolution runs (python/flow/solver.py). A variable is a positive integer; 0 stands for a value of no interest (numbers,
results of arithmetic). Local names are in SSA form, so that straight-line code is resolved flow-sensitively; attributes and items are not.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum
from sys import intern
from typing import Any, NamedTuple


class Op(IntEnum):
    """What happens to each new value of a variable. Operands (a, b) after the variable; `caller` is a definition index."""

    COPY = 0  # flows to variable a
    ATTRIBUTE = 1  # flows to `loads[a]` = (name, target, caller, is_callee)
    SET_ATTRIBUTE = 2  # `items[a]` = (name, source, caller)
    CALL = 3  # called at call site a
    GET_ITEM = 4  # `items[a]` = (key, target, caller)
    SET_ITEM = 5  # `items[a]` = (key, source, caller)
    ITERATE = 6  # elements flow to variable a, caller b
    ENTER = 7  # `with`: what __enter__ returns flows to a, caller b
    RAISE = 8  # raised by caller b
    CATCH = 9  # instances of the class flow to a
    SUPER = 10  # super() of class a, with self here, flows to b
    OPERATOR = 11  # `items[a]` = (method name, target, caller), right operand b
    AWAIT = 12  # awaited: flows to a, caller b
    UNPACK = 13  # `items[a]` = ((index, elements after or -1 for one element), target, caller)
    CALL_METHOD = 14  # method names[a] is called without arguments by caller b (del, in, str, …)


(
    COPY,
    ATTRIBUTE,
    SET_ATTRIBUTE,
    CALL,
    GET_ITEM,
    SET_ITEM,
    ITERATE,
    ENTER,
    RAISE,
    CATCH,
    SUPER,
    OPERATOR,
    AWAIT,
    UNPACK,
    CALL_METHOD,
) = map(int, Op)
"""The codes as plain numbers: members of an enumeration are slow to look up and to compare."""


OWN_TYPE = -1
"""In place of a parameter that is returned: an object of the class of the method's receiver (`-> Self`)."""

DECORATES, FORWARDS, DECORATES_AS_MADE = 1, 2, 3
"""Modes of calls; the last is that of a decorator which a call has made."""


class Constant(NamedTuple):
    """A literal that may serve as a key, an attribute's name or a slice bound."""

    value: Any


Annotation = tuple[int, tuple]
"""What an annotation says: a dotted name as (variable of its root name, attribute names that follow), anything else as (0, tree).

A tree is ("name", variable, attribute names), ("generic", head, arguments …), ("union", parts …), ("nothing",) for None and literals, ("...",), ("var", name,
types that it may be …) for a type variable, ("not", tree) for what is none of these, or None for what is not known.
"""


class ParameterKind(IntEnum):
    """How a parameter is given."""

    POSITIONAL_ONLY = 0
    ORDINARY = 1
    ARGS = 2  # *args
    KEYWORD_ONLY = 3
    KWARGS = 4  # **kwargs


POSITIONAL_ONLY, ORDINARY, ARGS, KEYWORD_ONLY, KWARGS = map(int, ParameterKind)
BY_POSITION = frozenset((POSITIONAL_ONLY, ORDINARY))
BY_NAME = frozenset((ORDINARY, KEYWORD_ONLY))
VARIADIC = frozenset((ARGS, KWARGS))


class Parameter(NamedTuple):
    """`kind`: a `ParameterKind` as a number."""

    name: str
    kind: int
    variable: int
    annotation: Annotation | None


class FunctionFacts(NamedTuple):
    """One function or lambda; `owner` is the index of the class whose body defines it, or -1."""

    definition: int
    name: str
    parameters: tuple[Parameter, ...]
    returned: int
    yielded: int
    owner: int
    is_async: bool
    returned_parameters: tuple[int, ...]
    variadic_sites: tuple[int, int]
    result_annotation: Annotation | None


class ClassFacts(NamedTuple):
    """One class.

    `bases`: per base (variable of its root name, attribute names that follow); `plain` maps names bound once, by an undecorated def, to functions;
    `namespace` maps every name of the body to the variable at its end; `attributes` maps names to the definitions of Attribute nodes.
    """

    definition: int
    name: str
    bases: tuple[tuple[int, tuple[str, ...]], ...]
    metaclass: tuple[int, tuple[str, ...]] | None
    namespace: dict[str, int]
    plain: dict[str, int]
    attributes: dict[str, int]
    fields: tuple[str, ...]
    is_dataclass: bool
    caller: int


class ImportFacts(NamedTuple):
    """One imported name. `name` None: `import module` (binding its first part unless `whole`); `*`: star import."""

    level: int
    module: str
    name: str | None
    whole: bool
    variable: int
    caller: int


class Definitions(list):
    """Functions or classes by their labels; None for one that is gone."""

    def has(self, label: int) -> bool:
        """Tells whether there is such an item."""
        return label < len(self) and self[label] is not None

    def present(self) -> list[int]:
        """Returns the labels of the items that are there."""
        return [label for label, item in enumerate(self) if item is not None]

    def in_order(self) -> list[int]:
        """Returns the items in order of their definitions."""
        return sorted(self.present(), key=self.definition)

    def definition(self, label: int) -> int:
        """Return the node that an item is."""
        return self[label].definition

    def name(self, label: int) -> str:
        """Return the name of an item."""
        return self[label].name


class Functions(Definitions):
    """The functions of a file, and what callers ask of one."""

    def returned(self, label: int) -> int:
        """Return the variable of what a function returns."""
        return self[label].returned

    def yielded(self, label: int) -> int:
        """Return the variable of what a function yields, 0 if it is no generator."""
        return self[label].yielded

    def owner(self, label: int) -> int:
        """Return the class that a method is defined in, -1 for another function."""
        return self[label].owner

    def parameter(self, label: int, position: int) -> int:
        """Returns the variable of a parameter."""
        return self[label].parameters[position].variable

    def parameters(self, label: int) -> list[tuple[str, int, int]]:
        """Returns the name, kind and variable of each parameter."""
        return [parameter[:3] for parameter in self[label].parameters]

    def arguments(self, label: int) -> tuple[tuple[int, ...], tuple[int, int]]:
        """Returns `returned_parameters` and `variadic_sites`."""
        function = self[label]
        return function.returned_parameters, function.variadic_sites

    def annotations(self, label: int) -> list[tuple[int, Annotation]]:
        """Returns the variables of the result (of a function that is no generator) and of single arguments, with their annotations."""
        function = self[label]
        found = [(p.variable, p.annotation) for p in function.parameters if p.annotation and p.kind not in VARIADIC]
        if function.result_annotation and not function.yielded:
            found.append((function.returned, function.result_annotation))
        return found

    def annotation(self, label: int, position: int) -> Annotation | None:
        """Returns the annotation of a parameter; of the result for position -1."""
        function = self[label]
        return function.result_annotation if position < 0 else function.parameters[position].annotation

    def all_returned(self) -> list[int]:
        """Tells what `returned` is of each function."""
        return [function.returned for function in self if function is not None]


class Classes(Definitions):
    """The classes of a file, and what is asked of one."""

    def is_derived(self, label: int) -> bool:
        """Tells whether there are bases or a metaclass."""
        return bool(self[label].bases or self[label].metaclass)

    def caller(self, label: int) -> int:
        """Return the definition around a class."""
        return self[label].caller

    def bases(self, label: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Return the bases: of each a variable and dotted names."""
        return self[label].bases

    def plain(self, label: int) -> dict[str, int]:
        """Return the functions of a class that no decorator has changed, by their names."""
        return self[label].plain


class Imports(list):
    """The import statements of a file."""

    def stars(self) -> list[ImportFacts]:
        """Returns the star imports."""
        return [statement for statement in self if statement.name == "*"]


@dataclass(slots=True)
class PythonFacts:
    """The data-flow program of one file.

    `operations` holds four integers per operation (variable, code, a, b), sorted by variable; `starts[v]` is where variable v's begin. `seeds` lists the
    values that variables start with. `origins` tells what single thing a variable names: ("class", i), ("function", i), ("import", i),
    ("attribute", definition), ("phi", variables). `typed` lists what annotations say of other variables than parameters and results:
    (-1, "", variable, annotation), or (class, attribute, 0, annotation), or (class, "", 0, base with arguments); (-2, "", variable, annotation) is a module's name for a type. `wrappers` lists
    (function, function around it, parameter of that, variable called): functions that return what the parameter returns, called as they are themselves.
    `makers` lists (function, parameter): functions that return what they get by calling the parameter. `handed_out` are the definitions, as in `origins`, that functions of the file may return;
    ("decorator", i) a function that another one returns only where it is not given what it calls the function with else, ("options", i) that other one; ("super", i)
    a method that returns what `super()` gives for a call of its own name.
    The last item of each of `calls` is its mode: 0, DECORATES, DECORATES_AS_MADE or FORWARDS (the call of a wrapper). Once the file is read,
    `program` takes the place of the fields that only running it needs (program.py): names, operations, starts, seeds, loads, items, calls, sites.
    `lazy` are the names among `exports` that the module's `__getattr__` answers. `references` holds two numbers each, the caller and the variable.
    """

    names: list[str] = field(default_factory=list)
    operations: array = field(default_factory=lambda: array("i"))
    starts: array = field(default_factory=lambda: array("i"))
    variables: int = 1
    seeds: list[tuple] = field(default_factory=list)
    loads: list[tuple] = field(default_factory=list)
    items: list[tuple] = field(default_factory=list)
    calls: list[tuple] = field(default_factory=list)
    functions: Functions = field(default_factory=Functions)
    classes: Classes = field(default_factory=Classes)
    imports: Imports = field(default_factory=Imports)
    sites: list[tuple] = field(default_factory=list)
    origins: dict[int, tuple] = field(default_factory=dict)
    exports: dict[str, int] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    public: list[str] | None = None
    lazy: Collection[str] = frozenset()
    references: array = field(default_factory=lambda: array("i"))
    decorated: list[tuple] = field(default_factory=list)
    typed: list[tuple] = field(default_factory=list)
    wrappers: list[tuple] = field(default_factory=list)
    makers: list[tuple[int, int]] = field(default_factory=list)
    handed_out: Collection[tuple[str, int]] = frozenset()
    wanted: Collection[int] = frozenset()
    program: bytes = b""

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """Names that come from another process become the same objects over all files."""
        for name, value in state[1].items():
            setattr(self, name, value)
        self.exports = {intern(name): variable for name, variable in self.exports.items()}
        if self.public is not None:
            self.public = [intern(name) for name in self.public]
