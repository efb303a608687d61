"""Reads one file by a table: definitions, and what names alone can tell of imports and calls."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from codefuse_hf.graph.languages import tree_sitter
from codefuse_hf.graph.languages.base import Definition, FileFacts, Problem
from codefuse_hf.graph.languages.outline.table import Callee, Import, Outline, Rule, dotted, part_of
from codefuse_hf.graph.languages.source_text import SourceText

_GENERATED_FROM, _GENERATED_LINE = 5_000, 500
"""Characters of a file, and characters of its mean line, from where on it was written by a program that makes text small."""


@dataclass(slots=True)
class OutlineFacts:
    """What resolution needs of a file. The first four have an entry for each definition; the first is the file.

    Attributes:
        names: the dotted name inside the file, namespaces included.
        parents: the containing definition.
        owners: the dotted name of the class that a function belongs to, "" for none.
        sizes: how many parameters a function has, -1 for no function.
        classes, private: the definitions that are classes, and those that other files cannot see.
        objects: classes that are one object each, whose functions nothing inherits.
        namespaces: dotted names of the namespaces in the file.
        package: the package that the file names.
        locals: names of parameters and variables of each function that has some.
        calls: the calling definition, what it calls, and with how many arguments.
        imports: what is imported.
        bases: the dotted names of what classes have their members from, by the class's name; "" for what is no name.
        interfaces: classes that others implement.
        supers: what classes name as their bases and interfaces: the class, as a definition or by its name, the scope that it is named in, and the dotted
            name there.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)
    private: set[int] = field(default_factory=set)
    objects: set[int] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    package: str = ""
    locals: dict[int, set[str]] = field(default_factory=dict)
    calls: dict[tuple[int, Callee, int], None] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    bases: dict[str, list[str]] = field(default_factory=dict)
    interfaces: set[int] = field(default_factory=set)
    supers: list[tuple[int | str, str, str]] = field(default_factory=list)


def read_outline(language: str, outline: Outline, path: str, source: SourceText) -> FileFacts:
    """Reads one file; broken parts are skipped."""
    facts = FileFacts(
        path, language, [Definition("File", -1, 0, len(source.text), {})], OutlineFacts([""], [-1], [""], [-1])
    )
    if len(source.text) >= _GENERATED_FROM and len(source.text) > _GENERATED_LINE * len(source.line_starts):
        facts.problems.append(
            Problem("generated", "very long lines: taken for generated code, in the graph without its contents")
        )
        return facts
    try:
        tree = _parse(outline, path, source)
    except ImportError as error:
        facts.problems.append(Problem("grammar", f"{error}; the file is in the graph without its contents"))
        return facts
    _Reader(outline, facts, source).walk(tree.root_node)
    if outline.reports_errors and (error := tree_sitter.first_error(tree)) is not None:
        place, kind = error
        problem = Problem(
            "syntax", f"{kind}: the grammar does not read all of the file", source.line(source.char(place))
        )
        facts.problems.append(problem)
    facts.package = facts.facts.package or None
    tree_sitter.give_back_memory(source)
    return facts


def _parse(outline: Outline, path: str, source: SourceText) -> Any:
    """The tree of a file; where it has errors, that of the simplified source if this has fewer."""
    grammar, data = outline.grammar(path, source.text), source.parser_input
    if outline.prepare is not None:
        data = outline.prepare(data)
    tree = tree_sitter.parse(grammar, data)
    if outline.simplify is None or not tree.root_node.has_error:
        return tree
    simplified = tree_sitter.parse(grammar, outline.simplify(data))
    return min(tree, simplified, key=tree_sitter.count_errors)


class _Reader:
    """One walk over a syntax tree."""

    def __init__(self, outline: Outline, file: FileFacts, source: SourceText):
        self.outline, self.file, self.facts, self.source = outline, file, file.facts, source
        self.container, self.prefix, self.is_nameless = 0, "", False
        self.own_names: dict[int, str] = {}
        self.before: list[Any] = []  # comments and attributes so far
        self.interesting = {
            *outline.rules, *outline.calls, *outline.imports, *outline.package, *outline.locals, *outline.leading, *outline.comments,
            *outline.nameless, *outline.bases, *outline.promises,
        }  # fmt: skip

    def text(self, node: Any) -> str:
        return self.source.slice(node.start_byte, node.end_byte)

    def walk(self, root: Any) -> None:
        """Visits every node, the container before its contents."""
        cursor, depth = root.walk(), 0
        around: list[tuple[int, int, str, bool]] = []  # where a definition was entered, and what was around it
        while True:
            node = cursor.node
            if node.type in self.interesting:
                before = self.container, self.prefix, self.is_nameless
                self.visit(node)
                if before != (self.container, self.prefix, self.is_nameless):
                    around.append((depth, *before))
            if cursor.goto_first_child():
                depth += 1
                continue
            while True:
                if around and around[-1][0] == depth:
                    _, self.container, self.prefix, self.is_nameless = around.pop()
                if cursor.goto_next_sibling():
                    break
                if not cursor.goto_parent():
                    return
                depth -= 1

    def visit(self, node: Any) -> None:
        outline, kind = self.outline, node.type
        if kind in outline.comments or kind in outline.leading:
            self.before.append(node)
        if kind in outline.package:
            self.facts.package = outline.package[kind](node, self.text)
        if kind in outline.imports:
            self.facts.imports += outline.imports[kind](node, self.text)
        if kind in outline.calls and (callee := outline.calls[kind](node, self.text)) is not None:
            size = _arguments(node)
            if len(callee.parts) > 1 and callee.parts[0] == self.own_name():
                callee = callee._replace(parts=("self", *callee.parts[1:]))
            self.facts.calls.setdefault((self.container, callee, size))
        if kind in outline.locals:
            for each in outline.locals[kind]:
                for child in [node] if each == "*" else _parts(node, each):
                    # Others of `locals` are visited themselves, and not with their values.
                    if child is node or child.type not in outline.locals:
                        self.add_locals(self.container, child)
        outside = self.container, self.prefix
        if (rule := outline.rules.get(kind)) is not None:
            rule = rule if isinstance(rule, Rule) else rule(node)
            if rule is not None:
                self.define(node, rule)
        if kind in outline.nameless and outside == (self.container, self.prefix):
            self.prefix, self.is_nameless = f"{self.prefix}.{{{node.start_byte}}}".lstrip("."), True
        if kind in outline.rules and outside == (self.container, self.prefix):
            return  # no class of its own
        if kind in outline.bases and (self.is_nameless or self.container in self.facts.classes):
            bases = [_base_name(each) for each in outline.bases[kind](node, self.text)]
            self.facts.bases.setdefault(self.prefix, []).extend(bases)
            if not self.is_nameless:
                self.facts.supers += [(self.container, self.prefix, each) for each in bases if each]
        for named, base in outline.promises[kind](node, self.text) if kind in outline.promises else ():
            base = _base_name(base)
            if named and base:
                self.facts.supers.append((named, f"{self.prefix}.{{impl}}".lstrip("."), base))
            elif base and not self.is_nameless and self.container in self.facts.classes:
                self.facts.supers.append((self.container, self.prefix, base))

    def define(self, node: Any, rule: Rule) -> None:
        """Adds what a node defines, and goes into it."""
        if callable(rule.name):
            name = rule.name(node, self.text)
        else:
            named = node.child_by_field_name(rule.name)
            name = None if named is None else self.text(named)
        if name is None:
            return
        body = part_of(node, *rule.body)
        if body is None and (value := node.child_by_field_name("value")) is not None:
            body = part_of(value, *rule.body)
        if rule.needs_body and body is None:
            return
        if rule.node_type == "Attribute":
            if self.facts.sizes[self.container] < 0:  # what a function has inside are variables
                for each in [name] if isinstance(name, str) else name:
                    self.add(node, rule, each, body)
        elif rule.node_type:
            full = f"{self.prefix}.{name}" if self.prefix else name
            self.container, self.prefix, self.is_nameless = self.add(node, rule, name, body), full, False
        elif name:
            self.prefix = f"{self.prefix}.{name}" if self.prefix else name
            self.facts.namespaces.add(self.prefix)

    def add(self, node: Any, rule: Rule, name: str, body: Any) -> int:
        """Adds one definition."""
        index, facts = len(self.facts.names), self.facts
        outer = self.outermost(node)
        start, comment = self.beginning(outer)
        fields: dict[str, Any] = {"name": name, "comment": comment or None}
        if rule.node_type == "Function":
            end = outer.end_byte if body is None else body.start_byte
            fields["header"] = _without_sign(self.source.slice(outer.start_byte, end))
        elif rule.node_type == "Class":
            fields["classType"] = rule.kind
        else:
            kind = part_of(node, "type")
            fields["attributeType"] = self.text(kind) if kind is not None else rule.kind or None
        first, last = self.source.char(start), self.source.char(self.end(outer))
        while last > first and self.source.text[last - 1] in " \t\r\n\f":
            last -= 1
        cut = -1 if rule.node_type == "Attribute" else first
        self.file.definitions.append(Definition(rule.node_type, self.container, first, last, fields, cut))
        facts.names.append(f"{self.prefix}.{name}" if self.prefix else name)
        facts.parents.append(self.container)
        facts.owners.append(self.owner(name))
        facts.sizes.append(-1)
        if rule.node_type == "Class":
            facts.classes.add(index)
            if rule.is_object:
                facts.objects.add(index)
            if rule.kind in self.outline.interfaces:
                facts.interfaces.add(index)
        elif rule.node_type == "Function":
            facts.sizes[index] = 0
            if (parameters := self.parameters(node)) is not None:
                facts.sizes[index] = _count(parameters)
            if (own_name := rule.own_name(node, self.text)) is not None:
                self.own_names[index] = own_name
            if rule.is_private(node, self.text):
                facts.private.add(index)
        return index

    def owner(self, name: str) -> str:
        """The class of a function that is called so and stands here."""
        if "." in name:
            own = name.rpartition(".")[0]
            return f"{self.prefix}.{own}" if self.prefix else own
        if self.is_nameless:
            return self.prefix
        return (
            self.facts.names[self.container]
            if self.container in self.facts.classes
            else self.facts.owners[self.container]
        )

    def own_name(self) -> str | None:
        """What the object is called whose function this is."""
        index = self.container
        while index > 0 and index not in self.own_names:
            index = self.facts.parents[index]
        return self.own_names.get(index)

    def outermost(self, node: Any) -> Any:
        """The node with what belongs to it alone."""
        while (parent := node.parent) is not None and parent.type in self.outline.wrappers:
            rules = self.outline.rules
            if sum(child.type == node.type or child.type in rules for child in parent.named_children) != 1:
                break
            node = parent
        return node

    def beginning(self, node: Any) -> tuple[int, str]:
        """Where a definition starts with its attributes, and the comment directly before it."""
        start, comments, at = node.start_byte, [], node.start_byte
        for each in reversed(self.before):
            if each.end_byte > at:
                continue
            gap = self.source.utf8[each.end_byte : at]
            if gap.strip() or gap.count(b"\n") > 1 or not self.stands_alone(each):
                break
            at = each.start_byte
            if self.is_leading(each):
                start = at
            else:
                comments.append(self.text(each))
        self.before.clear()
        return start, plain_comment(reversed(comments))

    def end(self, node: Any) -> int:
        """Where a definition ends, without comments that the grammar takes into it (Scala, where no brace ends it)."""
        data = self.source.utf8
        while True:
            end = node.end_byte
            while end > node.start_byte and data[end - 1] in b" \t\r\n\f":
                end -= 1
            line = data[max(node.start_byte, data.rfind(b"\n", 0, end) + 1) : end]
            if not line.endswith(b"*/") and b"//" not in line:
                break
            inside = [child for child in node.children if child.type not in self.outline.comments]
            if not inside:
                break
            node = inside[-1]
        return node.end_byte

    def stands_alone(self, node: Any) -> bool:
        """Whether nothing but blanks and attributes is before a node on its line."""
        data = self.source.utf8
        line = data.rfind(b"\n", 0, node.start_byte) + 1
        return not data[line : node.start_byte].strip() or self.is_leading(node)

    def is_leading(self, node: Any) -> bool:
        """Whether a node belongs to the definition behind it; an annotation may have been made a comment for the grammar."""
        return node.type in self.outline.leading or self.source.utf8[node.start_byte : node.start_byte + 1] == b"@"

    def parameters(self, node: Any) -> Any:
        for _ in range(8):
            if node is None:
                return None
            for name in self.outline.parameters:
                for found in _parts(node, name):
                    if found.type != "type_parameters":
                        return found
            node = part_of(node, "declarator", "value", "reference_declarator")
        return None

    def add_locals(self, index: int, node: Any) -> None:
        """Adds the names in a pattern to those of the function `index`; defaults and conditions in it use names."""
        if self.facts.sizes[index] < 0:
            return
        cursor, names = node.walk(), self.facts.locals.setdefault(index, set())
        while True:
            uses = cursor.field_name in ("right", "condition", "value") and cursor.node.parent.type != "pair_pattern"
            if not uses and cursor.node.type in self.outline.local_types:
                names.add(self.text(cursor.node))
            if not uses and cursor.goto_first_child():
                continue
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return


def _parts(node: Any, name: str) -> list[Any]:
    """The children in a field, or of a type where no child is in a field of that name."""
    return node.children_by_field_name(name) or [child for child in node.named_children if child.type == name]


_BASE_NAME = re.compile(r"[\w.]*")
_MEMBER_OF_GENERIC = re.compile(r"[>\]]\s*(::|\.)\s*\w")


def _base_name(text: str) -> str:
    """A class's name out of what stands behind `extends`: dots between its parts and before the first where it is the full name, no arguments; ""
    for what is none."""
    if _MEMBER_OF_GENERIC.search(text):
        return ""
    head = re.split(r"[<\[({]", text, maxsplit=1)[0].replace("\\", ".").replace("::", ".").strip()
    plain = dotted(head, ".")
    return ("." if head.startswith(".") else "") + plain if _BASE_NAME.fullmatch(plain) else ""


def _arguments(call: Any) -> int:
    """How many arguments a call has, -1 where it shows none; a block behind it (Kotlin) counts."""
    arguments = part_of(call, "arguments", "argument_list", "value_arguments")
    blocks = _blocks(call)
    outer = call.parent
    if not blocks and outer is not None and outer.type == call.type and outer.named_children[0] == call:
        blocks = _blocks(outer)
    return blocks or -1 if arguments is None else _count(arguments) + blocks


def _blocks(call: Any) -> int:
    return sum(child.type == "annotated_lambda" for child in call.named_children)


def _count(node: Any) -> int:
    """How many parameters or arguments there are in a list; what belongs to a parameter, such as its default, may stand beside it."""
    kinds = [child.type for child in node.named_children if "comment" not in child.type]
    return kinds.count("parameter") or sum(kind != "self_parameter" for kind in kinds)


def _without_sign(header: str) -> str:
    """A header without what leads to the body."""
    header = header.rstrip().rstrip(";").rstrip()
    return header.removesuffix("=").rstrip()


def plain_comment(comments: Any) -> str:
    """Returns the text of comments without their signs."""
    lines = []
    for comment in comments:
        comment = comment.strip()
        if comment.startswith("/*"):
            body = comment.removeprefix("/*").removesuffix("*/").lstrip("*!")
            lines += [line.strip().removeprefix("*").strip() for line in body.split("\n")]
        else:
            lines += [line.strip().lstrip("/#!").strip() for line in comment.split("\n")]
    return "\n".join(lines).strip()
