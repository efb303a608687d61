"""The seam to tree-sitter: one function that parses, whatever grammar a language has.

Each grammar is a wheel of its own, `tree-sitter-<name>`, made by the grammar's authors.
Trees are walked with cursors and node accessors; no queries.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from typing import Any

from codefuse_hf.free_memory import give_back
from codefuse_hf.graph.languages.source_text import SourceText

_OF_SEVERAL = {
    "php": ("php", "language_php"),
    "typescript": ("typescript", "language_typescript"),
    "tsx": ("typescript", "language_tsx"),
}
"""Grammars whose wheel has several: the wheel's name and the function that gives this one."""


@cache
def _language(name: str) -> Any:
    """The grammar of a language; ImportError says what to install."""
    try:
        import tree_sitter
    except ImportError as error:
        raise ImportError(
            "code graphs need tree-sitter: install the extra with `pip install 'codefuse-hf[graph]'`"
        ) from error
    wheel, function = _OF_SEVERAL.get(name, (name, "language"))
    try:
        return tree_sitter.Language(getattr(importlib.import_module(f"tree_sitter_{wheel}"), function)())
    except (ImportError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ImportError(
            f"no grammar for {name!r} that the installed tree-sitter reads ({error}): install `{_wheel(name)}` with tree-sitter>=0.25"
        ) from error


def _wheel(name: str) -> str:
    return f"tree-sitter-{_OF_SEVERAL.get(name, (name,))[0].replace('_', '-')}"


def grammar_version(name: str) -> str:
    """Names the package that language `name`'s grammar comes from, with its version, or says that it is not installed."""
    wheel = _wheel(name)
    try:
        return f"{wheel} {importlib.metadata.version(wheel)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {wheel}"


def has_grammar(name: str) -> bool:
    """Tells whether sources in language `name` can be parsed here."""
    try:
        _language(name)
    except ImportError:
        return False
    return True


def new_parser(name: str) -> Any:
    """Makes a parser for language `name` (a grammar's name: `python`, `c_sharp`), to be used once: scanners may keep state from one file to the next."""
    language = _language(name)
    from tree_sitter import Parser

    return Parser(language)


def parse(name: str, source: SourceText | bytes) -> Any:
    """Parses `source` into a tree-sitter tree; byte offsets in it fit `source.utf8`."""
    data = source.parser_input if isinstance(source, SourceText) else source
    return new_parser(name).parse(data)


def passing_children(node: Any) -> Iterator[Any]:
    """Walks through the children of a node, one by one: what `node.children` gives, but the node does not keep them (and theirs) as long as it lives."""
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        yield cursor.node
        more = cursor.goto_next_sibling()


_LARGE = 1 << 20
"""Bytes of source from where on the memory of a tree (20 to 170 bytes per byte of it) is worth giving back."""


def give_back_memory(source: SourceText) -> None:
    """Has the allocator return what the tree of a large source took, once that is gone; glibc keeps the many small pieces of it otherwise."""
    if len(source.utf8) >= _LARGE:
        give_back()


def syntax_errors(tree: Any) -> Iterator[tuple[int, str]]:
    """Walks through a tree's syntax errors: byte offset and kind (`error` or `missing …`), in the order of the source."""
    cursor = tree.walk()
    while True:
        node = cursor.node
        if node.is_missing:
            yield node.start_byte, f"missing {node.type}"
        elif node.type == "ERROR":
            yield node.start_byte, "error"
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def first_error(tree: Any) -> tuple[int, str] | None:
    """Finds the byte offset and kind of a tree's first syntax error, None for a clean tree."""
    return next(syntax_errors(tree), None)


def count_errors(tree: Any) -> int:
    """Counts the syntax errors of a tree."""
    return sum(1 for _ in syntax_errors(tree))
