import json

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph import CodeGraph, Diagnostic, from_dataset, from_networkx
from codefuse_hf.graph.formats.networkx import to_networkx
from codefuse_hf.graph.formats.tables import (
    FORMATS,
    TABLES,
    push_to_hub,
    save_rows,
    to_dataset,
)
from helpers.graph_strategies import GOLDEN, graph_parts

plain_texts = st.text("ab é\u2028😀<>&/\\\"'{}\n", max_size=20)  # Arrow holds no lone surrogates


@pytest.fixture(scope="module")
def demo() -> CodeGraph:
    return CodeGraph.load(GOLDEN / "demo.graph.json")


@given(graph_parts())
def test_networkx_and_back_is_the_same_graph(parts):
    graph = CodeGraph.from_records(*parts)
    assert from_networkx(to_networkx(graph)) == graph


def test_networkx_graph_has_fields_as_attributes_and_types_as_keys(demo):
    result = demo.to_networkx(text=False)
    assert isinstance(result, networkx.MultiDiGraph)
    assert result.nodes[11] == {
        "nodeType": "Function", "name": "run", "header": "def run(self, x):", "comment": "", "startLoc": 9, "endLoc": 11, "col": 4,
    }  # fmt: skip
    assert result.edges[11, 13, "calls"] == {"edgeType": "calls"}


def test_parallel_edges_stay_apart_in_networkx():
    nodes = [{"nodeType": "Class", "id": 1}, {"nodeType": "Class", "id": 2}]
    result = to_networkx(CodeGraph.from_records(nodes, [("contains", 1, 2), ("extends", 1, 2)]))
    assert list(result.get_edge_data(1, 2)) == ["contains", "extends"]


def test_networkx_graphs_made_elsewhere_are_read():
    simple = networkx.DiGraph()
    simple.add_node(1, nodeType="Class", name="A")
    simple.add_node(2, nodeType="TextFile")
    simple.add_edge(1, 2, edgeType="References")
    assert list(from_networkx(simple).edges()) == [("references", 1, 2)]
    with pytest.raises(ValueError, match="undirected"):
        from_networkx(simple.to_undirected())
    simple.add_edge(2, 1)
    with pytest.raises(ValueError, match="unknown edge type None"):
        from_networkx(simple)


@given(graph_parts(texts=plain_texts))
def test_datasets_and_back_is_the_same_graph(parts):
    graph = CodeGraph.from_records(*parts)
    assert from_dataset(to_dataset(graph)) == graph


def test_dataset_columns_are_the_keys_that_occur_and_absent_is_null(demo):
    tables = demo.to_dataset()
    assert tables["edges"].column_names == ["edgeType", "source", "target"] and tables["edges"].num_rows == 32
    nodes = tables["nodes"]
    assert {"id", "nodeType", "className", "fileName", "startLoc"} <= set(nodes.column_names)
    assert not {"modifiers", "initializer", "clean_text_"} & set(nodes.column_names)
    assert nodes[3]["fileName"] == "setup.py" and nodes[3]["filePath"] is None and nodes[3]["className"] is None


def test_extra_fields_and_json_values_travel_through_rows():
    record = {"nodeType": "Field", "id": 1, "name": "x", "arguments": ["a", {"b": None}], "since": 3}
    graph = CodeGraph.from_records([record])
    assert from_dataset(to_dataset(graph))[1].record() == record


def test_lone_surrogates_become_the_replacement_character():
    graph = CodeGraph.from_records([{"nodeType": "Lambda", "id": 1, "text": "a\ud800b"}])
    assert to_dataset(graph)["nodes"]["text"][:] == ["a\ufffdb"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_folder_of_rows_is_read_by_us_and_by_load_dataset(demo, tmp_path, file_format, monkeypatch):
    import datasets

    save_rows(demo, tmp_path / "rows", file_format)
    assert CodeGraph.load(tmp_path / "rows") == demo
    tables = {
        name: datasets.load_dataset(str(tmp_path / "rows"), name, split="train", cache_dir=str(tmp_path / "cache"))
        for name in TABLES
    }
    assert tables["nodes"].features == demo.to_dataset()["nodes"].features
    assert from_dataset(tables) == demo


@pytest.mark.parametrize("file_format", FORMATS)
def test_diagnostics_travel_with_the_rows(demo, tmp_path, file_format):
    graph = CodeGraph.from_records([{"nodeType": "Lambda", "id": 1, "text": "a"}])
    graph.diagnostics = [Diagnostic("a.py", "syntax", "syntax error", 3), Diagnostic("b.py", "encoding", "no UTF-8")]
    save_rows(graph, tmp_path / "rows", file_format)
    assert CodeGraph.load(tmp_path / "rows").diagnostics == graph.diagnostics
    assert from_dataset(to_dataset(graph)).diagnostics == graph.diagnostics
    card = (tmp_path / "rows" / "README.md").read_text()
    assert "config_name: diagnostics" in card and "2 diagnostics" in card
    demo.diagnostics = []
    assert set(to_dataset(demo)) == set(TABLES), "none, no table"


def test_a_wrong_diagnostic_is_an_error(demo):
    with pytest.raises(ValueError, match="a diagnostic must have path, kind, message and line"):
        from_dataset({**to_dataset(demo), "diagnostics": [{"path": "a.py"}]})


def test_rows_are_not_written_over_other_files(demo, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        save_rows(demo, tmp_path)
    with pytest.raises(ValueError, match="file_format must be one of parquet, jsonl, found 'csv'"):
        save_rows(demo, tmp_path / "new", "csv")


def test_wrong_rows_are_errors_that_say_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither nodes.parquet nor nodes.jsonl"):
        CodeGraph.load(tmp_path)
    (tmp_path / "edges.jsonl").write_text("")
    (tmp_path / "nodes.jsonl").write_text(json.dumps({"id": 1, "nodeType": "Repo"}) + "\n{broken\n")
    with pytest.raises(ValueError, match=r"nodes\.jsonl, line 2: not JSON"):
        CodeGraph.load(tmp_path)
    (tmp_path / "nodes.parquet").write_bytes(b"PAR0")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        CodeGraph.load(tmp_path)
    with pytest.raises(ValueError, match="expected the tables 'nodes' and 'edges'"):
        from_dataset({"nodes": []})


def test_push_to_hub_uploads_both_tables_as_configurations(demo, monkeypatch):
    import datasets

    pushed = []
    monkeypatch.setattr(
        datasets.Dataset,
        "push_to_hub",
        lambda self, repo_id, **options: pushed.append((repo_id, self.num_rows, options)),
    )
    push_to_hub(demo, "me/graph", private=True)
    options = [{"config_name": name, "split": "train", "private": True} for name in TABLES]
    assert pushed == [("me/graph", 25, options[0]), ("me/graph", 32, options[1])]
