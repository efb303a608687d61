"""A call stack in segments: deep recursion returns, raises, ends and leaves the process's limit alone."""

import sys
import threading

import pytest

from codefuse_hf.graph.languages.deep import DeepCalls, counted


class Stairs(DeepCalls):
    without_answer = {"down": -1000}

    @counted
    def down(self, steps, *, at_the_end=int):
        return 1 + self.down(steps - 1, at_the_end=at_the_end) if steps else at_the_end()


def test_it_goes_deeper_than_the_limit_which_stays():
    limit, threads = sys.getrecursionlimit(), threading.active_count()
    assert Stairs().down(5 * limit, at_the_end=lambda: sys.getrecursionlimit() - limit) == 5 * limit
    assert threading.active_count() == threads


def test_errors_come_back_from_the_depth():
    with pytest.raises(ZeroDivisionError):
        Stairs().down(3000, at_the_end=lambda: 1 / 0)


def test_what_lies_too_deep_is_left_out_and_counted():
    stairs = Stairs()
    stairs.most_segments = 2
    assert -1000 < stairs.down(10_000) < 0
    assert stairs.left_out == 1
