"""`codefuse-hf search QUERY`."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from .arguments import add_kinds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("query", nargs="+", help="what to look for, in plain words")
    parser.add_argument("--path", default=".", help="the indexed repository (default: this folder)")
    parser.add_argument("--index", help="folder of the index (default: the one in your cache)")
    parser.add_argument("--model", help="the model that made the index (default: as the index in your cache says)")
    parser.add_argument("--trust-remote-code", action="store_true", help="run the code that the --model carries")
    parser.add_argument("-k", type=int, default=10, help="how many results (10)")
    parser.add_argument(
        "--mode", choices=("hybrid", "vectors", "words"), help="default: hybrid where there are vectors"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON, for tools")
    add_kinds(parser)


def run(args: argparse.Namespace) -> None:
    """Print what fits the query."""
    from ..search.code_index import CodeIndex
    from ..search.places import CARRIED_FOLDER, default_folder

    if args.trust_remote_code and args.model is None:
        raise ValueError("--trust-remote-code is for a model that you name: add --model")
    folder = Path(args.index) if args.index is not None else default_folder(args.path)
    carried = Path(args.path) / CARRIED_FOLDER
    if args.index is None and not folder.exists() and carried.is_dir():
        raise FileNotFoundError(
            f"you have not indexed {args.path}: make an index with `codefuse-hf index`. The one that it carries, {carried}, may be "
            "somebody else's; --index names it"
        )
    index = CodeIndex.load(folder)
    if args.model is not None:
        index.use_model(args.model, args.trust_remote_code)
    results = index.search(" ".join(args.query), args.k, mode=args.mode, kinds=tuple(args.kinds))
    if args.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
        return
    for result in results:
        print(f"{result.path}:{result.line}  {result.kind} {result.name}  ({result.score:.4f})")
        print("\n".join(f"    {line}" for line in result.snippet.splitlines()) + "\n")
    if not results:
        print("nothing found")
