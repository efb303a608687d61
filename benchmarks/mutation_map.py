"""Which tests run which lines, so that a mutant is tried first with those that can notice it: part of `mutation.py`."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest


class Recorder:
    """A pytest plugin: notes for each test which lines it runs, how long it takes, and whether it fails."""

    def __init__(self, root: Path, folders: Sequence[str]):
        import coverage

        self.root = root
        include = [str(root / folder / "*") for folder in folders]
        self.coverage = coverage.Coverage(data_file=None, branch=True, include=include, config_file=False)
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)

    def found(self) -> dict:
        """`lines` (of each file: the tests that run it, by line), `seconds` and `failed`, all by the tests' names."""
        data = self.coverage.get_data()
        lines = {}
        for path in sorted(data.measured_files()):
            by_line = data.contexts_by_lineno(path).items()
            found = {line: sorted(filter(None, tests)) for line, tests in by_line if line > 0}
            lines[Path(path).relative_to(self.root).as_posix()] = found
        return {"lines": lines, "seconds": dict(self.seconds), "failed": sorted(self.failed)}


def record(root: Path, folders: Sequence[str], test_file: str, found: Path) -> None:
    """Run a test file in this process, and write to `found` which lines of the folders each of its tests runs."""
    recorder = Recorder(root, folders)
    recorder.coverage.start()
    pytest.main(["-q", "-n0", "--timeout=0", "-p", "no:cacheprovider", test_file], plugins=[recorder])
    recorder.coverage.stop()
    found.write_text(json.dumps(recorder.found()), encoding="utf-8")


class Map:
    """What `record` found, in a folder with a file for each test file: `unknown` says which are absent."""

    def __init__(self, root: Path, folder: Path):
        self.root, self.folder = root, folder
        self.known: dict[str, dict] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def unknown(self, tests: Sequence[str]) -> dict[str, Path]:
        """The test files among files and folders that were not recorded yet, each with where `record` is to write."""
        files = []
        for test in tests:
            path = self.root / test
            files += sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        absent = {}
        for path in dict.fromkeys(files):
            name = path.relative_to(self.root).as_posix()
            found = self.folder / f"{name.replace('/', '.')}.json"
            if found.exists():
                self.known.setdefault(name, json.loads(found.read_text(encoding="utf-8")))
            else:
                absent[name] = found
        return absent

    def order(self, file: str, source: str, line: int, most: int | None = None) -> Order:
        """The order of tests for a change to a line: the tests that run it come first, the quickest before the others.

        With `most` they are all that is run, and no more than so many of them.

        For a line that is run when the file is imported (a default, a constant), those that run the definition around it.
        """
        tests = self.tests_of_lines(file, [line])
        if not tests:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            around = [
                n for n in ast.walk(ast.parse(source)) if isinstance(n, kinds) and n.lineno <= line <= n.end_lineno
            ]
            inner = max(around, key=lambda node: node.lineno, default=None)
            if inner is not None:
                tests = self.tests_of_lines(file, range(inner.lineno, inner.end_lineno + 1))
        failed = {test for known in self.known.values() for test in known["failed"]}
        return Order(sorted(tests.keys() - failed, key=tests.get), failed, most)

    def tests_of_lines(self, file: str, lines: Iterable[int]) -> dict[str, float]:
        """The tests that run one of these lines of a file, with the seconds that each takes."""
        return {
            test: known["seconds"].get(test, 0.0)
            for known in self.known.values()
            for line in lines
            for test in known["lines"].get(file, {}).get(str(line), ())
        }


class Order:
    """A pytest plugin: some tests run before the others, and some not at all."""

    def __init__(self, first: Sequence[str], never: set[str], most: int | None = None):
        self.rank = {test: rank for rank, test in enumerate(first)}
        self.never, self.most = never, most

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid not in self.never]
        items.sort(key=lambda item: self.rank.get(item.nodeid, len(self.rank)))
        if self.most is not None and self.rank:
            items[:] = [item for item in items if item.nodeid in self.rank][: self.most]
