"""Padding and packing: each sequence gives what it gives alone, wherever it stands in a batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DataCollatorWithFlattening, DynamicCache, StaticCache

from codefuse_hf.modeling.rodimus.padding_rodimus import Padding
from helpers.models_rodimus import BLOCKS, ODD, make_ids, make_model

ATOL = 1e-4
VARIANTS = BLOCKS | {name: ODD[name] for name in ("no window", "one tap", "7 taps", "odd window", "2 value heads")}
CASES = [("rodimus_plus", "eager"), *((variant, "sdpa") for variant in VARIANTS)]
MODELS = {name: make_model(values) for name, values in VARIANTS.items()}

MASKS = {
    "left": [[1] * 14, [0] * 5 + [1] * 9, [0] * 13 + [1]],
    "right": [[1] * 14, [1] * 9 + [0] * 5, [1] + [0] * 13],
    "both sides": [[0] * 2 + [1] * 10 + [0] * 2, [1] * 14, [0] * 6 + [1] * 2 + [0] * 6],
    "hole": [[1] * 5 + [0] * 4 + [1] * 5, [1] * 14, [1] * 12 + [0] + [1]],
    "many holes": [[1, 0] * 7, [0, 1] * 7, [1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0]],
    "mixed": [[0] * 5 + [1] * 9, [1] * 9 + [0] * 5, [1] * 3 + [0] * 8 + [1] * 3],
    "whole row": [[1] * 14, [0] * 14, [1] * 14],
}


def assert_close(actual: torch.Tensor, expected: torch.Tensor, atol: float = ATOL) -> None:
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


def check_states(cache, row: int, alone, window: int | None) -> None:
    """The states that a batch leaves for `row` are those of the row alone."""
    for layer, expected in zip(cache.layers, alone.layers, strict=True):
        assert_close(layer.recurrent_states[0][row], expected.recurrent_states[0][0])
        assert_close(layer.conv_states[0][row], expected.conv_states[0][0])
        if getattr(expected, "keys", None) is None:
            continue
        length = expected.keys.shape[2]
        for name in ("keys", "values"):
            assert_close(getattr(layer, name)[row, :, layer.keys.shape[2] - length :], getattr(expected, name)[0])


@torch.no_grad()
def check_segments(model, masks: list[torch.Tensor], implementation: str = "sdpa") -> None:
    """Feed segments with these masks to one cache, and compare every real token and the states with each row alone."""
    model.set_attn_implementation(implementation)
    mask = torch.cat(masks, 1).long()
    batch, total = mask.shape
    ids = make_ids(batch, total, seed=total)
    cache, outputs, start = DynamicCache(config=model.config), [], 0
    for segment in masks:
        end = start + segment.shape[1]
        outputs.append(model(ids[:, start:end], attention_mask=mask[:, :end], past_key_values=cache).logits)
        start = end
    logits = torch.cat(outputs, 1)
    for row in range(batch):
        real = mask[row].bool()
        if not real.any():
            assert all((layer.recurrent_states[0][row] == 0).all() for layer in cache.layers)
            continue
        alone = DynamicCache(config=model.config)
        assert_close(logits[row, real], model(ids[row, real][None], past_key_values=alone).logits[0])
        check_states(cache, row, alone, model.config.sliding_window)


@pytest.mark.parametrize(("variant", "implementation"), CASES)
@pytest.mark.parametrize("mask", MASKS)
def test_outputs_and_states_of_a_padded_batch(variant, mask, implementation):
    check_segments(MODELS[variant], [torch.tensor(MASKS[mask])], implementation)


@pytest.mark.parametrize("variant", BLOCKS)
@pytest.mark.parametrize("first", MASKS)
def test_continuing_a_padded_batch_from_its_cache(variant, first):
    """Ragged segments, then single tokens, one of them padding for a row."""
    tokens = torch.tensor([[1], [1], [1]])
    ragged = torch.tensor([[1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 0]])
    segments = [torch.tensor(MASKS[first]), ragged, tokens, tokens, torch.tensor([[1], [0], [1]]), tokens]
    check_segments(MODELS[variant], segments)


@pytest.mark.parametrize("first", ["left", "right", "mixed"])
@torch.no_grad()
def test_a_window_of_constant_size_stays_where_it_is(first):
    """Also where tokens in it are put into another order: a compiled step reads it there."""
    model, mask = MODELS["rodimus_plus"], torch.tensor(MASKS[first])
    ragged = torch.tensor([[1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 0]])
    ids, whole = make_ids(3, 21), torch.cat([mask, ragged], 1)
    cache = StaticCache(config=model.config, max_cache_len=64)
    model(ids[:, :14], attention_mask=mask, past_key_values=cache)
    places = [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in cache.layers]
    logits = model(ids[:, 14:], attention_mask=whole, past_key_values=cache).logits
    assert [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in cache.layers] == places
    for row in range(3):
        alone = model(ids[row, whole[row].bool()][None]).logits[0]
        real = ragged[row].bool()
        assert_close(logits[row, real], alone[-int(real.sum()) :])


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data(), variant=st.sampled_from(list(VARIANTS)), batch=st.integers(1, 3))
def test_any_masks_in_any_segments(data, variant, batch):
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    bits = st.lists(st.sampled_from([0, 1, 1]), min_size=sum(lengths), max_size=sum(lengths))
    rows = torch.tensor([data.draw(bits) for _ in range(batch)])
    check_segments(MODELS[variant], list(rows.split(lengths, 1)))


@pytest.mark.parametrize("variant", BLOCKS)
@torch.no_grad()
def test_what_padding_tokens_are_does_not_matter(variant):
    model, mask = MODELS[variant], torch.tensor(MASKS["mixed"])
    ids = make_ids(3, 14)
    other = torch.where(mask.bool(), ids, (ids + 17) % 61)
    assert not torch.equal(ids, other)
    real = mask.bool()
    assert_close(model(ids, attention_mask=mask).logits[real], model(other, attention_mask=mask).logits[real], atol=0)


@pytest.mark.parametrize("variant", BLOCKS)
def test_gradients_of_a_padded_batch_are_those_of_its_rows(variant):
    model, mask, ids = MODELS[variant], torch.tensor(MASKS["mixed"]), make_ids(3, 14)
    embeds = model.get_input_embeddings()(ids).detach().requires_grad_()
    model(inputs_embeds=embeds, attention_mask=mask).logits[mask.bool()].square().sum().backward()
    assert (embeds.grad[~mask.bool()] == 0).all()
    for row in range(3):
        real = mask[row].bool()
        alone = embeds[row, real][None].detach().requires_grad_()
        model(inputs_embeds=alone).logits.square().sum().backward()
        assert_close(embeds.grad[row, real], alone.grad[0], atol=1e-4 * alone.grad.abs().max().item())


@pytest.mark.parametrize("variant", BLOCKS)
@torch.no_grad()
def test_a_mask_of_ones_is_no_mask(variant):
    model, ids = MODELS[variant], make_ids(2, 9)
    assert_close(model(ids, attention_mask=torch.ones_like(ids)).logits, model(ids).logits, atol=0)


# ---- packing

LENGTHS = [3, 1, 12, 2, 9]


def packed_batch(**kwargs) -> tuple[list[torch.Tensor], dict]:
    """Sequences, and transformers' packing of them into one row."""
    sequences = [make_ids(1, length, seed=i)[0] for i, length in enumerate(LENGTHS)]
    collator = DataCollatorWithFlattening(**kwargs)
    return sequences, collator([{"input_ids": x.tolist()} for x in sequences])


COLLATORS = {
    "position_ids": {},
    "cu_seq_lens": {"return_position_ids": False, "return_flash_attn_kwargs": True},
    "seq_idx": {"return_position_ids": False, "return_seq_idx": True},
    "everything": {"return_flash_attn_kwargs": True, "return_seq_idx": True},
}


@pytest.mark.parametrize(("variant", "implementation"), CASES)
@pytest.mark.parametrize("collator", COLLATORS)
@torch.no_grad()
def test_packed_sequences_do_not_leak(variant, collator, implementation):
    model = MODELS[variant]
    model.set_attn_implementation(implementation)
    sequences, batch = packed_batch(**COLLATORS[collator])
    logits = model(**batch, use_cache=False).logits[0].split(LENGTHS)
    for sequence, actual in zip(sequences, logits, strict=True):
        assert_close(actual, model(sequence[None]).logits[0])


@pytest.mark.parametrize("variant", BLOCKS)
@pytest.mark.parametrize("collator", COLLATORS)
def test_loss_and_gradients_of_packed_sequences_are_those_of_separate_rows(variant, collator):
    model = make_model(VARIANTS[variant]).train()
    sequences, batch = packed_batch(**COLLATORS[collator])
    loss = model(**batch, use_cache=False).loss
    loss.backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    predicted = sum(LENGTHS) - len(LENGTHS)
    separate = sum(model(x[None], labels=x[None]).loss * (len(x) - 1) for x in sequences if len(x) > 1) / predicted
    separate.backward()
    assert_close(loss, separate)
    for name, parameter in model.named_parameters():
        assert_close(packed[name], parameter.grad, atol=1e-4 * max(1.0, parameter.grad.abs().max().item()))


@pytest.mark.parametrize("variant", BLOCKS)
@torch.no_grad()
def test_packing_in_several_rows(variant):
    model, ids = MODELS[variant], make_ids(2, 12)
    seq_idx = torch.tensor([[0] * 5 + [1] * 7, [0] * 1 + [1] * 8 + [2] * 3])
    logits = model(ids, seq_idx=seq_idx, use_cache=False).logits
    for row in range(2):
        for number in range(3):
            steps = seq_idx[row] == number
            if steps.any():
                assert_close(logits[row, steps], model(ids[row, steps][None]).logits[0])


@pytest.mark.parametrize("variant", BLOCKS)
@torch.no_grad()
def test_packing_leaves_the_states_of_the_last_sequence(variant):
    model, cache, alone = MODELS[variant], DynamicCache(config=MODELS[variant].config), None
    sequences, batch = packed_batch(return_position_ids=False, return_seq_idx=True)
    batch.pop("labels")
    model(**batch, past_key_values=cache)
    alone = DynamicCache(config=model.config)
    model(sequences[-1][None], past_key_values=alone)
    for layer, expected in zip(cache.layers, alone.layers, strict=True):
        assert_close(layer.recurrent_states[0], expected.recurrent_states[0])
        assert_close(layer.conv_states[0], expected.conv_states[0])


@pytest.mark.parametrize("variant", BLOCKS)
def test_packed_sequences_may_be_padded_but_not_continue_from_a_cache(variant):
    model, ids = MODELS[variant], make_ids(1, 9)
    seq_idx, mask = torch.tensor([[7, 0, 0, 0, 3, 1, 2, 1, 2]]), torch.tensor([[0, 1, 1, 1, 0, 1, 0, 1, 0]])
    logits, cache = model(ids, attention_mask=mask, seq_idx=seq_idx)[:2]
    for steps in ([1, 2, 3], [5, 7]):
        alone = model(ids[:, steps])
        assert_close(logits[:, steps], alone.logits)
    for layer, expected in zip(cache.layers, alone.past_key_values.layers, strict=True):
        assert_close(layer.recurrent_states[0], expected.recurrent_states[0])
        assert_close(layer.conv_states[0], expected.conv_states[0])
    with pytest.raises(ValueError, match="cannot continue from a cache"):
        model(ids, seq_idx=seq_idx, past_key_values=cache)


@pytest.mark.parametrize("variant", BLOCKS)
@torch.no_grad()
def test_usual_position_ids_are_no_packing(variant):
    model, ids = MODELS[variant], make_ids(2, 9)
    positions = torch.arange(9)[None].expand(2, -1)
    assert_close(model(ids, position_ids=positions).logits, model(ids).logits, atol=1e-6)


@pytest.mark.parametrize(
    ("mask", "seq_len", "in_order", "all_in_order"),
    [
        ([[0, 1, 1], [1, 1, 1]], 3, True, True),  # padding on the left: nothing has to be moved
        ([[1, 1, 0], [1, 1, 1]], 3, False, False),
        ([[0, 1, 1, 1], [0, 0, 1, 1]], 1, True, True),
        ([[1, 0, 1, 1], [1, 1, 1, 1]], 1, True, False),  # only what is in the cache has gaps
        ([[1, 1, 1, 0], [1, 1, 1, 1]], 1, False, False),
    ],
)
def test_nothing_is_moved_where_all_is_in_order(mask, seq_len, in_order, all_in_order):
    padding = Padding.from_attention_mask(torch.tensor(mask), seq_len)
    assert (padding.in_order, padding.all_in_order) == (in_order, all_in_order)
