"""What annotations mean across files: types as plain data, and whether a value may be of a type.

A type is None (nothing is known), or one of

    ("instance", file, class)   ("class", file, class)      an instance of a class of the project; the class itself, or a subclass
    ("external", name)          an instance of a class outside the project
    ("list", item)              a list, set, iterable, … of items
    ("dict", key, value)        ("tuple", items …)
    ("call", result)            something to call
    ("union", types …)          ("nothing",): None and literals
    ("not", type)               anything that is no instance of these classes
"""

from __future__ import annotations

import builtins
from typing import Any

from codefuse_hf.graph.languages.python.names.modules import Entity
from codefuse_hf.graph.languages.python.names.names import Names

Type = tuple | None

_MAX_DEPTH = 8
"""Nesting of types, and aliases of aliases, that are followed."""

_SEQUENCES = frozenset(
    [
        "list",
        "List",
        "set",
        "Set",
        "frozenset",
        "FrozenSet",
        "deque",
        "Deque",
        "Sequence",
        "MutableSequence",
        "Iterable",
        "Iterator",
        "Collection",
        "AbstractSet",
        "MutableSet",
        "Reversible",
        "Container",
        "Generator",
        "AsyncIterable",
        "AsyncIterator",
        "AsyncGenerator",
        "KeysView",
        "ValuesView",
    ]
)
_MAPPINGS = frozenset(
    ["dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict", "ItemsView"]
)
BOXES = frozenset(
    (
        "contextvars.ContextVar", "queue.Queue", "queue.LifoQueue", "queue.PriorityQueue", "queue.SimpleQueue", "asyncio.Queue", "asyncio.LifoQueue",
        "asyncio.PriorityQueue", "multiprocessing.Queue", "multiprocessing.JoinableQueue", "multiprocessing.SimpleQueue",
    )
)  # fmt: skip
"""Classes that hold values of one type: `get` yields what `set` or `put` was given."""
_BOX_NAMES = frozenset(each.rpartition(".")[2] for each in BOXES)
_WRAPPERS = frozenset(["Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "InitVar"])
_CONCRETE = frozenset(
    [
        "list",
        "set",
        "frozenset",
        "dict",
        "tuple",
        "str",
        "bytes",
        "int",
        "float",
        "bool",
        "complex",
        "bytearray",
        "range",
        "slice",
    ]
)
"""Built-in classes: only what inherits from them is of such a type, and nothing of it is called."""
_BELOW = {
    **dict.fromkeys(("OrderedDict", "defaultdict", "Counter"), ("dict",)), **dict.fromkeys(("IntEnum", "IntFlag"), ("int", "Enum")),
    "StrEnum": ("str", "Enum"), "Flag": ("Enum",), "NamedTuple": ("tuple",), "namedtuple": ("tuple",),
}  # fmt: skip
"""Classes of the standard library, and what else they are."""
_STRUCTURAL = frozenset(
    ["Any", "object", "Hashable", "Sized", "Protocol", "TypeVar", "ParamSpec", "Self", "Never", "NoReturn", "LiteralString", "Type", "type", "Callable", "Awaitable", "Coroutine", "ContextManager", "AsyncContextManager", "AbstractContextManager", "AbstractAsyncContextManager", "IO", "TextIO", "BinaryIO", "SupportsInt", "SupportsFloat", "SupportsIndex", "SupportsAbs", "Concatenate", "Unpack", "TypeAlias", "Buffer", "PathLike", "ParamSpecArgs", "ParamSpecKwargs", "Mock", "MagicMock"]
) | (_SEQUENCES - _CONCRETE) | (_MAPPINGS - _CONCRETE)  # fmt: skip
"""Types that a class need not inherit from to be one."""


class TypeReader:
    """Reads annotations of a file; `slots` numbers the files."""

    def __init__(self, names: Names, slots: dict[str, int]):
        self.names, self.slots = names, slots

    def read(self, path: str, annotation: tuple[int, tuple]) -> Type:
        """Returns the type that an annotation (facts.py: `Annotation`) of the file `path` names."""
        return self._tree(path, tree_of(annotation), 0)

    def _tree(self, path: str, tree: tuple | None, depth: int) -> Type:
        if tree is None or depth > _MAX_DEPTH:
            return None
        kind = tree[0]
        if kind == "name":
            return self._name(path, tree, depth)
        if kind == "generic":
            return self._generic(path, tree, depth + 1)
        if kind == "union":
            return _union([self._tree(path, part, depth + 1) for part in tree[1:]])
        if kind == "var":
            return _union([self._tree(path, part, depth + 1) for part in tree[2:]])
        if kind == "not":
            return "not", self._tree(path, tree[1], depth + 1)
        return tree if kind == "nothing" else None

    def _name(self, path: str, tree: tuple, depth: int) -> Type:
        found = self.names.path_entities(path, tree[1:])
        if not found or any(entity.kind == "attribute" for entity in found):
            held = self._alias(path, tree[1], tree[2], 0)
            if held is None:
                return None
            return self._tree(held[0], tree_of(held[1]), depth + 1)
        return _union([self._entity(entity) for entity in found])

    def _entity(self, entity: Entity) -> Type:
        if entity.kind == "class":
            return "instance", self.slots[entity.place], entity.index
        if entity.kind == "external":
            last = entity.place.rpartition(".")[2]
            if last in ("None", "NoneType"):
                return ("nothing",)
            if last in _STRUCTURAL or last in _WRAPPERS or last.endswith(("Like", "_T", "Type")) or _is_nothing(entity):
                return None
            return "external", last
        return None

    def type_variable(self, path: str, tree: tuple | None) -> tuple[str, str] | None:
        """Returns the type variable that a tree names: where it is made, and its name."""
        if tree is None or tree[0] != "name" or tree[2]:
            return None
        found = self.names.path_entities(path, tree[1:])
        if found and all(_is_nothing(entity) for entity in found):
            return path, found[0].place  # of the function itself: `def f[T](…)`
        if found and all(entity.kind != "attribute" for entity in found):
            return None
        held = self._alias(path, tree[1], (), 0)
        if held is None or held[1][0] or held[1][1][0] != "var":
            return None
        return held[0], held[1][1][1]

    def variables(self, path: str, annotation: tuple) -> list[tuple[str, tuple[str, str] | None]]:
        """Returns the type variables of an annotation's parts (`None` is no part), each with its form: "" for the thing itself, "type" for its
        class, "list" for a sequence of such, "call" for a function that yields it, "other" for whatever else; None for a part without one."""
        tree = tree_of(annotation)
        found: list[tuple[str, tuple[str, str] | None]] = []
        for part in tree[1:] if tree is not None and tree[0] == "union" else (tree,):
            if part is not None and part[0] == "generic":
                form, inner = self._form(path, part)
                found += [(form, self.type_variable(path, each)) for each in inner]
            elif part is None or part[0] != "nothing":
                found.append(("", self.type_variable(path, part)))
        return found

    def _form(self, path: str, tree: tuple) -> tuple[str, list[tuple | None]]:
        """What a generic type is of its arguments, and which of them it is made of."""
        head = self.names.path_entities(path, tree[1][1:]) if tree[1][0] == "name" else ()
        name = head[0].place.rpartition(".")[2] if head and head[0].kind == "external" else ""
        if name in ("type", "Type"):
            return "type", [tree[2]]
        if name in ("Optional", "Awaitable", "Coroutine"):
            return "", [tree[-1]]
        if name in _SEQUENCES or (name in ("tuple", "Tuple") and tree[3:] == (("...",),)):
            return "list", [tree[2]]
        if name == "Callable":
            inner = tree[-1]
            plain = self._form(path, inner) if inner is not None and inner[0] == "generic" else ("", [inner])
            return "call", plain[1] if plain[0] == "" else [None]
        return "other", _names_in(tree)

    def _alias(self, path: str, variable: int, rest: tuple, depth: int) -> tuple[str, tuple] | None:
        """The file and annotation that an alias stands for."""
        facts = self.names.facts[path]
        if depth > _MAX_DEPTH:
            return None
        if rest:
            modules = [e for e in self.names.path_entities(path, (variable, rest[:-1])) if e.kind == "module"]
            held = self.names.export(modules[0].place, rest[-1]) if modules else None
            return None if held is None else self._alias(*held, (), depth + 1)
        for owner, _, each, annotation in facts.typed:
            if owner == -2 and each == variable:
                return path, annotation
        origin = facts.origins.get(variable)
        if origin is None:
            return None
        if origin[0] == "phi" and len(origin[1]) == 1:
            return self._alias(path, origin[1][0], (), depth + 1)
        if origin[0] == "import":
            statement = facts.imports[origin[1]]
            module = self.names.module_of(path, statement)
            if module is not None and module.kind == "module" and statement.name is not None:
                held = self.names.export(module.place, statement.name)
                return None if held is None else self._alias(*held, (), depth + 1)
        return None

    def _generic(self, path: str, tree: tuple, depth: int) -> Type:
        head = tree[1]
        found = self.names.path_entities(path, head[1:]) if head[0] == "name" else ()
        if not found:
            return None
        entity, inner = found[0], tree[2:]
        if entity.kind == "class":
            return "instance", self.slots[entity.place], entity.index
        if entity.kind != "external":
            return None
        last = entity.place.rpartition(".")[2]

        def part(number: int) -> Type:
            return self._tree(path, inner[number], depth) if number < len(inner) else None

        if last == "Optional":
            return _union([part(0), ("nothing",)])
        if last == "Union":
            return _union([self._tree(path, each, depth) for each in inner])
        if last in _WRAPPERS:
            return part(0)
        if last in _SEQUENCES or last in _BOX_NAMES:
            return "list", part(0), last
        if last in _MAPPINGS:
            return "dict", part(0), part(1), last
        if last in ("tuple", "Tuple"):
            if len(inner) == 2 and inner[1] == ("...",):
                return "list", part(0), "tuple"
            return "tuple", *[self._tree(path, each, depth) for each in inner]
        if last in ("type", "Type"):
            classes = [("class", *each[1:]) if each and each[0] == "instance" else None for each in parts(part(0))]
            return _union(classes)
        if last == "Callable":
            return "call", part(1)
        if last in ("Awaitable", "Coroutine"):
            return part(len(inner) - 1)
        return None if last in _STRUCTURAL or last.endswith(("Like", "Type")) else ("external", last)


def _names_in(tree: tuple | None) -> list[tuple]:
    """The names that stand in a tree."""
    if tree is None or tree[0] not in ("generic", "union"):
        return [tree] if tree is not None and tree[0] == "name" else []
    return [name for part in tree[1:] for name in _names_in(part)]


def _is_nothing(entity: Entity) -> bool:
    """Whether a name is bound nowhere: a function's own type variable is not."""
    first, _, name = entity.place.partition(".") if entity.kind == "external" else ("", "", "")
    return first == "builtins" and not hasattr(builtins, name)


def tree_of(annotation: tuple) -> tuple | None:
    """Returns the tree of an annotation (facts.py)."""
    root, rest = annotation
    return ("name", root, rest) if root else rest


def _union(types: list[Type]) -> Type:
    flat = list(dict.fromkeys(part for each in types for part in parts(each)))
    return flat[0] if len(flat) == 1 else ("union", *flat) if flat else None


def parts(type_: Type) -> tuple:
    """Returns the types of a union, or the one type."""
    return type_[1:] if type_ is not None and type_[0] == "union" else (type_,)


def callable_fits(type_: Type) -> bool:
    """Tells whether a function may be of a type."""
    return any(
        each is None or each[0] in ("call", "class") or (each[0] == "external" and each[1] not in _CONCRETE)
        for each in parts(type_)
    )


def names_fit(wanted: str, bases: Any) -> bool:
    """Tells whether a class with these external bases is of the external type `wanted`."""
    return any(_is_below(base.rpartition(".")[2], wanted) for base in bases)


def _is_below(name: str, wanted: str) -> bool:
    if name == wanted or wanted in _BELOW.get(name, ()):
        return True
    below, above = getattr(builtins, name, None), getattr(builtins, wanted, None)
    return isinstance(below, type) and isinstance(above, type) and issubclass(below, above)


def head_of(type_: tuple) -> str:
    """Returns the class outside the project of which the values of a type are instances."""
    kind = type_[0]
    return kind if kind == "tuple" else type_[-1] if kind in ("list", "dict", "external") else ""


def is_concrete(name: str) -> bool:
    """Tells whether a name is that of a built-in class of which nothing of the project is called."""
    return name in _CONCRETE


def is_structural(name: str) -> bool:
    """Tells whether a class need not inherit from `name` to be one."""
    return name in _STRUCTURAL


def says_something(type_: Type) -> bool:
    """Tells whether values of the project can be told from a type."""
    return any(each is not None and each[0] not in ("external", "nothing") for each in parts(type_))
