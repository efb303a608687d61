"""The folder of a Space goes to the Hub as a Space."""

import shutil

import pytest
from huggingface_hub import HfApi

from codefuse_hf.cli import main
from codefuse_hf.hub.push_space import push_space, space_sdk
from helpers import TESTS

SPACE = TESTS.parent / "examples" / "space"


def test_the_folder_of_the_space_is_pushed_whole(client, tmp_path, capsys):
    folder = shutil.copytree(SPACE, tmp_path / "space")
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "app.pyc").write_bytes(b"x")
    (folder / ".env").write_text("SECRET=1")
    assert main(["push", str(folder), "user/demo"]) == 0
    assert "pushed: " in capsys.readouterr().out
    files = set(HfApi(endpoint=client.url).list_repo_files("user/demo", repo_type="space"))
    assert files - {".gitattributes"} == {"app.py", "requirements.txt", "README.md"}


def test_a_model_folder_is_none(tmp_path):
    assert space_sdk(SPACE) == "gradio"
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# model\n")
    assert space_sdk(tmp_path) is None and space_sdk(tmp_path / "nowhere") is None
    with pytest.raises(ValueError, match="not the folder of a Space"):
        push_space(tmp_path, "user/x")


def test_a_space_without_its_app_is_refused(tmp_path):
    shutil.copy(SPACE / "README.md", tmp_path)
    with pytest.raises(ValueError, match=r"app\.py"):
        push_space(tmp_path, "user/x")


@pytest.mark.parametrize(
    ("front", "files", "message"),
    [
        ("sdk: streamlit", ["main.py"], r"names the app 'app\.py', which is not there"),
        ("sdk: streamlit\napp_file: main.py", ["main.py"], "no token"),
        ("sdk: gradio\napp_file: main.py", ["app.py"], r"names the app 'main\.py', which is not there"),
        ("sdk: docker", [], "no token"),
        ("sdk: [", ["app.py"], "not the folder of a Space"),
    ],
)
def test_what_a_space_needs(client, monkeypatch, tmp_path, front, files, message):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n# Demo\n")
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises((ValueError, PermissionError), match=message):
        push_space(tmp_path, "user/x")


def test_without_a_token_it_says_so(client, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PermissionError, match="hf auth login"):
        push_space(SPACE, "user/x")
