"""What the solver asks about other files before any value flows: what names, classes, functions and displays are there.

Answers are plain data that names things by their labels and never by the numbers of another file's variables, so that they stay equal while the things
they speak of stay as they are. A file's run may depend on other files through these answers and through messages, and through nothing else.

(What is asked again after a change: `update/declarations.py`.)
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.python.flow.annotations import Type, TypeReader
from codefuse_hf.graph.languages.python.names.modules import Entity
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.names.stubs import StubTypes
from codefuse_hf.graph.languages.python.reading.facts import (
    BY_POSITION,
    KWARGS,
    OWN_TYPE,
    VARIADIC,
    ClassFacts,
    ImportFacts,
    PythonFacts,
)
from codefuse_hf.graph.languages.python.reading.program import Program
from codefuse_hf.graph.spill import Spill

MAX_SUBCLASSES = 12
"""`self` of a method that nobody calls may be an instance of a subclass, as long as there are fewer subclasses than this."""

_WITHOUT_SELF = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))
_PROTOCOLS = frozenset(("typing.Protocol", "typing_extensions.Protocol"))
_MAX_ANSWERS = 100_000
"""Answers at hand."""
_MAX_FILES_AT_HAND = 500
"""Files of which things are at hand that can be had again from their facts."""
_MAX_ORDERS_AT_HAND = 500
"""Classes of which the facts of all that they inherit from are at hand."""

Place = tuple[int, int]
"""A class or function: file, label."""


class Signature(NamedTuple):
    """How a function is called.

    Attributes:
        parameters: (name, kind, whether literals matter to it).
        count: how many of them take positional arguments.
        forwards: for a wrapper, the function that makes it and the parameter of that which it calls.
        wrappers: the wrappers that it makes, each with the parameter that it calls.
        makes: the parameter of which it returns what calling it yields; -1 for none.
        as_super: for a method that returns what `super()` gives for its name, its class and name.
        is_typed: whether result and arguments are annotated, so that it may say of which argument the result is.
    """

    parameters: tuple[tuple[str, int, bool], ...]
    count: int
    is_generator: bool
    returned_parameters: tuple[int, ...]
    variadic_sites: tuple[int, int]
    forwards: tuple[int, int] | None
    wrappers: tuple[tuple[int, int], ...]
    makes: int
    as_super: tuple[int, str] | None
    is_typed: bool


class Member(NamedTuple):
    """A name in a class's body: the class, and the function if it is an undecorated def bound once, else -1."""

    slot: int
    index: int
    function: int


def _of_a_file(find: Callable[[Structure, int], Any]) -> Callable[[Structure, int], Any]:
    """Has a method keep at hand what it finds in the facts of a file, of so many files."""
    name = find.__name__

    @functools.wraps(find)
    def found(structure: Structure, slot: int) -> Any:
        known = structure.at_hand[name]
        if slot in known:
            return known[slot]
        if len(known) >= _MAX_FILES_AT_HAND:
            known.clear()
        answer = known[slot] = find(structure, slot)
        return answer

    return found


class Structure:
    """Answers questions about `names`; a file is a number (slot) below `size`, `slots` maps paths to them.

    Attributes:
        memo: the answers, by question.
        facts, paths: of each file, by slot; None and its last path for one that is gone.
        ranks: the place of each file in the order of files, by slot.
        at_hand: what methods have found in a file's facts, by their names and slot.
    """

    def __init__(self, names: Names, slots: dict[str, int], size: int):
        self.names, self.slots = names, slots
        self.paths: list[str] = [""] * size
        self.facts: list[PythonFacts | None] = [None] * size
        for path, facts in names.facts.items():
            self.paths[slots[path]] = path
            self.facts[slots[path]] = facts
        self.ranks = list(range(size))
        self.memo: dict[tuple, Any] = {}
        self.at_hand: defaultdict[str, dict[int, Any]] = defaultdict(dict)
        self.types = TypeReader(names, slots)
        self.stubs = StubTypes(names, slots)
        self._orders: dict[Place, list[Place]] = {}
        self._order_bodies: dict[Place, list[tuple[ClassFacts, int, int]]] = {}
        self._spill: Spill | None = None
        self._subclasses: dict[Place, set[Place]] | None = None
        self._by_name: dict[str, list[Place]] | None = None

    def ask(self, key: tuple) -> Any:
        """Answers the question `key`: the name of one of `QUESTIONS`, then what it takes."""
        if key not in self.memo:
            if len(self.memo) >= _MAX_ANSWERS:
                self.memo.clear()
            self.memo[key] = QUESTIONS[key[0]](self, *key[1:])
        return self.memo[key]

    # -- what is known of one file -------------------------------------------------------------------------------------------------

    def program(self, slot: int) -> Program:
        """Returns the data-flow program of a file."""
        return Program(self.facts[slot].program or self._spill[slot])

    def close(self) -> None:
        """Frees the file of the programs that were put away; nothing can be run afterwards."""
        if self._spill is not None:
            self._spill.close()

    def put_programs_away(self) -> None:
        """Takes the programs out of memory, for a build that is not kept."""
        self._spill = Spill()
        for slot, facts in enumerate(self.facts):
            self._spill[slot] = facts.program
            facts.program = b""

    @_of_a_file
    def wanted(self, slot: int) -> set[int]:
        """Returns the variables of a file in which literals matter."""
        facts = self.facts[slot]
        return {*facts.wanted, *facts.exports.values(), *facts.cells.values(), *facts.functions.all_returned()}

    @_of_a_file
    def limits(self, slot: int) -> dict[int, tuple]:
        """Returns the annotations of a file's variables, by variable; (OWN_TYPE, class) for `self`."""
        facts = self.facts[slot]
        known = {each[2]: each[3] for each in self.typed_variables(slot) if each[0] == -1}
        for label in facts.functions.present():
            known.update(self._stub_annotations(slot, label))
            known.update(facts.functions.annotations(label))
        for label in facts.classes.present():
            for name, function in facts.classes.plain(label).items():
                parameters = facts.functions.parameters(function)
                if parameters and parameters[0][1] in BY_POSITION and name not in _WITHOUT_SELF:
                    known[parameters[0][2]] = (OWN_TYPE, label)
        return known

    def _stub_annotations(self, slot: int, label: int) -> list[tuple[int, tuple]]:
        """What the stub says of a function's result and arguments, by variable."""
        place, functions = (slot, label), self.facts[slot].functions
        words = self.stubs.parameters.get(place)
        found = []
        if words:
            found = [(v, words[n]) for n, kind, v in functions.parameters(label) if n in words and kind not in VARIADIC]
        if place in self.stubs.results and not functions.yielded(label):
            found.append((functions.returned(label), self.stubs.results[place]))
        return found

    def annotation(self, slot: int, label: int, position: int) -> tuple | None:
        """Returns the annotation of a function's parameter, or of its result for position -1: its own, or else the stub's."""
        functions = self.facts[slot].functions
        known = functions.annotation(label, position)
        if known is not None:
            return known
        if position < 0:
            return self.stubs.results.get((slot, label))
        words = self.stubs.parameters.get((slot, label))
        return words.get(functions.parameters(label)[position][0]) if words else None

    def typed_variables(self, slot: int) -> list[tuple]:
        """Returns `PythonFacts.typed` of a file, with what its stub says before it."""
        return [*self.stubs.typed.get(slot, ()), *self.facts[slot].typed]

    @_of_a_file
    def typed_attributes(self, slot: int) -> dict[str, dict[int, tuple]]:
        """Returns the annotations of the attributes of a file's classes, by name and class."""
        known: dict[str, dict[int, tuple]] = {}
        for owner, name, _, annotation in self.typed_variables(slot):
            if owner >= 0:
                known.setdefault(name, {})[owner] = annotation
        return known

    def attribute_type(self, slot: int, label: int, name: str) -> tuple[Type] | None:
        """Returns what a class says itself of an attribute: its type, None where the body has the name and no annotation; None for nothing at all."""
        if not self._has_class(slot, label):
            return None
        annotation = self.typed_attributes(slot).get(name, {}).get(label)
        if annotation is not None:
            return (self.typed(slot, annotation),)
        return (None,) if name in self.class_(slot, label).namespace else None

    @_of_a_file
    def open_ended(self, slot: int) -> set[int]:
        """Returns the variables of a file that hold any number of values: what wrappers are made for."""
        wrappers, functions = self.facts[slot].wrappers, self.facts[slot].functions
        return {each for _, outer, place, callee in wrappers for each in (callee, functions.parameter(outer, place))}

    @_of_a_file
    def getters(self, slot: int) -> dict[int, int]:
        """Returns the functions of a file that are the `__getattr__` of a class, by the variable of the name that they are given."""
        functions = self.facts[slot].functions
        found = [n for n in functions.present() if functions.name(n) == "__getattr__" and functions.owner(n) >= 0]
        return {functions.parameter(n, 1): n for n in found if len(functions.parameters(n)) > 1}

    def class_(self, slot: int, label: int) -> ClassFacts | None:
        """Returns a class's facts; None when there is no such class (any more)."""
        return self.names.class_(self.paths[slot], label) if self._has_class(slot, label) else None

    def _has_class(self, slot: int, label: int) -> bool:
        return self.facts[slot] is not None and self.facts[slot].classes.has(label)

    def signature(self, slot: int, label: int) -> Signature | None:
        """Describes how a function takes arguments; None when there is no such function (any more)."""
        facts = self.facts[slot]
        if facts is None or not facts.functions.has(label):
            return None
        functions, wanted = facts.functions, self.wanted(slot)
        parameters = tuple([(name, kind, variable in wanted) for name, kind, variable in functions.parameters(label)])
        count = 0
        while count < len(parameters) and parameters[count][1] in BY_POSITION:
            count += 1
        is_generator = bool(functions.yielded(label))
        forwards, wrappers = None, []
        for inner, outer, position, _ in facts.wrappers:
            if inner == label:
                forwards = outer, position
            elif outer == label:
                wrappers.append((inner, position))
        returned, sites = functions.arguments(label)
        if (slot, label) in self.stubs.own and OWN_TYPE not in returned:
            returned = (OWN_TYPE, *returned)
        is_typed = self.annotation(slot, label, -1) is not None
        is_typed = is_typed and any(self.annotation(slot, label, place) for place in range(len(parameters)))
        makes = next((position for maker, position in facts.makers if maker == label), -1)
        as_super = (functions.owner(label), functions.name(label)) if ("super", label) in facts.handed_out else None
        rest = (forwards, tuple(wrappers), makes, as_super, is_typed)
        return Signature(parameters, count, is_generator, returned, sites, *rest)

    def given_back(self, slot: int, label: int) -> tuple[str, tuple[tuple[int, str], ...]] | None:
        """Returns which arguments a function's result is made of, as its type variable says (`x: T -> T`): the form of the result ("", "list"
        for a sequence of such), then positions of arguments with their forms (`TypeReader.variables`). None where the type variable does
        not say it, or another argument may hold such objects."""
        facts = self.facts[slot]
        if facts is None or not facts.functions.has(label):
            return None
        results = self._type_variables(slot, self.annotation(slot, label, -1))
        if len(results) != 1 or results[0][0] not in ("", "type", "list") or results[0][1] is None:
            return None
        form, wanted = results[0]
        found: list[tuple[int, str]] = []
        for position, (_, kind, _) in enumerate(facts.functions.parameters(label)):
            for each, variable in self._type_variables(slot, self.annotation(slot, label, position)):
                if variable == wanted:
                    if each == "other" or kind == KWARGS or (form == "type" != each):
                        return None
                    found.append((position, "" if form == "type" else each))
        return ("list" if form == "list" else "", tuple(found)) if found else None

    def _type_variables(self, slot: int, annotation: tuple | None) -> list[tuple[str, tuple | None]]:
        if annotation is None:
            return []
        if len(annotation) == 3:
            slot, annotation = annotation[0], annotation[1:]
        return self.types.variables(self.paths[slot], annotation)

    @_of_a_file
    def methods_by_definition(self, slot: int) -> dict[int, tuple[str, int]]:
        """Returns the name and the class of each method of a file."""
        present = [function for function in self.facts[slot].functions if function is not None]
        return {each.definition: (each.name, each.owner) for each in present if each.owner >= 0}

    def is_handed_out(self, slot: int, kind: str, label: int) -> bool:
        """Tells whether some function of the file may return one of its functions or classes, as decorators do with their wrappers."""
        return self.facts[slot] is not None and (kind, label) in self.facts[slot].handed_out

    def site(self, slot: int, label: int) -> tuple | None:
        """Describes a display as the solver sees it, with 1 for each variable that is there."""
        sites = self._sites(slot)
        site = sites[label] if label < len(sites) else None
        if site is None:
            return None
        kind, fields, rest, keys, length = site
        return kind, dict.fromkeys(fields, 1), 1 if rest else 0, 1 if keys else 0, length

    @_of_a_file
    def _sites(self, slot: int) -> list[tuple]:
        return [] if self.facts[slot] is None else self.program(slot).sites

    def has_cell(self, slot: int, name: str) -> bool:
        """Tells whether functions of a module read this name from the module."""
        return self.facts[slot] is not None and name in self.facts[slot].cells

    # -- classes -------------------------------------------------------------------------------------------------------------------

    def _order(self, slot: int, label: int) -> list[Place]:
        """The method resolution order of a class; empty when there is no such class (any more)."""
        place = (slot, label)
        known = self._orders.get(place)
        if known is None:
            known = self._orders[place] = []
            if self._has_class(slot, label):
                order = self.names.unread(self.names.mro, self.paths[slot], label)
                known += [(self.slots[path], number) for path, number in order]
        return known

    def _bodies(self, slot: int, label: int) -> list[tuple[ClassFacts, int, int]]:
        """The classes of the method resolution order with their places."""
        known = self._order_bodies.get((slot, label))
        if known is None:
            if len(self._order_bodies) >= _MAX_ORDERS_AT_HAND:
                self._order_bodies.clear()
            known = self._order_bodies[slot, label] = [
                (self.names.class_(self.paths[place], number), place, number)
                for place, number in self._order(slot, label)
            ]
        return known

    def mro(self, slot: int, label: int) -> tuple[Place, ...]:
        """Returns a class and its bases in the project, in method resolution order."""
        return tuple(self._order(slot, label))

    def member(self, slot: int, label: int, name: str) -> Member | None:
        """Returns the first class in method resolution order that defines `name`."""
        for facts, place, number in self._bodies(slot, label):
            if name in facts.namespace:
                return Member(place, number, facts.plain.get(name, -1))
        return None

    def member_after(self, slot: int, label: int, name: str, after_slot: int, after: int) -> Member | None:
        """Returns the first class behind class `after` in method resolution order that defines `name`."""
        passed = False
        for facts, place, number in self._bodies(slot, label):
            if passed and name in facts.namespace:
                return Member(place, number, facts.plain.get(name, -1))
            passed = passed or (place, number) == (after_slot, after)
        return None

    def attribute(self, slot: int, label: int, name: str) -> Place | None:
        """Returns the first class in method resolution order with an Attribute node of that name."""
        for facts, place, number in self._bodies(slot, label):
            if name in facts.attributes:
                return place, number
        return None

    def has_attribute(self, slot: int, label: int, name: str) -> bool:
        """Tells whether a class itself has an Attribute node of that name."""
        facts = self.class_(slot, label)
        return facts is not None and name in facts.attributes

    def metaclass(self, slot: int, label: int) -> Place | None:
        """Returns the metaclass that a class or its nearest base names, if that is of the project."""
        for facts, place, _ in self._bodies(slot, label):
            if facts.metaclass is not None:
                for entity in self.names.path_entities(self.paths[place], facts.metaclass):
                    if entity.kind == "class":
                        return self.slots[entity.place], entity.index
        return None

    def external_bases(self, slot: int, label: int) -> tuple[str, ...]:
        """Returns the dotted names of the classes outside the project that a class inherits from."""
        if not self._has_class(slot, label):
            return ()
        return self.names.unread(self.names.external_bases, self.paths[slot], label)

    def is_protocol(self, slot: int, label: int) -> bool:
        """Tells whether a class only says what others must have: it has no objects of its own."""
        if not self._has_class(slot, label):
            return False
        bases = self.names.unread(self.names.bases, self.paths[slot], label)
        return any(base.kind == "external" and base.place in _PROTOCOLS for base in bases)

    def is_enum(self, slot: int, label: int) -> bool:
        """Tells whether a class is an enum."""
        return any(b.startswith("enum.") or b.endswith(("Enum", "Flag")) for b in self.external_bases(slot, label))

    def fields(self, slot: int, label: int) -> tuple[str, ...] | None:
        """Returns the arguments of a generated constructor (dataclass, named tuple), in order; None where none is generated."""
        names: list[str] = []
        generated = False
        for facts, _, _ in reversed(self._bodies(slot, label)):
            names += [n for n in facts.fields if n not in names]
            generated = generated or facts.is_dataclass
        generated = generated or any(b.endswith(("NamedTuple", "BaseModel")) for b in self.external_bases(slot, label))
        return tuple(names) if generated else None

    def methods_with_prefix(self, slot: int, label: int, prefix: str) -> tuple[str, ...]:
        """Returns the names of a class's methods, own and inherited, that begin so."""
        found: dict[str, None] = {}
        for facts, _, _ in self._bodies(slot, label):
            found.update((name, None) for name in facts.plain if name.startswith(prefix))
        return tuple(found)

    def heirs(self, slot: int, label: int, name: str) -> tuple[Place, ...]:
        """Returns the subclasses that inherit method `name`, in order of files; none when there are too many subclasses to mean anything."""
        below = self.find_subclasses().get((slot, label), ())
        if len(below) >= MAX_SUBCLASSES:
            return ()
        found = [place for place in below if (member := self.member(*place, name)) and member[:2] == (slot, label)]
        return self._in_order(found)

    def subclasses(self, slot: int, label: int) -> tuple[Place, ...]:
        """Returns the classes that name it as a base, in order of files; none when there are too many subclasses."""
        below = self.find_subclasses().get((slot, label), ())
        if len(below) >= MAX_SUBCLASSES:
            return ()
        return self._in_order(each for each in below if (slot, label) in self._bases(*each))

    def _bases(self, slot: int, label: int) -> list[Place]:
        bases = self.names.unread(self.names.bases, self.paths[slot], label)
        return [(self.slots[base.place], base.index) for base in bases if base.kind == "class"]

    def _in_order(self, places: Iterable[Place]) -> tuple[Place, ...]:
        found = [(self.ranks[slot], self.facts[slot].classes.definition(label), slot, label) for slot, label in places]
        return tuple([each[2:] for each in sorted(found)])

    def find_subclasses(self) -> dict[Place, set[Place]]:
        """Returns the subclasses of each class, direct or not."""
        if self._subclasses is None:
            self._subclasses = {}
            for slot, facts in enumerate(self.facts):
                for label in facts.classes.in_order() if facts is not None else ():
                    if self._is_said_only(slot, label):
                        continue
                    for base in self._order(slot, label)[1:]:
                        self._subclasses.setdefault(base, set()).add((slot, label))
        return self._subclasses

    def _is_said_only(self, slot: int, label: int) -> bool:
        """Whether a class is that of a stub, and the source has it itself."""
        path = self.paths[slot]
        return path in self.names.sources and bool(self.names.behind_stub(path, "class", label))

    def methods(self, name: str) -> tuple[Place, ...]:
        """Returns the one method of that name; none when anything else in a class of the project has the name, too."""
        if self._by_name is None:
            self._by_name = {}
            for slot, facts in enumerate(self.facts):
                if self.paths[slot] in self.names.sources:
                    continue
                for method, functions in methods_of(facts).items():
                    self._by_name.setdefault(method, []).extend([(slot, function) for function in functions])
        found = self._by_name.get(name, ())
        return tuple(found) if len(found) == 1 and found[0][1] >= 0 else ()

    # -- modules and names -----------------------------------------------------------------------------------------------------------

    def _described(self, entity: Entity) -> tuple:
        """An entity with its file's number in place of its path."""
        if entity.kind in ("namespace", "external"):
            return entity.kind, entity.place, 0
        index = self.names.definition(entity) if entity.kind == "attribute" else entity.index
        return entity.kind, self.slots[entity.place], index

    def _entity(self, kind: str, place: Any) -> Entity:
        return Entity(kind, self.paths[place] if kind == "module" else place, 0)

    def import_(self, slot: int, level: int, module: str, name: str | None, whole: bool) -> tuple:
        """Returns (module, entities) of an import statement: the module to take a member of, or else the things it names."""
        if self.facts[slot] is None:
            return None, ()
        path = self.paths[slot]
        statement = ImportFacts(level, module, name, whole, 0, 0)
        found = self.names.module_of(path, statement)
        if name is None or found is None:
            return None, tuple([self._described(entity) for entity in self.names.imported(path, statement)])
        return self._described(found), ()

    def exported(self, slot: int, name: str) -> int:
        """Returns the file in whose own names a module's name is found, through star imports; -1 for none."""
        if self.facts[slot] is None:
            return -1
        found = self.names.export(self.paths[slot], name)
        return -1 if found is None else self.slots[found[0]]

    def is_definition(self, slot: int, name: str) -> bool:
        """Tells whether a module's name is that of a function or class that it defines."""
        facts = self.facts[slot]
        return facts is not None and facts.origins.get(facts.exports.get(name), ("",))[0] in ("function", "class")

    def child(self, kind: str, place: Any, name: str) -> tuple | None:
        """Returns the submodule `name` of a package."""
        if kind == "module" and self.facts[place] is None:
            return None
        child = self.names.modules.child(self._entity(kind, place), name)
        return None if child is None else self._described(child)

    def has_getattr(self, slot: int) -> bool:
        """Tells whether a module has a `__getattr__` of its own."""
        return self.facts[slot] is not None and "__getattr__" in self.facts[slot].exports

    def is_lazy(self, slot: int, name: str) -> bool:
        """Tells whether it is the `__getattr__` of a module that answers for a name."""
        return self.facts[slot] is not None and name in self.facts[slot].lazy

    def used(self, kind: str, place: Any, name: str) -> tuple[tuple, ...]:
        """Returns the classes, functions and attributes that `module.name` means."""
        if kind == "module" and self.facts[place] is None:
            return ()
        found = self.names.member(self._entity(kind, place), name)
        return tuple([self._described(e) for e in found if e.kind in ("class", "function", "attribute")])

    def resolved(self, slot: int, name: str) -> tuple | None:
        """Returns the module that `importlib.import_module(name)` gives."""
        if self.facts[slot] is None:
            return None
        found = self.names.modules.resolve(self.paths[slot], 0, name)
        return None if found is None else self._described(found)

    def fixture(self, slot: int, name: str, overridden: bool) -> tuple[int, ...]:
        """Returns the files that may have the fixture `name` for the tests of a file: itself, or the nearest conftest.py above that has the
        name; else all these."""
        if self.facts[slot] is None:
            return ()
        path = self.paths[slot]
        held = -1 if overridden else self._fixture_in(path, name)
        above: list[int] = []
        folder = path.rpartition("/")[0]
        while held < 0:
            conftest = self.names.modules.at(f"{folder}/conftest" if folder else "conftest")
            if conftest is not None and conftest.kind == "module" and conftest.place != path:
                above.append(self.slots[conftest.place])
                held = self._fixture_in(conftest.place, name)
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        return (held,) if held >= 0 else tuple(above)

    def _fixture_in(self, path: str, name: str) -> int:
        found = self.names.export(path, name)
        return -1 if found is None else self.slots[found[0]]

    def typed(self, slot: int, annotation: tuple) -> Type:
        """Returns the type that an annotation of the file, or of a stub (names/stubs.py), names."""
        if len(annotation) == 3:
            slot, annotation = annotation[0], annotation[1:]
        return None if self.facts[slot] is None else self.types.read(self.paths[slot], annotation)


QUESTIONS: dict[str, Callable] = {
    question.__name__: question
    for question in (
        Structure.signature,
        Structure.given_back,
        Structure.is_handed_out,
        Structure.site,
        Structure.has_cell,
        Structure.mro,
        Structure.member,
        Structure.member_after,
        Structure.attribute,
        Structure.has_attribute,
        Structure.attribute_type,
        Structure.metaclass,
        Structure.external_bases,
        Structure.is_enum,
        Structure.is_protocol,
        Structure.fields,
        Structure.methods_with_prefix,
        Structure.heirs,
        Structure.subclasses,
        Structure.methods,
        Structure.import_,
        Structure.exported,
        Structure.is_definition,
        Structure.child,
        Structure.has_getattr,
        Structure.is_lazy,
        Structure.used,
        Structure.resolved,
        Structure.typed,
        Structure.fixture,
    )
}
"""What files may ask about each other, by name: under their names questions are on record and are asked again."""


def methods_of(facts: PythonFacts | None) -> dict[str, list[int]]:
    """Returns the functions that are methods of a file, by name; -1 for what else is bound to a name in a class."""
    found: dict[str, list[int]] = {}
    for label in () if facts is None else facts.classes.present():
        plain = facts.classes.plain(label)
        for name in facts.classes[label].namespace:
            found.setdefault(name, []).append(plain.get(name, -1))
    return found
