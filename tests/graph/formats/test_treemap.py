import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codefuse_hf.graph.formats.page.treemap import HEIGHT, WIDTH, nested_treemap


@st.composite
def weighted_trees(draw):
    size = draw(st.integers(1, 60))
    parents = [-1] + [draw(st.integers(0, node - 1)) for node in range(1, size)]
    return parents, draw(st.lists(st.floats(0.5, 1e4), min_size=size, max_size=size))


@settings(max_examples=60, deadline=None)
@given(weighted_trees())
def test_boxes_lie_inside_their_container_and_apart_from_each_other(tree):
    parents, weights = tree
    boxes = nested_treemap(parents, weights)
    left, top, right, bottom = boxes[:, 0], boxes[:, 1], boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
    assert (boxes[:, 2:] >= 0).all() and boxes[0].tolist() == [0, 0, WIDTH, HEIGHT]
    for node in range(1, len(parents)):
        above = parents[node]
        assert left[node] >= left[above] - 1e-6 and right[node] <= right[above] + 1e-6
        assert top[node] >= top[above] - 1e-6 and bottom[node] <= bottom[above] + 1e-6
        for other in range(node):
            if parents[other] == above:
                apart = min(right[node], right[other]) - max(left[node], left[other])
                below = min(bottom[node], bottom[other]) - max(top[node], top[other])
                assert apart <= 1e-6 or below <= 1e-6


def test_areas_are_in_proportion_to_weights_and_boxes_are_not_slivers():
    boxes = nested_treemap([-1] + [0] * 6, [1, 6, 6, 4, 3, 2, 1])
    areas = boxes[1:, 2] * boxes[1:, 3]
    np.testing.assert_allclose(areas / areas.sum(), np.array([6, 6, 4, 3, 2, 1]) / 22)
    assert (boxes[1:, 2:].max(1) / boxes[1:, 2:].min(1)).max() < 3


def test_deep_nesting_is_laid_out():
    boxes = nested_treemap(list(range(-1, 5000)), [1.0] * 5001)
    assert np.isfinite(boxes).all()


def test_no_nodes_no_boxes():
    assert nested_treemap([], []).shape == (0, 4)
