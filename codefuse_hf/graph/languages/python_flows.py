"""Values and variables of the solver, and how values move: inside a file along its tables, between files as messages.

Everything that happens to one file happens in its own `FileState`, from its facts, the answers of the `Structure` and the messages it gets, in this order.
So a file's run can be repeated by itself: that is what makes an update cost time in what changed (python_rounds.py).

A variable is `file << SHIFT | number`. Numbers below SHARED belong to one run of the file. Other files know a variable by a name (`shared`): a tuple of
the file, what kind of variable it is, and labels; the names have numbers from SHARED on, which stay the same over runs.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from codefuse_hf.graph.languages.python_facts import Constant
from codefuse_hf.graph.languages.python_structure import Place, Structure
from codefuse_hf.graph.languages.python_values import MASK, SHIFT, Kind

SHARED = 1 << 23
SUBSCRIBE, EXISTS = -1, -2
"""Messages are pairs (variable, value). In place of a value: the sender wants the variable's values; the variable has come into being."""

MAX_VALUES = 12
"""Values kept per variable; the rest (registries of hundreds of classes) add cost, not insight."""
MAX_CONTAINERS = 6
"""Containers (and their methods) are no longer added to a variable that holds so many values: literals are many and alike."""

_CONSTANT = Kind.CONSTANT
_CONTAINER_KINDS = frozenset((Kind.OBJECT, Kind.METHOD, Kind.GENERATOR, Kind.CONSTANT, Kind.PARTIAL))


class FileState:
    """What one run has found out about one file.

    Attributes:
        points: values of each variable, few each, in order of arrival; of other files' variables, what has arrived here.
        copies, dynamic: where a variable's values go, and what else happens to each of them.
        opened: variables known by name that are in use, and the variables that they are here.
        subscribers: the files that want a variable's values, with the variable's name.
        subscribed: the other files' variables whose values are sent here.
        later: fall-backs for the next phase.
        calls, uses: edges (definition, target file, target definition).
        asked: questions put to the Structure.
    """

    __slots__ = (
        "asked", "bound", "calls", "caught", "copies", "dynamic", "extra", "later", "opened", "partials", "points", "prefixes", "queued", "site_fields",
        "site_watchers", "sites", "slot", "store_watchers", "stores", "subscribed", "subscribers", "uses", "views", "views_by_name", "wanted", "watchers",
        "work",
    )  # fmt: skip

    def __init__(self, slot: int):
        self.slot = slot
        self.points: dict[int, tuple[int, ...]] = {}
        self.copies: dict[int, list[int]] = {}
        self.dynamic: dict[int, list[tuple]] = {}
        self.work: deque[tuple[int, int]] = deque()
        self.queued: deque[tuple[tuple, int]] = deque()
        self.extra: dict[Any, int] = {}
        self.opened: dict[int, int] = {}
        self.subscribers: dict[int, list[tuple[int, int]]] = {}
        self.subscribed: set[int] = set()
        self.later: list[tuple] = []
        self.calls: set[tuple[int, int, int]] = set()
        self.uses: set[tuple[int, int, int]] = set()
        self.asked: set[tuple] = set()
        self.bound: set[tuple] = set()
        self.caught: set[tuple[int, int]] = set()
        self.sites: dict[Any, int] = {}
        self.site_fields: dict[int, dict[Any, int]] = {}
        self.watchers: dict[int, list[tuple]] = {}
        self.site_watchers: dict[int, list[tuple[int, int]]] = {}
        self.partials: dict[tuple, int] = {}
        self.prefixes: dict[int, str] | None = None
        self.views: dict[tuple[int, str], tuple] = {}
        self.views_by_name: dict[str, list[tuple[int, int]]] = {}
        self.stores: dict[str, list[tuple[Place, int]]] = {}
        self.store_watchers: dict[int, list[int]] = {}
        self.wanted: set[int] = set()


class Flows:
    """The part of the solver that moves values; at any time it works on one file's state."""

    def __init__(self, structure: Structure):
        self.structure = structure
        self.values: dict[tuple[int, Any, Any], int] = {}
        self.kinds: list[int] = []
        self.first: list[Any] = []
        self.second: list[Any] = []
        self.numbers: dict[tuple, int] = {}
        self.names: dict[int, tuple] = {}
        self.counts: dict[int, int] = {}
        self.out: dict[int, list[int]] = {}
        self.slot = -1

    def enter_file(self, state: FileState) -> None:
        """Makes `state` the one that is worked on; its messages go to `out`, which starts empty."""
        self.state, self.slot, self.base = state, state.slot, state.slot << SHIFT
        self.facts = self.structure.facts[state.slot]
        self.out = {}
        self.points, self.copies, self.dynamic = state.points, state.copies, state.dynamic
        self.work, self.queued, self.extra, self.opened = state.work, state.queued, state.extra, state.opened
        self.subscribed, self.subscribers, self.later = state.subscribed, state.subscribers, state.later
        self.calls, self.uses, self.bound, self.asked = state.calls, state.uses, state.bound, state.asked

    def ask(self, *key: Any) -> Any:
        """What the Structure answers to a question, which is put on record."""
        self.asked.add(key)
        memo = self.structure.memo
        return memo[key] if key in memo else self.structure.ask(key)

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

    def constant(self, value: Any) -> int:
        """The value of a literal. 1, True and 1.0 are equal in Python; their types keep them apart."""
        return self.value(_CONSTANT, value, type(value))

    def new(self, key: Any) -> int:
        """The variable of this file that its run knows by `key`; made when it is first asked for."""
        number = self.extra.get(key)
        if number is None:
            number = self.extra[key] = self.base | (self.facts.variables + len(self.extra))
        return number

    def shared(self, *name: Any) -> int:
        """The variable of file `name[0]` that all files know by this name."""
        number = self.numbers.get(name)
        if number is None:
            slot = name[0]
            count = self.counts[slot] = self.counts.get(slot, -1) + 1
            number = self.numbers[name] = slot << SHIFT | SHARED + count
            self.names[number] = name
        if name[0] == self.slot:
            return self.opened[number] if number in self.opened else self.open(number, name)
        return number

    def open(self, number: int, name: tuple) -> int:
        """The variable of this file that a name stands for; it is in use from now on."""
        raise NotImplementedError

    def add(self, variable: int, value: int) -> None:
        """Puts a value into a variable, whosever it is."""
        known = self.points.get(variable)
        kind = self.kinds[value]
        if known is not None:
            if value in known:
                return
            size = len(known)
            if size >= MAX_CONTAINERS and (size >= MAX_VALUES or kind in _CONTAINER_KINDS):
                return
        slot = variable >> SHIFT
        if slot != self.slot:
            self.send(slot, variable, value)
            if variable in self.subscribed:
                self.work.append((variable, value))
        else:
            if kind == _CONSTANT:
                local = variable & MASK
                if local < self.facts.variables and local not in self.state.wanted:
                    return
            self.work.append((variable, value))
        self.points[variable] = (value,) if known is None else (*known, value)

    def send(self, receiver: int, variable: int, value: int) -> None:
        messages = self.out.get(receiver)
        if messages is None:
            messages = self.out[receiver] = []
        messages += (variable, value)

    def subscribe(self, variable: int) -> None:
        """Has another file send the values of its variable here."""
        if variable not in self.subscribed:
            self.subscribed.add(variable)
            self.send(variable >> SHIFT, variable, SUBSCRIBE)

    def flow(self, source: int, target: int) -> None:
        """Everything in `source`, now or later, reaches `target`."""
        if source == target:
            return
        if source >> SHIFT != self.slot:
            self.subscribe(source)
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
        if variable >> SHIFT != self.slot:
            self.subscribe(variable)
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
            self.add(target, self.constant(source.value))

    # -- messages ------------------------------------------------------------------------------------------------------------------

    def deliver(self, sender: int, messages: Any) -> None:
        """Takes in what another file has sent."""
        for i in range(0, len(messages), 2):
            number, value = messages[i], messages[i + 1]
            if number >> SHIFT == self.slot:
                if value == SUBSCRIBE:
                    self._take_subscriber(sender, number)
                else:
                    variable = self.opened.get(number)
                    self.add(self.open(number, self.names[number]) if variable is None else variable, value)
            elif value == EXISTS:
                self.note_store(number)
            else:
                self._receive(number, value)

    def _receive(self, variable: int, value: int) -> None:
        """A value of another file's variable that this file has subscribed to."""
        if self.names[variable][1] == "fields":
            self.note_field(variable, value)
            return
        known = self.points.get(variable)
        if known is not None:
            if value in known or len(known) >= MAX_VALUES:
                return
            self.points[variable] = (*known, value)
        else:
            self.points[variable] = (value,)
        self.work.append((variable, value))

    def _take_subscriber(self, sender: int, number: int) -> None:
        name = self.names[number]
        if name[1] == "fields":
            self.watch_from(sender, number, name[2])
        elif name[1] == "stores":
            self.watch_stores(sender, name[2])
        else:
            variable = self.opened.get(number)
            if variable is None:
                variable = self.open(number, name)
            self.subscribers.setdefault(variable, []).append((sender, number))
            for value in self.points.get(variable, ()):
                self.send(sender, number, value)

    def note_store(self, variable: int) -> None:
        raise NotImplementedError

    def note_field(self, fields: int, key: int) -> None:
        raise NotImplementedError

    def watch_from(self, sender: int, fields: int, site: Any) -> None:
        raise NotImplementedError

    def watch_stores(self, sender: int, index: int) -> None:
        raise NotImplementedError
