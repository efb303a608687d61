"""What must hold for every code graph, whatever the source was."""

from codefuse_hf.graph.schema import EdgeType

LINE_ENDS = ("\r\n", "\n", "\r")


def check_graph(graph, texts=None):
    """Containment is a tree over all nodes, every edge has ends, every text is the slice of its file that its place says."""
    parents = {}
    for node in graph.nodes():
        for child in graph.neighbors(node.id, EdgeType.CONTAINS, "out"):
            assert child not in parents, "two containers"
            parents[child] = node.id
    roots = [node.id for node in graph.nodes() if node.id not in parents]
    assert roots == [0] and graph.dropped_edges == 0
    for node in graph.nodes():
        seen, current = set(), node.id
        while current in parents:
            assert current not in seen, "a cycle of containers"
            seen.add(current)
            current = parents[current]
    for node in graph.nodes():
        if node.type == "File" and texts is not None:
            assert node.text == texts[f"{node.path}/{node.name}" if node.path else node.name]
        if node.type in ("Class", "Function", "Attribute", "Lambda", "Method", "Field"):
            current = node.id
            while graph[current].type != "File":
                current = parents[current]
            check_slice(graph[current].text, node)
    return parents


def check_slice(text, node):
    lines, start = [], 0
    while True:
        ends = [(position, end) for end in LINE_ENDS if (position := text.find(end, start)) >= 0]
        if not ends:
            lines.append(start)
            break
        position, end = min(ends, key=lambda found: (found[0], -len(found[1])))
        lines.append(start)
        start = position + len(end)
    offset = lines[node.start_line - 1] + node.column
    assert text[offset : offset + len(node.text)] == node.text
    last = max(offset, offset + len(node.text) - 1)
    assert node.end_line == sum(line <= last for line in lines)
