"""What reading Java code has to keep in mind: types in normal form, scopes, slots, and the instructions made so far."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from codefuse_hf.graph.languages.base import Definition
from codefuse_hf.graph.languages.java.reading.escapes import NAMES, decode
from codefuse_hf.graph.languages.java.reading.facts import BodyFacts, EnvironmentFacts
from codefuse_hf.graph.languages.source_text import SourceText

DEEPEST = 20_000
"""Nesting of statements and expressions beyond which the inner code is skipped (and reported)."""
COMMENTS = frozenset({"block_comment", "line_comment"})
TYPES = frozenset(
    {
        "type_identifier", "generic_type", "scoped_type_identifier", "array_type", "integral_type", "floating_point_type", "boolean_type", "void_type",
        "annotated_type",
    }
)  # fmt: skip
_SPACES = re.compile(r"\s+")
_PRIMITIVES = frozenset({"int", "long", "short", "byte", "char", "boolean", "float", "double", "void", "var", "?", ""})


def without_comments(node: Any) -> list:
    """Lists the children of a node that are no comments."""
    children = node.children
    for child in children:
        if child.type in COMMENTS:
            return [c for c in children if c.type not in COMMENTS]
    return children


@dataclass(slots=True)
class Slot:
    """A local variable or parameter while it is read; `type` is None when it is inferred."""

    type: str | None
    environment: int
    assignments: int


class ScopeReader:
    """The state of reading code; statements, expressions and members are read by the classes that build on it."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.utf8 = source.utf8
        self.definitions: list[Definition] = []
        self.bodies: list[BodyFacts] = []
        self.slots: list[Slot] = []
        self.environments = [EnvironmentFacts(-1, -1)]
        self.mentions: dict[tuple[int, int, str], None] = {}
        self.scopes: list[dict[str, int]] = []
        self.yields: list[list[int]] = []
        self.code: list[tuple] = []
        self.container = self.caller = 0
        self.owner = -1
        self.environment = 0
        self.depth = 0
        self.too_deep = 0

    def text(self, node: Any) -> str:
        """Reads the text of a node, Unicode escapes in names decoded."""
        text = self.utf8[node.start_byte : node.end_byte].decode("utf-8", "replace")
        return decode(text) if node.type in NAMES else text

    def emit(self, *instruction: Any) -> int:
        """Adds an instruction to the current code; returns its index, by which later ones name its value."""
        self.code.append(instruction)
        return len(self.code) - 1

    def body(self, parameters: tuple, shape: str) -> int:
        """Starts a new body, whose code is the current one from now on; returns its index."""
        self.code = []
        self.bodies.append(BodyFacts(self.caller, self.owner, self.environment, tuple(parameters), shape, self.code))
        return len(self.bodies) - 1

    # -- types and scopes --------------------------------------------------------------------------------------------------

    def new_environment(self, class_index: int) -> int:
        """Makes the environment inside a class, or inside a method (-1), within the current one; returns its index."""
        local_classes: dict[str, int] | None = None if class_index >= 0 else {}
        self.environments.append(EnvironmentFacts(self.environment, class_index, (), local_classes))
        return len(self.environments) - 1

    def local_class(self, name: str, index: int) -> None:
        """Makes a class of a method known by its name in the current environment."""
        local_classes = self.environments[self.environment].local_classes
        if local_classes is not None:
            local_classes.setdefault(name, index)

    def type_name(self, node: Any) -> str:
        """Reads a type, in normal form."""
        kind = node.type
        if kind == "generic_type":
            parts = without_comments(node)
            arguments = [
                self.type_name(c)
                for c in without_comments(parts[-1])
                if c.is_named and not c.type.endswith("annotation")
            ]
            return f"{self.type_name(parts[0])}<{','.join(arguments)}>" if arguments else self.type_name(parts[0])
        if kind == "array_type":
            parts = without_comments(node)
            return self.type_name(parts[0]) + "[]" * self.dimensions(parts[-1])
        if kind == "scoped_type_identifier":
            parts = [self.type_name(c) for c in node.children if c.type in TYPES]
            if parts and "<" in parts[0]:  # Outer<T>.Inner
                parts[0] = parts[0].partition("<")[0]
            return ".".join(parts)
        if kind == "annotated_type":
            return next((self.type_name(c) for c in node.children if c.type in TYPES), "?")
        if kind == "wildcard":
            return next((self.type_name(c) for c in node.children if c.type in TYPES), "?")
        return _SPACES.sub("", self.text(node)) if kind in TYPES else "?"

    def shown(self, node: Any, dimensions: int = 0) -> str:
        """Copies a type as written, on one line, for the fields of nodes."""
        return _SPACES.sub(" ", self.text(node)).replace(", ", ",") + "[]" * dimensions

    def dimensions(self, node: Any) -> int:
        """Counts the pairs of brackets behind a type or name."""
        return sum(child.type == "[" for child in node.children)

    def mention(self, kind: str, source: int | None = None) -> None:
        """Notes that the current code, or the definition `source`, names a type."""
        if kind not in _PRIMITIVES:
            self.mentions[(self.caller if source is None else source, self.environment, kind)] = None

    def types_in(self, node: Any) -> tuple[str, ...]:
        """Reads the types among a node's children, also those in a list, in normal form."""
        found: list[str] = []
        for child in node.children:
            if child.type in TYPES:
                found.append(self.type_name(child))
                self.mention(found[-1])
            elif child.type == "type_list":
                found.extend(self.types_in(child))
        return tuple(found)

    def type_parameters(self, node: Any) -> tuple[tuple[str, str], ...]:
        """Reads type parameters: names, each with its first bound, "" without one."""
        found = []
        for parameter in node.children:
            if parameter.type != "type_parameter":
                continue
            name = next((self.text(c) for c in parameter.children if c.type in ("type_identifier", "identifier")), "")
            bound = next((c for c in parameter.children if c.type == "type_bound"), None)
            found.append((name, next(iter(self.types_in(bound)), "") if bound is not None else ""))
        return tuple(found)

    def declare(self, name: str, kind: str | None, assigned: int = 1) -> int:
        """Makes the slot of a local variable in the innermost scope; `assigned` is how often it has been assigned so far."""
        if kind == "var":
            kind = None
        elif kind is not None:
            self.mention(kind)
        self.slots.append(Slot(kind, self.environment, assigned))
        if not self.scopes:
            self.scopes.append({})
        self.scopes[-1][name] = len(self.slots) - 1
        return len(self.slots) - 1

    def slot(self, name: str) -> int:
        """Finds the slot of a name from the innermost scope outwards; -1 for none."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return -1

    def parameter(self, node: Any) -> tuple[str, Any, str]:
        """Reads a parameter: type, name node and type as written."""
        kind, shown, name, dimensions = "", "", None, 0
        for child in node.children:
            shape = child.type
            if shape in TYPES and not kind:
                kind, shown = self.type_name(child), self.shown(child)
            elif shape == "identifier":
                name = child
            elif shape == "variable_declarator":
                name = child.children[0] if child.children else None
            elif shape == "dimensions":
                dimensions += self.dimensions(child)
            elif shape == "modifiers":
                self.modifiers_of([child])
        shown += "[]" * dimensions
        if node.type == "spread_parameter":
            dimensions += 1
            shown += "..."
        return kind + "[]" * dimensions, name, shown

    def parameters(self, node: Any) -> tuple[list[str], tuple[int, ...], bool, list[str]]:
        """Reads parameters: types, slots, whether the last one is variadic, and the types as written."""
        types: list[str] = []
        written: list[str] = []
        slots: list[int] = []
        variadic = False
        for child in node.children if node is not None else ():
            if child.type in ("formal_parameter", "spread_parameter"):
                kind, name, shown = self.parameter(child)
                if name is not None:
                    types.append(kind)
                    written.append(shown)
                    slots.append(self.declare(self.text(name), kind))
                    variadic = child.type == "spread_parameter"
        return types, tuple(slots), variadic, written
