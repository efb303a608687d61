"""Which operators run by kernels, and the names that they have."""

import importlib.util

import pytest
import torch

from codefuse_hf.kernels import kernel_dispatch
from codefuse_hf.kernels.kernel_dispatch import dot_precision, on_device_of, operator_name, processors, use_kernels


@pytest.fixture
def on_a_gpu(monkeypatch):
    """As if the CPU were a GPU that Triton knows."""
    monkeypatch.setattr(kernel_dispatch, "_ENABLED", True)
    monkeypatch.setattr(kernel_dispatch, "_device_fits", lambda device: True)


def test_a_cpu_without_an_interpreter_has_no_kernels(monkeypatch):
    monkeypatch.setattr(kernel_dispatch, "_ENABLED", True)
    monkeypatch.setattr(kernel_dispatch, "_INTERPRETER", False)
    assert not use_kernels(torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_kernels_take_up_to_32_bits_and_absent_tensors(on_a_gpu, dtype):
    assert use_kernels(torch.ones(2, dtype=dtype)) and use_kernels(None, torch.ones(2, dtype=dtype), None)
    assert not use_kernels(torch.ones(2, dtype=dtype), torch.ones(2, dtype=torch.float64))


def test_an_exported_program_has_none(on_a_gpu, monkeypatch):
    monkeypatch.setattr(torch.compiler, "_is_exporting_flag", True)
    assert not use_kernels(torch.ones(2))


@pytest.mark.parametrize(("switch", "expected"), [("NO", False), ("0", False), ("yes", True), ("1", True)])
def test_the_switch_of_transformers_turns_them_off(monkeypatch, switch, expected):
    monkeypatch.setenv("USE_HUB_KERNELS", switch)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    spec = importlib.util.spec_from_file_location("kernel_dispatch_anew", kernel_dispatch.__file__)
    anew = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(anew)  # the switch is read when the module is imported
    assert anew.use_kernels(torch.ones(2)) == (expected and importlib.util.find_spec("triton") is not None)


def test_a_cpu_is_one_processor_and_rounds_no_products():
    x = torch.ones(2)
    assert processors(x.device) == 1 and dot_precision(x) == "tf32x3" and dot_precision(x.half()) == "tf32"
    with on_device_of(x):
        assert torch.equal(x + x, torch.full((2,), 2.0))


def test_copies_of_our_source_have_operators_of_their_own():
    copies = [operator_name(module, "scan") for module in ("codefuse_hf.kernels.a", "loaded.one.a", "loaded.two.a")]
    assert copies[0] == "codefuse_hf::scan" and len(set(copies)) == 3
    assert all(name.endswith("::scan") and name.replace("::", "_").isidentifier() for name in copies)


def test_more_rows_or_steps_than_a_launch_has_programs_take_pytorch(on_a_gpu):
    """Along the second and third axis of a launch, that is."""
    x = torch.ones(1)
    assert use_kernels(x.expand(65535, 1, 8)) and not use_kernels(x.expand(65536, 1, 8))
    assert use_kernels(x.expand(1, 65535 * 128, 8)) and not use_kernels(x.expand(1, 65535 * 128 + 1, 8))


def test_tensors_on_several_devices_are_for_pytorch_to_refuse(on_a_gpu):
    assert not use_kernels(torch.ones(2), torch.ones(2, device="meta"))


def test_a_graph_is_traced_without_asking_caches(monkeypatch):
    """Of which Dynamo would warn."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(kernel_dispatch, "_is_known_to_be_recent", lambda index: pytest.fail("a cache"))
    device = torch.device("cuda", 0)
    ask = torch.compile(lambda x: x + kernel_dispatch._device_fits(device), backend="eager", fullgraph=True)
    assert ask(torch.zeros(())) == 1
