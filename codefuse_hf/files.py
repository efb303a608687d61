"""Writes files and folders that appear whole or not at all; sizes in words."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


@contextlib.contextmanager
def replacing(path: str | os.PathLike, mode: str = "wb", encoding: str | None = None) -> Iterator[IO]:
    """Open a new file that takes the place of `path` when the block ends well, and vanishes when it does not."""
    path = Path(path)
    partial = _beside(path)
    try:
        with open(partial, mode.replace("w", "x"), encoding=encoding) as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Make a folder that takes the place of `path` when the block ends well, and vanishes when it does not.

    Raises:
        OSError: the folder cannot be made, or something other than an empty folder is at `path` in the end.
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path)
    partial.mkdir()
    try:
        yield partial
        if path.is_dir():
            path.rmdir()
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def readable_size(number: float) -> str:
    """Format a number of bytes with a fitting binary unit: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"
