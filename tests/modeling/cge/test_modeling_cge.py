"""The model: golden cases, the pooling's formula, padding, layers, weights."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen2ForCausalLM

from codefuse_hf import CGEConfig, CGEModel
from codefuse_hf.modeling.cge.adapters_cge import base_state_dict
from codefuse_hf.modeling.cge.pooling_cge import CGEAttentionPooling
from helpers import GOLDEN
from helpers.models_cge import BACKBONES

CGE_GOLDEN = GOLDEN / "cge"
TOLERANCE = 1e-5


# --- golden cases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["post_normal_ln1", "pool_mean"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_golden_embeddings(case, side):
    model, io = CGEModel.from_pretrained(CGE_GOLDEN / case), load_file(CGE_GOLDEN / case / "io.safetensors")
    mask = io[f"attention_mask_{side}"]
    with torch.no_grad():
        output = model(io[f"input_ids_{side}"], mask)
    torch.testing.assert_close(output.embedding, io[f"embeddings_{side}"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(
        output.last_hidden_state[mask.bool()], io[f"hidden_{side}"][mask.bool()], atol=TOLERANCE, rtol=0
    )
    if f"raw_{side}" in io:
        torch.testing.assert_close(output.pooler_output, io[f"raw_{side}"], atol=TOLERANCE, rtol=0)


def test_golden_single_texts():
    case = CGE_GOLDEN / "post_normal_ln1"
    model, io = CGEModel.from_pretrained(case), load_file(case / "io.safetensors")
    with torch.no_grad():
        rows = zip(io["input_ids_left"], io["attention_mask_left"].bool(), io["embeddings_single"], strict=True)
        for row, mask, expected in rows:
            torch.testing.assert_close(model(row[mask][None]).embedding[0], expected, atol=TOLERANCE, rtol=0)


def test_golden_pooling_alone_with_a_hole_and_an_empty_row():
    case = CGE_GOLDEN / "post_normal_ln1"
    model, io = CGEModel.from_pretrained(case), load_file(case / "io.safetensors")
    with torch.no_grad():
        pooled = model.mha_pma(io["pma_unit_x"], io["pma_unit_mask"])
    torch.testing.assert_close(pooled, io["pma_unit_out"], atol=TOLERANCE, rtol=0)


# --- the pooling's formula --------------------------------------------------------------------------------------------


def naive_attention_pooling(pooling: CGEAttentionPooling, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """One row, token by token and head by head, as the formula reads; `x` [seq_len, hidden] → [width]."""
    block, seed = pooling.mab, pooling.S[0, 0]
    pre = block.mode != "post_normal"
    query = block.ln_q(seed) if pre else seed
    rows = block.ln_kv(x) if pre else x
    q, k, v = block.fc_q(query), block.fc_k(rows), block.fc_v(rows)
    added_to = {"seed": seed, "projected_seed": q}[block.residual]
    width, size = len(seed), len(seed) // block.num_heads
    attended = torch.zeros_like(seed)
    if tokens.any():
        for head in range(block.num_heads):
            part = slice(head * size, (head + 1) * size)
            scores = torch.stack([(q[part] @ k[t, part]) / width**0.5 for t in range(len(x)) if tokens[t]])
            weights = torch.exp(scores - scores.max())
            weights = weights / weights.sum()
            attended[part] = sum(w * v[t, part] for w, t in zip(weights, tokens.nonzero()[:, 0].tolist(), strict=True))
    if block.mode == "post_normal":
        z = block.ln0(added_to + attended)
        return block.ln1(z + torch.relu(block.fc_o(z)))
    if block.mode == "pre_normal":
        z = added_to + attended
        return block.ln_final(z + torch.relu(block.fc_o(block.ln_o(z))))
    return block.ln_final(added_to + attended + torch.relu(block.fc_o(query)))


@pytest.mark.parametrize("mode", ["post_normal", "pre_normal", "pre_gptj"])
@pytest.mark.parametrize("layer_norm", [True, False], ids=["ln", "no_ln"])
@pytest.mark.parametrize("residual", ["seed", "projected_seed"])
def test_attention_pooling_is_the_formula(mode, layer_norm, residual):
    torch.manual_seed(0)
    pooling = CGEAttentionPooling(20, 12, 3, layer_norm, mode, residual).double()
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    x = torch.randn(4, 6, 20, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]])
    expected = torch.stack(
        [naive_attention_pooling(pooling, row, tokens.bool()) for row, tokens in zip(x, mask, strict=True)]
    )
    torch.testing.assert_close(pooling(x, mask)[:, 0], expected, atol=1e-10, rtol=0)


def test_without_layer_norms_post_normal_and_pre_normal_agree():
    torch.manual_seed(0)
    post = CGEAttentionPooling(20, 12, 3, False, "post_normal")
    pre = CGEAttentionPooling(20, 12, 3, False, "pre_normal")
    pre.load_state_dict(post.state_dict())
    x = torch.randn(2, 5, 20)
    torch.testing.assert_close(post(x), pre(x))


def test_layer_norms_of_each_mode_have_the_published_names():
    names = {
        mode: {n.rpartition(".")[0] for n in CGEAttentionPooling(20, 12, 3, True, mode).state_dict() if ".ln" in n}
        for mode in ("post_normal", "pre_normal", "pre_gptj")
    }
    assert names == {
        "post_normal": {"mab.ln0", "mab.ln1"},
        "pre_normal": {"mab.ln_q", "mab.ln_kv", "mab.ln_o", "mab.ln_final"},
        "pre_gptj": {"mab.ln_q", "mab.ln_kv", "mab.ln_final"},
    }


def test_gradients_reach_every_part_of_the_pooling(make_model, uneven_batch):
    model = make_model(pma_norm_mode="pre_normal")
    model(*uneven_batch["left"]).embedding[:, :3].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.mha_pma.parameters() if p.ndim > 1)


# --- padding, batch company, packing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("method", ["pma", "last", "mean", "weighted"])
def test_padding_and_company_change_no_vector(make_model, uneven_batch, backbone, method):
    model = make_model(backbone, embedding_method=method)
    with torch.no_grad():
        alone = torch.cat([model(row[None]).embedding for row in uneven_batch["rows"]])
        for side in ("right", "left", "middle"):
            torch.testing.assert_close(model(*uneven_batch[side]).embedding, alone, atol=TOLERANCE, rtol=0)
    assert (alone[0] - alone[1]).abs().max() > 1e-2


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "gemma"])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_packed_rows_equal_padded_ones(make_model, uneven_batch, backbone, implementation):
    model = make_model(backbone)
    model.set_attn_implementation(implementation)
    with torch.no_grad():
        padded = model(*uneven_batch["left"], output_hidden_states=True)
        model.config.unpad_inputs = True
        packed = model(*uneven_batch["left"], output_hidden_states=True)
    torch.testing.assert_close(packed.embedding, padded.embedding, atol=TOLERANCE, rtol=0)
    real = uneven_batch["left"][1].bool()
    for one, other in zip(packed.hidden_states, padded.hidden_states, strict=True):
        torch.testing.assert_close(one[real], other[real], atol=1e-4, rtol=0)


def test_packing_is_refused_where_sequences_would_leak(make_model, uneven_batch):
    with pytest.raises(ValueError, match="'gemma' is not known to keep packed sequences apart"):
        make_model("gemma", unpad_inputs=True)(*uneven_batch["left"])


def test_flash_attention_gets_the_boundaries_of_packed_rows(make_model, uneven_batch, monkeypatch):
    """The kernels need a GPU; what they are given is the same everywhere."""
    model, seen = make_model(), {}
    monkeypatch.setattr(type(model), "_uses_flash", lambda self: True)
    monkeypatch.setattr(
        type(model.backbone), "forward", lambda self, **kwargs: seen.update(kwargs) or pytest.skip.Exception
    )
    with pytest.raises(AttributeError):
        model(*uneven_batch["right"])
    assert seen["cu_seq_lens_q"].tolist() == [0, 12, 19, 20, 25] and seen["max_length_q"] == 12
    assert seen["input_ids"].shape == (1, 25) and seen["position_ids"][0, 12:20].tolist() == [*range(7), 0]
    assert seen["cu_seq_lens_k"].dtype == torch.int32 and "attention_mask" not in seen


def test_hidden_states_are_in_the_layout_of_the_input(make_model, uneven_batch):
    model = make_model()
    with torch.no_grad():
        for side in ("right", "left", "middle"):
            ids, mask = uneven_batch[side]
            states = model(ids, mask, output_hidden_states=True)
            assert len(states.hidden_states) == 4
            for index, row in enumerate(uneven_batch["rows"]):
                alone = model.backbone(row[None], output_hidden_states=True)
                for mine, expected in zip(states.hidden_states, alone.hidden_states, strict=True):
                    torch.testing.assert_close(mine[index][mask[index].bool()], expected[0], atol=1e-4, rtol=0)


def test_embeddings_instead_of_ids(make_model, uneven_batch):
    model = make_model()
    ids, mask = uneven_batch["left"]
    with torch.no_grad():
        from_embeds = model(inputs_embeds=model.get_input_embeddings()(ids), attention_mask=mask)
        torch.testing.assert_close(from_embeds.embedding, model(ids, mask).embedding)


@pytest.mark.parametrize("method", ["pma", "last", "mean", "weighted"])
def test_a_row_without_tokens_has_a_defined_vector(make_model, method):
    model = make_model(embedding_method=method)
    ids = torch.tensor([[5, 6, 7], [9, 9, 9]])
    with torch.no_grad():
        mixed = model(ids, torch.tensor([[1, 1, 1], [0, 0, 0]])).embedding[1]
        nothing = model(torch.empty(1, 0, dtype=torch.long)).embedding[0]
        other = model(ids + 1, torch.zeros(2, 3, dtype=torch.long)).embedding[0]
    assert mixed.isfinite().all()
    torch.testing.assert_close(mixed, nothing)
    torch.testing.assert_close(mixed, other)
    assert torch.isclose(mixed.norm(), torch.tensor(1.0 if method == "pma" else 0.0))


# --- pooling methods and outputs --------------------------------------------------------------------------------------


def test_simple_poolings_are_their_definitions(make_model, uneven_batch):
    ids, mask = uneven_batch["left"]
    for method in ("last", "mean", "weighted"):
        model = make_model(embedding_method=method)
        with torch.no_grad():
            output = model(ids, mask)
        for index, row in enumerate(uneven_batch["rows"]):
            states = output.last_hidden_state[index][mask[index].bool()]
            rank = torch.arange(1, len(row) + 1, dtype=torch.float32)
            expected = {"last": states[-1], "mean": states.mean(0), "weighted": rank @ states / rank.sum()}[method]
            torch.testing.assert_close(output.pooler_output[index], expected, atol=1e-4, rtol=0)
            torch.testing.assert_close(output.embedding[index], expected / expected.norm(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["pma", "last", "mean", "weighted"])
def test_pooling_weights_per_token(make_model, uneven_batch, method):
    model = make_model(embedding_method=method)
    ids, mask = uneven_batch["middle"]
    with torch.no_grad():
        assert model(ids, mask).pooling_attentions is None
        weights = model(ids, mask, output_pooling_attentions=True).pooling_attentions
    assert weights.shape == (4, 4 if method == "pma" else 1, 12)
    assert (weights * (1 - mask[:, None])).abs().max() == 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))
    if method == "pma":  # they are the weights of the values
        values = model.mha_pma.mab.fc_v(model(ids, mask).last_hidden_state)
        attended = torch.einsum("bht,bthd->bhd", weights, values.unflatten(-1, (4, 8))).flatten(1)
        z = model.mha_pma.mab.ln0(model.mha_pma.S[:, 0] + attended)
        expected = model.mha_pma.mab.ln1(z + torch.relu(model.mha_pma.mab.fc_o(z)))
        torch.testing.assert_close(model(ids, mask).pooler_output, expected, atol=1e-5, rtol=0)


def test_pma_norm_leaves_the_vector_as_it_is(make_model, uneven_batch):
    model = make_model(pma_norm=True)
    output = model(*uneven_batch["left"])
    assert torch.equal(output.embedding, output.pooler_output)
    assert (output.embedding.norm(dim=-1) - 1).abs().min() > 1e-2


def test_output_as_a_tuple(make_model, uneven_batch):
    model = make_model()
    assert torch.equal(model(*uneven_batch["left"], return_dict=False)[0], model(*uneven_batch["left"]).embedding)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "either `input_ids` or `inputs_embeds`"),
        ({"input_ids": torch.tensor([1, 2])}, r"found \[2\]"),
        ({"input_ids": torch.tensor([[1, 2]]), "attention_mask": torch.ones(1, 3)}, r"must have shape \[1, 2\]"),
    ],
)
def test_inputs_of_the_wrong_shape_are_refused(make_model, inputs, message):
    with pytest.raises(ValueError, match=message):
        make_model()(**inputs)


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_kept_layers_give_the_backbones_hidden_state(make_model, backbone, keep):
    model, full = make_model(backbone, keep_max_layer=keep), make_model(backbone)
    model.backbone.load_state_dict(full.backbone.state_dict(), strict=False)
    ids = torch.randint(0, 400, (2, 9))
    with torch.no_grad():
        expected = full.backbone(ids, output_hidden_states=True).hidden_states[keep]
        output = model(ids, output_hidden_states=True)
    torch.testing.assert_close(output.last_hidden_state, expected, atol=1e-6, rtol=0)
    assert len(output.hidden_states) == keep + 1


def test_upper_layers_are_neither_built_nor_stored(make_model, tmp_path):
    model, full = make_model(keep_max_layer=1), make_model()
    layer = sum(p.numel() for p in full.backbone.layers[0].parameters())
    norm = full.backbone.norm.weight.numel()
    assert sum(p.numel() for p in full.parameters()) - sum(p.numel() for p in model.parameters()) == 2 * layer + norm
    model.save_pretrained(tmp_path)
    assert not any(".layers.1." in name for name in load_file(tmp_path / "model.safetensors"))
    again = CGEModel.from_pretrained(tmp_path)
    ids = torch.tensor([[7, 8]])
    torch.testing.assert_close(again(ids).embedding, model(ids).embedding, atol=1e-6, rtol=0)


def test_a_whole_checkpoint_loads_into_fewer_layers_in_silence(make_model, tmp_path, caplog):
    full = make_model()
    full.save_pretrained(tmp_path)
    model, info = CGEModel.from_pretrained(tmp_path, keep_max_layer=2, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    ids = torch.tensor([[7, 8, 9]])
    with torch.no_grad():
        torch.testing.assert_close(
            model(ids).last_hidden_state, full(ids, output_hidden_states=True).hidden_states[2], atol=1e-6, rtol=0
        )


# --- loading and saving -----------------------------------------------------------------------------------------------


def test_the_language_models_head_is_ignored_in_silence():
    _, info = CGEModel.from_pretrained(CGE_GOLDEN / "post_normal_ln1", output_loading_info=True)
    assert "plm_model.lm_head.weight" in load_file(CGE_GOLDEN / "post_normal_ln1" / "model.safetensors")
    assert not info["unexpected_keys"] and not info["missing_keys"]


@pytest.mark.parametrize("method", ["pma", "mean"])
def test_save_and_load_again(make_model, tmp_path, method):
    model = make_model(embedding_method=method)
    model.save_pretrained(tmp_path)
    again = CGEModel.from_pretrained(tmp_path)
    ids = torch.tensor([[7, 8, 9]])
    assert torch.equal(again(ids).embedding, model(ids).embedding)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert {name.split(".")[0] for name in names} == ({"plm_model", "mha_pma"} if method == "pma" else {"plm_model"})
    assert not any("lm_head" in name for name in names)


def test_missing_weights_are_named(make_model, tmp_path):
    make_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["mha_pma.mab.fc_v.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights of CGEModel: mha_pma.mab.fc_v.weight\."):
        CGEModel.from_pretrained(tmp_path)


def test_a_plain_language_model_is_not_a_checkpoint(tmp_path):
    Qwen2ForCausalLM(BACKBONES["qwen2"]()).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="CGEModel"):
        CGEModel.from_pretrained(tmp_path, compress_dim=32, pma_num_heads=4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_loads_and_stays_close(make_model, uneven_batch, tmp_path, dtype):
    model = make_model()
    with torch.no_grad():  # smaller than when they are drawn: rounding shows less in the sum of seed and attention
        for linear in (module for module in model.mha_pma.modules() if isinstance(module, torch.nn.Linear)):
            linear.weight.mul_(3**-0.5)
    model.save_pretrained(tmp_path)
    half = CGEModel.from_pretrained(tmp_path, dtype=dtype)
    assert {p.dtype for p in half.parameters()} == {dtype}
    with torch.no_grad():
        embedding = half(*uneven_batch["left"]).embedding
        assert embedding.dtype == dtype
        similarity = (embedding.float() * model(*uneven_batch["left"]).embedding).sum(-1)
    assert similarity.min() > 0.999


def test_dtype_is_that_of_the_checkpoint(make_model, tmp_path):
    make_model().to(torch.bfloat16).save_pretrained(tmp_path)
    assert CGEModel.from_pretrained(tmp_path).dtype == torch.bfloat16


def test_device_map_places_the_model(make_model, tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    placed = CGEModel.from_pretrained(tmp_path, device_map={"": "cpu"})
    ids = torch.tensor([[7, 8, 9]])
    assert torch.equal(placed(ids).embedding, model(ids).embedding)
    assert "CGEAttentionPooling" in placed._no_split_modules and "Qwen2DecoderLayer" in placed._no_split_modules


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_attention_implementation_reaches_the_backbone(make_model, uneven_batch, tmp_path, implementation):
    model = make_model()
    model.save_pretrained(tmp_path)
    loaded = CGEModel.from_pretrained(tmp_path, attn_implementation=implementation)
    assert loaded.backbone.config._attn_implementation == implementation
    torch.testing.assert_close(
        loaded(*uneven_batch["left"]).embedding, model(*uneven_batch["left"]).embedding, atol=TOLERANCE, rtol=0
    )


# --- from a language model --------------------------------------------------------------------------------------------


def test_from_backbone_folder(tmp_path):
    language_model = Qwen2ForCausalLM(BACKBONES["qwen2"]()).eval()
    language_model.save_pretrained(tmp_path)
    model = CGEModel.from_backbone(tmp_path, embedding_dim=48, prompt_position="after")
    assert model.config.embedding_dim == 48 and model.config.pma_num_heads == 2
    assert model.config.inf_seq_length == 256 and model.config.prompt_position == "after"
    ids = torch.tensor([[7, 8, 9]])
    torch.testing.assert_close(model(ids).last_hidden_state, language_model.model(ids).last_hidden_state)


def test_from_backbone_model_keeps_its_weights_and_draws_only_the_pooling():
    language_model = AutoModelForCausalLM.from_config(BACKBONES["llama"]())
    before = {name: tensor.clone() for name, tensor in language_model.model.state_dict().items()}
    model = CGEModel.from_backbone(language_model, keep_max_layer=2)
    assert model.backbone is language_model.model and len(model.backbone.layers) == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.backbone.state_dict().items())
    assert model.mha_pma.S.abs().max() > 0 and model.mha_pma.mab.fc_v.weight.std() > 0.05


def test_from_backbone_takes_the_backbones_dtype():
    language_model = AutoModelForCausalLM.from_config(BACKBONES["llama"](), dtype=torch.bfloat16)
    model = CGEModel.from_backbone(language_model, embedding_dim=32)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16} and model.config.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"embedding_dim": 48, "embedding_method": "mean"}, ValueError, "Only `embedding_method` 'pma'"),
        ({"embedding_dim": 48, "pma_num_heads": 5}, ValueError, "must be a divisor"),
    ],
)
def test_from_backbone_refuses_what_cannot_be(arguments, error, message):
    with pytest.raises(error, match=message):
        CGEModel.from_backbone(AutoModelForCausalLM.from_config(BACKBONES["llama"]()), **arguments)


def test_from_backbone_wants_a_model():
    with pytest.raises(TypeError, match="found int 5"):
        CGEModel.from_backbone(5)


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["qwen2", "rodimus"])
def test_gradient_checkpointing_gives_the_same_gradients(make_model, uneven_batch, backbone):
    gradients = []
    for checkpointing in (False, True):
        model = make_model(backbone, keep_max_layer=2).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.backbone.layers[0].gradient_checkpointing
        model(*uneven_batch["left"]).embedding[:, 0].sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-5)


def test_default_model_initialises(make_model):
    model = CGEModel(CGEConfig(BACKBONES["qwen2"](), compress_dim=32, pma_num_heads=4))
    assert model.mha_pma.mab.ln0.weight.eq(1).all() and model.mha_pma.S.std() < 0.05


def test_weights_below_adapters_keep_their_names_and_values(make_model):
    from peft import LoraConfig

    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.add_adapter(LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False))
    base = base_state_dict(model)
    assert base.keys() == before.keys()
    assert all(torch.equal(base[name], tensor) for name, tensor in before.items())


def test_initialisation_of_the_pooling():
    """Seed N(0, 0.02²), projections Xavier-uniform, biases zero, layer norms one: attention starts nearly uniform."""
    torch.manual_seed(0)
    config = CGEConfig(BACKBONES["qwen2"](), compress_dim=256, pma_num_heads=4, pma_norm_mode="pre_normal")
    pooling = CGEModel(config).mha_pma
    blocks = [module for module in pooling.modules() if hasattr(module, "fc_q")]
    assert len(blocks) == 1
    assert pooling.S.std().item() == pytest.approx(0.02, rel=0.2) and abs(pooling.S.mean().item()) < 0.005
    for linear in (blocks[0].fc_q, blocks[0].fc_k, blocks[0].fc_v, blocks[0].fc_o):
        bound = (6 / sum(linear.weight.shape)) ** 0.5
        assert linear.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert not linear.bias.any()
    norms = [module for module in pooling.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert norms and all((norm.weight == 1).all() and not norm.bias.any() for norm in norms)


@pytest.mark.parametrize("mask", [[[1, 1, 2, 2]], [[0.0, -1e9, 0.0, 0.0]], [[1, 1, -1, 1]]])
def test_masks_that_are_no_padding_are_refused(make_model, mask):
    """Numbers of packed texts would be read as one text."""
    model, ids = make_model(), torch.tensor([[5, 6, 7, 8]])
    with pytest.raises(ValueError, match="row of its own"):
        model(ids, attention_mask=torch.tensor(mask))
