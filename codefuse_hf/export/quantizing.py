"""Weights in 8 or 4 bits, by the tools of each engine; gates, states, norms and convolutions stay in float32.

A recurrence adds up its errors, and what decides how much it forgets is small: so the projections that the gates come from are
left as they are.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ..free_memory import give_back
from .torch_layers import Int4Linear, Int8Embedding, Int8Linear, Rows

# Projections that gates come from, by their names in a Rodimus.
_KEPT = ("mem_gate_proj", "ch_gate_proj")
BITS = {"int8": 8, "int4": 4}
_NNCF_GROUP = 128


def make_quantizer(model: nn.Module, format_name: str, scheme: str):
    """Make transformers' quantiser for weights of a model in an export format.

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
    """Tell whether the layer or weight of this name is not quantised: a projection that gates come from."""
    return any(part in name for part in _KEPT)


class _Weights:
    """A set of matrices, which a graph may hold transposed and under any name."""

    def __init__(self, parameters):
        self.keys = {self._key(p.detach().numpy()) for p in parameters if p.ndim == 2}

    def __contains__(self, array: np.ndarray) -> bool:
        return array.ndim == 2 and (self._key(array) in self.keys or self._key(array.T) in self.keys)

    @staticmethod
    def _key(array: np.ndarray) -> tuple:
        first = array[: 1 + 1024 // max(array.shape[1], 1)]  # no copy of the whole: a table may have a gigabyte
        return array.shape, np.ascontiguousarray(first, dtype=np.float32).tobytes()[:4096]


def _onnx_quantizer(kept: _Weights, bits: int):
    from transformers.exporters import ExportFormat, ExportQuantizer

    class MatMulNBits(ExportQuantizer):
        """Matrix products by ONNX Runtime's `MatMulNBits`: see `quantize_onnx`."""

        supported_formats = (ExportFormat.ONNX,)
        required_packages = ("onnx", "onnx_ir", "onnxruntime")

        def quantize(self, model, sample_inputs, export_format):
            from .quantizing_onnx import quantize_onnx

            return quantize_onnx(model, bits, kept)

    return MatMulNBits()


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
                # Data-free: no text has to be at hand.
                settings = {
                    "mode": nncf.CompressWeightsMode.INT4_ASYM,
                    "group_size": _NNCF_GROUP,
                    "all_layers": True,  # the embedding and the head too
                    "backup_mode": BackupMode.INT8_ASYM,
                    "advanced_parameters": nncf.AdvancedCompressionParameters(
                        group_size_fallback_mode=GroupSizeFallbackMode.ADJUST
                    ),
                }
            scope = nncf.IgnoredScope(names=spared)
            compressed = nncf.compress_weights(model, ignored_scope=scope, **settings)
            _store_in_half(compressed, kept)
            return compressed

    return WeightCompression(NNCFWeightCompressionConfig())


def _store_in_half(model, kept: _Weights) -> None:
    """Store matrices of an OpenVINO model in float16, in place; it computes in float32 with them.

    (`compress_to_fp16` leaves out what exponentials depend on, and so all of these.)
    """
    import openvino.opset14 as operators

    for op in model.get_ordered_ops():
        if op.get_type_name() == "Constant" and op.get_element_type().get_type_name() == "f32" and op.data in kept:
            wide = operators.convert(operators.constant(op.data.astype(np.float16)), "f32")
            for reader in op.output(0).get_target_inputs():
                reader.replace_source_output(wide.output(0))


def quantize_torch(model: nn.Module, scheme: str, for_training: bool = False) -> nn.Module:
    """Quantise a model's linear layers, in place; gates stay as they are.

    Args:
        model: the model, on a CPU.
        scheme: "int8" for weights in 8 bits, with a scale for each output, or "int4": in 4 bits, with one for each group of inputs.
        for_training: make weights of torchao, on which adapters (LoRA) train, but which are made wide again at every call. Otherwise
            the model can only be run, fast: its products are computed in bfloat16, a head and an embedding that share their
            weights share a table in 8 bits, and the window of a Rodimus+ is kept in bfloat16.

    Raises:
        ValueError: an unknown scheme; ImportError: torchao is missing, where it is needed.
    """
    if scheme not in BITS:
        raise ValueError(f"unknown quantisation {scheme!r}: choose one of {', '.join(BITS)}")
    if for_training:
        return _quantize_torchao(model, scheme)
    replace_layers(model, scheme)
    return model


def replace_layers(model: nn.Module, scheme: str, rows_of: Callable[[str], Rows] | None = None) -> None:
    """Put layers with weights in few bits in the place of a model's linear layers, one after another.

    Args:
        model: the model, changed in place.
        scheme: "int8" or "int4".
        rows_of: gives the weights of the layer of a name, where the model's own are on the meta device.
    """
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    tied = head is not None and head.weight is table.weight
    for name in [name for name, _ in model.named_modules()]:
        module = model.get_submodule(name)
        if isinstance(module, nn.Linear) and not kept_in_float32(name):
            four = scheme == "int4" and Int4Linear.fits(module) and not (tied and module is head)
            rows = None if rows_of is None else rows_of(name)
            model.set_submodule(name, Int4Linear(module, rows) if four else Int8Linear(module, rows))
            del module
            give_back()  # wide weights lay between what is kept
        elif hasattr(module, "window_dtype"):
            module.window_dtype = torch.bfloat16  # as precise as the products that keys and values come from
    if tied:
        model.set_input_embeddings(Int8Embedding(model.get_output_embeddings(), table.weight.dtype))


def _quantize_torchao(model: nn.Module, scheme: str) -> nn.Module:
    """Weights in 8 bits for each row, or in 4 for groups of 32, but where no group divides the width."""
    from torchao.quantization import IntxWeightOnlyConfig, PerAxis, PerGroup, quantize_

    dtype = torch.int8 if scheme == "int8" else torch.int4
    granularity = PerAxis(0) if scheme == "int8" else PerGroup(32)

    def fits(module: nn.Module, name: str) -> bool:
        if not isinstance(module, nn.Linear) or kept_in_float32(name):
            return False
        return scheme == "int8" or module.in_features % 32 == 0

    quantize_(model, IntxWeightOnlyConfig(weight_dtype=dtype, granularity=granularity), filter_fn=fits)
    return model
