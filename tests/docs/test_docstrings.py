"""The first line of a public function's docstring says what the function does: a verb, and what it is done to."""

import ast
import functools
from collections.abc import Iterator

import pytest

from helpers import TESTS

ROOT = TESTS.parent

FILES = [
    path.relative_to(ROOT).as_posix()
    for room in ("codefuse_hf", "modeling", "kernels")
    for path in sorted((ROOT / room).rglob("*.py"))
]
# Words that begin a description of a thing, or of a case, and no sentence about what is done.
WORDS = """
    a about all an another any args arguments as beginnings bool both by bytes cached class cosines dense dotted each every everything file files float
    for from functions gated given how if in inputs it items its kernels keys keywords modules new no none normalised nothing number of one or other
    our outputs parameters positional positions private relevance rows same softmax some something source such that the there these this those token
    tokens two units variables weight weighted what when where whether which whole width with without
"""
NO_VERBS = frozenset(WORDS.split())


def public_names(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Dotted names of classes, functions, methods and properties; setters belong to their properties."""
    for each in node.body:
        if not isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or each.name.startswith("_"):
            continue
        if not any(ast.unparse(decorator).endswith(".setter") for decorator in each.decorator_list):
            yield prefix + each.name, each
        if isinstance(each, ast.ClassDef):
            yield from public_names(each, f"{prefix}{each.name}.")


def public_functions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names and docstrings of functions and methods; properties describe a value, so they are left out."""
    for name, node in public_names(tree):
        described = any("property" in ast.unparse(decorator) for decorator in node.decorator_list)
        if not isinstance(node, ast.ClassDef) and not described and (docstring := ast.get_docstring(node)):
            yield name, docstring


def without_docstring() -> Iterator[tuple[str, str, bool]]:
    """File, name, and whether a method of that name says in another class what it does, as one that it overrides would."""
    found = [(file, *each) for file in FILES for each in public_names(parsed(file))]
    documented = {name.rpartition(".")[2] for _, name, node in found if "." in name and ast.get_docstring(node)}
    for file, name, node in found:
        if not ast.get_docstring(node):
            yield file, name, "." in name and name.rpartition(".")[2] in documented


@functools.cache
def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def test_there_are_docstrings_to_look_at():
    found = [name for file in FILES for name, _ in public_functions(parsed(file))]
    assert len(found) > 800 and "RodimusModel.forward" in found and "build_code_graph" in found


@pytest.mark.parametrize("file", [f for f in FILES if not f.endswith("_triton.py")])
def test_the_first_line_begins_with_a_verb(file):
    wrong = []
    for name, docstring in public_functions(parsed(file)):
        first = docstring.split()[0].rstrip(",:;.")
        if not first.isalpha() or not first[0].isupper() or first.lower() in NO_VERBS:
            wrong.append(f"{name}: {docstring.splitlines()[0]}")
    assert not wrong, "begin with what the function does:\n" + "\n".join(wrong)


def test_what_is_public_says_what_it_does():
    """What overrides need not."""
    missing = [f"{file}: {name}" for file, name, overrides in without_docstring() if not overrides]
    assert missing == []
