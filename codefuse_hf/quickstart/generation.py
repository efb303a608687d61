"""Lets the trained model write code in a process of its own, from its folder alone."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..hub.isolation import isolated_command

# Copied beside the model: all that a user of the folder needs, and what the fresh process runs.
SCRIPT = Path(__file__).with_name("generate.py")


def generate_in_fresh_process(folder: Path, prompts: Sequence[str], new_tokens: int, seed: int) -> list[dict[str, Any]]:
    """Run `generate.py` of `folder` in a new process without this package; returns prompts and texts.

    Raises:
        OSError: the process failed; the message ends with what it wrote.
    """
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("PYTHONPATH", None)
    command = isolated_command(folder / "generate.py", "--seed", seed, "--new-tokens", new_tokens, "--", *prompts)
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, tqdm(desc="fresh process", unit="text") as progress:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", env=environment, cwd=folder
        ) as process:
            for line in process.stdout:
                if line.startswith("{"):
                    lines.append(json.loads(line))
                    progress.update("text" in lines[-1])
        if process.returncode:
            errors.seek(0)
            raise OSError(f"generating in a fresh process failed:\n{errors.read().strip()[-2000:]}")
    *samples, facts = lines
    if not facts["model_class_from"].startswith("transformers_modules"):
        raise OSError(f"the folder's own code was to run, but the model came from {facts['model_class_from']}")
    return samples
