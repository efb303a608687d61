"""Run an exported Rodimus as if it were the model: `generate` with all that it offers, a cache, padding."""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import ADAPTER_CONFIG_NAME

from ..hub.download import fetch_repository
from ..hub.exported_folder import MANIFEST, read_manifest
from ..modeling.cache_names import CACHE_NAME, takes_cache
from .engines import ENGINES


class ExportedMemory(Cache):
    """The memory of an exported model.

    Attributes:
        memory: what its graph gives out anew; what that is made of is the engine's business.
        windows: keys and values of a Rodimus+, which its graph reads, `Windows`; None for a Rodimus.
        real: tokens that each row has seen, without padding, int64 `[batch]`.
        seen: tokens that all rows have seen, padding included.
    """

    def __init__(self, engine, batch: int):
        self.engine, self.seen = engine, 0
        self.memory, self.windows = engine.start(batch), engine.windows(batch)
        self.real = torch.zeros(batch, dtype=torch.long)
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
        rows = beam_idx.cpu()
        self.memory, self.real = self.engine.reorder(self.memory, rows), self.real[rows]
        if self.windows is not None:
            self.windows.reorder(rows)

    def read(self, ids: torch.Tensor, mask: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Read a segment: tokens and which of them are real, `[batch, tokens]`, padding in front.

        Returns:
            Logits at the places `keep`, `[batch, kept, vocab_size]`.
        """
        positions = torch.where(mask.bool(), self.real[:, None] + mask.cumsum(1) - 1, -1)
        self.real = self.real + mask.sum(1)
        if self.windows is not None:
            self.windows.make_room(int(self.real.max()))
        logits, self.memory, written = self.engine.step(self.memory, self.windows, ids, positions, keep)
        if self.windows is not None:
            self.windows.write(positions, **written)
        self.seen += ids.shape[1]
        return logits

    def nbytes(self) -> int:
        """Return its size in bytes."""
        return self.engine.size(self.memory) + (0 if self.windows is None else self.windows.nbytes())


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

    def __init__(
        self, engine, config: PreTrainedConfig, generation_config: GenerationConfig, export_format: str, folder: Path
    ):
        super().__init__(config)
        self.engine, self.generation_config, self.export_format = engine, generation_config, export_format
        self.folder = folder

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        threads: int | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
    ) -> "ExportedCausalLM":
        """Load an exported folder.

        Args:
            folder: the folder, or a repo id.
            threads: of the engine; by default all cores.
            trust_remote_code: needed for the format "dynamo", since files of `torch.export` can hold pickled data.
            revision: branch, tag or commit of the repository.

        Raises:
            ValueError: not an exported Rodimus; OSError: no such folder or repository, or a file is missing; ImportError: the
                engine is not installed.
        """
        folder = fetch_repository(str(folder), revision)
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
        kind = (config.architectures or [config.model_type])[0]
        if config.model_type != "rodimus" or "Classification" in kind:
            raise ValueError(f"{folder} holds an exported {kind}, which does not generate text")
        if any(
            "positions" not in entry.get("metadata", {}).get("kwargs", {}) for entry in manifest["components"].values()
        ):
            raise ValueError(f"{folder} was exported by an earlier version of codefuse-hf: export the model again")
        has_settings = (folder / "generation_config.json").is_file()
        settings = (
            GenerationConfig.from_pretrained(folder) if has_settings else GenerationConfig.from_model_config(config)
        )
        return cls(ENGINES[name](folder, manifest["components"], config, threads), config, settings, name, folder)

    def save_pretrained(
        self, save_directory: str | Path, push_to_hub: bool = False, repo_id: str | None = None, **kwargs: Any
    ) -> None:
        """Copy the folder that this was loaded from, with the settings of `generate` as they are now.

        Args:
            save_directory: the folder to write; made if need be.
            push_to_hub: also upload it, to `repo_id`, or to the folder's name in one's own account.
            kwargs: of `push_to_hub`; what only weights in PyTorch could heed is ignored.
        """
        target = Path(save_directory)
        target.mkdir(parents=True, exist_ok=True)
        if not target.samefile(self.folder):
            for file in self.folder.iterdir():
                if file.is_file():
                    shutil.copy(file, target / file.name)
        self.generation_config.save_pretrained(target)
        if push_to_hub:
            known = ("commit_message", "commit_description", "private", "token", "revision", "create_pr", "tags")
            self.push_to_hub(repo_id or target.name, **{name: kwargs[name] for name in known if name in kwargs})

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
        labels: torch.LongTensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Read tokens.

        Args:
            input_ids: `[batch, seq_len]`.
            attention_mask: 1 for real tokens, 0 for padding (anywhere), `[batch, past_len + seq_len]` or `[batch, seq_len]`.
            past_key_values: the memory of what came before; changed in place.
            logits_to_keep: of how many of the last positions logits are wanted; 0 for all.
            labels: tokens to predict, `[batch, seq_len]`, as in PyTorch: the loss of each from the tokens before it, −100 left out.

        Returns:
            Logits `[batch, kept, vocab_size]`, the memory and, with labels, the loss (without gradients).

        Raises:
            ValueError: no token ids, a mask that does not fit them, or what a graph cannot do: hidden states, attention weights,
                positions of one's own, sequences packed in a row.
        """
        check_tokens(input_ids, self.config.vocab_size)
        input_ids = input_ids.long()
        batch, steps = input_ids.shape
        memory = ExportedMemory(self.engine, batch) if past_key_values is None else past_key_values
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if mask.shape not in ((batch, steps), (batch, memory.seen + steps)):
            raise ValueError(
                f"attention_mask must have shape {(batch, memory.seen + steps)}, got {tuple(mask.shape)}: the {memory.seen} "
                f"tokens in the cache plus the {steps} new ones"
            )
        mask = mask[:, -steps:].long()
        _check_asked(kwargs, mask)
        # Graphs want padding in front.
        order = mask.argsort(dim=1, stable=True)
        moved = bool((mask != mask.gather(1, order)).any())
        if moved:
            input_ids, mask = input_ids.gather(1, order), mask.gather(1, order)
        first = 0 if moved or logits_to_keep == 0 else steps - logits_to_keep
        logits = []
        start = 0
        while start < steps:
            stop = self.engine.stop_of_segment(start, steps, first)
            # A graph computes at least one row of logits.
            keep = torch.arange(max(min(first, stop - 1), start) - start, stop - start)
            out = memory.read(input_ids[:, start:stop], mask[:, start:stop], keep)
            if stop > first:
                logits.append(out)
            start = stop
        logits = torch.cat(logits, 1)
        if moved:
            places = order.argsort(1)[..., None].expand(-1, -1, logits.shape[2])
            logits = logits.gather(1, places)[:, -logits_to_keep:]
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(loss=loss, logits=logits, **{CACHE_NAME: memory})

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
        _check_asked(vars(generation_config))
        if model_kwargs.get(CACHE_NAME) is None:
            batch = batch_size * max(generation_config.num_beams, generation_config.num_return_sequences)
            model_kwargs[CACHE_NAME] = ExportedMemory(self.engine, batch)


def check_tokens(input_ids: torch.Tensor, vocab_size: int) -> None:
    """Refuse what a graph would take for other tokens, or fail at without a word of tokens."""
    if input_ids.ndim != 2 or input_ids.numel() == 0 or input_ids.is_floating_point():
        raise ValueError(
            f"input_ids must be token ids of shape [batch, seq_len], at least one; got {input_ids.dtype} of shape "
            f"{tuple(input_ids.shape)}"
        )
    least, most = input_ids.aminmax()
    if least < 0 or most >= vocab_size:
        raise ValueError(f"input_ids must be from 0 to {vocab_size - 1}, got {int(least)} to {int(most)}")


def _check_asked(kwargs: dict[str, Any], mask: torch.Tensor | None = None) -> None:
    """Refuse what would be left out in silence."""
    for name in ("output_hidden_states", "output_attentions"):
        if kwargs.get(name):
            raise ValueError(f"{name}: an exported model gives logits alone; load the PyTorch model")
    packed = [name for name in ("position_ids", "seq_idx", "cu_seq_lens_q") if kwargs.get(name) is not None]
    if packed or (mask is not None and (mask > 1).any()):
        raise ValueError(
            f"{', '.join(packed) or 'numbers above 1 in attention_mask'}: an exported model counts positions itself and reads no "
            "packed sequences; give each a row of its own, padded"
        )


def model_folder(source: str | Path) -> Path:
    """Find the folder of a model, in PyTorch (or an adapter of one) or exported; of a repo id, the download of its data.

    Raises:
        OSError: neither a folder nor a repo id, or a folder without a model; no such repository; no network.
    """
    folder = fetch_repository(str(source))
    if not any((folder / name).is_file() for name in (MANIFEST, "config.json", ADAPTER_CONFIG_NAME)):
        raise FileNotFoundError(
            f"{source} holds no model: it has neither config.json, as save_pretrained writes it, nor {MANIFEST}, as "
            "codefuse-hf export does"
        )
    return folder
