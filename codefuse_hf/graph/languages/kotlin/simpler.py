"""Kotlin as the grammar can read it that does not know all of the language's newer syntax; every byte that stays keeps its place."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    rb'//[^\n]*|/\*.*?(?:\*/|\Z)|""".*?(?:"""+|\Z)|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)
_BLANK = re.compile(rb"[^\n]")
_IN_PARENTHESES = rb"\((?:[^()]|\((?:[^()]|\([^()]{0,200}\)){0,200}\)){0,4000}\)"
_BEFORE_DEFINITION = (
    rb"@|(?:public|private|internal|protected|open|abstract|final|override|inline|suspend|operator|infix|tailrec|external|expect|actual|data|fun|val|var"
    rb"|class|interface|object)\b"
)

_CONTEXT = re.compile(
    rb"^[ \t]*(c)ontext[ \t]*(" + _IN_PARENTHESES + rb")(?=\s*(?:" + _BEFORE_DEFINITION + rb"))", re.MULTILINE
)
"""`context(log: Log) fun …`; it becomes an annotation, so that the function begins there."""
_GUARD = re.compile(
    rb"^[ \t]*(?:!?(?:is|in)\b[^\n{}]{0,300}?|(else)|[\w.]+)[ \t]+(if)\b(?=[^\n{}]{0,300}->)", re.MULTILINE
)
"""`is Box if full ->`; the guard becomes one more condition."""
_LAST_OF_LINE = re.compile(rb"(?<=[\w)\]}\"'?!])([ \t])(?=[ \t]*\})")
"""`{ fun open() }`; the grammar wants a line's end or a semicolon before the brace."""
_NAME = re.compile(
    rb"\b(open|data|inner|final|abstract|sealed|infix|inline|external|operator|expect|actual|value|annotation|enum|override|tailrec)(?=[ \t]*[(.),=;])"
)
"""Words that are modifiers before a definition, and names elsewhere."""
_GET = re.compile(rb"^[ \t]*(get)(?=[ \t]*\([^)\s])", re.MULTILINE)
"""`get("/")` in the line after a variable, which is no getter."""
_PASSED_OVER = (
    re.compile(rb":\s*(context[ \t]*" + _IN_PARENTHESES + rb")(?=\s*[\w(])"),
    re.compile(rb"\b(expect|actual)(?=\s+constructor\s*\()"),
    re.compile(rb"(@\w+[ \t]+)(?=(?:(?:private|internal|protected)[ \t]+)?[gs]et[ \t]*\()"),
    re.compile(rb'(\$+)(?=")'),
    re.compile(rb"\bby\s+[\w.]+(<[^<>(){}]*(?:<[^<>(){}]*>[^<>(){}]*)*>)(?=\s*[({])"),
)
"""Types of functions with a context, an `actual constructor`, annotations before a getter on its line, strings with several dollars, the types in `by inject<Box>()`."""
_EMPTY_LIST = re.compile(rb"=\s*(\[\s*\])")
_ANNOTATION = re.compile(rb"@[\w.:]{3,}(?:" + _IN_PARENTHESES + rb")?")
_ANNOTATED = re.compile(
    rb"^[ \t]*((?:" + _ANNOTATION.pattern + rb"\s+){0,30}" + _ANNOTATION.pattern + rb")[ \t]*\n\s*"
    rb"(?=(?:(?!fun\b|va[lr]\b)[a-z]+\s+){0,8}(?:class|interface|object|fun|va[lr]|constructor|typealias)\b)",
    re.MULTILINE,
)  # fmt: skip


def annotations_as_comments(data: bytes) -> bytes:
    """Makes comments of the annotations in the lines before definitions.

    Behind an annotation the grammar takes `data class Box`, `open class Box protected constructor()` and others for a row of names, without an error.
    """
    shown, out = _HIDDEN.sub(_hide, data), bytearray(data)
    for found in _ANNOTATED.finditer(shown):
        for each in _ANNOTATION.finditer(shown, *found.span(1)):
            text = data[slice(*each.span())].replace(b"/", b" ").replace(b"*", b" ")
            out[slice(*each.span())] = b"/*" + text[2:-2] + b"*/"
    return bytes(out)


def simpler(data: bytes) -> bytes:
    """Rewrites what the grammar stumbles over."""
    shown, out = _HIDDEN.sub(_hide, data), bytearray(data)

    def put(found: re.Match[bytes], group: int, text: bytes = b"") -> None:
        out[slice(*found.span(group))] = text + _BLANK.sub(b" ", found[group])[len(text) :]

    for found in _CONTEXT.finditer(shown):
        put(found, 1, b"@")
        put(found, 2, b"()")
    for found in _GUARD.finditer(shown):
        if found[1]:
            put(found, 1)
        put(found, 2, b"" if found[1] else b",")
    for found in _LAST_OF_LINE.finditer(shown):
        put(found, 1, b";")
    for found in _EMPTY_LIST.finditer(shown):
        put(found, 1, b"0")
    for pattern in (_NAME, _GET):
        for found in pattern.finditer(shown):
            put(found, 1, b"_" + found[1][1:])
    for pattern in _PASSED_OVER:
        for found in pattern.finditer(shown):
            put(found, 1)
    return bytes(out)


def _hide(found: re.Match[bytes]) -> bytes:
    """Blanks for what is no code, between the signs that a string has at its ends."""
    text = found[0]
    return _BLANK.sub(b" ", text) if text[:1] == b"/" else text[:1] + _BLANK.sub(b" ", text[1:-1]) + text[-1:]
