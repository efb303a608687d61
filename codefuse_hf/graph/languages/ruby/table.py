"""What Ruby has, by the names of its grammar's nodes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.languages.outline.table import Binding, Callee, Import, Outline, Rule, Text, dotted, name_parts

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

_DECLARES = frozenset(
    {
        "method", "singleton_method", "method_parameters", "block_parameters", "lambda_parameters", "optional_parameter", "keyword_parameter",
        "splat_parameter", "hash_splat_parameter", "block_parameter", "destructured_parameter", "alias", "undef", "exception_variable",
        "left_assignment_list", "rest_assignment", "pair", "setter",
    }
)  # fmt: skip
"""Nodes in which an identifier is no call."""


def _name(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    return None if name is None else dotted(text(name), "::")


def _constant(node: Any) -> Rule | None:
    left = node.child_by_field_name("left")
    return Rule(node_type="Attribute", name="left") if left is not None and left.type == "constant" else None


def _parts(node: Any, text: Text) -> tuple[str, ...] | None:
    return name_parts(node, text, {"scope_resolution": ("scope", "name")}, frozenset({"constant"}), frozenset({"self"}))


def _call(node: Any, text: Text) -> Callee | None:
    receiver, method = node.child_by_field_name("receiver"), node.child_by_field_name("method")
    if method is None or method.type not in ("identifier", "constant"):
        return None
    if receiver is None:
        if text(method) == "new":
            return Callee(("self",), makes=True)
        return None if text(method) in ("require", "require_relative") else Callee((text(method),))
    parts = _parts(receiver, text)
    if parts is None:
        return None
    return Callee(parts, makes=True) if text(method) == "new" else Callee((*parts, text(method)))


def _bare(node: Any, text: Text) -> Callee | None:
    """An identifier that is no variable calls a method; whether it is one, resolution knows."""
    above = node.parent
    if above is None or above.type in _DECLARES:
        return None
    if above.type == "call" and above.child_by_field_name("method") == node:
        return None
    if above.type in ("assignment", "operator_assignment", "for") and above.named_children[0] == node:
        return None
    return Callee((text(node),))


def _require(node: Any, text: Text) -> Iterator[Import]:
    method, arguments = node.child_by_field_name("method"), node.child_by_field_name("arguments")
    if method is None or arguments is None or text(method) not in ("require", "require_relative"):
        return
    path = arguments.named_children[0] if arguments.named_children else None
    if path is not None and path.type == "string":
        yield Import(text(path).strip("\"'"), kind=text(method))


def _find_file(names: ProjectNames, path: str, each: Import) -> Iterator[tuple[str, Binding]]:
    """Beside the file, or for `require` in the only folder `lib` that has it."""
    target = each.target.removesuffix(".rb") + ".rb"
    if each.kind == "require_relative":
        found = [posixpath.normpath(posixpath.join(posixpath.dirname(path), target))]
    else:
        ending = "/lib/" + target
        found = [other for other in names.named(target.rpartition("/")[2]) if f"/{other}".endswith(ending)]
    if len(found) == 1 and found[0] in names.files:
        yield "", Binding((found[0],))


def _is_top(node: Any, text: Text) -> bool:
    """A method outside of all classes is taken to be for its own file: scripts and tests have many of the same name."""
    while (node := node.parent) is not None:
        if node.type in ("class", "module"):
            return False
    return True


_METHOD = Rule(node_type="Function", is_private=_is_top)

OUTLINE = Outline(
    grammar=lambda path, text: "ruby",
    rules={
        "class": Rule(node_type="Class", kind="class", name=_name),
        "module": Rule(node_type="Class", kind="module", name=_name),
        "method": _METHOD,
        "singleton_method": _METHOD,
        "assignment": _constant,
    },
    calls={"call": _call, "identifier": _bare},
    imports={"call": _require},
    locals={
        "assignment": ("left",),
        "operator_assignment": ("left",),
        "method_parameters": ("*",),
        "block_parameters": ("*",),
        "lambda_parameters": ("*",),
        "exception_variable": ("*",),
        "for": ("pattern",),
    },
    constructor="initialize",
    by_tail=True,
    find_imports=_find_file,
)
