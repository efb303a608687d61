"""What the solver asks about other files before any value flows: what names, classes, functions and displays are there.

Answers are plain data that names things by their labels and never by the numbers of another file's variables, so that they stay equal while the things
they speak of stay as they are. A file's run may depend on other files through these answers and through messages, and through nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.python_facts import ClassFacts, FunctionFacts, ImportFacts, PythonFacts
from codefuse_hf.graph.languages.python_modules import Entity, Names

MAX_BY_NAME = 8
"""A method call on an unknown receiver is resolved by its name alone when no more methods of the project have it."""
MAX_SUBCLASSES = 12
"""`self` of a method that nobody calls may be an instance of a subclass, as long as there are fewer subclasses than this."""

LOCAL_QUESTIONS = frozenset(("signature", "is_decorated", "site", "has_cell", "has_getattr", "has_attribute"))
"""Questions about one file that its functions, displays and names alone decide."""
_CLASS_QUESTIONS = frozenset(
    ("mro", "member", "member_after", "attribute", "external_bases", "is_enum", "fields", "methods_with_prefix")
)
"""Questions about one class that its bodies and those of its bases decide."""

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
    """Answers questions about `names`; a file is a number (slot) below `size`, `slots` maps paths to them."""

    def __init__(self, names: Names, slots: dict[str, int], size: int):
        self.names, self.slots = names, slots
        self.paths: list[str] = [""] * size
        self.facts: list[PythonFacts | None] = [None] * size
        for path, facts in names.facts.items():
            self.paths[slots[path]] = path
            self.facts[slots[path]] = facts
        self.memo: dict[tuple, Any] = {}
        self._orders: dict[Place, list[tuple[dict[str, int], ClassFacts, int, int]]] = {}
        self._wanted: dict[int, set[int]] = {}
        self._decorated: dict[int, set[int]] = {}
        self._subclasses: dict[tuple[str, int], list[Place]] | None = None
        self._by_name: dict[str, list[Place]] | None = None

    def ask(self, key: tuple) -> Any:
        """The answer to the question `key`: the name of a method of this class without its `_`, then its arguments."""
        if key in self.memo:
            return self.memo[key]
        answer = self.memo[key] = getattr(self, "_" + key[0])(*key[1:])
        return answer

    def replace(self, slot: int, facts: PythonFacts, moved: Mapping[int, int]) -> None:
        """Takes in another version of a file in which names mean the same; `moved` tells where each definition is now."""
        self.facts[slot] = facts
        self._orders.clear()
        self._wanted.pop(slot, None)
        self._decorated.pop(slot, None)
        for key, answer in self.memo.items():
            if key[0] == "used" and any(place == slot and kind == "attribute" for kind, place, _ in answer):
                self.memo[key] = tuple(
                    [(k, p, moved[i] if k == "attribute" and p == slot else i) for k, p, i in answer]
                )

    def take_over(self, before: Structure, changed: set[int], keys: Iterable[tuple]) -> list[tuple]:
        """Takes the answers of an earlier version of the project to those of the questions `keys` that are clearly the same; the others.

        Args:
            changed: files that are new, gone or have other facts.
        """
        kept: dict[Place, bool] = {}
        rest: list[tuple] = []
        memo, known = self.memo, before.memo
        for key in keys:
            if key[0] in _CLASS_QUESTIONS:
                place = key[1], key[2]
                same = kept.get(place)
                if same is None:
                    same = kept[place] = self._same_class(before, changed, place)
            else:
                same = key[0] in LOCAL_QUESTIONS and key[1] not in changed
            if same:
                memo[key] = known[key]
            else:
                rest.append(key)
        return rest

    def _same_class(self, before: Structure, changed: set[int], place: Place) -> bool:
        """Whether a class has the bases that it had, in files that have not changed."""
        if place[0] in changed:
            return False
        order = self.ask(("mro", *place))
        return (
            not any(slot in changed for slot, _ in order)
            and order == before.ask(("mro", *place))
            and self._external_bases(*place) == before._external_bases(*place)
        )

    # -- what is known of one file -------------------------------------------------------------------------------------------------

    def wanted(self, slot: int) -> set[int]:
        """Variables of a file in which literals matter."""
        known = self._wanted.get(slot)
        if known is None:
            facts = self.facts[slot]
            known = self._wanted[slot] = set(facts.wanted)
            known.update(facts.exports.values(), facts.cells.values())
            known.update(f.returned for f in facts.functions if f is not None)
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

    def function(self, slot: int, label: int) -> FunctionFacts | None:
        """A function's facts; None when there is no such function (any more)."""
        facts = self.facts[slot]
        return facts.functions[label] if facts is not None and label < len(facts.functions) else None

    def class_(self, slot: int, label: int) -> ClassFacts | None:
        """A class's facts; None when there is no such class (any more)."""
        facts = self.facts[slot]
        return facts.classes[label] if facts is not None and label < len(facts.classes) else None

    def _signature(self, slot: int, label: int) -> Signature | None:
        function = self.function(slot, label)
        if function is None:
            return None
        wanted = self.wanted(slot)
        parameters = tuple((p.name, p.kind, p.variable in wanted) for p in function.parameters)
        count = 0
        while count < len(parameters) and parameters[count][1] < 2:
            count += 1
        return Signature(
            parameters, count, bool(function.yielded), function.returned_parameters, function.variadic_sites
        )

    def _is_decorated(self, slot: int, label: int) -> bool:
        return self.facts[slot] is not None and label in self.decorated(slot)

    def _site(self, slot: int, label: int) -> tuple | None:
        """A display as the solver sees it, with 1 for each variable that is there."""
        facts = self.facts[slot]
        site = facts.sites[label] if facts is not None and label < len(facts.sites) else None
        if site is None:
            return None
        kind, fields, rest, keys, length = site
        return kind, dict.fromkeys(fields, 1), 1 if rest else 0, 1 if keys else 0, length

    def _has_cell(self, slot: int, name: str) -> bool:
        return self.facts[slot] is not None and name in self.facts[slot].cells

    # -- classes -------------------------------------------------------------------------------------------------------------------

    def _order(self, slot: int, label: int) -> list[tuple[dict[str, int], ClassFacts, int, int]]:
        place = (slot, label)
        known = self._orders.get(place)
        if known is None:
            known = []
            if self.class_(slot, label) is not None:
                for path, number in self.names.mro(self.paths[slot], label):
                    facts = self.names.facts[path].classes[number]
                    known.append((facts.namespace, facts, self.slots[path], number))
            self._orders[place] = known
        return known

    def _mro(self, slot: int, label: int) -> tuple[Place, ...]:
        return tuple([(place, number) for _, _, place, number in self._order(slot, label)])

    def _member(self, slot: int, label: int, name: str) -> Member | None:
        """The first class in method resolution order that defines `name`."""
        for namespace, facts, place, number in self._order(slot, label):
            if name in namespace:
                return Member(place, number, facts.plain.get(name, -1))
        return None

    def _member_after(self, slot: int, label: int, name: str, after_slot: int, after: int) -> Member | None:
        """The same behind class `after`."""
        passed = False
        for namespace, facts, place, number in self._order(slot, label):
            if passed and name in namespace:
                return Member(place, number, facts.plain.get(name, -1))
            passed = passed or (place, number) == (after_slot, after)
        return None

    def _attribute(self, slot: int, label: int, name: str) -> Place | None:
        """The first class in method resolution order with an Attribute node of that name."""
        for _, facts, place, number in self._order(slot, label):
            if name in facts.attributes:
                return place, number
        return None

    def _has_attribute(self, slot: int, label: int, name: str) -> bool:
        facts = self.class_(slot, label)
        return facts is not None and name in facts.attributes

    def _metaclass(self, slot: int, label: int) -> Place | None:
        for _, facts, place, _ in self._order(slot, label):
            if facts.metaclass is not None:
                for entity in self.names.path_entities(self.paths[place], facts.metaclass):
                    if entity.kind == "class":
                        return self.slots[entity.place], entity.index
        return None

    def _external_bases(self, slot: int, label: int) -> tuple[str, ...]:
        if self.class_(slot, label) is None:
            return ()
        return self.names.external_bases(self.paths[slot], label)

    def _is_enum(self, slot: int, label: int) -> bool:
        return any(b.startswith("enum.") or b.endswith(("Enum", "Flag")) for b in self._external_bases(slot, label))

    def _fields(self, slot: int, label: int) -> tuple[str, ...] | None:
        """The arguments of a generated constructor (dataclass, named tuple), in order; None where none is generated."""
        names: list[str] = []
        generated = False
        for _, facts, _, _ in reversed(self._order(slot, label)):
            names += [n for n in facts.fields if n not in names]
            generated = generated or facts.is_dataclass
        generated = generated or any(b.endswith(("NamedTuple", "BaseModel")) for b in self._external_bases(slot, label))
        return tuple(names) if generated else None

    def _methods_with_prefix(self, slot: int, label: int, prefix: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for _, facts, _, _ in self._order(slot, label):
            found.update((name, None) for name in facts.plain if name.startswith(prefix))
        return tuple(found)

    def _heirs(self, slot: int, label: int, name: str) -> tuple[Place, ...]:
        """The subclasses that inherit method `name`, in order of files; none when there are too many subclasses to mean anything."""
        if self._subclasses is None:
            self._subclasses = {}
            for path, facts in self.names.facts.items():
                for number in in_order(facts.classes):
                    for base in self.names.mro(path, number)[1:]:
                        self._subclasses.setdefault(base, []).append((self.slots[path], number))
        below = self._subclasses.get((self.paths[slot], label), ())
        if len(below) >= MAX_SUBCLASSES:
            return ()
        found = []
        for place, number in below:
            member = self._member(place, number, name)
            if member is not None and member[:2] == (slot, label):
                found.append((place, number))
        return tuple(found)

    def _methods(self, name: str) -> tuple[Place, ...]:
        """All methods of that name, none when there are more than MAX_BY_NAME."""
        if self._by_name is None:
            self._by_name = {}
            for path, facts in self.names.facts.items():
                for owner in facts.classes:
                    if owner is not None:
                        for method, function in owner.plain.items():
                            self._by_name.setdefault(method, []).append((self.slots[path], function))
        found = self._by_name.get(name, ())
        return tuple(found) if len(found) <= MAX_BY_NAME else ()

    # -- modules and names -----------------------------------------------------------------------------------------------------------

    def _described(self, entity: Entity) -> tuple:
        """An entity with its file's number in place of its path."""
        if entity.kind in ("namespace", "external"):
            return entity.kind, entity.place, 0
        return entity.kind, self.slots[entity.place], entity.index

    def _entity(self, kind: str, place: Any) -> Entity:
        return Entity(kind, self.paths[place] if kind == "module" else place, 0)

    def _import(self, slot: int, level: int, module: str, name: str | None, whole: bool) -> tuple:
        """(module, entities) of an import statement: the module to take a member of, or else the things it names."""
        path = self.paths[slot]
        statement = ImportFacts(level, module, name, whole, 0, 0)
        found = self.names.module_of(path, statement)
        if name is None or found is None:
            return None, tuple([self._described(entity) for entity in self.names.imported(path, statement)])
        return self._described(found), ()

    def _exported(self, slot: int, name: str) -> int:
        """The file in whose own names a module's name is found, through star imports; -1 for none."""
        if self.facts[slot] is None:
            return -1
        found = self.names.export(self.paths[slot], name)
        return -1 if found is None else self.slots[found[0]]

    def _child(self, kind: str, place: Any, name: str) -> tuple | None:
        """The submodule `name` of a package."""
        if kind == "module" and self.facts[place] is None:
            return None
        child = self.names.modules.child(self._entity(kind, place), name)
        return None if child is None else self._described(child)

    def _has_getattr(self, slot: int) -> bool:
        return self.facts[slot] is not None and "__getattr__" in self.facts[slot].exports

    def _used(self, kind: str, place: Any, name: str) -> tuple[tuple, ...]:
        """The classes, functions and attributes that `module.name` means."""
        if kind == "module" and self.facts[place] is None:
            return ()
        found = self.names.member(self._entity(kind, place), name)
        return tuple([self._described(e) for e in found if e.kind in ("class", "function", "attribute")])

    def _resolved(self, slot: int, name: str) -> tuple | None:
        """The module that `importlib.import_module(name)` gives."""
        found = self.names.modules.resolve(self.paths[slot], 0, name)
        return None if found is None else self._described(found)

    def _annotated(self, slot: int, annotation: tuple) -> tuple[Place, ...]:
        """The classes that an annotation of the same file means."""
        found = self.names.path_entities(self.paths[slot], annotation)
        return tuple([(self.slots[e.place], e.index) for e in found if e.kind == "class"])


def in_order(definitions: Sequence[FunctionFacts | ClassFacts | None]) -> list[int]:
    """The labels of a file's functions or classes in order of their definitions."""
    present = [label for label, facts in enumerate(definitions) if facts is not None]
    return sorted(present, key=lambda label: definitions[label].definition)
