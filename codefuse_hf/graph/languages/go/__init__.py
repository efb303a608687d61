"""Go: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.go.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd

    return OutlineFrontEnd("go", OUTLINE)


_KEYWORDS = """
    break case chan const continue default defer else fallthrough false for func go goto if import interface
    map nil package range return select struct switch true type var
"""

LANGUAGE = LanguageDescription(
    name="go",
    suffixes=(".go",),
    front_end=_front_end,
    grammar="go",
    keywords=tuple(_KEYWORDS.split()),
    metadata=("go.mod",),
)
