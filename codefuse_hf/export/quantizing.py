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
        head = model.get_output_embeddings()
        return _onnx_quantizer(kept, _Weights([] if head is None else [head.weight]), BITS[scheme])
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


def _onnx_quantizer(kept: _Weights, heads: _Weights, bits: int):
    import onnx_ir
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
    from transformers.exporters import ExportFormat, ExportQuantizer

    def quantized(model, bits: int, excluded: list[str]):
        # Symmetric in 8 bits: the levels of a block lie around 0, as weights do.
        config = DefaultWeightOnlyQuantConfig(
            block_size=_ONNX_BLOCK, is_symmetric=bits == 8, accuracy_level=4, bits=bits
        )
        quantizer = MatMulNBitsQuantizer(onnx_ir.to_proto(model), algo_config=config, nodes_to_exclude=excluded)
        quantizer.process()
        return onnx_ir.from_proto(quantizer.model.model)

    class MatMulNBits(ExportQuantizer):
        """Matrix products by ONNX Runtime's `MatMulNBits`, in blocks of 32 inputs; the head and the embedding in 8 bits, as one
        table where they are one."""

        supported_formats = (ExportFormat.ONNX,)
        required_packages = ("onnx", "onnx_ir", "onnxruntime")

        def quantize(self, model, sample_inputs, export_format):
            _fold_transposed(model)
            spared, last = [], []
            for node in model.graph:
                weight = node.inputs[1].const_value if node.op_type == "MatMul" else None
                if weight is not None and len(weight.shape) == 2:
                    array = weight.numpy()
                    spared += [node.name] if array in kept else []
                    last += [node.name] if array in heads else []
            if bits == 4:
                model = quantized(model, 4, spared + last)
            model = quantized(model, 8, spared)
            _quantize_embedding(model)
            return model

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
        value = _constant(model, name, np.ascontiguousarray(table.numpy().T))
        onnx_ir.convenience.replace_all_uses_with(node.outputs[0], value)
        model.graph.remove(node, safe=True)


def _quantize_embedding(model) -> None:
    """Replace look-ups in float32 tables by ones in 8 bits, of `onnx_ir.Model`, in place: in the head's table if it is the same,
    else in one whose rows have a scale each."""
    constants = model.graph.initializers
    for node in list(model.graph):
        table = node.inputs[0].const_value if node.op_type == "Gather" else None
        if table is None or len(table.shape) != 2 or table.dtype.name != "FLOAT" or not node.inputs[0].is_initializer():
            continue
        head = f"{node.inputs[0].name}.transposed"
        if f"{head}_Q8" in constants and table.shape[1] % _ONNX_BLOCK == 0:
            _look_up(model, node, constants[f"{head}_Q8"], constants[f"{head}_scales"])
            continue
        rows = table.numpy()
        scale = np.maximum(np.abs(rows).max(1, keepdims=True) / 127, np.finfo(np.float32).tiny)
        quantized = (np.rint(rows / scale) + 128).astype(np.uint8)[:, None]
        parts = [
            _constant(model, f"{node.inputs[0].name}.{suffix}", x)
            for suffix, x in (("q8", quantized), ("scale", scale))
        ]
        _look_up(model, node, *parts)
    for name, value in list(constants.items()):
        if not value.uses() and not value.is_graph_output():
            del constants[name]


def _constant(model, name: str, array: np.ndarray):
    import onnx_ir

    tensor = onnx_ir.tensor(array, name=name)
    value = onnx_ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=onnx_ir.TensorType(tensor.dtype))
    model.graph.register_initializer(value)
    return value


def _look_up(model, node, numbers, scales) -> None:
    """Put a look-up in blocks of numbers from 0 to 255, `[rows, blocks, block]`, and their scales in the place of a `Gather`."""
    import onnx_ir

    count, blocks = numbers.const_value.shape[:2]
    name, places, width = node.inputs[0].name, node.inputs[1], node.inputs[0].const_value.shape[1]
    dims = len(places.shape)
    constants = {
        "zero": np.float32(128),
        "last": np.array([-1]),
        "of_scales": np.array([count, blocks]),
        "of_rows": np.array([0] * dims + [width]),
    }
    zero, last, of_scales, of_rows = (_constant(model, f"{name}.{key}", np.asarray(x)) for key, x in constants.items())
    steps = []

    def add(kind: str, *inputs, **attributes):
        steps.append(onnx_ir.node(kind, inputs, attributes))
        return steps[-1].outputs[0]

    wide = add("Cast", add("Gather", numbers, places, axis=0), to=int(onnx_ir.DataType.FLOAT))
    scale = add("Unsqueeze", add("Gather", add("Reshape", scales, of_scales), places, axis=0), last)
    rows = add("Reshape", add("Mul", add("Sub", wide, zero), scale), of_rows)
    model.graph.insert_before(node, steps)
    onnx_ir.convenience.replace_all_uses_with(node.outputs[0], rows)
    model.graph.remove(node, safe=True)


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
    """Quantise a model's linear layers by torchao, in place: weights in 8 bits for each row, or in 4 bits for groups of 32.

    Gates stay as they are, and so does a layer whose width no group divides; adapters (LoRA) train on top. A head that shares its
    weights with the embedding gets quantised ones of its own. On a CPU torchao makes wide weights again at every call: this saves
    memory, and no time; for speed, export to ONNX Runtime or OpenVINO.

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
