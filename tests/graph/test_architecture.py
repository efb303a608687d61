"""What docs/ARCHITECTURE.md says of the code graph is so: its example, and the files and names that it sends a reader to."""

import ast
import re
from pathlib import Path

import pytest

from codefuse_hf.graph import build_code_graph

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
PLACES = re.findall(r"`(codefuse_hf/graph/[\w/]+\.py)`(?:: ((?:`[\w.]+`(?:, )?)+))?", TEXT)


def names_in(path: Path) -> set[str]:
    """The functions, classes and methods that a file defines."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            found.update(f"{node.name}.{each.name}" for each in ast.walk(node) if isinstance(each, ast.FunctionDef))
    return found


@pytest.mark.parametrize("path", sorted({path for path, _ in PLACES}))
def test_what_a_reader_is_sent_to_is_there(path):
    wanted = {name for each, names in PLACES if each == path for name in re.findall(r"`([\w.]+)`", names)}
    assert (ROOT / path).exists()
    assert wanted <= names_in(ROOT / path)


def test_the_example_has_the_edge_that_is_followed(tmp_path):
    example = re.search(r"```python\n(class Till.*?)```", TEXT, re.DOTALL)[1]
    (tmp_path / "shop.py").write_text(example)
    graph = build_code_graph(tmp_path, progress=False)
    assert [(graph[a].qualified_name, graph[b].qualified_name) for _, a, b in graph.edges("calls")] == [
        ("shop", "shop.Till.add")
    ]
