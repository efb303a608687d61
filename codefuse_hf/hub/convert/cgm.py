"""Reader of the published CodeFuse-CGM repository, whose three parts load with no Auto class.

At the root a Qwen2 language model; in `adapter-cgm/` the adapter, a pickle; in `codet5p-110m-embedding-cgm/` the node
encoder with its tokenizer. The result is one folder for `AutoModelForCausalLM` and `AutoProcessor`.
"""

import re
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, GenerationConfig, PreTrainedModel

from ...modeling.cgm.configuration_cgm import CGMConfig
from ...modeling.cgm.from_base_cgm import CODET5P, codet5p_config, codet5p_settings, rename_codet5p
from ...modeling.cgm.modeling_cgm import CGMForCausalLM
from ...modeling.cgm.processing_cgm import CGMProcessor
from ..weights import StoredTensor, find_tensors, read_header
from .cge import load_tokenizer
from .reader import Reader

ADAPTER = Path("adapter-cgm", "adapter.pth")
ENCODER = "codet5p-110m-embedding-cgm"
_ADAPTER_NAME = re.compile(r"(?:.*\.)?(fc[12]\.(?:weight|bias))")
_DROPPED = ("architectures", "auto_map", "model_type", "_name_or_path", "transformers_version")


class CGMReader(Reader):
    """Names become `lm.*`, `adapter.fc1/fc2.*` and `encoder.*`; nothing is left out."""

    layout = f"CodeFuse-CGM (a language model with {ADAPTER.as_posix()} and {ENCODER}/)"

    @classmethod
    def matches(cls, config: dict[str, Any]) -> bool:
        """Say no: the configuration is that of any language model, so `claims` decides."""
        return False  # its config.json is that of any language model: the folder tells

    @classmethod
    def claims(cls, config: dict[str, Any], source: Path) -> bool:
        """Tell whether a folder has the adapter or the encoder of a CGM."""
        return (source / ADAPTER).is_file() or (source / ENCODER).is_dir()

    def find_tensors(self, source: Path) -> dict[str, StoredTensor]:
        """Find the tensors of all three parts, each part's name before theirs. Raises `FileNotFoundError` without the adapter."""
        if not (source / ADAPTER).is_file():
            raise FileNotFoundError(f"{source} lacks {ADAPTER.as_posix()}: download it again")
        adapter = {tensor.name: tensor for tensor in read_header(source / ADAPTER)}
        parts = {"lm": find_tensors(source), "adapter": adapter, "encoder": find_tensors(source / ENCODER)}
        return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def build(self, source: Path, config: dict[str, Any]) -> PreTrainedModel:
        """Make the model, without weights. Raises `FileNotFoundError` or `ValueError` for a part that is absent or unknown."""
        from .core import read_config

        if not (source / ENCODER).is_dir():
            raise FileNotFoundError(f"{source} lacks the folder {ENCODER}: download it again")
        kind = config.get("model_type")
        if kind not in CONFIG_MAPPING:
            raise ValueError(f"config.json names the language model {kind!r}, which transformers does not know")
        text = CONFIG_MAPPING[kind](**{key: value for key, value in config.items() if key not in _DROPPED})
        raw = read_config(source / ENCODER)
        if CODET5P not in (raw.get("architectures") or []):
            raise ValueError(f"{ENCODER}/config.json names {raw.get('architectures')!r}, expected {CODET5P}")
        encoder, width = codet5p_config(raw)
        return CGMForCausalLM(
            CGMConfig(text, encoder, adapter_hidden_dim=self._adapter_width(source), **codet5p_settings(width))
        )

    def _adapter_width(self, source: Path) -> int:
        """The width of the adapter's hidden layer, which no configuration tells."""
        for tensor in self.find_tensors(source).values():
            if tensor.name.endswith("fc1.bias") and len(tensor.shape) == 1:
                return tensor.shape[0]
        raise ValueError(f"{ADAPTER.as_posix()} has no fc1.bias: expected fc1 and fc2, each with weight and bias")

    def rename(self, name: str) -> str | None:
        """Translate the name of a tensor."""
        part, _, rest = name.partition(".")
        if part == "adapter" and (found := _ADAPTER_NAME.fullmatch(rest)):
            return f"adapter.{found.group(1)}"
        return f"encoder.{rename_codet5p(rest)}" if part == "encoder" else name

    def write_rest(self, source: Path, folder: Path, model: PreTrainedModel) -> None:
        """Write tokenizers, processor and configurations. Raises `ValueError` for a tokenizer with more tokens than its model."""
        config: CGMConfig = model.config
        tokenizers = [load_tokenizer(source), load_tokenizer(source / ENCODER)]
        for tokenizer, rows in zip(tokenizers, (config.vocab_size, config.encoder_config.vocab_size), strict=True):
            if len(tokenizer) > rows:
                raise ValueError(
                    f"a tokenizer has {len(tokenizer)} tokens, its model only {rows} (vocab_size): they do not belong "
                    "together"
                )
        tokenizers[0].padding_side = "left"
        CGMProcessor(*tokenizers, segment_length=config.segment_length).save_pretrained(folder)
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
        generation = GenerationConfig.from_model_config(config.text_config)
        if (source / "generation_config.json").is_file():
            generation = GenerationConfig.from_pretrained(source)
        generation.save_pretrained(folder)
