"""Calls of a Python file: callee, arguments, and what a call says of the function that it stands in."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import CALL, SUPER, Constant
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version

_PUNCTUATION = frozenset("(),")
_PLAIN_ARGUMENTS = frozenset(
    {"identifier", "attribute", "call", "string", "integer", "subscript", "none", "true", "false"}
)
_HARMLESS = frozenset(
    ["print", "len", "isinstance", "issubclass", "callable", "type", "id", "hash", "repr", "str", "int", "float", "bool", "abs", "round", "range", "hasattr", "min", "max", "sum", "any", "all", "sorted", "list", "tuple", "dict", "set", "frozenset", "enumerate", "zip", "reversed", "ord", "chr", "format"]
)  # fmt: skip
"""Built-in functions that change no attribute or item."""


class CallReading:
    """Mixin of `Extractor`: reads calls."""

    def call(self, node: Any) -> Version:
        """Read a call."""
        children = node.children
        if len(children) != 2:
            children = [c for c in children if c.type != "comment"]
        function, arguments = children[0], children[-1]
        kind = function.type
        if kind == "identifier":
            version = self.call_with(self.scope.load(name := self.name_of(function)), name, arguments)
            return self.cast(arguments, version) if name == "cast" else version
        if kind != "attribute":
            return self.call_with(self.handlers[kind](self, function), "", arguments)
        names = self.names_of(function)
        if names is not None:
            version = self.call_with(self.load_path(names, True), "", arguments)
            return self.cast(arguments, version) if names[-1] == "cast" else version
        # A chain `a.b().c().d()` nests to the left: read it from its inside out without recursing.
        chain = [(function, arguments)]
        while function.type == "attribute" and function.children[0].type == "call":
            inner = [c for c in function.children[0].children if c.type != "comment"]
            function, arguments = inner[0], inner[-1]
            chain.append((function, arguments))
        value: Version = 0
        for depth, (function, arguments) in enumerate(reversed(chain)):
            if depth:
                name_node = function.children[-1]
                named = name_node.type == "identifier" and type(value) is int and value
                callee = self.load_attribute(value, self.name_of(name_node), True) if named else 0
            else:
                callee, name = self.callee(function)
                value = self.call_with(callee, name, arguments)
                if self.text_of(function).rpartition(".")[2] == "cast":
                    value = self.cast(arguments, value)
                continue
            value = self.call_with(callee, "", arguments)
        return value

    def cast(self, arguments: Any, version: Version) -> Version:
        """Reads `typing.cast(type, value)`: a variable of its own, which is known to be of that type."""
        given = [c for c in arguments.named_children if c.type != "comment"]
        if len(given) != 2 or type(version) is not int or not version:
            return version
        outer = self.scope
        self.scope = Scope(self, "comprehension", outer, outer.definition)
        text = self.string_value(given[0]) if given[0].type == "string" else self.text_of(given[0])
        tree = self.annotation_text(text)
        self.scope.close()
        self.scope = outer
        if tree is None:
            return version
        variable = self.variable()
        self.flow(version, variable)
        self.typed.append((-1, "", variable, tree[1:] if tree[0] == "name" else (0, tree)))
        return variable

    def callee(self, node: Any) -> tuple[Version, str]:
        """Tells what is called, and its name if it is a bare one."""
        if node.type == "identifier":
            return self.scope.load(name := self.text_of(node)), name
        if node.type == "attribute":
            return self.attribute(node, is_callee=True), ""
        return self.visit(node), ""

    def call_with(self, callee: Version, name: str, arguments: Any) -> Version:
        """Make the call of a callee with the arguments in the syntax tree; returns its result."""
        positional: list[Any] = []
        keywords: list[tuple] = []
        if arguments.type == "generator_expression":
            positional.append((0, self.comprehension(arguments)))
        else:
            handlers = self.handlers
            for child in arguments.children:
                kind = child.type
                if kind in _PLAIN_ARGUMENTS:
                    positional.append((0, handlers[kind](self, child)))
                elif kind not in _PUNCTUATION:
                    self.argument(child, positional, keywords)
        if name == "super" and not positional:
            return self.zero_argument_super()
        if name in ("eval", "exec") and positional and isinstance(positional[0][1], Constant):
            self.evaluate_text(positional[0][1].value)
        if type(callee) is not int or not callee:
            return 0
        if name not in _HARMLESS:
            self.scope.epoch += 1
            self.scope.stores.clear()
        target = self.call_site(callee, tuple(positional), tuple(keywords))
        scope = self.scope
        if name and scope.kind == "function" and scope.parent.kind == "function" and name not in scope.env:
            self.note_forwarding(name, target, positional, keywords)
        return target

    def note_forwarding(self, name: str, target: int, positional: list, keywords: list) -> None:
        """Notes a function that calls what the function around it was given: maybe a wrapper that a decorator makes."""
        scope, outer = self.scope, self.scope.parent
        position = outer.parameters.get(outer.env.get(name))
        if position is None or name in scope.declared:
            return
        own = scope.parameters
        places = [own.get(value, -1) if type(value) is int else -1 for star, value in positional if not star]
        as_given = (
            places == list(range(len(places)))
            and all(value in own for star, value in positional if star)
            and all(type(value) is int and value in own for _, value in keywords)
        )
        outer.wrapped.append((scope, name, position, len(self.calls) - 1, as_given, False))
        self.forwarded[target] = outer, len(outer.wrapped) - 1

    def argument(self, child: Any, positional: list, keywords: list) -> None:
        """Read one argument into the lists of positional ones and of those with names."""
        kind = child.type
        if kind == "keyword_argument":
            parts = child.children
            if len(parts) != 3:
                parts = [c for c in parts if c.type != "comment"]
            value = parts[-1]
            keywords.append((self.name_of(parts[0]), self.handlers[value.type](self, value)))
        elif kind == "list_splat":
            positional.append((1, self.splat_value(child)))
        elif kind == "dictionary_splat":
            keywords.append((None, self.splat_value(child)))
        elif child.is_named and kind != "comment":
            positional.append((0, self.visit(child)))

    def call_site(self, callee: int, positional: tuple = (), keywords: tuple = (), mode: int = 0) -> int:
        """Emits a call; `positional` holds (1 for *args else 0, version), `keywords` (name or None for **kwargs, version). `mode`: see facts.py."""
        target = self.next_variable
        self.next_variable = target + 1
        self.emit((callee, CALL, len(self.calls), 0))
        self.calls.append((self.scope.definition, callee, target, positional, keywords, mode))
        return target

    def zero_argument_super(self) -> Version:
        """Read `super()`: the class and the first parameter of the method around it."""
        scope = self.scope
        while scope is not None and not (scope.kind == "function" and scope.owner >= 0):
            scope = scope.parent
        if scope is None or not scope.first_parameter:
            return 0
        target = self.variable()
        self.operation(scope.first_parameter, SUPER, scope.owner, target)
        return target
