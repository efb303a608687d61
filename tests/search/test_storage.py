"""An index on disk: what is refused, what a failing run leaves behind, and what happens while another run replaces it."""

import json
import threading

import numpy as np
import pytest

pytest.importorskip("faiss")

from codefuse_hf.search import CodeIndex, storage


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("def deploy(service):\n    return service\n")
    return root


@pytest.fixture
def index(repository, tmp_path):
    return CodeIndex.build(repository, folder=tmp_path / "index", progress=False)


def test_a_reader_goes_on_with_the_index_that_replaced_its_own(index, repository, monkeypatch):
    read, replaced = storage._read_generation, []

    def replaced_meanwhile(place, manifest):
        if not replaced:
            replaced.append(place.name)
            monkeypatch.setattr(storage, "_read_generation", read)
            CodeIndex.build(repository, folder=index.folder, progress=False)
        return read(place, manifest)

    monkeypatch.setattr(storage, "_read_generation", replaced_meanwhile)
    assert storage.read(index.folder).manifest["generation"] == "g2" and replaced == ["g1"]


def test_a_reader_gives_up_in_the_end(index, monkeypatch):
    tries = []

    def gone(place, manifest):
        tries.append(place.name)
        number = len(tries) + 1
        manifest = json.loads((index.folder / "manifest.json").read_text()) | {"generation": f"g{number}"}
        (index.folder / "manifest.json").write_text(json.dumps(manifest))
        raise FileNotFoundError(place)

    monkeypatch.setattr(storage, "_read_generation", gone)
    with pytest.raises(ValueError, match="make it again"):
        storage.read(index.folder)
    assert tries == ["g1", "g2", "g3", "g4", "g5"]


def test_a_run_that_cannot_write_leaves_the_index_as_it_was(index, repository, monkeypatch):
    def full(place, content):
        (place / "units.jsonl").touch()
        raise OSError("no space left on device")

    monkeypatch.setattr(storage, "_write_generation", full)
    with pytest.raises(OSError, match="no space"):
        CodeIndex.build(repository, folder=index.folder, progress=False)
    assert sorted(each.name for each in index.folder.iterdir()) == [".gitignore", "g1", "lock", "manifest.json"]
    assert len(CodeIndex.load(index.folder)) == len(index)


def test_a_run_waits_for_another(tmp_path, capsys):
    order = []

    def other():
        with storage.locked(tmp_path / "index"):
            order.append("second")

    thread = threading.Thread(target=other)
    with storage.locked(tmp_path / "index"):
        thread.start()
        while "waiting for it" not in (said := capsys.readouterr().err) and thread.is_alive():
            thread.join(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"] and str(tmp_path / "index") in said


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: place.touch(), "exists and is a file"),
        (lambda place: (place.mkdir(), (place / ".gitignore").write_text("*.pyc")), "is no code index"),
        (lambda place: (place.mkdir(), (place / "manifest.json").write_text("[]")), "is no code index"),
        (lambda place: (place.mkdir(), (place / "units.jsonl").touch()), r"holds 'units\.jsonl'"),
    ],
)
def test_a_place_that_is_somebody_elses(tmp_path, make, message):
    make(tmp_path / "place")
    with pytest.raises(ValueError, match=message), storage.locked(tmp_path / "place"):
        pass
    assert storage.own_entries(tmp_path) == ()


def test_what_belongs_to_an_index(index):
    assert sorted(storage.own_entries(index.folder)) == [".gitignore", "g1/", "lock", "manifest.json"]
    (index.folder / "words").mkdir()  # as in the first format, which this index is not of
    assert "words/" not in storage.own_entries(index.folder)


def test_the_mark_of_an_older_version_is_brought_up_to_date(index):
    mark = (index.folder / ".gitignore").read_text()
    (index.folder / ".gitignore").write_text(f"{storage.MARK}\n/g1/\n")
    with storage.locked(index.folder):
        assert (index.folder / ".gitignore").read_text() == mark
    changed = (index.folder / ".gitignore").stat().st_mtime_ns
    with storage.locked(index.folder):
        assert (index.folder / ".gitignore").stat().st_mtime_ns == changed, "it is written where it must be"


def test_blocks_come_back_and_damaged_ones_do_not(tmp_path):
    probe, vectors = np.ones(3, np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    storage.keep_block(tmp_path, ["b", "a"], vectors, probe)
    storage.keep_block(tmp_path, ["c", "d"], vectors[:1], probe)  # fewer vectors than hashes
    (tmp_path / "building" / "a.safetensors").write_bytes(b"half")
    ((found_probe, found),) = storage.kept_blocks(tmp_path)
    assert found_probe.tolist() == [1, 1, 1] and {name: x.tolist() for name, x in found.items()} == {
        "b": [0, 1, 2],
        "a": [3, 4, 5],
    }
    assert list(storage.kept_blocks(tmp_path / "absent")) == []


def test_an_index_elsewhere_is_compared_with_a_repository_that_is_named(index, repository):
    """One in the user's own cache knows its repository; of others that would be anybody's word."""
    own = CodeIndex.build(repository, progress=False)
    (repository / "a.py").unlink()
    for loaded, found in (
        (CodeIndex.load(index.folder), 2),
        (CodeIndex.load(index.folder, repository), 0),
        (CodeIndex.load(own.folder), 0),
    ):
        for _ in range(2):
            assert len(loaded.search("deploy")) == found and loaded.left_out == 2 - found
