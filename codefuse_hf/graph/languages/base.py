"""Says what a language is: a description that is quick to load, and a front end that reads files and finds edges.

A language is added by adding a folder here, whose `__init__.py` sets `LANGUAGE` to a `LanguageDescription`. Nothing else has to know of it: file
suffixes, the spelling of fields, sentences for CGM, units of search and dotted names all come from the description, and the front end is made when the
first file of the language is read. Node types, edge types and the columns of fields are those of the published schema (`schema.py`), which CGM's
encoder was trained on; a language uses the ones it has a meaning for.

A front end's `extract` runs in worker processes, once per file; what it returns must therefore be picklable plain data (str, int, tuple, list, dict,
bytes, array.array). `resolve` runs once per build, in the parent process, over all files of the language.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from codefuse_hf.graph.languages.source_text import SourceText
from codefuse_hf.modeling.cgm.sentences_cgm import Fields

TEXT = "text"
"""The language of files that are text and nothing else."""


DEFAULT_MEMORY = 200 << 20
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
        package: the package the file says it belongs to, in languages where it does; a folder all of whose files agree is named by it.
    """

    path: str
    language: str
    definitions: list[Definition]
    facts: Any = None
    problems: list[Problem] = field(default_factory=list)
    package: str | None = None


_NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class LanguageDescription:
    """What the rest of the code graph has to know of a language. Node types and columns are named as in `schema.py`.

    Attributes:
        name: in lower case; the language's name in options and in `Node.language`.
        suffixes: of the files that the front end reads, with the dot.
        front_end: makes the front end; it imports the parser only when it is called.
        grammar: the name of the tree-sitter grammar, None for a front end that needs none.
        spelling: keys in JSON, by node type and column, where they are not those of the schema.
        speaks: whether a JSON record of this node type is in this language's own spelling, for nodes that lie in no file; for languages that have
            published graphs with a spelling of their own.
        sentences: how CGM reads a node, by node type, where it is not as in `modeling/cgm/sentences_cgm.py`.
        unit_kinds: which node types are units of search, and of which kind (`function` or `class`).
        named_by_path: whether dotted names begin with the file's path (`src.core`); otherwise with the package's name.
        keywords: words that a page shows as such.
        comment: what begins a comment to the end of the line, `#` or `//`; strings and block comments are taken to be those of Python or of C.
        metadata: names of files, of whatever folder, that say something about the project; resolution gets their texts.
        resolved_with: the name of the language whose front end finds the edges of this one's files together with its own; "" for none.
        package_files: names, without suffix, of files that stand for their folder in such a path (`__init__`).
    """

    name: str
    suffixes: tuple[str, ...]
    front_end: Callable[[], LanguageFrontEnd]
    grammar: str | None = None
    spelling: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NOTHING)
    speaks: Callable[[str, Mapping[str, Any]], bool] = lambda node_type, record: False
    sentences: Mapping[str, Callable[[Fields], str]] = field(default_factory=lambda: _NOTHING)
    unit_kinds: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"Function": "function", "Method": "function", "Class": "class"})
    )
    named_by_path: bool = True
    package_files: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    comment: str = "//"
    metadata: tuple[str, ...] = ()
    resolved_with: str = ""

    def module_path(self, path: str) -> str:
        """Turns a file's path into a dotted name: `src/core/__init__.py` is `src.core`."""
        suffix = next((each for each in self.suffixes if path.endswith(each)), "")
        parts = [part for part in path.removesuffix(suffix).split("/") if part]
        return ".".join(parts[:-1] if parts and parts[-1] in self.package_files else parts)


class Edges(list[tuple[str, Ref, Ref]]):
    """The edges that `LanguageFrontEnd.resolve` found.

    Attributes:
        problems: what they lack, by path; diagnostics of the files, like `FileFacts.problems`.
    """

    problems: Mapping[str, list[Problem]] = _NOTHING


class LanguageFrontEnd(ABC):
    """Reads the files of one language. Stateless: one may be used by many processes and threads at once."""

    @abstractmethod
    def extract(self, path: str, source: SourceText) -> FileFacts:
        """Reads one file; never raises for bad source (broken parts are skipped and reported in `problems`)."""

    def shrink(self, facts: Any) -> Any:
        """Turns `FileFacts.facts` into a form that takes less memory, if there is one; called once per file, before `resolve`."""
        return facts

    @abstractmethod
    def resolve(self, project: Mapping[str, FileFacts]) -> Iterable[tuple[str, Ref, Ref]]:
        """Yields every edge but `contains` as `(edge type, source, target)`; `project` maps each path of this language to its facts, sorted by path.
        Their `definitions` are not kept: whatever resolution needs of them must be in `facts`.

        The edges may come in any order and repeat; the builder sorts them and drops duplicates. Where edges are left out on purpose, `Edges` says so.
        """

    def resolution(
        self, project: Mapping[str, FileFacts], keep: bool, progress: bool = False, memory: int = DEFAULT_MEMORY
    ) -> Resolution | None:
        """Finds the same edges as numbers, and if `keep` as an `UpdatableResolution`; None where every change has the whole language resolved anew.

        `memory`: about how many bytes of intermediate results may be in memory at a time; it changes nothing but the time.
        """
        return None


class Resolution(ABC):
    """A resolved language."""

    @abstractmethod
    def numbers(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Gives every edge but `contains`: the files' paths; edge codes, uint8 [n]; int32 [n, 4] of file, definition, file, definition, where a file is
        a place among the paths. In any order, and repeatedly, as in `LanguageFrontEnd.resolve`."""

    def problems(self) -> Mapping[str, list[Problem]]:
        """Tells what was not followed, by file."""
        return {}


class UpdatableResolution(Resolution):
    """A resolved language that takes in changes."""

    @abstractmethod
    def update(self, project: Mapping[str, FileFacts], changed: Iterable[str]) -> None:
        """Resolves again what the changes affect.

        Args:
            project: all files of the language now, sorted by path.
            changed: paths of the files whose facts are others than before; new and removed files need not be among them.
        """


class Project(dict[str, FileFacts]):
    """The files of one language by path, in order.

    Attributes:
        root_name: the name of the folder that holds them (`import <root_name>` may mean it).
        metadata: the texts of the files that the language's description names, by path.
    """

    def __init__(
        self, files: Mapping[str, FileFacts] = (), root_name: str = "", metadata: Mapping[str, str] | None = None
    ):
        super().__init__(files)
        self.root_name, self.metadata = root_name, metadata or {}
