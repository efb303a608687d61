"""What can be done to a cache is exact, in every kind of cache, or refused."""

import copy

import pytest
import torch
from transformers import DynamicCache, StaticCache

from helpers.models_rodimus import BLOCKS, ODD, make_ids, make_model

VARIANTS = BLOCKS | {"no window": ODD["no window"], "window 1": ODD["window of the token itself"]}
MODELS = {name: make_model(values) for name, values in VARIANTS.items()}
IDS, NEW = make_ids(3, 14), make_ids(3, 4, seed=1)
MASK = torch.ones(3, 18, dtype=torch.long)
MASK[1, :5] = MASK[2, 9:14] = 0
KINDS = ["dynamic", "static"]


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def make_cache(model, kind: str):
    if kind == "dynamic":
        return DynamicCache(config=model.config)
    return StaticCache(config=model.config, max_cache_len=24)


@torch.no_grad()
def fill(model, kind: str):
    cache = make_cache(model, kind)
    model(IDS, attention_mask=MASK[:, :14], past_key_values=cache)
    return cache


@torch.no_grad()
def check_rows(model, cache, rows: list[int]) -> None:
    """The cache goes on as one that has seen just these rows, in this order."""
    logits = model(NEW[rows], attention_mask=MASK[rows], past_key_values=cache).logits
    for i, row in enumerate(rows):
        text = torch.cat([IDS, NEW], 1)[row, MASK[row].bool()]
        torch.testing.assert_close(logits[i], model(text[None]).logits[0, -4:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_selected_repeated_and_reordered(model, kind):
    cache = fill(model, kind)
    cache.batch_select_indices(torch.tensor([2, 0]))
    cache.batch_repeat_interleave(2)
    cache.reorder_cache(torch.tensor([3, 0, 1]))
    if kind == "static" and model.config.has_attention:
        assert cache.batch_size == 3
    check_rows(model, cache, [0, 2, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_selected_by_a_mask_and_by_numbers(model, kind):
    cache = fill(model, kind)
    cache.batch_select_indices(torch.tensor([True, False, True]))
    cache.batch_select_indices([1, 0])
    check_rows(model, cache, [2, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_cache_is_reset_copied_and_offloaded(model, kind):
    cache = fill(model, kind)
    for i in range(len(cache)):
        cache.offload(i, only_non_sliding=False)
        cache.layers[i].prefetch()
    cache.crop(0)
    copied = copy.deepcopy(cache)
    check_rows(model, cache, [0, 1, 2])
    check_rows(model, copied, [0, 1, 2])
    cache.reset()
    assert cache.get_seq_length() == 0 and not cache.has_previous_state()
    with torch.no_grad():
        logits = model(IDS, past_key_values=cache).logits
    torch.testing.assert_close(logits, model(IDS).logits, atol=1e-5, rtol=0)
    assert cache.get_seq_length() == 14


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_undone_is_refused(model, kind):
    cache = fill(model, kind)
    assert not cache.is_croppable
    with pytest.raises(ValueError, match=r"copy\.deepcopy"):
        cache.crop(-1)
    with pytest.raises(ValueError, match="keeps no past"):
        cache.activate_past_recording()
    check_rows(model, cache, [0, 1, 2])


def test_cache_through_tuples_is_refused(model):
    """Tuples hold keys and values, not the states."""
    if not model.config.has_attention:
        return
    with pytest.raises(ValueError, match="without recurrent states"):
        model(NEW, past_key_values=DynamicCache(list(fill(model, "dynamic")), config=model.config))


def test_static_cache_that_is_too_short_is_refused():
    for name, model in MODELS.items():
        cache = StaticCache(config=model.config, max_cache_len=4)
        model(IDS[:, :4], past_key_values=cache)
        if name in ("rodimus_plus", "no window"):
            with pytest.raises(ValueError, match="holds 4 tokens"):
                model(IDS[:, 4:6], past_key_values=cache)
        else:
            model(IDS[:, 4:6], past_key_values=cache)
