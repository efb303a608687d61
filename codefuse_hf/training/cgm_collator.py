"""From records to batches of CGM: what `Trainer` needs between a data set of `cgm_records` and the model."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codefuse_hf.modeling.cgm.processing_cgm import CGMProcessor

if TYPE_CHECKING:
    import datasets
    import torch


class CGMRecordCollator:
    """Batches records (see `cgm_records.FEATURES`) for `Trainer(data_collator=…, remove_unused_columns=False)`.

    Texts and graphs are tokenised as they come. For many epochs, `tokenize_records` does it once.

    Args:
        processor: its `max_nodes`, `max_segments_per_node` and `edge_types` say what of a graph is read.
        encode: gives the vectors of segments, e.g. `functools.partial(model.encode_segments, cache=cache)`, where the
            encoder is not trained.
        chat: whether prompts are put as a user's message into the chat template; by default if there is one.
        max_prompt_tokens: longer prompts lose their end.
    """

    def __init__(
        self,
        processor: CGMProcessor,
        *,
        encode: "Callable[[list[list[int]]], torch.Tensor] | None" = None,
        chat: bool | None = None,
        max_prompt_tokens: int | None = None,
    ) -> None:
        if chat and processor.chat_template is None:
            raise ValueError("chat=True needs a chat template, and this processor has none")
        self.processor, self.encode, self.max_prompt_tokens = processor, encode, max_prompt_tokens
        self.chat = processor.chat_template is not None if chat is None else chat

    def __call__(self, records: Sequence[Mapping[str, Any]]) -> "dict[str, torch.Tensor]":
        """Records → the arguments of `CGMForCausalLM.forward`, with labels on the answers."""
        return self.processor.collate([self.example(record) for record in records])

    def example(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Make one example without padding, see `CGMProcessor.example`.

        Raises:
            ValueError: the record has no graph that can be read; its task and repository are named.
        """
        text = self._shortened(record["prompt"])
        prompt = [{"role": "user", "content": text}] if self.chat else text
        anchors = record.get("anchors") or ()
        try:
            graph = json.loads(record["graph"])
            return self.processor.example(prompt, graph, record["answer"], anchors=anchors, encode=self.encode)
        except ValueError as error:
            where = (
                f"the record of the task {record.get('task')!r} from {record.get('repository') or 'no repository'!r}"
            )
            raise ValueError(f"{where} cannot be read: {error}") from None

    def _shortened(self, text: str) -> str:
        """The part of a prompt that fits, before the chat template puts anything around it."""
        if self.max_prompt_tokens is None:
            return text
        ends = self.processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return text if len(ends) <= self.max_prompt_tokens else text[: ends[self.max_prompt_tokens - 1][1]]


def tokenize_records(
    records: "datasets.Dataset", collator: CGMRecordCollator, *, num_proc: int | None = None
) -> "datasets.Dataset":
    """Tokenise all records once: a data set for `Trainer(data_collator=processor.collate)`.

    Args:
        records: rows with the columns of `cgm_records.FEATURES`.
        num_proc: processes; None for this one, which a collator with `encode` wants.

    Returns:
        A data set with `input_ids`, `labels`, `edge_index` and `node_input_ids` or `node_embeddings`.
    """
    return records.map(
        collator.example, num_proc=num_proc, remove_columns=records.column_names, desc="Tokenising records"
    )
