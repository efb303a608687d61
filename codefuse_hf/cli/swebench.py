"""`codefuse-hf swebench DATASET_FILE --repositories FOLDER -o predictions.jsonl`."""

import argparse
import sys
from collections import Counter

from .model_arguments import add_model_arguments, model_choices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("dataset", help="a .json, .jsonl or .parquet file of instances")
    parser.add_argument("--repositories", required=True, help="a folder of git mirrors: owner__name, or owner/name")
    parser.add_argument(
        "-o", "--output", required=True, help="the predictions; what is in it already is not done again"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--instances", nargs="+", metavar="ID", help="only these")
    parser.add_argument("--limit", type=int, help="only the first so many")
    parser.add_argument("--name", help="model_name_or_path of the predictions")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the results of all stages there, one folder an instance")
    parser.add_argument("--cache", metavar="FOLDER", help="keep what is read of the repositories there (--no-llm only)")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write predictions; the exit status is 1 if an instance failed."""
    from tqdm import tqdm

    from ..repair.swebench import Task, predict, read_instances

    for name in ("workers", "limit"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise ValueError(f"--{name} must be 1 or more, found {value}")
    model, reader = model_choices(args)
    instances = _chosen(read_instances(args.dataset), args.instances, args.limit)
    task = Task(args.repositories, model, reader, args.attempts, args.keep, args.cache)
    with tqdm(total=len(instances), desc="Instances", unit="", disable=not sys.stderr.isatty()) as bar:

        def report(details) -> None:
            bar.update()
            reason = f": {details.reason.strip().splitlines()[-1]}" if details.reason.strip() else ""
            bar.write(
                f"{details.instance_id}  {details.status}  {details.seconds:.0f} s  {details.usage}{reason}", sys.stderr
            )

        found = predict(task, instances, args.output, workers=args.workers, name=args.name, report=report)
    counts = Counter(details.status for details in found)
    there = len(instances) - len(found)
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing to do"
    print(f"{args.output}: {said}" + (f"; {there} were there already" if there else ""))
    return 1 if counts["failed"] else 0


def _chosen(instances: list, ids: list[str] | None, limit: int | None) -> list:
    if ids:
        unknown = set(ids) - {instance.instance_id for instance in instances}
        if unknown:
            raise ValueError(f"--instances: there is no {sorted(unknown)[0]} in the data set")
        instances = [instance for instance in instances if instance.instance_id in ids]
    return instances[:limit]
