"""Where an index lies: it hides nothing, is no part of the repository, and is safe with two runs at once."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("faiss")

from codefuse_hf.search import CodeIndex, storage
from codefuse_hf.search.places import default_folder, find_index
from helpers.search_models import BagOfWords


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("def deploy(service):\n    return service\n")
    (root / "b.py").write_text("def wait():\n    pass\n")
    return root


def paths(index):
    return {unit["path"] for unit in index.units}


@pytest.mark.parametrize("place", [None, ".codefuse-index", "deep/index"])
def test_the_index_is_not_indexed(repository, place):
    folder = None if place is None else repository / place
    first = CodeIndex.build(repository, folder=folder, progress=False)
    if place is not None:
        (repository / place / "building").mkdir()
        (repository / place / "building" / "left.json").write_text("left behind")
    assert len(CodeIndex.build(repository, folder=folder, progress=False)) == len(first)
    if place is None:
        assert not (repository / ".codefuse-index").exists(), "it is in the user's cache"


def test_an_index_of_the_same_name_hides_no_sources(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index = CodeIndex.build(repository, folder="src", progress=False)  # beside the repository
    assert paths(index) == {"src/a.py", "b.py"}
    with pytest.raises(ValueError, match=r"holds 'a\.py'"):
        CodeIndex.build(repository, folder=repository / "src", progress=False)
    (repository / "src" / "manifest.json").write_text('{"name": "an extension of a browser"}')
    with pytest.raises(ValueError, match=r"holds 'a\.py'"):
        CodeIndex.build(repository, folder=repository / "src", progress=False)
    assert (repository / "src" / "a.py").exists()


def test_sources_that_came_to_an_index_are_neither_hidden_nor_removed(repository):
    folder = repository / "lib"
    subprocess.run(["git", "init", "-q", repository], check=True)
    CodeIndex.build(repository, folder=folder, progress=False)
    (folder / "new.py").write_text("def added():\n    pass\n")
    status = subprocess.run(
        ["git", "-C", repository, "status", "-uall", "--porcelain"], check=True, capture_output=True, text=True
    )
    assert [line for line in status.stdout.splitlines() if "lib" in line] == ["?? lib/new.py"]
    with pytest.raises(ValueError, match=r"holds 'new\.py'"):
        CodeIndex.build(repository, folder=folder, progress=False)
    assert (folder / "new.py").exists()


def test_git_does_not_see_it(repository):
    subprocess.run(["git", "init", "-q", repository], check=True)
    CodeIndex.build(repository, folder=repository / "search-index", progress=False)
    status = subprocess.run(
        ["git", "-C", repository, "status", "--porcelain"], check=True, capture_output=True, text=True
    )
    assert "search-index" not in status.stdout


def test_an_index_of_the_first_format_is_replaced(repository, tmp_path):
    folder = tmp_path / "index"
    (folder / "words").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"format": "codefuse-hf code index, version 1", "model": None}))
    (folder / "units.jsonl").write_text("")
    with pytest.raises(ValueError, match="make it again"):
        CodeIndex.load(folder)
    CodeIndex.build(repository, folder=folder, progress=False)
    assert {each.name for each in folder.iterdir()} <= {".gitignore", "manifest.json", "lock", "g1"}


def test_a_killed_run_leaves_the_index_as_it_was(repository):
    folder = CodeIndex.build(repository, progress=False).folder
    (folder / "g2").mkdir()
    (folder / "g2" / "units.jsonl").write_text("half a li")
    assert len(CodeIndex.load(folder)) > 0
    index = CodeIndex.build(repository, progress=False)
    assert index.manifest["generation"] == "g3" and not (folder / "g2").exists() and not (folder / "g1").exists()


@contextmanager
def watched(look):
    """Looks again and again while the block runs, in a thread of its own; what it finds wrong, or never looking, is a failure."""
    done, problems, looks = threading.Event(), [], 0

    def watch() -> None:
        nonlocal looks
        while not done.is_set():
            looks += 1
            try:
                look()
            except ValueError as error:
                problems.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert looks and not problems


def test_two_runs_at_once(repository):
    """Both end well, whichever is first; who reads meanwhile finds a whole index."""
    folder = CodeIndex.build(repository, model=BagOfWords(), progress=False).folder
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from helpers.search_models import BagOfWords\nfrom codefuse_hf.search import CodeIndex\n"
        "for _ in range(3): CodeIndex.build(sys.argv[1], model=BagOfWords(), progress=False)"
    )
    command = [sys.executable, "-c", code, str(repository), str(Path(__file__).parents[1])]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    with watched(lambda: CodeIndex.load(folder)):
        errors = [run.communicate(timeout=250)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert len(CodeIndex.load(folder)) == 4


def test_an_index_that_another_run_has_just_begun_is_no_foreign_folder(tmp_path):
    """The lock comes before the mark, and the mark is written beside its place."""
    for name in ("lock", "..gitignore.0123abcd.partial"):
        (tmp_path / name).touch()
        storage.check_place(tmp_path)
    with storage.locked(tmp_path):
        assert storage.is_index(tmp_path)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ValueError, match=r"holds 'thesis\.txt'"):
        storage.check_place(tmp_path)


def test_the_mark_is_whole_whenever_somebody_looks(tmp_path):
    with watched(lambda: storage.check_place(tmp_path)):
        for _ in range(300):
            with storage.locked(tmp_path):
                pass


def test_the_name_of_an_index_begins_with_that_of_its_folder(tmp_path):
    for length in (79, 80, 120):
        name, _, digest = default_folder(tmp_path / ("x" * length)).name.rpartition("-")
        assert name == "x" * min(length, 80) and len(digest) == 16
    assert default_folder(tmp_path / "a" / "x") != default_folder(tmp_path / "b" / "x")


def test_the_index_of_a_folder_above(repository):
    assert find_index(repository / "src") is None
    CodeIndex.build(repository, progress=False)
    assert find_index(repository / "src") == (default_folder(repository), repository.resolve())
