"""The documents name what is there."""

import ast
import re
import tomllib

import pytest

import codefuse_hf
from helpers import TESTS

ROOT = TESTS.parent
DOCUMENTS = ("docs/ARCHITECTURE.md", "docs/SERVING.md", "docs/getting_started.md", "CONTRIBUTING.md", "README.md")
# `path/to/file.py`, `path/to/file.py:Class.method` or `path/to/test.py::test`
REFERENCE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.py)(?:::?([\w.]+))?`")
FOLDER = re.compile(r"`((?:codefuse_hf|modeling|kernels|tests|docs|model_cards|benchmarks|examples)(?:/[\w-]+)*/?)`")


def references() -> list[tuple[str, str, str | None]]:
    found = [
        (document, path, name or None)
        for document in DOCUMENTS
        for path, name in REFERENCE.findall((ROOT / document).read_text(encoding="utf-8"))
        if "/" in path
    ]
    return list(dict.fromkeys(found))


def names_of(tree: ast.Module) -> set[str]:
    """Classes, functions, methods and assigned names of a module, dotted."""
    names = set()
    pending = [("", node) for node in tree.body]
    while pending:
        prefix, node = pending.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            pending += [(f"{prefix}{node.name}.", child) for child in node.body]
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize(("document", "path", "name"), references())
def test_files_and_names_in_the_documents_exist(document, path, name):
    assert (ROOT / path).is_file(), f"{document} names {path}"
    if name is not None:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in names_of(tree), f"{document} names {name} in {path}"


def test_the_walks_are_walks():
    """Guards the test above: the pattern finds the references."""
    walked = [reference for reference in references() if reference[0] == "docs/ARCHITECTURE.md"]
    assert len(walked) > 30 and sum(name is not None for *_, name in walked) > 25
    assert len(FOLDER.findall((ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize("document", DOCUMENTS)
def test_folders_in_the_documents_exist(document):
    for folder in FOLDER.findall((ROOT / document).read_text(encoding="utf-8")):
        assert (ROOT / folder).is_dir(), f"{document} names {folder}"


def test_every_operator_has_its_test():
    files = [*(TESTS / "kernels").rglob("*.py"), *(TESTS / "helpers").glob("*.py")]
    tests = "".join(path.read_text(encoding="utf-8") for path in files)
    for source in sorted((ROOT / "kernels").glob("*.py")):
        if source.stem != "__init__":
            assert re.search(rf"\b{source.stem}\b", tests), f"no test in tests/kernels imports {source.name}"


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version == codefuse_hf.__version__
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
