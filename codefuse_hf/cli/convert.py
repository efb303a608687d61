"""`codefuse-hf convert SRC DST`: a published CodeFuse repository becomes a self-contained folder."""

import argparse
import signal
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("source", metavar="SRC", help="a local folder, or a repo id such as codefuse-ai/…")
    parser.add_argument("destination", metavar="DST", type=Path, help="the folder to make; it must not exist yet")
    parser.add_argument(
        "--dtype",
        choices=["float32", "float16", "bfloat16"],
        help="store the weights in this precision (default: as they are)",
    )
    parser.add_argument("--revision", help="branch, tag or commit of the repo id (default: its main branch)")
    parser.add_argument(
        "--max-shard-size",
        default="2GB",
        metavar="SIZE",
        help="size of the weight files, and about the memory that is used (default: %(default)s)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep finished weight files also when the run ends with an error, for a later run to go on with",
    )


def run(args: argparse.Namespace) -> None:
    """Fetch the repository if need be, convert it, and say how to load it."""
    from ..hub.convert.core import check_destination, convert_folder
    from ..hub.download import fetch_repository

    # Asked to end, end as for Ctrl-C: what is half written goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    check_destination(args.destination)
    source = fetch_repository(args.source, args.revision)
    folder = convert_folder(
        source,
        args.destination,
        dtype=args.dtype,
        max_shard_size=args.max_shard_size,
        source_name=None if Path(args.source).is_dir() else args.source,
        resume=args.resume,
    )
    print(f"{folder} is ready. It loads anywhere:")
    loader = "SentenceTransformer" if (folder / "modules.json").is_file() else "AutoModelForCausalLM.from_pretrained"
    print(f'  {loader}("{folder}", trust_remote_code=True)')
