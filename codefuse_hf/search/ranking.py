"""One ranking from two: what the words of a question say, and what its meaning says."""

import numpy as np

# Chosen on the questions for development (benchmarks/search_quality.py), not on the untouched ones.
VECTOR_WEIGHT = 0.5
TEST_FACTOR = 0.7


def combine(words: np.ndarray, cosines: np.ndarray, weights: np.ndarray | float = VECTOR_WEIGHT) -> np.ndarray:
    """Scores 0 … 1 from BM25 scores and cosines, each `[units]`: the convex combination that Bruch, Gai and Ingber (2023) found better
    than reciprocal ranks, since it keeps by how much one unit is better than the next.

    Args:
        words: BM25 scores, 0 where no word is shared.
        cosines: similarities of the vectors.
        weights: the share of the cosines, for all or for each unit.
    """
    top = words.max(initial=0.0)
    words = words / top if top > 0 else words
    low, high = float(cosines.mean()), float(cosines.max(initial=-1.0))
    cosines = np.clip((cosines - low) / max(high - low, 1e-9), 0, 1)
    return (1 - weights) * words + weights * cosines
