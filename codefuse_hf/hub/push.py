"""Pushes a self-contained folder, with its model card, to the Hub."""

import re
import sys
import tempfile
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import RevisionNotFoundError

from .errors import check_reachable, explained, needed_token
from .folder_check import check_folder, needed_files
from .model_card import is_filled_card, write_model_card
from .push_plan import plan_push


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
    trust_remote_code: bool = False,
    replace_card: bool = False,
) -> CommitInfo:
    """Check a folder, fill its model card, and upload it in one commit; the repository is made if need be.

    In an existing repository, weights and tokenizer files that would be read instead of the new ones are deleted, and a card that
    this project did not write stays. A training run's files, pickles and links out of the folder are not uploaded. All such
    files are named on standard error.

    Args:
        folder: what `save_pretrained`, `codefuse-hf convert` or `codefuse-hf export` wrote.
        repo_id: "user/name", or "name" in the account of the token.
        private: whether a new repository is private; None: as the account has it. An existing one is left as it is.
        revision: the branch to push to, made from main if it does not exist; main by default.
        create_pr: propose the files as a pull request instead.
        commit_message: of the commit.
        token: of the Hub; by default that of `hf auth login` or HF_TOKEN.
        try_loading: also load the folder, without its weights, in a process of its own (some seconds).
        trust_remote_code: for that, run code in the folder that is not this project's own; without it such a folder is not
            loaded, or with the installed classes.
        replace_card: overwrite a card in the repository that somebody wrote.

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
    check_folder(folder, try_loading=try_loading, trust_remote_code=trust_remote_code)
    needed = needed_files(folder)
    plan_push(folder, {}, replace_card=False, needed=needed)  # what cannot be pushed is found before anything is made
    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(f"cannot push to {repo_id}: HF_HUB_OFFLINE is set; unset it to use the network")
    api = HfApi(token=needed_token(token, "push to", repo_id))
    check_reachable("push to", repo_id)
    with explained("push to", repo_id):
        repo_id = _existing_repo(api, repo_id, private, create_pr)
        if revision is not None and not create_pr:
            _make_branch(api, repo_id, revision)
        write_model_card(folder, repo_id=repo_id)
        head, present = _present_files(api, repo_id, revision)
        plan = plan_push(folder, present, replace_card=replace_card, needed=needed)
        for note in plan.notes():
            print(f"note: {note}", file=sys.stderr)
        operations = [CommitOperationAdd(path, str(file)) for path, file in plan.files.items()]
        return api.create_commit(
            repo_id=repo_id,
            operations=operations + [CommitOperationDelete(path) for path in plan.deleted],
            revision=revision,
            create_pr=create_pr,
            commit_message=commit_message or "Upload with codefuse-hf",
            parent_commit=head,
        )


def _existing_repo(api: HfApi, repo_id: str, private: bool | None, create_pr: bool) -> str:
    """Make the repository unless it is there; returns its full id."""
    if "/" not in repo_id:
        repo_id = f"{api.whoami()['name']}/{repo_id}"
    if create_pr and api.repo_exists(repo_id):
        return repo_id  # one may propose changes to repositories that one may not create
    return api.create_repo(repo_id, private=private, exist_ok=True).repo_id


def _present_files(api: HfApi, repo_id: str, revision: str | None) -> tuple[str, dict[str, bool | None]]:
    """The commit to build on, and its files; of the card, whether it was filled here."""
    info = api.model_info(repo_id, revision=revision)
    present: dict[str, bool | None] = {sibling.rfilename: None for sibling in info.siblings or []}
    if "README.md" in present:
        with tempfile.TemporaryDirectory() as folder:
            card = Path(api.hf_hub_download(repo_id, "README.md", revision=info.sha, local_dir=folder))
            present["README.md"] = is_filled_card(card.read_text(encoding="utf-8", errors="replace"))
    return info.sha, present


def _make_branch(api: HfApi, repo_id: str, revision: str) -> None:
    if revision.startswith("refs/pr/"):
        return
    try:
        api.model_info(repo_id, revision=revision)
    except RevisionNotFoundError:
        api.create_branch(repo_id, branch=revision, exist_ok=True)
