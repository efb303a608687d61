"""Writes files and folders that appear whole or not at all; sizes in words.

While it is written, a file or folder has a hidden name beside its place, and its process holds a lock on it, which ends with the process,
however that ends. So the next run that writes to this place knows what nobody works on any more; it removes that, and says so.
"""

import contextlib
import errno
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: nothing is known to be left behind, so nothing is removed
    fcntl = None

_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


@contextlib.contextmanager
def replacing(path: str | os.PathLike, mode: str = "wb", encoding: str | None = None) -> Iterator[IO]:
    """Open a new file that takes the place of `path` when the block ends well, and vanishes when it does not."""
    path = Path(path)
    remove_leftovers(path)
    partial = _beside(path)
    try:
        with full_disk_named(path), open(partial, mode.replace("w", "x"), encoding=encoding) as file, locked(partial):
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike, *, content: str | None = None, keep: bool = False) -> Iterator[Path]:
    """Make a folder that takes the place of `path` when the block ends well, and vanishes when it does not.

    Args:
        path: absent, or an empty folder.
        content: a name of what will be in it: the folder is that of an earlier run for the same content, if that run was killed
            or its folder was kept.
        keep: the folder does not vanish when the block fails, so that a later run with the same `content` goes on with it.

    Raises:
        OSError: the folder cannot be made, another process is making it, or something other than an empty folder is at `path`
            in the end.
    """
    path = Path(path).absolute()
    if path.is_mount():
        raise OSError(f"{path} is where a disk is mounted, and no folder can take its place: name a new folder in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path) if content is None else path.with_name(f".{path.name}.{content}.partial")
    remove_leftovers(path, but=partial)
    if partial.exists():
        print(f"note: going on with {partial}, which an interrupted run had left behind", file=sys.stderr)
    partial.mkdir(exist_ok=content is not None)
    with full_disk_named(path), locked(partial):
        try:
            yield partial
            if path.is_dir():
                path.rmdir()
            os.replace(partial, path)
        except BaseException:
            if not keep:
                shutil.rmtree(partial, ignore_errors=True)
            raise


@contextlib.contextmanager
def full_disk_named(path: str | os.PathLike) -> Iterator[None]:
    """Tell what could not be written where the disk is full: the system does not, and some libraries raise errors of their own.

    Raises:
        OSError: there is no room for `path`, or no more is allowed.
    """
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in _FULL:  # safetensors has the system's words alone
            number = next((each for each in _FULL if os.strerror(each) in str(error)), None)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, f"{os.strerror(number)} to write", os.fspath(path)) from error


def remove_leftovers(path: str | os.PathLike, but: Path | None = None) -> None:
    """Remove what runs that were killed have left of `path`, all `but` one, and say so on standard error."""
    path = Path(path).absolute()
    for name in glob.glob(f".{glob.escape(path.name)}.*.partial", root_dir=path.parent) if fcntl else ():
        partial = path.with_name(name)
        if partial.is_symlink() or partial == but:
            continue
        with contextlib.suppress(OSError), locked(partial):  # locked: a run is at work on it
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
            print(f"note: removed {partial}, which an interrupted run had left behind", file=sys.stderr)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder. Raises `OSError` if another process has it."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OSError(f"another process is at work on {path}: wait for it, or end it") from error
        yield
    finally:
        os.close(descriptor)


def readable_size(number: float) -> str:
    """Format a number of bytes with a fitting binary unit: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"
