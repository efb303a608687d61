"""The patterns of `.gitignore`, as git reads them: one line to a regular expression.

A pattern matches a path itself, not what lies below it: folders that are ignored are not entered. Stars are matched in time that grows with the length of
the name, whatever the pattern: rules are somebody else's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": r"\x21-\x7e", "lower": "a-z",
    "print": r"\x20-\x7e", "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e", "space": r"\s", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class Pattern(NamedTuple):
    """One line of rules.

    Attributes:
        ignores: False for a line with `!`, which takes back.
        folders_only: whether it is meant for folders (a slash at its end).
        whole: whether it is matched with the path from the rules' folder, else with the last part alone.
        regex: to be matched with all of that.
    """

    ignores: bool
    folders_only: bool
    whole: bool
    regex: re.Pattern[str]


def parse_pattern(line: str) -> Pattern | None:
    """Reads one line of rules; None for comments, blank lines and what is no pattern."""
    line = re.sub(r"(?<!\\)((?:\\\\)*) +$", r"\1", line)
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    text = line if ignores else line[1:]
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    whole = "/" in text
    regex = _path(_split(text.removeprefix("/"))) if whole else _part(text)
    if not text or regex is None:
        return None
    return Pattern(ignores, folders_only, whole, re.compile(rf"(?s:{regex})\Z"))


def _split(text: str) -> list[str]:
    """The parts of a pattern between slashes, which in `[…]` are characters like others."""
    parts, start, position = [], 0, 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "/":
            parts.append(text[start : position - 1])
            start = position
        elif char == "\\":
            position += 1
        elif char == "[" and (found := _characters(text, position)) is not None:
            position = found[1]
    return [*parts, text[start:]]


def _path(parts: list[str]) -> str | None:
    """The regular expression of a pattern's parts; `**` stands for any number of folders."""
    runs: list[list[str | None]] = [[]]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part))
    if any(part is None for run in runs for part in run):
        return None
    first, *middle, last = ["/".join(run) for run in runs] if len(runs) > 1 else ["", "/".join(runs[0])]
    found = f"{first}/" if first else ""
    for run in middle:
        found += f"(?>(?:[^/]+/)*?{run}/)" if run else ""
    if len(runs) == 1:
        return last
    return found + (f"(?:[^/]+/)*{last}" if last else ".+")


def _part(text: str) -> str | None:
    """The regular expression of what stands between two slashes."""
    pieces, position = [""], 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += "[^/]"
        elif char == "[":
            found = _characters(text, position)
            if found is None:
                return None
            pieces[-1] += found[0]
            position = found[1]
        elif char == "\\":
            if position == len(text):
                return None
            pieces[-1] += re.escape(text[position])
            position += 1
        else:
            pieces[-1] += re.escape(char)
    if len(pieces) == 1:
        return pieces[0]
    # the first place where a piece fits is as good as any later one, but for the last piece, which must end the part
    inner = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return rf"{pieces[0]}{inner}(?>[^/]*{pieces[-1]}(?=/|\Z))"


def _characters(text: str, position: int) -> tuple[str, int] | None:
    """The regular expression of `[…]`, which begins before `position`, and where it ends; None where it does not end."""
    negated = text[position : position + 1] in ("!", "^")
    start = position = position + negated
    found = ""
    while position < len(text):
        if text[position] == "]" and position > start:
            if not found:
                return "[^/]" if negated else "(?!)", position + 1
            return f"(?!/)[{'^' * negated}{found}]", position + 1
        if text.startswith("[:", position) and (end := text.find(":]", position)) >= 0:
            if (name := text[position + 2 : end]) not in _CLASSES:
                return None
            found += _CLASSES[name]
            position = end + 2
            continue
        low, position = _character(text, position)
        high = low
        if text.startswith("-", position) and text[position + 1 : position + 2] not in ("", "]"):
            high, position = _character(text, position + 1)
        if low <= high:
            found += f"{re.escape(low)}-{re.escape(high)}" if low != high else re.escape(low)
    return None


def _character(text: str, position: int) -> tuple[str, int]:
    escaped = text[position] == "\\" and position + 1 < len(text)
    return text[position + escaped], position + escaped + 1
