"""From many repositories to training records of CGM, with `datasets` on one machine.

`cgm_datatrove.py` does the same with `datatrove` pipelines, for more machines than one; both call one function for each
repository. A repository that cannot be read costs its own records alone, and is named.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from codefuse_hf.graph import CodeGraph, build_code_graph
from codefuse_hf.training.cgm_questions import relation_questions
from codefuse_hf.training.cgm_reconstruction import reconstruction_records
from codefuse_hf.training.cgm_records import FEATURES, make_record

MakeRecords = Callable[[str], Iterable[dict[str, Any]]]
"""Makes the records of one repository, given by its path. It must be picklable: a function of a module, or a `CorpusRecipe`."""
_GRAPH_SUFFIXES = (".json", ".json.gz")


@dataclass(frozen=True)
class CorpusRecipe:
    """Makes records of a repository: a folder with source code, or the JSON of its graph.

    Attributes:
        reconstructions: subgraphs to write out, see `reconstruction_records`.
        questions: questions of each task, see `relation_questions`.
        max_nodes, max_characters: of a reconstruction.
        seed: the same seed makes the same records.
    """

    reconstructions: int = 100
    questions: int = 50
    max_nodes: int = 32
    max_characters: int = 8000
    seed: int = 0

    def __call__(self, source: str) -> list[dict[str, Any]]:
        graph = load_graph(source)
        name = Path(source).name
        records: list[dict[str, Any]] = []
        if self.reconstructions:
            sizes = {"max_nodes": self.max_nodes, "max_characters": self.max_characters}
            records += reconstruction_records(graph, self.reconstructions, seed=self.seed, repository=name, **sizes)
        if self.questions:
            records += relation_questions(graph, self.questions, seed=self.seed, repository=name)
        return records


def load_graph(source: str | os.PathLike) -> CodeGraph:
    """Read a graph from its JSON file, or build that of a folder in this process alone.

    Raises:
        OSError: nothing is there. ValueError: the file holds no graph.
    """
    if os.fspath(source).endswith(_GRAPH_SUFFIXES):
        return CodeGraph.load(source)
    return build_code_graph(source, workers=0, progress=False)


def try_records(make: MakeRecords, source: str) -> tuple[list[dict[str, Any]], str | None]:
    """Make the checked records of one repository, and None; or no records, and what went wrong in one line."""
    try:
        records = [make_record(record) for record in make(source)]
    except Exception as error:  # whatever one repository does must not end the work on the others
        return [], f"{type(error).__name__}: {error}".splitlines()[0]
    return records, None if records else "it gave no records"


@dataclass(frozen=True)
class Corpus:
    """What was made of some repositories.

    Attributes:
        records: rows with the columns of `cgm_records.FEATURES`, in the order of the repositories.
        failures: the path of each repository that gave no records → why.
    """

    records: datasets.Dataset
    failures: dict[str, str]


def build_corpus(
    sources: Iterable[str | os.PathLike],
    make: MakeRecords | None = None,
    *,
    num_proc: int | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> Corpus:
    """Make the records of many repositories with `datasets.Dataset.map`.

    Args:
        sources: repositories, each a folder or the JSON of a graph.
        make: the records of one repository; `CorpusRecipe()` by default.
        num_proc: processes, each of which takes some of the repositories.
        cache_dir: a folder in which the rows are kept; by default a temporary one of `datasets`.

    Raises:
        ValueError: no repositories, or one that is given twice.
    """
    paths = check_sources(sources)
    columns = datasets.Features({**FEATURES, "source": datasets.Value("string"), "failure": datasets.Value("string")})
    cache = None if cache_dir is None else Path(cache_dir, "records.arrow")
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
    rows = datasets.Dataset.from_dict({"source": paths}).map(
        _rows_of,
        fn_kwargs={"make": make or CorpusRecipe()},
        batched=True,
        batch_size=1,
        num_proc=None if num_proc is None else min(num_proc, len(paths)),
        features=columns,
        cache_file_name=None if cache is None else str(cache),
        desc="Repositories",
    )
    failed = [index for index, failure in enumerate(rows["failure"]) if failure]
    failures = {row["source"]: row["failure"] for row in rows.select(failed)}
    good = sorted(set(range(len(rows))) - set(failed))
    return Corpus(rows.select(good).select_columns(list(FEATURES)), failures)


def check_sources(sources: Iterable[str | os.PathLike]) -> list[str]:
    """Return the paths of repositories as text.

    Raises:
        ValueError: none, or one twice.
    """
    paths = [os.fspath(source) for source in sources]
    repeated = [path for path in dict.fromkeys(paths) if paths.count(path) > 1]
    if not paths or repeated:
        found = f"{repeated[0]} is given twice" if repeated else "no repositories were given"
        raise ValueError(f"a corpus is made of different repositories: {found}")
    return paths


def _rows_of(batch: dict[str, list[str]], make: MakeRecords) -> dict[str, Sequence[Any]]:
    """The rows of one repository as columns: its records, or one row with its failure."""
    (source,) = batch["source"]
    records, failure = try_records(make, source)
    if failure is not None:
        records = [{name: [] if isinstance(kind, datasets.List) else "" for name, kind in FEATURES.items()}]
    columns = {name: [record[name] for record in records] for name in FEATURES}
    return {**columns, "source": [source] * len(records), "failure": [failure or ""] * len(records)}
