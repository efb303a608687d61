"""Sliding-window attention in blocks equals one masked product, in values and gradients."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn import functional as F

from codefuse_hf.kernels.sliding_window_attention import (
    sliding_window_attention,
    window_attention_step,
    worth_blocks,
)


def reference(query, key, value, window, scaling):
    heads, steps, past = query.shape[1], query.shape[2], key.shape[2] - query.shape[2]
    key, value = (x.repeat(1, heads // x.shape[1], 1, 1) for x in (key, value))
    distance = torch.arange(steps)[:, None] + past - torch.arange(key.shape[2])
    scores = (query @ key.transpose(2, 3) * scaling).masked_fill((distance < 0) | (distance >= window), -torch.inf)
    return F.softmax(scores, -1) @ value


def inputs(steps, past, heads=(4, 1, 2), batch=2):
    generator = torch.Generator().manual_seed(steps)
    shapes = [(heads[0], steps, 8), (heads[1], past + steps, 8), (heads[2], past + steps, 6)]
    return [torch.randn(batch, *shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("steps", "past", "window"),
    [(17, 0, 5), (16, 0, 5), (16, 4, 5), (33, 2, 8), (9, 3, 5), (3, 0, 5), (4, 4, 5), (6, 1, 2), (40, 7, 8)],
)
def test_values_and_gradients(steps, past, window, batch):
    tensors = inputs(steps, past, batch=batch)
    results = [function(*tensors, window, 0.3) for function in (sliding_window_attention, reference)]
    weight = torch.randn(results[0].shape, dtype=torch.float64)
    torch.testing.assert_close(*results)
    gradients = [torch.autograd.grad((result * weight).sum(), tensors) for result in results]
    torch.testing.assert_close(*gradients)


def test_compiled_once_for_every_length():
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(sliding_window_attention, dynamic=True, fullgraph=True, backend=counter)
    for steps in (9, 17, 33):
        tensors = inputs(steps, 3)
        results = [function(*tensors, 5, 0.3) for function in (compiled, reference)]
        torch.testing.assert_close(*results)
        weight = torch.randn(results[0].shape, dtype=torch.float64)
        gradients = [torch.autograd.grad((result * weight).sum(), tensors) for result in results]
        torch.testing.assert_close(*gradients)
    called = [[node.target for node in graph.graph.nodes if node.op == "call_function"] for graph in counter.graphs]
    assert [targets for targets in called if targets] == [[torch.ops.codefuse_hf.sliding_window_attention.default]]


def test_operator_for_the_compiler_is_sound():
    torch.library.opcheck(torch.ops.codefuse_hf.sliding_window_attention, (*inputs(17, 3), 5, 0.3))


@pytest.mark.parametrize("heads", [(4, 4, 4), (4, 2, 1), (3, 1, 3)])
def test_fewer_key_and_value_heads_are_tiled(heads):
    tensors = inputs(21, 3, heads)
    torch.testing.assert_close(sliding_window_attention(*tensors, 6, 0.5), reference(*tensors, 6, 0.5))


@pytest.mark.parametrize(
    ("steps", "window", "expected"),
    [(9, 5, True), (8, 5, False), (3, 2, True), (2, 2, False), (100, None, False), (100, 1, False)],
)
def test_blocks_from_two_of_them_on(steps, window, expected):
    assert worth_blocks(steps, window) is expected


@pytest.mark.parametrize("heads", [(4, 1, 2), (4, 4, 4), (4, 2, 1), (3, 1, 3)])
def test_one_query_by_itself(heads):
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, n, steps, 8, generator=generator, dtype=torch.float64)
        for n, steps in zip(heads, (1, 21, 21), strict=True)
    )
    expected = reference(query, key, value, 21, 0.3).transpose(1, 2).flatten(2)
    got = window_attention_step(*(x.transpose(1, 2).flatten(2) for x in (query, key, value)), 8, 0.3)
    torch.testing.assert_close(got, expected)
