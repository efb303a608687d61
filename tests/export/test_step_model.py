"""The model as a function of tokens and memory is the model."""

import itertools

import pytest
import torch

from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.step_model import RodimusStepModel, gated_linear_attention_segment
from codefuse_hf.export.step_state import StepState
from codefuse_hf.export.windows import Windows
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_reference
from helpers.models_rodimus import BLOCKS, ODD, PUBLISHED, make_ids, make_model

WINDOWED = {name: values for name, values in (PUBLISHED | ODD).items() if name not in ("no window", "window -1")}


class Memory:
    """What a text leaves behind, in the model's precision."""

    def __init__(self, model, batch=2):
        self.step, self.dtype = RodimusStepModel(model), model.dtype
        self.state = StepState.empty(model.config, batch)
        self.state = self.state.with_tensors(x.to(self.dtype) for x in self.state.tensors().values())
        self.windows = Windows(model.config, batch) if model.config.has_attention else None
        if self.windows is not None:
            for tensors in (self.windows.keys, self.windows.values):
                tensors[:] = [x.to(self.dtype) for x in tensors]

    def read(self, ids, positions, keep):
        """Logits of a segment at the places `keep`."""
        if self.windows is None:
            out = self.step(ids, positions, keep, self.state)
        else:
            self.windows.make_room(int(positions.max()) + 1)
            out = self.step(ids, positions, keep, self.state, self.windows.arguments())
            self.windows.write(positions, out["keys"], out["values"])
        self.state = out["past_key_values"]
        return out["logits"]


@pytest.mark.parametrize("name", WINDOWED)
@torch.no_grad()
def test_segments_of_a_text_give_what_the_model_gives(name):
    model = make_model(WINDOWED[name], dtype=torch.float64)
    memory, ids, logits, start = Memory(model), make_ids(2, 145), [], 0
    for length in (5, 1, 1, 64, 1, 9, 64):
        positions = torch.arange(start, start + length).repeat(2, 1)
        logits.append(memory.read(ids[:, start : start + length], positions, torch.arange(length)))
        start += length
    torch.testing.assert_close(torch.cat(logits, 1), model(ids).logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("block_type", BLOCKS)
@torch.no_grad()
def test_padding_in_front_of_any_segment_changes_nothing(block_type):
    model = make_model(BLOCKS[block_type], dtype=torch.float64)
    memory, ids = Memory(model), make_ids(2, 20)
    expected = model(ids).logits
    # Ends of the rows' parts: together, apart, and one row with padding only.
    cuts = [(0, 0), (9, 6), (12, 6), (13, 15), (20, 16)]
    for before, after in itertools.pairwise(cuts):
        length = max(b - a for a, b in zip(before, after, strict=True))
        part, positions = torch.zeros(2, length, dtype=torch.long), torch.full((2, length), -1)
        for row, (a, b) in enumerate(zip(before, after, strict=True)):
            part[row, length - (b - a) :], positions[row, length - (b - a) :] = ids[row, a:b], torch.arange(a, b)
        logits = memory.read(part, positions, torch.tensor([length - 1]))
    expected = torch.stack([expected[0, 19], expected[1, 15]])
    torch.testing.assert_close(logits[:, 0], expected, rtol=1e-9, atol=1e-9)


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


@pytest.mark.parametrize("lengths", [(1, 1, 30, 64, 9, 1, 64), (5000, 1), (256, 1, 1, 800, 40)])
def test_each_token_has_its_place_in_a_window(lengths):
    config, seen = make_model(BLOCKS["rodimus_plus"]).config, 0
    config.sliding_window = 1000
    windows = Windows(config, 2)
    for length in lengths:
        seen += length
        windows.make_room(seen)
        positions = torch.arange(seen - length, seen).repeat(2, 1)
        positions[1] -= 7  # the second row is padded
        positions[1].clamp_(min=-1)
        assert windows.positions.shape[1] == min(-(-seen // 256) * 256, 999)

        def rows(heads, positions=positions):  # which say which token they are of
            numbers = positions[:, None, :, None].float()
            return [numbers.expand(-1, heads, -1, config.head_dim) + i for i in range(config.num_hidden_layers)]

        windows.write(positions, rows(config.num_key_heads), rows(config.num_value_heads))
        for row, count in enumerate((seen, max(seen - 7, 0))):
            kept = torch.arange(max(count - 999, 0), count)
            expected = torch.full_like(windows.positions[0], -1)
            expected[kept % 999] = kept
            assert torch.equal(windows.positions[row], expected)
            for tensors in (windows.keys, windows.values):
                for i, x in enumerate(tensors):
                    assert (x[row, :, kept % 999] == kept[:, None] + i).all()


def test_rows_of_a_window_can_be_chosen():
    config = make_model(BLOCKS["rodimus_plus"]).config
    windows = Windows(config, 2)
    shape = (2, config.num_key_heads, 1, config.head_dim), (2, config.num_value_heads, 1, config.head_dim)
    keys, values = ([torch.randn(size) for _ in range(config.num_hidden_layers)] for size in shape)
    windows.write(torch.tensor([[0], [3]]), keys, values)
    size = windows.nbytes()
    windows.reorder(torch.tensor([1, 1, 0]))
    assert windows.positions[:, :4].tolist() == [[-1, -1, -1, 3], [-1, -1, -1, 3], [0, -1, -1, -1]]
    torch.testing.assert_close(windows.values[1][1, :, 3], values[1][1, :, 0], rtol=0, atol=0)
    assert 2 * windows.nbytes() == 3 * size


def test_a_memory_without_bound_is_refused():
    with pytest.raises(ValueError, match="has no window"):
        RodimusStepModel(make_model(ODD["no window"]))


def test_a_model_in_half_precision_and_an_unknown_format_are_refused():
    with pytest.raises(ValueError, match="unknown export format 'gguf': choose one of onnx"):
        export_causal_lm(make_model(BLOCKS["rodimus"]), "gguf")
    pytest.importorskip("transformers.exporters")
    with pytest.raises(ValueError, match="load the model in float32"):
        export_causal_lm(make_model(BLOCKS["rodimus"], dtype=torch.bfloat16), "dynamo")
