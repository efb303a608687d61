"""Weights in 8 or 4 bits, by the tools of each engine; gates, states, norms and convolutions stay in float32.

A recurrence adds up its errors, and what decides how much it forgets is small: so the projections that the gates come from are
left as they are.
"""

import numpy as np
import torch
from torch import nn

# Projections that gates come from, by their names in a Rodimus.
_KEPT = ("mem_gate_proj", "ch_gate_proj")
BITS = {"int8": 8, "int4": 4}
_ONNX_BLOCK, _NNCF_GROUP = 32, 64


def make_quantizer(model: nn.Module, format_name: str, scheme: str):
    """transformers' quantiser for weights of a model in an export format.

    Raises:
        ValueError: an unknown scheme, or a format whose engine has none.
    """
    if scheme not in BITS:
        raise ValueError(f"unknown quantisation {scheme!r}: choose one of {', '.join(BITS)}")
    kept = _Weights(p for name, p in model.named_parameters() if kept_in_float32(name))
    if format_name == "onnx":
        return _onnx_quantizer(kept, BITS[scheme])
    if format_name == "openvino":
        return _openvino_quantizer(kept, BITS[scheme])
    raise ValueError(f"the format {format_name!r} has no weights in {scheme} here: use onnx or openvino")


def kept_in_float32(name: str) -> bool:
    """Whether the layer or the weight of this name is not quantised: a projection that gates come from."""
    return any(part in name for part in _KEPT)


class _Weights:
    """A set of matrices, which a graph may hold transposed and under any name."""

    def __init__(self, parameters):
        self.keys = {self._key(p.detach().numpy()) for p in parameters if p.ndim == 2}

    def __contains__(self, array: np.ndarray) -> bool:
        return array.ndim == 2 and (self._key(array) in self.keys or self._key(array.T) in self.keys)

    @staticmethod
    def _key(array: np.ndarray) -> tuple:
        return array.shape, np.ascontiguousarray(array, dtype=np.float32).tobytes()[:4096]


def _onnx_quantizer(kept: _Weights, bits: int):
    import onnx_ir
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
    from transformers.exporters import ExportFormat, ExportQuantizer

    class MatMulNBits(ExportQuantizer):
        """Matrix products by ONNX Runtime's `MatMulNBits`, in blocks of 32 inputs; the embedding in 8 bits, each row by itself."""

        supported_formats = (ExportFormat.ONNX,)
        required_packages = ("onnx", "onnx_ir", "onnxruntime")

        def quantize(self, model, sample_inputs, export_format):
            _fold_transposed(model)
            constants = {name: value.const_value for name, value in model.graph.initializers.items()}
            spared = []
            for node in model.graph:
                if node.op_type == "MatMul" and node.inputs[1].name in constants:
                    if constants[node.inputs[1].name].numpy() in kept:
                        spared.append(node.name)
            _quantize_embedding(model, constants)
            # Symmetric: the levels of a block lie around 0, as weights do.
            config = DefaultWeightOnlyQuantConfig(
                block_size=_ONNX_BLOCK, is_symmetric=bits == 8, accuracy_level=4, bits=bits
            )
            quantizer = MatMulNBitsQuantizer(onnx_ir.to_proto(model), algo_config=config, nodes_to_exclude=spared)
            quantizer.process()
            return onnx_ir.from_proto(quantizer.model.model)

    return MatMulNBits()


def _fold_transposed(model) -> None:
    """Make matrices of transposed ones, of `onnx_ir.Model`, in place: a head that shares its weights with the embedding is
    written as the table, transposed, and only a product with a matrix itself is quantised."""
    import onnx_ir

    for node in list(model.graph):
        table = node.inputs[0].const_value if node.op_type == "Transpose" else None
        if table is None or len(table.shape) != 2 or not node.inputs[0].is_initializer():
            continue
        name = f"{node.inputs[0].name}.transposed"
        tensor = onnx_ir.tensor(np.ascontiguousarray(table.numpy().T), name=name)
        value = onnx_ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=onnx_ir.TensorType(tensor.dtype))
        model.graph.register_initializer(value)
        onnx_ir.convenience.replace_all_uses_with(node.outputs[0], value)
        model.graph.remove(node, safe=True)


def _quantize_embedding(model, constants: dict) -> None:
    """Replace the look-up in a float32 table by one in 8 bits and one of the rows' scales, of `onnx_ir.Model`, in place."""
    import onnx_ir

    for node in list(model.graph):
        table = constants.get(node.inputs[0].name) if node.op_type == "Gather" else None
        if table is None or len(table.shape) != 2 or table.dtype != onnx_ir.DataType.FLOAT:
            continue
        rows = table.numpy()
        scale = np.maximum(np.abs(rows).max(1, keepdims=True) / 127, np.finfo(np.float32).tiny)
        parts = {"q8": np.rint(rows / scale).astype(np.int8), "scale": scale.astype(np.float32)}
        looked_up = []
        for suffix, array in parts.items():
            name = f"{node.inputs[0].name}.{suffix}"
            value = onnx_ir.Value(name=name, const_value=onnx_ir.tensor(array, name=name))
            model.graph.register_initializer(value)
            looked_up.append(onnx_ir.node("Gather", [value, node.inputs[1]], {"axis": 0}))
        wide = onnx_ir.node("Cast", [looked_up[0].outputs[0]], {"to": int(onnx_ir.DataType.FLOAT)})
        product = onnx_ir.node("Mul", [wide.outputs[0], looked_up[1].outputs[0]])
        model.graph.insert_before(node, [*looked_up, wide, product])
        onnx_ir.convenience.replace_all_uses_with(node.outputs[0], product.outputs[0])
        model.graph.remove(node, safe=True)
    for name, value in list(model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del model.graph.initializers[name]


def _openvino_quantizer(kept: _Weights, bits: int):
    import nncf
    from nncf.parameters import BackupMode
    from nncf.quantization.advanced_parameters import GroupSizeFallbackMode
    from transformers.exporters import NNCFOpenVINOQuantizer, NNCFWeightCompressionConfig

    class WeightCompression(NNCFOpenVINOQuantizer):
        """NNCF's compression of weights; groups shrink where a width is no multiple of theirs."""

        def quantize(self, model, sample_inputs, export_format):
            spared = []
            for op in model.get_ordered_ops():
                if op.get_type_name() == "MatMul" and op.input_value(1).get_node().get_type_name() == "Constant":
                    if op.input_value(1).get_node().data in kept:
                        spared.append(op.get_friendly_name())
            settings = {"mode": nncf.CompressWeightsMode.INT8_ASYM}
            if bits == 4:
                # Data-free: no text has to be at hand. The first and the last layer stay in 8 bits.
                settings = {
                    "mode": nncf.CompressWeightsMode.INT4_ASYM,
                    "group_size": _NNCF_GROUP,
                    "backup_mode": BackupMode.INT8_ASYM,
                    "advanced_parameters": nncf.AdvancedCompressionParameters(
                        group_size_fallback_mode=GroupSizeFallbackMode.ADJUST
                    ),
                }
            scope = nncf.IgnoredScope(names=spared)
            return nncf.compress_weights(model, ignored_scope=scope, **settings)

    return WeightCompression(NNCFWeightCompressionConfig())


def quantize_torch(model: nn.Module, scheme: str) -> nn.Module:
    """Quantise a model's linear layers by torchao, in place: weights in 8 bits for each row, or in 4 bits for groups.

    Gates stay as they are, and so does a layer whose width no group divides; adapters (LoRA) train on top.

    Raises:
        ValueError: an unknown scheme; ImportError: torchao is missing.
    """
    from torchao.quantization import IntxWeightOnlyConfig, PerAxis, PerGroup, quantize_

    if scheme not in BITS:
        raise ValueError(f"unknown quantisation {scheme!r}: choose one of {', '.join(BITS)}")
    dtype = torch.int8 if scheme == "int8" else torch.int4
    granularity = PerAxis(0) if scheme == "int8" else PerGroup(32)

    def fits(module: nn.Module, name: str) -> bool:
        if not isinstance(module, nn.Linear) or kept_in_float32(name):
            return False
        return scheme == "int8" or module.in_features % 32 == 0

    quantize_(model, IntxWeightOnlyConfig(weight_dtype=dtype, granularity=granularity), filter_fn=fits)
    return model
