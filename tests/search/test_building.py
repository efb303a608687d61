"""What an index is made of: the words of units and files, vectors in blocks, the state of each file."""

import pytest

pytest.importorskip("faiss")

from codefuse_hf.search import CodeIndex, building
from codefuse_hf.search.building import words_of
from codefuse_hf.search.freshness import Freshness
from codefuse_hf.search.units import Unit, units_of_file
from helpers.search_models import BagOfWords


def test_a_units_name_counts_thrice_its_path_and_comment_once():
    unit = Unit("function", "Door.open_it", "house/gate.py", 1, 2, "knob knob " + 30 * "bell ", "Turns the knob.")
    assert words_of(unit) == {
        "knob": 3, "bell": 20, "door": 3, "open": 3, "=open_it": 3, "hous": 1, "gate": 1, "turn": 1,
    }  # fmt: skip


def test_a_files_path_is_in_its_text_already():
    (unit, *_) = units_of_file("house/gate.txt", b"knob")
    assert words_of(unit) == {"hous": 1, "gate": 4, "txt": 4, "knob": 1}  # its name is gate.txt


def test_words_of_files_are_those_of_their_units_and_their_path_five_times(tmp_path):
    (tmp_path / "gate.py").write_text("def knob():\n    return bell\n")
    (tmp_path / "wall.py").write_text("def brick():\n    return stone\n")
    index = CodeIndex.build(tmp_path, progress=False)
    # In the file and in the function, and as part of the path: the text of a file begins with it.
    expected = {"gate": 6, "knob": 2, "bell": 2}
    found = index._file_words
    for word in ("gate", "knob", "bell"):
        assert found.score({word: 1.0})[0] > 0 == found.score({word: 1.0})[1]
    reference = building.WordIndex.build([expected, {"wall": 6, "brick": 2, "stone": 2}])
    for word in expected:
        assert found.score({word: 1.0}) == pytest.approx(reference.score({word: 1.0}))


def test_vectors_are_made_in_blocks_and_equal_contents_once(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_BLOCK", 3)
    for i in range(4):
        (tmp_path / f"a{i}.py").write_text("def same():\n    return 1\n")
    model, sizes = BagOfWords(), []
    encode = model.encode_document

    def counted(texts, **options):
        sizes.append(len(texts))
        return encode(texts, **options)

    model.encode_document = counted
    index = CodeIndex.build(tmp_path, model=model, folder=tmp_path.parent / "index", progress=False)
    assert sizes == [1, 3, 2] and index.manifest["embedded_now"] == 5  # a probe; four files and one function
    assert not (index.folder / "building").exists()


def test_a_file_that_vanishes_while_its_index_is_made_is_found_when_it_comes_back(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def f():\n    return 1\n")
    text, model = file.read_text(), BagOfWords()
    encode = model.encode_document

    def encode_and_remove(texts, **options):
        file.unlink(missing_ok=True)
        return encode(texts, **options)

    model.encode_document = encode_and_remove
    index = CodeIndex.build(
        tmp_path, model=model, folder=tmp_path.parent / "index", kinds=("function",), progress=False
    )
    assert index._files == {"a.py": [0, 0, ""]}
    assert Freshness(tmp_path, index._files).now(index.units[0]) is None
    file.write_text("#\n" + text)
    assert Freshness(tmp_path, index._files).now(index.units[0])["line"] == 2


@pytest.fixture
def twice(tmp_path):
    """A file with the same function twice, and what an index knows of it."""
    file = tmp_path / "a.py"
    file.write_text("def f():\n    return 1\n\n\ndef g():\n    return 2\n\n\ndef f():\n    return 1\n")
    index = CodeIndex.build(tmp_path, folder=tmp_path.parent / "index", kinds=("function",), progress=False)
    return file, index


def test_each_of_two_equal_functions_is_found_where_it_is_now(twice):
    file, index = twice
    file.write_text("#\n" + file.read_text())
    freshness = Freshness(file.parent, index._files)
    assert [freshness.now(unit)["line"] for unit in index.units] == [2, 6, 10]
    assert [freshness.now(unit)["end_line"] for unit in index.units] == [3, 7, 11]


def test_what_stands_under_another_name_has_that_name(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("class A:\n    def f(self):\n        return 1\n")
    index = CodeIndex.build(tmp_path, folder=tmp_path.parent / "index", kinds=("function",), progress=False)
    file.write_text(file.read_text().replace("A", "House"))
    assert Freshness(tmp_path, index._files).now(index.units[0])["name"] == "House.f"


def test_what_cannot_be_read_any_more_is_gone(twice):
    file, index = twice
    for change in (file.unlink, file.mkdir, file.rmdir, lambda: file.write_bytes(b"\0" * 100)):
        change()
        assert Freshness(file.parent, index._files).now(index.units[0]) is None
    assert Freshness(file.parent, {}).now(index.units[0]) is None
