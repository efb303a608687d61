"""The map of `benchmarks/mutation.py` from files to their tests is complete, and its mutants are still there."""

import json
from types import SimpleNamespace

import mutation
import pytest
from mutation_map import Map

FILES = [
    path.relative_to(mutation.ROOT).as_posix()
    for folder in mutation.FOLDERS
    for path in sorted((mutation.ROOT / folder).rglob("*.py"))
    if path.name != "__init__.py"
]


@pytest.mark.parametrize("file", FILES)
def test_each_file_has_tests(file):
    assert all((mutation.ROOT / test).exists() for test in mutation.tests_of(file))


def test_the_mutants_that_went_unnoticed_once():
    for _, file, what, mutated in mutation.named():
        assert what["diff"].startswith("-")
        compile(mutated, file, "exec")
        assert mutation.differs((mutation.ROOT / file).read_text(encoding="utf-8"), mutated)


def test_annotations_are_left_out():
    source = "def f(a: int | None, *b: str) -> list[int]:\n    c: dict = {}\n    return a + 1\n"
    lines = source.splitlines()
    found = [lines[line - 1][start:end] for (line, start), (_, end) in mutation.annotations(source)]
    assert sorted(found) == ["dict", "int | None", "list[int]", "str"]


def test_tests_that_run_a_line_come_first(tmp_path):
    source = "x = 1\ndef f(\n    y=2,\n):\n    return y\n"
    lines = {"1": [], "2": [], "3": [], "5": ["t::slow", "t::quick"]}
    found = {"lines": {"a.py": lines}, "seconds": {"t::slow": 2.0, "t::quick": 0.1}, "failed": ["t::bad"]}
    (tmp_path / "tests.t.py.json").write_text(json.dumps(found))
    known = Map(tmp_path / "root", tmp_path)
    assert known.unknown(["tests/t.py", "tests/u.py"]) == {"tests/u.py": tmp_path / "tests.u.py.json"}
    for line, first in ((5, ["t::quick", "t::slow"]), (3, ["t::quick", "t::slow"]), (1, [])):
        order = known.order("a.py", source, line)
        assert list(order.rank) == first
        items = [SimpleNamespace(nodeid=test) for test in ("t::other", "t::bad", "t::slow", "t::quick")]
        order.pytest_collection_modifyitems(items)
        rest = [test for test in ("t::other", "t::slow", "t::quick") if test not in first]
        assert [item.nodeid for item in items] == first + rest
