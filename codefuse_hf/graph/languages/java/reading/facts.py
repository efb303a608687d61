"""What the Java front end notes of one file (`Facts`): tuples of text and numbers, so that they can be pickled.

Types are kept as written, in a normal form: `java.util.Map<K,List<V>>[]`, wildcards
by their bound (`? super T` is `T`, `?` alone is `?`), annotations left out. They are looked up in an *environment*, the
inside of a class or of a method; environment 0 is the file.

The code of a method is a flat list of instructions in the order of evaluation; an operand is the index of the instruction
that makes the value, -1 for none. Flat lists keep deep nesting away from the recursion limit of everything that follows.
Local variables are resolved while reading: they are *slots*, numbered per file.
"""

from __future__ import annotations

from typing import NamedTuple

# Kinds of imports.
IMPORT_TYPE, IMPORT_PACKAGE, IMPORT_STATIC, IMPORT_STATIC_ALL = range(4)

# Flags of classes, methods and fields.
STATIC, ABSTRACT, FINAL, PRIVATE, DEFAULT, VOLATILE, MOCKED, INJECTED = 1, 2, 4, 8, 16, 32, 64, 128

# Instructions: (operation, operands …).
(
    LOCAL,  # slot
    NAME,  # name: a field, a type or a package
    SELECT,  # value, name
    THIS,
    OUTER_THIS,  # type: Outer.this
    CALL,  # receiver, name, arguments
    SUPER_CALL,  # type of Type.super.name() or None, name, arguments
    NEW,  # type, arguments, anonymous class or -1, outer instance
    CHAIN,  # "this" or "super", arguments, outer instance: a constructor that calls another one
    LITERAL,  # type
    CAST,  # type, value
    BINARY,  # operator, left, right
    SAME,  # value: parentheses, signs, increments
    JOIN,  # values: one of them
    INDEX,  # array
    ARRAY,  # type, elements
    SET,  # slot, value
    ASSIGN,  # target, value
    INIT_FIELD,  # field, value
    EACH,  # slot, iterable
    CLOSE,  # value: the end of a try with resources
    RETURN,  # value
    LAMBDA,  # body
    REFERENCE,  # value or -1, type or None, name
    CLASS_LITERAL,  # type
    CASE,  # selector, name of an enum constant
    MATCH,  # slot, value: a pattern variable without a type of its own
) = range(27)


class ClassFacts(NamedTuple):
    """A class, interface, enum, record or annotation; `name` is empty for an anonymous one.

    `environment` is the one inside; `outer` is the class around it, -1 at the top of the file. `components` are the types
    of a record's components. `member` is false for local and anonymous classes.
    """

    definition: int
    name: str
    kind: str
    flags: int
    outer: int
    environment: int
    type_parameters: tuple
    superclass: str | None
    interfaces: tuple
    member: bool
    components: tuple | None


class MethodFacts(NamedTuple):
    """A method, or a constructor (named `<init>`); `parameters` are types, the last one an array if `variadic`."""

    definition: int
    owner: int
    name: str
    parameters: tuple
    variadic: bool
    result: str | None
    flags: int
    environment: int
    body: int


class FieldFacts(NamedTuple):
    """A field, enum constant or record component."""

    definition: int
    owner: int
    name: str
    type: str
    flags: int


class BodyFacts(NamedTuple):
    """Code: of a method, a lambda, or all initializers of a class.

    `caller` is the definition that its calls start from. For a lambda `shape` says whether its body is an expression
    ("expression"), a block that returns a value ("value"), one that only throws ("throws") or any other block ("void").
    """

    caller: int
    owner: int
    environment: int
    parameters: tuple
    shape: str
    code: list


class SlotFacts(NamedTuple):
    """A local variable or parameter: its type (None when inferred), and whether it is assigned exactly once."""

    type: str | None
    environment: int
    single: bool


class EnvironmentFacts(NamedTuple):
    """Where names are looked up: the inside of the class `inside`, or with -1 of a method, which has type parameters and local classes."""

    parent: int
    inside: int
    type_parameters: tuple = ()
    local_classes: dict[str, int] | None = None


class Facts(NamedTuple):
    """All of a file's facts.

    `imports` are `(kind, name)`, `mentions` are types that code names: `(definition, environment, type)`.
    """

    imports: list[tuple[int, str]]
    classes: list[ClassFacts]
    methods: list[MethodFacts]
    fields: list[FieldFacts]
    bodies: list[BodyFacts]
    slots: list[SlotFacts]
    environments: list[EnvironmentFacts]
    mentions: list[tuple[int, int, str]]
