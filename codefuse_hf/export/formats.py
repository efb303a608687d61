"""The formats that a model can be exported to, and what each needs."""

import importlib.util
from dataclasses import dataclass

import torch
from torch.export import Dim

from .step_state import StepState
from .windows import Windows, window_capacity


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        title: name of what runs it.
        packages: what must be installed to write and run it.
        extra: the extra of this package that installs them; None if nothing is missing.
        dynamic: whether one graph serves all lengths and batches. If not, a prompt runs in segments of one length (the first of
            them padded), then token by token, and a batch row by row.
    """

    title: str
    packages: tuple[str, ...]
    extra: str | None
    dynamic: bool = True


FORMATS = {
    "onnx": Format("ONNX Runtime", ("onnx", "onnxscript", "onnxruntime"), "onnx"),
    "openvino": Format("OpenVINO", ("openvino", "nncf"), "openvino"),
    "executorch": Format("ExecuTorch", ("executorch",), "executorch", dynamic=False),
    "dynamo": Format("torch.export", (), None),
}


def check_format(name: str) -> Format:
    """Return the format of that name, if it can be used here.

    Raises:
        ValueError: no such format, or transformers is too old to have exporters.
        ImportError: a package is missing; the message says how to install it.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown export format {name!r}: choose one of {', '.join(FORMATS)}")
    if importlib.util.find_spec("transformers.exporters") is None:
        import transformers

        raise ValueError(f"exporting needs transformers 5.23 or newer, found {transformers.__version__}")
    missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ImportError(
            f"{FORMATS[name].title} needs {', '.join(missing)}: pip install 'codefuse-hf[{FORMATS[name].extra}]'"
        )
    return FORMATS[name]


def make_config(name: str, dynamic_shapes: dict | None, quantizer=None):
    """Make transformers' export configuration of a format; shapes are static if there are no dynamic ones."""
    from transformers.exporters import AutoExportConfig

    shapes = {} if dynamic_shapes is None else {"dynamic": True, "dynamic_shapes": dynamic_shapes}
    config = AutoExportConfig.from_dict({"export_format": name, **shapes})
    config.quantizer = quantizer
    return config


def step_sample(config, vocab_size: int, steps: int, batch: int, places: int) -> dict:
    """Make arguments of a `RodimusStepModel` to trace it with; windows have so many places."""
    ids = torch.arange(batch * steps).reshape(batch, steps)
    positions = torch.arange(steps).repeat(batch, 1)
    positions[0] -= steps // 3
    return {
        "input_ids": ids % vocab_size,
        "positions": positions.clamp(min=-1),
        # Neither one nor as many as there are tokens, where those may vary: equal sizes would be taken for the same.
        "logits_to_keep": torch.arange(steps - (2 if batch > 1 else 1), steps),
        "past_key_values": StepState.empty(config, batch),
    } | ({"windows": Windows(config, batch, places).arguments()} if config.has_attention else {})


def dynamic_step_shapes(config) -> dict:
    """Name the sizes of `step_sample` that may vary: batch, tokens, logits that are kept, and places in the windows."""
    batch, steps, kept, places = Dim("batch"), Dim("segment"), Dim("kept"), Dim("places")
    layers = config.num_hidden_layers
    windows = {name: [{0: batch, 2: places}] * layers for name in ("keys", "values")}
    return {
        "input_ids": {0: batch, 1: steps},
        "positions": {0: batch, 1: steps},
        "logits_to_keep": {0: kept},
        "past_key_values": [{0: batch}] * 2 * layers,
    } | ({"windows": windows | {"positions": {0: batch, 1: places}}} if config.has_attention else {})


def step_components(config, vocab_size: int, format: Format, segment: int) -> dict[str, tuple[dict, dict | None]]:
    """Return sample arguments and dynamic shapes of the graphs that a Rodimus becomes, by name."""
    if format.dynamic:
        sample = step_sample(config, vocab_size, steps=7, batch=3, places=11)
        return {"model": (sample, dynamic_step_shapes(config))}
    places = window_capacity(config)
    return {
        name: (step_sample(config, vocab_size, steps, 1, places), None)
        for name, steps in (("prefill", segment), ("decode", 1))
    }
