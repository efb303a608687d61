"""Records for CGM: questions, reconstruction, issues with noise, in and out of `datasets`."""

import json
import random
from collections import Counter

import datasets
import pytest

from codefuse_hf.graph import CodeGraph, build_code_graph
from codefuse_hf.training.cgm_issues import FileNoise, issue_record
from codefuse_hf.training.cgm_questions import TASKS, relation_questions
from codefuse_hf.training.cgm_reconstruction import reconstruction_records
from codefuse_hf.training.cgm_records import FEATURES, make_record, records_dataset
from helpers.corpus_cgm import RECIPE, write_repository


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return build_code_graph(
        write_repository(tmp_path_factory.mktemp("repository"), modules=8), workers=0, progress=False
    )


@pytest.fixture(scope="module")
def questions(graph):
    return list(relation_questions(graph, 6, num_options=3, num_nodes=(9, 14), repository="shop"))


def ends(record, edge_types):
    """The pairs of names that a record's graph joins."""
    graph = CodeGraph.from_json(record["graph"])
    name = {node.id: node.file_path if node.type == "File" else node.name for node in graph.nodes()}
    return {(name[source], name[target]) for _, source, target in graph.edges(*edge_types)}


def related(record):
    """Which options stand in the relation asked for, by the record's own graph."""
    subject = record["prompt"].split("`")[1]
    calls, found = ends(record, ("calls",)), set()
    if record["task"] == "calls":
        found = {target for source, target in calls if source == subject}
    elif record["task"] == "callers":
        found = {source for source, target in calls if target == subject}
    elif record["task"] == "calls_of_calls":
        near = {target for source, target in calls if source == subject}
        found = {target for source, target in calls if source in near}
    else:
        bases = {target for source, target in ends(record, ("extends",)) if source == subject}
        found = {source for source, target in ends(record, ("contains",)) if target in bases}
    return found & set(record["options"])


def test_questions_have_one_right_answer_and_it_is_in_the_edges(questions):
    assert set(Counter(record["task"] for record in questions)) == set(TASKS)
    for record in questions:
        right = record["options"]["ABC".index(record["answer"].strip())]
        assert related(record) == {right}, record["prompt"]
        assert f"{record['answer'].strip()}. {right}\n" in record["prompt"]
        nodes = json.loads(record["graph"])["nodes"]
        assert 9 <= len(nodes) <= 14


def test_questions_show_names_and_no_source(graph, questions):
    sources = [node.text for node in graph.nodes("Function")]
    for record in questions:
        sentences = " ".join(CodeGraph.from_json(record["graph"]).sentences())
        assert not any(source in sentences for source in sources) and "return" not in sentences
        nodes = CodeGraph.from_json(record["graph"]).nodes()
        names = [node.file_path if node.type == "File" else node.name for node in nodes]
        assert len(names) == len(set(names))


def test_wrong_options_look_like_the_right_one(questions):
    """Each is at the end of an edge of the same kind, so that having one tells nothing."""
    for record in questions:
        if record["task"] == "calls":
            assert set(record["options"]) <= {target for _, target in ends(record, ("calls",))}
        if record["task"] == "callers":
            assert set(record["options"]) <= {source for source, _ in ends(record, ("calls",))}


def test_questions_are_the_same_again_and_others_with_another_seed(graph, questions):
    settings = {"num_options": 3, "num_nodes": (9, 14), "repository": "shop"}
    assert list(relation_questions(graph, 6, **settings)) == questions
    assert list(relation_questions(graph, 6, seed=1, **settings)) != questions


def test_questions_refuse_what_cannot_be_asked(graph):
    with pytest.raises(ValueError, match="unknown task 'reads'"):
        next(relation_questions(graph, 1, tasks=["reads"]))
    with pytest.raises(ValueError, match="at least 12 nodes for 4 options"):
        next(relation_questions(graph, 1, num_nodes=(8, 10)))
    with pytest.raises(ValueError, match="num_options"):
        next(relation_questions(graph, 1, num_options=1))
    assert not list(relation_questions(CodeGraph.from_records([]), 3))


def test_a_reconstruction_is_the_code_of_its_graph(graph):
    records = list(reconstruction_records(graph, 20, max_nodes=6, max_characters=400, repository="shop"))
    assert len(records) == 20 == len({record["answer"] for record in records})
    for record in records:
        part = CodeGraph.from_json(record["graph"])
        shown = {node.id for node in part.nodes() if node.text or node.clean_text}
        assert 1 <= len(shown) <= 6 and len(record["answer"]) <= 400 + 6 * 40
        for node in map(part.__getitem__, shown):
            assert graph[node.id].type == node.type
            if node.type == "File":
                assert node.clean_text.strip("\n") in record["answer"]
            else:  # once, though its class may be there as well
                assert record["answer"].count(node.text.strip("\n")) == 1
                assert f"### {node.file_path}\n" in record["answer"]
        roots = [node.id for node in part.nodes() if not part.containers(node)]
        assert len(roots) == 1, "containment connects the subgraph"


def test_a_reconstruction_follows_files_and_lines(graph):
    record = max(reconstruction_records(graph, 30, max_nodes=12), key=lambda record: len(record["answer"]))
    paths = [line for line in record["answer"].splitlines() if line.startswith("### ")]
    assert len(paths) > 1 and paths == sorted(set(paths))
    with pytest.raises(ValueError, match="max_nodes must be at least 1"):
        next(reconstruction_records(graph, 1, max_nodes=0))


def test_noise_is_as_frequent_as_it_says():
    noise, rng = FileNoise(0.3), random.Random(0)
    relevant, others = ["a", "b", "c"], ["x", "y"]
    drawn = [noise.choose(relevant, others, rng) for _ in range(2000)]
    added = sum(len(files) == 4 for files in drawn)
    dropped = sum(len(files) == 2 for files in drawn)
    assert sum(files == relevant for files in drawn) == 2000 - added - dropped
    assert added == pytest.approx(300, abs=60) and dropped == pytest.approx(300, abs=60)
    assert all(
        set(files[3:]) <= {"x", "y"}
        and [f for f in files if f in relevant] == sorted(f for f in files if f in relevant)
        for files in drawn
    )


def test_noise_never_takes_the_last_file_and_adds_no_relevant_one():
    always, rng = FileNoise(1.0, max_added=3, max_dropped=5), random.Random(1)
    assert all(set(always.choose(["a"], ["a"], rng)) == {"a"} for _ in range(50))
    assert all("a" in always.choose(["a"], ["a", "x", "y"], rng) for _ in range(50))
    assert {len(FileNoise(1.0, max_added=0, max_dropped=5).choose("abc", "x", rng)) for _ in range(99)} == {1, 2}
    assert FileNoise(1.0, max_added=0, max_dropped=0).choose("ab", "xy", rng) == ["a", "b"]
    for settings in ({"probability": 1.5}, {"max_added": -1}):
        with pytest.raises(ValueError, match=r"noise|max_added"):
            FileNoise(**settings)


def test_the_record_of_an_issue(graph):
    files = ["shop/part1.py", "shop/part2.py"]
    record = make_record(issue_record(graph, "Goods vanish.", "--- a\n+++ b\n", files, repository="shop"))
    part = CodeGraph.from_json(record["graph"])
    assert [part[anchor].file_path for anchor in record["anchors"]] == files
    assert {node.file_path for node in part.nodes("Function")} == set(files)
    assert all(graph[anchor].text in record["prompt"] for anchor in record["anchors"])
    assert "Goods vanish." in record["prompt"] and record["answer"] == "--- a\n+++ b\n"
    noisy = [
        len(issue_record(graph, "x", "y", files, noise=FileNoise(0.5), seed=seed)["anchors"]) for seed in range(40)
    ]
    assert {1, 2, 3} == set(noisy)
    assert noisy == [
        len(issue_record(graph, "x", "y", files, noise=FileNoise(0.5), seed=seed)["anchors"]) for seed in range(40)
    ]
    with pytest.raises(ValueError, match=r"no file 'shop/part99\.py'"):
        issue_record(graph, "x", "y", ["shop/part99.py"])
    with pytest.raises(ValueError, match="found none"):
        issue_record(graph, "x", "y", [])


def test_records_through_datasets_and_parquet(graph, questions, tmp_path):
    records = [*questions, *reconstruction_records(graph, 5, repository="shop")]
    data = records_dataset(records)
    assert data.features == FEATURES
    data.to_parquet(tmp_path / "records.parquet")
    data.to_json(tmp_path / "records.jsonl")
    parquet = datasets.Dataset.from_parquet(str(tmp_path / "records.parquet"), cache_dir=str(tmp_path))
    lines = datasets.Dataset.from_json(str(tmp_path / "records.jsonl"), features=FEATURES, cache_dir=str(tmp_path))
    assert parquet.features == FEATURES
    assert parquet.to_list() == lines.to_list() == data.to_list() == [make_record(record) for record in records]


def test_records_of_java_graphs(tmp_path):
    for name, other in (("Cart", "Till"), ("Till", "Cart")):
        methods = "".join(f"  void do{name}{n}() {{ do{name}{n + 1}(); }}\n" for n in range(6))
        (tmp_path / f"{name}.java").write_text(
            f"package shop;\npublic class {name} {{\n{methods}  void do{name}6() {{ new {other}().do{other}0(); }}\n}}\n"
        )
    graph = build_code_graph(tmp_path, workers=0, progress=False)
    asked = list(relation_questions(graph, 4, tasks=["calls", "callers"], num_options=2, num_nodes=(6, 9)))
    assert {record["task"] for record in asked} == {"calls", "callers"}
    assert "do" in asked[0]["options"][0] and "{" not in " ".join(CodeGraph.from_json(asked[0]["graph"]).sentences())
    rebuilt = records_dataset(reconstruction_records(graph, 4, max_nodes=3))
    assert len(rebuilt) == 4 and all("void do" in answer or "class" in answer for answer in rebuilt["answer"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": " "}, "empty answer"),
        ({"colour": 1}, "unknown 'colour'"),
        ({"prompt": None}, "'prompt' must be text"),
        ({"graph": "{}"}, "graph"),
        ({"graph": {"nodes": [{"nodeType": "Moon", "id": 1}], "edges": []}}, "Moon"),
        ({"graph": "no json"}, "not a code graph"),
    ],
)
def test_bad_records_are_refused(questions, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_record({**questions[0], **change})
    with pytest.raises(ValueError, match="no 'answer'"):
        make_record({key: value for key, value in questions[0].items() if key != "answer"})


def test_a_recipe_makes_all_kinds(tmp_path):
    records = RECIPE(str(write_repository(tmp_path, modules=8)))
    assert {"reconstruction", "calls"} <= {record["task"] for record in records}
    assert {record["repository"] for record in records} == {"shop0"}
