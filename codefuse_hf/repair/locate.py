"""Ranks the files and functions of a repository by how likely a fix of an issue changes them: without a language model, on a CPU."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codefuse_hf import __version__
from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.build.cache import BuildCache
from codefuse_hf.graph.build.sources import DEFAULT_MAX_FILE_SIZE, list_sources

from .evidence import KINDS, Evidence, query_words
from .issue import Issue, read_issue
from .places import FORMAT, Places
from .records import Record

# Fitted on 124 commits of eight repositories, checked on 71 of five others and on the 36 issues of the development set
# (benchmarks/results/localisation_fit.md).
WEIGHTS: dict[str, float] = {
    "words_of_files": 0.38,
    "words_of_units": 0.64,
    "words_of_names": 0.04,
    "definitions": 0.36,
    "dotted_names": 0.08,
    "paths": 1.04,
    "tracebacks": 1.2,
    "phrases": 0.53,
    "literals": 0.18,
    "tests": 0.21,
    "called": 0.15,
    "standing": 0.8,
}
# For functions: their own evidence, and a share of their file's.
UNIT_WEIGHTS: dict[str, float] = {
    "words_of_units": 1.0,
    "definitions": 0.8,
    "dotted_names": 0.5,
    "tracebacks": 1.2,
    "phrases": 0.6,
    "literals": 0.3,
    "called": 0.2,
}
FILE_SHARE = 1.3


@dataclass(frozen=True)
class RankedFile(Record):
    """A file with its score and why, strongest reason first."""

    path: str
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RankedUnit(Record):
    """A function or class with its score; lines from 1, both inclusive; `node_id` is its node in the code graph."""

    path: str
    name: str
    kind: str
    start_line: int
    end_line: int
    score: float
    node_id: int


@dataclass(frozen=True)
class Ranking(Record):
    """Files and units, best first."""

    files: tuple[RankedFile, ...]
    units: tuple[RankedUnit, ...]


class Locator:
    """Ranks the places of one repository for any number of issues.

    Args:
        places: the places, see `Places.from_graph`; or use `Locator.for_repository`.
        weights: evidence → weight of its score for files; the rest of `WEIGHTS` stays.

    Raises:
        ValueError: an unknown kind of evidence.
    """

    def __init__(self, places: Places, *, weights: Mapping[str, float] | None = None) -> None:
        unknown = set(weights or ()) - set(WEIGHTS)
        if unknown:
            raise ValueError(f"unknown evidence {sorted(unknown)[0]!r}: expected some of {', '.join(WEIGHTS)}")
        self.places, self.weights = places, {**WEIGHTS, **(weights or {})}

    @classmethod
    def for_repository(
        cls,
        path: str | os.PathLike,
        *,
        revision: str | None = None,
        cache: str | os.PathLike | None = None,
        workers: int | None = None,
        progress: bool = True,
    ) -> "Locator":
        """Make a locator for a folder, or for a revision of a local git repository.

        Args:
            path, revision, workers, progress: see `build_code_graph`.
            cache: a folder in which the places are kept: while the sources stay as they are, they are read from there.

        Raises:
            OSError, ValueError: as `build_code_graph` and `Places.from_graph`.
        """
        kept = None if cache is None else Path(cache) / f"{_fingerprint(path, revision)}.safetensors"
        if kept is not None and kept.is_file():
            try:
                return cls(Places.load(kept))
            except ValueError:
                kept.unlink()  # damaged: made anew
        graph = build_code_graph(path, revision=revision, workers=workers, progress=progress, text_files=False)
        places = Places.from_graph(graph)
        if kept is not None:
            places.save(kept)
        return cls(places)

    def locate(self, issue: str | Issue, *, files: int = 20, units: int = 20) -> Ranking:
        """Rank files and units for an issue: the `files` and `units` best."""
        issue = read_issue(issue) if isinstance(issue, str) else issue
        found = {name: KINDS[name](issue, self.places) for name, weight in self.weights.items() if weight}
        scores = self.file_scores(found)
        unit_scores = self._unit_scores(found, scores)
        return Ranking(
            tuple(self._file(issue, position, scores, found) for position in _best(scores, files)),
            tuple(self._unit(position, unit_scores) for position in _best(unit_scores, units)),
        )

    def file_scores(self, found: Mapping[str, Evidence]) -> np.ndarray:
        """Add up the evidence for each file by its weights: float `[files]`."""
        return sum((self.weights[name] * each.files for name, each in found.items()), np.zeros(len(self.places.paths)))

    def _unit_scores(self, found: Mapping[str, Evidence], file_scores: np.ndarray) -> np.ndarray:
        scores = sum(
            (UNIT_WEIGHTS[name] * found[name].units for name in UNIT_WEIGHTS if name in found),
            np.zeros(len(self.places.units)),
        )
        return scores + FILE_SHARE * file_scores[self.places.unit_files]

    def _file(self, issue: Issue, position: int, scores: np.ndarray, found: Mapping[str, Evidence]) -> RankedFile:
        telling = sorted(found, key=lambda name: -self.weights[name] * found[name].files[position])
        reasons = [found[name].file_reasons[position] for name in telling if position in found[name].file_reasons]
        words = self.places.file_words.best_words(query_words(issue), position)
        if words:
            reasons.append(f"has the words {', '.join(words)}")
        return RankedFile(self.places.paths[position], float(scores[position]), tuple(reasons))

    def _unit(self, position: int, scores: np.ndarray) -> RankedUnit:
        unit = self.places.units[position]
        return RankedUnit(
            self.places.paths[unit.file],
            unit.name,
            unit.kind,
            unit.start_line,
            unit.end_line,
            float(scores[position]),
            unit.node_id,
        )


def _fingerprint(path: str | os.PathLike, revision: str | None) -> str:
    """A digest of the contents of all source files, as cheap to make as reading them."""
    tree = list_sources(path, revision=revision)
    files = BuildCache(os.curdir, {}).fingerprint(tree, DEFAULT_MAX_FILE_SIZE)
    return hashlib.sha256(json.dumps([FORMAT, __version__, files]).encode()).hexdigest()[:32]


def _best(scores: np.ndarray, count: int) -> list[int]:
    return np.argsort(-scores, kind="stable")[:count].tolist()
