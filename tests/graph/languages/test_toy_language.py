"""A language is one folder: one that only tests know works wherever languages matter, without a word about it elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "data" / "toy_language"
SOURCE = "shape Box\n  step open: shut\nstep shut:\n"
IN_A_FRESH_INTERPRETER = """
import sys
from codefuse_hf.graph import languages
languages.__path__.append(sys.argv.pop(1))
"""


@pytest.fixture
def run_with_toy(tmp_path):
    """Runs code in an interpreter where the toy's folder lies among those of the languages."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.toy").write_text(SOURCE)

    def run(code: str) -> str:
        command = [sys.executable, "-c", IN_A_FRESH_INTERPRETER + code, str(FOLDER), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[3])
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_build_names_sentences_and_json(run_with_toy):
    found = json.loads(
        run_with_toy("""
import json
from codefuse_hf.graph import CodeGraph, Language, build_code_graph, node_sentence, node_sentences
graph = build_code_graph(sys.argv[1], progress=False)
again = CodeGraph.from_json(graph.to_json())
box, = graph.find("Box")
record = graph[box].record()
print(json.dumps({
    "same": again == graph and again.to_dataset()["nodes"].num_rows == len(graph),
    "record": record,
    "language": graph[box].language,
    "calls": [[graph[a].qualified_name, graph[b].qualified_name] for _, a, b in graph.edges("calls")],
    "found": [graph[i].name for i in graph.find("shop.Box.open")],
    "file": node_sentence(graph[graph.find("main.toy")[0]]),
    "sentence": node_sentence(graph[box]),
    "from_record": node_sentence(record, language="toy"),
    "in_sentences": "a shape called Box" in node_sentences(again),
    "parsed": Language.parse("TOY"),
}))
""")
    )
    record = {"nodeType": "Class", "id": 3, "title": "Box", "classType": "shape", "text": "shape Box"}
    assert found.pop("record") == {**record, "startLoc": 1, "endLoc": 1, "col": 0, "clean_text": "shape Box"}
    assert found == {
        "same": True,
        "language": "toy",
        "calls": [["shop.Box.open", "shop.shut"]],
        "found": ["open"],
        "file": f"shop/main.toy\n{SOURCE}",
        "sentence": "a shape called Box",
        "from_record": "a shape called Box",
        "in_sentences": True,
        "parsed": "toy",
    }


def test_units_of_search(run_with_toy):
    assert run_with_toy("""
from codefuse_hf.search.units import iter_units
print([(unit.kind, unit.name, unit.line) for unit in iter_units(sys.argv[1], progress=False)])
""").strip() == str([("file", "main.toy", 1), ("function", "open", 2), ("function", "shut", 3)])


def test_command_line(run_with_toy):
    output = run_with_toy("""
from codefuse_hf.cli import main
sys.exit(main(["graph", "stats", sys.argv[1], "--language", "toy", "--json", "--quiet"]))
""")
    assert json.loads(output)["nodes"] == {"Repo": 1, "Package": 1, "File": 1, "Class": 1, "Function": 2}
