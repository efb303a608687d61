"""`codefuse-hf export FOLDER OUT --format …`: a model for the device."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("source", metavar="FOLDER", help="a Rodimus or CGE model: a local folder, or a repo id")
    parser.add_argument("destination", metavar="OUT", type=Path, help="the folder to make; it must not exist yet")
    parser.add_argument("--format", required=True, choices=["onnx", "openvino", "executorch", "dynamo"])
    parser.add_argument(
        "--quantize",
        choices=["int8", "int4"],
        help="weights in so many bits, by the engine's own tools (onnx, openvino)",
    )


def run(args: argparse.Namespace) -> None:
    """Export the model, and say what came out."""
    from ..export.folders import export_folder
    from ..files import readable_size

    facts = export_folder(args.source, args.destination, args.format, args.quantize)
    checked = f"error {facts['relative_error']:.1e}"
    if "top1_agreement" in facts:
        checked += f", the most probable token agrees in {facts['top1_agreement']:.1%}"
    print(f"{args.destination} is ready: {readable_size(facts['bytes'])}. Compared with PyTorch: {checked}.")
    if "cosine" not in facts:
        print(f"  codefuse-hf generate {args.destination} --prompt 'def add('")
