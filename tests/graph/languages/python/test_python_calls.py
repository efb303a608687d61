"""Calls of the labelled Python programs: the labels against real runs, and the graph against the labels."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import program_labels
import pytest
from graph_names import GraphIndex
from program_labels import Edge, case_name, cases, read_labels
from program_scores import score_programs

from codefuse_hf.graph import build_code_graph

PRECISION, RECALL = 0.976, 0.935  # what the best static tool reaches on the public programs of this kind
KNOWN_DIFFERENCES = {
    "dynamic/local_exec_definition": "the text that exec runs defines the caller",
    "dynamic/monkey_patch": "a method replaced from outside stays a possible target",
    "dynamic/type_call": "a class made by a call of type has no class statement",
    "lists/filtered": "which elements pass the condition is known at run time only",
}


@functools.cache
def graph_calls(case: Path) -> frozenset[Edge]:
    graph = build_code_graph(case, languages=["python"], workers=1, progress=False)
    return frozenset(GraphIndex(json.loads(graph.to_json())).calls())


def test_suite_is_large_and_covers_every_category() -> None:
    categories = {case.parent.name for case in cases()}
    assert len(cases()) >= 120
    expected = (
        "args assignments builtins classes decorators dicts direct_calls dynamic exceptions external functions "
        "generators imports kwargs lambdas lists mro returns"
    )
    assert categories >= set(expected.split())


def test_labels_are_what_the_programs_do() -> None:
    run = subprocess.run([sys.executable, program_labels.__file__], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("case", cases(), ids=case_name)
def test_calls_of_program(case: Path, request: pytest.FixtureRequest) -> None:
    if case_name(case) in KNOWN_DIFFERENCES:
        request.applymarker(pytest.mark.xfail(reason=KNOWN_DIFFERENCES[case_name(case)], strict=True))
    labels = read_labels(case)
    found = graph_calls(case) - labels.neutral
    assert {"missed": sorted(labels.edges - found), "wrong": sorted(found - labels.edges)} == {
        "missed": [],
        "wrong": [],
    }


def test_precision_and_recall_over_all_programs() -> None:
    score = score_programs(graph_calls)["all"]
    assert score.precision >= PRECISION, score.wrong
    assert score.recall >= RECALL, score.missed
