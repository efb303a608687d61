"""Nodes of Java files: fields of the schema, texts, locations, comments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.source_text import SourceText

SOURCE = """\
package com.acme;

/** Runs things. */
@Deprecated
public abstract class Engine<T> extends Base implements Runnable {
    /** How many. */
    private static final int MAX = 3, MIN[] = {1};
    protected T part; // the part

    // first line
    // second line
    public Engine(int size, String... names) throws Exception {
        super(size);
    }

    /**
     * Runs.
     */
    @Override
    public void run() {
        Runnable r = () -> stop("a");
        Object o = new Object() { };
    }

    abstract <U extends T> java.util.Map<String, U[]> stop(final String s);

    enum Mode {
        ON(1) { void go() { } },
        /** off */ OFF(2);
        Mode(int n) { }
        void go() { }
    }

    record Pair(int left, String right) { }

    @interface Mark { int value() default 1; }
}
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> dict:
    root = tmp_path_factory.mktemp("java")
    (root / "Engine.java").write_text(SOURCE, encoding="utf-8")
    return json.loads(build_code_graph(root, workers=1, progress=False).to_json())


def node(graph: dict, kind: str, **fields: str) -> dict:
    found = [n for n in graph["nodes"] if n["nodeType"] == kind and all(n.get(k) == v for k, v in fields.items())]
    assert len(found) == 1, [n for n in graph["nodes"] if n["nodeType"] == kind]
    return found[0]


def test_class_fields(graph: dict) -> None:
    found = node(graph, "Class", name="Engine")
    assert found["classType"] == "class"
    assert found["modifiers"] == "@Deprecated public abstract"
    assert found["comment"] == "/** Runs things. */"
    assert (found["startLoc"], found["endLoc"]) == (4, 37)
    assert found["text"] == SOURCE[SOURCE.index("@Deprecated") :].rstrip()


def test_kinds_of_classes(graph: dict) -> None:
    kinds = {n["name"]: n["classType"] for n in graph["nodes"] if n["nodeType"] == "Class"}
    assert kinds == {
        "Engine": "class",
        "Engine$1": "class",
        "Mode": "enum",
        "Mode$1": "class",
        "Pair": "record",
        "Mark": "annotation",
    }


def test_method_fields(graph: dict) -> None:
    found = node(graph, "Method", methodName="run")
    assert found["signature"] == "Engine#run()"
    assert found["className"] == "Engine"
    assert found["methodSig"] == "void run()"
    assert found["modifiers"] == "@Override public"
    assert found["comment"].startswith("/**\n") and found["comment"].endswith("*/")
    assert found["text"].startswith("void run() {\n") and found["text"].endswith("}")
    assert (found["startLoc"], found["endLoc"]) == (20, 23)


def test_constructor_is_a_method_of_the_class_name(graph: dict) -> None:
    found = node(graph, "Method", methodName="Engine")
    assert found["signature"] == "Engine#Engine(int,String...)"
    assert found["methodSig"] == "Engine(int size, String... names) throws Exception"
    assert found["comment"] == "// first line\n    // second line"


def test_generic_and_abstract_method(graph: dict) -> None:
    found = node(graph, "Method", methodName="stop")
    assert found["signature"] == "Engine#stop(String)"
    assert found["methodSig"] == "<U extends T> java.util.Map<String, U[]> stop(final String s)"
    assert found["modifiers"] == "abstract"


def test_fields(graph: dict) -> None:
    maximum = node(graph, "Field", name="MAX")
    assert (maximum["fieldType"], maximum["initializer"], maximum["modifiers"]) == ("int", "3", "private static final")
    assert maximum["comment"] == "/** How many. */"
    assert node(graph, "Field", name="MIN")["fieldType"] == "int[]"
    assert node(graph, "Field", name="part")["comment"] == "// the part"


def test_enum_constants_and_record_components_are_fields(graph: dict) -> None:
    assert node(graph, "Field", name="ON")["arguments"] == ["1"]
    assert node(graph, "Field", name="OFF")["comment"] == "/** off */"
    assert node(graph, "Field", name="right")["fieldType"] == "String"


def test_lambda_text(graph: dict) -> None:
    assert [n["text"] for n in graph["nodes"] if n["nodeType"] == "Lambda"] == ['() -> stop("a")']


def test_containment(graph: dict) -> None:
    parents = {e["target"]: e["source"] for e in graph["edges"] if e["edgeType"] == "contains"}
    records = {n["id"]: n for n in graph["nodes"]}

    def parent(found: dict) -> str:
        record = records[parents[found["id"]]]
        return record.get("signature") or record.get("name")

    assert parent(node(graph, "Class", name="Mode")) == "Engine"
    assert parent(node(graph, "Class", name="Engine$1")) == "Engine#run()"
    assert parent(node(graph, "Lambda")) == "Engine#run()"
    assert parent(node(graph, "Method", className="Engine.Mode$1")) == "Mode$1"
    assert len(parents) == len(records) - 1


def test_clean_text_leaves_methods_and_classes_out(graph: dict) -> None:
    text = node(graph, "Class", name="Engine")["clean_text"]
    assert "MAX = 3" in text and "void run" not in text and "enum Mode" not in text and "second line" not in text


def test_package_names_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "com" / "acme"
    folder.mkdir(parents=True)
    (folder / "A.java").write_text("package com.acme; class A { }")
    graph = json.loads(build_code_graph(tmp_path, workers=1, progress=False).to_json())
    assert "com.acme" in [n["name"] for n in graph["nodes"] if n["nodeType"] in ("Package", "Module")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_texts_are_slices_for_any_line_end_and_script(newline: str) -> None:
    text = newline.join(["// ä", "class Größe {", '  String s = "日本😀"; // ende', "  int x() { return 1; }", "}"])
    facts = front_end("java").extract("A.java", SourceText(text))
    slices = {d.fields.get("name") or d.fields.get("methodName"): text[d.start : d.end] for d in facts.definitions[1:]}
    assert slices["s"] == 'String s = "日本😀";'
    assert slices["x"] == "int x() { return 1; }"
    assert slices["Größe"].startswith("class Größe {") and slices["Größe"].endswith("}")
    assert not facts.problems
