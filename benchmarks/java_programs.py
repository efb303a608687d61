"""Labelled Java programs: their labels, and the calls of a graph in the same names.

A program is a folder `tests/data/call_graphs/java/<category>/<case>/` with `.java` files and `callgraph.json`:
`{"caller": ["callee", …]}` between the program's own methods. A method is named by its signature (`Main#go(int)`, nested
classes `Outer.Inner#go()`, anonymous ones `Main$1#run()`), the k-th lambda of a scope is `scope.<lambdak>`, initializers
are the class. A call goes to every method that may run on the objects that some run of the program brings there (where
they come from outside of the program: on any that the declared types allow), and to the abstract method that it
names. Functions given to library code are called by the method that gives them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parents[1] / "tests" / "data" / "call_graphs" / "java"

Edge = tuple[str, str]


def cases() -> list[Path]:
    """Folders of all programs, sorted."""
    return sorted(path.parent for path in PROGRAMS.glob("*/*/callgraph.json"))


def case_name(case: Path) -> str:
    """`category/case`."""
    return f"{case.parent.name}/{case.name}"


def read_labels(case: Path) -> set[Edge]:
    """The labelled calls of a program."""
    raw = json.loads((case / "callgraph.json").read_text(encoding="utf-8"))
    return {(caller, callee) for caller, callees in raw.items() for callee in callees}


def java_names(graph: Mapping) -> dict[int, str]:
    """Names of all nodes of a graph's JSON, as in the labels; fields are `Class.field`, files and others their name."""
    records = {node["id"]: node for node in graph["nodes"]}
    parents = {edge["target"]: edge["source"] for edge in graph["edges"] if edge["edgeType"] == "contains"}
    names: dict[int, str] = {}
    lambdas: dict[str, int] = {}
    for node in sorted(records):  # ids are in pre-order
        record, kind = records[node], records[node]["nodeType"]
        parent = parents.get(node)
        if kind == "Method":
            names[node] = record["signature"]
        elif kind == "Lambda":
            scope = names[parent]
            lambdas[scope] = lambdas.get(scope, 0) + 1
            names[node] = f"{scope}.<lambda{lambdas[scope]}>"
        elif kind in ("Class", "Field"):
            while parent is not None and records[parent]["nodeType"] not in ("Class", "File"):
                parent = parents.get(parent)
            outer = names[parent] if parent is not None and records[parent]["nodeType"] == "Class" else ""
            if "$" in record["name"]:
                outer = outer.rpartition(".")[0]
            names[node] = f"{outer}.{record['name']}" if outer else record["name"]
        else:
            names[node] = record.get("name", "")
    return names


def edges_of(graph: Mapping, kind: str) -> set[Edge]:
    """The edges of one type, in names."""
    names = java_names(graph)
    return {(names[e["source"]], names[e["target"]]) for e in graph["edges"] if e["edgeType"] == kind}
