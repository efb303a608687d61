"""`codefuse-hf fix REPOSITORY --issue FILE`."""

import argparse
import sys
from typing import TYPE_CHECKING

from .locate import issue_text, print_ranking
from .model_arguments import add_model_arguments, model_choices

if TYPE_CHECKING:
    from ..repair.chain import Outcome, Stage
    from ..search import CodeIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("repository", help="a folder, or a local git repository")
    parser.add_argument(
        "--issue", required=True, help="file with the issue, its title on the first line; - for standard input"
    )
    parser.add_argument("--revision", help="a commit, tag or branch to look at (default: the folder as it is)")
    parser.add_argument(
        "--write", action="store_true", help="write the change into the folder, if nothing in it is uncommitted"
    )
    parser.add_argument("--force", action="store_true", help="with --write: whether or not the folder is clean")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the result of each stage there, as JSON")
    parser.add_argument("--no-index", action="store_true", help="leave the index of `codefuse-hf index` aside")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor keep what was read of the repository")
    parser.add_argument("--json", action="store_true", help="print the results of all stages as JSON, for tools")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print ranked places and the patch; the exit status is 1 where there is no patch (or, without a model, no place)."""
    import tree_sitter  # noqa: F401  without it, code would be ranked by its paths and words alone

    from ..repair import Chain, Repository
    from ..search.places import default_folder

    if args.write and args.revision is not None:
        raise ValueError("--write changes the folder as it is: it goes without --revision")
    if args.write and args.no_llm:
        raise ValueError("--no-llm makes no patch: there is nothing to --write")
    model, reader = (choice and choice.load() for choice in model_choices(args))
    issue = issue_text(args.issue)
    cache = None if args.no_cache else default_folder(args.repository).with_suffix(".places")
    with Repository(args.repository, revision=args.revision, progress=sys.stderr.isatty()) as repository:
        if args.write:
            repository.check_writable(force=args.force)
        chain = Chain(
            repository,
            model=model,
            reader=reader,
            index=None if args.no_llm or args.no_index else _index_of(args.repository),
            attempts=args.attempts,
            keep=args.keep,
            cache=cache,
            report=_report,
        )
        outcome = chain.run(issue)
        if args.write and outcome.patch:
            repository.write(outcome.repair.texts, force=args.force)
            print(f"changed {', '.join(outcome.repair.texts)}", file=sys.stderr)
    return _show(outcome, args.json)


def _index_of(repository: str) -> "CodeIndex | None":
    """The index that `codefuse-hf index` keeps of the repository in the user's cache; None if there is none, or if it cannot be loaded, which is said."""
    from ..search.places import default_folder

    folder = default_folder(repository)
    if not folder.is_dir():
        return None
    try:
        from ..search import CodeIndex

        return CodeIndex.load(folder)
    except (OSError, ValueError, ImportError) as error:
        print(f"goes on without the index in {folder}, which cannot be loaded: {error}", file=sys.stderr)
        return None


def _report(stage: "Stage") -> None:
    print(stage, file=sys.stderr)


def _show(outcome: "Outcome", as_json: bool) -> int:
    if as_json:
        print(outcome.to_json())
    else:
        shown = type(outcome.ranking)(outcome.ranking.files[:10], outcome.ranking.units[:10])
        print_ranking(shown)
        if outcome.patch:
            print(f"\n{outcome.patch}", end="")
    if outcome.repair is None:
        return 0 if outcome.ranking.files else 1
    if outcome.repair.error:
        print(f"no patch after {len(outcome.repair.attempts)} answers: {outcome.repair.error}", file=sys.stderr)
    return 0 if outcome.patch else 1
