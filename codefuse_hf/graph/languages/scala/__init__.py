"""Scala: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.scala.table import OUTLINE

    return OutlineFrontEnd("scala", OUTLINE)


_KEYWORDS = """
    abstract case catch class def do else enum export extends extension false final finally for forSome given
    if implicit import inline lazy macro match new null object opaque open override package private protected
    return sealed super then this throw trait transparent true try type using val var while with yield
"""

LANGUAGE = LanguageDescription(
    name="scala",
    suffixes=(
        ".scala",
        ".sc",
    ),
    front_end=_front_end,
    grammar="scala",
    keywords=tuple(_KEYWORDS.split()),
)
