"""Measures of ranked retrieval on plain lists, averaged over queries.

A ranking is the list of retrieved document ids, best first; relevant documents are given as a collection of ids, or with
graded relevance as a mapping id → gain. The definitions are the usual ones (trec_eval's; sentence-transformers'
`InformationRetrievalEvaluator` computes the same).
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

Relevant = Collection[str] | Mapping[str, float]


def reciprocal_rank(ranking: Sequence[str], relevant: Relevant, k: int) -> float:
    """Return 1 / rank of the first relevant document among the first `k`, or 0."""
    gains = as_gains(relevant)
    for rank, document in enumerate(ranking[:k], start=1):
        if gains.get(document, 0) > 0:
            return 1 / rank
    return 0.0


def recall(ranking: Sequence[str], relevant: Relevant, k: int) -> float:
    """Return the share of the relevant documents that are among the first `k`."""
    wanted = {document for document, gain in as_gains(relevant).items() if gain > 0}
    return len(wanted.intersection(ranking[:k])) / len(wanted)


def ndcg(ranking: Sequence[str], relevant: Relevant, k: int) -> float:
    """Return normalised discounted cumulative gain: Σ gain / log₂(rank + 1) over the first `k`, over its largest possible value
    (Järvelin and Kekäläinen, 2002)."""
    gains = as_gains(relevant)
    ideal = sorted((gain for gain in gains.values() if gain > 0), reverse=True)
    return _dcg([gains.get(document, 0.0) for document in ranking[:k]]) / _dcg(ideal[:k])


def mean_over_queries(
    measure: Callable[[Sequence[str], Relevant, int], float],
    rankings: Sequence[Sequence[str]],
    relevant: Sequence[Relevant],
    k: int,
) -> float:
    """Return the mean of a measure of this module.

    Raises:
        ValueError: no queries, different numbers of them, `k` < 1, a query without relevant documents, or a ranking
            that names a document twice.
    """
    if len(rankings) != len(relevant):
        raise ValueError(f"there are {len(rankings)} rankings but relevant documents for {len(relevant)} queries")
    if not rankings:
        raise ValueError("there are no queries to average over")
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k must be an integer ≥ 1, got {k!r}")
    for i, (ranking, documents) in enumerate(zip(rankings, relevant, strict=True)):
        if not any(gain > 0 for gain in as_gains(documents).values()):
            raise ValueError(f"query {i} has no relevant document: leave such queries out")
        if len(set(ranking)) != len(ranking):
            raise ValueError(f"the ranking of query {i} names a document twice")
    return sum(measure(r, d, k) for r, d in zip(rankings, relevant, strict=True)) / len(rankings)


def as_gains(relevant: Relevant) -> Mapping[str, float]:
    """Return relevance as a mapping; 1 for every document of a plain collection."""
    return relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
