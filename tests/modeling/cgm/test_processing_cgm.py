"""The processor: sentences and segments of any form of a graph, budget, batches, chat, labels, pictures, saving."""

import gzip
import json
import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, AutoProcessor

from codefuse_hf import CGMForCausalLM, CGMProcessor
from codefuse_hf.graph import CodeGraph, segment_graph
from codefuse_hf.graph.schema import FIELDS, EdgeType
from codefuse_hf.modeling.cgm.graph_input_cgm import EDGE_TYPES, prepare_graph, read_graph
from codefuse_hf.modeling.cgm.sentences_cgm import KEYS, SENTENCES
from helpers import GOLDEN
from helpers.graph_strategies import graph_parts
from helpers.models_cgm import tiny, tiny_with_encoder, word_tokenizer
from helpers.processes import run_python

DEMO = GOLDEN / "cgm" / "demo.graph.json"
CASE = json.loads((GOLDEN / "cgm" / "segments.json").read_text())


def words(text):
    return [sum(map(ord, word)) % 997 for word in text.split()]


def make(**settings):
    return CGMProcessor(word_tokenizer(chat=True), word_tokenizer(60), **{"segment_length": 16, **settings})


GRAPH = {
    "nodes": [
        {"nodeType": "File", "id": 7, "fileName": "a.py", "text": "x" * 40},
        {"nodeType": "Function", "id": 8, "name": "f", "header": "def f():", "text": "def f(): g()"},
        {"nodeType": "Function", "id": 9, "name": "g", "header": "def g():", "text": "def g(): pass"},
        {"nodeType": "Textfile", "id": 5, "name": "R.md", "text": "read me"},
        {"nodeType": "Lambda", "id": 4, "text": " "},
    ],
    "edges": [
        {"edgeType": "contains", "source": 7, "target": 8},
        {"edgeType": "contains", "source": 7, "target": 9},
        {"edgeType": "calls", "source": 8, "target": 9},
        {"edgeType": "CALLS", "source": 8, "target": 9},
        {"edgeType": "calls", "source": 8, "target": 1},
    ],
}


def test_golden_segments_without_the_graph_package():
    found = prepare_graph(CASE["graph"], words, segment_length=CASE["segment_length"], repo_name=CASE["reponame"])
    assert [segment.tolist() for segment in found.segments] == [row.get("ids") or [] for row in CASE["segments"]]
    dense = np.zeros((CASE["num_rows"],) * 2, int)
    dense[found.segments.adjacency_coo()] = 1
    assert dense.tolist() == CASE["adjacency"]
    assert found.report.dropped_edges == 2 and found.report.wordless == [17]


@settings(max_examples=60, deadline=None)
@given(graph_parts())
def test_records_are_read_as_the_graph_package_reads_them(parts):
    nodes, edges = parts
    graph = CodeGraph.from_records(nodes, edges)
    expected = segment_graph(graph, words, 3)
    for form in (graph, {"nodes": nodes, "edges": list(edges)}):
        plain = read_graph(form)
        found = prepare_graph(form, words, segment_length=3).segments
        assert plain.ids == graph.node_ids.tolist() and plain.dropped_edges in (graph.dropped_edges, 0)
        assert np.array_equal(found.input_ids, expected.input_ids) and np.array_equal(found.offsets, expected.offsets)
        assert np.array_equal(found.adjacency_coo(), expected.adjacency_coo())


@pytest.mark.parametrize("outer", [[], [(0, 1)]])
def test_a_class_in_a_text_file_is_read_as_it_is_spelled(outer):
    nodes = [
        {"nodeType": "File", "id": 0, "fileName": "a.py", "text": "p"},
        {"nodeType": "Textfile", "id": 1, "name": "notes.txt", "text": "n"},
        {"nodeType": "Class", "id": 2, "name": "B", "comment": "c", "text": "class B {}"},
    ]
    edges = [("contains", *ends) for ends in [(1, 2), *outer]]
    graph = CodeGraph.from_records(nodes, edges)
    expected = segment_graph(graph, words, 3)
    for form in (graph, {"nodes": nodes, "edges": edges}):
        assert np.array_equal(prepare_graph(form, words, segment_length=3).segments.input_ids, expected.input_ids)
    assert graph[2].language == "java"


def test_the_file_that_contains_a_class_says_how_it_is_read():
    """Not one that refers to it, wherever that edge stands in the list."""
    nodes = [
        {"nodeType": "File", "id": 0, "fileName": "a.py", "text": "p"},
        {"nodeType": "File", "id": 1, "fileName": "B.java", "text": "j"},
        {"nodeType": "Class", "id": 2, "name": "B", "comment": "c", "text": "t"},
    ]
    for other in sorted(set(EDGE_TYPES) - {"contains"}):
        edges = [(other, 0, 2), ("contains", 1, 2)]
        assert list(read_graph({"nodes": nodes, "edges": edges}).sentences(None))[2] == "B\nc"


def test_keys_are_those_of_the_schema():
    schema = {str(kind): {field.column: field.keys for field in fields} for kind, fields in FIELDS.items()}
    assert set(KEYS) == set(SENTENCES) == set(schema)
    assert all(schema[kind][column] == keys for kind, columns in KEYS.items() for column, keys in columns.items())
    assert tuple(map(str, EdgeType)) == EDGE_TYPES


def test_every_form_of_a_graph(tmp_path):
    graph = CodeGraph.load(DEMO)
    packed = tmp_path / "demo.json.gz"
    packed.write_bytes(gzip.compress(DEMO.read_bytes()))
    processor = make()
    forms = [DEMO, str(DEMO), packed, json.loads(DEMO.read_text()), graph, processor.prepare_graph(graph)]
    batches = [processor(text="is it?", graph=form) for form in forms]
    for batch in batches:
        assert all(torch.equal(batch[name], batches[0][name]) for name in batches[0])
    assert set(processor.model_input_names) == set(batches[0])


def test_budget_without_anchors_takes_containers_first():
    processor = make(max_nodes=5)
    prepared = processor.prepare_graph(GRAPH)
    # the file has 3 node tokens, the functions 2 each, the others 1
    assert prepared.report.kept == [7, 8] and prepared.report.left_out == [9, 5, 4]
    assert prepared.report.node_tokens == 5 and prepared.report.wanted == 9 and prepared.report.dropped_edges == 1
    assert "3 nodes left out" in str(prepared.report) and "containers before" in str(prepared.report)
    assert len(prepared.segments) == 5 == len(prepared.names)
    assert prepared.names[:4] == ["File a.py"] * 3 + ["Function f"]
    rows = set(zip(*map(list, prepared.segments.adjacency_coo()), strict=True))
    assert rows == {(i, j) for i in range(3) for j in range(5) if i != j} | {(3, 4), (4, 3)}


def test_what_does_not_fit_is_said_once(monkeypatch):
    said = []
    monkeypatch.setattr(logging.Logger, "warning", lambda self, *args, **kwargs: said.append(args[0]))
    logging.Logger.warning_once.cache_clear()
    make().prepare_graph(GRAPH)
    assert not said
    for _ in range(3):
        make(max_nodes=5).prepare_graph(GRAPH)
    assert len(said) == 1 and "report" in said[0]


def test_nodes_are_named_in_pictures():
    method = {"nodeType": "Method", "id": 1, "signature": "Cart#add(Item)", "text": "void add(Item item) {}"}
    lambda_ = {"nodeType": "Lambda", "id": 2, "text": "lambda: 0"}
    plain = read_graph({"nodes": [method, {**method, "id": 3, "className": "A", "methodName": "b"}, lambda_]})
    assert [plain.name(node) for node in range(3)] == ["Cart.add", "A.b", ""]
    assert make().prepare_graph({"nodes": [lambda_]}).names == ["Lambda 2"]


def test_anchors_go_first_then_their_neighbours():
    kept = [make(max_nodes=n).prepare_graph(GRAPH, anchors=[9]).report.kept for n in (2, 4, 5, 8)]
    assert kept == [[9], [8, 9], [7, 9], [7, 8, 9, 4]]


def nodes_of(batch, row):
    return [segment[segment != 0].tolist() for segment in batch["node_input_ids"][row]]


def test_one_graph_for_all_texts_has_the_same_anchors_in_each():
    processor = make(max_nodes=2)
    alone = processor(text="is it?", graph=GRAPH, anchors=[9])
    batch = processor(text=["is it?", "or not?"], graph=GRAPH, anchors=iter([9]))  # which can be read once
    assert nodes_of(batch, 0) == nodes_of(batch, 1) == nodes_of(alone, 0)


def test_each_text_can_have_anchors_of_its_own():
    processor = make(max_nodes=2)
    batch = processor(text=["is it?", "or not?"], graph=GRAPH, anchors=[[9], [5]])
    for row, anchor in enumerate((9, 5)):
        for text in ("is it?", ["is it?"], [{"role": "user", "content": "is it?"}]):
            alone = processor(text=text, graph=GRAPH, anchors=[[anchor]])
            assert nodes_of(batch, row)[: len(nodes_of(alone, 0))] == nodes_of(alone, 0)
    assert nodes_of(batch, 0) != nodes_of(batch, 1)


def test_a_graph_beyond_the_budget_can_be_an_error():
    with pytest.raises(ValueError, match="9 node tokens, `max_nodes` is 4"):
        make(max_nodes=4, when_full="error").prepare_graph(GRAPH)
    assert make(max_nodes=9, when_full="error").prepare_graph(GRAPH).report.left_out == []


def test_long_nodes_are_shortened_and_edges_chosen():
    prepared = make(max_segments_per_node=1, edge_types=["calls"]).prepare_graph(GRAPH)
    assert prepared.report.shortened == [7, 8, 9] and len(prepared.segments) == 5
    assert np.array_equal(prepared.segments.adjacency_coo(), [[1], [2]])


def test_batches_pad_what_differs():
    processor = make()
    other = {"nodes": GRAPH["nodes"][:1], "edges": []}
    batch = processor(text=["longer question", "is it?"], graph=[GRAPH, other])
    alone = processor(text="is it?", graph=other)
    length, count = alone["input_ids"].shape[1], alone["node_mask"].shape[1]
    assert (
        torch.equal(batch["input_ids"][1, -length:], alone["input_ids"][0])
        and batch["attention_mask"][1].sum() == length
    )
    assert batch["node_mask"][1].tolist() == [1] * count + [0] * (9 - count)
    assert torch.equal(batch["node_input_ids"][1, :count], alone["node_input_ids"][0])
    edges = batch["edge_index"][1]
    assert torch.equal(edges[:, edges[0] >= 0], alone["edge_index"][0])
    model = tiny_with_encoder()
    assert_close(model(**batch).logits[1, -length:], model(**alone).logits[0, -length:], atol=2e-5, rtol=1e-4)


def test_answers_become_labels():
    processor = make()
    batch = processor(text=["ab", "c"], graph=GRAPH, answer=["xyz", "w"])
    end = processor.tokenizer.eos_token_id
    for row, (prompt, answer) in enumerate((("ab", "xyz"), ("c", "w"))):
        answer_ids = [*processor.tokenizer(answer)["input_ids"], end]
        real = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][real].tolist() == processor.tokenizer(prompt)["input_ids"] + answer_ids
        assert batch["labels"][row][batch["labels"][row] != -100].tolist() == answer_ids
        assert batch["labels"][row, -len(answer_ids) :].tolist() == answer_ids
    examples = [processor.example(text, GRAPH, answer) for text, answer in (("ab", "xyz"), ("c", "w"))]
    collated = processor.collate(examples)
    assert collated.pop("logits_to_keep") == batch["labels"].shape[1]
    assert all(torch.equal(collated[name], batch[name]) for name in batch) and set(collated) == set(batch)
    model = tiny_with_encoder()
    assert_close(model(**collated, logits_to_keep=6).loss, model(**batch).loss)


def test_chat_messages():
    processor = make()
    messages = [{"role": "user", "content": "is it?"}]
    ids = processor(text=messages, graph=GRAPH)["input_ids"][0]
    assert processor.decode(ids) == "[user]is it?[assistant]"
    assert processor(text=[messages, messages], graph=GRAPH)["input_ids"].tolist() == [ids.tolist()] * 2


def test_special_tokens_are_added_to_a_prompt_and_not_to_what_a_template_wrote():
    from tokenizers.processors import TemplateProcessing

    processor = make()
    tokenizer = processor.tokenizer
    begin = tokenizer.bos_token_id
    template = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", begin)])
    tokenizer._tokenizer.post_processor = template
    assert processor(text="ab", graph=GRAPH)["input_ids"][0].tolist()[0] == begin
    ids = processor(text=[{"role": "user", "content": "ab"}], graph=GRAPH)["input_ids"][0].tolist()
    assert ids == tokenizer("[user]ab[assistant]", add_special_tokens=False)["input_ids"]


def test_vectors_ahead_of_time_give_the_same_answer():
    model, processor = tiny_with_encoder(), make()
    texts = processor(text="is it?", graph=GRAPH)
    vectors = processor(text="is it?", graph=GRAPH, encode=model.encode_segments)
    assert "node_input_ids" not in vectors
    assert_close(model(**vectors).logits, model(**texts).logits, atol=1e-5, rtol=1e-4)
    options = {"max_new_tokens": 5, "do_sample": False}
    assert torch.equal(model.generate(**vectors, **options), model.generate(**texts, **options))


def test_no_graph_and_the_empty_graph():
    processor, model = make(), tiny_with_encoder()
    plain = processor(text="is it?")
    assert set(plain) == {"input_ids", "attention_mask"}
    for empty in ({"nodes": []}, {"nodes": [], "edges": []}, CodeGraph.from_records([])):
        batch = processor(text=["is it?", "how so?"], graph=[empty, GRAPH])
        assert_close(model(**batch).logits[0, -6:], model(**plain).logits[0], atol=2e-5, rtol=1e-4)
        assert_close(model(**processor(text="is it?", graph=empty)).logits, model(**plain).logits)


def test_picture(tmp_path):
    figure = make(max_nodes=4).show_mask("is it", GRAPH, answer="so")
    image = figure.axes[0].images[0].get_array()
    assert image.shape == (4 + 5 + 3,) * 2
    assert (image[:4, 4:9] == 2).all() and (image[:4, 9:] == 0).all()  # nodes see the prompt, not the answer
    assert (image[4:, :4] == 3).all() and image[0, 0] == 0 and (np.triu(image[4:, 4:], 1) == 0).all()
    figure.savefig(tmp_path / "mask.png")


NODE = {"nodeType": "File", "id": 1}
BAD = {
    "no graph": ({"edges": []}, "not a code graph"),
    "a list of nodes": ({"nodes": {"id": 1}}, "not a code graph"),
    "node type": ({"nodes": [{"nodeType": "Fle", "id": 1}]}, r"nodes\[0\].*'Fle'"),
    "no id": ({"nodes": [{"nodeType": "File"}]}, r"nodes\[0\] \(File\) has no 'id'"),
    "id": ({"nodes": [{"nodeType": "File", "id": "x"}]}, "whole number"),
    "same id": ({"nodes": [NODE, {**NODE, "fileName": "b"}]}, "two different nodes"),
    "edge type": ({"nodes": [NODE], "edges": [{"edgeType": "eats", "source": 1, "target": 1}]}, r"edges\[0\].*'eats'"),
    "edge end": ({"nodes": [NODE], "edges": [{"edgeType": "calls", "source": 1}]}, r"edges\[0\] has no 'target'"),
    "edge": ({"nodes": [NODE], "edges": [3]}, r"edges\[0\]"),
    "text": ({"nodes": [{**NODE, "text": 3}]}, "must be text"),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_graphs(name):
    graph, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()(text="is it?", graph=graph)


@pytest.mark.parametrize("limit", [-(2**63), 2**63 - 1])
def test_ids_are_whole_numbers_of_64_bits(limit):
    assert read_graph({"nodes": [{**NODE, "id": limit}, {**NODE, "id": 0}]}).ids == [limit, 0]
    beyond = limit + (1 if limit > 0 else -1)
    for value in (beyond, str(beyond)):
        with pytest.raises(
            ValueError, match=r"nodes\[0\].*'id' must be a whole number of at most 64 bits, found .*922"
        ):
            read_graph({"nodes": [{**NODE, "id": value}]})


def test_files_that_are_no_graphs(tmp_path):
    file = tmp_path / "g.json"
    for content in (b"{", b"[]", b"\x1f\x8bxx", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"g\.json"):
            make()(text="is it?", graph=file)
    with pytest.raises(OSError, match="absent"):
        make()(text="is it?", graph=tmp_path / "absent.json")
    with pytest.raises(TypeError, match="int 3"):
        make()(text="is it?", graph=3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: p(graph=GRAPH), "needs `text`"),
        (lambda p: p(text=["a", "b"], graph=[GRAPH]), "2 texts, but 1 of `graph`"),
        (lambda p: p(text=["a", "b"], graph=GRAPH, answer="c"), "2 texts, but 1 of `answer`"),
        (lambda p: p(text=["a", "b"], graph=[GRAPH, None]), "for all texts or for none"),
        (lambda p: p(text="a", graph=GRAPH, anchors=[99]), "not found: \\[99\\]"),
        (lambda p: p(text="a", return_tensors="np"), "'pt'"),
        (lambda p: make(max_nodes=0), "max_nodes"),
        (lambda p: make(when_full="cry"), "'drop' or 'error'"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(make())


STRANGER = """
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoProcessor
remote = {"trust_remote_code": True}
folder, graph = sys.argv[1:]
def answer(folder):
    model, processor = AutoModelForCausalLM.from_pretrained(folder, **remote), AutoProcessor.from_pretrained(folder, **remote)
    inputs = processor(text=[{"role": "user", "content": "is it?"}], graph=graph)
    return model, processor, model.generate(**inputs, max_new_tokens=6, do_sample=False).tolist()
model, processor, tokens = answer(folder)
model.save_pretrained(folder + "-again")
processor.save_pretrained(folder + "-again")
result = {
    "tokens": tokens, "again": answer(folder + "-again")[2], "budget": processor.max_nodes,
    "modules": [type(x).__module__.split(".")[0] for x in (model, processor, model.config)],
    "report": str(processor.prepare_graph(graph).report),
}
"""


def test_a_folder_is_enough(tmp_path):
    """Model, processor and graph in a process that has no codefuse_hf; saved again there."""
    folder = tmp_path / "model"
    model, processor = tiny_with_encoder(), make(max_nodes=30)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    inputs = processor(text=[{"role": "user", "content": "is it?"}], graph=DEMO)
    expected = model.generate(**inputs, max_new_tokens=6, do_sample=False).tolist()
    found = run_python(STRANGER, folder, DEMO, with_package=False)
    assert found["tokens"] == found["again"] == expected
    assert found["budget"] == 30 and found["modules"] == ["transformers_modules"] * 3
    assert found["report"] == str(processor.prepare_graph(DEMO).report)
    loaded = AutoProcessor.from_pretrained(folder)
    assert type(loaded) is CGMProcessor and loaded.max_nodes == 30 and loaded.segment_length == 16
    assert type(AutoModelForCausalLM.from_pretrained(folder)) is CGMForCausalLM
    assert loaded.node_tokenizer.vocab_size == 60 and loaded.chat_template == processor.chat_template


def test_one_tokenizer_for_both():
    processor = CGMProcessor(word_tokenizer())
    assert processor.node_tokenizer is processor.tokenizer
    assert tiny().generate(**processor(text="is it?"), max_new_tokens=2).shape[1] == 8
