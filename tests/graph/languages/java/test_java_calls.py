"""Calls of the labelled Java programs."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from java_programs import Edge, case_name, cases, edges_of, read_labels

from codefuse_hf.graph import build_code_graph

PRECISION = RECALL = 0.97
CATEGORIES = {
    "abstract_classes", "anonymous_classes", "constructors", "enums", "generics", "inner_classes", "interfaces", "lambdas", "method_references",
    "overloads", "packages", "records", "static_imports", "super_calls",
}  # fmt: skip


@functools.cache
def graph_calls(case: Path) -> frozenset[Edge]:
    graph = build_code_graph(case, languages=["java"], workers=1, progress=False)
    return frozenset(edges_of(json.loads(graph.to_json()), "calls"))


def test_suite_is_large_and_covers_every_category() -> None:
    assert len(cases()) >= 45
    assert {case.parent.name for case in cases()} >= CATEGORIES


@pytest.mark.parametrize("case", cases(), ids=case_name)
def test_calls_of_program(case: Path) -> None:
    labels, found = read_labels(case), graph_calls(case)
    assert {"missed": sorted(labels - found), "wrong": sorted(found - labels)} == {"missed": [], "wrong": []}


def test_precision_and_recall_over_all_programs() -> None:
    labelled = found = right = 0
    for case in cases():
        labels, calls = read_labels(case), graph_calls(case)
        labelled, found, right = labelled + len(labels), found + len(calls), right + len(labels & calls)
    assert right / found >= PRECISION
    assert right / labelled >= RECALL
