"""What C and C++ have, by the names of their grammars' nodes; one table, since both share headers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.preprocessor import one_branch, rewritten, without_macros
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
)

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_CPP_HEADER = re.compile(
    r"^\s*(?:class\s+\w|namespace\b|template\s*<|public:|private:|using\s+\w)|\w::\w", re.MULTILINE
)
_WORDS = frozenset(
    [
        "auto",
        "bool",
        "char",
        "const",
        "double",
        "else",
        "float",
        "for",
        "if",
        "int",
        "long",
        "namespace",
        "return",
        "short",
        "signed",
        "static",
        "switch",
        "unsigned",
        "void",
        "while",
        # not of all that C++ reserves, but of what stands where a name might
        "alignas",
        "asm",
        "decltype",
        "explicit",
        "noexcept",
        "requires",
        "sizeof",
        "throw",
    ]
)
_NEWER = (
    (re.compile(rb"^[ \t]*((?:export\s+)?(?:module|import)\b[^;\n{}()=]*;)", re.MULTILINE), b""),
    (re.compile(rb"^[ \t]*(export)(?=\s+(?:\w|\{))", re.MULTILINE), b""),
    (re.compile(rb"\bif\s+(!?\s*consteval)\b"), b"(1)"),
    (re.compile(rb"\benum\b[\s\w]{0,200}(:[\s\w]{1,200})(?=\{)"), b""),
)
"""Modules and `if consteval`, which the grammar of C++ does not know, and an enum's type, which that of C does not."""
_IN_PARENTHESES = re.compile(r"\w+\s*\(\s*(\w+)\s*\)\s*\(")
_ARGUMENTS = re.compile(r"<[^<>]*>")


def _grammar(path: str, text: str) -> str:
    """Headers are of either language."""
    return "c" if path.endswith(".c") or (path.endswith(".h") and not _CPP_HEADER.search(text)) else "cpp"


def _plain(text: str) -> str:
    """A qualified name with dots, without template arguments."""
    operator = text.find("operator")
    head, tail = (
        (text, "")
        if operator < 0 or re.match(r"\w", text[operator + 8 : operator + 9])
        else (text[:operator], text[operator:])
    )
    while (shorter := _ARGUMENTS.sub("", head)) != head:
        head = shorter
    head = head.partition("<")[0]  # arguments with a comparison or a shift
    name = dotted(head, "::")
    tail = "".join(tail.split()) if not re.match(r"operator\s+\w", tail) else " ".join(tail.split())
    return f"{name}.{tail}" if name and tail else name or tail


def _declared(node: Any) -> Any:
    """The name that a declarator declares, through pointers, arrays and functions."""
    while node is not None and node.type.endswith("declarator"):
        inner = node.child_by_field_name("declarator")
        node = inner if inner is not None else next((c for c in node.named_children if "qualifier" not in c.type), None)
    return node


def _function_name(node: Any, text: Text) -> str | None:
    """The name, also where it stands in parentheses against macros; None for a word of the language, which no function is called."""
    declarator = node.child_by_field_name("declarator")
    name = _declared(declarator)
    if name is None:
        return None
    if text(name) in _WORDS:
        inner = _IN_PARENTHESES.match(text(declarator))
        return None if inner is None else inner[1]
    return _plain(text(name)) or None


def _class_name(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    if name is None and node.parent is not None and node.parent.type == "type_definition":
        name = _declared(node.parent.child_by_field_name("declarator"))
    return None if name is None else _plain(text(name))


def _field_names(node: Any, text: Text) -> list[str]:
    """The names of a line of fields; declarations of functions are none."""
    names = []
    for declarator in node.children_by_field_name("declarator"):
        inner = declarator
        while inner is not None and inner.type in ("pointer_declarator", "reference_declarator"):
            inner = inner.child_by_field_name("declarator")
        is_function = inner is not None and inner.type == "function_declarator"
        if is_function and inner.child_by_field_name("declarator").type != "parenthesized_declarator":
            continue  # not a pointer to one
        if (name := _declared(declarator)) is not None:
            names.append(text(name))
    return [name for name in names if name.isidentifier()]


def _is_static(node: Any, text: Text) -> bool:
    """A static function outside of a class is for its own file."""
    words = [text(child) for child in node.children if child.type == "storage_class_specifier"]
    return "static" in words and (node.parent is None or node.parent.type != "field_declaration_list")


def _class(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind, name=_class_name, needs_body=True)


def _called(node: Any, text: Text) -> tuple[str, ...] | None:
    if node is None:
        return None
    if node.type == "field_expression":
        own, name = node.child_by_field_name("argument"), node.child_by_field_name("field")
        if own is None or name is None or own.type not in ("this", "identifier"):
            return None
        return ("self" if own.type == "this" else text(own), _plain(text(name)))
    if node.type not in ("identifier", "qualified_identifier", "template_function", "type_identifier", "template_type"):
        return None
    return tuple(_plain(text(node)).split("."))


def _call(node: Any, text: Text) -> Callee | None:
    parts = _called(node.child_by_field_name("function"), text)
    return None if parts is None else Callee(parts)


def _new(node: Any, text: Text) -> Callee | None:
    parts = _called(node.child_by_field_name("type"), text)
    return None if parts is None else Callee(parts, makes=True)


def _include(node: Any, text: Text) -> Iterator[Import]:
    path = node.child_by_field_name("path")
    if path is not None and path.type == "string_literal":
        yield Import(text(path).strip('"'))


def _find_include(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Beside the file, or the only file of the project whose path ends so."""
    near = posixpath.normpath(posixpath.join(posixpath.dirname(path), each.target))
    if near in names.files:
        yield "", Binding((near,))
        return
    ending = "/" + posixpath.normpath(each.target)
    found = [other for other in names.named(ending.rpartition("/")[2]) if f"/{other}".endswith(ending)]
    if len(found) == 1:
        yield "", Binding((found[0],))


OUTLINE = Outline(
    grammar=_grammar,
    rules={
        "function_definition": Rule(node_type="Function", name=_function_name, is_private=_is_static),
        "preproc_function_def": Rule(node_type="Function", body=("value",)),
        "class_specifier": _class("class"),
        "struct_specifier": _class("struct"),
        "union_specifier": _class("union"),
        "enum_specifier": _class("enum"),
        "concept_definition": Rule(node_type="Class", kind="concept"),
        "namespace_definition": Rule(
            node_type="", name=lambda node, text: _plain(text(part_of(node, "name"))) if part_of(node, "name") else ""
        ),
        "field_declaration": Rule(node_type="Attribute", name=_field_names),
        "enumerator": Rule(node_type="Attribute"),
    },
    calls={"call_expression": _call, "new_expression": _new},
    imports={"preproc_include": _include},
    bases={"base_class_clause": children_texts("access_specifier", "virtual", "attribute_declaration")},
    locals={
        "init_declarator": ("declarator",),
        "declaration": ("declarator",),
        "parameter_declaration": ("declarator",),
        "optional_parameter_declaration": ("declarator",),
        "for_range_loop": ("declarator",),
    },
    wrappers=frozenset({"template_declaration", "type_definition"}),
    by_import=None,
    by_tail=True,
    module=lambda path, package: "",
    find_imports=_find_include,
    simplify=lambda source: without_macros(one_branch(rewritten(source, _NEWER))),
    reports_errors=False,
)
