"""What Go has, by the names of its grammar's nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.preprocessor import rewritten
from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, name_parts

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_MODULE = re.compile(r'^\s*module\s+"?([^\s"]+)', re.MULTILINE)
_VERSION = re.compile(r"/v\d+$|\.v\d+$")
_NEW = re.compile(rb"\b(n)ew(?=\()")
"""`new(1)`: to the grammar, `new` has a type behind it."""
_KINDS = {"struct_type": "struct", "interface_type": "interface"}
_TYPES = {kind: Rule(node_type="Class", kind=kind, body=("type",)) for kind in ("struct", "interface", "type")}


def _type_rule(node: Any) -> Rule:
    kind = node.child_by_field_name("type")
    return _TYPES[_KINDS.get(kind.type, "type") if kind is not None else "type"]


def _receiver(node: Any) -> Any:
    receiver = node.child_by_field_name("receiver")
    return receiver.named_children[0] if receiver is not None and receiver.named_children else None


def _method_name(node: Any, text: Text) -> str | None:
    """`Type.method`: a method stands beside its type, not inside."""
    name, receiver = node.child_by_field_name("name"), _receiver(node)
    if name is None or receiver is None:
        return None
    kind = receiver.child_by_field_name("type")
    while kind is not None and kind.type in ("pointer_type", "generic_type", "parenthesized_type"):
        kind = kind.named_children[0] if kind.named_children else None
    return text(name) if kind is None else f"{text(kind)}.{text(name)}"


def _own_name(node: Any, text: Text) -> str | None:
    receiver = _receiver(node)
    name = receiver.child_by_field_name("name") if receiver is not None else None
    return None if name is None else text(name)


def _names(node: Any, text: Text) -> list[str]:
    return [name for each in node.children_by_field_name("name") if (name := text(each)) != "_"]


def _call(node: Any, text: Text) -> Callee | None:
    function = node.child_by_field_name("function")
    if function is not None and function.type == "index_expression":  # `make[int](x)`
        function = function.child_by_field_name("operand")
    parts = name_parts(
        function, text, {"selector_expression": ("operand", "field")}, frozenset({"identifier"}), frozenset()
    )
    return None if parts is None else Callee(parts)


def _converted(node: Any, text: Text) -> Callee | None:
    """`make[int](x)`, which the grammar takes for a conversion."""
    kind = node.child_by_field_name("type")
    name = kind.child_by_field_name("type") if kind is not None and kind.type == "generic_type" else None
    return None if name is None else Callee(tuple(text(name).split(".")))


def _import(node: Any, text: Text) -> Iterator[Import]:
    path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
    if path is not None:
        target = text(path).strip('"`')
        alias = _VERSION.sub("", target).rpartition("/")[2] if name is None else text(name)
        yield Import(target, "" if alias in ("_", ".") else alias)


def _find_package(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """The files of a package of the project's own modules, as go.mod names them."""
    for file, text in names.metadata.items():
        module = _MODULE.search(text)
        if module is None or not (each.target == module[1] or each.target.startswith(module[1] + "/")):
            continue
        below = each.target[len(module[1]) + 1 :]
        folder = "/".join(filter(None, (file.rpartition("/")[0], below)))
        found = tuple(other for other in names.folders.get(folder, ()) if not other.endswith("_test.go"))
        if found:
            yield each.name, Binding(found)
            return
    yield each.name, Binding()


_FUNCTION, _SPEC = Rule(node_type="Function"), Rule(node_type="Attribute", name=_names)

OUTLINE = Outline(
    grammar=lambda path, text: "go",
    rules={
        "type_spec": _type_rule,
        "type_alias": _TYPES["type"],
        "function_declaration": _FUNCTION,
        "method_declaration": Rule(node_type="Function", name=_method_name, own_name=_own_name),
        "method_elem": _FUNCTION,
        "field_declaration": _SPEC,
        "const_spec": _SPEC,
        "var_spec": _SPEC,
    },
    calls={"call_expression": _call, "type_conversion_expression": _converted},
    imports={"import_spec": _import},
    locals={
        "parameter_declaration": ("name",),
        "variadic_parameter_declaration": ("name",),
        "short_var_declaration": ("left",),
        "var_spec": ("name",),
        "const_spec": ("name",),
        "range_clause": ("left",),
        "receive_statement": ("left",),
        "type_switch_statement": ("alias",),
    },
    wrappers=frozenset({"type_declaration", "const_declaration", "var_declaration", "var_spec_list"}),
    own=False,
    module=lambda path, package: path.rpartition("/")[0].replace("/", "."),
    find_imports=_find_package,
    simplify=lambda source: rewritten(source, ((_NEW, b"_"),)),
)
