"""Segments: node sentences as tokens, cut into pieces of which each becomes one node token of CGM, and their adjacency.

A sentence of t tokens gives ceil(t / segment_length) segments; the empty sentence gives one segment without tokens (its
embedding is the zero vector); a sentence that is not empty but has no tokens gives none. No special tokens are added.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

Tokenizer = "PreTrainedTokenizerBase | Callable[[str], Sequence[int]]"
_BATCH = 256  # sentences a call of the tokenizer: enough for its threads, little memory


@dataclass(frozen=True, slots=True)
class GraphSegments:
    """The segments of a graph, in node order. s segments, n nodes, t tokens in all.

    Attributes:
        input_ids: int32 [t], the tokens of all segments back to back.
        offsets: int64 [s + 1], segment i is `input_ids[offsets[i] : offsets[i + 1]]`.
        owners: int32 [s], the position in the graph of the node of each segment.
        node_offsets: int64 [n + 1], node i has the segments `node_offsets[i] : node_offsets[i + 1]`.
        edges: int64 [2, e], the distinct (source, target) positions of the graph's edges.
    """

    input_ids: np.ndarray
    offsets: np.ndarray
    owners: np.ndarray
    node_offsets: np.ndarray
    edges: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, index: int) -> np.ndarray:
        """The tokens of one segment, int32 [at most segment_length]."""
        index = range(len(self))[index]
        return self.input_ids[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterable[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def take(self, nodes: np.ndarray) -> "GraphSegments":
        """Return the segments of some nodes (ascending positions) alone, with the edges among them."""
        counts = np.diff(self.node_offsets)
        place = np.full(len(counts), -1, np.int64)
        place[nodes] = np.arange(len(nodes))
        kept = place[self.owners] >= 0
        lengths = np.diff(self.offsets)
        edges = place[self.edges]
        return GraphSegments(
            input_ids=self.input_ids[np.repeat(kept, lengths)],
            offsets=_offsets(lengths[kept]),
            owners=place[self.owners[kept]].astype(np.int32),
            node_offsets=_offsets(counts[nodes]),
            edges=edges[:, (edges >= 0).all(0)],
        )

    def padded(self, pad_token_id: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return `input_ids` int64 and `attention_mask` int64, both [s, length of the longest segment], padded on the right."""
        lengths = np.diff(self.offsets)
        mask = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
        input_ids = np.full(mask.shape, pad_token_id, np.int64)
        input_ids[mask] = self.input_ids
        return input_ids, mask.astype(np.int64)

    def adjacency_coo(self, *, self_loops: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns, int64 each, of the segments' adjacency, sorted by row and column, each pair once.

        Row i attends to column j. An edge of the graph holds between all segments of its two nodes, in its direction;
        segments of one node see each other. A segment sees itself only where the graph has a loop at its node, or with
        `self_loops`.
        """
        counts = np.diff(self.node_offsets)
        sources, targets = self.edges
        rows, columns = _blocks(self.node_offsets, counts, sources, targets)
        looped = np.zeros(len(counts), bool)
        looped[sources[sources == targets]] = True
        several = np.flatnonzero((counts > 1) & ~looped)
        inner_rows, inner_columns = _blocks(self.node_offsets, counts, several, several)
        apart = inner_rows != inner_columns
        alone = np.flatnonzero(~looped[self.owners]) if self_loops else np.empty(0, np.int64)
        size = max(len(self), 1)
        key = np.concatenate(
            [rows * size + columns, inner_rows[apart] * size + inner_columns[apart], alone * size + alone]
        )
        key.sort()
        return tuple(np.divmod(key, size))

    def adjacency(self, *, self_loops: bool = False, dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        """Return the adjacency as a coalesced sparse COO tensor [s, s] of ones (bool by default), see `adjacency_coo`."""
        import torch

        indices = torch.from_numpy(np.stack(self.adjacency_coo(self_loops=self_loops)))
        ones = torch.ones(indices.shape[1], dtype=dtype or torch.bool)
        return torch.sparse_coo_tensor(indices, ones, (len(self), len(self)), is_coalesced=True, check_invariants=False)


def cut_segments(
    texts: Iterable[str],
    edges: np.ndarray,
    tokenizer: Tokenizer,
    segment_length: int = 512,
    max_segments_per_node: int | None = None,
) -> GraphSegments:
    """Tokenise the sentences of nodes and cut them into segments.

    Args:
        texts: the sentences, in node order.
        edges: integers [2, e], (source, target) positions of nodes; repeated ones collapse.
        tokenizer: a transformers tokenizer, or a function from a text to its token ids.
        segment_length: tokens per segment; CGM's encoder takes 512.
        max_segments_per_node: cuts longer sentences off; a generated file of 10 MB has thousands of segments, which
            all see each other. None keeps everything.
    """
    for name, value in (("segment_length", segment_length), ("max_segments_per_node", max_segments_per_node)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, found {value}")
    encode = _batch_encoder(tokenizer)
    token_parts: list[np.ndarray] = []
    lengths: list[int] = []
    counts: list[int] = []
    texts = iter(texts)
    while batch := list(islice(texts, _BATCH)):
        for text, tokens in zip(batch, encode(batch), strict=True):
            if max_segments_per_node is not None:
                tokens = tokens[: max_segments_per_node * segment_length]
            pieces = [min(segment_length, len(tokens) - at) for at in range(0, len(tokens), segment_length)]
            if text == "":
                pieces, tokens = [0], tokens[:0]
            token_parts.append(np.asarray(tokens, np.int32))
            lengths += pieces
            counts.append(len(pieces))
    return GraphSegments(
        input_ids=np.concatenate(token_parts) if token_parts else np.empty(0, np.int32),
        offsets=_offsets(lengths),
        owners=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        node_offsets=_offsets(counts),
        edges=np.unique(edges, axis=1),
    )


def _offsets(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64), dtype=np.int64)])


def _blocks(
    starts: np.ndarray, counts: np.ndarray, sources: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (segment of source, segment of target) of the given node pairs: rows and columns, int64."""
    sizes = counts[sources] * counts[targets]
    before = np.cumsum(sizes) - sizes
    within = np.arange(int(sizes.sum())) - np.repeat(before, sizes)
    row, column = np.divmod(within, np.repeat(counts[targets], sizes))
    return np.repeat(starts[sources], sizes) + row, np.repeat(starts[targets], sizes) + column


def _batch_encoder(tokenizer: Any) -> Callable[[list[str]], Sequence[Sequence[int]]]:
    if hasattr(tokenizer, "convert_tokens_to_ids"):  # a transformers tokenizer
        return lambda texts: tokenizer(
            texts, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False, verbose=False
        )["input_ids"]
    if callable(tokenizer):
        return lambda texts: [tokenizer(text) for text in texts]
    raise TypeError(
        f"tokenizer must be a transformers tokenizer or a function from text to ids, found {type(tokenizer).__name__}"
    )
