"""The JSON form of a code graph, as in the published `codefuse-ai/CodeGraph` data sets, both ways.

Written: one node or edge a line, fields in the order of the schema, so that the same graph gives the same bytes and two
graphs can be compared with `diff`. Read: any layout, key order and spelling that the schema accepts, plain or gzipped.
Nodes are taken from the text one by one, so that a large file costs its own size and that of the compact graph.
"""

import contextlib
import dataclasses
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codefuse_hf.files import replacing
from codefuse_hf.graph.arrays import GraphArrays, shown
from codefuse_hf.graph.formats.records import GraphAssembler
from codefuse_hf.graph.schema import Diagnostic

if TYPE_CHECKING:
    from codefuse_hf.graph.code_graph import CodeGraph

_BLANK = re.compile(r"[ \t\r\n]*")
_GZIP_MAGIC = b"\x1f\x8b"


def save(graph: "CodeGraph", path: str | os.PathLike) -> None:
    """Writes a graph to `path`, gzipped where it ends in `.gz`: the same bytes for the same graph, all or nothing."""
    path = Path(path)
    with replacing(path) as raw, contextlib.ExitStack() as stack:
        if path.suffix == ".gz":
            # no name and no time in the gzip header: they would make the bytes depend on more than the graph
            packed = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0))
            raw = stack.enter_context(io.BufferedWriter(packed, 1 << 20))
        for line in _lines(graph):
            raw.write(line.encode())


def load(path: str | os.PathLike) -> tuple[GraphArrays, list[Diagnostic]]:
    """Reads a graph and what was wrong with its source from a JSON file, gzipped or not whatever its name.

    Raises:
        OSError: the file cannot be read, or its gzip data is damaged.
        ValueError: it is not UTF-8, not JSON, or not a graph; the message names the file and the place.
    """
    data = Path(path).read_bytes()
    try:
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"{os.fspath(path)}: damaged gzip data ({error})") from None
    try:
        return loads(data)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def dumps(graph: "CodeGraph") -> str:
    """Writes the graph as JSON text."""
    return "".join(_lines(graph))


def loads(text: str | bytes) -> tuple[GraphArrays, list[Diagnostic]]:
    """Reads a graph and its diagnostics from JSON text (bytes: UTF-8). ValueError, with the place, for anything that is no graph."""
    if not isinstance(text, str):
        try:
            text = bytes(text).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 text: {error}") from None
    assembler = GraphAssembler()
    diagnostics: list[Diagnostic] = []
    seen = set()
    for key in _Reader(text).top_level(
        {
            "nodes": assembler.add_node,
            "edges": lambda edge: assembler.add_edges([edge]),
            "diagnostics": lambda record: diagnostics.append(diagnostic_of(record)),
        }
    ):
        if key in seen:
            raise ValueError(f"not a code graph: the key {key!r} occurs twice")
        seen.add(key)
    if "nodes" not in seen:
        raise ValueError(f"not a code graph: no key 'nodes' (found: {', '.join(sorted(seen)) or 'none'})")
    return assembler.finish(), diagnostics


def diagnostic_of(record: Any) -> Diagnostic:
    """Reads one diagnostic; ValueError for anything else."""
    fields = [record.get(name) for name in ("path", "kind", "message", "line")] if isinstance(record, dict) else []
    if not fields or not all(isinstance(each, str) for each in fields[:3]) or type(fields[3]) not in (int, type(None)):
        raise ValueError(f"a diagnostic must have path, kind, message and line, found {shown(record)}")
    return Diagnostic(*fields)


def _lines(graph: "CodeGraph") -> Iterator[str]:
    edges = ({"edgeType": kind.value, "source": a, "target": b} for kind, a, b in graph.edges())
    yield '{"nodes": ['
    yield from _elements(graph.records())
    yield '],\n"edges": ['
    yield from _elements(edges)
    if graph.diagnostics:  # a key of our own, which other readers pass over; absent where nothing was wrong
        yield '],\n"diagnostics": ['
        yield from _elements(dataclasses.asdict(each) for each in graph.diagnostics)
    yield "]}\n"


def _elements(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    separator = "\n"
    for record in records:
        line = json.dumps(record, ensure_ascii=False)
        if not _is_encodable(line):  # a lone surrogate has no UTF-8 form, but it has an escape
            line = json.dumps(record)
        yield separator + line
        separator = ",\n"
    if separator != "\n":
        yield "\n"


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Reader:
    """Reads the outermost object of a graph and hands on the elements of its arrays one at a time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.decoder = json.JSONDecoder(parse_constant=_refuse_constant)

    def top_level(self, handlers: dict[str, Callable[[Any], None]]) -> Iterator[str]:
        """Reads the object, calls a key's handler for each element of its array, and yields the keys.

        Keys without a handler are skipped.
        """
        if self._peek() != "{":
            raise ValueError('not a code graph: expected an object {"nodes": [...], "edges": [...]}')
        self.at += 1
        if self._peek() == "}":
            self.at += 1
        else:
            while True:
                yield self._key_and_value(handlers)
                if self._expect(",}") == "}":
                    break
        if self._peek():
            raise self._error("more text after the end of the graph")

    def _key_and_value(self, handlers: dict[str, Callable[[Any], None]]) -> str:
        if self._peek() != '"':
            raise self._error("expected a key")
        key = self._value()
        self._expect(":")
        if key not in handlers:
            self._value()
            return key
        if self._peek() != "[":
            raise self._error(f"{key!r} must be an array")
        self.at += 1
        if self._peek() == "]":
            self.at += 1
            return key
        while True:
            handlers[key](self._value())
            if self._expect(",]") == "]":
                return key

    def _peek(self) -> str:
        """The next character after blanks, "" at the end."""
        self.at = _BLANK.match(self.text, self.at).end()
        return self.text[self.at : self.at + 1]

    def _expect(self, characters: str) -> str:
        found = self._peek()
        if not found or found not in characters:
            raise self._error(f"expected {' or '.join(map(repr, characters))}")
        self.at += 1
        return found

    def _value(self) -> Any:
        self._peek()
        try:
            value, self.at = self.decoder.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos) from None
        except RecursionError:
            raise self._error("nested too deeply") from None
        return value

    def _error(self, message: str, at: int | None = None) -> ValueError:
        at = self.at if at is None else at
        line, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        if at >= len(self.text):
            message += ", found the end of the text"
        return ValueError(f"not a code graph in JSON: {message} (line {line}, column {column})")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
