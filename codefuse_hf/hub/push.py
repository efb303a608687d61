"""`codefuse-hf push FOLDER REPO_ID`: a self-contained folder, with its model card, goes to the Hub."""

import argparse
import re
from pathlib import Path

from huggingface_hub import CommitInfo, HfApi, constants, get_token
from huggingface_hub.errors import RevisionNotFoundError

from .errors import check_reachable, explained
from .folder_check import check_folder
from .model_card import write_model_card

# Never uploaded: a training run's own files, and what editors and systems leave behind.
IGNORED = [
    ".git*",
    "**/__pycache__/**",
    "__pycache__/**",
    "*.pyc",
    ".DS_Store",
    ".env",
    "checkpoint-*/**",
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state*.pth",
    "runs/**",
    "wandb/**",
]


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
    token: str | None = None,
    try_loading: bool = True,
) -> CommitInfo:
    """Check a folder, fill its model card, and upload it; the repository is made if need be.

    Args:
        folder: what `save_pretrained` or `codefuse-hf convert` wrote.
        repo_id: "user/name", or "name" in the account of the token.
        private: whether a new repository is private; None: as the account has it. An existing one is left as it is.
        revision: the branch to push to, made from main if it does not exist; main by default.
        create_pr: propose the files as a pull request instead.
        commit_message: of the commit.
        token: of the Hub; by default that of `hf auth login` or HF_TOKEN.
        try_loading: also load the folder, without its weights, in a process of its own (some seconds).

    Returns:
        What the Hub says of the commit: its address, and that of the pull request.

    Raises:
        ValueError: the folder is not self-contained (all that is missing is named), or an impossible repo id.
        OSError: no such folder (FileNotFoundError); no token or no permission (PermissionError); no network
            (ConnectionError); another refusal.
    """
    folder = Path(folder)
    if not re.fullmatch(r"(?:[\w][\w.-]*/)?[\w][\w.-]*", repo_id):
        raise ValueError(f"{repo_id!r} is no repo id; expected user/name or name")
    check_folder(folder, try_loading=try_loading)
    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(f"cannot push to {repo_id}: HF_HUB_OFFLINE is set; unset it to use the network")
    token = token or get_token()
    if token is None:
        raise PermissionError(
            f"cannot push to {repo_id}: no token found; log in with `hf auth login`, or set HF_TOKEN to a token with write access"
        )
    check_reachable("push to", repo_id)
    api = HfApi(token=token)
    with explained("push to", repo_id):
        repo_id = _existing_repo(api, repo_id, private, create_pr)
        if revision is not None and not create_pr:
            _make_branch(api, repo_id, revision)
        write_model_card(folder, repo_id=repo_id)
        return api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            create_pr=create_pr,
            commit_message=commit_message or "Upload with codefuse-hf",
            ignore_patterns=IGNORED,
        )


def _existing_repo(api: HfApi, repo_id: str, private: bool | None, create_pr: bool) -> str:
    """Make the repository unless it is there; returns its full id."""
    if "/" not in repo_id:
        repo_id = f"{api.whoami()['name']}/{repo_id}"
    if create_pr and api.repo_exists(repo_id):
        return repo_id  # one may propose changes to repositories that one may not create
    return api.create_repo(repo_id, private=private, exist_ok=True).repo_id


def _make_branch(api: HfApi, repo_id: str, revision: str) -> None:
    if revision.startswith("refs/pr/"):
        return
    try:
        api.model_info(repo_id, revision=revision)
    except RevisionNotFoundError:
        api.create_branch(repo_id, branch=revision, exist_ok=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="what save_pretrained or `codefuse-hf convert` wrote"
    )
    parser.add_argument("repo_id", metavar="REPO_ID", help="user/name, or name in your own account")
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--revision", help="branch to push to; made if it does not exist (default: main)")
    parser.add_argument("--create-pr", action="store_true", help="propose the files as a pull request")
    parser.add_argument("--message", help="commit message")
    parser.add_argument("--token", help="token to use (default: that of `hf auth login`, or HF_TOKEN)")


def run(args: argparse.Namespace) -> None:
    commit = push_folder(
        args.folder,
        args.repo_id,
        private=args.private,
        revision=args.revision,
        create_pr=args.create_pr,
        commit_message=args.message,
        token=args.token,
    )
    print(f"pushed: {commit.pr_url or commit.commit_url}")
