"""Loaders of the standard code-search formats, on small files in those formats."""

import gzip
import json

import pytest

from codefuse_hf.training.retrieval_sets import RetrievalSet, load_advtest, load_codesearchnet, load_coir, load_cosqa


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_codesearchnet(tmp_path):
    row = {"docstring": "Add two numbers.", "code": "def add(a, b): ...", "url": "u1", "partition": "test"}
    write_lines(tmp_path / "python" / "test_0.jsonl.gz", [row])
    write_lines(tmp_path / "python" / "train_0.jsonl", [{**row, "url": "u2", "partition": "train"}])
    found = load_codesearchnet(tmp_path, partition="test")
    assert found == RetrievalSet({"u1": "Add two numbers."}, {"u1": "def add(a, b): ..."}, {"u1": {"u1": 1.0}})
    assert len(load_codesearchnet(tmp_path).queries) == 2
    assert found.pairs() == [("Add two numbers.", "def add(a, b): ...")]


def test_advtest(tmp_path):
    row = {"docstring_tokens": ["Add", "numbers"], "code_tokens": ["def", "Func", "(", ")"], "idx": 7}
    write_lines(tmp_path / "test.jsonl", [row])
    assert load_advtest(tmp_path) == RetrievalSet({"7": "Add numbers"}, {"7": "def Func ( )"}, {"7": {"7": 1.0}})


def test_cosqa(tmp_path):
    rows = [
        {"idx": "cosqa-0", "doc": "python add", "code": "A", "retrieval_idx": 5, "label": 1},
        {"idx": "cosqa-1", "doc": "python sub", "code": "B", "retrieval_idx": 6, "label": 0},
    ]
    (tmp_path / "test.json").write_text(json.dumps(rows))
    (tmp_path / "code_idx_map.txt").write_text(json.dumps({"A": 5, "B": 6, "C": 7}))
    found = load_cosqa(tmp_path / "test.json", tmp_path / "code_idx_map.txt")
    assert (found.corpus, found.relevant) == ({"5": "A", "6": "B", "7": "C"}, {"cosqa-0": {"5": 1.0}})
    assert load_cosqa(tmp_path / "test.json").corpus == {"5": "A", "6": "B"}


def test_coir(tmp_path):
    write_lines(tmp_path / "corpus.jsonl", [{"_id": "d1", "text": "x", "title": "t"}, {"_id": "d2", "text": "y"}])
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "find x"}, {"_id": "q2", "text": "unused"}])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n")
    assert load_coir(tmp_path) == RetrievalSet({"q1": "find x"}, {"d1": "t\nx", "d2": "y"}, {"q1": {"d1": 2.0}})


def test_evaluator_is_sentence_transformers_own():
    pytest.importorskip("sentence_transformers")
    evaluator = RetrievalSet({"q": "a"}, {"d": "b"}, {"q": {"d": 1.0}}).evaluator(name="toy")
    assert type(evaluator).__name__ == "InformationRetrievalEvaluator" and evaluator.queries == ["a"]


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \.jsonl"):
        load_codesearchnet(tmp_path)
    (tmp_path / "a.jsonl").write_text("{broken\n")
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1: not JSON"):
        load_codesearchnet(tmp_path)
    write_lines(tmp_path / "a.jsonl", [{"code": "x"}])
    with pytest.raises(ValueError, match="row 0: expected one of the keys docstring_tokens, docstring"):
        load_codesearchnet(tmp_path)
    (tmp_path / "cosqa.json").write_text("{}")
    with pytest.raises(ValueError, match="must hold a list"):
        load_cosqa(tmp_path / "cosqa.json")
    with pytest.raises(ValueError, match="document 'zz'"):
        RetrievalSet({"q": "a"}, {"d": "b"}, {"q": {"zz": 1.0}})
