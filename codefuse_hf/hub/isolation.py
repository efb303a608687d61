"""Runs a script in a process that cannot import this package, as people without it do.

This file is also the program that does so: `python isolation.py SCRIPT [ARGUMENT …]`.
"""

import runpy
import sys
from pathlib import Path


def isolated_command(script: Path, *arguments: object) -> list[str]:
    """Make the command that runs `script` in a process of its own, for `subprocess`."""
    # -P: the folder of this file does not become a place to import from.
    return [sys.executable, "-P", __file__, str(script), *map(str, arguments)]


if __name__ == "__main__":
    sys.modules["codefuse_hf"] = None  # every import of it fails
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
