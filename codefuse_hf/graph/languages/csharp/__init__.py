"""C#: files to definitions and names, names to edges (`outline/`)."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.csharp.table import OUTLINE
    from codefuse_hf.graph.languages.outline.front_end import OutlineFrontEnd

    return OutlineFrontEnd("csharp", OUTLINE)


_KEYWORDS = """
    abstract as async await base bool break byte case catch char class const continue decimal default delegate
    do double else enum event explicit extern false finally fixed float for foreach get goto if implicit in
    init int interface internal is lock long namespace new null object operator out override params partial
    private protected public readonly record ref return sbyte sealed set short sizeof static string struct
    switch this throw true try typeof uint ulong unchecked unsafe ushort using var virtual void volatile when
    where while yield
"""

LANGUAGE = LanguageDescription(
    name="csharp",
    suffixes=(".cs",),
    front_end=_front_end,
    grammar="c_sharp",
    keywords=tuple(_KEYWORDS.split()),
)
