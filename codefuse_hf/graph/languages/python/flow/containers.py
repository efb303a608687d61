"""What Python's own containers do with values: their items, and their methods."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.flow.calls import Calls
from codefuse_hf.graph.languages.python.flow.declarations import Structure
from codefuse_hf.graph.languages.python.flow.values import Kind, arguments_of, call_back, variables_as_arguments
from codefuse_hf.graph.languages.python.reading.facts import Constant

MAX_FIELDS = 24
"""Items of a container that are told apart, beside those that its display names; the others are in its rest. Long tables that are joined and
copied time and again would otherwise cost time and memory in their lengths, each time."""


def _plain_key(key: Any) -> Any:
    """A key in the form in which equal keys look alike: 1 for True and 1.0."""
    kind = type(key)
    return int(key) if kind is bool or (kind is float and key.is_integer()) else key


class Containers(Calls):
    """Mixin of `Solver`: containers."""

    # -- items -------------------------------------------------------------------------------------------------------------------

    def site_of(self, value: int) -> tuple:
        """Returns what is known of a container: (kind, fields, rest, keys, length)."""
        site = self.second[value]
        if site.__class__ is tuple:
            return site[1], {}, 0, 0, site[2]
        slot = self.first[value]
        return self.program.sites[site] if slot == self.slot else self.ask(Structure.site, slot, site)

    def static_site(self, site: Any) -> tuple:
        """Returns the same of a container of this file by its number."""
        return ("", {}, 0, 0, -1) if site.__class__ is tuple else self.program.sites[site]

    def new_site(self, key: Any, kind: str, length: int = -1) -> int:
        """Makes the container that a call at `key` makes, once."""
        sites = self.state.sites
        known = sites.get(key)
        if known is None:
            known = sites[key] = self.value(Kind.OBJECT, self.slot, (len(sites), kind, length))
        return known

    def fields_of(self, value: int) -> dict[Any, int]:
        """Returns the known items of a container: key to variable."""
        fields = {key: self.field(value, key) for key in self.site_of(value)[1]}
        fields.update(self.state.site_fields.get(value, ()))
        return fields

    def field(self, value: int, key: Any) -> int:
        """Returns the variable of item `key`."""
        if type(key) is not str:
            key = _plain_key(key)
        slot, site = self.first[value], self.second[value]
        if slot == self.slot and site.__class__ is not tuple:
            known = self.program.sites[site][1].get(key)
            if known:
                return known
        fields = self.state.site_fields.get(value, ())
        if len(fields) >= MAX_FIELDS and key not in fields:
            return self.rest(value)
        return self.shared(slot, "field", site, key)

    def follow_field(self, variable: int, site: Any, key: Any) -> None:
        """Tells those who watch a container of this file of an item that has come into being."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.state.site_fields.setdefault(value, {})[key] = variable
        for watcher in list(self.state.watchers.get(value, ())):
            self._inform(watcher, key, variable)
        for receiver, fields in self.state.site_watchers.get(value, ()):
            self.send(receiver, fields, self.constant(key))

    def watch(self, value: int, watcher: tuple) -> None:
        """Lets every item of a container, known now or later, flow where `watcher` says."""
        watchers = self.state.watchers.setdefault(value, [])
        if watcher in watchers:
            return
        watchers.append(watcher)
        if self.first[value] != self.slot:
            self.follow_table(self.shared(self.first[value], "fields", self.second[value]))
        if watcher[0] == "fields" and len(self.site_of(value)[1]) > MAX_FIELDS:
            self.flow(self.all_items(value), self.rest(watcher[1]))
            return
        for key, variable in list(self.fields_of(value).items()):
            self._inform(watcher, key, variable)

    def watch_from(self, sender: int, fields: int, site: Any) -> None:
        """Tells another file of each item of a container of this one, now or later."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.state.site_watchers.setdefault(value, []).append((sender, fields))
        for key in self.state.site_fields.get(value, ()):
            self.send(sender, fields, self.constant(key))

    def note_field(self, owner: int, site: Any, key: int) -> None:
        """Takes in a new item of another file's container, which is watched here."""
        value, name = self.value(Kind.OBJECT, owner, site), self.first[key]
        known = self.state.site_fields.setdefault(value, {})
        if name not in known:
            known[name] = self.field(value, name)
            for watcher in list(self.state.watchers.get(value, ())):
                self._inform(watcher, name, known[name])

    def _inform(self, watcher: tuple, key: Any, variable: int) -> None:
        if watcher[0] == "all":
            self.flow(variable, watcher[1])
        elif watcher[0] == "fields" and key not in watcher[2]:
            self.flow(variable, self.field(watcher[1], key))

    def rest(self, value: int) -> int:
        """Returns the variable of items at unknown keys."""
        return self.shared(self.first[value], "rest", self.second[value])

    def keys(self, value: int) -> int:
        """Returns the variable of a dictionary's keys."""
        return self.shared(self.first[value], "keys", self.second[value])

    def all_items(self, value: int) -> int:
        """Returns the variable of all items."""
        return self.shared(self.first[value], "all", self.second[value])

    def follow_all(self, variable: int, site: Any) -> None:
        """Lets all items of a container, now or later, reach a variable."""
        value = self.value(Kind.OBJECT, self.slot, site)
        self.flow(self.rest(value), variable)
        self.watch(value, ("all", variable))

    def contained(self, value: int) -> int | None:
        """Returns the variable of the container that an object is, where a base of its class says so (`class Items(dict[str, Item])`)."""
        for place in self.ask(Structure.mro, self.first[value], self.second[value]):
            said = self.ask(Structure.attribute_type, *place, "")
            if said is not None and said[0] is not None and said[0][0] in ("list", "dict", "tuple"):
                variable = self.new(("contained", value))
                if self.first_time(("contained", value)):
                    self.give_type(variable, said[0])
                return variable
        return None

    def take_item(self, value: int, place: tuple, caller: int, key: Any, target: int) -> None:
        """Takes `get_item` as a step."""
        self.get_item(place, caller, value, key, target)

    def get_item(self, place: tuple, caller: int, value: int, key: Any, target: int) -> None:
        """Lets `value[key]` reach `target`."""
        kind = self.kinds[value]
        if kind == Kind.OBJECT:
            self._get_from_object(place, caller, value, key, target)
        elif kind == Kind.INSTANCE:
            if self.find_member(self.first[value], self.second[value], "__getitem__") is None:
                if (inside := self.contained(value)) is not None:
                    self.on(inside, ("take_item", (*place, value), caller, key, target))
                return
            self.call_method(place, caller, value, "__getitem__", arguments_of(key), target)
        elif kind == Kind.CLASS:
            if self.find_member(self.first[value], self.second[value], "__class_getitem__") is not None:
                self.member_of_class(
                    place,
                    caller,
                    (self.first[value], self.second[value]),
                    "__class_getitem__",
                    value,
                    arguments_of(key),
                    target,
                )
            else:
                meta = self.metaclass(self.first[value], self.second[value])
                if meta is not None and self.find_member(*meta, "__getitem__") is not None:
                    self.member_of_class(place, caller, meta, "__getitem__", value, arguments_of(key), target)
                elif self.ask(Structure.is_enum, self.first[value], self.second[value]):
                    self.add(target, self.value(Kind.INSTANCE, self.first[value], self.second[value]))
                elif meta is None:
                    self.add(target, value)  # Generic[T]
        elif kind == Kind.NAMESPACE and isinstance(key, Constant) and isinstance(key.value, str):
            self._from_namespace(value, key.value, target)
        elif kind == Kind.NAMESPACE and type(key) is int and key:
            self.on(key, ("get_global", value, target))

    def get_global(self, key: int, namespace: int, target: int) -> None:
        """Lets `globals()[key]` reach `target`."""
        if self.kinds[key] == Kind.CONSTANT:
            self._from_namespace(namespace, self.first[key], target)

    def _from_namespace(self, value: int, name: Any, target: int) -> None:
        self.flow(self._in_namespace(value, "attribute", name), target)

    def _in_namespace(self, value: int, kind: str, name: Any) -> int:
        """The variable of an entry: an attribute of the instance, or a module's `attribute`, which is stored as its `global`."""
        if self.first[value] < 0:
            return self.instance_variable(self.second[value], name)
        return self.shared(self.first[value], kind, name)

    def _get_from_object(self, place: tuple, caller: int, value: int, key: Any, target: int) -> None:
        kind, _, _, _, length = self.site_of(value)
        if isinstance(key, Constant):
            number = key.value
            if type(number) is int and number < 0 and kind in ("list", "tuple"):
                if length < 0:
                    self.flow(self.all_items(value), target)
                    return
                number += length
            self.flow(self.field(value, number), target)
            self.flow(self.rest(value), target)
        elif isinstance(key, tuple):
            self.add(target, self._slice(place, value, key[1:]))
        elif type(key) is int and key:
            self._with_keys(key, "get_by_key", "get_any", place, caller, value, target)
        else:
            self.flow(self.all_items(value), target)

    def get_by_key(self, key: int, place: tuple, caller: int, value: int, target: int) -> None:
        """Lets `value[key]` reach `target`, for a key that is a literal."""
        if self.kinds[key] == Kind.CONSTANT:
            self._get_from_object(place, caller, value, Constant(self.first[key]), target)

    def get_any(self, place: tuple, caller: int, value: int, target: int) -> None:
        """Lets `value[key]` reach `target` for an unknown key."""
        self.flow(self.all_items(value), target)

    def _with_keys(self, key: int, known: str, unknown: str, *arguments: Any) -> None:
        """Takes step `known` with each literal that a key may be; when there is none at the end of a phase, does `unknown`."""
        self.on(key, (known, *arguments))
        if not self._has_constant(key):
            self.later.append(("key", "without_keys", (key, unknown, arguments)))

    def without_keys(self, key: int, unknown: str, arguments: tuple) -> None:
        """Takes the step for unknown keys, where `_with_keys` has met no literal."""
        if not self._has_constant(key):
            getattr(self, unknown)(*arguments)

    def _has_constant(self, variable: int) -> bool:
        return any(self.kinds[value] == Kind.CONSTANT for value in self.held(variable))

    def _slice(self, place: tuple, value: int, bounds: tuple) -> int:
        """A new sequence with the items of a slice; exact when the bounds and the length are known."""
        kind, _, _, _, length = self.site_of(value)
        kind = kind if kind in ("list", "tuple") else "list"
        result = self.new_site((*place, "slice", kind), kind)
        if "?" in bounds or length < 0:
            self.flow(self.all_items(value), self.rest(result))
            return result
        if length > MAX_FIELDS:
            self.flow(self.all_items(value), self.rest(result))
            return result
        try:
            chosen = range(length)[slice(*bounds)]
        except (ValueError, TypeError):
            chosen = range(length)
        for index, source in enumerate(chosen):
            if source in self.fields_of(value):
                self.flow(self.field(value, source), self.field(result, index))
        self.flow(self.rest(value), self.rest(result))
        return result

    def set_item(self, place: tuple, caller: int, value: int, key: Any, source: int) -> None:
        """Runs `value[key] = source`."""
        kind = self.kinds[value]
        if kind == Kind.OBJECT:
            self._set_in_object(value, key, source)
        elif kind == Kind.INSTANCE:
            arguments = arguments_of(key, source)
            self.call_method(place, caller, value, "__setitem__", arguments, self.new(("ignored", "__setitem__")))
        elif kind == Kind.NAMESPACE and isinstance(key, Constant):
            self.give(source, self._in_namespace(value, "global", key.value))

    def _set_in_object(self, value: int, key: Any, source: int) -> None:
        kind, _, _, _, length = self.site_of(value)
        if isinstance(key, Constant):
            number = key.value
            if type(number) is int and number < 0 and kind == "list":
                if length < 0:
                    self.flow(source, self.rest(value))
                    return
                number += length
            if source:
                self.flow(source, self.field(value, number))
        elif isinstance(key, tuple):
            self.on(source, ("take_items", self.rest(value)))
        elif type(key) is int and key:
            self.flow(key, self.keys(value))
            self._with_keys(key, "set_by_key", "set_any", value, source)
        elif source:
            self.flow(source, self.rest(value))

    def set_by_key(self, key: int, value: int, source: int) -> None:
        """Runs `value[key] = source`, for a key that is a literal."""
        if self.kinds[key] == Kind.CONSTANT:
            self._set_in_object(value, Constant(self.first[key]), source)

    def set_any(self, value: int, source: int) -> None:
        """Runs `value[key] = source` for an unknown key."""
        self.flow(source, self.rest(value))

    def take_items(self, value: int, target: int) -> None:
        """Lets all items of a container reach `target`."""
        if self.kinds[value] == Kind.OBJECT:
            self.flow(self.all_items(value), target)

    # -- methods -----------------------------------------------------------------------------------------------------------------

    def call_container_method(
        self, key: tuple, caller: int, receiver: int, name: str, arguments: Any, target: int
    ) -> None:
        """Calls a method of a container or generator: `append`, `get`, `items`, `send` and the like."""
        kind = self.kinds[receiver]
        given = [a for _, a in arguments.positional]
        first = given[0] if given else 0
        if kind == Kind.GENERATOR:
            if name in ("send", "__next__", "throw", "__anext__", "asend"):
                self.iterate(caller, receiver, target)
            elif name in ("__iter__", "__aiter__"):
                self.add(target, receiver)
        elif kind == Kind.PROPERTY:
            self._extend_property(receiver, name, first, target)
        elif kind == Kind.CLASS:
            made = self.new_site((*key, name), "list")
            for place in self.ask(Structure.subclasses, self.first[receiver], self.second[receiver]):
                self.add(self.rest(made), self.value(Kind.CLASS, *place))
            self.add(target, made)
        elif kind == Kind.NAMESPACE:
            if name == "get":
                self.get_item(key, caller, receiver, first, target)
            elif name == "update":
                for word, argument in arguments.keywords:
                    if word is not None:
                        self.give(argument, self._in_namespace(receiver, "global", word))
        elif kind == Kind.OBJECT:
            if self.site_of(receiver)[0] == "dict":
                self._dict_method(key, caller, receiver, name, given, arguments, target)
            else:
                self._list_method(key, caller, receiver, name, given, arguments, target)

    def _extend_property(self, receiver: int, name: str, function: Any, target: int) -> None:
        """`@x.setter`, `@x.getter` and `@x.deleter`."""
        if type(function) is int and function:
            self.on(function, ("extend_property", receiver, name, target))

    def extend_property(self, value: int, receiver: int, name: str, target: int) -> None:
        """Makes a property with `value` for its `name`."""
        getter, setter = self.first[receiver], self.second[receiver]
        if name == "setter":
            setter = value
        elif name == "getter":
            getter = value
        self.add(target, self.value(Kind.PROPERTY, getter, setter))

    def _list_method(
        self, key: tuple, caller: int, value: int, name: str, given: list, arguments: Any, target: int
    ) -> None:
        if name in ("append", "add", "appendleft", "push", "set", "put", "put_nowait") and given:
            self.give(given[0], self.rest(value))
        elif name == "insert" and len(given) > 1:
            self.give(given[1], self.rest(value))
            self.flow(self.all_items(value), self.rest(value))
        elif name in ("extend", "update", "extendleft", "__iadd__") and given and type(given[0]) is int and given[0]:
            self.on(given[0], ("take_each", caller, self.rest(value)))
        elif name in ("get", "get_nowait"):
            self.flow(self.all_items(value), target)
            for default in given[:1]:
                self.give(default, target)
        elif name in ("pop", "popleft", "__next__", "__getitem__"):
            if given and isinstance(given[0], Constant):
                self.get_item(key, caller, value, given[0], target)
            elif name == "pop" and not given and self.site_of(value)[4] > 0 and self.site_of(value)[0] == "list":
                self.get_item(key, caller, value, Constant(-1), target)
            else:
                self.flow(self.all_items(value), target)
        elif name in ("copy", "__iter__", "union", "intersection", "difference", "symmetric_difference"):
            self.add(target, value)
        elif name == "sort":
            self._key_calls(key, caller, arguments, self.all_items(value), "__lt__")
        elif name == "__setitem__" and len(given) > 1:
            self.set_item(key, caller, value, given[0], given[1] if type(given[1]) is int else 0)

    def _dict_method(
        self, key: tuple, caller: int, value: int, name: str, given: list, arguments: Any, target: int
    ) -> None:
        if name in ("get", "pop", "setdefault", "__getitem__") and given:
            self.get_item(key, caller, value, given[0], target)
            if len(given) > 1:
                self.give(given[1], target)
                if name == "setdefault":
                    made = self.new((*key, "default"))
                    self.give(given[1], made)
                    self.set_item(key, caller, value, given[0], made)
        elif name == "values":
            made = self.new_site((*key, "values"), "iterator")
            self.add(target, made)
            self.flow(self.all_items(value), self.rest(made))
        elif name == "keys":
            made = self.new_site((*key, "keys"), "iterator")
            self.add(target, made)
            self.flow(self.keys(value), self.rest(made))
        elif name in ("items", "popitem"):
            pair = self._pairs(
                (*key, value), [self.keys(value), self.all_items(value)], target if name == "items" else 0
            )
            if name == "popitem":
                self.add(target, pair)
        elif name in ("update", "__ior__"):
            for argument in given:
                if type(argument) is int and argument:
                    self.on(argument, ("merge", value))
            self._keyword_items(value, arguments)
        elif name == "copy":
            made = self.new_site((*key, "copy"), "dict")
            self.add(target, made)
            self.merge(value, made)
        elif name == "__setitem__" and len(given) > 1:
            self.set_item(key, caller, value, given[0], given[1] if type(given[1]) is int else 0)

    def _keyword_items(self, value: int, arguments: Any) -> None:
        for name, argument in arguments.keywords:
            if name is not None:
                self.give(argument, self.field(value, name))
            elif type(argument) is int and argument:
                self.on(argument, ("merge", value))

    def merge(self, other: int, value: int) -> None:
        """Runs `value.update(other)`."""
        if self.kinds[other] != Kind.OBJECT or other == value:
            return
        if self.site_of(other)[0] == "dict":
            self.watch(other, ("fields", value, frozenset()))
            self.flow(self.rest(other), self.rest(value))
            self.flow(self.keys(other), self.keys(value))
        else:
            self.on(self.all_items(other), ("take_pair", value))

    def take_pair(self, pair: int, value: int) -> None:
        """Takes in an item of `dict(pairs)`."""
        if self.kinds[pair] == Kind.OBJECT:
            self.flow(self.field(pair, 1), self.rest(value))
            self.flow(self.rest(pair), self.rest(value))

    def _pairs(self, key: tuple, parts: list[int], target: int) -> int:
        """An iterator of tuples of which item i holds `parts[i]`."""
        pair = self.new_site((*key, "pair"), "tuple", len(parts))
        for index, part in enumerate(parts):
            if part:
                self.flow(part, self.field(pair, index))
        if target:
            made = self.new_site((*key, "pairs"), "iterator")
            self.add(self.rest(made), pair)
            self.add(target, made)
        return pair

    def _key_calls(self, key: tuple, caller: int, arguments: Any, items: int, method: str) -> None:
        """`key=` of sorted, min, max and list.sort is called with the items; without, they are compared by a method of theirs."""
        if items and all(name != "key" for name, _ in arguments.keywords) and self.first_time((*key, method)):
            self.on(items, ("call_special", caller, method))
        for name, argument in arguments.keywords:
            if name == "key" and type(argument) is int and argument:
                ignored = self.new((*key, "key"))
                self.on(argument, call_back((*key, "key"), caller, variables_as_arguments((items,)), ignored))
