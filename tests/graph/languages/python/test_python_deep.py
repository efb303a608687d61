"""Nesting 5 000 deep, of every kind that nests: read to the end, with the recursion limit left alone."""

import sys
import threading

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.languages.python.reading import deep
from codefuse_hf.graph.languages.python.reading.file import extract_python
from codefuse_hf.graph.languages.source_text import SourceText
from helpers.graph_checks import check_graph

DEPTH = 5000
EXPRESSIONS = {
    "parentheses": "x = " + "(" * DEPTH + "f()" + ")" * DEPTH,
    "lists": "x = " + "[" * DEPTH + "f()" + "]" * DEPTH,
    "dictionaries": "x = " + "{1: " * DEPTH + "f()" + "}" * DEPTH,
    "comprehensions": "x = " + "[x for x in " * DEPTH + "f()" + "]" * DEPTH,
    "calls": "x = " + "f(" * DEPTH + ")" * DEPTH,
    "starred arguments": "f(" + "*f(" * DEPTH + "f()" + ")" * DEPTH + ")",
    "chained calls": "x = f()" + ".a()" * DEPTH,
    "attributes": "x = f()" + ".a" * DEPTH,
    "subscripts": "x = f()" + "[0]" * DEPTH,
    "lambdas": "x = " + "lambda: " * DEPTH + "f()",
    "sums, to the left": "x = " + "f() + " * DEPTH + "f()",
    "powers, to the right": "x = " + "f() ** " * DEPTH + "f()",
    "conjunctions": "x = " + "f() and " * DEPTH + "0",
    "negations": "x = " + "not " * DEPTH + "f()",
    "signs": "x = " + "-" * DEPTH + "f()",
    "conditionals": "x = " + "1 if f() else " * DEPTH + "0",
    "assignments": "x = " + "a = " * DEPTH + "f()",
    "annotations": "x: " + "list[" * DEPTH + "f" + "]" * DEPTH + " = f()",
    "targets": "(" * DEPTH + "x" + ",)" * DEPTH + " = f()",
    "patterns": "match f():\n    case " + "[" * DEPTH + "x" + "]" * DEPTH + ": pass",
    "elif": "if f(): pass\n" + "elif f(): pass\n" * DEPTH,
}
BLOCKS = {"if": "if f():", "for": "for x in f():", "while": "while f():", "with": "with f():"}


def nested(head, depth, width=1):
    return "".join(" " * width * i + head + "\n" for i in range(depth)) + " " * width * depth + "x = f()\n"


def own_threads():
    """How many threads there are but tqdm's, which begins with the first progress bar of a process."""
    return sum(thread.name != "tqdm_monitor" for thread in threading.enumerate())


def build(folder, source, *, check=True):
    """The graph of a file with `source` between a function `f` and a function `after`; names of what `calls` edges reach."""
    (folder / "deep.py").write_text("def f(): return f\n" + source + "\ndef after(): f()\n")
    limit, threads = sys.getrecursionlimit(), own_threads()
    graph = build_code_graph(folder, progress=False, workers=0)
    assert sys.getrecursionlimit() == limit
    assert own_threads() == threads
    if check:
        check_graph(graph)
    calls = {
        (graph[node.id].qualified_name, graph[target].qualified_name)
        for node in graph.nodes()
        for target in graph.neighbors(node.id, "calls", "out")
    }
    assert ("deep.after", "deep.f") in calls
    return graph, calls


@pytest.mark.parametrize("source", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_deep_expressions(tmp_path, source):
    graph, calls = build(tmp_path, source)
    assert not graph.diagnostics
    assert any(target == "deep.f" and source != "deep.after" for source, target in calls)


@pytest.mark.parametrize("head", BLOCKS.values(), ids=BLOCKS)
def test_deep_blocks(tmp_path, head):
    # Neither Python (100 levels) nor the grammars (255 or 512) read blocks this deep: the calls are found all the same.
    graph, calls = build(tmp_path, nested(head, DEPTH))
    assert {d.kind for d in graph.diagnostics} == {"syntax"}
    assert ("deep", "deep.f") in calls


@pytest.mark.parametrize(("head", "kind"), [("def g():", "Function"), ("class A:", "Class")])
def test_deep_definitions(tmp_path, head, kind):
    graph, _ = build(tmp_path, nested(head, DEPTH), check=False)  # hundreds of texts of 12 MB each
    assert {d.kind for d in graph.diagnostics} == {"syntax"}
    assert sum(node.type == kind for node in graph.nodes()) > 200


@pytest.mark.parametrize("width", [1, 4, 9])
def test_as_deep_as_python_goes(tmp_path, width):
    """99 levels of indentation, up to 891 columns wide, are read as they stand."""
    graph, calls = build(tmp_path, nested("def g():", 99, width))
    assert not graph.diagnostics
    assert ("deep" + ".g" * 99, "deep.f") in calls


def test_tabs_and_form_feeds_in_wide_indentation(tmp_path):
    levels = 60
    lines = [("\t" * i + "\x0c" * (i == 1) + "\t" * (i == 1) + "def g():") for i in range(levels)]
    graph, calls = build(tmp_path, "\n".join(lines) + "\n" + "\t" * levels + "f()\n")
    assert not graph.diagnostics
    assert ("deep" + ".g" * levels, "deep.f") in calls


def test_deeper_than_threads_go_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(deep.DeepExtractor, "most_segments", 3)
    source = "def f(): pass\nx = " + "[" * DEPTH + "f()" + "]" * DEPTH + "\nf()\n"
    facts = extract_python("a.py", SourceText(source))
    assert [problem.kind for problem in facts.problems] == ["nesting"]
    assert len(facts.facts.calls) == 1
