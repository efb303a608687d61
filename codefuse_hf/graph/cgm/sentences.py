"""Makes node sentences: the text of a node that CGM's encoder reads. Their forms stand in `modeling.cgm.sentences_cgm`.

A language's description may have other sentences for its nodes (`sentences`), as Java's has for files and classes.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.arrays import LANGUAGES
from codefuse_hf.graph.formats.records import spelled_language
from codefuse_hf.graph.languages.base import Fields
from codefuse_hf.graph.schema import FIELDS, NODE_TYPES, FieldKind, Language, NodeType
from codefuse_hf.modeling.cgm.sentences_cgm import NULLABLE, SENTENCES

if TYPE_CHECKING:
    from codefuse_hf.graph.code_graph import CodeGraph, Node


def node_sentence(
    node: "Node | Mapping[str, Any]",
    *,
    repo_name: str | None = None,
    language: str | None = None,
    null_text: str = "",
    max_length: int | None = None,
) -> str:
    """Writes the sentence of one node, given as a node of a graph or as a JSON record in any spelling that can be read.

    Args:
        repo_name: the sentence of a Repo; its own name (or path) by default.
        language: whose form the sentence has (a language's name); by default that of the node, for a record the one that its spelling suggests.
        null_text: what a null comment, text, kind or modifier of a record counts as. A null is absent by default; the
            published encoder was fed with "None", which `null_text="None"` reproduces.
        max_length: characters to keep, all by default.
    """
    if isinstance(node, Mapping):
        node_type, own_language, fields = _read_record(node, null_text)
    else:
        node_type, own_language = node.type, node.language
        fields = _fields_of(node._graph, node._index)
    spoken = own_language if language is None else Language.parse(language)
    return _sentence(node_type, fields, spoken, repo_name)[:max_length]


def node_sentences(graph: "CodeGraph", *, repo_name: str | None = None, max_length: int | None = None) -> Iterator[str]:
    """Writes the sentences of all nodes of a graph, in node order, each in the form of its own language."""
    arrays = graph.arrays
    for index in range(graph.num_nodes):
        language = LANGUAGES[arrays.languages[index]]
        yield _sentence(NODE_TYPES[arrays.types[index]], _fields_of(graph, index), language, repo_name)[:max_length]


def _fields_of(graph: "CodeGraph", index: int) -> Fields:
    return lambda column: graph._text(column, index) or ""


def _sentence(node_type: NodeType, fields: Fields, language: Language | None, repo_name: str | None) -> str:
    if node_type is NodeType.REPO and repo_name is not None:
        return repo_name
    own = {} if language is None else language.description.sentences
    return (own.get(node_type) or SENTENCES[node_type])(fields)


def _read_record(record: Mapping[str, Any], null_text: str) -> tuple[NodeType, Language | None, Fields]:
    """A record's type, the language that its spelling suggests, and its text fields by column name."""
    node_type = NodeType.parse(record.get("nodeType"))
    values: dict[str, str] = {}
    for field in FIELDS[node_type]:
        if field.kind is not FieldKind.TEXT:
            continue
        present = [key for key in field.keys if key in record]
        null = null_text if present and field.column in NULLABLE else ""
        value = next((record[key] for key in present if record[key] is not None), null)
        if not isinstance(value, str):
            raise ValueError(f"{node_type} {record.get('id')}: {present[0]!r} must be text, found {value!r}")
        values[field.column] = value
    return node_type, spelled_language(node_type, record), lambda column: values.get(column, "")
