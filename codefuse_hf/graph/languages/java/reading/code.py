"""Reads Java expressions into flat instructions (see `reading/facts.py`)."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.reading.scopes import COMMENTS, DEEPEST, TYPES, without_comments
from codefuse_hf.graph.languages.java.reading.statements import STATEMENTS, Handler, StatementReader

_LITERALS = {
    "decimal_integer_literal": "int", "hex_integer_literal": "int", "octal_integer_literal": "int", "binary_integer_literal": "int",
    "decimal_floating_point_literal": "double", "hex_floating_point_literal": "double", "character_literal": "char", "string_literal": "String",
    "text_block": "String", "true": "boolean", "false": "boolean", "null_literal": "null",
}  # fmt: skip


class CodeReader(StatementReader):
    """Expressions; each method returns the index of the instruction that makes the value, -1 when it is unknown."""

    # -- expressions -------------------------------------------------------------------------------------------------------

    def expression(self, node: Any) -> int:
        """Read any expression."""
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
        """Tell the type of a literal from its kind and its suffix (`1L`, `1f`)."""
        last = self.utf8[node.end_byte - 1 : node.end_byte]
        if kind == "int" and last in b"lL":
            return "long"
        return "float" if kind == "double" and last in b"fF" else kind

    def unknown(self, node: Any) -> int:
        """Reads the parts of anything else, also of broken code; its value is unknown."""
        if node.type in STATEMENTS:
            self.statement(node)
        elif node.type in TYPES:
            self.mention(self.type_name(node))
        else:
            for child in node.children:
                if child.is_named and child.type not in COMMENTS:
                    self.statement(child)
        return -1

    def parenthesized(self, node: Any) -> int:
        """Read the expression in parentheses."""
        inner = [c for c in without_comments(node) if c.is_named]
        return self.expression(inner[0]) if len(inner) == 1 else self.unknown(node)

    def unary(self, node: Any) -> int:
        """Read `-a`, `!a`, `a++` and their like; `++` and `--` count as assignments of a local variable."""
        operand = next((c for c in without_comments(node) if c.is_named), None)
        if operand is None:
            return -1
        value = self.expression(operand)
        if (
            node.type == "update_expression"
            and operand.type == "identifier"
            and (slot := self.slot(self.text(operand))) >= 0
        ):
            self.slots[slot].assignments += 1
        return self.emit(op.LITERAL, "boolean") if node.children[0].type == "!" else self.emit(op.SAME, value)

    def binary(self, node: Any) -> int:
        """Read a chain of binary operators."""
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
        """Read `a ? b : c`, whose value may be either."""
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
        """Read `a instanceof T`, with the variables that its pattern declares."""
        parts = [c for c in without_comments(node) if c.is_named and c.type != "modifiers"]
        value = self.expression(parts[0]) if parts else -1
        kind = None
        for part in parts[1:]:
            if part.type in TYPES:
                kind = self.type_name(part)
                self.mention(kind)
            elif part.type == "identifier":
                self.emit(op.SET, self.declare(self.text(part), kind), value)
            else:
                self.pattern(part, value)
        return self.emit(op.LITERAL, "boolean")

    def pattern(self, node: Any, value: int) -> None:
        """Reads a pattern of `instanceof` or `case`: declares its variables, lets the value flow to a type pattern's one."""
        if node.type in ("type_pattern", "record_pattern_component"):
            kind, name, _ = self.parameter(node)
            if name is not None:
                slot = self.declare(self.text(name), kind)
                self.emit(op.SET, slot, value) if node.type == "type_pattern" else None
            return
        for child in node.children:
            if child.type == "identifier" and node.type == "record_pattern":
                self.mention(self.text(child))
            elif child.type in TYPES:
                self.mention(self.type_name(child))
            elif child.is_named and child.type not in COMMENTS:
                self.pattern(child, value)

    def assignment(self, node: Any) -> int:
        """Read an assignment to a local variable, a field or an element of an array."""
        parts = without_comments(node)
        if len(parts) != 3:
            return self.unknown(node)
        target, operator, value = parts
        if target.type == "identifier" and (slot := self.slot(self.text(target))) >= 0:
            made = self.expression(value)
            self.slots[slot].assignments += 1
            if operator.type != "=":
                return self.emit(op.LOCAL, slot)
            self.emit(op.SET, slot, made)
            return made
        place = self.expression(target)
        made = self.expression(value)
        self.emit(op.ASSIGN, place, made)
        return made if operator.type == "=" else place

    def cast(self, node: Any) -> int:
        """Read `(T) a`; of several types the first counts."""
        kinds, value = [], -1
        for child in without_comments(node):
            if child.type in TYPES and value < 0:
                kinds.append(self.type_name(child))
                self.mention(kinds[-1])
            elif child.is_named:
                value = self.expression(child)
        return self.emit(op.CAST, kinds[0], value) if kinds else value

    def field_access(self, node: Any) -> int:
        """Read `a.b.c`, `super.b` and `Outer.this`."""
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
                value = self.emit(
                    op.OUTER_THIS, self.text(node) + "." + ".".join(self.text(n) for n in reversed(names[1:]))
                )
            else:
                value = self.emit(op.SELECT, value, self.text(name))
        return value

    def array_access(self, node: Any) -> int:
        """Read `a[i]`."""
        parts = [c for c in without_comments(node) if c.is_named]
        values = [self.expression(part) for part in parts]
        return self.emit(op.INDEX, values[0]) if values else -1

    def arguments(self, node: Any) -> tuple[int, ...]:
        """Read the arguments of a call; returns the instruction of each."""
        return tuple([self.expression(c) for c in node.children if c.is_named and c.type not in COMMENTS])

    def invocation(self, node: Any) -> int:
        """Read a method call, with the calls that its receiver consists of."""
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
        """Read the innermost call of a chain: on nothing, on `super` or on any expression."""
        if receiver is None:
            return self.call(parts, -1)
        if receiver.type == "super" or any(part.type == "super" for part in parts[2:-2]):
            of = None if receiver.type == "super" else self.text(receiver)
            values = self.arguments(parts[-1])
            return self.emit(op.SUPER_CALL, of, self.text(parts[-2]), values)
        return self.call(parts, self.expression(receiver))

    def call(self, parts: list, receiver: int) -> int:
        """Read the name, type arguments and arguments of one call on what `receiver` made, -1 for none."""
        for part in parts[1:-2]:
            if part.type == "type_arguments":
                self.types_in(part)
        values = self.arguments(parts[-1])
        return self.emit(op.CALL, receiver, self.text(parts[-2]), values)

    def creation(self, node: Any) -> int:
        """Read `new T(…)`, with the body of an anonymous class."""
        kind, values, body, outer = None, (), None, -1
        for child in without_comments(node):
            shape = child.type
            if shape == "argument_list":
                values = self.arguments(child)
            elif shape == "class_body":
                body = child
            elif shape in TYPES and kind is None:
                kind = self.type_name(child)
                self.mention(kind)
            elif shape == "type_arguments":
                self.types_in(child)
            elif child.is_named and kind is None and not shape.endswith("annotation"):
                outer = self.expression(child)
        anonymous = self.anonymous_class(body, node.start_byte, kind, -1) if body is not None else -1
        return self.emit(op.NEW, kind, values, anonymous, outer)

    def array_creation(self, node: Any) -> int:
        """Read `new T[n]` and `new T[] {…}`."""
        kind, dimensions, initializer = "?", 0, None
        for child in without_comments(node):
            if child.type in TYPES:
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
        """Read `T.class`."""
        kind = next((self.type_name(c) for c in node.children if c.type in TYPES), "?")
        self.mention(kind)
        return self.emit(op.CLASS_LITERAL, kind)

    def this(self, node: Any) -> int:
        """Read `this`."""
        return self.emit(op.THIS)

    def method_reference(self, node: Any) -> int:
        """Read `a::b`."""
        parts = without_comments(node)
        if len(parts) < 3:
            return self.unknown(node)
        target, name = parts[0], self.text(parts[-1])
        if target.type in TYPES:
            kind = self.type_name(target)
            self.mention(kind)
            return self.emit(op.REFERENCE, -1, kind, name)
        if target.type == "super":
            return self.emit(op.REFERENCE, self.emit(op.THIS), "super", name)
        return self.emit(op.REFERENCE, self.expression(target), None, name)

    def lambda_expression(self, node: Any) -> int:
        """Read a lambda as a definition with a body of its own."""
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
            if any(operation == op.RETURN for operation, *_ in self.code):
                self.bodies[body] = self.bodies[body]._replace(shape="value")
            elif self.only_throws(content):
                self.bodies[body] = self.bodies[body]._replace(shape="throws")
        else:
            self.bodies[body] = self.bodies[body]._replace(shape="expression")
            self.emit(op.RETURN, self.expression(content))
        self.leave(saved)
        return self.emit(op.LAMBDA, body)

    def only_throws(self, block: Any) -> bool:
        """Tells whether a block ends with `throw`."""
        statements = [c for c in without_comments(block) if c.is_named]
        return bool(statements) and statements[-1].type == "throw_statement"

    def switch(self, node: Any) -> int:
        """Read a `switch`, whose value is any that its branches yield."""
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
        """Read `case … -> …`."""
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
        """Read what stands after `case`: constants and patterns."""
        for child in without_comments(node):
            if child.type == "identifier":
                self.emit(op.CASE, selector, self.text(child))
            elif child.type in ("pattern", "type_pattern", "record_pattern"):
                self.pattern(child, selector)
            elif child.is_named:
                self.statement(child)


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
    "class_literal": CodeReader.class_literal,
    "switch_expression": CodeReader.switch,
    "this": CodeReader.this,
}
