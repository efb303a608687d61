"""Asks again after a change what may have another answer: of what files ask about each other (`flow/declarations.py`).

Those are the questions about the changed files, what files that read a changed name asked about names and modules, and what was asked about classes whose
bodies or bases have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codefuse_hf.graph.languages.python.flow.declarations import QUESTIONS, Place, Structure, methods_of
from codefuse_hf.graph.languages.python.names.names import Names
from codefuse_hf.graph.languages.python.update.name_changes import FileChange, NameChanges

_NAME_QUESTIONS = frozenset(
    (
        "import_",
        "exported",
        "child",
        "used",
        "resolved",
        "typed",
        "attribute_type",
        "given_back",
        "fixture",
        "metaclass",
    )
)
"""Questions that follow names: what they read is on record."""
_CLASS_QUESTIONS = frozenset(
    (
        "mro",
        "member",
        "member_after",
        "attribute",
        "external_bases",
        "is_enum",
        "is_protocol",
        "fields",
        "methods_with_prefix",
        "heirs",
        "subclasses",
    )
)
"""Questions about one class that its bodies and those of its bases decide; and of its subclasses, for the last."""
_MEMBER_QUESTIONS = frozenset(("member", "member_after", "attribute"))
"""Those about one name of the body, which comes behind the class."""


class KeptStructure(Structure):
    """A structure that knows what each answer hangs on."""

    def __init__(self, names: Names, slots: dict[str, int], size: int):
        super().__init__(names, slots, size)
        # The questions in `memo` by what they are about: a file or folder; then a class, or the kind of question.
        self._asked: dict[int | str, dict[int | str, list[tuple]]] = {}
        # By file, questions about others that are answered by an attribute of this one.
        self._attribute_answers: dict[int, set[tuple]] = {}

    def ask(self, key: tuple) -> Any:
        """Answers a question, and notes what it is about so that it is asked again when that changes."""
        if key in self.memo:
            return self.memo[key]
        answer = self.memo[key] = self._answer(key)
        kind = key[0]
        if kind != "methods":
            what = key[2] if kind in _CLASS_QUESTIONS else kind
            self._asked.setdefault(_about(key), {}).setdefault(what, []).append(key)
        return answer

    def _answer(self, key: tuple) -> Any:
        """Finds an answer; what it reads of names on its way is put on record."""
        question = QUESTIONS[key[0]]
        if key[0] not in _NAME_QUESTIONS:
            return question(self, *key[1:])
        about = _about(key)
        answer, _ = self.names.read_by(about if isinstance(about, str) else self.paths[about], question, self, *key[1:])
        if key[0] == "used":
            for kind, slot, _ in answer:
                if kind == "attribute" and slot != about:
                    self._attribute_answers.setdefault(slot, set()).add(key)
        return answer

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
            for known in self.at_hand.values():
                known.pop(slot, None)
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
            before, now = methods_of(change.before), methods_of(change.now)
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
            yield from (key for key in self._about_class(place) if key[0] in ("heirs", "subclasses"))

    def _about_class(self, place: Place) -> Iterator[tuple]:
        yield from self._asked.get(place[0], {}).get(place[1], ())
        if (key := ("metaclass", *place)) in self.memo:
            yield key


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
