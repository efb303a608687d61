"""CGE in ONNX Runtime and OpenVINO, as a graph and as a backend of sentence-transformers."""

import importlib.util

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from codefuse_hf import to_sentence_transformer
from codefuse_hf.modeling.cge.exported_cge import CGEGraph, export_cge
from codefuse_hf.modeling.cge.ragged_cge import RaggedBatch
from helpers.models_cge import VOCAB

TEXTS = ["def add(a, b): return a + b", "x", "the largest of the given numbers " * 5, ""]


def backend(name: str, *packages: str):
    missing = [package for package in ("transformers.exporters", *packages) if not importlib.util.find_spec(package)]
    return pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"))


ONNX = backend("onnx", "onnxscript", "onnxruntime")


@pytest.mark.parametrize("name", [ONNX, backend("openvino", "openvino")])
def test_backends_give_pytorchs_embeddings_and_save_themselves(name, make_model, tokenizer, tmp_path):
    embedder = to_sentence_transformer(make_model(), tokenizer)
    embedder.save_pretrained(str(tmp_path / "torch"))
    expected = embedder.encode(TEXTS)
    made = SentenceTransformer(str(tmp_path / "torch"), trust_remote_code=True, backend=name, device="cpu")
    made.save_pretrained(str(tmp_path / "saved"))
    assert (tmp_path / "saved" / name / "export.json").is_file()
    assert not list((tmp_path / "saved").glob("*.safetensors"))
    loaded = SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True, backend=name, device="cpu")
    for other in (made, loaded):
        cosine = (other.encode(TEXTS) * expected).sum(1) / np.linalg.norm(expected, axis=1) ** 2
        assert cosine.min() >= 0.9999


@pytest.mark.parametrize("name", [ONNX])
def test_a_recurrent_backbone_gives_pytorchs_embeddings_at_every_length(name, make_model):
    model = make_model("rodimus", keep_max_layer=1)
    graph = CGEGraph(export_cge(model, name), model.config, name)
    for batch, length in ((1, 1), (2, 9), (3, 64), (2, 150)):
        ids = torch.randint(1, VOCAB, (batch, length), generator=torch.Generator().manual_seed(length))
        mask = torch.ones_like(ids)
        mask[0, : length // 3] = 0
        mask[-1, length - length // 4 :] = 0
        with torch.no_grad():
            expected = model(input_ids=ids, attention_mask=mask).embedding
        assert torch.cosine_similarity(graph(ids, mask).embedding, expected).min() >= 0.9999


def test_a_graph_moves_tokens_as_the_model_does(monkeypatch):
    torch.manual_seed(0)
    mask = torch.rand(4, 7) > 0.4
    mask[0], mask[1] = True, False
    inputs = torch.randn(4, 7, 3)
    plain = RaggedBatch(inputs, mask)
    # In PyTorch 2.11 this says so of every graph that is compiled.
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert RaggedBatch(inputs, mask).num_tokens == plain.num_tokens == mask.sum()
    monkeypatch.setattr(torch.compiler, "_is_exporting_flag", True)
    traced = RaggedBatch(inputs, mask)
    assert traced.num_tokens == 0
    width = plain.inputs.shape[1]
    real = traced.mask[:, :width]
    torch.testing.assert_close(traced.inputs[:, :width][real], plain.inputs[real])
    torch.testing.assert_close(traced.restore(traced.inputs), inputs * mask[..., None])
