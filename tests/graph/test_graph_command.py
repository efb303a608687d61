import json
import subprocess
import sys
from pathlib import Path

import pytest

from codefuse_hf.cli import main
from codefuse_hf.graph import CodeGraph
from helpers.graph_strategies import GOLDEN

DEMO = str(GOLDEN / "demo.graph.json")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "cart.py").write_text(
        "class Cart:\n    def add(self, item):\n        return price(item)\n\n\ndef price(item):\n    return 1\n"
    )
    return folder


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["graph", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_build_saves_the_graph_and_says_what_is_in_it(repository, tmp_path, capsys):
    status, out, _ = run(capsys, "build", repository, "-o", tmp_path / "shop.json.gz", "--quiet", "--workers", "1")
    assert status == 0 and "shop.json.gz" in out and "Function" in out
    graph = CodeGraph.load(tmp_path / "shop.json.gz")
    assert graph.neighbors(graph.find("Cart.add")[0], "calls") == graph.find("price")


def test_build_prints_json_for_tools(repository, tmp_path, capsys):
    output = tmp_path / "rows"
    arguments = ["build", repository, "-o", output, "--format", "jsonl", "--json", "--quiet", "--workers", "1"]
    status, out, _ = run(capsys, *arguments)
    result = json.loads(out)
    assert status == 0 and result["output"] == str(output) and result["nodes"]["Function"] == 2
    assert result["num_nodes"] == CodeGraph.load(output).num_nodes == sum(result["nodes"].values())


def test_build_refuses_a_wrong_output_before_it_works(repository, tmp_path, capsys):
    status, _, err = run(capsys, "build", repository, "-o", tmp_path / "g.txt")
    assert status == 1 and ".json or .json.gz" in err
    status, _, err = run(capsys, "build", repository, "-o", tmp_path / "none" / "g.json")
    assert status == 1 and "is not a folder" in err


def test_stats_counts_by_type(capsys):
    status, out, _ = run(capsys, "stats", DEMO, "--json")
    result = json.loads(out)
    assert status == 0 and result["nodes"]["Class"] == 4 and result["edges"]["contains"] == 23
    assert result["dropped_edges"] == 2 and result["diagnostics"] == []
    assert "dropped edges" in run(capsys, "stats", DEMO)[1]


def test_query_lists_relations_in_words(capsys):
    status, out, _ = run(capsys, "query", DEMO, "Engine.run")
    assert status == 0 and "src/core/engine.py:9" in out
    assert "called by (1)" in out and "calls (1)" in out and "src.core.cache.Cache.get" in out


def test_query_answers_in_json_with_filters(capsys):
    _, out, _ = run(capsys, "query", DEMO, "run", "--json", "--edge", "calls", "--direction", "in", "--source")
    (answer,) = json.loads(out)
    assert answer["id"] == 11 and answer["containers"] == [9, 4, 2, 1, 0] and answer["text"].startswith("def run")
    assert answer["edges"] == [{"edgeType": "calls", "source": 22, "target": 11}]
    _, out, _ = run(capsys, "query", DEMO, "--id", "11", "--json", "--hops", "1", "--edge", "calls")
    assert [each["id"] for each in json.loads(out)[0]["reached"]] == [13, 22]


def test_query_that_finds_nothing_says_so_by_its_status(capsys):
    status, out, err = run(capsys, "query", DEMO, "nobody")
    assert (status, out) == (1, "") and "nothing found" in err


def test_show_writes_the_page_of_a_part(tmp_path, capsys):
    status, out, _ = run(capsys, "show", DEMO, "-o", tmp_path / "g.html", "--path", "src/core", "--json")
    page = (tmp_path / "g.html").read_text()
    assert status == 0 and json.loads(out)["num_nodes"] < 25
    assert "engine.py" in page and "io_helper.py" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stats", "no/such/thing"], "does not exist"),
        (["query", DEMO], "query needs a name"),
        (["query", DEMO, "--id", "404"], "no node with id 404"),
        (["stats", DEMO, "--revision", "main"], "--revision is for source code"),
        (["show", DEMO, "-o", "none/g.html"], "is not a folder"),
        (["show", DEMO, "--path", "no/such.py"], "no file of the graph has the path"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    assert status == 1 and message in err


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (["--workers", "0"], "expected a whole number of at least 1, found '0'"),
        (["--max-file-size", "5T"], "expected a number of bytes of at least 1, such as 5M or 1G, found '5T'"),
        (["--max-files", "many"], "expected a whole number of at least 1, found 'many'"),
    ],
)
def test_wrong_numbers_are_refused_by_the_parser(option, expected, capsys):
    with pytest.raises(SystemExit) as error:
        main(["graph", "stats", DEMO, *option])
    assert error.value.code == 2 and expected in capsys.readouterr().err


def test_the_example_builds_asks_and_saves(repository, tmp_path):
    script = Path(__file__).parents[2] / "examples" / "graph_explore.py"
    command = [sys.executable, str(script), str(repository), "--output", str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cart.price" in result.stdout
    assert CodeGraph.load(tmp_path / "out" / "graph.json.gz") == CodeGraph.load(tmp_path / "out" / "rows")


@pytest.fixture
def saved(repository, tmp_path, capsys):
    (repository / "broken.py").write_text("def f(:\n    pass\n")
    target = tmp_path / "shop.json.gz"
    assert run(capsys, "build", repository, "-o", target, "--quiet", "--workers", "1")[0] == 0
    return target


def names(out):
    return [line.split()[1] for line in out.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Cart.*", ["cart.Cart.add"]),
        ("cart.*", ["cart", "cart.Cart", "cart.price"]),  # cart is the file, cart.py
        ("*.price", ["cart.price"]),
        ("C?rt.a*", ["cart.Cart.add"]),
        ("*.py", ["broken", "cart"]),
        ("shop.*", []),
    ],
)
def test_query_takes_patterns_of_dotted_names(saved, pattern, expected, capsys):
    status, out, _ = run(capsys, "query", saved, pattern)
    assert sorted(names(out)) == expected and status == (0 if expected else 1)


def test_query_hints_at_paths(saved, capsys):
    status, out, err = run(capsys, "query", saved, "./cart.py")
    assert status == 1 and out == "" and "./cart.py is a path, which --path takes" in err
    assert run(capsys, "query", saved, "nobody.nowhere")[2].strip() == "nothing found"


def test_what_was_wrong_with_the_source_is_kept_with_the_graph(saved, capsys):
    graph = CodeGraph.load(saved)
    assert {(each.path, each.kind) for each in graph.diagnostics} == {("broken.py", "syntax")}
    _, out, _ = run(capsys, "stats", saved, "--json")
    assert json.loads(out)["diagnostics"][0]["path"] == "broken.py"
    assert CodeGraph.from_json(graph.to_json()).diagnostics == graph.diagnostics


@pytest.mark.parametrize("record", ["3", "{}", '{"path": "a", "kind": "b", "message": 4, "line": null}'])
def test_diagnostics_that_are_none(record):
    with pytest.raises(ValueError, match="a diagnostic must have"):
        CodeGraph.from_json(f'{{"nodes": [], "diagnostics": [{record}]}}')


def test_an_unknown_tag_is_named(repository, capsys):
    subprocess.run(["git", "init", "-q", repository], check=True)
    status, _, err = run(capsys, "stats", repository, "--revision", "v9.9", "--quiet")
    assert status == 1 and "'v9.9' is no commit, tag or branch" in err


def test_a_reader_that_has_had_enough(saved):
    """As in `codefuse-hf graph query … | head -1`."""
    command = [sys.executable, "-m", "codefuse_hf.cli", "graph", "query", str(saved), "*", "--json", "--source"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "Broken pipe" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
