"""`codefuse-hf search QUERY`."""

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..search.kinds import KINDS, MODES
from .arguments import add_choice, positive

if TYPE_CHECKING:
    from ..search.code_index import CodeIndex, SearchResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("query", nargs="+", help="what to look for, in plain words")
    parser.add_argument("--path", help="the repository, or a folder in it: then only there (default: this folder)")
    parser.add_argument("--index", help="folder of the index (default: the one in your cache)")
    parser.add_argument("--model", help="the model that made the index (default: as the index in your cache says)")
    parser.add_argument("--trust-remote-code", action="store_true", help="run the code that the --model carries")
    parser.add_argument("-k", type=positive, default=10, help="how many results (10)")
    parser.add_argument("--mode", choices=MODES, help="default: hybrid where there are vectors")
    parser.add_argument("--tests", action="store_true", help="rank tests as high as other code")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, for tools")
    add_choice(parser)


def run(args: argparse.Namespace) -> int:
    """Print what fits the query; the exit status is 1 where nothing does."""
    if args.trust_remote_code and args.model is None:
        raise ValueError("--trust-remote-code is for a model that you name: add --model")
    index, within = _open(args)
    if args.model is not None:
        index.use_model(args.model, args.trust_remote_code)
    results = index.search(
        " ".join(args.query), args.k, mode=args.mode, kinds=tuple(args.kinds or KINDS),
        include=args.include, exclude=args.exclude, within=within, tests=args.tests or None,
    )  # fmt: skip
    if args.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        _print(results)
    if index.left_out:
        _say(
            f"{index.left_out} results were left out: their code has changed; `codefuse-hf index` brings the index up to date"
        )
    if not results:
        _say("nothing found" + (f" below {within}" if within else ""))
    return 0 if results else 1


def _open(args: argparse.Namespace) -> "tuple[CodeIndex, str]":
    """The index that the arguments name, and the folder of its repository to look in ("": all of it)."""
    from ..search.code_index import CodeIndex
    from ..search.places import CARRIED_FOLDER, find_index

    path = Path(args.path or ".")
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {args.path!r} to search")
    if args.index is not None:
        return CodeIndex.load(args.index, args.path), ""
    found = find_index(path)
    if found is None:
        carried = path / CARRIED_FOLDER
        remark = (
            f" The one that it carries, {carried}, may be somebody else's; --index names it" if carried.is_dir() else ""
        )
        raise FileNotFoundError(
            f"you have not indexed {path}: make an index with `codefuse-hf index {shlex.quote(str(path))}`.{remark}"
        )
    folder, root = found
    within = path.resolve().relative_to(root).as_posix()
    return CodeIndex.load(folder, root), "" if within == "." else within


def _print(results: "list[SearchResult]") -> None:
    """Results grouped by file; files in the order of their best result."""
    files: dict[str, list] = {}
    for result in results:
        files.setdefault(result.path, []).append(result)
    for path, found in files.items():
        print(path)
        for result in found:
            print(f"  {path}:{result.line}  {result.kind} {result.name}  ({result.score:.4f})")
            print("\n".join(f"      {line}" for line in result.snippet.splitlines()))
        print()


def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
