"""What Rust has, by the names of its grammar's nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, name_parts

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_ARGUMENTS = re.compile(r"<[^<>]*>")
_SAFE = re.compile(rb"^([ \t]*(?:pub\b[ \t]*(?:\([^()\n]*\))?[ \t]*)?)safe(?=[ \t]+(?:fn|static)\b)", re.MULTILINE)
"""`safe fn` in an `unsafe extern`; the grammar does not know the word."""


def _type_name(node: Any, text: Text) -> str:
    """The last part of a type's name, without its arguments."""
    plain = text(node)
    while (shorter := _ARGUMENTS.sub("", plain)) != plain:
        plain = shorter
    return re.sub(r"^[&*\s]*(?:mut\s+|dyn\s+|const\s+)*", "", plain.rpartition("::")[2]).strip().replace(".", "")


def _name_in_impl(node: Any, text: Text) -> str | None:
    """`Type.method`, or `Type.Kind`, for what stands in an `impl` of the type."""
    name = node.child_by_field_name("name")
    if name is None:
        return None
    above = node.parent.parent if node.parent is not None else None
    if above is not None and above.type == "impl_item" and (kind := above.child_by_field_name("type")) is not None:
        return f"{_type_name(kind, text)}.{text(name)}"
    return text(name)


def _supertraits(node: Any, text: Text) -> list[str]:
    """What a trait asks for of those that have it; bounds of type parameters are none."""
    is_own = node.parent is not None and node.parent.type == "trait_item"
    return [_path(each, text) for each in node.named_children if each.type != "lifetime"] if is_own else []


def _path(node: Any, text: Text) -> str:
    """A path without what only leads to a module of the crate."""
    return re.sub(r"^(?:(?:crate|self|super)::)+", "", text(node))


def _implemented(node: Any, text: Text) -> Iterator[tuple[str, str]]:
    """The trait of an `impl`, for a type that has a plain name."""
    trait, kind = node.child_by_field_name("trait"), node.child_by_field_name("type")
    if trait is not None and kind is not None and kind.type in ("type_identifier", "generic_type"):
        yield _type_name(kind, text), _path(trait, text)


def _module_name(node: Any, text: Text) -> str | None:
    return text(node.child_by_field_name("name")) if node.child_by_field_name("body") is not None else None


def _macro_name(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    return None if name is None else text(name) + "!"


_MEMBERS = {"scoped_identifier": ("path", "name"), "field_expression": ("value", "field")}
_NAMES = frozenset({"identifier", "type_identifier", "crate", "super"})


def _call(node: Any, text: Text) -> Callee | None:
    function = node.child_by_field_name("function")
    if function is not None and function.type == "generic_function":
        function = function.child_by_field_name("function")
    parts = name_parts(function, text, _MEMBERS, _NAMES, frozenset({"self", "Self"}))
    if parts and function.type == "scoped_identifier" and text(function).startswith("self"):
        parts = parts[1:]  # the own module
    while parts and parts[0] in ("crate", "super"):
        parts = parts[1:]
    return Callee(parts) if parts else None


def _macro(node: Any, text: Text) -> Callee | None:
    name = node.child_by_field_name("macro")
    return Callee((text(name) + "!",)) if name is not None and name.type == "identifier" else None


def _mod(node: Any, text: Text) -> Iterator[Import]:
    name = node.child_by_field_name("name")
    if name is not None and node.child_by_field_name("body") is None:
        yield Import(text(name), text(name), kind="mod")


def _use(node: Any, text: Text) -> Iterator[Import]:
    argument = node.child_by_field_name("argument")
    pending = [] if argument is None else [(argument, "")]
    while pending:
        each, before = pending.pop()
        if each.type in ("use_list", "scoped_use_list"):
            path, items = each.child_by_field_name("path"), each.child_by_field_name("list") or each
            before = _joined(before, text(path)) if path is not None else before
            pending += [(child, before) for child in reversed(items.named_children)]
        elif each.type == "use_as_clause":
            path, alias = each.child_by_field_name("path"), each.child_by_field_name("alias")
            yield Import(_joined(before, text(path)), text(alias) if text(alias) != "_" else "")
        elif each.type == "use_wildcard":
            target = _joined(before, text(each.named_children[0])) if each.named_children else before
            yield Import(target, member="*")
        elif each.type in ("identifier", "scoped_identifier", "self", "crate", "super"):
            target = before if each.type == "self" and before else _joined(before, text(each))
            yield Import(target, target.rpartition(".")[2])


def _joined(before: str, path: str) -> str:
    path = "".join(path.split()).replace("::", ".").strip(".")
    return f"{before}.{path}" if before else path


def _crate(path: str) -> tuple[str, list[str]]:
    """The dotted name of the crate that a file belongs to, as its folder has it, and the path of the file's module in it."""
    parts = path.removesuffix(".rs").split("/")
    if "src" not in parts[:-1]:
        return ".".join(
            part.replace(".", "_") for part in parts
        ), []  # a test, an example, a build script: a crate each
    at = len(parts) - 1 - parts[::-1].index("src")
    root, inside = parts[:at], parts[at + 1 :]
    if inside[-1] in ("mod", "lib", "main"):
        inside = inside[:-1]
    return ".".join(part.replace(".", "_") for part in root), inside


def _module(path: str, package: str) -> str:
    root, inside = _crate(path)
    return ".".join(filter(None, (root, *inside)))


def _find_imports(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Modules and definitions of the own crate; what begins otherwise is another crate."""
    root, module = _crate(path)[0], names.modules[path]
    if each.kind == "mod":
        found = names.by_module.get(f"{module}.{each.target}" if module else each.target, ())
        if found:
            yield each.name, Binding(tuple(found))
        return
    head, *rest = each.target.split(".")
    if head == "crate":
        full = [root, *rest]
    elif head in ("self", "super"):
        full = module.split(".")
        for part in (head, *rest):
            if part == "super":
                full, rest = full[:-1], rest[1:]
            elif part != "self":
                break
        full = [*full, *(part for part in rest if part != "super")]
    else:
        full = [module, head, *rest]
    dotted = ".".join(filter(None, full))
    if dotted in names.by_module:
        yield each.name, Binding(tuple(names.by_module[dotted]))
    elif names.exact(dotted):
        yield each.name, Binding(dotted=dotted)
    elif head not in ("crate", "self", "super"):
        yield each.name, Binding()


def _item(kind: str) -> Rule:
    return Rule(node_type="Class", kind=kind)


_FUNCTION, _ATTRIBUTE = Rule(node_type="Function", name=_name_in_impl), Rule(node_type="Attribute")

OUTLINE = Outline(
    grammar=lambda path, text: "rust",
    rules={
        "function_item": _FUNCTION,
        "function_signature_item": _FUNCTION,
        "macro_definition": Rule(node_type="Function", name=_macro_name, body=("macro_rule",)),
        "struct_item": _item("struct"),
        "enum_item": _item("enum"),
        "union_item": _item("union"),
        "trait_item": _item("trait"),
        "type_item": Rule(node_type="Class", kind="type", name=_name_in_impl),
        "mod_item": Rule(node_type="", name=_module_name),
        "field_declaration": _ATTRIBUTE,
        "enum_variant": _ATTRIBUTE,
        "const_item": _ATTRIBUTE,
        "static_item": _ATTRIBUTE,
    },
    calls={"call_expression": _call, "macro_invocation": _macro},
    bases={"trait_bounds": _supertraits},
    promises={"impl_item": _implemented},
    interfaces=frozenset({"trait"}),
    by_import=True,
    imports={"mod_item": _mod, "use_declaration": _use},
    locals={
        "parameter": ("pattern",),
        "closure_parameters": ("*",),
        "let_declaration": ("pattern",),
        "let_condition": ("pattern",),
        "for_expression": ("pattern",),
        "match_pattern": ("*",),
    },
    leading=frozenset({"attribute_item"}),
    comments=frozenset({"line_comment", "block_comment"}),
    own=False,
    by_tail=True,
    module=_module,
    find_imports=_find_imports,
    simplify=lambda source: _SAFE.sub(lambda found: found[1] + b"    ", source),
)
