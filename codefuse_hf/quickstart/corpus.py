"""The text that the quickstart trains on: files of the user's, or Python's standard library."""

import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm.auto import tqdm

from ..training.text_corpus import find_files, read_texts

MAX_CORPUS_BYTES = 24 << 20  # more cannot be read within the time anyway
# Parts of the standard library that are data or tests rather than code to learn from.
SKIPPED_FOLDERS = ("site-packages", "test", "tests", "idlelib", "lib2to3", "encodings", "pydoc_data", "__pycache__")
PYTHON_PROMPTS = ("import os\n\n\ndef read_file(path", "class Stack:\n    def __init__(self", "for key, value in")


@dataclass
class Corpus:
    """Texts to train on, with their origin in words and prompts that fit them."""

    origin: str
    texts: list[str]
    prompts: tuple[str, ...]


def read_corpus(paths: Sequence[str] | None, seed: int) -> Corpus:
    """Read the texts at `paths`, or the Python source of this interpreter's standard library.

    Raises:
        ValueError: no text there.
        OSError: a path does not exist.
    """
    if paths:
        files, origin = find_files(paths), ", ".join(paths)
    else:
        files = find_files([sysconfig.get_paths()["stdlib"]], ".py", SKIPPED_FOLDERS)
        origin = f"standard library of Python {sys.version.split()[0]}"
    texts, skipped = read_texts(files, MAX_CORPUS_BYTES, seed)
    if not texts:
        raise ValueError(
            f"no text to train on in {origin}: {len(files)} files found, {skipped} of them not UTF-8 text; "
            "name text files or folders with --corpus"
        )
    if skipped:
        tqdm.write(f"{skipped} files are not UTF-8 text and were left out")
    if not paths:
        return Corpus(origin, texts, PYTHON_PROMPTS)
    starts = [text[:40].rsplit(maxsplit=1)[0] for text in texts[-3:]]
    return Corpus(origin, texts, tuple(start for start in starts if start.strip()))
