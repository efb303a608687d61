"""The embedding model that comes with the package: loads without remote code, answers as it was trained to."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("faiss")
pytest.importorskip("bm25s")

from codefuse_hf.cli import main
from codefuse_hf.search import DEFAULT_MODEL, CodeIndex, load_default_model
from codefuse_hf.search.default_model import FOLDER
from codefuse_hf.search.places import default_folder

# Descriptions and functions that no package holds word for word.
PAIRS = {
    "remove duplicates from a list while keeping the order": (
        "def unique(items):\n    seen = set()\n    return [x for x in items if not (x in seen or seen.add(x))]"
    ),
    "read a json file and return its contents": "def load(path):\n    with open(path) as file:\n        return json.load(file)",
    "compute the mean and the standard deviation of an array": (
        "def statistics(values):\n    mean = sum(values) / len(values)\n"
        "    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))"
    ),
    "send an http request and retry on failure": (
        "def fetch(url, attempts):\n    for _ in range(attempts):\n        try:\n            return requests.get(url)\n"
        "        except ConnectionError:\n            time.sleep(1)"
    ),
    "sort the nodes of a directed graph topologically": (
        "def order(graph):\n    ready = [n for n in graph.nodes if graph.in_degree(n) == 0]\n    while ready:\n"
        "        node = ready.pop()\n        yield node\n        for other in graph.successors(node):\n            ready.append(other)"
    ),
    "parse command line arguments": (
        "def arguments(argv):\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--output')\n"
        "    return parser.parse_args(argv)"
    ),
}


@pytest.fixture(scope="module")
def model():
    return load_default_model()


def test_finds_functions_by_descriptions(model):
    scores = model.similarity(model.encode_query(list(PAIRS)), model.encode_document(list(PAIRS.values()))).numpy()
    assert np.isfinite(scores).all()
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    assert (1 / (1 + ranks)).mean() > 0.6  # at random: 0.41


def test_is_small_and_has_no_code_of_its_own(model):
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) <= 15e6
    assert [file.name for file in FOLDER.glob("*.py")] == ["__init__.py"]
    assert "auto_map" not in json.loads((FOLDER / "config.json").read_text())
    assert {parameter.dtype.itemsize for parameter in model.parameters()} == {4}


def test_command_uses_it_by_default(tmp_path, capsys):
    for i, code in enumerate(PAIRS.values()):
        (tmp_path / f"module_{i}.py").write_text(code + "\n")
    assert main(["index", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == DEFAULT_MODEL
    index = CodeIndex.load(default_folder(tmp_path))
    assert index.search("order of graph nodes", mode="vectors", kinds=("function",))[0].score > 0
    assert main(["search", "--path", str(tmp_path), "read a json file"]) == 0
    assert "module_1.py" in capsys.readouterr().out
    assert main(["index", str(tmp_path), "--words-only", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] is None


def test_its_name_costs_no_torch():
    code = "import sys; from codefuse_hf.search import DEFAULT_MODEL\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
