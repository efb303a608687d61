"""Questions about a code graph whose answer is in its edges alone: instruction records that any repository gives.

Each is a small graph of names (no source, which would tell the answer) and a choice between a few of them. The wrong
options stand in the same relation to other nodes, so that neither the degree of a node nor its place gives it away.
"""

import json
import random
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from codefuse_hf.graph import CodeGraph

TASKS = {
    "calls": "Which of these functions does `{}` call?",
    "callers": "Which of these functions calls `{}`?",
    "calls_of_calls": "Which of these functions is called by a function that `{}` calls?",
    "file_of_base": "In which file is the class that `{}` extends defined?",
}
"""The relations asked for; the last two take two edges."""
EDGE_TYPES = ("contains", "extends", "implements", "calls")
_FUNCTIONS, _OTHERS = ("Function", "Method"), ("Class", "File")
_NAME = re.compile(r"(?!__)[\w.$/-]{3,60}")
_EMPTIED = ("text", "clean_text", "comment", "header")
_LEFT_OUT = ("startLoc", "endLoc", "col", "id", "nodeId")


@dataclass(frozen=True)
class _Question:
    """A chain of nodes from the subject to the answer, and as many others from other subjects as there are wrong options."""

    task: str
    chain: tuple[int, ...]
    others: list[tuple[int, ...]]

    @property
    def nodes(self) -> list[int]:
        return list(dict.fromkeys(node for chain in (self.chain, *self.others) for node in chain))


def relation_questions(
    graph: CodeGraph,
    count: int,
    *,
    tasks: Iterable[str] = tuple(TASKS),
    num_options: int = 4,
    num_nodes: tuple[int, int] = (16, 32),
    seed: int = 0,
    repository: str = "",
) -> Iterator[dict[str, Any]]:
    """Ask up to `count` questions of each task about a graph; fewer where it has too few suitable nodes.

    Args:
        tasks: keys of `TASKS`.
        num_options: answers to choose from, 2 to 26; as likely to be right each.
        num_nodes: the least and the greatest number of nodes of a question's graph, which are in random order.
        seed: the same seed asks the same questions of the same graph.

    Yields:
        Instruction records (see `cgm_records.FEATURES`); `answer` is " A", " B", …, `options` the names in this order.

    Raises:
        ValueError: an unknown task, or numbers out of range.
    """
    tasks = tuple(tasks)
    unknown = sorted(set(tasks) - set(TASKS))
    if unknown:
        raise ValueError(f"unknown task {unknown[0]!r}: expected some of {', '.join(TASKS)}")
    if not 2 <= num_options <= 26:
        raise ValueError(f"num_options must be from 2 to 26, found {num_options}")
    if not 3 * num_options <= num_nodes[0] <= num_nodes[1]:
        raise ValueError(
            f"num_nodes must be (least, greatest) with at least {3 * num_options} nodes for {num_options} options, "
            f"found {num_nodes}"
        )
    relations = _Relations(graph)
    for task in tasks:
        rng, made = random.Random(f"{seed} {task}"), 0
        for _ in range(4 * count):
            question = relations.question(task, num_options, rng)
            if question is not None and made < count:
                made += 1
                yield relations.record(question, rng.randint(*num_nodes), rng) | {"repository": repository}


class _Relations:
    """The nodes of a graph that can be asked for, and how they are related."""

    def __init__(self, graph: CodeGraph) -> None:
        self.graph = graph
        self.names = {}
        for node in graph.nodes(*_FUNCTIONS, *_OTHERS):
            name = node.file_path if node.type == "File" else node.name
            if name and _NAME.fullmatch(name) and not name.lower().startswith("test"):
                self.names[node.id] = name
        functions = {node.id for node in graph.nodes(*_FUNCTIONS)}
        self.out = {kind: {} for kind in EDGE_TYPES}
        self.near: dict[int, set[int]] = {}
        for kind, source, target in graph.edges(*EDGE_TYPES):
            if source != target and source in self.names and target in self.names:
                self.near.setdefault(source, set()).add(target)
                self.near.setdefault(target, set()).add(source)
                if kind != "calls" or {source, target} <= functions:
                    self.out[kind].setdefault(source, []).append(target)
        self.callers: dict[int, list[int]] = {}
        for source, targets in self.out["calls"].items():
            for target in targets:
                self.callers.setdefault(target, []).append(source)
        self.ids = sorted(self.names)
        self.subjects = {
            "calls": sorted(self.out["calls"]),
            "callers": sorted(self.callers),
            "calls_of_calls": sorted(x for x, found in self.out["calls"].items() if any(map(self._calls, found))),
            "file_of_base": sorted(self.out["extends"]),
        }
        self.by_file: dict[tuple[str, int | None], list[int]] = {}
        for task, subjects in self.subjects.items():
            for subject in subjects:
                self.by_file.setdefault((task, graph.file_of(subject)), []).append(subject)

    def _calls(self, node: int) -> list[int]:
        return self.out["calls"].get(node, [])

    def answers(self, task: str, subject: int) -> set[int]:
        """All right answers; with two hops also those of one, which a graph without edge types cannot tell apart."""
        if task == "callers":
            return set(self.callers.get(subject, ()))
        if task == "file_of_base":
            return {self.graph.file_of(base) for base in self.out["extends"].get(subject, ())}
        found = set(self._calls(subject))
        return found if task == "calls" else found | {far for node in found for far in self._calls(node)}

    def chain(self, task: str, subject: int, rng: random.Random) -> tuple[int, ...] | None:
        """A random way from a subject to an answer; None if this try finds none."""
        if task == "callers":
            return subject, rng.choice(self.callers[subject])
        if task == "file_of_base":
            base = rng.choice(self.out["extends"][subject])
            file = self.graph.file_of(base)
            return (subject, base, file) if file in self.names and file != self.graph.file_of(subject) else None
        middle = rng.choice(self._calls(subject))
        if task == "calls":
            return subject, middle
        far = [node for node in self._calls(middle) if node != subject and node not in self._calls(subject)]
        return (subject, middle, rng.choice(far)) if far else None

    def question(self, task: str, num_options: int, rng: random.Random) -> _Question | None:
        """A random question; None if this try finds too few wrong options."""
        if not self.subjects[task]:
            return None
        subject = rng.choice(self.subjects[task])
        chain = self.chain(task, subject, rng)
        if chain is None or len({self.names[node] for node in chain}) < len(chain):
            return None
        right = self.answers(task, subject) | {subject}
        used, others = {self.names[node] for node in chain}, []
        pools = (self.by_file[task, self.graph.file_of(subject)], self.subjects[task])
        for attempt in range(12 * num_options):
            other = self.chain(task, rng.choice(pools[attempt % 2]), rng)
            if other is None or other[-1] in right or self.related(subject, other[-1], task):
                continue
            names = {self.names[node] for node in other}
            if len(names) == len(other) and not names & used:
                used |= names
                others.append(other)
            if len(others) == num_options - 1:
                return _Question(task, chain, others)
        return None

    def related(self, subject: int, option: int, task: str) -> bool:
        """Whether an option that is wrong is a neighbour all the same, which would make the question unfair."""
        return task != "file_of_base" and option in self.near.get(subject, ())

    def record(self, question: _Question, size: int, rng: random.Random) -> dict[str, Any]:
        """The record of a question, with a graph of `size` nodes."""
        nodes = self._filled(question.nodes, size, rng)
        rng.shuffle(nodes)
        options = [question.chain[-1], *(other[-1] for other in question.others)]
        rng.shuffle(options)
        names = [self.names[option] for option in options]
        right = string.ascii_uppercase[options.index(question.chain[-1])]
        listed = "".join(f"{letter}. {name}\n" for letter, name in zip(string.ascii_uppercase, names, strict=False))
        return {
            "graph": json.dumps(self._graph_of(nodes), ensure_ascii=False),
            "prompt": f"{TASKS[question.task].format(self.names[question.chain[0]])}\n{listed}Answer:",
            "answer": f" {right}",
            "task": question.task,
            "options": names,
        }

    def _filled(self, nodes: list[int], size: int, rng: random.Random) -> list[int]:
        """The nodes with neighbours and, where these do not suffice, other nodes, no two with one name."""
        chosen = {self.names[node]: node for node in nodes}
        around = sorted({near for node in nodes for near in self.near.get(node, ())})
        rng.shuffle(around)
        anywhere = rng.sample(self.ids, min(len(self.ids), 4 * size))
        for node in [*around[: (size - len(nodes)) // 2], *anywhere]:
            if len(chosen) < size:
                chosen.setdefault(self.names[node], node)
        return list(chosen.values())

    def _graph_of(self, nodes: list[int]) -> dict[str, Any]:
        place = {node: index for index, node in enumerate(nodes)}
        edges = [
            {"edgeType": str(kind), "source": place[source], "target": place[target]}
            for node in nodes
            for kind, source, target in self.graph.incident_edges(node, EDGE_TYPES, "out")
            if target in place
        ]
        return {"nodes": [_named(self.graph[node].record(), place[node]) for node in nodes], "edges": edges}


def _named(record: dict[str, Any], node_id: int) -> dict[str, Any]:
    """What a record says without the source: kind, name and path."""
    kept = {key: "" if key in _EMPTIED else value for key, value in record.items() if key not in _LEFT_OUT}
    return {"nodeType": kept.pop("nodeType"), "id": node_id, **kept}
