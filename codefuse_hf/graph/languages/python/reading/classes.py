"""Classes of a Python file, and the attributes that modules, classes and methods define."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import ClassFacts
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version

_LITERAL_TYPES = {
    "integer": "int", "float": "float", "string": "str", "concatenated_string": "str", "true": "bool", "false": "bool", "none": "None", "list": "list",
    "list_comprehension": "list", "tuple": "tuple", "expression_list": "tuple", "dictionary": "dict", "dictionary_comprehension": "dict", "set": "set",
    "set_comprehension": "set", "lambda": "Callable", "comparison_operator": "bool", "not_operator": "bool", "generator_expression": "Generator",
}  # fmt: skip


class ClassDefinitions:
    """Mixin of `Extractor`: reads classes and attributes."""

    def class_definition(self, node: Any, outer: Any = None, decorators: list[tuple] = ()) -> Version:
        """Read a class, and bind its name to it, decorated."""
        name_node = body = arguments = None
        for child in node.children:
            kind = child.type
            if kind == "identifier" and name_node is None:
                name_node = child
            elif kind == "argument_list":
                arguments = child
            elif kind == "block":
                body = child
        name = self.name_of(name_node) if name_node is not None else ""
        whole = outer if outer is not None else node
        comment = self.docstring(body) if body is not None else ""
        bases, metaclass, generic = self.base_classes(arguments) if arguments is not None else ((), None, ())
        fields = {"className": name, "classType": "class", "comment": comment or self.comment_above(whole)}
        definition = self.add_definition("Class", whole, fields, whole)
        enclosing, container = self.scope, self.container
        index = len(self.classes)
        self.classes.append(None)
        self.typed += [(index, "", 0, each) for each in generic]
        variable = self.variable()
        self.seeds.append((variable, "class", index))
        self.origins[variable] = ("class", index)
        scope = self.scope = Scope(self, "class", enclosing, definition)
        scope.owner = index
        self.class_of_scope[id(scope)] = index
        self.class_scopes[index] = scope
        self.container = definition
        if body is not None:
            self.visit(body)
        scope.close()
        self.scope, self.container = enclosing, container
        self.classes[index] = self.class_facts(scope, definition, name, bases, metaclass, decorators)
        enclosing.epoch += 1
        enclosing.bind(name, self.decorate(variable, list(decorators)))
        return 0

    def class_facts(
        self, scope: Scope, definition: int, name: str, bases: tuple, metaclass: Any, decorators: list[tuple]
    ) -> ClassFacts:
        """Put together what is known of a class from its scope."""
        namespace = {key: self.as_variable(scope.env[key]) for key in scope.bindings if key in scope.env}
        wrapped = self.decorated_results
        plain = {
            key: self.origins[v][1]
            for key, v in namespace.items()
            if self.origins.get(v, ("",))[0] == "function" and v not in wrapped
        }
        is_dataclass = any(e is not None and "dataclass" in self.text_of(e) for _, e in decorators) or any(
            e is not None and self.text_of(e).split("(")[0].rsplit(".", 1)[-1] in ("define", "attrs", "frozen", "s")
            for _, e in decorators
        )
        fields = tuple(self.class_fields.get(id(scope), ()))
        return ClassFacts(
            definition,
            name,
            bases,
            metaclass,
            namespace,
            plain,
            scope.attributes,
            fields,
            is_dataclass,
            scope.parent.definition,
        )

    def base_classes(self, node: Any) -> tuple[tuple, Any, list]:
        """Read the bases and the metaclass of a class, and what bases with arguments (`dict[str, Item]`) say as annotations."""
        bases: list[tuple] = []
        generic: list[tuple] = []
        metaclass = None
        for child in node.children:
            if child.type == "keyword_argument":
                parts = [c for c in child.children if c.type != "comment"]
                path = self.dotted(parts[-1])
                if self.text_of(parts[0]) == "metaclass":
                    metaclass = path
                continue
            if not child.is_named or child.type == "comment":
                continue
            if (
                child.type == "subscript"
                and (said := self.annotation(child, self.scope, self.scope.definition)) is not None
            ):
                generic.append(said)
            while child.type == "subscript":  # Generic[T]
                for extra in child.children[2:]:
                    self.visit(extra)
                child = child.children[0]
            if child.type == "list_splat":
                self.visit(child)
                continue
            bases.append(self.dotted(child) or (0, ()))
        return tuple(bases), metaclass, generic

    # -- attributes ----------------------------------------------------------------------------------------------------------------

    def attribute_definition(self, target: Any, statement: Any, annotation: Any, value: Any, version: Version) -> None:
        """Makes an Attribute node for a name bound at the level of a module or a class, and for `self.name` in a method."""
        scope = self.scope
        if target.type == "identifier":
            name = self.name_of(target)
            if scope.kind not in ("module", "class") or name in scope.attributes:
                return
            owner, parent, book = scope, scope.definition, scope.attributes
        else:
            names = self.names_of(target)
            name = names[-1] if names is not None else self.name_of(target.children[-1])
            owner = self.class_scopes.get(scope.owner)
            if owner is None or name in owner.attributes:
                return
            parent, book = owner.definition, owner.attributes
        kind = self.text_of(annotation) if annotation is not None else self.literal_type(value)
        fields = {"name": name, "attributeType": kind, "comment": self.comment_beside(statement)}
        book[name] = self.add_definition("Attribute", statement, fields, None, parent)
        if (
            target.type == "identifier"
            and type(version) is int
            and version
            and version not in self.origins
            and owner.kind == "module"
        ):
            self.origins[version] = ("attribute", book[name])

    def literal_type(self, value: Any) -> str:
        """Name the type that a value shows: of a literal, or the class that it calls; empty for anything else."""
        if value is None:
            return ""
        kind = value.type
        if kind == "unary_operator":
            return self.literal_type(value.children[-1])
        if kind == "call":
            callee = self.text_of(value.children[0])
            last = callee.rsplit(".", 1)[-1]
            return (
                callee
                if last[:1].isupper() or last in ("dict", "list", "set", "tuple", "frozenset", "str", "int", "float")
                else ""
            )
        return _LITERAL_TYPES.get(kind, "")
