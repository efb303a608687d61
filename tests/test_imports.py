"""The picture of imports: it has no circles, and arrows run one way."""

import ast
import functools
import re
from pathlib import Path

import networkx
import pytest

from helpers import TESTS

ROOT = TESTS.parent

# Where files of the package lie, by the name that they are imported by.
FOLDERS = {
    "codefuse_hf": ROOT / "codefuse_hf",
    "codefuse_hf.modeling": ROOT / "modeling",
    "codefuse_hf.kernels": ROOT / "kernels",
}


def modules() -> dict[str, Path]:
    found = {}
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


def imported(path: Path, name: str, known: dict[str, Path], inside_functions: bool) -> set[str]:
    """The project's modules that a file imports when it is imported itself (and those that its functions import)."""
    tree, names = ast.parse(path.read_text(encoding="utf-8")), set()
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree) if inside_functions else statements(tree.body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*base, *((node.module or "").split("."))]).strip(".")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {x for x in names if x in known} - {name}


def statements(body: list[ast.stmt]):
    """The statements that run at import: not those of functions, nor those for type checkers only."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from statements(handler.body)


@functools.cache
def import_graph(inside_functions: bool = False) -> networkx.DiGraph:
    known = modules()
    graph = networkx.DiGraph()
    for name, path in known.items():
        graph.add_edges_from((name, target) for target in imported(path, name, known, inside_functions))
    return graph


def test_no_circles():
    graph = import_graph()
    assert graph.number_of_edges() > 300  # the reading above found something
    # A package whose names are lazy imports nothing of its files, so that each circle is one between files.
    circles = [sorted(x) for x in networkx.strongly_connected_components(graph) if len(x) > 1]
    assert circles == []


def rooms() -> dict[str, set[str] | None]:
    """Who may import whom, beside itself, as `docs/ARCHITECTURE.md` has it in its table of rooms; None: all."""
    text = (
        (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    )
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            names, _, allowed = line.strip("| ").split(" | ")
            for name in ROOM.findall(names):
                found[name] = None if allowed == "all of the above" else set(ROOM.findall(allowed))
    return found


ROOM = re.compile(r"`(?:codefuse_hf/)?(\w+)/`")


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in (ROOT / "codefuse_hf").glob("*/__init__.py")}
    assert set(rooms()) == folders | {"modeling", "kernels"}


@pytest.mark.parametrize("room", [room for room, allowed in rooms().items() if allowed is not None])
def test_a_room_imports_what_the_table_says_and_nothing_else(room):
    edges = [(source.split("."), target.split(".")) for source, target in import_graph(inside_functions=True).edges]
    found = {target[1] for source, target in edges if source[1:2] == [room] and len(target) > 1}
    assert (found & set(rooms())) - {room} == rooms()[room]
