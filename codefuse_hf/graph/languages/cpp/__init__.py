"""C++: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.c.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd

    return OutlineFrontEnd("cpp", OUTLINE)


_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile
    while alignas bool catch class co_await co_return co_yield concept consteval constexpr constinit
    const_cast decltype delete dynamic_cast explicit export false final friend mutable namespace new noexcept
    nullptr operator override private protected public reinterpret_cast requires static_assert static_cast
    template this throw true try typeid typename using virtual
"""

LANGUAGE = LanguageDescription(
    name="cpp",
    suffixes=(
        ".cc",
        ".cpp",
        ".cxx",
        ".c++",
        ".hh",
        ".hpp",
        ".hxx",
        ".h++",
        ".ipp",
        ".tpp",
        ".cppm",
        ".ixx",
        ".cu",
        ".cuh",
    ),
    front_end=_front_end,
    grammar="cpp",
    keywords=tuple(_KEYWORDS.split()),
    resolved_with="c",
)
