"""One ranking from several kinds of evidence: a unit's words, its file's words, its meaning, and what sort of unit it is.

The weights were chosen on the questions for development of `benchmarks/search_quality.py`, not on the untouched ones.
"""

import numpy as np

FILE_WEIGHT = 0.6
"""The share of the words of a unit's file beside the unit's own."""
VECTOR_WEIGHT = 0.5
"""The share of the vectors beside the unit's own words."""
KIND_FACTORS = {"function": 1.0, "class": 0.6, "section": 0.6, "file": 0.5}
"""A class or file holds the words of all of its functions and tells less well where something is."""
TEST_FACTOR = 0.7
_SMALL_FACTORS = (0.5, 0.65, 0.8)
"""Functions and classes of one, two and three lines are seldom where something happens: declarations, accessors."""


def combine(words: np.ndarray, file_words: np.ndarray, cosines: np.ndarray | None) -> np.ndarray:
    """Scores 0 … 1 from BM25 scores of units and of their files, and cosines, each `[units]`.

    A convex combination of scores, each brought to 0 … 1 by itself: it keeps by how much one unit is better than the next, which
    reciprocal ranks throw away (Bruch, Gai and Ingber, 2023, "An Analysis of Fusion Functions for Hybrid Retrieval").
    """
    scores = _to_one(words) + FILE_WEIGHT * _to_one(file_words)
    total = 1 + FILE_WEIGHT
    if cosines is not None:
        scores = scores + VECTOR_WEIGHT * spread(cosines)
        total += VECTOR_WEIGHT
    return scores / total


def spread(cosines: np.ndarray) -> np.ndarray:
    """Cosines between their mean, which says nothing, and the best, brought to 0 … 1."""
    low, high = float(cosines.mean()), float(cosines.max(initial=-1.0))
    return np.clip((cosines - low) / max(high - low, 1e-9), 0, 1)


def priors(kinds: np.ndarray, sizes: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """By what the score of each unit is multiplied whatever is asked.

    Args:
        kinds: `[units]`, see `KINDS`.
        sizes: lines of each.
        tests: whether each is of a test and tests are to count less.
    """
    factors = np.ones(len(kinds))
    for kind, factor in KIND_FACTORS.items():
        factors[kinds == kind] = factor
    for lines, factor in enumerate(_SMALL_FACTORS, start=1):
        factors[((kinds == "function") | (kinds == "class")) & (sizes == lines)] *= factor
    return np.where(tests, factors * TEST_FACTOR, factors)


def _to_one(scores: np.ndarray) -> np.ndarray:
    best = float(scores.max(initial=0.0))
    return scores / best if best > 0 else scores
