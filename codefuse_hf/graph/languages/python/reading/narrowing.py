"""What `isinstance` and `case C():` tell of a name, or of a path `a.b.c`: where the condition holds, it stands for a variable of its own that is known to
be of the class. A path does so until it, or what stands before it, is assigned to; that a call may change it is not followed."""

from __future__ import annotations

import ast
from typing import Any

from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version


class Narrowing:
    """Mixin of `Extractor`: conditions on the classes of names."""

    def narrowed(self, condition: Any, holds: bool = True) -> dict[str, int]:
        """Returns new variables for the names whose class a condition tells, where it holds (or else where it does not)."""
        if condition is None:  # of broken code
            return {}
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
        return self._of_class(condition, holds) if kind == "call" else {}

    def _of_class(self, call: Any, holds: bool) -> dict[str, int]:
        function, arguments = call.children[0], call.children[-1]
        if function.type != "identifier" or self.text_of(function) != "isinstance":
            return {}
        given = [c for c in arguments.named_children if c.type != "comment"]
        if len(given) != 2 or (path := self.names_of(given[0])) is None or not self.is_narrowable(path):
            return {}
        version = self.load_path(path) if len(path) > 1 else self.scope.load(path[0])
        return self.known_as(path, version, self.text_of(given[1]), holds)

    def is_narrowable(self, path: tuple[str, ...]) -> bool:
        """Tell whether a path can stand for another variable: a bare name has to be one of the scope."""
        return len(path) > 1 or path[0] in self.scope.env

    def known_as(self, path: tuple[str, ...], version: Version, classes: str, holds: bool = True) -> dict[str, int]:
        """Returns the variable of what a path stands for, known to be of one of some classes, or of none of them, as `narrowed` does."""
        scope = self.scope
        if type(version) is not int or not version or version == scope.first_parameter:
            return {}
        tree = self._class_tree(classes)
        if tree is None:
            return {}
        tree = tree if holds else ("not", tree)
        variable = self.variable()
        self.flow(version, variable)
        self.typed.append((-1, "", variable, tree[1:] if tree[0] == "name" else (0, tree)))
        if version in scope.parameters:
            scope.parameters[variable] = scope.parameters[version]
        name = ".".join(path)
        if len(path) > 1:
            scope.paths.add(name)
            self.narrowed_names.add(path[-1])
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

    def matched_classes(self, pattern: Any) -> list[str] | None:
        """Returns the classes one of which a pattern of `match` asks for; None for a pattern that does not ask."""
        children = [c for c in pattern.named_children if c.type != "comment"]
        if pattern.type == "class_pattern" and children and children[0].type == "dotted_name":
            return [self.text_of(children[0])]
        if pattern.type == "union_pattern":
            found = [self.matched_classes(each) for each in children]
            return None if None in found else [name for each in found for name in each]
        is_around = pattern.type in ("case_pattern", "as_pattern", "parenthesized_expression")
        return self.matched_classes(children[0]) if is_around and children else None

    def load_told(self, version: Version, names: tuple[str, ...], is_callee: bool) -> Version:
        """Tells what `a.b.c` is, given the version of `a`, where a condition may have told what a part of the path is."""
        for end in range(2, len(names) + 1):
            told = self.scope.path(names[:end]) if names[end - 1] in self.narrowed_names else None
            if told is not None:
                version = told
            elif type(version) is not int or not version:
                return 0
            else:
                version = self.load_attribute(version, names[end - 1], is_callee and end == len(names))
        return version

    def narrow(self, names: dict[str, int]) -> None:
        """Lets the names stand for these variables from here on."""
        for name, variable in names.items():
            self.scope.set(name, variable)

    def narrowed_branch(self, node: Any, names: dict[str, int]) -> tuple[dict[str, Version], bool]:
        """Reads a branch in which names stand for other variables; behind it they stand for what they did before, unless it binds them."""
        saved = self.scope.begin(names)
        self.visit(node)
        return without(self.scope.end(saved), names)


def without(ended: tuple[dict[str, Version], bool], names: dict[str, int]) -> tuple[dict[str, Version], bool]:
    """Returns what a branch has bound, less what its names stood for from its beginning."""
    changes, dead = ended
    return {name: version for name, version in changes.items() if names.get(name) != version}, dead
