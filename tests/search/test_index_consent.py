"""An index is data: it neither runs code nor chooses what is loaded, whatever its manifest says."""

import json
import shutil

import pytest

pytest.importorskip("faiss")
pytest.importorskip("sentence_transformers")

import faiss
import numpy as np

from codefuse_hf.cli import main
from codefuse_hf.search import DEFAULT_MODEL, CodeIndex
from codefuse_hf.search.places import CARRIED_FOLDER, default_folder, is_own

CODE = """
from pathlib import Path
Path({marker!r}).touch()
from sentence_transformers.models import Module

class Encoder(Module):
    pass
"""


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "the code was run"


@pytest.fixture
def repository(tmp_path, marker):
    """A repository that carries a model with code, and an index that names this model and consents to run it."""
    root = tmp_path / "cloned"
    model = root / "model"
    model.mkdir(parents=True)
    (root / "a.py").write_text("def deploy(service):\n    return service\n")
    (model / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "encoder.Encoder"}]))
    (model / "config_sentence_transformers.json").write_text("{}")
    (model / "config.json").write_text(json.dumps({"model_type": "x", "auto_map": {"AutoConfig": "encoder.Encoder"}}))
    (model / "encoder.py").write_text(CODE.format(marker=str(marker)))
    index = CodeIndex.build(root, model=DEFAULT_MODEL, folder=root / CARRIED_FOLDER, progress=False)
    forge(index.folder, model=str(model), trust_remote_code=True)
    return root


def forge(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def test_the_index_that_a_repository_carries_is_not_read(repository, marker, capsys, monkeypatch):
    monkeypatch.chdir(repository)
    assert main(["search", "deploy"]) == 1
    assert "may be somebody else's" in capsys.readouterr().err and not marker.exists()
    assert main(["search", "--trust-remote-code", "deploy"]) == 1
    assert "a model that you name" in capsys.readouterr().err and not marker.exists()


def test_an_index_that_is_named_does_not_choose_the_model(repository, marker, capsys):
    arguments = ["search", "--index", str(repository / CARRIED_FOLDER), "deploy"]
    assert main(arguments) == 1
    assert "cannot choose what is loaded" in capsys.readouterr().err and not marker.exists()
    assert main([*arguments, "--mode", "words"]) == 0
    assert main([*arguments, "--model", DEFAULT_MODEL]) == 0  # what really made it
    with pytest.raises(ValueError, match="cannot choose"):
        CodeIndex.load(repository / CARRIED_FOLDER).search("deploy")
    assert not marker.exists()


@pytest.mark.parametrize("linked", [False, True])
def test_not_even_an_index_in_the_cache_consents(repository, marker, linked, capsys):
    folder = default_folder(repository)
    folder.parent.mkdir(parents=True)
    if linked:
        folder.symlink_to(repository / CARRIED_FOLDER)
    else:
        shutil.copytree(repository / CARRIED_FOLDER, folder)
    assert is_own(folder) is not linked
    assert main(["search", "--path", str(repository), "deploy"]) == 1
    assert ("cannot choose" if linked else "--trust-remote-code") in capsys.readouterr().err and not marker.exists()


def test_the_person_consents_for_a_model_that_they_name(repository, marker, capsys):
    arguments = ["search", "--index", str(repository / CARRIED_FOLDER), "--model", str(repository / "model"), "deploy"]
    assert main(arguments) == 1
    assert not marker.exists(), "naming it is not trusting it"
    with pytest.raises(Exception):  # noqa: B017 - it is no usable model, but it was run
        CodeIndex.load(repository / CARRIED_FOLDER).use_model(repository / "model", trust_remote_code=True)
    assert marker.exists()


def test_consent_is_not_written_down(repository, tmp_path):
    index = CodeIndex.build(repository, model=DEFAULT_MODEL, trust_remote_code=True, progress=False)
    assert "trust" not in (index.folder / "manifest.json").read_text()


@pytest.mark.parametrize("model", [["a"], 3, {}])
def test_model_that_is_no_name(repository, model):
    forge(repository / CARRIED_FOLDER, model=model)
    with pytest.raises(ValueError, match="model must be a name"):
        CodeIndex.load(repository / CARRIED_FOLDER)


def test_only_the_kind_of_vectors_that_we_write_is_read(repository):
    vectors = np.zeros((2, 8), dtype=np.float32)
    other = faiss.IndexHNSWFlat(8, 4)
    other.add(vectors)
    faiss.write_index(other, str(repository / CARRIED_FOLDER / "g1" / "vectors.faiss"))
    with pytest.raises(ValueError, match="no flat index"):
        CodeIndex.load(repository / CARRIED_FOLDER)
