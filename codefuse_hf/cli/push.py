"""`codefuse-hf push FOLDER REPO_ID`: a self-contained folder, with its model card, goes to the Hub."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="what save_pretrained, `codefuse-hf convert` or `export` wrote, or the folder of a Space",
    )
    parser.add_argument("repo_id", metavar="REPO_ID", help="user/name, or name in your own account")
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--revision", help="branch to push to; made if it does not exist (default: main)")
    parser.add_argument("--create-pr", action="store_true", help="propose the files as a pull request")
    parser.add_argument("--message", help="commit message")
    parser.add_argument("--replace-card", action="store_true", help="overwrite a model card that somebody wrote there")
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="try the folder with its own code even where that is not this project's",
    )
    parser.add_argument("--token", help="token to use (default: that of `hf auth login`, or HF_TOKEN)")


def run(args: argparse.Namespace) -> None:
    """Push the folder, and print where its commit is."""
    from ..hub.push import push_folder
    from ..hub.push_space import push_space, space_sdk

    options = {name: getattr(args, name) for name in ("private", "revision", "create_pr", "token")}
    options["commit_message"] = args.message
    if space_sdk(args.folder) is not None:
        commit = push_space(args.folder, args.repo_id, **options)
    else:
        options |= {"trust_remote_code": args.trust_remote_code, "replace_card": args.replace_card}
        commit = push_folder(args.folder, args.repo_id, **options)
    print(f"pushed: {commit.pr_url or commit.commit_url}")
