"""Code graphs as networkx graphs, both ways; networkx is imported when it is needed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx

    from codefuse_hf.graph.code_graph import CodeGraph

_TEXT_KEYS = ("text", "clean_text")


def to_networkx(graph: "CodeGraph", *, text: bool = True) -> "networkx.MultiDiGraph":
    """Makes the graph for networkx: nodes by id with the fields of the JSON schema, edges keyed by their type.

    Args:
        text: whether nodes carry `text` and `clean_text`; without them a large graph takes much less memory.
    """
    import networkx

    result = networkx.MultiDiGraph()
    for record in graph.records():
        fields = {key: value for key, value in record.items() if key != "id" and (text or key not in _TEXT_KEYS)}
        result.add_node(record["id"], **fields)
    for edge_type, source, target in graph.edges():
        result.add_edge(source, target, key=edge_type.value, edgeType=edge_type.value)
    return result


def read_networkx(graph: "networkx.DiGraph | networkx.MultiDiGraph") -> tuple[Iterator[dict], Iterator[tuple]]:
    """Reads the node records and the edges of a directed networkx graph, see `CodeGraph.from_networkx`."""
    if not graph.is_directed():
        raise ValueError("a code graph is directed: found an undirected networkx graph")
    nodes = ({**fields, "id": node} for node, fields in graph.nodes(data=True))
    if graph.is_multigraph():
        edges = ((data.get("edgeType", key), a, b) for a, b, key, data in graph.edges(keys=True, data=True))
    else:
        edges = ((data.get("edgeType"), a, b) for a, b, data in graph.edges(data=True))
    return nodes, edges
