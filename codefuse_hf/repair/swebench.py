"""Predictions for SWE-bench and data sets like it, in the form that its harness reads.

A data set gives issues with repositories and base commits; local git mirrors give the files, straight out of git's objects, so
that nothing is checked out. The output is one JSON object a line, `instance_id`, `model_name_or_path` and `model_patch` ("" where
there is no patch); beside it, `<output>.details.jsonl` says how each came about. A run goes on where the last one stopped: what is in the
output is done, and an instance that failed (a dead server, a missing mirror) is not in it.
"""

import contextlib
import json
import multiprocessing
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from codefuse_hf.files import locked

from .chain import Chain
from .model_choice import ModelChoice
from .models import NO_USAGE, ChatModel, Usage
from .records import Record
from .repository import Repository

_SAFE = re.compile(r"[\w.+-]+\Z")
_LISTED = 20  # files of the ranking in the details


@dataclass(frozen=True)
class Instance(Record):
    """One issue: its id, `owner/name` of the repository, the commit to start from, and its text."""

    instance_id: str
    repo: str
    base_commit: str
    problem_statement: str


@dataclass(frozen=True)
class Details(Record):
    """How a prediction came about.

    Attributes:
        status: "patch", "no patch", "failed", or "no model" (ranked places alone).
        reason: why there is no patch.
        files: the ranking, best first.
        seconds, usage: what it took.
    """

    instance_id: str
    status: str
    reason: str = ""
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    usage: Usage = NO_USAGE


@dataclass(frozen=True)
class Task:
    """How instances are worked on; plain values, which go to other processes.

    Attributes:
        repositories: a folder of git mirrors, see `find_mirror`.
        model, reader, attempts: see `Chain`; without model and reader every patch is empty.
        keep: a folder for the results of the stages, one folder for each instance.
        cache: a folder for what is read of the repositories, see `Locator.for_repository`.
    """

    repositories: str
    model: ModelChoice | None = None
    reader: ModelChoice | None = None
    attempts: int = 3
    keep: str | None = None
    cache: str | None = None

    @property
    def name(self) -> str:
        """How predictions name the model."""
        choice = self.reader or self.model
        return "codefuse-hf-locate" if choice is None else f"codefuse-hf-fix-{Path(choice.name).name}"


def read_instances(path: str | os.PathLike) -> list[Instance]:
    """Read a data set: a JSON list of records, an object whose values are records, one record a line, or Parquet (needs `pyarrow`).

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else; the message names the record.
    """
    records = _records(Path(path))
    instances: dict[str, Instance] = {}
    for position, record in enumerate(records):
        try:
            values = {name: record[name] for name in Instance.__dataclass_fields__}
            instance = Instance.from_json(json.dumps(values))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: record {position} is no instance ({error})") from error
        if not _SAFE.match(instance.instance_id) or not all(map(_SAFE.match, instance.repo.split("/"))):
            raise ValueError(
                f"{path}: record {position} has an impossible id or repository, {instance.instance_id!r} of {instance.repo!r}"
            )
        if instances.setdefault(instance.instance_id, instance) != instance:
            raise ValueError(f"{path}: two different instances have the id {instance.instance_id}")
    if not instances:
        raise ValueError(f"{path} holds no instance")
    return list(instances.values())


def _records(path: Path) -> list[Any]:
    if path.suffix == ".parquet":
        return _parquet_records(path)
    text = path.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise ValueError(f"{path} is neither JSON nor one JSON record a line: {error}") from error
    if isinstance(found, dict):
        return [found] if "instance_id" in found else list(found.values())
    return found if isinstance(found, list) else [found]


def _parquet_records(path: Path) -> list[Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow") from error
    try:
        return parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from error


def find_mirror(repositories: str | os.PathLike, repo: str) -> Path:
    """Find the git repository of `owner/name` in a folder: `owner/name`, `owner__name`, `owner+name` or `name`, also with `.git` or `/repo`
    after it.

    Raises:
        FileNotFoundError: there is none.
    """
    owner, _, name = repo.rpartition("/")
    for base in (f"{owner}/{name}", f"{owner}__{name}", f"{owner}+{name}", name):
        for path in (f"{base}.git", base, f"{base}/repo"):
            folder = Path(repositories) / path
            if (folder / ".git").exists() or (folder / "HEAD").is_file():
                return folder
    raise FileNotFoundError(
        f"there is no git repository of {repo} in {os.fspath(repositories)}: expected {owner}__{name} or {owner}/{name}"
    )


def predict_one(task: Task, instance: Instance) -> tuple[str, Details]:
    """Make the patch for one instance, and tell how it came about.

    Raises:
        OSError, ValueError: no mirror, an unknown commit, or a model that gives no answer.
    """
    start = time.monotonic()
    mirror = find_mirror(task.repositories, instance.repo)
    model, reader = (choice and _loaded(choice) for choice in (task.model, task.reader))
    with Repository(mirror, revision=instance.base_commit, workers=0) as repository:
        keep = None if task.keep is None else Path(task.keep) / instance.instance_id
        chain = Chain(repository, model=model, reader=reader, attempts=task.attempts, keep=keep, cache=task.cache)
        outcome = chain.run(instance.problem_statement)
    status = "no model" if outcome.repair is None else "patch" if outcome.patch else "no patch"
    reason = outcome.repair.error if outcome.repair is not None else ""
    files = tuple(file.path for file in outcome.ranking.files[:_LISTED])
    usage = sum((stage.usage for stage in outcome.stages), NO_USAGE)
    return outcome.patch, Details(instance.instance_id, status, reason, files, time.monotonic() - start, usage)


@cache
def _loaded(choice: ModelChoice) -> ChatModel:
    return choice.load()


def predict(
    task: Task,
    instances: Sequence[Instance],
    output: str | os.PathLike,
    *,
    workers: int = 1,
    name: str | None = None,
    report: Callable[[Details], None] = lambda details: None,
) -> list[Details]:
    """Predict what is not yet in the output.

    Args:
        output: a `.jsonl` file, which is made or added to.
        workers: processes; 0: this one. A process that dies (for memory, say) takes only its own instance with it.
        name: `model_name_or_path` of the predictions; by default that of the task.
        report: called with each instance that has ended.

    Returns:
        The details of what this run did.

    Raises:
        OSError: another run writes to the output.
        ValueError: the output holds something else.
    """
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.touch()
    with locked(output):
        done = _done(output)
        open_ones = [instance for instance in instances if instance.instance_id not in done]
        found = []
        with (
            open(output, "a", encoding="utf-8") as lines,
            open(f"{output}.details.jsonl", "a", encoding="utf-8") as log,
        ):
            for patch, details in _results(task, open_ones, workers):
                found.append(details)
                if details.status != "failed":
                    _add(
                        lines,
                        {
                            "instance_id": details.instance_id,
                            "model_name_or_path": name or task.name,
                            "model_patch": patch,
                        },
                    )
                _add(log, asdict(details))
                report(details)
    return found


def _add(file: IO[str], record: dict) -> None:
    file.write(json.dumps(record) + "\n")
    file.flush()
    os.fsync(file.fileno())


def _done(output: Path) -> set[str]:
    """The ids in an output; a last line that an interrupted run left incomplete is removed."""
    text = output.read_text(encoding="utf-8")
    whole, _, rest = text.rpartition("\n")
    if rest:
        with open(output, "r+", encoding="utf-8") as file:  # in place: the lock is on this file
            file.truncate(len(f"{whole}\n".encode()) if whole else 0)
    try:
        return {json.loads(line)["instance_id"] for line in whole.splitlines() if line.strip()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{output} holds something other than predictions ({error!r}): name another file") from error


def _results(task: Task, instances: Sequence[Instance], workers: int) -> Iterator[tuple[str, Details]]:
    if workers == 0:
        yield from (_attempted(task, instance) for instance in instances)
        return
    waiting = list(instances)
    while waiting:
        unfinished: list[Instance] = []
        yield from _pooled(task, waiting, workers, unfinished)
        # A dead process breaks the pool. It had one of the first; each of those gets a pool of its own, the others the next one.
        suspects, waiting = unfinished[: workers + 1], unfinished[workers + 1 :]
        for instance in suspects:
            dead: list[Instance] = []
            yield from _pooled(task, [instance], 1, dead)
            for each in dead:
                yield "", Details(each.instance_id, "failed", "its process died (for want of memory?)")


def _pooled(
    task: Task, instances: Iterable[Instance], workers: int, unfinished: list[Instance]
) -> Iterator[tuple[str, Details]]:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {}
        with contextlib.suppress(BrokenProcessPool):  # while still handing out
            for instance in instances:
                futures[pool.submit(_attempted, task, instance)] = instance
        handed_out = {instance.instance_id for instance in futures.values()}
        lost = {instance.instance_id for instance in instances if instance.instance_id not in handed_out}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.add(futures[future].instance_id)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    unfinished += [instance for instance in instances if instance.instance_id in lost]


def _attempted(task: Task, instance: Instance) -> tuple[str, Details]:
    try:
        return predict_one(task, instance)
    except (OSError, ValueError) as error:
        return "", Details(instance.instance_id, "failed", str(error))
    except Exception:  # a fault of ours costs one instance, not the run
        return "", Details(instance.instance_id, "failed", traceback.format_exc())
