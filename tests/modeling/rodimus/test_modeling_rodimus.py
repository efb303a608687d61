"""What the Rodimus models compute, and how they behave as transformers models."""

import math

import pytest
import torch
from transformers import DynamicCache, StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusForSequenceClassification, RodimusModel
from codefuse_hf.modeling.rodimus import modeling_rodimus
from helpers import reference_rodimus
from helpers.models_rodimus import BLOCKS, ODD, PUBLISHED, SMALL, make_config, make_ids, make_model

ATOL = 1e-4
VARIANTS = PUBLISHED | ODD


@pytest.fixture(params=BLOCKS)
def block(request) -> dict:
    return BLOCKS[request.param]


def assert_close(actual: torch.Tensor, expected: torch.Tensor, atol: float = ATOL) -> None:
    torch.testing.assert_close(actual.double(), expected.double(), atol=atol, rtol=0)


# ---- against an independent implementation


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_equal_independent_implementation(variant):
    model, ids = make_model(VARIANTS[variant]), make_ids(1, 19)
    expected = reference_rodimus.logits(model.state_dict(), make_config(VARIANTS[variant]), ids[0])
    assert expected.std() > 0.1
    assert_close(model(ids).logits[0], expected)


@pytest.mark.parametrize("variant", [*PUBLISHED, "3 key heads, 2 value heads of 6", "normed embedding", "mem_size 5"])
def test_gradients_equal_independent_implementation(variant):
    model, ids = make_model(VARIANTS[variant]).train(), make_ids(1, 19)
    model(ids, labels=ids).loss.backward()
    leaves = {name: p.detach().double().requires_grad_() for name, p in model.named_parameters()}
    out = reference_rodimus.logits(leaves, make_config(VARIANTS[variant]), ids[0])
    torch.nn.functional.cross_entropy(out[:-1], ids[0, 1:]).backward()
    for name, parameter in model.named_parameters():
        expected = leaves[name].grad
        assert expected.abs().max() > 0, name
        assert_close(parameter.grad, expected, atol=ATOL * max(1.0, expected.abs().max().item()))


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_cached_equals_uncached(variant):
    """A prompt, one token, several tokens across the window's edge, and single tokens."""
    model, ids = make_model(VARIANTS[variant]), make_ids(2, 24)
    cache, expected = DynamicCache(config=model.config), model(ids).logits
    start = 0
    for end in (6, 7, 14, 21, 22, 23, 24):
        assert_close(model(ids[:, start:end], past_key_values=cache).logits, expected[:, start:end])
        start = end


@torch.no_grad()
@pytest.mark.parametrize("variant", PUBLISHED)
def test_static_cache_equals_uncached(variant):
    model, ids = make_model(PUBLISHED[variant]), make_ids(2, 24)
    cache, expected = StaticCache(config=model.config, max_cache_len=32), model(ids).logits
    for start, end in ((0, 6), (6, 7), (7, 8), (8, 19), (19, 20), (20, 24)):
        assert_close(model(ids[:, start:end], past_key_values=cache).logits, expected[:, start:end])


@torch.no_grad()
def test_cached_equals_uncached_over_many_chunks(block):
    model, ids = make_model(block), make_ids(1, 300)
    cache, expected = DynamicCache(config=model.config), model(ids).logits
    for start, end in ((0, 65), (65, 200), (200, 300)):
        assert_close(model(ids[:, start:end], past_key_values=cache).logits, expected[:, start:end])


def test_gradients_flow_through_a_cache(block):
    """Training on segments: the second one's loss reaches the first one's embeddings through the states."""
    model, ids = make_model(block).train(), make_ids(1, 12)
    embeds = model.get_input_embeddings()(ids).detach().requires_grad_()
    cache = DynamicCache(config=model.config)
    model(inputs_embeds=embeds[:, :8], past_key_values=cache)
    model(inputs_embeds=embeds[:, 8:], past_key_values=cache).logits.square().sum().backward()
    piecewise, embeds.grad = embeds.grad, None
    model(inputs_embeds=embeds).logits[:, 8:].square().sum().backward()
    assert piecewise[:, :8].abs().max() > 0
    assert_close(piecewise, embeds.grad, atol=1e-3 * embeds.grad.abs().max().item())


# ---- attention implementations


@torch.no_grad()
@pytest.mark.parametrize("variant", ["Rodimus-Plus-Coder-1.6B", "3 key heads, 2 value heads of 6", "no window"])
def test_eager_equals_sdpa(variant):
    model, ids = make_model(VARIANTS[variant]), make_ids(2, 24)
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    results = []
    for implementation in ("eager", "sdpa"):
        model.set_attn_implementation(implementation)
        results.append(model(ids, attention_mask=mask).logits[mask.bool()])
    assert_close(*results, atol=1e-5)


@pytest.mark.gpu  # PyTorch's flex attention does not run everywhere on a CPU
@torch.no_grad()
def test_flex_attention_equals_eager():
    model = make_model(BLOCKS["rodimus_plus"] | {"d_model": 64}, attn_implementation="eager").cuda()
    ids = make_ids(2, 24).cuda()
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    expected = model(ids, attention_mask=mask).logits
    model.set_attn_implementation("flex_attention")
    assert_close(model(ids, attention_mask=mask).logits[mask.bool()], expected[mask.bool()], atol=1e-3)


@torch.no_grad()
def test_attention_weights_stay_within_the_window():
    model, ids = make_model(BLOCKS["rodimus_plus"], attn_implementation="eager"), make_ids(1, 16)
    attentions = model(ids, output_attentions=True).attentions
    distance = torch.arange(16)[:, None] - torch.arange(16)
    seen = (distance >= 0) & (distance <= 4)  # window_size 8: 4 tokens before, and the token itself
    assert len(attentions) == 2
    for weights in attentions:
        assert weights.shape == (1, 4, 16, 16)
        assert (weights[:, :, ~seen] == 0).all() and (weights[:, :, seen] > 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(1, 4, 16))


@torch.no_grad()
def test_a_step_returns_its_attention_weights():
    """A step on a CPU has a shorter way, which has none to return: it is for another attention function."""
    model, ids = make_model(BLOCKS["rodimus_plus"], attn_implementation="eager"), make_ids(1, 8)
    cache = DynamicCache(config=model.config)
    model(ids[:, :7], past_key_values=cache)
    step = model(ids[:, 7:], past_key_values=cache, output_attentions=True).attentions
    for weights, expected in zip(step, model(ids, output_attentions=True).attentions, strict=True):
        torch.testing.assert_close(weights[..., -5:], expected[:, :, -1:, -5:])


def test_a_step_in_training_drops_attention():
    """Where gradients are wanted, the shorter way of a step, without dropout, is not taken."""
    model, ids = make_model(BLOCKS["rodimus_plus"], attention_dropout=0.9), make_ids(1, 8)
    logits = []
    for training in (False, True):
        cache = DynamicCache(config=model.config)
        model.eval()(ids[:, :7], past_key_values=cache)
        logits.append(model.train(training)(ids[:, 7:], past_key_values=cache).logits)
    assert (logits[0] - logits[1]).abs().max() > 1e-3


# ---- precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_loading_in_half_precision_keeps_residual_weight_in_float32(block, dtype, tmp_path):
    make_model(block).save_pretrained(tmp_path)
    model = RodimusForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    found = {(("residual_weight" in name), parameter.dtype) for name, parameter in model.named_parameters()}
    assert found == {(True, torch.float32), (False, dtype)}


def test_residual_weight_follows_the_model_without_residual_in_fp32(tmp_path):
    make_model(ODD["residual in the model's dtype"]).save_pretrained(tmp_path)
    model = RodimusForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("residual_in_fp32", [True, False])
def test_half_precision_models_run_and_keep_float32_states(block, dtype, residual_in_fp32, tmp_path):
    make_model(block, residual_in_fp32=residual_in_fp32).save_pretrained(tmp_path)
    model, ids = RodimusForCausalLM.from_pretrained(tmp_path, dtype=dtype), make_ids(2, 12)
    cache = DynamicCache(config=model.config)
    out = model(ids[:, :10], past_key_values=cache).logits
    out = torch.cat([out, model(ids[:, 10:11], past_key_values=cache).logits], 1)
    assert out.dtype == dtype and torch.isfinite(out).all()
    for layer in cache.layers:
        assert layer.recurrent_states[0].dtype == layer.conv_states[0].dtype == torch.float32
    expected = RodimusForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)(ids[:, :11]).logits
    assert (out - expected).abs().mean() < 0.1 * expected.std()


@torch.no_grad()
def test_float64_models_compute_in_float64(block):
    model, ids = make_model(block, dtype=torch.float64), make_ids(1, 19)
    expected = reference_rodimus.logits(model.state_dict(), make_config(block), ids[0])
    assert_close(model(ids).logits[0], expected, atol=1e-10)


def test_residual_stream_is_float32_in_half_precision(block):
    model = make_model(block, dtype=torch.bfloat16)
    streams = model(make_ids(1, 5), output_hidden_states=True).hidden_states
    assert {x.dtype for x in streams[:-1]} == {torch.float32}


# ---- parameters


def expected_parameters(config: dict) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published layout."""
    mixer, d = config["mixer_cfg"], config["d_model"]
    inner = math.ceil(int(d * mixer["expand_ratio"]) / 8) * 8
    m, rank = mixer["mem_size"], mixer["input_gate_low_rank"]
    r = max(d // 64, 16) if rank == "auto" else int(rank)
    shapes = {"model.embeddings.weight": (config["vocab_size"], d), "model.norm_f.weight": (d,)}
    shapes["lm_head.weight"] = (config["vocab_size"], d)
    if config.get("use_norm_embedding"):
        shapes["model.embed_norm.weight"] = (d,)
    layer = {
        "mixer_norm.weight": (d,),
        "mixer.fc.weight": (2 * inner, d),
        "mixer.inner_mixer.short_conv.conv1d.weight": (inner, 1, mixer.get("d_conv", 4)),
        "mixer.inner_mixer.short_conv.conv1d.bias": (inner,),
        "mixer.inner_mixer.residual_weight": (inner,),
        "mixer.inner_mixer.in_proj.weight": (2 * m, inner),
        "mixer.inner_mixer.ch_gate_proj.0.weight": (r, inner),
        "mixer.inner_mixer.ch_gate_proj.1.weight": (inner, r),
        "mixer.inner_mixer.ch_gate_proj.1.bias": (inner,),
        "mixer.inner_mixer.mem_gate_proj.weight": (2 * m, inner),
        "mixer.inner_mixer.mem_gate_proj.bias": (2 * m,),
        "mixer.act_norm.weight": (inner,),
        "mixer.out_proj.weight": (d, inner),
    }
    if config["block_type"] == "rodimus_plus":
        attention = config["attn_cfg"]
        heads = attention["num_heads"] or d // 128
        size = d // heads
        f = math.ceil(int(d * attention["ffn_expand_ratio"]) / 8) * 8
        layer |= {
            "attn_norm.weight": (d,),
            "ffn_norm.weight": (d,),
            "attn.q_proj.weight": (d, d),
            "attn.k_proj.weight": ((attention["num_heads_k"] or 1) * size, d),
            "attn.v_proj.weight": ((attention["num_heads_v"] or heads) * size, d),
            "attn.out_proj.weight": (d, d),
            "ffn.fc.weight": (2 * f, d),
            "ffn.out_proj.weight": (d, f),
        }
    return shapes | {f"model.layers.{i}.{n}": shape for i in range(config["n_layer"]) for n, shape in layer.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameter_names_and_shapes(variant):
    found = {name: tuple(x.shape) for name, x in make_model(VARIANTS[variant]).state_dict().items()}
    assert found == expected_parameters(make_config(VARIANTS[variant]))


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        ({"block_type": "rodimus", "d_model": 2048, "n_layer": 48}, 1.45e9),
        ({"block_type": "rodimus_plus", "d_model": 2048, "n_layer": 24, "attn_cfg": {"num_heads": 16}}, 1.6e9),
        (
            {
                "block_type": "rodimus_plus",
                "d_model": 3072,
                "n_layer": 32,
                "attn_cfg": {"num_heads": 24},
                "tie_word_embeddings": False,
            },
            4.4e9,
        ),
    ],
)
def test_published_sizes(values, parameters):
    with torch.device("meta"):
        model = RodimusForCausalLM(RodimusConfig(**values))
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(parameters, rel=0.1)


@pytest.mark.parametrize("tied", [True, False])
def test_tying(tied):
    model = RodimusForCausalLM(RodimusConfig(**make_config(BLOCKS["rodimus"]), tie_word_embeddings=tied))
    assert (model.lm_head.weight is model.model.embeddings.weight) == tied


# ---- initialisation


@pytest.fixture(scope="module", params=["rodimus", "rodimus_plus"])
def fresh(request) -> RodimusForCausalLM:
    torch.manual_seed(0)
    config = {
        "vocab_size": 300,
        "d_model": 256,
        "n_layer": 6,
        "mixer_cfg": {"mem_size": 64},
        "tie_word_embeddings": False,
    }
    return RodimusForCausalLM(RodimusConfig(**config, block_type=request.param, attn_cfg={"num_heads": 4}))


def standard_deviation(model, ending: str) -> float:
    return torch.cat([p.flatten() for n, p in model.named_parameters() if n.endswith(ending)]).std().item()


def test_initial_projections(fresh):
    endings = ["embeddings.weight", "lm_head.weight", ".fc.weight"]
    for ending in endings + (["q_proj.weight", "k_proj.weight", "v_proj.weight"] if fresh.config.has_attention else []):
        assert standard_deviation(fresh, ending) == pytest.approx(0.02, rel=0.02), ending


def test_initial_output_projections_are_rescaled(fresh):
    residuals = 3 if fresh.config.has_attention else 1
    for ending in ["mixer.out_proj.weight", *(["attn.out_proj.weight", "ffn.out_proj.weight"] * (residuals // 3))]:
        assert standard_deviation(fresh, ending) == pytest.approx(0.02 / math.sqrt(6 * residuals), rel=0.02), ending


def test_output_projections_are_not_rescaled_on_request():
    torch.manual_seed(0)
    model = RodimusForCausalLM(RodimusConfig(vocab_size=9, d_model=256, n_layer=2, rescale_prenorm_residual=False))
    assert standard_deviation(model, "out_proj.weight") == pytest.approx(0.02, rel=0.02)


def test_initial_gates_are_xavier_uniform(fresh):
    endings = ("in_proj.weight", "ch_gate_proj.0.weight", "ch_gate_proj.1.weight", "mem_gate_proj.weight")
    gates = {name: p for name, p in fresh.named_parameters() if name.endswith(endings)}
    assert len(gates) == 4 * 6
    for name, p in gates.items():
        bound = 2**-2.5 * math.sqrt(6 / sum(p.shape))
        assert p.abs().max() <= bound and p.abs().max() > 0.98 * bound, name
        assert p.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03), name


def test_initial_selection_gates(fresh):
    biases = torch.stack([p for n, p in fresh.named_parameters() if n.endswith("mem_gate_proj.bias")]).detach()
    gamma = torch.nn.functional.softplus(biases[:, :64])
    tau = torch.sigmoid(biases[:, 64:])
    assert gamma.min() >= 0.00099 and gamma.max() <= 0.1001
    # log γ is uniform between log 0.001 and log 0.1
    assert gamma.log().mean().item() == pytest.approx(math.log(0.01), abs=0.25)
    assert tau.min() >= 1 / 16 - 1e-4 and tau.max() <= 0.9001
    assert tau.mean().item() == pytest.approx((1 / 16 + 0.9) / 2, abs=0.05)
    assert len({tuple(row.tolist()) for row in biases}) == 6  # each layer its own


def test_initial_biases_norms_and_residual_weights(fresh):
    biases = {name: p for name, p in fresh.named_parameters() if name.endswith("ch_gate_proj.1.bias")}
    ones = {name: p for name, p in fresh.named_parameters() if "norm" in name or "residual_weight" in name}
    of_a_layer = 5 if fresh.config.has_attention else 3
    assert len(biases) == 6 and len(ones) == 6 * of_a_layer + 1
    assert all((p == 0).all() for p in biases.values())
    for name, p in ones.items():
        assert (p == 1).all(), name


def test_initial_convolution_is_that_of_torch(fresh):
    for ending in ("conv1d.weight", "conv1d.bias"):
        values = torch.cat([p.detach().flatten() for n, p in fresh.named_parameters() if n.endswith(ending)])
        assert values.abs().max() <= 0.5, ending
        assert values.std().item() == pytest.approx(0.5 / math.sqrt(3), rel=0.05), ending


def test_loading_leaves_no_weight_initialised_anew(block, tmp_path):
    model = make_model(block)
    model.save_pretrained(tmp_path)
    loaded = RodimusForCausalLM.from_pretrained(tmp_path)
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


# ---- optimiser groups


@pytest.mark.parametrize("tied", [True, False])
def test_parameter_groups(tied):
    model = make_model(PUBLISHED["Rodimus-Plus-Coder-1.6B"] | {"tie_word_embeddings": tied})
    decayed, kept = model.parameter_groups(0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    names = {id(p): n for n, p in model.named_parameters()}
    kept_names = {names[id(p)] for p in kept["params"]}
    assert len(decayed["params"]) + len(kept["params"]) == len(names)
    for name in names.values():
        plain = name.endswith("bias") or "norm" in name or "residual_weight" in name
        assert (name in kept_names) == (plain or (name == "model.embeddings.weight" and not tied)), name


# ---- outputs and arguments


def test_output_hidden_states(block):
    out = make_model(block)(make_ids(2, 7), output_hidden_states=True)
    assert [tuple(x.shape) for x in out.hidden_states] == [(2, 7, 32)] * 3


@torch.no_grad()
def test_logits_to_keep(block):
    model, ids = make_model(block), make_ids(2, 9)
    expected = model(ids).logits
    assert_close(model(ids, logits_to_keep=3).logits, expected[:, -3:])
    assert_close(model(ids, logits_to_keep=torch.tensor([0, 4])).logits, expected[:, [0, 4]])
    read = []
    model.lm_head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].is_contiguous()))
    model(ids, logits_to_keep=1)
    assert read == [True]  # else PyTorch copies the head for each row of the batch


def test_inputs_embeds_are_not_changed(block):
    values = block | {"use_scale_embedding": True, "use_norm_embedding": True}
    model, ids = make_model(values), make_ids(2, 9)
    embeds = model.get_input_embeddings()(ids).detach()
    before = embeds.clone()
    with torch.no_grad():
        assert_close(model(inputs_embeds=embeds).logits, model(ids).logits)
    assert torch.equal(embeds, before)


def test_loss_honours_num_items_in_batch(block):
    model, ids = make_model(block), make_ids(2, 9)
    mean = model(ids, labels=ids).loss
    assert_close(model(ids, labels=ids, num_items_in_batch=32).loss, mean * 16 / 32)


def test_loss_ignores_minus_100(block):
    model, ids = make_model(block), make_ids(1, 9)
    labels = ids.clone()
    labels[:, :5] = -100
    expected = torch.nn.functional.cross_entropy(model(ids).logits[0, 4:-1], ids[0, 5:])
    assert_close(model(ids, labels=labels).loss, expected)


def test_dropout_acts_in_training_only():
    model, ids = (
        make_model(BLOCKS["rodimus_plus"], dropout=0.3, activation_dropout=0.3, attention_dropout=0.3),
        make_ids(1, 9),
    )
    with torch.no_grad():
        assert torch.equal(model(ids).logits, model(ids).logits)
        model.train()
        assert not torch.equal(model(ids).logits, model(ids).logits)


@pytest.mark.parametrize("name", ["dropout", "activation_dropout", "attention_dropout"])
def test_each_dropout_acts(name):
    model, ids = make_model(BLOCKS["rodimus_plus"], **{name: 0.5}).train(), make_ids(1, 9)
    with torch.no_grad():
        assert not torch.equal(model(ids).logits, model(ids).logits)


def test_sequence_classification_reads_the_last_real_token(block):
    torch.manual_seed(0)
    model = RodimusForSequenceClassification(RodimusConfig(**make_config(block), num_labels=3, pad_token_id=0)).eval()
    ids = make_ids(1, 8) % 60 + 1
    with torch.no_grad():
        alone = model(ids).logits
        padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], 1)
        mask = (padded != 0).long()
        assert alone.shape == (1, 3)
        assert_close(model(padded, attention_mask=mask).logits, alone)
        assert_close(model(padded.flip(1).roll(0), attention_mask=mask.flip(1)).logits, model(ids.flip(1)).logits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of input_ids and inputs_embeds"),
        ({"input_ids": make_ids(1, 4), "inputs_embeds": torch.zeros(1, 4, 32)}, "exactly one of input_ids"),
        (
            {"input_ids": make_ids(1, 4)[0]},
            r"input_ids must have shape \[batch, seq_len\] with at least one token.*got \(4,\)",
        ),
        ({"input_ids": make_ids(1, 4)[:, :0]}, r"with at least one token.*got \(1, 0\)"),
        ({"input_ids": make_ids(1, 4), "attention_mask": torch.ones(1, 3)}, r"shape \(1, 4\)"),
        ({"input_ids": make_ids(1, 4), "past_key_values": ()}, "transformers Cache, got tuple"),
        ({"input_ids": make_ids(1, 4), "past_key_values": DynamicCache()}, "config=model.config"),
        ({"input_ids": make_ids(1, 4), "seq_idx": torch.zeros(1, 3)}, r"seq_idx must have shape \(1, 4\)"),
        ({"input_ids": make_ids(1, 4), "cu_seq_lens_q": torch.tensor([0, 2, 5])}, "cu_seq_lens_q ends at 5"),
    ],
)
def test_inputs_that_contradict_are_refused(block, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model(block)(**arguments)


def test_cache_of_another_model_is_refused(block):
    model = make_model(block)
    other = RodimusConfig(**(SMALL | {"n_layer": 3} | {k: v for k, v in block.items() if k != "n_layer"}))
    with pytest.raises(ValueError, match="cannot hold"):
        model(make_ids(1, 4), past_key_values=DynamicCache(config=other))


def test_use_cache(block):
    model = make_model(block)
    assert isinstance(model(make_ids(1, 4)).past_key_values, DynamicCache)
    assert model(make_ids(1, 4), use_cache=False).past_key_values is None


def test_base_model(block):
    model = make_model(block)
    assert isinstance(model.model, RodimusModel)
    out = model.model(make_ids(1, 4)).last_hidden_state
    assert_close(model.lm_head(out), model(make_ids(1, 4)).logits)


# ---- long inputs, computed in pieces


@pytest.mark.parametrize("with_cache", [True, False])
@pytest.mark.parametrize("padding", [None, [0, 70], [100, 3]])
@torch.no_grad()
def test_pieces_of_a_long_input_equal_the_whole(block, padding, with_cache, monkeypatch):
    model, ids = make_model(block), make_ids(2, 200)
    mask = None if padding is None else torch.stack([(torch.arange(200) >= n).long() for n in padding])
    lengths: list[int] = []
    model.model.layers[0].mixer.fc.register_forward_hook(lambda module, args, out: lengths.append(out.shape[1]))

    def run() -> tuple[torch.Tensor, DynamicCache | None]:
        out = model(ids, attention_mask=mask, use_cache=with_cache)
        return out.logits, out.past_key_values

    expected, whole = run()
    monkeypatch.setattr(modeling_rodimus, "_PIECE", 128)
    found, pieces = run()
    assert lengths == [200, 64, 64, 64, 8]
    real = torch.ones(2, 200, dtype=torch.bool) if mask is None else mask.bool()
    assert_close(found[real], expected[real], atol=1e-5)
    assert (pieces is None) == (not with_cache)
    for layer, other in zip(pieces.layers if pieces else (), whole.layers if whole else (), strict=True):
        assert_close(layer.recurrent_states[0], other.recurrent_states[0], atol=1e-5)
        assert_close(layer.conv_states[0], other.conv_states[0], atol=1e-5)


@torch.no_grad()
def test_packed_rows_and_rows_with_holes_are_computed_whole(monkeypatch):
    monkeypatch.setattr(modeling_rodimus, "_PIECE", 64)
    model, ids = make_model(BLOCKS["rodimus"]), make_ids(1, 150)
    packed = model(ids, position_ids=torch.cat([torch.arange(70), torch.arange(80)])[None]).logits
    assert_close(packed, torch.cat([model(ids[:, :70]).logits, model(ids[:, 70:]).logits], 1))
    mask = (torch.arange(150) % 3 > 0).long()[None]
    assert_close(model(ids, attention_mask=mask).logits[mask.bool()], model(ids[mask.bool()][None]).logits[0])


def test_no_rows_at_all(block):
    model, ids = make_model(block), make_ids(2, 9)[:0]
    with torch.no_grad():
        assert model(ids).logits.shape == (0, 9, SMALL["vocab_size"])
    out = model(ids, use_cache=False).logits
    out.sum().backward()
    assert all((p.grad is None) or not p.grad.any() for p in model.parameters())


def test_autocast_trains(block):
    model, ids = make_model(block).train(), make_ids(2, 19)
    expected = model(ids, labels=ids, use_cache=False).loss
    expected.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(ids, labels=ids, use_cache=False).loss
    loss.backward()
    assert_close(loss, expected, atol=0.05)
    for name, parameter in model.named_parameters():
        assert parameter.grad.dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(parameter.grad.flatten(), gradients[name].flatten(), 0)
        assert cosine > 0.95, name
