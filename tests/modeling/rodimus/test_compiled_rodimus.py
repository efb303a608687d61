"""Rodimus under `torch.compile` and `torch.export`: few graphs, and the results of eager mode."""

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.export import Dim, export
from transformers import StaticCache

from helpers.models_rodimus import BLOCKS, make_ids, make_model, plus


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(params=BLOCKS)
def model(request):
    return make_model(BLOCKS[request.param])


def padded(batch, steps):
    """Padding on both sides, and where it is not."""
    mask = torch.ones(batch, steps, dtype=torch.long)
    mask[0, :3] = 0
    mask[1, -2:] = 0
    return mask


@torch.no_grad()
def test_few_graphs_for_many_lengths(model):
    """Two with attention: with the block-wise form of the window, and for texts too short for it."""
    counter = CompileCounter()
    compiled = torch.compile(model, dynamic=True, backend=counter)
    for steps in (7, 12, 31, 64, 65, 100, 150):
        ids = make_ids(2, steps)
        torch.testing.assert_close(compiled(ids, use_cache=False).logits, model(ids, use_cache=False).logits)
    assert counter.frame_count <= (2 if model.config.has_attention else 1)


@torch.no_grad()
def test_one_graph_without_breaks_for_padded_batches(model):
    counter = CompileCounter()
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend=counter)
    for steps in (12, 31, 65, 129):
        ids, mask = make_ids(2, steps), padded(2, steps)
        found, expected = (f(ids, attention_mask=mask, use_cache=False).logits for f in (compiled, model))
        torch.testing.assert_close(found[mask == 1], expected[mask == 1])
    assert counter.frame_count == 1


@torch.no_grad()
def test_packed_texts_compiled(model):
    counter = CompileCounter()
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend=counter)
    for lengths in ((5, 9, 17), (30, 8, 2), (20, 50, 11)):
        positions = torch.cat([torch.arange(n) for n in lengths])[None]
        ids = make_ids(1, sum(lengths))
        found, expected = (f(ids, position_ids=positions, use_cache=False).logits for f in (compiled, model))
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)  # each is within 1e-5 of float64
    assert counter.frame_count == 1


@torch.no_grad()
@pytest.mark.parametrize(
    "values", [*BLOCKS.values(), plus(attn_cfg={"window_size": 200})], ids=[*BLOCKS, "long window"]
)
def test_a_compiled_step_serves_every_token(values):
    model, ids = make_model(values), make_ids(2, 40)
    counter = CompileCounter()
    step = torch.compile(model.forward, backend=counter)
    expected = model(ids, use_cache=False).logits
    cache = StaticCache(config=model.config, max_cache_len=64)
    model(ids[:, :10], past_key_values=cache)
    for i in range(10, 40):
        logits = step(ids[:, i : i + 1], past_key_values=cache, use_cache=True).logits
        torch.testing.assert_close(logits[:, 0], expected[:, i], atol=2e-5, rtol=0)
    assert counter.frame_count == 1


def test_gradients_compiled():
    counter = CompileCounter()
    model = make_model(BLOCKS["rodimus_plus"]).train()
    compiled = torch.compile(model, dynamic=True, backend=counter)
    for steps in (31, 65, 100):
        ids, gradients = make_ids(2, steps), []
        for f in (model, compiled):
            model.zero_grad()
            f(ids, labels=ids, use_cache=False).loss.backward()
            gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
        for name, expected in gradients[0].items():
            torch.testing.assert_close(gradients[1][name], expected, atol=1e-4, rtol=1e-4, msg=name)
    assert counter.frame_count == 1


class Logits(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask=None):
        return self.model(input_ids, attention_mask=attention_mask, use_cache=False).logits


@torch.no_grad()
@pytest.mark.parametrize("with_mask", [False, True])
def test_an_exported_graph_takes_every_length(model, with_mask):
    """Traced with a sample of more than two chunks of the recurrence."""
    inputs = [make_ids(2, 150), padded(2, 150)][: 1 + with_mask]
    open_sizes = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    shapes = {"input_ids": open_sizes, "attention_mask": open_sizes if with_mask else None}
    program = export(Logits(model), tuple(inputs), dynamic_shapes=shapes if with_mask else (open_sizes,)).module()
    for batch, steps in ((3, 9), (2, 65), (2, 300)):
        inputs = [make_ids(batch, steps), padded(batch, steps)][: 1 + with_mask]
        real = padded(batch, steps) == 1 if with_mask else torch.ones(batch, steps, dtype=torch.bool)
        torch.testing.assert_close(program(*inputs)[real], Logits(model)(*inputs)[real], atol=2e-5, rtol=0)
