"""The folder that a quickstart leaves: it appears whole, at the end, and replaces nothing but an earlier one."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..files import replacing_folder

MARKER = "quickstart.json"
_OWN_FILES = ("model", "generate.py", "samples.txt", "measurements.png", MARKER)


@contextlib.contextmanager
def output_folder(output: Path, force: bool) -> Iterator[Path]:
    """Make a folder that takes the place of `output` when the block ends well, and vanishes when it does not.

    Args:
        output: nothing, an empty folder, or the results of an earlier quickstart.
        force: replace the latter.

    Raises:
        OSError: the folder cannot be written, or holds something else.
    """
    check_output(output, force)
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"the output folder {output} cannot be written: {error.strerror or error}; choose another with --output"
        ) from error
    with replacing_folder(output) as staging:
        yield staging
        if output.exists():
            check_output(output, force)  # it may have changed in the meantime
            shutil.rmtree(output)


def check_output(output: Path, force: bool) -> None:
    """Raise `OSError` if results cannot go to `output`: only an empty folder or, with `force`, our own is replaced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise NotADirectoryError(f"{output} exists and is not a folder: choose another with --output")
    found = {entry.name for entry in output.iterdir()}
    if not found:
        return
    foreign = sorted(found.difference(_OWN_FILES))
    if MARKER not in found or foreign:
        shown = ", ".join((foreign or sorted(found))[:3])
        raise FileExistsError(f"{output} holds other files ({shown}, …): choose another folder with --output")
    if not force:
        raise FileExistsError(
            f"{output} holds the results of an earlier quickstart: choose another folder with --output, or replace it with --force"
        )
