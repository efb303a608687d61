"""Turn a loaded model into a graph, or several, of one of the formats."""

import contextlib
import logging
import os
import sys

import torch
from torch import nn
from torch.export import Dim

from .formats import check_format, make_config, step_components
from .step_model import RodimusStepModel
from .step_state import SEGMENT


def export_causal_lm(model: nn.Module, format_name: str, *, quantizer=None, segment: int = SEGMENT):
    """Export a `RodimusForCausalLM` with its memory as arguments and results.

    Args:
        model: the model, in float32 (gates and states are float32 in every format).
        format_name: one of `FORMATS`.
        quantizer: as from `make_quantizer`; None for float32.
        segment: tokens of a prompt that run at a time, for formats with fixed sizes.

    Returns:
        transformers' `ExportedModel`. Formats of dynamic size have one graph, "model", for prompts and single tokens, so that
        weights exist once; others have "prefill" and "decode".

    Raises:
        ValueError: a model in another precision, or one whose memory is not of constant size.
        ImportError: the format's packages are not installed.
    """
    kind = check_format(format_name)
    _check_float32(model)
    step = RodimusStepModel(model).eval()
    components = step_components(model.config, model.config.vocab_size, kind, segment)
    exported = _export(step, format_name, components, quantizer)
    exported.generation_config = model.generation_config
    return exported


def export_encoder(model: nn.Module, format_name: str, *, quantizer=None, static_shape: tuple[int, int] = (1, 128)):
    """Export a model that reads whole texts: a `RodimusForSequenceClassification` or a `CGEModel`.

    Args:
        model: the model, in float32.
        format_name: one of `FORMATS`.
        quantizer: as from `make_quantizer`; None for float32.
        static_shape: batch and length, for formats with fixed sizes: shorter texts are padded.

    Refuses what `export_causal_lm` refuses.
    """
    kind = check_format(format_name)
    _check_float32(model)
    batch, steps = (3, 150) if kind.dynamic else static_shape
    ids = torch.arange(batch * steps).reshape(batch, steps) % 7 + 1
    mask = torch.ones_like(ids)
    mask[0, : steps // 3] = 0
    # Named sizes would have to be proved right for every length, which the chunks of a recurrence are too much for.
    names = ("input_ids", "attention_mask")
    shapes = {name: {0: Dim.AUTO, 1: Dim.AUTO} for name in names} if kind.dynamic else None
    sample = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    traced = model.eval()
    if model.config.model_type == "cge":
        from ..modeling.cge.exported_cge import CGEOutputs

        del sample["use_cache"]
        traced = CGEOutputs(model).eval()
    exported = _export(traced, format_name, {"model": (sample, shapes)}, quantizer)
    exported.config = model.config
    return exported


def _export(model: nn.Module, format_name: str, components: dict[str, tuple[dict, dict | None]], quantizer):
    from transformers.exporters import ExportedModel
    from transformers.exporters.auto import get_exporter_class

    exporter, exported = get_exporter_class(format_name)(), {}
    for name, (sample, shapes) in components.items():
        with _quiet(), _rules_of_one_result():
            part = exporter.export(model, sample, make_config(format_name, shapes, quantizer))
        exported[name] = part.components["model"]
        program = exported[name].program
        if format_name == "dynamo":
            program.example_inputs = None  # they would be pickled into the file
        _forget_sources(program, format_name)
        if format_name == "openvino":
            _leave_states_to_engine(program)
    return ExportedModel(exported, format_name, config=getattr(model, "config", None))


def _forget_sources(program, format_name: str) -> None:
    """Remove from a graph, in place, from which lines of which files of this machine its nodes came."""
    if format_name == "onnx":
        for node in program.graph.all_nodes():
            node.metadata_props.clear()
    elif format_name == "dynamo":
        for module in program.graph_module.modules():
            for node in module.graph.nodes if hasattr(module, "graph") else ():
                node.meta.pop("stack_trace", None)


def _leave_states_to_engine(program) -> None:
    """Remove from an OpenVINO model, in place, what transformers' exporter puts behind each state for other runners.

    The choice of rows for beam search copies the whole memory for every token; `OpenVINOEngine.reorder` does it where it is wanted.
    The states' initial values are not used, since `OpenVINOEngine.hold` sets them, and without that choice OpenVINO 2026.4 refuses
    to compile them ("Invalid graph status").
    """
    for parameter in program.get_parameters():
        if parameter.get_friendly_name() == "beam_idx":
            for reader in parameter.output(0).get_target_inputs():
                gather = reader.get_node()
                gather.output(0).replace(gather.input_value(0))
            program.remove_parameter(parameter)
    for op in program.get_ops():
        if op.get_type_name() == "ReadValue":
            op.set_arguments([])
    program.validate_nodes_and_infer_types()


def _check_float32(model: nn.Module) -> None:
    others = sorted({str(p.dtype) for p in model.parameters() if p.dtype != torch.float32})
    if others:
        raise ValueError(
            f"load the model in float32 to export it (dtype=torch.float32); found weights in {', '.join(others)}"
        )


@contextlib.contextmanager
def _rules_of_one_result():
    """Leave out those of onnxscript's rules that rewrite several results at once.

    It goes through the whole graph for them at every node, in vain: at 24 layers that took longer than all of the rest.
    """
    rewriter = sys.modules.get("onnxscript.rewriter")
    rules = getattr(rewriter, "_DEFAULT_REWRITE_RULES", None)
    if rules is None:
        yield
        return
    rewriter._DEFAULT_REWRITE_RULES = tuple(rule for rule in rules if _has_one_result(rule))
    try:
        yield
    finally:
        rewriter._DEFAULT_REWRITE_RULES = rules


def _has_one_result(rule) -> bool:
    pattern = getattr(rule, "_target_pattern", None)
    return getattr(pattern, "has_single_output_node", True)


@contextlib.contextmanager
def _quiet():
    """Exporters tell at length what they do, on standard output and in logs."""
    loggers = [
        logging.getLogger(name)
        for name in (
            "torch.onnx",
            "torch.onnx._internal.exporter",
            "onnx_ir",
            "onnxscript",
            "executorch",
            "onnxruntime.quantization",
            "nncf",
        )
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            yield
    finally:
        sys.stdout.flush()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
