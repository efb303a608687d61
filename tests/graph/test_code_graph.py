import pickle
import subprocess
import sys

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph import CodeGraph, NodeType
from codefuse_hf.graph.schema import EDGE_TYPES, Diagnostic, EdgeType
from helpers.graph_strategies import GOLDEN, graph_parts, trees


@pytest.fixture(scope="module")
def demo() -> CodeGraph:
    return CodeGraph.load(GOLDEN / "demo.graph.json")


def chain(*names: str) -> CodeGraph:
    """Functions 0, 1, … in a file in a repository, each calling the next."""
    nodes = [{"nodeType": "Repo", "id": 100}, {"nodeType": "File", "id": 101, "fileName": "m.py", "filePath": ""}]
    nodes += [{"nodeType": "Function", "id": i, "name": name} for i, name in enumerate(names)]
    edges = [("contains", 100, 101), *(("contains", 101, i) for i in range(len(names)))]
    return CodeGraph.from_records(nodes, edges + [("calls", i, i + 1) for i in range(len(names) - 1)])


# ---------------------------------------------------------------------- content


def test_golden_graph_has_its_nodes_and_edges_and_counts_the_dangling_ones(demo):
    assert (demo.num_nodes, demo.num_edges, demo.dropped_edges) == (25, 32, 2)
    assert demo.counts()["edges"] == {
        "contains": 23,
        "imports": 2,
        "extends": 1,
        "implements": 1,
        "calls": 4,
        "references": 1,
    }
    assert [node.id for node in demo.nodes("TextFile")] == [8]
    assert [(a, b) for _, a, b in demo.edges("calls")] == [(11, 13), (12, 25), (18, 14), (22, 11)]


def test_variant_spellings_are_read_and_the_canonical_one_is_written(demo):
    assert demo[10].name == "Cache" and demo[10].record()["className"] == "Cache"
    assert demo[16].kind == "int" and demo[16].record()["attributeType"] == "int"
    assert demo[23].record()["fileName"] == "plugins.py" and demo[23].record()["filePath"] == "src/core"


def test_null_counts_as_absent(demo):
    assert demo[3].path is None and "filePath" not in demo[3].record() and "clean_text" not in demo[3].record()


def test_node_id_goes_before_id():
    graph = CodeGraph.from_records([{"nodeType": "Repo", "id": 99, "nodeId": 19}])
    assert graph.node_ids.tolist() == [19]


def test_parallel_edges_keep_all_their_types():
    nodes = [{"nodeType": "Class", "id": 1}, {"nodeType": "Function", "id": 2}]
    graph = CodeGraph.from_records(nodes, [("calls", 1, 2), ("contains", 1, 2), ("calls", 1, 2), ("CONTAINS", 1, 2)])
    assert list(graph.edges()) == [("contains", 1, 2), ("calls", 1, 2)]
    assert graph.containers(2) == [1] and graph.neighbors(1) == [2]


def test_equal_nodes_collapse_and_their_edges_meet():
    nodes = [
        {"nodeType": "Class", "id": 1, "name": "A"},
        {"nodeType": "Class", "id": 2},
        {"nodeType": "Class", "nodeId": 1, "className": "A"},
    ]
    graph = CodeGraph.from_records(nodes, [("extends", 1, 2), ("extends", 2, 1), ("calls", 7, 1)])
    assert graph.node_ids.tolist() == [1, 2] and graph.dropped_edges == 1
    assert list(graph.edges()) == [("extends", 1, 2), ("extends", 2, 1)]


def test_different_nodes_with_one_id_are_an_error():
    with pytest.raises(ValueError, match="two different nodes have the id 1"):
        CodeGraph.from_records(
            [{"nodeType": "Class", "id": 1, "name": "A"}, {"nodeType": "Class", "id": 1, "name": "B"}]
        )


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ([{"id": 1}], [], "nodes\\[0\\] has no 'nodeType'"),
        ([{"nodeType": "Repo"}], [], "has no 'id' and no 'nodeId'"),
        ([{"nodeType": "Thing", "id": 1}], [], "unknown node type 'Thing'"),
        ([{"nodeType": "Repo", "id": True}], [], "must be a whole number"),
        ([{"nodeType": "Repo", "id": "x1"}], [], "must be a whole number"),
        ([{"nodeType": "Repo", "id": 2**63}], [], "at most 64 bits"),
        ([{"nodeType": "Class", "id": 1, "name": 5}], [], "'name' must be text, found int 5"),
        ([{"nodeType": "Class", "id": 1, "startLoc": 1.5}], [], "'startLoc' must be a whole number"),
        ([{"nodeType": "Class", "id": 1, "startLoc": 2**40}], [], "'startLoc' must be a whole number"),
        (["node"], [], "must be an object"),
        ([], [("uses", 1, 2)], "edges\\[0\\]: unknown edge type 'uses'"),
        ([], [("calls", 1)], "must be \\(edgeType, source, target\\)"),
        ([], [{"edgeType": "calls", "source": 1}], "has no 'target'"),
        ([], [("calls", 1, None)], "the target of edges\\[0\\]"),
    ],
)
def test_input_outside_the_schema_is_an_error_that_says_where(nodes, edges, message):
    with pytest.raises(ValueError, match=message):
        CodeGraph.from_records(nodes, edges)


def test_fields_outside_the_schema_are_kept():
    record = {"nodeType": "Function", "id": 1, "name": "f", "visibility": ["public", {"x": 1}]}
    assert CodeGraph.from_records([record])[1].record() == record


def test_the_file_decides_the_language_of_what_it_contains():
    nodes = [{"nodeType": "File", "id": i, "name": name} for i, name in enumerate(["A.java", "a.py"])]
    nodes += [{"nodeType": "Class", "id": i, "name": "A"} for i in (2, 3)]
    graph = CodeGraph.from_records(nodes, [("contains", 0, 2), ("contains", 1, 3)])
    assert [graph[i].language for i in range(4)] == ["java", "python", "java", "python"]
    assert "name" in graph[2].record() and "className" in graph[3].record()


@given(graph_parts())
def test_every_field_comes_back_as_it_went_in(parts):
    nodes, edges = parts
    graph = CodeGraph.from_records(nodes, edges)
    again = CodeGraph.from_records(graph.records(), graph.edges())
    assert again == graph
    for node, record in zip(graph.nodes(), nodes, strict=True):
        given_values = sorted(
            str(value) for key, value in record.items() if value is not None and key not in ("id", "nodeId")
        )
        kept = {key: value for key, value in node.record().items() if key != "id"}
        assert set(map(str, kept.values())) <= set(given_values)
    assert set(graph.edges()) == set(edges)


def test_text_inside_a_file_is_stored_once():
    body = "".join(f"def f{i}():\n    return {'x' * 80!r}\n" for i in range(200))
    functions = [
        {"nodeType": "Function", "id": i + 1, "name": f"f{i}", "text": f"def f{i}():\n    return {'x' * 80!r}"}
        for i in range(200)
    ]
    file = {"nodeType": "File", "id": 0, "fileName": "m.py", "text": body}
    graph = CodeGraph.from_records([file, *functions], [("contains", 0, i + 1) for i in range(200)])
    assert len(graph.arrays.buffer) < 1.2 * len(body)
    assert [node.text for node in graph.nodes("Function")] == [each["text"] for each in functions]


def test_a_million_nodes_take_arrays_only():
    """Bytes a node, and no Python object for it."""
    count = 100_000
    nodes = (
        {"nodeType": "Function", "id": i, "name": f"f{i % 1000}", "startLoc": i, "endLoc": i} for i in range(count)
    )
    graph = CodeGraph.from_records(nodes, (("calls", i, (i * 7) % count) for i in range(count)))
    arrays = graph.arrays
    size = sum(
        part.nbytes
        for part in (arrays.ids, arrays.types, arrays.languages, arrays.sources, arrays.targets, arrays.edge_types)
    )
    size += sum(c.starts.nbytes + c.lengths.nbytes for c in arrays.texts.values()) + sum(
        n.nbytes for n in arrays.numbers.values()
    )
    assert size / count < 60 and len(arrays.buffer) < 10_000
    assert graph.find("f7")[:2] == [7, 1007]


# ---------------------------------------------------------------------- questions


def test_find_by_name_dotted_name_pattern_path_and_type(demo):
    assert demo.find("Engine") == [9]
    assert demo.find("Engine.run") == demo.find("src.core.engine.Engine.run") == [11]
    assert demo.find("ngine.run") == []
    assert demo.find("src.core.engine") == [4]
    assert demo.find("*Engine") == [9, 19]
    assert demo.find(path="src/core/engine.py") == demo.find(path="./src/core/engine.py") == [4]
    assert demo.find(path="src/core") == [4, 5, 23] and demo.find(path=".") == [3, 4, 5, 6, 8, 20, 23]
    assert demo.find(path="*/test_*.py") == [20]
    assert demo.find("run", path="src") == [11] and demo.find("run", path="tests") == []
    assert demo.find("*", path="src/core/cache.py", types="Function") == [13, 14]
    assert demo.find(types=["Lambda", "Attribute"]) == [16, 18]


def test_find_by_java_signature_and_in_an_init_file():
    graph = CodeGraph.from_records(
        [
            {"nodeType": "Method", "id": 1, "signature": "A#run(int)", "methodName": "run"},
            {"nodeType": "File", "id": 2, "fileName": "__init__.py", "filePath": "pkg/sub"},
        ]
    )
    assert graph.find("A#run(int)") == [1] and graph.find("pkg.sub") == [2]


def test_find_without_a_condition_is_an_error(demo):
    with pytest.raises(ValueError, match="needs a name, a path or types"):
        demo.find()


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (0, "acme#demo#0abc12"), (2, "src.core"), (4, "src.core.engine"), (8, "README.md"), (11, "src.core.engine.Engine.run"),
        (18, "src.core.engine.Engine.run.<lambda>"), (16, "src.core.cache.Cache.MAX_SIZE"), (25, "orphan"),
    ],
)  # fmt: skip
def test_qualified_names(demo, node, expected):
    assert demo.qualified_name(node) == demo[node].qualified_name == expected


def test_qualified_names_of_java_begin_with_the_package():
    nodes = [
        {"nodeType": "Package", "id": 0, "name": "com.acme"},
        {"nodeType": "File", "id": 1, "name": "Engine.java", "path": "src/main/java/com/acme"},
        {"nodeType": "Class", "id": 2, "name": "Engine"},
        {"nodeType": "Method", "id": 3, "methodName": "run"},
    ]
    graph = CodeGraph.from_records(nodes, [("contains", 0, 1), ("contains", 1, 2), ("contains", 2, 3)])
    assert graph.qualified_name(3) == "com.acme.Engine.run"
    assert graph.qualified_name(1) == "src/main/java/com/acme/Engine.java"


def test_package_init_is_named_like_its_package():
    graph = CodeGraph.from_records([{"nodeType": "File", "id": 1, "fileName": "__init__.py", "filePath": "pkg/sub"}])
    assert graph.qualified_name(1) == "pkg.sub"


def test_neighbors_by_type_and_direction(demo):
    assert demo.neighbors(11) == [13, 18] and demo.neighbors(11, "calls") == [13]
    assert demo.neighbors(11, direction="in") == [9, 22] and demo.neighbors(11, ["calls"], "both") == [13, 22]
    assert demo.incident_edges(11, "calls") == [("calls", 11, 13), ("calls", 22, 11)]


def test_a_loop_is_one_incident_edge():
    graph = CodeGraph.from_records([{"nodeType": "Function", "id": 5}], [("calls", 5, 5)])
    assert graph.incident_edges(5) == [("calls", 5, 5)] and graph.neighbors(5, direction="both") == [5]


def test_containers_go_up_to_the_repository(demo):
    assert demo.containers(18) == [11, 9, 4, 2, 1, 0] and demo.containers(0) == [] and demo.containers(25) == []
    assert demo.children(9) == [11, 12] and demo.file_of(18) == 4 and demo.file_of(4) == 4 and demo.file_of(2) is None


def test_containers_of_a_cycle_end():
    nodes = [{"nodeType": "Package", "id": i} for i in range(3)]
    graph = CodeGraph.from_records(
        nodes, [("contains", 0, 1), ("contains", 1, 2), ("contains", 2, 0), ("contains", 1, 1)]
    )
    assert graph.containers(0) == [2, 1] and graph.file_of(0) is None and graph.with_containers(0) == [0, 1, 2]


def test_expand_counts_hops_and_follows_filters():
    graph = chain("a", "b", "c", "d")
    assert graph.expand(0, 0) == [0] and graph.expand(0, 2, edge_types="calls") == [0, 1, 2]
    assert graph.expand(3, 2, edge_types="calls", direction="out") == [3]
    assert graph.expand([3], 1, edge_types="calls", direction="in") == [2, 3]
    assert graph.expand(0, 9, node_types="Function") == [0, 1, 2, 3]


def test_cgm_expansion_passes_only_through_files(demo):
    # 4 contains 9 and 19 and imports 10: reached from class 9 through file 4, not through class 19 or method 11
    assert demo.expand(9, 2, through="File") == [2, 4, 9, 10, 11, 12, 19, 20, 21, 22]
    assert 24 in demo.expand(9, 2) and 24 not in demo.expand(9, 2, through="File")


def test_cgm_nodes_are_connected_and_closed_over_files(demo):
    nodes = demo.cgm_nodes(9)
    assert {0, 1, 2, 4, 20, 21} <= set(nodes) and {11, 12, 18, 19} <= set(nodes)
    assert 5 in nodes and {13, 14, 16} <= set(nodes), "the file of a reached class is kept, and all that is in it"
    assert 6 not in nodes and 23 not in nodes


def test_file_closure_takes_only_files_that_are_there(demo):
    assert demo.file_closure([11]) == [11] and demo.file_closure([4, 8]) == [4, 8, 9, 11, 12, 18, 19]


@pytest.mark.parametrize(
    "call", [lambda g: g[404], lambda g: g.neighbors(404), lambda g: g.expand([0, 404]), lambda g: g.subgraph([404])]
)
def test_an_unknown_node_is_an_error_that_names_it(demo, call):
    with pytest.raises(ValueError, match="no node with id 404"):
        call(demo)


def test_wrong_arguments_are_errors(demo):
    with pytest.raises(ValueError, match="direction must be one of out, in, both"):
        demo.neighbors(0, direction="up")
    with pytest.raises(ValueError, match="hops must be 0 or more"):
        demo.expand(0, -1)
    with pytest.raises(TypeError, match="by id or as Node"):
        demo.expand(["run"])


@given(trees(), st.integers(0, 3), st.sampled_from(["out", "in", "both"]), st.data())
def test_expand_equals_breadth_first_search_of_networkx(parts, hops, direction, data):
    graph = CodeGraph.from_records(*parts)
    kinds = data.draw(st.lists(st.sampled_from(EdgeType), min_size=1, unique=True))
    anchor = data.draw(st.integers(0, graph.num_nodes - 1))
    plain = networkx.DiGraph()
    plain.add_nodes_from(range(graph.num_nodes))
    plain.add_edges_from((a, b) for kind, a, b in graph.edges() if kind in kinds)
    plain = {"out": plain, "in": plain.reverse(), "both": plain.to_undirected()}[direction]
    expected = networkx.single_source_shortest_path_length(plain, anchor, cutoff=hops)
    assert graph.expand(anchor, hops, edge_types=kinds, direction=direction) == sorted(expected)


@given(trees(), st.data())
def test_expansion_through_files_equals_its_definition(parts, data):
    graph = CodeGraph.from_records(*parts)
    anchors = set(data.draw(st.lists(st.integers(0, graph.num_nodes - 1), max_size=3)))
    reached, frontier = set(anchors), set(anchors)
    for _ in range(2):
        found = {other for node in frontier for other in graph.neighbors(node, direction="both")} - reached
        reached |= found
        frontier = {node for node in found if graph[node].type is NodeType.FILE}
    assert graph.expand(anchors, 2, through=NodeType.FILE) == sorted(reached)


@given(trees())
def test_the_tree_questions_agree_with_the_tree(parts):
    graph = CodeGraph.from_records(*parts)
    parents = {b: a for kind, a, b in parts[1] if kind == "contains"}
    for node in range(graph.num_nodes):
        chain = []
        while (parents.get(node if not chain else chain[-1])) is not None:
            chain.append(parents[node if not chain else chain[-1]])
        assert graph.containers(node) == chain
        files = [each for each in [node, *chain] if graph[each].type in (NodeType.FILE, NodeType.TEXTFILE)]
        assert graph.file_of(node) == (files[0] if files else None)
        assert graph.with_containers(node) == sorted({node, *chain})


# ---------------------------------------------------------------------- parts and sums


@given(trees(), st.data())
def test_a_subgraph_has_the_chosen_nodes_and_the_edges_between_them(parts, data):
    graph = CodeGraph.from_records(*parts)
    chosen = data.draw(st.sets(st.integers(0, graph.num_nodes - 1)))
    part = graph.subgraph(chosen)
    assert part.node_ids.tolist() == sorted(chosen)
    assert list(part.records()) == [graph[node].record() for node in sorted(chosen)]
    assert list(part.edges()) == [edge for edge in graph.edges() if set(edge[1:]) <= chosen]


@given(graph_parts())
def test_merging_the_parts_of_a_graph_gives_the_graph(parts):
    graph = CodeGraph.from_records(*parts)
    half = graph.node_ids[: graph.num_nodes // 2]
    assert graph.merge(graph.subgraph(half)) == graph


@given(graph_parts(max_nodes=5), graph_parts(max_nodes=5))
def test_merging_with_new_numbers_keeps_both_graphs(first, second):
    first, second = CodeGraph.from_records(*first), CodeGraph.from_records(*second)
    both = first.merge(second, renumber=True)
    assert both.node_ids.tolist() == list(range(len(first) + len(second)))
    assert both.num_edges == first.num_edges + second.num_edges
    fields = [{**record, "id": 0} for graph in (first, second) for record in graph.records()]
    assert [{**record, "id": 0} for record in both.records()] == fields


def test_merging_graphs_whose_ids_clash_says_what_to_do(demo):
    other = CodeGraph.from_records([{"nodeType": "Repo", "id": 0, "repoName": "other"}])
    with pytest.raises(ValueError, match="renumber=True"):
        demo.merge(other)


def test_a_subgraph_does_not_hold_on_to_the_text_of_the_rest():
    nodes = [{"nodeType": "File", "id": i, "fileName": f"{i}.py", "text": f"{i}" * 10_000} for i in range(10)]
    part = CodeGraph.from_records(nodes).subgraph([3])
    assert len(part.arrays.buffer) < 10_100 and part[3].text == "3" * 10_000


def test_equality_sees_every_part(demo):
    records, edges = list(demo.records()), list(demo.edges())
    assert CodeGraph.from_records(records, edges) == demo
    assert CodeGraph.from_records(records, edges[1:]) != demo
    records[4] = {**records[4], "text": "other"}
    assert CodeGraph.from_records(records, edges) != demo
    assert demo != "graph"


def test_edge_index_gives_positions(demo):
    edges = demo.edge_index("calls")
    assert edges.dtype == np.int64 and edges.shape == (2, 4)
    assert [tuple(demo.node_ids[pair]) for pair in edges.T] == [(a, b) for _, a, b in demo.edges("calls")]
    assert demo.edge_index().shape == (2, demo.num_edges)


def test_empty_graph_answers_everything():
    graph = CodeGraph.from_records([])
    assert len(graph) == 0 and list(graph.nodes()) == [] and graph.find("x") == [] and graph.find(path="x") == []
    assert graph.expand([]) == [] and graph.subgraph([]) == graph and graph.merge(graph) == graph and 0 not in graph


def test_diagnostics_are_kept():
    problem = Diagnostic("a.py", "syntax", "broken", 3)
    assert CodeGraph.from_records([], [], [problem]).diagnostics == [problem]


def test_edge_types_have_room_in_one_byte():
    assert len(EDGE_TYPES) < 256 and len(NodeType) < 256


def test_importing_the_package_loads_no_heavy_library():
    heavy = ("torch", "transformers", "datasets", "networkx", "pyarrow")
    code = f"import sys, codefuse_hf.graph as g; g.CodeGraph; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_graph_crosses_process_borders(demo):
    demo.neighbors(11)  # with its lazily built parts
    again = pickle.loads(pickle.dumps(demo))
    assert again == demo and again.neighbors(11) == demo.neighbors(11) and again.find("Engine") == [9]


@pytest.mark.parametrize("stranger", [404, -1, 2**70, True, "Engine", None])
def test_what_is_no_id_of_the_graph_is_not_in_it(demo, stranger):
    assert stranger not in demo and 11 in demo and np.int64(11) in demo and demo[11] in demo
