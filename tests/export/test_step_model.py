"""The model as a function of tokens and memory is the model."""

import itertools

import pytest
import torch

from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.step_model import RodimusStepModel, gated_linear_attention_segment
from codefuse_hf.export.step_state import SEGMENT, StepState, is_window, widened, window_capacity, window_places
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_reference
from helpers.models_rodimus import BLOCKS, ODD, PUBLISHED, make_ids, make_model

WINDOWED = {name: values for name, values in (PUBLISHED | ODD).items() if name not in ("no window", "window -1")}


@pytest.mark.parametrize("name", WINDOWED)
@torch.no_grad()
def test_segments_of_a_text_give_what_the_model_gives(name):
    model = make_model(WINDOWED[name], dtype=torch.float64)
    step, ids = RodimusStepModel(model), make_ids(2, 145)
    state, logits, start = _empty(model.config), [], 0
    for length in (5, 1, 1, 64, 1, 9, 64):
        part = ids[:, start : start + length]
        out = step(part, torch.ones_like(part), torch.arange(length), state)
        state, start = out["past_key_values"], start + length
        logits.append(out["logits"])
    torch.testing.assert_close(torch.cat(logits, 1), model(ids).logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("block_type", BLOCKS)
@torch.no_grad()
def test_padding_in_front_of_any_segment_changes_nothing(block_type):
    model = make_model(BLOCKS[block_type], dtype=torch.float64)
    step, ids, expected = RodimusStepModel(model), make_ids(2, 20), None
    expected = model(ids).logits
    state = _empty(model.config)
    # Ends of the rows' parts: together, apart, and one row with padding only.
    cuts = [(0, 0), (9, 6), (12, 6), (13, 15), (20, 16)]
    for before, after in itertools.pairwise(cuts):
        length = max(b - a for a, b in zip(before, after, strict=True))
        part, mask = torch.zeros(2, length, dtype=torch.long), torch.zeros(2, length, dtype=torch.long)
        for row, (a, b) in enumerate(zip(before, after, strict=True)):
            part[row, length - (b - a) :], mask[row, length - (b - a) :] = ids[row, a:b], 1
        out = step(part, mask, torch.tensor([length - 1]), state)
        state = out["past_key_values"]
    got = torch.stack([out["logits"][0, 0], out["logits"][1, 0]])
    torch.testing.assert_close(got, torch.stack([expected[0, 19], expected[1, 15]]), rtol=1e-9, atol=1e-9)
    assert state.position.tolist() == [20, 16]


@pytest.mark.parametrize("strength", [0.0, 1e-6, 1.0, 50.0, 1e4])
def test_the_recurrence_is_exact_for_every_decay(strength):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 33, 5), torch.randn(2, 33, 5), torch.randn(2, 33, 7)
    # One channel forgets everything at some steps and nothing at others.
    g = -strength * torch.rand(2, 33, 5) * (torch.rand(2, 33, 5) > 0.5)
    state = torch.randn(2, 5, 7)
    out, final = gated_linear_attention_segment(q, k, v, g, state)
    arguments = [x.double() for x in (q, k, v, g)]
    expected, expected_final = gated_linear_attention_reference(
        *arguments, initial_state=state.double(), output_final_state=True
    )
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(final.double(), expected_final, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_each_token_has_its_place_in_a_window_and_takes_none_that_its_segment_reads():
    model = make_model(BLOCKS["rodimus_plus"])
    step, state, seen = RodimusStepModel(model), StepState.empty(model.config, 2, window_capacity(model.config)), 0
    window, capacity = model.config.sliding_window, model.config.sliding_window - 1 + SEGMENT
    for length in (1, 1, 30, SEGMENT, 9, 1, SEGMENT):
        ids, before = make_ids(2, length), state
        state = step(ids, torch.ones_like(ids), torch.tensor([0]), state)["past_key_values"]
        written = before.window_positions != state.window_positions
        # What leaves is seen by not even the first token of the segment.
        leaving = before.window_positions[written]
        assert leaving.lt(0).all() or leaving.max() <= seen - window
        torch.testing.assert_close(before.keys[0][:, 0][~written], state.keys[0][:, 0][~written], rtol=0, atol=0)
        seen += length
        kept, expected = torch.arange(max(seen - capacity, 0), seen), torch.full((1 + capacity,), -1)
        expected[1 + kept % capacity] = kept
        assert state.window_positions.tolist() == [expected.tolist()] * 2


def test_windows_get_places_some_at_a_time_up_to_their_size():
    config = make_model(BLOCKS["rodimus_plus"]).config
    config.sliding_window = 1000
    assert [window_places(config, tokens) for tokens in (1, 256, 257, 1000, 10**6)] == [257, 257, 513, 1025, 1064]
    state = StepState.empty(config, 2, 3)
    for name, tensor in state.tensors().items():
        wide = StepState.empty(config, 2, 9).tensors()[name]
        got = widened(f"past_key_values.{name}", tensor, 10) if is_window(name) else tensor
        torch.testing.assert_close(got, wide, rtol=0, atol=0)
    rodimus = make_model(BLOCKS["rodimus"]).config
    assert window_places(rodimus, 1000) == 1


def test_a_memory_without_bound_is_refused():
    with pytest.raises(ValueError, match="has no window"):
        RodimusStepModel(make_model(ODD["no window"]))


def test_a_model_in_half_precision_and_an_unknown_format_are_refused():
    with pytest.raises(ValueError, match="unknown export format 'gguf': choose one of onnx"):
        export_causal_lm(make_model(BLOCKS["rodimus"]), "gguf")
    pytest.importorskip("transformers.exporters")
    with pytest.raises(ValueError, match="load the model in float32"):
        export_causal_lm(make_model(BLOCKS["rodimus"], dtype=torch.bfloat16), "dynamo")


def _empty(config) -> StepState:
    state = StepState.empty(config, 2, window_capacity(config))
    for name in ("conv", "recurrent", "keys", "values"):
        setattr(state, name, [x.double() for x in getattr(state, name)])
    return state
