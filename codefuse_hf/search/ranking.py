"""One ranking from several kinds of evidence: a unit's words, its file's words, its meaning, and what sort of unit it is.

The weights were chosen on the questions for development of `benchmarks/search_quality.py`, not on the untouched ones. Tried there and left out,
for want of a clear gain: the names of callers and callees as words of a unit, and a share of the scores of callers and callees. Nor did 814
questions drawn by the same rules from 30 further repositories ask for more (within five: words 0.584, hybrid 0.613): the share of the question in a
unit or in its name, the share of its name in the question, its first lines, and vectors of names moved that by less than 0.01. Nor would better
vectors: for 360 of them, about the 13 smallest repositories, words have 0.664, with the vectors of the model that comes along 0.686, of MiniLM-L6 (six
times as large) 0.667, of both together 0.689. Nor would words that docstrings say for what code says (IBM's translation model 1, and words that go
together, from 114 480 functions of installed packages): added to 250 questions they left 0.704 within five at 0.700 and less.
"""

import re
from collections.abc import Sequence

import numpy as np

FILE_WEIGHT = 0.6
"""The share of the words of a unit's file beside the unit's own."""
VECTOR_WEIGHT = 0.5
"""The share of the vectors beside the unit's own words."""
NAME_WEIGHT = 0.5
"""What a unit gains, of whatever sort, whose qualified name is in the question ("Config.from_object fails …")."""
KIND_FACTORS = {"function": 1.0, "class": 0.6, "section": 0.6, "file": 0.5}
"""A class or file holds the words of all of its functions and tells less well where something is."""
TEST_FACTOR = 0.7
DATA_FACTOR = 0.5
"""What programs write or read holds many words and answers few questions: a tokenizer's vocabulary has them all."""
_DATA = (".json", ".jsonl", ".csv", ".tsv", ".lock", ".sum", ".svg", ".map", ".min.js", ".min.css")
_SEPARATOR = re.compile(r"\.|::|#|->")
_BARE = re.compile(r"\W*([A-Za-z_$]\w*)(?:\(\))?\W*")
_QUALIFIED = re.compile(r"[A-Za-z_$]\w*(?:(?:\.|::|#|->)[A-Za-z_$]\w*)+")
_SMALL_FACTORS = (0.5, 0.65, 0.8)
"""Functions and classes of one, two and three lines are seldom where something happens: declarations, accessors."""


def combine(words: np.ndarray, file_words: np.ndarray, cosines: np.ndarray | None) -> np.ndarray:
    """Add up the evidence for each unit, to scores of 0 … 1: BM25 of its words and of its file's words, and cosines, each
    `[units]`.

    A convex combination of scores, each brought to 0 … 1 by itself: it keeps by how much one unit is better than the next, which
    reciprocal ranks throw away (Bruch, Gai and Ingber, 2023, "An Analysis of Fusion Functions for Hybrid Retrieval").
    """
    scores = _to_one(words) + FILE_WEIGHT * _to_one(file_words)
    total = 1 + FILE_WEIGHT
    if cosines is not None:
        scores = scores + VECTOR_WEIGHT * spread(cosines)
        total += VECTOR_WEIGHT
    return scores / total


def add_named(scores: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Raise the scores of units that the question names (`named_in`); the result is again 0 … 1."""
    return (scores + NAME_WEIGHT * named) / (1 + NAME_WEIGHT) if named.any() else scores


def named_in(query: str, names: Sequence[str], paths: Sequence[str]) -> np.ndarray:
    """Tell for each unit whether the question names it together with its class or file, bool `[units]`: `Config.from_object`,
    `GsonBuilder#create()`, `sessions.merge_setting`. A bare name is a word like others, unless it is the whole question."""
    wanted = {parts for each in _QUALIFIED.findall(query) if len(parts := _name_parts(each)) > 1}
    if bare := _BARE.fullmatch(query):
        wanted.add((bare[1],))
    found = np.zeros(len(names), bool)
    if not wanted:
        return found
    last = {each[-1] for each in wanted}
    for position, (name, path) in enumerate(zip(names, paths, strict=True)):
        own = _name_parts(name.partition("(")[0])
        if not own or own[-1] not in last:
            continue
        whole = (path.rpartition("/")[2].partition(".")[0], *own)
        found[position] = any(
            whole[-len(each) :] == each or (len(own) > 1 and each[-len(own) :] == own) for each in wanted
        )
    return found


def _name_parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in _SEPARATOR.split(name) if part and part != "prototype")


def spread(cosines: np.ndarray) -> np.ndarray:
    """Bring cosines to 0 … 1, from their mean, which says nothing, to the best."""
    low, high = float(cosines.mean()), float(cosines.max(initial=-1.0))
    return np.clip((cosines - low) / max(high - low, 1e-9), 0, 1)


def is_data(path: str) -> bool:
    """Tell by its name a file that programs write or read: a table, a list of versions, a bundle."""
    return path.lower().endswith(_DATA)


def priors(kinds: np.ndarray, sizes: np.ndarray, tests: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return the factors `[units]` by which scores are multiplied whatever is asked: what is small, a test or data answers
    less.

    Args:
        kinds: `[units]`, see `KINDS`.
        sizes: lines of each.
        tests: whether each is of a test and tests are to count less.
        data: whether each is of a file of data, see `is_data`.
    """
    factors = np.ones(len(kinds))
    for kind, factor in KIND_FACTORS.items():
        factors[kinds == kind] = factor
    for lines, factor in enumerate(_SMALL_FACTORS, start=1):
        factors[((kinds == "function") | (kinds == "class")) & (sizes == lines)] *= factor
    return factors * np.where(tests, TEST_FACTOR, 1) * np.where(data, DATA_FACTOR, 1)


def _to_one(scores: np.ndarray) -> np.ndarray:
    best = float(scores.max(initial=0.0))
    return scores / best if best > 0 else scores
