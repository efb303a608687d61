"""What Kotlin has, by the names of its grammar's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.kotlin.simpler import annotations_as_comments, simpler
from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, dotted, part_of

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_BODIES = ("class_body", "enum_class_body", "function_body")
_FIRST = ("identifier", "this_expression", "super_expression")
_RECEIVERS = ("user_type", "nullable_type", "non_nullable_type", "parenthesized_type")


def _class_rule(node: Any) -> Rule:
    words = {child.type for child in node.children}
    return _CLASSES["interface" if "interface" in words else "enum" if "enum_class_body" in words else "class"]


_CLASSES = {kind: Rule(node_type="Class", kind=kind, body=_BODIES) for kind in ("class", "interface", "enum", "object")}


def _function_name(node: Any, text: Text) -> str | None:
    """`Type.name` for an extension."""
    name = node.child_by_field_name("name")
    if name is None:
        return None
    receiver = next((child for child in node.named_children if child.type in _RECEIVERS), None)
    if receiver is None or receiver.start_byte > name.start_byte:
        return text(name)
    kind = text(receiver).partition("<")[0].rstrip("?").rpartition(".")[2].strip("() ")
    return f"{kind}.{text(name)}"


def _property_name(node: Any, text: Text) -> str | None:
    variable = part_of(node, "variable_declaration")
    name = part_of(variable, "identifier") if variable is not None else None
    return None if name is None else text(name)


def _entry_name(node: Any, text: Text) -> str | None:
    name = part_of(node, "identifier")
    return None if name is None else text(name)


def _callee(node: Any, text: Text) -> tuple[str, ...] | None:
    parts: list[str] = []
    while node is not None and node.type == "navigation_expression":
        left, name = node.named_children[0], node.named_children[-1]
        if name.type != "identifier" or left == name:
            return None
        parts.append(text(name))
        node = left
    if node is not None and node.type == "unary_expression" and not node.children[0].is_named:
        node = node.named_children[0]  # to the grammar `!open()` calls `!open`
    if node is None or node.type not in _FIRST or text(node).startswith("this@"):
        return None
    parts.append({"this_expression": "self", "super_expression": "super"}.get(node.type, text(node)))
    return tuple(reversed(parts))


def _call(node: Any, text: Text) -> Callee | None:
    parts = _callee(node.named_children[0], text) if node.named_children else None
    return None if parts is None else Callee(parts)


def _compared(node: Any, text: Text) -> Callee | None:
    """`make<Box>(1)` and `make<Box> { … }`, which the grammar takes for comparisons."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or right.type not in ("parenthesized_expression", "lambda_literal"):
        return None
    signs = [part.children[1].type for part in (left, node) if part.type == "binary_expression"]
    parts = _callee(left.named_children[0], text) if signs == ["<", ">"] else None
    return None if parts is None else Callee(parts)


def _base(node: Any, text: Text) -> Iterator[str]:
    """`Base` in `: Base(1)`, `: Base` and `: Base by other`."""
    inner = node.named_children[0] if node.named_children else None
    while inner is not None and inner.type in ("constructor_invocation", "explicit_delegation"):
        inner = inner.named_children[0]
    if inner is not None:
        yield text(inner)


def _package(node: Any, text: Text) -> str:
    name = part_of(node, "qualified_identifier")
    return "" if name is None else dotted(text(name), ".")


def _import(node: Any, text: Text) -> Iterator[Import]:
    name, alias = part_of(node, "qualified_identifier"), part_of(node, "identifier")
    if name is not None:
        target = dotted(text(name), ".")
        if any(child.type == "*" for child in node.children):
            yield Import(target, member="*")
        else:
            yield Import(target, target.rpartition(".")[2] if alias is None else text(alias))


def find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Finds what an import names: definitions by their full names."""
    if each.name:
        yield each.name, Binding(dotted=each.target)


OUTLINE = Outline(
    grammar=lambda path, text: "kotlin",
    rules={
        "class_declaration": _class_rule,
        "object_declaration": _CLASSES["object"],
        "type_alias": Rule(node_type="Class", kind="type", name="type"),
        "function_declaration": Rule(node_type="Function", name=_function_name, body=_BODIES),
        "secondary_constructor": Rule(node_type="Function", name=lambda node, text: "constructor", body=("block",)),
        "property_declaration": Rule(node_type="Attribute", name=_property_name),
        "enum_entry": Rule(node_type="Attribute", name=_entry_name),
    },
    calls={"call_expression": _call, "binary_expression": _compared},
    imports={"import": _import},
    bases={"delegation_specifier": _base},
    package={"package_header": _package},
    locals=dict.fromkeys(("variable_declaration", "parameter", "catch_block"), ("identifier",)),
    parameters=("function_value_parameters",),
    comments=frozenset({"line_comment", "block_comment"}),
    nameless=frozenset({"object_literal"}),
    constructor="constructor",
    by_tail=True,
    find_imports=find_imports,
    prepare=annotations_as_comments,
    simplify=simpler,
)
