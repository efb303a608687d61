"""Java front end on broken, odd and deeply nested sources."""

from __future__ import annotations

import pickle
import random
import sys
from pathlib import Path

import pytest
from java_programs import PROGRAMS

from codefuse_hf.graph import GraphBuilder, build_code_graph
from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.source_text import SourceText

DEEP = 5_000


def edges(text: str) -> set[tuple[str, str, str]]:
    facts = front_end("java").extract("A.java", SourceText(text))
    names = [d.fields.get("signature") or d.fields.get("name") or d.node_type for d in facts.definitions]
    return {(kind, names[a.index], names[b.index]) for kind, a, b in front_end("java").resolve({"A.java": facts})}


def test_broken_syntax_keeps_the_rest() -> None:
    text = "class A { void f() { g(; h() } void g() { } void h( { } int x = ; void i() { g(); } }"
    facts = front_end("java").extract("A.java", SourceText(text))
    assert [p.kind for p in facts.problems] == ["syntax"]
    assert ("calls", "A#i()", "A#g()") in edges(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n",
        ";",
        "}",
        "class",
        "class A",
        "import ;",
        "package ;",
        "@",
        "\0",
        "class A { int }",
        "enum E { , }",
    ],
)
def test_hardly_any_source(text: str) -> None:
    facts = front_end("java").extract("A.java", SourceText(text))
    list(front_end("java").resolve({"A.java": facts}))
    assert facts.definitions[0].end == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "class A { int f() { return " + "(" * DEEP + "1" + ")" * DEEP + "; } }",
        "class A { void f() " + "{" * DEEP + "g();" + "}" * DEEP + " void g() { } }",
        "class A { int x = " + "1 + " * DEEP + "f(); int f() { return 1; } }",
        "class A { Object o = " + "x -> " * DEEP + "f(); int f() { return 1; } }",
        "class A { A a() { return this; } void f() { a()" + ".a()" * DEEP + "; } }",
        "class A { void f() { " + "if (b) { g(); } else " * DEEP + "{ } } void g() { } }",
        "class A { int f(int x) { return " + "x > 0 ? 1 : " * DEEP + "f(1); } }",
        "class A { void f(" + "List<" * DEEP + "A" + ">" * DEEP + " x) { g(); } void g() { } }",
        "class A { " + "class B { " * DEEP + "void f() { }" + "}" * DEEP + " }",
        "class A { Object o = " + "new Object() { Object o = " * 500 + "null" + "; }" * 500 + "; }",
    ],
    ids=["parentheses", "blocks", "sum", "lambdas", "chain", "else-if", "ternary", "generics", "classes", "anonymous"],
)
def test_deep_nesting(text: str) -> None:
    limit = sys.getrecursionlimit()
    facts = front_end("java").extract("A.java", SourceText(text))
    pickle.dumps(facts)
    list(front_end("java").resolve({"A.java": facts}))
    assert len(facts.definitions) >= 2 and not facts.problems
    assert sys.getrecursionlimit() == limit


def test_mutated_programs_never_raise() -> None:
    random.seed(0)
    sources = [path.read_text(encoding="utf-8") for path in sorted(PROGRAMS.rglob("*.java"))]
    for _ in range(150):
        text = random.choice(sources)
        for _ in range(random.randint(1, 6)):
            at = random.randrange(len(text))
            text = (
                random.choice(
                    [
                        text[:at] + text[at + random.randint(1, 20) :],
                        text[:at] + random.choice("(){}<>;,.\"'@:\0é") + text[at:],
                    ]
                )
                or " "
            )
        source = SourceText(text)
        facts = front_end("java").extract("A.java", source)
        for index, definition in enumerate(facts.definitions[1:], 1):
            assert 0 <= definition.parent < index
            assert 0 <= definition.start <= definition.end <= len(text)
        for _, a, b in front_end("java").resolve({"A.java": facts}):
            assert 0 <= a.index < len(facts.definitions) and 0 <= b.index < len(facts.definitions)


def test_duplicate_definitions() -> None:
    assert ("calls", "A#f()", "A#g()") in edges("class A { void g() { } void f() { g(); } } class A { void g() { } }")


def test_same_bytes_from_processes(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"A{number}.java").write_text(
            f"class A{number} {{ void f() {{ new A{(number + 1) % 6}().f(); Runnable r = () -> f(); r.run(); }} }}"
        )
    one = build_code_graph(tmp_path, workers=1, progress=False).to_json()
    assert one == build_code_graph(tmp_path, workers=2, progress=False).to_json()


def test_a_call_that_may_mean_too_many_methods_is_named(tmp_path: Path) -> None:
    """A bound that leaves edges out says so, once a file and method, and again after an update."""
    classes = "\n".join(f"class J{i} implements Runnable {{ public void run() {{ }} }}" for i in range(51))
    (tmp_path / "Jobs.java").write_text(classes)
    pool = "class Pool { void one(Runnable r) { r.run(); r.run(); } void two(Runnable r) { r.run(); } void own() { new J3().run(); } }"
    (tmp_path / "Pool.java").write_text(pool)
    builder = GraphBuilder(tmp_path, languages=["java"], workers=0, progress=False)
    message = "51 methods of the project may be meant where 2 of this file call java.lang.Runnable.run; these calls have no edges"
    graph = builder.build()
    assert [(each.path, each.kind, each.message) for each in graph.diagnostics] == [("Pool.java", "calls", message)]
    (tmp_path / "Other.java").write_text("class Other { }")
    assert builder.update().diagnostics == graph.diagnostics
    (tmp_path / "Jobs.java").write_text(classes.rpartition("\n")[0])
    assert builder.update().diagnostics == []


def test_fifty_methods_are_edges(tmp_path: Path) -> None:
    classes = "\n".join(f"class J{i} implements Runnable {{ public void run() {{ }} }}" for i in range(50))
    (tmp_path / "Pool.java").write_text(f"{classes}\nclass Pool {{ void one(Runnable r) {{ r.run(); }} }}")
    graph = build_code_graph(tmp_path, languages=["java"], workers=0, progress=False)
    assert not graph.diagnostics
    assert sum(kind.value == "calls" for kind, _, _ in graph.edges()) == 50
