"""Precision and recall of a call graph over the labelled programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from program_labels import Edge, case_name, cases, read_labels


@dataclass
class Score:
    """Calls found, labelled, and both; `wrong` and `missed` list the differences by program."""

    right: int = 0
    found: int = 0
    labelled: int = 0
    complete_programs: int = 0
    exact_programs: int = 0
    programs: int = 0
    wrong: dict[str, list[Edge]] = field(default_factory=dict)
    missed: dict[str, list[Edge]] = field(default_factory=dict)

    @property
    def precision(self) -> float:
        """Share of the found calls that are labelled; 1 when nothing is found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the labelled calls that are found."""
        return self.right / self.labelled if self.labelled else 1.0

    def add(self, name: str, labelled: Iterable[Edge], found: Iterable[Edge]) -> None:
        """Count one program."""
        labelled, found = set(labelled), set(found)
        self.programs += 1
        self.right += len(labelled & found)
        self.found += len(found)
        self.labelled += len(labelled)
        self.complete_programs += labelled <= found
        self.exact_programs += labelled == found
        if found - labelled:
            self.wrong[name] = sorted(found - labelled)
        if labelled - found:
            self.missed[name] = sorted(labelled - found)

    def as_dict(self) -> dict[str, float | int]:
        """The figures, rounded to four places."""
        return {
            "programs": self.programs,
            "labelled_calls": self.labelled,
            "found_calls": self.found,
            "right_calls": self.right,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "exact_programs": self.exact_programs,
        }


def score_programs(calls_of: Callable[[Path], set[Edge]], chosen: Iterable[Path] | None = None) -> dict[str, Score]:
    """Scores by category, and of all programs under the key `"all"`; `calls_of` gives the calls found in a program."""
    scores: dict[str, Score] = {"all": Score()}
    for case in cases() if chosen is None else chosen:
        labels = read_labels(case)
        found = calls_of(case) - labels.neutral
        for key in (case.parent.name, "all"):
            scores.setdefault(key, Score()).add(case_name(case), labels.edges, found)
    return scores
