"""What Kotlin has, by the names of its grammar's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, dotted, part_of

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_BODIES = ("class_body", "enum_class_body", "function_body")


def _named(kind: str) -> Any:
    """A definition's name is a child without a field."""

    def name(node: Any, text: Text) -> str | None:
        found = part_of(node, "name", kind)
        return None if found is None else text(found)

    return name


def _class_rule(node: Any) -> Rule:
    words = {child.type for child in node.children}
    return _CLASSES["interface" if "interface" in words else "enum" if "enum" in words else "class"]


_CLASSES = {
    kind: Rule(node_type="Class", kind=kind, name=_named("type_identifier"), body=_BODIES)
    for kind in ("class", "interface", "enum", "object")
}


def _function_name(node: Any, text: Text) -> str | None:
    """`Type.name` for an extension."""
    name = part_of(node, "name", "simple_identifier")
    if name is None:
        return None
    receiver = node.child_by_field_name("receiver")
    if receiver is None:
        return text(name)
    kind = text(receiver).partition("<")[0].rstrip("?").rpartition(".")[2].strip("() ")
    return f"{kind}.{text(name)}"


def _property_name(node: Any, text: Text) -> str | None:
    variable = part_of(node, "variable", "variable_declaration")
    name = part_of(variable, "simple_identifier") if variable is not None else None
    return None if name is None else text(name)


def _callee(node: Any, text: Text) -> tuple[str, ...] | None:
    parts: list[str] = []
    while node is not None and node.type == "navigation_expression":
        suffix = part_of(node, "navigation_suffix")
        name = part_of(suffix, "simple_identifier") if suffix is not None else None
        if name is None or not node.named_children:
            return None
        parts.append(text(name))
        node = node.named_children[0]
    if node is None or node.type not in ("simple_identifier", "this_expression"):
        return None
    parts.append("self" if text(node) == "this" else text(node))
    return None if text(node).startswith("this@") else tuple(reversed(parts))


def _call(node: Any, text: Text) -> Callee | None:
    parts = _callee(node.named_children[0], text) if node.named_children else None
    return None if parts is None else Callee(parts)


def _package(node: Any, text: Text) -> str:
    name = part_of(node, "identifier")
    return "" if name is None else dotted(text(name), ".")


def _import(node: Any, text: Text) -> Iterator[Import]:
    name, alias = part_of(node, "identifier"), part_of(node, "import_alias")
    if name is not None and part_of(node, "wildcard_import") is None:
        target = dotted(text(name), ".")
        yield Import(target, text(alias.named_children[0]) if alias is not None else target.rpartition(".")[2])


def find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Finds what an import names: definitions by their full names."""
    yield each.name, Binding(dotted=each.target)


OUTLINE = Outline(
    grammar=lambda path, text: "kotlin",
    rules={
        "class_declaration": _class_rule,
        "object_declaration": _CLASSES["object"],
        "type_alias": Rule(node_type="Class", kind="type", name=_named("type_identifier")),
        "function_declaration": Rule(node_type="Function", name=_function_name, body=_BODIES),
        "secondary_constructor": Rule(
            node_type="Function", name=lambda node, text: "constructor", body=("statements",)
        ),
        "property_declaration": Rule(node_type="Attribute", name=_property_name),
        "enum_entry": Rule(node_type="Attribute", name=_named("simple_identifier")),
    },
    calls={"call_expression": _call},
    imports={"import_header": _import},
    package={"package_header": _package},
    locals={"variable_declaration": ("*",), "parameter": ("*",), "lambda_parameters": ("*",), "catch_block": ("name",)},
    local_types=frozenset({"simple_identifier"}),
    parameters=("parameters", "function_value_parameters"),
    comments=frozenset({"line_comment", "multiline_comment"}),
    constructor="constructor",
    by_tail=True,
    find_imports=find_imports,
)
