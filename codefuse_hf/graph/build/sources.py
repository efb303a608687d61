"""Where the files of a graph come from: a folder, a list of files, or a revision of a local git repository.

A folder is listed as git would list it: what is ignored is no source (`ignore.py`), nor is what this package wrote itself. Listing is separate from reading, so that files can be read inside worker processes and a file that vanishes in between costs one diagnostic.

A repository is somebody else's, so nothing in it reaches out of it: a link is followed only to what lies inside and is listed too, and git is
kept from running what the repository's own configuration names.
"""

from __future__ import annotations

import codecs
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codefuse_hf.graph.build.ignore import IgnoreRules, git_command
from codefuse_hf.graph.schema import Diagnostic

IGNORED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".bzr", "CVS", ".tox", ".nox", ".eggs", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache",
        ".pytype", ".hypothesis", ".ipynb_checkpoints", ".idea", ".vs", ".gradle", "node_modules", "bower_components", ".cache", ".terraform",
    }
)  # fmt: skip
"""Folders that hold no source of the project, by name. A virtual environment of any other name is known by its `pyvenv.cfg`."""

DEFAULT_MAX_FILE_SIZE = 16 * 1024 * 1024
DEFAULT_MAX_TEXTFILE_SIZE = 1024 * 1024
DEFAULT_MAX_FILES = 200_000

_BINARY_SUFFIXES = frozenset(
    [
        ".7z",
        ".a",
        ".avi",
        ".bin",
        ".bmp",
        ".bz2",
        ".class",
        ".dll",
        ".dylib",
        ".egg",
        ".eot",
        ".exe",
        ".gif",
        ".gz",
        ".ico",
        ".jar",
        ".jpeg",
        ".jpg",
        ".lib",
        ".mo",
        ".mov",
        ".mp3",
        ".mp4",
        ".npy",
        ".npz",
        ".o",
        ".obj",
        ".onnx",
        ".otf",
        ".parquet",
        ".pdf",
        ".pickle",
        ".pkl",
        ".png",
        ".pt",
        ".pth",
        ".pyc",
        ".pyd",
        ".pyo",
        ".rar",
        ".safetensors",
        ".so",
        ".tar",
        ".tgz",
        ".tif",
        ".tiff",
        ".ttf",
        ".war",
        ".wav",
        ".webm",
        ".webp",
        ".whl",
        ".woff",
        ".woff2",
        ".xls",
        ".xlsx",
        ".xz",
        ".zip",
        ".zst",
    ]
)
_OUTPUT = re.compile(
    rb"""\s*(?:\{"nodes":\s*\[\s*\{"(?:nodeType|nodeId|id)":|<!doctype html>.*<meta name="generator" content="codefuse-hf")""",
    re.DOTALL,
)
"""How a saved graph and a page of one begin."""
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(slots=True)
class SourceTree:
    """The listed files of a repository.

    Attributes:
        root: the folder (or the git repository) they lie in.
        name: the repository's name.
        paths: `/`-separated paths relative to the root, sorted.
        blobs: object id per path for a git revision, None for files on disk.
        diagnostics: what was skipped while listing, and why.
    """

    root: str
    name: str
    paths: list[str]
    blobs: dict[str, str] | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)


def list_sources(
    path: str | os.PathLike | Iterable[str | os.PathLike],
    *,
    revision: str | None = None,
    files: Iterable[str | os.PathLike] | None = None,
    suffixes: frozenset[str] | None = None,
    max_files: int = DEFAULT_MAX_FILES,
    ignored: bool = False,
) -> SourceTree:
    """Lists what a graph is built from, and what a search index is made of: read each file with `SourceReader`.

    Of a folder, what git ignores is left out (`.gitignore` in any folder, `.git/info/exclude`; tracked files stay), whether or not it is a repository's
    root; so are caches (`IGNORED_FOLDERS`), virtual environments, and folders that this package wrote: indexes, kept graphs, tables. Saved graphs and
    pages of graphs are known by their contents when they are read (`decode_text`).

    Args:
        path: a folder, one file, or several files (their deepest common folder is the root).
        revision: a commit, tag or branch of the git repository at `path`; the work tree is not looked at.
        files: only these files of `path` (relative to it, or absolute inside it).
        suffixes: keep only files with these endings; None keeps all.
        max_files: further files are left out, with a diagnostic.
        ignored: list what git ignores too. Named files, and those of a revision, are listed in any case.

    Raises:
        OSError: `path` or one of `files` does not exist.
        ValueError: a file lies outside `path`, or the revision is not known to git.
    """
    if not isinstance(path, str | os.PathLike):
        if revision is not None or files is not None:
            raise ValueError(
                "a list of files as path goes without revision= and files=: give their folder as path instead"
            )
        tree = _list_of_files(list(path))
    elif revision is not None:
        tree = _list_revision(Path(path), revision, files)
    else:
        root = Path(path)
        if not root.exists():
            raise FileNotFoundError(
                f"no such file or folder: {os.fspath(path)!r}; give an existing folder, file or list of files"
            )
        if root.is_file():
            tree = _list_of_files([os.path.realpath(root)])  # the file that was named may be a link to it
        elif files is not None:
            tree = _tree_inside(root, _relative_files(root, files))
        else:
            tree = _list_folder(root, ignored)
    if suffixes is not None:
        tree.paths = [p for p in tree.paths if p.endswith(tuple(suffixes))]
    tree.paths.sort()
    if len(tree.paths) > max_files:
        tree.diagnostics.append(
            Diagnostic(
                "",
                "too-many-files",
                f"{len(tree.paths)} files found, only the first {max_files} by path are used: raise max_files",
            )
        )
        del tree.paths[max_files:]
    return tree


def _tree(root: Path, paths: list[str], diagnostics: list[Diagnostic] | None = None) -> SourceTree:
    resolved = os.path.abspath(root)
    return SourceTree(resolved, os.path.basename(resolved) or "repository", paths, None, diagnostics or [])


def _list_of_files(files: list[str | os.PathLike]) -> SourceTree:
    if not files:
        raise ValueError("an empty list of files has no graph: give a folder or at least one file")
    absolute = [os.path.abspath(f) for f in files]
    for given, file in zip(files, absolute, strict=True):
        if not os.path.isfile(file):
            raise FileNotFoundError(
                f"no such file: {os.fspath(given)!r} (a list of files may hold files only, no folders)"
            )
    root = os.path.commonpath([os.path.dirname(f) for f in absolute])
    # A file inside a package is imported by its dotted name from the folder that holds the outermost package.
    while os.path.isfile(os.path.join(root, "__init__.py")) and os.path.dirname(root) != root:
        root = os.path.dirname(root)
    return _tree_inside(root, {os.path.relpath(f, root).replace(os.sep, "/") for f in absolute})


def _tree_inside(root: str | os.PathLike, paths: Iterable[str]) -> SourceTree:
    """A tree of named files, without those that links lead out of it."""
    base, inside, diagnostics = os.path.realpath(root), [], []
    for path in sorted(paths):
        problem = _leads_out(base, os.path.join(base, path))
        if problem is None:
            inside.append(path)
        else:
            diagnostics.append(Diagnostic(path, "symlink", problem))
    return _tree(Path(root), inside, diagnostics)


def _leads_out(base: str, path: str) -> str | None:
    """Why the file or folder at `path` is not one of the repository `base` (a resolved path), links resolved; None if it is."""
    target = os.path.realpath(path)
    if target == path:
        return None
    if target != base and not target.startswith(os.path.join(base, "")):
        return "the link leads out of the repository; not followed"
    if IGNORED_FOLDERS.intersection(os.path.relpath(target, base).split(os.sep)):
        return "the link leads to a folder that is not part of the source; not followed"
    return None


def _link_problem(base: str, path: str, rules: IgnoreRules | None) -> str | None:
    """Why a link inside the folder `base` is not followed; None if it is."""
    problem, target = _leads_out(base, path), os.path.realpath(path)
    if problem is None and rules is not None and target != base and rules.ignores_above(target, os.path.isdir(target)):
        return "the link leads to what git ignores; not followed"
    return problem


def _relative_files(root: Path, files: Iterable[str | os.PathLike]) -> list[str]:
    base = os.path.abspath(root)
    result = set()
    for file in files:
        absolute = os.path.abspath(os.path.join(base, file))
        relative = os.path.relpath(absolute, base).replace(os.sep, "/")
        if relative.startswith("../"):
            raise ValueError(
                f"{os.fspath(file)!r} lies outside {base!r}: files= takes files of the folder given as path"
            )
        if not os.path.isfile(absolute):
            raise FileNotFoundError(f"no such file: {os.fspath(file)!r} in {base!r}")
        result.add(relative)
    return sorted(result)


_OUTPUTS = (
    {"pyvenv.cfg"},
    {"CACHEDIR.TAG"},
    {"manifest.json", "units.jsonl"},
    {"manifest.json", "graph.json.gz"},
    {"README.md", "nodes.jsonl", "edges.jsonl"},
)
"""Names that only a virtual environment, a cache (as bford.info/cachedir has it), and an index, a kept graph and rows of a graph have together."""


def _list_folder(root: Path, ignored: bool) -> SourceTree:
    """Walks a folder; a folder that a symbolic link reaches again (a loop, or a second way to it) is entered once only, and
    one outside not at all."""
    base = os.path.realpath(root)
    rules = None if ignored else IgnoreRules(base)
    paths: list[str] = []
    diagnostics: list[Diagnostic] = []
    seen: set[tuple[int, int]] = set()
    links: list[tuple[str, str]] = []
    pending = [(os.path.abspath(root), "")]
    while pending or links:
        # Links last: a folder inside the tree keeps its own path, whatever links to it.
        linked = not pending
        folder, relative = links.pop(0) if linked else pending.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                if linked:
                    diagnostics.append(
                        Diagnostic(relative, "symlink", "links to a folder that is already in the graph; not followed")
                    )
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            diagnostics.append(Diagnostic(relative, "unreadable", f"folder skipped: {error.strerror or error}"))
            continue
        names = {entry.name for entry in entries}
        if relative and any(output <= names for output in _OUTPUTS):
            continue
        for entry in entries:
            name = f"{relative}/{entry.name}" if relative else entry.name
            try:
                if rules is not None and rules.ignores(os.path.join(base, name), entry.is_dir(follow_symlinks=False)):
                    continue
                problem = _link_problem(base, entry.path, rules) if entry.is_symlink() else None
                if problem is not None:
                    diagnostics.append(Diagnostic(name, "symlink", problem))
                elif entry.is_dir():
                    if entry.name not in IGNORED_FOLDERS and not entry.name.endswith((".egg-info", ".dist-info")):
                        (links if entry.is_symlink() else pending).append((entry.path, name))
                elif entry.name == ".git":  # that of a second work tree or a submodule is a file
                    continue
                elif entry.is_file():
                    paths.append(name)
                elif entry.is_symlink():
                    diagnostics.append(Diagnostic(name, "symlink", "the link leads nowhere or to itself; skipped"))
            except OSError as error:
                diagnostics.append(
                    Diagnostic(
                        name, "symlink" if entry.is_symlink() else "unreadable", f"skipped: {error.strerror or error}"
                    )
                )
    return _tree(root, paths, diagnostics)


def _git(root: Path, *arguments: str, data: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(**git_command(root, *arguments), input=data, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise OSError("revision= needs the git command, which was not found on the PATH") from error
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise ValueError(f"git {' '.join(arguments[:2])} failed in {os.fspath(root)!r}: {message}")
    return done.stdout


def _list_revision(root: Path, revision: str, files: Iterable[str | os.PathLike] | None) -> SourceTree:
    if not root.is_dir():
        raise FileNotFoundError(
            f"no such folder: {os.fspath(root)!r}; revision= needs the folder of a local git repository"
        )
    if revision.startswith("-"):
        raise ValueError(f"{revision!r} is no revision: expected a commit, a tag or a branch")
    try:
        commit = _git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except ValueError as error:
        raise ValueError(f"{revision!r} is no commit, tag or branch of {os.fspath(root)!r} ({error})") from None
    wanted = None if files is None else {os.fspath(f).replace(os.sep, "/") for f in files}
    blobs: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    # Run in the folder itself: a sub-folder of a repository lists its own part only, with paths relative to it.
    for entry in _git(root, "ls-tree", "-r", "-z", commit).split(b"\0"):
        if not entry:
            continue
        head, _, raw_path = entry.partition(b"\t")
        mode, kind, object_id = head.decode().split()
        path = raw_path.decode("utf-8", "surrogateescape")
        if kind != "blob":  # a submodule
            continue
        if IGNORED_FOLDERS.intersection(path.split("/")[:-1]) or (wanted is not None and path not in wanted):
            continue
        if mode == "120000":
            diagnostics.append(Diagnostic(path, "symlink", "links in a revision are not followed"))
            continue
        blobs[path] = object_id
    if wanted is not None and (missing := sorted(wanted - blobs.keys() - {each.path for each in diagnostics})):
        raise FileNotFoundError(f"not in revision {revision}: {', '.join(missing[:5])}")
    tree = _tree(root, list(blobs), diagnostics)
    tree.blobs = blobs
    return tree


class SourceReader:
    """Reads the bytes of listed files; for a git revision through one `git cat-file --batch` process. Use as a context manager."""

    def __init__(self, root: str, blobs: dict[str, str] | None = None):
        self._root, self._blobs, self._process = root, blobs, None
        self._base = os.path.realpath(root)

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End git's process, if one was started."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def read(self, path: str, limit: int) -> tuple[bytes | None, int]:
        """Reads the file's bytes and size; None instead of bytes when it is larger than `limit`. Raises OSError when it cannot be read."""
        if self._blobs is None:
            place = os.path.join(self._base, path)
            if problem := _leads_out(self._base, place):  # it may have become a link since it was listed
                raise OSError(problem)
            with open(place, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                return (None, size) if size > limit else (file.read(), size)
        if self._process is None:
            self._process = subprocess.Popen(
                **git_command(self._root, "cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self._process.stdin.write(self._blobs[path].encode() + b"\n")
        self._process.stdin.flush()
        header = self._process.stdout.readline().split()
        if len(header) != 3:
            raise OSError(f"git has no object {self._blobs[path]}")
        size = int(header[2])
        data = self._process.stdout.read(size + 1)[:-1]
        return (None, size) if size > limit else (data, size)


def has_binary_suffix(path: str) -> bool:
    """Tells whether a file's ending says that it is no text."""
    return os.path.splitext(path)[1].lower() in _BINARY_SUFFIXES


def decode_text(data: bytes) -> str | None:
    """Decodes the text of a file that is not source code: UTF-8, UTF-16/32 with a byte order mark or Latin-1; None for binary data,
    and for graphs and pages that this package saved, which are no text of the repository."""
    if _OUTPUT.match(data[:1024]):
        return None
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                return None
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        control = sum(byte < 9 or 13 < byte < 32 for byte in data[:8192])
        return None if control > len(data[:8192]) // 100 else data.decode("latin-1")


def decode_source(data: bytes) -> tuple[str, str | None]:
    """Decodes the text of a source file and, where its encoding had to be guessed or broken bytes replaced, what was done about it.

    A byte order mark decides, then a coding cookie in one of the first two lines (PEP 263), then UTF-8 (the default), then UTF-16 without a mark (half of
    the bytes null), then Latin-1, which decodes anything.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), None
            except UnicodeDecodeError as error:
                return data.decode(encoding, "replace"), f"broken {encoding} ({error.reason}): bad bytes replaced"
    for line in _first_lines(data):
        match = _CODING.match(line)
        if match:
            name = match[1].decode("ascii")
            try:
                if codecs.lookup(name)._is_text_encoding:
                    return data.decode(name), None
            except (LookupError, UnicodeError, ValueError) as error:
                return _guess(data, f"cannot be read as declared ({name}: {error})")
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
    return _guess(data, None)


def _first_lines(data: bytes) -> Iterator[bytes]:
    yield from data[:2048].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:2]


def _guess(data: bytes, complaint: str | None) -> tuple[str, str | None]:
    note = "" if complaint is None else f"{complaint}; "
    nulls = data.count(b"\0", 0, 4096)
    if nulls * 3 > min(len(data), 4096) > 1:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        try:
            return data.decode(encoding), f"{note}read as {encoding}"
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8"), complaint and f"{note}read as utf-8"
    except UnicodeDecodeError as error:
        return data.decode("latin-1"), f"{note}not UTF-8 (byte {error.start}), read as latin-1"
