"""The model: padding, batches, masks in every form, no graph, encoders, errors, saving."""

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    DynamicCache,
    Qwen2ForCausalLM,
    T5Config,
)

from codefuse_hf import CGEConfig, CGMConfig, CGMForCausalLM, CGMModel, NodeEmbeddingCache, RodimusConfig
from helpers.models_cgm import WIDTH, alone, bert_config, collate, example, text_config, tiny, tiny_with_encoder

SIZES = [(5, 9), (2, 4), (7, 6)]


def examples():
    return [example(nodes, length, seed) for seed, (nodes, length) in enumerate(SIZES)]


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("node_side", ["left", "right"])
def test_a_batch_is_its_examples(implementation, side, node_side):
    model = tiny(attn_implementation=implementation)
    batch = collate(examples(), side, node_side)
    logits = model(**batch).logits
    real = torch.cat([batch["node_mask"], batch["attention_mask"]], 1).bool()
    for row, one in enumerate(examples()):
        assert_close(logits[row][real[row]], model(**alone(one)).logits[0], atol=2e-5, rtol=1e-4)
    assert logits.isfinite().all()


def reference_logits(model, one, prompt_mask):
    """The language model under the mask written out, added to the scores."""
    from codefuse_hf.modeling.cgm.mask_cgm import graph_attention_mask

    model.set_attn_implementation({"text_config": "eager"})
    mask = graph_attention_mask(one["adjacency"], prompt_mask)
    embeds = torch.cat([model.adapter(one["node_embeddings"]), model.get_input_embeddings()(one["input_ids"])])
    added = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    positions = torch.arange(len(mask))[None]
    return model.lm(inputs_embeds=embeds[None], attention_mask=added[None, None], position_ids=positions).logits


@pytest.mark.parametrize("kind", ["qwen2", "qwen3", "llama", "mistral", "gpt2", "gpt_neox", "phi3", "olmo2", "granite"])
def test_any_causal_lm(kind):
    """Each language model takes the mask in its own way, with its values and its gradients."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 90,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.3,
    }
    if kind != "gpt2":
        sizes.update(intermediate_size=48)
    if kind in ("qwen2", "qwen3", "llama", "mistral", "phi3", "olmo2", "granite"):
        sizes.update(num_key_value_heads=2)
    if kind in ("mistral", "phi3"):
        sizes.update(sliding_window=None)
    if kind == "phi3":
        sizes.update(pad_token_id=0)
    one = example(6, 8)
    prompt_mask = torch.arange(8) < 5
    model = tiny(text=CONFIG_MAPPING[kind](**sizes))
    logits = model(**alone(one), prompt_mask=prompt_mask[None]).logits
    expected = reference_logits(model, one, prompt_mask)
    assert_close(logits, expected, atol=2e-5, rtol=1e-4)
    gradients = [torch.autograd.grad(x[:, 6:].square().mean(), model.adapter.fc1.weight)[0] for x in (logits, expected)]
    assert_close(*gradients, atol=1e-5, rtol=1e-3)
    assert gradients[0].abs().max() > 0


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_node_without_edges_and_prompt_sees_nothing(implementation):
    model = tiny(attn_implementation=implementation)
    one = example(4, 5)
    one["adjacency"][1] = False
    changed = {name: value.clone() for name, value in one.items()}
    changed["input_ids"] += 1
    changed["node_embeddings"][[0, 2, 3]] += 1
    hidden = CGMModel_of(model)
    nobody = torch.zeros(1, 5)
    rows = [hidden(**alone(e), prompt_mask=nobody).last_hidden_state[0] for e in (one, changed)]
    assert rows[0].isfinite().all()
    assert torch.equal(rows[0][1], rows[1][1])
    assert not torch.equal(rows[0][0], rows[1][0])


def CGMModel_of(model):
    """The same model without head."""
    base = CGMModel(model.config).eval()
    state = model.state_dict()
    base.load_state_dict({name: state[name] for name in base.state_dict()})
    return base


def test_answers_are_invisible_to_nodes_and_earlier_text():
    model = CGMModel_of(tiny())
    one = example(5, 9)
    changed = {**one, "input_ids": one["input_ids"].clone()}
    changed["input_ids"][6:] += 1
    prompt_mask = (torch.arange(9) < 6)[None]
    before, after = (model(**alone(e), prompt_mask=prompt_mask).last_hidden_state for e in (one, changed))
    assert torch.equal(before[:, :11], after[:, :11]) and not torch.equal(before[:, 11:], after[:, 11:])
    shown = model(**alone(changed)).last_hidden_state
    assert not torch.equal(before[:, :5], shown[:, :5])


def test_later_turns_of_a_conversation_are_no_prompt():
    """A second question has seen the first answer; a node that saw it would tell."""
    model = tiny()
    one = example(4, 9)
    labels = one["input_ids"].clone()
    labels[:3] = labels[5:7] = -100
    implied = model(**alone(one), labels=labels[None])
    explicit = model(**alone(one), prompt_mask=(torch.arange(9) < 3)[None])
    assert torch.equal(implied.logits, explicit.logits)


def test_without_a_graph_it_is_the_language_model():
    model = tiny()
    plain = Qwen2ForCausalLM(model.config.text_config).eval()
    plain.load_state_dict(model.lm.state_dict())
    batch = collate(examples())
    text = {name: batch[name] for name in ("input_ids", "attention_mask")}
    output, expected = (m(**text, labels=batch["input_ids"]) for m in (model, plain))
    assert torch.equal(output.logits, expected.logits) and torch.equal(output.loss, expected.loss)
    options = {"max_new_tokens": 6, "do_sample": False}
    assert torch.equal(model.generate(**text, **options), plain.generate(**text, **options))
    # an empty graph is no graph
    empty = model(
        input_ids=batch["input_ids"][:1],
        node_embeddings=torch.zeros(1, 0, WIDTH),
        adjacency=torch.zeros(1, 0, 0).bool(),
    )
    assert torch.equal(empty.logits, plain(input_ids=batch["input_ids"][:1]).logits)


def test_a_full_graph_is_bidirectional_among_nodes():
    model = tiny()
    one = example(5, 6)
    one["adjacency"] = torch.ones(5, 5, dtype=torch.bool)
    order = torch.tensor([3, 1, 4, 0, 2])
    last = model(**alone(one)).logits[:, -1]
    moved = {**one, "node_embeddings": one["node_embeddings"][order]}
    positions = torch.cat([order, torch.arange(5, 11)])[None]
    assert_close(model(**alone(moved), position_ids=positions).logits[:, -1], last, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "switch, change",
    [
        ({"graph_direction": "backward"}, lambda a: a.T),
        ({"graph_direction": "both"}, lambda a: a | a.T),
        ({"graph_self_loops": True}, lambda a: a | torch.eye(len(a), dtype=torch.bool)),
    ],
)
def test_switches(switch, change):
    one = example(6, 5)
    switched = tiny(**switch)(**alone(one)).logits
    plain = tiny()
    assert torch.equal(switched, plain(**alone({**one, "adjacency": change(one["adjacency"])})).logits)
    assert not torch.equal(switched, plain(**alone(one)).logits)


def test_loss_of_the_kept_rows_is_the_loss():
    model = tiny()
    one = alone(example(5, 9))
    labels = torch.where(torch.arange(9) < 5, -100, one["input_ids"])
    whole = model(**one, labels=labels)
    kept = model(**one, labels=labels, logits_to_keep=6)
    assert kept.logits.shape[1] == 6 and whole.logits.shape[1] == 14
    assert_close(kept.loss, whole.loss)
    counted = model(**one, labels=labels, num_items_in_batch=torch.tensor(8))
    assert_close(counted.loss * 8, whole.loss * 4)


# encoders


def segments(seed=0, nodes=6, tokens=8):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 60, (2, nodes, tokens), generator=generator)
    lengths = torch.randint(1, tokens + 1, (2, nodes), generator=generator)
    lengths[0, 2] = 0
    mask = torch.arange(tokens) < lengths[..., None]
    ids[1, 4], mask[1, 4] = ids[0, 0], mask[0, 0]
    return ids, mask


@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
def test_encoding_is_batched_and_each_distinct_segment_costs_once(pooling):
    model = tiny(embedding_dim=None, encoder_config=bert_config(), encoder_pooling=pooling, encoder_projection_dim=10)
    ids, mask = segments()
    rows = []
    model.encoder.model.register_forward_hook(
        lambda module, args, kwargs, output: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    found = model.encoder(ids.flatten(0, 1), mask.flatten(0, 1), batch_tokens=24)
    assert sum(rows) == 10 and len(rows) > 1  # 12 segments, one empty and one repeated
    for one, real, vector in zip(ids.flatten(0, 1), mask.flatten(0, 1), found, strict=True):
        expected = model.encoder.encode(one[real][None], real[real][None])[0] if real.any() else torch.zeros(10)
        assert_close(vector, expected, atol=1e-6, rtol=1e-5)
        assert not real.any() or vector.norm().item() == pytest.approx(1, abs=1e-5)


def test_node_texts_in_place_of_vectors(tmp_path):
    model = tiny_with_encoder()
    ids, mask = segments()
    text = torch.arange(3, 13).view(2, 5)
    adjacency = torch.rand(2, 6, 6) < 0.4
    inputs = {"input_ids": text, "adjacency": adjacency}
    raw = model(**inputs, node_input_ids=ids, node_attention_mask=mask).logits
    vectors = model.get_node_features(ids, mask)
    assert_close(model(**inputs, node_embeddings=vectors).logits, raw, atol=1e-5, rtol=1e-4)
    # ahead of time, with a cache on disk
    lists = [one[real].tolist() for one, real in zip(ids.flatten(0, 1), mask.flatten(0, 1), strict=True)]
    cache = NodeEmbeddingCache(tmp_path, model.encoder_fingerprint())
    first = model.encode_segments(lists, cache=cache)
    assert_close(first, vectors.flatten(0, 1), atol=1e-6, rtol=1e-5)
    model.encoder.forward = None  # what is known needs no encoder
    again = NodeEmbeddingCache(tmp_path, model.encoder_fingerprint())
    assert len(again) == 11 and torch.equal(model.encode_segments(lists, cache=again), first)
    assert NodeEmbeddingCache(tmp_path, tiny_with_encoder(seed=1).encoder_fingerprint()).get(again._vectors) == {}


def test_a_broken_cache_file_counts_as_none(tmp_path):
    cache = NodeEmbeddingCache(tmp_path, "x")
    cache.put({cache.key([1, 2]): torch.ones(3)})
    (tmp_path / "x" / "broken.safetensors").write_bytes(b"\0" * 20)
    assert list(NodeEmbeddingCache(tmp_path, "x").get([cache.key([1, 2]), cache.key([2, 1])])) == [cache.key([1, 2])]


@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_reach_the_encoder_unless_it_is_frozen(frozen):
    model = tiny_with_encoder(freeze_encoder=frozen).train()
    assert model.encoder.model.training is not frozen
    ids, mask = segments()
    text = torch.arange(3, 13).view(2, 5)
    model(
        input_ids=text,
        labels=text,
        node_input_ids=ids,
        node_attention_mask=mask,
        edge_index=torch.tensor([[[0], [1]]] * 2),
    ).loss.backward()
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.encoder.parameters()]
    assert any(reached) is not frozen
    assert model.adapter.fc1.weight.grad.abs().sum() > 0


def encoder_configs():
    cge = CGEConfig(text_config(), compress_dim=8, pma_num_heads=2)
    t5 = T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    return {
        "bert": (bert_config(), {"encoder_pooling": "mean"}),
        "t5": (t5, {"encoder_pooling": "first", "encoder_projection_dim": 8}),
        "cge": (cge, {"encoder_pooling": "embedding", "encoder_normalize": False}),
    }


@pytest.mark.parametrize("kind", ["bert", "t5", "cge"])
def test_saving_and_loading(tmp_path, kind):
    encoder, settings = encoder_configs()[kind]
    model = tiny(embedding_dim=None, encoder_config=encoder, **settings)
    assert not any("decoder" in name for name, _ in model.encoder.named_parameters())
    model.save_pretrained(tmp_path)
    ids, mask = segments()
    inputs = {
        "input_ids": torch.arange(3, 13).view(2, 5),
        "node_input_ids": ids,
        "node_attention_mask": mask,
        "edge_index": torch.tensor([[[0, 1], [1, 2]]] * 2),
    }
    loaded, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert type(loaded) is CGMForCausalLM and not any(info[k] for k in ("missing_keys", "unexpected_keys"))
    assert torch.equal(loaded(**inputs).logits, model(**inputs).logits)
    base, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert type(base) is CGMModel and not info["missing_keys"] and not info["unexpected_keys"]
    hidden = base(**inputs).last_hidden_state
    assert torch.equal(loaded.lm.lm_head(hidden), model(**inputs).logits)


def test_a_saved_configuration_does_not_say_where_its_parts_came_from(tmp_path):
    text, encoder = text_config(), bert_config()
    text._name_or_path = encoder._name_or_path = "/somewhere/private"
    CGMConfig(text, encoder).save_pretrained(tmp_path)
    assert "private" not in (tmp_path / "config.json").read_text()
    assert CGMConfig.from_pretrained(tmp_path).encoder_config.hidden_size == 16


def test_the_adapter_begins_with_the_spread_of_the_language_model():
    model = tiny(text=text_config(initializer_range=0.05), adapter_hidden_dim=400)
    for layer in (model.adapter.fc1, model.adapter.fc2):
        assert layer.weight.std().item() == pytest.approx(0.05, rel=0.05) and not layer.bias.any()
    language = dict(model.language_model.named_parameters())
    assert language["model.embed_tokens.weight"].std().item() == pytest.approx(0.05, rel=0.1)
    norms = [weight for name, weight in language.items() if "norm" in name]
    assert len(norms) == 5 and all((weight == 1).all() for weight in norms)


def test_from_base_uses_what_it_is_given():
    torch.manual_seed(0)
    lm = Qwen2ForCausalLM(text_config())
    encoder = AutoModel.from_config(bert_config())
    before = {name: value.clone() for name, value in (lm.state_dict() | encoder.state_dict()).items()}
    model = CGMForCausalLM.from_base(lm, encoder, adapter_hidden_dim=20)
    assert model.lm is lm and model.encoder.model is encoder and model.config.encoder_pooling == "mean"
    after = lm.state_dict() | encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert model.config.embedding_dim == 16 and 0 < model.adapter.fc1.weight.std() < 1


# errors


def batch_of_two():
    return collate([example(5, 6, 0), example(4, 6, 1)])


BAD = {
    "float adjacency": (lambda b: b.update(adjacency=b["adjacency"].float()), TypeError, "bool"),
    "weighted adjacency": (lambda b: b.update(adjacency=b["adjacency"].long() * 2), ValueError, "0 and 1"),
    "adjacency of another graph": (lambda b: b.update(adjacency=b["adjacency"][:, :4]), ValueError, r"\[2, 5, 5\]"),
    "adjacency of another batch": (lambda b: b.update(adjacency=b["adjacency"][:1]), ValueError, r"\[2, 5, 5\]"),
    "both forms": (lambda b: b.update(edge_index=torch.zeros(2, 2, 1).long()), ValueError, "either"),
    "no edges at all": (lambda b: b.pop("adjacency"), ValueError, "either"),
    "no nodes at all": (lambda b: b.pop("node_embeddings"), ValueError, "either"),
    "narrow vectors": (
        lambda b: b.update(node_embeddings=b["node_embeddings"][..., 1:]),
        ValueError,
        f"{WIDTH} numbers .* found {WIDTH - 1}",
    ),
    "whole numbers": (
        lambda b: b.update(node_embeddings=b["node_embeddings"].long()),
        TypeError,
        "floating point, found torch.int64",
    ),
    "unbatched nodes": (
        lambda b: b.update(node_embeddings=b["node_embeddings"][0]),
        ValueError,
        rf"with batch 2, found \[5, {WIDTH}\]",
    ),
    "node mask": (
        lambda b: b.update(node_mask=b["node_mask"][:, 1:]),
        ValueError,
        r"node_mask` .* \[2, 5\], found \[2, 4\]\.$",
    ),
    "text mask over nodes": (
        lambda b: b.update(attention_mask=torch.ones(2, 11)),
        ValueError,
        r"\[2, 6\], found \[2, 11\] .*text alone",
    ),
    "prompt mask": (
        lambda b: b.update(prompt_mask=torch.ones(2, 5)),
        ValueError,
        r"prompt_mask` .* \[2, 6\], found \[2, 5\]\.$",
    ),
    "labels": (lambda b: b.update(labels=torch.ones(2, 11).long()), ValueError, r"text, \[2, 6\], found \[2, 11\]"),
    "positions": (lambda b: b.update(position_ids=torch.arange(6)[None]), ValueError, "11 positions, found 6"),
    "texts without encoder": (
        lambda b: b.update(node_input_ids=torch.ones(2, 5, 3).long(), node_embeddings=None),
        ValueError,
        "no node encoder",
    ),
}
EDGES = {
    "too high": ([[0, 5], [1, 1]], ValueError, "edge 1 of row 1 is \\(5, 1\\)"),
    "negative": ([[0, -2], [1, 1]], ValueError, "not there"),
    "half padding": ([[0, -1], [1, 1]], ValueError, "not there"),
    "fractions": ([[0.5, 1], [1, 1]], TypeError, "integers"),
    "shape": ([[0, 1, 2]], ValueError, "shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_inputs(name):
    spoil, error, message = BAD[name]
    batch = batch_of_two()
    spoil(batch)
    with pytest.raises(error, match=message):
        tiny()(**batch)


@pytest.mark.parametrize("name", EDGES)
def test_bad_edges(name):
    edges, error, message = EDGES[name]
    batch = batch_of_two()
    del batch["adjacency"]
    good = torch.zeros_like(torch.tensor(edges))
    with pytest.raises(error, match=message):
        tiny()(**batch, edge_index=torch.stack([good, torch.tensor(edges)]))


def test_more_positions_than_the_model_has():
    assert tiny()(**alone(example(124, 4))).logits.shape[1] == 128
    message = "125 nodes and 4 text tokens are 129 positions, the language model has 128 .*max_nodes"
    with pytest.raises(ValueError, match=message):
        tiny()(**alone(example(125, 4)))


def test_texts_of_nodes_in_another_shape():
    model = tiny_with_encoder()
    with pytest.raises(ValueError, match=r"\[batch, nodes, tokens\], found \[5, 3\]"):
        model.get_node_features(torch.ones(5, 3).long())
    with pytest.raises(ValueError, match=r"node_input_ids`, \[2, 5, 3\], found \[2, 5\]"):
        model.get_node_features(torch.ones(2, 5, 3).long(), torch.ones(2, 5))


def test_a_graph_after_the_first_call():
    model, one = tiny(), alone(example(4, 5))
    cache = DynamicCache(config=model.config.text_config)
    model(**one, past_key_values=cache)
    with pytest.raises(ValueError, match="first call"):
        model(**one, past_key_values=cache)


def sliding():
    return text_config(use_sliding_window=True, sliding_window=8, max_window_layers=0)


@pytest.mark.parametrize(
    "text, message",
    [
        (lambda: RodimusConfig(vocab_size=90, d_model=32, n_layer=2), "recurrence has no attention mask"),
        (lambda: CONFIG_MAPPING["mamba"](vocab_size=90, hidden_size=32, num_hidden_layers=1), "recurrence"),
        (sliding, "full attention"),
        (lambda: CONFIG_MAPPING["mistral"](sliding_window=8), "full attention"),
        (lambda: CONFIG_MAPPING["t5"](), "decoder-only"),
        (lambda: CONFIG_MAPPING["bloom"](), "biased by distance"),
        (lambda: CGMConfig(text_config()), "CGM itself"),
    ],
)
def test_language_models_that_cannot_read_a_graph(text, message):
    with pytest.raises(ValueError, match=message):
        CGMConfig(text())


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"embedding_dim": 0}, ValueError, "embedding_dim"),
        ({"adapter_hidden_dim": 2.0}, ValueError, "adapter_hidden_dim"),
        ({"graph_direction": "up"}, ValueError, "'backward'"),
        ({"graph_self_loops": 1}, ValueError, "graph_self_loops"),
        ({"encoder_pooling": "max"}, ValueError, "'mean'"),
        ({"encoder_config": bert_config(), "embedding_dim": 7}, ValueError, "must be 16"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        CGMConfig(text_config(), **settings)


def test_a_mask_that_the_attention_cannot_have():
    model = tiny()
    model.config.text_config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="cannot have a graph mask"):
        model(**alone(example(3, 4)))
