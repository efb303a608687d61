"""Rankings become one by the ranks of their items."""

import pytest

from codefuse_hf.search.fusion import reciprocal_rank_fusion


def test_scores_are_those_of_the_formula():
    fused = dict(reciprocal_rank_fusion([["a", "b"], ["b", "c"]]))
    assert fused == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 62})


def test_what_both_rankings_hold_comes_first_and_equals_are_in_order():
    rankings = [["d", "b", "a"], ["c", "b", "e"]]
    assert [item for item, _ in reciprocal_rank_fusion(rankings)] == ["b", "c", "d", "a", "e"]
    assert reciprocal_rank_fusion([]) == []
