"""The `codefuse-hf` command: a thin, lazy front over the package.

Each subcommand is a module of this folder, of the command's name, with two functions: `add_arguments(parser)` and
`run(args) -> int | None`, which returns the exit status. Only the chosen module is imported, and it imports what it runs
when it runs, so that `--help` is quick for every command.
"""

import argparse
import codecs
import contextlib
import dis
import importlib
import io
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "quickstart": "train, load, run and measure a small Rodimus+ on this machine",
    "convert": "turn a published CodeFuse repository into a self-contained folder",
    "export": "turn a Rodimus or CGE model into one for ONNX Runtime, OpenVINO or ExecuTorch",
    "generate": "continue a text, or chat, with a Rodimus in PyTorch or exported",
    "push": "upload a self-contained folder, with its model card, to the Hub",
    "kernels": "write the operators as a repository of the Kernel Hub",
    "graph": "build, measure, show and query the code graph of a repository",
    "index": "index a repository's functions, classes and files for code search",
    "search": "search an indexed repository in plain words",
    "locate": "find the files and functions that a fix of an issue changes",
    "demo": "complete, search, look and ask in the browser",
    "serve": "serve a language model with an OpenAI-compatible API",
    "fix": "write a patch for an issue with a language model",
    "swebench": "write predictions for SWE-bench, in the form that its harness reads",
}
EXTRAS = {  # what commands need beyond a plain installation, by the name of the extra in pyproject.toml
    "graph": "graph",
    "index": "search",
    "search": "search",
    "locate": "repair",
    "fix": "repair",
    "swebench": "repair",
    "demo": "demo",
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """Make the argument parser, with the options of `command` only (its module is the only one imported)."""
    parser = argparse.ArgumentParser(
        prog="codefuse-hf", description="Rodimus, CGE and code graphs on the Hugging Face stack."
    )
    parser.add_argument("--traceback", action="store_true", help="show the whole traceback when a command fails")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help_text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if name == command:
            _module(name).add_arguments(subparser)
    return parser


def _module(command: str):
    return importlib.import_module(f"{__name__}.{command}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 for an error that is explained, 2 for wrong usage, 130 for Ctrl-C, 141 where nobody reads on.

    Raises:
        Exception: a bug, with its traceback (see `is_for_the_user`).
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in argv if word in COMMANDS), None)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and snippets hold what a terminal's encoding may not have
        sys.stdout.reconfigure(errors=_ANY_TEXT)
    try:
        args = build_parser(command).parse_args(argv)
        status = _module(args.command).run(args) or 0
        if sys.stdout is not None:  # as where it is closed
            sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has had enough, as in `| head`
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is written at exit
        return 141  # as for a program that the signal ends
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if "--traceback" in argv or not is_for_the_user(error):
            raise
        print(f"codefuse-hf {command or ''}: {error}{_way_out(command, error)}".replace(" :", ":"), file=sys.stderr)
        return 1


def _any_text(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode what an encoding does not have: bytes of a file's name that are no text as they are on the disk, the rest as escapes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


_ANY_TEXT = "codefuse-hf: any text"
codecs.register_error(_ANY_TEXT, _any_text)


def _way_out(command: str | None, error: Exception) -> str:
    """What to install where a package is missing."""
    if isinstance(error, ModuleNotFoundError) and command in EXTRAS:
        return f": install what this command needs with `pip install 'codefuse-hf[{EXTRAS[command]}]'`"
    return ""


def is_for_the_user(error: Exception) -> bool:
    """Tell an error that its message explains to the user from a bug, whose traceback must not be hidden.

    The user's are: what the system or another library says of files, networks and missing packages (`OSError`,
    `ImportError`), and a `ValueError` that a `raise` statement of this package made, which is how it refuses input. A
    `ValueError` out of anything else, and every `TypeError`, is a bug.
    """
    if isinstance(error, ImportError):
        return error.name is None or not error.name.startswith("codefuse_hf")
    if isinstance(error, ValueError):
        return _raised_by_this_package(error)
    return isinstance(error, OSError)


def _raised_by_this_package(error: Exception) -> bool:
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_code
    of_this_package = trace.tb_frame.f_globals.get("__name__", "").startswith("codefuse_hf.")
    return of_this_package and code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
