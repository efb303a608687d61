"""Calls: what is called at a place, how arguments meet parameters, and what comes back."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.flow.attributes import Attributes
from codefuse_hf.graph.languages.python.flow.declarations import Signature, Structure
from codefuse_hf.graph.languages.python.flow.values import (
    NO_ARGUMENTS,
    Arguments,
    Kind,
    call_back,
)
from codefuse_hf.graph.languages.python.reading.facts import ARGS, BY_NAME, BY_POSITION, OWN_TYPE, VARIADIC, Constant

UNSEEN = -1
"""In place of a caller, for a call that is another one's doing: it makes no edge."""
_MAX_WRAPPERS = 4
_MAX_PARTIALS = 3
"""Partials of partials are followed so deep."""
_MAX_NESTED = 8
"""Calls by what is called (a callback's callback …) are followed so deep: library functions that are given to each other would go on for ever.
Of one kind (`reduce` in `reduce`) at most `_MAX_SAME`."""
_MAX_SAME = 2


class Calls(Attributes):
    """Mixin of `Solver`: calls."""

    def invoke(self, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        """Calls `value` at place `key` for `caller`; what it returns reaches `target`."""
        kind = self.kinds[value]
        if kind == Kind.FUNCTION:
            self.call_function(key, caller, value, arguments, target)
        elif kind == Kind.WRAPPED:
            wrapper, wrapped = self.first[value], self.second[value]
            self.call_function(key, caller, wrapper, arguments, target, False)
            self.invoke(_deeper(key, "wrapped"), UNSEEN, wrapped, arguments, target)
        elif kind == Kind.BOUND:
            self.invoke(key, caller, self.first[value], arguments.after(self.second[value]), target)
        elif kind == Kind.CLASS:
            self.instantiate(key, caller, value, arguments, target)
        elif kind == Kind.INSTANCE:
            self.call_method(key, caller, value, "__call__", arguments, target)
        elif kind == Kind.BUILTIN:
            self.call_builtin(key, caller, self.first[value], arguments, target)
        elif kind == Kind.METHOD:
            self.call_container_method(key, caller, self.first[value], self.second[value], arguments, target)
        elif kind == Kind.PARTIAL:
            self._call_partial(key, caller, value, arguments, target)
        elif kind in (Kind.STATIC, Kind.CLASSMETHOD):
            self.invoke(key, caller, self.first[value], arguments, target)
        elif kind == Kind.OBJECT and self.site_of(value)[0] == "call":
            self.flow(self.rest(value), target)  # of a type Callable[…, result]

    def call_value(self, value: int, key: tuple, caller: int, plain: tuple, target: int) -> None:
        """Takes the step of `call_back`."""
        if len(key) > _MAX_NESTED or key.count(key[-1]) > _MAX_SAME:
            self.state.has_dropped = True
        elif self.first_time((key, caller, value, plain, target)):
            self.invoke(key, caller, value, Arguments.of_plain(plain), target)

    # -- functions -----------------------------------------------------------------------------------------------------------------

    def call_function(
        self, key: tuple, caller: int, value: int, arguments: Arguments, target: int, forwards: bool = True
    ) -> None:
        """Calls a function; unless `forwards`, what a wrapper calls with its own arguments is seen to elsewhere."""
        owner, index = self.first[value], self.second[value]
        if caller != UNSEEN:
            functions = self.structure.facts[owner].functions
            edge = caller, owner, functions.definition(index)
            if not self._is_promised(arguments):
                self.calls.add(edge)
            elif functions.name(index) != "__call__" and self.first_time(("promised", key, edge)):
                self.later.append(("key", "call_promised", (key, edge)))
        signature: Signature = self.ask(Structure.signature, owner, index)
        if forwards and signature.forwards is not None and self.first_time((key, value, "forward", arguments.prefix)):
            # Whatever it may have been made for: which it is called with here is not known.
            wrapped = self.parameter(owner, *signature.forwards)
            self.on(wrapped, call_back(_deeper(key, "forward"), UNSEEN, arguments, target))
        mark = (key, value, len(arguments.prefix))
        if not self.first_time(mark):
            self._bind_prefix(owner, index, signature, arguments, target)
            return
        self.bind_arguments(owner, index, signature, arguments)
        if signature.is_generator:
            if not signature.is_typed or not self._give_back(key, value, signature, arguments, target):
                self.add(target, self.value(Kind.GENERATOR, owner, index))
        elif arguments.prefix and self._is_own(owner, index, signature):
            self._return_own(arguments.prefix[0], target)
            return
        elif signature.wrappers:
            self._take_wrappers(owner, index, signature, arguments, target)
        elif not self._give_made(key, signature, arguments, target):
            if not signature.is_typed or not self._give_back(key, value, signature, arguments, target):
                self.flow(self.returned(owner, index), target)
        for position in signature.returned_parameters:
            if position != OWN_TYPE:
                self._return_argument(owner, index, signature, position, arguments, target)

    def call_promised(self, key: tuple, edge: tuple[int, int, int]) -> None:
        """Calls a method of a protocol, unless it is known here what stands behind the protocol. (Not `__call__`: behind that is a
        function.)"""
        callee = self.program.calls[key[0]][1] if type(key[0]) is int else 0
        for value in self.points[callee]:
            if not self._is_of_protocol(self.second[value] if self.kinds[value] == Kind.BOUND else value):
                return
        self.calls.add(edge)

    def _is_of_protocol(self, value: int) -> bool:
        if self.kinds[value] != Kind.INSTANCE:
            return False
        return self.ask(Structure.is_protocol, self.first[value], self.second[value])

    def _is_promised(self, arguments: Arguments) -> bool:
        """Whether the receiver is known by a protocol only: what runs is the method of some class that is not known."""
        return bool(arguments.prefix) and self._is_of_protocol(arguments.prefix[0])

    def _give_made(self, key: tuple, signature: Signature, arguments: Arguments, target: int) -> bool:
        """The result of a function that calls one of its arguments: what calling that of this call yields; False where it cannot be told."""
        if signature.makes < 0 or any(word is None for word, _ in arguments.keywords):
            return False
        given = self._argument_at(signature, signature.makes, arguments)
        step = call_back(_deeper(key, "made"), UNSEEN, NO_ARGUMENTS, target)
        if given.__class__ is tuple:
            self.queued.append((step, given[0]))
        elif type(given) is int and given:
            self.on(given, step)
        else:
            return False
        return True

    def _give_back(self, key: tuple, value: int, signature: Signature, arguments: Arguments, target: int) -> bool:
        """A result that is made of the call's own arguments, as type variables say, reaches `target`; False where they do not say it."""
        known = self.ask(Structure.given_back, self.first[value], self.second[value])
        has_stars = any(star for star, _ in arguments.positional) or any(word is None for word, _ in arguments.keywords)
        if known is None or has_stars:
            return False
        form, places = known
        if form == "list":
            made = self.new_site((*key, value, "given back"), "iterator")
            self.add(target, made)
            target = self.rest(made)
        for position, each in places:
            for given in self._arguments_at(signature, position, arguments):
                if given.__class__ is tuple:
                    held = self.fresh()
                    self.add(held, given[0])
                    given = held
                if type(given) is int and given:
                    if each:
                        self.on(given, ("take_part", each, key, target))
                    else:
                        self.flow(given, target)
        return True

    def take_part(self, value: int, form: str, key: tuple, target: int) -> None:
        """Lets what an argument says of a result reach it: objects of a class, items of a sequence, what a function yields."""
        if form == "type":
            self.take_instance(value, target)
        elif form == "call":
            self.call_value(value, _deeper(key, "made"), UNSEEN, NO_ARGUMENTS.plain(), target)
        else:
            self.iterate(UNSEEN, value, target)

    def _is_own(self, owner: int, function: int, signature: Signature) -> bool:
        if OWN_TYPE in signature.returned_parameters:
            return True
        return signature.as_super is not None and self.returns_own(owner, function)

    def _return_own(self, receiver: int, target: int) -> None:
        """A method returns an object of the class of its receiver."""
        if self.kinds[receiver] == Kind.CLASS:
            receiver = self.value(Kind.INSTANCE, self.first[receiver], self.second[receiver])
        if self.kinds[receiver] == Kind.INSTANCE:
            self.add(target, receiver)

    def _take_wrappers(
        self, owner: int, function: int, signature: Signature, arguments: Arguments, target: int
    ) -> None:
        """What a call returns that may make wrappers: each knows what this call made it for."""
        made: list[tuple[int, int]] = []
        for wrapper, position in signature.wrappers:
            given = self._argument_at(signature, position, arguments)
            if given.__class__ is tuple:
                held = self.fresh()
                self.add(held, given[0])
                given = held
            made.append((wrapper, given if type(given) is int else 0))
        self.on(self.returned(owner, function), ("take_wrapper", owner, tuple(made), target))

    def take_wrapper(self, value: int, owner: int, made: tuple[tuple[int, int], ...], target: int) -> None:
        """Takes one value that a call returns, which may be a wrapper."""
        if self.kinds[value] == Kind.FUNCTION and self.first[value] == owner:
            for wrapper, given in made:
                if wrapper == self.second[value] and given:
                    self.on(given, ("wrap", value, target))
                    if not self.held(given):
                        self.later.append(("key", "without_wrapped", (given, value, target)))
                    return
        self.add(target, value)

    def wrap(self, wrapped: int, wrapper: int, target: int) -> None:
        """Makes a wrapper for one value, as long as that is not wrapped too often."""
        depth, inner = 0, wrapped
        while self.kinds[inner] == Kind.WRAPPED:
            depth, inner = depth + 1, self.second[inner]
        self.add(target, wrapper if depth > _MAX_WRAPPERS else self.value(Kind.WRAPPED, wrapper, wrapped))

    def without_wrapped(self, given: int, wrapper: int, target: int) -> None:
        """Passes on the wrapper of something that is not known."""
        if not self.held(given):
            self.add(target, wrapper)

    def _argument_at(self, signature: Signature, position: int, arguments: Arguments) -> Any:
        """What a call gives for a parameter: a variable, a Constant, a tuple of a value; None if that cannot be told."""
        name, kind, _ = signature.parameters[position]
        if kind in VARIADIC or any(star for star, _ in arguments.positional):
            return None
        if kind in BY_POSITION and position < len(arguments.prefix):
            return (arguments.prefix[position],)
        if kind in BY_POSITION and position - len(arguments.prefix) < len(arguments.positional):
            return arguments.positional[position - len(arguments.prefix)][1]
        return next((argument for word, argument in arguments.keywords if word == name), None)

    def _arguments_at(self, signature: Signature, position: int, arguments: Arguments) -> list:
        """All that a call without stars gives for a parameter, which may be `*parameter`."""
        kind = signature.parameters[position][1]
        if kind != ARGS:
            return [self._argument_at(signature, position, arguments)]
        given = [*[(value,) for value in arguments.prefix], *[argument for _, argument in arguments.positional]]
        return given[signature.count :]

    def _bind_prefix(self, owner: int, function: int, signature: Signature, arguments: Arguments, target: int) -> None:
        """A call that is known already, with another receiver."""
        parameters = signature.parameters
        if arguments.prefix and self._is_own(owner, function, signature):
            self._return_own(arguments.prefix[0], target)
        for position, value in enumerate(arguments.prefix):
            if position < len(parameters) and parameters[position][1] in BY_POSITION:
                self.add(self.parameter(owner, function, position), value)
                if position in signature.returned_parameters:
                    self.add(target, value)

    def _return_argument(
        self, owner: int, function: int, signature: Signature, position: int, arguments: Arguments, target: int
    ) -> None:
        """A parameter that is returned as it is: this call gets its own argument back, not everybody's."""
        name, kind, _ = signature.parameters[position]
        if (
            kind in VARIADIC
            or any(star for star, _ in arguments.positional)
            or any(n is None for n, _ in arguments.keywords)
        ):
            self.flow(self.parameter(owner, function, position), target)
            return
        if kind in BY_POSITION and position < len(arguments.prefix):
            self.add(target, arguments.prefix[position])
        elif kind in BY_POSITION and position - len(arguments.prefix) < len(arguments.positional):
            self.give(arguments.positional[position - len(arguments.prefix)][1], target)
        else:
            named = [a for n, a in arguments.keywords if n == name]
            for argument in named:
                self.give(argument, target)
            if not named:
                self.flow(self.parameter(owner, function, position), target)

    def bind_arguments(self, owner: int, function: int, signature: Signature, arguments: Arguments) -> None:
        """Lets the arguments of a call flow into the parameters that take them."""
        parameters, count, (rest, named) = signature.parameters, signature.count, signature.variadic_sites
        position = 0
        for value in arguments.prefix:
            if position < count:
                self.add(self.parameter(owner, function, position), value)
            elif rest >= 0:
                self.add(self.field(self.value(Kind.OBJECT, owner, rest), position - count), value)
            position += 1
        for star, argument in arguments.positional:
            if star:
                if type(argument) is int and argument:
                    self.on(argument, ("star_argument", owner, function, position))
                # What follows a star can land anywhere after it; this is where it lands for sure.
                position = max(position, count)
                continue
            if position < count:
                self._give_parameter(argument, owner, function, position, parameters[position])
            elif rest >= 0:
                self.give(argument, self.field(self.value(Kind.OBJECT, owner, rest), position - count))
            position += 1
        for name, argument in arguments.keywords:
            if name is None:
                if argument:
                    self.on(argument, ("star_keywords", owner, function))
                continue
            for place, parameter in enumerate(parameters):
                if parameter[0] == name and parameter[1] in BY_NAME:
                    self._give_parameter(argument, owner, function, place, parameter)
                    break
            else:
                if named >= 0:
                    self.give(argument, self.field(self.value(Kind.OBJECT, owner, named), name))

    def _give_parameter(self, argument: Any, owner: int, function: int, position: int, parameter: tuple) -> None:
        if type(argument) is int:
            if argument:
                self.flow(argument, self.parameter(owner, function, position))
        elif parameter[2]:
            self.give(argument, self.parameter(owner, function, position))

    def star_argument(self, value: int, owner: int, function: int, position: int) -> None:
        """Passes `*argument`: the items of a known sequence land on parameter after parameter."""
        signature: Signature = self.ask(Structure.signature, owner, function)
        count, rest = signature.count, signature.variadic_sites[0]
        packed = self.value(Kind.OBJECT, owner, rest) if rest >= 0 else None
        if self.kinds[value] != Kind.OBJECT:
            item = self.elements_of(value)
            if item is not None:
                for place in range(position, count):
                    self.flow(item, self.parameter(owner, function, place))
                if packed is not None:
                    self.flow(item, self.rest(packed))
            return
        known = max((k for k in self.fields_of(value) if type(k) is int), default=-1) + 1
        for offset in range(max(known, min(count - position, 6))):
            place = position + offset
            if place < count:
                self.flow(self.field(value, offset), self.parameter(owner, function, place))
            elif packed is not None and packed != value:
                self.flow(self.field(value, offset), self.field(packed, place - count))
        if packed is not None and packed != value:
            for offset in range(count - position if count > position else 0, 6):
                self.flow(self.field(value, offset), self.field(packed, position + offset - count))
            self.flow(self.rest(value), self.rest(packed))
        for place in range(position, count):
            self.flow(self.rest(value), self.parameter(owner, function, place))

    def star_keywords(self, value: int, owner: int, function: int) -> None:
        """Passes `**argument`: the items of a known dictionary land on the parameters of their names."""
        if self.kinds[value] != Kind.OBJECT:
            return
        signature: Signature = self.ask(Structure.signature, owner, function)
        named = signature.variadic_sites[1]
        packed = self.value(Kind.OBJECT, owner, named) if named >= 0 else -1
        names = set()
        for position, (name, kind, _) in enumerate(signature.parameters):
            if kind in BY_NAME:
                names.add(name)
                variable = self.parameter(owner, function, position)
                self.flow(self.field(value, name), variable)
                self.flow(self.rest(value), variable)
        if packed >= 0 and packed != value:
            self.watch(value, ("fields", packed, frozenset(names)))
            self.flow(self.rest(value), self.rest(packed))

    # -- classes -------------------------------------------------------------------------------------------------------------------

    def instantiate(self, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        """Calls a class: its `__new__` and `__init__` are called, and an instance comes back."""
        owner, index = self.first[value], self.second[value]
        instance = self.value(Kind.INSTANCE, owner, index)
        self.add(target, instance)
        self.use_class(caller, owner, index)
        meta = self.metaclass(owner, index)
        if meta is not None:
            self.member_of_class((*key, "meta"), caller, meta, "__call__", value, arguments, target)
        self.member_of_class((*key, "new"), caller, (owner, index), "__new__", value, arguments, target)
        found = self.find_member(owner, index, "__init__")
        if found is not None:
            ignored = self.new(("init", target))
            self.call_member(found, (*key, "init"), caller, "__init__", instance, arguments, ignored)
        else:
            self._fill_fields(key, caller, instance, arguments)

    def _fill_fields(self, key: tuple, caller: int, instance: int, arguments: Arguments) -> None:
        """The generated constructor of a dataclass or a named tuple."""
        owner, index = self.first[instance], self.second[instance]
        names = self.ask(Structure.fields, owner, index)
        if names is None:
            return
        for (star, argument), name in zip(arguments.positional, names, strict=False):
            if star:
                break
            self.give(argument, self.instance_variable(instance, name))
        for name, argument in arguments.keywords:
            if name is not None:
                self.give(argument, self.instance_variable(instance, name))
        if self.find_member(owner, index, "__post_init__") is not None:
            ignored = self.new(("post", instance))
            self.call_method((*key, "post"), caller, instance, "__post_init__", Arguments(), ignored)

    # -- functools.partial -----------------------------------------------------------------------------------------------------------

    def make_partial(self, key: tuple, callee: int, positional: tuple, keywords: tuple) -> int:
        """Makes a PARTIAL value. It carries what others must know: which arguments there are, and literals; the variables stay here."""
        arguments = (*positional, *keywords)
        shape = tuple([(word, _described(argument)) for word, argument in arguments])
        variables = (callee, *[argument if type(argument) is int else 0 for _, argument in arguments])
        number = self.state.partials.setdefault((key, shape, variables), len(self.state.partials))
        return self.value(Kind.PARTIAL, self.slot, (number, shape, len(positional)))

    def partial_variables(self, number: int) -> tuple[int, ...]:
        """Returns the callee of a partial made in this file, then its arguments."""
        return list(self.state.partials)[number][2]

    def partial_variable(self, value: int, position: int) -> int:
        """Returns the variable of a partial's callee (position 0) or of one of its arguments."""
        return self.shared(self.first[value], "partial", self.second[value][0], position)

    def _call_partial(self, key: tuple, caller: int, value: int, arguments: Arguments, target: int) -> None:
        number, shape, count = self.second[value]
        mark = self.first[value], number
        if mark in key:
            return  # a partial of itself
        if sum(piece.__class__ is tuple for piece in key) >= _MAX_PARTIALS:
            self.state.has_dropped = True
            return
        early: list[tuple[Any, Any]] = []
        for position, (word, known) in enumerate(shape, 1):
            if known is None:
                source = self.partial_variable(value, position)
            else:
                source = Constant(known[2]) if known[1] else 0
            early.append((word, source))
        merged = Arguments(
            (*early[:count], *arguments.positional), (*early[count:], *arguments.keywords), arguments.prefix
        )
        self.on(self.partial_variable(value, 0), call_back((*key, mark), caller, merged, target))


def _deeper(key: tuple, mark: str) -> tuple:
    """The place of a call inside the call at `key` that has the same arguments and the same target, so that once is enough: functions that
    forward to each other, or to themselves, come to an end."""
    return key if mark in key else (*key, mark)


def _described(argument: Any) -> tuple | None:
    """An argument without its variable: None for one, else (type, whether it is a literal, literal)."""
    if isinstance(argument, Constant):
        return type(argument.value).__name__, True, argument.value
    return None if type(argument) is int and argument else ("int", False, 0)
