"""Lists and scores out of the answers of language models, read leniently; what is not taken is said.

An answer should hold lists between markers, one item a line:

    <entities>
    shop/money.py
    </entities>

Models forget markers, nest or repeat them, write headings, Markdown lists, code fences or JSON instead, and explain.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from .quoting import restore

MAX_ANSWER_CHARACTERS = 200_000
_MAX_SCORE_CHARACTERS = 20_000
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"(?m)^[ \t]*(?:```|~~~).*$")
_BULLET = re.compile(
    r"^\s*(?:[-*+•·‣◦▪–—]\s+|[•·]|\(?\d{1,3}[.)、:：．]\s*|\[\d{1,3}\]\s*|(?:Query|Q) ?\d{1,3} ?[:：]\s*)(?:\[[ xX]\]\s+)?"
)
_EXPLANATION = re.compile(r"\s+[-–—|#]+\s+|:\s+|：|\s+\(")
_COMMA = re.compile(r"\s*[,，、;；]\s*")
_QUOTES = "`'\"“”‘’«»„「」『』"
_NOTHING = frozenset(("", "none", "n/a", "na", "null", "nil", "...", "…", "-", "(none)", "无", "なし", "нет"))


@dataclass(frozen=True)
class Lists:
    """Items by the name of their list, and what was dropped, with reasons."""

    items: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...]


def without_thinking(answer: str) -> str:
    """Take out of an answer what the model thought aloud before it."""
    rest = _THINKING.sub("", answer)
    return rest.rpartition("</think>")[2] if "</think>" in rest else rest


def read_lists(
    answer: str, names: Sequence[str], *, limit: int = 20, longest: int = 200, sentences: bool = False
) -> Lists:
    """Read lists out of an answer.

    Args:
        names: of the lists, lower-case.
        limit: items of each list at most.
        longest: characters of an item at most.
        sentences: items are sentences, which are kept whole; otherwise names, of which explanations are cut off.
    """
    dropped: list[str] = []
    if len(answer) > MAX_ANSWER_CHARACTERS:
        dropped.append(f"all after {MAX_ANSWER_CHARACTERS:,} characters of {len(answer):,}")
    text = restore(without_thinking(answer[:MAX_ANSWER_CHARACTERS]))
    parts = _json_parts(text, names) or _marked_parts(text, names)
    if not any(parts.values()) and text.strip():
        lines = [line for line in text.splitlines() if _BULLET.match(line)]
        dropped.append(f"no markers: its list items count as {names[0]}" if lines else "no markers and no list")
        parts = {names[0]: ["\n".join(lines)]}
    items = {name: _items(parts.get(name, []), name, limit, longest, sentences, dropped) for name in names}
    return Lists(items, tuple(dropped))


def read_score(answer: str, lowest: int, highest: int) -> int | None:
    """Read the score that an answer gives, between its marks `<score>` or else the last that is called so; None if there is
    none."""
    text = re.sub(
        r"\(?\b\d{1,3} {0,3}[-–—] {0,3}\d{1,3}\b\)?", " ", without_thinking(answer[:_MAX_SCORE_CHARACTERS])
    )  # "(1-5)" is no score
    number = r"[*`\"' ]{0,9}(-?\d{1,9}(?:\.\d{1,9})?)\b"
    for pattern in (
        rf"<score>\s{{0,9}}{number}",
        rf"(?:score|rating|评分|得分|分数)\W{{0,20}}?{number}",
        rf"^{number} {{0,3}}(?:/ {{0,3}}{highest})?\W{{0,9}}$",
    ):
        found = [float(each) for each in re.findall(pattern, text, re.IGNORECASE | re.MULTILINE)]
        fitting = [each for each in found if lowest <= each <= highest]
        if fitting:
            return round(fitting[-1])
    return None


def _json_parts(text: str, names: Sequence[str]) -> dict[str, list]:
    """Lists of a JSON object that is the whole answer, or stands in it, apart from fences."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key.lower(): [value] for key, value in found.items() if key.lower() in names}


def _marked_parts(text: str, names: Sequence[str]) -> dict[str, list]:
    """What follows each opening marker, up to a closing one, the next opening one, or the end."""
    either = "|".join(map(re.escape, names))
    marker = re.compile(
        rf"<[ ]{{0,3}}(?P<tag>/?)[ ]{{0,3}}(?P<a>{either})[ ]{{0,3}}/?>|\[[ ]{{0,3}}(?P<slash>/?)[ ]{{0,3}}(?P<b>{either})[ ]{{0,3}}\](?!\()"
        rf"|^[ \t]*(?:#{{1,6}}[ \t]*|\*\*[ \t]*)?(?P<c>{either})[ \t]{{0,9}}(?:\*\*)?[ \t]{{0,9}}[:：](?:\*\*)?"
        rf"|^[ \t]*(?:#{{1,6}}[ \t]*|\*\*[ \t]*)(?P<d>{either})[ \t]{{0,9}}(?:\*\*)?[ \t]{{0,9}}$",
        re.IGNORECASE | re.MULTILINE,
    )
    quoted = re.compile(r"(?m)^[ \t]*>.*$")
    text = quoted.sub("", text)
    parts: dict[str, list] = {name: [] for name in names}
    marks = list(marker.finditer(text))
    for mark, following in zip_longest(marks, marks[1:]):
        if mark["tag"] or mark["slash"]:
            continue
        name = (mark["a"] or mark["b"] or mark["c"] or mark["d"]).lower()
        parts[name].append(text[mark.end() : following.start() if following else len(text)])
    return parts


def _items(parts: list, name: str, limit: int, longest: int, sentences: bool, dropped: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for raw in _pieces(parts, sentences):
        item = _plain(raw, sentences)
        if item.lower() in _NOTHING or item in found:
            continue
        if len(item) > longest:
            dropped.append(f"{name}: {item[:40]!r}… of {len(item):,} characters")
        elif len(found) == limit:
            dropped.append(f"{name}: {item!r}, beyond {limit}")
        else:
            found[item] = None
    return tuple(found)


def _pieces(parts: list, sentences: bool) -> list[str]:
    """Lines, or the items of what is JSON."""
    pieces: list[str] = []
    for part in parts:
        if isinstance(part, str):
            part = _FENCE.sub("", part).strip()
            with contextlib.suppress(ValueError, RecursionError):
                part = json.loads(part) if part.startswith(("[", "{")) else part
        if isinstance(part, dict):
            pieces += _pieces(list(part.values()), sentences)
        elif isinstance(part, list):
            pieces += [each for each in part if isinstance(each, str)]
            pieces += _pieces([each for each in part if isinstance(each, list | dict)], sentences)
        elif isinstance(part, str):
            for line in (" ".join(line.split()) for line in part.splitlines()):
                line = line if sentences else _EXPLANATION.split(_BULLET.sub("", line), maxsplit=1)[0]
                pieces += [line] if sentences or "(" in line else _COMMA.split(line)
    return pieces


def _plain(item: str, sentences: bool) -> str:
    """An item without bullets, quotes and, unless it is a sentence, explanations."""
    item = _BULLET.sub("", " ".join(item.split()))
    if not sentences:
        if match := re.match(r"[*_]*`([^`]+)`", item):
            item = match[1]
        item = _EXPLANATION.split(item, maxsplit=1)[0]
    item = item.strip().strip(",，;；").strip("*" + _QUOTES).strip()
    return item.strip(_QUOTES)
