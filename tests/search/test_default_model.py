"""The embedding model that comes with the package: loads without remote code, answers as it was trained to."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("faiss")

from codefuse_hf.cli import main
from codefuse_hf.search import DEFAULT_MODEL, CodeIndex, load_default_model
from codefuse_hf.search.default_model import FOLDER
from codefuse_hf.search.places import default_folder
from codefuse_hf.search.small_cge import SmallCGE

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


def test_numpy_gives_the_vectors_of_pytorch(model):
    texts = [
        *PAIRS,
        *PAIRS.values(),
        "",
        " ",
        "x",
        "naïve Übersetzung 漢字 <eos>",
        "word " * 95,
        "word " * 96,
        "word " * 500,
        "a" * 3000,
        " " * 3000,
    ]
    small = SmallCGE.load(FOLDER)
    expected = model.encode_document(texts, convert_to_numpy=True)
    for batch_size in (1, 4, 32):
        found = small.encode_document(texts, batch_size=batch_size)
        assert found.dtype == np.float32 and (found * expected).sum(1).min() > 0.9999
    np.testing.assert_allclose(small.encode_query(list(PAIRS)), model.encode_query(list(PAIRS)), atol=1e-5)


def test_vectors_have_length_1_whatever_the_pooling_gives():
    """Also where it gives less than 1: as a model with other norms would."""
    short = SmallCGE.load(FOLDER)
    for name in ("mha_pma.mab.ln1.weight", "mha_pma.mab.ln1.bias"):
        short.weights[name] = short.weights[name] * np.float32(1e-3)
    texts = ["read a json file", "x"]
    vectors = short.encode_document(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors, SmallCGE.load(FOLDER).encode_document(texts), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_method": "mean"}, "embedding_method 'mean'"),
        ({"pma_norm_mode": "pre_gptj"}, "pma_norm_mode"),
        ({"text_config": {"model_type": "qwen2"}}, "model_type 'qwen2'"),
        ({"text_config": {"num_key_value_heads": 1}}, "num_key_value_heads 1"),
        ({"text_config": {"rope_parameters": {"rope_theta": 1e4, "rope_type": "yarn"}}}, "rope_type 'yarn'"),
    ],
)
def test_numpy_refuses_what_it_does_not_know(change, message):
    config = json.loads((FOLDER / "config.json").read_text())
    config |= {**change, "text_config": config["text_config"] | change.get("text_config", {})}
    with pytest.raises(ValueError, match=message):
        SmallCGE(config, {}, None)


def test_a_query_needs_no_torch(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    return 1\n")
    code = (
        "import sys; from codefuse_hf.cli import main\n"
        "assert main(['index', sys.argv[1]]) == 0 and main(['search', '--path', sys.argv[1], 'f']) == 0\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stderr == "", "no progress bars without a terminal"


def test_its_name_costs_no_torch():
    code = "import sys; from codefuse_hf.search import DEFAULT_MODEL\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
