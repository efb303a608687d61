import json

import pytest
from transformers import AutoConfig, Phi3Config, Qwen2Config

from codefuse_hf import CGEConfig

PUBLISHED = {
    "architectures": ["CodeFuse_CGE_Large"],
    "auto_map": {"AutoModel": "modeling_missing.CodeFuse_CGE_Large"},
    "compress_dim": 32,
    "embedding_method": "pma",
    "hidden_size": 64,
    "inf_seq_length": 512,
    "intermediate_size": 96,
    "keep_max_layer": 3,
    "model_type": "qwen2",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "padding_side": "right",
    "pma_ln": True,
    "pma_norm": False,
    "pma_norm_mode": "post_normal",
    "pma_num_heads": 4,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1000000.0,
    "torch_dtype": "bfloat16",
    "vocab_size": 200,
}


def test_flat_published_config_is_split_into_backbone_and_pooling(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED))
    config = CGEConfig.from_pretrained(tmp_path)
    assert isinstance(config.text_config, Qwen2Config)
    assert config.text_config.hidden_size == 64 and config.text_config.rms_norm_eps == 1e-5
    assert config.text_config.rope_parameters["rope_theta"] == 1e6
    assert config.compress_dim == 32 and config.inf_seq_length == 512 and config.keep_max_layer == 3
    assert not hasattr(config.text_config, "compress_dim") and str(config.dtype) == "torch.bfloat16"
    assert config.prompt_position == "after"


@pytest.mark.parametrize("read", [CGEConfig.from_dict, lambda flat: CGEConfig(**flat)], ids=["from_dict", "init"])
def test_flat_phi3_config_as_a_dictionary(read):
    config = read({**PUBLISHED, "model_type": "phi3", "architectures": ["CodeFuse_CGE_Small"], "pad_token_id": 0})
    assert isinstance(config.text_config, Phi3Config)
    assert config.embedding_dim == 32 and config.prompt_position == "after"


@pytest.mark.parametrize(("stated", "width"), [({"compressed_dim": 32}, 32), ({"compressed_dim": None}, 64), ({}, 64)])
def test_flat_c2llm_config_names_its_width_otherwise_or_means_the_backbones(stated, width):
    flat = {key: value for key, value in PUBLISHED.items() if key not in ("compress_dim", "padding_side")}
    config = CGEConfig.from_dict({**flat, "model_type": "c2llm", **stated})
    assert config.embedding_dim == width and isinstance(config.text_config, Qwen2Config)
    assert (config.prompt_position, config.padding_side) == ("before", "left")


def test_nested_config_round_trips(tmp_path):
    config = CGEConfig(
        Qwen2Config(hidden_size=64, num_hidden_layers=4), compress_dim=48, pma_num_heads=6, keep_max_layer=2
    )
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(again, CGEConfig)
    assert again.text_config.to_dict() == config.text_config.to_dict()
    assert (again.compress_dim, again.pma_num_heads, again.keep_max_layer) == (48, 6, 2)


def test_saved_config_does_not_say_where_the_backbone_came_from(tmp_path):
    backbone = Qwen2Config(hidden_size=64, num_hidden_layers=1)
    backbone._name_or_path = "/somewhere/private"
    CGEConfig(backbone).save_pretrained(tmp_path)
    assert "private" not in (tmp_path / "config.json").read_text()


def test_backbone_config_is_another_name_of_text_config():
    backbone = Qwen2Config(hidden_size=64, num_hidden_layers=1)
    config = CGEConfig(backbone_config=backbone)
    assert config.backbone_config is config.text_config is config.get_text_config() is backbone
    assert (config.hidden_size, config.num_hidden_layers, config.keep_max_layer) == (64, 1, 1)


def test_a_backbone_keeps_its_own_attention():
    backbone = Qwen2Config(hidden_size=64, num_hidden_layers=1, attn_implementation="eager")
    config = CGEConfig(backbone)
    assert config._attn_implementation == config.text_config._attn_implementation == "eager"
    assert CGEConfig(backbone, attn_implementation="sdpa").text_config._attn_implementation == "sdpa"


def test_embedding_dim_is_the_backbones_without_attention_pooling():
    assert CGEConfig(Qwen2Config(hidden_size=64), embedding_method="mean", compress_dim=16).embedding_dim == 64


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"embedding_method": "max"},
            "`embedding_method` must be one of 'pma', 'last', 'mean', 'weighted', found 'max'",
        ),
        ({"pma_norm_mode": "none"}, "`pma_norm_mode` must be one of 'post_normal', 'pre_normal', 'pre_gptj'"),
        ({"padding_side": "top"}, "`padding_side` must be one of 'left', 'right'"),
        ({"prompt_position": "within"}, "`prompt_position` must be one of 'before', 'after'"),
        ({"pma_num_heads": 7}, r"`pma_num_heads` must be a divisor of `compress_dim` \(1024\), found 7"),
        ({"pma_num_heads": 0}, "`pma_num_heads` must be an integer of at least 1, found 0"),
        ({"compress_dim": -4}, "`compress_dim` must be an integer of at least 1"),
        ({"keep_max_layer": 3}, "`keep_max_layer` must be an integer from 0 to 2, found 3"),
        ({"keep_max_layer": -1}, "`keep_max_layer` must be an integer from 0 to 2, found -1"),
        ({"inf_seq_length": 0}, "`inf_seq_length` must be an integer of at least 1"),
    ],
)
def test_impossible_values_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        CGEConfig(Qwen2Config(num_hidden_layers=2), **keys)


@pytest.mark.parametrize("keys", [{"pma_ln": "yes"}, {"compress_dim": 1.5}, {"unpad_inputs": "auto"}, {"pma_norm": 1}])
def test_values_of_the_wrong_type_are_refused(keys):
    with pytest.raises(ValueError, match=f"`{next(iter(keys))}` must be"):
        CGEConfig(Qwen2Config(num_hidden_layers=2), **keys)


@pytest.mark.parametrize(
    ("backbone", "error", "message"),
    [
        ({"model_type": "no_such_model"}, ValueError, "found 'no_such_model'"),
        (
            {"hidden_size": 64},
            ValueError,
            "`text_config.model_type` must be a model type that transformers knows, found None",
        ),
        ("qwen2", ValueError, "found 'qwen2'"),
    ],
)
def test_backbones_that_are_not_models_are_refused(backbone, error, message):
    with pytest.raises(error, match=message):
        CGEConfig(backbone)


def test_a_cge_config_is_no_backbone():
    with pytest.raises(ValueError, match="`text_config` must be a language model's, found 'cge'"):
        CGEConfig(CGEConfig(Qwen2Config(num_hidden_layers=1)))


def test_a_backbone_whose_code_is_in_the_folder_needs_trust(tmp_path):
    nested = {"model_type": "cge", "text_config": {"model_type": "stranger", "auto_map": {"AutoConfig": "a.B"}}}
    (tmp_path / "config.json").write_text(json.dumps(nested))
    (tmp_path / "a.py").write_text("raise SystemExit('this code must not run')")
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        CGEConfig.from_pretrained(tmp_path)


def test_defaults_are_a_valid_configuration():
    config = CGEConfig()
    assert config.text_config.model_type == "qwen2" and config.embedding_dim == 1024


@pytest.mark.parametrize(
    "key", ["embedding_method", "compress_dim", "pma_ln", "pma_norm_mode", "pma_residual", "padding_side"]
)
def test_null_means_absent(key):
    assert CGEConfig(**{key: None}).to_dict() == CGEConfig().to_dict()


def test_unknown_residual_is_refused():
    with pytest.raises(ValueError, match="'seed', 'projected_seed', found 'none'"):
        CGEConfig(pma_residual="none")
