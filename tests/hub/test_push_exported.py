"""Exported models on their way to a Hub and back, with the real client."""

import shutil

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, constants

from codefuse_hf import RodimusTokenizer
from codefuse_hf.cli import main
from codefuse_hf.export.exported_model import ExportedCausalLM
from codefuse_hf.export.folders import export_folder
from codefuse_hf.hub.push import push_folder
from helpers.exporting import exported_folder, needs_format
from helpers.models_rodimus import BLOCKS, make_ids, make_model
from helpers.processes import run_python

pytestmark = needs_format("onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported folder as the command writes it; tests do not change it."""
    root = tmp_path_factory.mktemp("exported")
    model = make_model(BLOCKS["rodimus"] | {"n_layer": 1, "vocab_size": 280})
    model.save_pretrained(root / "model")
    RodimusTokenizer.train_from_iterator(["def add(a, b):"], 280, show_progress=False).save_pretrained(root / "model")
    export_folder(root / "model", root / "onnx", "onnx")
    return root / "onnx"


def test_the_command_pushes_it_and_it_runs_from_there(client, folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert main(["push", str(folder), "user/exported"]) == 0
    assert {"model.onnx", "export.json"} <= set(HfApi(endpoint=client.url).list_repo_files("user/exported"))
    ids = make_ids(1, 9)
    expected = ExportedCausalLM.from_pretrained(folder)(ids).logits
    assert torch.equal(ExportedCausalLM.from_pretrained("user/exported")(ids).logits, expected)
    capsys.readouterr()
    assert main(["generate", "user/exported", "--prompt", "a", "--new-tokens", "3"]) == 0
    assert "tokens/s" in "".join(capsys.readouterr())
    assert ModelCard.load(folder / "README.md").data.library_name == "codefuse-hf"


OWN_PUSH = """
import sys
from codefuse_hf.export.exported_model import ExportedCausalLM
model = ExportedCausalLM.from_pretrained(sys.argv[1])
model.push_to_hub("user/own")
model.save_pretrained(sys.argv[2], push_to_hub=True, repo_id="user/saved")
result = True
"""


def test_the_models_own_push_brings_the_graphs(hub, environment, folder, tmp_path):
    assert run_python(OWN_PUSH, str(folder), str(tmp_path / "saved"), **environment())
    for name in ("user/own", "user/saved"):
        assert {path.name for path in folder.iterdir()} <= hub.repos[name].files().keys()


def test_what_lacks_a_graph_or_may_run_code_is_not_pushed(client, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").unlink()
    with pytest.raises(ValueError, match=r"lacks model\.onnx, which its export\.json names"):
        push_folder(tmp_path / "broken", "user/broken")
    with pytest.raises(ValueError, match=r"archives of torch\.export can run code"):
        push_folder(exported_folder("rodimus", "dynamo"), "user/archive")
