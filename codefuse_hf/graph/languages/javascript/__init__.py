"""JavaScript: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.javascript.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.typescript.table import OUTLINE as TYPESCRIPT

    return OutlineFrontEnd("javascript", OUTLINE, {"typescript": TYPESCRIPT})


_KEYWORDS = """
    async await break case catch class const continue debugger default delete do else export extends finally
    for from function get if import in instanceof let new null of return set static super switch this throw
    true false try typeof undefined var void while with yield
"""

LANGUAGE = LanguageDescription(
    name="javascript",
    suffixes=(
        ".js",
        ".jsx",
        ".mjs",
        ".cjs",
    ),
    front_end=_front_end,
    grammar="javascript",
    keywords=tuple(_KEYWORDS.split()),
    package_files=("index",),
)
