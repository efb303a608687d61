"""Processes of their own, and a Hub for them: what the Hub tests share."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from hub_server import running_hub

# In a process that starts with this, the package does not exist.
WITHOUT_PACKAGE = """
import sys
sys.modules["codefuse_hf"] = None
"""


def run_python(code: str, *arguments: str, with_package: bool = True, **environment: str | None):
    """Run Python code in a new process; returns what it assigns to `result`, which must be plain data.

    Environment variables of None are unset.
    """
    code = f"{'' if with_package else WITHOUT_PACKAGE}{code}\nimport json\nprint('RESULT' + json.dumps(result))"
    merged = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1", **environment}
    merged = {key: value for key, value in merged.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=merged, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return json.loads(
        next(line for line in done.stdout.splitlines() if line.startswith("RESULT")).removeprefix("RESULT")
    )


@pytest.fixture(scope="module")
def hub():
    """A running Hub, empty at the start of a test module: its memory. Its address: `hub.url`."""
    with running_hub() as (memory, url):
        memory.url = url
        yield memory


@pytest.fixture
def environment(hub, tmp_path) -> Callable[..., dict[str, str | None]]:
    """Environment of a client of the Hub, with an empty cache; `token=None` for a stranger."""

    def of(token: str | None = "hf_user") -> dict[str, str | None]:
        return {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf_home"),
            "HF_TOKEN": token,
            "HF_HUB_OFFLINE": None,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": None,
        }

    return of
