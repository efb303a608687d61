"""What Python's own containers, iteration protocols and built-in functions do with values, as far as calls depend on it.

One table of built-in behaviour, a method each, so that it is longer than most files here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages.python.flow.annotations import BOXES
from codefuse_hf.graph.languages.python.flow.calls import Calls
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.values import (
    NO_ARGUMENTS,
    Arguments,
    Kind,
    arguments_of,
    call_back,
    variables_as_arguments,
)
from codefuse_hf.graph.languages.python.reading.facts import Constant

MAX_PREFIXED = 64
MAX_FIELDS = 24
"""Items of a container that are told apart, beside those that its display names; the others are in its rest. Long tables that are joined and
copied time and again would otherwise cost time and memory in their lengths, each time."""

_SPECIAL_METHODS = {
    "str": "__str__", "repr": "__repr__", "len": "__len__", "bool": "__bool__", "hash": "__hash__", "int": "__int__", "float": "__float__",
    "abs": "__abs__", "format": "__format__", "print": "__str__", "bytes": "__bytes__", "complex": "__complex__", "round": "__round__", "dir": "__dir__",
    "divmod": "__divmod__", "copy.copy": "__copy__", "copy.deepcopy": "__deepcopy__", "operator.index": "__index__",
}  # fmt: skip
_ELEMENTS = frozenset(
    {
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "reversed",
        "iter",
        "collections.deque",
        "itertools.islice",
        "itertools.cycle",
        "aiter",
    }
)
_PASS_THROUGH = frozenset(
    {
        "functools.lru_cache()", "functools.cache", "contextlib.contextmanager", "contextlib.asynccontextmanager", "abc.abstractmethod", "functools.wraps()",
        "functools.singledispatch", "functools.total_ordering", "dataclasses.dataclass", "typing.final", "typing.runtime_checkable", "typing.no_type_check",
        "copy.copy", "copy.deepcopy", "functools.update_wrapper", "typing.cast", "contextlib.closing", "types.MappingProxyType", "weakref.proxy",
        "asyncio.coroutine", "enum.unique", "asyncio.create_task", "asyncio.ensure_future", "asyncio.run", "asyncio.gather",
    }
)  # fmt: skip
_FIXTURES = frozenset(("pytest.fixture", "pytest_asyncio.fixture", "fixture()"))
_CALLBACKS = {
    "threading.Thread": (1, "target", "args", "kwargs"), "multiprocessing.Process": (1, "target", "args", "kwargs"),
    "threading.Timer": (1, "function", "args", "kwargs"), "signal.signal": (1, "handler", None, None), "weakref.finalize": (1, "func", None, None),
    "asyncio.to_thread": (0, "func", None, None), "atexit.register": (0, "func", None, None), "Pool.apply": (0, "func", "args", "kwds"),
    "Pool.apply_async": (0, "func", "args", "kwds"), "Executor.submit": (0, "fn", None, None), "pytest.raises": (1, "func", None, None),
}  # fmt: skip
"""Functions that call another one: the place and name of that argument, and of its arguments as a sequence and a dictionary; None: they follow it."""
_POOLS = {
    **dict.fromkeys(("concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor"), "Executor"),
    **dict.fromkeys(("multiprocessing.Pool", "multiprocessing.pool.Pool", "multiprocessing.pool.ThreadPool"), "Pool"),
}
_MAPS = frozenset(("Executor.map", "Pool.map", "Pool.imap", "Pool.imap_unordered", "Pool.map_async"))
_STARMAPS = frozenset(("Pool.starmap", "Pool.starmap_async"))


def _plain_key(key: Any) -> Any:
    """A key in the form in which equal keys look alike: 1 for True and 1.0."""
    kind = type(key)
    return int(key) if kind is bool or (kind is float and key.is_integer()) else key


class Builtins(Calls):
    """Mixin of `Solver`: containers, iteration and built-in functions."""

    builtin_names = frozenset(
        {
            "map", "filter", "sorted", "min", "max", "list", "tuple", "set", "frozenset", "dict", "iter", "next", "enumerate", "zip", "reversed", "sum",
            "any", "all", "getattr", "setattr", "hasattr", "type", "super", "property", "staticmethod", "classmethod", "globals", "vars", "locals",
            "object", "__import__", "aiter", "anext", "object.__new__", "type.__new__", "dict.fromkeys", "chain.from_iterable", *_SPECIAL_METHODS,
        }
    )  # fmt: skip
    external_names = frozenset(
        {
            "functools", "functools.partial", "functools.partialmethod", "functools.reduce", "functools.wraps", "functools.lru_cache",
            "functools.cached_property", "itertools", "itertools.chain", "itertools.starmap", "itertools.product", "itertools.islice", "itertools.cycle",
            "collections", "collections.defaultdict", "collections.OrderedDict", "collections.deque", "contextlib", "abc", "abc.abstractproperty", "typing",
            "dataclasses", "copy", "types", "weakref", "asyncio", "enum", "operator", "operator.index", "threading", "multiprocessing", "importlib",
            "importlib.import_module", "pytest", "pytest.fixture", "pytest_asyncio", "pytest_asyncio.fixture", "six", "six.moves", "concurrent", "concurrent.futures", "atexit", "signal",
            "multiprocessing.pool", *_POOLS, *_POOLS.values(), *_MAPS, *_STARMAPS, "builtins", "weakref.ref",
            "contextvars", "queue", *BOXES, "weakref.WeakMethod",
            *(n.removesuffix("()") for n in _PASS_THROUGH), *_CALLBACKS,
        }
    )  # fmt: skip

    # -- containers --------------------------------------------------------------------------------------------------------------

    def site_of(self, value: int) -> tuple:
        """Returns what is known of a container: (kind, fields, rest, keys, length)."""
        site = self.second[value]
        if site.__class__ is tuple:
            return site[1], {}, 0, 0, site[2]
        slot = self.first[value]
        return self.program.sites[site] if slot == self.slot else self.ask(Structure.site, slot, site)

    def static_site(self, site: Any) -> tuple:
        """Returns the same of a container of this file by its number."""
        return ("", {}, 0, 0, -1) if site.__class__ is tuple else self.program.sites[site]

    def new_site(self, key: Any, kind: str, length: int = -1) -> int:
        """Makes the container that a call at `key` makes, once."""
        sites = self.state.sites
        known = sites.get(key)
        if known is None:
            known = sites[key] = self.value(Kind.OBJECT, self.slot, (len(sites), kind, length))
        return known

    def fields_of(self, value: int) -> dict[Any, int]:
        """Returns the known items of a container: key to variable."""
        fields = {key: self.field(value, key) for key in self.site_of(value)[1]}
        fields.update(self.state.site_fields.get(value, ()))
        return fields

    def field(self, value: int, key: Any) -> int:
        """Returns the variable of item `key`."""
        if type(key) is not str:
            key = _plain_key(key)
        slot, site = self.first[value], self.second[value]
        if slot == self.slot and site.__class__ is not tuple:
            known = self.program.sites[site][1].get(key)
            if known:
                return known
        fields = self.state.site_fields.get(value, ())
        if len(fields) >= MAX_FIELDS and key not in fields:
            return self.rest(value)
        return self.shared(slot, "field", site, key)

    def follow_field(self, variable: int, site: Any, key: Any) -> None:
        """Tells those who watch a container of this file of an item that has come into being."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.state.site_fields.setdefault(value, {})[key] = variable
        for watcher in list(self.state.watchers.get(value, ())):
            self._inform(watcher, key, variable)
        for receiver, fields in self.state.site_watchers.get(value, ()):
            self.send(receiver, fields, self.constant(key))

    def watch(self, value: int, watcher: tuple) -> None:
        """Lets every item of a container, known now or later, flow where `watcher` says."""
        watchers = self.state.watchers.setdefault(value, [])
        if watcher in watchers:
            return
        watchers.append(watcher)
        if self.first[value] != self.slot:
            self.follow_table(self.shared(self.first[value], "fields", self.second[value]))
        if watcher[0] == "fields" and len(self.site_of(value)[1]) > MAX_FIELDS:
            self.flow(self.all_items(value), self.rest(watcher[1]))
            return
        for key, variable in list(self.fields_of(value).items()):
            self._inform(watcher, key, variable)

    def watch_from(self, sender: int, fields: int, site: Any) -> None:
        """Tells another file of each item of a container of this one, now or later."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.state.site_watchers.setdefault(value, []).append((sender, fields))
        for key in self.state.site_fields.get(value, ()):
            self.send(sender, fields, self.constant(key))

    def note_field(self, owner: int, site: Any, key: int) -> None:
        """Takes in a new item of another file's container, which is watched here."""
        value, name = self.value(Kind.OBJECT, owner, site), self.first[key]
        known = self.state.site_fields.setdefault(value, {})
        if name not in known:
            known[name] = self.field(value, name)
            for watcher in list(self.state.watchers.get(value, ())):
                self._inform(watcher, name, known[name])

    def _inform(self, watcher: tuple, key: Any, variable: int) -> None:
        if watcher[0] == "all":
            self.flow(variable, watcher[1])
        elif watcher[0] == "fields" and key not in watcher[2]:
            self.flow(variable, self.field(watcher[1], key))

    def rest(self, value: int) -> int:
        """Returns the variable of items at unknown keys."""
        return self.shared(self.first[value], "rest", self.second[value])

    def keys(self, value: int) -> int:
        """Returns the variable of a dictionary's keys."""
        return self.shared(self.first[value], "keys", self.second[value])

    def all_items(self, value: int) -> int:
        """Returns the variable of all items."""
        return self.shared(self.first[value], "all", self.second[value])

    def follow_all(self, variable: int, site: Any) -> None:
        """Lets all items of a container, now or later, reach a variable."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.flow(self.rest(value), variable)
        self.watch(value, ("all", variable))

    def get_item(self, place: tuple, caller: int, value: int, key: Any, target: int) -> None:
        """Lets `value[key]` reach `target`."""
        kind = self.kinds[value]
        if kind == Kind.OBJECT:
            self._get_from_object(place, caller, value, key, target)
        elif kind == Kind.INSTANCE:
            arguments = arguments_of(key)
            self.call_method(place, caller, value, "__getitem__", arguments, target)
        elif kind == Kind.CLASS:
            if self.find_member(self.first[value], self.second[value], "__class_getitem__") is not None:
                self.member_of_class(
                    place,
                    caller,
                    (self.first[value], self.second[value]),
                    "__class_getitem__",
                    value,
                    arguments_of(key),
                    target,
                )
            else:
                meta = self.metaclass(self.first[value], self.second[value])
                if meta is not None and self.find_member(*meta, "__getitem__") is not None:
                    self.member_of_class(place, caller, meta, "__getitem__", value, arguments_of(key), target)
                elif self.ask(Structure.is_enum, self.first[value], self.second[value]):
                    self.add(target, self.value(Kind.INSTANCE, self.first[value], self.second[value]))
                elif meta is None:
                    self.add(target, value)  # Generic[T]
        elif kind == Kind.NAMESPACE and isinstance(key, Constant) and isinstance(key.value, str):
            self._from_namespace(value, key.value, target)
        elif kind == Kind.NAMESPACE and type(key) is int and key:
            self.on(key, ("get_global", value, target))

    def get_global(self, key: int, namespace: int, target: int) -> None:
        """Lets `globals()[key]` reach `target`."""
        if self.kinds[key] == Kind.CONSTANT:
            self._from_namespace(namespace, self.first[key], target)

    def _from_namespace(self, value: int, name: Any, target: int) -> None:
        self.flow(self._in_namespace(value, "attribute", name), target)

    def _in_namespace(self, value: int, kind: str, name: Any) -> int:
        """The variable of an entry: an attribute of the instance, or a module's `attribute`, which is stored as its `global`."""
        if self.first[value] < 0:
            return self.instance_variable(self.second[value], name)
        return self.shared(self.first[value], kind, name)

    def _get_from_object(self, place: tuple, caller: int, value: int, key: Any, target: int) -> None:
        kind, _, _, _, length = self.site_of(value)
        if isinstance(key, Constant):
            number = key.value
            if type(number) is int and number < 0 and kind in ("list", "tuple"):
                if length < 0:
                    self.flow(self.all_items(value), target)
                    return
                number += length
            self.flow(self.field(value, number), target)
            self.flow(self.rest(value), target)
        elif isinstance(key, tuple):
            self.add(target, self._slice(place, value, key[1:]))
        elif type(key) is int and key:
            self._with_keys(key, "get_by_key", "get_any", place, caller, value, target)
        else:
            self.flow(self.all_items(value), target)

    def get_by_key(self, key: int, place: tuple, caller: int, value: int, target: int) -> None:
        """Lets `value[key]` reach `target`, for a key that is a literal."""
        if self.kinds[key] == Kind.CONSTANT:
            self._get_from_object(place, caller, value, Constant(self.first[key]), target)

    def get_any(self, place: tuple, caller: int, value: int, target: int) -> None:
        """Lets `value[key]` reach `target` for an unknown key."""
        self.flow(self.all_items(value), target)

    def _with_keys(self, key: int, known: str, unknown: str, *arguments: Any) -> None:
        """Takes step `known` with each literal that a key may be; when there is none at the end of a phase, does `unknown`."""
        self.on(key, (known, *arguments))
        if not self._has_constant(key):
            self.later.append(("key", "without_keys", (key, unknown, arguments)))

    def without_keys(self, key: int, unknown: str, arguments: tuple) -> None:
        """Takes the step for unknown keys, where `_with_keys` has met no literal."""
        if not self._has_constant(key):
            getattr(self, unknown)(*arguments)

    def _has_constant(self, variable: int) -> bool:
        return any(self.kinds[value] == Kind.CONSTANT for value in self.held(variable))

    def _slice(self, place: tuple, value: int, bounds: tuple) -> int:
        """A new sequence with the items of a slice; exact when the bounds and the length are known."""
        kind, _, _, _, length = self.site_of(value)
        kind = kind if kind in ("list", "tuple") else "list"
        result = self.new_site((*place, "slice", kind), kind)
        if "?" in bounds or length < 0:
            self.flow(self.all_items(value), self.rest(result))
            return result
        if length > MAX_FIELDS:
            self.flow(self.all_items(value), self.rest(result))
            return result
        try:
            chosen = range(length)[slice(*bounds)]
        except (ValueError, TypeError):
            chosen = range(length)
        for index, source in enumerate(chosen):
            if source in self.fields_of(value):
                self.flow(self.field(value, source), self.field(result, index))
        self.flow(self.rest(value), self.rest(result))
        return result

    def set_item(self, place: tuple, caller: int, value: int, key: Any, source: int) -> None:
        """Runs `value[key] = source`."""
        kind = self.kinds[value]
        if kind == Kind.OBJECT:
            self._set_in_object(value, key, source)
        elif kind == Kind.INSTANCE:
            arguments = arguments_of(key, source)
            self.call_method(place, caller, value, "__setitem__", arguments, self.new(("ignored", "__setitem__")))
        elif kind == Kind.NAMESPACE and isinstance(key, Constant):
            self.give(source, self._in_namespace(value, "global", key.value))

    def _set_in_object(self, value: int, key: Any, source: int) -> None:
        kind, _, _, _, length = self.site_of(value)
        if isinstance(key, Constant):
            number = key.value
            if type(number) is int and number < 0 and kind == "list":
                if length < 0:
                    self.flow(source, self.rest(value))
                    return
                number += length
            if source:
                self.flow(source, self.field(value, number))
        elif isinstance(key, tuple):
            self.on(source, ("take_items", self.rest(value)))
        elif type(key) is int and key:
            self.flow(key, self.keys(value))
            self._with_keys(key, "set_by_key", "set_any", value, source)
        elif source:
            self.flow(source, self.rest(value))

    def set_by_key(self, key: int, value: int, source: int) -> None:
        """Runs `value[key] = source`, for a key that is a literal."""
        if self.kinds[key] == Kind.CONSTANT:
            self._set_in_object(value, Constant(self.first[key]), source)

    def set_any(self, value: int, source: int) -> None:
        """Runs `value[key] = source` for an unknown key."""
        self.flow(source, self.rest(value))

    def take_items(self, value: int, target: int) -> None:
        """Lets all items of a container reach `target`."""
        if self.kinds[value] == Kind.OBJECT:
            self.flow(self.all_items(value), target)

    # -- iteration -------------------------------------------------------------------------------------------------------------------

    def elements_of(self, value: int) -> int | None:
        """Returns the variable of what iterating over a container or generator yields; None for anything else."""
        kind = self.kinds[value]
        if kind == Kind.OBJECT:
            return self.keys(value) if self.site_of(value)[0] == "dict" else self.all_items(value)
        if kind == Kind.GENERATOR:
            slot, function = self.first[value], self.second[value]
            if slot == self.slot:
                return self.facts.functions.yielded(function)
            return self.shared(slot, "yielded", function)
        return None

    def iterate(self, caller: int, value: int, target: int) -> None:
        """Runs `for target in value`."""
        elements = self.elements_of(value)
        if elements is not None:
            self.flow(elements, target)
            return
        kind = self.kinds[value]
        if kind == Kind.INSTANCE:
            where = self.first[value], self.second[value]
            for start in ("__iter__", "__aiter__"):
                if self.find_member(*where, start) is not None:
                    iterator = self.new((start, caller, value, target))
                    if iterator not in self.steps:
                        self.on(iterator, ("advance", caller, target))
                        self.call_method((start, caller, target), caller, value, start, NO_ARGUMENTS, iterator)
                    return
            self.call_method(("iterate", caller, target), caller, value, "__getitem__", NO_ARGUMENTS, target)
        elif kind == Kind.CLASS:
            meta = self.metaclass(self.first[value], self.second[value])
            if meta is not None and self.find_member(*meta, "__iter__") is not None:
                self.member_of_class(("iterate", caller, target), caller, meta, "__iter__", value, NO_ARGUMENTS, target)

    def take_each(self, value: int, caller: int, target: int) -> None:
        """Takes `iterate` as a step."""
        self.iterate(caller, value, target)

    def advance(self, value: int, caller: int, target: int) -> None:
        """Lets `next(value)` reach `target`."""
        if self.kinds[value] == Kind.INSTANCE:
            where = self.first[value], self.second[value]
            for step in ("__next__", "__anext__", "next"):
                if self.find_member(*where, step) is not None:
                    self.call_method((step, caller, target), caller, value, step, NO_ARGUMENTS, target)
                    return
        else:
            self.iterate(caller, value, target)

    def unpack(self, place: int, caller: int, value: int, key: tuple, target: int) -> None:
        """Assigns to one target of `a, *b, c = value`."""
        if self.kinds[value] != Kind.OBJECT or self.site_of(value)[0] not in ("list", "tuple"):
            if key[0] == "rest":
                made = self.new_site(("unpack", place), "list")
                self.add(target, made)
                target = self.rest(made)
            self.iterate(caller, value, target)
            return
        length = self.site_of(value)[4]
        if key[0] == "at":
            self.flow(self.field(value, key[1]), target)
            self.flow(self.rest(value), target)
        elif key[0] == "back":
            if length >= 0:
                self.flow(self.field(value, length - key[1] + 0), target)
                self.flow(self.rest(value), target)
            else:
                self.flow(self.all_items(value), target)
        else:
            made = self.new_site(("unpack", place), "list")
            self.add(target, made)
            if length >= 0:
                for index in range(key[1], length - key[2]):
                    self.flow(self.field(value, index), self.field(made, index - key[1]))
                self.flow(self.rest(value), self.rest(made))
            else:
                self.flow(self.all_items(value), self.rest(made))

    def enter(self, caller: int, value: int, target: int) -> None:
        """Runs `with value as target`."""
        if self.kinds[value] == Kind.INSTANCE:
            ignored = self.new(("ignored", "with"))
            for start, stop in (("__enter__", "__exit__"), ("__aenter__", "__aexit__")):
                if self.find_member(self.first[value], self.second[value], start) is not None:
                    self.call_method((start, caller, target), caller, value, start, NO_ARGUMENTS, target)
                    self.call_method((stop, caller, target), caller, value, stop, NO_ARGUMENTS, ignored)
                    return
            self.add(target, value)
        elif self.kinds[value] == Kind.GENERATOR:
            self.iterate(caller, value, target)
        else:
            self.add(target, value)

    def catch(self, value: int, target: int) -> None:
        """Runs `except value as target`."""
        if self.kinds[value] == Kind.CLASS:
            self.add(target, self.value(Kind.INSTANCE, self.first[value], self.second[value]))
        elif self.kinds[value] == Kind.OBJECT and (value, target) not in self.state.caught:
            self.state.caught.add((value, target))  # a tuple of classes; a container may hold itself
            self.on(self.all_items(value), ("catch", target))

    def operator(self, place: tuple, caller: int, value: int, method: str, right: int, target: int) -> None:
        """Runs `value ∘ right`; for sequences, `+` makes a longer one."""
        kind = self.kinds[value]
        if method.__class__ is tuple:
            if kind == Kind.CONSTANT and isinstance(self.first[value], str):
                self.add(target, self.constant(f"{method[1]}{self.first[value]}{method[2]}"))
            return
        if kind == Kind.INSTANCE:
            arguments = arguments_of(right) if right else NO_ARGUMENTS
            self.call_method((*place, method), caller, value, method, arguments, target)
        elif kind == Kind.OBJECT and method in ("__add__", "__mul__", "__or__"):
            self._combine(place, value, right if method != "__mul__" else 0, target, method)

    def _combine(self, place: tuple, left: int, right: int, target: int, method: str) -> None:
        kind, _, _, _, length = self.site_of(left)
        made = self.new_site((*place, kind), kind)
        self.add(target, made)
        if kind == "dict" or 0 <= length <= MAX_FIELDS:
            self.watch(left, ("fields", made, frozenset()))
            self.flow(self.rest(left), self.rest(made))
        if method == "__mul__" or (kind != "dict" and length < 0):
            self.flow(self.all_items(left), self.rest(made))
        if not right:
            return
        step = "append_items", kind, length if length <= MAX_FIELDS else -1, made
        if self.first_time((right, *step)):
            self.on(right, step)

    def append_items(self, value: int, kind: str, length: int, made: int) -> None:
        """Puts the right operand of `+` or `|` behind a left one of known length (or -1)."""
        if self.kinds[value] != Kind.OBJECT:
            return
        if kind == "dict":
            self.watch(value, ("fields", made, frozenset()))
            self.flow(self.rest(value), self.rest(made))
        elif length >= 0 and 0 <= self.site_of(value)[4] <= MAX_FIELDS:
            for index in range(self.site_of(value)[4]):
                self.flow(self.field(value, index), self.field(made, index + length))
            self.flow(self.rest(value), self.rest(made))
        else:
            self.flow(self.all_items(value), self.rest(made))

    # -- methods of containers -----------------------------------------------------------------------------------------------------

    def call_container_method(
        self, key: tuple, caller: int, receiver: int, name: str, arguments: Any, target: int
    ) -> None:
        """Calls a method of a container or generator: `append`, `get`, `items`, `send` and the like."""
        kind = self.kinds[receiver]
        given = [a for _, a in arguments.positional]
        first = given[0] if given else 0
        if kind == Kind.GENERATOR:
            if name in ("send", "__next__", "throw", "__anext__", "asend"):
                self.iterate(caller, receiver, target)
            elif name in ("__iter__", "__aiter__"):
                self.add(target, receiver)
        elif kind == Kind.PROPERTY:
            self._extend_property(receiver, name, first, target)
        elif kind == Kind.CLASS:
            made = self.new_site((*key, name), "list")
            for place in self.ask(Structure.subclasses, self.first[receiver], self.second[receiver]):
                self.add(self.rest(made), self.value(Kind.CLASS, *place))
            self.add(target, made)
        elif kind == Kind.NAMESPACE:
            if name == "get":
                self.get_item(key, caller, receiver, first, target)
            elif name == "update":
                for word, argument in arguments.keywords:
                    if word is not None:
                        self.give(argument, self._in_namespace(receiver, "global", word))
        elif kind == Kind.OBJECT:
            if self.site_of(receiver)[0] == "dict":
                self._dict_method(key, caller, receiver, name, given, arguments, target)
            else:
                self._list_method(key, caller, receiver, name, given, arguments, target)

    def _extend_property(self, receiver: int, name: str, function: Any, target: int) -> None:
        """`@x.setter`, `@x.getter` and `@x.deleter`."""
        if type(function) is int and function:
            self.on(function, ("extend_property", receiver, name, target))

    def extend_property(self, value: int, receiver: int, name: str, target: int) -> None:
        """Makes a property with `value` for its `name`."""
        getter, setter = self.first[receiver], self.second[receiver]
        if name == "setter":
            setter = value
        elif name == "getter":
            getter = value
        self.add(target, self.value(Kind.PROPERTY, getter, setter))

    def _list_method(
        self, key: tuple, caller: int, value: int, name: str, given: list, arguments: Any, target: int
    ) -> None:
        if name in ("append", "add", "appendleft", "push", "set", "put", "put_nowait") and given:
            self.give(given[0], self.rest(value))
        elif name == "insert" and len(given) > 1:
            self.give(given[1], self.rest(value))
            self.flow(self.all_items(value), self.rest(value))
        elif name in ("extend", "update", "extendleft", "__iadd__") and given and type(given[0]) is int and given[0]:
            self.on(given[0], ("take_each", caller, self.rest(value)))
        elif name in ("get", "get_nowait"):
            self.flow(self.all_items(value), target)
            for default in given[:1]:
                self.give(default, target)
        elif name in ("pop", "popleft", "__next__", "__getitem__"):
            if given and isinstance(given[0], Constant):
                self.get_item(key, caller, value, given[0], target)
            elif name == "pop" and not given and self.site_of(value)[4] > 0 and self.site_of(value)[0] == "list":
                self.get_item(key, caller, value, Constant(-1), target)
            else:
                self.flow(self.all_items(value), target)
        elif name in ("copy", "__iter__", "union", "intersection", "difference", "symmetric_difference"):
            self.add(target, value)
        elif name == "sort":
            self._key_calls(key, caller, arguments, self.all_items(value), "__lt__")
        elif name == "__setitem__" and len(given) > 1:
            self.set_item(key, caller, value, given[0], given[1] if type(given[1]) is int else 0)

    def _dict_method(
        self, key: tuple, caller: int, value: int, name: str, given: list, arguments: Any, target: int
    ) -> None:
        if name in ("get", "pop", "setdefault", "__getitem__") and given:
            self.get_item(key, caller, value, given[0], target)
            if len(given) > 1:
                self.give(given[1], target)
                if name == "setdefault":
                    made = self.new((*key, "default"))
                    self.give(given[1], made)
                    self.set_item(key, caller, value, given[0], made)
        elif name == "values":
            made = self.new_site((*key, "values"), "iterator")
            self.add(target, made)
            self.flow(self.all_items(value), self.rest(made))
        elif name == "keys":
            made = self.new_site((*key, "keys"), "iterator")
            self.add(target, made)
            self.flow(self.keys(value), self.rest(made))
        elif name in ("items", "popitem"):
            pair = self._pairs(
                (*key, value), [self.keys(value), self.all_items(value)], target if name == "items" else 0
            )
            if name == "popitem":
                self.add(target, pair)
        elif name in ("update", "__ior__"):
            for argument in given:
                if type(argument) is int and argument:
                    self.on(argument, ("merge", value))
            self._keyword_items(value, arguments)
        elif name == "copy":
            made = self.new_site((*key, "copy"), "dict")
            self.add(target, made)
            self.merge(value, made)
        elif name == "__setitem__" and len(given) > 1:
            self.set_item(key, caller, value, given[0], given[1] if type(given[1]) is int else 0)

    def _keyword_items(self, value: int, arguments: Any) -> None:
        for name, argument in arguments.keywords:
            if name is not None:
                self.give(argument, self.field(value, name))
            elif type(argument) is int and argument:
                self.on(argument, ("merge", value))

    def merge(self, other: int, value: int) -> None:
        """Runs `value.update(other)`."""
        if self.kinds[other] != Kind.OBJECT or other == value:
            return
        if self.site_of(other)[0] == "dict":
            self.watch(other, ("fields", value, frozenset()))
            self.flow(self.rest(other), self.rest(value))
            self.flow(self.keys(other), self.keys(value))
        else:
            self.on(self.all_items(other), ("take_pair", value))

    def take_pair(self, pair: int, value: int) -> None:
        """Takes in an item of `dict(pairs)`."""
        if self.kinds[pair] == Kind.OBJECT:
            self.flow(self.field(pair, 1), self.rest(value))
            self.flow(self.rest(pair), self.rest(value))

    def _pairs(self, key: tuple, parts: list[int], target: int) -> int:
        """An iterator of tuples of which item i holds `parts[i]`."""
        pair = self.new_site((*key, "pair"), "tuple", len(parts))
        for index, part in enumerate(parts):
            if part:
                self.flow(part, self.field(pair, index))
        if target:
            made = self.new_site((*key, "pairs"), "iterator")
            self.add(self.rest(made), pair)
            self.add(target, made)
        return pair

    def _key_calls(self, key: tuple, caller: int, arguments: Any, items: int, method: str) -> None:
        """`key=` of sorted, min, max and list.sort is called with the items; without, they are compared by a method of theirs."""
        if items and all(name != "key" for name, _ in arguments.keywords) and self.first_time((*key, method)):
            self.on(items, ("call_special", caller, method))
        for name, argument in arguments.keywords:
            if name == "key" and type(argument) is int and argument:
                ignored = self.new((*key, "key"))
                self.on(argument, call_back((*key, "key"), caller, variables_as_arguments((items,)), ignored))

    # -- built-in functions ----------------------------------------------------------------------------------------------------------

    def _items(self, key: tuple, caller: int, argument: Any) -> int:
        """A variable of what iterating over an argument yields."""
        if type(argument) is not int or not argument:
            return 0
        variable = self.new((*key, "items", argument))
        if self.first_time(("items", variable)):
            self.on(argument, ("take_each", caller, variable))
        return variable

    def call_builtin(self, key: tuple, caller: int, name: str, arguments: Any, target: int) -> None:
        """Calls something outside the project of which it is known what it does, by its dotted name."""
        given = [a for _, a in arguments.positional]
        if arguments.prefix:
            made = []
            for index, value in enumerate(arguments.prefix):
                variable = self.new((*key, "prefix", index))
                self.add(variable, value)
                made.append(variable)
            given = [*made, *given]
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, key, caller, given, arguments, target)
        elif name in _SPECIAL_METHODS:
            for argument in given if name == "print" else given[:1]:
                if type(argument) is int and argument:
                    self.on(argument, ("call_special", caller, _SPECIAL_METHODS[name]))
        if name in _PASS_THROUGH:
            for argument in given[1:2] if name == "typing.cast" else given[:1]:
                self.give(argument, target)
            if not given:
                self.add(target, self.value(Kind.BUILTIN, "dataclasses.dataclass"))
        elif name in _CALLBACKS:
            self._call_callback(key, caller, name, given, arguments, target)
        elif name in _POOLS:
            self.add(target, self.value(Kind.BUILTIN, _POOLS[name]))

    def _call_callback(self, key: tuple, caller: int, name: str, given: list, arguments: Any, target: int) -> None:
        """A library function that calls what it is given, now or later."""
        place, word, sequence, table = _CALLBACKS[name]
        named = dict(arguments.keywords)
        function = named.get(word, given[place] if len(given) > place else 0)
        if type(function) is not int or not function:
            return
        if sequence is None:
            passed = Arguments(
                tuple([(0, argument) for argument in given[place + 1 :]]),
                tuple([(key, value) for key, value in arguments.keywords if key != word]),
            )
        else:
            behind = given[place + 1 :] if name != "threading.Thread" and "Process" not in name else given[place + 2 :]
            items = named.get(sequence, behind[0] if behind else 0)
            words = named.get(table, behind[1] if len(behind) > 1 else 0)
            passed = Arguments(((1, items),) if items else (), ((None, words),) if words else ())
        if name == "atexit.register":
            self.give(function, target)
        self.on(function, call_back((*key, "callback"), caller, passed, self.new((*key, "callback"))))

    def call_special(self, value: int, caller: int, name: str) -> None:
        """Takes `implicit` as a step."""
        self.implicit(caller, value, name)

    def _map(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "map"), "iterator")
        self.add(target, made)
        if len(given) > 1 and type(given[0]) is int and given[0]:
            items = tuple(self._items((*key, i), caller, argument) for i, argument in enumerate(given[1:]))
            self.on(given[0], call_back((*key, "map"), caller, variables_as_arguments(items), self.rest(made)))

    def _starmap(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "map"), "iterator")
        self.add(target, made)
        if len(given) > 1 and type(given[0]) is int and given[0]:
            items = self._items(key, caller, given[1])
            self.on(given[0], call_back((*key, "map"), caller, Arguments(((1, items),)), self.rest(made)))

    def _filter(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "filter"), "iterator")
        self.add(target, made)
        if len(given) > 1:
            items = self._items(key, caller, given[1])
            if items:
                self.flow(items, self.rest(made))
            if type(given[0]) is int and given[0]:
                ignored = self.new((*key, "ignored"))
                self.on(given[0], call_back((*key, "filter"), caller, variables_as_arguments((items,)), ignored))

    def _reduce(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if len(given) < 2 or type(given[0]) is not int:
            return
        items = self._items(key, caller, given[1])
        total = self.new((*key, "total"))
        if items:
            self.flow(items, total)
        if len(given) > 2:
            self.give(given[2], total)
        self.flow(total, target)
        self.on(given[0], call_back((*key, "reduce"), caller, variables_as_arguments((total, items)), total))

    def _sequence(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """sorted, list, tuple, set, reversed, iter, …: a new container with the items of the old one."""
        made = self.new_site((*key, "sequence"), "list")
        self.add(target, made)
        if not given or type(given[0]) is not int or not given[0]:
            return
        self.on(given[0], ("take_each", caller, self.rest(made)))

    def _sorted(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self._sequence(key, caller, given, arguments, target)
        self._key_calls(key, caller, arguments, self.rest(self.new_site((*key, "sequence"), "list")), "__lt__")

    def _reversed(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "reversed"), "iterator")
        self.add(target, made)
        if given and type(given[0]) is int and given[0]:
            self.on(given[0], ("reverse", caller, self.rest(made)))

    def reverse(self, value: int, caller: int, target: int) -> None:
        """Runs `for target in reversed(value)`."""
        name = "__reversed__"
        if self.kinds[value] == Kind.INSTANCE and self.find_member(self.first[value], self.second[value], name):
            iterator = self.new((name, caller, value, target))
            self.on(iterator, ("take_each", caller, target))
            self.call_method((name, caller, target), caller, value, name, NO_ARGUMENTS, iterator)
        else:
            self.iterate(caller, value, target)

    def _iter(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if not given or type(given[0]) is not int or not given[0]:
            return
        if len(given) > 1:
            made = self.new_site((*key, "iter"), "iterator")
            self.add(target, made)
            self.on(given[0], call_back((*key, "iter"), caller, NO_ARGUMENTS, self.rest(made)))
        else:
            self.on(given[0], ("start_iteration", key, caller, target))

    def start_iteration(self, value: int, key: tuple, caller: int, target: int) -> None:
        """Runs `iter(value)`."""
        if self.kinds[value] == Kind.INSTANCE:
            for name in ("__iter__", "__aiter__"):
                if self.find_member(self.first[value], self.second[value], name) is not None:
                    self.call_method((*key, name), caller, value, name, NO_ARGUMENTS, target)
                    return
        self.add(target, value)

    def _next(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given and type(given[0]) is int and given[0]:
            self.on(given[0], ("advance", caller, target))
        if len(given) > 1:
            self.give(given[1], target)

    def _enumerate(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given:
            self._pairs(key, [0, self._items(key, caller, given[0])], target)

    def _zip(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self._pairs(key, [self._items((*key, i), caller, a) for i, a in enumerate(given)], target)

    def _extreme(self, key: tuple, caller: int, given: list, arguments: Any, target: int, method: str) -> None:
        items = self.new((*key, "candidates"))
        if len(given) == 1:
            source = self._items(key, caller, given[0])
            if source:
                self.flow(source, items)
        else:
            for argument in given:
                self.give(argument, items)
        self.flow(items, target)
        self._key_calls(key, caller, arguments, items, method)

    def _least(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self._extreme(key, caller, given, arguments, target, "__lt__")

    def _greatest(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self._extreme(key, caller, given, arguments, target, "__gt__")

    def _consume(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given:
            self._items(key, caller, given[0])

    def _chain(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "chain"), "iterator")
        self.add(target, made)
        for index, argument in enumerate(given):
            items = self._items((*key, index), caller, argument)
            if items:
                self.flow(items, self.rest(made))

    def _dict(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        made = self.new_site((*key, "dict"), "dict")
        self.add(target, made)
        for argument in given[-1:]:
            if type(argument) is int and argument:
                self.on(argument, ("merge", made))
        self._keyword_items(made, arguments)

    def _defaultdict(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self._dict(key, caller, given[1:], arguments, target)
        made = self.new_site((*key, "dict"), "dict")
        if given and type(given[0]) is int and given[0]:
            self.on(given[0], call_back((*key, "factory"), caller, NO_ARGUMENTS, self.rest(made)))

    def _getattr(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if len(given) > 2:
            self.give(given[2], target)
        if len(given) < 2 or type(given[0]) is not int:
            return
        getter = self.structure.getters(self.slot).get(given[1]) if type(given[1]) is int else None
        if getter is not None and self.facts.functions.returned(getter) in self.program.copied(target):
            # Each caller of `__getattr__` gets the attribute of the name that it asks for: see ask_getattr.
            self.flow(given[0], self.shared(self.slot, "asked", getter))
            return
        self._each_constant(given[1], "load_named", given[0], caller, target)
        prefix = self._prefixes().get(given[1]) if type(given[1]) is int else None
        if prefix:
            self.later.append(("key", "without_keys", (given[1], "get_prefixed", (given[0], caller, prefix, target))))

    def load_named(self, name: int, source: int, caller: int, target: int) -> None:
        """Lets `getattr(source, name)` reach `target`."""
        if isinstance(self.first[name], str):
            self.on(source, ("load_step", caller, self.first[name], target))

    def load_step(self, value: int, caller: int, name: str, target: int) -> None:
        """Takes `load_attribute` as a step."""
        self.load_attribute(caller, value, name, target, False)

    def get_prefixed(self, source: int, caller: int, prefix: str, target: int) -> None:
        """Lets `getattr(source, prefix + unknown)` reach `target`."""
        self.on(source, ("load_prefixed", caller, prefix, target))

    def _prefixes(self) -> dict[int, str]:
        """Variables of this file that hold a literal beginning and an unknown end."""
        if self.state.prefixes is None:
            self.state.prefixes = {
                target: method[1]
                for method, target, _ in self.program.items
                if method.__class__ is tuple and method[0] == "concat"
            }
        return self.state.prefixes

    def load_prefixed(self, value: int, caller: int, prefix: str, target: int) -> None:
        """Loads `getattr(value, "prefix" + unknown)`: the methods whose names begin so, if they are not too many to mean anything."""
        if self.kinds[value] not in (Kind.INSTANCE, Kind.CLASS):
            return
        found = self.ask(Structure.methods_with_prefix, self.first[value], self.second[value], prefix)
        if len(found) <= MAX_PREFIXED:
            for name in found:
                self.load_attribute(caller, value, name, target, True)

    def _each_constant(self, argument: Any, method: str, *arguments: Any) -> None:
        """Takes a step with every literal that an argument may be."""
        if isinstance(argument, Constant):
            getattr(self, method)(self.constant(argument.value), *arguments)
        elif type(argument) is int and argument:
            self.on(argument, ("with_constant", method, arguments))

    def with_constant(self, value: int, method: str, arguments: tuple) -> None:
        """Takes a step with literals only."""
        if self.kinds[value] == Kind.CONSTANT:
            getattr(self, method)(value, *arguments)

    def _setattr(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if len(given) < 3 or type(given[0]) is not int:
            return
        source = self.new((*key, "value"))
        self.give(given[2], source)
        self._each_constant(given[1], "store_named", given[0], caller, source)

    def store_named(self, name: int, owner: int, caller: int, source: int) -> None:
        """Runs `setattr(owner, name, source)`."""
        if isinstance(self.first[name], str):
            self.on(owner, ("store_step", caller, self.first[name], source))

    def store_step(self, value: int, caller: int, name: str, source: int) -> None:
        """Takes `store_attribute` as a step."""
        self.store_attribute(caller, value, name, source)

    def _type(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if len(given) == 1 and type(given[0]) is int and given[0]:
            self.on(given[0], ("take_class", target))

    def take_class(self, value: int, target: int) -> None:
        """Runs `type(value)`."""
        if self.kinds[value] == Kind.INSTANCE:
            self.add(target, self.value(Kind.CLASS, self.first[value], self.second[value]))

    def _super(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if len(given) < 2 or type(given[0]) is not int or type(given[1]) is not int:
            return
        self.on(given[0], ("with_owner", given[1], target))

    def with_owner(self, owner: int, receiver: int, target: int) -> None:
        """Runs `super(owner, receiver)`."""
        if self.kinds[owner] == Kind.CLASS:
            self.on(receiver, ("wrap_second", Kind.SUPER, owner, target))

    def wrap_second(self, value: int, kind: int, first: int, target: int) -> None:
        """Makes a value of two, of which the second is at hand."""
        self.add(target, self.value(kind, first, value))

    def wrap_first(self, value: int, kind: int, second: int, target: int) -> None:
        """Makes a value of two, of which the first is at hand."""
        self.add(target, self.value(kind, value, second))

    def _static_method(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given and type(given[0]) is int:
            self.on(given[0], ("wrap_first", Kind.STATIC, 0, target))

    def _class_method(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given and type(given[0]) is int:
            self.on(given[0], ("wrap_first", Kind.CLASSMETHOD, 0, target))

    def _property(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        named = dict(arguments.keywords)
        getter = given[0] if given else named.get("fget", 0)
        setter = given[1] if len(given) > 1 else named.get("fset", 0)
        if type(getter) is int and getter:
            self.on(getter, ("make_property", setter if type(setter) is int else 0, target))

    def make_property(self, getter: int, setter: int, target: int) -> None:
        """Makes a property with each function that the setter's variable holds; 0: without one."""
        if setter:
            self.on(setter, ("wrap_second", Kind.PROPERTY, getter, target))
        else:
            self.add(target, self.value(Kind.PROPERTY, getter, -1))

    def _partial(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if not given or type(given[0]) is not int or not given[0]:
            return
        self.add(target, self.make_partial(key, given[0], tuple(arguments.positional[1:]), tuple(arguments.keywords)))

    def _globals(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if not given:
            self.add(target, self.value(Kind.NAMESPACE, self.slot))
            return
        if type(given[0]) is int and given[0]:
            self.on(given[0], ("take_namespace", target))

    def take_namespace(self, value: int, target: int) -> None:
        """Runs `vars(value)`."""
        if self.kinds[value] == Kind.MODULE and self.first[value] >= 0:
            self.add(target, self.value(Kind.NAMESPACE, self.first[value]))
        elif self.kinds[value] == Kind.INSTANCE:
            self.add(target, self.value(Kind.NAMESPACE, -1, value))

    def _factory(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """`wraps(f)` and `lru_cache(…)` give a decorator that returns what it decorates; `lru_cache` itself may be that decorator."""
        self.add(target, self.value(Kind.BUILTIN, "dataclasses.dataclass"))
        for argument in given[:1]:
            if type(argument) is int and argument:
                self.give(argument, self.new((*key, "decorated")))

    def _lru_cache(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        self.add(target, self.value(Kind.BUILTIN, "dataclasses.dataclass"))
        for argument in given[:1]:
            if type(argument) is int:
                self.give(argument, target)

    def _import_module(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given:
            self._each_constant(given[0], "load_module", target)

    def load_module(self, constant: int, target: int) -> None:
        """Runs `import_module(name)`."""
        name = self.first[constant]
        if isinstance(name, str) and name and not name.startswith("."):
            entity = self.ask(Structure.resolved, self.slot, name)
            if entity is not None:
                self.add_entity(target, entity)

    def _fixture(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """`@pytest.fixture`: tests of this file and of those below it get what the function gives by its name (or `name=`)."""
        name = next((a.value for word, a in arguments.keywords if word == "name" and isinstance(a, Constant)), "")
        if given and type(given[0]) is int and given[0]:
            self.give(given[0], target)
            self.on(given[0], ("note_fixture", name))
        else:
            self.add(target, self.value(Kind.BUILTIN, "fixture()"))

    def note_fixture(self, value: int, name: str) -> None:
        """Takes a function of this file for a fixture."""
        if self.kinds[value] != Kind.FUNCTION or self.first[value] != self.slot:
            return
        functions, label = self.facts.functions, self.second[value]
        self.first_time(("fixture", label))
        variable = self.shared(self.slot, "fixture", name or functions.name(label))
        self.flow(functions.yielded(label) or functions.returned(label), variable)
        for position in functions.arguments(label)[0]:
            self.flow(functions.parameter(label, position), variable)

    def _box(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """A context variable or queue: a list, as far as what goes in comes out."""
        made = self.new_site((*key, "box"), "list")
        self.add(target, made)
        for word, argument in arguments.keywords:
            if word == "default":
                self.give(argument, self.rest(made))

    def _reference(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """`weakref.ref(x)`: called, it gives `x`."""
        made = self.new_site((*key, "reference"), "call")
        self.add(target, made)
        for argument in given[:1]:
            self.give(argument, self.rest(made))

    def _raises(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        """`pytest.raises(kind)`: its `value` is what is caught."""
        made = self.new_site((*key, "raises"), "raises")
        self.add(target, made)
        for argument in given[:1]:
            if type(argument) is int and argument:
                self.on(argument, ("catch", self.rest(made)))

    def _object_new(self, key: tuple, caller: int, given: list, arguments: Any, target: int) -> None:
        if given and type(given[0]) is int and given[0]:
            self.on(given[0], ("take_instance", target))

    def take_instance(self, value: int, target: int) -> None:
        """Runs `object.__new__(value)`."""
        if self.kinds[value] == Kind.CLASS:
            self.add(target, self.value(Kind.INSTANCE, self.first[value], self.second[value]))


_HANDLERS: dict[str, Callable] = {
    "map": Builtins._map,
    "itertools.starmap": Builtins._starmap,
    "filter": Builtins._filter,
    "functools.reduce": Builtins._reduce,
    **dict.fromkeys(_ELEMENTS - {"iter", "aiter"}, Builtins._sequence),
    "sorted": Builtins._sorted,
    "reversed": Builtins._reversed,
    "iter": Builtins._iter,
    "aiter": Builtins._iter,
    "next": Builtins._next,
    "anext": Builtins._next,
    "enumerate": Builtins._enumerate,
    "zip": Builtins._zip,
    "itertools.product": Builtins._zip,
    "min": Builtins._least,
    "max": Builtins._greatest,
    "sum": Builtins._consume,
    "any": Builtins._consume,
    "all": Builtins._consume,
    "itertools.chain": Builtins._chain,
    "dict": Builtins._dict,
    "collections.OrderedDict": Builtins._dict,
    "collections.defaultdict": Builtins._defaultdict,
    "getattr": Builtins._getattr,
    "setattr": Builtins._setattr,
    "type": Builtins._type,
    "super": Builtins._super,
    "property": Builtins._property,
    "functools.cached_property": Builtins._property,
    "abc.abstractproperty": Builtins._property,
    "staticmethod": Builtins._static_method,
    "classmethod": Builtins._class_method,
    "functools.partial": Builtins._partial,
    "functools.partialmethod": Builtins._partial,
    "functools.wraps": Builtins._factory,
    "functools.lru_cache": Builtins._lru_cache,
    "globals": Builtins._globals,
    "vars": Builtins._globals,
    "importlib.import_module": Builtins._import_module,
    "__import__": Builtins._import_module,
    "object.__new__": Builtins._object_new,
    "weakref.ref": Builtins._reference,
    "weakref.WeakMethod": Builtins._reference,
    "pytest.raises": Builtins._raises,
    **dict.fromkeys(BOXES, Builtins._box),
    **dict.fromkeys(_MAPS, Builtins._map),
    **dict.fromkeys(_STARMAPS, Builtins._starmap),
    **dict.fromkeys(_FIXTURES, Builtins._fixture),
}
