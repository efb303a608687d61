"""BM25 by its formula, and the index that comes back from its arrays."""

import math

import numpy as np
import pytest

from codefuse_hf.search.word_index import K1, B, WordIndex

DOCUMENTS = [{"read": 2.0, "file": 1.0}, {"file": 3.0, "write": 1.5, "open": 0.5}, {}, {"read": 1.0}]


def bm25(query, documents):
    """As Robertson & Zaragoza (2009) write it, term by term."""
    mean = sum(sum(document.values()) for document in documents) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word, weight in query.items():
            holding = sum(word in each for each in documents)
            count, length = document.get(word, 0.0), sum(document.values())
            saturated = count * (K1 + 1) / (count + K1 * (1 - B + B * length / mean)) if count else 0.0
            score += weight * saturated * math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        scores.append(score)
    return scores


@pytest.mark.parametrize(
    "query", [{"read": 1.0}, {"file": 1.0, "write": 2.0}, {"open": 0.5, "never": 1.0}, {"never": 1.0}, {}]
)
def test_scores_are_those_of_the_formula(query):
    index = WordIndex.build(DOCUMENTS)
    assert len(index) == len(DOCUMENTS)
    np.testing.assert_allclose(index.score(query), bm25(query, DOCUMENTS), rtol=1e-6)


def test_arrays_and_back():
    index = WordIndex.build(DOCUMENTS)
    again = WordIndex.from_tensors(index.vocabulary, len(DOCUMENTS), index.tensors())
    np.testing.assert_array_equal(again.score({"file": 1.0}), index.score({"file": 1.0}))
    broken = index.tensors() | {"indices": index.tensors()["indices"] + 100}
    with pytest.raises(ValueError):
        WordIndex.from_tensors(index.vocabulary, len(DOCUMENTS), broken)


def test_the_words_that_a_score_comes_from():
    index = WordIndex.build(
        [{"read": 1, "=read_file": 1, "file": 4, "often": 1}, {"often": 1, "write": 3}, {"often": 1}]
    )
    query = {"read": 1.0, "=read_file": 3.0, "file": 1.0, "write": 1.0, "never": 5.0}
    assert index.best_words(query, 0) == ["read_file", "file", "read"] and index.best_words(query, 0, 2) == [
        "read_file",
        "file",
    ]
    assert index.best_words(query, 1) == ["write"] and index.best_words(query, 2) == []
    many = {f"word{i}": 1.0 for i in range(9)}
    assert len(WordIndex.build([many, {}]).best_words(many, 0)) == 4
    assert index.best_words({"read": 3.0, "=read": 1.0}, 0) == ["read"], "each once"


def test_no_documents():
    assert WordIndex.build([]).score({"file": 1.0}).tolist() == []
