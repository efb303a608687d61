"""CGE as a sentence-transformers model, also in a process that cannot import this package."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from codefuse_hf import CGETransformer, code_search_prompts, to_sentence_transformer

TEXTS = ["def add(a, b): return a + b", "x", "the largest of the given numbers " * 5, ""]

WITHOUT_PACKAGE = """
import json, os, sys

class NotHere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "codefuse_hf":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotHere())
home, texts, results = sys.argv[1], json.loads(sys.argv[2]), {}
from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel

"""


@pytest.fixture
def embedder(make_model, tokenizer):
    return to_sentence_transformer(make_model(), tokenizer)


def run_without_package(code: str, home) -> dict:
    """Run `code` where `codefuse_hf` cannot be imported; it fills the dictionary `results`."""
    script = WITHOUT_PACKAGE + textwrap.dedent(code) + "\nprint('RESULTS' + json.dumps(results))"
    environment = {**os.environ, "HF_MODULES_CACHE": str(home / "modules"), "HF_HUB_OFFLINE": "1"}
    arguments = [sys.executable, "-c", script, str(home), json.dumps(TEXTS)]
    done = subprocess.run(arguments, env=environment, cwd=home, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.partition("RESULTS")[2])


def test_encode_is_the_models(embedder, make_model, tokenizer):
    np.testing.assert_allclose(embedder.encode(TEXTS), make_model().encode(TEXTS, tokenizer), atol=1e-6)


def test_vectors_do_not_depend_on_batch_company(embedder):
    alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.encode(TEXTS), alone, atol=1e-5)


def test_prompts_of_every_language_and_side():
    prompts = code_search_prompts()
    assert len(prompts) == 16
    assert prompts["query"] == "Retrieve the code that solves the following query:" and prompts["document"] == "Code:"
    assert prompts["python-query"] == "Retrieve the Python code that solves the following query:"
    assert prompts["cpp-document"] == "C++ code:"


@pytest.mark.parametrize("position", ["before", "after"])
def test_query_and_document_prompts(make_model, tokenizer, position):
    embedder = to_sentence_transformer(make_model(prompt_position=position), tokenizer)
    for encode, prompt in ((embedder.encode_query, "query"), (embedder.encode_document, "document")):
        text = embedder.prompts[prompt]
        joined = [text + t if position == "before" else t + text for t in TEXTS]
        np.testing.assert_allclose(encode(TEXTS), embedder.encode(joined), atol=1e-5)
    assert np.abs(embedder.encode_query(TEXTS) - embedder.encode(TEXTS)).max() > 1e-3


def test_similarity_and_dimensions(embedder):
    vectors = embedder.encode(TEXTS)
    np.testing.assert_allclose(embedder.similarity(vectors, vectors).numpy(), vectors @ vectors.T, atol=1e-5)
    assert embedder.similarity_fn_name == "cosine" and embedder.get_embedding_dimension() == 32


def test_truncate_dim(embedder):
    np.testing.assert_array_equal(embedder.encode(TEXTS, truncate_dim=8), embedder.encode(TEXTS)[:, :8])


def test_preprocess_pads_and_truncates_as_the_config_says(make_model, tokenizer):
    embedder = to_sentence_transformer(make_model(padding_side="left", inf_seq_length=16), tokenizer)
    features = embedder.preprocess(["x", "a long text " * 20])
    assert features["input_ids"].shape == (2, 16) and features["attention_mask"].tolist()[0] == [0] * 15 + [1]
    assert embedder.max_seq_length == 16
    embedder.max_seq_length = 5
    assert embedder.tokenize(["a long text " * 20])["input_ids"].shape == (1, 5)


def test_token_embeddings(embedder):
    vectors = embedder.encode(["x = 1"], output_value="token_embeddings")[0]
    assert vectors.shape == (len(embedder.tokenizer("x = 1")["input_ids"]), 64)


def test_encode_in_several_processes(embedder):
    pool = embedder.start_multi_process_pool(["cpu"])
    try:
        np.testing.assert_allclose(embedder.encode(TEXTS, pool=pool), embedder.encode(TEXTS), atol=1e-6)
    finally:
        embedder.stop_multi_process_pool(pool)


@pytest.mark.parametrize("inputs", [[5], [("a", "b")], [None]])
def test_what_is_not_text_is_refused(embedder, inputs):
    with pytest.raises((TypeError, ValueError)):
        embedder.encode(inputs)


def test_only_cge_models_are_wrapped(tokenizer, make_model):
    with pytest.raises(TypeError, match="wraps a CGEModel, found Linear"):
        CGETransformer(torch.nn.Linear(2, 2), tokenizer)
    with pytest.raises(TypeError, match="needs the model's tokenizer, found NoneType"):
        CGETransformer(make_model(), None)


def test_saved_folder_holds_everything(make_model, tokenizer, tmp_path):
    model = make_model(padding_side="left", inf_seq_length=77, prompt_position="after").to(torch.bfloat16)
    to_sentence_transformer(model, tokenizer).save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "modules.json").read_text())[0]["type"] == "sentence_transformers_cge.CGETransformer"
    again = SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")
    assert again.max_seq_length == 77 and again.dtype == torch.bfloat16
    assert again[0].config.padding_side == "left" and again[0].config.prompt_position == "after"
    assert again.prompts == code_search_prompts() and again.similarity_fn_name == "cosine"
    assert torch.equal(AutoModel.from_pretrained(tmp_path).mha_pma.S, model.mha_pma.S)
    card = (tmp_path / "README.md").read_text()
    assert "sentence-transformers" in card and str(tmp_path) not in card


@pytest.mark.parametrize(
    "keywords", [{"model_kwargs": {"dtype": torch.float16}}, {"model_kwargs": {"torch_dtype": torch.float16}}]
)
def test_load_arguments_reach_the_model(embedder, tmp_path, keywords):
    embedder.save_pretrained(str(tmp_path))
    loaded = SentenceTransformer(
        str(tmp_path), trust_remote_code=True, device="cpu", config_kwargs={"inf_seq_length": 9}, **keywords
    )
    assert loaded.dtype == torch.float16 and loaded.max_seq_length == 9


def test_other_backends_are_refused(embedder, tmp_path):
    embedder.save_pretrained(str(tmp_path))
    with pytest.raises(ValueError, match="'torch', 'onnx' and 'openvino', found backend='tensorrt'"):
        SentenceTransformer(str(tmp_path), trust_remote_code=True, backend="tensorrt")


def test_folder_needs_trust(embedder, tmp_path):
    embedder.save_pretrained(str(tmp_path))
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        SentenceTransformer(str(tmp_path))


@pytest.fixture(scope="module")
def without_package(make_model, tokenizer, tmp_path_factory):
    """What the folders of two models give in one process that has nothing but the folders (starting one is slow)."""
    home = tmp_path_factory.mktemp("home")
    embedders = {
        backbone: to_sentence_transformer(make_model(backbone, keep_max_layer=2), tokenizer)
        for backbone in ("qwen2", "rodimus_plus")
    }
    for backbone, embedder in embedders.items():
        embedder.save_pretrained(str(home / backbone))
    results = run_without_package(
        """
        for backbone in ("qwen2", "rodimus_plus"):
            result = results[backbone] = {}
            folder = os.path.join(home, backbone)
            model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
            result["loaded"] = model.encode(texts).tolist()
            result["query"] = model.encode_query(texts, prompt_name="python-query").tolist()
            result["package"] = type(model[0].model).__module__.partition(".")[0]
            plain = AutoModel.from_pretrained(folder, trust_remote_code=True)
            result["AutoModel"] = plain.encode(texts).tolist()
            result["layers"] = len(plain.backbone.layers)
            result["type"] = AutoConfig.from_pretrained(folder, trust_remote_code=True).model_type
            model.save_pretrained(folder + "-again")
            again = SentenceTransformer(folder + "-again", trust_remote_code=True, device="cpu")
            result["saved again"] = again.encode(texts).tolist()
            plain.save_pretrained(folder + "-auto")
            again = AutoModel.from_pretrained(folder + "-auto", trust_remote_code=True)
            result["AutoModel saved again"] = again.encode(texts, model.tokenizer).tolist()
        pool = model.start_multi_process_pool(["cpu"])
        results["rodimus_plus"]["in another process"] = model.encode(texts, pool=pool).tolist()
        model.stop_multi_process_pool(pool)
        """,
        home,
    )
    return embedders, results


@pytest.mark.parametrize("backbone", ["qwen2", "rodimus_plus"])
def test_folder_works_without_the_package(without_package, backbone):
    """Load, encode, save what was loaded, and load that: with nothing but the folder."""
    embedder, result = without_package[0][backbone], without_package[1][backbone]
    expected = embedder.encode(TEXTS)
    for way in ("loaded", "AutoModel", "saved again", "AutoModel saved again"):
        np.testing.assert_allclose(result[way], expected, atol=1e-6, err_msg=way)
    np.testing.assert_allclose(result["query"], embedder.encode(TEXTS, prompt_name="python-query"), atol=1e-6)
    assert (result["package"], result["layers"], result["type"]) == ("transformers_modules", 2, "cge")


def test_folder_without_the_package_encodes_in_several_processes(without_package):
    embedder, result = without_package[0]["rodimus_plus"], without_package[1]["rodimus_plus"]
    np.testing.assert_allclose(result["in another process"], embedder.encode(TEXTS), atol=1e-6)


# ---- at any place in a tree of modules

LOAD_TREE = """
model = SentenceTransformer("tree", trust_remote_code=True, device="cpu", cache_folder="cache")
results["query"] = model.encode_query(texts).tolist()
results["document"] = model.encode_document(texts).tolist()
model.save_pretrained("again")
model = SentenceTransformer("again", trust_remote_code=True, device="cpu")
results["again"] = model.encode_document(texts).tolist()
"""


@pytest.mark.parametrize("backbones", [("qwen2", "qwen2"), ("rodimus_plus", "qwen2")])
def test_a_router_of_two_encoders(make_model, tokenizer, tmp_path, backbones):
    from sentence_transformers.sentence_transformer.modules import Router

    query, document = (CGETransformer(make_model(backbone), tokenizer) for backbone in backbones)
    with torch.no_grad():
        document.model.mha_pma.S.add_(1.0)
    model = SentenceTransformer(modules=[Router.for_query_document([query], [document])], device="cpu")
    expected = {"query": model.encode_query(TEXTS), "document": model.encode_document(TEXTS)}
    assert np.abs(expected["query"] - expected["document"]).max() > 1e-3
    model.save_pretrained(str(tmp_path / "tree"))
    assert not list((tmp_path / "tree").glob("*.safetensors")), "weights are where their module is"
    found = run_without_package(LOAD_TREE, tmp_path)
    for side, vectors in expected.items():
        np.testing.assert_allclose(found[side], vectors, atol=1e-5)
    np.testing.assert_allclose(found["again"], expected["document"], atol=1e-5)


def test_code_is_not_written_above_a_folder_that_is_no_model(make_model, tokenizer, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    CGETransformer(make_model(), tokenizer).save(str(tmp_path / "a" / "b"))
    assert not list(tmp_path.glob("*.py")) and not list((tmp_path / "a").glob("*.py"))
