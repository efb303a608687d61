"""What PHP has, by the names of its grammar's nodes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.preprocessor import rewritten
from codefuse_hf.graph.languages.outline.table import (
    Binding,
    Callee,
    Import,
    Outline,
    Rule,
    Text,
    children_texts,
    dotted,
    part_of,
    promised,
)

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_NEWER = (
    (re.compile(rb"[(,]\s*(?:#\[[^\]]*\]\s*)?(final)(?=\s+(?:public|protected|private|readonly)\b)"), b""),
    (re.compile(rb"(\(void\))(?=\s*[\\\w$])"), b""),
    (re.compile(rb"[=(,;{}]\s*(?:return\s+|echo\s+)?(new)(?=\s+[\\\w]+\([^()]*\)\s*\??->)"), b"@"),
)
"""`final` before a parameter that is a property, `(void)` and `new Box()->open()`, which the grammar does not know."""
_NAMES = ("name", "qualified_name")


def _namespace(node: Any, text: Text) -> str:
    name = node.child_by_field_name("name")
    return "" if name is None else dotted(text(name), "\\")


def _block_namespace(node: Any) -> Rule | None:
    return Rule(node_type="", name=_namespace) if node.child_by_field_name("body") is not None else None


def _package(node: Any, text: Text) -> str:
    return "" if node.child_by_field_name("body") is not None else _namespace(node, text)


def _variables(node: Any, text: Text) -> list[str]:
    elements = [child for child in node.named_children if child.type == "property_element"]
    return [text(each.named_children[0]).lstrip("$") for each in elements if each.named_children]


def _constants(node: Any, text: Text) -> list[str]:
    elements = [child for child in node.named_children if child.type == "const_element"]
    return [text(each.named_children[0]) for each in elements if each.named_children]


def _name_of(node: Any, text: Text) -> tuple[str, ...] | None:
    if node is None:
        return None
    if node.type == "relative_scope" or text(node) in ("self", "static"):
        return ("super",) if text(node) == "parent" else ("self",)
    return tuple(dotted(text(node), "\\").split(".")) if node.type in _NAMES else None


def _call(node: Any, text: Text) -> Callee | None:
    parts = _name_of(node.child_by_field_name("function"), text)
    return None if parts is None else Callee(parts)


def _scoped(node: Any, text: Text) -> Callee | None:
    scope, name = _name_of(node.child_by_field_name("scope"), text), node.child_by_field_name("name")
    return None if scope is None or name is None or name.type != "name" else Callee((*scope, text(name)))


def _member(node: Any, text: Text) -> Callee | None:
    own, name = node.child_by_field_name("object"), node.child_by_field_name("name")
    is_own = own is not None and text(own) == "$this" and name is not None and name.type == "name"
    return Callee(("self", text(name))) if is_own else None


def _new(node: Any, text: Text) -> Callee | None:
    parts = _name_of(next((c for c in node.named_children if c.type in (*_NAMES, "relative_scope")), None), text)
    return None if parts is None else Callee(parts, makes=True)


def _use(node: Any, text: Text) -> Iterator[Import]:
    group = part_of(node, "namespace_use_group")
    before = part_of(node, "namespace_name") if group is not None else None
    start = dotted(text(before), "\\") if before is not None else ""
    for clause in (group or node).named_children:
        if clause.type != "namespace_use_clause":
            continue
        alias = clause.child_by_field_name("alias")
        named = next((c for c in clause.named_children if c.type in (*_NAMES, "namespace_name")), None)
        if named is not None:
            target = ".".join(filter(None, (start, dotted(text(named), "\\"))))
            yield Import(target, target.rpartition(".")[2] if alias is None else text(alias), kind="use")


def _require(node: Any, text: Text) -> Iterator[Import]:
    """The path in `require`, where it is one string, after `__DIR__` or not."""
    pending, strings = list(node.named_children), []
    while pending:
        each = pending.pop()
        if each.type in ("string", "encapsed_string"):
            strings.append(text(each).strip("\"'"))
        elif each.type == "variable_name":
            return
        pending += each.named_children
    if len(strings) == 1 and "$" not in strings[0]:
        yield Import(strings[0], kind="file")


def _find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Files as their paths say, from the file's folder or the project's; names as they are."""
    if each.kind == "use":
        yield each.name, Binding(dotted=each.target)
        return
    target = each.target.lstrip("/")
    places = [posixpath.normpath(posixpath.join(folder, target)) for folder in (posixpath.dirname(path), "")]
    found = next((place for place in places if place in names.files), None)
    if found is not None:
        yield "", Binding((found,))


def _class(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind)


_FUNCTION = Rule(node_type="Function")

OUTLINE = Outline(
    grammar=lambda path, text: "php",
    rules={
        "class_declaration": _class("class"),
        "interface_declaration": _class("interface"),
        "trait_declaration": _class("trait"),
        "enum_declaration": _class("enum"),
        "function_definition": _FUNCTION,
        "method_declaration": _FUNCTION,
        "property_declaration": Rule(node_type="Attribute", name=_variables),
        "const_declaration": Rule(node_type="Attribute", name=_constants),
        "enum_case": Rule(node_type="Attribute"),
        "namespace_definition": _block_namespace,
    },
    calls={
        "function_call_expression": _call,
        "scoped_call_expression": _scoped,
        "member_call_expression": _member,
        "object_creation_expression": _new,
    },
    imports={
        "namespace_use_declaration": _use,
        "require_expression": _require,
        "require_once_expression": _require,
        "include_expression": _require,
        "include_once_expression": _require,
    },
    bases={"base_clause": children_texts(), "use_declaration": children_texts("use_list")},
    promises={"class_interface_clause": promised},
    by_import=True,
    package={"namespace_definition": _package},
    nameless=frozenset({"anonymous_class"}),
    own=False,
    constructor="__construct",
    by_tail=True,
    find_imports=_find_imports,
    simplify=lambda source: rewritten(source, _NEWER),
)
