import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph import CodeGraph, segment_graph
from helpers.graph_strategies import GOLDEN, trees

CASE = json.loads((GOLDEN / "segments.json").read_text())


def words(text: str) -> list[int]:
    return [sum(map(ord, word)) % 997 for word in text.split()]


@pytest.fixture(scope="module")
def golden():
    graph = CodeGraph.from_records(CASE["graph"]["nodes"], CASE["graph"]["edges"])
    return graph, segment_graph(graph, words, CASE["segment_length"], repo_name=CASE["reponame"])


def test_golden_segments(golden):
    graph, segments = golden
    assert len(segments) == CASE["num_rows"]
    assert [segment.tolist() for segment in segments] == [row.get("ids") or [] for row in CASE["segments"]]
    assert graph.node_ids[segments.owners].tolist() == [row["node"] for row in CASE["segments"]]


def test_golden_rows_of_each_node(golden):
    graph, segments = golden
    rows = {str(node): list(range(*segments.node_offsets[i : i + 2])) for i, node in enumerate(graph.node_ids)}
    assert rows == CASE["node_rows"]


def test_golden_adjacency(golden):
    adjacency = golden[1].adjacency()
    assert adjacency.is_sparse and adjacency.is_coalesced()
    np.testing.assert_array_equal(adjacency.to_dense().int().numpy(), CASE["adjacency"])


def test_self_loops_add_the_diagonal_only(golden):
    expected = np.array(CASE["adjacency"])
    np.fill_diagonal(expected, 1)
    np.testing.assert_array_equal(golden[1].adjacency(self_loops=True).to_dense().int().numpy(), expected)


@given(trees(max_nodes=10), st.integers(1, 4), st.booleans())
def test_adjacency_equals_its_definition(parts, length, self_loops):
    graph = CodeGraph.from_records(*parts)
    segments = segment_graph(graph, words, length)
    expected = np.zeros((len(segments), len(segments)), int)
    edges = {(a, b) for _, a, b in graph.edges()}
    for i, a in enumerate(segments.owners.tolist()):
        for j, b in enumerate(segments.owners.tolist()):
            expected[i, j] = (a, b) in edges or (a == b and (i != j or self_loops))
    rows, columns = segments.adjacency_coo(self_loops=self_loops)
    assert len(rows) == expected.sum() and expected[rows, columns].all()
    assert (np.diff(rows * (len(segments) + 1) + columns) > 0).all(), "sorted, each once"


def test_only_the_named_edge_types_count():
    nodes = [{"nodeType": "Lambda", "id": i, "text": "x"} for i in range(3)]
    graph = CodeGraph.from_records(nodes, [("calls", 0, 1), ("references", 0, 2)])
    assert [part.tolist() for part in segment_graph(graph, words, edge_types="calls").adjacency_coo()] == [[0], [1]]


def test_padding_fills_on_the_right(golden):
    input_ids, mask = golden[1].padded(pad_token_id=7)
    assert input_ids.shape == mask.shape == (14, 4) and mask.sum(1).tolist() == [len(s) for s in golden[1]]
    assert input_ids[6].tolist() == [147, 148, 7, 7] and input_ids[10].tolist() == [7, 7, 7, 7]


def test_default_length_is_that_of_the_encoder():
    graph = CodeGraph.from_records([{"nodeType": "Lambda", "id": 1, "text": "x " * 1025 + "x"}])
    assert [len(segment) for segment in segment_graph(graph, words)] == [512, 512, 2]
    assert [len(segment) for segment in segment_graph(graph, words, max_segments_per_node=2)] == [512, 512]


def test_a_transformers_tokenizer_adds_no_special_tokens():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"[CLS]": 0, "a": 1, "b": 2, "[UNK]": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 0)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", unk_token="[UNK]", model_max_length=2
    )
    graph = CodeGraph.from_records(
        [{"nodeType": "Lambda", "id": 1, "text": "a b a b b"}, {"nodeType": "Lambda", "id": 2}]
    )
    assert [segment.tolist() for segment in segment_graph(graph, wrapped, 3)] == [[1, 2, 1], [2, 2], []]


def test_empty_graph_has_no_segments():
    segments = segment_graph(CodeGraph.from_records([]), words)
    assert len(segments) == 0 and segments.adjacency().shape == (0, 0) and segments.padded()[0].shape == (0, 0)


def test_wrong_arguments_are_errors():
    graph = CodeGraph.from_records([])
    with pytest.raises(ValueError, match="segment_length must be at least 1, found 0"):
        segment_graph(graph, words, 0)
    with pytest.raises(TypeError, match="found str"):
        segment_graph(graph, "tokenizer")
