"""`codefuse-hf index PATH`."""

import argparse
import json
import sys
import time

from ..search.default_model import DEFAULT_MODEL
from ..search.kinds import KINDS
from .arguments import add_choice, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("path", help="the repository")
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a sentence-transformers model, by name or folder (default: a small one that is part of this package)",
    )
    parser.add_argument("--words-only", action="store_true", help="no model: search by words (BM25) only")
    parser.add_argument("--trust-remote-code", action="store_true", help="run the code that the model's folder carries")
    parser.add_argument("--index", help="folder of the index (default: one in your cache, in HF_HOME)")
    parser.add_argument("--batch-size", type=positive, default=32, help="units embedded at once")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")
    add_choice(parser)


def run(args: argparse.Namespace) -> None:
    """Build or refresh the index, and say what was done."""
    from ..search.code_index import CodeIndex

    start = time.perf_counter()
    index = CodeIndex.build(
        args.path,
        model=None if args.words_only else args.model,
        folder=args.index,
        kinds=tuple(args.kinds or KINDS),
        include=args.include,
        exclude=args.exclude,
        batch_size=args.batch_size,
        trust_remote_code=args.trust_remote_code,
        progress=not args.json,
    )
    summary = {
        "index": str(index.folder),
        "units": len(index),
        "embedded": index.manifest.get("embedded_now", 0),
        "model": index.manifest["model"],
        "seconds": round(time.perf_counter() - start, 2),
        "problems": index.manifest.get("problems", {}),
    }
    if args.json:
        print(json.dumps(summary))
    else:
        vectors = f"{summary['embedded']} embedded anew with {summary['model']}" if summary["model"] else "words only"
        print(f"{summary['units']} units ({vectors}) in {summary['seconds']} s: {summary['index']}")
        for kind, (count, first) in summary["problems"].items():
            print(f"note: {kind}: {count:,} (such as {first})", file=sys.stderr)
