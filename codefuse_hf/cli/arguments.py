"""Types and options that several commands share."""

import argparse

from ..search.kinds import KINDS

_SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return value


def size(text: str) -> int:
    """Read a number of bytes with an optional K, M or G."""
    unit = text[-1:].upper() if text[-1:].upper() in _SIZE_UNITS else ""
    return positive(text[: len(text) - len(unit)]) * _SIZE_UNITS[unit]


def add_kinds(parser: argparse.ArgumentParser) -> None:
    """Add `--kinds`, common to `index` and `search`."""
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these kinds of units")
