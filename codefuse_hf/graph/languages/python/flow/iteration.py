"""What iterating, unpacking, `with`, `except` and operators do with values."""

from __future__ import annotations

from codefuse_hf.graph.languages.python.flow.containers import MAX_FIELDS, Containers
from codefuse_hf.graph.languages.python.flow.values import NO_ARGUMENTS, Kind, arguments_of

_NAMES = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_REFLECTED = {f"__r{name}__": f"__{name}__" for name in _NAMES}
_IN_PLACE = {f"__i{name}__": f"__{name}__" for name in _NAMES}
"""Methods of operators by those that stand in for them."""


class Iteration(Containers):
    """Mixin of `Solver`: the protocols behind Python's syntax."""

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
            if (inside := self.contained(value)) is not None:
                self.on(inside, ("take_each", caller, target))
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
        elif self.kinds[value] == Kind.GENERATOR or (
            self.kinds[value] == Kind.OBJECT and self.site_of(value)[0] == "iterator"
        ):
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
        if method in _IN_PLACE and not self._has_method(value, method):
            method = _IN_PLACE[method]
        if kind == Kind.INSTANCE:
            if right and method in _REFLECTED:
                if self._has_method(value, method):
                    self.later.append(("key", "reflect", (place, caller, value, method, right, target)))
                return
            arguments = arguments_of(right) if right else NO_ARGUMENTS
            self.call_method((*place, method), caller, value, method, arguments, target)
        elif kind == Kind.OBJECT and method in ("__add__", "__mul__", "__or__"):
            self._combine(place, value, right if method != "__mul__" else 0, target, method)

    def reflect(self, place: tuple, caller: int, value: int, method: str, left: int, target: int) -> None:
        """Calls the right operand's method, unless the left one is known to have its own."""
        known = self.held(left)
        if not known or not all(self._has_method(each, _REFLECTED[method]) for each in known):
            self.call_method((*place, method), caller, value, method, arguments_of(left), target)

    def _has_method(self, value: int, name: str) -> bool:
        return self.kinds[value] == Kind.INSTANCE and (
            self.find_member(self.first[value], self.second[value], name) is not None
        )

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
