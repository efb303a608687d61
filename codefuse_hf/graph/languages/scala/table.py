"""What Scala has, by the names of its grammar's nodes."""

from __future__ import annotations

import re
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


def _value_name(node: Any, text: Text) -> str | list[str] | None:
    pattern = part_of(node, "pattern", "name")
    if pattern is None:
        return None
    if pattern.type in ("identifiers", "tuple_pattern"):
        return [text(each) for each in pattern.named_children if each.type == "identifier"]
    return text(pattern) if pattern.type == "identifier" else None


def _given_name(node: Any, text: Text) -> str | None:
    """The name of a given, as the language makes it where none is written."""
    name, kind = node.child_by_field_name("name"), node.child_by_field_name("return_type")
    if name is not None:
        return text(name)
    return None if kind is None else "_".join(["given", *re.findall(r"\w+", text(kind))])


def _given(node: Any) -> Rule:
    body = node.child_by_field_name("body")
    has_members = body is not None and body.type in ("template_body", "with_template_body")
    return _GIVEN_WITH_MEMBERS if has_members else _GIVEN


def _call(node: Any, text: Text) -> Callee | None:
    function = node.child_by_field_name("function")
    if function is not None and function.type == "generic_function":
        function = function.child_by_field_name("function")
    members = {"field_expression": ("value", "field")}
    parts = name_parts(function, text, members, frozenset({"identifier"}), frozenset({"this"}))
    return None if parts is None else Callee(parts)


def _extended(node: Any, text: Text) -> list[str]:
    """What stands behind `extends`; that of an enum's case is not the enum's."""
    is_case = node.parent is not None and node.parent.type.endswith("enum_case")
    return [] if is_case else [text(each) for each in node.children_by_field_name("type")]


def _instance_bases(node: Any, text: Text) -> list[str]:
    kind = node.named_children[0]
    return [text(each) for each in (kind.named_children if kind.type == "compound_type" else [kind])]


def _package(node: Any, text: Text) -> str:
    """The package of a file; several clauses, one below the other, are one name."""
    parts: list[str] = []
    while node is not None:
        name = node.child_by_field_name("name")
        if node.type == "package_clause" and name is not None and node.child_by_field_name("body") is None:
            parts.append(dotted(text(name), "."))
        node = node.prev_named_sibling
    return ".".join(reversed(parts))


def _block_package(node: Any) -> Rule | None:
    return _PACKAGE if node.child_by_field_name("body") is not None else None


def _import(node: Any, text: Text) -> Iterator[Import]:
    before = ".".join(text(part) for part in node.children_by_field_name("path") if part.is_named)
    selectors = part_of(node, "namespace_selectors")
    if selectors is None:
        if part_of(node, "namespace_wildcard") is None:
            yield Import(before, before.rpartition(".")[2])
        else:
            yield Import(before, member="*")
        return
    for each in selectors.named_children:
        if each.type == "namespace_wildcard":
            yield Import(before, member="*")
        elif each.type == "identifier":
            yield Import(f"{before}.{text(each)}", text(each))
        elif each.type in ("arrow_renamed_identifier", "as_renamed_identifier"):
            name, alias = each.child_by_field_name("name"), each.child_by_field_name("alias")
            if name is not None and alias is not None and alias.type == "identifier":
                yield Import(f"{before}.{text(name)}", text(alias))


def _find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Definitions by their full names."""
    if each.name:
        yield each.name, Binding(dotted=each.target)


def _class(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind, is_object="object" in kind)


_FUNCTION, _VALUE = Rule(node_type="Function"), Rule(node_type="Attribute", name=_value_name)
_GIVEN = Rule(node_type="Attribute", name=_given_name)
_GIVEN_WITH_MEMBERS = Rule(node_type="Class", kind="given", name=_given_name)
_PACKAGE = Rule(node_type="", name=lambda node, text: dotted(text(node.child_by_field_name("name")), "."))

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
        "given_definition": _given,
        "type_definition": Rule(node_type="Class", kind="type", body=("type",)),
        "simple_enum_case": Rule(node_type="Attribute"),
        "full_enum_case": Rule(node_type="Attribute"),
        "package_clause": _block_package,
    },
    calls={"call_expression": _call},
    imports={"import_declaration": _import},
    bases={
        "extends_clause": _extended,
        "given_definition": lambda node, text: [text(each) for each in node.children_by_field_name("return_type")],
        "instance_expression": _instance_bases,
    },
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
    nameless=frozenset({"instance_expression"}),
    by_tail=True,
    find_imports=_find_imports,
)
