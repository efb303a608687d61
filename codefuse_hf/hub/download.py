"""A published repository as a local folder."""

import re
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download

from .errors import check_reachable, explained
from .exported_folder import MANIFEST

_DATA = [
    "*.json",
    "*.safetensors",
    "*.bin",
    "*.pth",
    "*.txt",
    "*.model",
    "*.jinja",
    "*.md",
    "LICENSE*",
    "LICENCE*",
    "NOTICE*",
]
# Exported graphs and their weights, of a repository that has a manifest of them.
_GRAPHS = ["*.onnx", "*.onnx.data", "*.xml", "*.pte", "*.pt2"]


def fetch_repository(source: str, revision: str | None = None) -> Path:
    """Find the folder `source`, or download the repo id `source` (data only, never its code; with progress bars).

    Raises:
        ValueError: a revision of a local folder.
        OSError: neither a folder nor a repo id; no such repository or revision; no permission; no network.
    """
    if Path(source).is_dir():
        if revision is not None:
            raise ValueError(f"{source} is a folder, which has no revisions: leave out --revision")
        return Path(source)
    if not re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", source):
        raise FileNotFoundError(
            f"{source} is neither a folder nor a repo id such as codefuse-ai/Rodimus-Plus-Coder-1.6B-Base"
        )
    with explained("download", source):
        if constants.HF_HUB_OFFLINE:
            return Path(
                snapshot_download(source, revision=revision, local_files_only=True, allow_patterns=_DATA + _GRAPHS)
            )
        check_reachable("download", source)
        info = HfApi().model_info(source, revision=revision)
        names = [sibling.rfilename for sibling in info.siblings or []]
        at_root = [name for name in names if "/" not in name]
        exported = MANIFEST in at_root
        in_safetensors = any(name.endswith(".safetensors") for name in at_root)
        twice = [name for name in at_root if name.endswith(".bin")] if in_safetensors and not exported else None
        patterns = _DATA + _GRAPHS * exported
        return Path(snapshot_download(source, revision=info.sha, allow_patterns=patterns, ignore_patterns=twice))
