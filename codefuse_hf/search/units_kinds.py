"""The `--kinds` option, common to `index` and `search`; light, so that `--help` is quick."""

import argparse

KINDS = ("function", "class", "file")


def add_kinds_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these kinds of units")
