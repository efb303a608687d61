"""`codefuse-hf kernels FOLDER`: the operators as a repository of the Kernel Hub."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to write it: a new or empty folder")


def run(args: argparse.Namespace) -> None:
    """Write the folder, and print how to go on."""
    from ..hub.kernels_folder import write_kernels_folder

    write_kernels_folder(args.folder)
    print(
        f"{args.folder}: load it with kernels.get_local_kernel(Path({str(args.folder)!r})), publish it with `kernels upload`"
    )
