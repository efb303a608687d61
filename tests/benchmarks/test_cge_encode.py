"""The benchmark of encoding as a smoke run: every figure is there and they fit together."""

import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cge_encode.py"


def test_quick_run_writes_every_figure(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("cge_encode", SCRIPT)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    sizes = ["--hidden-size", "64", "--layers", "1", "--embedding-dim", "32", "--tokens", "64", "--texts", "6"]
    options = ["--repeats", "2", "--threads", "1", "--output", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", ["cge_encode.py", *sizes, *options])
    threads = torch.get_num_threads()
    try:
        benchmark.main()
    finally:
        torch.set_num_threads(threads)
    report = json.loads((tmp_path / "out.json").read_text())
    assert set(report["runs"]) == {"cge", "bare, mean pooling"}
    ratios = [b / c for b, c in zip(*(report["runs"][x]["cpu_s"] for x in ("bare, mean pooling", "cge")), strict=True)]
    assert report["throughput_ratio"]["cpu"] == pytest.approx(statistics.median(ratios))
    assert report["pooling_share_of_forward"]["share"] < 1
    assert report["texts"]["count"] == 6 and report["texts"]["longest"] == 64
    assert "encode throughput" in capsys.readouterr().out
