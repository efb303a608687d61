"""Definitions of a Python file: functions, lambdas, parameters, annotations, and the texts that belong to them."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from codefuse_hf.graph.languages.base import Definition
from codefuse_hf.graph.languages.python.reading.facts import (
    ARGS,
    BY_POSITION,
    DECORATES,
    DECORATES_AS_MADE,
    FORWARDS,
    KEYWORD_ONLY,
    KWARGS,
    ORDINARY,
    OWN_TYPE,
    POSITIONAL_ONLY,
    SET_ATTRIBUTE,
    Annotation,
    Constant,
    FunctionFacts,
    Parameter,
)
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version

_ESCAPES = re.compile(r"[\\\0\r]")
"""What makes the value of a string literal differ from what stands between its quotes."""


def _between_quotes(literal: str) -> str | None:
    """The value of a string literal that is written without prefix and escapes, else None."""
    quote = literal[:3] if literal[:3] in ('"""', "'''") else literal[:1]
    if not quote or quote[0] not in "\"'" or len(literal) < 2 * len(quote) or not literal.endswith(quote):
        return None
    inside = literal[len(quote) : -len(quote)]
    if quote in inside + quote[1:] or _ESCAPES.search(inside) or (len(quote) == 1 and "\n" in inside):
        return None
    return inside


_NOTHING = ("nothing",)


_MAX_DEPTH = 8
"""Annotations nested deeper say nothing."""


def _generic(head: tuple | None, inner: list[tuple | None]) -> tuple | None:
    return (
        None if head is None or not all(_is_shallow(each, _MAX_DEPTH) for each in inner) else ("generic", head, *inner)
    )


def _is_shallow(tree: tuple | None, depth: int) -> bool:
    if tree is None or tree[0] not in ("generic", "union"):
        return True
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in tree[1:])


def _union(parts: list[tuple | None]) -> tuple:
    return "union", *[each for part in parts for each in (part[1:] if part and part[0] == "union" else (part,))]


class Definitions:
    """Mixin of `Extractor`: reads what becomes a node."""

    # -- texts -----------------------------------------------------------------------------------------------------------------

    def docstring(self, body: Any) -> str:
        """Return the docstring of a body, its indentation removed; '' without one."""
        cursor = body.walk()
        found = cursor.goto_first_child()
        while found and (first := cursor.node).type == "comment":
            found = cursor.goto_next_sibling()
        if not found or first.type != "expression_statement":
            return ""
        parts = first.children
        return self.string_value(parts[0]) if parts and parts[0].type in ("string", "concatenated_string") else ""

    def string_value(self, node: Any) -> str:
        """Return the text of a string, its indentation removed; '' for one that is none."""
        raw = self.text_of(node)
        plain = _between_quotes(raw)
        if plain is not None:
            return inspect.cleandoc(plain)
        try:
            value = ast.literal_eval(raw)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = raw.strip("rRuUbBfF").strip("\"'")
        return inspect.cleandoc(value) if isinstance(value, str) else ""

    def comment_above(self, node: Any) -> str:
        """Returns the comment lines that stand directly above a statement, on lines of their own; `self.leading` holds its candidates."""
        lines: list[str] = []
        line, column = node.start_point
        for comment in reversed(self.leading):
            if comment.start_point[0] != line - 1 or comment.start_point[1] != column:
                break
            lines.append(self.text_of(comment).lstrip("#").strip())
            line = comment.start_point[0]
        return "\n".join(reversed(lines))

    def comment_beside(self, statement: Any) -> str:
        """Returns the comment at the end of a statement's line, or else the lines above it."""
        following = self.following
        if following is not None and following.type == "comment" and following.start_point[0] == statement.end_point[0]:
            return self.text_of(following).lstrip("#").strip()
        return self.comment_above(statement)

    def header(self, node: Any, body: Any) -> str:
        """Return the text of a definition before its body."""
        return self.source.slice(node.start_byte, body.start_byte).rstrip() if body is not None else self.text_of(node)

    def add_definition(
        self, node_type: str, node: Any, fields: dict[str, Any], cut: Any = None, parent: int | None = None
    ) -> int:
        """Add a node of the graph; returns its index."""
        index = len(self.definitions)
        end = self.source.char(node.end_byte)
        start = self.source.char(node.start_byte)
        text = self.source.text
        while end > start and text[end - 1] in " \t\r\n\f":  # a block may end after the blank lines that follow it
            end -= 1
        cut_start = -1 if cut is None else self.source.char(cut.start_byte)
        container = self.container if parent is None else parent
        self.definitions.append(Definition(node_type, container, start, end, fields, cut_start))
        return index

    # -- functions ---------------------------------------------------------------------------------------------------------------

    def decorated_definition(self, node: Any) -> Version:
        """Read a class or function with its decorators."""
        decorators = [c for c in node.children if c.type == "decorator"]
        definition = node.children[-1]
        versions = []
        for decorator in decorators:
            expression = next((c for c in decorator.named_children if c.type != "comment"), None)
            versions.append((self.visit(expression) if expression is not None else 0, expression))
        if definition.type == "function_definition":
            self.function_definition(definition, node, versions)
        elif definition.type == "class_definition":
            self.class_definition(definition, node, versions)
        else:
            self.visit(definition)
        return 0

    def decorate(self, variable: int, versions: list[tuple]) -> int:
        """Calls the decorators, innermost first; what the last one returns is what the name is bound to."""
        for version, expression in reversed(versions):
            if type(version) is not int or not version:
                continue
            if expression is not None and expression.type == "identifier":
                self.references.setdefault((self.scope.definition, version), None)
            self.scope.epoch += 1
            is_made = expression is not None and expression.type == "call"
            result = self.call_site(version, ((0, variable),), (), DECORATES_AS_MADE if is_made else DECORATES)
            self.decorated.append((result, version, variable))
            self.decorated_results.add(result)
            if variable in self.origins:
                self.origins[result] = self.origins[variable]
            variable = result
        return variable

    def function_definition(self, node: Any, outer: Any = None, decorators: list[tuple] = ()) -> Version:
        """Read a function, and bind its name to it, decorated."""
        name_node = body = parameters = result = None
        is_async = False
        for child in node.children:
            kind = child.type
            if kind == "identifier" and name_node is None:
                name_node = child
            elif kind == "parameters":
                parameters = child
            elif kind == "block":
                body = child
            elif kind == "async":
                is_async = True
            elif kind == "type":
                result = child
        name = self.name_of(name_node) if name_node is not None else ""
        whole = outer if outer is not None else node
        comment = self.docstring(body) if body is not None else ""
        fields = {"name": name, "header": self.header(node, body), "comment": comment or self.comment_above(whole)}
        definition = self.add_definition("Function", whole, fields, whole)
        version = self.function_body(name, definition, parameters, body, result, is_async)
        if any(e is not None and self.text_of(e).rpartition(".")[2] == "overload" for _, e in decorators):
            self.scope.bind(name, version)  # until the next one of that name: what is called is the last
        else:
            self.scope.bind(name, self.decorate(version, list(decorators)))
        return 0

    def define_lambda(self, node: Any) -> int:
        """Read a lambda; returns the variable that holds it."""
        definition = self.add_definition("Lambda", node, {})
        parameters = body = None
        for child in node.children:
            if child.type == "lambda_parameters":
                parameters = child
            elif child.is_named and child.type != "comment":
                body = child
        return self.function_body("", definition, parameters, body, None, False)

    def function_body(self, name: str, definition: int, parameters: Any, body: Any, result: Any, is_async: bool) -> int:
        """Reads parameters and body in a scope of their own; returns the variable of the function itself."""
        outer, container = self.scope, self.container
        index = len(self.functions)
        self.functions.append(None)
        variable = self.variable()
        self.seeds.append((variable, "function", index))
        self.origins[variable] = ("function", index)
        scope = Scope(self, "function", outer, definition)
        scope.is_async = is_async
        scope.function = index
        scope.returned = self.variable()
        scope.owner = self.class_of_scope.get(id(outer), -1)
        self.container = definition
        declared = self.read_parameters(parameters, scope, outer) if parameters is not None else []
        annotation = None
        if result is not None:
            annotation = self.annotation(result, outer, definition)
            if scope.owner >= 0 and self.is_own_type(self.text_of(result), parameters):
                scope.returned_parameters.add(OWN_TYPE)
        self.scope = scope
        if name:
            if body is not None:
                self.visit(body)
        elif body is not None:
            self.return_value(self.visit(body))
        if scope.wrapped:
            self.note_wrappers(scope)
        scope.close()
        self.scope, self.container = outer, container
        sites = (self.variadic_site("tuple", declared, ARGS), self.variadic_site("dict", declared, KWARGS))
        self.functions[index] = FunctionFacts(
            definition, name, tuple(declared), scope.returned, scope.yielded, scope.owner, is_async, tuple(sorted(scope.returned_parameters)), sites,
            annotation,
        )  # fmt: skip
        return variable

    def is_own_type(self, result: str, parameters: Any) -> bool:
        """Tells whether a method's annotations say that it returns an object of its receiver's class."""
        result = result.strip("\"'").rsplit(".", 1)[-1]
        if result == "Self":
            return True
        first = next((c for c in parameters.children if c.type == "typed_parameter"), None) if parameters else None
        if first is None or not result.isidentifier() or first.prev_sibling is None or first.prev_sibling.type != "(":
            return False
        own = self.text_of(first).partition(":")[2].strip().strip("\"'")
        return own in (result, f"type[{result}]", f"Type[{result}]")

    def note_wrappers(self, scope: Scope) -> None:
        """Notes the functions of a scope that return what they get from a parameter of it that never is anything else, called as they are called the"""
        wrappers: dict[Scope, list[tuple]] = {}
        for inner, name, *rest in scope.wrapped:
            wrappers.setdefault(inner, []).append((name, *rest))
        for inner, sites in wrappers.items():
            names = {name for name, *_ in sites}
            is_wrapper = len(names) == 1 and all(as_given and returns for *_, as_given, returns in sites)
            if is_wrapper and len(scope.bindings[sites[0][0]]) == 1 and not inner.yielded:
                for _, position, site, _, _ in sites:
                    caller, callee, *others, _ = self.calls[site]
                    self.calls[site] = (caller, callee, *others, FORWARDS)
                    self.wrappers.append((inner.function, scope.function, position, callee))
            else:
                for target, (outer, place) in list(self.forwarded.items()):
                    if outer is scope and scope.wrapped[place][0] is inner and scope.wrapped[place][5]:
                        self.flow(target, inner.returned)

    def variadic_site(self, kind: str, parameters: list[Parameter], which: int) -> int:
        """Make the container of `*args` or `**kwargs`; returns its number, -1 without such a parameter."""
        for parameter in parameters:
            if parameter.kind == which:
                self.seeds.append((parameter.variable, "object", len(self.sites)))
                self.sites.append((kind, {}, 0, 0, -1))
                return len(self.sites) - 1
        return -1

    def read_parameters(self, node: Any, scope: Scope, outer: Scope) -> list[Parameter]:
        """Read a function's parameters, with defaults and annotations."""
        parameters: list[Parameter] = []
        kind = ORDINARY
        for child in node.children:
            shape = child.type
            if shape == "identifier":
                parameters.append(self.parameter(scope, outer, self.name_of(child), kind, None, None))
                continue
            if shape in "(,)":
                continue
            if shape == "positional_separator" or (shape == "/" and not child.is_named):
                parameters = [p._replace(kind=POSITIONAL_ONLY) for p in parameters]
                continue
            if shape == "keyword_separator" or (shape == "*" and not child.is_named):
                kind = KEYWORD_ONLY
                continue
            if not child.is_named or shape == "comment":
                continue
            name_node, annotation, default = self.parameter_parts(child)
            this = kind
            if name_node.type in ("list_splat_pattern", "dictionary_splat_pattern"):
                this = ARGS if name_node.type == "list_splat_pattern" else KWARGS
                kind = KEYWORD_ONLY
                name_node = name_node.children[-1]
            if name_node.type != "identifier":
                continue
            parameters.append(self.parameter(scope, outer, self.name_of(name_node), this, annotation, default))
        if parameters and scope.owner >= 0 and parameters[0].kind in BY_POSITION:
            scope.first_parameter = parameters[0].variable
        return parameters

    def parameter_parts(self, node: Any) -> tuple[Any, Any, Any]:
        """Tells what names a parameter, its annotation and its default; each of the latter two may be None."""
        shape = node.type
        if shape not in ("default_parameter", "typed_default_parameter", "typed_parameter"):
            return node, None, None
        parts = [c for c in node.named_children if c.type != "comment"]
        annotation = next((c for c in parts[1:] if c.type == "type"), None)
        return parts[0], annotation, parts[-1] if shape != "typed_parameter" and len(parts) > 1 else None

    def parameter(self, scope: Scope, outer: Scope, name: str, kind: int, annotation: Any, default: Any) -> Parameter:
        """Make one parameter and bind its name."""
        variable = self.variable()
        if default is not None:
            self.flow(self.visit(default), variable)
        meaning = self.annotation(annotation, outer, scope.definition) if annotation is not None else None
        scope.bind(name, variable)
        scope.parameters[variable] = len(scope.parameters)
        return Parameter(name, kind, variable, meaning)

    def annotation(self, node: Any, outer: Scope, definition: int) -> Annotation | None:
        """Tells what an annotation says, as far as it may matter to calls (facts.py: `Annotation`)."""
        names = self.names_of(node)
        if names is None and len(children := node.children) == 1:
            names = self.names_in(children[0])
        if names is not None:  # most often
            version = outer.load(names[0])
            if type(version) is not int or not version:
                return None
            self.references[(definition, version)] = None
            return version, names[1:]
        saved, self.scope = self.scope, Scope(self, "comprehension", outer, definition)
        tree = self.annotation_path(node)
        self.scope.close()
        self.scope = saved
        if tree is None or tree[0] != "name":
            return None if tree is None else (0, tree)
        return tree[1:]

    def names_in(self, node: Any) -> tuple[str, ...] | None:
        """Returns `names_of` for any way of writing `a.b.c`."""
        names: list[str] = []
        while node.type == "attribute":
            children = node.children
            names.append(self.name_of(children[-1]))
            node = children[0]
        return (self.name_of(node), *reversed(names)) if node.type == "identifier" else None

    def annotation_path(self, node: Any) -> tuple | None:
        """Returns the tree of an annotation; None where it says nothing that is known."""
        kind = node.type
        if kind == "type":
            inner = node.named_children
            return self.annotation_path(inner[0]) if inner else None
        if kind == "string":
            return self.annotation_text(self.string_value(node).strip())
        if kind in ("identifier", "attribute"):
            path = self.dotted(node)
            return None if path is None else ("name", *path)
        if kind in ("subscript", "generic_type"):
            parts = [c for c in node.named_children if c.type != "comment"]
            head = self.annotation_path(parts[0])
            if self.text_of(parts[0]).rsplit(".", 1)[-1] == "Literal":
                return _NOTHING
            rest = parts[1].named_children if len(parts) == 2 and parts[1].type == "type_parameter" else parts[1:]
            inner = [self.annotation_path(c) for c in rest if c.type != "comment"]
            return _generic(head, inner)
        if kind in ("binary_operator", "union_type"):
            return _union([self.annotation_path(c) for c in node.named_children if c.type != "comment"])
        if kind == "none":
            return _NOTHING
        if kind == "ellipsis":
            return ("...",)
        if kind != "comment":
            self.visit(node)
        return None

    def annotation_text(self, text: str) -> tuple | None:
        """Returns the tree of an annotation in quotes."""
        try:
            return self._annotation_of(ast.parse(text, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def type_variable(self, text: str) -> tuple | None:
        """Returns the tree of a call of `TypeVar`: its name, then what it may be, if that is said."""
        try:
            call = ast.parse(text, mode="eval").body
            bounds = [*call.args[1:], *(word.value for word in call.keywords if word.arg == "bound")]
            return "var", call.args[0].value, *[self._annotation_of(bound) for bound in bounds]
        except (SyntaxError, ValueError, RecursionError, MemoryError, AttributeError, IndexError):
            return None

    def _annotation_of(self, node: ast.expr) -> tuple | None:
        names: list[str] = []
        base = node
        while isinstance(base, ast.Attribute):
            names.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            scope = self.scope.parent
            version = scope.cell(base.id) if scope.kind != "class" else self.scope.load(base.id)
            if type(version) is not int or not version:
                return None
            if not names:
                self.references[(self.scope.definition, version)] = None
            return "name", version, tuple(reversed(names))
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return self._annotation_of(ast.parse(node.value, mode="eval").body)
            return _NOTHING if node.value is None else ("...",) if node.value is ... else None
        if isinstance(node, ast.BinOp):
            return _union([self._annotation_of(node.left), self._annotation_of(node.right)])
        if isinstance(node, ast.Subscript):
            head = self._annotation_of(node.value)
            if ast.unparse(node.value).rsplit(".", 1)[-1] == "Literal":
                return _NOTHING
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return _generic(head, [self._annotation_of(each) for each in inner])
        return None

    def dotted(self, node: Any) -> tuple[int, tuple[str, ...]] | None:
        """Returns (variable of the first name, following names) of `a.b.c`; subscripts and calls of it are looked through."""
        known = self.names_of(node)
        if known is not None:
            version = self.use(known[0])
            return (version, known[1:]) if type(version) is int and version else None
        names: list[str] = []
        while True:
            kind = node.type
            if kind == "attribute":
                names.append(self.name_of(node.children[-1]))
                node = node.children[0]
            elif kind == "identifier":
                version = self.identifier(node)
                return (version, tuple(reversed(names))) if type(version) is int and version else None
            else:
                version = self.visit(node)
                return (version, tuple(reversed(names))) if type(version) is int and version else None

    # -- what a function does with values ----------------------------------------------------------------------------------------

    def return_value(self, version: Version) -> None:
        """Let a value reach what the function around returns."""
        scope = self.scope
        position = scope.parameters.get(version) if type(version) is int else None
        if position is not None:
            scope.returned_parameters.add(position)
        elif type(version) is int and version in self.forwarded:
            outer, place = self.forwarded[version]
            outer.wrapped[place] = (*outer.wrapped[place][:5], True)
        elif (type(version) is int and version) or (isinstance(version, Constant) and isinstance(version.value, str)):
            self.flow(version, scope.returned)

    def store_attribute(self, base: Version, name: str, version: Version) -> None:
        """Run `base.name = value`."""
        scope = self.scope
        if type(base) is not int or not base:
            return
        plain = isinstance(version, Constant) and not isinstance(version.value, str)
        self.operation(base, SET_ATTRIBUTE, len(self.items), 0)  # even for a number: there may be a property to call
        self.items.append((name, 0 if plain else self.as_variable(version), scope.definition))
        scope.stores.attributes[name] = (base, version)
