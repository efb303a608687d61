"""What the solver asks about other files before any value flows: what names, classes, functions and displays are there.

Answers are plain data that names things by their labels and never by the numbers of another file's variables, so that they stay equal while the things
they speak of stay as they are. A file's run may depend on other files through these answers and through messages, and through nothing else.

After a change those questions are asked again whose answers may be others: what was asked about the changed files, what files that read a changed name
asked about names and modules, and what was asked about classes whose bodies or bases have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.python.names.modules import Entity
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.reading.facts import BY_POSITION, ClassFacts, ImportFacts, PythonFacts
from codefuse_hf.graph.languages.python.reading.program import Program
from codefuse_hf.graph.languages.python.update.name_changes import FileChange, NameChanges
from codefuse_hf.graph.spill import Spill

MAX_BY_NAME = 8
"""A method call on an unknown receiver is resolved by its name alone when no more methods of the project have it."""
MAX_SUBCLASSES = 12
"""`self` of a method that nobody calls may be an instance of a subclass, as long as there are fewer subclasses than this."""

_NAME_QUESTIONS = frozenset(("import_", "exported", "child", "used", "resolved", "annotated", "metaclass"))
"""Questions that follow names: what they read is on record."""
_CLASS_QUESTIONS = frozenset(
    (
        "mro",
        "member",
        "member_after",
        "attribute",
        "external_bases",
        "is_enum",
        "fields",
        "methods_with_prefix",
        "heirs",
    )
)
"""Questions about one class that its bodies and those of its bases decide; and of its subclasses, for the last."""
_MEMBER_QUESTIONS = frozenset(("member", "member_after", "attribute"))
"""Those about one name of the body, which comes behind the class."""

_MAX_ANSWERS = 100_000
"""Answers at hand in a build that is not kept."""
_MAX_FILES_AT_HAND = 200
"""Files of which things are at hand that can be had again from their facts."""
_MAX_ORDERS_AT_HAND = 500
"""Classes of which the facts of all that they inherit from are at hand."""

Place = tuple[int, int]
"""A class or function: file, label."""


class Signature(NamedTuple):
    """How a function is called. `parameters`: (name, kind, whether literals matter to it); `count`: how many of them take positional arguments."""

    parameters: tuple[tuple[str, int, bool], ...]
    count: int
    is_generator: bool
    returned_parameters: tuple[int, ...]
    variadic_sites: tuple[int, int]


class Member(NamedTuple):
    """A name in a class's body: the class, and the function if it is an undecorated def bound once, else -1."""

    slot: int
    index: int
    function: int


class Structure:
    """Answers questions about `names`; a file is a number (slot) below `size`, `slots` maps paths to them.

    Attributes:
        memo: the answers, by question.
        facts, paths: of each file, by slot; None and its last path for one that is gone.
        ranks: the place of each file in the order of files, by slot.
    """

    def __init__(self, names: Names, slots: dict[str, int], size: int, keep: bool = False):
        self.names, self.slots, self.keep = names, slots, keep
        self.paths: list[str] = [""] * size
        self.facts: list[PythonFacts | None] = [None] * size
        for path, facts in names.facts.items():
            self.paths[slots[path]] = path
            self.facts[slots[path]] = facts
        self.ranks = list(range(size))
        self.memo: dict[tuple, Any] = {}
        # The questions in `memo` by what they are about: a file or folder; then a class, or the kind of question.
        self._asked: dict[int | str, dict[int | str, list[tuple]]] = {}
        # By file, questions about others that are answered by an attribute of this one.
        self._attribute_answers: dict[int, set[tuple]] = {}
        self._orders: dict[Place, list[Place]] = {}
        self._order_bodies: dict[Place, list[tuple[ClassFacts, int, int]]] = {}
        self._wanted: dict[int, set[int]] = {}
        self._sites: dict[int, list] = {}
        self._spill: Spill | None = None
        self._decorated: dict[int, set[int]] = {}
        self._subclasses: dict[Place, set[Place]] | None = None
        self._by_name: dict[str, list[Place]] | None = None

    def ask(self, key: tuple) -> Any:
        """Answers the question `key`: the name of one of `QUESTIONS`, then what it takes."""
        if key in self.memo:
            return self.memo[key]
        if not self.keep and len(self.memo) >= _MAX_ANSWERS:
            self.memo.clear()  # nobody will compare them with later ones
        answer = self.memo[key] = self._answer(key)
        if self.keep and key[0] != "methods":
            kind, about = key[0], _about(key)
            self._asked.setdefault(about, {}).setdefault(key[2] if kind in _CLASS_QUESTIONS else kind, []).append(key)
        return answer

    def _answer(self, key: tuple) -> Any:
        question = QUESTIONS[key[0]]
        if not self.keep or key[0] not in _NAME_QUESTIONS:
            return question(self, *key[1:])
        about = _about(key)
        answer, _ = self.names.read_by(about if isinstance(about, str) else self.paths[about], question, self, *key[1:])
        if key[0] == "used":
            for kind, slot, _ in answer:
                if kind == "attribute" and slot != about:
                    self._attribute_answers.setdefault(slot, set()).add(key)
        return answer

    # -- updates -------------------------------------------------------------------------------------------------------------------

    def update(self, changes: Mapping[str, FileChange], renamed: NameChanges, ranks: list[int]) -> set[tuple]:
        """Takes in changed files, after `names` has; the questions that have other answers now.

        Args:
            ranks: as the attribute.
        """
        self.ranks = ranks
        below = {place: self._below(place) for place in self._places(renamed.bodies)}
        self.facts += [None] * (len(ranks) - len(self.facts))
        self.paths += [""] * (len(ranks) - len(self.paths))
        moved = {self.slots[path]: change.moved for path, change in changes.items()}
        for path, change in changes.items():
            slot = self.slots[path]
            self.facts[slot], self.paths[slot] = change.now, path
            self._wanted.pop(slot, None)
            self._sites.pop(slot, None)
            self._decorated.pop(slot, None)
        bases = self._renew_orders(self._places(renamed.orders), below)
        self._order_bodies.clear()
        again = {key for name in self._renew_methods(changes) if (key := ("methods", name)) in self.memo}
        again.update(self._affected(renamed, below, bases))
        before = {key: _moved_answer(self.memo[key], moved) if key[0] == "used" else self.memo[key] for key in again}
        for slot in moved:
            for key in self._attribute_answers.get(slot, ()):
                if key not in again:
                    self.memo[key] = _moved_answer(self.memo[key], moved)
        for key in again:
            self.memo[key] = self._answer(key)
        return {key for key, answer in before.items() if answer != self.memo[key]}

    def _places(self, classes: Iterable[tuple[str, int]]) -> list[Place]:
        return [(self.slots[path], label) for path, label in classes]

    def _below(self, place: Place) -> set[Place]:
        """A class and its subclasses."""
        return {place, *self.find_subclasses().get(place, ())}

    def _renew_orders(self, places: list[Place], below: Mapping[Place, set[Place]]) -> set[Place]:
        """Finds the orders of classes again; the classes that some of these or of those in `below` inherit, or inherited, from."""
        subclasses = self.find_subclasses()
        bases: set[Place] = set()
        for place in places:
            for base in self._orders.pop(place, ())[1:]:
                subclasses[base].discard(place)
                bases.add(base)
        for place in places:
            for base in self._order(*place)[1:]:
                subclasses.setdefault(base, set()).add(place)
        for place in set(places).union(*below.values()):
            bases.update(self._order(*place)[1:])
        return bases

    def _renew_methods(self, changes: Mapping[str, FileChange]) -> set[str]:
        """Brings the methods by name up to date; the names that are other functions' now."""
        changed: set[str] = set()
        if self._by_name is None:
            return changed
        for path, change in changes.items():
            slot = self.slots[path]
            before, now = _methods_of(change.before), _methods_of(change.now)
            for name in before.keys() | now.keys():
                if before.get(name) != now.get(name):
                    changed.add(name)
                    others = [place for place in self._by_name.get(name, ()) if place[0] != slot]
                    self._by_name[name] = others + [(slot, function) for function in now.get(name, ())]
        return changed

    def _affected(self, renamed: NameChanges, below: Mapping[Place, set[Place]], bases: set[Place]) -> Iterator[tuple]:
        """The questions that may have other answers, apart from those about methods by name."""
        for reader in renamed.readers:
            for what, keys in self._asked.get(self.slots.get(reader, reader), {}).items():
                if isinstance(what, str):
                    yield from keys
        for place in self._places(renamed.orders):
            yield from self._about_class(place)
        for path_and_label, names in renamed.bodies.items():
            for place in below[self.slots[path_and_label[0]], path_and_label[1]] if names else ():
                yield from (key for key in self._about_class(place) if _depends(key, names))
        for place in bases:
            yield from (key for key in self._about_class(place) if key[0] == "heirs")

    def _about_class(self, place: Place) -> Iterator[tuple]:
        yield from self._asked.get(place[0], {}).get(place[1], ())
        if (key := ("metaclass", *place)) in self.memo:
            yield key

    # -- what is known of one file -------------------------------------------------------------------------------------------------

    def program(self, slot: int) -> Program:
        """The data-flow program of a file."""
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

    def wanted(self, slot: int) -> set[int]:
        """Variables of a file in which literals matter."""
        known = self._wanted.get(slot)
        if known is None:
            if len(self._wanted) >= _MAX_FILES_AT_HAND:
                self._wanted.clear()
            facts = self.facts[slot]
            known = self._wanted[slot] = set(facts.wanted)
            known.update(facts.exports.values(), facts.cells.values())
            known.update(facts.functions.all_returned())
        return known

    def decorated(self, slot: int) -> set[int]:
        """The decorated functions of modules and classes (not the wrappers inside decorators, which may be decorated too)."""
        known = self._decorated.get(slot)
        if known is not None:
            return known
        facts = self.facts[slot]
        known = self._decorated[slot] = set()
        if not facts.decorated:
            return known
        outer = set(facts.exports.values()).union(*(c.namespace.values() for c in facts.classes if c is not None))
        inner = {result: variable for result, _, variable in facts.decorated}
        for result in inner:
            if result in outer:
                while result in inner:
                    result = inner[result]
                origin = facts.origins.get(result, ("",))
                if origin[0] == "function":
                    known.add(origin[1])
        return known

    def class_(self, slot: int, label: int) -> ClassFacts | None:
        """A class's facts; None when there is no such class (any more)."""
        return self.names.class_(self.paths[slot], label) if self._has_class(slot, label) else None

    def _has_class(self, slot: int, label: int) -> bool:
        return self.facts[slot] is not None and self.facts[slot].classes.has(label)

    def signature(self, slot: int, label: int) -> Signature | None:
        facts = self.facts[slot]
        if facts is None or not facts.functions.has(label):
            return None
        functions, wanted = facts.functions, self.wanted(slot)
        parameters = tuple([(name, kind, variable in wanted) for name, kind, variable in functions.parameters(label)])
        count = 0
        while count < len(parameters) and parameters[count][1] in BY_POSITION:
            count += 1
        is_generator = bool(functions.yielded(label))
        return Signature(parameters, count, is_generator, *functions.arguments(label))

    def is_decorated(self, slot: int, label: int) -> bool:
        return self.facts[slot] is not None and label in self.decorated(slot)

    def site(self, slot: int, label: int) -> tuple | None:
        """A display as the solver sees it, with 1 for each variable that is there."""
        sites = self._sites.get(slot)
        if sites is None:
            if len(self._sites) >= _MAX_FILES_AT_HAND:
                self._sites.clear()
            sites = self._sites[slot] = [] if self.facts[slot] is None else self.program(slot).sites
        site = sites[label] if label < len(sites) else None
        if site is None:
            return None
        kind, fields, rest, keys, length = site
        return kind, dict.fromkeys(fields, 1), 1 if rest else 0, 1 if keys else 0, length

    def has_cell(self, slot: int, name: str) -> bool:
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
        return tuple(self._order(slot, label))

    def member(self, slot: int, label: int, name: str) -> Member | None:
        """The first class in method resolution order that defines `name`."""
        for facts, place, number in self._bodies(slot, label):
            if name in facts.namespace:
                return Member(place, number, facts.plain.get(name, -1))
        return None

    def member_after(self, slot: int, label: int, name: str, after_slot: int, after: int) -> Member | None:
        """The same behind class `after`."""
        passed = False
        for facts, place, number in self._bodies(slot, label):
            if passed and name in facts.namespace:
                return Member(place, number, facts.plain.get(name, -1))
            passed = passed or (place, number) == (after_slot, after)
        return None

    def attribute(self, slot: int, label: int, name: str) -> Place | None:
        """The first class in method resolution order with an Attribute node of that name."""
        for facts, place, number in self._bodies(slot, label):
            if name in facts.attributes:
                return place, number
        return None

    def has_attribute(self, slot: int, label: int, name: str) -> bool:
        facts = self.class_(slot, label)
        return facts is not None and name in facts.attributes

    def metaclass(self, slot: int, label: int) -> Place | None:
        for facts, place, _ in self._bodies(slot, label):
            if facts.metaclass is not None:
                for entity in self.names.path_entities(self.paths[place], facts.metaclass):
                    if entity.kind == "class":
                        return self.slots[entity.place], entity.index
        return None

    def external_bases(self, slot: int, label: int) -> tuple[str, ...]:
        if not self._has_class(slot, label):
            return ()
        return self.names.unread(self.names.external_bases, self.paths[slot], label)

    def is_enum(self, slot: int, label: int) -> bool:
        return any(b.startswith("enum.") or b.endswith(("Enum", "Flag")) for b in self.external_bases(slot, label))

    def fields(self, slot: int, label: int) -> tuple[str, ...] | None:
        """The arguments of a generated constructor (dataclass, named tuple), in order; None where none is generated."""
        names: list[str] = []
        generated = False
        for facts, _, _ in reversed(self._bodies(slot, label)):
            names += [n for n in facts.fields if n not in names]
            generated = generated or facts.is_dataclass
        generated = generated or any(b.endswith(("NamedTuple", "BaseModel")) for b in self.external_bases(slot, label))
        return tuple(names) if generated else None

    def methods_with_prefix(self, slot: int, label: int, prefix: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for facts, _, _ in self._bodies(slot, label):
            found.update((name, None) for name in facts.plain if name.startswith(prefix))
        return tuple(found)

    def heirs(self, slot: int, label: int, name: str) -> tuple[Place, ...]:
        """The subclasses that inherit method `name`, in order of files; none when there are too many subclasses to mean anything."""
        below = self.find_subclasses().get((slot, label), ())
        if len(below) >= MAX_SUBCLASSES:
            return ()
        found = []
        for place, number in below:
            member = self.member(place, number, name)
            if member is not None and member[:2] == (slot, label):
                found.append((self.ranks[place], self.facts[place].classes.definition(number), place, number))
        return tuple([each[2:] for each in sorted(found)])

    def find_subclasses(self) -> dict[Place, set[Place]]:
        """The subclasses of each class, direct or not."""
        if self._subclasses is None:
            self._subclasses = {}
            for slot, facts in enumerate(self.facts):
                for label in facts.classes.in_order() if facts is not None else ():
                    for base in self._order(slot, label)[1:]:
                        self._subclasses.setdefault(base, set()).add((slot, label))
        return self._subclasses

    def methods(self, name: str) -> tuple[Place, ...]:
        """All methods of that name, none when there are more than MAX_BY_NAME."""
        if self._by_name is None:
            self._by_name = {}
            for slot, facts in enumerate(self.facts):
                for method, functions in _methods_of(facts).items():
                    self._by_name.setdefault(method, []).extend([(slot, function) for function in functions])
        found = self._by_name.get(name, ())
        return tuple(sorted(found)) if len(found) <= MAX_BY_NAME else ()

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
        """(module, entities) of an import statement: the module to take a member of, or else the things it names."""
        if self.facts[slot] is None:
            return None, ()
        path = self.paths[slot]
        statement = ImportFacts(level, module, name, whole, 0, 0)
        found = self.names.module_of(path, statement)
        if name is None or found is None:
            return None, tuple([self._described(entity) for entity in self.names.imported(path, statement)])
        return self._described(found), ()

    def exported(self, slot: int, name: str) -> int:
        """The file in whose own names a module's name is found, through star imports; -1 for none."""
        if self.facts[slot] is None:
            return -1
        found = self.names.export(self.paths[slot], name)
        return -1 if found is None else self.slots[found[0]]

    def child(self, kind: str, place: Any, name: str) -> tuple | None:
        """The submodule `name` of a package."""
        if kind == "module" and self.facts[place] is None:
            return None
        child = self.names.modules.child(self._entity(kind, place), name)
        return None if child is None else self._described(child)

    def has_getattr(self, slot: int) -> bool:
        return self.facts[slot] is not None and "__getattr__" in self.facts[slot].exports

    def used(self, kind: str, place: Any, name: str) -> tuple[tuple, ...]:
        """The classes, functions and attributes that `module.name` means."""
        if kind == "module" and self.facts[place] is None:
            return ()
        found = self.names.member(self._entity(kind, place), name)
        return tuple([self._described(e) for e in found if e.kind in ("class", "function", "attribute")])

    def resolved(self, slot: int, name: str) -> tuple | None:
        """The module that `importlib.import_module(name)` gives."""
        if self.facts[slot] is None:
            return None
        found = self.names.modules.resolve(self.paths[slot], 0, name)
        return None if found is None else self._described(found)

    def annotated(self, slot: int, annotation: tuple) -> tuple[Place, ...]:
        """The classes that an annotation of the same file means."""
        if self.facts[slot] is None:
            return ()
        found = self.names.path_entities(self.paths[slot], annotation)
        return tuple([(self.slots[e.place], e.index) for e in found if e.kind == "class"])


QUESTIONS: dict[str, Callable] = {
    question.__name__: question
    for question in (
        Structure.signature,
        Structure.is_decorated,
        Structure.site,
        Structure.has_cell,
        Structure.mro,
        Structure.member,
        Structure.member_after,
        Structure.attribute,
        Structure.has_attribute,
        Structure.metaclass,
        Structure.external_bases,
        Structure.is_enum,
        Structure.fields,
        Structure.methods_with_prefix,
        Structure.heirs,
        Structure.methods,
        Structure.import_,
        Structure.exported,
        Structure.child,
        Structure.has_getattr,
        Structure.used,
        Structure.resolved,
        Structure.annotated,
    )
}
"""What files may ask about each other, by name: under their names questions are on record and are asked again."""


def _methods_of(facts: PythonFacts | None) -> dict[str, list[int]]:
    """The functions that are methods of a file, by name."""
    found: dict[str, list[int]] = {}
    for label in () if facts is None else facts.classes.present():
        for method, function in facts.classes.plain(label).items():
            found.setdefault(method, []).append(function)
    return found


def _about(key: tuple) -> int | str:
    """The file, or the folder, that a question is about."""
    return key[2] if key[0] in ("child", "used") else key[1]


def _depends(key: tuple, names: set[str | None]) -> bool:
    """Whether the answer to a question about a class depends on what has changed in a body: `names`, None for the class as a whole."""
    kind = key[0]
    if kind in _MEMBER_QUESTIONS:
        return key[3] in names
    return kind == "methods_with_prefix" or (kind in ("fields", "metaclass") and None in names)


def _moved_answer(answer: tuple[tuple, ...], moved: Mapping[int, Mapping[int, int]]) -> tuple[tuple, ...]:
    """An earlier answer about attributes with their definitions numbered as they are now."""
    return tuple(
        [
            (kind, slot, moved[slot].get(index, -1)) if kind == "attribute" and slot in moved else (kind, slot, index)
            for kind, slot, index in answer
        ]
    )
