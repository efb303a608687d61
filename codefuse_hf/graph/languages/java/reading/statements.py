"""Reads Java statements into flat instructions (see `reading/facts.py`); `reading/code.py` reads the expressions in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.reading.scopes import COMMENTS, DEEPEST, TYPES, ScopeReader, without_comments

_CLASSES = frozenset(
    {
        "class_declaration",
        "interface_declaration",
        "enum_declaration",
        "record_declaration",
        "annotation_type_declaration",
    }
)


class StatementReader(ScopeReader):
    """Statements; long chains are read in loops, the rest by calls between methods."""

    # -- statements --------------------------------------------------------------------------------------------------------

    def statement(self, node: Any) -> None:
        """Read any statement; what is none is read as an expression."""
        handler = STATEMENTS.get(node.type)
        if handler is None:
            if node.is_named and node.type not in COMMENTS:
                self.expression(node)
            return
        if self.depth >= DEEPEST:
            self.too_deep = self.too_deep or node.start_point[0] + 1
            return
        self.depth += 1
        handler(self, node)
        self.depth -= 1

    def statements(self, node: Any) -> None:
        """Read what stands inside of a node, one after another."""
        for child in node.children:
            if child.is_named:
                self.statement(child)

    def block(self, node: Any) -> None:
        """Read a block, whose variables end with it."""
        self.scopes.append({})
        self.statements(node)
        self.scopes.pop()

    def expression_statement(self, node: Any) -> None:
        """Read an expression whose value nobody uses."""
        for child in node.children:
            if child.is_named and child.type not in COMMENTS:
                self.expression(child)

    def if_statement(self, node: Any) -> None:
        """Read an `if` with all its `else if`."""
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
        """Read a declaration of local variables."""
        kind = "var"
        for child in without_comments(node):
            if child.type in TYPES:
                kind = self.type_name(child)
            elif child.type == "modifiers":
                self.modifiers_of([child])
            elif child.type == "variable_declarator":
                self.local_variable(child, kind)

    def local_variable(self, node: Any, kind: str) -> None:
        """Read one variable of a declaration, of the type `kind`, and what it begins with."""
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
        """Read `{a, b}`, the elements of an array of the type `kind`; returns its instruction."""
        element = kind[:-2] if kind.endswith("[]") else "?"
        values = tuple(
            self.array_initializer(c, element) if c.type == "array_initializer" else self.expression(c)
            for c in without_comments(node)
            if c.is_named
        )
        return self.emit(op.ARRAY, kind, values)

    def enhanced_for(self, node: Any) -> None:
        """Read `for (T x : values)`."""
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
        """Read a `try`, whose resources are closed at its end."""
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
        """Read one resource of a `try`; returns the instruction of what is to be closed."""
        parts = without_comments(node)
        if len(parts) < 3 or parts[-2].type != "=":
            return self.expression(parts[-1]) if parts else -1
        kind = next((self.type_name(p) for p in parts if p.type in TYPES), "var")
        value = self.expression(parts[-1])
        slot = self.declare(self.text(parts[-3]), kind)
        self.emit(op.SET, slot, value)
        return self.emit(op.LOCAL, slot)

    def catch_clause(self, node: Any) -> None:
        """Read a `catch` and declare what it catches."""
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
        """Read a `return`."""
        value = next((c for c in without_comments(node) if c.is_named), None)
        if value is not None:
            self.emit(op.RETURN, self.expression(value))

    def yield_statement(self, node: Any) -> None:
        """Read a `yield`: a value of the `switch` around it."""
        value = next((c for c in without_comments(node) if c.is_named), None)
        if value is not None:
            made = self.expression(value)
            if self.yields:
                self.yields[-1].append(made)

    def labeled_statement(self, node: Any) -> None:
        """Read the statement behind a label."""
        self.statement(node.children[-1])

    def skip(self, node: Any) -> None:
        """Passes over `break label` and `continue label`: the label is no expression."""

    def local_class_declaration(self, node: Any) -> None:
        """Read a class that is declared among statements."""
        self.class_declaration(node, local=True)

    def constructor_call(self, node: Any) -> None:
        """Read `this(…)` or `super(…)` at the beginning of a constructor."""
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


Handler = Callable[[StatementReader, Any], Any]
STATEMENTS: dict[str, Handler] = {
    "block": StatementReader.block,
    "constructor_body": StatementReader.block,
    "expression_statement": StatementReader.expression_statement,
    "local_variable_declaration": StatementReader.local_variables,
    "if_statement": StatementReader.if_statement,
    "while_statement": StatementReader.statements,
    "do_statement": StatementReader.statements,
    "for_statement": StatementReader.block,
    "enhanced_for_statement": StatementReader.enhanced_for,
    "try_statement": StatementReader.try_statement,
    "try_with_resources_statement": StatementReader.try_statement,
    "catch_clause": StatementReader.catch_clause,
    "finally_clause": StatementReader.statements,
    "return_statement": StatementReader.return_statement,
    "yield_statement": StatementReader.yield_statement,
    "throw_statement": StatementReader.statements,
    "synchronized_statement": StatementReader.statements,
    "assert_statement": StatementReader.statements,
    "labeled_statement": StatementReader.labeled_statement,
    "break_statement": StatementReader.skip,
    "continue_statement": StatementReader.skip,
    "explicit_constructor_invocation": StatementReader.constructor_call,
    **dict.fromkeys(_CLASSES, StatementReader.local_class_declaration),
}
