"""The places of a repository where a fault can lie: its source files and the functions and classes in them.

Made from a code graph once, kept in one file, and read again in a second: what locating needs of the graph (names, lines,
words, which units call each other, which files the tests import), not the graph itself.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from codefuse_hf.files import replacing
from codefuse_hf.graph import CodeGraph, NodeType

from ..graph.build.test_paths import is_test
from ..search.word_index import WordIndex
from ..search.words import count_words

FORMAT = "codefuse-hf places, version 2"
_MAX_COUNT = 20  # further repetitions of a word in one file say nothing more
_LITERAL = re.compile(r"""["']([A-Za-z-][\w.:-]{2,40})["']""")
_PATH_WEIGHT, _NAME_WEIGHT, _COMMENT_WEIGHT = 5, 3, 1


@dataclass(frozen=True)
class Unit:
    """A function or class: the position of its file, its dotted name in that file, and its lines, from 1, both inclusive."""

    file: int
    name: str
    kind: str
    start_line: int
    end_line: int
    node_id: int


@dataclass(frozen=True)
class TestFile:
    """A test file: its path and the positions of the source files that it imports."""

    __test__ = False
    path: str
    imports: tuple[int, ...]


class Places:
    """Source files and units of a repository; `Places.from_graph`, or `Places.load` for what `save` wrote.

    Attributes:
        paths, texts: of the source files that are no tests, in the order of the graph.
        units: the functions and classes in them.
        tests: the test files, which are not ranked but tell what they test.
        unit_calls: int [2, n] positions of units, caller and called.
        file_words, unit_words, test_words: the words of each.
    """

    def __init__(
        self, paths: list[str], texts: list[str], units: list[Unit], tests: list[TestFile],
        unit_calls: np.ndarray, words: Mapping[str, WordIndex],
    ) -> None:  # fmt: skip
        self.paths, self.texts, self.units, self.tests = paths, texts, units, tests
        self.unit_calls = unit_calls
        self.file_words, self.unit_words, self.test_words = (words[name] for name in ("files", "units", "tests"))

    @cached_property
    def unit_files(self) -> np.ndarray:
        """int [units]: the file of each unit."""
        return np.array([unit.file for unit in self.units], np.int64)

    @cached_property
    def packages(self) -> frozenset[str]:
        """The names of the outermost Python packages."""
        folders = {path.rpartition("/")[0] for path in self.paths if path.endswith("/__init__.py")}
        return frozenset(each.rpartition("/")[2] for each in folders if each.rpartition("/")[0] not in folders)

    @cached_property
    def units_named(self) -> dict[str, list[int]]:
        """Simple name → positions of the units that have it."""
        named: dict[str, list[int]] = {}
        for position, unit in enumerate(self.units):
            named.setdefault(unit.name.rpartition(".")[2], []).append(position)
        return named

    @cached_property
    def literals(self) -> dict[str, list[tuple[int, int]]]:
        """Short text constant without blanks → files that hold it, and where in their texts."""
        found: dict[str, list[tuple[int, int]]] = {}
        for position, text in enumerate(self.texts):
            for match in _LITERAL.finditer(text):
                found.setdefault(match[1], []).append((position, match.start()))
        return found

    def unit_at(self, file: int, start: int) -> int | None:
        """Find the innermost unit around a position in the text of a file; None outside of all."""
        line = self.texts[file].count("\n", 0, start) + 1
        around = [
            unit
            for unit in self._units_of_files.get(file, ())
            if self.units[unit].start_line <= line <= self.units[unit].end_line
        ]
        return max(around, key=lambda unit: self.units[unit].start_line, default=None)

    @cached_property
    def _units_of_files(self) -> dict[int, list[int]]:
        units: dict[int, list[int]] = {}
        for position, unit in enumerate(self.units):
            units.setdefault(unit.file, []).append(position)
        return units

    @classmethod
    def from_graph(cls, graph: CodeGraph) -> "Places":
        """Read the places out of a code graph.

        Raises:
            ValueError: the graph holds no source file that is no test.
        """
        files = list(graph.nodes(NodeType.FILE))
        sources = [node for node in files if not is_test(node.file_path)]
        if not sources:
            raise ValueError("the graph holds no source file outside tests: there is no place to look for a fault")
        file_of = {node.id: position for position, node in enumerate(sources)}
        units, documents = _units(graph, file_of)
        unit_of = {unit.node_id: position for position, unit in enumerate(units)}
        tests = [node for node in files if is_test(node.file_path)]
        words = {
            "files": WordIndex.build([_words(node.text, node.file_path) for node in sources]),
            "units": WordIndex.build(documents),
            "tests": WordIndex.build([_words(node.text, node.file_path) for node in tests]),
        }
        test_files = [TestFile(node.file_path, tuple(_imported(graph, node.id, file_of))) for node in tests]
        paths, texts = [node.file_path for node in sources], [node.text or "" for node in sources]
        return cls(paths, texts, units, test_files, _calls(graph, unit_of), words)

    def save(self, path: str | os.PathLike) -> None:
        """Write everything into one safetensors file; the file appears complete or not at all."""
        from safetensors.numpy import save

        buffer = [text.encode("utf-8", "surrogatepass") for text in self.texts]
        words = {"files": self.file_words, "units": self.unit_words, "tests": self.test_words}
        described = {
            "format": FORMAT,
            "paths": self.paths,
            "sizes": [len(text) for text in buffer],
            "units": [list(asdict(unit).values()) for unit in self.units],
            "tests": [[test.path, list(test.imports)] for test in self.tests],
            "words": {name: list(index.vocabulary) for name, index in words.items()},
        }
        tensors = {"text": _bytes(b"".join(buffer)), "described": _bytes(json.dumps(described).encode())}
        tensors["unit_calls"] = np.ascontiguousarray(self.unit_calls)
        for name, index in words.items():
            tensors |= {f"{name}.{part}": array for part, array in index.tensors().items()}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(save(tensors))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Places":
        """Read what `save` wrote.

        Raises:
            OSError: there is no such file.
            ValueError: the file is something else, or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
            described = json.loads(tensors["described"].tobytes())
            if described["format"] != FORMAT:
                raise ValueError(f"its format is {described['format']!r}, expected {FORMAT!r}")
            return cls._from_parts(described, tensors)
        except (SafetensorError, KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)} holds no places of a repository ({error}): delete it") from error

    @classmethod
    def _from_parts(cls, described: dict, tensors: Mapping[str, np.ndarray]) -> "Places":
        ends = np.cumsum([0, *described["sizes"]]).tolist()
        buffer = tensors["text"].tobytes()
        texts = [buffer[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise(ends)]
        units = [Unit(*values) for values in described["units"]]
        tests = [TestFile(path, tuple(imports)) for path, imports in described["tests"]]
        counts = {"files": len(described["paths"]), "units": len(units), "tests": len(tests)}
        words = {
            name: WordIndex.from_tensors(
                described["words"][name],
                count,
                {part: tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr")},
            )
            for name, count in counts.items()
        }
        calls = tensors["unit_calls"]
        if calls.ndim != 2 or len(calls) != 2 or (calls.size and not 0 <= calls.min() <= calls.max() < len(units)):
            raise ValueError(f"unit_calls point outside the {len(units)} places")
        if any(not 0 <= unit.file < counts["files"] for unit in units) or len(texts) != counts["files"]:
            raise ValueError("units and files do not fit together")
        return cls(described["paths"], texts, units, tests, calls, words)


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _words(text: str | None, path: str) -> Counter[str]:
    words = Counter({word: min(count, _MAX_COUNT) for word, count in count_words(text or "").items()})
    for word, count in count_words(os.path.splitext(path)[0]).items():
        words[word] += _PATH_WEIGHT * count
    return words


def _units(graph: CodeGraph, file_of: Mapping[int, int]) -> tuple[list[Unit], list[Counter[str]]]:
    units, documents = [], []
    for node in graph.nodes(NodeType.CLASS, NodeType.FUNCTION, NodeType.METHOD):
        file = file_of.get(graph.file_of(node))
        if file is None:
            continue
        outer = [graph[each] for each in graph.containers(node)]
        names = [each.name for each in outer if each.type in (NodeType.CLASS, NodeType.FUNCTION, NodeType.METHOD)]
        name = ".".join([*filter(None, reversed(names)), node.name or ""])
        words = count_words(node.text or "")
        for text, weight in ((name, _NAME_WEIGHT), (node.comment or "", _COMMENT_WEIGHT)):
            for word, count in count_words(text).items():
                words[word] += weight * count
        units.append(Unit(file, name, str(node.type), node.start_line or 1, node.end_line or 1, node.id))
        documents.append(words)
    return units, documents


def _imported(graph: CodeGraph, file: int, file_of: Mapping[int, int]) -> Iterator[int]:
    targets = (graph.file_of(target) for target in graph.neighbors(file, "imports"))
    return iter(sorted({file_of[target] for target in targets if target in file_of}))


def _calls(graph: CodeGraph, unit_of: Mapping[int, int]) -> np.ndarray:
    pairs = [
        (unit_of[source], unit_of[target])
        for _, source, target in graph.edges("calls")
        if source in unit_of and target in unit_of
    ]
    return np.array(pairs, np.int64).reshape(-1, 2).T.copy()
