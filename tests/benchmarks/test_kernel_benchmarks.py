"""The kernels' benchmarks without a GPU: what is launched compiles for one without spills, and the smoke run runs."""

import importlib.util
import sys
from pathlib import Path

import pytest

from helpers.processes import run_python

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def static():
    spec = importlib.util.spec_from_file_location("kernel_static", BENCHMARKS / "kernel_static.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.triton
@pytest.mark.parametrize(
    "name",
    [
        "outputs keeping states bf16 M64 BV64",
        "states bf16 M64 BV64",
        "chunk_gradients bf16 M64 BV32",
        "intra_chunk_backward bf16 M64 packed",
        "intra_chunk_backward bf16 M128 packed",
        "convolution_backward bf16",
        "gated_norm_backward 4096 bf16",
        "gated_norm_backward 6144 bf16",
        "gated_norm_backward 8192 bf16",
        "decoding_step 1 bf16 M64",
    ],
)
def test_kernels_compile_for_a_gpu_without_spills(static, name):
    case = next(case for case in static.cases("sm_90", ("bf16",), (64, 128)) if case[0] == name)
    figures = static.compile_case(*case[1:], "sm_90")
    assert figures["spill_bytes"] == 0 and figures["fits"]
    assert figures["products_without_tensor_cores"] == 0
    assert figures["blocks_per_multiprocessor"] >= 1
    assert (figures["tensor_core_instructions"] > 0) == (figures["products"] > 0)


@pytest.mark.triton
def test_gpu_benchmark_runs_in_the_interpreter(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import kernel_gpu
from helpers.interpreter import cheap_launches
with cheap_launches():
    result = kernel_gpu.main(["--smoke", "--output", sys.argv[1]])
"""
    assert run_python(code, str(tmp_path), TRITON_INTERPRET="1", USE_HUB_KERNELS=None) == 0
    assert "kernel_gpu" not in sys.modules


@pytest.mark.triton
def test_checks_on_a_device_run_in_the_interpreter():
    code = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import kernel_gpu_checks
from helpers.interpreter import cheap_launches
with cheap_launches():
    result = kernel_gpu_checks.main(["--smoke"])
"""
    assert run_python(code, TRITON_INTERPRET="1", USE_HUB_KERNELS=None) == 0
