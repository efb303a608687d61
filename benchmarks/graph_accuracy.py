"""One report of how exact the code graph is: calls of labelled programs, calls at run time, imports and inheritance.

    python benchmarks/graph_accuracy.py                   everything (some minutes)
    python benchmarks/graph_accuracy.py --parts python java        only the labelled programs (seconds)
    python benchmarks/graph_accuracy.py --peers FOLDER    also what PyCG, pyan3 and name tags find in the same programs
    python benchmarks/graph_accuracy.py --suites FOLDER…  also the labelled programs of others, in the form of PyCG's: FOLDER/category/case/callgraph.json.
                                                          Where labels and graph differ, the program is run, to see who is right

Parts that are not measured again are taken from the results of their own benchmarks, with their date.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from graph_common import REPOSITORY, RESULTS, GraphIndex, environment_facts, write_result
from graph_names import module_name
from program_labels import PROGRAMS, Edge, case_name, cases, read_labels, trace_program
from program_scores import Score, score_programs

PARTS = ("python", "java", "imports", "runtime")
TARGETS = {"precision": 0.976, "recall": 0.935}


def graph_calls(case: Path, language: str) -> set:
    """Calls of a program in dotted names, as our graph has them."""
    from codefuse_hf.graph import build_code_graph

    graph = build_code_graph(case, languages=[language], workers=1, progress=False)
    return GraphIndex(json.loads(graph.to_json())).calls()


def python_programs() -> dict:
    """Scores of the labelled Python programs, by category, with every difference."""
    return described(score_programs(lambda case: graph_calls(case, "python")))


def described(scores: dict[str, Score]) -> dict:
    """Scores as plain data."""
    total = scores["all"]
    return {
        **total.as_dict(),
        "by_category": {name: score.as_dict() for name, score in sorted(scores.items()) if name != "all"},
        "wrong": {name: [list(edge) for edge in edges] for name, edges in total.wrong.items()},
        "missed": {name: [list(edge) for edge in edges] for name, edges in total.missed.items()},
    }


def definitions(case: Path) -> tuple[set[str], dict[str, str]]:
    """Dotted names of a program's functions, and of each class its constructor."""
    functions: set[str] = set()
    constructors: dict[str, str] = {}

    def walk(node: ast.AST, scope: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{scope}.{child.name}"
                if isinstance(child, ast.ClassDef):
                    constructors[name] = f"{name}.__init__"
                else:
                    functions.add(name)
                walk(child, name)
            else:
                walk(child, scope)

    for file in sorted(case.rglob("*.py")):
        walk(ast.parse(file.read_bytes()), module_name(file.relative_to(case).as_posix()))
    return functions, {cls: init for cls, init in constructors.items() if init in functions}


def peer_scores(peers: Path) -> dict:
    """What other tools find in the same programs; a class that is called counts as its constructor."""
    from graph_speed import PEERS, TOOLS_SCRIPT, peer_python

    found = {}
    for tool in PEERS:
        if tool == "aider" or not peer_python(peers, tool).exists():
            continue
        command = [peer_python(peers, tool), TOOLS_SCRIPT, tool, PROGRAMS, "--programs"]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        calls = json.loads(run.stdout)

        def calls_of(case: Path, calls: dict = calls) -> set:
            functions, constructors = definitions(case)
            edges = {(a, constructors.get(b, b)) for a, b in calls[f"{case.parent.name}/{case.name}"] or ()}
            return {(a, b) for a, b in edges if b in functions or "<lambda" in b}

        failed = sum(edges is None for edges in calls.values())
        found[tool] = {**score_programs(calls_of)["all"].as_dict(), "programs_it_fails_on": failed}
    return found


def suite_scores(folder: Path) -> dict:
    """Scores of the programs of others, without calls of what is not in them; each difference with what happens when the program is run."""
    score, happens = Score(), {}
    for case in cases(folder):
        functions, _ = definitions(case)

        def inside(edges: Iterable[Edge], functions: set[str] = functions) -> set[Edge]:
            return {(a, b) for a, b in edges if b in functions or "<lambda" in b}

        name, labelled, found = case_name(case), inside(read_labels(case).edges), inside(graph_calls(case, "python"))
        score.add(name, labelled, found)
        if labelled != found:
            happens[name] = what_happens(case, labelled ^ found)
    return {**score.as_dict(), "wrong": told(score.wrong, happens), "missed": told(score.missed, happens)}


def what_happens(case: Path, edges: Iterable[Edge]) -> dict[Edge, str]:
    """Says of each call whether it is made when a program is run."""
    try:
        traced = trace_program(case)
    except Exception as error:
        return dict.fromkeys(edges, f"the program raises {type(error).__name__}")
    return {edge: "happens" if edge in traced else "does not happen" for edge in edges}


def told(differences: dict[str, list[Edge]], happens: dict[str, dict[Edge, str]]) -> dict[str, list[list[str]]]:
    """Differences with what happens."""
    return {name: [[*edge, happens[name][edge]] for edge in edges] for name, edges in differences.items()}


def suite_report(suites: dict[str, dict]) -> list[str]:
    """The suites of others as lines of Markdown."""
    lines = ["", "## Calls of labelled programs of others", ""]
    lines += ["| suite | programs | exact | calls | precision | recall |", "|---|---:|---:|---:|---:|---:|"]
    for name, item in suites.items():
        figures = f"{item['labelled_calls']} | {item['precision']:.3f} | {item['recall']:.3f}"
        lines.append(f"| {name} | {item['programs']} | {item['exact_programs']} | {figures} |")
    lines += ["", "Differences, and what happens when the program is run:", ""]
    for name, item in suites.items():
        for kind in ("missed", "wrong"):
            for case, edges in item[kind].items():
                for caller, callee, what in edges:
                    word = "labelled, not found" if kind == "missed" else "found, not labelled"
                    lines.append(f"* {name}, {case}: `{caller}` → `{callee}` is {word}; {what}")
    return lines


def java_programs() -> dict:
    """Scores of the labelled Java programs, by category, with every difference."""
    import java_programs as java

    from codefuse_hf.graph import build_code_graph

    scores = {"all": Score()}
    for case in java.cases():
        graph = build_code_graph(case, languages=["java"], workers=1, progress=False)
        found = java.edges_of(json.loads(graph.to_json()), "calls")
        for key in (case.parent.name, "all"):
            scores.setdefault(key, Score()).add(java.case_name(case), java.read_labels(case), found)
    return described(scores)


def rerun(script: str) -> None:
    """Run one of the other accuracy benchmarks."""
    subprocess.run([sys.executable, str(REPOSITORY / "benchmarks" / script)], check=True)


def report(result: dict) -> str:
    """The figures as Markdown."""
    python = result.get("python_programs")
    lines = ["# Accuracy of the code graph", ""]
    if python:
        lines += [
            "## Calls of labelled Python programs",
            "",
            "| | programs | calls | precision | recall |",
            "|---|---:|---:|---:|---:|",
        ]
        rows = {"**codefuse-hf**": python, **result.get("other_tools", {})}
        for name, item in rows.items():
            lines.append(
                f"| {name} | {item['programs']} | {item['labelled_calls']} | {item['precision']:.3f} | {item['recall']:.3f} |"
            )
        lines += ["", "| category | programs | calls | precision | recall |", "|---|---:|---:|---:|---:|"]
        for name, item in python["by_category"].items():
            lines.append(
                f"| {name} | {item['programs']} | {item['labelled_calls']} | {item['precision']:.3f} | {item['recall']:.3f} |"
            )
    if result.get("suites"):
        lines += suite_report(result["suites"])
    if result.get("java_programs"):
        item = result["java_programs"]
        lines += ["", "## Calls of labelled Java programs", ""]
        lines.append(
            f"{item['programs']} programs, {item['labelled_calls']} calls: precision {item['precision']:.3f}, recall {item['recall']:.3f}"
        )
    if result.get("imports"):
        from graph_imports_inheritance import table

        lines += [
            "",
            f"## Imports and inheritance against the interpreter ({result['imports']['date']})",
            "",
            table(result["imports"]["packages"]),
        ]
        cells = [
            f"{kind}: {item['precision']:.4f} / {item['recall']:.4f}" for kind, item in result["imports"]["all"].items()
        ]
        lines += ["", "All packages, precision / recall: " + ", ".join(cells)]
    if result.get("runtime"):
        from graph_runtime_recall import table

        lines += [
            "",
            f"## Recall over calls at run time ({result['runtime']['date']})",
            "",
            table(result["runtime"]["packages"]),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the chosen parts and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--peers", type=Path, help="environments of other tools, as graph_speed.py --install makes them"
    )
    parser.add_argument(
        "--suites", type=Path, nargs="*", help="folders of labelled programs of others, each named by its folder"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_accuracy.json")
    options = parser.parse_args()
    result = json.loads(options.output.read_text()) if options.output.exists() else {}
    result |= environment_facts()
    result["targets_of_labelled_programs"] = TARGETS
    if "python" in options.parts:
        result["python_programs"] = python_programs()
    if options.peers:
        result["other_tools"] = peer_scores(options.peers)
    if options.suites:
        result["suites"] = {folder.name: suite_scores(folder) for folder in options.suites}
    if "java" in options.parts:
        result["java_programs"] = java_programs()
    for part, script, file in (
        ("imports", "graph_imports_inheritance.py", "graph_imports_inheritance.json"),
        ("runtime", "graph_runtime_recall.py", "graph_runtime_recall.json"),
    ):
        if part in options.parts:
            rerun(script)
        if (RESULTS / file).exists():
            result[part] = json.loads((RESULTS / file).read_text())
    write_result(options.output, result)
    options.output.with_suffix(".md").write_text(report(result), encoding="utf-8")
    print(report(result))


if __name__ == "__main__":
    main()
