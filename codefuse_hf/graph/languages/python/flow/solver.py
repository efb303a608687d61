"""Runs the data-flow program of a file, until no value reaches a new variable, and collects its calls and references.

Values are functions, classes, instances (one per class), bound methods, modules, containers (one per display) and the like, interned as integers. Calls
link arguments to parameters and results to call sites as their targets become known, so the call graph and the flow of values are found together.
Fall-backs for what the project itself never calls (methods of a library, for instance) come in later phases, once everything that is known has spread.

Files run one by one and send each other what concerns the other; python/flow/rounds.py says when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codefuse_hf.graph.languages.python.flow.annotations import Type, is_concrete, parts, says_something
from codefuse_hf.graph.languages.python.flow.builtins import Builtins
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.states import FileState
from codefuse_hf.graph.languages.python.flow.taken import IS, taken_out
from codefuse_hf.graph.languages.python.flow.values import Arguments, Kind
from codefuse_hf.graph.languages.python.reading.facts import (
    BY_POSITION,
    DECORATES_AS_MADE,
    FORWARDS,
    ORDINARY,
    VARIADIC,
    Op,
)


class Solver(Builtins):
    """Runs files over `structure`."""

    def start(self, slot: int) -> FileState:
        """Seeds a file and runs it for the first time; messages are in `out`."""
        state = FileState(slot, self.structure.program(slot), self.structure.facts[slot].variables)
        self.enter_file(state)
        state.taken = taken_out(state.program, self.limits, self._attribute_annotation)
        self.enter_file(state)
        self._seed()
        self._run()
        return state

    def _attribute_annotation(self, annotation: tuple, name: str) -> tuple | None:
        """What is known of `x.name`, as `taken_out` has it, where it is known what `x` is. (A descriptor gives something else than it is.)"""
        type_ = self.type_of_attribute(self.type_of(annotation), name)
        for part in parts(type_):
            if part is None or (part[0] == "external" and not is_concrete(part[1])):
                return None
            if part[0] == "instance" and self.find_member(*part[1:], "__get__") is not None:
                return None
        return IS, type_

    def receive(self, state: FileState, messages: Mapping[int, Any]) -> None:
        """Takes in messages by sender and runs the file; its own messages are in `out`."""
        self.enter_file(state)
        for sender, pairs in messages.items():
            self.deliver(sender, pairs)
        self._run()

    def fall_back(self, state: FileState, is_first: bool) -> None:
        """Ends a phase for one file: what has stayed empty gets its fall-back. Messages are in `out`."""
        self.enter_file(state)
        if is_first:
            self._expect()
        pending, self.later = self.later, []
        state.later = self.later
        for entry in pending:
            self._fall_back(entry)
        self._run()

    def unknown_calls(self, state: FileState) -> list[tuple[int, str]]:
        """Lists (caller, name) of the method calls on parameters that nothing is known of, where the name may tell."""
        facts = self.structure.facts[state.slot]
        found: dict[tuple[int, str], None] = {}
        starts, operations = state.program.starts, state.program.operations
        functions = facts.functions
        for label in functions.present():
            for position, (_, kind, variable) in enumerate(functions.parameters(label)):
                if kind in VARIADIC or state.points[variable]:
                    continue
                annotation = self.structure.annotation(state.slot, label, position)
                if annotation is not None and self.structure.ask(("typed", state.slot, annotation)) is not None:
                    continue  # of a class outside the project
                for i in range(3 * starts[variable], 3 * starts[variable + 1], 3):
                    if operations[i] == Op.ATTRIBUTE:
                        name, _, caller, is_callee = state.program.loads[operations[i + 1]]
                        if is_callee and _is_telling(name):
                            found[caller, name] = None
        return list(found)

    # -- seeds ---------------------------------------------------------------------------------------------------------------------

    def _seed(self) -> None:
        facts, slot = self.facts, self.slot
        for seed in self.program.seeds:
            variable, kind, payload = seed[0], seed[1], seed[2]
            if kind == "function":
                value = self.value(Kind.FUNCTION, slot, payload)
            elif kind == "class":
                value = self.value(Kind.CLASS, slot, payload)
            elif kind == "object":
                value = self.value(Kind.OBJECT, slot, payload)
            else:
                value = self.constant(payload)
                self.points[variable] = (value,)
                self.work.append((variable, value))
                continue
            self.add(variable, value)
        for statement in facts.imports:
            if statement.name != "*":
                self._seed_import(statement.variable, statement)
        for index in facts.classes.in_order():
            self._create_class(index)
        for name, variable in facts.cells.items():
            if name in facts.exports:
                continue
            found = self.ask(Structure.exported, slot, name)
            if found >= 0:
                self.flow(self.shared(found, "attribute", name), variable)
            elif name in self.builtin_names:
                self.add(variable, self.value(Kind.BUILTIN, name))

    def _seed_import(self, variable: int, statement: Any) -> None:
        module, entities = self.ask(
            Structure.import_, self.slot, statement.level, statement.module, statement.name, statement.whole
        )
        if module is not None:
            self.module_member(module[0], module[1], statement.name, variable)
        for entity in entities:
            self.add_entity(variable, entity)

    def _create_class(self, index: int) -> None:
        """A class statement calls its metaclass's `__new__` and `__init__`, and its base's `__init_subclass__`."""
        classes = self.facts.classes
        if not classes.is_derived(index):
            return
        made = self.value(Kind.CLASS, self.slot, index)
        ignored = self.new(("class", "created"))
        caller = classes.caller(index)
        meta = self.metaclass(self.slot, index)
        if meta is not None:
            owner = self.value(Kind.CLASS, *meta)
            self.member_of_class(("new", index), caller, meta, "__new__", owner, Arguments(), ignored)
            self.member_of_class(("init", index), caller, meta, "__init__", made, Arguments(), ignored)
        name = "__init_subclass__"
        found = self.ask(Structure.member_after, self.slot, index, name, self.slot, index)
        if found is not None:
            self.member_of_class(("subclass", index), caller, found[:2], name, made, Arguments(), ignored)

    # -- running -----------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        work, queued = self.work, self.queued
        add, copies, steps, methods, subscribers = self.add, self.copies, self.steps, _METHODS, self.subscribers
        static, variables, points = _OPERATIONS, self.facts.variables, self.points
        starts, operations = self.program.starts, self.program.operations
        while work or queued:
            while queued:
                step, value = queued.popleft()
                if step.__class__ is int:
                    name, target, caller, is_callee = self.program.loads[step]
                    self.see(value, caller, name, target, is_callee)
                else:
                    methods[step[0]](self, value, *step[1:])
            if not work:
                break
            variable, value = work.popleft()
            if 0 < variable < variables:
                for i in range(3 * starts[variable], 3 * starts[variable + 1], 3):
                    code = operations[i]
                    if code:
                        static[code](self, operations[i + 1], operations[i + 2], value)
                    elif value not in points[operations[i + 1]]:
                        add(operations[i + 1], value)
            if variable in copies:
                targets = copies[variable]
                for target in (targets,) if targets.__class__ is int else targets:
                    if target < 0 or value not in points[target]:
                        add(target, value)
            if variable in steps:
                later = steps[variable]
                if later.__class__ is list:
                    queued.extend([(step, value) for step in later])
                else:
                    queued.append((later, value))
            if variable in subscribers:
                pairs = iter(subscribers[variable])
                for receiver, number in zip(pairs, pairs, strict=True):
                    self.send(receiver, number, value)

    def _on_attribute(self, a: int, b: int, value: int) -> None:
        name, target, caller, is_callee = self.program.loads[a]
        self.load_attribute(caller, value, name, target, is_callee, a)

    def _on_call(self, a: int, b: int, value: int) -> None:
        caller, _, target, positional, keywords, mode = self.program.calls[a]
        if mode == FORWARDS:
            positional = keywords = ()  # whoever calls the wrapper sees to what it passes on
        elif mode:
            if mode == DECORATES_AS_MADE and (not self._may_be_made(value) or self._is_for_a_function(value)):
                return
            raw = self.new(("decorated", target))
            if raw not in self.steps:
                self.steps[raw] = ("take_decorated", target, positional[0][1])
            target = raw
        self.invoke((a,), caller, value, Arguments(positional, keywords), target)

    def _on_set_attribute(self, a: int, b: int, value: int) -> None:
        name, source, caller = self.program.items[a]
        self.store_attribute(caller, value, name, source)

    def _on_get_item(self, a: int, b: int, value: int) -> None:
        key, target, caller = self.program.items[a]
        self.get_item(("item", a), caller, value, key, target)

    def _on_set_item(self, a: int, b: int, value: int) -> None:
        key, source, caller = self.program.items[a]
        self.set_item(("item", a), caller, value, key, source)

    def _on_iterate(self, a: int, b: int, value: int) -> None:
        self.iterate(b, value, a)

    def _on_unpack(self, a: int, b: int, value: int) -> None:
        key, target, caller = self.program.items[a]
        self.unpack(a, caller, value, key, target)

    def _on_call_method(self, a: int, b: int, value: int) -> None:
        name = self.program.names[a]
        if name:
            self.implicit(b, value, name)

    def _on_operator(self, a: int, b: int, value: int) -> None:
        method, target, caller = self.program.items[a]
        self.operator(("operator", a), caller, value, method, b, target)

    def _on_enter(self, a: int, b: int, value: int) -> None:
        self.enter(b, value, a)

    def _on_super(self, a: int, b: int, value: int) -> None:
        self.add(b, self.value(Kind.SUPER, self.value(Kind.CLASS, self.slot, a), value))

    def _on_raise(self, a: int, b: int, value: int) -> None:
        if self.kinds[value] == Kind.CLASS:
            self.instantiate(("raise", b, value), b, value, Arguments(), self.new(("raised", value)))

    def _on_catch(self, a: int, b: int, value: int) -> None:
        self.catch(value, a)

    def _on_await(self, a: int, b: int, value: int) -> None:
        self.add(a, value)
        self.implicit(b, value, "__await__")

    def take_decorated(self, value: int, target: int, given: int) -> None:
        """Takes what a decorator returns, less the functions and classes that it was given elsewhere, and the wrappers of these, which come from
        mixing its calls; and less what it returns where it is given nothing."""
        own = self.points[given]
        if value in own or self._defined(value) in own:
            self.add(target, value)
        elif self.kinds[value] == Kind.WRAPPED and not self._is_within(value, own):
            self.later.append(("key", "take_other", (value, target)))
        elif self._may_be_made(value) and not self._is_for_options(value):
            self.add(target, value)

    def take_other(self, value: int, target: int) -> None:
        """Takes a wrapper of something else than what is decorated, where nothing better is known."""
        if not self.points[target]:
            self.add(target, value)

    def _is_within(self, wrapper: int, values: tuple[int, ...]) -> bool:
        """Whether what a wrapper was made for, be it through others, is one of some values or what these were made for."""
        inside = {self._innermost(each) for each in values}
        return not inside or self._innermost(wrapper) in inside

    def _innermost(self, value: int) -> int:
        while self.kinds[value] in (Kind.WRAPPED, Kind.STATIC, Kind.CLASSMETHOD, Kind.BOUND):
            value = self.second[value] if self.kinds[value] == Kind.WRAPPED else self.first[value]
        return value

    def _is_for_options(self, value: int) -> bool:
        """Whether a decorator with options returns a value where it is given no function: an inner decorator, or a partial of itself."""
        if self.kinds[value] == Kind.FUNCTION:
            return self._is_known_as("decorator", value)
        return self.kinds[value] == Kind.PARTIAL and any(
            self.kinds[each] == Kind.FUNCTION and self._is_known_as("options", each)
            for each in self.held(self.partial_variable(value, 0))
        )

    def _is_for_a_function(self, value: int) -> bool:
        """Whether a decorator with options returns a value where it is given a function, which it wraps."""
        value = self.first[value] if self.kinds[value] == Kind.WRAPPED else value
        if self.kinds[value] != Kind.FUNCTION:
            return False
        signature = self.ask(Structure.signature, self.first[value], self.second[value])
        if signature.forwards is None:
            return False
        maker = self.value(Kind.FUNCTION, self.first[value], signature.forwards[0])
        return self._is_known_as("decorator", maker) or self._is_known_as("options", maker)

    def _is_known_as(self, kind: str, function: int) -> bool:
        return self.ask(Structure.is_handed_out, self.first[function], kind, self.second[function])

    def _defined(self, value: int) -> int:
        """The function of a method."""
        while self.kinds[value] in (Kind.STATIC, Kind.CLASSMETHOD, Kind.BOUND):
            value = self.first[value]
        return value

    def _may_be_made(self, value: int) -> bool:
        """Whether a value may be what some function returns of its own accord: not a function or class that merely passed through."""
        value = self._defined(value)
        kind = _DEFINED.get(self.kinds[value])
        return kind is None or self.ask(Structure.is_handed_out, self.first[value], kind, self.second[value])

    # -- phases ----------------------------------------------------------------------------------------------------------------------

    def _expect(self) -> None:
        """Notes what gets a fall-back when it is still empty at the end: decorated names, and `self` and annotated parameters of functions nobody calls."""
        for result, _, inner in self.facts.decorated:
            self.later.append(("decorated", result, inner))
        self.later += [("function", number, 0) for number in self.facts.functions.in_order()]
        self.later += [
            ("typed", each, 0)
            for each in self.structure.typed_variables(self.slot)
            if each[0] == -1 or (each[0] >= 0 and each[1])
        ]

    def _fall_back(self, entry: tuple) -> None:
        kind, a, b = entry
        if kind == "decorated":
            if not self.points[a]:
                self.flow(b, a)
        elif kind == "function":
            self._assume_called(a)
        elif kind == "typed":
            self._assume_typed(*a)
        elif kind == "key":
            getattr(self, a)(*b)

    def _assume_called(self, function: int) -> None:
        slot, functions, points = self.slot, self.facts.functions, self.points
        returned = functions.returned(function)
        if self._holds_containers(returned) and not functions.yielded(function):
            annotation = self.structure.annotation(slot, function, -1)
            if annotation is not None:
                self.give_type(returned, self.ask(Structure.typed, slot, annotation))
        name, owner = functions.name(function), functions.owner(function)
        for position, (word, kind, variable) in enumerate(functions.parameters(function)):
            is_own = position == 0 and owner >= 0 and kind in BY_POSITION
            if not (self._holds_no_receiver(variable, owner) if is_own else self._holds_containers(variable)):
                continue
            if is_own:
                namespace = self.structure.class_(slot, owner).namespace
                if name not in namespace:
                    continue
                kinds = {self.kinds[v] for v in points[namespace[name]]}
                if Kind.STATIC in kinds:
                    continue
                if Kind.CLASSMETHOD in kinds or name in ("__new__", "__init_subclass__", "__class_getitem__"):
                    self.add(variable, self.value(Kind.CLASS, slot, owner))
                else:
                    self.add(variable, self.value(Kind.INSTANCE, slot, owner))
                    for heir in self.ask(Structure.heirs, slot, owner, name):
                        self.add(variable, self.value(Kind.INSTANCE, *heir))
            elif kind not in VARIADIC:
                annotation = self.structure.annotation(slot, function, position)
                if annotation is not None:
                    self.give_type(variable, self.ask(Structure.typed, slot, annotation))
                if kind == ORDINARY and (name.startswith("test") or self.is_fixture(function)):
                    self._take_fixture(word, variable, function)

    def _holds_containers(self, variable: int) -> bool:
        """Whether nothing is known of a variable, or nothing but containers: what is in them may not be."""
        return all(self.kinds[value] == Kind.OBJECT for value in self.points[variable])

    def _holds_no_receiver(self, variable: int, owner: int) -> bool:
        """Whether nothing in `self` is an object or class. (What decorates other functions of its own class is no method.)"""
        functions = self.facts.functions
        return not any(
            self.kinds[value] in (Kind.INSTANCE, Kind.CLASS)
            or (
                self.kinds[value] == Kind.FUNCTION
                and self.first[value] == self.slot
                and functions.owner(self.second[value]) == owner
            )
            for value in self.points[variable]
        )

    def is_fixture(self, function: int) -> bool:
        """Tells whether pytest calls a function of this file for the tests that name it."""
        return hash(("fixture", function)) in self.bound

    def _take_fixture(self, word: str, variable: int, function: int) -> None:
        """A test's argument is what the nearest fixture of that name gives."""
        overridden = self.facts.functions.name(function) == word
        if self.facts.functions.owner(function) >= 0:
            self.flow(self.shared(self.slot, "fixture", word), variable)  # its class may have one
        for found in self.ask(Structure.fixture, self.slot, word, overridden):
            self.flow(self.shared(found, "fixture", word), variable)

    def _assume_typed(self, owner: int, name: str, variable: int, annotation: tuple) -> None:
        """A variable, or an attribute of a class, of which only its annotation is known."""
        if owner < 0:
            if self._holds_containers(variable):
                self.give_type(variable, self.ask(Structure.typed, self.slot, annotation))
            return
        stored = self.known("instance", owner, name)
        if stored is None or not self.points[stored]:
            type_ = self.ask(Structure.typed, self.slot, annotation)
            if any(part is not None and part[0] not in ("external", "nothing") for part in parts(type_)):
                self.give_type(self.class_variable(self.slot, owner, name), type_)

    def give_type(self, variable: int, type_: Type) -> None:
        """Puts what a type says into a variable: instances, and containers of what their items are."""
        for part in parts(type_):
            if part is None or part[0] in ("external", "nothing", "not"):
                continue
            kind, key = part[0], ("typed", variable, part)
            if kind == "instance":
                self.add(variable, self.value(Kind.INSTANCE, *part[1:]))
            elif kind == "class":
                self.add(variable, self.value(Kind.CLASS, *part[1:]))
            elif key not in self.state.sites:
                inner = part[1:] if kind == "tuple" else part[1:2] if kind == "call" else part[1:-1]
                if not any(map(says_something, inner)):
                    continue
                made = self.new_site(key, kind, len(inner) if kind == "tuple" else -1)
                self.add(variable, made)
                if kind == "tuple":
                    for place, item in enumerate(inner):
                        self.give_type(self.field(made, place), item)
                else:
                    self.give_type(self.rest(made), inner[-1])
                    if kind == "dict":
                        self.give_type(self.keys(made), inner[0])


_DEFINED = {Kind.FUNCTION: "function", Kind.CLASS: "class"}
"""Values that are definitions, as `origins` calls them."""


def _is_telling(name: str) -> bool:
    """Whether a method's name is hardly one that some library's class has, too: a private one, or one of several words."""
    return not name.startswith("__") and "_" in name.rstrip("_")


_OPERATIONS = [getattr(Solver, f"_on_{op.name.lower()}", None) for op in Op]
"""The method for each operation of a file's program, by its code."""


class _Methods(dict[str, Callable]):
    def __missing__(self, name: str) -> Callable:
        self[name] = method = getattr(Solver, name)
        return method


_METHODS = _Methods()
"""The method for each step, by its name."""
