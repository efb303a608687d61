import json

import pytest
from hypothesis import example, given

from codefuse_hf.graph import CodeGraph
from codefuse_hf.graph.cgm.sentences import node_sentence, node_sentences
from helpers.graph_strategies import GOLDEN, graph_parts

CASES = json.loads((GOLDEN / "sentences.json").read_text())
HAS_NULL = [None in case["node"].values() for case in CASES]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['node']['nodeType']}-{case['node'].get('id', case['node'].get('nodeId'))}"
)
def test_golden_sentences(case):
    """The published encoder's input: a null read as "None". Sentences of methods are given by their first 12 characters."""
    cut = len(case["expected"]) if case["node"]["nodeType"] == "Method" else None
    options = {"repo_name": case["reponame"], "language": case["language"], "max_length": cut}
    assert node_sentence(case["node"], null_text="None", **options) == case["expected"]


@pytest.mark.parametrize("case", [case for case, null in zip(CASES, HAS_NULL, strict=True) if not null])
def test_golden_sentences_through_a_graph(case):
    graph = CodeGraph.from_records([case["node"]])
    node = next(graph.nodes())
    cut = len(case["expected"]) if case["node"]["nodeType"] == "Method" else None
    assert node_sentence(node, repo_name=case["reponame"], language=case["language"])[:cut] == case["expected"]


PYTHON = [
    ({"nodeType": "Repo", "id": 0, "repoName": "a#b#c"}, "a#b#c"),
    ({"nodeType": "Package", "id": 0, "name": "src.core"}, "src.core"),
    ({"nodeType": "File", "id": 0, "fileName": "a.py", "filePath": "p/q", "text": " x "}, "p/q/a.py\n x "),
    ({"nodeType": "File", "id": 0, "name": "a.py", "path": "p", "text": "x"}, "p/a.py\nx"),
    ({"nodeType": "File", "id": 0, "fileName": "a.py", "filePath": None, "text": None}, "a.py\n"),
    ({"nodeType": "TextFile", "id": 0, "name": "R.md", "text": "t ", "path": "p"}, "R.md\nt "),
    (
        {"nodeType": "Class", "id": 0, "className": "A", "classType": "class", "comment": "c", "text": "t"},
        "class A\nc\nt",
    ),
    ({"nodeType": "Class", "id": 0, "className": "A", "type": "class"}, "class A\n\n"),
    ({"nodeType": "Class", "id": 0, "className": "A", "text": "t  \n "}, "A\n\nt  \n"),
    ({"nodeType": "Attribute", "id": 0, "name": "x", "type": "int", "text": "x = 1"}, "int x\n\nx = 1"),
    ({"nodeType": "Attribute", "id": 0, "name": "x"}, "x\n\n"),
    (
        {"nodeType": "Function", "id": 0, "name": "f", "header": "def f():", "comment": "c", "text": "t"},
        "def f(): f\nc\nt",
    ),
    ({"nodeType": "Function", "id": 0, "name": "f", "text": "t"}, "f\nt"),
    ({"nodeType": "Function", "id": 0, "name": "f", "comment": None, "text": "\tt\t"}, "f\n\tt\t"),
    ({"nodeType": "Lambda", "id": 0, "text": "   "}, ""),
    ({"nodeType": "Lambda", "id": 0}, ""),
]
JAVA = [
    ({"nodeType": "Repo", "id": 0, "path": "acme/demo"}, "acme/demo"),
    ({"nodeType": "Module", "id": 0, "name": "core"}, "core"),
    ({"nodeType": "File", "id": 0, "name": "A.java", "path": "p", "text": "x"}, "p/A.java"),
    ({"nodeType": "File", "id": 0, "fileName": "A.java", "filePath": "p", "text": "x"}, "p/A.java"),
    ({"nodeType": "Class", "nodeId": 0, "name": "A", "modifiers": "public final", "comment": "c", "text": "t"}, "public final A\nc"),
    ({"nodeType": "Class", "nodeId": 0, "className": None, "name": "A", "modifiers": None, "comment": None}, "A\n"),
    ({"nodeType": "Field", "id": 0, "name": "x", "type": "int", "modifiers": "private"}, "private int x\n"),
    ({"nodeType": "Field", "id": 0, "name": "x", "fieldType": "int", "comment": "c "}, "int x\nc"),
    ({"nodeType": "Method", "id": 0, "signature": "a.B#run(int)", "text": "t"}, "a.B.run\nt"),
    ({"nodeType": "Method", "id": 0, "className": "B", "signature": "a.B#run(int)", "text": "t "}, "a.B.run\nt "),
    ({"nodeType": "Method", "id": 0, "className": "B", "name": "run", "modifiers": "public", "text": "t"}, "B.run\npublic t"),
    ({"nodeType": "Method", "id": 0, "className": "B", "methodName": "run", "comment": "c", "modifiers": None}, "B.run\nc\n"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "expected"), PYTHON + JAVA)
def test_sentences_of_every_type_and_spelling_with_absent_parts(record, expected):
    assert node_sentence(record) == expected
    graph = CodeGraph.from_records([record])
    assert node_sentence(next(graph.nodes())) == expected and list(node_sentences(graph)) == [expected]


def test_each_node_of_a_mixed_graph_has_the_form_of_its_file():
    nodes = [
        {"nodeType": "File", "id": 0, "fileName": "a.py", "text": "p"},
        {"nodeType": "Class", "id": 1, "name": "A", "comment": "c", "text": "t"},
        {"nodeType": "File", "id": 2, "name": "B.java", "text": "j"},
        {"nodeType": "Class", "id": 3, "name": "B", "comment": "c", "text": "t"},
    ]
    graph = CodeGraph.from_records(nodes, [("contains", 0, 1), ("contains", 2, 3)])
    assert list(node_sentences(graph)) == ["a.py\np", "A\nc\nt", "B.java", "B\nc"]


@given(graph_parts())
@example(([{"nodeType": "File", "id": 4, "name": ""}, {"nodeType": "Class", "id": 5}], [("contains", 4, 5)]))
def test_no_sentence_ever_says_none_for_a_null(parts):
    graph = CodeGraph.from_records(*parts)
    for record, sentence in zip(parts[0], node_sentences(graph), strict=True):
        node = graph[record.get("nodeId", record.get("id"))]
        language = node.language or "python"  # in a graph that of the container, of which the record alone cannot tell
        assert "None" not in sentence and node_sentence(node) == sentence == node_sentence(record, language=language)


def test_wrong_records_are_errors():
    with pytest.raises(ValueError, match="unknown node type 'X'"):
        node_sentence({"nodeType": "X", "id": 1})
    with pytest.raises(ValueError, match="'text' must be text"):
        node_sentence({"nodeType": "Lambda", "id": 1, "text": 5})
    with pytest.raises(ValueError, match="unknown language 'cobol'"):
        node_sentence({"nodeType": "Lambda", "id": 1}, language="cobol")
