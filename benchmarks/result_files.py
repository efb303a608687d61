"""Results files that several runs fill: which code a figure is of, and texts that are put in place whole."""

import subprocess
from pathlib import Path


def code_version(folder: Path = Path(__file__).parent) -> str:
    """Name the commit of the code that runs, with a `+` where tracked files other than results differ from it."""
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout
        # From the root of the work tree; results change while a benchmark runs.
        others = [":/", ":(exclude,top)benchmarks/results"]
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *others], capture_output=True).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.strip() + ("+" if changed else "")


def put_whole(folder: Path, texts: dict[str, str]) -> None:
    """Write files by name into a folder, which is made; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        partial = folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
