"""One ranking from several."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

_K = 60  # as in the paper
Item = TypeVar("Item", bound=Hashable)


def reciprocal_rank_fusion(rankings: Iterable[Sequence[Item]]) -> list[tuple[Item, float]]:
    """Merge rankings into one: items with their scores Σ 1 / (60 + rank), best first; rank counts from 1 (Cormack et al., SIGIR
    2009).

    Args:
        rankings: rankings of items, each best first. Items of equal score are ordered by themselves.
    """
    scores: dict[Item, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (_K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
