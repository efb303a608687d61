"""Reading and writing files of repositories that are somebody else's."""

import os

import pytest

from codefuse_hf.repair.edits import EditError
from codefuse_hf.repair.repository import Repository
from helpers.faulty_repository import FILES, git, make_repository

MONEY = "shop/money.py"


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "shop")


def test_a_revision_is_read_without_its_folder(root):
    (root / MONEY).write_text("changed")
    with Repository(root, revision="HEAD") as old, Repository(root) as new:
        assert old.read(MONEY) == FILES[MONEY] and new.read(MONEY) == "changed"
        assert old.read("shop/none.py") is None and new.read("shop/none.py") is None
        assert {node.name for node in old.graph.nodes("File")} >= {"money.py", "cart.py"}


@pytest.mark.parametrize("revision", [None, "HEAD"])
@pytest.mark.parametrize("path", ["link.py", "linked/file.py", "shop", "binary.py", "latin.py"])
def test_what_cannot_be_edited_is_named(root, tmp_path, revision, path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file.py").write_text("secret = 1\n")
    (root / "link.py").symlink_to(tmp_path / "outside/file.py")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "binary.py").write_bytes(b"a = 1\n\0\1\2")
    (root / "latin.py").write_bytes(b"name = 'caf\xe9'\n")
    git(root, "add", "-A")
    git(root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "more")
    with Repository(root, revision=revision) as repository, pytest.raises(EditError, match=path):
        repository.read(path)


def test_what_git_ignores_is_not_overwritten(root):
    (root / ".gitignore").write_text("secrets.py\n")
    (root / "secrets.py").write_text("key = 1\n")
    with Repository(root) as repository, pytest.raises(EditError, match="git ignores"):
        repository.read("secrets.py")


def test_writing_keeps_the_mode_and_makes_folders(root):
    (root / MONEY).chmod(0o755)
    with Repository(root) as repository:
        repository.write({MONEY: "x = 'é'\r\n", "new/file.py": "y = 1\n"})
    assert (root / MONEY).read_bytes() == "x = 'é'\r\n".encode() and (root / "new/file.py").read_text() == "y = 1\n"
    assert os.stat(root / MONEY).st_mode & 0o777 == 0o755


def test_a_folder_with_changes_is_left_alone(root):
    (root / "README.md").write_text("mine")
    with Repository(root) as repository:
        with pytest.raises(ValueError, match=r"not committed \(README.md\)"):
            repository.write({MONEY: "x = 1\n"})
        assert (root / MONEY).read_text() == FILES[MONEY]
        repository.write({MONEY: "x = 1\n"}, force=True)
    assert (root / MONEY).read_text() == "x = 1\n"


def test_a_folder_without_git_is_left_alone(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    with Repository(tmp_path) as repository, pytest.raises(ValueError, match="no git repository"):
        repository.write({"a.py": "x = 2\n"})


def test_a_revision_is_not_written(root):
    with Repository(root, revision="HEAD") as repository, pytest.raises(ValueError, match="for revision HEAD"):
        repository.write({MONEY: "x = 1\n"})


def test_line_ends_of_windows_are_no_change(root):
    (root / MONEY).write_bytes(FILES[MONEY].replace("\n", "\r\n").encode())
    with Repository(root) as repository:
        assert repository.changed_files() == []


def test_a_repository_s_own_filters_do_not_run(root, tmp_path):
    """They would run in `git status` and `git apply`."""
    trace = tmp_path / "ran"
    git(root, "config", "filter.evil.clean", f"touch {trace}; cat")
    git(root, "config", "filter.evil.smudge", f"touch {trace}; cat")
    git(root, "config", "core.fsmonitor", f"touch {trace}")
    (root / ".git/info/attributes").write_text("* filter=evil\n")
    (root / MONEY).touch()
    with Repository(root) as repository:
        assert repository.changed_files() == []
        repository.write({MONEY: "x = 1\n"})
    with Repository(root, revision="HEAD") as repository:
        assert repository.read(MONEY) == FILES[MONEY]
    assert not trace.exists()


@pytest.mark.parametrize("path", ["linked/new.py", "link.py", "../x.py", ".git/config", "/etc/x"])
def test_nothing_is_written_outside(root, tmp_path, path):
    (tmp_path / "outside").mkdir()
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "link.py").symlink_to(tmp_path / "outside/new.py")
    with Repository(root) as repository, pytest.raises(EditError):
        repository.write({MONEY: "x = 1\n", path: "y = 1\n"}, force=True)
    assert (root / MONEY).read_text() == FILES[MONEY] and not list((tmp_path / "outside").iterdir())
