"""C: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.c.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd

    return OutlineFrontEnd("c", OUTLINE, {"cpp": OUTLINE})


_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile
    while
"""

LANGUAGE = LanguageDescription(
    name="c",
    suffixes=(
        ".c",
        ".h",
    ),
    front_end=_front_end,
    grammar="c",
    keywords=tuple(_KEYWORDS.split()),
)
