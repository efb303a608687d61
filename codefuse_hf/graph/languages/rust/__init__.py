"""Rust: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.rust.table import OUTLINE

    return OutlineFrontEnd("rust", OUTLINE)


_KEYWORDS = """
    as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod
    move mut pub ref return self Self static struct super trait true type unsafe use where while
"""

LANGUAGE = LanguageDescription(
    name="rust",
    suffixes=(".rs",),
    front_end=_front_end,
    grammar="rust",
    keywords=tuple(_KEYWORDS.split()),
    package_files=("mod",),
)
