"""What is downloaded of a published repository: its data, and weights in one format."""

import pytest
from huggingface_hub import HfApi, constants

from codefuse_hf.hub.download import fetch_repository


@pytest.fixture
def publish(client, monkeypatch, tmp_path):
    """Puts files of these names, each with its name in it, into a repository."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def put(repo_id, *names):
        for name in names:
            (tmp_path / repo_id / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / repo_id / name).write_text(name)
        api = HfApi(endpoint=client.url)
        api.create_repo(repo_id)
        api.upload_folder(repo_id=repo_id, folder_path=tmp_path / repo_id)

    return put


def fetched(repo_id):
    folder = fetch_repository(repo_id)
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert all(path.read_text() == name for name, path in paths.items())
    return paths.keys() - {".gitattributes"}


def test_weights_are_fetched_in_safetensors_alone_where_there_are_both(publish):
    publish("user/both", "config.json", "model.safetensors", "pytorch_model.bin", "encoder/pytorch_model.bin", "a.py")
    assert fetched("user/both") == {"config.json", "model.safetensors", "encoder/pytorch_model.bin"}


def test_other_formats_are_fetched_where_the_folder_itself_has_no_safetensors(publish):
    publish("user/old", "config.json", "pytorch_model.bin", "adapter.pth", "encoder/model.safetensors", "x.onnx")
    assert fetched("user/old") == {"config.json", "pytorch_model.bin", "adapter.pth", "encoder/model.safetensors"}


def test_what_belongs_to_a_model_is_fetched_and_nothing_else(publish):
    data = {"README.md", "LICENSE", "LICENCE.txt", "NOTICE", "vocab.txt", "spiece.model", "chat_template.jinja"}
    publish("user/texts", *data, "train.sh", "x.py", "x.msgpack", "x.h5")
    assert fetched("user/texts") == data


def test_graphs_and_their_weights_are_fetched_where_a_manifest_names_them(publish):
    graphs = {"model.onnx", "model.onnx.data", "openvino_model.xml", "openvino_model.bin", "model.pte"}
    publish("user/exported", "export.json", "config.json", *graphs, "x.py")
    assert fetched("user/exported") == {"export.json", "config.json", *graphs}


def test_a_folder_is_taken_as_it_is_and_has_no_revisions(tmp_path):
    assert fetch_repository(str(tmp_path)) == tmp_path
    with pytest.raises(ValueError, match="has no revisions: leave out --revision"):
        fetch_repository(str(tmp_path), "main")


@pytest.mark.parametrize("source", ["absent", "a/b/c", "/absent/folder", "../up", "a b/c", "-a/b", "a/.b", "user/"])
def test_what_is_neither_a_folder_nor_a_repo_id_is_refused(source):
    with pytest.raises(FileNotFoundError, match="neither a folder nor a repo id"):
        fetch_repository(source)
