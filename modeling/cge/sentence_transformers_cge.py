"""CGE as a sentence-transformers model: one module that tokenizes (with prompts), runs the model and pools.

This file travels beside the weights, where `modules.json` names it as `sentence_transformers_cge.CGETransformer`.
Everything that the module needs (longest input, padding side, place of the prompt, dtype) is in the model's own
`config.json`, so that `SentenceTransformer(path, trust_remote_code=True)` needs no further argument.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.dynamic_module_utils import get_relative_import_files

from .encoding_cge import check_texts, tokenize_texts
from .exported_cge import load_graph
from .prompts_cge import code_search_prompts

try:
    from sentence_transformers.base.modules import InputModule
except ImportError:  # sentence-transformers 5
    from sentence_transformers.models import InputModule


class CGETransformer(InputModule):
    """The only module of a CGE sentence-transformers model.

    Args:
        model: a `CGEModel`.
        tokenizer: its tokenizer.

    ```python
    >>> from sentence_transformers import SentenceTransformer
    >>> from transformers import AutoTokenizer
    >>> from codefuse_hf import CGEModel, CGETransformer, code_search_prompts

    >>> model = CGEModel.from_backbone("Qwen/Qwen2.5-Coder-0.5B", embedding_dim=512)
    >>> tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-Coder-0.5B")
    >>> embedder = SentenceTransformer(modules=[CGETransformer(model, tokenizer)], prompts=code_search_prompts())
    ```
    """

    # sentence-transformers writes `<module>.<class>` into modules.json. In a folder that travels this must be the
    # file beside the weights, wherever the class was imported from here.
    __module__ = "sentence_transformers_cge"

    save_in_root = True

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        super().__init__()
        if getattr(getattr(model, "config", None), "model_type", None) != "cge":
            raise TypeError(f"CGETransformer wraps a CGEModel, found {type(model).__name__}.")
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            raise TypeError(f"CGETransformer needs the model's tokenizer, found {type(tokenizer).__name__}.")
        self.model = model
        self.tokenizer = tokenizer

    def __reduce_ex__(self, protocol):
        # By value and not by the class's name, which cannot be imported (see `__module__`): encode_multi_process.
        return _new_module, (), self.__dict__

    @property
    def auto_model(self) -> PreTrainedModel:
        """The `CGEModel`."""
        return self.model

    @property
    def config(self):
        """The model's configuration."""
        return self.model.config

    @property
    def max_seq_length(self) -> int:
        """Longest input in tokens; longer texts are truncated."""
        return self.model.config.inf_seq_length

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`max_seq_length` must be a positive integer, found {value!r}.")
        self.model.config.inf_seq_length = value

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **kwargs) -> dict[str, torch.Tensor]:
        """Make token ids and mask `[batch, seq_len]` of texts, with `prompt` before or after them as in training.

        Raises:
            TypeError: if an input is not a string.
        """
        config = self.model.config
        features = tokenize_texts(
            self.tokenizer,
            check_texts(inputs),
            max_length=kwargs.get("max_length") or config.inf_seq_length,
            padding_side=config.padding_side,
            prompt=prompt,
            prompt_position=config.prompt_position,
        )
        return dict(features)

    def tokenize(self, texts: list[str], **kwargs) -> dict[str, torch.Tensor]:
        """Tokenise as `preprocess` does (the name in sentence-transformers 5)."""
        return self.preprocess(texts, **kwargs)

    def forward(self, features: dict[str, Any], **kwargs) -> dict[str, Any]:
        """Adds `sentence_embedding` `[batch, embedding_dim]`, and outside training also `token_embeddings` `[batch,
        seq_len, hidden_size]`."""
        names = ("input_ids", "attention_mask", "inputs_embeds")
        output = self.model(**{name: features[name] for name in names if features.get(name) is not None})
        features["sentence_embedding"] = output.embedding
        if not self.training:
            features["token_embeddings"] = output.last_hidden_state
        return features

    def get_embedding_dimension(self) -> int:
        """Return the width of the sentence embedding."""
        return self.model.config.embedding_dim

    def get_sentence_embedding_dimension(self) -> int:
        """Return what `get_embedding_dimension` does (the name in sentence-transformers 5)."""
        return self.get_embedding_dimension()

    def save(self, output_path: str, *args, safe_serialization: bool = True, **kwargs) -> None:
        """Write weights, configuration, tokenizer and this file into `output_path`.

        Code is looked for in the root of a model's folder only. Inside a Router, or as a later module, this module is saved into
        a subfolder, so there the code is written into the root as well.
        """
        self.model.save_pretrained(output_path)
        self.tokenizer.save_pretrained(output_path)
        for source in (__file__, *get_relative_import_files(__file__)):
            target = os.path.join(output_path, os.path.basename(source))
            if not os.path.exists(target):
                shutil.copyfile(source, target)
        root = _root_of(Path(output_path))
        if root is not None:
            for source in Path(output_path).glob("*.py"):
                shutil.copyfile(source, root / source.name)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        trust_remote_code: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        processor_kwargs: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        backend: str = "torch",
        **kwargs,
    ) -> "CGETransformer":
        """Load from a folder or repository; the arguments are sentence-transformers'.

        Raises:
            ValueError: for a backend other than "torch", "onnx" and "openvino", or if the folder is not a complete CGE model.
        """
        hub_kwargs = {
            "token": token,
            "cache_dir": cache_folder,
            "revision": revision,
            "local_files_only": local_files_only,
            "trust_remote_code": trust_remote_code,
            **({"subfolder": subfolder} if subfolder else {}),
        }
        model_kwargs = {"dtype": "auto", **(model_kwargs or {})}
        if "torch_dtype" in model_kwargs:
            model_kwargs["dtype"] = model_kwargs.pop("torch_dtype")
        if config_kwargs:
            model_kwargs["config"] = AutoConfig.from_pretrained(model_name_or_path, **hub_kwargs, **config_kwargs)
        processor_kwargs = processor_kwargs or kwargs.get("tokenizer_kwargs") or {}

        def load_model() -> PreTrainedModel:
            return AutoModel.from_pretrained(model_name_or_path, **hub_kwargs, **model_kwargs)

        if backend == "torch":
            model = load_model()
        else:
            config = model_kwargs.get("config") or AutoConfig.from_pretrained(model_name_or_path, **hub_kwargs)
            model = load_graph(model_name_or_path, config, backend, load_model, hub_kwargs)
        tokenizer = AutoTokenizer.from_pretrained(model_name_or_path, **hub_kwargs, **processor_kwargs)
        return cls(model, tokenizer)

    def __repr__(self) -> str:
        config = self.model.config
        return (
            f"CGETransformer({{'embedding_method': {config.embedding_method!r}, 'embedding_dim': "
            f"{config.embedding_dim}, 'max_seq_length': {self.max_seq_length}, 'architecture': "
            f"{config.text_config.model_type!r}}})"
        )


def _root_of(folder: Path) -> Path | None:
    """The folder of the sentence-transformers model that `folder` is a subfolder of; None if it is none, or the root itself."""
    settings = "config_sentence_transformers.json"  # is written before the modules
    folder = folder.resolve()
    if (folder / settings).is_file():
        return None
    return next((parent for parent in list(folder.parents)[:3] if (parent / settings).is_file()), None)


def _new_module() -> CGETransformer:
    return CGETransformer.__new__(CGETransformer)


def to_sentence_transformer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: dict[str, str] | None = None, **kwargs
) -> SentenceTransformer:
    """Put a `SentenceTransformer` around a `CGEModel`, with CGE's prompts unless others are given."""
    prompts = code_search_prompts() if prompts is None else prompts
    return SentenceTransformer(
        modules=[CGETransformer(model, tokenizer)], prompts=prompts, similarity_fn_name="cosine", **kwargs
    )


__all__ = ["CGETransformer", "to_sentence_transformer"]
