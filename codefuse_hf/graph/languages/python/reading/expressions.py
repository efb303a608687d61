"""Expressions of a Python file: each handler returns the version (variable, literal or 0) that the expression evaluates to."""

from __future__ import annotations

import ast
from typing import Any

from codefuse_hf.graph.languages import tree_sitter
from codefuse_hf.graph.languages.python.reading.facts import (
    ATTRIBUTE,
    AWAIT,
    CALL_METHOD,
    GET_ITEM,
    ITERATE,
    OPERATOR,
    Constant,
)
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version

BINARY_METHODS = {
    "+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "//": "__floordiv__", "%": "__mod__", "**": "__pow__", "@": "__matmul__",
    "&": "__and__", "|": "__or__", "^": "__xor__", "<<": "__lshift__", ">>": "__rshift__",
}  # fmt: skip
COMPARE_METHODS = {
    "<": "__lt__",
    "<=": "__le__",
    ">": "__gt__",
    ">=": "__ge__",
    "==": "__eq__",
    "!=": "__ne__",
    "<>": "__ne__",
}
_MIRRORED = str.maketrans("<>", "><")
"""Of the right operand, where the left one is a literal."""
UNARY_METHODS = {"-": "__neg__", "+": "__pos__", "~": "__invert__"}
_LONG_LITERAL = 64
_NO_ITEM = frozenset(["[", "]", "(", ")", "{", "}", ",", "comment"])
_SIMPLE = frozenset(
    {
        "integer",
        "float",
        "string",
        "true",
        "false",
        "none",
        "comment",
        "concatenated_string",
        "unary_operator",
        ",",
        "[",
        "]",
        "(",
        ")",
    }
)


class Expressions:
    """Mixin of `Extractor`: reads expressions."""

    # -- names and attributes ------------------------------------------------------------------------------------------------

    def identifier(self, node: Any) -> Version:
        """Read a name."""
        return self.use(self.name_of(node))

    def use(self, name: str) -> Version:
        """Returns the version of a name that is read here."""
        scope = self.scope
        version = scope.env.get(name)
        inner = version is not None
        if not inner or scope.loops or scope.outer_writes:
            version = scope.load(name)
        # A use of a name that may mean a definition is noted; names of a function's own values cannot.
        if type(version) is int and version and (not inner or version in self.origins):
            self.references[(scope.definition, version)] = None
        return version

    def attribute(self, node: Any, is_callee: bool = False) -> Version:
        """Read `a.b.c`; `is_callee` where it is called at once."""
        names = self.names_of(node)
        if names is not None:
            return self.load_path(names, is_callee)
        children = node.children
        name_node, first = children[-1], children[0]
        base = self.handlers[first.type](self, first)
        if name_node.type != "identifier" or type(base) is not int or not base:
            return 0
        return self.load_attribute(base, self.name_of(name_node), is_callee)

    def load_path(self, names: tuple[str, ...], is_callee: bool = False) -> Version:
        """Tells what `a.b.c` is, given its names."""
        version = self.use(names[0])
        if not self.narrowed_names.isdisjoint(names):
            return self.load_told(version, names, is_callee)
        for name in names[1:-1]:
            if type(version) is not int or not version:
                return 0
            version = self.load_attribute(version, name)
        if type(version) is not int or not version:
            return 0
        return self.load_attribute(version, names[-1], is_callee)

    def load_attribute(self, base: int, name: str, is_callee: bool = False) -> Version:
        """Make the variable that `base.name` reaches; the same question in one scope has the same one."""
        scope = self.scope
        key = (base, name, is_callee)
        target = scope.loads.get(key)
        if target is None:
            target = scope.loads[key] = self.next_variable
            self.next_variable = target + 1
            self.emit((base, ATTRIBUTE, len(self.attribute_loads), 0))
            self.attribute_loads.append((name, target, scope.definition, is_callee))
        stores = scope.stores
        known = stores.attribute(base, name) if stores.attributes else None
        return target if known is None else known

    def subscript(self, node: Any) -> Version:
        """Read `a[k]`."""
        children = node.children
        first = children[0]
        base = self.handlers[first.type](self, first)
        if len(children) == 4:
            key = self.subscript_key(children[2])
            if self._text[children[2].start_byte] == "*":
                key = 0
        else:
            keys = [self.subscript_key(c) for c in children[2:] if c.is_named and c.type != "comment"]
            key = keys[0] if len(keys) == 1 else 0
        if type(base) is not int or not base:
            return 0
        known = self.scope.stores.item(base, key) if isinstance(key, Constant) else None
        target = self.variable()
        self.operation(base, GET_ITEM, len(self.items), 0)
        self.items.append((key, target, self.scope.definition))
        return target if known is None else known

    def subscript_key(self, node: Any) -> Any:
        """Read what stands in the brackets: a value, or the bounds of a slice as a tuple."""
        kind = node.type
        if kind != "slice":
            return self.handlers[kind](self, node)
        parts: list[Any] = [None]
        for child in node.children:
            if child.type == ":":
                parts.append(None)
            elif child.type != "comment":
                value = self.visit(child)
                parts[-1] = value.value if isinstance(value, Constant) and type(value.value) is int else "?"
        parts += [None] * (3 - len(parts))
        return ("slice", *parts[:3])

    # -- literals --------------------------------------------------------------------------------------------------------------

    def integer(self, node: Any) -> Version:
        """Read a whole number; very long ones are unknown."""
        text = self.text_of(node)
        try:
            return Constant(int(text, 0)) if len(text) < 20 else 0
        except ValueError:
            return 0

    def true(self, node: Any) -> Version:
        """Read `True`, which counts as 1."""
        return Constant(1)

    def false(self, node: Any) -> Version:
        """Read `False`, which counts as 0."""
        return Constant(0)

    def none(self, node: Any) -> Version:
        """Read `None`, of which nothing is known."""
        return 0

    def float(self, node: Any) -> Version:
        """Read a number with a point; only those that are whole are kept."""
        try:
            value = float(self.text_of(node).replace("_", ""))
        except ValueError:
            return 0
        return Constant(int(value)) if value.is_integer() and abs(value) < 2**31 else 0

    def string(self, node: Any) -> Version:
        """Read a string; one of more than 200 characters is unknown."""
        text = self.text_of(node)
        quote = text[:1]
        if quote in ("'", '"') and "\\" not in text and text[-1] == quote and len(text) > 1:
            width = 3 if text[:3] == 3 * quote and len(text) >= 6 else 1
            return Constant(text[width:-width]) if len(text) <= 200 + 2 * width else 0
        children = node.children
        formatted = "f" in self.text_of(children[0]).lower() if children else False
        values = [self.interpolation(child) for child in children if child.type == "interpolation"]
        if formatted:
            return self.formatted_name(children, values)
        if len(text) > 200:
            return 0
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return 0
        return Constant(value) if isinstance(value, str) else 0

    def formatted_name(self, children: list[Any], values: list[Version]) -> Version:
        """Reads f"visit_{kind}" with one short gap."""
        if len(values) != 1 or len(children) > 5:
            return 0
        texts, before = ["", ""], 0
        for child in children[1:-1]:
            if child.type == "interpolation":
                before = 1
            else:
                texts[before] += self.text_of(child)
        if not (texts[0] + texts[1] + "a").isidentifier():
            return 0
        if isinstance(values[0], Constant):
            return Constant(f"{texts[0]}{values[0].value}{texts[1]}")
        return self.concatenation(texts[0], values[0], texts[1])

    def interpolation(self, node: Any) -> Version:
        """Read what stands in the braces of an f-string, whose `__str__` is called."""
        result: Version = 0
        for child in node.named_children:
            if child.type not in ("type_conversion", "comment"):
                value = self.visit(child)
                if child.type != "format_specifier":
                    result = value
                    if type(value) is int and value:
                        self.implicit_call(value, "__str__")
        return result

    def implicit_call(self, version: int, method: str) -> None:
        """Note that a special method of a value is called."""
        self.operation(version, CALL_METHOD, self.name_index(method), self.scope.definition)

    def concatenated_string(self, node: Any) -> Version:
        """Read strings that stand one after another."""
        parts = [self.visit(child) for child in node.children if child.type != "comment"]
        if all(isinstance(p, Constant) and isinstance(p.value, str) for p in parts):
            return Constant("".join(p.value for p in parts)[:200])
        return 0

    def site(self, kind: str, fields: dict, rest: int = 0, keys: int = 0, length: int = -1) -> int:
        """Returns a variable that holds a new container made here."""
        variable = self.variable()
        self.seeds.append((variable, "object", len(self.sites)))
        self.sites.append((kind, fields, rest, keys, length))
        return variable

    def sequence(self, node: Any) -> Version:
        """Read a list, tuple or set as a container."""
        kind = {"list": "list", "set": "set"}.get(node.type, "tuple")
        children = node.children
        if len(children) > _LONG_LITERAL and all(c.type in _SIMPLE for c in children):
            return 0 if kind == "tuple" else self.site(kind, {})
        fields: dict[Any, int] = {}
        rest, index, exact = 0, 0, True
        handlers = self.handlers
        for child in tree_sitter.passing_children(node) if len(children) > _LONG_LITERAL else children:
            shape = child.type
            if shape in _NO_ITEM or not child.is_named:
                continue
            if self._text[child.start_byte] == "*":
                value = self.handlers[shape](self, child)
                exact = False
                if type(value) is int and value:
                    rest = rest or self.variable()
                    self.operation(value, ITERATE, rest, self.scope.definition)
                continue
            value = handlers[shape](self, child)
            if value != 0 and not (isinstance(value, Constant) and len(children) > 24):
                if exact and kind != "set":
                    fields[index] = self.as_variable(value)
                else:
                    rest = rest or self.variable()
                    self.flow(value, rest)
            index += 1
        if kind == "tuple" and not fields and not rest:
            return 0
        return self.site(kind, fields, rest, 0, index if exact else -1)

    def splat_value(self, node: Any) -> int:
        """Tells what is spread by `*a`; of `*a.b()` outside of argument lists the grammar makes `(*a).b()`, so the star is looked through."""
        values = [self.visit(c) for c in node.named_children]
        return values[-1] if values and type(values[-1]) is int else 0

    def dictionary(self, node: Any) -> Version:
        """Read `{k: v}` as a container."""
        fields: dict[Any, int] = {}
        rest = keys = 0
        many = node.child_count > 4 * _LONG_LITERAL
        for child in tree_sitter.passing_children(node) if many else node.children:
            shape = child.type
            if shape == "pair":
                parts = [c for c in child.named_children if c.type != "comment"]
                if len(parts) < 2:
                    continue
                key, value = self.visit(parts[0]), self.visit(parts[-1])
                if isinstance(key, Constant):
                    if value != 0 and not (many and isinstance(value, Constant)):
                        fields[key.value] = self.as_variable(value)
                else:
                    rest = rest or self.variable()
                    self.flow(value, rest)
                    if key:
                        keys = keys or self.variable()
                        self.flow(key, keys)
            elif shape == "dictionary_splat":
                value = self.splat_value(child)
                if value:
                    rest = rest or self.variable()
                    self.operation(value, GET_ITEM, len(self.items), 0)
                    self.items.append((0, rest, self.scope.definition))
        return self.site("dict", fields, rest, keys)

    # -- operators -------------------------------------------------------------------------------------------------------------

    def parenthesized(self, node: Any) -> Version:
        """Read everything in it; its value is that of the last part."""
        result: Version = 0
        for child in node.named_children:
            if child.type != "comment":
                result = self.visit(child)
        return result

    def binary_operator(self, node: Any) -> Version:
        """Read a chain of operators."""
        # Long sums lean to the left: walk down that side instead of recursing.
        chain = []
        while node.type == "binary_operator" and len(children := node.children) >= 3:
            chain.append(children)
            node = children[0]
        left = self.visit(node)
        for children in reversed(chain):
            parts = children if len(children) == 3 else [c for c in children if c.type != "comment"]
            last = parts[-1]
            right = self.handlers[last.type](self, last)
            left = self.operator(left, right, BINARY_METHODS.get(parts[1].type, "")) if len(parts) > 2 else 0
        return left

    def operator(self, left: Version, right: Version, method: str, in_place: bool = False) -> Version:
        """Make what `left ∘ right` (or `left ∘= right`) gives, for variables or literals."""
        if type(left) is int and type(right) is int:
            return self.operation_of(left, right, method, in_place) if method and (left or right) else 0
        if isinstance(left, Constant) and isinstance(right, Constant) and method == "__add__":
            if type(left.value) is type(right.value):
                return Constant(left.value + right.value)
            return 0
        if (
            method == "__mod__"
            and isinstance(left, Constant)
            and isinstance(left.value, str)
            and left.value.count("%") == 1
        ):
            before, found, after = left.value.partition("%s")
            return self.concatenation(before, right, after) if found and (before + after + "a").isidentifier() else 0
        if method == "__add__" and (isinstance(left, Constant) or isinstance(right, Constant)):
            prefix = left.value if isinstance(left, Constant) else ""
            suffix = right.value if isinstance(right, Constant) else ""
            if isinstance(prefix, str) and isinstance(suffix, str):
                joined = self.concatenation(prefix, right if isinstance(left, Constant) else left, suffix)
                if joined:  # or an object that strings can be added to
                    left, right = left if type(left) is int else 0, right if type(right) is int else 0
                    joined = self.phi([joined, self.operation_of(left, right, method, in_place)])
                return joined
        left, right = left if type(left) is int else 0, right if type(right) is int else 0
        return self.operation_of(left, right, method, in_place) if method and (left or right) else 0

    def operation_of(self, left: int, right: int, method: str, in_place: bool = False) -> int:
        """Tells what an operator with at least one operand of interest gives."""
        target = self.variable()
        if left:
            self.emit((left, OPERATOR, len(self.items), right))
            self.items.append(("__i" + method[2:] if in_place else method, target, self.scope.definition))
        if right:
            self.emit((right, OPERATOR, len(self.items), left))
            self.items.append(("__r" + method[2:], target, self.scope.definition))
        return target

    def concatenation(self, prefix: str, middle: Version, suffix: str) -> Version:
        """Returns a string whose parts around `middle` are known: the name of an attribute, perhaps."""
        if type(middle) is not int or not middle:
            return 0
        target = self.variable()
        self.operation(middle, OPERATOR, len(self.items), 0)
        self.items.append((("concat", prefix, suffix), target, self.scope.definition))
        return target

    def unary_operator(self, node: Any) -> Version:
        """Read `-a`, `+a` or `~a`."""
        children = [c for c in node.children if c.type != "comment"]
        value = self.visit(children[-1])
        if isinstance(value, Constant):
            return Constant(-value.value) if children[0].type == "-" and type(value.value) is int else 0
        if value:
            self.implicit_call(value, UNARY_METHODS.get(children[0].type, ""))
        return 0

    def condition(self, node: Any) -> Version:
        """Reads what is asked for its truth."""
        value = self.visit(node)
        if type(value) is int and value:
            self.implicit_call(value, "__bool__")
        return value

    def conditions(self, node: Any) -> Version:
        """Reads `assert a, b` and `if a` inside of comprehensions and cases: the first expression is asked."""
        parts = [c for c in node.named_children if c.type != "comment"]
        for part in parts[:1]:
            self.condition(part)
        for part in parts[1:]:
            self.visit(part)
        for part in parts[:1]:
            self.narrow(self.narrowed(part))
        return 0

    def not_operator(self, node: Any) -> Version:
        """Read `not a`."""
        self.condition(node.children[-1])
        return 0

    def boolean_operator(self, node: Any) -> Version:
        """Read a chain of `and` and `or`, whose value may be any of its parts."""
        values, operators = [], set()
        while node.type == "boolean_operator" and len(node.children) >= 3:
            values.append(node.children[-1])
            operators.add(node.children[1].type)
            node = node.children[0]
        versions = [self.condition(node)]
        names: dict[str, int] = {}
        saved = None
        for operand in reversed(values):
            told = self.narrowed(node, operators == {"and"}) if len(operators) == 1 else {}
            if told and saved is None:
                saved = self.scope.begin(told)
            else:
                self.narrow(told)
            names.update(told)
            last = len(versions) == len(values)
            versions.append(self.visit(operand) if last else self.condition(operand))
            node = operand
        if saved is not None:
            changes, _ = self.scope.end(saved)
            self.narrow({name: version for name, version in changes.items() if names.get(name) != version})
        return self.phi(versions)

    def comparison(self, node: Any) -> Version:
        """Read a chain of comparisons, of which nothing is known but what it calls."""
        children = [c for c in node.children if c.type != "comment"]
        left: Version = 0
        operator = ""
        for child in children:
            kind = child.type
            if kind in ("is not", "not in") or not child.is_named:
                if kind != operator:  # one grammar has a node per word of "not in", all of them of the whole's type
                    operator = f"{operator} {kind}" if operator else kind
                continue
            value = self.handlers[kind](self, child)
            if operator in ("in", "not in"):
                if type(value) is int and value:
                    self.implicit_call(value, "__contains__")
            elif operator in COMPARE_METHODS and type(left) is int and left:
                self.implicit_call(left, COMPARE_METHODS[operator])
            elif operator in COMPARE_METHODS and isinstance(left, Constant) and type(value) is int and value:
                self.implicit_call(value, COMPARE_METHODS[operator.translate(_MIRRORED)])
            left, operator = value, ""
        return 0

    def conditional(self, node: Any) -> Version:
        """Read `a if c else b`, whose value may be either."""
        parts = [c for c in node.named_children if c.type != "comment"]
        if len(parts) != 3:
            return self.parenthesized(node)
        self.condition(parts[1])
        names = self.narrowed(parts[1])
        if not names:
            return self.phi([self.visit(parts[0]), self.visit(parts[2])])
        saved = self.scope.begin(names)
        chosen = self.visit(parts[0])
        self.scope.end(saved)
        saved = self.scope.begin(self.narrowed(parts[1], False))
        other = self.visit(parts[2])
        self.scope.end(saved)
        return self.phi([chosen, other])

    def named_expression(self, node: Any) -> Version:
        """Read `(a := b)`, which binds outside of comprehensions."""
        children = [c for c in node.named_children if c.type != "comment"]
        value = self.visit(children[-1])
        scope = self.scope
        while scope.kind == "comprehension":
            scope = scope.parent
        if children[0].type == "identifier" and len(children) > 1:
            scope.bind(self.text_of(children[0]), value)
        return value

    def await_expression(self, node: Any) -> Version:
        """Read `await a`."""
        value = self.parenthesized(node)
        if type(value) is not int or not value:
            return 0
        target = self.variable()
        self.operation(value, AWAIT, target, self.scope.definition)
        if value in self.forwarded:
            self.forwarded[target] = self.forwarded[value]
        return target

    def yield_expression(self, node: Any) -> Version:
        """Read `yield a` and `yield from a`; returns what is sent in."""
        children = [c for c in node.children if c.type != "comment"]
        value: Version = 0
        for child in children[1:]:
            if child.is_named:
                value = self.visit(child)
        function = self.function_scope()
        if function is None:
            return 0
        function.yielded = function.yielded or self.variable()
        if len(children) > 1 and children[1].type == "from":
            if type(value) is int and value:
                self.operation(value, ITERATE, function.yielded, self.scope.definition)
        else:
            self.flow(value, function.yielded)
        return 0

    def function_scope(self) -> Scope | None:
        """Find the function that the code stands in, also through comprehensions; None outside of one."""
        scope = self.scope
        while scope is not None and scope.kind != "function":
            if scope.kind != "comprehension":
                return None
            scope = scope.parent
        return scope

    # -- comprehensions ----------------------------------------------------------------------------------------------------------

    def comprehension(self, node: Any) -> Version:
        """Read a comprehension or generator expression in a scope of its own."""
        parts = [c for c in node.named_children if c.type != "comment"]
        if not parts:
            return 0
        outer = self.scope
        self.scope = Scope(self, "comprehension", outer, outer.definition)
        self.scope.is_async = outer.is_async
        for part in parts[1:]:
            self.visit(part)
        body, key = parts[0], 0
        if body.type == "pair":
            pair = [c for c in body.named_children if c.type != "comment"]
            key, value = self.visit(pair[0]), self.visit(pair[-1])
        else:
            value = self.visit(body)
        self.scope.close()
        self.scope = outer
        kind = {"list_comprehension": "list", "set_comprehension": "set", "dictionary_comprehension": "dict"}.get(
            node.type, "iterator"
        )
        return self.site(kind, {}, self.as_variable(value) if value else 0, self.as_variable(key) if key else 0)

    def for_in_clause(self, node: Any) -> Version:
        """Read `for a in b` of a comprehension."""
        children = [c for c in node.children if c.type != "comment"]
        split = next((i for i, c in enumerate(children) if c.type == "in"), None)
        if split is None:
            return 0
        inner = self.scope
        values = [self.visit(c) for c in children[split + 1 :] if c.is_named]
        value = values[0] if len(values) == 1 else 0
        self.scope = inner
        targets = [c for c in children[:split] if c.is_named and c.type not in ("async",)]
        if targets:
            self.assign(targets[-1], self.element_of(value))
        return 0

    def element_of(self, value: Version) -> Version:
        """Make the variable of what iterating over a value yields."""
        if type(value) is not int or not value:
            return 0
        target = self.variable()
        self.operation(value, ITERATE, target, self.scope.definition)
        return target

    # -- functions and annotations --------------------------------------------------------------------------------------------

    def lambda_expression(self, node: Any) -> Version:
        """Read a lambda."""
        return self.define_lambda(node)

    def type_expression(self, node: Any) -> Version:
        """Reads an annotation: a string in it is a forward reference, whatever it means is only referred to."""
        for child in node.children:
            if child.is_named:
                return self.visit(child)
        return 0
