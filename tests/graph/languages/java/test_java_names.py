"""Imports, inheritance and references between Java files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from java_programs import edges_of

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.languages.java.types.source_roots import Place, declared_roots


def build(root: Path, files: dict[str, str]) -> dict:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return json.loads(build_code_graph(root, workers=1, progress=False).to_json())


def test_imports_of_every_kind(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "app/Main.java": "package app; import lib.One; import many.*; import static lib.Tools.help; import static lib.Consts.*; import java.util.List;\n"
            "class Main { One a; Two b; Near c; int d = LIMIT; List<String> e; void f() { help(); } }",
            "app/Near.java": "package app; class Near { }",
            "app/Unused.java": "package app; class Unused { }",
            "lib/One.java": "package lib; public class One { }",
            "lib/Tools.java": "package lib; public class Tools { public static void help() { } public static void help(int i) { } }",
            "lib/Consts.java": "package lib; public class Consts { public static final int LIMIT = 1; }",
            "many/Two.java": "package many; public class Two { }",
            "many/Three.java": "package many; public class Three { }",
        },
    )
    targets = {b for a, b in edges_of(graph, "imports") if a == "Main.java"}
    assert targets == {"One", "Two", "Near", "Tools#help()", "Tools#help(int)", "Consts"}


def test_import_of_a_nested_class(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "p/A.java": "package p; public class A { public static class In { } }",
            "B.java": "import p.A.In; class B extends In { }",
        },
    )
    assert edges_of(graph, "imports") == {("B.java", "A.In")}
    assert edges_of(graph, "extends") == {("B", "A.In")}


def test_inheritance(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "A.java": "interface I<T> { } interface J extends I<String> { } class Base<T> { class Part { } }\n"
            "class A extends Base<String> implements J, I<String> { Part p; class Own extends Part { } }\n"
            "enum E implements J { X { } } record R(int x) implements J { }\n"
            "class Use { Object o = new J() { }; Object b = new Base<Integer>() { }; }",
        },
    )
    assert edges_of(graph, "extends") == {
        ("J", "I"),
        ("A", "Base"),
        ("A.Own", "Base.Part"),
        ("E$1", "E"),
        ("Use$2", "Base"),
    }
    assert edges_of(graph, "implements") == {("A", "J"), ("A", "I"), ("E", "J"), ("R", "J"), ("Use$1", "J")}


def test_cyclic_inheritance_ends(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "A.java": "class A extends B { void f() { g(); } } class B extends C { } class C extends A { void g() { x.y(); } }"
        },
    )
    assert edges_of(graph, "extends") == {("A", "B"), ("B", "C"), ("C", "A")}
    assert ("A#f()", "C#g()") in edges_of(graph, "calls")


def test_own_type_parameter_hides_a_class(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "A.java": "class T { void go() { } } class A<T> { T t; void f() { t.go(); } } class B { T t; void f() { t.go(); } }"
        },
    )
    assert {a for a, b in edges_of(graph, "calls") if b == "T#go()"} == {"B#f()"}


def test_references(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "A.java": "class Part { static int count; } class Oops extends Exception { }\n"
            "class A { Part part; void f(Part p) throws Oops { Part.count = 1; Object o = p; } Class<?> c() { return Part.class; } }\n"
            "enum Color { RED } class B { boolean f(Object o, Color c) { switch (c) { case RED: return true; } return o instanceof Part; } }",
        },
    )
    found = edges_of(graph, "references")
    assert {
        ("A.part", "Part"),
        ("A#f(Part)", "Part"),
        ("A#f(Part)", "Oops"),
        ("A#f(Part)", "Part.count"),
        ("A#c()", "Part"),
    } <= found
    assert {("B#f(Object,Color)", "Color.RED"), ("B#f(Object,Color)", "Part")} <= found


def test_the_nearest_of_two_copies_is_meant(tmp_path: Path) -> None:
    copy = "package lib; public class Tool { public void use(%s) { } }"
    user = "package app; import lib.Tool; class User { void f(Tool t) { t.use(); } }"
    graph = build(
        tmp_path,
        {
            "one/lib/Tool.java": copy % "",
            "two/lib/Tool.java": copy % "int... n",
            "one/app/User.java": user,
            "two/app/User.java": user,
        },
    )
    paths = {n["id"]: n.get("path") for n in graph["nodes"] if n["nodeType"] == "File"}
    parents = {e["target"]: e["source"] for e in graph["edges"] if e["edgeType"] == "contains"}

    def path(node: int) -> str:
        while node not in paths:
            node = parents[node]
        return paths[node].split("/")[0]

    calls = [(path(e["source"]), path(e["target"])) for e in graph["edges"] if e["edgeType"] == "calls"]
    assert sorted(calls) == [("one", "one"), ("two", "two")]


def test_python_and_java_in_one_graph(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "src/A.java": "class A { void f() { g(); } void g() { } }",
            "tool/run.py": "def f():\n    g()\n\ndef g():\n    pass\n",
            "README.md": "# both\n",
        },
    )
    kinds = {n["nodeType"] for n in graph["nodes"]}
    assert {"Method", "Function", "Textfile"} <= kinds
    assert edges_of(graph, "calls") == {("A#f()", "A#g()"), ("f", "g")}


def test_services_of_a_module(tmp_path: Path) -> None:
    graph = build(
        tmp_path,
        {
            "module-info.java": "module app { requires java.base; uses p.Service; provides p.Service with p.One, q.Two; exports p; }",
            "p/Service.java": "package p; public interface Service { }",
            "p/One.java": "package p; public class One implements Service { }",
            "p/Other.java": "package p; public class Other { }",
            "q/Two.java": "package q; public class Two implements p.Service { }",
        },
    )
    assert {b for a, b in edges_of(graph, "references") if a == "module-info.java"} == {"Service", "One", "Two"}


def test_names_with_unicode_escapes(tmp_path: Path) -> None:
    text = (
        "class \\u0041b {\n"
        "  String s = \"\\u0022 \\u0041b\"; char c = '\\u0041'; // \\u0041b\n"
        "  void caf\\u00e9() { \\uu0062ar(); }\n"
        "  void bar() { new Ab().caf\u00e9(); }\n"
        "}\n"
    )
    graph = build(tmp_path, {"Ab.java": text})
    assert edges_of(graph, "calls") == {("Ab#caf\u00e9()", "Ab#bar()"), ("Ab#bar()", "Ab#caf\u00e9()")}
    fields = {node["name"]: node.get("initializer") for node in graph["nodes"] if node["nodeType"] == "Field"}
    assert fields == {"s": '"\\u0022 \\u0041b"', "c": "'\\u0041'"}  # as written
    assert next(node for node in graph["nodes"] if node["nodeType"] == "File")["text"] == text


COPIES = "package p; public class Config { public void %s() { } }"
USER = "package p; class %s { void f() { new Config().%s(); } }"


def calls_with_copies(root: Path, main: str, test: str, others: dict[str, str]) -> set:
    files = {
        f"{main}/p/Config.java": COPIES % "real",
        f"{test}/p/Config.java": COPIES % "fake",
        f"{main}/p/User.java": USER % ("User", "real"),
        f"{test}/p/UserTest.java": USER % ("UserTest", "fake"),
        **others,
    }
    graph = build(root, files)
    return {(a, b) for a, b in edges_of(graph, "calls") if a.startswith("User")}


BOTH = {("User#f()", "Config#real()"), ("UserTest#f()", "Config#fake()")}


def test_a_file_means_the_class_of_its_own_sources(tmp_path: Path) -> None:
    other = {"a/src/test/java/p/Config.java": COPIES % "other"}  # the tests of another module
    assert calls_with_copies(tmp_path, "b/src/main/java", "b/src/test/java", other) == BOTH


def test_sources_do_not_see_tests(tmp_path: Path) -> None:
    files = {
        "a/src/main/java/p/Config.java": COPIES % "real",
        "b/src/test/java/p/Config.java": COPIES % "fake",
        "b/src/main/java/q/User.java": "package q; import p.Config; class User { void f() { new Config().real(); } }",
        "b/src/test/java/q/UserTest.java": "package q; import p.Config; class UserTest { void f() { new Config().fake(); } }",
    }
    assert {(a, b) for a, b in edges_of(build(tmp_path, files), "calls") if a.startswith("User")} == BOTH


POM = "<project><build><!-- <sourceDirectory>no</sourceDirectory> --><sourceDirectory>${basedir}/code</sourceDirectory>%s</build></project>"
BUILD_FILES = {
    "pom.xml": POM % "<testSourceDirectory> checks </testSourceDirectory>",
    "build.gradle": "sourceSets {\n  main { java { srcDirs = ['code'] } }\n  test { java { srcDir 'checks' } }\n}",
    "build.gradle.kts": 'sourceSets { main { java.setSrcDirs(listOf("code")) }\n getByName("test") { java.srcDir("checks") } }',
}


@pytest.mark.parametrize("name", BUILD_FILES)
def test_folders_that_build_files_declare(tmp_path: Path, name: str) -> None:
    files = {
        f"m/{name}": BUILD_FILES[name],
        "z/code/p/Config.java": COPIES % "other",
        "m/code/p/Config.java": COPIES % "real",
        "m/checks/p/Config.java": COPIES % "fake",
        "m/code/q/User.java": "package q; import p.Config; class User { void f() { new Config().real(); } }",
        "m/checks/q/UserTest.java": "package q; import p.Config; class UserTest { void f() { new Config().fake(); } }",
    }
    assert {(a, b) for a, b in edges_of(build(tmp_path, files), "calls") if a.startswith("User")} == BOTH


def test_one_line_of_gradle_and_what_is_not_plain() -> None:
    texts = {
        "build.gradle": "sourceSets.main.java.srcDirs = ['src', 'gen']\nsourceSets.test.java.srcDir \"$buildDir/x\"\n"
        "android { sourceSets { main.resources.srcDirs = ['res'] } }",
        "a/pom.xml": "<sourceDirectory>${generated}/java</sourceDirectory><testSourceDirectory>../../out</testSourceDirectory>",
    }
    assert declared_roots(texts, texts.get) == {"src": Place("src", "", False), "gen": Place("gen", "", False)}
