"""Stage 2 of CGM's training (arXiv 2505.16901, section 3.3): instructions on files of a repository, some of them noisy.

When CGM is used, the files before it were chosen by a retriever, which errs. Training shows it the same: now and then
a file that has nothing to do with the issue is added, or one that matters is missing.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from codefuse_hf.graph import CodeGraph


@dataclass(frozen=True)
class FileNoise:
    """How often, and how, the files of a record are not those that matter.

    Attributes:
        probability: of a record to be noisy. The published recipe has 0.1.
        max_added: unrelated files that are added at most; 0 for none.
        max_dropped: relevant files that are dropped at most; one always stays. 0 for none.
    """

    probability: float = 0.1
    max_added: int = 1
    max_dropped: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"the probability of noise must be from 0 to 1, found {self.probability}")
        if self.max_added < 0 or self.max_dropped < 0:
            raise ValueError(f"max_added and max_dropped must be 0 or more, found {self.max_added}, {self.max_dropped}")

    def choose(self, relevant: Iterable[int], others: Iterable[int], rng: random.Random) -> list[int]:
        """Choose the files to show: the relevant ones or, in a noisy record, with some added or some dropped.

        Args:
            relevant, others: files (node ids, paths, …) that matter and that do not.

        Returns:
            The relevant files that stay, in their order, then the added ones.
        """
        relevant, others = list(relevant), sorted(set(others) - set(relevant))
        if rng.random() >= self.probability:
            return relevant
        ways = []
        if self.max_added and others:
            ways.append("add")
        if self.max_dropped and len(relevant) > 1:
            ways.append("drop")
        if not ways:
            return relevant
        if rng.choice(ways) == "add":
            return relevant + rng.sample(others, rng.randint(1, min(self.max_added, len(others))))
        dropped = set(rng.sample(range(len(relevant)), rng.randint(1, min(self.max_dropped, len(relevant) - 1))))
        return [file for place, file in enumerate(relevant) if place not in dropped]


def issue_record(
    graph: CodeGraph,
    issue: str,
    patch: str,
    files: Iterable[str],
    *,
    noise: FileNoise | None = None,
    seed: int | str = 0,
    repository: str = "",
    instruction: str = "Fix this issue. Write a patch.",
) -> dict[str, Any]:
    """Make the instruction record of an issue: the chosen files in the prompt and, with all inside them, in the graph.

    Args:
        issue, patch: what was reported, and what mends it: the answer.
        files: paths of the files that matter, such as those of the patch.
        noise: how often the files are others, see `FileNoise`; by default never.
        seed: decides about the noise; take the name of the record, so that each is drawn for itself.

    Returns:
        A record (see `cgm_records.FEATURES`) of the task "issue"; `anchors` are the chosen files.

    Raises:
        ValueError: no file is named, or one that the graph does not have.
    """
    places = {node.file_path: node.id for node in graph.nodes("File")}
    relevant = list(dict.fromkeys(files))
    unknown = [path for path in relevant if path not in places]
    if unknown:
        raise ValueError(f"the graph has no file {unknown[0]!r}: give paths of source files relative to the repository")
    if not relevant:
        raise ValueError("an issue's record needs the paths of the files that matter, found none")
    if noise is not None:
        relevant = noise.choose(relevant, places, random.Random(f"{seed} {repository}"))
    chosen = [places[path] for path in relevant]
    shown = "\n".join(f"### {graph[file].file_path}\n{graph[file].text or ''}\n" for file in chosen)
    part = graph.subgraph(graph.with_containers(graph.file_closure(chosen)))
    return {
        "graph": part.to_json(),
        "prompt": f"{instruction}\n\n{issue}\n\n{shown}",
        "answer": patch,
        "task": "issue",
        "repository": repository,
        "anchors": sorted(chosen),
    }
