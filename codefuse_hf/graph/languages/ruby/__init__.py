"""Ruby: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd
    from codefuse_hf.graph.languages.ruby.table import OUTLINE

    return OutlineFrontEnd("ruby", OUTLINE)


_KEYWORDS = """
    alias and begin BEGIN break case class def defined? do else elsif end END ensure extend false for if in
    include module next nil not or private protected public raise redo require require_relative rescue retry
    return self super then true undef unless until when while yield
"""

LANGUAGE = LanguageDescription(
    name="ruby",
    suffixes=(
        ".rb",
        ".rake",
        ".gemspec",
    ),
    front_end=_front_end,
    grammar="ruby",
    keywords=tuple(_KEYWORDS.split()),
    comment="#",
)
