"""What a value of a configuration may be: the limits themselves are allowed, and what is beyond them is refused in one sentence."""

import pytest
from transformers import CONFIG_MAPPING, Qwen2Config

from codefuse_hf import CGEConfig, CGMConfig, RodimusConfig
from codefuse_hf.modeling.configuration_checks import Checks, runs_as_remote_code
from helpers.models_cgm import bert_config, text_config

CHECKS = Checks("Owner")
ADVICE = "give such a value, or leave the key out"


@pytest.mark.parametrize("value", [2, 5])
def test_integers_in_their_limits(value):
    CHECKS.integer("key", value, 2)
    CHECKS.integer("key", value, 2, 5)


@pytest.mark.parametrize("value", [1, 6, True, 2.0, "3", None])
def test_integers_beyond_their_limits(value):
    with pytest.raises(ValueError) as error:
        CHECKS.integer("key", value, 2, 5)
    assert str(error.value) == f"Owner: `key` must be an integer from 2 to 5, found {value!r}: {ADVICE}."


def test_a_limit_of_one_side():
    CHECKS.integer("key", 1000, 2)
    with pytest.raises(ValueError, match="`key` must be an integer of at least 2, found 1: "):
        CHECKS.integer("key", 1, 2)
    CHECKS.number("key", 1e9, 0.0)
    with pytest.raises(ValueError, match=r"`key` must be a number of at least 0\.5, found 0\.4: "):
        CHECKS.number("key", 0.4, 0.5)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 1, 1.0])
def test_numbers_in_their_limits(value):
    CHECKS.number("key", value, 0.0, 1.0)


@pytest.mark.parametrize("value", [-1e-9, 1.001, True, "0.5", None, float("nan")])
def test_numbers_beyond_their_limits(value):
    with pytest.raises(ValueError) as error:
        CHECKS.number("key", value, 0.0, 1.0)
    assert str(error.value) == f"Owner: `key` must be a number from 0 to 1, found {value!r}: {ADVICE}."


def test_choices_switches_and_divisors():
    CHECKS.choice("key", "b", ("a", "b"))
    with pytest.raises(ValueError, match="`key` must be one of 'a', 'b', found 'c': "):
        CHECKS.choice("key", "c", ("a", "b"))
    for value in (True, False):
        CHECKS.switch("key", value)
    for value in (1, 0, "true", None):
        with pytest.raises(ValueError, match="`key` must be true or false, found "):
            CHECKS.switch("key", value)
    for value in (1, 4, 12):
        CHECKS.divides("key", value, "whole", 12)
    with pytest.raises(
        ValueError, match=r"`key` must be a divisor of `whole` \(12\), found 5: change one of the two\."
    ):
        CHECKS.divides("key", 5, "whole", 12)


def test_what_follows_from_other_keys_may_be_stated():
    config = Qwen2Config(hidden_size=64, num_hidden_layers=2)
    CHECKS.derived(config, {"hidden_size": 64, "num_hidden_layers": 2})
    with pytest.raises(
        ValueError, match="`num_hidden_layers` must be 2, as the other keys give, found 3: leave it out"
    ):
        CHECKS.derived(config, {"hidden_size": 64, "num_hidden_layers": 3})


def test_parts():
    given = {"model_type": "qwen2", "hidden_size": 64}
    made = CHECKS.part("part", given)
    assert type(made) is Qwen2Config and made.hidden_size == 64 and "model_type" in given
    assert CHECKS.part("part", made) is made
    with pytest.raises(
        ValueError, match=r"`part\.model_type` must be a model type that transformers knows, found 'x': "
    ):
        CHECKS.part("part", {"model_type": "x"})
    with pytest.raises(ValueError, match="`part` must be a model's configuration or a dictionary, found 5: "):
        CHECKS.part("part", 5)
    assert not runs_as_remote_code()


# ---- the families


PLUS = {"block_type": "rodimus_plus", "d_model": 32, "n_layer": 1, "vocab_size": 90}


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": 1, "n_layer": 1, "max_position_embeddings": 1},
        {"dropout": 1.0, "activation_dropout": 1.0, "attention_dropout": 1.0},
        {"norm_epsilon": 0.0, "initializer_range": 0.0},
        {"mixer_cfg": {"mem_size": 1, "d_conv": 1, "normalize_epsilon": 0.0, "input_gate_low_rank": 1}},
        {"mixer_cfg": {"input_gate_low_rank": "1", "expand_ratio": 1 / 32}},
        {"attn_cfg": {"num_heads": 1, "ffn_expand_ratio": 1 / 32, "rotary_emb_base": 1.0}},
        {"attn_cfg": {"num_heads": 4, "num_heads_k": 4, "num_heads_v": 1, "rotary_emb_dim": 8}},
        {"attn_cfg": {"num_heads": 16, "rotary_emb_dim": 0}},
        {"sliding_window": 1},
    ],
)
def test_limits_of_rodimus_are_allowed(values):
    config = RodimusConfig(**PLUS | values)
    for name, value in values.items():
        found = getattr(config, name)
        assert found | value == found if isinstance(value, dict) else found == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("residual_in_fp32", 1),
        ("use_norm_embedding", "yes"),
        ("use_scale_embedding", 0),
        ("rescale_prenorm_residual", "no"),
        ("tie_word_embeddings", 1),
        ("max_position_embeddings", 0),
        ("sliding_window", 0),
        ("attn_cfg", {"rotary_emb_interleaved": 1}),
        ("attn_cfg", {"rotary_emb_dim": -2}),
        ("attn_cfg", {"num_heads": 64}),
        ("attn_cfg", "none"),
    ],
)
def test_values_beyond_those_of_rodimus(name, value):
    with pytest.raises(ValueError, match=f"`{name}.* must be"):
        RodimusConfig(**PLUS | {name: value})


def test_defaults_of_rodimus_follow_from_the_width():
    for width, heads, rank in ((64, 1, 16), (128, 1, 16), (256, 2, 16), (1280, 10, 20)):
        config = RodimusConfig(block_type="rodimus_plus", d_model=width)
        assert (config.num_attention_heads, config.input_gate_rank) == (heads, rank)
        assert config.num_value_heads == heads and config.rotary_dim == config.head_dim == width // heads
    config = RodimusConfig(**PLUS)
    assert (config.d_inner, config.intermediate_size) == (64, 48)  # 4 / 3 of 32, rounded up to a multiple of 8
    assert not config.is_bounded and RodimusConfig(**PLUS, sliding_window=3).is_bounded
    assert RodimusConfig(**PLUS | {"block_type": "rodimus"}).is_bounded
    assert RodimusConfig(**PLUS, sliding_window=1).layer_types == ["hybrid"]
    assert RodimusConfig(**PLUS, sliding_window=2).layer_types == ["hybrid_sliding"]


def test_null_is_the_default():
    nothing = dict.fromkeys(("dropout", "n_layer", "norm_epsilon", "use_cache", "head_dim", "unknown"))
    config = RodimusConfig(**{**PLUS, **nothing}, mixer_cfg={"mem_size": None}, attn_cfg={"rotary_emb_base": None})
    default = RodimusConfig(**{**PLUS, "n_layer": 24})
    assert config.to_dict() == default.to_dict() and default.mem_size == 64
    cge = CGEConfig(text_config(), pma_num_heads=None, pma_ln=None, inf_seq_length=None, keep_max_layer=None)
    assert (cge.pma_num_heads, cge.pma_ln, cge.inf_seq_length, cge.keep_max_layer) == (32, True, 1024, 2)
    cgm = CGMConfig(text_config(), segment_length=None, graph_direction=None, encoder_normalize=None)
    assert (cgm.segment_length, cgm.graph_direction, cgm.encoder_normalize) == (512, "forward", True)


@pytest.mark.parametrize(
    "values",
    [
        {"compress_dim": 1, "pma_num_heads": 1, "inf_seq_length": 1, "keep_max_layer": 0},
        {"keep_max_layer": 2, "unpad_inputs": False},
        {"embedding_method": "mean", "pma_num_heads": 7, "pma_residual": "projected_seed", "pma_norm": True},
    ],
)
def test_limits_of_cge_are_allowed(values):
    config = CGEConfig(text_config(), **values)
    assert {name: getattr(config, name) for name in values} == values


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (lambda: CONFIG_MAPPING["t5"](), "that of one encoder or decoder, found 't5'"),
        (lambda: CONFIG_MAPPING["clip_vision_model"](), None),
        (lambda: CONFIG_MAPPING["resnet"](), "a configuration with `(hidden_size|num_hidden_layers)`, found 'resnet'"),
    ],
)
def test_backbones_of_cge(backbone, message):
    if message is None:
        CGEConfig(backbone())
    else:
        with pytest.raises(ValueError, match=f"`text_config` must be {message}"):
            CGEConfig(backbone())


@pytest.mark.parametrize(
    "values",
    [
        {"embedding_dim": 1, "adapter_hidden_dim": 1, "segment_length": 1},
        {"graph_direction": "both", "encoder_pooling": "last", "graph_self_loops": True, "freeze_encoder": True},
        {"encoder_config": bert_config(), "embedding_dim": 16},
        {"encoder_config": bert_config(), "encoder_projection_dim": 1},
    ],
)
def test_limits_of_cgm_are_allowed(values):
    config = CGMConfig(text_config(), **values)
    assert {name: getattr(config, name) for name in values} == values
    expected = values.get(
        "encoder_projection_dim", 16 if "encoder_config" in values else values.get("embedding_dim", 256)
    )
    assert config.embedding_dim == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("segment_length", 0),
        ("encoder_projection_dim", -1),
        ("encoder_normalize", 0),
        ("freeze_encoder", "no"),
        ("encoder_config", 7),
    ],
)
def test_values_beyond_those_of_cgm(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        CGMConfig(text_config(), **{"encoder_config": bert_config(), name: value})


def test_cgm_takes_the_tokens_and_the_tying_of_its_language_model():
    config = CGMConfig(text_config(tie_word_embeddings=True, eos_token_id=5, pad_token_id=6, bos_token_id=7))
    assert (config.tie_word_embeddings, config.eos_token_id, config.pad_token_id, config.bos_token_id) == (
        True,
        5,
        6,
        7,
    )
    assert CGMConfig(text_config(eos_token_id=5), eos_token_id=9, tie_word_embeddings=False).eos_token_id == 9
