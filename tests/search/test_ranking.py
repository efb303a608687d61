"""Scores of several kinds become one."""

import numpy as np

from codefuse_hf.search.ranking import combine, priors, spread


def test_scores_are_between_0_and_1_and_of_any_scale():
    words, files, cosines = np.array([4.0, 2, 0]), np.array([1.0, 3, 3]), np.array([0.1, 0.2, 0.9])
    scores = combine(words, files, cosines)
    assert scores.min() >= 0 and scores.max() <= 1
    np.testing.assert_allclose(scores, combine(10 * words, 7 * files, cosines / 2))


def test_each_kind_of_evidence_counts():
    same = np.array([1.0, 1.0])
    for position in range(3):
        evidence = [same, same, same]
        evidence[position] = np.array([0.5, 1.0])
        first, second = combine(*evidence)
        assert first < second


def test_a_clear_match_of_words_is_not_outvoted_by_rank():
    """What reciprocal ranks do: the second of both rankings beats the clear first of one."""
    words, cosines = np.array([10.0, 1.0, 0.0]), np.array([0.1, 0.35, 0.4])
    assert combine(words, np.zeros(3), cosines).argmax() == 0


def test_nothing_found_is_zero():
    nothing = np.zeros(3)
    assert combine(nothing, nothing, None).tolist() == [0, 0, 0]
    assert spread(np.full(3, 0.2)).tolist() == [0, 0, 0]


def test_functions_before_what_holds_them_and_tests_behind():
    kinds = np.array(["function", "function", "class", "file", "function"], dtype=object)
    factors = priors(kinds, np.array([10, 1, 50, 100, 10]), np.array([False, False, False, False, True]))
    assert factors[0] == 1 and all(factors[0] > each for each in factors[1:])
