"""What `isinstance` tells of a name: where the condition holds, the name stands for a variable of its own that is known to be of the class."""

from __future__ import annotations

import ast
from typing import Any

from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version


class Narrowing:
    """Mixin of `Extractor`: conditions on the classes of names."""

    def narrowed(self, condition: Any, holds: bool = True) -> dict[str, int]:
        """Returns new variables for the names whose class a condition tells, where it holds (or else where it does not)."""
        kind = condition.type
        if kind == "parenthesized_expression":
            inner = [c for c in condition.named_children if c.type != "comment"]
            return self.narrowed(inner[0], holds) if len(inner) == 1 else {}
        if kind == "not_operator":
            return self.narrowed(condition.children[-1], not holds)
        if kind == "boolean_operator" and len(condition.children) == 3:
            if condition.children[1].type != ("and" if holds else "or"):
                return {}
            return {**self.narrowed(condition.children[0], holds), **self.narrowed(condition.children[2], holds)}
        return self._of_class(condition) if kind == "call" and holds else {}

    def _of_class(self, call: Any) -> dict[str, int]:
        function, arguments = call.children[0], call.children[-1]
        if function.type != "identifier" or self.text_of(function) != "isinstance":
            return {}
        given = [c for c in arguments.named_children if c.type != "comment"]
        scope = self.scope
        if len(given) != 2 or given[0].type != "identifier" or (name := self.name_of(given[0])) not in scope.env:
            return {}
        version = scope.load(name)
        if type(version) is not int or not version or version == scope.first_parameter:
            return {}
        tree = self._class_tree(self.text_of(given[1]))
        if tree is None:
            return {}
        variable = self.variable()
        self.flow(version, variable)
        self.typed.append((-1, "", variable, tree[1:] if tree[0] == "name" else (0, tree)))
        if version in scope.parameters:
            scope.parameters[variable] = scope.parameters[version]
        return {name: variable}

    def _class_tree(self, text: str) -> tuple | None:
        """The tree (facts.py: `Annotation`) of the second argument of `isinstance`."""
        outer = self.scope
        self.scope = Scope(self, "comprehension", outer, outer.definition)
        try:
            node = ast.parse(text, mode="eval").body
            classes = node.elts if isinstance(node, ast.Tuple) else [node]
            trees = [self._annotation_of(each) for each in classes]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            trees = []
        self.scope.close()
        self.scope = outer
        if not trees or None in trees:
            return None
        return trees[0] if len(trees) == 1 else ("union", *trees)

    def narrow(self, names: dict[str, int]) -> None:
        """Lets the names stand for these variables from here on."""
        for name, variable in names.items():
            self.scope.set(name, variable)

    def narrowed_branch(self, node: Any, names: dict[str, int]) -> tuple[dict[str, Version], bool]:
        """Reads a branch in which names stand for other variables; behind it they stand for what they did before, unless it binds them."""
        saved = self.scope.begin(names)
        self.visit(node)
        changes, dead = self.scope.end(saved)
        return {name: version for name, version in changes.items() if names.get(name) != version}, dead
