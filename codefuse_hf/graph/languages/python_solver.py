"""Runs the data-flow programs of all Python files together, until no value reaches a new variable, and collects calls and references.

Values are functions, classes, instances (one per class), bound methods, modules, containers (one per display) and the like, interned as integers; a
variable is `file << 24 | number`. Calls link arguments to parameters and results to call sites as their targets become known, so the call graph and the
flow of values are found together. Fall-backs for what the project itself never calls (methods of a library, for instance) come in later phases, once
everything that is known has spread.

One class, one state: every method reads or writes the same tables, so that it is longer than most files here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from codefuse_hf.graph.languages.python_builtins import Builtins
from codefuse_hf.graph.languages.python_facts import Constant, FunctionFacts, Op, PythonFacts
from codefuse_hf.graph.languages.python_modules import Entity, Names
from codefuse_hf.graph.languages.python_values import (
    BIND,
    CALLBACK,
    MASK,
    NEXT,
    SHIFT,
    STAR_ARGUMENT,
    STAR_KEYWORDS,
    TRANSFER,
    VIEW,
    Arguments,
    Kind,
)

MAX_VALUES = 12
"""Values kept per variable; the rest (registries of hundreds of classes) add cost, not insight."""
MAX_CONTAINERS = 6
"""Containers (and their methods) are no longer added to a variable that holds so many values: literals are many and alike."""

MAX_BY_NAME = 8
"""A method call on an unknown receiver is resolved by its name alone when no more methods of the project have it."""
_COMMON_METHODS = frozenset(
    name for kind in (str, bytes, list, dict, set, tuple, int, float, object) for name in dir(kind)
) | frozenset(
    [
        "read",
        "write",
        "close",
        "flush",
        "seek",
        "readline",
        "readlines",
        "writelines",
        "open",
        "send",
        "recv",
        "start",
        "join",
        "run",
        "submit",
        "result",
        "acquire",
        "release",
    ]
)

_CONSTANT = Kind.CONSTANT
_CONTAINER_KINDS = frozenset((Kind.OBJECT, Kind.METHOD, Kind.GENERATOR, Kind.CONSTANT, Kind.PARTIAL))
_IMPLICIT_STATIC = frozenset({"__new__"})
_IMPLICIT_CLASS = frozenset({"__init_subclass__", "__class_getitem__"})


class Solver(Builtins):
    """The state of one run over `names.facts`."""

    def __init__(self, names: Names):
        self.names = names
        self.paths = list(names.facts)
        self.slots = {path: slot for slot, path in enumerate(self.paths)}
        self.facts: list[PythonFacts] = list(names.facts.values())
        self.values: dict[tuple[int, Any, Any], int] = {}
        self.kinds: list[int] = []
        self.first: list[Any] = []
        self.second: list[Any] = []
        self.points: dict[int, tuple[int, ...]] = {}  # few values each, in order of arrival
        self.copies: dict[int, list[int]] = {}
        self.dynamic: dict[int, list[tuple]] = {}
        self.caught: set[tuple[int, int]] = set()
        self.work: deque[tuple[int, int]] = deque()
        self.queued: deque[tuple[tuple, int]] = deque()
        self.extra: list[dict[Any, int]] = [{} for _ in self.facts]
        self.sites: list[dict[Any, int]] = [{} for _ in self.facts]
        self.site_facts: dict[tuple[int, int], tuple] = {}
        self.site_fields: dict[int, dict[Any, int]] = {}
        self.watchers: dict[int, list[tuple]] = {}
        self.bound: set[tuple] = set()
        self.calls: list[set[tuple[int, int, int]]] = [set() for _ in self.facts]
        self.uses: list[set[tuple[int, int, int]]] = [set() for _ in self.facts]
        self.later: list[tuple] = []
        self.decorated_functions = {found for slot, f in enumerate(self.facts) for found in self._decorated(slot, f)}
        self.stored = {key for f in self.facts for key, source, _ in f.items if source and key.__class__ is str}
        self.prefixes = {
            slot << SHIFT | target: method[1]
            for slot, f in enumerate(self.facts)
            for method, target, _ in f.items
            if method.__class__ is tuple and method[0] == "concat"
        }
        self.orders: dict[int, list[tuple[dict[str, int], tuple[int, int]]]] = {}
        self.metaclasses: dict[int, tuple[int, int] | None] = {}
        self.subclasses: dict[tuple[str, int], list[tuple[int, int]]] | None = None
        self.views_by_name: dict[str, list[tuple[int, int]]] = {}
        self.views: dict[tuple[int, str], tuple] = {}
        self.wanted = [self._wanted(facts) for facts in self.facts]

    @staticmethod
    def _decorated(slot: int, facts: PythonFacts) -> Iterator[tuple[int, int]]:
        """The decorated functions of modules and classes (not the wrappers inside decorators, which may be decorated too)."""
        outer = set(facts.exports.values()).union(*(c.namespace.values() for c in facts.classes))
        inner = {result: variable for result, _, variable in facts.decorated}
        for result in inner:
            if result in outer:
                while result in inner:
                    result = inner[result]
                origin = facts.origins.get(result, ("",))
                if origin[0] == "function":
                    yield slot, origin[1]

    @staticmethod
    def _wanted(facts: PythonFacts) -> set[int]:
        wanted = set(facts.wanted)
        wanted.update(facts.exports.values(), facts.cells.values())
        wanted.update(f.returned for f in facts.functions)
        return wanted

    # -- values and variables ----------------------------------------------------------------------------------------------------

    def value(self, kind: int, a: Any, b: Any = 0) -> int:
        key = (kind, a, b)
        number = self.values.get(key)
        if number is None:
            number = self.values[key] = len(self.kinds)
            self.kinds.append(kind)
            self.first.append(a)
            self.second.append(b)
        return number

    def new(self, slot: int, key: Any) -> int:
        """The variable of file `slot` that is known by `key`; made when it is first asked for."""
        extra = self.extra[slot]
        number = extra.get(key)
        if number is None:
            number = extra[key] = slot << SHIFT | (self.facts[slot].variables + len(extra))
        return number

    def add(self, variable: int, value: int) -> None:
        """Puts a value into a variable."""
        known = self.points.get(variable)
        kind = self.kinds[value]
        if known is not None:
            if value in known:
                return
            size = len(known)
            if size >= MAX_CONTAINERS and (size >= MAX_VALUES or kind in _CONTAINER_KINDS):
                return
        if kind == _CONSTANT:
            local = variable & MASK
            slot = variable >> SHIFT
            if local < self.facts[slot].variables and local not in self.wanted[slot]:
                return
        self.points[variable] = (value,) if known is None else (*known, value)
        self.work.append((variable, value))

    def flow(self, source: int, target: int) -> None:
        """Everything in `source`, now or later, reaches `target`."""
        if source == target:
            return
        targets = self.copies.get(source)
        if targets is None:
            self.copies[source] = [target]
        elif len(targets) < 8 and target in targets:
            return
        else:
            targets.append(target)
        known = self.points.get(source)
        if known:
            for value in known:
                self.add(target, value)

    def on(self, variable: int, operation: tuple) -> None:
        """Applies an operation to every value of a variable, now and later."""
        operations = self.dynamic.get(variable)
        if operations is None:
            self.dynamic[variable] = [operation]
        else:
            operations.append(operation)
        known = self.points.get(variable)
        if known:
            # Queued, not applied here: operations lead to operations, without end in sight.
            self.queued.extend((operation, value) for value in known)

    def give(self, source: Any, target: int) -> None:
        """`flow` for an argument: a variable or a Constant."""
        if type(source) is int:
            if source & MASK:
                self.flow(source, target)
        elif isinstance(source, Constant):
            self.add(target, self.value(Kind.CONSTANT, source.value))

    # -- running -----------------------------------------------------------------------------------------------------------------

    def solve(self) -> None:
        """Runs to the end of the last phase."""
        for slot in range(len(self.facts)):
            self._seed(slot)
        self._run()
        for slot in range(len(self.facts)):
            self._expect(slot)
        while self.later:
            pending, self.later = self.later, []
            for entry in pending:
                self._fall_back(entry)
            self._run()
        self._call_by_name()

    def _call_by_name(self) -> None:
        """Method calls on parameters nothing is known of: the methods of that name, where few enough classes have one."""
        methods: dict[str, list[tuple[int, int]]] = {}
        for slot, facts in enumerate(self.facts):
            for owner in facts.classes:
                for name, function in owner.plain.items():
                    methods.setdefault(name, []).append((slot, facts.functions[function].definition))
        for slot, facts in enumerate(self.facts):
            base = slot << SHIFT
            parameters = {p.variable for f in facts.functions for p in f.parameters if p.kind not in (2, 4)}
            starts, operations = facts.starts, facts.operations
            for variable in parameters:
                if self.points.get(base | variable):
                    continue
                for i in range(3 * starts[variable], 3 * starts[variable + 1], 3):
                    if operations[i] != Op.ATTRIBUTE:
                        continue
                    name, _, caller, is_callee = facts.loads[operations[i + 1]]
                    found = methods.get(name, ())
                    if (
                        is_callee
                        and len(found) <= MAX_BY_NAME
                        and name not in _COMMON_METHODS
                        and not name.startswith("__")
                    ):
                        for target, definition in found:
                            self.edge(slot, caller, target, definition)

    def _seed(self, slot: int) -> None:
        facts, base = self.facts[slot], slot << SHIFT
        for seed in facts.seeds:
            variable, kind, payload = base | seed[0], seed[1], seed[2]
            if kind == "function":
                value = self.value(Kind.FUNCTION, slot, payload)
            elif kind == "class":
                value = self.value(Kind.CLASS, slot, payload)
            elif kind == "object":
                value = self.value(Kind.OBJECT, slot, payload)
            else:
                value = self.value(Kind.CONSTANT, payload)
                self.points[variable] = (value,)
                self.work.append((variable, value))
                continue
            self.add(variable, value)
        path = self.paths[slot]
        for statement in facts.imports:
            if statement.name != "*":
                self._seed_import(slot, base | statement.variable, path, statement)
        for index in range(len(facts.classes)):
            self._create_class(slot, index)
        for variable, name in self.names.free_names(path).items():
            found = self.names.export(path, name)
            if found is not None:
                self.flow(self.slots[found[0]] << SHIFT | found[1], base | variable)
            elif name in self.builtin_names:
                self.add(base | variable, self.value(Kind.BUILTIN, name))

    def _create_class(self, slot: int, index: int) -> None:
        """A class statement calls its metaclass's `__new__` and `__init__`, and its base's `__init_subclass__`."""
        facts = self.facts[slot].classes[index]
        if not facts.bases and facts.metaclass is None:
            return
        made = self.value(Kind.CLASS, slot, index)
        ignored = self.new(slot, ("class", "created"))
        meta = self.metaclass(slot, index)
        if meta is not None:
            self.member_of_class(
                slot, ("new", index), facts.caller, meta, "__new__", self.value(Kind.CLASS, *meta), Arguments(), ignored
            )
            self.member_of_class(slot, ("init", index), facts.caller, meta, "__init__", made, Arguments(), ignored)
        found = self.find_member(slot, index, "__init_subclass__", after=(self.paths[slot], index))
        if found is not None:
            self.member_of_class(
                slot, ("subclass", index), facts.caller, found, "__init_subclass__", made, Arguments(), ignored
            )

    def _seed_import(self, slot: int, variable: int, path: str, statement: Any) -> None:
        module = self.names.module_of(path, statement)
        if statement.name is None or module is None:
            for entity in self.names.imported(path, statement):
                self._add_entity(variable, entity)
            return
        self.module_member(module, statement.name, variable)

    def _add_entity(self, variable: int, entity: Entity) -> None:
        if entity.kind == "module":
            self.add(variable, self.value(Kind.MODULE, self.slots[entity.place]))
        elif entity.kind == "namespace":
            self.add(variable, self.value(Kind.MODULE, -1, entity.place))
        elif entity.kind == "external" and entity.place in self.external_names:
            self.add(variable, self.value(Kind.BUILTIN, entity.place))

    def module_member(self, module: Entity, name: str, target: int) -> None:
        """`module.name` reaches `target`."""
        if module.kind == "module":
            slot = self.slots[module.place]
            found = self.names.export(module.place, name)
            if found is not None:
                self.flow(self.slots[found[0]] << SHIFT | found[1], target)
            self.flow(self.new(slot, ("global", name)), target)
            if found is not None and self.slots[found[0]] << SHIFT | found[1] != target:
                return  # otherwise a package imports its own submodule by its own name
            getter = self.facts[slot].exports.get("__getattr__")
            if getter is not None and self.names.modules.child(module, name) is None:
                self.on(
                    slot << SHIFT | getter,
                    (CALLBACK, (target >> SHIFT, ("module getattr", target), 0, Arguments((), ()), target), 0),
                )
        child = self.names.modules.child(module, name)
        if child is not None:
            self._add_entity(target, child)

    def _run(self) -> None:
        work, queued, facts, dynamic, copies = self.work, self.queued, self.facts, self.dynamic, self.copies
        apply, add = self.apply, self.add
        static = [getattr(self, f"_on_{op.name.lower()}", None) for op in Op]
        while work or queued:
            while queued:
                apply(*queued.popleft())
            if not work:
                break
            variable, value = work.popleft()
            slot, local = variable >> SHIFT, variable & MASK
            program = facts[slot]
            if local < program.variables:
                start, stop = program.starts[local], program.starts[local + 1]
                if start != stop:
                    operations, base = program.operations, slot << SHIFT
                    for i in range(3 * start, 3 * stop, 3):
                        code = operations[i]
                        if code == 0:
                            add(base | operations[i + 1], value)
                        else:
                            static[code](slot, base, operations[i + 1], operations[i + 2], value)
            targets = copies.get(variable)
            if targets:
                for target in targets:
                    add(target, value)
            extra = dynamic.get(variable)
            if extra:
                queued.extend((operation, value) for operation in extra)

    def _on_attribute(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        name, target, caller, is_callee = self.facts[slot].loads[a]
        self.load_attribute(slot, caller, value, name, base | target, is_callee)

    def _on_call(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        caller, _, target, positional, keywords, decorates = self.facts[slot].calls[a]
        arguments = Arguments(
            tuple([(s, base | v if type(v) is int else v) for s, v in positional]) if positional else (),
            tuple([(n, base | v if type(v) is int else v) for n, v in keywords]) if keywords else (),
        )
        target |= base
        if decorates:
            raw = self.new(slot, ("decorated", target & MASK))
            if raw not in self.dynamic:
                self.dynamic[raw] = [(TRANSFER, self._decoration(target, arguments), 0)]
            target = raw
        self.invoke(slot, (a,), caller, value, arguments, target)

    def _on_set_attribute(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        name, source, caller = self.facts[slot].items[a]
        self.store_attribute(slot, caller, value, name, base | source)

    def _on_get_item(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        key, target, caller = self.facts[slot].items[a]
        key = base | key if type(key) is int and key else key
        self.get_item(slot, ("item", a), caller, value, key, base | target)

    def _on_set_item(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        key, source, caller = self.facts[slot].items[a]
        key = base | key if type(key) is int and key else key
        self.set_item(slot, ("item", a), caller, value, key, base | source)

    def _on_iterate(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        self.iterate(slot, b, value, base | a)

    def _on_unpack(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        key, target, caller = self.facts[slot].items[a]
        self.unpack(slot, a, caller, value, key, base | target)

    def _on_call_method(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        name = self.facts[slot].names[a]
        if name:
            self.implicit(slot, b, value, name)

    def _on_operator(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        method, target, caller = self.facts[slot].items[a]
        self.operator(slot, ("operator", a), caller, value, method, base | b if b else 0, base | target)

    def _on_enter(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        self.enter(slot, b, value, base | a)

    def _on_super(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        self.add(base | b, self.value(Kind.SUPER, self.value(Kind.CLASS, slot, a), value))

    def _on_raise(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        if self.kinds[value] == Kind.CLASS:
            self.instantiate(slot, ("raise", b, value), b, value, Arguments(), self.new(slot, ("raised", value)))

    def _on_catch(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        self.catch(slot, value, base | a)

    def _on_await(self, slot: int, base: int, a: int, b: int, value: int) -> None:
        self.add(base | a, value)
        self.implicit(slot, b, value, "__await__")

    def apply(self, operation: tuple, value: int) -> None:
        """One operation that came up while solving."""
        code, a, _ = operation
        if code == VIEW:
            self.see(value, *a)
        elif code == BIND:
            self.bind_member(value, *a)
        elif code == CALLBACK:
            site, key, caller, arguments, target = a
            self.invoke(site, key, caller, value, arguments, target)
        elif code == NEXT:
            self.advance(a[0], a[1], value, a[2])
        elif code == STAR_ARGUMENT:
            self.star_argument(value, *a)
        elif code == STAR_KEYWORDS:
            self.star_keywords(value, *a)
        elif code == TRANSFER:
            a(value)

    # -- calls ---------------------------------------------------------------------------------------------------------------------

    def edge(self, slot: int, caller: int, target_slot: int, definition: int) -> None:
        self.calls[slot].add((caller, target_slot, definition))

    def use(self, slot: int, caller: int, target_slot: int, definition: int) -> None:
        self.uses[slot].add((caller, target_slot, definition))

    def invoke(self, slot: int, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        """`value` is called at the place `(slot, key)` by `caller`; what it returns reaches `target`."""
        kind = self.kinds[value]
        if kind == Kind.FUNCTION:
            self.call_function(slot, key, caller, value, arguments, target)
        elif kind == Kind.BOUND:
            self.invoke(slot, key, caller, self.first[value], arguments.after(self.second[value]), target)
        elif kind == Kind.CLASS:
            self.instantiate(slot, key, caller, value, arguments, target)
        elif kind == Kind.INSTANCE:
            self.call_method(slot, key, caller, value, "__call__", arguments, target)
        elif kind == Kind.BUILTIN:
            self.call_builtin(slot, key, caller, self.first[value], arguments, target)
        elif kind == Kind.METHOD:
            self.call_container_method(slot, key, caller, self.first[value], self.second[value], arguments, target)
        elif kind == Kind.PARTIAL:
            site, number, early = self.second[value]
            if number in key:
                return  # a partial of itself
            merged = Arguments(
                (*early.positional, *arguments.positional),
                (*early.keywords, *arguments.keywords),
                (*arguments.prefix, *early.prefix),
            )
            self.on(self.first[value], (CALLBACK, (slot, (*key, number), caller, merged, target), site))
        elif kind in (Kind.STATIC, Kind.CLASSMETHOD):
            self.invoke(slot, key, caller, self.first[value], arguments, target)

    def call_function(self, slot: int, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        owner, index = self.first[value], self.second[value]
        function = self.facts[owner].functions[index]
        self.edge(slot, caller, owner, function.definition)
        mark = (slot, key, value, len(arguments.prefix))
        if mark in self.bound:
            self._bind_prefix(owner, function, arguments, target)
            return
        self.bound.add(mark)
        base = owner << SHIFT
        self.bind_arguments(owner, function, arguments)
        if function.yielded:
            self.add(target, self.value(Kind.GENERATOR, owner, index))
        else:
            self.flow(base | function.returned, target)
        for position in function.returned_parameters:
            self._return_argument(function, position, arguments, target)

    def _bind_prefix(self, owner: int, function: FunctionFacts, arguments: Arguments, target: int) -> None:
        """A call that is known already, with another receiver."""
        parameters = function.parameters
        for position, value in enumerate(arguments.prefix):
            if position < len(parameters) and parameters[position].kind < 2:
                self.add(owner << SHIFT | parameters[position].variable, value)
                if position in function.returned_parameters:
                    self.add(target, value)

    def _return_argument(self, function: FunctionFacts, position: int, arguments: Arguments, target: int) -> None:
        """A parameter that is returned as it is: this call gets its own argument back, not everybody's."""
        parameter = function.parameters[position]
        if (
            parameter.kind == 2
            or parameter.kind == 4
            or any(star for star, _ in arguments.positional)
            or any(n is None for n, _ in arguments.keywords)
        ):
            self.flow(self._parameter(function, position, arguments), target)
            return
        if parameter.kind < 2 and position < len(arguments.prefix):
            self.add(target, arguments.prefix[position])
        elif parameter.kind < 2 and position - len(arguments.prefix) < len(arguments.positional):
            self.give(arguments.positional[position - len(arguments.prefix)][1], target)
        else:
            named = [a for n, a in arguments.keywords if n == parameter.name]
            for argument in named:
                self.give(argument, target)
            if not named:
                self.flow(self._parameter(function, position, arguments), target)

    def _parameter(self, function: FunctionFacts, position: int, arguments: Arguments) -> int:
        return self._bound_owner << SHIFT | function.parameters[position].variable

    def bind_arguments(self, owner: int, function: FunctionFacts, arguments: Arguments) -> None:
        self._bound_owner = owner
        base = owner << SHIFT
        parameters = function.parameters
        count = 0
        while count < len(parameters) and parameters[count].kind < 2:
            count += 1
        rest, named = function.variadic_sites
        position = 0
        for value in arguments.prefix:
            if position < count:
                self.add(base | parameters[position].variable, value)
            elif rest >= 0:
                self.add(self.field(self.value(Kind.OBJECT, owner, rest), position - count), value)
            position += 1
        for star, argument in arguments.positional:
            if star:
                if type(argument) is int and argument & MASK:
                    self.on(argument, (STAR_ARGUMENT, (owner, function, position, count), 0))
                position = max(
                    position, count
                )  # what follows a star can land anywhere after it; this is where it lands for sure
                continue
            if position < count:
                self.give(argument, base | parameters[position].variable)
            elif rest >= 0:
                self.give(argument, self.field(self.value(Kind.OBJECT, owner, rest), position - count))
            position += 1
        for name, argument in arguments.keywords:
            if name is None:
                if argument:
                    self.on(argument, (STAR_KEYWORDS, (owner, function), 0))
                continue
            parameter = next((p for p in parameters if p.name == name and p.kind in (1, 3)), None)
            if parameter is not None:
                self.give(argument, base | parameter.variable)
            elif named >= 0:
                self.give(argument, self.field(self.value(Kind.OBJECT, owner, named), name))

    def star_argument(self, value: int, owner: int, function: FunctionFacts, position: int, count: int) -> None:
        """`*argument`: the items of a known sequence land on parameter after parameter."""
        base, rest = owner << SHIFT, function.variadic_sites[0]
        packed = self.value(Kind.OBJECT, owner, rest) if rest >= 0 else None
        if self.kinds[value] != Kind.OBJECT:
            item = self.elements_of(value)
            if item is not None:
                for parameter in function.parameters[position:count]:
                    self.flow(item, base | parameter.variable)
                if packed is not None:
                    self.flow(item, self.rest(packed))
            return
        known = max((k for k in self.fields_of(value) if type(k) is int), default=-1) + 1
        for offset in range(max(known, min(count - position, 6))):
            place = position + offset
            if place < count:
                self.flow(self.field(value, offset), base | function.parameters[place].variable)
            elif packed is not None and packed != value:
                self.flow(self.field(value, offset), self.field(packed, place - count))
        if packed is not None and packed != value:
            for offset in range(count - position if count > position else 0, 6):
                self.flow(self.field(value, offset), self.field(packed, position + offset - count))
            self.flow(self.rest(value), self.rest(packed))
        for parameter in function.parameters[position:count]:
            self.flow(self.rest(value), base | parameter.variable)

    def star_keywords(self, value: int, owner: int, function: FunctionFacts) -> None:
        """`**argument`: the items of a known dictionary land on the parameters of their names."""
        if self.kinds[value] != Kind.OBJECT:
            return
        base, named = owner << SHIFT, function.variadic_sites[1]
        packed = self.value(Kind.OBJECT, owner, named) if named >= 0 else -1
        names = set()
        for parameter in function.parameters:
            if parameter.kind in (1, 3):
                names.add(parameter.name)
                self.flow(self.field(value, parameter.name), base | parameter.variable)
                self.flow(self.rest(value), base | parameter.variable)
        if packed >= 0 and packed != value:
            self.watch(value, ("fields", packed, frozenset(names)))
            self.flow(self.rest(value), self.rest(packed))

    def instantiate(self, slot: int, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        """A class is called: its `__new__` and `__init__` are, and an instance comes back."""
        owner, index = self.first[value], self.second[value]
        facts = self.facts[owner].classes[index]
        instance = self.value(Kind.INSTANCE, owner, index)
        self.add(target, instance)
        self.use(slot, caller, owner, facts.definition)
        meta = self.metaclass(owner, index)
        if meta is not None and self.find_member(*meta, "__call__") is not None:
            self.member_of_class(slot, (*key, "meta"), caller, meta, "__call__", value, arguments, target)
        if self.find_member(owner, index, "__new__") is not None:
            self.member_of_class(slot, (*key, "new"), caller, (owner, index), "__new__", value, arguments, target)
        if self.find_member(owner, index, "__init__") is not None:
            ignored = self.new(slot, ("init", target))
            self.member_of_class(slot, (*key, "init"), caller, (owner, index), "__init__", instance, arguments, ignored)
        else:
            self._fill_fields(slot, key, caller, owner, index, instance, arguments)

    def _fill_fields(
        self, slot: int, key: tuple, caller: int, owner: int, index: int, instance: int, arguments: Arguments
    ) -> None:
        """The generated constructor of a dataclass or a named tuple."""
        path = self.paths[owner]
        names: list[str] = []
        generated = False
        for place, number in reversed(self.names.mro(path, index)):
            facts = self.names.facts[place].classes[number]
            names += [n for n in facts.fields if n not in names]
            generated = generated or facts.is_dataclass
        generated = generated or any(
            b.endswith(("NamedTuple", "BaseModel")) for b in self.names.external_bases(path, index)
        )
        if not generated:
            return
        for (star, argument), name in zip(arguments.positional, names, strict=False):
            if star:
                break
            self._note_stored(name)
            self.give(argument, self.instance_variable(instance, name))
        for name, argument in arguments.keywords:
            if name is not None:
                self._note_stored(name)
                self.give(argument, self.instance_variable(instance, name))
        if self.find_member(owner, index, "__post_init__") is not None:
            self.call_method(
                slot, (*key, "post"), caller, instance, "__post_init__", Arguments(), self.new(slot, ("post", instance))
            )

    # -- attributes ----------------------------------------------------------------------------------------------------------------

    def instance_variable(self, instance: int, name: str) -> int:
        return self.new(self.first[instance], ("instance", self.second[instance], name))

    def class_variable(self, owner: int, index: int, name: str) -> int:
        return self.new(owner, ("class", index, name))

    def order(self, owner: int, index: int) -> list[tuple[dict[str, int], tuple[int, int]]]:
        """A class's method resolution order: each class's names, and the class."""
        key = owner << SHIFT | index
        known = self.orders.get(key)
        if known is None:
            places = [(self.slots[path], number) for path, number in self.names.mro(self.paths[owner], index)]
            known = self.orders[key] = [(self.facts[p[0]].classes[p[1]].namespace, p) for p in places]
        return known

    def find_member(self, owner: int, index: int, name: str, after: tuple | None = None) -> tuple[int, int] | None:
        """The first class in method resolution order (behind class `after`) that defines `name`."""
        if after is not None:
            return self._find_after(owner, index, name, after)
        for namespace, place in self.orders.get(owner << SHIFT | index) or self.order(owner, index):
            if name in namespace:
                return place
        return None

    def _find_after(self, owner: int, index: int, name: str, after: tuple[str, int]) -> tuple[int, int] | None:
        passed = False
        for namespace, place in self.order(owner, index):
            if passed and name in namespace:
                return place
            passed = passed or (self.paths[place[0]], place[1]) == after
        return None

    def metaclass(self, owner: int, index: int) -> tuple[int, int] | None:
        key = owner << SHIFT | index
        if key not in self.metaclasses:
            self.metaclasses[key] = self._find_metaclass(owner, index)
        return self.metaclasses[key]

    def _find_metaclass(self, owner: int, index: int) -> tuple[int, int] | None:
        for path, number in self.names.mro(self.paths[owner], index):
            meta = self.names.facts[path].classes[number].metaclass
            if meta is not None:
                for entity in self.names.path_entities(path, meta):
                    if entity.kind == "class":
                        return self.slots[entity.place], entity.index
        return None

    def load_attribute(self, slot: int, caller: int, value: int, name: str, target: int, is_callee: bool) -> None:
        """`value.name` reaches `target`."""
        kind = self.kinds[value]
        if kind == Kind.INSTANCE:
            self._load_from_instance(slot, caller, value, name, target, is_callee)
        elif kind == Kind.CLASS:
            self._load_from_class(slot, caller, value, name, target, is_callee)
        elif kind == Kind.MODULE:
            self._load_from_module(slot, caller, value, name, target, is_callee)
        elif kind == Kind.SUPER:
            self._load_from_super(slot, caller, value, name, target)
        elif kind == Kind.FUNCTION:
            if name == "__call__":
                self.add(target, value)
            else:
                self.flow(self.new(self.first[value], ("function", self.second[value], name)), target)
        elif kind == Kind.BOUND:
            if name == "__func__":
                self.add(target, self.first[value])
            elif name == "__self__":
                self.add(target, self.second[value])
            elif name == "__call__":
                self.add(target, value)
        elif kind == Kind.BUILTIN:
            dotted = f"{self.first[value]}.{name}"
            if dotted in self.external_names:
                self.add(target, self.value(Kind.BUILTIN, dotted))
            elif self.first[value] in self.external_names:
                short = f"{self.first[value].rsplit('.', 1)[-1]}.{name}"
                if short in self.builtin_names:
                    self.add(target, self.value(Kind.BUILTIN, short))
        elif kind in (Kind.OBJECT, Kind.GENERATOR, Kind.PROPERTY, Kind.NAMESPACE):
            self.add(target, self.value(Kind.METHOD, value, name))
        elif kind == Kind.PARTIAL and name == "func":
            self.flow(self.first[value], target)

    def _load_from_instance(self, slot: int, caller: int, value: int, name: str, target: int, is_callee: bool) -> None:
        owner, index = self.first[value], self.second[value]
        if name == "__class__":
            self.add(target, self.value(Kind.CLASS, owner, index))
            return
        view, attribute, unknown = self.view(value, name)
        self.on(view, (VIEW, (slot, caller, name, target, is_callee), 0))
        if attribute is not None and not is_callee:
            self.use(slot, caller, *attribute)
        if unknown and not name.startswith("__") and self.find_member(owner, index, "__getattr__") is not None:
            self.call_method(
                slot, ("getattr", name, target), caller, value, "__getattr__", Arguments(((0, Constant(name)),)), target
            )

    def view(self, receiver: int, name: str) -> tuple[int, tuple[int, int] | None, bool]:
        """The variable of what `receiver.name` yields (properties uncalled), the Attribute node it means, and whether no class defines it."""
        known = self.views.get((receiver, name))
        if known is not None:
            return known
        owner, index = self.first[receiver], self.second[receiver]
        variable = self.new(owner, ("view", receiver, name))
        is_instance = self.kinds[receiver] == Kind.INSTANCE
        if name in self.stored:
            self._connect(receiver, name, variable)
        else:
            self.views_by_name.setdefault(name, []).append((receiver, variable))
        found = attribute = None
        for path, number in self.names.mro(self.paths[owner], index):
            place = self.slots[path]
            facts = self.facts[place].classes[number]
            if found is None and name in facts.namespace:
                found = place, number
                self.member(found, name, receiver, variable)
            if attribute is None and name in facts.attributes:
                attribute = place, facts.attributes[name]
        if (
            not is_instance
            and found is not None
            and name in self.facts[found[0]].classes[found[1]].attributes
            and self.is_enum(owner, index)
        ):
            self.add(variable, self.value(Kind.INSTANCE, owner, index))
        known = self.views[receiver, name] = (variable, attribute, found is None and attribute is None)
        return known

    def _connect(self, receiver: int, name: str, view: int) -> None:
        """Lets what is stored as attribute `name` of an instance or of its classes reach a view."""
        if self.kinds[receiver] == Kind.INSTANCE:
            self.flow(self.instance_variable(receiver, name), view)
        for path, number in self.names.mro(self.paths[self.first[receiver]], self.second[receiver]):
            self.flow(self.class_variable(self.slots[path], number, name), view)

    def _note_stored(self, name: str) -> None:
        """Views leave out names that no file stores; setattr and generated constructors can store further ones."""
        if name not in self.stored:
            self.stored.add(name)
            for receiver, view in self.views_by_name.get(name, ()):
                self._connect(receiver, name, view)

    def is_enum(self, owner: int, index: int) -> bool:
        return any(
            b.startswith("enum.") or b.endswith(("Enum", "Flag"))
            for b in self.names.external_bases(self.paths[owner], index)
        )

    def member(self, found: tuple[int, int], name: str, receiver: int, target: int) -> None:
        """Class member `name`, bound to `receiver` (an instance or a class), reaches `target`; properties are left to be called."""
        owner, number = found
        facts = self.facts[owner].classes[number]
        plain = facts.plain.get(name)
        if plain is not None:
            self.add(target, self.bind(self.value(Kind.FUNCTION, owner, plain), name, receiver))
        else:
            self.on(owner << SHIFT | facts.namespace[name], (BIND, (receiver, name, target), 0))

    def see(self, value: int, slot: int, caller: int, name: str, target: int, is_callee: bool) -> None:
        """One value of a view reaches the place that asked for it; a property is called from there."""
        kind = self.kinds[value]
        if kind == Kind.GETTER:
            getter, receiver = self.first[value], self.second[value]
            key = ("property", name, target)
            if self.kinds[getter] == Kind.INSTANCE:
                self.call_method(slot, key, caller, getter, "__get__", Arguments(prefix=(receiver,)), target)
            else:
                self.invoke(slot, key, caller, getter, Arguments(prefix=(receiver,)), target)
            return
        self.add(target, value)
        if not is_callee:
            if kind == Kind.BOUND:
                value = self.first[value]
                kind = self.kinds[value]
            if kind == Kind.FUNCTION:
                owner = self.first[value]
                self.use(slot, caller, owner, self.facts[owner].functions[self.second[value]].definition)

    def bind(self, function: int, name: str, receiver: int) -> int:
        if name in _IMPLICIT_STATIC:
            return function
        if self.kinds[receiver] == Kind.CLASS:
            return self.value(Kind.BOUND, function, receiver) if name in _IMPLICIT_CLASS else function
        return self.value(Kind.BOUND, function, receiver)

    def bind_member(self, value: int, receiver: int, name: str, target: int) -> None:
        """The descriptor protocol for one value found in a class."""
        kind = self.kinds[value]
        if kind == Kind.FUNCTION:
            self.add(target, self.bind(value, name, receiver))
        elif kind == Kind.STATIC:
            self.add(target, self.first[value])
        elif kind == Kind.CLASSMETHOD:
            owner = receiver
            if self.kinds[receiver] == Kind.INSTANCE:
                owner = self.value(Kind.CLASS, self.first[receiver], self.second[receiver])
            self.add(target, self.value(Kind.BOUND, self.first[value], owner))
        elif kind == Kind.PROPERTY:
            if self.kinds[receiver] != Kind.INSTANCE:
                self.add(target, value)
            elif self.first[value] >= 0:
                self.add(target, self.value(Kind.GETTER, self.first[value], receiver))
        elif kind == Kind.INSTANCE and self.find_member(self.first[value], self.second[value], "__get__") is not None:
            self.add(target, self.value(Kind.GETTER, value, receiver))
        else:
            self.add(target, value)

    def _load_from_class(self, slot: int, caller: int, value: int, name: str, target: int, is_callee: bool) -> None:
        view, attribute, unknown = self.view(value, name)
        self.on(view, (VIEW, (slot, caller, name, target, is_callee), 0))
        if attribute is not None and not is_callee:
            self.use(slot, caller, *attribute)
        if unknown:
            meta = self.metaclass(self.first[value], self.second[value])
            if meta is not None:
                member = self.find_member(*meta, name)
                if member is not None:
                    self.member_through_metaclass(slot, caller, member, name, value, target, is_callee)

    def member_through_metaclass(
        self, slot: int, caller: int, found: tuple, name: str, value: int, target: int, is_callee: bool
    ) -> None:
        facts = self.facts[found[0]].classes[found[1]]
        plain = facts.plain.get(name)
        if plain is not None:
            self.add(target, self.value(Kind.BOUND, self.value(Kind.FUNCTION, found[0], plain), value))

    def _load_from_module(self, slot: int, caller: int, value: int, name: str, target: int, is_callee: bool) -> None:
        owner = self.first[value]
        if owner < 0:
            entity = Entity("namespace", self.second[value], 0)
        else:
            entity = Entity("module", self.paths[owner], 0)
            if name == "__dict__":
                self.add(target, self.value(Kind.NAMESPACE, owner))
                return
        self.module_member(entity, name, target)
        if not is_callee:
            for found in self.names.member(entity, name):
                self.use_entity(slot, caller, found)

    def use_entity(self, slot: int, caller: int, entity: Entity) -> None:
        if entity.kind == "external" or entity.kind == "namespace" or entity.kind == "module":
            return
        owner = self.slots[entity.place]
        definition = entity.index
        if entity.kind == "class":
            definition = self.facts[owner].classes[entity.index].definition
        elif entity.kind == "function":
            definition = self.facts[owner].functions[entity.index].definition
        self.use(slot, caller, owner, definition)

    def _load_from_super(self, slot: int, caller: int, value: int, name: str, target: int) -> None:
        owner, receiver = self.first[value], self.second[value]
        place = self.paths[self.first[owner]], self.second[owner]
        start = receiver if self.kinds[receiver] in (Kind.INSTANCE, Kind.CLASS) else owner
        found = self.find_member(self.first[start], self.second[start], name, after=place)
        if found is not None:
            view = (
                self.new(self.first[receiver], ("super", owner, receiver, name))
                if self.kinds[receiver] in (Kind.INSTANCE, Kind.CLASS)
                else target
            )
            if view is target or view not in self.points:
                self.member(found, name, receiver, view)
            if view is not target:
                self.on(view, (VIEW, (slot, caller, name, target, True), 0))

    def store_attribute(self, slot: int, caller: int, value: int, name: str, source: int) -> None:
        kind = self.kinds[value]
        if source & MASK:
            self._note_stored(name)
        if kind == Kind.INSTANCE:
            owner, index = self.first[value], self.second[value]
            found = self.find_member(owner, index, name)
            if found is not None and name not in self.facts[found[0]].classes[found[1]].plain:
                variable = found[0] << SHIFT | self.facts[found[0]].classes[found[1]].namespace[name]
                self.on(variable, (TRANSFER, self._setter(slot, caller, value, name, source), 0))
            if self.find_member(owner, index, "__setattr__") is not None:
                self.call_method(slot, ("setattr", name, source), caller, value, "__setattr__", Arguments(((0, Constant(name)), (0, source))), self.new(slot, ("ignored", name)))  # fmt: skip
            if source & MASK:
                self.flow(source, self.instance_variable(value, name))
        elif not source & MASK:
            return
        elif kind == Kind.CLASS:
            self.flow(source, self.class_variable(self.first[value], self.second[value], name))
        elif kind == Kind.MODULE and self.first[value] >= 0:
            owner = self.first[value]
            self.flow(source, self.new(owner, ("global", name)))
            if name in self.facts[owner].cells:
                self.flow(source, owner << SHIFT | self.facts[owner].cells[name])
        elif kind == Kind.FUNCTION:
            self.flow(source, self.new(self.first[value], ("function", self.second[value], name)))

    def _setter(self, slot: int, caller: int, receiver: int, name: str, source: int) -> Callable[[int], None]:
        def call(found: int) -> None:
            if self.kinds[found] == Kind.PROPERTY and self.second[found] >= 0:
                ignored = self.new(slot, ("ignored", name))
                self.invoke(
                    slot,
                    ("setter", name, source),
                    caller,
                    self.second[found],
                    Arguments(((0, source),), (), (receiver,)),
                    ignored,
                )

        return call

    def call_method(
        self, slot: int, key: tuple, caller: int, value: int, name: str, arguments: Arguments, target: int
    ) -> None:
        """Calls a special method, which is looked up in the class and not in the instance."""
        if self.kinds[value] != Kind.INSTANCE:
            return
        owner, index = self.first[value], self.second[value]
        found = self.find_member(owner, index, name)
        if found is None:
            # torch.nn.Module's own __call__ runs forward.
            is_module = name == "__call__" and self.find_member(owner, index, "forward") is not None
            if is_module and self.names.external_bases(self.paths[owner], index):
                self.member_of_class(slot, key, caller, (owner, index), "forward", value, arguments, target)
            return
        self.member_of_class(slot, key, caller, (owner, index), name, value, arguments, target)

    def member_of_class(
        self,
        slot: int,
        key: tuple,
        caller: int,
        where: tuple,
        name: str,
        receiver: int,
        arguments: Arguments,
        target: int,
    ) -> None:
        """Looks `name` up in class `where`, binds it to `receiver`, calls it."""
        found = self.find_member(*where, name)
        if found is None:
            return
        facts = self.facts[found[0]].classes[found[1]]
        plain = facts.plain.get(name)
        if plain is not None:
            self.invoke(
                slot, key, caller, self.value(Kind.FUNCTION, found[0], plain), arguments.after(receiver), target
            )
            return
        callee = self.new(slot, ("method", *key, receiver, name))
        if callee not in self.dynamic and callee not in self.copies:
            self.on(
                callee,
                (
                    CALLBACK,
                    (slot, key, caller, arguments if name != "__new__" else arguments.after(receiver), target),
                    0,
                ),
            )
            self.on(found[0] << SHIFT | facts.namespace[name], (BIND, (receiver, name, callee), 0))

    def implicit(self, slot: int, caller: int, value: int, name: str) -> None:
        """A special method that an operator or a built-in calls without interest in its arguments or result."""
        if self.kinds[value] != Kind.INSTANCE:
            return
        owner, index = self.first[value], self.second[value]
        if name == "__str__" and self.find_member(owner, index, name) is None:
            name = "__repr__"
        elif name == "__contains__" and self.find_member(owner, index, name) is None:
            self.iterate(slot, caller, value, self.new(slot, ("ignored", name)))
            return
        elif name == "__ne__" and self.find_member(owner, index, name) is None:
            name = "__eq__"
        self.call_method(
            slot, ("implicit", caller, name), caller, value, name, Arguments(), self.new(slot, ("ignored", name))
        )

    # -- phases ----------------------------------------------------------------------------------------------------------------------

    def _expect(self, slot: int) -> None:
        """Notes what gets a fall-back when it is still empty at the end: decorated names, and `self` and annotated parameters of functions nobody calls."""
        facts = self.facts[slot]
        for result, _, inner in facts.decorated:
            self.later.append(("decorated", slot, result, inner))
        self.later += [("function", slot, number, 0) for number in range(len(facts.functions))]

    def _fall_back(self, entry: tuple) -> None:
        kind, slot, a, b = entry
        base = slot << SHIFT
        if kind == "decorated":
            if not self.points.get(base | a):
                self.flow(base | b, base | a)
        elif kind == "function":
            self._assume_called(slot, self.facts[slot].functions[a])
        elif kind == "key":
            a()

    def _decoration(self, target: int, arguments: Arguments) -> Callable[[int], None]:
        """What a decorator returns, less the functions that it was given elsewhere: those come from mixing its calls."""
        given = arguments.positional[0][1]

        def take(value: int) -> None:
            function = value
            while self.kinds[function] in (Kind.STATIC, Kind.CLASSMETHOD, Kind.BOUND):
                function = self.first[function]
            if (
                self.kinds[function] == Kind.FUNCTION
                and (self.first[function], self.second[function]) in self.decorated_functions
            ):
                own = self.points.get(given, ())
                if function not in own and value not in own:
                    return
            self.add(target, value)

        return take

    def _assume_called(self, slot: int, function: FunctionFacts) -> None:
        base = slot << SHIFT
        if (
            function.result_annotation is not None
            and not function.yielded
            and not self.points.get(base | function.returned)
        ):
            self._add_instances(base | function.returned, slot, function.result_annotation)
        for position, parameter in enumerate(function.parameters):
            variable = base | parameter.variable
            if self.points.get(variable):
                continue
            if position == 0 and function.owner >= 0 and parameter.kind < 2:
                owner = self.facts[slot].classes[function.owner]
                if function.name not in owner.namespace:
                    continue
                held = self.points.get(base | owner.namespace[function.name], ())
                kinds = {self.kinds[v] for v in held}
                if Kind.STATIC in kinds:
                    continue
                if Kind.CLASSMETHOD in kinds or function.name in ("__new__", "__init_subclass__", "__class_getitem__"):
                    self.add(variable, self.value(Kind.CLASS, slot, function.owner))
                else:
                    self.add(variable, self.value(Kind.INSTANCE, slot, function.owner))
                    self._add_subclasses(variable, slot, function)
            elif parameter.annotation is not None and parameter.kind not in (2, 4):
                self._add_instances(variable, slot, parameter.annotation)

    def _add_subclasses(self, variable: int, slot: int, function: FunctionFacts) -> None:
        """`self` of a method that the project never calls may be an instance of any subclass that inherits it."""
        if self.subclasses is None:
            self.subclasses = {}
            for place, path in enumerate(self.paths):
                for number in range(len(self.facts[place].classes)):
                    for base in self.names.mro(path, number)[1:]:
                        self.subclasses.setdefault(base, []).append((place, number))
        below = self.subclasses.get((self.paths[slot], function.owner), ())
        if len(below) >= MAX_VALUES:
            return
        for place, number in below:
            if self.find_member(place, number, function.name) == (slot, function.owner):
                self.add(variable, self.value(Kind.INSTANCE, place, number))

    def _add_instances(self, variable: int, slot: int, annotation: tuple) -> None:
        for entity in self.names.path_entities(self.paths[slot], annotation):
            if entity.kind == "class":
                self.add(variable, self.value(Kind.INSTANCE, self.slots[entity.place], entity.index))
