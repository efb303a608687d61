"""The subgraph that an issue is about: anchors, expansion, closure, budget."""

import pytest

from codefuse_hf.graph import CodeGraph, build_code_graph
from codefuse_hf.repair.locate import Locator, Ranking
from codefuse_hf.repair.places import Places
from codefuse_hf.repair.retriever import Retrieval, Retriever
from codefuse_hf.repair.rewriter import Rewriting
from codefuse_hf.search import CodeIndex
from helpers.faulty_repository import FILES, ISSUES, PATH_OF

NONE = Ranking((), ())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("retriever") / "shop"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(scope="module")
def graph(root):
    return build_code_graph(root, workers=0, progress=False, text_files=False)


@pytest.fixture(scope="module")
def ranked(graph):
    locator = Locator(Places.from_graph(graph))
    return lambda number: locator.locate(ISSUES[number], files=60, units=60)


def names(anchors):
    return [anchor.name.rpartition(".")[2] for anchor in anchors]


def test_names_match_by_wratio_three_each(graph):
    retriever = Retriever(graph)
    assert names(retriever.matches("round_price"))[0] == "round_price" and len(retriever.matches("round_price")) == 3
    assert (
        retriever.matches("cart")[0].path == "shop/cart.py" and names(retriever.matches("Cart"))[0] == "Cart"
    )  # case counts
    assert retriever.matches("round_price")[0].why == "is like 'round_price' (100 of 100)"


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_blank_name_matches_nothing(graph, name):
    assert Retriever(graph).matches(name) == []


def test_a_name_with_a_slash_is_a_path_too(graph):
    found = Retriever(graph).matches("src/shop/dates.py")
    assert len(found) == 6 and found[3].path == "shop/dates.py"


def test_ties_are_in_node_order():
    nodes = [{"id": n, "nodeType": "Function", "name": "same", "text": ""} for n in (7, 3, 9, 1)]
    graph = CodeGraph.from_records([*nodes, {"id": 5, "nodeType": "Lambda", "text": "same"}])
    assert [anchor.node_id for anchor in Retriever(graph).matches("same")] == [7, 3, 9]


def test_the_subgraph_is_connected_and_closed(graph, ranked):
    retrieval = Retriever(graph).retrieve(ranked(5))
    chosen = set(retrieval.node_ids)
    assert set(graph.with_containers(retrieval.node_ids)) == chosen == set(graph.file_closure(retrieval.node_ids))
    assert {graph[node].file_path for node in chosen if graph[node].type == "File"} == set(retrieval.files)
    assert retrieval.subgraph(graph).num_nodes == len(chosen) and set(retrieval.anchor_ids) <= chosen
    assert Retrieval.from_json(retrieval.to_json()) == retrieval


def test_the_ranking_stays_first_whatever_the_model_names(graph, ranked):
    for number, path in enumerate(PATH_OF):
        wrong = Rewriting(("tests/test_shop.py", "Tests", "initials"), ("is_leap", "cheapest"))
        files = Retriever(graph).retrieve(ranked(number), wrong).files
        assert files[0] == ranked(number).files[0].path and path in files


def test_tests_are_not_among_the_files(graph):
    retrieval = Retriever(graph).retrieve(NONE, Rewriting(("tests/test_shop.py",)))
    assert retrieval.files and not any("test" in path for path in retrieval.files)


def test_the_budget(graph, ranked):
    whole, small = (Retriever(graph, max_files=count).retrieve(ranked(2)) for count in (60, 2))
    assert small.files == whole.files[:2] and small.left_out == len(whole.files) - 2
    assert set(small.node_ids) < set(whole.node_ids)
    with pytest.raises(ValueError, match="max_files"):
        Retriever(graph, max_files=0)


def test_nothing_is_found_for_nothing(graph):
    assert Retriever(graph).retrieve(NONE) == Retrieval()


def test_queries_find_nodes_through_the_index(graph, root, tmp_path):
    index = CodeIndex.build(root, folder=tmp_path / "index", progress=False)
    retriever = Retriever(graph, index=index)
    found = retriever.found("label with an ellipsis")
    assert "shorten" in names(found) and all(anchor.node_id in graph for anchor in found)
    retrieval = retriever.retrieve(NONE, Rewriting((), (), ("label with an ellipsis",)))
    assert retrieval.files[0] == "shop/text.py"
    assert retriever.found(" ") == [] and Retriever(graph).found("label") == []


def test_an_index_of_yesterday_finds_by_name(graph, root, tmp_path):
    older = tmp_path / "older"
    for path, text in FILES.items():
        (older / path).parent.mkdir(parents=True, exist_ok=True)
        (older / path).write_text("# a line more\n" + text)
    (older / "shop/gone.py").write_text("def ellipsis_of_label():\n    pass\n")
    index = CodeIndex.build(older, folder=tmp_path / "index", progress=False)
    found = Retriever(graph, index=index).found("label with an ellipsis")
    assert "shorten" in names(found) and "ellipsis_of_label" not in names(found)
