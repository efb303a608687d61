"""Reads the code inside of Java methods, lambdas and initializers into flat instructions (see `java_facts`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages import java_facts as op
from codefuse_hf.graph.languages.base import Definition
from codefuse_hf.graph.source_text import SourceText

DEEPEST = 20_000
"""Nesting of statements and expressions beyond which the inner code is skipped (and reported)."""
_COMMENTS = frozenset({"block_comment", "line_comment"})
_SPACES = re.compile(r"\s+")
_PRIMITIVES = frozenset({"int", "long", "short", "byte", "char", "boolean", "float", "double", "void", "var", "?", ""})
_TYPES = frozenset(
    {
        "type_identifier", "generic_type", "scoped_type_identifier", "array_type", "integral_type", "floating_point_type", "boolean_type", "void_type",
        "annotated_type",
    }
)  # fmt: skip
_LITERALS = {
    "decimal_integer_literal": "int", "hex_integer_literal": "int", "octal_integer_literal": "int", "binary_integer_literal": "int",
    "decimal_floating_point_literal": "double", "hex_floating_point_literal": "double", "character_literal": "char", "string_literal": "String",
    "text_block": "String", "true": "boolean", "false": "boolean", "null_literal": "null",
}  # fmt: skip
_CLASSES = frozenset(
    {"class_declaration", "interface_declaration", "enum_declaration", "record_declaration", "annotation_type_declaration"}
)


def without_comments(node: Any) -> list:
    """The children of a node that are no comments."""
    children = node.children
    for child in children:
        if child.type in _COMMENTS:
            return [c for c in children if c.type not in _COMMENTS]
    return children


class CodeReader:
    """Types, scopes, statements and expressions; `FileReader` adds what is around them."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.utf8 = source.utf8
        self.definitions: list[Definition] = []
        self.bodies: list[tuple] = []
        self.slots: list[list] = []  # [type or None, environment, number of assignments]
        self.environments: list[list] = [[-1, -1]]
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
        return self.utf8[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def emit(self, *instruction: Any) -> int:
        self.code.append(instruction)
        return len(self.code) - 1

    def body(self, parameters: tuple, shape: str) -> int:
        """Starts a new body, whose code is the current one from now on; returns its index."""
        self.code = []
        self.bodies.append((self.caller, self.owner, self.environment, tuple(parameters), shape, self.code))
        return len(self.bodies) - 1

    # -- types and scopes --------------------------------------------------------------------------------------------------

    def new_environment(self, class_index: int) -> int:
        parent = self.environment
        self.environments.append([parent, class_index] if class_index >= 0 else [parent, -1, (), {}])
        return len(self.environments) - 1

    def local_class(self, name: str, index: int) -> None:
        environment = self.environments[self.environment]
        if len(environment) == 4:
            environment[3].setdefault(name, index)

    def type_name(self, node: Any) -> str:
        """A type in normal form."""
        kind = node.type
        if kind == "generic_type":
            parts = without_comments(node)
            arguments = [self.type_name(c) for c in without_comments(parts[-1]) if c.is_named and not c.type.endswith("annotation")]
            return f"{self.type_name(parts[0])}<{','.join(arguments)}>" if arguments else self.type_name(parts[0])
        if kind == "array_type":
            parts = without_comments(node)
            return self.type_name(parts[0]) + "[]" * self.dimensions(parts[-1])
        if kind == "scoped_type_identifier":
            parts = [self.type_name(c) for c in node.children if c.type in _TYPES]
            if parts and "<" in parts[0]:  # Outer<T>.Inner
                parts[0] = parts[0].partition("<")[0]
            return ".".join(parts)
        if kind == "annotated_type":
            return next((self.type_name(c) for c in node.children if c.type in _TYPES), "?")
        if kind == "wildcard":
            return next((self.type_name(c) for c in node.children if c.type in _TYPES), "?")
        return _SPACES.sub("", self.text(node)) if kind in _TYPES else "?"

    def shown(self, node: Any, dimensions: int = 0) -> str:
        """A type as written, on one line, for the fields of nodes."""
        return _SPACES.sub(" ", self.text(node)).replace(", ", ",") + "[]" * dimensions

    def dimensions(self, node: Any) -> int:
        return sum(child.type == "[" for child in node.children)

    def mention(self, kind: str, source: int | None = None) -> None:
        """Notes that the current code, or the definition `source`, names a type."""
        if kind not in _PRIMITIVES:
            self.mentions[(self.caller if source is None else source, self.environment, kind)] = None

    def types_in(self, node: Any) -> tuple[str, ...]:
        found: list[str] = []
        for child in node.children:
            if child.type in _TYPES:
                found.append(self.type_name(child))
                self.mention(found[-1])
            elif child.type == "type_list":
                found.extend(self.types_in(child))
        return tuple(found)

    def type_parameters(self, node: Any) -> tuple[tuple[str, str], ...]:
        found = []
        for parameter in node.children:
            if parameter.type != "type_parameter":
                continue
            name = next((self.text(c) for c in parameter.children if c.type in ("type_identifier", "identifier")), "")
            bound = next((c for c in parameter.children if c.type == "type_bound"), None)
            found.append((name, next(iter(self.types_in(bound)), "") if bound is not None else ""))
        return tuple(found)

    def declare(self, name: str, kind: str | None, assigned: int = 1) -> int:
        if kind == "var":
            kind = None
        elif kind is not None:
            self.mention(kind)
        self.slots.append([kind, self.environment, assigned])
        if not self.scopes:
            self.scopes.append({})
        self.scopes[-1][name] = len(self.slots) - 1
        return len(self.slots) - 1

    def slot(self, name: str) -> int:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return -1

    def parameter(self, node: Any) -> tuple[str, Any, str]:
        """Type, name node and type as written of a parameter."""
        kind, shown, name, dimensions = "", "", None, 0
        for child in node.children:
            shape = child.type
            if shape in _TYPES and not kind:
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
        """Types, slots, whether the last one is variadic, and the types as written."""
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

    # -- statements --------------------------------------------------------------------------------------------------------

    def statement(self, node: Any) -> None:
        handler = _STATEMENTS.get(node.type)
        if handler is None:
            if node.is_named and node.type not in _COMMENTS:
                self.expression(node)
            return
        if self.depth >= DEEPEST:
            self.too_deep = self.too_deep or node.start_point[0] + 1
            return
        self.depth += 1
        handler(self, node)
        self.depth -= 1

    def statements(self, node: Any) -> None:
        for child in node.children:
            if child.is_named:
                self.statement(child)

    def block(self, node: Any) -> None:
        self.scopes.append({})
        self.statements(node)
        self.scopes.pop()

    def expression_statement(self, node: Any) -> None:
        for child in node.children:
            if child.is_named and child.type not in _COMMENTS:
                self.expression(child)

    def if_statement(self, node: Any) -> None:
        # a chain of `else if` is read in a loop: generated code has thousands of them
        while True:
            following = None
            for child in without_comments(node):
                if following is None and child.type == "else":
                    following = child
                elif following is not None and child.type == "if_statement":
                    node = child
                    break
                elif child.is_named:
                    self.statement(child)
            else:
                return

    def local_variables(self, node: Any) -> None:
        kind = "var"
        for child in without_comments(node):
            if child.type in _TYPES:
                kind = self.type_name(child)
            elif child.type == "modifiers":
                self.modifiers_of([child])
            elif child.type == "variable_declarator":
                self.local_variable(child, kind)

    def local_variable(self, node: Any, kind: str) -> None:
        parts = without_comments(node)
        if not parts or parts[0].type != "identifier":
            return
        value = parts[-1] if len(parts) > 2 and parts[-2].type == "=" else None
        kind += "[]" * sum(self.dimensions(part) for part in parts if part.type == "dimensions")
        if value is None:
            self.declare(self.text(parts[0]), kind, 0)
            return
        if value.type == "lambda_expression":  # not in scope in its own initializer, but anonymous classes may name it
            made = self.expression(value)
        else:
            made = self.array_initializer(value, kind) if value.type == "array_initializer" else self.expression(value)
        self.emit(op.SET, self.declare(self.text(parts[0]), kind), made)

    def array_initializer(self, node: Any, kind: str) -> int:
        element = kind[:-2] if kind.endswith("[]") else "?"
        values = tuple(
            self.array_initializer(c, element) if c.type == "array_initializer" else self.expression(c)
            for c in without_comments(node)
            if c.is_named
        )
        return self.emit(op.ARRAY, kind, values)

    def enhanced_for(self, node: Any) -> None:
        self.scopes.append({})
        parts = [c for c in without_comments(node) if c.is_named and c.type != "modifiers"]
        if len(parts) >= 4:
            kind = self.type_name(parts[0]) + "[]" * sum(self.dimensions(p) for p in parts if p.type == "dimensions")
            value = self.expression(parts[-2])
            self.emit(op.EACH, self.declare(self.text(parts[1]), kind), value)
            self.statement(parts[-1])
        else:
            self.statements(node)
        self.scopes.pop()

    def try_statement(self, node: Any) -> None:
        self.scopes.append({})
        closed: list[int] = []
        for child in node.children:
            if child.type == "resource_specification":
                for resource in child.children:
                    if resource.type == "resource":
                        closed.append(self.resource(resource))
            elif child.type == "block":
                self.block(child)
                for value in reversed(closed):
                    self.emit(op.CLOSE, value)
                self.scopes[-1] = {}
            elif child.is_named:
                self.statement(child)
        self.scopes.pop()

    def resource(self, node: Any) -> int:
        parts = without_comments(node)
        if len(parts) < 3 or parts[-2].type != "=":
            return self.expression(parts[-1]) if parts else -1
        kind = next((self.type_name(p) for p in parts if p.type in _TYPES), "var")
        value = self.expression(parts[-1])
        slot = self.declare(self.text(parts[-3]), kind)
        self.emit(op.SET, slot, value)
        return self.emit(op.LOCAL, slot)

    def catch_clause(self, node: Any) -> None:
        self.scopes.append({})
        for child in node.children:
            if child.type == "catch_formal_parameter":
                kinds: tuple[str, ...] = ()
                for part in child.children:
                    if part.type == "catch_type":
                        kinds = self.types_in(part)
                    elif part.type == "identifier":
                        self.declare(self.text(part), kinds[0] if kinds else None)
            elif child.is_named:
                self.statement(child)
        self.scopes.pop()

    def return_statement(self, node: Any) -> None:
        value = next((c for c in without_comments(node) if c.is_named), None)
        if value is not None:
            self.emit(op.RETURN, self.expression(value))

    def yield_statement(self, node: Any) -> None:
        value = next((c for c in without_comments(node) if c.is_named), None)
        if value is not None:
            made = self.expression(value)
            if self.yields:
                self.yields[-1].append(made)

    def labeled_statement(self, node: Any) -> None:
        self.statement(node.children[-1])

    def skip(self, node: Any) -> None:
        """`break label`, `continue label`: the label is no expression."""

    def local_class_declaration(self, node: Any) -> None:
        self.class_declaration(node, local=True)

    def constructor_call(self, node: Any) -> None:
        which, values, outer = "super", (), -1
        for child in without_comments(node):
            kind = child.type
            if kind in ("this", "super"):
                which = kind
            elif kind == "argument_list":
                values = self.arguments(child)
            elif kind == "type_arguments":
                self.types_in(child)
            elif child.is_named:
                outer = self.expression(child)
        self.emit(op.CHAIN, which, values, outer)

    # -- expressions -------------------------------------------------------------------------------------------------------

    def expression(self, node: Any) -> int:
        kind = node.type
        if kind == "identifier":
            name = self.text(node)
            slot = self.slot(name)
            return self.emit(op.LOCAL, slot) if slot >= 0 else self.emit(op.NAME, name)
        handler = _EXPRESSIONS.get(kind)
        if handler is None:
            literal = _LITERALS.get(kind)
            if literal is not None:
                return self.emit(op.LITERAL, self.literal_type(node, literal))
            handler = CodeReader.unknown
        if self.depth >= DEEPEST:
            self.too_deep = self.too_deep or node.start_point[0] + 1
            return -1
        self.depth += 1
        value = handler(self, node)
        self.depth -= 1
        return value

    def literal_type(self, node: Any, kind: str) -> str:
        last = self.utf8[node.end_byte - 1 : node.end_byte]
        if kind == "int" and last in b"lL":
            return "long"
        return "float" if kind == "double" and last in b"fF" else kind

    def unknown(self, node: Any) -> int:
        """Anything else, also broken code: its parts are read, its value is unknown."""
        if node.type in _STATEMENTS:
            self.statement(node)
        elif node.type in _TYPES:
            self.mention(self.type_name(node))
        else:
            for child in node.children:
                if child.is_named and child.type not in _COMMENTS:
                    self.statement(child)
        return -1

    def parenthesized(self, node: Any) -> int:
        inner = [c for c in without_comments(node) if c.is_named]
        return self.expression(inner[0]) if len(inner) == 1 else self.unknown(node)

    def unary(self, node: Any) -> int:
        operand = next((c for c in without_comments(node) if c.is_named), None)
        if operand is None:
            return -1
        value = self.expression(operand)
        if node.type == "update_expression" and operand.type == "identifier" and (slot := self.slot(self.text(operand))) >= 0:
            self.slots[slot][2] += 1
        return self.emit(op.LITERAL, "boolean") if node.children[0].type == "!" else self.emit(op.SAME, value)

    def binary(self, node: Any) -> int:
        # `a + b + c + …` leans to the left, sometimes thousands of terms long: read in a loop
        pending = []
        while node.type == "binary_expression":
            parts = without_comments(node)
            if len(parts) != 3:
                break
            pending.append(parts)
            node = parts[0]
        if not pending:
            return self.unknown(node)
        left = self.expression(node)
        for parts in reversed(pending):
            left = self.emit(op.BINARY, parts[1].type, left, self.expression(parts[2]))
        return left

    def ternary(self, node: Any) -> int:
        # `a ? b : c ? d : e …` leans to the right: read in a loop
        values: list[int] = []
        while node.type == "ternary_expression":
            parts = [c for c in without_comments(node) if c.is_named]
            if len(parts) != 3:
                return self.unknown(node)
            self.expression(parts[0])
            values.append(self.expression(parts[1]))
            node = parts[2]
        values.append(self.expression(node))
        return self.emit(op.JOIN, tuple(values))

    def instance_test(self, node: Any) -> int:
        parts = [c for c in without_comments(node) if c.is_named and c.type != "modifiers"]
        value = self.expression(parts[0]) if parts else -1
        kind = None
        for part in parts[1:]:
            if part.type in _TYPES:
                kind = self.type_name(part)
                self.mention(kind)
            elif part.type == "identifier":
                self.emit(op.SET, self.declare(self.text(part), kind), value)
            else:
                self.pattern(part, value)
        return self.emit(op.LITERAL, "boolean")

    def pattern(self, node: Any, value: int) -> None:
        """A pattern of `instanceof` or `case`: its variables are declared, the value flows to a type pattern's one."""
        if node.type in ("type_pattern", "record_pattern_component"):
            kind, name, _ = self.parameter(node)
            if name is not None:
                slot = self.declare(self.text(name), kind)
                self.emit(op.SET, slot, value) if node.type == "type_pattern" else None
            return
        for child in node.children:
            if child.type == "identifier" and node.type == "record_pattern":
                self.mention(self.text(child))
            elif child.type in _TYPES:
                self.mention(self.type_name(child))
            elif child.is_named and child.type not in _COMMENTS:
                self.pattern(child, value)

    def assignment(self, node: Any) -> int:
        parts = without_comments(node)
        if len(parts) != 3:
            return self.unknown(node)
        target, operator, value = parts
        if target.type == "identifier" and (slot := self.slot(self.text(target))) >= 0:
            made = self.expression(value)
            self.slots[slot][2] += 1
            if operator.type != "=":
                return self.emit(op.LOCAL, slot)
            self.emit(op.SET, slot, made)
            return made
        place = self.expression(target)
        made = self.expression(value)
        self.emit(op.ASSIGN, place, made)
        return made if operator.type == "=" else place

    def cast(self, node: Any) -> int:
        kinds, value = [], -1
        for child in without_comments(node):
            if child.type in _TYPES and value < 0:
                kinds.append(self.type_name(child))
                self.mention(kinds[-1])
            elif child.is_named:
                value = self.expression(child)
        return self.emit(op.CAST, kinds[0], value) if kinds else value

    def field_access(self, node: Any) -> int:
        names = []
        while node.type == "field_access":  # a.b.c.d
            parts = without_comments(node)
            if len(parts) < 3:
                return self.unknown(node)
            names.append(parts[-1])
            if any(part.type == "super" for part in parts[1:]):
                node = None
                break
            node = parts[0]
        if node is None or node.type == "super":
            value = self.emit(op.THIS)
        elif names[-1].type == "this":
            value = self.emit(op.OUTER_THIS, self.text(node))
            names.pop()
        else:
            value = self.expression(node)
        for name in reversed(names):
            if name.type == "this":
                value = self.emit(op.OUTER_THIS, self.text(node) + "." + ".".join(self.text(n) for n in reversed(names[1:])))
            else:
                value = self.emit(op.SELECT, value, self.text(name))
        return value

    def array_access(self, node: Any) -> int:
        parts = [c for c in without_comments(node) if c.is_named]
        values = [self.expression(part) for part in parts]
        return self.emit(op.INDEX, values[0]) if values else -1

    def arguments(self, node: Any) -> tuple[int, ...]:
        return tuple([self.expression(c) for c in node.children if c.is_named and c.type not in _COMMENTS])

    def invocation(self, node: Any) -> int:
        pending = []  # a().b().c(): from the outside to the inside
        receiver: Any = None
        while node.type == "method_invocation":
            parts = without_comments(node)
            if len(parts) < 2 or parts[-1].type != "argument_list":
                return self.unknown(node)
            pending.append(parts)
            receiver = parts[0] if len(parts) > 2 and parts[1].type == "." else None
            if receiver is None:
                break
            node = receiver
        first = pending.pop()
        value = self.first_invocation(first, receiver)
        for parts in reversed(pending):
            value = self.call(parts, value)
        return value

    def first_invocation(self, parts: list, receiver: Any) -> int:
        if receiver is None:
            return self.call(parts, -1)
        if receiver.type == "super" or any(part.type == "super" for part in parts[2:-2]):
            of = None if receiver.type == "super" else self.text(receiver)
            values = self.arguments(parts[-1])
            return self.emit(op.SUPER_CALL, of, self.text(parts[-2]), values)
        return self.call(parts, self.expression(receiver))

    def call(self, parts: list, receiver: int) -> int:
        for part in parts[1:-2]:
            if part.type == "type_arguments":
                self.types_in(part)
        values = self.arguments(parts[-1])
        return self.emit(op.CALL, receiver, self.text(parts[-2]), values)

    def creation(self, node: Any) -> int:
        kind, values, body, outer = None, (), None, -1
        for child in without_comments(node):
            shape = child.type
            if shape == "argument_list":
                values = self.arguments(child)
            elif shape == "class_body":
                body = child
            elif shape in _TYPES and kind is None:
                kind = self.type_name(child)
                self.mention(kind)
            elif shape == "type_arguments":
                self.types_in(child)
            elif child.is_named and kind is None and not shape.endswith("annotation"):
                outer = self.expression(child)
        anonymous = self.anonymous_class(body, node.start_byte, kind, -1) if body is not None else -1
        return self.emit(op.NEW, kind, values, anonymous, outer)

    def array_creation(self, node: Any) -> int:
        kind, dimensions, initializer = "?", 0, None
        for child in without_comments(node):
            if child.type in _TYPES:
                kind = self.type_name(child)
                self.mention(kind)
            elif child.type == "dimensions_expr":
                dimensions += 1
                self.statements(child)
            elif child.type == "dimensions":
                dimensions += self.dimensions(child)
            elif child.type == "array_initializer":
                initializer = child
        kind += "[]" * dimensions
        return self.array_initializer(initializer, kind) if initializer is not None else self.emit(op.ARRAY, kind, ())

    def class_literal(self, node: Any) -> int:
        kind = next((self.type_name(c) for c in node.children if c.type in _TYPES), "?")
        self.mention(kind)
        return self.emit(op.CLASS_LITERAL, kind)

    def this(self, node: Any) -> int:
        return self.emit(op.THIS)

    def method_reference(self, node: Any) -> int:
        parts = without_comments(node)
        if len(parts) < 3:
            return self.unknown(node)
        target, name = parts[0], self.text(parts[-1])
        if target.type in _TYPES:
            kind = self.type_name(target)
            self.mention(kind)
            return self.emit(op.REFERENCE, -1, kind, name)
        if target.type == "super":
            return self.emit(op.REFERENCE, self.emit(op.THIS), "super", name)
        return self.emit(op.REFERENCE, self.expression(target), None, name)

    def lambda_expression(self, node: Any) -> int:
        parts = without_comments(node)
        if len(parts) < 3:
            return self.unknown(node)
        definition = self.define("Lambda", node.start_byte, node.end_byte, {})
        saved = self.enter(definition, self.owner, self.environment)
        self.scopes.append({})
        head, content = parts[0], parts[-1]
        if head.type == "identifier":
            slots: tuple[int, ...] = (self.declare(self.text(head), None),)
        elif head.type == "formal_parameters":
            slots = self.parameters(head)[1]
        else:
            slots = tuple([self.declare(self.text(c), None) for c in head.children if c.type == "identifier"])
        body = self.body(slots, "void")
        if content.type == "block":
            self.statement(content)
            if any(each[0] == op.RETURN for each in self.code):
                self.bodies[body] = (*self.bodies[body][:4], "value", self.code)
        else:
            self.bodies[body] = (*self.bodies[body][:4], "expression", self.code)
            self.emit(op.RETURN, self.expression(content))
        self.leave(saved)
        return self.emit(op.LAMBDA, body)

    def switch(self, node: Any) -> int:
        parts = without_comments(node)
        selector = next((self.expression(c) for c in parts if c.is_named and c.type != "switch_block"), -1)
        block = next((c for c in parts if c.type == "switch_block"), None)
        self.yields.append([])
        self.scopes.append({})
        for group in block.children if block is not None else ():
            if group.type == "switch_rule":
                self.switch_rule(group, selector)
            elif group.type == "switch_block_statement_group":
                for child in group.children:
                    self.switch_label(child, selector) if child.type == "switch_label" else self.statement(child)
            elif group.is_named:
                self.statement(group)
        self.scopes.pop()
        return self.emit(op.JOIN, tuple(self.yields.pop()))

    def switch_rule(self, node: Any, selector: int) -> None:
        self.scopes.append({})
        for child in without_comments(node):
            if child.type == "switch_label":
                self.switch_label(child, selector)
            elif child.type == "expression_statement":
                values = [self.expression(c) for c in without_comments(child) if c.is_named]
                self.yields[-1].extend(values)
            elif child.is_named:
                self.statement(child)
        self.scopes.pop()

    def switch_label(self, node: Any, selector: int) -> None:
        for child in without_comments(node):
            if child.type == "identifier":
                self.emit(op.CASE, selector, self.text(child))
            elif child.type in ("pattern", "type_pattern", "record_pattern"):
                self.pattern(child, selector)
            elif child.is_named:
                self.statement(child)


Handler = Callable[[CodeReader, Any], Any]
_STATEMENTS: dict[str, Handler] = {
    "block": CodeReader.block,
    "constructor_body": CodeReader.block,
    "expression_statement": CodeReader.expression_statement,
    "local_variable_declaration": CodeReader.local_variables,
    "if_statement": CodeReader.if_statement,
    "while_statement": CodeReader.statements,
    "do_statement": CodeReader.statements,
    "for_statement": CodeReader.block,
    "enhanced_for_statement": CodeReader.enhanced_for,
    "try_statement": CodeReader.try_statement,
    "try_with_resources_statement": CodeReader.try_statement,
    "catch_clause": CodeReader.catch_clause,
    "finally_clause": CodeReader.statements,
    "return_statement": CodeReader.return_statement,
    "yield_statement": CodeReader.yield_statement,
    "throw_statement": CodeReader.statements,
    "synchronized_statement": CodeReader.statements,
    "assert_statement": CodeReader.statements,
    "labeled_statement": CodeReader.labeled_statement,
    "break_statement": CodeReader.skip,
    "continue_statement": CodeReader.skip,
    "explicit_constructor_invocation": CodeReader.constructor_call,
    **dict.fromkeys(_CLASSES, CodeReader.local_class_declaration),
}
_EXPRESSIONS: dict[str, Handler] = {
    "method_invocation": CodeReader.invocation,
    "field_access": CodeReader.field_access,
    "object_creation_expression": CodeReader.creation,
    "array_creation_expression": CodeReader.array_creation,
    "array_access": CodeReader.array_access,
    "assignment_expression": CodeReader.assignment,
    "binary_expression": CodeReader.binary,
    "unary_expression": CodeReader.unary,
    "update_expression": CodeReader.unary,
    "ternary_expression": CodeReader.ternary,
    "cast_expression": CodeReader.cast,
    "instanceof_expression": CodeReader.instance_test,
    "lambda_expression": CodeReader.lambda_expression,
    "method_reference": CodeReader.method_reference,
    "parenthesized_expression": CodeReader.parenthesized,
    "condition": CodeReader.parenthesized,  # the bundled grammar's name for it in some statements
    "class_literal": CodeReader.class_literal,
    "switch_expression": CodeReader.switch,
    "this": CodeReader.this,
}
