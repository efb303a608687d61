"""Reader of the published code embedding models: CodeFuse-CGE-Large and -Small, and C2LLM.

Their `config.json` is flat: the backbone's keys with the pooling's beside them. The result is a sentence-transformers
folder that also loads with `AutoModel`.
"""

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ...modeling.cge.configuration_cge import CGEConfig
from ...modeling.cge.modeling_cge import CGEModel
from ...modeling.cge.prompts_cge import c2llm_prompts, code_search_prompts
from .reader import Reader

# As in the folders that sentence-transformers saves; that library need not be installed to convert.
_MODULE = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers_cge.CGETransformer"}

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_ARCHITECTURE = re.compile(r"CodeFuse_CGE|CodeFuseCGE|CGEModel|C2LLM", re.IGNORECASE)


class CGEReader(Reader):
    """Tensor names are those of `CGEModel`; the LM head and the layers above `keep_max_layer` are left out."""

    layout = "CodeFuse-CGE and C2LLM (architectures CodeFuse_CGE_Large, CodeFuse_CGE_Small, C2LLMForEmbedding)"

    def __init__(self):
        self._left_out: re.Pattern = re.compile("(?!)")  # nothing, until the model is known
        self._backbone = "plm_model.model."
        self._prompts: dict[str, str] = {}

    @classmethod
    def matches(cls, config: dict[str, Any]) -> bool:
        """Tell whether a configuration is that of a CGE."""
        names = [*(config.get("architectures") or []), str(config.get("model_type"))]
        return any(_ARCHITECTURE.search(str(name)) for name in names) or config.get("model_type") == "cge"

    def build(self, source: Path, config: dict[str, Any]) -> PreTrainedModel:
        """Make the model, without weights, with the prompts and the longest input that the folder names."""
        _check_tokenizer(source)
        own = CGEConfig.from_pretrained(source)
        self._prompts = c2llm_prompts() if config.get("model_type") == "c2llm" else code_search_prompts()
        longest = _longest_input(source, config)
        if longest is not None:
            own.inf_seq_length = longest
        model = CGEModel(own)
        # Older checkpoints also store the rotary frequencies of each layer, which are computed.
        patterns = [*model._keys_to_ignore_on_load_unexpected, r"rotary_emb\.inv_freq$"]
        self._left_out = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
        self._backbone = f"plm_model.{model.backbone.base_model_prefix or 'model'}."
        return model

    def rename(self, name: str) -> str | None:
        """Translate the name of a tensor; None leaves it out."""
        # A backbone that was stored without its causal LM around it lacks one part of the name.
        if name.startswith("plm_model.") and not name.startswith((self._backbone, "plm_model.lm_head.")):
            name = self._backbone + name.removeprefix("plm_model.")
        return None if self._left_out.search(name) else name

    def write_rest(self, source: Path, folder: Path, model: PreTrainedModel) -> None:
        """Write tokenizer, configuration and the files of sentence-transformers.

        Raises `ValueError` for a tokenizer with more tokens than the model.
        """
        tokenizer = load_tokenizer(source)
        rows = model.config.vocab_size
        if len(tokenizer) > rows:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens, the model only {rows} (vocab_size): they do not belong "
                "together"
            )
        tokenizer.padding_side = model.config.padding_side
        tokenizer.save_pretrained(folder)
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        write_sentence_transformers_files(folder, self._prompts)


def _check_tokenizer(source: Path) -> None:
    if not any((source / name).is_file() for name in _TOKENIZER_FILES):
        raise FileNotFoundError(f"{source} has no tokenizer: expected one of {', '.join(_TOKENIZER_FILES)}")


def load_tokenizer(source: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a folder, from its data alone."""
    # What tokenizer.json says is taken as it is: the classes by model type would rebuild parts of it.
    if (source / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(source)
    return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def _longest_input(source: Path, config: dict[str, Any]) -> int | None:
    """The longest input that only the folder's sentence-transformers file tells."""
    file = source / "sentence_bert_config.json"
    if "inf_seq_length" in config or not file.is_file():
        return None
    try:
        longest = json.loads(file.read_text(encoding="utf-8"))["max_seq_length"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} holds no max_seq_length: {error}") from error
    if type(longest) is not int or longest < 1:  # true is no number
        raise ValueError(f"{file}: max_seq_length must be a positive integer, found {longest!r}")
    return longest


def write_sentence_transformers_files(folder: Path, prompts: dict[str, str]) -> None:
    """Make a sentence-transformers folder of one that has weights, configuration, code and tokenizer."""
    versions = {"sentence_transformers": "sentence-transformers", "transformers": "transformers", "pytorch": "torch"}
    settings = {
        "model_type": "SentenceTransformer",
        "__version__": {key: version for key, name in versions.items() if (version := _installed_version(name))},
        "prompts": prompts,
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    (folder / "modules.json").write_text(json.dumps([_MODULE], indent=2) + "\n", encoding="utf-8")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
