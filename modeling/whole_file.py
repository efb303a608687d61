"""Writes files that appear whole or not at all; what killed runs leave behind is removed by the next one."""

import contextlib
import glob
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from transformers.utils import logging

try:
    import fcntl
except ImportError:  # Windows: nothing is known to be left behind, so nothing is removed
    fcntl = None

logger = logging.get_logger(__name__)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give the block a hidden place to write a file to, which becomes `path` when the block ends well, and vanishes otherwise.

    Whoever writes holds a lock on the hidden folder around that place, which ends with the process.
    """
    path = Path(path)
    names = glob.glob(f".{glob.escape(path.name)}.*.partial", root_dir=path.parent)
    remove_abandoned(path.with_name(name) for name in names)
    folder = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    folder.mkdir()
    try:
        with _locked(folder):
            yield folder / path.name
            os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(partial: Iterable[Path]) -> None:
    """Remove those files and folders that nobody holds a lock on any more, and log their names."""
    for path in partial if fcntl is not None else ():
        if path.is_symlink():
            continue
        with contextlib.suppress(OSError), _locked(path):  # locked: another process is at work on it
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            logger.warning(f"removed {path}, which an interrupted run had left behind")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
