"""Weights in 8 and 4 bits out of a folder: as after loading and quantising, in the memory of the result."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from codefuse_hf.export.quantized_loading import load_quantized
from codefuse_hf.export.quantizing import quantize_torch
from helpers.models_rodimus import make_ids, make_model, plus

each_scheme = pytest.mark.parametrize("scheme", ["int8", "int4"])


def quantized_later(folder, scheme, dtype=torch.float32):
    return quantize_torch(RodimusForCausalLM.from_pretrained(folder, dtype=dtype), scheme).eval()


@each_scheme
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_it_is_the_model_that_loading_and_then_quantising_gives(tmp_path, scheme, tied, dtype):
    model, ids = make_model(plus(d_model=64, tie_word_embeddings=tied)).to(dtype), make_ids(2, 30)
    model.generation_config.max_new_tokens = 7
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    found, expected = load_quantized(tmp_path, scheme, dtype), quantized_later(tmp_path, scheme, dtype)
    assert repr(found) == repr(expected)
    tensors = expected.state_dict()
    assert found.state_dict().keys() == tensors.keys()
    for name, tensor in found.state_dict().items():
        assert tensor.dtype == tensors[name].dtype and torch.equal(tensor, tensors[name]), name
    assert torch.equal(found(ids).logits, expected(ids).logits)
    assert torch.equal(found.generate(ids), expected.generate(ids))
    if tied:
        assert found.lm_head.weight is found.model.embeddings.weight


@each_scheme
def test_layers_of_many_rows_are_made_in_parts(tmp_path, scheme, monkeypatch):
    make_model(plus(d_model=64)).save_pretrained(tmp_path)
    expected = load_quantized(tmp_path, scheme).state_dict()
    monkeypatch.setattr("codefuse_hf.export.torch_layers._AT_A_TIME", 1)
    for name, tensor in load_quantized(tmp_path, scheme).state_dict().items():
        assert torch.equal(tensor, expected[name]), name


PEAK = """
import sys, torch
from pathlib import Path
from codefuse_hf.export.quantized_loading import load_quantized

def memory(field):
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024

for scheme in ("int8", "int4"):
    load_quantized(sys.argv[1], scheme)  # what libraries take once
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    model = load_quantized(sys.argv[2], scheme)
    weights = {x.data_ptr(): x.nbytes for x in model.state_dict().values()}
    print(scheme, (memory("VmHWM") - before) / sum(weights.values()))
    del model
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is known on Linux only")
def test_the_peak_is_little_more_than_the_model(tmp_path):
    """It would be three times as much if the folder's weights were in memory as well."""
    large = RodimusForCausalLM(RodimusConfig(**plus(d_model=1024, vocab_size=60_000, n_layer=2)))
    large.to(torch.bfloat16).save_pretrained(tmp_path / "large")
    make_model(plus(d_model=64)).save_pretrained(tmp_path / "small")
    command = [sys.executable, "-c", PEAK, tmp_path / "small", tmp_path / "large"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    peaks = dict(line.split() for line in lines if line.startswith("int"))
    assert peaks.keys() == {"int8", "int4"}
    assert all(float(peak) < 1.3 for peak in peaks.values()), peaks  # 1.12 here, and 1.02 of a model of 1.6B


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    make_model(plus(d_model=64)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="unknown quantisation 'int3'"):
        load_quantized(tmp_path, "int3")
    RodimusConfig(**plus(d_model=64, n_layer=3)).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"holds other weights than its config.json says: .* is missing.* and \d+ more"
    ):
        load_quantized(tmp_path, "int8")
    RodimusConfig(**plus(d_model=64, vocab_size=62)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"model.embeddings.weight has shape \[61, 64\] in place of \[62, 64\]"):
        load_quantized(tmp_path, "int8")
    LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds a 'llama' model"):
        load_quantized(tmp_path, "int8")
    with pytest.raises(OSError, match="nothing"):
        load_quantized(tmp_path / "nothing", "int8")
