"""CGE in ONNX Runtime or OpenVINO: the backends "onnx" and "openvino" of sentence-transformers.

sentence-transformers' own backends go through optimum, which knows a fixed list of architectures; here transformers' exporters
make the graph, and it lies in a subfolder of the backend's name.
"""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from transformers.utils import ModelOutput

BACKENDS = ("onnx", "openvino")


class CGEGraph(nn.Module):
    """An exported `CGEModel`, called as the model is; it has no weights of its own.

    Args:
        exported: transformers' `ExportedModel` of `export_cge`.
        config: the model's configuration.
        backend: "onnx" or "openvino".
    """

    def __init__(self, exported: Any, config: Any, backend: str):
        super().__init__()
        self.exported, self.config, self.backend = exported, config, backend

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> ModelOutput:
        """Return `embedding` `[batch, embedding_dim]` and `last_hidden_state` `[batch, seq_len, hidden_size]` of `[batch, seq_len]`."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        outputs = self.exported(input_ids=input_ids.cpu(), attention_mask=mask.cpu().long())
        return ModelOutput(embedding=outputs["sentence_embedding"], last_hidden_state=outputs["token_embeddings"])

    def save_pretrained(self, folder: str) -> None:
        """Write the configuration and, in a subfolder of the backend's name, the graph."""
        self.config.save_pretrained(folder)
        self.exported.save_pretrained(Path(folder) / self.backend)


def load_graph(source: str, config: Any, backend: str, load_model: Any, hub_kwargs: dict[str, Any]) -> CGEGraph:
    """Load the graph in a model's folder; made from its weights, as `load_model()` gives them, where there is none.

    Raises:
        ValueError: a backend that there is not; ImportError: what the backend needs is missing.
    """
    if backend not in BACKENDS:
        raise ValueError(f"CGE runs on the backends 'torch', 'onnx' and 'openvino', found backend={backend!r}.")
    try:
        from transformers.exporters import ExportedModel
    except ImportError as error:
        raise ImportError("The backends 'onnx' and 'openvino' need transformers 5.23 or newer.") from error
    subfolder = f"{hub_kwargs.get('subfolder', '')}/{backend}".strip("/")
    keys = ("token", "cache_dir", "revision", "local_files_only")
    kwargs = {key: hub_kwargs[key] for key in keys if hub_kwargs.get(key) is not None}
    runner = {"config": {"INFERENCE_PRECISION_HINT": "f32"}} if backend == "openvino" else {}
    try:
        exported = ExportedModel.from_pretrained(source, subfolder=subfolder, **kwargs, **runner)
    except OSError:
        exported = export_cge(load_model(), backend)
        exported.to(**runner)
    return CGEGraph(exported, config, backend)


class CGEOutputs(nn.Module):
    """A `CGEModel` that returns a plain dictionary, which needs no class to be read back.

    The names are not the model's own: transformers' ONNX exporter calls outputs by their names even where another value of the
    graph has that name already, and the look-up of tokens is called `embedding`; ONNX Runtime refuses such a graph.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Embed tokens, `[batch, length]`: each text's vector and each token's hidden state, by sentence-transformers' names."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return {"sentence_embedding": output.embedding, "token_embeddings": output.last_hidden_state}


def export_cge(model: nn.Module, backend: str) -> Any:
    """Export a `CGEModel`, in float32, for any batch and length and padding anywhere.

    Returns:
        transformers' `ExportedModel`.
    """
    from transformers.exporters import AutoExportConfig, AutoHfExporter

    # Named sizes would have to be proved right for every length, which the chunks of a recurrence are too much for.
    shapes = {name: {0: Dim.AUTO, 1: Dim.AUTO} for name in ("input_ids", "attention_mask")}
    # Longer than two chunks of a recurrent backbone, so that nothing is taken for one.
    ids = torch.ones(3, 150, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, :40] = 0
    settings = {"export_format": backend, "dynamic": True, "dynamic_shapes": shapes}
    config = AutoExportConfig.from_dict(settings)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    sample = {"input_ids": ids, "attention_mask": mask}
    exported = AutoHfExporter.from_config(config).export(CGEOutputs(model.float().eval()), sample, config)
    if backend == "onnx":
        for node in exported.components["model"].program.graph.all_nodes():
            node.metadata_props.clear()  # from which lines of which files of this machine it came
    return exported


__all__ = ["BACKENDS", "CGEGraph", "CGEOutputs", "export_cge", "load_graph"]
