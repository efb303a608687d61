"""Code graphs as networkx graphs, both ways; networkx is imported when it is needed."""

from typing import TYPE_CHECKING

from codefuse_hf.graph.code_graph import CodeGraph

if TYPE_CHECKING:
    import networkx

_TEXT_KEYS = ("text", "clean_text")


def to_networkx(graph: CodeGraph, *, text: bool = True) -> "networkx.MultiDiGraph":
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


def from_networkx(graph: "networkx.DiGraph | networkx.MultiDiGraph") -> CodeGraph:
    """Makes a code graph from a directed networkx graph whose nodes are whole numbers and carry `nodeType` and other fields.

    An edge's type is its attribute `edgeType`, or else its key. ValueError for what the schema does not allow.
    """
    if not graph.is_directed():
        raise ValueError("a code graph is directed: found an undirected networkx graph")
    nodes = ({**fields, "id": node} for node, fields in graph.nodes(data=True))
    if graph.is_multigraph():
        edges = ((data.get("edgeType", key), a, b) for a, b, key, data in graph.edges(keys=True, data=True))
    else:
        edges = ((data.get("edgeType"), a, b) for a, b, data in graph.edges(data=True))
    return CodeGraph.from_records(nodes, edges)
