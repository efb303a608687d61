"""Kernels in Triton's interpreter. `test_triton_kernels` runs these files in a process of its own."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch

from helpers.interpreter import cheap_launches

spec = importlib.util.spec_from_file_location(
    "kernel_traffic", Path(__file__).parents[3] / "benchmarks" / "kernel_traffic.py"
)
kernel_traffic = sys.modules["kernel_traffic"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel_traffic)


@pytest.fixture(scope="session", autouse=True)
def launches_are_cheap():
    with cheap_launches():
        yield


@pytest.fixture(autouse=True)
def uninitialized_memory_is_nan():
    """What a kernel fails to write shows as NaN."""
    assert os.environ.get("TRITON_INTERPRET") == "1", "run tests/kernels/test_triton_kernels.py instead"
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def launches():
    """The kernels that ran; none may have touched memory outside of its tensors."""
    with kernel_traffic.record() as launches:
        yield launches
    assert launches, "no kernel ran"
    assert not [launch for launch in launches if launch.outside]
