"""`codefuse-hf generate FOLDER --prompt …`: text from a model, in PyTorch or exported, with its speed and memory."""

import argparse
import sys
import time

from .arguments import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "folder", metavar="FOLDER", help="a Rodimus model, or one that codefuse-hf export made; a folder or a repo id"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", metavar="TEXT", help="what to continue; - reads standard input")
    what.add_argument("--chat", action="store_true", help="talk to a chat model; an empty line or Ctrl-D ends it")
    parser.add_argument(
        "--new-tokens", type=positive, default=128, help="at most so many for each answer (default: 128)"
    )
    parser.add_argument("--temperature", type=float, default=0.0, help="0 (the default) takes the most probable token")
    parser.add_argument("--threads", type=positive, help="threads to compute with (default: all cores)")
    parser.add_argument(
        "--dtype", choices=["float32", "bfloat16"], default="float32", help="precision in PyTorch (default: float32)"
    )
    parser.add_argument(
        "--quantize",
        choices=["int8", "int4"],
        help="round a PyTorch folder's weights to so many bits while they are read",
    )
    parser.add_argument("--trust", action="store_true", help="also read torch.export archives, which can run code")


def run(args: argparse.Namespace) -> None:
    """Load the model, and generate."""
    from ..export.terminal import Writer, load

    start = time.perf_counter()
    model, tokenizer = load(args.folder, args.threads, args.dtype, args.trust, args.quantize)
    writer = Writer(model, tokenizer, args.new_tokens, args.temperature)
    print(f"loaded in {time.perf_counter() - start:.1f} s ({writer.engine})", file=sys.stderr)
    if args.chat:
        writer.chat()
    else:
        writer.complete(sys.stdin.read() if args.prompt == "-" else args.prompt)
