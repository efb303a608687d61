"""Reader of the published Rodimus and Rodimus+ repositories: our own names, but neither code nor chat template."""

import sys
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedModel

from ...modeling.rodimus.configuration_rodimus import RodimusConfig
from ...modeling.rodimus.modeling_rodimus import RodimusForCausalLM
from ...modeling.rodimus.tokenization_rodimus_fast import RodimusTokenizer
from .reader import Reader


class RodimusReader(Reader):
    """Tensor names are those of `RodimusForCausalLM`; kernel switches in the configuration are ignored."""

    layout = "Rodimus and Rodimus+ (model_type rodimus)"

    @classmethod
    def matches(cls, config: dict[str, Any]) -> bool:
        """Tell whether a configuration is that of a Rodimus."""
        return config.get("model_type") == "rodimus"

    def build(self, source: Path, config: dict[str, Any]) -> PreTrainedModel:
        """Make the model, without weights."""
        return RodimusForCausalLM(RodimusConfig.from_pretrained(source))

    def write_rest(self, source: Path, folder: Path, model: PreTrainedModel) -> None:
        """Write tokenizer, configuration and generation settings."""
        config = model.config
        tokenizer = self._tokenizer(source, config)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
            for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
                if getattr(config, name) is None:
                    setattr(config, name, getattr(tokenizer, name))
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
        self._generation_config(source, config).save_pretrained(folder)

    def _tokenizer(self, source: Path, config: RodimusConfig) -> RodimusTokenizer | None:
        if not (source / "tokenizer.json").is_file():
            print(f"note: {source} has no tokenizer.json, so the result has no tokenizer", file=sys.stderr)
            return None
        tokenizer = RodimusTokenizer.from_pretrained(source)
        if len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens, the model only {config.vocab_size} (vocab_size): "
                "they do not belong together"
            )
        return tokenizer

    def _generation_config(self, source: Path, config: RodimusConfig) -> GenerationConfig:
        if (source / "generation_config.json").is_file():
            generation = GenerationConfig.from_pretrained(source)
        else:
            generation = GenerationConfig()
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if getattr(generation, name) is None:
                setattr(generation, name, getattr(config, name))
        return generation
