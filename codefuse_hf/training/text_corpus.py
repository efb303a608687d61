"""Text files as training data: reading them, and cutting their tokens into blocks of equal length."""

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch.utils.data import Dataset
from tqdm.auto import tqdm


def find_files(paths: Iterable[str | os.PathLike], suffix: str = "", skip_folders: Sequence[str] = ()) -> list[Path]:
    """Find the files among and below `paths`, sorted; hidden files and folders and those named in `skip_folders` are left out.

    Raises:
        OSError: a path that does not exist.
    """
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        if path.is_file():
            found.append(path)
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in skip_folders)
            found += [Path(folder, n) for n in sorted(names) if n.endswith(suffix) and not n.startswith(".")]
    return found


def read_texts(files: Sequence[Path], max_bytes: int, seed: int = 0) -> tuple[list[str], int]:
    """Read the UTF-8 text files among `files`, in random order, up to `max_bytes` in all.

    Files that are not text (not UTF-8, or with a NUL byte) or that cannot be read are passed over.

    Returns:
        The texts, and the number of files passed over because they are not readable text.
    """
    order = list(files)
    random.Random(seed).shuffle(order)
    texts, total, skipped = [], 0, 0
    for file in tqdm(order, desc="reading", unit="file", leave=False):
        if total >= max_bytes:
            break
        try:
            data = file.read_bytes()
            text = data.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            skipped += 1
            continue
        if "\0" in text:
            skipped += 1
        elif text.strip():
            texts.append(text)
            total += len(data)
    return texts, skipped


def batches_of_texts(texts: Sequence[str], size: int = 64) -> Iterator[list[str]]:
    """Yield `texts` in lists of `size`, for the batch calls of the tokenizers library."""
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])


class BlockDataset(Dataset):
    """A long row of token ids in blocks of equal length, each an example for causal language modelling.

    Args:
        tokens: token ids, one-dimensional. What does not fill a last block is left out.
        block_length: tokens per example.

    Raises:
        ValueError: fewer tokens than one block.
    """

    def __init__(self, tokens: torch.Tensor, block_length: int):
        blocks = len(tokens) // block_length
        if blocks == 0:
            raise ValueError(f"{len(tokens)} tokens are too few for one block of {block_length}: give more text")
        self.blocks = tokens[: blocks * block_length].view(blocks, block_length)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """`input_ids` and `labels`, int64 `[block_length]`; the model shifts the labels itself."""
        block = self.blocks[index].long()
        return {"input_ids": block, "labels": block}
