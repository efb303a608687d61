"""Statements of a Python file after which it goes on in one of several ways: `if`, loops, `try`, `with` and `match`."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import CATCH, ENTER
from codefuse_hf.graph.languages.python.reading.narrowing import without
from codefuse_hf.graph.languages.python.reading.scopes import Version

Branch = tuple[dict[str, Version], bool, dict[str, int]]
"""What a branch has bound, whether its end is never reached, and what its condition has told."""


class Branches:
    """Mixin of `Extractor`: reads statements that contain blocks."""

    def if_statement(self, node: Any) -> Version:
        """Read an `if` with all its `elif` and `else`."""
        scope = self.scope
        branches: list[Branch] = []
        opened: list[tuple] = []
        has_else = False
        condition, names = None, {}
        for child in node.children:
            kind = child.type
            if kind == "block":
                is_typing = self.is_for_typing(node)
                ended = self.typing_branch(child) if is_typing else self.narrowed_branch(child, names)
                branches.append((*ended, names))
            elif kind == "elif_clause":
                others = self.narrowed(condition, False)
                opened.append((scope.begin(others), branches, others))
                branches = []
                for part in child.children:
                    if part.type == "block":
                        branches = [(*self.narrowed_branch(part, names), names)]
                    elif part.is_named and part.type != "comment":
                        self.condition(part)
                        condition, names = part, self.narrowed(part)
            elif kind == "else_clause":
                has_else = True
                others = self.narrowed(condition, False)
                branches.append((*self.narrowed_branch(child, others), others))
            elif child.is_named and kind != "comment":
                self.condition(child)
                condition, names = child, self.narrowed(child)
        leaves = len(branches) == 1 and branches[0][1] and not has_else and not opened
        if not has_else:
            is_bound = any(changes for changes, dead, _ in branches if not dead)
            branches.append(({}, False, self.narrowed(condition, False) if is_bound else {}))
        while opened:
            self.merge_told(branches)
            saved, outer, others = opened.pop()
            branches = [*outer, (*without(scope.end(saved), others), others)]
        self.merge_told(branches)
        if leaves and condition is not None:
            self.narrow(self.narrowed(condition, False))
        return 0

    def merge_told(self, branches: list[Branch]) -> None:
        """Goes on after branches: where one binds a name, the others come with what their conditions have told of it."""
        bound = {name for changes, dead, _ in branches if not dead for name in changes}
        self.scope.merge(
            [({**{n: v for n, v in told.items() if n in bound}, **changes}, dead) for changes, dead, told in branches]
        )

    def branch(self, node: Any) -> tuple[dict[str, Version], bool]:
        """Read one branch; returns what it binds to names, and whether its end is never reached."""
        saved = self.scope.begin()
        self.visit(node)
        return self.scope.end(saved)

    def is_for_typing(self, node: Any) -> bool:
        """Tells whether an `if` is the module's `if TYPE_CHECKING:`."""
        condition = node.child_by_field_name("condition") if self.scope.kind == "module" else None
        return condition is not None and self.text_of(condition).rpartition(".")[2] == "TYPE_CHECKING"

    def typing_branch(self, node: Any) -> tuple[dict[str, Version], bool]:
        """Reads a branch that never runs: what it binds is there for annotations, but no star import takes it."""
        before = {name: len(versions) for name, versions in self.scope.bindings.items()}
        result = self.branch(node)
        for name, versions in self.scope.bindings.items():
            new = len(versions) - before.get(name, 0)
            if new:
                self.typing_bindings[name] = self.typing_bindings.get(name, 0) + new
        return result

    def for_statement(self, node: Any) -> Version:
        """Read a `for` loop."""
        children = [c for c in node.children if c.type != "comment"]
        split = next((i for i, c in enumerate(children) if c.type == "in"), None)
        if split is None:
            return 0
        targets = [c for c in children[:split] if c.is_named and c.type != "async"]
        rest = children[split + 1 :]
        colon = next((i for i, c in enumerate(rest) if c.type == ":"), len(rest))
        values = [self.visit(c) for c in rest[:colon] if c.is_named]
        element = self.element_of(values[0] if len(values) == 1 else 0)
        loop, saved = self.scope.open_loop()
        if targets:
            self.assign(targets[-1], element)
        otherwise = None
        for child in rest[colon:]:
            if child.type == "else_clause":
                otherwise = child
            elif child.is_named:
                self.visit(child)
        self.scope.close_loop(loop, saved)
        if otherwise is not None:
            self.visit(otherwise)
        return 0

    def while_statement(self, node: Any) -> Version:
        """Read a `while` loop."""
        loop, saved = self.scope.open_loop()
        otherwise = None
        for child in node.children:
            if child.type == "else_clause":
                otherwise = child
            elif child.type == "block":
                self.visit(child)
            elif child.is_named:
                self.condition(child)
        self.scope.close_loop(loop, saved)
        if otherwise is not None:
            self.visit(otherwise)
        return 0

    def try_statement(self, node: Any) -> Version:
        """Read a `try`, any part of which may be where it goes on."""
        scope = self.scope
        tried: tuple[dict[str, Version], bool] = ({}, False)
        branches = []
        finally_clause = None
        for child in node.children:
            kind = child.type
            if kind == "block":
                tried = self.branch(child)
            elif kind in ("except_clause", "except_group_clause"):
                # An exception may come before, between or after the bindings of the block.
                entry = {
                    n: None if "." in n else scope.extractor.phi([v, scope.env.get(n, 0)]) for n, v in tried[0].items()
                }
                saved = scope.begin(entry)
                self.except_clause(child)
                branches.append(scope.end(saved))
            elif kind == "else_clause":
                saved = scope.begin(tried[0])
                self.visit(child)
                changes, dead = scope.end(saved)
                tried = (changes, dead or tried[1])
            elif kind == "finally_clause":
                finally_clause = child
        scope.merge([tried, *branches])
        if finally_clause is not None:
            dead, scope.dead = scope.dead, False
            self.visit(finally_clause)
            scope.dead = scope.dead or dead
        return 0

    def except_clause(self, node: Any) -> None:
        """Read an `except` with its block."""
        for child in node.children:
            if child.type == "as_pattern":
                parts = [c for c in child.named_children if c.type != "comment"]
                caught = self.visit(parts[0])
                if len(parts) > 1:
                    self.catch(caught, parts[-1])
            elif child.is_named:
                self.visit(child)

    def catch(self, caught: Version, target: Any) -> None:
        """Assign what is caught to the target of an `except`."""
        part: Version = 0
        if type(caught) is int and caught:
            part = self.variable()
            self.operation(caught, CATCH, part, 0)
        self.assign(target, part)

    def with_statement(self, node: Any) -> Version:
        """Read a `with`."""
        for child in node.children:
            if child.type == "with_clause":
                self.with_items(child)
            elif child.is_named:
                self.visit(child)
        return 0

    def with_items(self, node: Any) -> None:
        """Read the managers of a `with`."""
        for item in node.children:
            if item.type == "with_item":
                value = next((c for c in item.named_children), None)
                if value is not None:
                    self.with_item(value)
            elif item.is_named and item.type != "comment":
                self.with_items(item)

    def with_item(self, node: Any) -> None:
        """Read one manager and assign what it gives."""
        target = None
        if node.type == "as_pattern":
            parts = [c for c in node.named_children if c.type != "comment"]
            node, target = parts[0], parts[-1] if len(parts) > 1 else None
        manager = self.visit(node)
        entered: Version = 0
        if type(manager) is int and manager:
            entered = self.variable()
            self.operation(manager, ENTER, entered, self.scope.definition)
            self.scope.epoch += 1
            self.scope.stores.clear()
        if target is not None:
            self.assign(target, entered)

    def match_statement(self, node: Any) -> Version:
        """Read a `match`."""
        subject: Version = 0
        path: tuple[str, ...] | None = None
        branches = []
        passed: list[str] = []
        for child in node.children:
            if child.type == "block":
                for case in child.children:
                    branches += [self.case(case, subject, path, passed)] if case.type == "case_clause" else []
            elif child.type == "case_clause":
                branches.append(self.case(child, subject, path, passed))
            elif child.is_named and child.type != "comment":
                subject, path = self.visit(child), self.names_of(child)
        self.scope.merge([*branches, ({}, False)])
        return 0

    def case(
        self, node: Any, subject: Version, path: tuple[str, ...] | None, passed: list[str]
    ) -> tuple[dict[str, Version], bool]:
        """Read one case of a `match` of `subject`, which the names `path` stand for; returns as `branch`. The classes whose objects do not get
        further than here are added to those that have not come so far."""
        patterns = [c for c in node.children if c.type in ("case_pattern", "pattern", "open_sequence_match_pattern")]
        classes = self.matched_classes(patterns[0]) if len(patterns) == 1 else None
        told = (
            self.known_as(path or ("",), subject, ", ".join(classes or passed), bool(classes))
            if classes or passed
            else {}
        )
        for variable in told.values():
            subject = variable
        if path is None or not self.is_narrowable(path):
            told = {}
        saved = self.scope.begin(told)
        for child in node.children:
            if child in patterns:
                self.pattern(child, subject)
            elif child.is_named:
                self.visit(child)
        if classes and all(c.type != "if_clause" for c in node.children):
            if "".join(self.text_of(patterns[0]).split()).count("()") == len(classes):
                passed += classes
        return without(self.scope.end(saved), told)

    def pattern(self, node: Any, subject: Version) -> None:
        """Binds the names that a pattern captures; a capture at the top is the subject itself, further in anything inside it."""
        kind = node.type
        if kind == "dotted_name":
            names = [c for c in node.children if c.type == "identifier"]
            if len(names) == 1:
                self.scope.bind(self.text_of(names[0]), subject)
            elif names:
                self.identifier(names[0])
        elif kind == "identifier":
            self.scope.bind(self.text_of(node), subject)
        elif kind == "class_pattern":
            children = [c for c in node.named_children if c.type != "comment"]
            if children and children[0].type == "dotted_name":
                self.identifier(children[0].children[0])
            for child in children[1:]:
                self.pattern(child, 0)
        elif kind == "keyword_pattern":
            for child in node.named_children[1:]:
                self.pattern(child, 0)
        elif kind in ("list_pattern", "tuple_pattern", "dict_pattern"):
            inner = self.element_of(subject)
            for child in node.named_children:
                if child.type != "comment":
                    self.pattern(child, inner)
        elif kind in ("case_pattern", "as_pattern", "union_pattern", "splat_pattern", "parenthesized_expression"):
            for child in node.named_children:
                if child.type != "comment":
                    self.pattern(child, subject)
