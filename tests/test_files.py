"""Files and folders that appear whole or not at all; sizes in words."""

import errno
import os
import stat

import pytest

from codefuse_hf.files import readable_size, replacing, replacing_folder


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_file_appears_when_it_is_complete(tmp_path, umask):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path, "w", encoding="utf-8") as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # that of any new file
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_file_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
@pytest.mark.parametrize("place", [replacing, replacing_folder])
def test_a_full_disk_is_told_with_what_was_being_written(tmp_path, place, error):
    path = tmp_path / "result"
    with pytest.raises(OSError, match="No space left on device to write") as raised, place(path):
        raise error
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(path)
    assert not any(tmp_path.iterdir())


def test_other_errors_stay_as_they_are(tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "result"):
        missing.read_bytes()
    assert raised.value.filename == str(missing)
    with pytest.raises(RuntimeError, match="unrelated"), replacing(tmp_path / "result"):
        raise RuntimeError("unrelated")


def test_a_folder_takes_the_place_of_an_empty_one(tmp_path, umask):
    path = tmp_path / "parent" / "folder"
    path.mkdir(parents=True)
    with replacing_folder(path) as partial:
        (partial / "file").write_text("text")
        assert not any(path.iterdir())
    assert [entry.name for entry in path.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert [entry.name for entry in path.parent.iterdir()] == ["folder"]


def test_no_folder_takes_the_place_of_a_mounted_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_mount", lambda path: path == tmp_path)
    with pytest.raises(OSError, match="name a new folder in it"), replacing_folder(tmp_path):
        raise AssertionError("too late")
    with replacing_folder(tmp_path / "folder"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_folder_replaces_no_files(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(OSError), replacing_folder(path):
        path.mkdir()
        (path / "precious").write_text("text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    assert (path / "precious").read_text() == "text"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5,120.0 GiB")],
)
def test_sizes_for_people(number, text):
    assert readable_size(number) == text
