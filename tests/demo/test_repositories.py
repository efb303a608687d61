"""Uploaded archives: what is unpacked, what is refused, and that nothing is left."""

import stat
import zipfile
from pathlib import Path

import pytest

from codefuse_hf.demo import repositories
from codefuse_hf.demo.repositories import INCLUDED, OpenRepository, unpack
from helpers.processes import run_python


def archive(path: Path, members: dict[str, bytes], mode: int = 0, **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as opened:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            opened.writestr(info, content)
    return path


def test_files_are_unpacked_where_they_belong(tmp_path):
    members = {"pkg/a.py": b"def a(): pass\n", "pkg/sub/b.py": b"x = 1\n", "README.md": b"# hi\n"}
    unpack(archive(tmp_path / "a.zip", members, stat.S_IFREG | 0o755), tmp_path / "out")
    found = {
        x.relative_to(tmp_path / "out").as_posix(): x.read_bytes()
        for x in (tmp_path / "out").rglob("*.*")
        if x.is_file()
    }
    assert found == members
    assert not (tmp_path / "out/pkg/a.py").stat().st_mode & 0o111  # nothing becomes executable


@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/etc/evil", "C:\\evil", "..\\evil", "a/b/../../../e"]
)
def test_what_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="outside its folder"):
        unpack(archive(tmp_path / "a.zip", {"fine.py": b"", name: b"x"}), tmp_path / "deep" / "out")
    assert {x.name for x in tmp_path.rglob("*") if x.is_file()} <= {"a.zip", "fine.py"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="link or a device"):
        unpack(archive(tmp_path / "a.zip", {"passwd": b"/etc/passwd"}, kind | 0o777), tmp_path / "out")


def test_a_bomb_is_refused_while_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr(repositories, "MAX_UNPACKED", 2**20)
    bomb = archive(tmp_path / "a.zip", {f"{i}.py": bytes(2**19) for i in range(40)})
    assert bomb.stat().st_size < 2**16
    with pytest.raises(ValueError, match="unpacked, the archive has more than 1"):
        unpack(bomb, tmp_path / "out")
    assert sum(x.stat().st_size for x in (tmp_path / "out").rglob("*")) <= 2**20


def test_a_size_that_lies_is_found_out(tmp_path, monkeypatch):
    """The directory of the archive says 1 byte; what counts is what comes out."""
    monkeypatch.setattr(repositories, "MAX_UNPACKED", 2**18)
    data = bytearray(archive(tmp_path / "a.zip", {"a.py": bytes(2**20)}).read_bytes())
    real = (2**20).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data.replace(real, (1).to_bytes(4, "little")))
    with pytest.raises(ValueError):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sum(x.stat().st_size for x in (tmp_path / "out").rglob("*")) <= 2**18


def test_too_many_files_and_too_large_archives(tmp_path, monkeypatch):
    monkeypatch.setattr(repositories, "MAX_FILES", 3)
    with pytest.raises(ValueError, match="4 files"):
        unpack(archive(tmp_path / "a.zip", {f"{i}.py": b"" for i in range(4)}), tmp_path / "out")
    monkeypatch.setattr(repositories, "MAX_ARCHIVE", 50)
    with pytest.raises(ValueError, match="at most 50"):
        unpack(archive(tmp_path / "b.zip", {"a.py": b"x"}), tmp_path / "out2")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x03\x04 broken"],
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match="not a ZIP archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_names_that_clash_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(archive(tmp_path / "a.zip", {"a": b"file", "a/b.py": b"below a file"}), tmp_path / "out")


def test_a_damaged_member_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {"a.py": b"x = 1\n" * 50})
    data = bytearray(path.read_bytes())
    start = data.index(b"a.py") + 4
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        unpack(path, tmp_path / "out")


def test_nothing_is_left_of_a_refused_or_closed_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(repositories.tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(ValueError):
        OpenRepository(archive(tmp_path / "bad.zip", {"../x": b""}))
    assert list((tmp_path / "scratch").iterdir()) == []
    opened = OpenRepository(archive(tmp_path / "good.zip", {"a.py": b"def escape(text):\n    return text\n"}))
    assert opened.index.search("escape a text")[0].name.endswith("escape")
    assert "escape" in opened.page
    opened.close()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_nothing_is_left_when_the_process_ends(tmp_path):
    path = archive(tmp_path / "good.zip", {"a.py": b"x = 1\n"})
    (tmp_path / "scratch").mkdir()
    code = """
import sys
from pathlib import Path
from codefuse_hf.demo.repositories import OpenRepository
opened = OpenRepository(Path(sys.argv[1]))
result = (opened.folder / "a.py").read_text()
"""
    assert run_python(code, path, TMPDIR=str(tmp_path / "scratch")) == "x = 1\n"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_code_of_an_upload_is_never_run(tmp_path):
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    members = dict.fromkeys(["setup.py", "conftest.py", "__init__.py", "sitecustomize.py"], trap)
    opened = OpenRepository(archive(tmp_path / "a.zip", members))
    _ = opened.graph, opened.index, opened.page
    opened.close()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", INCLUDED)
def test_included_repositories_are_there(name):
    opened = OpenRepository(name)
    assert any(opened.folder.glob("*.py"))
    opened.close()
    assert any(opened.folder.glob("*.py"))  # what was not unpacked here is not deleted


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="included"):
        OpenRepository("os")
