"""The accuracy benchmarks on one installed package that the project needs anyway: they run, and their floors hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run_benchmark(script: str, folder: Path, *options: str) -> dict:
    output = folder / "result.json"
    command = [sys.executable, str(BENCHMARKS / script), "--packages", "jinja2", "--output", str(output), *options]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == 0, run.stderr
    return json.loads(output.read_text())["packages"]["jinja2"]


def test_imports_and_inheritance_are_what_the_interpreter_says(tmp_path: Path) -> None:
    result = run_benchmark("graph_imports_inheritance.py", tmp_path)
    assert result["files"] >= 20
    assert result["extends"]["expected"] >= 50
    for kind in ("imports", "extends", "ancestors"):
        assert result[kind]["precision"] >= 0.99, kind
        assert result[kind]["recall"] >= 0.99, kind


def test_calls_at_run_time_are_found(tmp_path: Path) -> None:
    result = run_benchmark("graph_runtime_recall.py", tmp_path)
    assert result["traced_calls"] >= 500
    assert result["recall"] >= 0.8
    assert result["by_kind"]["plain name"]["recall"] >= 0.98
    assert result["targets_per_traced_target"] <= 3
