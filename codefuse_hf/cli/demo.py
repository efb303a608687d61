"""`codefuse-hf demo`."""

import argparse
from pathlib import Path

QUICKSTART = Path("codefuse-hf-quickstart/model")  # what `codefuse-hf quickstart` leaves


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", help=f"language model to complete code with (default: {QUICKSTART}, if it is there)")
    parser.add_argument("--cgm", help="CGM to ask about a repository")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (7860)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")


def run(args: argparse.Namespace) -> None:
    """Serve the app until interrupted."""
    from ..demo.app import build_app, launch

    model = args.model or (str(QUICKSTART) if QUICKSTART.is_dir() else None)
    app = build_app(model, args.cgm)
    launch(app, server_name=args.host, server_port=args.port, inbrowser=args.open)
