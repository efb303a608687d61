"""The speed benchmark as a smoke run: every figure is there, and models are of one size."""

import json
import shutil
import subprocess

import pytest
import rodimus_speed
import torch
from result_files import code_version

from codefuse_hf.measure import count_parameters

NAMES = {"Rodimus", "Rodimus+", "Llama", "Mamba2"}
QUICK = ["--quick", "--threads", "1", "--repeats", "1"]


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert rodimus_speed.main([*QUICK, "--output", str(folder)]) == 0
    return folder


def test_quick_run_writes_every_figure(quick_run):
    tmp_path = quick_run
    report = json.loads((tmp_path / "rodimus_speed.json").read_text())
    assert (tmp_path / "rodimus_speed.png").read_bytes().startswith(b"\x89PNG")
    assert {record["model"] for record in report["decode"]} == NAMES
    for task in ("prefill", "training"):
        assert set(report[task]) >= NAMES
        assert all(figures["median"] > 0 for figures in report[task].values())
        assert set(report["peak_memory_bytes"][task]) == NAMES
        assert {f"{name}, linear layers" for name in NAMES - {"Mamba2"}} < set(report[task])
        kinds = {f"{name}{kind}" for name in NAMES - {"Mamba2"} for kind in ("", ", as it is", ", linear layers")}
        assert set(report[f"compiled_{task}"]) == kinds
    assert report["single_steps"]["graphs"] == {"Rodimus": 1, "Rodimus+": 1, "Llama": 1}
    first, second = report["single_steps"]["seconds"].values()
    for by_model, kinds in ((first, {"linear", "dynamic", "static", "compiled"}), (second, {"linear", "dynamic"})):
        assert set(by_model) == NAMES - {"Mamba2"}
        for figures in by_model.values():
            assert set(figures) == kinds and all(x["median"] > 0 for x in figures.values())
    forward = report["operator"]["forward"]
    ratio = forward["reference_seconds"]["median"] / forward["chunk_seconds"]["median"]
    assert forward["speedup"] == pytest.approx(ratio, rel=1e-3)
    assert report["read_bandwidth_bytes_per_second"] > 0
    for row in report["targets"]:
        sign, limit = row["limit"].split()
        margin = (float(limit) - row["value"]) * (1 if sign == "≤" else -1)
        assert row["met"] == (margin >= 0) or abs(margin) < 1e-3, row  # values are rounded
    assert set(report["sections"]) == set(rodimus_speed.Run.SECTIONS) and report["missing"] == []
    for facts in report["sections"].values():
        assert {"torch", "transformers", "cpu", "threads", "seed", "commit", "load_average_after"} <= set(facts)
    assert "Not finished" not in (tmp_path / "rodimus_speed.md").read_text()


def test_a_section_that_is_taken_again_says_of_which_commit_it_is(quick_run, tmp_path, monkeypatch):
    shutil.copytree(quick_run, tmp_path, dirs_exist_ok=True)
    before = json.loads((tmp_path / "rodimus_speed.json").read_text())
    monkeypatch.setattr(rodimus_speed, "code_version", lambda: "abc+")
    assert rodimus_speed.main([*QUICK, "--sections", "operator", "--output", str(tmp_path)]) == 0
    after = json.loads((tmp_path / "rodimus_speed.json").read_text())
    assert after["sections"].pop("operator")["commit"] == "abc+" != before["sections"].pop("operator")["commit"]
    assert after.pop("operator") != before.pop("operator")
    assert after.pop("targets") != before.pop("targets")
    assert after == before
    assert "| operator | abc+ |" in (tmp_path / "rodimus_speed.md").read_text()
    with pytest.raises(SystemExit, match="differs in seed"):
        rodimus_speed.main([*QUICK, "--seed", "1", "--sections", "operator", "--output", str(tmp_path)])
    assert rodimus_speed.main([*QUICK, "--sections", "operator", "--output", str(tmp_path / "new")]) == 0
    new = json.loads((tmp_path / "new" / "rodimus_speed.json").read_text())
    assert set(new["sections"]) == {"operator"} and "training" in new["missing"]


def test_a_run_that_is_cut_off_leaves_what_it_had(tmp_path, monkeypatch):
    def cut_off(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(rodimus_speed.Run, "SECTIONS", ("operator", "training"))
    monkeypatch.setattr(rodimus_speed.Run, "training", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rodimus_speed.main([*QUICK, "--output", str(tmp_path)])
    report = json.loads((tmp_path / "rodimus_speed.json").read_text())
    assert report["missing"] == ["training"] and report["operator"]["forward"]["speedup"] > 0
    assert "**Not finished**: training missing." in (tmp_path / "rodimus_speed.md").read_text()


def test_code_version_marks_changes(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@x", *arguments], check=True)

    (tmp_path / "code.py").write_text("a")
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "figures.json").write_text("a")
    assert code_version(tmp_path) == "unknown"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = code_version(tmp_path)
    (tmp_path / "benchmarks" / "results" / "figures.json").write_text("b")
    assert code_version(tmp_path) == commit and not commit.endswith("+")
    (tmp_path / "code.py").write_text("b")
    assert code_version(tmp_path) == commit + "+"


def test_models_of_the_official_run_are_of_one_size():
    with torch.device("meta"):
        sizes = {name: count_parameters(rodimus_speed.build(name, rodimus_speed.Shapes(), seed=0)) for name in NAMES}
    assert all(size == pytest.approx(30e6, rel=0.02) for size in sizes.values()), sizes
