"""The speed benchmark as a smoke run: every figure is there, and models are of one size."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rodimus_speed.py"
NAMES = {"Rodimus", "Rodimus+", "Llama", "Mamba2"}


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("rodimus_speed", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quick_run_writes_every_figure(benchmark, tmp_path):
    assert benchmark.main(["--quick", "--threads", "1", "--repeats", "1", "--output", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "rodimus_speed.json").read_text())
    assert (tmp_path / "rodimus_speed.png").read_bytes().startswith(b"\x89PNG")
    assert {record["model"] for record in report["decode"]} == NAMES
    for task in ("prefill", "training"):
        assert set(report[task]) >= NAMES
        assert all(figures["median"] > 0 for figures in report[task].values())
        assert set(report["peak_memory_bytes"][task]) == NAMES
    assert report["single_steps"]["graphs"] == {"Rodimus": 1, "Rodimus+": 1, "Llama": 0}
    for kinds in report["single_steps"]["seconds"].values():
        assert all(figures["median"] > 0 for figures in kinds.values())
    forward = report["operator"]["forward"]
    ratio = forward["reference_seconds"]["median"] / forward["chunk_seconds"]["median"]
    assert forward["speedup"] == pytest.approx(ratio, rel=1e-3)
    assert report["read_bandwidth_bytes_per_second"] > 0
    for row in report["targets"]:
        sign, limit = row["limit"].split()
        margin = (float(limit) - row["value"]) * (1 if sign == "≤" else -1)
        assert row["met"] == (margin >= 0) or abs(margin) < 1e-3, row  # values are rounded
    assert {"torch", "transformers", "cpu", "threads", "seed"} <= set(report["environment"])


def test_models_of_the_official_run_are_of_one_size(benchmark):
    import torch

    from codefuse_hf.measure import count_parameters

    with torch.device("meta"):
        sizes = {name: count_parameters(benchmark.build(name, benchmark.Shapes(), seed=0)) for name in NAMES}
    assert all(size == pytest.approx(30e6, rel=0.02) for size in sizes.values()), sizes
