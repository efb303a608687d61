"""What Scala has, by the names of its grammar's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.table import (
    Binding,
    Callee,
    Import,
    Outline,
    Rule,
    Text,
    dotted,
    name_parts,
    part_of,
)

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames


def _value_name(node: Any, text: Text) -> str | None:
    pattern = part_of(node, "pattern", "name")
    return text(pattern) if pattern is not None and pattern.type == "identifier" else None


def _call(node: Any, text: Text) -> Callee | None:
    function = node.child_by_field_name("function")
    if function is not None and function.type == "generic_function":
        function = function.child_by_field_name("function")
    members = {"field_expression": ("value", "field")}
    parts = name_parts(function, text, members, frozenset({"identifier"}), frozenset({"this"}))
    return None if parts is None else Callee(parts)


def _package(node: Any, text: Text) -> str:
    """The package of a file; several clauses, one below the other, are not joined."""
    name = node.child_by_field_name("name")
    return "" if name is None else dotted(text(name), ".")


def _import(node: Any, text: Text) -> Iterator[Import]:
    before = ".".join(text(part) for part in node.children_by_field_name("path") if part.is_named)
    selectors = part_of(node, "namespace_selectors")
    if selectors is None:
        if part_of(node, "namespace_wildcard") is None:
            yield Import(before, before.rpartition(".")[2])
        return
    for each in selectors.named_children:
        if each.type == "identifier":
            yield Import(f"{before}.{text(each)}", text(each))
        elif each.type in ("arrow_renamed_identifier", "as_renamed_identifier"):
            name, alias = each.child_by_field_name("name"), each.child_by_field_name("alias")
            if name is not None and alias is not None and alias.type == "identifier":
                yield Import(f"{before}.{text(name)}", text(alias))


def _find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Definitions by their full names."""
    yield each.name, Binding(dotted=each.target)


def _class(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind)


_FUNCTION, _VALUE = Rule(node_type="Function"), Rule(node_type="Attribute", name=_value_name)

OUTLINE = Outline(
    grammar=lambda path, text: "scala",
    rules={
        "class_definition": _class("class"),
        "object_definition": _class("object"),
        "trait_definition": _class("trait"),
        "enum_definition": _class("enum"),
        "package_object": _class("package object"),
        "function_definition": _FUNCTION,
        "function_declaration": _FUNCTION,
        "val_definition": _VALUE,
        "var_definition": _VALUE,
        "val_declaration": _VALUE,
        "var_declaration": _VALUE,
        "given_definition": _VALUE,
        "simple_enum_case": Rule(node_type="Attribute"),
    },
    calls={"call_expression": _call},
    imports={"import_declaration": _import},
    package={"package_clause": _package},
    locals={
        "parameter": ("name",),
        "binding": ("name",),
        "val_definition": ("pattern",),
        "var_definition": ("pattern",),
        "case_clause": ("pattern",),
        "lambda_expression": ("parameters",),
    },
    comments=frozenset({"comment", "block_comment"}),
    by_tail=True,
    find_imports=_find_imports,
)
