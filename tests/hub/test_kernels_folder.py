"""The folder for the Kernel Hub, loaded offline by the `kernels` library itself."""

import json
import tomllib

import pytest
import torch

from codefuse_hf.cli import main
from codefuse_hf.hub.kernels_folder import BACKENDS, write_kernels_folder
from helpers.processes import run_python

# Our own `kernels/` would hide the library from a process that stands in the repository's root.
CLIENT = """
import sys
sys.path[:] = [path for path in sys.path if path]
from pathlib import Path
import torch
from torch import nn
import kernels
folder = Path(sys.argv[1])
names = [f"{kernels.__name__} {kernels.__version__}"]
norm_inputs = [torch.arange(24.0).reshape(1, 3, 8) / 10 for _ in range(2)] + [torch.ones(8), torch.ones(1, 3, 8)]

loaded = kernels.get_local_kernel(folder, backend="cpu")
q, k, v = (torch.ones(1, 5, n) for n in (4, 4, 8))
output, state = loaded.gated_linear_attention(q, k, v, -q, output_final_state=True)

@kernels.use_kernel_forward_from_hub("RodimusGatedRMSNorm")
class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.full((8,), 2.0)), 1e-5
    def forward(self, out, residual, residual_weight, gate):
        raise AssertionError("not replaced")

repository = kernels.LocalLayerRepository(folder, layer_name="RodimusGatedRMSNorm")
with kernels.use_kernel_mapping({"RodimusGatedRMSNorm": {"cpu": repository}}):
    model = kernels.kernelize(nn.Sequential(Norm()), mode=kernels.Mode.TRAINING, device="cpu")
normed = model[0](*norm_inputs)
normed.sum().backward()
expected = loaded.gated_norm(*norm_inputs, model[0].weight, 1e-5)
import os
os.environ["LOCAL_KERNELS"] = f"codefuse-ai/rodimus-kernels={folder}"
named = kernels.get_kernel("codefuse-ai/rodimus-kernels", version=1, backend="cpu")
result = {
    "output": output.tolist(),
    "same": bool(torch.equal(normed, expected)) and model[0].weight.grad is not None,
    "named": sorted(named.__all__),
    "package": "codefuse_hf" in sys.modules and sys.modules["codefuse_hf"] is not None,
}
"""


def test_the_kernels_library_loads_it_without_this_package(tmp_path, monkeypatch):
    assert main(["kernels", str(tmp_path / "repository")]) == 0
    monkeypatch.chdir(tmp_path)
    result = run_python(CLIENT, str(tmp_path / "repository"), with_package=False, HF_HUB_OFFLINE="1")
    assert result["same"] and not result["package"]
    assert "gated_linear_attention" in result["named"]
    # Σ_{j ≤ i} exp(−(i − j)) · 4 / √4, with a decay of e for each step
    first = [[sum(2.0 * torch.e**-j for j in range(i + 1))] * 8 for i in range(5)]
    torch.testing.assert_close(torch.tensor(result["output"])[0], torch.tensor(first))


def test_every_backend_has_its_build_beside_the_sources(tmp_path):
    write_kernels_folder(tmp_path)
    files = {path.name for path in (tmp_path / "torch-ext" / "codefuse_rodimus").iterdir()}
    assert {"__init__.py", "layers.py", "gated_linear_attention_triton.py"} <= files
    for backend in BACKENDS:
        assert {path.name for path in (tmp_path / "build" / f"torch-{backend}").iterdir()} == files | {"metadata.json"}
        metadata = json.loads((tmp_path / "build" / f"torch-{backend}" / "metadata.json").read_text())
        assert metadata == {
            "id": f"_codefuse_rodimus_{backend}_1",
            "name": "codefuse-rodimus",
            "version": 1,
            "license": "apache-2.0",
            "python-depends": [],
            "backend": {"type": backend},
        }
    build = tomllib.loads((tmp_path / "build.toml").read_text())
    assert build["torch-noarch"] == {} and build["general"] == {
        "name": "codefuse-rodimus",
        "version": 1,
        "edition": 5,
        "license": "apache-2.0",
        "backends": ["cuda", "rocm", "xpu", "cpu"],
    }


@pytest.mark.parametrize("place", ["", "file"])
def test_a_folder_that_holds_something_is_left_alone(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="not an empty folder"):
        write_kernels_folder(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def fail(modules, folder):
        folder.mkdir(parents=True)
        raise OSError("no more")

    monkeypatch.setattr("codefuse_hf.hub.kernels_folder.write_sources", fail)
    with pytest.raises(OSError, match="no more"):
        write_kernels_folder(tmp_path / "folder")
    assert not any(tmp_path.iterdir())
