"""The `codefuse-hf` command: a thin, lazy front over the package.

Each subcommand lives beside the code that it runs, in a module with two functions: `add_arguments(parser)` and
`run(args) -> int | None`. Only the chosen module is imported, so `codefuse-hf --help` and commands that need no
model stay quick.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "quickstart": ("codefuse_hf.quickstart", "train, load, run and measure a small Rodimus+ on this machine"),
    "convert": ("codefuse_hf.hub.convert.command", "turn a published CodeFuse repository into a self-contained folder"),
    "push": ("codefuse_hf.hub.push", "upload a self-contained folder, with its model card, to the Hub"),
    "graph": ("codefuse_hf.graph.command", "build, measure, show and query the code graph of a repository"),
    "index": ("codefuse_hf.search.index_command", "index a repository's functions, classes and files for code search"),
    "search": ("codefuse_hf.search.search_command", "search an indexed repository in plain words"),
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The argument parser, with the options of `command` only (its module is the only one imported)."""
    parser = argparse.ArgumentParser(
        prog="codefuse-hf", description="Rodimus, CGE and code graphs on the Hugging Face stack."
    )
    parser.add_argument("--traceback", action="store_true", help="show the whole traceback when a command fails")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, help_text) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if name == command:
            importlib.import_module(module).add_arguments(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for an error that is explained, 2 for wrong usage, 130 for Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in argv if word in COMMANDS), None)
    try:
        args = build_parser(command).parse_args(argv)
        return importlib.import_module(COMMANDS[args.command][0]).run(args) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        if "--traceback" in argv:
            raise
        print(f"codefuse-hf {command or ''}: {error}".replace(" :", ":"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
