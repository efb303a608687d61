"""A nested treemap: every node a rectangle inside its container's, its area in proportion to its weight.

Rows are laid as in Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000), which keeps rectangles close to squares.
"""

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 1600.0, 1000.0
"""The size of the root's rectangle; the unit is arbitrary."""
_HEADER, _HEADER_DECAY = 30.0, 0.9  # the strip for a container's name: less at every level, never more than a share
_HEADER_SHARE = 0.17
_MARGIN, _MARGIN_SHARE = 5.0, 0.02


def nested_treemap(parents: Sequence[int], weights: Sequence[float]) -> np.ndarray:
    """Returns the rectangles of all nodes.

    Args:
        parents: the container of each node, given before the node itself; -1 for the root, which is node 0.
        weights: the own weight of each node, more than 0; a container's is at least the sum of what it contains.

    Returns:
        float64 [num_nodes, 4]: left, top, width, height.
    """
    size = len(parents)
    children: list[list[int]] = [[] for _ in range(size)]
    totals = np.array(weights, np.float64)
    inner = np.zeros(size)
    for node in range(size - 1, 0, -1):
        totals[node] = max(totals[node], inner[node])
        inner[parents[node]] += totals[node]
        children[parents[node]].append(node)
    boxes = np.zeros((size, 4))
    if size == 0:
        return boxes
    boxes[0] = (0, 0, WIDTH, HEIGHT)
    depths = np.zeros(size, np.int64)
    for node in range(size):  # containers come before what they contain
        if node:
            depths[node] = depths[parents[node]] + 1
        inside = children[node]
        if inside:
            inside.sort(key=lambda child: (-totals[child], child))
            share = _squarify([float(totals[child]) for child in inside], *_inner_box(boxes[node], int(depths[node])))
            boxes[inside] = share
    return boxes


def _inner_box(box: np.ndarray, depth: int) -> tuple[float, float, float, float]:
    """The part of a container's rectangle that is left for its content."""
    left, top, width, height = box.tolist()
    decay = _HEADER_DECAY**depth
    header = min(max(_HEADER * decay, min(_HEADER, 0.05 * height)), _HEADER_SHARE * height)
    margin = min(_MARGIN * decay, _MARGIN_SHARE * min(width, height))
    return left + margin, top + header, max(width - 2 * margin, 0.0), max(height - header - margin, 0.0)


def _squarify(weights: list[float], left: float, top: float, width: float, height: float) -> np.ndarray:
    """Rectangles [len(weights), 4] that fill the given one, for weights in falling order."""
    boxes = np.zeros((len(weights), 4))
    total = sum(weights)
    if total <= 0 or width <= 0 or height <= 0:
        boxes[:] = (left, top, 0, 0)
        return boxes
    scale = width * height / total
    start = 0
    while start < len(weights):
        side = min(width, height)
        end, area = _row_end(weights, start, scale, side)
        depth = area / side if side > 0 else 0.0
        offset = 0.0
        for index in range(start, end):
            extent = weights[index] * scale / depth if depth > 0 else 0.0
            if width >= height:  # a column on the left
                boxes[index] = (left, top + offset, depth, extent)
            else:  # a row on top
                boxes[index] = (left + offset, top, extent, depth)
            offset += extent
        if width >= height:
            left, width = left + depth, max(width - depth, 0.0)
        else:
            top, height = top + depth, max(height - depth, 0.0)
        start = end
    return boxes


def _row_end(weights: list[float], start: int, scale: float, side: float) -> tuple[int, float]:
    """Where the row that begins at `start` ends (taking one more would make its worst rectangle longer), and its area."""
    area, worst, end = 0.0, float("inf"), start
    largest = weights[start] * scale
    while end < len(weights):
        item = weights[end] * scale
        grown = area + item
        if item <= 0 or side <= 0:
            return len(weights), max(grown, 0.0)
        ratio = max(side * side * largest / (grown * grown), grown * grown / (side * side * item))
        if ratio > worst:
            break
        area, worst, end = grown, ratio, end + 1
    return end, area
