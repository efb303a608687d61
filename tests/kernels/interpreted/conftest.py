"""Kernels in Triton's interpreter. `test_triton_kernels` runs these files in a process of its own."""

import importlib.util
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

spec = importlib.util.spec_from_file_location(
    "kernel_traffic", Path(__file__).parents[3] / "benchmarks" / "kernel_traffic.py"
)
kernel_traffic = sys.modules["kernel_traffic"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel_traffic)


@pytest.fixture(scope="session", autouse=True)
def launches_are_cheap():
    """Two costs of Triton's interpreter that show nothing.

    It looks through its whole language again whenever one function of a kernel calls another: once a launch is enough. And
    Python 3.11 keeps frames in blocks of 16 KB: a loop whose calls cross a border gets and frees a block each time, which took
    a fifth of the time. The frames of a thread begin with a block of their own.
    """
    from triton import language
    from triton.runtime import interpreter

    run, patch_language, patched = interpreter.InterpretedFunction.run, interpreter._patch_lang, set()

    def run_anew(self, *arguments, **options):
        patched.clear()
        return thread.submit(run, self, *arguments, **options).result()

    def patch_once(function):
        seen = tuple(module in function.__globals__.values() for module in (language, language.core))
        if seen not in patched:
            patched.add(seen)
            return patch_language(function)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setattr(interpreter.InterpretedFunction, "run", run_anew)
        patch.setattr(interpreter, "_patch_lang", patch_once)
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
