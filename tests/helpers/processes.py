"""Runs Python in a process of its own, with or without this package."""

import json
import os
import subprocess
import sys

from . import TESTS

# In a process that starts with this, the package does not exist.
WITHOUT_PACKAGE = """
import sys
sys.modules["codefuse_hf"] = None
"""


def child_environment(**changes: str | None) -> dict[str, str]:
    """The environment of a child process that finds `helpers`: this one's with `changes`, where None unsets."""
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return {key: value for key, value in {**os.environ, **quiet, **changes}.items() if value is not None}


def run_python(code: str, *arguments: str, with_package: bool = True, **environment: str | None):
    """Run Python code in a new process; returns what it assigns to `result`, which must be plain data.

    Environment variables of None are unset.
    """
    code = f"{'' if with_package else WITHOUT_PACKAGE}{code}\nimport json\nprint('RESULT' + json.dumps(result))"
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=child_environment(**environment), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(
        next(line for line in done.stdout.splitlines() if line.startswith("RESULT")).removeprefix("RESULT")
    )
