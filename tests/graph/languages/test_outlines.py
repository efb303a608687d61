"""Languages that a table describes: definitions with exact ranges and containment, imports, calls.

In the samples (`tests/data/outlines/<language>/`), `⟨Type name¦…⟩` stands around the text of each definition; the signs are taken out before they are read.
"""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codefuse_hf.graph import CodeGraph, GraphBuilder, build_code_graph, node_sentence
from codefuse_hf.graph.languages import front_end, languages
from codefuse_hf.graph.languages.source_text import SourceText

SAMPLES = Path(__file__).parents[2] / "data" / "outlines"
LANGUAGES = sorted(each.name for each in SAMPLES.iterdir())
OUTLINED = ["c", "cpp", "csharp", "go", "javascript", "kotlin", "php", "ruby", "rust", "scala", "typescript"]


def without_signs(marked):
    """The text, and (type, name, start, end) of each definition in order of their starts, with the number of the one around it."""
    text, found, opened = "", [], []
    for piece in re.split(r"(⟨\w+ ?[^¦]*¦|⟩)", marked):
        if piece == "⟩":
            found[opened.pop()][3] = len(text)
        elif piece.startswith("⟨"):
            kind, _, name = piece[1:-1].partition(" ")
            around = [n for n in opened if found[n][2] < len(text) or found[n][0] != "Attribute"]
            found.append([kind, name.strip('"'), len(text), -1, around[-1] if around else -1])
            opened.append(len(found) - 1)
        else:
            text += piece
    return text, [tuple(each) for each in found]


def sample(language):
    """The files of a sample by path, as without_signs gives them."""
    folder = SAMPLES / language
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): without_signs(path.read_text()) for path in files}


@pytest.fixture(scope="module", params=LANGUAGES)
def built(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    for path, (text, _) in sample(request.param).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return request.param, root, build_code_graph(root, progress=False, workers=0)


def test_definitions_are_where_the_samples_say(built):
    language, _, graph = built
    for path, (text, expected) in sample(language).items():
        if path == "go.mod":
            continue
        (file,) = graph.find(path=path, types="File")
        found = {}
        for node in graph.nodes():
            if node.file_path == path and node.type != "File":
                (above,) = [a for _, a, b in graph.incident_edges(node.id, "contains", "in")]
                found[node.id] = node, above
        order = sorted(found)
        assert graph[file].text == text
        actual = [(str(found[i][0].type), found[i][0].name, found[i][0].text) for i in order]
        assert actual == [(kind, name, text[start:end]) for kind, name, start, end, _ in expected]
        for i, (_, _, start, _, around) in zip(order, expected, strict=True):
            node, above = found[i]
            assert above == (order[around] if around >= 0 else file), node
            assert (node.start_line, node.column) == (
                text.count("\n", 0, start) + 1,
                start - text.rfind("\n", 0, start) - 1,
            )


CALLS = {
    "javascript": """
        handler > open, constructor > reallyShut, open > turn, open > helper, inner > add, add > inner, add > constructor, Box.late > helper, Box.late > open,
        named > helper, go > use, f > g, over > f, turn > press""",
    "go": "Shop.Sell > Shop.check, Shop.Sell > Close, Shop.Sell > other, other > main",
    "c": "helper > TWICE, door_shut > helper, main > helper, main > door_shut",
    "cpp": """
        Box > shop.inner.Box.grow, get > size_, Box.~Box > hidden, Box.make > free_one, shop.inner.Box.grow > Box.make, shop.inner.Box.grow > Box,
        shop.inner.Box.grow > free_one, plain > hidden""",
    "rust": """
        both > hold, Box.hold > Box.new, Box.hold > helper, Box.hold > sell, Box.hold > shut, Box.hold > Door.open, Box.new > made!, helper > sell,
        works > helper, works > inner, sell > shut, Door.open > shut, shut > sell""",
    "csharp": "Box > Fill, Fill > Other, Fill > Turn, Fill > Box, Fill > Local, Local > Fill",
    "ruby": """
        initialize > fill, fill > other, fill > turn, fill > initialize, fill > class_of, make > initialize, other > fill, empty? > other,
        top > make, shop.rb > top""",
    "php": "__construct > fill, fill > make, fill > hit, fill > free, fill > fill, fill > __construct",
    "kotlin": "fill > other, other > turn, other > hit, other > make, label > make, go > free, String.ext > local",
    "scala": "fill > other, other > hit, other > inner, inner > make, make > go",
}
IMPORTS = {
    "javascript": """
        heirs.ts > bases.ts, heirs.ts > Base, heirs.ts > Opens, sample.js > door.js, sample.js > reallyShut, sample.js > tools.ts, sample.js > more.tsx, sample.js > turn, tools.ts > more.tsx""",
    "go": "main.go > door.go",
    "c": "door.c > door.h, main.c > door.h",
    "cpp": "shop.cpp > shop.hpp",
    "rust": """
        lib.rs > mod.rs, lib.rs > door.rs, lib.rs > sell, lib.rs > Door, mod.rs > door.rs""",
    "csharp": "",
    "ruby": "shop.rb > door.rb",
    "php": "Box.php > helpers.php, Box.php > Hammer",
    "kotlin": "Shop.kt > Tools.kt, Shop.kt > turn, Shop.kt > Hammer",
    "scala": "Shop.scala > Tools.scala, Shop.scala > Hammer",
}
EXTENDS = {
    "cpp": "Box > Base, Till > Base, Till > Rack",
    "csharp": "IWide > IOpens, Till > Base",
    "javascript": "Till > Base, Wide > Opens",
    "kotlin": "Till > Base, Wide > Opens",
    "php": "Till > Base, Till > Mixes, Wide > Opens",
    "ruby": "Bases.Other > Opens, Bases.Other > Till, Till > Base, Till > Opens",
    "rust": "Sells > Opens",
    "scala": "Base > Opens, Box > Holds, Kind > Opens, Till > Base, Till > Opens",
}
IMPLEMENTS = {
    "csharp": "Box > IHold, Spot > IOpens, Till > IWide",
    "javascript": "Base > Tool, Mixed > Opens, Till > Opens",
    "kotlin": "Box > Holds, One > Opens, Till > Opens",
    "php": "Box > Holds, Size > Opens, Till > Opens",
    "rust": "Box > Hold, Till > Opens, Till > Sells",
}


def edges(graph, kind):
    return sorted(f"{graph[a].name} > {graph[b].name}" for _, a, b in graph.edges(kind))


def listed(text):
    return sorted(" ".join(each.split()) for each in text.split(",") if each.strip())


def test_calls(built):
    language, _, graph = built
    assert edges(graph, "calls") == listed(CALLS[language])


def test_imports(built):
    language, _, graph = built
    assert edges(graph, "imports") == listed(IMPORTS[language])


def test_bases_and_interfaces(built):
    language, _, graph = built
    assert edges(graph, "extends") == listed(EXTENDS.get(language, ""))
    assert edges(graph, "implements") == listed(IMPLEMENTS.get(language, ""))


def test_no_problems_and_the_same_graph_from_json(built):
    _, _, graph = built
    assert not graph.diagnostics
    assert CodeGraph.from_json(graph.to_json()) == graph


def test_an_update_gives_the_graph_of_a_build(built, tmp_path):
    language, root, graph = built
    builder = GraphBuilder(root, progress=False, workers=0)
    assert builder.build() == graph
    path = next(p for p in sample(language) if p != "go.mod")
    before = (root / path).read_text()
    (root / path).write_text("\n" + before)
    assert builder.update([path]) == build_code_graph(root, progress=False, workers=0)
    (root / path).write_text(before)
    assert builder.update([path]) == graph


def build(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return build_code_graph(root, progress=False, workers=0)


def test_what_a_function_and_a_class_say_of_themselves(tmp_path):
    graph = build(tmp_path, {
        "a.go": "package a\n\n// Run runs.\n//\n// Fast.\nfunc (s *Shop) Run(n int) error {\n\treturn nil\n}\n",
        "b.rs": "/// Holds.\n#[derive(Debug)]\npub struct Box {\n    /// How much.\n    size: u8,\n}\n",
        "c.ts": "x(); // not this\n/**\n * Adds.\n * @returns more\n */\nexport const add = (a: number): number => a + 1;\n",
    })  # fmt: skip
    (run,), (box,), (add,), (size,) = (graph.find(name) for name in ("Shop.Run", "Box", "add", "size"))
    assert (graph[run].header, graph[run].comment) == ("func (s *Shop) Run(n int) error", "Run runs.\n\nFast.")
    assert (graph[box].kind, graph[box].comment, graph[size].kind, graph[size].comment) == (
        "struct",
        "Holds.",
        "u8",
        "How much.",
    )
    assert (graph[add].header, graph[add].comment) == (
        "export const add = (a: number): number =>",
        "Adds.\n@returns more",
    )
    assert node_sentence(graph[run]).startswith("func (s *Shop) Run(n int) error Shop.Run\nRun runs.\n\nFast.\nfunc")
    assert graph[graph.find("b.rs")[0]].clean_text == "/// Holds.\n"
    assert graph.find("Run") == graph.find("a.Shop.Run") == [run]


def test_overloads_are_told_by_the_number_of_arguments_or_not_at_all(tmp_path):
    source = "class A { void F(int a) {} void F(int a, int b) {} void G(int a) {} void G(string a) {} void H() { F(1); F(1, 2); F(); G(1); } }"
    graph = build(tmp_path, {"a.cs": source})
    assert sorted(graph[b].text for _, _, b in graph.edges("calls")) == ["void F(int a) {}", "void F(int a, int b) {}"]


def test_what_c_sharp_12_brought_is_read(tmp_path):
    source = """namespace Shop;
    public abstract class Till(Box box, int size) : Base(box), IThing { protected void Open(params string[] names) => Shut(names); void Shut(string[] names) { } }
    public class Bare : Base;
    public readonly struct Coin(int value) { public int Twice() => 2 * value; }
    public record struct Point(int X); public record Named(string Name) : Base; record class Plain;
    class Last { void Run() { List<int> all = [1, 2, .. Rest()]; Walk(open => open()); } List<int> Rest() => []; void Walk(Action<Action> each) { } void open() { } }"""
    graph = build(tmp_path, {"a.cs": source})
    assert not graph.diagnostics
    classes = {node.name: node.kind for node in graph.nodes() if node.type == "Class"}
    kinds = {"Till": "class", "Bare": "class", "Coin": "struct", "Last": "class"}
    assert classes == {**kinds, "Point": "record struct", "Named": "record", "Plain": "record"}
    assert graph[graph.find("Shut")[0]].qualified_name == "a.Till.Shut"
    assert edges(graph, "calls") == ["Open > Shut", "Run > Rest", "Run > Walk"]


def test_c_sharp_goes_on_behind_an_else_in_a_conditional_and_behind_lines_for_the_tool(tmp_path):
    source = """#!/usr/bin/env dotnet
#:package Cake
class A {
    void F(int a) {
        if (a == 1) { G(); }
#if NEW
        else if (H(a) is { } x) { G(); }
#endif
        else { H(a); }
    }
    void G() { }
    object H(int a) => a;
}
"""
    graph = build(tmp_path, {"a.cs": source})
    assert not graph.diagnostics
    assert [graph[i].name for i in sorted(graph.find(path="a.cs", types="Function"))] == ["F", "G", "H"]
    assert edges(graph, "calls") == ["F > G", "F > H"]


def test_a_function_without_parameters_is_not_called_with_arguments(tmp_path):
    graph = build(
        tmp_path,
        {"a.kt": "class Test {\n    fun sha() {\n        sha(source)\n        other()\n    }\n    fun other() {}\n}\n"},
    )
    assert edges(graph, "calls") == ["sha > other"]


def test_top_methods_of_ruby_are_for_their_own_file(tmp_path):
    graph = build(
        tmp_path,
        {
            "a_test.rb": "def body; end\nbody\n",
            "b_test.rb": "class T\n  def t; body; helper; end\n  def helper=(x); @x = x; end\n  def helper; end\nend\n",
        },
    )
    assert edges(graph, "calls") == ["a_test.rb > body", "t > helper"]


def test_methods_of_foreign_types_are_not_meant_by_the_types_name(tmp_path):
    graph = build(
        tmp_path, {"a.rs": "impl From<A> for String { fn from(a: A) {} }\n", "b.rs": "fn f() { String::from(1); }\n"}
    )
    assert not list(graph.edges("calls"))


def test_a_definition_ends_before_the_comment_of_the_next(tmp_path):
    """Scala's grammar takes the comment behind a body without braces into it."""
    source = "class A {\n  def one = two { y =>\n    y\n  }\n\n  /**\n   * Two.\n   */\n  def two = 1 // here\n\n  // Three.\n  val three = 3 /* in */ + 1\n}\n"
    graph = build(tmp_path, {"a.scala": source})
    found = {
        graph[i].name: (graph[i].comment, graph[i].text)
        for i in graph.find(path="a.scala", types=("Function", "Attribute"))
    }
    assert found == {
        "one": (None, "def one = two { y =>\n    y\n  }"),
        "two": ("Two.", "def two = 1"),
        "three": ("Three.", "val three = 3 /* in */ + 1"),
    }


@pytest.mark.parametrize("times", [300, 5000])
def test_minified_code_is_no_outline(tmp_path, times):
    graph = build(tmp_path, {"a.min.js": "function f(){g()}" * times})
    assert [d.kind for d in graph.diagnostics] == ["generated"] and not graph.find("f")


@pytest.mark.parametrize("language", OUTLINED)
@pytest.mark.parametrize(
    "source", ["", "\n", "}", "((((", "class", "\ufeff", "é😀", "\0", "fn f( {", "a.b.c(", "/*", '"']
)
def test_broken_and_empty_files(language, source):
    facts = front_end(language).extract("a" + languages()[language].suffixes[0], SourceText(source))
    assert facts.definitions[0].end == len(source)


@pytest.mark.parametrize("language", OUTLINED)
def test_deep_nesting_is_no_recursion(language):
    source = "f(" * 3000 + "{" * 3000 + "class A { " * 200
    front_end(language).extract("a" + languages()[language].suffixes[0], SourceText(source))


@pytest.mark.parametrize("language", LANGUAGES)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_pieces_of_samples_in_any_order_are_read_and_resolved(language, data):
    text = "".join(text for path, (text, _) in sample(language).items() if path != "go.mod")
    words = re.findall(r"\w+|\s+|.", text)
    source = SourceText(
        "".join(data.draw(st.lists(st.sampled_from(words), max_size=60))) + text[data.draw(st.integers(0, len(text))) :]
    )
    for name in OUTLINED if language == "javascript" else [language]:
        path = "a" + languages()[name].suffixes[0]
        facts = front_end(name).extract(path, source)
        count = len(facts.definitions)
        for index, definition in enumerate(facts.definitions[1:], 1):
            above = facts.definitions[definition.parent]
            assert definition.parent < index and above.start <= definition.start <= definition.end <= above.end
        for _, (_, first), (_, second) in front_end(name).resolve({path: facts}):
            assert first < count and second < count
