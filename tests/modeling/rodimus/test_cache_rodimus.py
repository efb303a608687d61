"""The cache: what a reset forgets, what masks are told, and what stays in memory."""

import copy

import pytest
import torch
from transformers import DynamicCache

from codefuse_hf.modeling.rodimus.cache_rodimus import (
    RecurrentLayer,
    SlidingLayer,
    WindowLayer,
    WindowView,
    adopt_cache,
    past_length,
)
from helpers.models_rodimus import BLOCKS, make_ids, make_model, plus


@pytest.mark.parametrize("block", BLOCKS)
def test_a_cache_that_was_reset_is_as_good_as_new(block):
    model, ids = make_model(BLOCKS[block]), make_ids(2, 20)
    cache = adopt_cache(DynamicCache(config=model.config), model.config)
    with torch.no_grad():
        model(ids[:, 9:], past_key_values=cache)
        assert past_length(cache) == 11
        cache.reset()
        assert past_length(cache) == 0
        first, second = (model(piece, past_key_values=cache).logits for piece in (ids[:, :9], ids[:, 9:]))
        expected = model(ids).logits
    torch.testing.assert_close(torch.cat([first, second], 1), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pieces", [[7, 5], [6, 1, 1, 4], [1] * 12])
@pytest.mark.parametrize("block", BLOCKS)
def test_gradients_go_through_a_cache(block, pieces):
    """A text in pieces, each with the cache of those before, has the gradients of the whole."""
    model, ids = make_model(BLOCKS[block]).double(), make_ids(2, 12)
    expected = torch.autograd.grad(model(ids).logits.sin().sum(), list(model.parameters()))
    cache, loss = DynamicCache(config=model.config), 0.0
    for piece in ids.split(pieces, 1):
        loss = loss + model(piece, past_key_values=cache).logits.sin().sum()
    torch.testing.assert_close(torch.autograd.grad(loss, list(model.parameters())), expected, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("block", BLOCKS)
def test_gradients_behind_a_prompt_that_has_none(block):
    """As where answers to one prompt are scored: the prompt's cache is a constant."""
    model, ids = make_model(BLOCKS[block]).double(), make_ids(2, 12)

    def score(weight: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            cache = model(ids[:, :8]).past_key_values
        changed = {"model.layers.0.mixer.out_proj.weight": weight}
        arguments = {"input_ids": ids[:, 8:], "past_key_values": cache}
        return torch.func.functional_call(model, changed, (), arguments).logits.sin().sum()

    weight = model.model.layers[0].mixer.out_proj.weight.detach()
    direction = torch.randn_like(weight)
    found = torch.autograd.grad(score(weight.requires_grad_()), weight)[0]
    with torch.no_grad():
        change = (score(weight + 1e-5 * direction) - score(weight - 1e-5 * direction)) / 2e-5
    torch.testing.assert_close((found * direction).sum(), change, atol=1e-6, rtol=1e-5)


def test_a_mask_covers_what_was_seen_and_what_comes():
    layer = RecurrentLayer()
    layer.advance(5, torch.device("cpu"))
    assert layer.get_mask_sizes(3) == (8, 0)


def test_a_mask_covers_the_window_and_what_comes():
    layer, positions = WindowLayer(4, 4), torch.arange(12.0)[None, None, :, None]
    for start, stop in ((0, 6), (6, 7), (7, 12)):
        piece, past = positions[:, :, start:stop], layer.past
        length, first = layer.get_mask_sizes(stop - start)
        keys, _ = layer.update(piece, piece)
        assert keys.flatten().tolist() == list(range(first, first + length))
        assert WindowView(past).get_mask_sizes(stop - start) == (length, 0)


def test_a_window_lets_go_of_the_prompt():
    model, window, prompt = make_model(plus(attn_cfg={"window_size": 8})), 8, 300
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(make_ids(1, prompt), past_key_values=cache)
    for layer in cache.layers:
        assert layer.keys.shape[-2] < window + 1
        for states in (layer.keys, layer.values):
            assert states.untyped_storage().nbytes() == states.nbytes


@pytest.mark.parametrize("window_size", [2, 6, 60])
@torch.no_grad()
def test_steps_written_where_the_window_lies_give_what_new_windows_give(window_size):
    model, ids = make_model(plus(attn_cfg={"window_size": window_size})), make_ids(2, 60)
    cache, expected, window = DynamicCache(config=model.config), model(ids).logits, model.config.sliding_window
    logits = [model(ids[:, :1], past_key_values=cache).logits]
    handed_out = []
    for step in range(1, ids.shape[1]):
        layer = cache.layers[0]
        handed_out += [(x, x.clone()) for x in (layer.keys, layer.values)]
        logits.append(model(ids[:, step : step + 1], past_key_values=cache).logits)
        assert layer.keys.shape[2] == layer.values.shape[2] == min(step + 1, window - 1)
        assert layer.keys.untyped_storage().nbytes() <= layer.keys[:, :, :1].nbytes * (window + max(window // 8, 1))
    torch.testing.assert_close(torch.cat(logits, 1), expected, atol=1e-4, rtol=1e-4)
    for tensor, then in handed_out:
        assert torch.equal(tensor, then)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@torch.no_grad()
def test_copies_of_a_layer_go_on_each_by_itself(copied):
    layer = SlidingLayer(41)
    keys, values = torch.randn(1, 1, 30, 4), torch.randn(1, 1, 30, 6)
    for step in range(10):
        layer.update(keys[:, :, step : step + 1], values[:, :, step : step + 1])
    other = copied(layer)
    for step in range(10, 30):
        got = layer.update(keys[:, :, step : step + 1], values[:, :, step : step + 1])
        other.update(-keys[:, :, step : step + 1], values[:, :, step : step + 1])
    torch.testing.assert_close(got, (keys, values))
    torch.testing.assert_close(other.keys, torch.cat([keys[:, :, :10], -keys[:, :, 10:]], 2))


def test_a_window_may_be_filled_with_and_without_inference_mode_and_gradients():
    model, ids = make_model(plus(attn_cfg={"window_size": 20})), make_ids(1, 16)
    cache, logits = DynamicCache(config=model.config), []
    modes = [torch.no_grad, torch.inference_mode, torch.no_grad, torch.enable_grad]
    for step, token in enumerate(ids.split(1, 1)):
        with modes[step // 2 % 4]():
            logits.append(model(token, past_key_values=copy.deepcopy(cache) if step == 6 else cache).logits.detach())
            if step == 6:
                model(token, past_key_values=cache)
    expected = model(ids).logits
    torch.testing.assert_close(torch.cat(logits, 1), expected, atol=1e-4, rtol=1e-4)
