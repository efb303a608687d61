"""The map of `benchmarks/mutation.py` from files to their tests is complete, and its mutants are still there."""

import mutation
import pytest

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
