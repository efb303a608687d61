"""`codefuse-hf quickstart`: the whole life of a small Rodimus+ in about three minutes, on a CPU, without any download.

Trains a byte-level BPE tokenizer and a model on the Python source of the interpreter's own standard library (or on any
text), saves both as a self-contained folder, loads that folder in a fresh process which cannot import this package, lets
it write code there, and measures what generation costs as the context grows, beside a Llama of the same size.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from codefuse_hf.modeling.rodimus.modeling_rodimus import RodimusForCausalLM

DEFAULT_OUTPUT = "codefuse-hf-quickstart"
DEFAULT_CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384)
# Training gets this share of the time; the tokenizer, the fresh process and the measurements need about the rest of three
# minutes, whatever the budget.
TRAINING_SHARE = 0.6
MIN_MINUTES = 0.05
MAX_CORPUS_BYTES = 24 << 20  # more cannot be read within the time anyway
# Parts of the standard library that are data or tests rather than code to learn from.
SKIPPED_FOLDERS = ("site-packages", "test", "tests", "idlelib", "lib2to3", "encodings", "pydoc_data", "__pycache__")
PYTHON_PROMPTS = ("import os\n\n\ndef read_file(path", "class Stack:\n    def __init__(self", "for key, value in")

# A small Rodimus+: few, narrow layers and short blocks of text, because on two cores the number of optimisation steps in
# two minutes decides how much is learnt. The window is shorter than a block, so that the recurrent state has work to do.
VOCAB_SIZE = 2048
BLOCK_LENGTH = 128
BATCH_SIZE = 4
LEARNING_RATE = 4e-3
MODEL = {
    "block_type": "rodimus_plus",
    "d_model": 192,
    "n_layer": 3,
    "mixer_cfg": {"mem_size": 32, "normalize_epsilon": 1e-5},
    "attn_cfg": {"num_heads": 3, "window_size": 128},
}

MARKER = "quickstart.json"
_OWN_FILES = ("model", "generate.py", "samples.txt", "measurements.png", MARKER)

# Written beside the model: all that a user of the folder needs, and what the fresh process runs.
GENERATE_SCRIPT = '''\
"""Generates text with the model in the folder `model`, which brings its own code: codefuse-hf is not needed.

Usage: python generate.py PROMPT [PROMPT …]
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = Path(__file__).resolve().parent / "model"
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)

torch.manual_seed({seed})
for prompt in sys.argv[1:] or {prompts!r}:
    inputs = tokenizer(prompt, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens={new_tokens}, do_sample=True, temperature=0.5, top_p=0.9)
    print(json.dumps({{"prompt": prompt, "text": tokenizer.decode(output[0], skip_special_tokens=True)}}), flush=True)
print(json.dumps({{"model_class_from": type(model).__module__}}))
'''

# Runs a script in a process that cannot import this package: `None` in sys.modules makes every import of it fail.
_ISOLATED = "import runpy, sys; sys.modules['codefuse_hf'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@dataclass
class Corpus:
    """Texts to train on, with their origin in words and prompts that fit them."""

    origin: str
    texts: list[str]
    prompts: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `codefuse-hf quickstart`."""
    parser.add_argument(
        "--output", type=Path, default=Path(DEFAULT_OUTPUT), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the results of an earlier quickstart in the output folder"
    )
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="time for everything, most of it for training (default: 3)"
    )
    parser.add_argument(
        "--corpus", nargs="+", metavar="PATH", help="text files or folders; default: Python's standard library"
    )
    parser.add_argument("--prompt", nargs="+", metavar="TEXT", help="what the trained model shall continue")
    parser.add_argument("--new-tokens", type=int, default=150, help="tokens to generate for each prompt (default: 150)")
    parser.add_argument(
        "--contexts",
        type=int,
        nargs="+",
        default=list(DEFAULT_CONTEXTS),
        metavar="TOKENS",
        help="context lengths to measure at, rising (default: 512 … 16384)",
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Run the quickstart. Every result appears in `args.output` at once, at the end.

    Raises:
        ValueError: a budget too small, contexts that do not rise, a corpus without enough text.
        OSError: an output folder that cannot be written or that holds something else.
    """
    check_arguments(args)
    with _staging_folder(args.output, args.force) as folder:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        report = _build(folder, args)
        (folder / MARKER).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\nAll of it is in {args.output}: the model (self-contained), generate.py, {MARKER}, measurements.png.")
    return 0


def _build(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train, save, load elsewhere, generate and measure, all in `folder`; returns what goes into the report."""
    started = time.monotonic()
    corpus = read_corpus(args.corpus, args.seed)
    tqdm.write(
        f"Corpus: {corpus.origin}, {len(corpus.texts)} files, {sum(map(len, corpus.texts)) / 1e6:.1f} M characters"
    )
    tokenizer = train_tokenizer(corpus.texts)
    seconds = max(args.minutes * 60 * TRAINING_SHARE, 1.0)
    model, training = train_model(corpus.texts, tokenizer, seconds, args.seed)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")

    prompts = tuple(args.prompt or corpus.prompts)
    script = GENERATE_SCRIPT.format(prompts=list(prompts), seed=args.seed, new_tokens=args.new_tokens)
    (folder / "generate.py").write_text(script, encoding="utf-8")
    samples = generate_in_fresh_process(folder)
    text = "\n\n".join(f"{'-' * 20} {sample['prompt']!r}\n{sample['text']}" for sample in samples)
    print(f"\nWritten by the model, loaded in a fresh process from its folder alone:\n\n{text}\n")
    (folder / "samples.txt").write_text(text + "\n", encoding="utf-8")

    measurements = measure(model, args.contexts, folder / "measurements.png", args.seed)
    return {
        "corpus": corpus.origin,
        "training": training,
        "samples": samples,
        "measurements": measurements,
        "seconds": round(time.monotonic() - started, 1),
    }


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what cannot work before any work is done. Raises `ValueError`."""
    from codefuse_hf.measure import check_contexts

    if not MIN_MINUTES <= args.minutes < float("inf"):
        raise ValueError(f"--minutes must be a number from {MIN_MINUTES} up, got {args.minutes:g}")
    if args.new_tokens < 1:
        raise ValueError(f"--new-tokens must be at least 1, got {args.new_tokens}")
    check_contexts(args.contexts, MEASURED_STEPS)


# ---- the steps


def read_corpus(paths: Sequence[str] | None, seed: int) -> Corpus:
    """The texts at `paths`, or the Python source of this interpreter's standard library.

    Raises:
        ValueError: no text there.
        OSError: a path does not exist.
    """
    from codefuse_hf.training.text_corpus import find_files, read_texts

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


def train_tokenizer(texts: Sequence[str]) -> "PreTrainedTokenizerFast":
    """A byte-level BPE tokenizer with the special tokens of the Rodimus family."""
    from codefuse_hf.modeling.rodimus.tokenization_rodimus_fast import RodimusTokenizer
    from codefuse_hf.training.text_corpus import batches_of_texts

    progress = tqdm(total=len(texts), desc="tokenizer", unit="file")

    def counted():
        for batch in batches_of_texts(texts):
            yield batch
            progress.update(len(batch))

    with progress:
        return RodimusTokenizer.train_from_iterator(counted(), VOCAB_SIZE, show_progress=False)


def train_model(
    texts: Sequence[str], tokenizer: "PreTrainedTokenizerFast", seconds: float, seed: int
) -> tuple["RodimusForCausalLM", dict[str, Any]]:
    """Train a small Rodimus+ with transformers' `Trainer` for `seconds`.

    Returns:
        The model, in evaluation mode, and the facts of its training; `bits_per_byte` is measured on held-out text.

    Raises:
        ValueError: too little text, or not one step in the time.
    """
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

    from codefuse_hf import RodimusConfig, RodimusForCausalLM
    from codefuse_hf.training.time_budget import TimeBudget

    set_seed(seed)
    train_set, held_out, bytes_per_token = _encode(texts, tokenizer)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model = RodimusForCausalLM(RodimusConfig(vocab_size=len(tokenizer), **special, **MODEL))
    budget = TimeBudget(seconds)
    optimizer = torch.optim.AdamW(model.parameter_groups(weight_decay=0.1), lr=LEARNING_RATE, betas=(0.9, 0.98))
    with tempfile.TemporaryDirectory(prefix="codefuse-hf-") as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=1_000_000,  # the clock ends the training
            per_device_train_batch_size=BATCH_SIZE,
            per_device_eval_batch_size=4 * BATCH_SIZE,
            max_grad_norm=1.0,
            logging_steps=5,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=train_set,
            eval_dataset=held_out,
            callbacks=[budget],
            optimizers=(optimizer, budget.scheduler(optimizer)),
        )
        trainer.remove_callback(PrinterCallback)  # the time budget shows the progress
        trainer.train()
        loss = trainer.evaluate()["eval_loss"]
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": budget.steps,
        "tokens": budget.steps * BATCH_SIZE * BLOCK_LENGTH,
        "seconds": round(seconds, 1),
        "held_out_loss": round(loss, 4),
        "held_out_bits_per_byte": round(loss / 0.6931471805599453 / bytes_per_token, 4),
    }
    tqdm.write(
        f"Trained {facts['parameters'] / 1e6:.1f} M parameters for {facts['steps']} steps ({facts['tokens']} tokens); "
        f"held-out loss {loss:.2f}, {facts['held_out_bits_per_byte']:.2f} bits per byte"
    )
    return model.eval(), facts


def _encode(texts: Sequence[str], tokenizer: "PreTrainedTokenizerFast"):
    """Blocks to train on, held-out blocks (the last 2 %, at most 64), and bytes per token."""
    import torch

    from codefuse_hf.training.text_corpus import BlockDataset, batches_of_texts

    ids: list[int] = []
    with tqdm(total=len(texts), desc="encoding", unit="file") as progress:
        for batch in batches_of_texts(texts):
            for encoding in tokenizer.backend_tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                ids += [*encoding.ids, tokenizer.eos_token_id]
            progress.update(len(batch))
    if len(ids) < 2 * BLOCK_LENGTH:
        raise ValueError(f"the corpus has {len(ids)} tokens; at least {2 * BLOCK_LENGTH} are needed: give more text")
    tokens = torch.tensor(ids, dtype=torch.int32)
    held_out = BLOCK_LENGTH * min(max(len(ids) // (50 * BLOCK_LENGTH), 1), 64)
    bytes_per_token = sum(len(text.encode()) for text in texts) / len(ids)
    return (
        BlockDataset(tokens[:-held_out], BLOCK_LENGTH),
        BlockDataset(tokens[-held_out:], BLOCK_LENGTH),
        bytes_per_token,
    )


def generate_in_fresh_process(folder: Path) -> list[dict[str, str]]:
    """Run `generate.py` of `folder` in a new process without this package; returns prompts and texts.

    Raises:
        OSError: the process failed; the message ends with what it wrote.
    """
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", _ISOLATED, str(folder / "generate.py")]
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, tqdm(desc="fresh process", unit="text") as progress:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", env=environment, cwd=folder
        ) as process:
            for line in process.stdout:
                if line.startswith("{"):
                    lines.append(json.loads(line))
                    progress.update("text" in lines[-1])
        if process.returncode:
            errors.seek(0)
            raise OSError(f"generating in a fresh process failed:\n{errors.read().strip()[-2000:]}")
    *samples, facts = lines
    if not facts["model_class_from"].startswith("transformers_modules"):
        raise OSError(f"the folder's own code was to run, but the model came from {facts['model_class_from']}")
    return samples


MEASURED_REPEATS, STEPS_PER_REPEAT = 3, 5
MEASURED_STEPS = MEASURED_REPEATS * (STEPS_PER_REPEAT + 1)


def measure(model: "RodimusForCausalLM", contexts: Sequence[int], png: Path, seed: int) -> dict[str, Any]:
    """Time per token and cache at growing context, beside a Llama of the same size; prints the table, draws `png`."""
    from codefuse_hf import measure as measuring

    config = model.config
    parameters = measuring.count_parameters(model)
    llama = measuring.llama_of_size(parameters, config.vocab_size, config.hidden_size, _llama_depth(model))
    models = {"Rodimus+": model, "Llama": llama}
    records = measuring.measure_decoding(models, contexts, STEPS_PER_REPEAT, MEASURED_REPEATS, seed)
    print(
        f"Time per token and cache, {parameters / 1e6:.1f} M parameters each, one sequence:\n\n{measuring.table(records)}"
    )
    measuring.plot_decoding(records, png, f"Decoding on a CPU, {parameters / 1e6:.1f} M parameters")
    return {
        "parameters": {name: measuring.count_parameters(model) for name, model in models.items()},
        "records": [record.as_dict() for record in records],
    }


def _llama_depth(model: "RodimusForCausalLM") -> int:
    """Layers of a Llama of the same width and size, with the usual feed-forward width of 8/3 of the width."""
    width = model.config.hidden_size
    in_layers = sum(p.numel() for p in model.parameters()) - model.config.vocab_size * width
    return max(round(in_layers / (12 * width**2)), 1)


# ---- the output folder


@contextmanager
def _staging_folder(output: Path, force: bool):
    """A folder beside `output` that takes its place when the block ends well, and vanishes when it does not."""
    _check_output(output, force)
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise OSError(
            f"the output folder {output} cannot be written: {error.strerror or error}; choose another with --output"
        ) from error
    try:
        yield staging
        if output.exists():
            _check_output(output, force)  # it may have changed in the meantime
            shutil.rmtree(output)
        staging.chmod(0o755)
        os.replace(staging, output)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_output(output: Path, force: bool) -> None:
    """Raises `OSError` if results cannot go to `output`: only an empty folder or, with `force`, our own is replaced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise NotADirectoryError(f"{output} exists and is not a folder: choose another with --output")
    found = {entry.name for entry in output.iterdir()}
    if not found:
        return
    foreign = sorted(found.difference(_OWN_FILES))
    if MARKER not in found or foreign:
        shown = ", ".join((foreign or sorted(found))[:3])
        raise FileExistsError(f"{output} holds other files ({shown}, …): choose another folder with --output")
    if not force:
        raise FileExistsError(
            f"{output} holds the results of an earlier quickstart: choose another folder with --output, or replace it with --force"
        )
