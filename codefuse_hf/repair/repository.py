"""The files of a repository, read as text from its folder or from a revision; and a patch written into its folder.

A repository is somebody else's. Nothing in it is run: git only hands out objects, and what git would do to a file on its way
(filters, hooks) does not happen. Links are neither read nor written through.
"""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codefuse_hf.files import replacing
from codefuse_hf.graph.build.sources import SourceReader, git_command, list_sources

from .edits import MAX_FILE_CHARACTERS, EditError

if TYPE_CHECKING:
    from codefuse_hf.graph import CodeGraph

    from .locate import Locator


class Repository:
    """The files of a folder, or of a revision of the local git repository in it.

    Args:
        path: the folder.
        revision: a commit, tag or branch; None: the files as they lie there.
        workers: processes that read files for the graph.
        progress: show progress bars.

    Raises:
        OSError: there is no such folder, or git is not installed.
        ValueError: the revision is not known.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        revision: str | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> None:
        self.path, self.revision = Path(path), revision
        self._graph_options: dict[str, Any] = {"workers": workers, "progress": progress}
        if not self.path.is_dir():
            raise NotADirectoryError(f"{os.fspath(path)} is no folder")
        self._tree = list_sources(path, revision=revision)
        self._paths = frozenset(self._tree.paths)
        self._reader = SourceReader(self._tree.root, self._tree.blobs)

    def close(self) -> None:
        """End the git process that hands out files, if there is one."""
        self._reader.close()

    def __enter__(self) -> "Repository":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def graph(self) -> "CodeGraph":
        """The code graph of the files."""
        from codefuse_hf.graph import build_code_graph

        return build_code_graph(self.path, revision=self.revision, text_files=False, **self._graph_options)

    def locator(self, cache: str | os.PathLike | None = None) -> "Locator":
        """Make what ranks the places of this repository; `cache`: see `Locator.for_repository`."""
        from .locate import Locator

        return Locator.for_repository(self.path, revision=self.revision, cache=cache, **self._graph_options)

    def read(self, path: str) -> str | None:
        """Read the text of a file; None if there is none.

        Raises:
            EditError: something is there that cannot be edited: a link, a folder, what git ignores, binary data.
        """
        if path not in self._paths:
            if self._is_taken(path):
                raise EditError(
                    f"{path} is no source file that can be edited (a link, a folder, or a file that git ignores)"
                )
            return None
        data, size = self._reader.read(path, 4 * MAX_FILE_CHARACTERS)
        if data is None:
            raise EditError(f"{path} is too large to be edited ({size:,} bytes)")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise EditError(f"{path} is no UTF-8 text and cannot be edited") from None
        if "\0" in text:
            raise EditError(f"{path} is binary and cannot be edited")
        return text

    def _is_taken(self, path: str) -> bool:
        """Whether a path that is no file of the list is something else, or goes through something that is no folder."""
        if self.revision is not None:
            taken = self._taken_in_revision
            parents = [parent.as_posix() for parent in Path(path).parents]
            return path in taken or any(taken.get(parent, "tree") != "tree" for parent in parents)
        place = os.path.join(os.path.realpath(self._tree.root), path)
        try:
            return os.path.lexists(place) or os.path.realpath(place) != os.path.normpath(place)
        except (OSError, ValueError):
            return True

    @cached_property
    def _taken_in_revision(self) -> dict[str, str]:
        """Path → "blob", "tree" or "commit" of everything in the revision; a link is a blob."""
        listed = _git(self.path, "ls-tree", "-r", "-t", "-z", self.revision)
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        return {os.fsdecode(path): head.split()[1].decode() for head, _, path in entries}

    def changed_files(self) -> list[str] | None:
        """List the tracked files of the folder that differ from the last commit; None if the folder is no git repository.

        Files are compared by their bytes (line ends aside), without git's filters.
        """
        try:
            listed = _git(self.path, "ls-tree", "-r", "-z", "HEAD")
        except ValueError:
            return None
        changed = []
        for entry in filter(None, listed.split(b"\0")):
            head, _, path = entry.partition(b"\t")
            mode, kind, blob = head.split()
            if kind == b"blob" and mode != b"120000":
                place = self.path / os.fsdecode(path)
                data = place.read_bytes() if place.is_file() and not place.is_symlink() else None
                if data is None or blob.decode() not in (_blob(data, blob), _blob(data.replace(b"\r\n", b"\n"), blob)):
                    changed.append(os.fsdecode(path))
        return changed

    def write(self, changed: Mapping[str, str], *, force: bool = False) -> None:
        """Write changed files into the folder, all of them or, if one cannot be, none.

        Args:
            changed: new text by path, as `apply_edits` gives it.
            force: also when the folder is no git repository, or holds changes that are not committed.

        Raises:
            ValueError: a revision was read and not the folder; or the folder is not clean.
            EditError: a path that leads elsewhere.
        """
        self.check_writable(force=force)
        places = {path: self._place(path) for path in changed}
        for path, text in changed.items():
            place = places[path]
            mode = place.stat().st_mode & 0o777 if place.exists() else None
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as file:
                file.write(text.encode("utf-8", "surrogatepass"))
            if mode is not None:
                place.chmod(mode)

    def check_writable(self, *, force: bool = False) -> None:
        """Raise what `write` would raise of the folder; see there."""
        if self.revision is not None:
            raise ValueError(
                f"the patch is for revision {self.revision}, not for the folder as it is: check that revision out first, or give the patch to `git apply`"
            )
        if force:
            return
        changed = self.changed_files()
        if changed is None:
            raise ValueError(
                f"{self.path} is no git repository with a commit, so that nothing could be taken back: use --force to write"
            )
        if changed:
            some = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")
            raise ValueError(
                f"{self.path} has changes that are not committed ({some}): commit them, or use --force to write"
            )

    def _place(self, path: str) -> Path:
        base = os.path.realpath(self._tree.root)
        place = os.path.normpath(os.path.join(base, path))
        if os.path.realpath(place) != place or not place.startswith(os.path.join(base, "")):
            raise EditError(f"{path} leads out of the repository, or through a link")
        if ".git" in (part.lower() for part in Path(path).parts):
            raise EditError(f"{path} belongs to git itself and is never edited")
        return Path(place)


def _blob(data: bytes, like: bytes) -> str:
    """The object id of a blob, in the hash of the repository."""
    hashing = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return hashing(b"blob %d\0" % len(data) + data).hexdigest()


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(**git_command(root, *arguments), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise OSError("this needs the git command, which was not found on the PATH") from error
    if done.returncode:
        raise ValueError(f"git {arguments[0]} failed in {root}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout
