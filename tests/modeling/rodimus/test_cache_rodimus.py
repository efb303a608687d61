"""The cache: what a reset forgets, what masks are told, and what stays in memory."""

import pytest
import torch
from transformers import DynamicCache

from codefuse_hf.modeling.rodimus.cache_rodimus import RecurrentLayer, adopt_cache, past_length
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


def test_a_mask_covers_what_was_seen_and_what_comes():
    layer = RecurrentLayer()
    layer.advance(5, torch.device("cpu"))
    assert layer.get_mask_sizes(3) == (8, 0)


def test_a_window_lets_go_of_the_prompt():
    model, window, prompt = make_model(plus(attn_cfg={"window_size": 8})), 8, 300
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(make_ids(1, prompt), past_key_values=cache)
    for layer in cache.layers:
        assert layer.keys.shape[-2] < window + 1
        for states in (layer.keys, layer.values):
            assert states.untyped_storage().nbytes() == states.nbytes
