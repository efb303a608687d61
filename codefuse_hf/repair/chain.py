"""The stages one after the other: an issue becomes ranked places, a subgraph, few files, and a patch.

    >>> from codefuse_hf.repair import Chain, InferenceModel, Repository
    >>> with Repository("path/to/repository") as repository:
    ...     outcome = Chain(repository, model=InferenceModel("model", base_url="http://localhost:8000/v1")).run(issue)
    >>> print(outcome.repair.patch)

Each stage can be used by itself; its result is a `Record`, which is kept as JSON.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from .issue import read_issue
from .locate import Locator, Ranking
from .models import NO_USAGE, ChatModel, Usage
from .places import Places
from .reader import Reader, Repair
from .records import Record
from .repository import Repository
from .reranker import ChatReranker, Reranking
from .retriever import Retrieval, Retriever
from .rewriter import Rewriter, Rewriting

if TYPE_CHECKING:
    from codefuse_hf.graph import CodeGraph
    from codefuse_hf.search import CodeIndex

RANKED = 60  # files and units that the ranking holds
READ = 5  # files that are read where nothing reranks
Result = TypeVar("Result", bound=Record)


class FileReranker(Protocol):
    """Chooses few files out of many, see `ChatReranker` and `CrossEncoderReranker`."""

    def rerank(self, issue: str, files: tuple[str, ...], graph: "CodeGraph") -> Reranking:
        """Choose among `files`, which come likeliest first."""
        ...


@dataclass(frozen=True)
class Stage(Record):
    """What one stage took: seconds in all, and what its answers cost."""

    name: str
    seconds: float
    usage: Usage = NO_USAGE

    def __str__(self) -> str:
        asked = self.usage.calls or self.usage.cached
        return f"{self.name:10} {self.seconds:7.1f} s" + (f"  {self.usage}" if asked else "")


@dataclass(frozen=True)
class Outcome(Record):
    """The results of all stages; None for one that was left out."""

    ranking: Ranking
    rewriting: Rewriting | None = None
    retrieval: Retrieval | None = None
    reranking: Reranking | None = None
    repair: Repair | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def patch(self) -> str:
        """The patch; "" if there is none."""
        return self.repair.patch if self.repair is not None else ""


class Chain:
    """From an issue to a patch, for one repository.

    Args:
        repository: what is read.
        model: a chat model that rewrites, reranks and, unless there is a `reader`, reads. Without either, only the ranking is made.
        reader: the model that reads files and writes the change, such as a CGM.
        reranker: what reranks in place of `model`, such as a `CrossEncoderReranker`.
        index: the repository's index, if there is one.
        attempts: see `Reader`.
        keep: a folder in which each stage's result is kept as soon as it is there.
        cache: a folder for what is read of the repository, see `Locator.for_repository`.
        report: called with each stage that has ended.
    """

    def __init__(
        self, repository: Repository, *, model: ChatModel | None = None, reader: ChatModel | None = None,
        reranker: FileReranker | None = None, index: "CodeIndex | None" = None, attempts: int = 3,
        keep: str | os.PathLike | None = None, cache: str | os.PathLike | None = None,
        report: Callable[[Stage], None] = lambda stage: None,
    ) -> None:  # fmt: skip
        self.repository, self.model, self.reranker, self.index = repository, model, reranker, index
        self.reader = Reader(reader or model, attempts=attempts) if reader or model else None
        if reranker is None and model is not None:
            self.reranker = ChatReranker(model)
        self._keep, self._cache, self._report = keep, cache, report
        self._stages: list[Stage] = []

    def run(self, issue: str) -> Outcome:
        """Settle one issue.

        Raises:
            ValueError: the issue is empty, or the repository holds no source file.
            ModelError: a model gives no answer. Answers that cannot be used are no error: `Outcome.repair` tells.
        """
        self._stages = []
        parsed = read_issue(issue)
        ranking = self._stage("ranking", lambda: self._locator().locate(parsed, files=RANKED, units=RANKED))
        if self.reader is None:
            return Outcome(ranking, stages=tuple(self._stages))
        graph = self.repository.graph
        rewriting = reranking = None
        if self.model is not None:
            rewriting = self._stage("rewriter", lambda: Rewriter(self.model).rewrite(issue))
        retriever = Retriever(graph, index=self.index)
        retrieval = self._stage("retriever", lambda: retriever.retrieve(ranking, rewriting))
        files = retrieval.files[:READ]
        if self.reranker is not None:
            reranking = self._stage("reranker", lambda: self.reranker.rerank(issue, retrieval.files, graph))
            files = reranking.paths
        repair = self._stage("reader", lambda: self._read(issue, files, ranking, retrieval))
        return Outcome(ranking, rewriting, retrieval, reranking, repair, tuple(self._stages))

    def _locator(self) -> Locator:
        if self.reader is not None:  # the graph is needed in any case
            return Locator(Places.from_graph(self.repository.graph))
        return self.repository.locator(self._cache)

    def _read(self, issue: str, files: tuple[str, ...], ranking: Ranking, retrieval: Retrieval) -> Repair:
        graph, anchors = None, []
        if self.reader.model.reads_graphs:
            graph, anchors = retrieval.subgraph(self.repository.graph), retrieval.anchor_ids
        return self.reader.read(issue, self.repository, files, units=ranking.units, graph=graph, anchors=anchors)

    def _stage(self, name: str, work: Callable[[], Result]) -> Result:
        start = time.monotonic()
        result = work()
        stage = Stage(name, time.monotonic() - start, getattr(result, "usage", NO_USAGE))
        self._stages.append(stage)
        if self._keep is not None:
            result.save(Path(self._keep) / f"{len(self._stages)}-{name}.json")
        self._report(stage)
        return result
