"""Where lambdas and method references go: through variables, fields, parameters, results and containers to where they are called.

A *node* stands for a variable, field, parameter, result or container; functions move along edges between nodes. A call of
a functional interface's method is a *site* at the nodes of its receiver: each function that arrives there is called, its
parameters receive what the arguments hold, and what it returns goes on to the site's result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from codefuse_hf.graph.languages.base import Ref

_MOST_FUNCTIONS = 40
"""A place that more functions reach says nothing about what is called there: it takes and passes on no more."""


class FunctionValue:
    """A lambda or a method reference, made at one place of the code."""

    __slots__ = (
        "arity",
        "body",
        "done",
        "expected",
        "frame",
        "parameter_nodes",
        "ref",
        "reference",
        "result",
        "result_node",
        "shape",
        "targets",
        "throws",
    )

    def __init__(self, frame: Any, body: int, reference: tuple | None) -> None:
        self.frame, self.body, self.reference = frame, body, reference
        self.arity = -1
        self.shape = ""
        self.throws = False
        self.done = False
        self.result: Any = None
        self.expected: Any = None
        self.ref: Ref | None = None
        self.targets: dict[
            Any, int
        ] = {}  # methods of a reference, with the number of arguments that go to the receiver
        self.parameter_nodes: tuple[int, ...] = ()
        self.result_node = -1


class Site:
    """A place where functions are called: the caller, the nodes of each argument, and the node of the result.

    With `callback` the library calls: `arguments` holds one entry, what any of the parameters may receive.
    """

    __slots__ = ("arguments", "callback", "caller", "result")

    def __init__(self, caller: Ref, arguments: tuple[tuple[int, ...], ...], result: int, callback: bool) -> None:
        self.caller, self.arguments, self.result, self.callback = caller, arguments, result, callback


class Flow:
    """The nodes, the edges between them, and what arrives where."""

    def __init__(self) -> None:
        self.size = 0
        self.edges: dict[int, dict[int, None]] = {}
        self.sources: list[tuple[int, FunctionValue]] = []
        self.sites: dict[int, list[Site]] = {}

    def node(self) -> int:
        self.size += 1
        return self.size - 1

    def add_function(self, function: FunctionValue) -> int:
        node = self.node()
        self.sources.append((node, function))
        return node

    def connect(self, sources: Iterable[int], target: int) -> None:
        for source in sources:
            if source != target:
                self.edges.setdefault(source, {})[target] = None

    def merge(self, nodes: tuple[int, ...]) -> tuple[int, ...]:
        """One node that holds what any of `nodes` holds."""
        if len(nodes) < 2:
            return nodes
        merged = self.node()
        self.connect(nodes, merged)
        return (merged,)

    def add_site(self, nodes: Iterable[int], site: Site) -> None:
        for node in nodes:
            self.sites.setdefault(node, []).append(site)

    def run(self, call: Callable[[Site, FunctionValue], list[tuple[int, int]]]) -> None:
        """Moves all functions as far as they go; `call` makes the calls of a site and returns further edges."""
        arrived: dict[int, dict[FunctionValue, None]] = {}
        waiting = list(self.sources)
        called: set[tuple[int, int]] = set()
        while waiting:
            node, function = waiting.pop()
            here = arrived.setdefault(node, {})
            if function in here or len(here) >= _MOST_FUNCTIONS:
                continue
            here[function] = None
            for site in self.sites.get(node, ()):
                if (id(site), id(function)) in called:
                    continue
                called.add((id(site), id(function)))
                for source, target in call(site, function):
                    targets = self.edges.setdefault(source, {})
                    if source != target and target not in targets:
                        targets[target] = None
                        waiting.extend([(target, each) for each in arrived.get(source, ())])
            waiting.extend(
                [(target, function) for target in self.edges.get(node, ()) if function not in arrived.get(target, ())]
            )
