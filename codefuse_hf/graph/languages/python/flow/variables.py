"""Values and variables of the solver, and how values move: inside a file along its tables, between files as messages.

Everything that happens to one file happens in its own `FileState`, from its facts, the answers of the `Structure` and the messages it gets, in this order.
So a file's run can be repeated by itself: that is what makes an update cost time in what changed (python/flow/rounds.py). And a state is plain data, so that it
can be put away while other files run: that is what keeps a build small (python/flow/states.py).

The variables of a file are numbered in its state: those of its program first, then what comes up while it runs. A variable that other files know has a name,
too: a tuple of the file, what kind of variable it is, and labels. Names that files use of each other have numbers which stay the same over runs
(`file << SHIFT | count`); a file knows another one's variable as the negative of that number.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages.python.flow.annotations import (
    Type,
    callable_fits,
    head_of,
    is_structural,
    names_fit,
    parts,
)
from codefuse_hf.graph.languages.python.flow.declarations import Place, Structure
from codefuse_hf.graph.languages.python.flow.states import FileState, Step
from codefuse_hf.graph.languages.python.flow.taken import IS, type_taken
from codefuse_hf.graph.languages.python.flow.values import SHIFT, Kind
from codefuse_hf.graph.languages.python.reading.facts import OWN_TYPE, Constant

SUBSCRIBE, EXISTS = -1, -2
"""Messages are pairs (variable, value). In place of a value: the sender wants the variable's values; the variable has come into being."""

MAX_VALUES = 32
"""Values kept per variable: tables of handlers are long. What wrappers are made for is kept in full."""
MAX_OBJECTS = 12
"""Instances (and their methods) are no longer added to a variable that holds so many values, unless an annotation says what they are, or it is `self`:
then it holds anything."""
MAX_CONTAINERS = 6
"""The same of containers: literals are many and alike."""

_CONSTANT = Kind.CONSTANT
_LIMITS = {
    **dict.fromkeys((Kind.OBJECT, Kind.METHOD, Kind.GENERATOR, Kind.CONSTANT, Kind.PARTIAL), MAX_CONTAINERS),
    **dict.fromkeys((Kind.INSTANCE, Kind.GETTER), MAX_OBJECTS),
}
_LIMITED_KINDS = frozenset((Kind.INSTANCE, Kind.FUNCTION, Kind.BOUND, Kind.CLASS, Kind.WRAPPED))
"""Values that an annotation may keep out."""


class Flows:
    """The part of the solver that moves values; at any time it works on one file's state."""

    def __init__(self, structure: Structure):
        self.structure = structure
        self.values: dict[tuple[int, Any, Any], int] = {}
        self.kinds: list[int] = []
        self.first: list[Any] = []
        self.second: list[Any] = []
        self.alone: list[tuple[int]] = []  # of each value, the tuple of itself: most variables hold one value
        self.numbers: dict[tuple, int] = {}
        self.names: dict[int, list[tuple]] = {}
        self.out: dict[int, list[int]] = {}
        self.work: deque[tuple[int, int]] = deque()
        self.queued: deque[tuple[Step, int]] = deque()
        self.slot = -1

    def enter_file(self, state: FileState) -> None:
        """Makes `state` the one that is worked on; its messages go to `out`, which starts empty."""
        self.state, self.slot = state, state.slot
        self.facts, self.program = self.structure.facts[state.slot], state.program
        self.out = {}
        self.limits = self.structure.limits(state.slot) if state.limits is None else state.limits
        if state.taken and state.limits is None:
            self.limits = state.limits = {**self.limits, **state.taken}
        self.open_ended = self.structure.open_ended(state.slot)
        self.points, self.far, self.copies, self.steps = state.points, state.far, state.copies, state.steps
        self.extra, self.named, self.opened = state.extra, state.named, state.opened
        self.subscribers, self.later = state.subscribers, state.later
        self.calls, self.uses, self.bound, self.asked = state.calls, state.uses, state.bound, state.asked

    def ask(self, question: Callable, *about: Any) -> Any:
        """Asks the Structure a question, one of its methods; that it was asked is put on record."""
        key = (question.__name__, *about)
        self.asked.add(key)
        memo = self.structure.memo
        return memo[key] if key in memo else self.structure.ask(key)

    # -- values and variables ----------------------------------------------------------------------------------------------------

    def value(self, kind: int, a: Any, b: Any = 0) -> int:
        """Returns the number of a value, the same each time; `a` and `b` mean what its kind says."""
        key = (kind, a, b)
        number = self.values.get(key)
        if number is None:
            number = self.values[key] = len(self.kinds)
            self.kinds.append(kind)
            self.first.append(a)
            self.second.append(b)
            self.alone.append((number,))
        return number

    def constant(self, value: Any) -> int:
        """Returns the value of a literal. 1, True and 1.0 are equal in Python; their types keep them apart."""
        return self.value(_CONSTANT, value, type(value))

    def fresh(self) -> int:
        """Makes a new variable of this file."""
        self.points.append(())
        return len(self.points) - 1

    def new(self, key: Any) -> int:
        """Returns the variable of this file that its run knows by `key`; made when it is first asked for."""
        variable = self.extra.get(key)
        if variable is None:
            self.points.append(())
            variable = self.extra[key] = len(self.points) - 1
        return variable

    def first_time(self, mark: tuple) -> bool:
        """Tells whether this file has not asked this before; for what is done once and for all. Kept are hashes: marks are long, and there are many."""
        known = hash(mark)
        if known in self.bound:
            return False
        self.bound.add(known)
        return True

    def shared(self, *name: Any) -> int:
        """Returns the variable of file `name[0]` that all files know by this name. Of its own names a file keeps hashes: there are many."""
        if name[0] == self.slot:
            variable = self.named.get(hash(name))
            return self.open(name) if variable is None else variable
        number = self.numbers.get(name)
        return -(self.number(name) if number is None else number)

    def number(self, name: tuple) -> int:
        """Returns the number by which files speak of a variable to each other."""
        number = self.numbers.get(name)
        if number is None:
            # No number is 0, whose negative is the same, nor 1 or 2: -1 and -2 have one hash.
            known = self.names.setdefault(name[0], [(), (), ()])
            number = self.numbers[name] = name[0] << SHIFT | len(known)
            known.append(name)
        return number

    def name_of(self, number: int) -> tuple:
        """Returns the name behind a number."""
        return self.names[number >> SHIFT][number & (1 << SHIFT) - 1]

    def local(self, number: int) -> int:
        """Returns the variable of this file that others know by `number`."""
        variable = self.opened.get(number)
        if variable is None:
            variable = self.opened[number] = self.shared(*self.name_of(number))
        return variable

    def open(self, name: tuple) -> int:
        """Makes the variable of this file that a name stands for; it is in use from now on."""
        raise NotImplementedError

    def known(self, *name: Any) -> int | None:
        """Returns the variable of this file that a name stands for, if it is in use."""
        return self.named.get(hash((self.slot, *name)))

    def held(self, variable: int) -> tuple[int, ...]:
        """Returns the values of a variable, as far as they are known here."""
        return self.points[variable] if variable >= 0 else self.far.get(variable, ())

    def add(self, variable: int, value: int) -> None:
        """Puts a value into a variable, whosever it is."""
        known = self.points[variable] if variable >= 0 else self.far.get(variable)
        if known:
            if value in known:
                return
            size = len(known)
            if size >= MAX_CONTAINERS and size >= _LIMITS.get(self.kinds[value], MAX_VALUES):
                if variable not in self.open_ended and (variable not in self.limits or size >= MAX_VALUES):
                    if size >= MAX_OBJECTS:
                        self.state.has_dropped = True
                    return
            now = (*known, value)
        else:
            now = self.alone[value]
        if variable >= 0:
            if variable in self.limits and not self.fits(value, self.limits[variable]):
                return
            if self.kinds[value] == _CONSTANT and variable < self.facts.variables:
                if variable not in self.structure.wanted(self.slot):
                    return
            self.points[variable] = now
            self.work.append((variable, value))
        else:
            self.far[variable] = now
            self.send(-variable >> SHIFT, -variable, value)
            if variable in self.copies or variable in self.steps:
                self.work.append((variable, value))

    def fits(self, value: int, annotation: tuple) -> bool:
        """Tells whether a value may be of the type that an annotation of this file names."""
        kind = self.kinds[value]
        if kind not in _LIMITED_KINDS:
            return True
        if annotation[0] == OWN_TYPE:
            return kind != Kind.INSTANCE or (self.slot, annotation[1]) in self.ask(
                Structure.mro, self.first[value], self.second[value]
            )
        type_ = self.type_of(annotation)
        if type_ is None:
            return True
        if type_[0] == "not":
            return kind != Kind.INSTANCE or not self._is_of(value, type_[1])
        if kind != Kind.INSTANCE:
            return callable_fits(type_)
        owner, index = self.first[value], self.second[value]
        for part in parts(type_):
            if part is None:
                return True
            if part[0] == "instance":
                place = part[1:]
                if place in self.ask(Structure.mro, owner, index) or names_fit(
                    "Protocol", self.ask(Structure.external_bases, *place)
                ):
                    return True
            elif part[0] == "call":
                if self.ask(Structure.member, owner, index, "__call__") is not None:
                    return True
            elif part[0] not in ("nothing", "class"):
                head = head_of(part)
                if is_structural(head) or names_fit(head, self.ask(Structure.external_bases, owner, index)):
                    return True
        return False

    def _is_of(self, value: int, type_: Type) -> bool:
        """Whether an object is known to be of a type."""
        order = self.ask(Structure.mro, self.first[value], self.second[value])
        return any(part is not None and part[0] == "instance" and part[1:] in order for part in parts(type_))

    def type_of(self, annotation: tuple) -> Type:
        """Reads what an annotation of this file says, or one of what is taken out of a container or an object (taken.py)."""
        if annotation[0].__class__ is str:
            return annotation[1] if annotation[0] == IS else type_taken(annotation, self.type_of(annotation[-1]))
        if annotation[0] == OWN_TYPE:
            return "instance", self.slot, annotation[1]
        return self.ask(Structure.typed, self.slot, annotation)

    def type_of_attribute(self, type_: Type, name: str) -> Type:
        """Returns what the classes of a type say of an attribute, which may stand in a base in another file."""
        found: list[Type] = []
        for part in parts(type_):
            if part is not None and part[0] == "nothing":
                continue
            if part is None or part[0] != "instance":
                return None
            order = self.ask(Structure.mro, *part[1:])
            said = next((each for place in order if (each := self.ask(Structure.attribute_type, *place, name))), None)
            if said is None or said[0] is None:
                return None
            found += [each for each in parts(said[0]) if each not in found]
        return None if not found or None in found else found[0] if len(found) == 1 else ("union", *found)

    def send(self, receiver: int, number: int, value: int) -> None:
        """Sends another file a value for a variable that both know by `number`; it arrives at that file's next turn."""
        messages = self.out.get(receiver)
        if messages is None:
            messages = self.out[receiver] = []
        messages += (number, value)

    def subscribe(self, variable: int) -> None:
        """Has another file send the values of its variable here, unless it does already."""
        if variable not in self.copies and variable not in self.steps:
            self.send(-variable >> SHIFT, -variable, SUBSCRIBE)

    def follow_table(self, table: int) -> None:
        """Has another file tell what comes to be in one of its tables of stores or items."""
        if table not in self.state.watched:
            self.state.watched.add(table)
            self.send(-table >> SHIFT, -table, SUBSCRIBE)

    def flow(self, source: int, target: int) -> None:
        """Lets everything in `source`, now or later, reach `target`."""
        if source == target:
            return
        if source < 0:
            self.subscribe(source)
        copies = self.copies
        targets = copies.get(source)
        if targets is None:
            copies[source] = target
        elif targets.__class__ is int:
            if targets == target:
                return
            copies[source] = array("q", (targets, target))
        else:
            if len(targets) < 8 and target in targets:
                return
            targets.append(target)
        for value in self.points[source] if source >= 0 else self.far.get(source, ()):
            self.add(target, value)

    def on(self, variable: int, step: Step) -> None:
        """Takes a step with every value of a variable, now and later."""
        if variable < 0:
            self.subscribe(variable)
        if variable in self.steps:
            steps = self.steps[variable]
            if steps.__class__ is list:
                steps.append(step)
            else:
                self.steps[variable] = [steps, step]
        else:
            self.steps[variable] = step
        known = self.points[variable] if variable >= 0 else self.far.get(variable)
        if known:
            # Queued, not taken here: steps lead to steps, without end in sight.
            self.queued.extend([(step, value) for value in known])

    def give(self, source: Any, target: int) -> None:
        """Does what `flow` does for an argument: a variable or a Constant."""
        if type(source) is int:
            if source:
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
                    self.add(self.local(number), value)
            elif value == EXISTS:
                owner, _, index, name = self.name_of(number)
                self.note_store((owner, index), name, -number)
            else:
                self._receive(-number, value)

    def _receive(self, variable: int, value: int) -> None:
        """A value of another file's variable that this file has subscribed to."""
        name = self.name_of(-variable)
        if name[1] == "fields":
            self.note_field(name[0], name[2], value)
            return
        known = self.far.get(variable)
        if known is not None:
            if value in known:
                return
            if len(known) >= MAX_VALUES:
                self.state.has_dropped = True
                return
            self.far[variable] = (*known, value)
        else:
            self.far[variable] = self.alone[value]
        self.work.append((variable, value))

    def _take_subscriber(self, sender: int, number: int) -> None:
        name = self.name_of(number)
        if name[1] == "fields":
            self.watch_from(sender, number, name[2])
        elif name[1] == "stores":
            self.watch_stores(sender, name[2])
        else:
            variable = self.local(number)
            others = self.subscribers.get(variable)
            if others is None:
                others = self.subscribers[variable] = array("q")
            others.extend((sender, number))
            for value in self.points[variable]:
                self.send(sender, number, value)

    def note_store(self, where: Place, name: str, variable: int) -> None:
        """Takes in a new class variable; in `Attributes`."""
        raise NotImplementedError

    def note_field(self, owner: int, site: Any, key: int) -> None:
        """Takes in a new item of another file's container; in `Builtins`."""
        raise NotImplementedError

    def watch_from(self, sender: int, fields: int, site: Any) -> None:
        """Tells another file of a container's items; in `Builtins`."""
        raise NotImplementedError

    def contained(self, value: int) -> int | None:
        """Returns the container that an object is; in `Containers`."""
        raise NotImplementedError

    def give_type(self, variable: int, type_: Type) -> None:
        """Puts what a type says into a variable; in `Solver`."""
        raise NotImplementedError

    def watch_stores(self, sender: int, index: int) -> None:
        """Tells another file of a class's stored attributes; in `Attributes`."""
        raise NotImplementedError
