"""What points from an issue to places: each kind of evidence by itself, as a score of 0 … 1 for every file and every unit.

Words of an issue are weak evidence for many places, a path or a traceback strong evidence for few. Each function below
gives one kind; `locate.py` adds them up. A score of 0 means that this kind says nothing about the place.
"""

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ..search.words import count_words, looks_like_code
from .issue import Frame, Issue
from .places import Places

_BEST_TESTS = 15
_MOST_PLACES = 100  # of one constant that are looked at
_FEW_FILES = 2  # with a function of a frame's name
_OUTSIDE = frozenset(("packages", "vendor", "_vendor", "vendored", "extern", "externals", "third_party"))
_BESIDE = frozenset(
    ("doc", "docs", "example", "examples", "benchmark", "benchmarks", "tools", "script", "scripts", "ci", "asv_bench")
)


@dataclass
class Evidence:
    """One kind of evidence: scores of files `[files]`, of units `[units]`, and short reasons by position."""

    files: np.ndarray
    units: np.ndarray
    file_reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def none(cls, places: Places) -> "Evidence":
        """Make evidence that says nothing: zero for every file and unit."""
        return cls(np.zeros(len(places.paths)), np.zeros(len(places.units)))


def query_words(issue: Issue) -> dict[str, float]:
    """Count the words of an issue, with weights: its title counts twice, code half; repetition counts by its logarithm."""
    weights: Counter[str] = Counter()
    for text, weight in ((issue.title, 2.0), (issue.prose, 1.0), (issue.code, 0.5), (" ".join(issue.inline), 0.5)):
        for word, count in count_words(text).items():
            weights[word] += weight * (1 + np.log(count))
    return dict(weights)


def words_of_files(issue: Issue, places: Places) -> Evidence:
    """Score files by BM25 of the issue over the whole file: its content, and its path five times."""
    return _of_files(places, query_words(issue))


def words_of_units(issue: Issue, places: Places) -> Evidence:
    """Score functions and classes by BM25 of the issue; a file gets the scores of its three best, halved each time."""
    return _of_units(places, query_words(issue), (1.0, 0.5, 0.25))


def words_of_names(issue: Issue, places: Places) -> Evidence:
    """Score files by how much of their own name (a package's for `__init__`) stands in the title or, counting less, in the
    text."""
    evidence = Evidence.none(places)
    title, text = count_words(issue.title), count_words(f"{issue.prose}\n{' '.join(issue.inline)}")
    for position, path in enumerate(places.paths):
        words = [word for word in count_words(_own_name(path)) if not word.startswith("=")]
        if words:
            evidence.files[position] = sum((word in title) + 0.4 * (word in text) for word in words) / len(words)
    evidence.files = _to_one(evidence.files)
    return evidence


def definitions(issue: Issue, places: Places) -> Evidence:
    """Score functions and classes that the issue names; a name that many units have says little about each, as does an English
    word."""
    evidence = Evidence.none(places)
    for name, weight in issue.identifiers.items():
        found = places.units_named.get(name, ()) if len(name) > 2 else ()
        if not found:
            continue
        if not (looks_like_code(name) or name in issue.code_names or (name[0].isupper() and not name.isupper())):
            weight /= 4
        files = set(places.unit_files[found].tolist())
        evidence.units[found] += weight / len(found) ** 0.7
        for file in files:
            evidence.files[file] += weight / len(files) ** 0.7
            if len(files) <= 3 and weight >= 0.5:
                evidence.file_reasons.setdefault(file, f"defines {name}")
    return _saturate(evidence)


def dotted_names(issue: Issue, places: Places) -> Evidence:
    """Score modules that the issue names, and members as `Class.member`."""
    evidence = Evidence.none(places)
    modules = {name: position for position, name in enumerate(_modules(places.paths))}
    members: dict[str, list[int]] = {}
    for position, unit in enumerate(places.units):
        if "." in unit.name:
            members.setdefault(".".join(unit.name.split(".")[-2:]), []).append(position)
    for dotted in issue.dotted_names:
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            file = modules.get(".".join(parts[:end]))
            if file is not None:
                evidence.files[file] += 1.0 if end > 1 else 0.1
                evidence.file_reasons.setdefault(file, f"is module {'.'.join(parts[:end])}")
                break
        for pair in pairwise(parts):
            for unit in (found := members.get(".".join(pair), [])):
                evidence.units[unit] += 0.7 / len(found) ** 0.5
                evidence.files[places.units[unit].file] += 0.7 / len(found) ** 0.5
    return _saturate(evidence)


def paths(issue: Issue, places: Places) -> Evidence:
    """Score files whose path the issue names, wholly or by its end."""
    evidence = Evidence.none(places)
    for path in issue.paths:
        shared, files = _same_end(path, places)
        for file in files:
            evidence.files[file] += (1.0 if shared > 1 else 0.6) / len(files)
            evidence.file_reasons.setdefault(file, f"is named as {path}")
    return _saturate(evidence)


def tracebacks(issue: Issue, places: Places) -> Evidence:
    """Score files and functions in tracebacks: the innermost frame inside the repository counts most, each further one 0.8 of
    it."""
    evidence, weight = Evidence.none(places), 1.0
    for frame in reversed(issue.frames):
        found = _of_frame(frame, places)
        for file, units in found.items():
            evidence.files[file] = max(evidence.files[file], weight / len(found))
            evidence.file_reasons.setdefault(
                file, f"is in the traceback, {frame.name or 'line'} {frame.line or ''}".strip()
            )
            evidence.units[units] = np.maximum(evidence.units[units], weight)
        weight *= 0.8 if found else 1.0
    return evidence


def _of_frame(frame: Frame, places: Places) -> dict[int, list[int]]:
    """The files that a frame may be in, and the functions there; by the function's name where the file has another name by now."""
    shared, files = _same_end(frame.path, places)
    named = places.units_named.get(frame.name, [])
    files = [file for file in files if shared >= min(2, places.paths[file].count("/") + 1)]
    if not files and places.packages.intersection(frame.path.split("/")[:-1]):
        files = sorted({places.units[unit].file for unit in named})
        files = files if len(files) <= _FEW_FILES else []
    return {file: [unit for unit in named if places.units[unit].file == file] for file in files}


def phrases(issue: Issue, places: Places) -> Evidence:
    """Score files that hold a quoted text or a part of an error message word for word, if few do."""
    evidence = Evidence.none(places)
    few = max(3, len(places.texts) // 10)
    for phrase, weight in issue.phrases.items():
        found = [position for position, text in enumerate(places.texts) if phrase in text]
        if len(found) > few:
            continue
        for file in found:
            evidence.files[file] += weight / len(found)
            evidence.file_reasons.setdefault(file, f"holds the text {phrase[:60]!r}")
            lines = {
                places.texts[file].count("\n", 0, match.start()) + 1
                for match in re.finditer(re.escape(phrase), places.texts[file])
            }
            for unit in np.flatnonzero(places.unit_files == file).tolist():
                if any(places.units[unit].start_line <= line <= places.units[unit].end_line for line in lines):
                    evidence.units[unit] += weight / len(found)
    return _saturate(evidence)


def tests(issue: Issue, places: Places) -> Evidence:
    """Score files that the best matching tests import or are named after."""
    evidence = Evidence.none(places)
    if not places.tests:
        return evidence
    scores = places.test_words.score(query_words(issue))
    named: dict[str, list[int]] = {}
    for position, path in enumerate(places.paths):
        named.setdefault(_own_name(path).strip("_"), []).append(position)
    for test in np.argsort(-scores, kind="stable")[:_BEST_TESTS].tolist():
        if scores[test] <= 0:
            break
        links: Counter[int] = Counter()
        imports = places.tests[test].imports
        for file in imports:
            links[file] += 0.5 / len(imports) ** 0.5
        same = named.get(re.sub(r"^test_|_test$|Tests?$", "", _own_name(places.tests[test].path)).strip("_"), [])
        for file in same:
            links[file] += 1 / len(same)
        for file, link in links.items():
            if scores[test] * link > evidence.files[file]:
                evidence.files[file] = scores[test] * link
                evidence.file_reasons[file] = f"is tested by {places.tests[test].path}"
    evidence.files = _to_one(evidence.files)
    return evidence


def literals(issue: Issue, places: Places) -> Evidence:
    """Score files with a text constant that is a word of the issue: an option, a setting, a command, a code of a message."""
    evidence = Evidence.none(places)
    few = max(3, len(places.texts) // 10)
    for word, weight in issue.constants.items():
        found = places.literals.get(word, ())
        files = {file for file, _ in found}
        if not 0 < len(files) <= few:
            continue
        for file in files:
            evidence.files[file] += weight / len(files) ** 0.7
            if weight >= 1:
                evidence.file_reasons.setdefault(file, f"holds the constant {word!r}")
        for file, start in found[:_MOST_PLACES]:
            unit = places.unit_at(file, start)
            if unit is not None:
                evidence.units[unit] += weight / len(found) ** 0.7
    return _saturate(evidence)


def called(issue: Issue, places: Places) -> Evidence:
    """Score units by calls: those that the best matching units call and, counting less, those that call them. Common helpers
    count less."""
    evidence = Evidence.none(places)
    callers, callees = places.unit_calls
    if len(callers):
        match = _to_one(places.unit_words.score(query_words(issue))) ** 3
        out = np.bincount(callers, minlength=len(places.units))[callers] ** 0.5
        into = np.bincount(callees, minlength=len(places.units))[callees] ** 0.5
        np.add.at(evidence.units, callees, match[callers] / out / into)
        np.add.at(evidence.units, callers, 0.5 * match[callees] / out / into)
        evidence.units = _to_one(evidence.units)
        np.maximum.at(evidence.files, places.unit_files, evidence.units)
        evidence.files = _to_one(evidence.files)
    return evidence


def standing(issue: Issue, places: Places) -> Evidence:
    """Score down files that are wrong for most issues, whatever these say: vendored code, documentation, tools, an empty
    `__init__`. Scores are negative or 0."""
    evidence = Evidence.none(places)
    for position, path in enumerate(places.paths):
        folders = path.lower().split("/")
        beside = bool(_OUTSIDE.intersection(folders[:-1])) + (
            folders[0] in _BESIDE or folders[-1] in ("setup.py", "conf.py")
        )
        evidence.files[position] = -beside - 0.3 * (folders[-1] == "__init__.py" and len(places.texts[position]) < 2000)
    return evidence


KINDS: dict[str, Callable[[Issue, Places], Evidence]] = {
    kind.__name__: kind
    for kind in (
        words_of_files, words_of_units, words_of_names, definitions, dotted_names, paths, tracebacks, phrases, literals, tests, called,
        standing,
    )
}  # fmt: skip


def _of_files(places: Places, query: dict[str, float]) -> Evidence:
    evidence = Evidence.none(places)
    evidence.files = _to_one(places.file_words.score(query))
    return evidence


def _of_units(places: Places, query: dict[str, float], shares: tuple[float, ...]) -> Evidence:
    evidence = Evidence.none(places)
    evidence.units = _to_one(places.unit_words.score(query))
    taken: Counter[int] = Counter()
    for unit in np.argsort(-evidence.units, kind="stable").tolist():
        file = places.units[unit].file
        if evidence.units[unit] <= 0:
            break
        if taken[file] < len(shares):
            evidence.files[file] += shares[taken[file]] * evidence.units[unit]
            taken[file] += 1
    evidence.files = _to_one(evidence.files)
    return evidence


def _to_one(scores: np.ndarray) -> np.ndarray:
    best = scores.max(initial=0.0)
    return scores / best if best > 0 else scores


def _saturate(evidence: Evidence) -> Evidence:
    evidence.files, evidence.units = evidence.files / (1 + evidence.files), evidence.units / (1 + evidence.units)
    return evidence


def _own_name(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = os.path.splitext(name)[0]
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def _modules(paths: list[str]) -> list[str]:
    """The dotted name by which each file is imported: from its outermost package on; outside packages, without `src` and the like."""
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    names = []
    for path in paths:
        parts = os.path.splitext(path)[0].split("/")
        first = len(parts) - 1
        while first and "/".join(parts[:first]) in packages:
            first -= 1
        if first == len(parts) - 1:
            first = 2 if parts[:2] == ["main", "java"] else int(parts[0] == "src")
        names.append(".".join(parts[first:]).removesuffix(".__init__"))
    return names


def _same_end(path: str, places: Places) -> tuple[int, list[int]]:
    """How many last parts a path shares with files of the repository at most, and the files that share as many."""
    wanted = path.split("/")[::-1]
    best, found = 0, []
    for position, candidate in enumerate(places.paths):
        shared = 0
        for mine, theirs in zip(wanted, candidate.split("/")[::-1], strict=False):
            if mine != theirs:
                break
            shared += 1
        if shared > best:
            best, found = shared, []
        if shared and shared == best:
            found.append(position)
    return best, found
