"""Chat models that run in this process: any causal language model of transformers, and CGM, which reads the graph too."""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .models import Answer, Message, ModelError, Usage
from .quoting import BREAK

if TYPE_CHECKING:
    from codefuse_hf.graph import CodeGraph


class LocalModel:
    """A causal language model with its tokenizer.

    Args:
        model: an `AutoModelForCausalLM`.
        tokenizer: its tokenizer; without a chat template, messages follow each other as plain text.
        name: how results name it.
        context_tokens, answer_tokens: see `ChatModel`; the context is by default what the model's configuration says.
        timeout: seconds after which an answer is cut off.

    Answers are greedy, so that the same question has the same answer.
    """

    reads_graphs = False

    def __init__(
        self, model: Any, tokenizer: Any, *, name: str, context_tokens: int | None = None, answer_tokens: int | None = None,
        timeout: float | None = None,
    ) -> None:  # fmt: skip
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        most = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 8192
        self.context_tokens = min(context_tokens or most, most)
        self.answer_tokens = answer_tokens
        self.identity = [name, str(model.dtype), self.context_tokens, answer_tokens, timeout]
        self._timeout = timeout
        names = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        names |= set(tokenizer.all_special_tokens)
        self._special = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))) or r"(?!)")

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike,
        *,
        context_tokens: int | None = None,
        answer_tokens: int | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> "LocalModel":
        """Load a model from the Hub, a folder, or a GGUF file; a CGM becomes a `GraphModel`.

        Args:
            name: repository, folder, or path of a `.gguf` file.
            options: of `from_pretrained` (`dtype`, `device_map`, …).

        Raises:
            OSError, ValueError: as transformers'.
        """
        from transformers import AutoConfig, AutoModelForCausalLM, AutoProcessor, AutoTokenizer

        import codefuse_hf  # noqa: F401  registers the models of this package

        folder, extra = os.fspath(name), {}
        if folder.endswith(".gguf"):
            folder, extra = str(Path(folder).parent), {"gguf_file": Path(folder).name}
        config = AutoConfig.from_pretrained(folder, **extra)
        model = AutoModelForCausalLM.from_pretrained(folder, **extra, **options)
        settings = {"name": Path(name).name, "timeout": timeout}
        settings |= {"context_tokens": context_tokens, "answer_tokens": answer_tokens}
        if config.model_type == "cgm":
            return GraphModel(model, AutoProcessor.from_pretrained(folder), **settings)
        return cls(model, AutoTokenizer.from_pretrained(folder, **extra), **settings)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text with the model's own tokenizer, without special tokens."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        graph: "CodeGraph | None" = None,
        anchors: Sequence[int] = (),
    ) -> Answer:
        """Generate an answer; see `ChatModel.chat`."""
        start = time.monotonic()
        plain = [{**message, "content": self._without_special_tokens(message["content"])} for message in messages]
        inputs = self._inputs(plain, graph, anchors)
        length = inputs["input_ids"].shape[1]
        room = min(max_tokens, self.answer_tokens or max_tokens, self.context_tokens - length)
        if room < 1:
            raise ModelError(
                f"{self.name}: a prompt of {length:,} tokens leaves no room in a context of {self.context_tokens:,}"
            )
        tokens = self.model.generate(**inputs, max_new_tokens=room, do_sample=False, max_time=self._timeout)[0, length:]
        ends = self.model.generation_config.eos_token_id
        ended = len(tokens) > 0 and int(tokens[-1]) in (ends if isinstance(ends, list) else [ends])
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return Answer(text, not ended, Usage(1, 0, length, len(tokens), time.monotonic() - start))

    def _without_special_tokens(self, text: str) -> str:
        """The text with the names of special tokens broken, so that nothing in it ends a message."""
        return self._special.sub(lambda match: match.group()[0] + BREAK + match.group()[1:], text)

    def _inputs(self, messages: list[Message], graph: "CodeGraph | None", anchors: Sequence[int]) -> dict[str, Any]:
        if self.tokenizer.chat_template is None:
            text = "\n\n".join(message["content"] for message in messages) + "\n"
            inputs = self.tokenizer(text, return_tensors="pt")
        else:
            inputs = self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        names = ("input_ids", "attention_mask")
        return {name: inputs[name].to(self.model.device) for name in names}


class GraphModel(LocalModel):
    """A `CGMForCausalLM` with its `CGMProcessor`: reads the graph as well as the messages."""

    reads_graphs = True

    def __init__(
        self, model: Any, processor: Any, *, name: str, context_tokens: int | None = None, answer_tokens: int | None = None,
        timeout: float | None = None,
    ) -> None:  # fmt: skip
        limits = {"context_tokens": context_tokens, "answer_tokens": answer_tokens, "timeout": timeout}
        super().__init__(model, processor.tokenizer, name=name, **limits)
        self.processor = processor
        self.identity = [*self.identity, processor.max_nodes, processor.segment_length]

    def _inputs(self, messages: list[Message], graph: "CodeGraph | None", anchors: Sequence[int]) -> dict[str, Any]:
        template = self.processor.chat_template or self.tokenizer.chat_template
        text = messages if template else "\n\n".join(message["content"] for message in messages) + "\n"
        inputs = self.processor(text=text, graph=graph, **({"anchors": list(anchors)} if graph is not None else {}))
        return {name: value.to(self.model.device) for name, value in inputs.items()}
