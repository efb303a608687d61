"""Run an exported Rodimus as if it were the model: `generate` with all that it offers, a cache, padding."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast

from ..modeling.cache_names import CACHE_NAME, takes_cache
from .engines import ENGINES
from .step_model import SEGMENT

MANIFEST = "export.json"


class ExportedMemory(Cache):
    """The memory of an exported model; what it is made of is the engine's business."""

    def __init__(self, engine, batch: int):
        self.engine, self.batch, self.seen, self.memory = engine, batch, 0, engine.start(batch)
        self.layers = []  # transformers' own; it asks each of them

    @property
    def is_compileable(self) -> bool:
        """Always False: transformers would compile the model around it."""
        return False

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Count the tokens that this memory has seen, padding included."""
        return self.seen

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Put rows in the order `beam_idx`."""
        self.memory = self.engine.reorder(self.memory, beam_idx.cpu())

    def nbytes(self) -> int:
        """Return its size in bytes."""
        return self.engine.size(self.memory)


class ExportedCausalLM(PreTrainedModel, GenerationMixin):
    """A `RodimusForCausalLM` that runs outside of PyTorch, from a folder written by `export_folder`.

    ```python
    >>> model = ExportedCausalLM.from_pretrained("rodimus-onnx")
    >>> model.generate(**tokenizer("def add(", return_tensors="pt"), max_new_tokens=50)
    ```
    """

    main_input_name = "input_ids"
    input_modalities = ("text",)
    _is_stateful = True
    _supports_sdpa = True

    def __init__(self, engine, config: PreTrainedConfig, generation_config: GenerationConfig, export_format: str):
        super().__init__(config)
        self.engine, self.generation_config, self.export_format = engine, generation_config, export_format

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, threads: int | None = None, trust_remote_code: bool = False
    ) -> "ExportedCausalLM":
        """Load an exported folder.

        Args:
            folder: the folder.
            threads: of the engine; by default all cores.
            trust_remote_code: needed for the format "dynamo", since files of `torch.export` can hold pickled data.

        Raises:
            ValueError: not an exported Rodimus; OSError: a file is missing; ImportError: the engine is not installed.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        name = manifest["export_format"]
        if name == "dynamo" and not trust_remote_code:
            raise ValueError(
                f"{folder} holds a torch.export archive, which can run code when it is read: pass trust_remote_code=True if "
                "you trust its author"
            )
        from .formats import check_format

        check_format(name)
        config = AutoConfig.from_pretrained(folder)
        if config.model_type != "rodimus":
            raise ValueError(f"{folder} holds an exported {config.model_type!r} model, which does not generate text")
        has_settings = (folder / "generation_config.json").is_file()
        settings = (
            GenerationConfig.from_pretrained(folder) if has_settings else GenerationConfig.from_model_config(config)
        )
        return cls(ENGINES[name](folder, manifest["components"], config, threads), config, settings, name)

    @property
    def device(self) -> torch.device:
        """Where inputs and outputs are."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the logits."""
        return torch.float32

    @takes_cache
    def forward(
        self,
        input_ids: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: ExportedMemory | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Read tokens.

        Args:
            input_ids: `[batch, seq_len]`.
            attention_mask: 1 for real tokens, 0 for padding (anywhere), `[batch, past_len + seq_len]` or `[batch, seq_len]`.
            past_key_values: the memory of what came before; changed in place.
            logits_to_keep: of how many of the last positions logits are wanted; 0 for all.

        Returns:
            Logits `[batch, kept, vocab_size]` and the memory.

        Raises:
            ValueError: a mask that does not fit the tokens.
        """
        batch, steps = input_ids.shape
        memory = ExportedMemory(self.engine, batch) if past_key_values is None else past_key_values
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if mask.shape not in ((batch, steps), (batch, memory.seen + steps)):
            raise ValueError(
                f"attention_mask must have shape {(batch, memory.seen + steps)}, got {tuple(mask.shape)}: the {memory.seen} "
                f"tokens in the cache plus the {steps} new ones"
            )
        mask = mask[:, -steps:].long()
        # Graphs want padding in front.
        order = mask.argsort(dim=1, stable=True)
        moved = bool((mask != mask.gather(1, order)).any())
        if moved:
            input_ids, mask = input_ids.gather(1, order), mask.gather(1, order)
        first = 0 if moved or logits_to_keep == 0 else steps - logits_to_keep
        logits = []
        for start in range(0, steps, SEGMENT):
            stop = min(start + SEGMENT, steps)
            # A graph computes at least one row of logits.
            keep = torch.arange(max(min(first, stop - 1), start) - start, stop - start)
            out, memory.memory = self.engine.step(memory.memory, input_ids[:, start:stop], mask[:, start:stop], keep)
            if stop > first:
                logits.append(out)
        memory.seen += steps
        logits = torch.cat(logits, 1)
        if moved:
            places = order.argsort(1)[..., None].expand(-1, -1, logits.shape[2])
            logits = logits.gather(1, places)[:, -logits_to_keep:]
        return CausalLMOutputWithPast(logits=logits, **{CACHE_NAME: memory})

    @takes_cache
    def prepare_inputs_for_generation(
        self, input_ids, past_key_values=None, attention_mask=None, logits_to_keep=None, **kwargs
    ):
        """Choose what `forward` gets: the tokens that the memory has not seen yet, and logits of the last one."""
        seen = 0 if past_key_values is None else past_key_values.seen
        return {
            "input_ids": input_ids[:, seen:],
            "attention_mask": attention_mask,
            CACHE_NAME: past_key_values,
            "logits_to_keep": 1 if logits_to_keep is None else logits_to_keep,
        }

    def _prepare_cache_for_generation(
        self, generation_config, model_kwargs, generation_mode, batch_size, *args, **kwargs
    ):
        if model_kwargs.get(CACHE_NAME) is None:
            batch = batch_size * max(generation_config.num_beams, generation_config.num_return_sequences)
            model_kwargs[CACHE_NAME] = ExportedMemory(self.engine, batch)


def model_folder(source: str | Path) -> Path:
    """Find the folder of a model, in PyTorch or exported; of a repo id, the download of its data.

    Raises:
        OSError: neither a folder nor a repo id, or a folder without a model; no such repository; no network.
    """
    from ..hub.download import fetch_repository

    folder = fetch_repository(str(source))
    if not is_exported(folder) and not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{source} holds no model: it has neither config.json, as save_pretrained writes it, nor {MANIFEST}, as "
            "codefuse-hf export does"
        )
    return folder


def is_exported(folder: str | Path) -> bool:
    """Tell whether a folder holds an exported model."""
    return (Path(folder) / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what an exported folder says of its graphs.

    Raises:
        ValueError: no such folder, or a manifest that cannot be right.
    """
    if not is_exported(folder):
        raise ValueError(f"{folder} is not an exported model: it has no {MANIFEST}. Make one with codefuse-hf export")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = [entry["file"] for entry in manifest["components"].values()]
        known = manifest["export_format"] in ENGINES
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / MANIFEST} is not the manifest of an exported model: {error!r}") from error
    if not known or not all(isinstance(file, str) and Path(file).name == file for file in files):
        raise ValueError(f"{folder / MANIFEST} names an unknown format or files outside of the folder")
    for file in files:
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} lacks {file}, which its {MANIFEST} names")
    return manifest
