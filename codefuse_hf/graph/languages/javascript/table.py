"""What JavaScript has, by the names of its grammar's nodes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.preprocessor import rewritten
from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, name_parts, part_of

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

NEWER = (
    (re.compile(rb"^[ \t]*(?:static[ \t]+)?(accessor)(?=[ \t]+#?\w)", re.MULTILINE), b""),
    (re.compile(rb"^[ \t]*import[ \t]+(defer|source)(?=[ \t]+[\w*])", re.MULTILINE), b""),
)
"""Newer words that the grammar takes for names."""
FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_MEMBERS = {"member_expression": ("object", "property")}
_NAMES = frozenset({"identifier"})
_CALLED = _NAMES | {"super"}
_SUFFIXES = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_COMPILED = {
    ".js": (".ts", ".tsx", ".js", ".jsx"),
    ".jsx": (".tsx", ".jsx"),
    ".mjs": (".mts", ".mjs"),
    ".cjs": (".cts", ".cjs"),
}


def _class_name(node: Any, text: Text) -> str | None:
    """The name of a class, or of the variable that a class without name is assigned to."""
    name = node.child_by_field_name("name")
    if name is None and node.parent is not None and node.parent.type == "variable_declarator":
        name = node.parent.child_by_field_name("name")
    return None if name is None else text(name)


def _assigned_name(node: Any, text: Text) -> str | None:
    """The name in `a.b = function …`; `A.prototype.b` belongs to A, what is exported to the file."""
    left = node.child_by_field_name("left")
    parts = name_parts(left, text, _MEMBERS, _NAMES, frozenset({"this"})) if left is not None else None
    if parts is None:
        return None
    parts = tuple(part for part in parts if part not in ("module", "exports", "prototype", "self"))
    return ".".join(parts) if parts else "default"


def _key(node: Any, text: Text) -> str | None:
    """The name of a member of a class or an object, where it is a plain one."""
    name = part_of(node, "name", "property", "key")
    if name is None or name.type not in ("property_identifier", "private_property_identifier", "string", "number"):
        return None
    return text(name).strip("\"'")


FUNCTION = Rule(node_type="Function")
METHOD = Rule(node_type="Function", name=_key)
CLASS = Rule(node_type="Class", kind="class", name=_class_name)
ATTRIBUTE = Rule(node_type="Attribute", name=_key)


def has_function(node: Any, field: str) -> bool:
    """Tells whether the value of a node is a function."""
    value = node.child_by_field_name(field)
    return value is not None and value.type in FUNCTIONS


def _declarator(node: Any) -> Rule | None:
    return FUNCTION if has_function(node, "value") and node.child_by_field_name("name").type == "identifier" else None


def field_rule(node: Any) -> Rule:
    """Takes a field that holds a function for a function."""
    return METHOD if has_function(node, "value") else ATTRIBUTE


_ASSIGNED = Rule(node_type="Function", name=_assigned_name, body=("right",))

RULES = {
    "class_declaration": CLASS,
    "class": CLASS,
    "function_declaration": FUNCTION,
    "generator_function_declaration": FUNCTION,
    "method_definition": METHOD,
    "variable_declarator": _declarator,
    "field_definition": field_rule,
    "assignment_expression": lambda node: _ASSIGNED if has_function(node, "right") else None,
    "pair": lambda node: METHOD if has_function(node, "value") else None,
}


def _call(node: Any, text: Text) -> Callee | None:
    function = node.child_by_field_name("function")
    parts = name_parts(function, text, _MEMBERS, _CALLED, frozenset({"this"}))
    return None if parts is None or parts == ("require",) else Callee(parts)


def _new(node: Any, text: Text) -> Callee | None:
    parts = name_parts(node.child_by_field_name("constructor"), text, _MEMBERS, _NAMES, frozenset())
    return None if parts is None else Callee(parts, makes=True)


CALLS = {"call_expression": _call, "new_expression": _new}


def _heritage(node: Any, text: Text) -> list[str]:
    """What stands behind `extends`; a call, such as `mixin(Base)`, is no name."""
    clause = part_of(node, "extends_clause") or node
    value = clause.child_by_field_name("value") or next(iter(clause.named_children), None)
    if value is None or value.type == "implements_clause":
        return []
    return [text(value) if value.type in ("identifier", "member_expression") else ""]


def _string(node: Any, text: Text) -> str:
    return text(node).strip("\"'`") if node is not None and node.type in ("string", "template_string") else ""


def _names_in(node: Any, text: Text) -> Iterator[tuple[str, str]]:
    """Name in the file and name elsewhere, of `{a, b as c}` and of `{a, b: c}`."""
    for each in node.named_children:
        if each.type in ("import_specifier", "export_specifier"):
            name, alias = each.child_by_field_name("name"), each.child_by_field_name("alias")
            yield text(name if alias is None else alias), text(name)
        elif each.type == "shorthand_property_identifier_pattern":
            yield text(each), text(each)
        elif each.type == "pair_pattern" and each.child_by_field_name("value").type == "identifier":
            yield text(each.child_by_field_name("value")), text(each.child_by_field_name("key"))


def _import_statement(node: Any, text: Text) -> Iterator[Import]:
    clause = part_of(node, "import_clause", "import_require_clause")
    source = node.child_by_field_name("source") or (clause and clause.child_by_field_name("source"))
    target = _string(source, text)
    yield Import(target)
    for each in clause.named_children if clause is not None else ():
        if each.type == "identifier":
            yield Import(target, text(each), "" if clause.type == "import_require_clause" else "default")
        elif each.type == "namespace_import":
            yield Import(target, text(each.named_children[-1]))
        elif each.type == "named_imports":
            yield from (Import(target, name, member) for name, member in _names_in(each, text))


def _require(node: Any, text: Text) -> Iterator[Import]:
    """`require("…")` and `import("…")`, with the names that the result gets."""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None or text(function) not in ("require", "import"):
        return
    target = _string(arguments.named_children[0], text) if arguments.named_children else ""
    if not target:
        return
    yield Import(target)
    parent, member = node.parent, ""
    if parent is not None and parent.type == "member_expression":  # require("…").name
        member, parent = text(parent.child_by_field_name("property")), parent.parent
    name = parent.child_by_field_name("name") if parent is not None and parent.type == "variable_declarator" else None
    if name is not None and name.type == "identifier":
        yield Import(target, text(name), member)
    elif name is not None and not member:
        yield from (Import(target, own, member) for own, member in _names_in(name, text))


def _export(node: Any, text: Text) -> Iterator[Import]:
    """What a file offers under another name, and what it hands on."""
    source = _string(node.child_by_field_name("source"), text)
    if source:
        yield Import(source)
    clause = part_of(node, "export_clause")
    if clause is not None:
        yield from (Import(source, name, member, "export") for name, member in _names_in(clause, text))
    elif source and part_of(node, "namespace_export") is None:
        yield Import(source, "*", "*", "export")
    if any(child.type == "default" for child in node.children):
        value = part_of(node, "value", "declaration")
        name = value if value is None or value.type == "identifier" else value.child_by_field_name("name")
        if name is not None:
            yield Import("", "default", text(name), "export")


def _module_exports(node: Any, text: Text) -> Iterator[Import]:
    """`module.exports = name`."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if (
        left is not None
        and right is not None
        and right.type == "identifier"
        and text(left) in ("module.exports", "exports")
    ):
        yield Import("", "default", text(right), "export")


IMPORTS = {
    "import_statement": _import_statement,
    "call_expression": _require,
    "export_statement": _export,
    "assignment_expression": _module_exports,
}


def find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Tells what is imported from a relative path; all else is outside of the project."""
    if not each.target:
        return
    file = _file(names, path, each.target) if each.target.startswith(".") else None
    member = "" if each.member == "*" else each.member
    yield each.name, Binding() if file is None else Binding((file,), member)


def _file(names: ProjectNames, path: str, target: str) -> str | None:
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    stem, suffix = posixpath.splitext(place)
    candidates = [place, *(stem + each for each in _COMPILED.get(suffix, ()))]
    candidates += [place + each for each in _SUFFIXES]
    candidates += [posixpath.join(place, "index" + each).removeprefix("./") for each in _SUFFIXES]
    return next((each for each in candidates if each in names.files), None)


LOCALS = {
    "variable_declarator": ("name",),
    "formal_parameters": ("*",),
    "arrow_function": ("parameter",),
    "catch_clause": ("parameter",),
    "for_in_statement": ("left",),
}
LOCAL_TYPES = frozenset({"identifier", "shorthand_property_identifier_pattern"})
WRAPPERS = frozenset(
    {
        "export_statement",
        "lexical_declaration",
        "variable_declaration",
        "using_declaration",
        "variable_declarator",
        "expression_statement",
    }
)

OUTLINE = Outline(
    grammar=lambda path, text: "javascript",
    rules=RULES,
    calls=CALLS,
    imports=IMPORTS,
    bases={"class_heritage": _heritage},
    locals=LOCALS,
    local_types=LOCAL_TYPES,
    parameters=("parameters", "parameter"),
    nameless=frozenset({"class"}),
    wrappers=WRAPPERS,
    leading=frozenset({"decorator"}),
    by_import=True,
    own=False,
    constructor="constructor",
    module=lambda path, package: path.replace(".", "/"),
    find_imports=find_imports,
    simplify=lambda source: rewritten(source, NEWER),
)
