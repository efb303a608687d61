"""Where indexes are kept, and whose they are.

What an index says is data. One that lies inside a repository came with it from somebody else, perhaps; so indexes are kept in
the user's own cache, and only there is a model loaded because an index names it.
"""

import hashlib
import os
from pathlib import Path

from huggingface_hub import constants

CARRIED_FOLDER = ".codefuse-index"
"""Where a repository may carry an index; it is read only when it is named."""


def cache_folder() -> Path:
    """Return the folder of the user's indexes, inside `HF_HOME`."""
    return Path(constants.HF_HOME) / "codefuse-hf" / "indexes"


def default_folder(root: str | os.PathLike) -> Path:
    """Return where the index of the repository `root` is kept: one place for each absolute path."""
    root = Path(root).resolve()
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return cache_folder() / f"{root.name[:80]}-{digest}"


def is_own(folder: str | os.PathLike) -> bool:
    """Tell whether an index lies in the user's own cache, so that nobody else has written it."""
    return Path(folder).resolve().is_relative_to(cache_folder().resolve())


def find_index(path: str | os.PathLike) -> tuple[Path, Path] | None:
    """Find the user's index of `path` or of the nearest folder above it: the index and that folder; None if there is no such
    index."""
    path = Path(path).resolve()
    for root in (path, *path.parents):
        if (default_folder(root) / "manifest.json").is_file():
            return default_folder(root), root
    return None
