"""Options of the commands that ask a language model."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..repair.model_choice import ModelChoice


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model is asked, and how."""
    parser.add_argument("--model", help="a chat model: its name, or a folder or .gguf file that is run in this process")
    parser.add_argument("--reader", help="a model that reads and writes in its place, such as a folder with a CGM")
    parser.add_argument("--no-llm", action="store_true", help="without any language model: the ranked places alone")
    parser.add_argument("--base-url", help="a server with OpenAI's chat protocol, e.g. http://localhost:8000/v1")
    parser.add_argument("--provider", help="a provider of the Hub (default: the Hub's choice)")
    parser.add_argument("--api-key-env", metavar="NAME", help="the environment variable that holds the server's key")
    parser.add_argument("--local", action="store_true", help="run a --model of the Hub in this process")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float16", "float32"), help="numbers of a model in this process"
    )
    parser.add_argument(
        "--context", type=int, help="tokens of a prompt and its answer (default: 32768, or the model's)"
    )
    parser.add_argument("--answer-tokens", type=int, help="tokens of each answer at most")
    parser.add_argument("--timeout", type=float, default=300, help="seconds to wait for one answer (300)")
    parser.add_argument("--attempts", type=int, default=3, help="answers that are asked for until one can be used (3)")
    parser.add_argument("--requests-per-minute", type=float, help="ask no more often than this (each process)")
    parser.add_argument("--token-budget", type=int, help="stop asking after this many tokens (each process)")
    parser.add_argument("--no-answer-cache", action="store_true", help="neither read nor keep answers")


def model_choices(args: argparse.Namespace) -> "tuple[ModelChoice | None, ModelChoice | None]":
    """Return the model and the reader that the options name.

    Raises:
        ValueError: options that are missing or do not go together.
    """
    from ..repair.model_choice import ModelChoice
    from ..search.places import cache_folder

    if args.no_llm:
        if args.model or args.reader:
            raise ValueError("--no-llm goes without --model and --reader")
        return None, None
    if not args.model and not args.reader:
        raise ValueError(
            "name a language model with --model (and --base-url), or ask for the ranked places alone with --no-llm"
        )
    for name in ("context", "answer_tokens", "timeout", "attempts", "token_budget"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ValueError(f"--{name.replace('_', '-')} must be more than 0, found {value}")
    key = None
    if args.api_key_env is not None and not (key := os.environ.get(args.api_key_env)):
        raise ValueError(f"--api-key-env: there is no environment variable {args.api_key_env}, or it is empty")
    common = ModelChoice(
        "",
        local=args.local,
        cache=None if args.no_answer_cache else str(cache_folder().parent / "answers"),
        base_url=args.base_url,
        provider=args.provider,
        api_key=key,
        timeout=args.timeout,
        requests_per_minute=args.requests_per_minute,
        token_budget=args.token_budget,
        context_tokens=args.context,
        answer_tokens=args.answer_tokens,
        dtype=args.dtype,
    )
    model = replace(common, name=args.model) if args.model else None
    reader = None
    if args.reader:  # the model's server is the model's
        apart = {} if args.model is None else {"base_url": None, "provider": None, "api_key": None, "local": True}
        reader = replace(common, name=args.reader, **apart)
    return model, reader
