import gzip
import json
import os

import pytest
from hypothesis import given

from codefuse_hf.graph import CodeGraph
from helpers.graph_strategies import GOLDEN, graph_parts


@pytest.fixture(scope="module")
def demo() -> CodeGraph:
    return CodeGraph.load(GOLDEN / "demo.graph.json")


def test_written_json_has_the_form_of_the_published_files(demo):
    written, published = json.loads(demo.to_json()), json.loads((GOLDEN / "demo.graph.json").read_text())
    assert list(written) == ["nodes", "edges"]
    ids = {node["id"] for node in published["nodes"]}
    kept = {tuple(edge.values()) for edge in published["edges"] if {edge["source"], edge["target"]} <= ids}
    assert {tuple(edge.values()) for edge in written["edges"]} == kept
    canonical = {"TextFile": "Textfile"}
    for ours, theirs in zip(written["nodes"], published["nodes"], strict=True):
        assert ours["nodeType"] == canonical.get(theirs["nodeType"], theirs["nodeType"])
        assert list(ours.values())[2:] and set(map(str, ours.values())) <= set(map(str, theirs.values())) | {"Textfile"}


@given(graph_parts())
def test_json_gives_back_the_graph_and_the_same_bytes(parts):
    graph = CodeGraph.from_records(*parts)
    text = graph.to_json()
    assert CodeGraph.from_json(text) == graph
    assert CodeGraph.from_json(text.encode()).to_json() == text


def test_key_order_layout_and_order_of_nodes_and_edges_do_not_matter(demo):
    data = json.loads(demo.to_json())
    shuffled = {
        "edges": data["edges"][::-1],
        "version": {"nodes": [1]},
        "nodes": [dict(reversed(n.items())) for n in data["nodes"]],
    }
    for indent in (None, 3):
        assert CodeGraph.from_json(json.dumps(shuffled, indent=indent)) == demo


def test_edge_types_in_any_case_and_nodes_by_either_key():
    text = """{"nodes": [{"nodeId": 1, "nodeType": "TextFile", "name": "a"}, {"id": "2", "nodeType": "Repo"}],
               "edges": [{"edgeType": "Contains", "source": 2, "target": "1"}]}"""
    assert list(CodeGraph.from_json(text).edges()) == [("contains", 2, 1)]


@pytest.mark.parametrize("name", ["g.json", "g.json.gz"])
def test_files_come_back_and_the_same_graph_gives_the_same_bytes(demo, tmp_path, name):
    demo.save(tmp_path / name)
    first = (tmp_path / name).read_bytes()
    assert CodeGraph.load(tmp_path / name) == demo
    (tmp_path / name).unlink()
    demo.save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    assert os.listdir(tmp_path) == [name]


def test_gzip_is_known_by_its_content_not_its_name(demo, tmp_path):
    (tmp_path / "packed.json").write_bytes(gzip.compress(demo.to_json().encode()))
    assert CodeGraph.load(tmp_path / "packed.json") == demo


def test_a_byte_order_mark_is_skipped(demo, tmp_path):
    (tmp_path / "g.json").write_bytes(b"\xef\xbb\xbf" + demo.to_json().encode())
    assert CodeGraph.load(tmp_path / "g.json") == demo


def test_a_failed_save_leaves_the_old_file_and_no_other(demo, tmp_path, monkeypatch):
    demo.save(tmp_path / "g.json")
    before = (tmp_path / "g.json").read_bytes()
    monkeypatch.setattr(CodeGraph, "edges", lambda self: iter([("calls", 1, 2)]))  # a str has no .value: fails midway
    with pytest.raises(AttributeError):
        demo.save(tmp_path / "g.json")
    assert (tmp_path / "g.json").read_bytes() == before and os.listdir(tmp_path) == ["g.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an object"),
        ("[]", "expected an object"),
        ("{}", "no key 'nodes'"),
        ('{"nodes": {}}', "'nodes' must be an array .line 1, column 11"),
        ('{"nodes": [', "found the end of the text"),
        ('{"nodes": [],\n "edges": [}', "line 2, column 12"),
        ('{"nodes": []} more', "more text after the end"),
        ('{"nodes": [], "nodes": []}', "occurs twice"),
        ('{"nodes": [] "edges": []}', "expected ',' or '}'"),
        ('{"nodes": [{"nodeType": "Repo", "id": NaN}]}', "NaN is not JSON"),
        ('{"nodes": [{"nodeType": "Repo", "id": null}]}', "has no 'id'"),
        ('{"nodes": [{"nodeType": "Ufo", "id": 1}]}', "unknown node type 'Ufo'"),
        ('{"nodes": [], "edges": [{"edgeType": "sees", "source": 1, "target": 2}]}', "unknown edge type 'sees'"),
        ('{"nodes": [' + "[" * 100_000, "nested too deeply"),
        (b'{"nodes": [{"name": "\xff"}]}', "not UTF-8"),
    ],
)
def test_malformed_json_is_an_error_that_says_what_and_where(text, message):
    with pytest.raises(ValueError, match=message):
        CodeGraph.from_json(text)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "bad.json").write_text('{"nodes": [7]}')
    with pytest.raises(ValueError, match=r"bad\.json: nodes\[0\] must be an object"):
        CodeGraph.load(tmp_path / "bad.json")
    (tmp_path / "bad.json.gz").write_bytes(gzip.compress(b'{"nodes": []}' * 50)[:-12])
    with pytest.raises(OSError, match="damaged gzip"):
        CodeGraph.load(tmp_path / "bad.json.gz")
    with pytest.raises(FileNotFoundError):
        CodeGraph.load(tmp_path / "none.json")


def test_a_pickle_is_refused_unread(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    import pickle

    (tmp_path / "graph.json").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"graph\.json"):
        CodeGraph.load(tmp_path / "graph.json")
    assert not (tmp_path / "executed").exists()
