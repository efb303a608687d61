"""What `generate` hands back beside tokens, in each of its modes: what transformers' own tests of generation cover.

Those tests are not in its source distribution, so the same subjects are covered here: dictionary outputs, the shapes of
caches, continuation, static against dynamic caches, compiled steps, padding, attention functions.
"""

import pytest
import torch
from transformers import DynamicCache, StaticCache
from transformers.generation import (
    GenerateBeamDecoderOnlyOutput,
    GenerateDecoderOnlyOutput,
)

from codefuse_hf import RodimusForCausalLM
from helpers.generation_rodimus import BLOCK_TYPES, WINDOW, greedy_without_cache, left_padded, prompt, tiny

BATCH, LENGTH, NEW = 2, 21, 5
MODES = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "top_k": 20},
    "return sequences": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"do_sample": False, "num_beams": 3},
    "beams, return sequences": {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
    "beams, sampling": {"do_sample": True, "num_beams": 2},
}
EVERYTHING = {
    "return_dict_in_generate": True,
    "output_scores": True,
    "output_logits": True,
    "output_hidden_states": True,
}


@pytest.fixture(params=BLOCK_TYPES, scope="module")
def model(request) -> RodimusForCausalLM:
    return tiny(request.param)


def rows_of(mode: dict) -> tuple[int, int]:
    """The rows that the model sees at a step, and those that are returned."""
    returned = mode.get("num_return_sequences", 1)
    return BATCH * mode.get("num_beams", returned), BATCH * returned


@pytest.mark.parametrize("use_cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_dictionary_outputs(model, mode, use_cache):
    torch.manual_seed(0)
    ids = prompt(BATCH, LENGTH)
    out = model.generate(ids, max_new_tokens=NEW, use_cache=use_cache, **mode, **EVERYTHING)
    seen, returned = rows_of(mode)
    kind = GenerateBeamDecoderOnlyOutput if "num_beams" in mode else GenerateDecoderOnlyOutput
    assert isinstance(out, kind)
    assert out.sequences.shape == (returned, LENGTH + NEW)
    assert [x.shape for x in out.scores] == [(seen, model.config.vocab_size)] * NEW
    assert [x.shape for x in out.logits] == [(seen, model.config.vocab_size)] * NEW
    for step, states in enumerate(out.hidden_states):
        width = LENGTH if step == 0 else 1 if use_cache else LENGTH + step
        # The prompt is read once for each row, or for each of its copies.
        rows = {BATCH, seen} if step == 0 else {seen}
        assert len(states) == model.config.num_hidden_layers + 1
        assert all(x.shape[0] in rows and x.shape[1:] == (width, model.config.hidden_size) for x in states)
    if "num_beams" in mode:
        assert out.sequences_scores.shape == (returned,)
        assert out.beam_indices.shape[0] == returned
    assert (out.past_key_values is not None) == use_cache


def test_scores_of_greedy_steps_are_the_forwards_logits(model):
    ids = prompt(BATCH, LENGTH)
    out = model.generate(ids, max_new_tokens=NEW, do_sample=False, **EVERYTHING)
    with torch.no_grad():
        logits = model(out.sequences, use_cache=False).logits[:, LENGTH - 1 : -1]
    torch.testing.assert_close(torch.stack(out.logits, 1), logits.to(out.logits[0]), rtol=1e-5, atol=1e-5)


def test_transition_scores_add_up_to_the_beams_scores(model):
    options = {"num_beams": 3, "do_sample": False, "length_penalty": 0.0, **EVERYTHING}
    out = model.generate(prompt(BATCH, LENGTH), max_new_tokens=NEW, **options)
    steps = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices)
    torch.testing.assert_close(steps.sum(1), out.sequences_scores.to(steps), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["greedy", "beams"])
def test_attentions(mode):
    """Each step's attention of its own tokens over all that came before, in the layers that attend."""
    model = tiny("rodimus_plus", attn_implementation="eager")
    seen, _ = rows_of(MODES[mode])
    options = {**MODES[mode], "return_dict_in_generate": True, "output_attentions": True}
    out = model.generate(prompt(BATCH, LENGTH), max_new_tokens=NEW, **options)
    heads = model.config.num_attention_heads
    assert len(out.attentions) == NEW
    for step, layers in enumerate(out.attentions):
        queries = LENGTH if step == 0 else 1
        assert len(layers) == model.config.num_hidden_layers
        for attention in layers:
            assert attention.shape[0] in {BATCH, seen} and attention.shape[1:3] == (heads, queries)
            torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention[..., 0]))


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_shapes_of_the_cache(model, mode, kind):
    """The same whatever the length, one row for each sequence that was followed."""
    seen, _ = rows_of(mode)
    shapes = []
    for length in (WINDOW + 3, 3 * WINDOW):
        options = {"cache_implementation": "static"} if kind == "static" else {}
        ids = prompt(BATCH, length)
        out = model.generate(ids, max_new_tokens=NEW, return_dict_in_generate=True, **mode, **options)
        assert out.past_key_values.get_seq_length() == length + NEW - 1
        shapes.append([layer_shapes(layer) for layer in out.past_key_values.layers])
    config = model.config
    for layer in shapes[0]:
        assert layer["conv"] == (seen, config.d_inner, config.d_conv)
        assert layer["recurrent"] == (seen, config.mem_size, config.d_inner)
        if config.has_attention:
            assert layer["keys"][0] == seen
    assert shapes[0] == shapes[1]


def layer_shapes(layer) -> dict[str, tuple[int, ...]]:
    shapes = {"conv": tuple(layer.conv_states[0].shape), "recurrent": tuple(layer.recurrent_states[0].shape)}
    keys = getattr(layer, "keys", None)
    return shapes | ({} if keys is None else {"keys": tuple(keys.shape)})


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_continuation_from_what_was_returned(model, kind):
    """Tokens go on from a returned cache as if all had been made in one call; with padding too."""
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2)[0]])
    whole = model.generate(ids, attention_mask=mask, max_new_tokens=2 * NEW, do_sample=False)
    if kind == "static":
        cache = StaticCache(config=model.config, max_cache_len=64)
    else:
        cache = DynamicCache(config=model.config)
    options = {"max_new_tokens": NEW, "do_sample": False, "return_dict_in_generate": True}
    half = model.generate(ids, attention_mask=mask, past_key_values=cache, **options)
    longer = torch.nn.functional.pad(mask, (0, NEW), value=1)
    rest = model.generate(half.sequences, attention_mask=longer, past_key_values=half.past_key_values, **options)
    assert torch.equal(rest.sequences, whole)


def test_continuation_from_embeddings(model):
    ids = prompt(1, LENGTH)
    embeds = model.get_input_embeddings()(ids).detach()
    options = {"do_sample": False, "return_dict_in_generate": True, "max_new_tokens": NEW}
    first = model.generate(inputs_embeds=embeds, **options)
    so_far = torch.cat([ids, first.sequences], 1)
    second = model.generate(so_far, past_key_values=first.past_key_values, **options)
    assert torch.equal(second.sequences, greedy_without_cache(model, ids, 2 * NEW))


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_static_and_dynamic_caches_agree(model, mode):
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2)[0]])
    results = []
    for options in ({}, {"cache_implementation": "static"}):
        torch.manual_seed(1)
        results.append(model.generate(ids, attention_mask=mask, max_new_tokens=12, **mode, **options))
    assert torch.equal(*results)


@torch.no_grad()
def test_padding_on_the_right_reads_as_rows_alone(model):
    """A batch padded on the right, read into a cache, continues each row from its own last token."""
    rows = [prompt(seed=1)[0, :9], prompt(seed=2)[0]]
    width = max(map(len, rows))
    ids = torch.stack([torch.nn.functional.pad(row, (0, width - len(row))) for row in rows])
    mask = torch.stack([torch.arange(width) < len(row) for row in rows]).long()
    logits = model(ids, attention_mask=mask).logits
    for row, expected in zip(logits, rows, strict=True):
        torch.testing.assert_close(row[: len(expected)], model(expected[None]).logits[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_eager_and_sdpa_generate_the_same(mode):
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2)[0]])
    results = []
    for implementation in ("eager", "sdpa"):
        model = tiny("rodimus_plus", attn_implementation=implementation)
        assert model.config._attn_implementation == implementation
        torch.manual_seed(1)
        results.append(model.generate(ids, attention_mask=mask, max_new_tokens=12, **mode))
    assert torch.equal(*results)


def test_generation_by_a_compiled_forward(model):
    """`model.forward` compiled by its user: the same tokens, few graphs."""
    ids, graphs = prompt(BATCH, LENGTH), []

    def backend(graph, example_inputs):
        graphs.append(1)
        return graph.forward

    expected = model.generate(ids, max_new_tokens=12, do_sample=False)
    plain = model.forward
    try:
        model.forward = torch.compile(plain, backend=backend)
        out = model.generate(ids, max_new_tokens=12, do_sample=False, cache_implementation="static")
    finally:
        del model.forward
        torch._dynamo.reset()
    assert torch.equal(out, expected)
    assert 0 < len(graphs) <= 6  # prompt and step, not one for each token
