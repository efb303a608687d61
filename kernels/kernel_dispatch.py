"""Which operators run by their Triton kernels: those on a GPU, where Triton is installed.

Every operator has a PyTorch version that runs anywhere, so this only ever chooses the faster way. While a model is being
exported the PyTorch versions run, since an exported program must not depend on Triton. `USE_HUB_KERNELS=NO`, the switch
by which transformers is told to leave kernels alone, turns ours off as well. With Triton's own `TRITON_INTERPRET=1` the
kernels also run on a CPU, slowly, in Triton's interpreter: that is how they are tested.
"""

import contextlib
import functools
import importlib.util
import os
import zlib

import torch

DEVICES = ("cuda", "xpu")  # ROCm calls itself "cuda"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# Programs along the second and third axis of a launch, of which a row of the batch takes one, and 128 steps of it take one.
MAX_PROGRAMS = 65535

_INTERPRETER = os.environ.get("TRITON_INTERPRET") == "1"
_ENABLED = (
    os.environ.get("USE_HUB_KERNELS", "YES").upper() in ("1", "ON", "YES", "TRUE")
    and importlib.util.find_spec("triton") is not None
)


def use_kernels(*tensors: torch.Tensor | None) -> bool:
    """Tell whether an operator on these tensors (None where there is none) should run by its Triton kernel.

    A kernel would take addresses on another device for its own; PyTorch says that the devices differ.
    """
    if not _ENABLED:
        return False
    given = [x for x in tensors if x is not None]
    first = given[0]
    if not _device_fits(first.device):
        return False  # on a CPU at once, since each operator of each token asks
    if is_exporting() or (not torch.compiler.is_compiling() and is_transformed()):
        return False
    if first.ndim == 3 and (first.shape[0] > MAX_PROGRAMS or first.shape[1] > 128 * MAX_PROGRAMS):
        return False
    return all(x.dtype in DTYPES and x.device == first.device for x in given)


def is_exporting() -> bool:
    """Tell whether a program is being exported. In PyTorch 2.11 `torch.compiler.is_exporting` says so of every graph that is compiled."""
    return torch.compiler._is_exporting_flag


def is_transformed() -> bool:
    """Tell whether a transform of `torch.func` (grad, vmap, jvp, …) is at work, which takes plain operators only."""
    return torch._C._are_functorch_transforms_active()


def _device_fits(device: torch.device) -> bool:
    if device.type == "cpu":
        return _INTERPRETER
    is_recent = _is_recent if torch.compiler.is_compiling() else _is_known_to_be_recent
    return device.type in DEVICES and (device.type == "xpu" or is_recent(device.index))


def _is_recent(index: int | None) -> bool:
    """Tensor cores for bfloat16 and TF32 came with compute capability 8.0; every ROCm device that Triton takes has a higher one."""
    return torch.cuda.get_device_capability(index) >= (8, 0)


_is_known_to_be_recent = functools.cache(_is_recent)  # not while a graph is traced: Dynamo warns of caches


def on_device_of(x: torch.Tensor) -> contextlib.AbstractContextManager:
    """Make the device where `x` lies the current one, on which kernels are launched."""
    return contextlib.nullcontext() if x.device.type == "cpu" else torch.accelerator.device_index(x.device.index)


@functools.cache
def processors(device: torch.device) -> int:
    """Return the number of programs that a device runs at the same time, one a multiprocessor."""
    if device.type == "cpu":
        return 1
    properties = torch.get_device_module(device).get_device_properties(device)
    return getattr(properties, "multi_processor_count", None) or getattr(properties, "gpu_subslice_count", 64)


@functools.cache
def generation(device: torch.device) -> int:
    """Give the first number of a CUDA device's compute capability; 0 for AMD's and Intel's."""
    if device.type != "cuda" or torch.version.hip:
        return 0
    return torch.cuda.get_device_capability(device)[0]


def dot_precision(x: torch.Tensor) -> str:
    """Tell how products of float32 numbers are computed for inputs like `x`: to float32's digits for float32, else TF32.

    ROCm's matrix units multiply float32 as it is.
    """
    if x.device.type == "cuda" and torch.version.hip:
        return "ieee"
    return "tf32x3" if x.dtype == torch.float32 else "tf32"


def operator_name(module: str, name: str) -> str:
    """Return the name under which `torch.library` knows an operator of a module: one namespace for each copy of our source.

    Source that travels with weights may stand in a process several times, in several versions.
    """
    installed = module.startswith("codefuse_hf.")
    return f"codefuse_hf{'' if installed else f'_{zlib.crc32(module.encode()):08x}'}::{name}"
