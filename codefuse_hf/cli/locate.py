"""`codefuse-hf locate REPOSITORY --issue FILE`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..repair import Ranking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("repository", help="a folder, or a local git repository")
    parser.add_argument(
        "--issue", required=True, help="file with the issue, its title on the first line; - for standard input"
    )
    parser.add_argument("--revision", help="a commit, tag or branch to look at (default: the folder as it is)")
    parser.add_argument("--files", type=int, default=10, help="how many files (10)")
    parser.add_argument("--functions", type=int, default=10, help="how many functions and classes (10)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor keep what was read of the repository")
    parser.add_argument("--json", action="store_true", help="print the ranking as JSON, for tools")


def run(args: argparse.Namespace) -> int:
    """Print the ranked places; the exit status is 1 where there are none."""
    import tree_sitter  # noqa: F401  without it, code would be ranked by its paths and words alone

    from ..repair import Locator, read_issue
    from ..search.places import default_folder

    for name in ("files", "functions"):
        if getattr(args, name) < 0:
            raise ValueError(f"--{name} must be 0 or more, found {getattr(args, name)}")
    issue = read_issue(issue_text(args.issue))
    cache = None if args.no_cache else default_folder(args.repository).with_suffix(".places")
    locator = Locator.for_repository(args.repository, revision=args.revision, cache=cache, progress=sys.stderr.isatty())
    ranking = locator.locate(issue, files=args.files, units=args.functions)
    if args.json:
        print(ranking.to_json())
        return 0
    print_ranking(ranking)
    return 0 if ranking.files else 1


def issue_text(place: str) -> str:
    """Return the text of a file, or of standard input for "-"."""
    return sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8", errors="replace")


def print_ranking(ranking: "Ranking") -> None:
    """Print files with their reasons, then functions and classes."""
    for position, file in enumerate(ranking.files, start=1):
        print(f"{position:3}  {file.path}  ({file.score:.2f})")
        for reason in file.reasons[:4]:
            print(f"       {reason}")
    if ranking.units:
        print("\nfunctions and classes")
    for position, unit in enumerate(ranking.units, start=1):
        print(f"{position:3}  {unit.path}:{unit.start_line}  {unit.name}  ({unit.score:.2f})")
