"""Random code graphs for hypothesis, as records and edges; and the golden graph."""

from pathlib import Path

from hypothesis import strategies as st

from codefuse_hf.graph.schema import FIELDS, EdgeType, FieldKind, Language, NodeType

GOLDEN = Path(__file__).parents[1] / "golden" / "cgm"

texts = st.text("ab é\u2028\ud800😀\n\r\t\0<>&/\\\"'{}", max_size=30)
"""Text with everything that is awkward in JSON, HTML and UTF-8, lone surrogates too."""
_JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


@st.composite
def node_records(draw, node_id: int, texts: st.SearchStrategy[str] = texts) -> dict:
    """A record of a random type with a random choice of its fields, spelled in a random accepted way."""
    node_type = draw(st.sampled_from(NodeType))
    record = {"nodeType": node_type.value, draw(st.sampled_from(["id", "nodeId"])): node_id}
    for field in FIELDS[node_type]:
        if draw(st.booleans()):
            values = {
                FieldKind.TEXT: texts,
                FieldKind.NUMBER: st.integers(0, 2**31 - 1),
                FieldKind.JSON: _JSON_VALUES,
            }[field.kind]
            record[draw(st.sampled_from(field.keys))] = draw(st.none() | values)
    return record


@st.composite
def graph_parts(draw, max_nodes: int = 12, texts: st.SearchStrategy[str] = texts) -> tuple[list[dict], list[tuple]]:
    """Nodes with distinct ids and arbitrary edges between them."""
    ids = draw(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 50), max_size=max_nodes, unique=True))
    nodes = [draw(node_records(node_id, texts)) for node_id in ids]
    if not ids:
        return nodes, []
    ends = st.sampled_from(ids)
    return nodes, draw(st.lists(st.tuples(st.sampled_from(EdgeType), ends, ends), max_size=30))


@st.composite
def trees(draw, max_nodes: int = 25) -> tuple[list[dict], list[tuple]]:
    """A graph whose containment is a tree: the containers come before what they contain; other edges are arbitrary."""
    size = draw(st.integers(1, max_nodes))
    nodes, edges = [{"nodeType": "Repo", "id": 0, "repoName": "r"}], []
    inner = ["Package", "File", "Class", "Function", "Lambda", "Textfile"]
    for node_id in range(1, size):
        nodes.append({"nodeType": draw(st.sampled_from(inner)), "id": node_id, "text": "x\n" * draw(st.integers(0, 4))})
        edges.append(("contains", draw(st.integers(0, node_id - 1)), node_id))
    ends = st.integers(0, size - 1)
    kinds = st.sampled_from([each for each in EdgeType if each is not EdgeType.CONTAINS])
    return nodes, edges + draw(st.lists(st.tuples(kinds, ends, ends), max_size=40))


languages = st.sampled_from(Language)
