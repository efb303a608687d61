"""What is checked when a generation state is saved and loaded, and how its file is written."""

import subprocess
import sys

import pytest
import torch
from accelerate import cpu_offload, disk_offload
from safetensors.torch import load_file, save_file

from codefuse_hf.modeling.cgm.node_cache_cgm import NodeEmbeddingCache
from codefuse_hf.modeling.rodimus.generation_state_rodimus import STATE_FORMAT
from codefuse_hf.modeling.whole_file import remove_abandoned, whole_file
from helpers.models_rodimus import BLOCKS, make_ids, make_model
from helpers.processes import child_environment

IDS = make_ids(2, 11)


@pytest.fixture(params=BLOCKS)
def model(request):
    return make_model(BLOCKS[request.param])


def cache_of(model, ids=IDS):
    with torch.no_grad():
        return model(ids, use_cache=True).past_key_values


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_text_of_other_rows_is_refused(model, tmp_path):
    """After beam search the cache holds a row for each beam."""
    out = model.generate(IDS[:1], num_beams=3, max_new_tokens=5, do_sample=False, return_dict_in_generate=True)
    for text in ({"input_ids": out.sequences}, {"attention_mask": torch.ones_like(out.sequences)}):
        with pytest.raises(ValueError, match=r"has shape .*but the cache has 3 rows.*After beam search"):
            model.save_generation_state(tmp_path / "state", out.past_key_values, **text)
    with pytest.raises(ValueError, match="must be"):
        model.save_generation_state(tmp_path / "state", cache_of(model), input_ids=IDS[0])
    assert not names(tmp_path)


def test_a_text_that_is_shorter_than_the_cache_is_refused(model, tmp_path):
    cache = cache_of(model)
    for text in ({"input_ids": IDS[:, :10]}, {"attention_mask": torch.ones(2, 10)}):
        with pytest.raises(ValueError, match="has 10 tokens, but the cache has seen 11"):
            model.save_generation_state(tmp_path / "state", cache, **text)
    with pytest.raises(ValueError, match="must be of one shape"):
        model.save_generation_state(tmp_path / "state", cache, input_ids=IDS, attention_mask=torch.ones(2, 12))
    longer = torch.cat([IDS, make_ids(2, 3, seed=1)], 1)
    model.save_generation_state(tmp_path / "state", cache, input_ids=longer)
    out = model.generate(**model.load_generation_state(tmp_path / "state"), max_new_tokens=3, do_sample=False)
    assert torch.equal(out, model.generate(longer, max_new_tokens=3, do_sample=False))


@pytest.mark.parametrize("offload", [lambda m, folder: disk_offload(m, folder), lambda m, folder: cpu_offload(m)])
def test_an_offloaded_model_is_refused(model, offload, tmp_path):
    cache = cache_of(model)
    offload(model, tmp_path / "weights")
    with pytest.raises(ValueError, match="weights are offloaded"):
        model.save_generation_state(tmp_path / "state", cache)
    assert not (tmp_path / "state").exists()


def quantised(model, kind, folder):
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if kind == "nf4":
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    else:
        pytest.importorskip("torchao")
        from torchao.quantization import Int8WeightOnlyConfig

        config = TorchAoConfig(Int8WeightOnlyConfig())
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder, quantization_config=config, device_map="cpu")


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_quantised_model_goes_on_from_its_own_states_only(model, kind, tmp_path):
    small = quantised(model, kind, tmp_path / "model")
    small.save_generation_state(tmp_path / "state", cache_of(small), input_ids=IDS)
    again = quantised(model, kind, tmp_path / "model")
    new = make_ids(2, 3, seed=1)
    with torch.no_grad():
        found = again(new, past_key_values=again.load_generation_state(tmp_path / "state")["past_key_values"]).logits
        torch.testing.assert_close(found, small(torch.cat([IDS, new], 1)).logits[:, -3:], atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="another model"):
        model.load_generation_state(tmp_path / "state")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("length", None, "length must be one integer"),
        ("length", torch.tensor([1, 2]), "length must be one integer"),
        ("layers.1.keys", None, "layers.1.keys must have shape"),
        ("layers.1.conv_state", torch.zeros(1, 64, 4), "layers.1.conv_state must hold 2 rows"),
        ("layers.0.recurrent_state", torch.zeros(2, 8, 64, dtype=torch.long), "layers.0.recurrent_state must hold"),
        ("layers.0.recurrent_state", torch.zeros(2, 8, 63), "layers.0.recurrent_state must have shape"),
        ("input_ids", IDS[:1], "input_ids has shape"),
        ("attention_mask", torch.ones(2, 3), "attention_mask has 3 tokens, but the cache has seen 11"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(name, change, message, tmp_path):
    model = make_model(BLOCKS["rodimus_plus"])
    model.save_generation_state(tmp_path / "state", cache_of(model), input_ids=IDS)
    tensors = load_file(tmp_path / "state")
    tensors.pop(name, None)
    if change is not None:
        tensors[name] = change
    metadata = {"format": STATE_FORMAT, "model": model._fingerprint()}
    save_file(tensors, tmp_path / "changed", metadata=metadata)
    with pytest.raises(ValueError, match=message):
        model.load_generation_state(tmp_path / "changed")


KILLED = """
import os, sys
from pathlib import Path
from codefuse_hf.modeling.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_bytes(b"half a file")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    for name in ("state", "vectors/abc/x.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / name)], env=child_environment(), timeout=200
        )
        assert done.returncode == -9
    (tmp_path / "vectors" / "abc" / "tmpxyz.partial").write_bytes(b"half a file")
    (tmp_path / ".state2.abc.partial").write_bytes(b"somebody's")
    assert len(names(tmp_path)) == 3
    model = make_model(BLOCKS["rodimus"])
    model.save_generation_state(tmp_path / "state", cache_of(model))
    assert names(tmp_path) == [".state2.abc.partial", "state", "vectors"]
    cache = NodeEmbeddingCache(tmp_path / "vectors", "abc")
    assert not names(tmp_path / "vectors" / "abc")
    cache.put({b"k" * 32: torch.ones(3)})
    assert len(names(tmp_path / "vectors" / "abc")) == 1


def test_a_run_at_work_is_left_alone_and_a_failed_one_leaves_nothing(tmp_path):
    with whole_file(tmp_path / "state") as partial:
        save_file({"x": torch.ones(2)}, partial)
        remove_abandoned(tmp_path.glob("*.partial"))
        assert names(tmp_path) == [partial.parent.name]
    assert names(tmp_path) == ["state"]
    with pytest.raises(RuntimeError), whole_file(tmp_path / "state") as partial:
        partial.write_bytes(b"half")
        raise RuntimeError
    assert names(tmp_path) == ["state"] and torch.equal(load_file(tmp_path / "state")["x"], torch.ones(2))
