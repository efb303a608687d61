"""The quickstart from beginning to end."""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..measure import check_contexts
from .corpus import read_corpus
from .generation import SCRIPT, generate_in_fresh_process
from .measurement import MEASURED_STEPS, measure
from .output import MARKER, output_folder
from .training import train_model, train_tokenizer

# Training gets this share of the time; the tokenizer, the fresh process and the measurements need about the rest of three
# minutes, whatever the budget.
TRAINING_SHARE = 0.6
MIN_MINUTES = 0.05


@dataclass(frozen=True)
class Options:
    """What a quickstart does.

    Attributes:
        output: the folder for all results.
        contexts: lengths to measure at, rising, in tokens.
        force: replace the results of an earlier quickstart.
        minutes: time for everything.
        corpus: text files or folders; None for Python's standard library.
        prompts: what the trained model shall continue; None for some that fit the corpus.
        new_tokens: to generate for each prompt.
        seed: of everything random.
    """

    output: Path
    contexts: Sequence[int]
    force: bool = False
    minutes: float = 3.0
    corpus: Sequence[str] | None = None
    prompts: Sequence[str] | None = None
    new_tokens: int = 150
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot work before any work is done.

        Raises:
            ValueError: a budget too small, no tokens to generate, contexts that do not rise.
        """
        if not MIN_MINUTES <= self.minutes < float("inf"):
            raise ValueError(f"--minutes must be a number from {MIN_MINUTES} up, got {self.minutes:g}")
        if self.new_tokens < 1:
            raise ValueError(f"--new-tokens must be at least 1, got {self.new_tokens}")
        check_contexts(self.contexts, MEASURED_STEPS)


def run(options: Options) -> None:
    """Run the quickstart. Every result appears in `options.output` at once, at the end.

    Raises:
        ValueError: impossible options, a corpus without enough text.
        OSError: an output folder that cannot be written or that holds something else.
    """
    options.check()
    with output_folder(options.output, options.force) as folder:
        report = _build(folder, options)
        (folder / MARKER).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _build(folder: Path, options: Options) -> dict[str, Any]:
    """Train, save, load elsewhere, generate and measure, all in `folder`; returns what goes into the report."""
    started = time.monotonic()
    corpus = read_corpus(options.corpus, options.seed)
    tqdm.write(
        f"Corpus: {corpus.origin}, {len(corpus.texts)} files, {sum(map(len, corpus.texts)) / 1e6:.1f} M characters"
    )
    tokenizer = train_tokenizer(corpus.texts)
    seconds = max(options.minutes * 60 * TRAINING_SHARE, 1.0)
    model, training = train_model(corpus.texts, tokenizer, seconds, options.seed)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")

    prompts = tuple(options.prompts or corpus.prompts)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
    samples = generate_in_fresh_process(folder, prompts, options.new_tokens, options.seed)
    text = "\n\n".join(f"{'-' * 20} {sample['prompt']!r}\n{sample['text']}" for sample in samples)
    print(f"\nWritten by the model, loaded in a fresh process from its folder alone:\n\n{text}\n")
    (folder / "samples.txt").write_text(text + "\n", encoding="utf-8")

    measurements = measure(model, options.contexts, folder / "measurements.png", options.seed)
    return {
        "corpus": corpus.origin,
        "training": training,
        "samples": samples,
        "measurements": measurements,
        "seconds": round(time.monotonic() - started, 1),
    }
