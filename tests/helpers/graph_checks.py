"""What must hold for every code graph, whatever the source was."""

import re
from bisect import bisect_right
from functools import lru_cache

from codefuse_hf.graph.schema import EdgeType


def check_graph(graph, texts=None):
    """Containment is a tree over all nodes, every edge has ends, every text is the slice of its file that its place says."""
    parents = {}
    for node in graph.nodes():
        for child in graph.neighbors(node.id, EdgeType.CONTAINS, "out"):
            assert child not in parents, "two containers"
            parents[child] = node.id
    roots = [node.id for node in graph.nodes() if node.id not in parents]
    assert roots == [0] and graph.dropped_edges == 0
    files, attached = {}, {0}
    for node in graph.nodes():
        chain = [node.id]
        while chain[-1] not in attached:
            assert len(chain) <= len(parents) + 1, "a cycle of containers"
            chain.append(parents[chain[-1]])
        attached.update(chain)
    for node in graph.nodes():
        if node.type == "File" and texts is not None:
            assert node.text == texts[f"{node.path}/{node.name}" if node.path else node.name]
        if node.type in ("Class", "Function", "Attribute", "Lambda", "Method", "Field"):
            container = parents[node.id]
            files[node.id] = files.get(container, container)
            check_slice(graph[files[node.id]].text, node)
    return parents


@lru_cache(maxsize=8)
def line_starts(text):
    return [0, *(match.end() for match in re.finditer("\r\n|\r|\n", text))]


def check_slice(text, node):
    lines = line_starts(text)
    offset = lines[node.start_line - 1] + node.column
    assert text[offset : offset + len(node.text)] == node.text
    last = max(offset, offset + len(node.text) - 1)
    assert node.end_line == bisect_right(lines, last)
