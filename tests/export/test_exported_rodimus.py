"""Exported Rodimus models, in each format that is installed, generate what PyTorch generates."""

import json
import shutil

import pytest
import torch

from codefuse_hf.export import windows
from codefuse_hf.export.exported_model import ExportedCausalLM
from helpers.exporting import INSTALLED_FORMATS, exported_folder, exported_model, greedy
from helpers.models_rodimus import BLOCKS, make_ids

each_format = pytest.mark.parametrize("format_name", INSTALLED_FORMATS)
each_block = pytest.mark.parametrize("block_type", BLOCKS)


def load(block_type: str, format_name: str) -> ExportedCausalLM:
    return ExportedCausalLM.from_pretrained(exported_folder(block_type, format_name), threads=1, trust_remote_code=True)


@each_format
@each_block
@torch.no_grad()
def test_logits_of_every_length_and_of_texts_in_parts(block_type, format_name):
    model, exported = exported_model(block_type), load(block_type, format_name)
    for batch, length in ((1, 1), (1, 2), (2, 40), (3, 5)):
        ids = make_ids(batch, length)
        torch.testing.assert_close(exported(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-4)
    ids = make_ids(1, 150)
    torch.testing.assert_close(exported(ids, logits_to_keep=3).logits, model(ids).logits[:, -3:], rtol=1e-4, atol=1e-4)
    first = exported(ids[:, :70])
    second = exported(ids[:, 70:], past_key_values=first.past_key_values)
    logits = torch.cat([first.logits, second.logits], 1)
    torch.testing.assert_close(logits, model(ids).logits, rtol=1e-4, atol=1e-4)


@each_format
@each_block
def test_greedy_generation_of_300_tokens_is_the_same(block_type, format_name):
    model, exported, ids = exported_model(block_type), load(block_type, format_name), make_ids(1, 11)
    assert torch.equal(greedy(exported, ids, tokens=300), greedy(model, ids, tokens=300))


@each_format
@each_block
def test_padding_and_beams(block_type, format_name):
    model, exported, ids = exported_model(block_type), load(block_type, format_name), make_ids(2, 11)
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    assert torch.equal(greedy(exported, ids, mask), greedy(model, ids, mask))
    beams = {"tokens": 10, "num_beams": 3}
    assert torch.equal(greedy(exported, ids, mask, **beams), greedy(model, ids, mask, **beams))
    # A hole, and padding behind.
    mask[1, 5], mask[1, -1] = 0, 0
    with torch.no_grad():
        got, expected = exported(ids, attention_mask=mask).logits, model(ids, attention_mask=mask).logits
    torch.testing.assert_close(got[mask.bool()], expected[mask.bool()], rtol=1e-4, atol=1e-4)


@each_format
@each_block
def test_memory_is_of_constant_size(block_type, format_name):
    exported = load(block_type, format_name)
    memory = exported(make_ids(1, 20)).past_key_values
    size = memory.nbytes()
    exported(make_ids(1, 60), past_key_values=memory)
    assert memory.nbytes() == size > 0
    assert memory.get_seq_length() == 80


@pytest.mark.parametrize("format_name", [param for param in INSTALLED_FORMATS if param.values[0] == "dynamo"])
def test_bad_folders_are_refused(tmp_path, format_name):
    with pytest.raises(ValueError, match=r"is not an exported model: it has no export\.json"):
        ExportedCausalLM.from_pretrained(tmp_path)
    folder = exported_folder("rodimus", format_name)
    with pytest.raises(ValueError, match="can run code when it is read"):
        ExportedCausalLM.from_pretrained(folder)
    shutil.copytree(folder, tmp_path / "copy")
    manifest = json.loads((folder / "export.json").read_text())
    manifest["components"]["model"]["file"] = "../model.pt2"
    (tmp_path / "copy" / "export.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="files outside of the folder"):
        ExportedCausalLM.from_pretrained(tmp_path / "copy", trust_remote_code=True)
    exported = ExportedCausalLM.from_pretrained(folder, trust_remote_code=True)
    with pytest.raises(ValueError, match="attention_mask must have shape"):
        exported(make_ids(1, 3), attention_mask=torch.ones(1, 4))


@pytest.mark.parametrize("format_name", [param for param in INSTALLED_FORMATS if param.values[0] == "onnx"])
def test_what_a_graph_cannot_do_is_refused_and_what_pytorch_can_it_can(format_name):
    model, exported, ids = exported_model("rodimus"), load("rodimus", format_name), make_ids(2, 9)
    labels = ids.clone()
    labels[0, :4] = -100
    with torch.no_grad():
        torch.testing.assert_close(exported(ids, labels=labels).loss, model(ids, labels=labels).loss)
        assert torch.equal(exported(ids.int()).logits, exported(ids).logits)
    for bad in (ids[0], ids[:, :0], ids.float()):
        with pytest.raises(ValueError, match=r"token ids of shape \[batch, seq_len\]"):
            exported(bad)
    for bad in (ids - 100, ids + 10_000):
        with pytest.raises(ValueError, match="input_ids must be from 0 to"):
            exported(bad)
    with pytest.raises(ValueError, match="gives logits alone"):
        exported.generate(ids, max_new_tokens=2, return_dict_in_generate=True, output_hidden_states=True)
    for packed in ({"position_ids": torch.arange(9)[None] % 5}, {"attention_mask": torch.tensor([[1, 1, 2] * 3] * 2)}):
        with pytest.raises(ValueError, match="no packed sequences"):
            exported(ids, **packed)


@pytest.mark.parametrize("format_name", [param for param in INSTALLED_FORMATS if param.values[0] == "onnx"])
def test_a_saved_copy_is_what_was_loaded(tmp_path, format_name):
    exported, ids = load("rodimus", format_name), make_ids(1, 9)
    exported.generation_config.max_new_tokens = 3
    exported.save_pretrained(tmp_path / "copy")
    again = ExportedCausalLM.from_pretrained(tmp_path / "copy")
    assert again.generation_config.max_new_tokens == 3
    assert torch.equal(again(ids).logits, exported(ids).logits)
    again.save_pretrained(tmp_path / "copy")  # where it was loaded from
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.onnx").write_text("of another model")
    again.save_pretrained(tmp_path / "other")
    assert torch.equal(ExportedCausalLM.from_pretrained(tmp_path / "other")(ids).logits, exported(ids).logits)
    manifest = tmp_path / "copy" / "export.json"
    manifest.write_text(manifest.read_text().replace('"positions"', '"attention_mask"'))
    with pytest.raises(ValueError, match="by an earlier version of codefuse-hf: export the model again"):
        ExportedCausalLM.from_pretrained(tmp_path / "copy")


@each_format
@torch.no_grad()
def test_windows_get_places_while_a_text_is_read(format_name, monkeypatch):
    monkeypatch.setattr(windows, "_MORE", 7)
    model, exported = exported_model("rodimus_plus"), load("rodimus_plus", format_name)
    ids, start, memory, logits = make_ids(2, 100), 0, None, []
    for length in (1, 9, 6, ids.shape[1] - 16):
        out = exported(ids[:, start : start + length], past_key_values=memory)
        start, memory = start + length, out.past_key_values
        logits.append(out.logits)
    torch.testing.assert_close(torch.cat(logits, 1), model(ids).logits, rtol=1e-4, atol=1e-4)
