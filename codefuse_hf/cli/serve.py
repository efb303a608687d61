"""`codefuse-hf serve MODEL`."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", help="folder or repository of a causal language model")
    parser.add_argument("--host", default="localhost", help="address to listen on (localhost)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")
    parser.add_argument(
        "--states", type=int, default=16, help="states of conversations to keep; 0 reads every prompt whole (16)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, …")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, …")
    parser.add_argument("--enable-cors", action="store_true", help="let web pages of any origin use the server")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the code that a folder of another architecture carries"
    )


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    from ..serving import Server

    options = {name: getattr(args, name) for name in ("device", "dtype", "enable_cors", "trust_remote_code")}
    server = Server(args.model, host=args.host, port=args.port, states=args.states, **options)
    print(f"serving {args.model} at http://{args.host}:{args.port}/v1 (Ctrl-C ends it)", flush=True)
    server.run()
