"""Folders in the published layout load with the plain Auto classes once `codefuse_hf` is imported."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import codefuse_hf
from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusModel
from helpers.published_layout import write_published, write_weights

FP32 = "residual_weight"


@pytest.fixture
def warnings(caplog):
    """Warnings of transformers, as one text."""
    logger = logging.get_logger("transformers")
    logger.addHandler(caplog.handler)
    logging.set_verbosity_warning()
    yield lambda: caplog.text
    logger.removeHandler(caplog.handler)


def assert_same_weights(model, weights):
    state = model.state_dict()
    for name, tensor in weights.items():
        assert torch.equal(state[name].float(), tensor.float()), name


@pytest.mark.parametrize("trust_remote_code", [None, True, False])
@pytest.mark.parametrize("case", ["rodimus_tiny", "rodimus_plus_tiny"])
def test_golden_folder_loads_and_gives_its_logits(golden, case, trust_remote_code):
    folder = golden / "rodimus" / case
    io = load_file(folder / "io.safetensors")
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=trust_remote_code)
    assert type(model) is RodimusForCausalLM
    with torch.no_grad():
        torch.testing.assert_close(model(io["input_ids"]).logits, io["logits"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("trust_remote_code", [None, True, False])
def test_auto_map_that_names_absent_files(tmp_path, trust_remote_code):
    write_published(tmp_path)
    options = {"trust_remote_code": trust_remote_code}
    assert type(AutoConfig.from_pretrained(tmp_path, **options)) is RodimusConfig
    assert type(AutoModel.from_pretrained(tmp_path, **options)) is RodimusModel
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path, **options)) is RodimusForCausalLM
    assert type(AutoTokenizer.from_pretrained(tmp_path, **options)) is codefuse_hf.RodimusTokenizer


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(("form", "shards"), [("safetensors", 1), ("safetensors", 3), ("bin", 1), ("bin", 2)])
def test_every_layout_loads_silently(tmp_path, warnings, block_type, tied, form, shards):
    weights = write_published(tmp_path, block_type, tied, form=form, shards=shards)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert_same_weights(model, weights)
    assert (model.lm_head.weight is model.model.embeddings.weight) == tied
    assert not warnings()


@pytest.mark.parametrize("shards", [1, 2])
def test_redundant_head_of_a_tied_checkpoint_is_accepted_silently(tmp_path, warnings, shards):
    weights = write_published(tmp_path, dtype="bfloat16", shards=shards, redundant_head=True)
    assert "lm_head.weight" in weights
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.lm_head.weight is model.model.embeddings.weight
    assert not warnings()


def test_missing_and_extra_weights_are_reported_by_name(tmp_path, warnings):
    weights = write_published(tmp_path)
    missing = "model.layers.1.mixer.inner_mixer.in_proj.weight"
    del weights[missing]
    weights["model.layers.0.attn.k_norm.weight"] = torch.ones(12)
    write_weights(tmp_path, weights)
    _, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert info["missing_keys"] == {missing} and info["unexpected_keys"] == {"model.layers.0.attn.k_norm.weight"}
    lines = warnings().splitlines()
    assert any(missing in line and "MISSING" in line for line in lines)
    assert any("model.layers.0.attn.k_norm.weight" in line and "UNEXPECTED" in line for line in lines)


def test_a_weight_of_the_wrong_shape_is_refused_by_name(tmp_path):
    weights = write_published(tmp_path)
    weights["model.norm_f.weight"] = torch.ones(47)
    write_weights(tmp_path, weights)
    with pytest.raises(RuntimeError, match=r"model\.norm_f\.weight|mismatch"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


class Payload:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_bin_file_is_data_only(tmp_path, capsys):
    write_published(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"model.norm_f.weight": Payload()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(pickle.UnpicklingError):
        AutoModelForCausalLM.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="weights_only"):
        AutoModelForCausalLM.from_pretrained(tmp_path, weights_only=False)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("explicit", [True, False])
def test_half_precision_keeps_the_residual_weights_in_float32(tmp_path, dtype, explicit):
    weights = write_published(tmp_path, dtype=dtype)
    options = {"dtype": getattr(torch, dtype)} if explicit else {}
    model = AutoModelForCausalLM.from_pretrained(tmp_path, **options)
    for name, parameter in model.named_parameters():
        assert parameter.dtype == (torch.float32 if FP32 in name else getattr(torch, dtype)), name
    assert_same_weights(model, weights)
    assert torch.isfinite(model(torch.arange(20)[None]).logits).all()


def test_residual_weights_in_half_precision_where_the_config_says_so(tmp_path):
    write_published(tmp_path, dtype="bfloat16", residual_in_fp32=False)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("device_map", ["auto", {"": "cpu"}])
def test_device_map(tmp_path, tied, device_map):
    weights = write_published(tmp_path, tied=tied, dtype="bfloat16")
    model = AutoModelForCausalLM.from_pretrained(tmp_path, device_map=device_map)
    assert_same_weights(model, weights)
    assert not any(parameter.is_meta for parameter in model.parameters())
    ids = torch.arange(30)[None]
    plain = AutoModelForCausalLM.from_pretrained(tmp_path).generate(ids, max_new_tokens=4, do_sample=False)
    assert torch.equal(model.generate(ids.to(model.device), max_new_tokens=4, do_sample=False).cpu(), plain)


def test_offload_to_disk(tmp_path):
    folder = tmp_path / "model"
    write_published(folder, tied=False)
    blocks = {f"model.layers.{i}": "disk" if i else "cpu" for i in range(2)}
    device_map = {"model.embeddings": "cpu", **blocks, "model.norm_f": "cpu", "lm_head": "cpu"}
    model = AutoModelForCausalLM.from_pretrained(folder, device_map=device_map, offload_folder=tmp_path / "offload")
    assert model.model.layers[1].mixer.fc.weight.is_meta
    ids = torch.arange(30)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, AutoModelForCausalLM.from_pretrained(folder)(ids).logits)


def test_meta_device_holds_no_memory():
    with torch.device("meta"):
        model = RodimusForCausalLM(RodimusConfig())
    assert all(parameter.is_meta for parameter in model.parameters())
    assert not list(model.named_buffers()), "a buffer that is no weight would be lost in low-memory loading"


def test_obsolete_and_unknown_keys_are_ignored(tmp_path):
    write_published(
        tmp_path, use_flash_attn_v1=True, fused_dropout_add_ln=True, mixer_cfg={"mem_size": 8, "mode": "naive"}
    )
    assert AutoConfig.from_pretrained(tmp_path).mem_size == 8


def test_impossible_config_is_refused_by_key(tmp_path):
    write_published(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"n_layer": 0}))
    with pytest.raises(ValueError, match="n_layer"):
        AutoConfig.from_pretrained(tmp_path)
