"""Names in a code graph: how a node's dotted name is spelled, and which nodes a name, a path or a pattern means.

Positions of nodes go in and come out, not ids. `CodeGraph.find` and `CodeGraph.qualified_name` are made of this.
"""

import fnmatch
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from codefuse_hf.graph.arrays import LANGUAGES
from codefuse_hf.graph.schema import NODE_CODES, NODE_TYPES, Language, NodeType
from codefuse_hf.graph.text_store import TextColumn

if TYPE_CHECKING:
    from codefuse_hf.graph.code_graph import CodeGraph

_WILDCARDS = frozenset("*?[")


def qualified_name(graph: "CodeGraph", index: int) -> str:
    """Spells the dotted name of the node at `index`, see `CodeGraph.qualified_name`."""
    parts: list[str] = []
    for each in [index, *graph._container_positions(index)]:
        node_type = NODE_TYPES[graph.arrays.types[each]]
        name = graph._text("name", each) or ""
        if node_type in (NodeType.REPO, NodeType.PACKAGE, NodeType.MODULE):
            if each == index or (node_type is NodeType.PACKAGE and not _is_named_by_path(graph, index)):
                parts.append(name)
            break
        if node_type is NodeType.FILE:
            if _is_named_by_path(graph, each):
                language = LANGUAGES[graph.arrays.languages[each]]
                parts.append(language.description.module_path(file_path(graph, each)))
                break
            if each == index:
                return file_path(graph, each)
        elif node_type is NodeType.TEXTFILE:
            parts.append(file_path(graph, each))
            break
        else:
            parts.append("<lambda>" if node_type is NodeType.LAMBDA else name)
    return ".".join(part for part in reversed(parts) if part)


def name_index(graph: "CodeGraph") -> tuple[np.ndarray, np.ndarray]:
    """Makes a hash table of 8 bytes a name: checksums of the names, sorted, and the nodes they belong to.

    Of a function's dotted name (`Type.method`, where a method stands beside its type) the last part counts.
    """
    column = graph.arrays.texts.get("name", TextColumn.absent(graph.num_nodes))
    having = np.flatnonzero(column.lengths >= 0)
    view = memoryview(graph.arrays.buffer)
    starts, ends = column.starts[having].tolist(), (column.starts[having] + column.lengths[having]).tolist()
    functions = (graph.arrays.types[having] == NODE_CODES[NodeType.FUNCTION]).tolist()
    names = (
        bytes(view[a:b]).rpartition(b".")[2] if f else view[a:b]
        for a, b, f in zip(starts, ends, functions, strict=True)
    )
    sums = np.fromiter(map(zlib.crc32, names), np.uint32, len(having))
    order = np.argsort(sums, kind="stable")
    return sums[order], having[order].astype(np.int32)


def file_path(graph: "CodeGraph", index: int) -> str:
    """Returns the path of the File or Textfile at `index`, relative to the repository."""
    folder = PurePosixPath((graph._text("path", index) or "").replace("\\", "/"))
    return (folder / (graph._text("name", index) or "")).as_posix()


def files_at(graph: "CodeGraph", path: str) -> np.ndarray:
    """Finds the files with a path, below a folder of this path, or whose paths fit a pattern."""
    wanted = PurePosixPath(path.replace("\\", "/")).as_posix()
    files = graph._of_types((NodeType.FILE, NodeType.TEXTFILE))
    if _WILDCARDS & set(wanted):
        return files[[fnmatch.fnmatchcase(file_path(graph, index), wanted) for index in files.tolist()]]
    below = "" if wanted == "." else wanted + "/"
    paths = [file_path(graph, index) for index in files.tolist()]
    return files[[found == wanted or found.startswith(below) for found in paths]]


def named(graph: "CodeGraph", name: str) -> np.ndarray:
    """Finds the nodes that a name means: a simple or dotted name, a method's signature, or a pattern."""
    if _WILDCARDS & set(name):
        return _named_like(graph, name)
    found = _exactly_named(graph, name)
    if len(found) == 0 and "#" in name:
        column = "signature"
        return np.array(
            [i for i in graph._of_types((NodeType.METHOD,)).tolist() if graph._text(column, i) == name], int
        )
    if len(found) == 0 and "." in name:
        last = name.rpartition(".")[2]
        by_path = [each.description for each in Language if each.description.named_by_path]
        stems = [(stem, each) for each in by_path for stem in (last, *each.package_files)]
        candidates = [last, *(stem + suffix for stem, each in stems for suffix in each.suffixes)]
        found = np.unique(np.concatenate([_exactly_named(graph, each) for each in candidates]))
        tail = "." + name
        found = found[[("." + qualified_name(graph, index)).endswith(tail) for index in found.tolist()]]
    return found


def _exactly_named(graph: "CodeGraph", name: str) -> np.ndarray:
    (sums, owners), function = graph._name_index, NODE_CODES[NodeType.FUNCTION]
    found: set[int] = set()
    for part in {name, name.rpartition(".")[2]}:
        wanted = np.uint32(zlib.crc32(part.encode("utf-8", "surrogatepass")))
        for index in owners[np.searchsorted(sums, wanted) : np.searchsorted(sums, wanted, side="right")].tolist():
            own = graph._text("name", index)
            if own == name or (graph.arrays.types[index] == function and own.endswith("." + name)):
                found.add(index)
    return np.array(sorted(found), dtype=np.int64)


def _named_like(graph: "CodeGraph", pattern: str) -> np.ndarray:
    """Nodes whose name, or the end of whose dotted name part by part, matches: `Flask.*` is what the class has directly inside."""
    *outer, last = pattern.split(".")
    names = [graph._text("name", index) or "" for index in range(graph.num_nodes)]
    found = {index for index, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)}
    for index, name in enumerate(names) if outer else ():
        if name and fnmatch.fnmatchcase(name, last):
            parts = qualified_name(graph, index).split(".")[-len(outer) - 1 : -1]
            if len(parts) == len(outer) and all(map(fnmatch.fnmatchcase, parts, outer)):
                found.add(index)
    return np.array(sorted(found), dtype=np.int64)


def _is_named_by_path(graph: "CodeGraph", index: int) -> bool:
    language = LANGUAGES[graph.arrays.languages[index]]
    return language is not None and language.description.named_by_path
