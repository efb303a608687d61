"""What built-in functions and those of the standard library do with values, as far as calls depend on it: a method each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages.python.flow.annotations import BOXES
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.iteration import Iteration
from codefuse_hf.graph.languages.python.flow.values import (
    NO_ARGUMENTS,
    Arguments,
    Kind,
    call_back,
    variables_as_arguments,
)
from codefuse_hf.graph.languages.python.reading.facts import Constant

MAX_PREFIXED = 64
"""As many methods may begin with the known part of a name; more mean nothing."""

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


class Builtins(Iteration):
    """Mixin of `Solver`: built-in functions and those of the standard library."""

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
