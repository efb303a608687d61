"""What `from_pretrained` is told to override is checked as in a new configuration."""

import pytest
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from codefuse_hf import CGEConfig, CGEModel, CGMConfig, CGMForCausalLM, RodimusConfig, RodimusForCausalLM
from helpers.models_cgm import text_config
from helpers.models_rodimus import make_config, plus

MODELS = {
    "rodimus": lambda: RodimusForCausalLM(RodimusConfig(**make_config(plus()))),
    "cge": lambda: CGEModel(CGEConfig(text_config(), compress_dim=32, pma_num_heads=4)),
    "cgm": lambda: CGMForCausalLM(CGMConfig(text_config(), embedding_dim=16, adapter_hidden_dim=32)),
}
AUTO = {"rodimus": AutoModelForCausalLM, "cge": AutoModel, "cgm": AutoModelForCausalLM}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model of each family, saved."""
    folder = tmp_path_factory.mktemp("models")
    for family, make in MODELS.items():
        make().save_pretrained(folder / family)
    return folder


@pytest.mark.parametrize(
    "family, override, said",
    [
        ("rodimus", {"d_model": 0}, "`d_model` must be an integer of at least 1, found 0"),
        ("rodimus", {"block_type": "mamba"}, "`block_type` must be one of"),
        ("rodimus", {"hidden_size": 31}, "must be a divisor of `d_model`"),
        ("rodimus", {"num_attention_heads": 5}, "must be a divisor of `d_model`"),
        ("rodimus", {"sliding_window": "long"}, "`sliding_window` must be an integer of at least 1, found 'long'"),
        ("rodimus", {"mixer_cfg": {"mem_size": -1}}, "`mixer_cfg.mem_size` must be"),
        ("rodimus", {"head_dim": 7}, "`head_dim` must be"),
        ("cge", {"compress_dim": 15}, "`pma_num_heads` must be a divisor of `compress_dim` (15)"),
        ("cge", {"keep_max_layer": 99}, "`keep_max_layer` must be"),
        ("cge", {"hidden_size": 65}, "`hidden_size` must be"),
        ("cgm", {"graph_direction": "up"}, "`graph_direction` must be one of"),
        ("cgm", {"segment_length": -1}, "`segment_length` must be"),
        ("cgm", {"hidden_size": 65}, "`hidden_size` must be"),
        ("cgm", {"text_config": {"attention_chunk_size": 8}}, "All layers must have full attention"),
    ],
)
def test_an_override_is_checked(folders, family, override, said):
    for read in (AutoConfig.from_pretrained, AUTO[family].from_pretrained):
        with pytest.raises(ValueError) as error:
            read(folders / family, **override)
        assert said in str(error.value)


@pytest.mark.parametrize(
    "family, override, key, value",
    [
        ("rodimus", {"dropout": 0.5}, "dropout", 0.5),
        ("rodimus", {"num_hidden_layers": 1}, "n_layer", 1),
        ("rodimus", {"sliding_window": None}, "sliding_window", None),
        ("rodimus", {"sliding_window": 5}, "sliding_window", 5),
        ("cge", {"embedding_method": "mean"}, "embedding_method", "mean"),
        ("cge", {"pma_num_heads": 8}, "pma_num_heads", 8),
        ("cgm", {"segment_length": 7}, "segment_length", 7),
    ],
)
def test_an_override_that_fits_is_taken(folders, family, override, key, value):
    assert getattr(AutoConfig.from_pretrained(folders / family, **override), key) == value
    assert getattr(AUTO[family].from_pretrained(folders / family, **override).config, key) == value


@pytest.mark.parametrize(
    "family, key, value, said",
    [
        ("rodimus", "hidden_size", 31, "must be a divisor of `d_model`"),
        ("rodimus", "num_attention_heads", 5, "must be a divisor of `d_model`"),
        ("rodimus", "n_layer", 0, "`n_layer` must be an integer of at least 1, found 0"),
        ("cge", "compress_dim", 15, "`pma_num_heads` must be a divisor of `compress_dim` (15)"),
        ("cge", "padding_side", "top", "`padding_side` must be one of"),
        ("cgm", "segment_length", -1, "`segment_length` must be"),
        ("cgm", "adapter_hidden_dim", 0, "`adapter_hidden_dim` must be"),
    ],
)
def test_an_attribute_that_was_set_is_checked_when_a_model_is_made(folders, family, key, value, said):
    config = AutoConfig.from_pretrained(folders / family)
    setattr(config, key, value)
    with pytest.raises(ValueError) as error:
        AUTO[family].from_config(config)
    assert said in str(error.value)


def test_other_parts_of_a_dictionary_have_their_defaults(folders):
    config = AutoConfig.from_pretrained(folders / "rodimus", mixer_cfg={"mem_size": 2})
    assert (config.mem_size, config.d_conv) == (2, 4)


def test_what_is_no_key_is_handed_back(folders):
    config, rest = AutoConfig.from_pretrained(folders / "cge", compress_dim=16, colour=1, return_unused_kwargs=True)
    assert config.compress_dim == 16 and rest == {"colour": 1}


@pytest.mark.parametrize("family, override", [("rodimus", {"hidden_size": 48}), ("cge", {"compress_dim": 16})])
def test_a_width_that_the_weights_do_not_have_is_refused(folders, family, override, capfd):
    with pytest.raises(RuntimeError, match="mismatch"):
        AUTO[family].from_pretrained(folders / family, **override)
