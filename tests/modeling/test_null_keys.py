"""A null for a key of a configuration is as good as leaving the key out, whatever the other keys say."""

import inspect
import json

import pytest
from transformers import AutoConfig, PreTrainedConfig

from codefuse_hf import CGEConfig, CGMConfig, RodimusConfig
from helpers.models_cgm import bert_config, text_config
from helpers.models_rodimus import make_config, plus

VALUES = {
    RodimusConfig: {
        **make_config(plus()),
        "residual_in_fp32": False,
        "use_norm_embedding": True,
        "use_scale_embedding": True,
        "rescale_prenorm_residual": False,
        "tie_word_embeddings": False,
        "norm_epsilon": 0.1,
        "dropout": 0.1,
        "eos_token_id": 3,
    },
    CGEConfig: {
        "text_config": text_config().to_dict(),
        "compress_dim": 64,
        "pma_num_heads": 16,
        "pma_residual": "projected_seed",
        "padding_side": "left",
        "prompt_position": "after",
        "keep_max_layer": 1,
    },
    CGMConfig: {
        "text_config": text_config().to_dict(),
        "encoder_config": bert_config().to_dict(),
        "adapter_hidden_dim": 20,
        "graph_self_loops": True,
        "graph_direction": "both",
        "encoder_pooling": "mean",
        "encoder_normalize": False,
        "freeze_encoder": True,
        "pad_token_id": 7,
    },
}


def _keys(config_class):
    written = config_class(**VALUES[config_class]).to_dict()
    properties = {name for name, value in vars(config_class).items() if isinstance(value, property)}
    arguments = set(inspect.signature(config_class.__init__).parameters) - {"self", "args", "kwargs"}
    common = {*PreTrainedConfig().to_dict(), "torch_dtype", "num_labels"}
    return sorted({*written, *properties, *arguments, *config_class.attribute_map, *common} - {"model_type"})


CASES = [(config_class, key) for config_class in VALUES for key in _keys(config_class)]


@pytest.mark.parametrize(("config_class", "key"), CASES, ids=lambda x: x if isinstance(x, str) else x.model_type)
def test_a_null_is_an_absent_key(config_class, key, tmp_path):
    values = {name: value for name, value in VALUES[config_class].items() if name != key}
    expected = config_class(**values).to_dict()
    assert config_class(**values, **{key: None}).to_dict() == expected
    assert config_class.from_dict({**values, key: None}).to_dict() == expected
    written = {**values, key: None, "model_type": config_class.model_type}
    (tmp_path / "config.json").write_text(json.dumps(written))
    assert {**AutoConfig.from_pretrained(tmp_path).to_dict(), "_name_or_path": ""} == {**expected, "_name_or_path": ""}


FLAT = {
    "qwen2": {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 3, "compress_dim": 32, "pma_num_heads": 4},
    "c2llm": {"model_type": "c2llm", "hidden_size": 64, "num_hidden_layers": 3, "pma_num_heads": 4},
}
FLAT_KEYS = ("padding_side", "prompt_position", "pma_residual", "inf_seq_length", "compressed_dim", "text_config")


@pytest.mark.parametrize("key", FLAT_KEYS)
@pytest.mark.parametrize("model_type", FLAT)
def test_a_null_in_a_flat_configuration_is_an_absent_key(model_type, key, tmp_path):
    expected = CGEConfig.from_dict(FLAT[model_type]).to_dict()
    assert CGEConfig(**FLAT[model_type], **{key: None}).to_dict() == expected
    (tmp_path / "config.json").write_text(json.dumps({**FLAT[model_type], key: None}))
    assert CGEConfig.from_pretrained(tmp_path).to_dict() == expected


@pytest.mark.parametrize(
    ("config_class", "key", "value", "message"),
    [
        (RodimusConfig, "head_dim", 8, "`head_dim` must be 8, as the other keys give, found 7"),
        (RodimusConfig, "has_attention", True, "`has_attention` must be True"),
        (CGEConfig, "embedding_dim", 64, "`embedding_dim` must be 64, as the other keys give, found 7"),
        (CGEConfig, "hidden_size", 32, "`hidden_size` must be 32"),
        (CGMConfig, "num_hidden_layers", 2, "`num_hidden_layers` must be 2, as the other keys give, found 7"),
    ],
)
def test_what_follows_from_other_keys_may_be_stated_and_is_checked(config_class, key, value, message, tmp_path):
    config = config_class(**VALUES[config_class])
    assert config_class(**VALUES[config_class], **{key: value}).to_dict() == config.to_dict()
    config.save_pretrained(tmp_path)
    for stated in (value, None):
        assert getattr(config_class.from_pretrained(tmp_path, **{key: stated}), key) == value
    with pytest.raises(ValueError, match=message):
        config_class(**VALUES[config_class], **{key: 7})
    with pytest.raises(ValueError, match=message):
        config_class.from_pretrained(tmp_path, **{key: 7})


@pytest.mark.parametrize(
    "values", [{"residual_in_fp32": "no"}, {"use_scale_embedding": 1}, {"attn_cfg": {"rotary_emb_interleaved": "yes"}}]
)
def test_switches_are_true_or_false(values):
    with pytest.raises(ValueError, match="must be true or false"):
        RodimusConfig(**make_config(plus()) | values)
