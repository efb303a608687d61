"""Runs the tests of the Triton kernels in Triton's interpreter, which has to be chosen before Triton is first imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "interpreted"
ROOT = Path(__file__).parents[2]


# What `.ci/check` runs: a test of each operator, forward and backward. The others take minutes.
SOME = [
    "interpreted_gated_linear_attention.py::test_decays[typical]",
    "interpreted_passes.py::test_gates[16-dtype0]",
    "interpreted_passes.py::test_gated_norm[1-8-dtype0]",
    "interpreted_passes.py::test_gradients_of_the_convolution_from_several_places[3-1]",
]


def interpret(*tests):
    """Run tests of `interpreted/`; each must run and pass: one that is skipped has shown nothing."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS", "USE_HUB_KERNELS"):
        environment.pop(name, None)
    paths = [str(FOLDER / test) for test in tests]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n0", *paths]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=850)
    assert run.returncode == 0, f"{run.stdout[-6000:]}\n{run.stderr[-2000:]}"
    summary = run.stdout.strip().splitlines()[-1]
    assert re.search(r"\d+ passed", summary) and "skipped" not in summary and "deselected" not in summary, summary


@pytest.mark.triton
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("interpreted_*.py")))
def test_in_the_interpreter(file):
    interpret(file)


@pytest.mark.triton
@pytest.mark.timeout(900)
def test_one_of_each_in_the_interpreter():
    interpret(*SOME)
