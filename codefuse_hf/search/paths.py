"""Which files of a repository a person wants: patterns of paths, and what is a test."""

import fnmatch
from collections.abc import Iterable


class PathFilter:
    """Chooses paths by patterns with `*`, `?`, `[…]`: a pattern with a slash is compared with the path and with the folders that
    it lies in, one without with every part of it. `src/net` and `*.py` and `tests` all do what one expects.

    Args:
        include: keep only what one of these matches; none: everything.
        exclude: leave out what one of these matches.
        folder: keep only what lies below this folder ("" for all).
    """

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = (), folder: str = "") -> None:
        self.include, self.exclude = list(map(_tidy, include)), list(map(_tidy, exclude))
        self.folder = f"{folder.strip('/')}/" if folder.strip("/") else ""

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude or self.folder)

    def __call__(self, path: str) -> bool:
        """Whether the file at `path` (with slashes, relative to the repository) is wanted."""
        if not path.startswith(self.folder) or any(_matches(path, each) for each in self.exclude):
            return False
        return not self.include or any(_matches(path, each) for each in self.include)


def _tidy(pattern: str) -> str:
    tidied = pattern.removeprefix("./").rstrip("/")
    if not tidied:
        raise ValueError(f"{pattern!r} is no pattern of paths: expected something like src/net, tests or *.py")
    return tidied


def _matches(path: str, pattern: str) -> bool:
    parts = path.split("/")
    if "/" not in pattern:
        return any(fnmatch.fnmatchcase(part, pattern) for part in parts)
    pattern = pattern.removeprefix("/")
    return any(fnmatch.fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))
