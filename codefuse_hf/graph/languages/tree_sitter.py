"""The seam to tree-sitter: one function that parses, whichever of the two packagings of the grammars is installed.

`tree-sitter-languages` bundles grammars for tree-sitter < 0.22; the official wheels (`tree-sitter-python`, `tree-sitter-java`) need tree-sitter >= 0.23
and are preferred whenever they work, being newer and faster. Trees are walked with cursors and node accessors that both share; no queries.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.graph.memory import give_back


@cache
def _language(name: str) -> tuple[Any, str]:
    """The grammar and where it came from (`official` or `bundled`)."""
    try:
        import tree_sitter
    except ImportError as error:
        raise ImportError(
            "code graphs need tree-sitter: install the extra with `pip install 'codefuse-hf[graph]'`"
        ) from error
    try:
        module = importlib.import_module(f"tree_sitter_{name}")
        language = tree_sitter.Language(module.language())
        _new_parser(language)
        return language, "official"
    except (ImportError, TypeError, ValueError):
        pass  # not installed, or a tree-sitter too old for it: TypeError, or ValueError for another grammar ABI
    try:
        languages = importlib.import_module("tree_sitter_languages")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the bundle calls the deprecated Language(path, name)
            return languages.get_language(name), "bundled"
    except (ImportError, TypeError) as error:
        raise ImportError(
            f"no tree-sitter grammar for {name!r} fits the installed tree-sitter: install `tree-sitter-{name}` with "
            "tree-sitter>=0.23, or `tree-sitter-languages` with tree-sitter<0.22"
        ) from error


def grammar_source(name: str) -> str:
    """`official` or `bundled`: which packaging of the grammar of language `name` is in use; ImportError without any."""
    return _language(name)[1]


def new_parser(name: str) -> Any:
    """A parser for language `name` (`python`, `java`), to be used once.

    A scanner of the bundled grammars remembers an unfinished f-string of one file into the next, whose tree then depends on what was parsed before.
    """
    return _new_parser(_language(name)[0])


def _new_parser(language: Any) -> Any:
    from tree_sitter import Parser

    if not hasattr(Parser, "set_language"):
        return Parser(language)
    parser = Parser()  # before 0.22 it takes and ignores any argument
    parser.set_language(language)
    return parser


def parse(name: str, source: SourceText | bytes) -> Any:
    """The tree-sitter tree of `source`; byte offsets in it fit `source.utf8`."""
    data = source.parser_input if isinstance(source, SourceText) else source
    return new_parser(name).parse(data)


def passing_children(node: Any) -> Iterator[Any]:
    """The children of a node, one by one: what `node.children` gives, but the node does not keep them (and theirs) as long as it lives."""
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


def first_error(tree: Any) -> tuple[int, str] | None:
    """Byte offset and kind (`error` or `missing …`) of a tree's first syntax error, None for a clean tree."""
    if not tree.root_node.has_error:
        return None
    cursor = tree.walk()
    while True:
        node = cursor.node
        if node.is_missing:
            return node.start_byte, f"missing {node.type}"
        if node.type == "ERROR":
            return node.start_byte, "error"
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return None
