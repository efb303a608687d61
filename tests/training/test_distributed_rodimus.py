"""`accelerate launch` with two CPU processes does what one process does."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from helpers import distributed_rodimus
from helpers.processes import child_environment

BATCH_SIZE = 8  # of all processes together


def launch(folder: Path, processes: int, block_type: str, kind: str) -> dict:
    """Train in several processes; what the first of them reports."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # accelerate starts several processes on one machine with this flag only; they run on the CPU all the same.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines=1"]
    command += ["--mixed_precision=no", "--dynamo_backend=no", f"--num_processes={processes}"]
    command += [
        f"--main_process_port={port}",
        distributed_rodimus.__file__,
        str(folder),
        block_type,
        str(BATCH_SIZE // processes),
        kind,
    ]
    environment = child_environment(HF_HUB_OFFLINE="1", ACCELERATE_USE_CPU="true")
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.parametrize("kind", distributed_rodimus.KINDS)
def test_two_processes_match_one(tmp_path, kind):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    expected = distributed_rodimus.KINDS[kind](one, "rodimus_plus", BATCH_SIZE)
    summary = launch(two, 2, "rodimus_plus", kind)
    expected_weights, weights = (load_file(folder / "model.safetensors") for folder in (one, two))
    assert (expected["processes"], summary["processes"]) == (1, 2)
    sharded = f"{len(expected_weights)} sharded parameters"
    assert summary["kind"] == ("DistributedType.MULTI_CPU" if kind == "trainer" else sharded)
    assert expected["losses"][-1] < expected["losses"][0]
    # Half precision rounds each weight to 2⁻⁸ of it, and with FSDP so does `residual_weight`, which is float32 in one process.
    half = kind == "fsdp-bfloat16"
    assert summary["losses"] == pytest.approx(expected["losses"], rel=5e-3 if half else 1e-4)
    assert weights.keys() == expected_weights.keys()
    for name, tensor in weights.items():
        # AdamW turns rounding noise in tiny gradients into steps of the learning rate, so the mean is what counts.
        assert (tensor.float() - expected_weights[name]).abs().mean() < (2**-7 if half else 1e-5), name
