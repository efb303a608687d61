"""From many repositories to training records of CGM, with `datatrove`: on one machine, on a Slurm cluster, with Ray.

Each repository is one task. A task that is done leaves datatrove's own marker, so that a run that was interrupted goes
on where it was; a repository that failed is named in `failures/`, and tried again by the next run.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.writers import ParquetWriter

from codefuse_hf.training.cgm_corpus import Corpus, CorpusRecipe, MakeRecords, check_sources, try_records
from codefuse_hf.training.cgm_records import FEATURES


class ReadRepositories(PipelineStep):
    """Makes the records of the repositories of one task: number `rank`, and each `world_size`-th after it."""

    type, name = "📖 - READER", "Repositories"

    def __init__(self, sources: Iterable[str | os.PathLike], make: MakeRecords, failures: str | os.PathLike) -> None:
        """`failures`: a folder for one JSON file for each repository that gave no records."""
        super().__init__()
        self.sources, self.make, self.failures = check_sources(sources), make, os.fspath(failures)

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield one document for each record: its answer as text, the other columns as metadata."""
        for place in range(rank, len(self.sources), world_size):
            source = self.sources[place]
            with self.track_time():
                records, failure = try_records(self.make, source)
            report = Path(self.failures, f"{place:05d}.json")
            report.unlink(missing_ok=True)
            if failure is not None:
                self.stat_update("failed")
                report.write_text(json.dumps({"source": source, "failure": failure, "task": rank}))
            for index, record in enumerate(records):
                document = Document(record["answer"], f"{source}#{index}", metadata={"record": record})
                self.stat_update("records")
                self.update_doc_stats(document)
                yield document


def _columns(writer: ParquetWriter, document: Document) -> dict[str, Any]:
    return document.metadata["record"]


def corpus_pipeline(
    sources: Iterable[str | os.PathLike], destination: str | os.PathLike, make: MakeRecords | None = None
) -> list[PipelineStep]:
    """Return the steps from repositories to Parquet files, for any executor of datatrove (local, Slurm, Ray).

    Run it with as many tasks as there are repositories, so that each is resumed for itself.

    Args:
        sources: repositories, each a folder or the JSON of a graph.
        destination: gets `records/<task>.parquet` and `failures/<repository>.json`.
        make: the records of one repository; `CorpusRecipe()` by default.
    """
    failures = Path(destination, "failures")
    failures.mkdir(parents=True, exist_ok=True)
    schema = FEATURES.arrow_schema
    writer = ParquetWriter(os.fspath(Path(destination, "records")), adapter=_columns, schema=schema, batch_size=100)
    return [ReadRepositories(sources, make or CorpusRecipe(), failures), writer]


def build_corpus_with_datatrove(
    sources: Iterable[str | os.PathLike],
    destination: str | os.PathLike,
    make: MakeRecords | None = None,
    *,
    workers: int = 2,
) -> Corpus:
    """Make the records of many repositories on this machine; an interrupted run is finished by the same call.

    Args:
        sources, make: as in `corpus_pipeline`.
        destination: a folder; in `logs/` datatrove keeps its markers, logs and statistics.
        workers: processes at a time.

    Raises:
        ValueError: the folder holds the records of other repositories or of another recipe.
    """
    paths, make, destination = check_sources(sources), make or CorpusRecipe(), Path(destination)
    _check_destination(destination, {"sources": paths, "recipe": _name(make)})
    logs = destination / "logs"
    for report in sorted(destination.glob("failures/*.json")):  # to be tried again
        (logs / "completions" / f"{json.loads(report.read_text())['task']:05d}").unlink(missing_ok=True)
    steps = corpus_pipeline(paths, destination, make)
    LocalPipelineExecutor(steps, tasks=len(paths), workers=workers, logging_dir=str(logs)).run()
    return read_corpus(destination)


def read_corpus(destination: str | os.PathLike) -> Corpus:
    """Read what a pipeline wrote to its destination."""
    files = [str(file) for file in sorted(Path(destination).glob("records/*.parquet"))]
    reports = [json.loads(file.read_text()) for file in sorted(Path(destination).glob("failures/*.json"))]
    records = (
        datasets.Dataset.from_parquet(files, features=FEATURES)
        if files
        else datasets.Dataset.from_list([], features=FEATURES)
    )
    return Corpus(records, {report["source"]: report["failure"] for report in reports})


def _name(make: MakeRecords) -> str:
    """The same for the same recipe in every process: a function's own text has its address."""
    return f"{make.__module__}.{make.__qualname__}" if hasattr(make, "__qualname__") else repr(make)


def _check_destination(destination: Path, content: dict[str, Any]) -> None:
    """Markers are kept by number: they mean something for the same repositories alone."""
    file = destination / "corpus.json"
    if not file.exists():
        destination.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    elif json.loads(file.read_text()) != content:
        raise ValueError(
            f"{destination} holds the records of other repositories, or of another recipe: take another folder, or "
            "delete this one."
        )
