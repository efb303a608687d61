"""Attributes of instances, classes and modules: reading them through the classes' method resolution order and descriptors, and storing them."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.flow.declarations import Member, Place, Structure
from codefuse_hf.graph.languages.python.flow.states import Step
from codefuse_hf.graph.languages.python.flow.taken import IS, METHODS
from codefuse_hf.graph.languages.python.flow.values import NO_ARGUMENTS, Arguments, Kind, call_back
from codefuse_hf.graph.languages.python.flow.variables import EXISTS, Flows
from codefuse_hf.graph.languages.python.reading.facts import OWN_TYPE, Constant

_IMPLICIT_STATIC = frozenset({"__new__"})
_STAND_INS = {"__bool__": "__len__", "__str__": "__repr__", "__contains__": "__iter__", "__ne__": "__eq__"}
"""Special methods that take over where a class does not define one."""
_IMPLICIT_CLASS = frozenset({"__init_subclass__", "__class_getitem__"})


_THREADS = frozenset(("threading.Thread", "multiprocessing.Process", "threading.Timer"))
"""Classes whose `start` has `run` called."""


class Attributes(Flows):
    """Mixin of `Solver`: attributes."""

    # -- the variables that other files know by name -------------------------------------------------------------------------------

    def open(self, name: tuple) -> int:
        """Makes the variable of this file that all files know by a name, when it is first asked for, and what is to flow into it."""
        kind = name[1]
        maker, follow = _OPENERS.get(kind), _FOLLOWERS.get(kind)
        known = 0 if maker is None else maker(self, *name[2:])
        variable = known or self.fresh()
        if kind in _ANNOTATED:
            self._limit(variable, self.second[name[2]] if kind == "view" else name[2], name[3])
        if kind != "field":  # keys of containers may have one hash (-1 and -2)
            self.named[hash(name)] = variable
        if not known and follow is not None:
            follow(self, variable, *name[2:])
        return variable

    def _limit(self, variable: int, index: int, name: str) -> None:
        """Keeps out of an attribute what its annotation excludes."""
        type_ = self.type_of_attribute(("instance", self.slot, index), name)
        if type_ is not None:
            if self.state.limits is None:
                self.limits = self.state.limits = dict(self.limits)
            self.state.taken[variable] = self.limits[variable] = (IS, type_)

    def _open_parameter(self, function: int, position: int) -> int:
        return self.facts.functions.parameter(function, position)

    def _open_returned(self, function: int) -> int:
        return self.facts.functions.returned(function)

    def _open_yielded(self, function: int) -> int:
        return self.facts.functions.yielded(function)

    def _open_cell(self, name: str) -> int:
        return self.facts.cells[name]

    def _open_member(self, index: int, name: str) -> int:
        return self.structure.class_(self.slot, index).namespace[name]

    def _open_field(self, site: Any, key: Any) -> int:
        made = self.state.site_fields.get(self.value(Kind.OBJECT, self.slot, site), {})
        return self.static_site(site)[1].get(key, 0) or made.get(key, 0)

    def _open_rest(self, site: Any) -> int:
        return self.static_site(site)[2]

    def _open_keys(self, site: Any) -> int:
        return self.static_site(site)[3]

    def _open_partial(self, number: int, position: int) -> int:
        return self.partial_variables(number)[position]

    def _follow_attribute(self, variable: int, name: str) -> None:
        """`module.name`: what the file binds to the name, and what others store there."""
        if name in self.facts.exports:
            self.flow(self.facts.exports[name], variable)
        stored = self.known("global", name)
        if stored is not None:
            self.flow(stored, variable)

    def _follow_global(self, variable: int, name: str) -> None:
        seen = self.known("attribute", name)
        if seen is not None:
            self.flow(variable, seen)

    def _follow_instance(self, variable: int, index: int, name: str) -> None:
        view = self.known("view", self.value(Kind.INSTANCE, self.slot, index), name)
        if view is not None:
            self.flow(variable, view)

    def _follow_class(self, variable: int, index: int, name: str) -> None:
        self.note_store((self.slot, index), name, variable)
        watchers = self.state.store_watchers.get(index)
        if watchers:
            number = self.number((self.slot, "class", index, name))
            for watcher in watchers:
                self.send(watcher, number, EXISTS)

    def _follow_view(self, variable: int, receiver: int, name: str) -> None:
        """Lets what the class defines, and what is stored in the instance and its classes, reach a view."""
        index = self.second[receiver]
        state = self.state
        state.views_by_name.setdefault(name, []).append((receiver, variable))
        if self.kinds[receiver] == Kind.INSTANCE:
            stored = self.known("instance", index, name)
            if stored is not None:
                self.flow(stored, variable)
        order = self.ask(Structure.mro, self.slot, index)
        for owner, place in order:
            if owner != self.slot:
                self.follow_table(self.shared(owner, "stores", place))
        for where, stored in state.stores.get(name, ()):
            if where in order:
                self.flow(stored, variable)
        found = self.find_member(self.slot, index, name)
        if found is None:
            return
        self.member(found, name, receiver, variable)
        if (
            self.kinds[receiver] == Kind.CLASS
            and self.ask(Structure.has_attribute, found[0], found[1], name)
            and self.ask(Structure.is_enum, self.slot, index)
        ):
            self.add(variable, self.value(Kind.INSTANCE, self.slot, index))

    def note_store(self, where: Place, name: str, variable: int) -> None:
        """Lets a class variable that has come into being show in every view that the class is part of."""
        self.state.stores.setdefault(name, []).append((where, variable))
        for receiver, view in list(self.state.views_by_name.get(name, ())):
            if where in self.ask(Structure.mro, self.slot, self.second[receiver]):
                self.flow(variable, view)

    def watch_stores(self, sender: int, index: int) -> None:
        """Tells another file of each attribute that is stored on a class of this one, now or later."""
        self.state.store_watchers.setdefault(index, []).append(sender)
        for name, stores in self.state.stores.items():
            for where, _ in stores:
                if where == (self.slot, index):
                    self.send(sender, self.number((self.slot, "class", index, name)), EXISTS)

    def member_variable(self, found: Member, name: str) -> int:
        """Returns the variable of a name at the end of a class's body."""
        if found[0] == self.slot:
            return self.structure.class_(self.slot, found[1]).namespace[name]
        return self.shared(found[0], "member", found[1], name)

    def returned(self, owner: int, function: int) -> int:
        """Returns the variable of what a function returns."""
        if owner == self.slot:
            return self.facts.functions.returned(function)
        return self.shared(owner, "returned", function)

    def parameter(self, owner: int, function: int, position: int) -> int:
        """Returns the variable of a function's parameter."""
        if owner == self.slot:
            return self.facts.functions.parameter(function, position)
        return self.shared(owner, "parameter", function, position)

    def instance_variable(self, instance: int, name: str) -> int:
        """Returns the variable of what is stored as `instance.name`."""
        return self.shared(self.first[instance], "instance", self.second[instance], name)

    def class_variable(self, owner: int, index: int, name: str) -> int:
        """Returns the variable of what is stored as `Class.name` from outside the class's body."""
        return self.shared(owner, "class", index, name)

    # -- classes -------------------------------------------------------------------------------------------------------------------

    def find_member(self, owner: int, index: int, name: str) -> Member | None:
        """Returns the first class in method resolution order that defines `name`."""
        key = ("member", owner, index, name)
        self.asked.add(key)
        memo = self.structure.memo
        return memo[key] if key in memo else self.structure.ask(key)

    def metaclass(self, owner: int, index: int) -> Place | None:
        return self.ask(Structure.metaclass, owner, index)

    def bind(self, function: int, name: str, receiver: int) -> int:
        """Makes a bound method of a function that a class holds; implicit static methods stay functions."""
        if name in _IMPLICIT_STATIC:
            return function
        if self.kinds[receiver] == Kind.CLASS:
            return self.value(Kind.BOUND, function, receiver) if name in _IMPLICIT_CLASS else function
        return self.value(Kind.BOUND, function, receiver)

    def bind_member(self, value: int, receiver: int, name: str, target: int) -> None:
        """Follows the descriptor protocol for one value found in a class."""
        kind = self.kinds[value]
        if kind in (Kind.FUNCTION, Kind.WRAPPED):
            self.add(target, self.bind(value, name, receiver))
        elif kind == Kind.STATIC:
            self.add(target, self.first[value])
        elif kind == Kind.CLASSMETHOD:
            owner = receiver
            if self.kinds[receiver] == Kind.INSTANCE:
                owner = self.value(Kind.CLASS, self.first[receiver], self.second[receiver])
            self.add(target, self.value(Kind.BOUND, self.first[value], owner))
        elif kind == Kind.PROPERTY:
            if self.kinds[receiver] != Kind.INSTANCE:
                self.add(target, value)
            elif self.first[value] >= 0:
                self.add(target, self.value(Kind.GETTER, self.first[value], receiver))
        elif kind == Kind.INSTANCE and self.find_member(self.first[value], self.second[value], "__get__") is not None:
            self.add(target, self.value(Kind.GETTER, value, receiver))
        else:
            self.add(target, value)

    def member(self, found: Member, name: str, receiver: int, target: int) -> None:
        """Lets class member `name`, bound to `receiver` (an instance or a class), reach `target`; properties are left to be called."""
        if found[2] >= 0:
            self.add(target, self.bind(self.value(Kind.FUNCTION, found[0], found[2]), name, receiver))
        else:
            self.on(self.member_variable(found, name), ("bind_member", receiver, name, target))

    def call_method(self, key: tuple, caller: int, value: int, name: str, arguments: Arguments, target: int) -> None:
        """Calls a special method, which is looked up in the class and not in the instance."""
        if self.kinds[value] != Kind.INSTANCE:
            return
        owner, index = self.first[value], self.second[value]
        if self.find_member(owner, index, name) is None:
            # torch.nn.Module's own __call__ runs forward.
            is_module = name == "__call__" and self.find_member(owner, index, "forward") is not None
            if is_module and self.ask(Structure.external_bases, owner, index):
                self.member_of_class(key, caller, (owner, index), "forward", value, arguments, target)
            return
        self.member_of_class(key, caller, (owner, index), name, value, arguments, target)

    def member_of_class(
        self, key: tuple, caller: int, where: Place, name: str, receiver: int, arguments: Arguments, target: int
    ) -> None:
        """Looks `name` up in class `where`, binds it to `receiver`, calls it."""
        found = self.find_member(where[0], where[1], name)
        if found is not None:
            self.call_member(found, key, caller, name, receiver, arguments, target)

    def call_member(
        self, found: Member, key: tuple, caller: int, name: str, receiver: int, arguments: Arguments, target: int
    ) -> None:
        """Calls a name of a class, bound to `receiver`."""
        if found[2] >= 0:
            function = self.value(Kind.FUNCTION, found[0], found[2])
            self.invoke(key, caller, function, arguments.after(receiver), target)
            return
        member = self.member_variable(found, name)
        if self.kinds[receiver] != Kind.INSTANCE or name == "__new__":
            mark = "method", key, receiver, member
            if self.first_time(mark):
                callee = self.new(mark)
                given = arguments if name != "__new__" else arguments.after(receiver)
                self.on(callee, call_back(key, caller, given, target))
                self.on(member, ("bind_member", receiver, name, callee))
            return
        # Often a dozen classes share an operator: each place calls it once, and it gets each receiver once.
        mark = "place", key, member
        if self.first_time(mark):
            self.on(member, ("call_bound", key, caller, receiver, arguments.plain(), target))
        mark = "receiver", receiver, member
        if self.first_time(mark):
            self.on(member, ("take_receiver", receiver))
        mark = "own type", key, receiver, member
        if self.first_time(mark):
            self.on(member, ("return_receiver", receiver, target))

    def call_bound(self, value: int, key: tuple, caller: int, receiver: int, plain: tuple, target: int) -> None:
        """Calls what a class holds under some name through an instance, one of several maybe."""
        kind, arguments = self.kinds[value], Arguments.of_plain(plain)
        if kind in (Kind.FUNCTION, Kind.WRAPPED):
            arguments = arguments.after(receiver)
        elif kind == Kind.CLASSMETHOD:
            arguments = arguments.after(self.value(Kind.CLASS, self.first[receiver], self.second[receiver]))
        self.invoke(key, caller, value, arguments, target)
        if kind == Kind.FUNCTION:
            owner, function = self.first[value], self.second[value]
            if 0 in self.ask(Structure.signature, owner, function).returned_parameters:
                self.flow(self.parameter(owner, function, 0), target)

    def return_receiver(self, value: int, receiver: int, target: int) -> None:
        """Returns the receiver where a method is called that returns an object of its receiver's class."""
        while self.kinds[value] in (Kind.CLASSMETHOD, Kind.WRAPPED):
            value = self.second[value] if self.kinds[value] == Kind.WRAPPED else self.first[value]
        if self.kinds[value] == Kind.FUNCTION:
            if self.returns_own(self.first[value], self.second[value]):
                self.add(target, receiver)

    def returns_own(self, owner: int, function: int) -> bool:
        """Tell whether a method returns an object of its receiver's class: it says so, or the one that it overrides does, of which it returns the result."""
        signature = self.ask(Structure.signature, owner, function)
        if signature is None or OWN_TYPE in signature.returned_parameters or signature.as_super is None:
            return signature is not None and OWN_TYPE in signature.returned_parameters
        label, name = signature.as_super
        found = self.ask(Structure.member_after, owner, label, name, owner, label)
        if found is None or found[2] < 0:
            return False
        place = found[0], found[2]
        return self.returns_own(*place) or self.ask(Structure.given_back, *place) == ("", ((0, ""),))

    def take_receiver(self, value: int, receiver: int) -> None:
        """Gives this instance as first argument to what its class holds under some name."""
        if self.kinds[value] == Kind.CLASSMETHOD:
            value, receiver = self.first[value], self.value(Kind.CLASS, self.first[receiver], self.second[receiver])
        if self.kinds[value] == Kind.WRAPPED:
            self.take_receiver(self.first[value], receiver)
            self.take_receiver(self.second[value], receiver)
        if self.kinds[value] != Kind.FUNCTION:
            return
        owner, function = self.first[value], self.second[value]
        signature = self.ask(Structure.signature, owner, function)
        if signature.count:
            self.add(self.parameter(owner, function, 0), receiver)
        elif signature.variadic_sites[0] >= 0:
            self.add(self.field(self.value(Kind.OBJECT, owner, signature.variadic_sites[0]), 0), receiver)

    def implicit(self, caller: int, value: int, name: str) -> None:
        """Calls a special method as an operator or a built-in does, without interest in its arguments or result."""
        if self.kinds[value] != Kind.INSTANCE:
            return
        if name in _STAND_INS and self.find_member(self.first[value], self.second[value], name) is None:
            name = _STAND_INS[name]
            if name == "__iter__":
                self.iterate(caller, value, self.new(("ignored", "__contains__")))
                return
        ignored = self.new(("ignored", name))
        self.call_method(("implicit", caller, name), caller, value, name, Arguments(), ignored)

    # -- reading -------------------------------------------------------------------------------------------------------------------

    def load_attribute(
        self, caller: int, value: int, name: str, target: int, is_callee: bool, load: int | None = None
    ) -> None:
        """Lets `value.name` reach `target`; `load` is the number of the program's load, where it is one."""
        kind = self.kinds[value]
        if kind in (Kind.INSTANCE, Kind.CLASS):
            see = ("see", caller, name, target, is_callee) if load is None else load
            if kind == Kind.INSTANCE:
                self._load_from_instance(caller, value, name, target, is_callee, see)
            else:
                self._load_from_class(caller, value, name, target, is_callee, see)
        elif kind == Kind.MODULE:
            self._load_from_module(caller, value, name, target, is_callee)
        elif kind == Kind.SUPER:
            self._load_from_super(caller, value, name, target)
        elif kind == Kind.FUNCTION:
            if name == "__call__":
                self.add(target, value)
            else:
                self.flow(self.shared(self.first[value], "function", self.second[value], name), target)
        elif kind == Kind.WRAPPED:
            if name == "__wrapped__":
                self.add(target, self.second[value])
            elif name == "__call__":
                self.add(target, value)
            else:
                for part in (self.first[value], self.second[value]):
                    self.load_attribute(caller, part, name, target, is_callee)
        elif kind == Kind.BOUND:
            if name == "__func__":
                self.add(target, self.first[value])
            elif name == "__self__":
                self.add(target, self.second[value])
            elif name == "__call__":
                self.add(target, value)
        elif kind == Kind.BUILTIN:
            self._load_from_builtin(self.first[value], name, target)
        elif kind == Kind.OBJECT and name == "value" and self.site_of(value)[0] == "raises":
            self.flow(self.rest(value), target)
        elif kind in (Kind.OBJECT, Kind.GENERATOR, Kind.PROPERTY, Kind.NAMESPACE):
            self.add(target, self.value(Kind.METHOD, value, name))
        elif kind == Kind.PARTIAL and name == "func":
            self.flow(self.partial_variable(value, 0), target)

    def _load_from_builtin(self, owner: str, name: str, target: int) -> None:
        dotted = f"{owner}.{name}"
        if dotted in self.external_names:
            self.add(target, self.value(Kind.BUILTIN, dotted))
        elif owner in self.external_names:
            short = f"{owner.rsplit('.', 1)[-1]}.{name}"
            if short in self.builtin_names:
                self.add(target, self.value(Kind.BUILTIN, short))

    def _load_from_instance(self, caller: int, value: int, name: str, target: int, is_callee: bool, see: Step) -> None:
        owner, index = self.first[value], self.second[value]
        if name == "__class__":
            self.add(target, self.value(Kind.CLASS, owner, index))
            return
        if name == "__dict__":
            self.add(target, self.value(Kind.NAMESPACE, -1, value))
            return
        view, attribute, unknown = self.view(value, name)
        self.on(view, see)
        if attribute is not None and not is_callee:
            self.use_attribute(caller, attribute, name)
        if unknown and name == "start" and _THREADS.intersection(self.ask(Structure.external_bases, owner, index)):
            self.load_attribute(caller, value, "run", target, is_callee)
        elif unknown and is_callee and name in METHODS and (inside := self.contained(value)) is not None:
            self.on(inside, ("load_step", caller, name, target))
        elif unknown and not name.startswith("__") and self.find_member(owner, index, "__getattr__") is not None:
            self.later.append(("key", "ask_getattr", (caller, value, name, target)))

    def ask_getattr(self, caller: int, value: int, name: str, target: int) -> None:
        """Loads `value.name` where the class has no such attribute: calls `__getattr__`, unless some other object that may stand there has
        the attribute."""
        if not self.held(target) and self.first_time(("asked", caller, value, name, target)):
            arguments = Arguments(((0, Constant(name)),))
            self.call_method(("getattr", name, target), caller, value, "__getattr__", arguments, target)
            found = self.find_member(self.first[value], self.second[value], "__getattr__")
            if found is not None and found[2] >= 0:
                self.on(self.shared(found[0], "asked", found[2]), ("load_step", caller, name, target))

    def view(self, receiver: int, name: str) -> tuple[int, Place | None, bool]:
        """Returns the variable of what `receiver.name` yields (properties uncalled), the class whose Attribute node it means, and whether
        no class defines it."""
        known = self.state.views.get((receiver, name))
        if known is None:
            owner, index = self.first[receiver], self.second[receiver]
            attribute = self.ask(Structure.attribute, owner, index, name)
            unknown = attribute is None and self.find_member(owner, index, name) is None
            known = self.state.views[receiver, name] = (self.shared(owner, "view", receiver, name), attribute, unknown)
        return known

    def see(self, value: int, caller: int, name: str, target: int, is_callee: bool) -> None:
        """Lets one value of a view reach the place that asked for it; a property is called from there."""
        kind = self.kinds[value]
        if kind == Kind.GETTER:
            getter, receiver = self.first[value], self.second[value]
            key = ("property", name, target)
            if self.kinds[getter] == Kind.INSTANCE:
                self.call_method(key, caller, getter, "__get__", Arguments(prefix=(receiver,)), target)
            else:
                self.invoke(key, caller, getter, Arguments(prefix=(receiver,)), target)
            return
        self.add(target, value)
        if not is_callee:
            if kind == Kind.BOUND:
                value = self.first[value]
                kind = self.kinds[value]
            while kind == Kind.WRAPPED:
                value = self.second[value]
                kind = self.kinds[value]
            if kind == Kind.FUNCTION:
                self.use_function(caller, self.first[value], self.second[value])

    def _load_from_class(self, caller: int, value: int, name: str, target: int, is_callee: bool, see: Step) -> None:
        view, attribute, unknown = self.view(value, name)
        self.on(view, see)
        if attribute is not None and not is_callee:
            self.use_attribute(caller, attribute, name)
        if unknown and name == "__subclasses__":
            self.add(target, self.value(Kind.METHOD, value, name))
        elif unknown:
            meta = self.metaclass(self.first[value], self.second[value])
            if meta is not None:
                member = self.find_member(*meta, name)
                if member is not None and member[2] >= 0:
                    function = self.value(Kind.FUNCTION, member[0], member[2])
                    self.add(target, self.value(Kind.BOUND, function, value))

    def _load_from_module(self, caller: int, value: int, name: str, target: int, is_callee: bool) -> None:
        owner = self.first[value]
        if owner >= 0 and name == "__dict__":
            self.add(target, self.value(Kind.NAMESPACE, owner))
            return
        module = ("namespace", self.second[value]) if owner < 0 else ("module", owner)
        self.module_member(*module, name, target, caller)
        if not is_callee:
            for kind, place, index in self.ask(Structure.used, *module, name):
                if kind == "class":
                    self.use_class(caller, place, index)
                elif kind == "function":
                    self.use_function(caller, place, index)
                else:
                    self.use(caller, place, index)

    def module_member(self, kind: str, place: Any, name: str, target: int, caller: int = 0) -> None:
        """Lets `module.name` reach `target`; the module's `__getattr__` is called by `caller`."""
        if kind == "module":
            found = self.ask(Structure.exported, place, name)
            self.flow(self.shared(place, "attribute", name), target)
            if found >= 0:
                if found != place:
                    self.flow(self.shared(found, "attribute", name), target)
                if self.ask(Structure.has_getattr, found) and self.ask(Structure.is_lazy, found, name):
                    self._ask_module(found, caller, target)
                if found != self.slot or self.facts.exports[name] != target:
                    return  # otherwise a package imports its own submodule by its own name
            elif self.ask(Structure.has_getattr, place) and self.ask(Structure.child, kind, place, name) is None:
                self._ask_module(place, caller, target)
        child = self.ask(Structure.child, kind, place, name)
        if child is not None:
            self.add_entity(target, child)

    def _ask_module(self, place: int, caller: int, target: int) -> None:
        """Calls a module's `__getattr__`."""
        getter = self.shared(place, "attribute", "__getattr__")
        self.on(getter, call_back(("module getattr", caller, target), caller, NO_ARGUMENTS, target))

    def add_entity(self, variable: int, entity: tuple) -> None:
        """Puts what a name stands for (a module, class, function, something outside the project) into a variable."""
        kind, place, _ = entity
        if kind == "module":
            self.add(variable, self.value(Kind.MODULE, place))
        elif kind == "namespace":
            self.add(variable, self.value(Kind.MODULE, -1, place))
        elif kind == "external" and place in self.external_names:
            self.add(variable, self.value(Kind.BUILTIN, place))

    def _load_from_super(self, caller: int, value: int, name: str, target: int) -> None:
        owner, receiver = self.first[value], self.second[value]
        is_object = self.kinds[receiver] in (Kind.INSTANCE, Kind.CLASS)
        start = receiver if is_object else owner
        found = self.ask(
            Structure.member_after, self.first[start], self.second[start], name, self.first[owner], self.second[owner]
        )
        if found is None:
            return
        if not is_object:
            self.member(found, name, receiver, target)
            return
        key = ("super", owner, receiver, name)
        view = self.new(key)
        if self.first_time(key):
            self.member(found, name, receiver, view)
        self.on(view, ("see", caller, name, target, True))

    # -- storing -------------------------------------------------------------------------------------------------------------------

    def store_attribute(self, caller: int, value: int, name: str, source: int) -> None:
        """Runs `value.name = source`."""
        kind = self.kinds[value]
        if kind == Kind.INSTANCE:
            self._store_in_instance(caller, value, name, source)
        elif not source:
            return
        elif kind == Kind.CLASS:
            owner, index = self.first[value], self.second[value]
            found = self.find_member(owner, index, name) if owner != self.slot else None
            if found is not None and found[2] >= 0:
                return  # a patch, as below: what the class defines is what is meant
            self.flow(source, self.class_variable(owner, index, name))
        elif kind == Kind.MODULE and self.first[value] >= 0:
            owner = self.first[value]
            if self.ask(Structure.is_definition, owner, name):
                return  # a patch: what the module defines is what is meant, nearly always
            self.flow(source, self.shared(owner, "global", name))
            if self.ask(Structure.has_cell, owner, name):
                self.flow(source, self.shared(owner, "cell", name))
        elif kind == Kind.FUNCTION:
            self.flow(source, self.shared(self.first[value], "function", self.second[value], name))
        elif kind == Kind.WRAPPED:
            self.store_attribute(caller, self.second[value], name, source)

    def _store_in_instance(self, caller: int, value: int, name: str, source: int) -> None:
        owner, index = self.first[value], self.second[value]
        found = self.find_member(owner, index, name)
        if found is not None and found[2] < 0:
            self.on(self.member_variable(found, name), ("set_property", caller, value, name, source))
        if self.find_member(owner, index, "__setattr__") is not None:
            arguments = Arguments(((0, Constant(name)), (0, source)))
            ignored = self.new(("ignored", name))
            self.call_method(("setattr", name, source), caller, value, "__setattr__", arguments, ignored)
        if source:
            self.flow(source, self.instance_variable(value, name))

    def set_property(self, found: int, caller: int, receiver: int, name: str, source: int) -> None:
        """Runs `receiver.name = source`, where the class holds `found` under that name."""
        if self.kinds[found] == Kind.PROPERTY and self.second[found] >= 0:
            ignored = self.new(("ignored", name))
            arguments = Arguments(((0, source),), (), (receiver,))
            self.invoke(("setter", name, source), caller, self.second[found], arguments, ignored)

    # -- edges ---------------------------------------------------------------------------------------------------------------------

    def use(self, caller: int, target_slot: int, definition: int) -> None:
        """Notes a reference."""
        if caller >= 0:
            self.uses.add((caller, target_slot, definition))

    def use_function(self, caller: int, owner: int, function: int) -> None:
        """Notes a reference to a function."""
        self.use(caller, owner, self.structure.facts[owner].functions.definition(function))

    def use_class(self, caller: int, owner: int, index: int) -> None:
        """Notes a reference to a class."""
        self.use(caller, owner, self.structure.facts[owner].classes.definition(index))

    def use_attribute(self, caller: int, place: Place, name: str) -> None:
        """Notes a reference to the Attribute node of a class."""
        self.use(caller, place[0], self.structure.class_(*place).attributes[name])


_ANNOTATED = frozenset(("instance", "class", "view"))
"""Kinds of shared variables that an attribute's annotation speaks of."""
_OPENERS = {
    "parameter": Attributes._open_parameter,
    "returned": Attributes._open_returned,
    "yielded": Attributes._open_yielded,
    "cell": Attributes._open_cell,
    "member": Attributes._open_member,
    "field": Attributes._open_field,
    "rest": Attributes._open_rest,
    "keys": Attributes._open_keys,
    "partial": Attributes._open_partial,
}
"""Kinds of shared variables that may be variables of the file's own numbering."""
_FOLLOWERS = {
    "attribute": Attributes._follow_attribute,
    "global": Attributes._follow_global,
    "instance": Attributes._follow_instance,
    "class": Attributes._follow_class,
    "view": Attributes._follow_view,
    "field": lambda solver, variable, site, key: solver.follow_field(variable, site, key),
    "all": lambda solver, variable, site: solver.follow_all(variable, site),
}
"""What happens when a shared variable comes into being."""
