"""TypeScript: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.typescript.table import OUTLINE

    return OutlineFrontEnd("typescript", OUTLINE)


_KEYWORDS = """
    async await break case catch class const continue debugger default delete do else export extends finally
    for from function get if import in instanceof let new null of return set static super switch this throw
    true false try typeof undefined var void while with yield abstract as any boolean declare enum implements
    interface keyof namespace never number private protected public readonly satisfies string type unknown
"""

LANGUAGE = LanguageDescription(
    name="typescript",
    suffixes=(
        ".ts",
        ".tsx",
        ".mts",
        ".cts",
    ),
    front_end=_front_end,
    grammar="typescript",
    keywords=tuple(_KEYWORDS.split()),
    package_files=("index",),
    resolved_with="javascript",
)
