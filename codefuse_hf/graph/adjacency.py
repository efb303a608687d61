"""Adjacency of a graph in compressed rows, and the walks over it that the queries are made of.

Everything here speaks of positions (0 … num_nodes - 1), never of ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from codefuse_hf.graph.schema import EDGE_CODES, EDGE_TYPES, EdgeType


@dataclass(frozen=True, slots=True)
class Adjacency:
    """The edges of one direction, grouped by node: those of node i are `pointers[i] : pointers[i + 1]`.

    Attributes:
        pointers: int64 [num_nodes + 1].
        neighbors: int32 [num_edges], the other ends; parallel edges of several types stay several entries.
        types: uint8 [num_edges], codes of `EDGE_TYPES`.
    """

    pointers: np.ndarray
    neighbors: np.ndarray
    types: np.ndarray

    @classmethod
    def from_edges(cls, origins: np.ndarray, ends: np.ndarray, types: np.ndarray, num_nodes: int) -> "Adjacency":
        """Groups edges by `origins`, keeping their order within a node."""
        pointers = np.zeros(num_nodes + 1, np.int64)
        np.cumsum(np.bincount(origins, minlength=num_nodes), out=pointers[1:])
        if len(origins) and (np.diff(origins) < 0).any():
            order = np.argsort(origins, kind="stable")
            ends, types = ends[order], types[order]
        return cls(pointers, ends, types)

    def of(self, nodes: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
        """Finds the neighbours of all `nodes`, repeats included; `wanted` is bool [len(EDGE_TYPES)], None for every type."""
        starts = self.pointers[nodes]
        counts = self.pointers[nodes + 1] - starts
        before = np.cumsum(counts) - counts
        entries = np.repeat(starts - before, counts) + np.arange(counts.sum())
        found = self.neighbors[entries]
        return found if wanted is None else found[wanted[self.types[entries]]]


def edge_type_mask(edge_types: str | Iterable[str] | None) -> np.ndarray | None:
    """Makes a mask, bool [len(EDGE_TYPES)], True for the named types; None (every type) stays None."""
    if edge_types is None:
        return None
    mask = np.zeros(len(EDGE_TYPES), bool)
    for each in [edge_types] if isinstance(edge_types, str) else edge_types:
        mask[EDGE_CODES[EdgeType.parse(each)]] = True
    return mask


def containment_parents(sources: np.ndarray, targets: np.ndarray, types: np.ndarray, num_nodes: int) -> np.ndarray:
    """Finds the container of each node, int32 [num_nodes], -1 for none; of several containers the first in node order."""
    parents = np.full(num_nodes, -1, np.int32)
    edges = (types == EDGE_CODES[EdgeType.CONTAINS]) & (sources != targets)
    parents[targets[edges][::-1]] = sources[edges][::-1]  # written backwards, so that the first edge stays
    return parents


def nearest_container(parents: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """Finds the node itself or its nearest container with `accepted` True, int64 [num_nodes], -1 where there is none.

    By pointer doubling: as many passes as the logarithm of the depth, also where faulty data closes a cycle.
    """
    size = len(parents)
    nowhere = size  # a sentinel that points at itself
    jump = np.append(np.where(parents < 0, nowhere, parents).astype(np.int64), nowhere)
    jump[:size][accepted] = np.flatnonzero(accepted)
    for _ in range(max(1, size.bit_length())):
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    nearest = jump[:size]
    ends_well = np.append(accepted, False)[nearest]
    return np.where(ends_well, nearest, -1)


def reach(nodes: np.ndarray, adjacencies: Iterable[Adjacency], num_nodes: int, wanted: np.ndarray | None) -> np.ndarray:
    """Marks `nodes` and everything that can be reached from them, however far: bool [num_nodes]."""
    adjacencies = list(adjacencies)
    seen = np.zeros(num_nodes, bool)
    seen[nodes] = True
    frontier = np.unique(nodes)
    while len(frontier):
        found = np.unique(np.concatenate([adjacency.of(frontier, wanted) for adjacency in adjacencies]))
        frontier = found[~seen[found]]
        seen[frontier] = True
    return seen
