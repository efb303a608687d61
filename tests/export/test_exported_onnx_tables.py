"""Quantised ONNX models: a head and an embedding that share their weights share one table in 8 bits."""

import math

import pytest
import torch

from codefuse_hf.export.exported_model import ExportedCausalLM
from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.quantizing import make_quantizer
from helpers.exporting import needs_format
from helpers.models_rodimus import make_ids, make_model, recurrent

VOCABULARY, WIDTH = 512, 64  # no other matrix has as many numbers
pytestmark = needs_format("onnx")


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_table_is_there_once_if_head_and_embedding_are_one(tied, scheme, tmp_path):
    import onnx

    model = make_model(recurrent(vocab_size=VOCABULARY, d_model=WIDTH, n_layer=1, tie_word_embeddings=tied))
    export_causal_lm(model, "onnx", quantizer=make_quantizer(model, "onnx", scheme)).save_pretrained(tmp_path)
    graph = onnx.load(next(tmp_path.glob("*.onnx"))).graph
    tables = {x.name: x for x in graph.initializer if math.prod(x.dims) == VOCABULARY * WIDTH}
    assert {x.data_type for x in tables.values()} == {onnx.TensorProto.UINT8}
    assert len(tables) == (1 if tied else 2)
    assert max(math.prod(x.dims) for x in graph.initializer) == VOCABULARY * WIDTH
    uses = sorted((node.op_type, name) for node in graph.node for name in node.input if name in tables)
    assert [kind for kind, _ in uses] == ["Gather", "MatMulNBits"]
    assert {name for _, name in uses} == set(tables)
    ids = make_ids(2, 20)
    exact, got = model(ids).logits, ExportedCausalLM.from_pretrained(tmp_path, threads=1)(ids).logits
    assert (got - exact).norm() / exact.norm() < (0.05 if scheme == "int8" else 0.25)
