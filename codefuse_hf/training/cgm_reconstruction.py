"""Stage 1 of CGM's training (arXiv 2505.16901, section 3.3): from a subgraph back to its code."""

import random
from collections.abc import Iterator
from typing import Any

from codefuse_hf.graph import CodeGraph

PROMPT = "Write out the code of this graph, file by file."
TASK = "reconstruction"
_CODE = ("File", "Class", "Function", "Method", "Attribute", "Field", "Lambda", "Textfile")


def reconstruction_records(
    graph: CodeGraph,
    count: int,
    *,
    max_nodes: int = 32,
    max_characters: int = 8000,
    seed: int = 0,
    repository: str = "",
) -> Iterator[dict[str, Any]]:
    """Cut up to `count` random connected subgraphs out of a graph, each with its code as the answer.

    A subgraph grows from a random node along edges of every type, either way. The containers up to the repository are
    added so that containment connects it; these are named, but their text is left out.

    Args:
        max_nodes: nodes with code at most; containers come on top.
        max_characters: code in the answer at most, and in each node.
        seed: the same seed cuts the same subgraphs.

    Yields:
        Records (see `cgm_records.FEATURES`) of the task "reconstruction", no two with the same answer.

    Raises:
        ValueError: numbers below 1.
    """
    for name, value in (("count", count), ("max_nodes", max_nodes), ("max_characters", max_characters)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, found {value}")
    code = {node.id: own_code(graph, node.id) for node in graph.nodes(*_CODE)}
    code = {node: text for node, text in code.items() if text.strip() and len(text) <= max_characters}
    rng, starts, seen = random.Random(seed), sorted(code), set()
    rng.shuffle(starts)
    for start in starts:
        if len(seen) == count:
            return
        chosen = _grow(graph, code, start, rng.randint(1, max_nodes), max_characters, rng)
        answer = write_code(graph, chosen, code)
        if answer not in seen:
            seen.add(answer)
            yield {
                "graph": _shown(graph, chosen).to_json(),
                "prompt": PROMPT,
                "answer": answer,
                "task": TASK,
                "repository": repository,
            }


def own_code(graph: CodeGraph, node: int) -> str:
    """Return the code of a node; of a file only what stands outside its classes and functions, where the graph says so."""
    found = graph[node]
    if found.type == "File":
        return found.text or "" if found.clean_text is None else found.clean_text
    return found.text or ""


def write_code(graph: CodeGraph, nodes: set[int], code: dict[int, str]) -> str:
    """Write the code of some nodes by file, in the order of paths and lines; what lies inside another of them is not repeated."""
    outermost = [node for node in nodes if not any(_shows(graph, up) for up in graph.containers(node) if up in nodes)]
    by_path: dict[str, list[int]] = {}
    for node in outermost:
        by_path.setdefault(graph[node].file_path or graph[node].name or "", []).append(node)
    parts = []
    for path in sorted(by_path):
        ordered = sorted(by_path[path], key=lambda node: (graph[node].start_line or 0, graph[node].column or 0, node))
        parts.append(f"### {path}\n" + "\n\n".join(code[node].strip("\n") for node in ordered))
    return "\n\n".join(parts) + "\n"


def _shows(graph: CodeGraph, node: int) -> bool:
    """Whether a node's own code has in it what the node contains."""
    return graph[node].type != "File" or graph[node].clean_text is None


def _grow(
    graph: CodeGraph, code: dict[int, str], start: int, size: int, max_characters: int, rng: random.Random
) -> set[int]:
    """Nodes with code around a start, connected through any nodes but the repository and its packages."""
    chosen, total, frontier, passed = {start}, len(code[start]), [start], {start}
    while frontier and len(chosen) < size:
        node = frontier.pop(rng.randrange(len(frontier)))
        near = [other for other in graph.neighbors(node, direction="both") if other not in passed]
        passed.update(near)
        for other in near:
            if other in code and len(chosen) < size and total + len(code[other]) <= max_characters:
                chosen.add(other)
                total += len(code[other])
                frontier.append(other)
    return chosen


def _shown(graph: CodeGraph, chosen: set[int]) -> CodeGraph:
    """The subgraph of some nodes and their containers, the latter without text."""
    part = graph.subgraph(graph.with_containers(sorted(chosen)))
    records = [record if record["id"] in chosen else _without_text(record) for record in map(_by_id, part.records())]
    return CodeGraph.from_records(records, part.edges())


def _by_id(record: dict[str, Any]) -> dict[str, Any]:
    """A record with its id as `id`, as Java's have it as `nodeId`."""
    return {"nodeType": record["nodeType"], "id": record.get("id", record.get("nodeId")), **record}


def _without_text(record: dict[str, Any]) -> dict[str, Any]:
    return {key: "" if key in ("text", "clean_text", "comment") else value for key, value in record.items()}
