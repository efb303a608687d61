"""Types and options that several commands share."""

import argparse
import re

from ..search.kinds import KINDS

_SIZE = re.compile(r"([0-9]+) ?([KMG]?)(?:i?B)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return value


def size(text: str) -> int:
    """Read a number of bytes with an optional K, M or G, of 1024 each: `200M`, `1G`, also `200MB` and `200MiB`."""
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"expected a number of bytes of at least 1, such as 5M or 1G, found {text!r}")
    return int(found[1]) * _SIZE_UNITS[found[2].upper()]


def kind_list(text: str) -> list[str]:
    """Read kinds of units, separated by commas."""
    kinds = [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(KINDS)}, found {kind!r}")
    return kinds


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add `--kinds`, `--include` and `--exclude`, common to `index` and `search`."""
    parser.add_argument(
        "--kinds", type=kind_list, action="extend", help=f"only these kinds of units, such as {KINDS[0]},{KINDS[1]}"
    )
    patterns = {"action": "append", "default": [], "metavar": "PATTERN"}
    parser.add_argument("--include", help="only such files: a folder, a path, or a pattern like '*.py'", **patterns)
    parser.add_argument("--exclude", help="no such files", **patterns)
