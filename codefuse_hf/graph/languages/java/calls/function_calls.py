"""Calls of functions: which methods a method reference means, and what runs where a lambda or a reference arrives."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.java.calls.calls import Calls
from codefuse_hf.graph.languages.java.calls.function_flow import FunctionValue, Site
from codefuse_hf.graph.languages.java.calls.methods import EXACT, PACKAGE, TYPE, Value
from codefuse_hf.graph.languages.java.calls.objects import NOWHERE
from codefuse_hf.graph.languages.java.types.types import JavaClass, JavaMethod, bindings_of, erasure, substitute


class FunctionCalls(Calls):
    """What `Bodies` knows of functions."""

    def settle_reference(self, function: FunctionValue, formals: tuple, known: bool) -> None:
        """Chooses the methods that `target::name` means where a function with these parameters is expected."""
        frame = function.frame
        target, is_super, name = function.reference
        cls = erasure(target.type)
        if type(cls) is not JavaClass or target.kind == PACKAGE:
            return
        values = [Value(each) for each in formals]
        found: list[tuple[JavaMethod, int]] = []
        if name == "new":
            self.refer(frame.caller, cls.ref)
            found = [(m, 0) for m in self._constructors(cls, values, known)]
            function.result = target.type
            function.result_place = self.objects.of_class(cls)
        elif target.kind == TYPE:
            methods = cls.named(name)
            static, bound = [m for m in methods if m.is_static], [m for m in methods if not m.is_static]
            found = [(m, 0) for m in (self.methods.choose(static, values, target.type) if known else static)]
            found += [(m, 1) for m in (self.methods.choose(bound, values[1:], target.type) if known else bound)]
            if len(found) > 1 and known:  # `T::m` with m(T) static and m(): the other parameters decide
                found = [(m, n) for m, n in found if len(m.facts.parameters) + n == len(values)] or found
        elif is_super:
            methods = [m for parent, _ in cls.supers for m in parent.named(name)]
            found = [(m, 0) for m in (self.methods.choose(methods, values, target.type) if known else methods)]
        else:
            methods = cls.named(name)
            found = [(m, 0) for m in (self.methods.choose(methods, values, target.type) if known else methods)]
        exact = is_super or target.kind == EXACT
        for method, skipped in found:
            method.unit.parameter_types(method)
            receiver = formals[0] if skipped and formals and erasure(formals[0]) is not None else target.type
            if name != "new":
                function.result = self._reference_result(method, receiver, values[skipped:])
                self.refer(frame.caller, method.ref)
            if exact:
                run: tuple = (method,) if is_super else (self.methods.implementation(target.exact, method),)
            else:
                run = self.dispatch(frame.caller, receiver, method)
            for each in run:
                function.targets[each] = skipped
            key = self.methods.key(receiver, method)
            if not exact and self.is_open(key):
                place = NOWHERE if skipped else self.place_of(target)
                function.open.update(dict.fromkeys(self.methods.table(key), (key, skipped, place)))
        if not found and not cls.external:
            implicit = self.implicit_method(frame, cls, name, (), False)
            if implicit is not None:
                function.result = implicit.type

    def _constructors(self, cls: JavaClass, values: list[Value], known: bool) -> list[JavaMethod]:
        current: JavaClass | None = cls
        while current is not None:
            constructors = current.methods.get("<init>")
            if constructors:
                return self.methods.choose(constructors, values, cls.this_type) if known else constructors
            if current.kind == "record":
                return []
            current, values = current.superclass(), []
        return []

    def _reference_result(self, method: JavaMethod, receiver: Any, values: list[Value]) -> Any:
        owned = bindings_of(receiver, method.owner)
        if owned is None:
            owned = self.methods.close(method.owner.variables, {})
        found: dict = {}
        for formal, value in zip(method.parameters, values, strict=False):
            self.methods.unify(substitute(formal, owned), value.type, set(method.variables), found)
        result = substitute(method.result, owned)
        return substitute(result, self.methods.close(method.variables, found)) if method.variables else result

    def call_function(self, site: Site, function: FunctionValue) -> list[tuple[int, int]]:
        """Calls a function that arrives where functions are called: notes the edges of the graph, and where values flow from here."""
        edges: list[tuple[int, int]] = []
        if function.composed and (site.caller, function) not in self._composed_calls:
            self._composed_calls.add((site.caller, function))
            given = tuple(dict.fromkeys([node for nodes in site.arguments for node in nodes]))
            again = Site(site.caller, (given,), site.result, True, None, places=site.places)
            self.flow.add_site(function.composed, again)
        self.feed_objects(site, function)
        if function.ref is not None:
            self.call_edge(site.caller, function.ref)
            self._feed(site, function.parameter_nodes, edges)
            edges.append((function.result_node, site.result))
        for method, skipped in function.targets.items():
            if method.is_abstract or method not in function.open:
                self.call_edge(site.caller, method.ref)
            if method.facts.body >= 0:
                slots = method.unit.bodies[method.facts.body].parameters
                nodes = tuple([self.slot_node(method.unit, slot) for slot in slots])
                self._feed(site, (-1, *nodes) if skipped else nodes, edges)
            edges.append((self.result_node(method), site.result))
        return edges

    @staticmethod
    def _feed(site: Site, parameters: tuple, edges: list[tuple[int, int]]) -> None:
        for position, parameter in enumerate(parameters):
            given = (
                site.arguments[0]
                if site.callback
                else site.arguments[min(position, len(site.arguments) - 1)]
                if site.arguments
                else ()
            )
            if parameter >= 0:
                edges.extend((node, parameter) for node in given)
