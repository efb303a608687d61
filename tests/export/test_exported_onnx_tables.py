"""Quantised ONNX models: a head and an embedding that share their weights share one table in few bits."""

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
    size = VOCABULARY * WIDTH // (1 if scheme == "int8" else 2)
    tables = {x.name: x for x in graph.initializer if math.prod(x.dims) == size}
    assert {x.data_type for x in tables.values()} == {onnx.TensorProto.UINT8}
    assert len(tables) == (1 if tied else 2)
    assert max(math.prod(x.dims) for x in graph.initializer) == size
    uses = sorted((node.op_type, name) for node in graph.node for name in node.input if name in tables)
    assert [kind for kind, _ in uses] == ["Gather", "MatMulNBits"]
    assert {name for _, name in uses} == set(tables)
    ids = make_ids(2, 20)
    exact, got = model(ids).logits, ExportedCausalLM.from_pretrained(tmp_path, threads=1)(ids).logits
    assert (got - exact).norm() / exact.norm() < (0.05 if scheme == "int8" else 0.25)


@pytest.mark.parametrize(
    ("width", "block"), [(16, 16), (48, 16), (64, 64), (96, 32), (512, 128), (1368, 128), (1000, 128), (200, 16)]
)
def test_blocks_are_as_large_as_leaves_little_of_the_last_one_empty(width, block):
    from codefuse_hf.export.quantizing_onnx import block_of

    assert block_of(width) == block


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_a_table_whose_last_block_is_not_full_gives_rows_of_its_width(scheme):
    import onnx_ir
    import onnxruntime

    from codefuse_hf.export.quantizing_onnx import quantize_onnx

    table = torch.randn(7, 250).numpy()
    value = onnx_ir.Value(name="table", const_value=onnx_ir.tensor(table, name="table"))
    places = onnx_ir.Input("places", shape=onnx_ir.Shape([2, "n"]), type=onnx_ir.TensorType(onnx_ir.DataType.INT64))
    node = onnx_ir.node("Gather", [value, places], {"axis": 0})
    node.outputs[0].type, node.outputs[0].name = onnx_ir.TensorType(onnx_ir.DataType.FLOAT), "rows"
    graph = onnx_ir.Graph([places], node.outputs, nodes=[node], initializers=[value], opset_imports={"": 20}, name="g")
    model = quantize_onnx(onnx_ir.Model(graph, ir_version=10), 8 if scheme == "int8" else 4, ())
    session = onnxruntime.InferenceSession(onnx_ir.to_proto(model).SerializeToString())
    ids = [[3, 0, 6], [3, 2, 2]]
    (rows,) = session.run(["rows"], {"places": ids})
    assert rows.shape == (2, 3, 250)
    assert abs(rows - table[ids]).max() < abs(table).max() / (120 if scheme == "int8" else 7)


def test_no_rule_of_the_optimizer_goes_through_the_whole_graph_at_every_node(monkeypatch):
    from onnxscript import rewriter

    everything, seen = rewriter._DEFAULT_REWRITE_RULES, []
    apply = rewriter.RewritePass.call
    monkeypatch.setattr(rewriter.RewritePass, "call", lambda self, model: seen.append(self.rules) or apply(self, model))
    export_causal_lm(make_model(recurrent(n_layer=1)), "onnx")
    assert seen and len(seen[0].rules) > 20
    assert all(rule._target_pattern.has_single_output_node for rules in seen for rule in rules.rules)
    assert rewriter._DEFAULT_REWRITE_RULES is everything
