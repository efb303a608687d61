"""Attention masks in every form: understood, or refused with what to pass instead; never ignored."""

import pytest
import torch
from transformers import DynamicCache, StaticCache

from codefuse_hf import RodimusConfig, RodimusForSequenceClassification
from codefuse_hf.modeling.rodimus.modeling_rodimus import attention_mask_for
from helpers.models_rodimus import BLOCKS, ODD, make_ids, make_model

MODELS = {name: make_model(values) for name, values in (BLOCKS | {"no window": ODD["no window"]}).items()}
LENGTHS = (3, 11, 1, 5)
TOTAL = sum(LENGTHS)
NUMBERS = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
IDS = make_ids(2, TOTAL)


@pytest.fixture(params=MODELS)
def model(request):
    MODELS[request.param].set_attn_implementation("sdpa")
    return MODELS[request.param]


def block_diagonal(numbers: torch.Tensor, window: int | None = None) -> torch.Tensor:
    step = torch.arange(len(numbers))
    sees = (numbers[:, None] == numbers) & (step <= step[:, None])
    return sees if window is None else sees & (step[:, None] - step < window)


def additive(sees: torch.Tensor, lowest: float = torch.finfo(torch.float32).min) -> torch.Tensor:
    return torch.zeros(sees.shape).masked_fill(~sees, lowest)


def positions(lengths=LENGTHS) -> torch.Tensor:
    return torch.cat([torch.arange(n) for n in lengths])[None]


@torch.no_grad()
def check_packed(model, lengths=LENGTHS, row_start: int = 0, ids=IDS, **inputs) -> None:
    """Each sequence gives what it gives alone."""
    logits, start = model(ids, **inputs).logits, row_start
    for n in lengths:
        part = slice(start, start + n)
        torch.testing.assert_close(logits[:, part], model(ids[:, part]).logits, atol=1e-4, rtol=0)
        start += n


PAIRS = {
    "bool": lambda sees: sees,
    "integers": lambda sees: sees.long(),
    "lowest": additive,
    "infinite": lambda sees: additive(sees, float("-inf")),
    "minus 1e9": lambda sees: additive(sees, -1e9),
    "half": lambda sees: additive(sees, -6e4).half(),
}


@pytest.mark.parametrize("form", PAIRS)
def test_block_diagonal_mask(model, form):
    mask = PAIRS[form](block_diagonal(NUMBERS))
    check_packed(model, attention_mask=mask[None, None].expand(2, 1, -1, -1))


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_block_diagonal_mask_in_other_shapes(model, implementation):
    model.set_attn_implementation(implementation)
    sees = block_diagonal(NUMBERS)
    check_packed(model, attention_mask=sees[None])  # [1, steps, steps]
    check_packed(model, attention_mask=additive(sees)[None, None].expand(2, 4, -1, -1))  # of every head
    check_packed(model, attention_mask=sees[None, None].expand(2, -1, -1, -1), position_ids=positions().expand(2, -1))
    if model.config.sliding_window is not None:
        windowed = block_diagonal(NUMBERS, model.config.sliding_window)
        check_packed(model, attention_mask=windowed[None, None])


def test_numbered_mask(model):
    for dtype in (torch.long, torch.int32, torch.float32, torch.uint8):
        check_packed(model, attention_mask=(NUMBERS + 1).to(dtype).expand(2, -1))
    check_packed(model, attention_mask=(7 - NUMBERS).expand(2, -1), position_ids=positions().expand(2, -1))


def test_packing_beside_padding(model):
    """Padding in front, within and behind; in its own row of pairs it sees nothing, itself, or everything."""
    real = torch.tensor([0, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
    numbers = torch.tensor([0, 0, 1, 1, 1, 0, 1, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0])
    sees = block_diagonal(numbers) & real.bool() & real.bool()[:, None]
    everything = sees | ~real.bool()[:, None]
    for mask in (numbers.expand(2, -1), sees[None], additive(sees)[None, None], everything[None]):
        with torch.no_grad():
            logits = model(IDS, attention_mask=mask).logits
        for number in (1, 2):
            steps = numbers == number
            torch.testing.assert_close(logits[:, steps], model(IDS[:, steps]).logits, atol=1e-4, rtol=0)


def test_causal_mask_is_no_mask(model):
    sees = torch.ones(TOTAL, TOTAL, dtype=torch.bool).tril()
    expected = model(IDS).logits
    for mask in (sees[None], additive(sees)[None, None].expand(2, 1, -1, -1), torch.full((2, TOTAL), 3)):
        torch.testing.assert_close(model(IDS, attention_mask=mask).logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cache_class", [DynamicCache, StaticCache])
@torch.no_grad()
def test_mask_over_pairs_beside_a_cache(model, cache_class):
    """Right padding in the first segment, which the second must not see."""
    real = torch.ones(2, TOTAL, dtype=torch.bool)
    real[0, 6:9] = False
    sees = torch.ones(TOTAL, TOTAL, dtype=torch.bool).tril() & real[:, None] & real[:, :, None]
    cache = (
        cache_class(config=model.config, max_cache_len=64)
        if cache_class is StaticCache
        else cache_class(config=model.config)
    )
    first = model(IDS[:, :9], attention_mask=sees[:, None, :9, :9], past_key_values=cache).logits
    second = model(IDS[:, 9:], attention_mask=additive(sees)[:, None, 9:], past_key_values=cache).logits
    logits = torch.cat([first, second], 1)
    for row in range(2):
        alone = model(IDS[row, real[row]][None]).logits[0]
        torch.testing.assert_close(logits[row, real[row]], alone, atol=1e-4, rtol=0)


def test_what_cannot_be_obeyed_is_refused(model):
    causal = torch.ones(TOTAL, TOTAL, dtype=torch.bool).tril()
    step = torch.arange(TOTAL)
    masks = {
        "bidirectional": torch.ones(1, 1, TOTAL, TOTAL, dtype=torch.bool),
        "prefix": (causal | ((step < 5) & (step[:, None] < 5)))[None],
        "tree": (causal & ~((step[:, None] > 8) & (step > 4) & (step < 8)))[None],
        "narrower window": (causal & (step[:, None] - step < 3))[None],
        "interleaved": (causal & (step[:, None] % 2 == step % 2))[None],
        "bias": additive(causal)[None] - 0.5,
        "not additive": causal.float()[None],
        "heads differ": torch.stack([causal, block_diagonal(NUMBERS)])[None],
        "wrong shape": causal[None, None, :, 1:],
        "comes back": torch.tensor([1, 1, 2, 2, 1] + [1] * (TOTAL - 5)).expand(2, -1),
        "negative": torch.tensor([-1] + [1] * (TOTAL - 1)).expand(2, -1),
        "fractions": torch.full((2, TOTAL), 0.5),
    }
    for name, mask in masks.items():
        with pytest.raises(ValueError, match="attention_mask"):
            model(IDS, attention_mask=mask)
            print(name, "was taken")
    cache = model(IDS).past_key_values
    for mask in (torch.tensor([1] * TOTAL + [2] * 4).expand(2, -1), torch.eye(4, 4 + TOTAL).bool()[None]):
        with pytest.raises(ValueError, match="attention_mask"):
            model(IDS[:, :4], attention_mask=mask, past_key_values=cache)


def test_gradients_of_a_block_diagonal_mask(model):
    embeds = model.get_input_embeddings()(IDS).detach().requires_grad_()
    model(inputs_embeds=embeds, attention_mask=block_diagonal(NUMBERS)[None]).logits.square().sum().backward()
    part = slice(LENGTHS[0], LENGTHS[0] + LENGTHS[1])
    alone = embeds[:, part].detach().requires_grad_()
    model(inputs_embeds=alone).logits.square().sum().backward()
    torch.testing.assert_close(embeds.grad[:, part], alone.grad, atol=1e-4 * alone.grad.abs().max().item(), rtol=0)


# ---- what is returned per position


MASKS = {
    "left": [[0] * 5 + [1] * 9, [1] * 14],
    "right": [[1] * 9 + [0] * 5, [1] * 14],
    "holes": [[1, 1, 0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0], [0, 1] * 7],
}


@pytest.mark.parametrize("mask", MASKS)
@torch.no_grad()
def test_what_is_returned_per_position_is_in_the_order_of_the_input(model, mask):
    """Also for the tokens in the cache, of which a window sees the last only."""
    model.set_attn_implementation("eager")
    mask, ids, new = torch.tensor(MASKS[mask]), make_ids(2, 14), make_ids(2, 3, seed=1)
    whole = torch.cat([mask, torch.tensor([[1, 0, 1], [1, 1, 1]])], 1)
    wanted = {"output_attentions": True, "output_hidden_states": True}
    cache = DynamicCache(config=model.config)
    outputs = model(ids, attention_mask=mask, past_key_values=cache, **wanted)
    later = model(new, attention_mask=whole, past_key_values=cache, **wanted)
    tokens = torch.cat([ids, new], 1)
    for row in range(2):
        real, fresh = mask[row].bool(), whole[row, 14:].bool()
        alone = model(ids[row, real][None], **wanted)
        after = model(tokens[row, whole[row].bool()][None], **wanted)
        for actual, expected in zip(outputs.hidden_states, alone.hidden_states, strict=True):
            torch.testing.assert_close(actual[row, real], expected[0], atol=1e-4, rtol=0)
        if not model.config.has_attention:
            continue
        for actual, expected in zip(outputs.attentions, alone.attentions, strict=True):
            torch.testing.assert_close(actual[row][:, real][:, :, real], expected[0], atol=1e-5, rtol=0)
            assert (actual[row][:, real][:, :, ~real] == 0).all()
        for actual, expected in zip(later.attentions, after.attentions, strict=True):
            columns = whole[row].bool()[-actual.shape[-1] :]
            expected = expected[0, :, -int(fresh.sum()) :, -int(columns.sum()) :]
            torch.testing.assert_close(actual[row][:, fresh][:, :, columns], expected, atol=1e-5, rtol=0)


def test_a_packed_row_gets_no_class():
    torch.manual_seed(0)
    config = RodimusConfig(
        vocab_size=31, d_model=32, n_layer=1, mixer_cfg={"mem_size": 8}, num_labels=3, pad_token_id=0
    )
    classifier, ids = RodimusForSequenceClassification(config).eval(), torch.tensor([[5, 6, 7, 8]])
    with pytest.raises(ValueError, match="row of its own"):
        classifier(ids, attention_mask=torch.tensor([[1, 1, 2, 2]]))
    expected = classifier(ids[:, :3]).logits
    padded = torch.tensor([[5, 6, 7, 0]])
    found = classifier(padded, attention_mask=torch.tensor([[1, 1, 1, 0]]), labels=torch.tensor([1]))
    torch.testing.assert_close(found.logits, expected)
    assert found.loss > 0
    assert classifier(ids, return_dict=False)[0].shape == (1, 3)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_a_token_behind_a_full_window_needs_no_mask(attention):
    model = make_model(BLOCKS["rodimus_plus"])
    model.set_attn_implementation(attention)
    window = model.config.sliding_window
    ids, cache = make_ids(2, window + 5), DynamicCache(config=model.config)
    whole, embeds = model(ids).logits, torch.zeros(2, 1, model.config.hidden_size)
    model(ids[:, : window - 2], past_key_values=cache)
    for i in range(window - 2, window + 5):
        assert attention_mask_for(model.config, embeds, None, cache) is None
        torch.testing.assert_close(model(ids[:, i : i + 1], past_key_values=cache).logits, whole[:, i : i + 1])
