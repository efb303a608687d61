"""What a language front end is: per-file extraction and cross-file resolution, both over plain data.

A language is added by adding a module to this folder that sets `FRONT_END` to an instance of a `LanguageFrontEnd` subclass; nothing else has to
know of it. `extract` runs in worker processes, once per file; what it returns must therefore be picklable plain data (str, int, tuple, list, dict,
bytes, array.array), so that it can also be kept in the build cache. `resolve` runs once per build, in the parent process, over all files of the language.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from codefuse_hf.graph.languages.source_text import SourceText

TEXT = "text"
"""The language of files that are text and nothing else."""


DEFAULT_MEMORY = 160 << 20
"""Bytes of memory for what resolving finds out on its way; what needs more is put away on disk meanwhile."""


class Ref(NamedTuple):
    """One definition of the project: `definitions[index]` of the file at `path`; index 0 is the File node itself."""

    path: str
    index: int


class Definition(NamedTuple):
    """One node of a file.

    Attributes:
        node_type: the schema's name (`Class`, `Function`, `Method`, `Attribute`, `Field`, `Lambda`, …).
        parent: index of the containing definition in the same file; it is smaller than the own index, and 0 is the File.
        start, end: the node's text as character offsets `[start, end)` into the File's text. `text`, `startLoc`, `endLoc` (1-based, inclusive) and `col`
            (0-based, in characters) are derived from them by the builder.
        fields: the remaining fields of the schema (`name`, `className`, `header`, `comment`, `modifiers`, …). Absent is better than None.
        cut_start: where the parents' `clean_text` starts to leave this node out (e.g. at its first decorator), -1 to keep the node in it.
    """

    node_type: str
    parent: int
    start: int
    end: int
    fields: dict[str, Any]
    cut_start: int = -1


class Problem(NamedTuple):
    """Something wrong with a file that did not stop the build (`kind` as in `Diagnostic.kind`, e.g. `syntax`); `line` is 1-based."""

    kind: str
    message: str
    line: int | None = None


@dataclass(slots=True)
class FileFacts:
    """Everything that is known of one file by looking at this file only.

    Attributes:
        path: `/`-separated path inside the repository.
        language: the front end's name.
        definitions: the nodes inside the file in pre-order; `definitions[0]` stands for the File (parent -1, offsets of the whole text).
        facts: what `resolve` needs, opaque to the builder.
        problems: reported as diagnostics of the file.
        package: the package the file says it belongs to (Java); a folder all of whose files agree is named by it.
    """

    path: str
    language: str
    definitions: list[Definition]
    facts: Any = None
    problems: list[Problem] = field(default_factory=list)
    package: str | None = None


class LanguageFrontEnd(ABC):
    """One language. Stateless: all instances of a class are alike, and one may be used by many processes and threads at once."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    grammar: ClassVar[str]

    @abstractmethod
    def extract(self, path: str, source: SourceText) -> FileFacts:
        """Reads one file; never raises for bad source (broken parts are skipped and reported in `problems`)."""

    def shrink(self, facts: Any) -> Any:
        """`FileFacts.facts` in a form that takes less memory, if there is one; called once per file, before `resolve`."""
        return facts

    @abstractmethod
    def resolve(self, project: Mapping[str, FileFacts]) -> Iterable[tuple[str, Ref, Ref]]:
        """Yields every edge but `contains` as `(edge type, source, target)`; `project` maps each path of this language to its facts, sorted by path.
        Their `definitions` are not kept: whatever resolution needs of them must be in `facts`.

        The edges may come in any order and repeat; the builder sorts them and drops duplicates.
        """

    def resolution(
        self, project: Mapping[str, FileFacts], keep: bool, progress: bool = False, memory: int = DEFAULT_MEMORY
    ) -> Resolution | None:
        """The same edges as something that can be updated (if `keep`); None where every change has the whole language resolved anew.

        `memory`: about how many bytes of intermediate results may be in memory at a time; it changes nothing but the time.
        """
        return None


class Resolution(ABC):
    """A resolved language that takes in changes."""

    @abstractmethod
    def update(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> None:
        """Resolves again what the changes affect.

        Args:
            project: all files of the language now, sorted by path.
            changed: paths of the files whose facts are others than before; new and removed files need not be among them.
        """

    @abstractmethod
    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Every edge but `contains`: the files' paths; edge codes, uint8 [n]; int32 [n, 4] of file, definition, file, definition, where a file is a
        place among the paths. In any order, and repeatedly, as in `LanguageFrontEnd.resolve`."""


class Project(dict[str, FileFacts]):
    """The files of one language by path, in order; `root_name` is the name of the folder that holds them (`import <root_name>` may mean it)."""

    def __init__(self, files: Mapping[str, FileFacts] = (), root_name: str = ""):
        super().__init__(files)
        self.root_name = root_name
