"""PHP: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.php.table import OUTLINE

    return OutlineFrontEnd("php", OUTLINE)


_KEYWORDS = """
    abstract and array as break callable case catch class clone const continue declare default do echo else
    elseif empty enum extends false final finally fn for foreach function global goto if implements include
    include_once instanceof insteadof interface isset list match namespace new null or print private protected
    public readonly require require_once return self static switch throw trait true try unset use var while
    xor yield
"""

LANGUAGE = LanguageDescription(
    name="php",
    suffixes=(".php",),
    front_end=_front_end,
    grammar="php",
    keywords=tuple(_KEYWORDS.split()),
)
