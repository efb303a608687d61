"""Configuration of CGE: a decoder language model turned into a code embedding model.

A CGE configuration holds the backbone's own configuration as a sub-configuration (`text_config`, also reachable as
`backbone_config`) and, beside it, the pooling keys of the published CodeFuse-CGE checkpoints. Those checkpoints have
a *flat* `config.json` (the backbone's keys and the pooling keys in one dictionary, `model_type` naming the backbone);
flat dictionaries are read as well.
"""

import inspect
import os
from typing import Any

from transformers import AutoConfig
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from codefuse_hf.modeling.configuration_checks import Checks, ChecksOverrides, runs_as_remote_code

_CHECKS = Checks("CGEConfig")
EMBEDDING_METHODS = ("pma", "last", "mean", "weighted")
PMA_NORM_MODES = ("post_normal", "pre_normal", "pre_gptj")
PMA_RESIDUALS = ("seed", "projected_seed")
PADDING_SIDES = ("left", "right")
PROMPT_POSITIONS = ("before", "after")

# The keys that belong to CGE itself; every other key of a flat configuration is the backbone's.
_CGE_KEYS = (
    "embedding_method",
    "compress_dim",
    "pma_num_heads",
    "pma_ln",
    "pma_norm",
    "pma_norm_mode",
    "pma_residual",
    "keep_max_layer",
    "inf_seq_length",
    "padding_side",
    "prompt_position",
    "unpad_inputs",
)
# What the published files hold besides: bookkeeping, and keys that nothing reads.
_DROPPED_FLAT_KEYS = (
    "_name_or_path",
    "architectures",
    "attn_implementation",  # the user's choice, not the checkpoint's
    "auto_map",
    "embedding_dim",
    "encoder_mode",
    "num_encoder_layers",
    "rotary_emb_base",
    "seq_length",
    "tokenizer_name_or_path",
    "transformers_version",
)
# C2LLM, the successor: the same pooling with another residual, and keys that its files leave out.
_C2LLM_MODEL_TYPE, _C2LLM_BACKBONE = "c2llm", "qwen2"
_C2LLM_DEFAULTS = {"pma_residual": "projected_seed", "padding_side": "left", "inf_seq_length": 2048}
# Properties that follow from the other keys and cannot be set.
_DERIVED = ("embedding_dim", "hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
_HUB_KEYS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "code_revision")


class CGEConfig(ChecksOverrides, PreTrainedConfig):
    """Configuration of a `CGEModel`. None (null) for any key is as good as leaving it out.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*): the backbone's configuration: any causal language
            model that transformers knows (or that is registered with `AutoConfig`). Defaults to a default Qwen2.
        embedding_method (`str`): "pma" (attention pooling), "last", "mean" or "weighted" (token i of n has weight i).
        compress_dim (`int`): C, the width of the attention pooling and of its embedding.
        pma_num_heads (`int`): heads of the attention pooling; divides `compress_dim`.
        pma_ln (`bool`): whether the attention pooling has layer norms.
        pma_norm (`bool`): when true the pooled vector of "pma" is returned as it is; when false (all published
            checkpoints) it is L2-normalised. The other methods are always normalised.
        pma_norm_mode (`str`): where the layer norms are: "post_normal", "pre_normal" or "pre_gptj".
        pma_residual (`str`): what the attention's output is added to: "seed", the seed as it is (CodeFuse-CGE), or
            "projected_seed", the query that was made of it (C2LLM, and *Set Transformer*).
        keep_max_layer (`int`, *optional*): the hidden state that is pooled, 0 (embeddings) to the backbone's
            `num_hidden_layers` (its final, normed output; the default). Layers above it are neither built nor run.
        inf_seq_length (`int`): longest input of `encode`, in tokens; longer texts are truncated.
        padding_side (`str`): the side that `encode` pads: "right" or "left". No vector depends on it.
        prompt_position (`str`): "before" or "after": where the instruction stands relative to the text, as in
            training. The published checkpoints append it.
        unpad_inputs (`bool`, *optional*): run batches of uneven length without padding, as one packed row. `None`
            does so where it pays: with flash and flex attention.

    Raises:
        ValueError: for a value that is impossible or of the wrong type; names the key, what it must be, and the value.

    ```python
    >>> from transformers import Qwen2Config
    >>> from codefuse_hf import CGEConfig, CGEModel

    >>> backbone = Qwen2Config(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    ...                        num_key_value_heads=2, vocab_size=300)
    >>> model = CGEModel(CGEConfig(backbone, compress_dim=32, pma_num_heads=4))
    ```
    """

    model_type = "cge"
    sub_configs = {"text_config": AutoConfig}
    own_keys = (*_CGE_KEYS, *_DERIVED)

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        embedding_method: str = "pma",
        compress_dim: int = 1024,
        pma_num_heads: int = 32,
        pma_ln: bool = True,
        pma_norm: bool = False,
        pma_norm_mode: str = "post_normal",
        pma_residual: str = "seed",
        keep_max_layer: int | None = None,
        inf_seq_length: int = 1024,
        padding_side: str = "right",
        prompt_position: str = "before",
        unpad_inputs: bool | None = None,
        **kwargs,
    ):
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        text_config = kwargs.pop("backbone_config", None) if text_config is None else text_config
        if text_config is None and is_flat_cge_config(kwargs):
            nested = nest_flat_config(kwargs)
            text_config = nested.pop("text_config")
            prompt_position = nested.pop("prompt_position")
            kwargs = nested
        text_config = self.text_config = _as_backbone_config(text_config)
        # The base class hands these on to sub-configurations, and would reset those of a backbone that is loaded.
        for key in ("attn_implementation", "experts_implementation"):
            if (implementation := getattr(text_config, f"_{key}", None)) is not None:
                kwargs.setdefault(key, implementation)
        self.embedding_method = embedding_method
        self.compress_dim = compress_dim
        self.pma_num_heads = pma_num_heads
        self.pma_ln = pma_ln
        self.pma_norm = pma_norm
        self.pma_norm_mode = pma_norm_mode
        self.pma_residual = pma_residual
        self.keep_max_layer = _num_layers(text_config) if keep_max_layer is None else keep_max_layer
        self.inf_seq_length = inf_seq_length
        self.padding_side = padding_side
        self.prompt_position = prompt_position
        self.unpad_inputs = unpad_inputs
        for key in _CGE_KEYS:
            if getattr(self, key) is None:
                setattr(self, key, inspect.signature(CGEConfig.__init__).parameters[key].default)
        kwargs.pop("model_type", None)
        stated = {key: kwargs.pop(key) for key in _DERIVED if key in kwargs}
        super().__init__(**kwargs)
        self.check_values()
        _CHECKS.derived(self, stated)

    @property
    def backbone_config(self) -> PreTrainedConfig:
        """The backbone's configuration (the same object as `text_config`)."""
        return self.text_config

    @property
    def embedding_dim(self) -> int:
        """Width of the embedding: `compress_dim` for "pma", the backbone's hidden size otherwise."""
        return self.compress_dim if self.embedding_method == "pma" else self.text_config.hidden_size

    @property
    def hidden_size(self) -> int:
        """The backbone's hidden size."""
        return self.text_config.hidden_size

    @property
    def num_hidden_layers(self) -> int:
        """The backbone's number of layers (of which `keep_max_layer` are built)."""
        return _num_layers(self.text_config)

    @property
    def num_attention_heads(self) -> int:
        """The backbone's number of attention heads."""
        return self.text_config.num_attention_heads

    @property
    def vocab_size(self) -> int:
        """The backbone's vocabulary size."""
        return self.text_config.vocab_size

    def get_text_config(self, *args, **kwargs) -> PreTrainedConfig:
        """Return the backbone's configuration (what generic code of transformers asks for)."""
        return self.text_config

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read `config.json`, nested or flat. A backbone whose code travels in the folder is resolved from there."""
        hub_kwargs = {key: kwargs[key] for key in _HUB_KEYS if kwargs.get(key) is not None}
        config_dict, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if is_flat_cge_config(config_dict):
            config_dict = nest_flat_config(config_dict)
        backbone = config_dict.get("text_config")
        if isinstance(backbone, dict) and backbone.get("model_type") not in CONFIG_MAPPING:
            class_reference = (backbone.get("auto_map") or {}).get("AutoConfig")
            if class_reference is not None and runs_as_remote_code():
                from transformers.dynamic_module_utils import get_class_from_dynamic_module

                config_class, model_class = (
                    get_class_from_dynamic_module(reference, pretrained_model_name_or_path, **hub_kwargs)
                    for reference in (class_reference, backbone["auto_map"].get("AutoModel", class_reference))
                )
                # Fetched here, where it is known from where and with what token; the model only has the configuration.
                config_class.cge_backbone_class = model_class if "AutoModel" in backbone["auto_map"] else None
                config_dict["text_config"] = config_class(**backbone)
                config_dict["text_config"].name_or_path = pretrained_model_name_or_path
        return config_dict, kwargs

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs) -> "CGEConfig":
        """Make a configuration of data; flat dictionaries of the published checkpoints are accepted too."""
        if is_flat_cge_config(config_dict):
            config_dict = nest_flat_config(config_dict)
        return super().from_dict(config_dict, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as data, without the place that the backbone once came from."""
        output = super().to_dict()
        output["text_config"].pop("_name_or_path", None)
        return output

    def check_values(self) -> None:
        """Refuse values that no model can have. Raises `ValueError` naming the key and what is allowed."""
        _CHECKS.choice("embedding_method", self.embedding_method, EMBEDDING_METHODS)
        _CHECKS.choice("pma_norm_mode", self.pma_norm_mode, PMA_NORM_MODES)
        _CHECKS.choice("pma_residual", self.pma_residual, PMA_RESIDUALS)
        _CHECKS.choice("padding_side", self.padding_side, PADDING_SIDES)
        _CHECKS.choice("prompt_position", self.prompt_position, PROMPT_POSITIONS)
        _CHECKS.switch("pma_ln", self.pma_ln)
        _CHECKS.switch("pma_norm", self.pma_norm)
        if self.unpad_inputs is not None:
            _CHECKS.switch("unpad_inputs", self.unpad_inputs)
        _CHECKS.integer("compress_dim", self.compress_dim, 1)
        _CHECKS.integer("pma_num_heads", self.pma_num_heads, 1)
        _CHECKS.integer("inf_seq_length", self.inf_seq_length, 1)
        _CHECKS.integer("keep_max_layer", self.keep_max_layer, 0, _num_layers(self.text_config))
        if self.embedding_method == "pma":
            _CHECKS.divides("pma_num_heads", self.pma_num_heads, "compress_dim", self.compress_dim)


def is_flat_cge_config(config_dict: dict[str, Any]) -> bool:
    """Tell whether a configuration dictionary is the backbone's, with or without pooling keys beside it."""
    return (
        config_dict.get("model_type") not in (None, CGEConfig.model_type)
        and config_dict.get("text_config") is None
        and config_dict.get("backbone_config") is None
    )


def nest_flat_config(flat: dict[str, Any]) -> dict[str, Any]:
    """Split a published flat configuration into CGE's keys and the backbone's (`text_config`).

    CodeFuse-CGE was trained with the instruction after the text, which no key of theirs says.
    """
    is_c2llm = flat["model_type"] == _C2LLM_MODEL_TYPE
    own = (*_CGE_KEYS, "compressed_dim", "text_config", "backbone_config")
    flat = {key: value for key, value in flat.items() if value is not None or key not in own}
    if is_c2llm:
        flat = {**flat, "model_type": _C2LLM_BACKBONE}
        flat["compress_dim"] = flat.pop("compressed_dim", flat.get("hidden_size"))
        flat = {**_C2LLM_DEFAULTS, **flat}
    nested = {key: flat[key] for key in _CGE_KEYS if key in flat}
    nested.setdefault("prompt_position", "before" if is_c2llm else "after")
    nested["model_type"] = CGEConfig.model_type
    nested["text_config"] = {k: v for k, v in flat.items() if k not in _CGE_KEYS and k not in _DROPPED_FLAT_KEYS}
    for key in ("dtype", "torch_dtype"):
        if key in flat:
            nested[key] = flat[key]
    return nested


def _as_backbone_config(config: PreTrainedConfig | dict[str, Any] | None) -> PreTrainedConfig:
    if config is None:
        config = CONFIG_MAPPING["qwen2"]()
    config = _CHECKS.part("text_config", config)
    if config.model_type == CGEConfig.model_type:
        _CHECKS.refuse("text_config", "a language model's", config.model_type, "pass the `text_config` of that one")
    if getattr(config, "is_encoder_decoder", False):
        do = "pass that of a decoder language model, or of an encoder alone; two of them cannot be pooled"
        _CHECKS.refuse("text_config", "that of one encoder or decoder", config.model_type, do)
    for key in ("hidden_size", "num_hidden_layers"):
        if not hasattr(config, key):
            do = "pass that of a decoder language model"
            _CHECKS.refuse("text_config", f"a configuration with `{key}`", config.model_type, do)
    return config


def _num_layers(config: PreTrainedConfig) -> int:
    return int(config.num_hidden_layers)


__all__ = ["CGEConfig"]
