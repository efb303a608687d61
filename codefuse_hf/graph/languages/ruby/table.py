"""What Ruby has, by the names of its grammar's nodes."""

from __future__ import annotations

import posixpath
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
    children_texts,
    dotted,
    name_parts,
)

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


_ENDLESS = re.compile(
    rb"^([ \t]*(?:\w+[ \t]+)?def[ \t]+[\w.]+[?!]?(?:\([^()\n]*\))?[ \t]*=[ \t]*[a-z_]\w*[?!]?)[ \t](?=[ \t]*[\w:@\"'\[])([^\n]*)",
    re.MULTILINE,
)
"""`def show = puts "all", 1`: a body that is a call without parentheses."""
_BETWEEN = re.compile(rb",|=>|\b\w+:(?=\s)")


def _simpler(source: bytes) -> bytes:
    """Makes sums of calls that the grammar does not know; every byte that stays keeps its place."""

    def between(found: re.Match[bytes]) -> bytes:
        return b" " * len(found[0]) if found[0].endswith(b":") else b"+".ljust(len(found[0]))

    return _ENDLESS.sub(lambda found: found[1] + b"+" + _BETWEEN.sub(between, found[2]), source)


def _name(node: Any, text: Text) -> str | None:
    name = node.child_by_field_name("name")
    return None if name is None else dotted(text(name), "::")


_MADE = {
    ("Data", "define"): "data",
    ("Struct", "new"): "struct",
    ("Class", "new"): "class",
    ("Module", "new"): "module",
}
"""What makes a class or a module, by receiver and method."""


def _constant(node: Any) -> Rule | None:
    """A constant, or a class that is made: `Point = Data.define(:x) do … end`."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or left.type != "constant":
        return None
    if right is not None and right.type == "call":
        made = [right.child_by_field_name(name) for name in ("receiver", "method")]
        kind = _MADE.get(tuple("" if each is None else each.text.decode("utf-8", "replace") for each in made))
        if kind is not None:
            return Rule(node_type="Class", kind=kind, name="left")
    return Rule(node_type="Attribute", name="left")


def _parts(node: Any, text: Text) -> tuple[str, ...] | None:
    return name_parts(node, text, {"scope_resolution": ("scope", "name")}, frozenset({"constant"}), frozenset({"self"}))


def _call(node: Any, text: Text) -> Callee | None:
    receiver, method = node.child_by_field_name("receiver"), node.child_by_field_name("method")
    if method is not None and method.type == "super":
        return Callee(("super",))
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
    if above is None or (above.type in _DECLARES and above.child_by_field_name("body") != node):
        return None
    if above.type == "call" and above.child_by_field_name("method") == node:
        return None
    if above.type in ("assignment", "operator_assignment", "for") and above.named_children[0] == node:
        return None
    return Callee((text(node),))


def _super(node: Any, text: Text) -> Callee | None:
    """`super` alone, with the caller's arguments; one with arguments is a call."""
    above = node.parent
    return None if above is not None and above.type == "call" else Callee(("super",))


def _require(node: Any, text: Text) -> Iterator[Import]:
    method, arguments = node.child_by_field_name("method"), node.child_by_field_name("arguments")
    if method is None or arguments is None or text(method) not in ("require", "require_relative"):
        return
    path = arguments.named_children[0] if arguments.named_children else None
    if path is not None and path.type == "string":
        yield Import(text(path).strip("\"'"), kind=text(method))


def _included(node: Any, text: Text) -> list[str]:
    """What `include`, `prepend` and `extend` name."""
    method, arguments = node.child_by_field_name("method"), node.child_by_field_name("arguments")
    if method is None or arguments is None or text(method) not in ("include", "prepend", "extend"):
        return []
    return [text(each) for each in arguments.named_children if each.type in ("constant", "scope_resolution")]


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
    calls={"call": _call, "identifier": _bare, "super": _super},
    imports={"call": _require},
    bases={"superclass": children_texts(), "call": _included},
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
    simplify=_simpler,
)
