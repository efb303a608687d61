"""Statements of a Python file: bindings, what leaves a function or loop, and imports."""

from __future__ import annotations

import re
from sys import intern
from typing import Any

from codefuse_hf.graph.languages import tree_sitter
from codefuse_hf.graph.languages.python.reading.expressions import BINARY_METHODS
from codefuse_hf.graph.languages.python.reading.facts import (
    RAISE,
    SET_ITEM,
    UNPACK,
    Constant,
    ImportFacts,
)
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version

_GENERIC = re.compile(
    r"(\w+\.)*(Union|Optional|Callable|[Ll]ist|[Dd]ict|[Tt]uple|[Ss]et|Mapping|Sequence|Iterable|[Tt]ype)\["
)
_TYPE_VARIABLE = re.compile(r"(\w+\.)?TypeVar\(")
_PATTERNS = frozenset({"pattern_list", "tuple_pattern", "list_pattern"})


class Statements:
    """Mixin of `Extractor`: reads statements."""

    def block(self, node: Any) -> Version:
        """Read statements one after another."""
        handlers = self.handlers
        comments: list[Any] = []
        # A node keeps its children as long as it lives; a cursor does not, so that each statement's nodes go before the next one's come.
        cursor = node.walk()
        after = cursor.node if cursor.goto_first_child() else None
        while after is not None:
            child, after = after, cursor.node if cursor.goto_next_sibling() else None
            kind = child.type
            if kind == "comment":
                comments.append(child)
                continue
            self.leading = comments
            self.following = after
            handlers[kind](self, child)
            if comments:
                comments = []
        return 0

    def nothing(self, node: Any) -> Version:
        """Read a statement that does nothing."""
        return 0

    def expression_statement(self, node: Any) -> Version:
        """Read an expression that stands alone."""
        handlers = self.handlers
        for child in node.children:
            handlers[child.type](self, child)
        return 0

    # -- bindings ----------------------------------------------------------------------------------------------------------------

    def assignment(self, node: Any) -> Version:
        """Read an assignment, also of several targets or with an annotation."""
        children = node.children
        if len(children) == 3 and (kind := (value := children[2]).type) != "assignment" and children[1].type == "=":
            first = children[0]
            if first.type == "identifier" and self.scope.kind == "function":  # makes no node
                self.scope.bind(self.name_of(first), self.handlers[kind](self, value))
                return 0
            targets, annotation = [first], None
        else:
            targets, annotation, value = self.assigned(node)
        statement, first = node, targets[0]
        leading, following = self.leading, self.following
        meaning = None
        if annotation is not None:
            meaning = self.annotation(annotation, self.scope, self.scope.definition)
        direct = len(targets) == 1 and value is not None and first.type in _PATTERNS and self.pairwise(first, value)
        version: Version = 0
        if not direct and value is not None:
            version = self.handlers[value.type](self, value)
        self.leading, self.following = leading, following
        if value is None:
            self.declare(first, statement, annotation, meaning)
            variable = self.note_type(first, meaning, 0)
            if variable and self.scope.kind == "module" and (name := self.name_of(first)) not in self.scope.env:
                self.origins[variable] = ("attribute", self.scope.attributes[name])
                self.scope.bind(name, variable)
            return 0
        if meaning is not None:
            version = self.note_type(first, meaning, version)
        for target in targets:
            self.note_attributes(target, statement, annotation, value, version)
            if not direct:
                self.assign(target, version)
        kind = self.scope.kind
        if kind == "module" and not direct and type(version) is int:
            if value.type in ("subscript", "binary_operator"):
                self.note_alias(version, value)
            elif value.type == "call" and version and _TYPE_VARIABLE.match(text := self.text_of(value)):
                self.note_type_variable(version, text)
        if kind != "function" and first.type == "identifier":
            if meaning is not None and kind == "class":
                self.class_fields.setdefault(id(self.scope), []).append(self.text_of(first))
            if kind == "module" and self.text_of(first) == "__all__":
                self.public = self.literal_names(value)
        return version

    def note_alias(self, version: int, value: Any) -> None:
        """Notes a module's name for a type: `Items = list[Item]`, `Number = int | float`."""
        text = self.text_of(value)
        if version and ("|" in text if value.type == "binary_operator" else _GENERIC.match(text)):
            outer = self.scope
            self.scope = Scope(self, "comprehension", outer, outer.definition)
            tree = self.annotation_text(text)
            self.scope.close()
            self.scope = outer
            if tree is not None and tree[0] != "name":
                self.typed.append((-2, "", version, (0, tree)))

    def note_type_variable(self, version: int, text: str) -> None:
        """Notes a module's type variable: `T = TypeVar("T", bound="Item")`."""
        outer = self.scope
        self.scope = Scope(self, "comprehension", outer, outer.definition)
        tree = self.type_variable(text)
        self.scope.close()
        self.scope = outer
        if tree is not None:
            self.typed.append((-2, "", version, (0, tree)))

    def note_type(self, target: Any, meaning: Any, version: Version) -> Version:
        """Notes what an annotated assignment binds: a variable of its own, which is known to be of that type."""
        scope = self.scope
        if meaning is None:
            return version
        if target.type == "identifier" and scope.kind == "class":
            self.typed.append((scope.owner, self.name_of(target), 0, meaning))
        elif target.type == "attribute" and scope.kind == "function" and scope.owner >= 0:
            name = self.owner_of(target)
            if name and scope.env.get(name) == scope.first_parameter:
                self.typed.append((scope.owner, self.name_of(target.children[-1]), 0, meaning))
        elif target.type == "identifier" and type(version) is int:
            variable = self.variable()
            self.flow(version, variable)
            self.typed.append((-1, "", variable, meaning))
            if version in self.origins:
                self.origins[variable] = self.origins[version]
            return variable
        return version

    def assigned(self, node: Any) -> tuple[list[Any], Any, Any]:
        """Returns the targets, the annotation and the value of `a = b: c = d`; each of the latter two may be None."""
        targets, annotation = [], None
        while True:
            children = [c for c in node.children if c.type != "comment"]
            targets.append(children[0])
            annotation = next((c for c in children[1:] if c.type == "type"), annotation)
            value = children[-1] if any(c.type == "=" for c in children[1:]) else None
            if value is None or value.type != "assignment":
                return targets, annotation, value
            node = value

    def declare(self, target: Any, statement: Any, annotation: Any, meaning: Any) -> None:
        """Reads `name: type` without a value."""
        if target.type == "identifier":
            self.note_attributes(target, statement, annotation, None, 0)
            if self.scope.kind == "class":
                self.class_fields.setdefault(id(self.scope), []).append(self.text_of(target))
        else:
            self.note_attributes(target, statement, annotation, None, 0)
            self.visit(target)

    def literal_names(self, value: Any) -> list[str] | None:
        """Return the strings of a list or tuple that consists of nothing else (as `__slots__`); None for another value."""
        names: list[str] = []
        if value.type not in ("list", "tuple"):
            return None
        for child in value.children:
            if child.type == "string":
                names.append(self.string_value(child))
            elif child.is_named and child.type != "comment":
                return None
        return names

    def note_attributes(self, target: Any, statement: Any, annotation: Any, value: Any, version: Version) -> None:
        """Make nodes of the attributes that an assignment defines: in a module or class, and on the first parameter of a method."""
        kind = target.type
        if kind == "identifier":
            if self.scope.kind in ("module", "class"):
                self.attribute_definition(target, statement, annotation, value, version)
        elif kind == "attribute":
            scope = self.scope
            if scope.owner >= 0 and scope.first_parameter and scope.kind == "function":
                name = self.owner_of(target)
                if name and scope.env.get(name) == scope.first_parameter:
                    self.attribute_definition(target, statement, annotation, value, version)
        elif kind in ("pattern_list", "tuple_pattern", "list_pattern", "expression_list", "tuple", "list"):
            for child in target.children:
                if child.is_named:
                    self.note_attributes(child, statement, None, None, 0)

    def owner_of(self, target: Any) -> str:
        """Returns the name before `.attribute`; empty where something else stands there."""
        names = self.names_of(target)
        if names is not None:
            return names[0] if len(names) == 2 else ""
        base = target.children[0]
        return self.text_of(base) if base.type == "identifier" else ""

    def pairwise(self, target: Any, value: Any) -> bool:
        """Reads `a, b = x, y`: binds each name to its own value, after all values have been read."""
        if target.type not in ("pattern_list", "tuple_pattern", "list_pattern") or value.type not in (
            "expression_list",
            "tuple",
            "list",
        ):
            return False
        left = [c for c in target.named_children if c.type != "comment"]
        right = [c for c in value.named_children if c.type != "comment"]
        if len(left) != len(right) or any("splat" in c.type for c in left + right):
            return False
        versions = [0 if self.nested_pair(t, c) else self.visit(c) for t, c in zip(left, right, strict=True)]
        for child, source, version in zip(left, right, versions, strict=True):
            if self.nested_pair(child, source):
                if not self.pairwise(child, source):
                    self.assign(child, self.visit(source))
            else:
                self.assign(child, version)
        return True

    def nested_pair(self, target: Any, value: Any) -> bool:
        """Tell whether target and value are both written out as tuples or lists."""
        return target.type in ("pattern_list", "tuple_pattern", "list_pattern") and value.type in ("tuple", "list")

    def assign(self, target: Any, version: Version) -> None:
        """Binds a target (a name, an attribute, an item, or a pattern of them)."""
        kind = target.type
        if kind == "identifier":
            self.scope.bind(self.name_of(target), version)
        elif kind == "attribute" and (names := self.names_of(target)) is not None:
            base = self.load_path(names[:-1]) if len(names) > 2 else self.use(names[0])
            self.store_attribute(base, names[-1], version)
            if self.scope.paths:
                self.scope.forget_paths(".".join(names))
        elif kind == "attribute":
            name_node = target.children[-1]
            base = self.visit(target.children[0])
            if name_node.type == "identifier":
                self.store_attribute(base, self.name_of(name_node), version)
        elif kind == "subscript":
            self.store_item(target, version)
        elif kind in ("pattern_list", "tuple_pattern", "list_pattern", "expression_list", "tuple", "list"):
            self.unpack([c for c in target.named_children if c.type != "comment"], version)
        else:
            for child in target.children:
                if child.is_named:
                    self.assign(child, version)

    def unpack(self, targets: list[Any], version: Version) -> None:
        """Assign the items of a value to several targets."""
        useful = type(version) is int and version
        star = next((i for i, t in enumerate(targets) if t.type in ("list_splat_pattern", "list_splat")), None)
        for index, target in enumerate(targets):
            if not useful:
                self.assign(target, 0)
                continue
            after = len(targets) - index - 1
            if star is None or index < star:
                key: tuple = ("at", index, after if star is None else 0)
            elif index == star:
                key = ("rest", index, after)
            else:
                key = ("back", after + 1, 0)
            part = self.variable()
            self.operation(version, UNPACK, len(self.items), 0)
            self.items.append((key, part, self.scope.definition))
            self.assign(target, part)

    def store_item(self, target: Any, version: Version) -> None:
        """Run `a[k] = value`."""
        children = target.children
        base = self.visit(children[0])
        keys = [self.subscript_key(c) for c in children[2:] if c.is_named and c.type != "comment"]
        key = keys[0] if len(keys) == 1 else 0
        if type(base) is not int or not base:
            return
        stores = self.scope.stores
        variable = self.as_variable(version)
        self.operation(base, SET_ITEM, len(self.items), 0)
        self.items.append((key, variable, self.scope.definition))
        if isinstance(key, Constant):
            stores.set_item(base, key, version)
        else:
            stores.items.clear()

    def augmented_assignment(self, node: Any) -> Version:
        """Read `a += b` and its like."""
        children = [c for c in node.children if c.type != "comment"]
        if len(children) < 3:
            return 0
        target, operator, value = children[0], self.text_of(children[1])[:-1], children[-1]
        old, new = self.visit(target), self.visit(value)
        method = BINARY_METHODS.get(operator, "")
        result = self.operator(old, new, method, in_place=True)
        if (
            target.type == "identifier"
            and self.text_of(target) == "__all__"
            and self.public is not None
            and self.scope.kind == "module"
        ):
            self.public.extend(self.literal_names(value) or ())
        if type(result) is int:
            result = self.phi([old, result]) if operator in ("+", "|", "&") else result
        self.assign(target, result)
        return 0

    def delete_statement(self, node: Any) -> Version:
        """Read `del`, which may call `__delitem__`."""
        for child in node.named_children:
            if child.type != "comment":
                for target in child.children if child.type == "expression_list" else (child,):
                    if target.type == "subscript":
                        base = self.visit(target.children[0])
                        for key in target.children[2:]:
                            self.visit(key)
                        if type(base) is int and base:
                            self.implicit_call(base, "__delitem__")
                    elif target.type != "identifier":
                        self.visit(target)
        return 0

    def type_alias(self, node: Any) -> Version:
        """Read `type A = B`."""
        parts = [c for c in node.named_children if c.type != "comment"]
        name = parts[0].children[0] if parts and parts[0].children else None
        version = self.visit(parts[-1]) if len(parts) > 1 else 0
        if name is not None and name.type == "identifier":
            tree = self.annotation_path(parts[-1])
            variable = self.variable()
            self.flow(version, variable)
            if tree is not None:
                self.typed.append((-2, "", variable, tree[1:] if tree[0] == "name" else (0, tree)))
            if version in self.origins:
                self.origins[variable] = self.origins[version]
            self.scope.bind(self.text_of(name), variable)
        return 0

    def global_statement(self, node: Any) -> Version:
        """Read `global`."""
        return self.declare_outer(node, "global")

    def nonlocal_statement(self, node: Any) -> Version:
        """Read `nonlocal`."""
        return self.declare_outer(node, "nonlocal")

    def declare_outer(self, node: Any, where: str) -> Version:
        """Note that names belong to the module (`global`) or to a function around (`nonlocal`)."""
        if self.scope.parent is not None:
            for child in node.children:
                if child.type == "identifier":
                    self.scope.declared[self.text_of(child)] = where
        return 0

    # -- leaving -----------------------------------------------------------------------------------------------------------------

    def return_statement(self, node: Any) -> Version:
        """Read `return`; what follows in its branch is never run."""
        value: Version = 0
        for child in node.children[1:]:
            if child.is_named:
                value = self.visit(child)
        if self.scope.kind == "function":
            asked = self._asked_of_module(node)
            for name in asked:
                self.lazy.setdefault(name, []).append(value)
            if not asked:
                self.return_value(value)
        self.scope.dead = True
        return 0

    def _asked_of_module(self, node: Any) -> list[str]:
        """The names for which a `return` in a module's `__getattr__` is the answer: those of `if name == "…":` around it."""
        found: list[str] = []
        if not self.is_lazy or self.scope.parent is not self.module:
            return found
        while node.parent is not None and node.type != "function_definition":
            if not found and node.type == "block" and node.parent.type in ("if_statement", "elif_clause"):
                found = self._compared_names(node.parent.child_by_field_name("condition"))
            node = node.parent
        return found if self.text_of(node.child_by_field_name("name")) == "__getattr__" else []

    def _compared_names(self, condition: Any) -> list[str]:
        """The strings of `name == "…"` or `name in ("…", "…")`."""
        parts = [c for c in condition.children if c.type != "comment"]
        if condition.type != "comparison_operator" or len(parts) != 3 or parts[0].type != "identifier":
            return []
        if parts[1].type == "==":
            return [self.text_of(parts[2])[1:-1]] if parts[2].type == "string" else []
        inner = parts[2].named_children if parts[1].type == "in" and parts[2].type in ("tuple", "list", "set") else []
        return [self.text_of(each)[1:-1] for each in inner if each.type == "string"]

    def raise_statement(self, node: Any) -> Version:
        """Read `raise`; what follows in its branch is never run."""
        for child in node.children[1:]:
            if child.is_named and child.type != "comment":
                value = self.visit(child)
                if type(value) is int and value:
                    self.operation(value, RAISE, 0, self.scope.definition)
        self.scope.dead = True
        return 0

    def break_statement(self, node: Any) -> Version:
        """Read `break`."""
        return self.leave_loop()

    def continue_statement(self, node: Any) -> Version:
        """Read `continue`."""
        return self.leave_loop()

    def leave_loop(self) -> Version:
        """Note that the loop around is left, and that what follows is never run."""
        if self.scope.loops:
            self.scope.loops[-1].leaves = True
        self.scope.dead = True
        return 0

    # -- imports -------------------------------------------------------------------------------------------------------------------

    def import_statement(self, node: Any) -> Version:
        """Read `import a.b as c`."""
        for child in node.children:
            if child.type == "dotted_name":
                module = self.text_of(child).replace(" ", "")
                self.bind_import(0, module, None, False, module.split(".")[0])
            elif child.type == "aliased_import":
                parts = child.named_children
                self.bind_import(0, self.text_of(parts[0]).replace(" ", ""), None, True, self.text_of(parts[-1]))
        return 0

    def import_from_statement(self, node: Any) -> Version:
        """Read `from a import b`."""
        level, module, seen = 0, "", False
        for child in node.children:
            kind = child.type
            if kind == "import":
                seen = True
            elif kind == "relative_import":
                for part in child.children:
                    if part.type == "import_prefix":
                        level = self.text_of(part).count(".")
                    elif part.type == "dotted_name":
                        module = self.text_of(part).replace(" ", "")
            elif not seen and kind == "dotted_name":
                module = intern(self.text_of(child).replace(" ", ""))
            elif seen and kind == "dotted_name":
                name = self.name_of(child)
                self.bind_import(level, module, name, True, name)
            elif seen and kind == "aliased_import":
                parts = child.named_children
                self.bind_import(level, module, self.text_of(parts[0]), True, self.text_of(parts[-1]))
            elif seen and kind == "wildcard_import":
                self.imports.append(ImportFacts(level, module, "*", True, self.variable(), self.scope.definition))
        return 0

    def bind_import(self, level: int, module: str, name: str | None, whole: bool, bound: str) -> None:
        """Note an import and bind its name: `level` dots, the module, a name in it or None."""
        variable = self.variable()
        self.origins[variable] = ("import", len(self.imports))
        self.imports.append(ImportFacts(level, module, name, whole, variable, self.scope.definition))
        self.scope.bind(bound, variable)

    # -- text that is run ------------------------------------------------------------------------------------------------------------

    def evaluate_text(self, code: Any) -> None:
        """Reads `eval("f()")`: a literal is read as code of the present scope; what it defines gets no nodes."""
        if not isinstance(code, str) or not code.strip() or any(word in code for word in ("def ", "class ", "lambda")):
            return
        from codefuse_hf.graph.languages.source_text import SourceText

        saved, clean = self.source, self.dotted_names.trusted
        root = tree_sitter.parse("python", source := SourceText(code)).root_node
        self.read_from(source, not root.has_error)
        definitions = len(self.definitions)
        try:
            self.visit(root)
        finally:
            self.read_from(saved, clean)
            del self.definitions[definitions:]
