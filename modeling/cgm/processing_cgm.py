"""The processor of CGM: text or chat messages and a code graph → the model's inputs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import BatchFeature, PreTrainedTokenizerBase
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging

from .graph_input_cgm import PreparedGraph, prepare_graph
from .picture_cgm import draw_mask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.get_logger(__name__)

Encode = Callable[[list[list[int]]], torch.Tensor]
"""Vectors `[segments, embedding_dim]` of segments of token ids, e.g. `CGMForCausalLM.encode_segments`."""
_IGNORED = -100


class CGMProcessor(ProcessorMixin):
    """Makes the inputs of `CGMForCausalLM`: tokens of the text, segments of the graph's nodes, and their edges.

    Args:
        tokenizer: that of the language model.
        node_tokenizer: that of the node encoder; the language model's by default.
        chat_template: for chat messages; the tokenizer's own by default.
        segment_length: tokens per segment, each of which is one node token.
        max_nodes: node tokens per graph at most; None for no limit.
        max_segments_per_node: longer texts of one node are cut off; None keeps all.
        edge_types: the edges that the mask follows ("contains", "calls", …); all by default.
        when_full: "drop" the nodes that do not fit into `max_nodes` (and say so once), or raise an "error".

    ```python
    >>> inputs = processor(text="What does `Engine.run` call?", graph="repository.graph.json")
    >>> inputs = processor(text=[{"role": "user", "content": "…"}], graph=graph, anchors=[17, 42])
    >>> batch = processor(text=questions, graph=graphs, answer=answers)  # with labels, to train on
    ```
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase | None = None,
        node_tokenizer: PreTrainedTokenizerBase | None = None,
        chat_template: str | None = None,
        segment_length: int = 512,
        max_nodes: int | None = None,
        max_segments_per_node: int | None = None,
        edge_types: list[str] | None = None,
        when_full: str = "drop",
    ):
        for name, value in (
            ("segment_length", segment_length),
            ("max_nodes", max_nodes),
            ("max_segments_per_node", max_segments_per_node),
        ):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"CGMProcessor: `{name}` must be a whole number of at least 1, found {value!r}.")
        if when_full not in ("drop", "error"):
            raise ValueError(f"CGMProcessor: `when_full` must be 'drop' or 'error', found {when_full!r}.")
        self.segment_length = segment_length
        self.max_nodes = max_nodes
        self.max_segments_per_node = max_segments_per_node
        self.edge_types = edge_types
        self.when_full = when_full
        if chat_template is None:
            chat_template = getattr(tokenizer, "chat_template", None)
        super().__init__(
            tokenizer, tokenizer if node_tokenizer is None else node_tokenizer, chat_template=chat_template
        )

    @property
    def model_input_names(self) -> list[str]:
        """Names of what a call returns."""
        return [
            "input_ids",
            "attention_mask",
            "node_input_ids",
            "node_attention_mask",
            "node_mask",
            "edge_index",
        ]

    def prepare_graph(self, graph: Any, *, anchors: Iterable[int] = (), repo_name: str | None = None) -> PreparedGraph:
        """Read a graph and choose the nodes that fit; the result can be passed as `graph` any number of times.

        Args:
            graph: a `CodeGraph`, its JSON as a dictionary, or the path of such a file.
            anchors: ids of nodes that go first, with their neighbours.
            repo_name: the text of the Repo node; its own name by default.

        Returns:
            Segments, names and `report`: which nodes were kept, left out and shortened, and why.

        Raises:
            ValueError: no graph, an unknown anchor, or a graph beyond the budget with `when_full="error"`.
        """
        prepared = prepare_graph(
            graph,
            self.node_tokenizer,
            segment_length=self.segment_length,
            max_nodes=self.max_nodes,
            max_segments_per_node=self.max_segments_per_node,
            edge_types=self.edge_types,
            anchors=anchors,
            repo_name=repo_name,
            when_full=self.when_full,
        )
        if prepared.report.left_out or prepared.report.shortened:
            logger.info("%s", prepared.report)
            logger.warning_once(
                "A graph did not fit as a whole: `max_nodes` leaves nodes out, `max_segments_per_node` shortens them. "
                "`prepare_graph(…).report` says what became of each graph; this is said once."
            )
        return prepared

    def example(
        self,
        text: str | Sequence[Mapping[str, Any]],
        graph: Any = None,
        answer: str | None = None,
        *,
        anchors: Iterable[int] = (),
        encode: Encode | None = None,
        **tokenizer_kwargs: Any,
    ) -> dict[str, Any]:
        """Return one example without padding, as lists and arrays (what a data set can hold): see `__call__` and `collate`.

        Returns:
            `input_ids` [L]; with an answer also `labels` [L]; with a graph `edge_index` int64 [2, edges] and either
            `node_input_ids` (N lists of token ids) or `node_embeddings` [N, embedding_dim].
        """
        prompt = self._prompt_ids(text, tokenizer_kwargs)
        found: dict[str, Any] = {"input_ids": prompt}
        if answer is not None:
            ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
            end = self.tokenizer.eos_token_id
            ids = [*ids, *([] if end is None else [end])]
            found = {"input_ids": prompt + ids, "labels": [_IGNORED] * len(prompt) + ids}
        if graph is not None:
            prepared = graph
            if not isinstance(graph, PreparedGraph):
                prepared = self.prepare_graph(graph, anchors=anchors)
            segments = [segment.tolist() for segment in prepared.segments]
            if encode is None:
                found["node_input_ids"] = segments
            else:
                found["node_embeddings"] = torch.as_tensor(encode(segments)).float().numpy()
            found["edge_index"] = np.stack(prepared.segments.adjacency_coo())
        return found

    def __call__(
        self,
        text: Any = None,
        graph: Any = None,
        answer: str | Sequence[str] | None = None,
        *,
        anchors: Any = (),
        encode: Encode | None = None,
        return_tensors: str | None = "pt",
        **tokenizer_kwargs: Any,
    ) -> BatchFeature:
        """Make the inputs of the model, padded on the left, as tensors.

        Args:
            text: a prompt, or chat messages (`[{"role": …, "content": …}]`); or a list of either.
            graph: a `CodeGraph`, its JSON as a dictionary, the path of such a file, or the result of `prepare_graph`;
                a list of as many as there are texts, or one for all.
            answer: the text to be learnt after the prompt, or one per prompt: adds `labels`.
            anchors: ids of nodes that go first into `max_nodes`; with several texts a list of such lists.
            encode: gives the segments' vectors, e.g. `model.encode_segments` (with a cache): `node_embeddings` then take
                the place of `node_input_ids`.
            return_tensors: "pt"; nothing else is supported.
            **tokenizer_kwargs: for the prompt's tokenizer, such as `truncation` and `max_length`.

        Raises:
            ValueError: numbers of texts, graphs and answers that differ, or a graph that cannot be read.
        """
        if return_tensors not in (None, "pt"):
            raise ValueError(
                f"CGMProcessor makes PyTorch tensors: return_tensors must be 'pt', found {return_tensors!r}."
            )
        if text is None:
            raise ValueError("CGMProcessor needs `text`: a prompt, chat messages, or a list of either.")
        texts = _as_batch(text)
        size = len(texts)
        if isinstance(graph, list | tuple):
            graphs = list(graph)
        else:  # one graph for all texts is read once
            if graph is not None and not isinstance(graph, PreparedGraph) and not _is_nested(anchors):
                graph = self.prepare_graph(graph, anchors=anchors)
            graphs = [graph] * size
        answers = [answer] * size if answer is None else [answer] if isinstance(answer, str) else list(answer)
        all_anchors = list(anchors) if _is_nested(anchors) else [anchors] * size
        for name, values in (("graph", graphs), ("answer", answers), ("anchors", all_anchors)):
            if len(values) != size:
                raise ValueError(
                    f"CGMProcessor: {size} texts, but {len(values)} of `{name}`: there must be one for each."
                )
        if len({graph is None for graph in graphs}) > 1:
            raise ValueError(
                "CGMProcessor: a batch has graphs for all texts or for none; pass {'nodes': []} for an empty one."
            )
        examples = [
            self.example(*each, anchors=own, encode=encode, **tokenizer_kwargs)
            for *each, own in zip(texts, graphs, answers, all_anchors, strict=True)
        ]
        return BatchFeature(self.pad(examples))

    def pad(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad examples (see `example`) to one batch: text on the left, nodes, segments and edges on the right.

        Returns:
            Tensors by the names that `CGMForCausalLM.forward` takes.
        """
        texts = [torch.as_tensor(example["input_ids"], dtype=torch.long) for example in examples]
        pad = self.tokenizer.pad_token_id
        batch = {
            "input_ids": _stack(texts, 0 if pad is None else pad, left=True),
            "attention_mask": _stack([torch.ones_like(text) for text in texts], 0, left=True),
        }
        if "labels" in examples[0]:
            labels = [torch.as_tensor(example["labels"], dtype=torch.long) for example in examples]
            batch["labels"] = _stack(labels, _IGNORED, left=True)
        if "edge_index" in examples[0]:
            batch |= self._pad_graphs(examples)
        return batch

    def _pad_graphs(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        edges = [torch.as_tensor(np.asarray(example["edge_index"], np.int64).reshape(2, -1)) for example in examples]
        batch = {"edge_index": _stack([each.T for each in edges], -1).transpose(1, 2)}
        if "node_embeddings" in examples[0]:
            nodes = [torch.as_tensor(np.asarray(example["node_embeddings"], np.float32)) for example in examples]
            batch["node_embeddings"] = _stack(nodes, 0.0)
        else:
            segments = [example["node_input_ids"] for example in examples]
            width = max((len(segment) for graph in segments for segment in graph), default=0)
            pad = self.node_tokenizer.pad_token_id
            shape = (len(segments), max(map(len, segments)), max(width, 1))
            ids, mask = np.full(shape, 0 if pad is None else pad, np.int64), np.zeros(shape, np.int64)
            for row, graph in enumerate(segments):
                lengths = np.array([len(segment) for segment in graph], np.int64)
                real = np.arange(shape[2]) < lengths[:, None]
                flat = np.fromiter((token for segment in graph for token in segment), np.int64, int(lengths.sum()))
                ids[row, : len(graph)][real] = flat
                mask[row, : len(graph)] = real
            batch |= {"node_input_ids": torch.from_numpy(ids), "node_attention_mask": torch.from_numpy(mask)}
            nodes = segments
        batch["node_mask"] = _stack([torch.ones(len(graph), dtype=torch.long) for graph in nodes], 0)
        return batch

    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Batch examples for `Trainer(data_collator=processor.collate)`.

        As `pad`; with labels, logits are asked for the text alone, so that they stand beside the labels and those of
        the nodes cost nothing.
        """
        batch: dict[str, Any] = self.pad(examples)
        if "labels" in batch:
            batch["logits_to_keep"] = batch["labels"].shape[1]
        return batch

    def show_mask(
        self, text: Any, graph: Any, answer: str | None = None, *, anchors: Iterable[int] = (), figure: Any = None
    ) -> "Figure":
        """Draw the attention mask of one example with matplotlib: who may attend to whom.

        Args:
            text, graph, answer, anchors: one example, as in `__call__`.
            figure: a matplotlib figure to draw into; a new one by default.

        Returns:
            The figure (`.savefig(path)` writes it; a notebook shows it after `%matplotlib inline`).
        """
        prepared = graph if isinstance(graph, PreparedGraph) else self.prepare_graph(graph, anchors=anchors)
        example = self.example(text, prepared, answer)
        size = len(prepared.segments)
        adjacency = np.zeros((size, size), bool)
        adjacency[tuple(example["edge_index"])] = True
        labels = np.array(example.get("labels", [_IGNORED] * len(example["input_ids"])))
        tokens = [self.tokenizer.decode([token]) for token in example["input_ids"]]
        return draw_mask(adjacency, np.cumsum(labels != _IGNORED) == 0, prepared.names, tokens, figure)

    def _prompt_ids(self, text: str | Sequence[Mapping[str, Any]], tokenizer_kwargs: dict[str, Any]) -> list[int]:
        special = True
        if not isinstance(text, str):
            text = self.tokenizer.apply_chat_template(
                list(text), chat_template=self.chat_template, tokenize=False, add_generation_prompt=True
            )
            special = False  # the template writes them
        options = {"add_special_tokens": special, **tokenizer_kwargs}
        return list(self.tokenizer(text, **options)["input_ids"])


def _as_batch(text: Any) -> list[Any]:
    """A list of prompts or conversations, also of just one."""
    if isinstance(text, str):
        return [text]
    if not isinstance(text, list | tuple) or not text:
        raise ValueError("CGMProcessor: `text` must be a prompt, chat messages, or a list of either, not empty.")
    return [text] if isinstance(text[0], Mapping) else list(text)


def _is_nested(anchors: Any) -> bool:
    return isinstance(anchors, list | tuple) and any(isinstance(each, list | tuple) for each in anchors)


def _stack(rows: Sequence[torch.Tensor], value: float, left: bool = False) -> torch.Tensor:
    """Pad tensors of different lengths along their first dimension and stack them."""
    side = "left" if left else "right"
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value, padding_side=side)


__all__ = ["CGMProcessor"]
