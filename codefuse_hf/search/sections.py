"""Cuts what no function holds into sections: Markdown at its headings, everything else at empty lines."""

import re
from collections.abc import Iterable, Iterator

MAX_CHARACTERS = 4000
"""A unit's text is cut off here; what follows is found as sections."""
_SECTION_CHARACTERS = 2000
_MARKDOWN = (".md", ".markdown", ".mdx")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_LEAST_WORDS = 3


def is_markdown(path: str) -> bool:
    """Tell a Markdown file by its name."""
    return path.lower().endswith(_MARKDOWN)


def markdown_sections(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the sections of a Markdown text that has headings, as (headings from the outermost, joined by " › "; start; end).

    What stands before the first heading is the file's, not a section. A long section is several of the same name.
    """
    headings: list[tuple[int, str]] = []
    start, at, fence = None, 0, ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence == mark[1] else fence or mark[1]
        heading = None if fence or mark else _HEADING.match(line.rstrip("\r\n"))
        if heading:
            if start is not None:
                yield from _named(text, headings, start, at)
            level = len(heading[1])
            headings = [*(each for each in headings if each[0] < level), (level, heading[2])]
            start = at
        at += len(line)
    if start is not None:
        yield from _named(text, headings, start, at)


def _named(text: str, headings: list[tuple[int, str]], start: int, end: int) -> Iterator[tuple[str, int, int]]:
    title = " › ".join(name for _, name in headings if name)
    yield from ((title, *piece) for piece in _pieces(text, start, end))


def uncovered_sections(text: str, covered: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a text that lie in none of the `covered` ones, in pieces of about 2000 characters of whole lines."""
    at = 0
    for start, end in [*sorted(covered), (len(text), len(text))]:
        if start > at:
            yield from _pieces(text, at, start)
        at = max(at, end)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Pieces of `[start, end)`, cut at an empty line in their second half, or else at a line's end; such with few words are left out."""
    while start < end:
        stop = end
        if end - start > 1.5 * _SECTION_CHARACTERS:
            middle, limit = start + _SECTION_CHARACTERS // 2, start + _SECTION_CHARACTERS
            cut = max(text.rfind("\n\n", middle, limit), text.rfind("\n\r\n", middle, limit))
            cut = text.rfind("\n", middle, limit) if cut < 0 else cut
            stop = cut + 1 if cut >= 0 else limit
        first = start + len(text[start:stop]) - len(text[start:stop].lstrip())
        last = start + len(text[start:stop].rstrip())
        if len(re.findall(r"[^\W\d_]{2,}", text[first:last])) >= _LEAST_WORDS:
            yield text.rfind("\n", start, first) + 1 if "\n" in text[start:first] else start, last
        start = stop
