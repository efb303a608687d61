"""Where the flow of values is bounded, and what the diagnostics say of it."""

from codefuse_hf.graph import GraphBuilder
from codefuse_hf.graph.languages.python.flow.scatter import MAX_FAMILIES
from codefuse_hf.graph.languages.python.flow.variables import MAX_VALUES


def built(folder, text):
    (folder / "a.py").write_text(text)
    builder = GraphBuilder(folder, progress=False, workers=0)
    graph = builder.build()
    ids = [node.id for node in graph.nodes() if node.qualified_name == "a.use"]
    calls = {graph[target].qualified_name for each in ids for target in graph.neighbors(each, "calls", "out")}
    return builder, graph, calls


def bounds(graph):
    return [(each.path, each.line) for each in graph.diagnostics if each.kind == "bound"]


def classes(count, base="", body="def go(self): pass"):
    return "".join(f"class C{n}{base}:\n    {body}\n" for n in range(count))


def test_values_that_are_dropped_are_reported_once(tmp_path):
    count = MAX_VALUES + 5
    functions = "".join(f"def f{n}(): pass\n" for n in range(count))
    text = f"{functions}def use(f):\n    f()\n" + "".join(f"use(f{n})\n" for n in range(count))
    _, graph, calls = built(tmp_path, text)
    assert len(calls) == MAX_VALUES
    assert bounds(graph) == [("a.py", None)]


def test_few_values_are_not_reported(tmp_path):
    _, graph, calls = built(tmp_path, "def f(): pass\ndef use(g):\n    g()\nuse(f)\n")
    assert calls == {"a.f"}
    assert bounds(graph) == []


USE = "def use(x):\n    x.go()\nfor kind in ({}): use(kind())\n"


def names(count):
    return ", ".join(f"C{n}" for n in range(count))


def test_a_place_where_anything_may_stand_calls_nothing(tmp_path):
    count = MAX_FAMILIES + 1
    builder, graph, calls = built(tmp_path, classes(count) + USE.format(names(count)))
    assert calls == set()
    assert bounds(graph) == [("a.py", None)]
    (tmp_path / "a.py").write_text(classes(count - 1) + USE.format(names(count - 1)))
    graph = builder.update()
    assert bounds(graph) == []
    assert graph.to_json() == GraphBuilder(tmp_path, progress=False, workers=0).build().to_json()


def test_relatives_count_once(tmp_path):
    text = "import lib\nclass Base: pass\n" + classes(9, "(Base)") + USE.format(names(9))
    assert len(built(tmp_path, text)[2]) == 9
    text = text.replace("(Base)", "(lib.Plugin)")
    assert len(built(tmp_path, text)[2]) == 9


def test_several_places_may_each_have_their_own(tmp_path):
    count = 2 * MAX_FAMILIES
    text = classes(count) + "def use():\n" + "".join(f"    C{n}().go()\n" for n in range(count))
    assert len(built(tmp_path, text)[2]) == count
