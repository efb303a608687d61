"""What a language is to the outline: which syntax nodes define something, which call, which import, and how names are found.

A table is data and a few small functions of one syntax node; it knows neither other files nor types. The engine (`reading.py`, `resolution.py`) is the
same for all languages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.outline.names import ProjectNames

Text = Callable[[Any], str]
"""Gives the source of a syntax node."""


class Callee(NamedTuple):
    """What a call names.

    Attributes:
        parts: the name, part by part; `self` as first part is the object or class that the code belongs to, `super` what that has from its bases (`super`
            alone: under the calling function's own name).
        makes: whether the name is that of a class, of which an object is made.
    """

    parts: tuple[str, ...]
    makes: bool = False


class Import(NamedTuple):
    """What a file takes from elsewhere.

    Attributes:
        target: a path or a dotted name, as the language has it.
        name: the name it has in this file, "" for none.
        member: what of the target it is: a name, "" for the target itself, "*" for all.
        kind: for the language's own use.
    """

    target: str
    name: str = ""
    member: str = ""
    kind: str = ""


class Binding(NamedTuple):
    """What an imported name stands for; with neither files nor a dotted name, for something outside of the project.

    Attributes:
        paths: files of the project.
        member: what of their definitions it is, "" for all of them.
        dotted: the full dotted name of a definition, or the beginning of one.
    """

    paths: tuple[str, ...] = ()
    member: str = ""
    dotted: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one type of syntax node defines.

    Attributes:
        node_type: `Class`, `Function` or `Attribute`; "" for what has a name and members but no node of its own, such as a namespace.
        kind: the kind of a class (`struct`); the type of an attribute is read from its field `type`.
        name: the field that holds the name, or a function of node and text: a name, several (attributes), "" where the parts inside have the
            names they would have without it, or None where the node defines nothing. A dot in it tells the class that a function belongs to.
        body: the field, or the types of children, that hold the body. The header ends before it.
        needs_body: whether it is a definition only with a body (a declaration otherwise).
        own_name: the name that a function has for its own object, where it is not the same in all functions.
        is_object: whether a class is one object, from which nothing can inherit.
        is_private: tells of a node whether other files cannot see the function.
    """

    node_type: str
    kind: str = ""
    name: str | Callable[[Any, Text], str | Iterable[str] | None] = "name"
    body: tuple[str, ...] = ("body",)
    needs_body: bool = False
    own_name: Callable[[Any, Text], str | None] = lambda node, text: None
    is_object: bool = False
    is_private: Callable[[Any, Text], bool] = lambda node, text: False


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The table of one language (or of two that share files, as C and C++ share headers).

    Attributes:
        grammar: chooses the grammar for a file, by its path and text.
        rules: definitions by type of syntax node, or what chooses one by looking at the node.
        calls: by type of syntax node, reads what is called; None for what cannot be known.
        imports: by type of syntax node, reads what is imported.
        bases: by type of syntax node in a class (or of the class), reads what the class has its members from, as it is written there.
        promises: by type of syntax node, reads what the class around, or one that is named, says it has the functions of without having any of them from it:
            that class's name, "" for the class around, and the name of the interface.
        interfaces: kinds of classes that others implement; whatever else a class names as its base it extends.
        by_import: whether a class of another module has to be imported by its name before it can be named; False where all names of a package may be
            taken, and those around the file's own are there; None where files are included, so that it may be any class.
        package: by type of syntax node, reads the dotted name of the package or namespace that all of the file belongs to.
        locals: by type of syntax node, the fields or types of children (or "*" for the node itself) whose identifiers are names of parameters and
            variables of the function around them.
        local_types: types of the identifiers in there.
        parameters: the field, or types of children, that hold a function's parameters.
        nameless: types of syntax nodes that make an object of a class without a name; only inside of it are its functions known.
        wrappers: types of syntax nodes that belong to the one definition inside them (`export`, `template<…>`).
        leading: types of syntax nodes that belong to the definition behind them (attributes, decorators).
        comments: types of comments.
        own: whether functions call others of their class without naming an object.
        constructor: the name of the function that runs when an object is made; "" for that of the class.
        by_tail: whether a qualified name (`A.b`) means the only definition of the project whose dotted name ends so.
        module: the dotted name that a file's definitions have before their own, from its path and package; files that have the same see each
            other's functions without an import.
        find_imports: finds what an import of a file leads to: names in the file, "" for none, with what they stand for.
        prepare: makes of source that the grammar misreads without saying so, one that it reads, every byte in its place.
        simplify: makes of source that the grammar does not read, one that it may read better, every remaining byte in its place.
        reports_errors: whether code that the grammar does not read is worth a diagnostic; where macros change the syntax it is not.
    """

    grammar: Callable[[str, str], str]
    rules: Mapping[str, Rule | Callable[[Any], Rule | None]]
    calls: Mapping[str, Callable[[Any, Text], Callee | None]] = field(default_factory=dict)
    imports: Mapping[str, Callable[[Any, Text], Iterable[Import]]] = field(default_factory=dict)
    bases: Mapping[str, Callable[[Any, Text], Iterable[str]]] = field(default_factory=dict)
    promises: Mapping[str, Callable[[Any, Text], Iterable[tuple[str, str]]]] = field(default_factory=dict)
    interfaces: frozenset[str] = frozenset({"interface"})
    by_import: bool | None = False
    package: Mapping[str, Callable[[Any, Text], str]] = field(default_factory=dict)
    locals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    local_types: frozenset[str] = frozenset({"identifier"})
    parameters: tuple[str, ...] = ("parameters",)
    nameless: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    leading: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    own: bool = True
    constructor: str = ""
    by_tail: bool = False
    module: Callable[[str, str], str] = lambda path, package: package
    find_imports: Callable[[ProjectNames, str, Import], Iterable[tuple[str, Binding]]] | None = None
    prepare: Callable[[bytes], bytes] | None = None
    simplify: Callable[[bytes], bytes] | None = None
    reports_errors: bool = True


def dotted(text: str, separator: str) -> str:
    """Writes a qualified name with dots and without blanks, whatever the language separates its parts with."""
    return ".".join(part.strip() for part in text.replace(separator, ".").split(".") if part.strip())


def children_texts(*left_out: str) -> Callable[[Any, Text], list[str]]:
    """Makes a reader of the texts of a node's children, but for those of the types named."""
    return lambda node, text: [text(child) for child in node.named_children if child.type not in (*left_out, "comment")]


def promised(node: Any, text: Text) -> list[tuple[str, str]]:
    """Reads a list of the interfaces that the class around says it has."""
    return [("", text(child)) for child in node.named_children if child.type != "comment"]


def part_of(node: Any, *fields: str) -> Any:
    """Returns the first child that is there, by field or type; None for none."""
    for name in fields:
        child = node.child_by_field_name(name)
        if child is not None:
            return child
    return next((child for child in node.named_children if child.type in fields), None)


def name_parts(
    node: Any, text: Text, members: Mapping[str, tuple[str, str]], names: frozenset[str], own: frozenset[str]
) -> tuple[str, ...] | None:
    """Reads a qualified name (`a.b.c`), None where something else is in it.

    Args:
        members: fields of the left and the right side, by the type of the syntax node.
        names: types of syntax nodes that are names.
        own: what the code calls its own object or class, as text; it is `self` in the result.
    """
    parts: list[str] = []
    while node is not None and node.type in members:
        left, right = members[node.type]
        last = node.child_by_field_name(right)
        if last is None:
            return None
        parts.append(text(last))
        node = node.child_by_field_name(left)
    if node is None:
        return None
    first = text(node)
    if first in own:
        parts.append("self")
    elif node.type in names:
        parts.append(first)
    else:
        return None
    return tuple(reversed(parts))
