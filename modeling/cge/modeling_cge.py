"""CGE: a decoder language model turned into a code embedding model by attention pooling.

The backbone runs without its LM head and without the layers above `keep_max_layer`. Before it runs, the real tokens
of each row are moved to the left: causal attention then needs no padding mask at all (a token never sees what is
right of it), positions are those of the text alone, and the padding side cannot matter. Where the attention
implementation allows it, rows of uneven length are packed into a single row instead.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel
from transformers import initialization as init
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from codefuse_hf.modeling.configuration_checks import runs_as_remote_code
from codefuse_hf.modeling.quantised_layers import avoid_unfit_cpu_format

from .adapters_cge import base_state_dict, has_adapters, merge_adapters, trains_base_weights
from .configuration_cge import CGEConfig
from .encoding_cge import CGEEncodeMixin
from .pooling_cge import CGEAttentionPooling, pool_tokens, token_weights
from .ragged_cge import RaggedBatch

# Names that transformers' decoders give to the norm after the last layer.
_FINAL_NORMS = ("norm", "final_layernorm", "final_layer_norm", "ln_f", "norm_f", "final_norm", "ln_out")
# Backbones that keep sequences packed into one row apart: attention masks, positions and states (each is tested).
_PACKABLE = (
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "llama",
    "mistral",
    "mixtral",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "rodimus",
    "stablelm",
    "starcoder2",
)

# Where a model was loaded from, beside its name: its tokenizer is loaded from there too.
_ORIGIN = ("cache_dir", "token", "revision", "local_files_only", "subfolder", "proxies")


@dataclass
class CGEModelOutput(ModelOutput):
    """Output of `CGEModel`.

    Args:
        embedding (`torch.FloatTensor` of shape `[batch, embedding_dim]`): the embedding, L2-normalised (unless
            `pma_norm`).
        pooler_output (`torch.FloatTensor` of shape `[batch, embedding_dim]`): the pooled vector before normalisation.
        last_hidden_state (`torch.FloatTensor` of shape `[batch, seq_len, hidden_size]`): the token vectors that were
            pooled, in the layout of the input; zero at padding that was not computed.
        hidden_states (`tuple(torch.FloatTensor)`, with `output_hidden_states=True`): embeddings and the output of each
            kept layer, in the layout of the input.
        pooling_attentions (`torch.FloatTensor` of shape `[batch, heads, seq_len]`, with
            `output_pooling_attentions=True`): weight of each token in the pooling; one head unless "pma".
    """

    embedding: torch.FloatTensor | None = None
    pooler_output: torch.FloatTensor | None = None
    last_hidden_state: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    pooling_attentions: torch.FloatTensor | None = None


class CGEModel(CGEEncodeMixin, PreTrainedModel):
    """Backbone without LM head + pooling: texts → embeddings.

    Parameter names are those of the published checkpoints: `plm_model.model.*` (the backbone) and `mha_pma.*`; a
    stored `plm_model.lm_head` is ignored, and so are stored layers above `keep_max_layer`.

    ```python
    >>> from codefuse_hf import CGEModel

    >>> model = CGEModel.from_pretrained("path/to/model")
    >>> query, code = model.encode(["open a file", "def f(path): return open(path)"])
    >>> score = query @ code
    ```
    """

    config_class = CGEConfig
    base_model_prefix = "cge"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _keys_to_ignore_on_load_unexpected = [r"^plm_model\.lm_head\."]

    def __init__(self, config: CGEConfig, backbone: PreTrainedModel | None = None):
        """`backbone`: a ready base model to use (and to cut to `keep_max_layer`) instead of a new one."""
        super().__init__(config)
        config.check_values()  # attributes may have been set since it was made
        if backbone is None:
            # A backbone whose code travels with this file was trusted together with it.
            remote_class = getattr(type(config.text_config), "cge_backbone_class", None)
            if remote_class is not None:
                backbone = remote_class._from_config(config.text_config)
            else:
                trust = {"trust_remote_code": True} if runs_as_remote_code() else {}
                backbone = AutoModel.from_config(config.text_config, **trust)
        removed = _cut_layers(backbone, config.keep_max_layer, config.num_hidden_layers)
        # The published names are those of a causal LM inside: `plm_model.<prefix of the base model>.*`.
        self._backbone_name = backbone.base_model_prefix or "model"
        self.plm_model = nn.ModuleDict({self._backbone_name: backbone})
        if config.embedding_method == "pma":
            self.mha_pma = CGEAttentionPooling(
                config.text_config.hidden_size,
                config.compress_dim,
                config.pma_num_heads,
                config.pma_ln,
                config.pma_norm_mode,
                config.pma_residual,
            )
        else:
            self.mha_pma = None
        self._inherit_loading_rules(backbone, removed)
        self.post_init()

    def _inherit_loading_rules(self, backbone: PreTrainedModel, removed: list[str]) -> None:
        """What transformers collects from direct children only, and the stored weights that this model leaves out."""
        prefix = re.escape(f"plm_model.{self._backbone_name}.")
        ignored = [*self._keys_to_ignore_on_load_unexpected, *(rf"^{prefix}{re.escape(n)}\." for n in removed)]
        if self.mha_pma is None:
            ignored.append(r"^mha_pma\.")
        self._keys_to_ignore_on_load_unexpected = ignored
        self._no_split_modules = [*(backbone._no_split_modules or []), "CGEAttentionPooling"]
        for rule in ("_skip_keys_device_placement", "_keep_in_fp32_modules", "_keep_in_fp32_modules_strict"):
            setattr(self, rule, getattr(backbone, rule, None))

    @property
    def backbone(self) -> PreTrainedModel:
        """The decoder, without LM head."""
        return self.plm_model[self._backbone_name]

    def get_input_embeddings(self) -> nn.Module:
        """Return the backbone's token embeddings."""
        return self.backbone.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the backbone's token embeddings."""
        self.backbone.set_input_embeddings(value)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # A small seed makes the fresh attention nearly uniform: training starts from mean pooling of a projection.
        if isinstance(module, CGEAttentionPooling):
            init.normal_(module.S, mean=0.0, std=0.02)
        elif isinstance(module, nn.Linear):  # of the pooling: the backbone initialises its own
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs) -> "CGEModel":
        """Load a model as transformers does, but a checkpoint that lacks weights is an error, not a random initialisation.

        Raises:
            ValueError: weights are missing; they are named.
        """
        want_info = kwargs.pop("output_loading_info", False)
        origin = {name: kwargs[name] for name in _ORIGIN if kwargs.get(name) is not None}
        model, info = super().from_pretrained(
            pretrained_model_name_or_path, *model_args, output_loading_info=True, **kwargs
        )
        way_out = "To put a fresh pooling on a language model use CGEModel.from_backbone(name, embedding_dim=...)."
        source = pretrained_model_name_or_path
        _check_all_loaded(info["missing_keys"], info["mismatched_keys"], source, cls.__name__, way_out)
        model._origin = origin
        avoid_unfit_cpu_format(model)
        return (model, info) if want_info else model

    def load_adapter(self, peft_model_id: str | None = None, *args, **kwargs):
        """Load an adapter as transformers does, but a folder that lacks weights is an error, not a random initialisation.

        Raises:
            ValueError: weights are missing or of another shape; they are named.
        """
        info = super().load_adapter(peft_model_id, *args, **kwargs)
        if info is not None:
            way_out = "transformers does not read back all kinds of adapters (DoRA): merge such before saving."
            source = peft_model_id or "what was given"
            _check_all_loaded(info.missing_keys, info.mismatched_keys, source, "the adapter", way_out)
        return info

    @classmethod
    def from_backbone(
        cls,
        name_or_model: str | PreTrainedModel,
        embedding_dim: int | None = None,
        *,
        pma_num_heads: int | None = None,
        backbone_kwargs: dict | None = None,
        **config_kwargs,
    ) -> "CGEModel":
        """Make a trainable embedding model from a language model: its weights, without the LM head, and a fresh pooling.

        Args:
            name_or_model: a folder or repository of a causal language model, or such a model (with or without LM
                head). A model that is passed is used itself, not copied.
            embedding_dim: width of the embedding for "pma" pooling; by default the backbone's hidden size. The other
                poolings have the backbone's hidden size.
            pma_num_heads: heads of the pooling; by default the largest of 32, 16, … that divides `embedding_dim` with
                at least 16 dimensions per head.
            backbone_kwargs: arguments for `AutoModel.from_pretrained` (dtype, attn_implementation, device_map, …).
            **config_kwargs: other keys of `CGEConfig`.

        Raises:
            ValueError: if the configuration is impossible, or the folder lacks weights; TypeError: if `name_or_model` is neither name nor model.
        """
        if isinstance(name_or_model, PreTrainedModel):
            backbone = name_or_model.base_model
        elif isinstance(name_or_model, str) or hasattr(name_or_model, "__fspath__"):
            options = {**(backbone_kwargs or {}), "output_loading_info": True}
            backbone, info = AutoModel.from_pretrained(name_or_model, **options)
            # An encoder's own pooler is not run, and many checkpoints lack it.
            missing = {name for name in info["missing_keys"] if not name.startswith("pooler.")}
            _check_all_loaded(missing, info["mismatched_keys"], name_or_model, type(backbone).__name__)
        else:
            raise TypeError(
                f"from_backbone wants a model or the name of one, found {type(name_or_model).__name__} {name_or_model!r}."
            )
        text_config = backbone.config
        if config_kwargs.get("embedding_method", "pma") == "pma":
            width = text_config.hidden_size if embedding_dim is None else embedding_dim
            config_kwargs.setdefault("compress_dim", width)
            heads = next((n for n in (32, 16, 8, 4, 2) if width % n == 0 and width // n >= 16), 1)
            config_kwargs.setdefault("pma_num_heads", heads if pma_num_heads is None else pma_num_heads)
        elif embedding_dim not in (None, text_config.hidden_size):
            raise ValueError(
                f"Only `embedding_method` 'pma' can change the width: found embedding_dim={embedding_dim} for a "
                f"backbone of width {text_config.hidden_size}."
            )
        longest = getattr(text_config, "max_position_embeddings", None)
        config_kwargs.setdefault("inf_seq_length", min(1024, longest) if isinstance(longest, int) else 1024)
        config = CGEConfig(text_config, **config_kwargs)
        config.dtype = backbone.dtype
        _mark_initialized(backbone)
        model = cls(config, backbone=backbone)
        if model.mha_pma is not None:
            model.mha_pma.to(backbone.dtype)
            model.mha_pma.to(backbone.device)
        return model.eval()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        output_hidden_states: bool | None = None,
        output_pooling_attentions: bool = False,
        **kwargs,
    ) -> CGEModelOutput:
        """Embed a batch.

        Args:
            input_ids: token ids `[batch, seq_len]`; or `inputs_embeds` `[batch, seq_len, hidden_size]`, not both.
            attention_mask: `[batch, seq_len]`, 1 at real tokens; padding may be anywhere. `None`: no padding.
            output_hidden_states: also return the hidden states of the kept layers.
            output_pooling_attentions: also return each token's weight in the pooling.

        Raises:
            ValueError: for inputs of the wrong shape.
        """
        inputs = _check_inputs(input_ids, inputs_embeds, attention_mask)
        name = "input_ids" if inputs_embeds is None else "inputs_embeds"
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        batch = RaggedBatch(inputs, attention_mask)
        states, hidden = self._run_backbone(batch, name, bool(output_hidden_states), kwargs)
        pooled, weights = self._pool(states, batch.mask, output_pooling_attentions)
        raw_is_embedding = self.mha_pma is not None and self.config.pma_norm
        embedding = pooled if raw_is_embedding else F.normalize(pooled.float(), dim=-1).to(pooled.dtype)
        return CGEModelOutput(
            embedding=embedding,
            pooler_output=pooled,
            last_hidden_state=batch.restore(states),
            hidden_states=tuple(map(batch.restore, hidden)) if hidden is not None else None,
            pooling_attentions=None if weights is None else batch.restore(weights.transpose(1, 2)).transpose(1, 2),
        )

    def _run_backbone(
        self, batch: RaggedBatch, name: str, output_hidden_states: bool, kwargs: dict
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None]:
        kwargs = {key: value for key, value in kwargs.items() if key in ("output_router_logits",)}
        kwargs |= {"output_hidden_states": output_hidden_states, "use_cache": False, "return_dict": True}
        if batch.is_uneven and batch.num_tokens and self._packs():
            packed = batch.pack(flash=self._uses_flash())
            outputs = self.backbone(**{name: packed.pop("inputs")}, **packed, **kwargs)
            unpack: Callable = batch.unpack
        else:
            # Causal attention needs no mask: padding is on the right, where no token looks. Whatever is not known to be causal
            # (BERT's configuration does not say that it is not) gets one.
            known = self.backbone.config.model_type in _PACKABLE and self._is_causal()
            mask = batch.mask if batch.is_uneven and not known else None
            outputs = self.backbone(**{name: batch.inputs}, attention_mask=mask, **kwargs)
            unpack = _same
        # Without any layer there is nothing that transformers could record.
        hidden = (outputs.hidden_states or (outputs.last_hidden_state,)) if output_hidden_states else None
        return unpack(outputs.last_hidden_state), tuple(map(unpack, hidden)) if hidden is not None else None

    def _pool(
        self, states: torch.Tensor, mask: torch.Tensor | None, need_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self.mha_pma is not None:
            if not torch.is_autocast_enabled(states.device.type):
                states = states.to(self.mha_pma.S.dtype)  # some backbones keep hidden states in float32
            pooled = self.mha_pma(states, mask, need_weights)
            pooled, weights = pooled if need_weights else (pooled, None)
            return pooled[:, 0], weights
        if mask is None:
            mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        weights = token_weights(self.config.embedding_method, mask)
        return pool_tokens(states, weights), weights.unsqueeze(1) if need_weights else None

    def _is_causal(self) -> bool:
        config = self.backbone.config
        return getattr(config, "is_causal", True) is not False and not getattr(
            config, "use_bidirectional_attention", False
        )

    def _uses_flash(self) -> bool:
        return "flash" in (getattr(self.backbone.config, "_attn_implementation", None) or "")

    def _packs(self) -> bool:
        """Whether uneven batches run as one packed row: asked for, or left open and worth it."""
        config, wanted = self.backbone.config, self.config.unpad_inputs
        packable = config.model_type in _PACKABLE and self._is_causal()
        if wanted and not packable:
            raise ValueError(
                f"`unpad_inputs`: {config.model_type!r} is not known to keep packed sequences apart; set it to false."
            )
        sparse = self._uses_flash() or getattr(config, "_attn_implementation", None) == "flex_attention"
        return packable and (sparse if wanted is None else wanted)

    def save_pretrained(self, save_directory, *args, **kwargs) -> None:
        """Save the model as transformers does. A backbone that was itself loaded as remote code brings its source along.

        With adapters attached, transformers writes these alone. The weights below them are written as well (the
        folder is then a complete model with an embedded adapter) where a reader could not get them otherwise: if this
        model has no name to load it by, or if weights outside the adapters are trained.
        """
        if has_adapters(self) and not self._hf_peft_config_loaded:
            raise ValueError(
                "This model has adapters that were not added with `add_adapter`, so what is saved could not be loaded: merge "
                "them first, with merge_and_unload(), or save the PeftModel around it."
            )
        super().save_pretrained(save_directory, *args, **kwargs)
        if has_adapters(self) and (not self.name_or_path or trains_base_weights(self)):
            self._hf_peft_config_loaded = False
            try:
                super().save_pretrained(save_directory, *args, **{**kwargs, "state_dict": base_state_dict(self)})
            finally:
                self._hf_peft_config_loaded = True
        if type(self.backbone).__module__.startswith("transformers_modules.") and kwargs.get("is_main_process", True):
            from transformers.dynamic_module_utils import custom_object_save

            custom_object_save(self.backbone, save_directory)
            custom_object_save(self.backbone.config, save_directory)

    def merge_and_unload(self) -> "CGEModel":
        """Merge the adapters added with `add_adapter` into the weights and remove them; returns the model itself.

        Raises:
            ValueError: if the model has no adapters.
        """
        merge_adapters(self)
        return self


def _check_all_loaded(
    missing: Iterable[str], mismatched: Iterable, source: object, what: str, way_out: str = ""
) -> None:
    """Raise ValueError if weights of `what` were not in `source`: they would be random."""
    other_shape = [entry if isinstance(entry, str) else entry[0] for entry in mismatched]
    for names, problem in (
        (sorted(missing), f"lacks weights of {what}"),
        (sorted(other_shape), f"has weights of {what} in another shape"),
    ):
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise ValueError(f"{source} {problem}: {shown}. Is the checkpoint complete? {way_out}".rstrip())


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _check_inputs(
    input_ids: torch.Tensor | None, inputs_embeds: torch.Tensor | None, attention_mask: torch.Tensor | None
) -> torch.Tensor:
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("Pass either `input_ids` or `inputs_embeds`: found both or neither.")
    inputs = input_ids if inputs_embeds is None else inputs_embeds
    if inputs.dim() != (2 if inputs_embeds is None else 3):
        raise ValueError(
            "`input_ids` must have shape [batch, seq_len] and `inputs_embeds` [batch, seq_len, hidden_size]; found "
            f"{list(inputs.shape)}."
        )
    if attention_mask is not None and attention_mask.shape != inputs.shape[:2]:
        raise ValueError(
            f"`attention_mask` must have shape {list(inputs.shape[:2])} ([batch, seq_len]), found "
            f"{list(attention_mask.shape)}."
        )
    if attention_mask is not None and attention_mask.dtype != torch.bool and not torch.compiler.is_compiling():
        if not bool(((attention_mask == 0) | (attention_mask == 1)).all()):
            raise ValueError(
                "`attention_mask` must be 0 (padding) or 1: an embedding is of a whole row. Numbers of sequences packed in a row, "
                "and additive masks, are not understood; give each text a row of its own."
            )
    return inputs


def _cut_layers(backbone: PreTrainedModel, keep: int, total: int) -> list[str]:
    """Drop the decoder layers from `keep` on, and the final norm when any is dropped.

    hidden_states[k] of a decoder is the plain output of layer k for k < total, and the normed one for k = total.
    Returns the names of what was removed, relative to the backbone.
    """
    if keep == total:
        return []
    for path, module in backbone.named_modules():
        if not (isinstance(module, nn.ModuleList) and len(module) == total):
            continue
        parent_path = path.rpartition(".")[0]
        parent = backbone.get_submodule(parent_path)
        norm = next((name for name in _FINAL_NORMS if isinstance(getattr(parent, name, None), nn.Module)), None)
        if norm is None:
            break
        del module[keep:]
        setattr(parent, norm, nn.Identity())
        prefix = f"{parent_path}." if parent_path else ""
        return [*(f"{path}.{index}" for index in range(keep, total)), prefix + norm]
    raise ValueError(
        f"`keep_max_layer`={keep} of {total} is not possible for a {type(backbone).__name__}: no list of {total} layers "
        f"followed by a norm was found in it. Keep all layers (keep_max_layer={total})."
    )


def _mark_initialized(backbone: PreTrainedModel) -> None:
    """Tell transformers that these weights are not to be drawn anew when the model around them is built."""
    for module in backbone.modules():
        module._is_hf_initialized = True
    for tensor in (*backbone.parameters(), *backbone.buffers()):
        tensor._is_hf_initialized = True


__all__ = ["CGEModel", "CGEModelOutput"]
