"""Every kind of adapter: merged and saved to plain names, or refused; and no weight is ever random."""

import json

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig, BertModel, T5Config

from codefuse_hf import CGEConfig, CGEModel

IDS = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
LINEAR = r".*(q_proj|v_proj|down_proj|mab\.fc_v)"
ADAPTERS = {
    "lora": lambda: peft.LoraConfig(target_modules="all-linear"),
    "lora and modules_to_save": lambda: peft.LoraConfig(target_modules=["q_proj"], modules_to_save=["mha_pma"]),
    "lora inside modules_to_save": lambda: peft.LoraConfig(target_modules="all-linear", modules_to_save=["mha_pma"]),
    "lora and tokens": lambda: peft.LoraConfig(target_modules=["q_proj"], trainable_token_indices=[5, 6]),
    "lora on embeddings": lambda: peft.LoraConfig(target_modules=["embed_tokens", "q_proj"]),
    "lora with bias": lambda: peft.LoraConfig(target_modules=["q_proj"], bias="all"),
    "dora": lambda: peft.LoraConfig(target_modules=LINEAR, use_dora=True),
    "tokens": lambda: peft.TrainableTokensConfig(target_modules=["embed_tokens"], token_indices=[5, 6]),
    "ia3": lambda: peft.IA3Config(target_modules=LINEAR, feedforward_modules=r".*down_proj"),
    "loha": lambda: peft.LoHaConfig(target_modules=LINEAR),
    "lokr": lambda: peft.LoKrConfig(target_modules=LINEAR),
    "oft": lambda: peft.OFTConfig(target_modules=LINEAR, oft_block_size=8),
    "norms": lambda: peft.LNTuningConfig(target_modules=r".*(norm|ln0|ln1)"),
    "parameters": lambda: peft.LoraConfig(target_modules=[], target_parameters=["q_proj.weight", "v_proj.weight"]),
}  # fmt: skip


@pytest.fixture
def model(make_model):
    return make_model("qwen2")


def adapt(model, kind):
    model.add_adapter(ADAPTERS[kind]())
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


def vectors(model):
    with torch.no_grad():
        return model.eval()(IDS, MASK).embedding


@pytest.mark.parametrize("kind", ADAPTERS)
def test_merged_and_saved_to_plain_names(model, kind, tmp_path):
    names, plain = set(model.state_dict()), vectors(model)
    adapt(model, kind)
    adapted = vectors(model)
    assert (adapted - plain).abs().max() > 1e-4
    model.merge_and_unload()
    assert set(model.state_dict()) == names
    torch.testing.assert_close(vectors(model), adapted, atol=1e-5, rtol=0)
    model.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == names
    torch.testing.assert_close(vectors(AutoModel.from_pretrained(tmp_path)), adapted, atol=1e-5, rtol=0)


def test_dora_that_is_not_merged_is_refused_when_it_is_loaded(model, tmp_path):
    """transformers does not read its magnitudes back, of no model; it used to go on with other ones."""
    adapt(model, "dora")
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lora_magnitude_vector.*merge such before saving"):
        CGEModel.from_pretrained(tmp_path)


NOT_READ_BACK = ("dora", "parameters", "lora inside modules_to_save")


@pytest.mark.parametrize("kind", [kind for kind in ADAPTERS if kind not in NOT_READ_BACK])
def test_saved_unmerged_it_loads_as_it_was(model, kind, tmp_path):
    adapt(model, kind)
    adapted = vectors(model)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(vectors(CGEModel.from_pretrained(tmp_path)), adapted, atol=1e-5, rtol=0)


def test_what_cannot_be_merged_is_refused_and_unchanged(model, monkeypatch):
    adapt(model, "lora")
    adapted = vectors(model)
    last = [module for module in model.modules() if hasattr(type(module), "unmerge")][-1]
    monkeypatch.setattr(last, "merge", lambda **_: (_ for _ in ()).throw(NotImplementedError("no")))
    with pytest.raises(ValueError, match=r"The adapter of mha_pma\.mab\.fc_o cannot be merged"):
        model.merge_and_unload()
    torch.testing.assert_close(vectors(model), adapted, atol=1e-5, rtol=0)


def test_an_adapter_that_is_not_finite_is_not_merged(model):
    adapt(model, "lora")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    last = next(p for name, p in reversed(list(model.named_parameters())) if "lora_B" in name)
    torch.nn.init.constant_(last, torch.inf)
    with pytest.raises(ValueError, match=r"The adapter of .* cannot be merged"):
        model.merge_and_unload()
    torch.nn.init.zeros_(last)
    after = model.state_dict()
    for name in before.keys() - {name for name in before if "lora_B" in name}:
        torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=1e-6)


def test_adapters_that_the_model_does_not_know_of_are_not_saved_as_if_they_were_weights(model, tmp_path):
    peft.inject_adapter_in_model(peft.LoraConfig(target_modules=["q_proj"]), model)
    with pytest.raises(ValueError, match="merge"):
        model.save_pretrained(tmp_path)
    model.merge_and_unload().save_pretrained(tmp_path)
    CGEModel.from_pretrained(tmp_path)


def rewrite(file, change):
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize("load", [CGEModel.from_pretrained, AutoModel.from_pretrained], ids=["CGEModel", "AutoModel"])
def test_weights_of_another_shape_are_not_replaced_by_random_ones(model, load, tmp_path):
    model.save_pretrained(tmp_path)
    rewrite(tmp_path / "model.safetensors", lambda weights: weights.update({"mha_pma.S": torch.zeros(1, 1, 8)}))
    with pytest.raises(ValueError, match=r"another shape: mha_pma\.S\."):
        load(tmp_path, ignore_mismatched_sizes=True)


def test_a_language_model_that_lacks_weights_is_refused(model, tmp_path):
    model.backbone.save_pretrained(tmp_path)
    rewrite(tmp_path / "model.safetensors", lambda weights: weights.pop("layers.0.self_attn.q_proj.weight"))
    with pytest.raises(ValueError, match=r"lacks weights of Qwen2Model.*layers\.0\.self_attn\.q_proj\.weight"):
        CGEModel.from_backbone(tmp_path)


def test_an_adapter_that_lacks_weights_is_refused(model, tmp_path):
    adapt(model, "lora and modules_to_save")
    model.save_pretrained(tmp_path)
    rewrite(tmp_path / "adapter_model.safetensors", lambda weights: weights.pop(sorted(weights)[0]))
    with pytest.raises(ValueError, match="lacks weights of the adapter"):
        CGEModel.from_pretrained(tmp_path)


# ---- backbones that look at both sides

BERT = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 400}


@pytest.mark.parametrize("method", ["pma", "mean", "last"])
def test_an_encoders_vectors_do_not_depend_on_the_company(method):
    torch.manual_seed(0)
    model = CGEModel(CGEConfig(BertConfig(**BERT), embedding_method=method, compress_dim=32, pma_num_heads=4)).eval()
    together = vectors(model)
    with torch.no_grad():
        alone = model(IDS[1:, :3]).embedding
        left = model(
            torch.tensor([[5, 6, 7, 8, 9], [0, 0, 9, 8, 7]]), MASK.flip(1) | MASK.new_tensor([[1], [0]])
        ).embedding
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(left, together, atol=1e-5, rtol=0)


def test_an_encoder_without_its_pooler_is_a_backbone(tmp_path):
    BertModel(BertConfig(**BERT), add_pooling_layer=False).save_pretrained(tmp_path)
    CGEModel.from_backbone(tmp_path).save_pretrained(tmp_path / "cge")
    assert json.loads((tmp_path / "cge" / "config.json").read_text())["text_config"]["model_type"] == "bert"


def test_an_encoder_with_a_decoder_is_refused():
    with pytest.raises(ValueError, match="`text_config` must be that of one encoder or decoder"):
        CGEConfig(T5Config())
