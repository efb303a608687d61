"""Generation: every mode gives, token for token, what forward passes without a cache give."""

import logging
import subprocess
import sys

import pytest
import torch
from transformers import DynamicCache, GenerationConfig, StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from helpers.generation_rodimus import BLOCK_TYPES, greedy_without_cache, left_padded, prompt, tiny


@pytest.fixture(params=BLOCK_TYPES, scope="module")
def model(request) -> RodimusForCausalLM:
    return tiny(request.param)


def test_greedy(model):
    ids = prompt()
    out = model.generate(ids, max_new_tokens=24, do_sample=False)
    assert torch.equal(out, greedy_without_cache(model, ids, 24))


@pytest.mark.parametrize(
    "mode",
    [
        {"do_sample": True, "temperature": 0.8, "top_k": 20},
        {"do_sample": True, "num_return_sequences": 3},
        {"num_beams": 3, "do_sample": False},
        {"num_beams": 4, "num_return_sequences": 2, "do_sample": False, "length_penalty": 0.7},
    ],
    ids=["sampling", "return_sequences", "beams", "beam_return_sequences"],
)
def test_mode_equals_no_cache(model, mode):
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2)[0]])
    results = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        results.append(model.generate(ids, attention_mask=mask, max_new_tokens=14, use_cache=use_cache, **mode))
    assert torch.equal(*results)


def test_left_padded_batch_equals_rows_alone(model):
    rows = [prompt(seed=s)[0, :n] for s, n in ((1, 5), (2, 21), (3, 13))]
    ids, mask = left_padded(rows)
    out = model.generate(ids, attention_mask=mask, max_new_tokens=12, do_sample=False)
    for i, row in enumerate(rows):
        alone = greedy_without_cache(model, row[None], 12)
        assert torch.equal(out[i, -len(alone[0]) :], alone[0])


@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
def test_prefill_chunks(model, chunk):
    ids = prompt(length=30)
    expected = greedy_without_cache(model, ids, 6)
    out = model.generate(ids, max_new_tokens=6, do_sample=False, prefill_chunk_size=chunk)
    assert torch.equal(out, expected)


def test_prefill_chunks_left_padded(model):
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2, length=30)[0]])
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=6, do_sample=False)
    out = model.generate(ids, attention_mask=mask, max_new_tokens=6, do_sample=False, prefill_chunk_size=4)
    assert torch.equal(out, expected)


@pytest.mark.parametrize("cache_class", ["dynamic", "static"])
@pytest.mark.parametrize("sizes", [[1] * 40, [7] * 6, [3, 1, 12, 1, 1, 9, 2, 11], [40], [9, 9, 1, 1, 20]], ids=str)
@torch.no_grad()
def test_feeding_a_filled_cache(model, sizes, cache_class):
    ids = prompt(batch=2, length=sum(sizes))
    config = model.config
    cache = DynamicCache(config=config) if cache_class == "dynamic" else StaticCache(config=config, max_cache_len=64)
    outputs = [model(part, past_key_values=cache).logits for part in ids.split(sizes, 1)]
    torch.testing.assert_close(torch.cat(outputs, 1), model(ids, use_cache=False).logits, rtol=1e-9, atol=1e-9)
    assert cache.get_seq_length() == sum(sizes)


@pytest.mark.parametrize("tokens", [1, 2, 20])
def test_chat_goes_on_from_the_same_cache(model, tokens):
    cache, ids = DynamicCache(config=model.config), prompt(length=tokens)
    for turn in range(4):
        expected = greedy_without_cache(model, ids, 5)
        ids = model.generate(ids, past_key_values=cache, max_new_tokens=5, do_sample=False)
        assert torch.equal(ids, expected)
        ids = torch.cat([ids, prompt(length=3 + turn, seed=turn)], 1)


def test_static_cache(model):
    ids, mask = left_padded([prompt(seed=1)[0, :9], prompt(seed=2)[0]])
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=14, do_sample=False)
    out = model.generate(ids, attention_mask=mask, max_new_tokens=14, do_sample=False, cache_implementation="static")
    assert torch.equal(out, expected)


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_inputs_embeds(block_type):
    model, ids = tiny(block_type), prompt()
    embeds = model.get_input_embeddings()(ids).detach()
    kept = embeds.clone()
    out = model.generate(inputs_embeds=embeds, max_new_tokens=6, do_sample=False)
    assert torch.equal(out, greedy_without_cache(model, ids, 6)[:, ids.shape[1] :])
    assert torch.equal(embeds, kept)


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
@torch.no_grad()
def test_compiled_decoding_step(block_type):
    model = tiny(block_type, torch.float32)
    ids, steps, compilations = prompt(batch=2), 14, []

    def backend(graph, example_inputs):
        compilations.append(1)
        return graph.forward

    step = torch.compile(model.forward, backend=backend, fullgraph=True)
    expected = greedy_without_cache(model, ids, steps)
    cache = StaticCache(config=model.config, max_cache_len=64)
    token = model(ids, past_key_values=cache).logits[:, -1:].argmax(-1)
    for i in range(steps):
        assert torch.equal(token[:, 0], expected[:, ids.shape[1] + i])
        inputs = model.prepare_inputs_for_generation(
            token, past_key_values=cache, attention_mask=torch.ones(2, ids.shape[1] + i + 1, dtype=torch.long)
        )
        inputs["position_ids"] = torch.full((2, 1), ids.shape[1] + i)
        inputs.pop("use_cache", None)
        token = step(**inputs).logits[:, -1:].argmax(-1)
    assert len(compilations) <= 3  # before and after the window fills, not one for every length


@pytest.mark.parametrize("arguments", [{"prompt_lookup_num_tokens": 3}, {"assistant_model": "itself"}], ids=str)
def test_assisted_decoding_is_refused(model, arguments):
    arguments = {name: model if value == "itself" else value for name, value in arguments.items()}
    with pytest.raises(ValueError, match="stateful"):
        model.generate(prompt(), max_new_tokens=4, **arguments)


def cache_bytes(cache) -> int:
    total = 0
    for layer in cache.layers:
        tensors = [*layer.conv_states.values(), *layer.recurrent_states.values()]
        tensors += [getattr(layer, "keys", None), getattr(layer, "values", None)]
        total += sum(t.untyped_storage().nbytes() for t in tensors if t is not None)
    return total


@torch.no_grad()
def test_cache_does_not_grow(model):
    sizes = []
    cache = DynamicCache(config=model.config)
    for tokens in (1000, 15_000):
        for part in prompt(length=tokens).split(500, 1):
            model.model(part, past_key_values=cache)
        sizes.append(cache_bytes(cache))
    assert cache.get_seq_length() == 16_000
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_states_are_float32(block_type, dtype):
    model = tiny(block_type, dtype)
    cache = model(prompt(), use_cache=True).past_key_values
    for layer in cache.layers:
        assert layer.conv_states[0].dtype == layer.recurrent_states[0].dtype == torch.float32


def test_foreign_cache_is_refused(model):
    with pytest.raises(ValueError, match=r"DynamicCache\(config=model.config\)"):
        model(prompt(), past_key_values=DynamicCache())


def test_mask_of_wrong_length_is_refused(model):
    cache = model(prompt(), use_cache=True).past_key_values
    with pytest.raises(ValueError, match=r"\(1, 24\)"):
        model(prompt(length=3), past_key_values=cache, attention_mask=torch.ones(1, 3))


CONTINUE = """
import sys, torch
from codefuse_hf import RodimusForCausalLM
model = RodimusForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float64).eval()
out = model.generate(**model.load_generation_state(sys.argv[2]), max_new_tokens=9, do_sample=False)
print(out[0].tolist())
"""


def test_state_resumes_in_another_process(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    out = model.generate(prompt(), max_new_tokens=11, do_sample=False, return_dict_in_generate=True)
    model.save_generation_state(tmp_path / "state.safetensors", out.past_key_values, input_ids=out.sequences)
    command = [sys.executable, "-c", CONTINUE, str(tmp_path / "model"), str(tmp_path / "state.safetensors")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip().splitlines()[-1] == str(greedy_without_cache(model, prompt(), 20)[0].tolist())


def test_state_holds_the_same_bits(model, tmp_path):
    cache = model(prompt(batch=2, length=40), use_cache=True).past_key_values
    model.save_generation_state(tmp_path / "state", cache)
    loaded = model.load_generation_state(tmp_path / "state")["past_key_values"]
    new = prompt(batch=2, length=3)
    with torch.no_grad():
        assert torch.equal(model(new, past_key_values=loaded).logits, model(new, past_key_values=cache).logits)
    assert list(tmp_path.iterdir()) == [tmp_path / "state"]


def test_state_of_another_model_is_refused(model, tmp_path):
    model.save_generation_state(tmp_path / "state", model(prompt(), use_cache=True).past_key_values)
    other = tiny(model.config.block_type)
    with torch.no_grad():
        other.model.layers[1].mixer.out_proj.weight.mul_(1.5)
    with pytest.raises(ValueError, match="another model"):
        other.load_generation_state(tmp_path / "state")
    other_type = tiny(BLOCK_TYPES[model.config.block_type == "rodimus"])
    with pytest.raises(ValueError, match="another model"):
        other_type.load_generation_state(tmp_path / "state")


def test_bad_state_files_are_refused(model, tmp_path):
    (tmp_path / "junk").write_bytes(b"not a tensor file")
    with pytest.raises(ValueError, match="not a safetensors file"):
        model.load_generation_state(tmp_path / "junk")
    with pytest.raises(FileNotFoundError):
        model.load_generation_state(tmp_path / "absent")
    with pytest.raises(ValueError, match="empty"):
        model.save_generation_state(tmp_path / "empty", DynamicCache(config=model.config))
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("block_type", "window_size", "bounded"),
    [("rodimus", None, True), ("rodimus_plus", 8, True), ("rodimus_plus", None, False)],
)
def test_a_bounded_memory_has_no_longest_text(block_type, window_size, bounded, monkeypatch):
    """The training context limits no text, and transformers does not warn of it, unless attention goes over all of it."""
    said = []
    monkeypatch.setattr(logging.Logger, "warning", lambda self, *args, **kwargs: said.append(args[0]))
    logging.Logger.warning_once.cache_clear()
    config = {
        "vocab_size": 64,
        "d_model": 32,
        "n_layer": 1,
        "mixer_cfg": {"mem_size": 8},
        "max_position_embeddings": 16,
    }
    attention = {"num_heads": 2, "window_size": window_size}
    model = RodimusForCausalLM(RodimusConfig(block_type=block_type, attn_cfg=attention, **config))
    prompt = torch.randint(model.config.vocab_size, (1, 24))
    assert model.generate(prompt, max_new_tokens=4).shape[1] == 28
    assert bool(said) is not bounded
    if bounded:
        assert model.generate(prompt).shape[1] == 24 + 20  # transformers' default


def test_eos_and_streaming_defaults_hold(model):
    expected = greedy_without_cache(model, prompt(), 12)
    eos = int(expected[0, -4])
    config = GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=eos, pad_token_id=0)
    out = model.generate(prompt(), generation_config=config)
    stop = (expected[0, 21:] == eos).nonzero()[0, 0] + 22
    assert torch.equal(out, expected[:, :stop])
