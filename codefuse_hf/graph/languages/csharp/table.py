"""What C# has, by the names of its grammar's nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from codefuse_hf.graph.languages.outline.preprocessor import one_branch
from codefuse_hf.graph.languages.outline.table import (
    Callee,
    Import,
    Outline,
    Rule,
    Text,
    children_texts,
    dotted,
    name_parts,
    part_of,
)

_ARGUMENTS = re.compile(r"<.*>", re.DOTALL)
_FOR_THE_TOOL = re.compile(rb"^#[:!][^\n]*", re.MULTILINE)
"""Lines of a program in one file that speak to the command that runs it (`#!/usr/bin/env dotnet`, `#:package Name`)."""


def _simplify(data: bytes) -> bytes:
    return one_branch(_FOR_THE_TOOL.sub(lambda found: b" " * len(found[0]), data))


def _destructor(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    return None if name is None else "~" + text(name)


def _operator(node: Any, text: Text) -> str:
    """`operator +`, and of conversions `operator Type`."""
    words = [text(child) for child in node.children if child.type not in ("modifier", "attribute_list", "comment")]
    at = words.index("operator") + 1 if "operator" in words else len(words)
    return f"operator {words[at]}" if at < len(words) else "operator"


def _field_names(node: Any, text: Text) -> list[str]:
    declaration = next((child for child in node.named_children if child.type == "variable_declaration"), node)
    found = [
        each.child_by_field_name("name") for each in declaration.named_children if each.type == "variable_declarator"
    ]
    return [text(name) for name in found if name is not None]


def _namespace(node: Any, text: Text) -> str:
    name = node.child_by_field_name("name")
    return "" if name is None else dotted(text(name), ".")


def _parts(node: Any, text: Text) -> tuple[str, ...] | None:
    parts = name_parts(
        node,
        text,
        {"member_access_expression": ("expression", "name"), "qualified_name": ("qualifier", "name")},
        frozenset({"identifier", "generic_name", "base"}),
        frozenset({"this"}),
    )
    if parts is None:
        return None
    first, *others = (_ARGUMENTS.sub("", part) for part in parts)
    return ("super" if first == "base" else first, *others)


def _call(node: Any, text: Text) -> Callee | None:
    parts = _parts(node.child_by_field_name("function"), text)
    return None if parts is None or parts == ("nameof",) else Callee(parts)


def _new(node: Any, text: Text) -> Callee | None:
    parts = _parts(node.child_by_field_name("type"), text)
    return None if parts is None else Callee(parts, makes=True)


def _using(node: Any, text: Text) -> Iterator[Import]:
    """The namespace of which the file, or with `global` each file, has all names."""
    words = {child.type for child in node.children}
    name = part_of(node, "qualified_name", "identifier")
    if name is not None and not words & {"static", "="}:
        yield Import(dotted(text(name), "::"), member="*", kind="everywhere" if "global" in words else "")


def _class(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind)


def _record(node: Any) -> Rule:
    return _class("record struct" if any(child.type == "struct" for child in node.children) else "record")


_FUNCTION = Rule(node_type="Function", body=("body", "arrow_expression_clause"))
_ATTRIBUTE = Rule(node_type="Attribute")
_FIELDS = Rule(node_type="Attribute", name=_field_names)

OUTLINE = Outline(
    grammar=lambda path, text: "c_sharp",
    rules={
        "class_declaration": _class("class"),
        "struct_declaration": _class("struct"),
        "interface_declaration": _class("interface"),
        "enum_declaration": _class("enum"),
        "record_declaration": _record,
        "delegate_declaration": _class("delegate"),
        "method_declaration": _FUNCTION,
        "constructor_declaration": _FUNCTION,
        "local_function_statement": _FUNCTION,
        "destructor_declaration": Rule(node_type="Function", name=_destructor),
        "operator_declaration": Rule(node_type="Function", name=_operator),
        "conversion_operator_declaration": Rule(node_type="Function", name=_operator),
        "indexer_declaration": Rule(
            node_type="Function", name=lambda node, text: "this[]", body=("accessors", "value")
        ),
        "property_declaration": _ATTRIBUTE,
        "event_declaration": _ATTRIBUTE,
        "field_declaration": _FIELDS,
        "event_field_declaration": _FIELDS,
        "enum_member_declaration": _ATTRIBUTE,
        "namespace_declaration": Rule(node_type="", name=_namespace),
    },
    calls={"invocation_expression": _call, "object_creation_expression": _new},
    imports={"using_directive": _using},
    bases={"base_list": children_texts()},
    package={"file_scoped_namespace_declaration": _namespace},
    locals={
        "parameter": ("name",),
        "variable_declarator": ("name",),
        "implicit_parameter": ("*",),
        "foreach_statement": ("left",),
        "catch_declaration": ("name",),
        "declaration_expression": ("name",),
    },
    local_types=frozenset({"identifier", "implicit_parameter"}),
    by_tail=True,
    simplify=_simplify,
)
