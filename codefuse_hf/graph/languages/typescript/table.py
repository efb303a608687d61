"""What TypeScript has beside what JavaScript has."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from codefuse_hf.graph.languages.javascript.table import ATTRIBUTE, CLASS, METHOD, NEWER, RULES, WRAPPERS, field_rule
from codefuse_hf.graph.languages.javascript.table import OUTLINE as JAVASCRIPT
from codefuse_hf.graph.languages.outline.preprocessor import rewritten
from codefuse_hf.graph.languages.outline.table import Rule, Text, children_texts, promised

_NEWER = (
    *NEWER,
    (re.compile(rb"^[ \t]*export[ \t]+(type)(?=[ \t]*\*)", re.MULTILINE), b""),
    (re.compile(rb"[<,]\s*((?:in[ \t]+)?out|in)(?=[ \t]+[A-Z]\w*)"), b""),
    (re.compile(rb"[:|<,&(]\s*(import[ \t]*\(\s*_+\s*\)\s*\.)(?=\s*[A-Z])"), b""),
)
"""`export type *`, variance of type parameters (`<in out T>`), types out of modules (`import("…").Page`)."""


def _namespace(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    return None if name is None or name.type == "string" else text(name)


def _property(node: Any) -> Rule | None:
    """A property of an interface or of a named type, not of a type that is written in passing."""
    above = node.parent.parent if node.parent is not None else None
    return (
        ATTRIBUTE if above is not None and above.type in ("interface_declaration", "type_alias_declaration") else None
    )


def _method(node: Any) -> Rule | None:
    return METHOD if node.parent is not None and (node.parent.type == "class_body" or _property(node)) else None


def _ambient(node: Any) -> Rule | None:
    """A signature is a declaration of a function that is written elsewhere, or one of several of the function that follows."""
    above = node.parent
    while above is not None and above.type in ("statement_block", "export_statement", "module", "internal_module"):
        above = above.parent
    return Rule(node_type="Function") if above is not None and above.type == "ambient_declaration" else None


_NAMESPACE = Rule(node_type="", name=_namespace)

OUTLINE = replace(
    JAVASCRIPT,
    grammar=lambda path, text: "tsx" if path.endswith(".tsx") else "typescript",
    rules={
        **RULES,
        "abstract_class_declaration": CLASS,
        "interface_declaration": Rule(node_type="Class", kind="interface"),
        "enum_declaration": Rule(node_type="Class", kind="enum"),
        "type_alias_declaration": Rule(node_type="Class", kind="type", body=("value",)),
        "internal_module": _NAMESPACE,
        "module": _NAMESPACE,
        "public_field_definition": field_rule,
        "property_signature": _property,
        "method_signature": _method,
        "abstract_method_signature": METHOD,
        "function_signature": _ambient,
    },
    bases={**JAVASCRIPT.bases, "extends_type_clause": children_texts()},
    promises={"implements_clause": promised},
    wrappers=WRAPPERS | {"ambient_declaration"},
    simplify=lambda source: rewritten(source, _NEWER),
)
