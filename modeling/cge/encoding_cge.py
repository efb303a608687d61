"""`encode`: texts → vectors, for use without sentence-transformers."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm
from transformers import AutoTokenizer, BatchEncoding, PreTrainedTokenizerBase

from codefuse_hf.modeling.configuration_checks import runs_as_remote_code


class CGEEncodeMixin:
    """Adds `encode` to the model."""

    def encode(
        self,
        sentences: str | Sequence[str] | PreTrainedTokenizerBase,
        tokenizer: PreTrainedTokenizerBase | str | Sequence[str] | None = None,
        *,
        batch_size: int = 32,
        show_progress_bar: bool = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        max_length: int | None = None,
        prompt: str | None = None,
        prompt_position: str | None = None,
        truncate_dim: int | None = None,
    ) -> np.ndarray | torch.Tensor | list[torch.Tensor]:
        """Embed texts. The longest are run first, so that too large a batch fails at once; the order is restored.

        Args:
            sentences: one text or several. The order of the published model, `encode(tokenizer, sentences)`, is
                understood as well.
            tokenizer: by default the one that was saved with the model.
            batch_size: texts per forward pass.
            show_progress_bar: show a bar over the batches.
            convert_to_numpy: return an array (the default); `convert_to_tensor` has precedence; with neither a list
                of tensors is returned.
            convert_to_tensor: return one tensor, on the model's device.
            max_length: longest text in tokens, by default the configuration's `inf_seq_length`; the end of a longer
                text is cut off (never its prompt).
            prompt: instruction to put before or after each text (see `prompt_position`).
            prompt_position: "before" or "after"; by default the configuration's.
            truncate_dim: keep only the first dimensions of the vectors (and normalise again).

        Returns:
            `[num_texts, embedding_dim]`, or `[embedding_dim]` for a single string. An empty text has a defined vector:
            the pooling's answer to no tokens at all (zero for the methods other than "pma").

        Raises:
            TypeError: if a text is not a string. ValueError: for impossible arguments or if no tokenizer is found.
        """
        if isinstance(sentences, PreTrainedTokenizerBase):
            sentences, tokenizer = tokenizer, sentences
        single = isinstance(sentences, str)
        texts = check_texts([sentences] if single else sentences)
        _check_arguments(batch_size, max_length, truncate_dim, self.config.embedding_dim)
        tokenizer = self._find_tokenizer() if tokenizer is None else tokenizer
        vectors: list[torch.Tensor | None] = [None] * len(texts)
        longest_first = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        was_training = self.training
        self.eval()
        try:
            starts = range(0, len(texts), batch_size)
            for start in tqdm(starts, desc="Batches", disable=not show_progress_bar):
                chosen = longest_first[start : start + batch_size]
                features = tokenize_texts(
                    tokenizer,
                    [texts[index] for index in chosen],
                    max_length=max_length or self.config.inf_seq_length,
                    padding_side=self.config.padding_side,
                    prompt=prompt,
                    prompt_position=prompt_position or self.config.prompt_position,
                )
                with torch.inference_mode():
                    embeddings = self(**features.to(self.device)).embedding
                if truncate_dim is not None:
                    embeddings = F.normalize(embeddings[:, :truncate_dim], dim=-1)
                if not convert_to_tensor:
                    embeddings = embeddings.cpu()
                for index, vector in zip(chosen, embeddings, strict=True):
                    vectors[index] = vector
        finally:
            self.train(was_training)
        width = min(truncate_dim or self.config.embedding_dim, self.config.embedding_dim)
        return _collect(vectors, single, width, convert_to_numpy, convert_to_tensor)

    def _find_tokenizer(self) -> PreTrainedTokenizerBase:
        source = self.config.name_or_path
        options = {**getattr(self, "_origin", {}), **({"trust_remote_code": True} if runs_as_remote_code() else {})}
        if getattr(self, "_tokenizer", None) is None:
            try:
                self._tokenizer = AutoTokenizer.from_pretrained(source, **options) if source else None
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"No tokenizer could be loaded from {source!r}; pass one: encode(texts, tokenizer)."
                ) from error
        if self._tokenizer is None:
            raise ValueError(
                "This model was not loaded from a folder with a tokenizer; pass one: encode(texts, tokenizer)."
            )
        return self._tokenizer


def check_texts(texts: Sequence[str]) -> list[str]:
    """Return the texts as a list; TypeError if one is not a string."""
    if texts is None or isinstance(texts, (bytes, dict)):
        raise TypeError(f"Expected a text or a list of texts, found {type(texts).__name__}.")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Expected texts (str), found {type(text).__name__} at position {position}: {text!r:.80}")
    return texts


def tokenize_texts(
    tokenizer: PreTrainedTokenizerBase,
    texts: list[str],
    *,
    max_length: int,
    padding_side: str,
    prompt: str | None = None,
    prompt_position: str = "before",
):
    """Return token ids and mask `[batch, seq_len]` of texts with their prompt, cut to `max_length` and padded.

    What is cut is the end of the text itself: a prompt that stands after the text is kept.
    """
    if prompt:
        texts = [prompt + text if prompt_position == "before" else text + prompt for text in texts]
    if prompt and prompt_position == "after":
        suffix = len(tokenizer(prompt)["input_ids"])
        if suffix >= max_length:
            raise ValueError(
                f"The prompt has {suffix} tokens, which leaves no room for a text within {max_length} tokens."
            )
        encoded = tokenizer(texts, truncation=False, verbose=False)
        rows = [
            ids if len(ids) <= max_length else ids[: max_length - suffix] + ids[-suffix:]
            for ids in encoded["input_ids"]
        ]
    else:
        rows = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    return pad_rows(tokenizer, rows, padding_side)


def pad_rows(tokenizer: PreTrainedTokenizerBase, rows: list[list[int]], padding_side: str):
    """Pad token ids on the given side; any id will do at padding, so tokenizers without a pad token work too."""
    width = max(map(len, rows), default=0)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        place = slice(0, len(row)) if padding_side == "right" else slice(width - len(row), width)
        ids[index, place] = torch.tensor(row, dtype=torch.long)
        mask[index, place] = 1
    return BatchEncoding({"input_ids": ids, "attention_mask": mask})


def _check_arguments(batch_size: int, max_length: int | None, truncate_dim: int | None, embedding_dim: int) -> None:
    for name, value in (("batch_size", batch_size), ("max_length", max_length), ("truncate_dim", truncate_dim)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"`{name}` must be a positive integer, found {value!r}.")
    if truncate_dim is not None and truncate_dim > embedding_dim:
        raise ValueError(
            f"`truncate_dim` must be at most the embedding's width, {embedding_dim}; found {truncate_dim}."
        )


def _collect(vectors, single, width, convert_to_numpy, convert_to_tensor):
    if not convert_to_numpy and not convert_to_tensor:
        return vectors[0] if single else vectors
    stacked = torch.stack(vectors) if vectors else torch.empty(0, width)
    if not convert_to_tensor:
        stacked = stacked.float().numpy()  # NumPy has no bfloat16
    return stacked[0] if single else stacked
