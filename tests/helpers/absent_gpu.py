"""Kernels launched for a GPU that is not there: specialised and compiled as on one, noted instead of run."""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

GRID_LIMITS = (2**31 - 1, 65535, 65535)


@dataclass
class Launches:
    """What was compiled, as kernel and what it was compiled for, and what was launched, as kernel and grid."""

    compiled: list[tuple[str, str]] = field(default_factory=list)
    launched: list[tuple[str, tuple[int, int, int]]] = field(default_factory=list)


class Driver:
    """Stands where Triton asks the driver of a device."""

    def __init__(self, target, launches: Launches):
        self.target, self.launches, self.utils = target, launches, self

    def get_current_target(self):
        return self.target

    def get_current_device(self) -> int:
        return self.target.arch  # kernels are kept for each device

    def get_current_stream(self, device) -> int:
        return 0

    def get_benchmarker(self):
        """Launch a configuration once; all take the same time."""

        def measure(call, quantiles):
            call()
            return [1.0, 1.0, 1.0]

        return measure

    def get_device_properties(self, device) -> dict[str, int]:
        return {"max_shared_mem": 227 * 1024}

    def load_binary(self, name, binary, shared, device):
        assert binary
        return binary, name, 32, 0, 1024  # module, function, registers, spills, most threads

    def unload_module(self, module) -> None:
        """Nothing was loaded."""

    def launcher_cls(self, source, metadata):
        name = source.fn.__name__
        self.launches.compiled.append((name, f"{source.signature} {source.constants} {source.attrs}"))

        def launch(x, y, z, *others):
            assert all(n <= limit for n, limit in zip((x, y, z), GRID_LIMITS, strict=True)), (name, x, y, z)
            self.launches.launched.append((name, (x, y, z)))

        return launch


@contextlib.contextmanager
def absent_gpu(monkeypatch, capability: int = 90) -> Iterator[Launches]:
    """Take the CPU for an NVIDIA GPU with 132 multiprocessors. What kernels should have written is left as it was."""
    import triton
    from triton.backends.compiler import GPUTarget

    from codefuse_hf.kernels import gated_linear_attention_triton, gated_norm_triton, kernel_dispatch

    launches, before = Launches(), triton.runtime.driver._active
    monkeypatch.setattr(kernel_dispatch, "_ENABLED", True)
    monkeypatch.setattr(kernel_dispatch, "_device_fits", lambda device: device.type == "cpu")
    monkeypatch.setattr(gated_linear_attention_triton, "generation", lambda device: capability // 10)
    for module in (gated_linear_attention_triton, gated_norm_triton):
        monkeypatch.setattr(module, "processors", lambda device: 132)
    for tuned in ("_tuned_outputs", "_tuned_states", "_tuned_gradients"):
        getattr(gated_linear_attention_triton, tuned).cache.clear()
    triton.runtime.driver.set_active(Driver(GPUTarget("cuda", capability, 32), launches))
    try:
        with torch.random.fork_rng(devices=[]):
            yield launches
    finally:
        for kernel in triton_kernels():
            kernel.device_caches.clear()
        gc.collect()  # what was compiled asks the driver to unload it
        triton.runtime.driver._active = before


def triton_kernels() -> list:
    """Every kernel that is launched."""
    from triton.runtime.jit import JITFunction

    from codefuse_hf.kernels import (
        decoding_step_triton,
        gated_linear_attention_triton_kernels,
        gated_norm_triton,
        short_convolution_triton,
        tempered_selection_triton,
    )

    modules = (
        decoding_step_triton,
        gated_linear_attention_triton_kernels,
        gated_norm_triton,
        short_convolution_triton,
        tempered_selection_triton,
    )
    return [x for module in modules for x in vars(module).values() if isinstance(x, JITFunction)]
