"""The notebooks run from top to bottom at a reduced size, and what they claim holds: they assert it themselves."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from helpers import TESTS

FOLDER = TESTS.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run(name: str, folder: Path, parameters: dict, **environment: str) -> nbformat.NotebookNode:
    """Execute a notebook in `folder` with other values for its parameters, as papermill does; an error of a cell is raised."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    place, cell = next((i, c) for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
    for parameter in parameters:
        assert f"\n{parameter} = " in f"\n{cell.source}", f"{name} has no parameter {parameter}"
    assignments = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(assignments))
    client = NotebookClient(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return client.execute(env=os.environ | environment)


def shown(notebook: nbformat.NotebookNode) -> str:
    """All text that the notebook's cells wrote."""
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def pictures(notebook: nbformat.NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_repository_as_a_graph(tmp_path):
    executed = run("repository_as_a_graph", tmp_path, {})
    assert pictures(executed) == 1 and (tmp_path / "graph.html").stat().st_size > 10_000


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebooks_have_the_form_of_a_cookbook(notebook):
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    first = content.cells[0]
    assert notebook.stem == notebook.stem.lower() and first.cell_type == "markdown"
    assert first.source.startswith("# ") and "\n_Authored by: " in first.source
    assert content.metadata.kernelspec.name == "python3"


def test_committed_notebooks_have_no_outputs():
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"run nbstripout (a pre-commit hook): {result.stdout}{result.stderr}"
