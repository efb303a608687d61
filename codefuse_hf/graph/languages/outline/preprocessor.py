"""Source as a grammar can read it that knows neither the newest syntax nor the preprocessor's results.

A grammar reads all branches of `#if` one after the other, and macros as if they were names; where a branch holds half a declaration, or a macro
stands where the language allows no name, whole classes get lost. What is taken out becomes blanks, so that every other byte keeps its place.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_HIDDEN = re.compile(
    rb"""//[^\n]* | /\*.*?(?:\*/|\Z) | (?:\bR"(?P<fence>[^()\s\\"]{0,16})\(.*?\)(?P=fence)") | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)
_DIRECTIVE = re.compile(rb"^[ \t]*#[ \t]*(\w+)((?:[^\n\\]|\\\r?\n|\\)*)", re.MULTILINE)
_BLANK = re.compile(rb"[^\n]")

_WORD = rb"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*\b"
_CALL = rb"(?:[ \t]*\((?:[^()]|\((?:[^()]|\([^()]{0,200}\)){0,200}\)){0,200}\))"
_MACRO = _WORD + _CALL + rb"?+"
_NAME = rb"~?[A-Za-z_][\w:]*(?:<[^;{}]{0,200}>(?:::\w+)*)?"
_NO_NAME = (
    rb"(?!(?:return|case|else|new|delete|throw|goto|sizeof|const|unsigned|signed|int|long|short|char|bool|float|double|void|auto|enum|struct|union|class"
    rb"|static|extern|inline|constexpr|constinit|volatile|mutable|register|typename)\b)"
)
_ALONE = re.compile(
    rb"(?:(?<=[;{}>:])|\A)\s*^[ \t]*(" + _MACRO + rb"(?:\s*\n[ \t]*" + _MACRO + rb")*)[ \t]*$(?!\s*[-+*/%&|^?=,.)\]<])",
    re.MULTILINE,
)
_IN_HEAD = re.compile(
    rb"\b(?:class|struct|union|enum)\b(?:\s+class\b)?\s+((?:\b[A-Z][A-Z0-9_]{2,}\b" + _CALL + rb"?+\s+|__\w+\s+|alignas" + _CALL + rb"\s*)+)"
    rb"(?=(?:\[\[[^\]]*\]\]\s*)*" + _NAME + rb"\s*(?:final\s*)?(?:\{|:[^:]))"
)  # fmt: skip
_BEHIND_PARAMETERS = re.compile(
    rb"\)\s*(?:(?:const|noexcept|override|final)\s*)*((?:\s*\b[A-Z][A-Z0-9_]{2,}\b" + _CALL + rb"?+)+)"
    rb"(?=\s*(?:\{|:[^:]|->|const\b|noexcept\b|override\b|final\b|=\s*(?:default|delete|0)))"
)
_BEHIND_NAME = re.compile(
    rb"[\w>*&\]]\s*[\s*&]\s*\b" + _NO_NAME + rb"\w+(?:\s*\[\w*\])?(\s+" + _MACRO + rb")(?=\s*[;={,)])"
)
_BEFORE_NAME = re.compile(
    rb"[\w>*&]\s+((?:" + _MACRO + rb"\s+)+)(?=" + _NAME + rb"\s*\((?:[^(){};]|\([^(){};]{0,200}\)){0,400}\)\s*\{)"
)
_BEFORE = re.compile(
    rb"(?:(?<=[;{}>:)])|\A|(?<=\binline)|(?<=\bstatic)|(?<=\bvoid))\s*("
    + _MACRO
    + rb")(?=\s+(?:"
    + _NAME
    + rb"[\s*&]+){0,6}"
    + _NAME
    + rb"\s*\()"
)
_OF_THE_COMPILER = re.compile(
    rb"\b(__(?:stdcall|cdecl|fastcall|vectorcall|thiscall|forceinline)|__declspec" + _CALL + rb")"
)
_DEEP = 20
"""Conditionals inside of so many others are left as they are."""
_CONTINUES = re.compile(rb"(?:else|catch|finally)\b")
_BEGINS_AMID, _ENDS_AMID = frozenset(b"{};,)]=|?.<>%^:"), frozenset(b";},:")


@dataclass
class _Group:
    """One `#if` to its `#endif`: where its directives stand."""

    condition: bytes
    directives: list[tuple[int, int]] = field(default_factory=list)


def rewritten(data: bytes, changes: Iterable[tuple[re.Pattern[bytes], bytes]]) -> bytes:
    """Puts something else in place of what the first groups of patterns match outside of comments and strings; the rest of the place becomes blank."""
    shown, out = _visible(data), bytearray(data)
    for pattern, text in changes:
        for found in pattern.finditer(shown):
            out[slice(*found.span(1))] = text + _blank(found[1])[len(text) :]
    return bytes(out)


def one_branch(data: bytes) -> bytes:
    """Leaves one branch of each `#if` whose branches are no whole declarations: the longest, never that of `#if 0`."""
    shown, out = bytearray(_visible(data)), bytearray(data)
    for group in _groups(bytes(shown)):
        spans = group.directives
        branches = [(end, start) for (_, end), (start, _) in itertools.pairwise(spans)]
        following = _DIRECTIVE.sub(b"", shown[spans[-1][1] : spans[-1][1] + 400]).lstrip()[:1]
        is_off = group.condition == b"0"
        if not is_off and all(_is_whole(shown[a:b], following) for a, b in branches):
            continue
        kept = max(branches[is_off:], key=lambda span: span[1] - span[0], default=None)
        for span in [*spans, *(branch for branch in branches if branch != kept)]:
            for text in (shown, out):
                text[slice(*span)] = _blank(bytes(text[slice(*span)]))
    return bytes(out)


def without_macros(data: bytes) -> bytes:
    """Takes out macros that stand where no name may: by their spelling in capitals with an underscore, and by their place.

    Those before a function become `inline`, so that the function begins where it does.
    """
    shown, out = bytearray(_DIRECTIVE.sub(_blank, _visible(data))), bytearray(data)
    for pattern in (_OF_THE_COMPILER, _ALONE, _IN_HEAD, _BEHIND_PARAMETERS, _BEHIND_NAME, _BEFORE_NAME):
        for found in pattern.finditer(bytes(shown)):
            for i in range(*found.span(1)):
                if not shown[i : i + 1].isspace():  # what is blank may be a directive
                    shown[i : i + 1] = out[i : i + 1] = b" "
    for found in _BEFORE.finditer(bytes(shown)):
        word = b"inline" if len(found[1]) >= 6 and b"\n" not in found[1] else b""
        out[slice(*found.span(1))] = word + _blank(found[1])[len(word) :]
    return bytes(out)


def _blank(text: bytes | re.Match[bytes]) -> bytes:
    return _BLANK.sub(b" ", text if isinstance(text, bytes) else text[0])


def _visible(data: bytes) -> bytes:
    """The source with comments blanked, and strings made of underscores."""

    def hide(found: re.Match[bytes]) -> bytes:
        return _blank(found) if found[0][:1] == b"/" else _BLANK.sub(b"_", found[0])

    return _HIDDEN.sub(hide, data)


def _groups(shown: bytes) -> Iterator[_Group]:
    """The conditionals that are closed, the inner ones before those around them."""
    opened: list[_Group] = []
    for found in _DIRECTIVE.finditer(shown):
        word = found[1]
        if word in (b"if", b"ifdef", b"ifndef"):
            opened.append(_Group(found[2].strip()))
        elif not opened or word not in (b"else", b"elif", b"elifdef", b"elifndef", b"endif"):
            continue
        opened[-1].directives.append(found.span())
        if word == b"endif":
            group = opened.pop()
            if len(opened) < _DEEP:
                yield group


def _is_whole(branch: bytearray, following: bytes) -> bool:
    """Whether a branch is made of whole declarations or statements, as far as signs tell."""
    text = _DIRECTIVE.sub(b"", branch).strip()
    if not text:
        return True
    if any(text.count(a) != text.count(b) for a, b in ((b"{", b"}"), (b"(", b")"))):
        return False
    if text[0] in _BEGINS_AMID or _CONTINUES.match(text) or text.endswith(b"),"):
        return False
    return text[-1] in _ENDS_AMID or (
        text[-1:] in (b")", b"]") and following not in (b"{", b":", b"=", b";", b",", b")")
    )
