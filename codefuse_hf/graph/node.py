"""`Node`: a view of one node of a graph, made when it is asked for."""

from typing import TYPE_CHECKING, Any

from codefuse_hf.graph.arrays import LANGUAGES
from codefuse_hf.graph.schema import NODE_TYPES

if TYPE_CHECKING:
    from codefuse_hf.graph.code_graph import CodeGraph


class Node:
    """One node of a graph: a view that reads its fields from the graph when they are asked for.

    A field that the node does not have is None. The names are the same for all languages (`kind` is `classType`,
    `attributeType` or `fieldType`); `record()` gives the JSON spelling.
    """

    __slots__ = ("_graph", "_index")

    def __init__(self, graph: "CodeGraph", index: int) -> None:
        self._graph = graph
        self._index = index

    id = property(lambda self: int(self._graph.arrays.ids[self._index]), doc="The id, unique in the graph.")
    type = property(lambda self: NODE_TYPES[self._graph.arrays.types[self._index]], doc="The `NodeType`.")
    language = property(lambda self: LANGUAGES[self._graph.arrays.languages[self._index]], doc="`Language` or None.")
    name = property(lambda self: self._text("name"), doc="The simple name; a file's with its suffix.")
    path = property(lambda self: self._text("path"), doc="The folder of a file, relative to the repository.")
    text = property(lambda self: self._text("text"), doc="The source, exactly as in the file.")
    clean_text = property(lambda self: self._text("clean_text"), doc="The source without the bodies of inner nodes.")
    comment = property(lambda self: self._text("comment"), doc="The docstring or comment.")
    header = property(lambda self: self._text("header"), doc="The header of a function.")
    kind = property(lambda self: self._text("kind"), doc="The kind of a class, the type of an attribute or field.")
    modifiers = property(lambda self: self._text("modifiers"), doc="Java modifiers.")
    signature = property(lambda self: self._text("signature"), doc="A method's `Class#method(args)`.")
    class_name = property(lambda self: self._text("class_name"), doc="The class of a method.")
    start_line = property(lambda self: self._graph._number("start_line", self._index), doc="First line, from 1.")
    end_line = property(lambda self: self._graph._number("end_line", self._index), doc="Last line, from 1.")
    column = property(lambda self: self._graph._number("column", self._index), doc="First column, from 0.")
    qualified_name = property(lambda self: self._graph.qualified_name(self), doc="The dotted name.")
    file_path = property(lambda self: self._graph._path_of_file(self._index), doc="The path of its file, or None.")

    def _text(self, column: str) -> str | None:
        return self._graph._text(column, self._index)

    def record(self) -> dict[str, Any]:
        """Writes the node as in JSON: `nodeType`, `id`, then the fields it has, spelled as its language spells them."""
        return self._graph._record(self._index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._graph is other._graph and self._index == other._index

    def __hash__(self) -> int:
        return hash((id(self._graph), self._index))

    def __repr__(self) -> str:
        return f"Node({self.type}, id={self.id}, name={self.qualified_name!r})"
