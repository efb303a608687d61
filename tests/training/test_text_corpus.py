"""Reading text files and cutting tokens into blocks."""

import pytest
import torch

from codefuse_hf.training.text_corpus import BlockDataset, batches_of_texts, find_files, read_texts


@pytest.fixture
def tree(tmp_path):
    for name in ("a.py", "b.txt", "skip/c.py", "sub/d.py", ".hidden/e.py", ".f.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def test_files_by_suffix_without_hidden_and_skipped_folders(tree):
    found = [str(path.relative_to(tree)) for path in find_files([tree], ".py", ["skip"])]
    assert found == ["a.py", "sub/d.py"]


def test_a_file_that_is_named_is_taken_whatever_its_suffix(tree):
    assert find_files([tree / "b.txt"], ".py") == [tree / "b.txt"]


def test_a_missing_path_is_an_error(tree):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_files([tree / "nowhere"])


def test_what_is_not_text_is_passed_over(tmp_path):
    contents = {"good": "käse".encode(), "latin": b"k\xe4se", "binary": b"a\0b", "blank": b" \n"}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    texts, skipped = read_texts(find_files([tmp_path]), max_bytes=1000)
    assert (texts, skipped) == (["käse"], 2)


def test_reading_stops_at_the_limit(tmp_path):
    for i in range(10):
        (tmp_path / f"{i}").write_text("x" * 100)
    texts, _ = read_texts(find_files([tmp_path]), max_bytes=250)
    assert len(texts) == 3


def test_order_depends_on_the_seed_alone(tmp_path):
    for i in range(20):
        (tmp_path / f"{i}").write_text(str(i))
    files = find_files([tmp_path])
    assert read_texts(files, 1000, seed=1) == read_texts(files, 1000, seed=1)
    assert read_texts(files, 1000, seed=1) != read_texts(files, 1000, seed=2)


def test_batches_hold_every_text_once():
    texts = [str(i) for i in range(10)]
    batches = list(batches_of_texts(texts, 4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [text for batch in batches for text in batch] == texts


def test_blocks_are_consecutive_and_whole():
    dataset = BlockDataset(torch.arange(11, dtype=torch.int32), 4)
    assert len(dataset) == 2
    assert dataset[1]["input_ids"].tolist() == [4, 5, 6, 7]
    assert dataset[1]["labels"].tolist() == [4, 5, 6, 7]
    assert dataset[1]["input_ids"].dtype == torch.long


def test_too_few_tokens_for_a_block():
    with pytest.raises(ValueError, match="give more text"):
        BlockDataset(torch.arange(3), 4)
