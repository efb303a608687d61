"""Pushes the folder of a Space to the Hub."""

from pathlib import Path

import yaml
from huggingface_hub import CommitInfo, HfApi, metadata_load

from .errors import check_reachable, explained, needed_token


def space_sdk(folder: str | Path) -> str | None:
    """Return the `sdk` in the front matter of a folder's README.md, which makes it the folder of a Space; None if there is none."""
    return _front_matter(Path(folder)).get("sdk")


def _front_matter(folder: Path) -> dict:
    """That of README.md; nothing where there is none, or none that can be read: then it is not that of a Space."""
    readme = folder / "README.md"
    try:
        return metadata_load(readme) or {} if readme.is_file() else {}
    except (ValueError, yaml.YAMLError):
        return {}


def push_space(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
    token: str | None = None,
) -> CommitInfo:
    """Upload the folder of a Space in one commit; the Space is made if need be. Hidden files and caches stay out.

    Args:
        folder: with `README.md`, whose front matter names the `sdk`, and the file that it names as `app_file`.
        repo_id: "user/name", or "name" in the account of the token.
        private, revision, create_pr, commit_message, token: as in `push_folder`.

    Raises:
        ValueError: the folder is none of a Space, or its app is missing.
        OSError: no token or no permission (PermissionError), no network (ConnectionError), another refusal.
    """
    folder, sdk = Path(folder), space_sdk(folder)
    if sdk is None:
        raise ValueError(f"{folder} is not the folder of a Space: its README.md has no front matter with `sdk`")
    app = _front_matter(folder).get("app_file", "app.py")
    if sdk in ("gradio", "streamlit") and not (folder / app).is_file():
        raise ValueError(f"{folder}: README.md names the app {app!r}, which is not there")
    api = HfApi(token=needed_token(token, "push to", repo_id))
    check_reachable("push to", repo_id)
    with explained("push to", repo_id):
        made = api.create_repo(repo_id, repo_type="space", space_sdk=sdk, private=private, exist_ok=True)
        return api.upload_folder(
            repo_id=made.repo_id,
            repo_type="space",
            folder_path=folder,
            revision=revision,
            create_pr=create_pr,
            commit_message=commit_message or "Upload with codefuse-hf",
            ignore_patterns=[".*", "*/.*", "__pycache__/*", "*/__pycache__/*", "*.pyc"],
        )
