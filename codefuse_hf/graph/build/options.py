"""What a build of a code graph can be told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from codefuse_hf.graph.build.sources import DEFAULT_MAX_FILE_SIZE, DEFAULT_MAX_FILES, DEFAULT_MAX_TEXTFILE_SIZE
from codefuse_hf.graph.languages import select_languages
from codefuse_hf.graph.languages.base import DEFAULT_MEMORY


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Says what is read and how. ValueError for a size that is not positive and for a language that there is not.

    Attributes:
        revision: a commit, tag or branch of the git repository at the path; its work tree is neither read nor touched.
        files: only these files of the folder.
        ignored: whether files are read that git ignores; those of `files` are in any case.
        languages: by name, as in `Language`; None for all. Files of other languages become Textfile nodes.
        workers: processes that parse; None for one per processor, 0 or 1 for none beside this one.
        text_files: whether files that are text but no source become Textfile nodes.
        max_file_size, max_textfile_size: larger files are left out, in bytes.
        max_files: files beyond this number are left out, in order of their paths.
        memory: about how many bytes of intermediate results are in memory at a time while names and calls are resolved; the others wait in a
            temporary file. More is faster for large repositories and changes nothing else.
        progress: whether to show progress bars.
        name: the repository's name; by default that of its folder.
    """

    revision: str | None = None
    files: Iterable[str | os.PathLike] | None = None
    ignored: bool = False
    languages: Iterable[str] | None = None
    workers: int | None = None
    text_files: bool = True
    max_file_size: int = DEFAULT_MAX_FILE_SIZE
    max_textfile_size: int = DEFAULT_MAX_TEXTFILE_SIZE
    max_files: int = DEFAULT_MAX_FILES
    memory: int = DEFAULT_MEMORY
    progress: bool = True
    name: str | None = None

    def __post_init__(self) -> None:
        for what in ("max_file_size", "max_textfile_size", "max_files", "memory"):
            if getattr(self, what) <= 0:
                raise ValueError(f"{what} is {getattr(self, what)!r}; expected a positive number")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers is {self.workers}; expected None, 0 or a positive number")
        # Both may be iterators, and are gone through again and again.
        object.__setattr__(self, "languages", tuple(select_languages(self.languages)))
        object.__setattr__(self, "files", None if self.files is None else tuple(self.files))

    def decisive(self) -> dict[str, object]:
        """Lists the options that decide what a graph of the same files holds."""
        return {
            "languages": list(self.languages),
            "max_file_size": self.max_file_size,
            "max_textfile_size": self.max_textfile_size,
            "text_files": self.text_files,
        }
