"""Configuration of CGM: a causal language model, an encoder of node texts, and the adapter between them."""

import inspect
import os
from typing import Any, NoReturn

from transformers import AutoConfig
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from codefuse_hf.modeling.configuration_checks import Checks, ChecksOverrides, runs_as_remote_code

_CHECKS = Checks("CGMConfig")
ENCODER_POOLINGS = ("first", "mean", "last", "embedding")
GRAPH_DIRECTIONS = ("forward", "backward", "both")

_RECURRENT = ("rodimus", "rwkv", "mamba", "mamba2", "falcon_mamba", "xlstm", "recurrent_gemma", "minimax")
_ALIBI = ("bloom", "mpt")
# Properties that follow from `text_config` and cannot be set.
_DERIVED = ("hidden_size", "num_attention_heads", "num_hidden_layers")
_HUB_KEYS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "code_revision")


class CGMConfig(ChecksOverrides, PreTrainedConfig):
    """Configuration of a `CGMForCausalLM`. None (null) for any key is as good as leaving it out.

    Args:
        text_config (`PreTrainedConfig` or `dict`, *optional*): the language model: any causal LM of transformers whose
            layers all have full attention. Defaults to a default Qwen2.
        encoder_config (`PreTrainedConfig` or `dict`, *optional*): the text encoder of the nodes (T5 as in CodeT5+, BERT
            and its kin, CGE, …). `None`: the model has no encoder and takes `node_embeddings` only.
        embedding_dim (`int`, *optional*): E, width of a node's vector; by default what the encoder gives, or 256.
        adapter_hidden_dim (`int`): width of the adapter's hidden layer.
        segment_length (`int`): tokens per segment; a node's text is cut into segments, each one node token.
        graph_self_loops (`bool`): whether a node token attends to itself. The published checkpoint was trained without.
        graph_direction (`str`): "forward": an edge's source attends to its target (the published way); "backward": the
            target to the source; "both".
        encoder_pooling (`str`): what the vector of a segment is made from: the "first" token's state (CodeT5+), the
            "mean" of all, the "last" one's, or the encoder's own "embedding" (CGE).
        encoder_projection_dim (`int`, *optional*): width of a linear layer after the pooling (CodeT5+: 256), if any.
        encoder_normalize (`bool`): whether the vector is then L2-normalised.
        freeze_encoder (`bool`): run the encoder without gradients and dropout, also in training.

    Raises:
        ValueError: for a value that is impossible or of the wrong type, and for a language model that cannot have a graph
            mask; says why.

    ```python
    >>> from transformers import Qwen2Config
    >>> from codefuse_hf import CGMConfig, CGMForCausalLM

    >>> text = Qwen2Config(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    ...                    num_key_value_heads=2, vocab_size=300)
    >>> model = CGMForCausalLM(CGMConfig(text, embedding_dim=16, adapter_hidden_dim=32))
    ```
    """

    model_type = "cgm"
    sub_configs = {"text_config": AutoConfig, "encoder_config": AutoConfig}
    own_keys = (
        "embedding_dim",
        "adapter_hidden_dim",
        "segment_length",
        "graph_self_loops",
        "graph_direction",
        "encoder_pooling",
        "encoder_projection_dim",
        "encoder_normalize",
        "freeze_encoder",
        *_DERIVED,
    )

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        encoder_config: PreTrainedConfig | dict[str, Any] | None = None,
        embedding_dim: int | None = None,
        adapter_hidden_dim: int = 4096,
        segment_length: int = 512,
        graph_self_loops: bool = False,
        graph_direction: str = "forward",
        encoder_pooling: str = "first",
        encoder_projection_dim: int | None = None,
        encoder_normalize: bool = True,
        freeze_encoder: bool = False,
        **kwargs,
    ):
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        self.text_config = (
            CONFIG_MAPPING["qwen2"]() if text_config is None else _CHECKS.part("text_config", text_config)
        )
        self.encoder_config = None if encoder_config is None else _CHECKS.part("encoder_config", encoder_config)
        _check_text_config(self.text_config)
        # The base class hands this on to sub-configurations, and would reset that of a model that is loaded.
        if (implementation := getattr(self.text_config, "_attn_implementation", None)) is not None:
            kwargs.setdefault("attn_implementation", {"text_config": implementation})
        self.adapter_hidden_dim = adapter_hidden_dim
        self.segment_length = segment_length
        self.graph_self_loops = graph_self_loops
        self.graph_direction = graph_direction
        self.encoder_pooling = encoder_pooling
        self.encoder_projection_dim = encoder_projection_dim
        self.encoder_normalize = encoder_normalize
        self.freeze_encoder = freeze_encoder
        for key, parameter in inspect.signature(CGMConfig.__init__).parameters.items():
            if parameter.default not in (None, inspect.Parameter.empty) and getattr(self, key) is None:
                setattr(self, key, parameter.default)
        self.embedding_dim = self._resolve_width(embedding_dim)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            kwargs.setdefault(name, getattr(self.text_config, name, None))
        kwargs.setdefault("tie_word_embeddings", bool(getattr(self.text_config, "tie_word_embeddings", False)))
        kwargs.pop("model_type", None)
        stated = {key: kwargs.pop(key) for key in _DERIVED if key in kwargs}
        super().__init__(**kwargs)
        self.check_values()
        _CHECKS.derived(self, stated)

    def _resolve_width(self, embedding_dim: int | None) -> int:
        if self.encoder_config is None:
            return 256 if embedding_dim is None else embedding_dim
        width = self.encoder_projection_dim or encoder_width(self.encoder_config)
        if embedding_dim not in (None, width):
            gives = f"{width}, the width of the encoder's vectors (`encoder_projection_dim`, or else its hidden size)"
            _CHECKS.refuse("embedding_dim", gives, embedding_dim, "leave it out")
        return width

    def check_values(self) -> None:
        """Refuse values that no model can have. Raises `ValueError` naming the key and what is allowed."""
        _check_text_config(self.text_config)
        self._resolve_width(self.embedding_dim)
        if self.encoder_projection_dim is not None:
            _CHECKS.integer("encoder_projection_dim", self.encoder_projection_dim, 1)
        for key in ("embedding_dim", "adapter_hidden_dim", "segment_length"):
            _CHECKS.integer(key, getattr(self, key), 1)
        for key in ("graph_self_loops", "encoder_normalize", "freeze_encoder"):
            _CHECKS.switch(key, getattr(self, key))
        _CHECKS.choice("graph_direction", self.graph_direction, GRAPH_DIRECTIONS)
        _CHECKS.choice("encoder_pooling", self.encoder_pooling, ENCODER_POOLINGS)

    @property
    def hidden_size(self) -> int:
        """The language model's hidden size."""
        return self.text_config.hidden_size

    @property
    def num_hidden_layers(self) -> int:
        """The language model's number of layers."""
        return self.text_config.num_hidden_layers

    @property
    def num_attention_heads(self) -> int:
        """The language model's number of attention heads."""
        return self.text_config.num_attention_heads

    @property
    def vocab_size(self) -> int:
        """The language model's vocabulary size."""
        return self.text_config.vocab_size

    @vocab_size.setter
    def vocab_size(self, value: int) -> None:
        self.text_config.vocab_size = value

    def get_text_config(self, *args, **kwargs) -> PreTrainedConfig:
        """Return the language model's configuration (what generic code of transformers asks for)."""
        return self.text_config

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read `config.json`, or that of a language model alone, which becomes `text_config`.

        An encoder whose code travels in the folder (CGE) is resolved from there.
        """
        hub_kwargs = {key: kwargs[key] for key in _HUB_KEYS if kwargs.get(key) is not None}
        config_dict, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if config_dict.get("model_type") not in (None, cls.model_type) and config_dict.get("text_config") is None:
            config_dict = {"text_config": config_dict}
        for key in cls.sub_configs:
            part = config_dict.get(key)
            if not isinstance(part, dict) or part.get("model_type") in CONFIG_MAPPING:
                continue
            class_reference = (part.get("auto_map") or {}).get("AutoConfig")
            if class_reference is not None and runs_as_remote_code():
                from transformers.dynamic_module_utils import get_class_from_dynamic_module

                found = get_class_from_dynamic_module(class_reference, pretrained_model_name_or_path, **hub_kwargs)
                config_dict[key] = found(**part)
                config_dict[key].name_or_path = pretrained_model_name_or_path
        return config_dict, kwargs

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as data, without the places that the parts once came from."""
        output = super().to_dict()
        for key in self.sub_configs:
            if isinstance(output.get(key), dict):
                output[key]["_name_or_path"] = ""
        return output


def encoder_width(config: PreTrainedConfig) -> int:
    """Return the width of an encoder's vectors before any projection."""
    if config.model_type == "cge":
        return config.embedding_dim
    text = config.get_text_config()
    width = getattr(text, "hidden_size", None) or getattr(text, "d_model", None)
    if width is None:
        do = "pass that of a text encoder"
        _CHECKS.refuse("encoder_config", "a configuration with a hidden size", config.model_type, do)
    return width


def _check_text_config(config: PreTrainedConfig) -> None:
    """Raises ValueError, with the reason, for a language model that cannot have a graph mask."""
    kind = config.model_type

    def refuse(reason: str) -> NoReturn:
        _CHECKS.refuse("text_config", "that of a language model which can read a graph", kind, reason)

    if kind == CGMConfig.model_type:
        refuse("it is a CGM itself; pass its `text_config`")
    if getattr(config, "is_encoder_decoder", False):
        refuse("it is an encoder-decoder; pass that of a decoder-only language model")
    if kind in _RECURRENT:
        refuse("a recurrence has no attention mask, every token sees all before it; pass that of a transformer")
    if kind in _ALIBI:
        refuse("its attention is biased by distance; pass that of a model with position ids")
    if not hasattr(config, "hidden_size") or not hasattr(config, "num_hidden_layers"):
        refuse("it has no `hidden_size` and `num_hidden_layers`; pass that of a decoder language model")
    others = sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention"})
    windowed = not hasattr(config, "layer_types") and getattr(config, "sliding_window", None) is not None
    if others or windowed or getattr(config, "attention_chunk_size", None) is not None:
        found = ", ".join(others) or "a sliding window or chunks"
        refuse(
            f"layers with {found} would lose the nodes, which every token may attend to. All layers must have full "
            "attention (sliding_window=None, use_sliding_window=False, layer_types all 'full_attention')"
        )


__all__ = ["CGMConfig"]
