"""Repositories as they are found: names and contents that nobody expects."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("faiss")

from codefuse_hf.cli import main
from codefuse_hf.graph.build import sources
from codefuse_hf.search import DEFAULT_MODEL, CodeIndex

FUNCTION = "def {name}(x):\n    y = x\n    return y\n"


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "my repo – 'ünï' $HOME" / "[x] y"
    root.mkdir(parents=True)
    (root / "--dash.py").write_text(FUNCTION.format(name="paint_the_wall"))
    (root / "new\nline.py").write_text(FUNCTION.format(name="open_the_door"))
    (root / "münchen.py").write_text(FUNCTION.format(name="grüße_senden"))
    (root / "latin1.py").write_bytes("def wash(x):\n    # réessayer\n    return 'é'\n".encode("latin-1"))
    (root / "bom.py").write_bytes(b"\xef\xbb\xbf" + FUNCTION.format(name="close_the_window").encode())
    (root / "null.py").write_bytes(b"def f():\n    return 1\x00\n")
    (root / "long.js").write_text("function a() {" + "b();" * 20_000 + "}")
    (root / "empty.py").write_text("")
    for name, target in {"loop": ".", "up": "../..", "nowhere": "gone", "outside.py": "/etc/hostname"}.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.py")
    return root


def test_odd_files_are_indexed_and_found(repository):
    index = CodeIndex.build(repository, model=DEFAULT_MODEL, progress=False)
    paths = {unit["path"] for unit in index.units}
    assert {"--dash.py", "new\nline.py", "münchen.py", "latin1.py", "bom.py", "long.js"} <= paths
    assert not any(path.startswith(("loop", "up", "outside", "pipe")) for path in paths)
    for question, name in (("paint the wall", "paint_the_wall"), ("close a window", "close_the_window")):
        assert index.search(question)[0].name == name
    assert index.search("réessayer 日本語 \ud800 🙂"), "any text can be asked"


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_what_cannot_be_read_is_told(tmp_path, capsys, monkeypatch):
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text(FUNCTION.format(name="paint_the_wall"))
    (root / "secret.py").write_text(FUNCTION.format(name="open_the_door"))
    with (root / "large.py").open("wb") as file:
        file.truncate(sources.DEFAULT_MAX_FILE_SIZE + 1)
    read = sources.SourceReader.read

    def deny(self, path, limit):
        if path == "secret.py":
            raise PermissionError(13, "Permission denied")
        return read(self, path, limit)

    monkeypatch.setattr(sources.SourceReader, "read", deny)
    assert main(["index", "--words-only", str(root)]) == 0
    said = capsys.readouterr().err
    assert "note: unreadable: 1 (such as secret.py: skipped: Permission denied)" in said
    assert "note: too-large: 1 (such as large.py: " in said
    assert main(["index", "--words-only", "--exclude", "large.py", "--json", str(root)]) == 0
    assert list(json.loads(capsys.readouterr().out)["problems"]) == ["unreadable"]


def test_a_name_that_is_not_utf_8(repository, tmp_path):
    with open(os.fsencode(repository) + b"/bad\xff.py", "w") as file:
        file.write(FUNCTION.format(name="deploy_the_service"))
    index = CodeIndex.build(repository, model=DEFAULT_MODEL, folder=tmp_path / "index", progress=False)
    assert index.search("deploy the service")[0].path == "bad\udcff.py"
    command = [
        sys.executable,
        "-m",
        "codefuse_hf.cli",
        "search",
        "deploy the service",
        "--kinds",
        "function",
        "-k",
        "1",
    ]
    command += ["--index", tmp_path / "index", "--path", repository, "--mode", "words"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert shown.startswith(b"bad\xff.py\n"), "the name as it is on the disk"
    as_json = subprocess.run([*command, "--json"], capture_output=True, check=True).stdout
    assert json.loads(as_json)[0]["path"] == "bad\udcff.py"


def test_the_command_to_run_can_be_pasted(repository, capsys):
    assert main(["search", "door", "--path", str(repository)]) == 1
    quoted = str(repository).replace("'", "'\"'\"'")
    assert f"`codefuse-hf index '{quoted}'`" in capsys.readouterr().err


def test_an_index_that_cannot_be_written(repository, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["index", str(repository), "--words-only", "--index", str(tmp_path / "file" / "index")]) == 1
    assert "codefuse-hf index: " in capsys.readouterr().err
