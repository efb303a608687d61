"""Every mode of `generate` gives, token for token, what the forward pass without a cache gives."""

import pytest
import torch
from transformers import CompileConfig, DynamicCache, GenerationConfig, LogitsProcessor, TextStreamer
from transformers.generation import MaxLengthCriteria

from helpers.models_cgm import alone, collate, example, tiny

GREEDY = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
SIZES = [(5, 9), (2, 4), (7, 6)]


@pytest.fixture(scope="module")
def model():
    return tiny()


def examples():
    return [example(nodes, length, seed) for seed, (nodes, length) in enumerate(SIZES)]


def greedy_steps(model, one, steps=8):
    """The whole sequence anew for each token."""
    ids, graph = one["input_ids"][None], {k: one[k][None] for k in ("node_embeddings", "adjacency")}
    length = ids.shape[1]
    for _ in range(steps):
        prompt_mask = torch.arange(ids.shape[1])[None] < length
        with torch.no_grad():
            logits = model(input_ids=ids, prompt_mask=prompt_mask, **graph).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    return ids[0]


@pytest.mark.parametrize(
    "options",
    [{}, {"use_cache": False}, {"cache_implementation": "static"}, {"prompt_lookup_num_tokens": 3}],
    ids=["cache", "no cache", "static", "lookup"],
)
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_greedy(options, implementation):
    model, one = tiny(attn_implementation=implementation), examples()[0]
    assert torch.equal(model.generate(**alone(one), **GREEDY, **options)[0], greedy_steps(model, one))


@pytest.mark.parametrize("options", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
def test_graphs_of_different_sizes_in_one_batch(model, options):
    batch = collate(examples())
    tokens = model.generate(**batch, **GREEDY, **options)
    for row, one in zip(tokens, examples(), strict=True):
        assert torch.equal(row[-8:], greedy_steps(model, one)[-8:])
    assert torch.equal(tokens[:, :-8], batch["input_ids"])


def test_compiled_decoding(model):
    batch = collate(examples()[:2])
    settings = CompileConfig(mode=None, fullgraph=True, backend="aot_eager")
    settings._compile_all_devices = True  # else transformers compiles on accelerators only
    compiled = model.generate(**batch, **GREEDY, cache_implementation="static", compile_config=settings)
    assert torch.equal(compiled, model.generate(**batch, **GREEDY))


def test_beams_and_several_sequences(model):
    batch = collate(examples())
    options = {
        "num_beams": 3,
        "num_return_sequences": 2,
        "max_new_tokens": 6,
        "do_sample": False,
        "length_penalty": 0.5,
    }
    cached = model.generate(**batch, **options)
    assert cached.shape[0] == 6
    assert torch.equal(cached, model.generate(**batch, **options, use_cache=False))
    single = model.generate(**alone(examples()[1]), **options)
    width = min(single.shape[1] - 4, cached.shape[1] - 9)
    assert torch.equal(cached[2:4, 9 : 9 + width], single[:, 4 : 4 + width])


def test_sampling(model):
    one = alone(examples()[0])
    options = {"do_sample": True, "num_return_sequences": 3, "max_new_tokens": 6, "top_k": 20}
    drawn = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        drawn.append(model.generate(**one, **options, use_cache=use_cache))
    assert torch.equal(*drawn) and len(drawn[0].unique(dim=0)) == 3


def test_going_on_from_a_cache(model):
    """New text after an answer: as without a cache, where the nodes see the first prompt alone."""
    batch = collate(examples())
    graph = {name: batch[name] for name in ("node_embeddings", "node_mask", "adjacency")}
    first = model.generate(**batch, **GREEDY, return_dict_in_generate=True)
    more = torch.cat([first.sequences, torch.tensor([[5, 6, 7]] * 3)], dim=1)
    mask = torch.nn.functional.pad(batch["attention_mask"], (0, 11), value=1)
    inputs = {"input_ids": more, "attention_mask": mask, **graph, **GREEDY}
    cached = model.generate(**inputs, past_key_values=first.past_key_values)
    whole = model.generate(**inputs, use_cache=False, prompt_mask=torch.ones_like(batch["input_ids"]))
    assert torch.equal(cached, whole)
    assert not torch.equal(whole, model.generate(**inputs))  # where the nodes see all of it


def test_a_decoding_loop_by_hand(model):
    batch = collate(examples())
    expected = model.generate(**batch, **GREEDY)
    cache = DynamicCache(config=model.config.text_config)
    with torch.no_grad():
        token = model(**batch, past_key_values=cache, logits_to_keep=1).logits.argmax(-1)
        mask = torch.cat([batch["node_mask"], batch["attention_mask"]], dim=1)
        tokens = [token]
        for _ in range(7):
            mask = torch.nn.functional.pad(mask, (0, 1), value=1)
            position_ids = mask.sum(1, keepdim=True).long() - 1
            token = model(
                input_ids=token, attention_mask=mask, position_ids=position_ids, past_key_values=cache
            ).logits.argmax(-1)
            tokens.append(token)
    assert torch.equal(torch.cat(tokens, dim=1), expected[:, -8:])


class Seen(LogitsProcessor):
    def __init__(self):
        self.widths = []

    def __call__(self, input_ids, scores):
        self.widths.append(input_ids.shape[1])
        return scores


def test_everything_else_sees_the_text_alone(model):
    one = alone(examples()[0])
    seen = Seen()
    model.generate(**one, **GREEDY, logits_processor=[seen])
    assert seen.widths == list(range(9, 17))
    assert model.generate(**one, do_sample=False, max_length=12, eos_token_id=None).shape[1] == 12
    config = GenerationConfig(max_length=11, do_sample=False)
    assert model.generate(**one, generation_config=config).shape[1] <= 11
    stopped = model.generate(**one, **GREEDY, stopping_criteria=[MaxLengthCriteria(11)])
    assert stopped.shape[1] == 11
    greedy = model.generate(**one, **GREEDY)
    end = greedy[0, 9].item()  # ends at once, unless it must not
    short = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": end}
    assert model.generate(**one, **short).shape[1] == 10
    assert (model.generate(**one, **short, min_length=13)[0, 9:13] != end).all()
    assert (model.generate(**one, **short, min_new_tokens=3)[0, 9:12] != end).all()


def test_streaming(model):
    pieces = []

    class Tokenizer:
        def decode(self, ids, **kwargs):
            pieces.append(list(ids))
            return ""

    one = alone(examples()[0])
    tokens = model.generate(**one, **GREEDY, streamer=TextStreamer(Tokenizer()))
    assert pieces[-1] == tokens[0].tolist() and pieces[0] == one["input_ids"][0].tolist()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda b: b.update(attention_mask=b["attention_mask"].flip(1)), "left"),
        (lambda b: b.update(attention_mask=torch.ones(3, 16)), "text alone"),
        (lambda b: b.update(prefill_chunk_size=4), "one piece"),
        (lambda b: b.update(assistant_model=object()), "assistant"),
        (lambda b: b.update(input_ids=None), "prompt"),
        (lambda b: b.update(prompt_mask=torch.ones(3, 10)), "prompt_mask"),
    ],
)
def test_what_cannot_be_generated(model, spoil, message):
    batch = collate(examples())
    spoil(batch)
    with pytest.raises(ValueError, match=message):
        model.generate(**batch, **GREEDY)
