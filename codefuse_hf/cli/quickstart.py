"""`codefuse-hf quickstart`: the whole life of a small Rodimus+ in about three minutes."""

import argparse
import os
from pathlib import Path

_OUTPUT = "codefuse-hf-quickstart"
_CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--output", type=Path, default=Path(_OUTPUT), metavar="FOLDER", help="default: %(default)s")
    parser.add_argument(
        "--force", action="store_true", help="replace the results of an earlier quickstart in the output folder"
    )
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="time for everything, most of it for training (default: 3)"
    )
    parser.add_argument(
        "--corpus", nargs="+", metavar="PATH", help="text files or folders; default: Python's standard library"
    )
    parser.add_argument("--prompt", nargs="+", metavar="TEXT", help="what the trained model shall continue")
    parser.add_argument("--new-tokens", type=int, default=150, help="tokens to generate for each prompt (default: 150)")
    parser.add_argument(
        "--contexts",
        type=int,
        nargs="+",
        default=list(_CONTEXTS),
        metavar="TOKENS",
        help="context lengths to measure at, rising (default: 512 … 16384)",
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Run the quickstart, and say where its results are."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from ..quickstart.run import Options, run

    options = Options(
        output=args.output,
        contexts=args.contexts,
        force=args.force,
        minutes=args.minutes,
        corpus=args.corpus,
        prompts=args.prompt,
        new_tokens=args.new_tokens,
        seed=args.seed,
    )
    run(options)
    print(
        f"\nAll of it is in {args.output}: the model (self-contained), generate.py, quickstart.json, measurements.png."
    )
