"""RodimusConfig: the published keys, the standard names, and what is refused."""

import copy
import json

import pytest
import torch
from transformers import AutoConfig

import codefuse_hf  # noqa: F401 - registers the models
from codefuse_hf import RodimusConfig
from helpers.models_rodimus import PUBLISHED, SMALL, make_config

# A configuration as the 1.6B model's repository holds it, key by key.
PUBLISHED_1_6B = {
    "activation_dropout": 0.0,
    "architectures": ["RodimusForCausalLM"],
    "attention_dropout": 0.0,
    "attn_cfg": {
        "ffn_expand_ratio": 1.3333333333333333,
        "num_heads": 16,
        "num_heads_k": 1,
        "num_heads_v": 16,
        "rotary_emb_base": 10000.0,
        "rotary_emb_dim": -1,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "softmax_scale": None,
        "window_size": 4096,
    },
    "auto_map": {
        "AutoConfig": "configuration_rodimus.RodimusConfig",
        "AutoModel": "modeling_rodimus.RodimusForCausalLM",
        "AutoModelForCausalLM": "modeling_rodimus.RodimusForCausalLM",
    },
    "block_type": "rodimus_plus",
    "bos_token_id": 126080,
    "d_model": 2048,
    "dropout": 0.0,
    "eos_token_id": 126081,
    "initializer_range": 0.02,
    "max_position_embeddings": 4096,
    "mixer_cfg": {
        "expand_ratio": 2.0,
        "input_gate_low_rank": "auto",
        "mem_size": 64,
        "mode": "fused_chunk",
        "normalize_epsilon": 1e-05,
    },
    "model_type": "rodimus",
    "n_layer": 24,
    "norm_epsilon": 1e-05,
    "pad_token_id": 126081,
    "rescale_prenorm_residual": True,
    "residual_in_fp32": True,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.46.3",
    "use_cache": True,
    "use_fast_path": True,
    "use_fused_cross_entropy": True,
    "use_fused_swiglu": True,
    "use_norm_embedding": False,
    "use_scale_embedding": False,
    "vocab_size": 126464,
}


@pytest.fixture
def published(tmp_path) -> RodimusConfig:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED_1_6B))
    return AutoConfig.from_pretrained(tmp_path)


def test_published_config_is_read(published):
    assert type(published) is RodimusConfig
    for key in PUBLISHED_1_6B.keys() - {"torch_dtype", "attn_cfg", "mixer_cfg", "transformers_version", "auto_map"}:
        assert getattr(published, key) == PUBLISHED_1_6B[key], key
    for name in ("attn_cfg", "mixer_cfg"):
        for key, value in PUBLISHED_1_6B[name].items():
            assert getattr(published, name)[key] == value, key
    assert published.dtype == torch.bfloat16


def test_standard_names(published):
    assert published.hidden_size == 2048
    assert published.num_hidden_layers == 24
    assert published.num_attention_heads == 16
    assert published.head_dim == 128
    assert published.sliding_window == 2049
    assert published.layer_types == ["hybrid_sliding"] * 24
    assert published.intermediate_size == 2736
    assert (published.mem_size, published.d_inner, published.d_conv, published.input_gate_rank) == (64, 4096, 4, 32)


def test_standard_names_build_the_same_config():
    config = RodimusConfig(
        block_type="rodimus_plus", hidden_size=64, num_hidden_layers=3, num_attention_heads=4, sliding_window=9
    )
    assert (config.d_model, config.n_layer) == (64, 3)
    assert (config.attn_cfg["num_heads"], config.attn_cfg["window_size"]) == (4, 16)
    same = RodimusConfig(block_type="rodimus_plus", d_model=64, n_layer=3, attn_cfg={"num_heads": 4, "window_size": 16})
    assert config.to_dict() == same.to_dict()


def test_recurrent_model_has_no_window_and_no_attention_in_its_layers():
    config = RodimusConfig(block_type="rodimus", d_model=64, n_layer=3, attn_cfg={"window_size": 128})
    assert config.sliding_window is None
    assert config.layer_types == ["linear_attention"] * 3


@pytest.mark.parametrize("window", [None, 0, -1])
def test_no_window_is_full_attention(window):
    config = RodimusConfig(block_type="rodimus_plus", d_model=64, n_layer=1, attn_cfg={"window_size": window})
    assert config.sliding_window is None
    assert config.layer_types == ["hybrid"]


@pytest.mark.parametrize(("window_size", "sliding_window"), [(1, 1), (2, 2), (7, 4), (8, 5), (4096, 2049)])
def test_sliding_window_counts_the_token_itself(window_size, sliding_window):
    config = RodimusConfig(block_type="rodimus_plus", d_model=64, attn_cfg={"window_size": window_size})
    assert config.sliding_window == sliding_window


def test_absent_keys_have_the_published_meaning():
    config = RodimusConfig()
    assert config.mixer_cfg["normalize_epsilon"] == 1e-12
    assert config.mixer_cfg["d_conv"] == 4
    assert config.attn_cfg["rotary_emb_base"] == 10000.0
    assert config.attn_cfg["rotary_emb_dim"] == -1


def test_null_heads_follow_from_d_model():
    config = RodimusConfig(block_type="rodimus_plus", d_model=512, attn_cfg={"num_heads": None, "num_heads_k": None})
    assert (config.num_attention_heads, config.num_key_heads, config.num_value_heads) == (4, 1, 4)


@pytest.mark.parametrize(("d_model", "ratio", "d_inner"), [(64, 2.0, 128), (30, 2.0, 64), (30, 1.3, 40), (33, 1.0, 40)])
def test_d_inner_is_rounded_up_to_a_multiple_of_8(d_model, ratio, d_inner):
    assert RodimusConfig(d_model=d_model, mixer_cfg={"expand_ratio": ratio}).d_inner == d_inner


@pytest.mark.parametrize(("rank", "expected"), [("auto", 32), (7, 7), ("12", 12)])
def test_input_gate_rank(rank, expected):
    assert RodimusConfig(d_model=2048, mixer_cfg={"input_gate_low_rank": rank}).input_gate_rank == expected


@pytest.mark.parametrize("variant", PUBLISHED)
def test_saving_and_loading_keeps_everything(variant, tmp_path):
    config = RodimusConfig(**make_config(PUBLISHED[variant]))
    config.save_pretrained(tmp_path)
    loaded = RodimusConfig.from_pretrained(tmp_path)
    ignored = {"transformers_version", "auto_map"}
    assert {k: v for k, v in loaded.to_dict().items() if k not in ignored} == {
        k: v for k, v in config.to_dict().items() if k not in ignored
    }
    assert copy.deepcopy(config).to_dict() == config.to_dict()


def test_nested_dictionaries_are_copied():
    mixer = {"mem_size": 8}
    first, second = RodimusConfig(mixer_cfg=mixer), RodimusConfig(mixer_cfg=mixer)
    first.mixer_cfg["mem_size"] = 5
    assert mixer == {"mem_size": 8} and second.mem_size == 8


@pytest.mark.parametrize(
    "key", ["mode", "use_fast_path", "use_fused_swiglu", "use_fused_cross_entropy", "some_new_key"]
)
def test_obsolete_and_unknown_keys_are_accepted(key):
    plain = RodimusConfig(**SMALL)
    assert RodimusConfig(**SMALL, **{key: "anything"}).d_inner == plain.d_inner
    assert RodimusConfig(**SMALL, mixer_cfg={key: "anything"}, attn_cfg={key: 1}).mem_size == plain.mem_size


REFUSED = [
    ({"block_type": "mamba"}, r"block_type` must be one of 'rodimus', 'rodimus_plus', found 'mamba'"),
    ({"vocab_size": 0}, r"vocab_size` must be an integer of at least 1, found 0"),
    ({"d_model": -4}, r"d_model` must be an integer of at least 1, found -4"),
    ({"n_layer": 0}, r"n_layer` must be an integer of at least 1, found 0"),
    ({"norm_epsilon": -1.0}, r"norm_epsilon` must be a number of at least 0, found -1.0"),
    ({"initializer_range": -1.0}, r"initializer_range` must be a number of at least 0"),
    ({"dropout": 1.5}, r"dropout` must be a number from 0 to 1, found 1.5"),
    ({"attention_dropout": -0.1}, r"attention_dropout` must be a number from 0 to 1"),
    ({"activation_dropout": 2.0}, r"activation_dropout` must be a number from 0 to 1"),
    ({"mixer_cfg": {"mem_size": 0}}, r"mixer_cfg.mem_size` must be an integer of at least 1, found 0"),
    ({"mixer_cfg": {"mem_size": 2.5}}, r"mixer_cfg.mem_size` must be an integer"),
    ({"mixer_cfg": {"d_conv": 0}}, r"mixer_cfg.d_conv` must be an integer of at least 1"),
    ({"mixer_cfg": {"expand_ratio": 0}}, r"mixer_cfg.expand_ratio` must be a number of at least"),
    ({"mixer_cfg": {"normalize_epsilon": -1e-5}}, r"mixer_cfg.normalize_epsilon` must be a number of at least 0"),
    (
        {"mixer_cfg": {"input_gate_low_rank": "none"}},
        r"input_gate_low_rank` must be 'auto' or an integer of at least 1, found 'none'",
    ),
    ({"mixer_cfg": {"input_gate_low_rank": 0}}, r"mixer_cfg.input_gate_low_rank"),
    ({"mixer_cfg": [1]}, r"mixer_cfg` must be a dictionary, found \[1\]"),
    ({"attn_cfg": {"num_heads": 5}}, r"attn_cfg.num_heads` must be a divisor of `d_model` \(32\), found 5"),
    (
        {"attn_cfg": {"num_heads": 4, "num_heads_k": 3}},
        r"attn_cfg.num_heads_k` must be a divisor of `attn_cfg.num_heads` \(4\), found 3",
    ),
    (
        {"attn_cfg": {"num_heads": 4, "num_heads_v": 8}},
        r"attn_cfg.num_heads_v` must be an integer from 1 to 4, found 8",
    ),
    ({"attn_cfg": {"window_size": 2.5}}, r"attn_cfg.window_size` must be an integer"),
    ({"attn_cfg": {"ffn_expand_ratio": 0}}, r"attn_cfg.ffn_expand_ratio` must be a number of at least"),
    ({"attn_cfg": {"num_heads": 4, "rotary_emb_dim": 10}}, r"attn_cfg.rotary_emb_dim` must be an integer from -1 to 8"),
    ({"attn_cfg": {"num_heads": 4, "rotary_emb_dim": 3}}, r"attn_cfg.rotary_emb_dim` must be even"),
    ({"attn_cfg": {"num_heads": 4, "rotary_emb_base": 0}}, r"attn_cfg.rotary_emb_base` must be a number of at least 1"),
    ({"attn_cfg": {"softmax_scale": 0.5}}, r"attn_cfg.softmax_scale` must be null, found 0.5"),
    ({"attn_cfg": {"rotary_emb_scale_base": 512}}, r"attn_cfg.rotary_emb_scale_base` must be null, found 512"),
    ({"layer_types": ["full_attention"] * 2}, r"`layer_types` must be .*hybrid.*, as the other keys give, found"),
    ({"head_dim": 7}, r"`head_dim` must be \d+, as the other keys give, found 7: leave it out"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=lambda x: str(x)[:40] if isinstance(x, dict) else "")
def test_impossible_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        RodimusConfig(**(SMALL | {"block_type": "rodimus_plus"} | values))


def test_attention_values_do_not_matter_without_attention():
    RodimusConfig(**SMALL, block_type="rodimus", attn_cfg={"num_heads": 5})
