"""CGM: a causal language model that reads a code graph (arXiv 2505.16901).

Each node of the graph is one or more node tokens: its text's vector through a small adapter. They stand before the text
tokens, and an attention mask that follows the graph's edges takes the place of the causal mask among them (`mask_cgm`).
The language model is any causal LM of transformers, unchanged; it gets embeddings, positions 0 … N + L - 1 of each row's
real tokens, and the mask in the form of its attention implementation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import can_return_tuple

from codefuse_hf.modeling.cache_names import CACHE_NAME, CACHE_NAMES, takes_cache
from codefuse_hf.modeling.configuration_checks import runs_as_remote_code

from .configuration_cgm import CGMConfig
from .encoder_cgm import CGMNodeEncoder, pass_on_rules
from .from_base_cgm import load_encoder, mark_initialized, take_over_quantization
from .generation_cgm import CGMGenerationMixin
from .mask_cgm import adjacency_of_edges, check_adjacency, mask_function, node_rows, orient, prompt_mask_of_labels
from .node_cache_cgm import NodeEmbeddingCache, encoder_fingerprint

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


@dataclass
class CGMCausalLMOutputWithPast(CausalLMOutputWithPast):
    """Output of `CGMForCausalLM`; N node tokens come before the L text tokens.

    Args:
        loss (`torch.FloatTensor`, with `labels`): mean cross-entropy of the answer tokens.
        logits (`torch.FloatTensor` of shape `[batch, N + L, vocab_size]`, or fewer rows with `logits_to_keep`): row
            N + i predicts text token i + 1.
        past_key_values (`Cache`; `cache` from transformers 5.24 on): keys and values of all N + L tokens.
        hidden_states, attentions: those of the language model.
        node_hidden_states (`torch.FloatTensor` of shape `[batch, N, hidden_size]`): the node tokens, after the adapter.
    """

    node_hidden_states: torch.FloatTensor | None = None


class CGMAdapter(nn.Module):
    """Node vectors → input embeddings of the language model: linear, GELU, linear."""

    def __init__(self, config: CGMConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.embedding_dim, config.adapter_hidden_dim)
        self.fc2 = nn.Linear(config.adapter_hidden_dim, config.hidden_size)

    def forward(self, node_embeddings: torch.Tensor) -> torch.Tensor:
        """Turn `[..., embedding_dim]` into `[..., hidden_size]`."""
        weight = self.fc1.weight
        if weight.is_floating_point() and not torch.is_autocast_enabled(weight.device.type):
            node_embeddings = node_embeddings.to(weight.dtype)
        return self.fc2(nn.functional.gelu(self.fc1(node_embeddings)))


class CGMPreTrainedModel(PreTrainedModel):
    """What the CGM classes share: parts, initialisation, and the way from a graph to the language model's inputs."""

    config_class = CGMConfig
    base_model_prefix = "cgm"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _skip_keys_device_placement = [*CACHE_NAMES]
    # Small, trained in full, and left alone by quantisation. To train with FSDP in float16, shard it by itself first.
    _keep_in_fp32_modules = ["adapter"]

    def __init__(self, config: CGMConfig):
        super().__init__(config)
        config.check_values()  # attributes may have been set since it was made

    def _build_rest(self, config: CGMConfig, encoder: PreTrainedModel | None) -> None:
        """Adapter and encoder; the language model has been built."""
        self.adapter = CGMAdapter(config)
        with_encoder = config.encoder_config is not None
        self.encoder = CGMNodeEncoder(config, encoder) if with_encoder else None

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=getattr(self.config.text_config, "initializer_range", 0.02))
            if module.bias is not None:
                init.zeros_(module.bias)

    @property
    def language_model(self) -> PreTrainedModel:
        """The decoder: with LM head in `CGMForCausalLM`, without in `CGMModel`."""
        raise NotImplementedError

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's token embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embeddings."""
        self.language_model.set_input_embeddings(value)

    def encoder_fingerprint(self) -> str:
        """Return a name of the encoder's weights, for a `NodeEmbeddingCache`. Raises ValueError without an encoder."""
        return encoder_fingerprint(self._need_encoder())

    @torch.no_grad()
    def encode_segments(
        self, segments: Sequence[Sequence[int]], cache: NodeEmbeddingCache | None = None
    ) -> torch.Tensor:
        """Encode segments of token ids ahead of time, in evaluation mode.

        Args:
            segments: token ids of each segment; an empty one has the zero vector.
            cache: where vectors are looked up, and new ones are kept.

        Returns:
            `[segments, embedding_dim]`, on the CPU: `node_embeddings` of one example.
        """
        encoder = self._need_encoder()
        keys = [NodeEmbeddingCache.key(segment) for segment in segments]
        known = cache.get(keys) if cache is not None else {}
        new = {key: segment for key, segment in zip(keys, segments, strict=True) if key not in known}
        if new:
            rows = [torch.as_tensor(segment, dtype=torch.long) for segment in new.values()]
            ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1).to(self.device)
            was_training = encoder.training
            encoder.eval()
            try:
                vectors = encoder(ids.clamp(min=0), ids >= 0).cpu()
            finally:
                encoder.train(was_training)
            fresh = dict(zip(new, vectors, strict=True))
            known |= fresh
            if cache is not None:
                cache.put(fresh)
        width = self.config.embedding_dim
        return torch.stack([known[key] for key in keys]) if keys else torch.zeros(0, width)

    def get_node_features(
        self, node_input_ids: torch.Tensor, node_attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Encode the segments of a batch of graphs: `[batch, N, S]` → `[batch, N, embedding_dim]`."""
        encoder = self._need_encoder()
        if node_input_ids.dim() != 3:
            raise ValueError(
                f"`node_input_ids` must have shape [batch, nodes, tokens], found {list(node_input_ids.shape)}."
            )
        if node_attention_mask is None:
            pad = getattr(self.config.encoder_config, "pad_token_id", None)
            node_attention_mask = torch.ones_like(node_input_ids) if pad is None else node_input_ids != pad
        if node_attention_mask.shape != node_input_ids.shape:
            raise ValueError(
                f"`node_attention_mask` must have the shape of `node_input_ids`, {list(node_input_ids.shape)}, found "
                f"{list(node_attention_mask.shape)}."
            )
        vectors = encoder(node_input_ids.flatten(0, 1), node_attention_mask.flatten(0, 1))
        return vectors.unflatten(0, node_input_ids.shape[:2])

    def _need_encoder(self) -> CGMNodeEncoder:
        if self.encoder is None:
            raise ValueError(
                "this CGM has no node encoder (`encoder_config` is None): pass `node_embeddings`, or make a model with "
                "an encoder by CGMForCausalLM.from_base(lm, encoder)."
            )
        return self.encoder

    def _graph_inputs(
        self, inputs: torch.Tensor, graph: dict[str, torch.Tensor | None], node_mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Check the graph's tensors and complete them: node vectors, real nodes, bool adjacency as the mask wants it.

        Returns:
            node_embeddings `[batch, N, embedding_dim]` with zeros at padding; node_mask bool `[batch, N]`; adjacency
            bool `[batch, N, N]`, not yet oriented.
        """
        batch = inputs.shape[0]
        embeddings, ids = graph["node_embeddings"], graph["node_input_ids"]
        if (embeddings is None) == (ids is None):
            raise ValueError("Pass either `node_embeddings` or `node_input_ids` with a graph: found both or neither.")
        name, given = ("node_input_ids", ids) if embeddings is None else ("node_embeddings", embeddings)
        if given.dim() != 3 or given.shape[0] != batch:
            last = "tokens" if embeddings is None else "embedding_dim"
            raise ValueError(
                f"`{name}` must have shape [batch, nodes, {last}] with batch {batch}, found {list(given.shape)}."
            )
        if embeddings is not None and embeddings.shape[-1] != self.config.embedding_dim:
            raise ValueError(
                f"`node_embeddings` must have {self.config.embedding_dim} numbers per node (`embedding_dim`), found "
                f"{embeddings.shape[-1]}."
            )
        if embeddings is not None and not embeddings.is_floating_point():
            raise TypeError(f"`node_embeddings` must be floating point, found {embeddings.dtype}.")
        num_nodes = given.shape[1]
        node_mask = _check_mask("node_mask", node_mask, given.shape[:2], given.device)
        if (graph["edge_index"] is None) == (graph["adjacency"] is None):
            raise ValueError("Pass the graph either as `edge_index` or as `adjacency`: found both or neither.")
        if graph["adjacency"] is not None:
            adjacency = check_adjacency(graph["adjacency"], batch, num_nodes)
        else:
            adjacency = adjacency_of_edges(graph["edge_index"], batch, num_nodes)
        if embeddings is None:
            embeddings = self.get_node_features(ids, _with_node_mask(ids, graph["node_attention_mask"], node_mask))
        return embeddings.masked_fill(~node_mask.unsqueeze(-1), 0), node_mask, adjacency

    def _language_model_inputs(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        position_ids: torch.Tensor | None,
        past_key_values: Cache | None,
        labels: torch.Tensor | None,
        prompt_mask: torch.Tensor | None,
        node_mask: torch.Tensor | None,
        graph: dict[str, torch.Tensor | None],
    ) -> tuple[dict, torch.Tensor | None]:
        """Inputs of the language model, and the node tokens `[batch, N, hidden_size]`; all as given without a graph."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Pass either `input_ids` or `inputs_embeds`: found both or neither.")
        inputs = input_ids if inputs_embeds is None else inputs_embeds
        if labels is not None and labels.shape != inputs.shape[:2]:
            raise ValueError(
                f"`labels` must have the shape of the text, {list(inputs.shape[:2])}, found {list(labels.shape)}."
            )
        if all(value is None for value in graph.values()):
            return {
                "input_ids": input_ids,
                "inputs_embeds": inputs_embeds,
                "attention_mask": attention_mask,
                "position_ids": position_ids,
            }, None
        if past_key_values is not None and int(past_key_values.get_seq_length()) > 0:
            raise ValueError(
                "The cache already holds tokens, and nodes must come first: pass the graph with the first call only. "
                "`attention_mask` then covers the nodes and all of the text."
            )
        embeddings, node_mask, adjacency = self._graph_inputs(inputs, graph, node_mask)
        text_mask = _check_mask("attention_mask", attention_mask, inputs.shape[:2], inputs.device)
        if prompt_mask is not None:
            prompt_mask = _check_mask("prompt_mask", prompt_mask, inputs.shape[:2], inputs.device)
        elif labels is not None:
            prompt_mask = prompt_mask_of_labels(labels)
        else:
            prompt_mask = torch.ones_like(text_mask)
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        nodes = self.adapter(embeddings).to(inputs_embeds)
        full_mask = torch.cat([node_mask, text_mask], dim=1)
        self._check_length(full_mask.shape[1], nodes.shape[1])
        if position_ids is None:
            position_ids = (full_mask.long().cumsum(-1) - 1).masked_fill(~full_mask, 0)
        elif position_ids.shape[-1] != full_mask.shape[1]:
            raise ValueError(
                f"`position_ids` must cover the nodes and the text, {full_mask.shape[1]} positions, found "
                f"{position_ids.shape[-1]}. Leave them out to have them computed."
            )
        embeds = torch.cat([nodes, inputs_embeds], dim=1)
        adjacency = orient(adjacency, self.config.graph_direction, self.config.graph_self_loops)
        rows = node_rows(adjacency, prompt_mask, node_mask, text_mask)
        mask = self._attention_mask(rows, embeds, full_mask, past_key_values) if nodes.shape[1] else full_mask.long()
        return {"inputs_embeds": embeds, "attention_mask": mask, "position_ids": position_ids}, nodes

    def _attention_mask(
        self, rows: torch.Tensor, embeds: torch.Tensor, full_mask: torch.Tensor, past_key_values: Cache | None
    ) -> "torch.Tensor | BlockMask":
        """The graph mask in the form of the language model's attention implementation."""
        config = self.config.text_config
        function = mask_function(rows)
        padding = None if full_mask.all() else full_mask
        # (causal or f) and f is f: the graph mask takes the place of the causal one.
        mask = create_causal_mask(
            config=config,
            inputs_embeds=embeds,
            attention_mask=padding,
            **{CACHE_NAME: past_key_values},
            or_mask_function=function,
            and_mask_function=function,
        )
        if mask is None or len(mask.shape) != 4:
            raise ValueError(
                f"the attention implementation {config._attn_implementation!r} cannot have a graph mask: load the model "
                'with attn_implementation="sdpa", "eager" or, on a GPU, "flex_attention".'
            )
        return mask

    def _check_length(self, length: int, num_nodes: int) -> None:
        longest = getattr(self.config.text_config, "max_position_embeddings", None)
        if isinstance(longest, int) and length > longest:
            raise ValueError(
                f"{num_nodes} nodes and {length - num_nodes} text tokens are {length} positions, the language model has "
                f"{longest} (`max_position_embeddings`): give the processor a smaller `max_nodes`, or a shorter text."
            )


class CGMModel(CGMPreTrainedModel):
    """CGM without LM head: text and graph → hidden states of the N node tokens and the L text tokens."""

    _keys_to_ignore_on_load_unexpected = [r"^lm\.lm_head\.", r"^lm\.embed_out\.", r"^lm\.output\."]

    def __init__(self, config: CGMConfig):
        super().__init__(config)
        trust = {"trust_remote_code": True} if runs_as_remote_code() else {}
        decoder = AutoModel.from_config(config.text_config, **trust)
        # The names are those of a causal LM: `lm.<prefix of the base model>.*`.
        self._decoder_name = decoder.base_model_prefix or "model"
        self.lm = nn.ModuleDict({self._decoder_name: decoder})
        pass_on_rules(self.lm, self._decoder_name)
        self._build_rest(config, None)
        self.post_init()

    @property
    def language_model(self) -> PreTrainedModel:
        """The decoder, without LM head."""
        return self.lm[self._decoder_name]

    @takes_cache
    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        use_cache: bool | None = None,
        node_embeddings: torch.FloatTensor | None = None,
        node_input_ids: torch.LongTensor | None = None,
        node_attention_mask: torch.Tensor | None = None,
        node_mask: torch.Tensor | None = None,
        edge_index: torch.LongTensor | None = None,
        adjacency: torch.Tensor | None = None,
        prompt_mask: torch.Tensor | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """Run the decoder; the arguments are those of `CGMForCausalLM.forward`, without labels.

        Returns:
            `last_hidden_state` `[batch, N + L, hidden_size]` and what the decoder returns besides.
        """
        graph = {
            "node_embeddings": node_embeddings,
            "node_input_ids": node_input_ids,
            "node_attention_mask": node_attention_mask,
            "edge_index": edge_index,
            "adjacency": adjacency,
        }
        inputs, _ = self._language_model_inputs(
            input_ids, inputs_embeds, attention_mask, position_ids, past_key_values, None, prompt_mask, node_mask, graph
        )
        return self.language_model(**inputs, **{CACHE_NAME: past_key_values}, use_cache=use_cache, **kwargs)


class CGMForCausalLM(CGMGenerationMixin, CGMPreTrainedModel):
    """CGM with LM head: text and graph → logits, loss on the answer, generated text.

    Parameters: `lm.*` (the causal LM), `adapter.fc1.*`, `adapter.fc2.*`, `encoder.*` (with an encoder).

    ```python
    >>> from transformers import AutoModelForCausalLM, AutoProcessor
    >>> import codefuse_hf

    >>> model = AutoModelForCausalLM.from_pretrained("path/to/model")
    >>> processor = AutoProcessor.from_pretrained("path/to/model")
    >>> inputs = processor(text="Which functions call `load`?", graph="repository.graph.json")
    >>> answer = model.generate(**inputs, max_new_tokens=100)
    ```
    """

    base_model_prefix = "lm"

    def __init__(self, config: CGMConfig, lm: PreTrainedModel | None = None, encoder: PreTrainedModel | None = None):
        """`lm`, `encoder`: a ready causal LM and a ready text encoder, to use instead of new ones."""
        super().__init__(config)
        trust = {"trust_remote_code": True} if runs_as_remote_code() else {}
        self.lm = AutoModelForCausalLM.from_config(config.text_config, **trust) if lm is None else lm
        self._build_rest(config, encoder)
        self.post_init()

    @property
    def language_model(self) -> PreTrainedModel:
        """The causal LM."""
        return self.lm

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the LM head."""
        return self.lm.get_output_embeddings()

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the LM head."""
        self.lm.set_output_embeddings(value)

    @classmethod
    def from_base(
        cls,
        lm: str | PreTrainedModel,
        encoder: str | PreTrainedModel | None = None,
        *,
        lm_kwargs: dict | None = None,
        encoder_kwargs: dict | None = None,
        **config_kwargs,
    ) -> "CGMForCausalLM":
        """Make a new CGM of a trained language model, a trained text encoder and a fresh adapter.

        Args:
            lm: a folder or repository of a causal LM, or such a model; a model that is passed is used itself, not
                copied. It may be quantised.
            encoder: a folder or repository of a text encoder (sentence-transformers, CodeT5+ embedding, CGE, or any for
                `AutoModel`), or such a model. None: the model takes `node_embeddings` of width `embedding_dim`.
            lm_kwargs, encoder_kwargs: arguments for `from_pretrained` (dtype, quantization_config, gguf_file, …). Weights
                out of a GGUF file stay packed, and can neither be trained nor saved, unless
                `quantization_config=GgufConfig(dequantize=True)` unpacks them.
            **config_kwargs: keys of `CGMConfig`; pooling and normalisation are read off the encoder's folder.

        Raises:
            ValueError: a language model that cannot have a graph mask, or an encoder that cannot be read; says why.
            TypeError: `lm` or `encoder` is neither a name nor a model.
        """
        if isinstance(lm, str) or hasattr(lm, "__fspath__"):
            lm = AutoModelForCausalLM.from_pretrained(lm, **(lm_kwargs or {}))
        if not isinstance(lm, PreTrainedModel):
            raise TypeError(f"from_base wants a causal LM or the name of one, found {type(lm).__name__}.")
        backbone, projection, settings = load_encoder(encoder, encoder_kwargs or {})
        if backbone is not None:
            settings["encoder_config"] = backbone.config
        config = CGMConfig(lm.config, **{**settings, **config_kwargs})
        config.dtype = lm.dtype
        for part in (lm, backbone):
            if part is not None:
                mark_initialized(part)
        model = cls(config, lm=lm, encoder=backbone)
        if projection is not None:
            model.encoder.proj.load_state_dict(projection)
        # A quantised model reports the dtype of its small weights; the adapter's follows the embeddings.
        model.adapter.to(lm.get_input_embeddings().weight.dtype).to(lm.device)
        if model.encoder is not None:
            model.encoder.to(lm.device)
        model.generation_config = lm.generation_config
        take_over_quantization(model, lm)
        return model.eval()

    @takes_cache
    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        node_embeddings: torch.FloatTensor | None = None,
        node_input_ids: torch.LongTensor | None = None,
        node_attention_mask: torch.Tensor | None = None,
        node_mask: torch.Tensor | None = None,
        edge_index: torch.LongTensor | None = None,
        adjacency: torch.Tensor | None = None,
        prompt_mask: torch.Tensor | None = None,
        **kwargs,
    ) -> CGMCausalLMOutputWithPast:
        """Run the model. N nodes, L text tokens, S tokens per segment; padding may be on either side.

        Args:
            input_ids: `[batch, L]`, the text alone; or `inputs_embeds` `[batch, L, hidden_size]`.
            attention_mask: `[batch, L]`, 1 at real text tokens. In later calls with a cache it covers the nodes, too:
                `[batch, N + length so far]`.
            position_ids: `[batch, N + L]`; by default each row's real tokens are counted from 0, nodes first.
            labels: `[batch, L]`, the answer's tokens, -100 elsewhere. Tokens before the first answer token are the
                prompt, unless `prompt_mask` says otherwise; without either all text is prompt.
            logits_to_keep: number of last rows to compute logits for (0: all N + L), or their positions.
            node_embeddings: `[batch, N, embedding_dim]`; or `node_input_ids` `[batch, N, S]` with `node_attention_mask`
                (by default what is not the encoder's padding), to be encoded here.
            node_mask: `[batch, N]`, 1 at real nodes.
            edge_index: `[batch, 2, edges]`, (source, target) pairs, padded with -1; or `adjacency` `[batch, N, N]`,
                bool, true where row i attends to column j.
            prompt_mask: `[batch, L]`, 1 at the text tokens that nodes may see.

        Raises:
            ValueError: shapes that do not fit, edges to nodes that are not there, more positions than the model has.
            TypeError: an adjacency or edges of the wrong dtype.
        """
        graph = {
            "node_embeddings": node_embeddings,
            "node_input_ids": node_input_ids,
            "node_attention_mask": node_attention_mask,
            "edge_index": edge_index,
            "adjacency": adjacency,
        }
        inputs, nodes = self._language_model_inputs(
            input_ids,
            inputs_embeds,
            attention_mask,
            position_ids,
            past_key_values,
            labels,
            prompt_mask,
            node_mask,
            graph,
        )
        loss_kwargs = {name: kwargs.pop(name) for name in ("num_items_in_batch", "shift_labels") if name in kwargs}
        outputs = self.lm(
            **inputs, **{CACHE_NAME: past_key_values}, use_cache=use_cache, logits_to_keep=logits_to_keep, **kwargs
        )
        loss = None
        if labels is not None or loss_kwargs.get("shift_labels") is not None:
            loss = self._answer_loss(outputs.logits, labels, logits_to_keep, **loss_kwargs)
        return CGMCausalLMOutputWithPast(
            loss=loss,
            logits=outputs.logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            node_hidden_states=nodes,
            **{CACHE_NAME: getattr(outputs, CACHE_NAME)},
        )

    def _answer_loss(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor | None,
        logits_to_keep: int | torch.Tensor,
        shift_labels: torch.Tensor | None = None,
        **kwargs,
    ) -> torch.Tensor:
        """Cross-entropy of the answer tokens: their mean, or their sum over `num_items_in_batch`."""
        if isinstance(logits_to_keep, torch.Tensor):
            raise ValueError("`labels` need logits of the last rows: pass `logits_to_keep` as a number.")
        targets = labels if shift_labels is None else shift_labels
        rows = min(targets.shape[1], logits.shape[1])
        return self.loss_function(
            logits=logits[:, -rows:].contiguous(),
            labels=None if labels is None else labels[:, -rows:],
            shift_labels=None if shift_labels is None else shift_labels[:, -rows:].contiguous(),
            vocab_size=self.config.vocab_size,
            **kwargs,
        )


def _check_mask(name: str, mask: torch.Tensor | None, shape: Sequence[int], device: torch.device) -> torch.Tensor:
    """A 0/1 mask as bool; all true for None."""
    if mask is None:
        return torch.ones(*shape, dtype=torch.bool, device=device)
    if mask.shape != torch.Size(shape):
        raise ValueError(
            f"`{name}` must have shape {list(shape)}, found {list(mask.shape)}"
            + (" (with a graph it covers the text alone)." if name == "attention_mask" else ".")
        )
    return mask.bool()


def _with_node_mask(ids: torch.Tensor, mask: torch.Tensor | None, node_mask: torch.Tensor) -> torch.Tensor | None:
    """The segments' mask without those of padded nodes, which need no encoding."""
    if mask is None or mask.shape != ids.shape:
        return mask
    return mask.bool() & node_mask.unsqueeze(-1)


__all__ = ["CGMCausalLMOutputWithPast", "CGMForCausalLM", "CGMModel"]
