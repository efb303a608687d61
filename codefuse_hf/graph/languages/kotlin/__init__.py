"""Kotlin: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.kotlin.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd

    return OutlineFrontEnd("kotlin", OUTLINE)


_KEYWORDS = """
    abstract actual annotation as break by catch class companion const constructor continue crossinline data
    do dynamic else enum expect external false final finally for fun get if import in infix init inline inner
    interface internal is lateinit noinline null object open operator out override package private protected
    public reified return sealed set super suspend tailrec this throw true try typealias val var vararg when
    where while
"""

LANGUAGE = LanguageDescription(
    name="kotlin",
    suffixes=(
        ".kt",
        ".kts",
    ),
    front_end=_front_end,
    grammar="kotlin",
    keywords=tuple(_KEYWORDS.split()),
)
