"""Where lambdas and method references go: through variables, fields, parameters, results and containers to where they are called.

A *node* stands for a variable, field, parameter, result or container; functions move along edges between nodes. A call of
a functional interface's method is a *site* at the nodes of its receiver: each function that arrives there is called, its
parameters receive what the arguments hold, and what it returns goes on to the site's result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.java.types.types import JavaClass, JavaMethod, erasure, is_subclass

_MOST_FUNCTIONS = 4_000
"""A place that more functions reach says nothing about what is called there: it takes and passes on no more."""


class FunctionValue:
    """A lambda or a method reference, made at one place of the code."""

    __slots__ = (
        "arity",
        "body",
        "composed",
        "done",
        "expected",
        "frame",
        "interface",
        "open",
        "parameter_nodes",
        "ref",
        "reference",
        "result",
        "result_node",
        "result_place",
        "shape",
        "targets",
    )

    def __init__(self, frame: Any, body: int, reference: tuple | None) -> None:
        self.frame, self.body, self.reference = frame, body, reference
        self.arity = -1
        self.shape = ""
        self.done = False
        self.result: Any = None
        self.expected: Any = None
        self.interface: JavaClass | None = None  # what it was made for; None when that is not known
        self.composed: tuple[int, ...] = ()  # where the functions are that the library made it of
        self.ref: Ref | None = None
        self.targets: dict[
            Any, int
        ] = {}  # methods of a reference, with the number of arguments that go to the receiver
        self.open: dict[Any, tuple] = {}  # targets that depend on the object, with what decides it
        self.parameter_nodes: tuple[int, ...] = ()
        self.result_node = self.result_place = -1


class Site:
    """A place where functions are called: the caller, the nodes of each argument, and the node of the result.

    With `callback` the library calls: `arguments` holds one entry, what any of the parameters may receive. Only functions of the
    interface `called` are called, or all; with `count` those of so many parameters. `places` are where the objects given to the function are (see
    `calls/objects.py`), None when that is not known, and `result_place` where those go that it returns.
    """

    __slots__ = ("arguments", "callback", "called", "caller", "count", "places", "result", "result_place")

    def __init__(
        self,
        caller: Ref,
        arguments: tuple[tuple[int, ...], ...],
        result: int,
        callback: bool,
        called: JavaClass | None,
        count: int = -1,
        places: tuple[int, ...] | None = None,
        result_place: int = -1,
    ) -> None:
        self.caller, self.arguments, self.result = caller, arguments, result
        self.callback, self.called, self.count = callback, called, count
        self.places, self.result_place = places, result_place

    def calls(self, function: FunctionValue) -> bool:
        """Tells whether a function that arrives is called."""
        return fits(function, self.called) and (self.count < 0 or function.arity in (-1, self.count))


def has_shape(function: FunctionValue, method: JavaMethod) -> bool:
    """Tells whether a function has as many parameters as an interface's method, and a lambda a result if that has one."""
    count = len(method.facts.parameters)
    if function.targets:
        return any(len(m.facts.parameters) + skipped == count or m.variadic for m, skipped in function.targets.items())
    if function.arity < 0:
        return True
    void = method.facts.result == "void"
    unfit = function.shape == ("value" if void else "void")
    no_value = not void and function.shape == "expression" and function.result == "void"
    return function.arity == count and not unfit and not no_value


def fits(function: FunctionValue, wanted: JavaClass | None) -> bool:
    """Tells whether a function may be an object of this interface. Where that is not known, because a library made the type that the
    function was made for, it may be of any interface of the project or of Java's library that has its shape."""
    made = function.interface
    if wanted is None or made is wanted:
        return True
    related = 1 if made is None else is_subclass(made, wanted)
    if related != 1:
        return bool(related)
    method = wanted.functional_method()
    return has_shape(function, method) if method is not None else not wanted.external


class Flow:
    """The nodes, the edges between them, and what arrives where.

    A node of the type of a functional interface takes only the functions that fit it (`accepts`), and one for what an object
    holds none that are such objects themselves (`holds`).
    """

    def __init__(self) -> None:
        self.size = 0
        self.edges: dict[int, dict[int, None]] = {}
        self.sources: list[tuple[int, FunctionValue]] = []
        self.sites: dict[int, list[Site]] = {}
        self.accepts: dict[int, JavaClass] = {}
        self.holds: dict[int, JavaClass] = {}
        self._arrived: dict[int, dict[FunctionValue, None]] = {}
        self._calls: list[tuple[Site, FunctionValue]] = []

    def node(self, kind: Any = None) -> int:
        """Makes a new node, for values of a type."""
        cls = erasure(kind)
        if type(cls) is JavaClass and cls.functional_method() is not None:
            self.accepts[self.size] = cls
        self.size += 1
        return self.size - 1

    def add_function(self, function: FunctionValue) -> int:
        """Makes a node that a function starts from."""
        node = self.node()
        self.sources.append((node, function))
        return node

    def content(self, nodes: tuple[int, ...], cls: JavaClass) -> int:
        """Makes the node of what objects of a class hold."""
        node = self.node()
        self.holds[node] = cls
        self.connect(nodes, node)
        return node

    def connect(self, sources: Iterable[int], *targets: int) -> None:
        """Lets what arrives at the sources flow to the targets."""
        for source in sources:
            for target in targets:
                if source != target:
                    self.edges.setdefault(source, {})[target] = None

    def merge(self, nodes: tuple[int, ...]) -> tuple[int, ...]:
        """Makes one node that holds what any of `nodes` holds."""
        if len(nodes) < 2:
            return nodes
        merged = self.node()
        self.connect(nodes, merged)
        return (merged,)

    def add_site(self, nodes: Iterable[int], site: Site) -> None:
        """Calls what arrives at some nodes, and what has arrived there already."""
        for node in nodes:
            self.sites.setdefault(node, []).append(site)
            self._calls += [(site, function) for function in self._arrived.get(node, ())]

    def run(self, call: Callable[[Site, FunctionValue], list[tuple[int, int]]]) -> None:
        """Moves all functions as far as they go; `call` makes the calls of a site and returns further edges."""
        arrived = self._arrived
        waiting = list(self.sources)
        called: set[tuple[int, int]] = set()
        while waiting or self._calls:
            while self._calls:
                site, function = self._calls.pop()
                if (id(site), id(function)) in called or not site.calls(function):
                    continue
                called.add((id(site), id(function)))
                for source, target in call(site, function):
                    targets = self.edges.setdefault(source, {})
                    if source != target and target not in targets:
                        targets[target] = None
                        waiting += [(target, each) for each in arrived.get(source, ())]
            if not waiting:
                continue
            node, function = waiting.pop()
            here = arrived.setdefault(node, {})
            if function in here or len(here) >= _MOST_FUNCTIONS or not self._takes(node, function):
                continue
            here[function] = None
            self._calls += [(site, function) for site in self.sites.get(node, ())]
            waiting += [
                (target, function) for target in self.edges.get(node, ()) if function not in arrived.get(target, ())
            ]

    def _takes(self, node: int, function: FunctionValue) -> bool:
        holder = self.holds.get(node)
        return fits(function, self.accepts.get(node)) and (holder is None or function.interface is not holder)
