"""Generation with a graph: node tokens stand in the sequence as placeholders, so that every mode of `generate` counts
positions, cache and padding as it always does. Whatever looks at token ids (logits processors, stopping criteria,
streamers, the caller) gets the text alone.
"""

import copy
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation import (
    GenerationMixin,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from codefuse_hf.modeling.cache_names import CACHE_NAME, takes_cache

GRAPH_ARGUMENTS = (
    "node_embeddings",
    "node_input_ids",
    "node_attention_mask",
    "node_mask",
    "edge_index",
    "adjacency",
    "prompt_mask",
)


class CGMGenerationMixin(GenerationMixin):
    """`generate` with the graph arguments of `CGMForCausalLM.forward`."""

    @torch.no_grad()
    def generate(self, inputs: torch.Tensor | None = None, generation_config=None, **kwargs) -> Any:
        """Generate text, as in `GenerationMixin`, from a prompt and a graph.

        The nodes are computed once, with the prompt, and cached. Results hold the text alone. To go on from a cache of
        an earlier call, pass the whole text, the same graph and `past_key_values`; new text is not visible to nodes
        (`prompt_mask` marks what was, for the same result without the cache).

        Args:
            inputs: `input_ids` `[batch, L]`, padded on the left.
            generation_config, **kwargs: as in `GenerationMixin.generate`; lengths count the text alone.

        Raises:
            ValueError: right padding, `inputs_embeds`, an assistant model or a chunked prefill together with a graph.
        """
        graph = {name: kwargs.pop(name) for name in GRAPH_ARGUMENTS if kwargs.get(name) is not None}
        if not graph:
            for name in GRAPH_ARGUMENTS:
                kwargs.pop(name, None)
            return super().generate(inputs, generation_config, **kwargs)
        input_ids = kwargs.pop("input_ids", None) if inputs is None else inputs
        self._refuse(input_ids, generation_config, kwargs)
        attention_mask = self._text_mask(input_ids, generation_config, kwargs.pop("attention_mask", None))
        prompt_mask = graph.pop("prompt_mask", None)
        prompt_mask = self._checked_prompt_mask(prompt_mask, input_ids)
        arguments = {name: graph.get(name) for name in GRAPH_ARGUMENTS if name not in ("node_mask", "prompt_mask")}
        embeddings, node_mask, adjacency = self._graph_inputs(input_ids, arguments, graph.get("node_mask"))
        count = node_mask.shape[1]
        placeholder = input_ids.new_full((len(input_ids), count), self._placeholder_id(generation_config))
        generation_config = self._with_room_for_nodes(count, generation_config, kwargs)
        if kwargs.get("streamer") is not None:
            kwargs["streamer"] = _TextStreamer(kwargs["streamer"], count)
        if kwargs.get("stopping_criteria"):
            criteria = [_CriterionOnText(criterion, count) for criterion in kwargs["stopping_criteria"]]
            kwargs["stopping_criteria"] = StoppingCriteriaList(criteria)
        result = super().generate(
            torch.cat([placeholder, input_ids], dim=1),
            generation_config,
            attention_mask=torch.cat([node_mask.to(attention_mask), attention_mask], dim=1),
            node_embeddings=embeddings,
            node_mask=node_mask,
            adjacency=adjacency,
            prompt_mask=prompt_mask,
            **kwargs,
        )
        if isinstance(result, torch.Tensor):
            return result[:, count:]
        result.sequences = result.sequences[:, count:]
        return result

    def _refuse(self, input_ids: torch.Tensor | None, generation_config, kwargs: dict[str, Any]) -> None:
        """Raises ValueError for what a graph cannot be combined with."""
        if input_ids is None:
            raise ValueError("a graph needs a prompt: pass `input_ids` (not `inputs_embeds`).")
        for name, reason in {
            "inputs_embeds": "the prompt must be `input_ids`",
            "assistant_model": "an assistant model cannot read the graph (prompt lookup can be used)",
            "custom_generate": "custom decoding loops do not know it",
        }.items():
            if kwargs.get(name) is not None:
                raise ValueError(f"`{name}` cannot be combined with a graph: {reason}.")
        wrapper = getattr(vars(self).get("prepare_inputs_for_generation"), "__self__", None)
        if getattr(getattr(wrapper, "active_peft_config", None), "num_virtual_tokens", None):
            raise ValueError(
                "virtual tokens (PEFT's prompt tuning, p-tuning, prefix tuning) cannot be combined with a graph, whose nodes "
                "stand where they would: use LoRA or another adapter of the weights."
            )
        chunk = kwargs.get("prefill_chunk_size", getattr(generation_config, "prefill_chunk_size", None))
        if chunk is not None:
            raise ValueError("`prefill_chunk_size`: nodes attend to the whole prompt, so it is read in one piece.")

    def _text_mask(self, input_ids: torch.Tensor, generation_config, mask: torch.Tensor | None) -> torch.Tensor:
        """The text's attention mask; without one, padding is what transformers would take for it."""
        if mask is None:
            pad, eos = (self._token_id(name, generation_config) for name in ("pad_token_id", "eos_token_id"))
            is_padding = pad is not None and pad not in (eos if isinstance(eos, list) else [eos])
            mask = (input_ids != pad).long() if is_padding else torch.ones_like(input_ids)
        if mask.shape != input_ids.shape:
            raise ValueError(
                f"`attention_mask` must have the shape of the text, {list(input_ids.shape)}, found {list(mask.shape)}: "
                "with a graph it covers the text alone."
            )
        if (mask[:, -1] == 0).any():
            raise ValueError("the prompts are padded on the right; generation needs them padded on the left.")
        return mask

    def _checked_prompt_mask(self, prompt_mask: torch.Tensor | None, input_ids: torch.Tensor) -> torch.Tensor:
        if prompt_mask is None:
            return torch.ones_like(input_ids, dtype=torch.bool)
        if prompt_mask.dim() != 2 or len(prompt_mask) != len(input_ids) or prompt_mask.shape[1] > input_ids.shape[1]:
            raise ValueError(
                f"`prompt_mask` must have the shape of the text, {list(input_ids.shape)} (or cover its beginning), found "
                f"{list(prompt_mask.shape)}."
            )
        return _padded(prompt_mask.bool(), input_ids.shape[1])

    def _token_id(self, name: str, generation_config) -> Any:
        value = getattr(generation_config, name, None)
        return getattr(self.generation_config, name, None) if value is None else value

    def _placeholder_id(self, generation_config) -> int:
        pad = self._token_id("pad_token_id", generation_config)
        return 0 if pad is None else pad

    def _with_room_for_nodes(self, count: int, generation_config, kwargs: dict[str, Any]) -> GenerationConfig | None:
        """Add the nodes to lengths that are given in tokens of text; `kwargs` is changed in place."""
        generation_config = copy.deepcopy(generation_config)
        for name in ("max_length", "min_length", "max_cache_len"):
            if kwargs.get(name) is not None:
                kwargs[name] += count
            elif getattr(generation_config, name, None) is not None:
                setattr(generation_config, name, getattr(generation_config, name) + count)
            elif (own := getattr(self.generation_config, name, None)) is not None:
                if generation_config is None:
                    kwargs[name] = own + count
                else:
                    setattr(generation_config, name, own + count)
        return generation_config

    def _get_logits_processor(self, generation_config, input_ids_seq_length=None, **kwargs) -> LogitsProcessorList:
        count = _num_nodes(kwargs.get("model_kwargs"))
        if count == 0:
            return super()._get_logits_processor(generation_config, input_ids_seq_length, **kwargs)
        generation_config = copy.copy(generation_config)
        for name in ("max_length", "min_length"):
            if getattr(generation_config, name, None):
                setattr(generation_config, name, max(getattr(generation_config, name) - count, 0))
        if kwargs.get("encoder_input_ids") is not None:
            kwargs["encoder_input_ids"] = kwargs["encoder_input_ids"][:, count:]
        processors = super()._get_logits_processor(generation_config, input_ids_seq_length - count, **kwargs)
        return LogitsProcessorList([_ProcessorOnText(processors, count)] if processors else [])

    @takes_cache
    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        next_sequence_length: int | None = None,
        past_key_values=None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        is_first_iteration: bool | None = False,
        **kwargs,
    ) -> dict[str, Any]:
        """Choose what `forward` gets in a step; the graph goes to the call that computes the nodes, and to no other."""
        graph = {name: kwargs.pop(name, None) for name in GRAPH_ARGUMENTS}
        count = _num_nodes(graph)
        fresh = past_key_values is None or (is_first_iteration and int(past_key_values.get_seq_length()) == 0)
        if count == 0 or not fresh:
            return super().prepare_inputs_for_generation(
                input_ids,
                next_sequence_length=next_sequence_length,
                **{CACHE_NAME: past_key_values},
                attention_mask=attention_mask,
                position_ids=position_ids,
                is_first_iteration=is_first_iteration,
                **kwargs,
            )
        text = input_ids[:, count:].contiguous()
        inputs = {
            **{name: value for name, value in kwargs.items() if name not in ("labels", "inputs_embeds")},
            **{name: value for name, value in graph.items() if value is not None},
            "input_ids": text,
            "attention_mask": None if attention_mask is None else attention_mask[:, count:],
            "position_ids": position_ids,
            CACHE_NAME: past_key_values,
            "prompt_mask": _padded(graph["prompt_mask"], text.shape[1]),
        }
        return {
            name: value.to(self.device) if isinstance(value, torch.Tensor) else value for name, value in inputs.items()
        }


def _num_nodes(arguments: dict[str, Any] | None) -> int:
    """N of the arguments that `generate` carries along."""
    adjacency = (arguments or {}).get("adjacency")
    return 0 if adjacency is None else adjacency.shape[-1]


def _padded(prompt_mask: torch.Tensor, length: int) -> torch.Tensor:
    """A prompt mask with the tokens that came later, which nodes do not see."""
    return torch.nn.functional.pad(prompt_mask, (0, length - prompt_mask.shape[1]))


class _ProcessorOnText(LogitsProcessor):
    """Logits processors that do not see the placeholders of `count` nodes."""

    def __init__(self, processors: LogitsProcessorList, count: int):
        self.processors, self.count = processors, count

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.processors(input_ids[:, self.count :], scores)


class _CriterionOnText(StoppingCriteria):
    """A stopping criterion that does not see the placeholders of `count` nodes."""

    def __init__(self, criterion: Any, count: int):
        self.criterion, self.count = criterion, count

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return self.criterion(input_ids[:, self.count :], scores, **kwargs)


class _TextStreamer:
    """A streamer whose prompt comes without the placeholders of `count` nodes."""

    def __init__(self, streamer: Any, count: int):
        self.streamer, self.count = streamer, count

    def put(self, value: torch.Tensor) -> None:
        self.streamer.put(value[..., self.count :])
        self.count = 0

    def end(self) -> None:
        self.streamer.end()
