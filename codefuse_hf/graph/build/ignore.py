"""Which files git leaves out of a folder: what its `.gitignore` files and `.git/info/exclude` name, unless it is tracked all the same.

The user's own excludes (`core.excludesFile`) are not looked at: the same repository gives the same graph for everyone.
"""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass, replace

from codefuse_hf.graph.build.wildmatch import Pattern, parse_pattern

# The configuration in a repository's .git may name programs: for missing objects (transports), and for changed files.
_GIT_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_GIT_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_OTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")

_MAX_IGNORE_FILE = 1 << 20


def git_command(root: str | os.PathLike, *arguments: str) -> dict:
    """Makes the arguments of `subprocess` for a git command that only reads the repository at `root` and runs nothing of it."""
    environment = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    command = ["git", *_GIT_OPTIONS, "-C", os.fspath(root), *arguments]
    return {"args": command, "env": {**environment, **_GIT_ENVIRONMENT}}


@dataclass(frozen=True, slots=True)
class _Scope:
    """The rules inside one folder.

    Attributes:
        repository: the one it belongs to, None outside of any.
        patterns: lists of patterns with the folders they count from, outermost first.
        closed: whether the folder is ignored; it is looked into for what is tracked only.
    """

    repository: str | None
    patterns: tuple[tuple[str, list[Pattern]], ...] = ()
    closed: bool = False


class IgnoreRules:
    """Tells which paths below a folder are ignored.

    The folder may be a repository, a part of one (then the rules above it count too), or none (then its `.gitignore` files do). A repository inside
    has its own rules. A folder that is ignored itself, as a whole, was meant when it was named: rules from above it do not count then.

    Args:
        root: the folder, as an absolute path.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._scopes: dict[str, _Scope] = {}
        self._tracked: dict[str, frozenset[str]] = {}
        top = root
        while not os.path.lexists(os.path.join(top, ".git")):
            top, below = os.path.dirname(top), top
            if top == below:
                self._scopes[root] = self._inside(root, _Scope(None))
                return
        parts = os.path.relpath(root, top).split(os.sep) if top != root else []
        self._scopes[top] = self._inside(top, _Scope(None))
        folders = [os.path.join(top, *parts[:depth]) for depth in range(1, len(parts) + 1)]
        if any(self._matches(folder, True) for folder in folders):
            self._scopes = {root: self._inside(root, _Scope(None))}

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Tells whether the absolute `path` below the root is ignored, given that the folders above it are not."""
        return self._matches(path, is_folder) and path not in self._tracked_below(self._scope(os.path.dirname(path)))

    def ignores_above(self, path: str, is_folder: bool) -> bool:
        """Tells whether the absolute `path` below the root, or any folder that holds it, is ignored."""
        parts = os.path.relpath(path, self._root).split(os.sep)
        above = (os.path.join(self._root, *parts[:depth]) for depth in range(1, len(parts)))
        return any(self.ignores(folder, True) for folder in above) or self.ignores(path, is_folder)

    def _matches(self, path: str, is_folder: bool) -> bool:
        """Whether the patterns ignore a path; of all that fit, the last one in the innermost list decides."""
        name, scope = os.path.basename(path), self._scope(os.path.dirname(path))
        if scope.closed:
            return True
        for folder, patterns in reversed(scope.patterns):
            whole = path[len(folder) :].lstrip(os.sep).replace(os.sep, "/")
            for pattern in reversed(patterns):
                if (is_folder or not pattern.folders_only) and pattern.regex.match(whole if pattern.whole else name):
                    return pattern.ignores
        return False

    def _scope(self, folder: str) -> _Scope:
        scope = self._scopes.get(folder)
        if scope is None:
            closed = self._matches(folder, True)
            scope = self._scopes[folder] = self._inside(folder, self._scope(os.path.dirname(folder)), closed)
        return scope

    def _inside(self, folder: str, above: _Scope, closed: bool = False) -> _Scope:
        """The rules in a folder, given those of the folder above."""
        if os.path.lexists(os.path.join(folder, ".git")):
            above = _Scope(folder, _patterns(folder, _exclude_file(folder)))
        own = _patterns(folder, os.path.join(folder, ".gitignore"))
        return replace(above, patterns=above.patterns + own, closed=closed)

    def _tracked_below(self, scope: _Scope) -> frozenset[str]:
        """The absolute paths of all files that git tracks in a repository, and of all folders that hold some."""
        if scope.repository is None:
            return frozenset()
        place = max(scope.repository, self._root, key=len)
        if place not in self._tracked:
            found: set[str] = set()
            for name in _git_output(place, "ls-files", "-z").split("\0"):
                path = os.path.join(place, name.replace("/", os.sep)) if name else place
                while path != place and path not in found:
                    found.add(path)
                    path = os.path.dirname(path)
            self._tracked[place] = frozenset(found)
        return self._tracked[place]


def _git_output(root: str, *arguments: str) -> str:
    """What a git command prints; nothing where git is missing or refuses."""
    try:
        done = subprocess.run(**git_command(root, *arguments), capture_output=True, check=False)
    except OSError:
        return ""
    return os.fsdecode(done.stdout) if done.returncode == 0 else ""


def _exclude_file(repository: str) -> str | None:
    git = os.path.join(repository, ".git")
    if os.path.isdir(git):
        return os.path.join(git, "info", "exclude")
    # a second work tree or a submodule: git knows where its folder is
    path = _git_output(repository, "rev-parse", "--git-path", "info/exclude").rstrip("\n")
    return os.path.join(repository, path) if path else None


def _patterns(folder: str, file: str | None) -> tuple[tuple[str, list[Pattern]], ...]:
    """The patterns in a file, which count from `folder`; none where there is no file, or a link (git follows none either)."""
    try:
        if file is None or not stat.S_ISREG(os.lstat(file).st_mode):
            return ()
        with open(file, "rb") as opened:
            data = opened.read(_MAX_IGNORE_FILE)
    except OSError:
        return ()
    lines = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")
    patterns = [pattern for line in lines if (pattern := parse_pattern(line.removesuffix("\r"))) is not None]
    return ((folder, patterns),) if patterns else ()
