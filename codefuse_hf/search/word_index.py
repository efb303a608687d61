"""BM25 over documents given as weighted counts of words (Robertson & Zaragoza 2009, §3.6: fields are weighted before saturation)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import sparse

K1, B = 1.2, 0.6


class WordIndex:
    """What each word adds to the score of each document, as a sparse matrix `[words, documents]` of float32."""

    def __init__(self, vocabulary: Mapping[str, int], scores: sparse.csr_matrix):
        self.vocabulary, self._scores = vocabulary, scores

    def __len__(self) -> int:
        return self._scores.shape[1]

    @classmethod
    def build(cls, documents: Sequence[Mapping[str, float]]) -> "WordIndex":
        """Index documents, each a mapping of words to (weighted) counts."""
        vocabulary: dict[str, int] = {}
        rows, counts, lengths = [], [], np.zeros(len(documents))
        for position, document in enumerate(documents):
            rows.append(np.array([vocabulary.setdefault(word, len(vocabulary)) for word in document], np.int32))
            counts.append(np.array(list(document.values()), np.float64))
            lengths[position] = counts[-1].sum()
        sizes = [len(row) for row in rows]
        columns = np.repeat(np.arange(len(documents)), sizes)
        counts = np.concatenate([*counts, np.zeros(0)])
        rows = np.concatenate([*rows, np.zeros(0, np.int32)])
        mean = lengths.mean() if len(documents) and lengths.any() else 1.0
        saturated = counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths[columns] / mean))
        frequency = np.bincount(rows, minlength=len(vocabulary))
        rarity = np.log1p((len(documents) - frequency + 0.5) / (frequency + 0.5))
        scores = (saturated * rarity[rows]).astype(np.float32)
        return cls(vocabulary, sparse.csr_matrix((scores, (rows, columns)), (len(vocabulary), len(documents))))

    def score(self, query: Mapping[str, float]) -> np.ndarray:
        """Compute the BM25 score of each document for a weighted query: float64 `[documents]`."""
        known = {self.vocabulary[word]: weight for word, weight in query.items() if word in self.vocabulary}
        if not known:
            return np.zeros(len(self))
        return self._scores[list(known)].T @ np.array(list(known.values()))

    def best_words(self, query: Mapping[str, float], document: int, count: int = 4) -> list[str]:
        """List the words of the query that a document's score comes from, best first; whole identifiers without their mark."""
        column = {w: self._scores[self.vocabulary[w], document] * q for w, q in query.items() if w in self.vocabulary}
        best = sorted((word for word in column if column[word] > 0), key=lambda word: -column[word])
        return list(dict.fromkeys(word.lstrip("=") for word in best[:count]))

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the matrix as plain arrays, for a file; `from_tensors` reads them."""
        return {"data": self._scores.data, "indices": self._scores.indices, "indptr": self._scores.indptr}

    @classmethod
    def from_tensors(cls, words: Iterable[str], documents: int, tensors: Mapping[str, np.ndarray]) -> "WordIndex":
        """Restore the index of `documents` documents from its words, in order, and the arrays of `tensors`.

        Raises:
            ValueError: the arrays do not fit together.
        """
        vocabulary = {word: row for row, word in enumerate(words)}
        parts = (tensors["data"], tensors["indices"], tensors["indptr"])
        matrix = sparse.csr_matrix(parts, (len(vocabulary), documents))
        matrix.check_format(full_check=True)
        return cls(vocabulary, matrix)
