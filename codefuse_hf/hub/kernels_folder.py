"""The operators of `kernels/` as a repository of the Kernel Hub: a folder that the `kernels` library loads.

    codefuse-hf kernels OUT

Sources for kernel-builder stand in `torch-ext/`, with `build.toml`; the built form, which for pure Triton is the same
source, in `build/torch-{cuda,rocm,xpu,cpu}/`. Publishing is the ecosystem's own tool: `kernels upload OUT`, or
`hf upload`.
"""

import json
from pathlib import Path

from codefuse_hf.files import replacing_folder

from .remote_code import write_sources

NAME = "codefuse-rodimus"
VERSION = 1
BACKENDS = ("cuda", "rocm", "xpu", "cpu")
MODULES = tuple(
    f"codefuse_hf.kernels.{name}"
    for name in ("decoding_step", "gated_linear_attention", "gated_norm", "short_convolution", "tempered_selection")
)

_BUILD = """[general]
name = "{name}"
version = {version}
edition = 5
license = "apache-2.0"
backends = [{backends}]

[torch-noarch]
"""

_INIT = '''"""Operators of Rodimus (arXiv 2410.06577): Triton on GPUs, PyTorch elsewhere."""

from . import layers
from .decoding_step import decoding_step
from .gated_linear_attention import gated_linear_attention
from .gated_norm import gated_norm
from .tempered_selection import tempered_selection

__all__ = ["decoding_step", "gated_linear_attention", "gated_norm", "layers", "tempered_selection"]
'''

_LAYERS = '''"""Layers that `kernelize` puts in the place of a model's own: no state, only `forward`."""

import torch
from torch import nn

from .gated_norm import gated_norm


class RodimusGatedRMSNorm(nn.Module):
    """Residual-weighted sum, output gate and RMSNorm; the replaced module has `weight` and `eps`."""

    has_backward = True
    can_torch_compile = True

    def forward(
        self, out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor
    ) -> torch.Tensor:
        return gated_norm(out, residual, residual_weight, gate, self.weight, self.eps)


__all__ = ["RodimusGatedRMSNorm"]
'''


def write_kernels_folder(folder: Path) -> None:
    """Write the repository into `folder`, which must be new or empty.

    Raises:
        ValueError: the folder holds something.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not an empty folder: choose a new one")
    with replacing_folder(folder) as partial:
        _write(partial)


def _write(folder: Path) -> None:
    package = NAME.replace("-", "_")
    targets = {f"torch-ext/{package}": None} | {f"build/torch-{backend}": backend for backend in BACKENDS}
    for target, backend in targets.items():
        write_sources(MODULES, folder / target)
        (folder / target / "__init__.py").write_text(_INIT, encoding="utf-8")
        (folder / target / "layers.py").write_text(_LAYERS, encoding="utf-8")
        if backend is not None:
            metadata = {
                "id": f"_{package}_{backend}_{VERSION}",
                "name": NAME,
                "version": VERSION,
                "license": "apache-2.0",
                "python-depends": [],
                "backend": {"type": backend},
            }
            (folder / target / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    backends = ", ".join(f'"{backend}"' for backend in BACKENDS)
    build = _BUILD.format(name=NAME, version=VERSION, backends=backends)
    (folder / "build.toml").write_text(build, encoding="utf-8")
