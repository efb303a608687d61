"""Completion of code as it appears, with what each token takes and what the cache holds."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase, TextIteratorStreamer
from transformers.generation import StoppingCriteria

from ..measure import cache_bytes
from ..modeling.cache_names import CACHE_NAME


@dataclass
class Progress:
    """The text so far, tokens a second, and the bytes of the caches at each number of tokens."""

    text: str = ""
    tokens_per_second: float = 0.0
    lengths: list[int] = field(default_factory=list)
    cache: list[int] = field(default_factory=list)
    llama: list[int] = field(default_factory=list)


class _Stop(StoppingCriteria):
    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, input_ids, scores, **kwargs) -> bool:
        return self.wanted


def llama_cache_bytes(model: PreTrainedModel, tokens: int) -> int:
    """Return the bytes of keys and values of a Llama of the same depth and width, with a quarter of the heads for them, at `tokens`."""
    config = model.config
    return 2 * config.num_hidden_layers * (config.hidden_size // 4) * tokens * model.dtype.itemsize


def complete(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, new_tokens: int, temperature: float
) -> Iterator[Progress]:
    """Complete a prompt; yields the progress with each piece of text. Ends with the iterator.

    Raises:
        ValueError: the prompt is empty, or generation failed.
    """
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False).to(model.device)
    if not inputs["input_ids"].shape[1]:
        raise ValueError("there is nothing to complete: write the beginning of some code")
    cache, stop, errors = DynamicCache(config=model.config), _Stop(), []
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=120)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}

    def run() -> None:
        try:
            model.generate(
                **inputs, **sampling, **{CACHE_NAME: cache}, max_new_tokens=new_tokens, streamer=streamer,
                stopping_criteria=[stop],
            )  # fmt: skip
        except Exception as error:
            errors.append(error)
            streamer.end()

    thread, progress = threading.Thread(target=run, daemon=True), Progress(prompt)
    begin, first = time.perf_counter(), inputs["input_ids"].shape[1]
    thread.start()
    try:
        for piece in streamer:
            progress.text += piece
            length = max(cache.get_seq_length(), first)
            progress.tokens_per_second = (length - first + 1) / (time.perf_counter() - begin)
            if not progress.lengths or length > progress.lengths[-1]:
                progress.lengths.append(length)
                progress.cache.append(cache_bytes(cache))
                progress.llama.append(llama_cache_bytes(model, length))
            yield progress
    finally:
        stop.wanted = True
        thread.join()
    if errors:
        raise ValueError(f"the model could not go on: {errors[0]}") from errors[0]


def load(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer for this machine; code that a folder carries is not run."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = "auto" if torch.cuda.is_available() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(
        name, dtype=dtype, device_map="auto" if torch.cuda.is_available() else None
    )
    return model.eval(), AutoTokenizer.from_pretrained(name)
