"""Trains the quickstart's tokenizer and its small Rodimus+, for as long as the clock allows."""

import math
import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from ..modeling.rodimus.configuration_rodimus import RodimusConfig
from ..modeling.rodimus.modeling_rodimus import RodimusForCausalLM
from ..modeling.rodimus.tokenization_rodimus_fast import RodimusTokenizer
from ..training.text_corpus import BlockDataset, batches_of_texts
from ..training.time_budget import TimeBudget

# A small Rodimus+: few, narrow layers and short blocks of text, because on two cores the number of optimisation steps in
# two minutes decides how much is learnt. The window is shorter than a block, so that the recurrent state has work to do.
VOCAB_SIZE = 2048
BLOCK_LENGTH = 128
BATCH_SIZE = 4
LEARNING_RATE = 4e-3
MODEL = {
    "block_type": "rodimus_plus",
    "d_model": 192,
    "n_layer": 2,
    "mixer_cfg": {"mem_size": 32, "normalize_epsilon": 1e-5},
    "attn_cfg": {"num_heads": 3, "window_size": 128},
}


def train_tokenizer(texts: Sequence[str]) -> RodimusTokenizer:
    """Train a byte-level BPE tokenizer with the special tokens of the Rodimus family."""
    progress = tqdm(total=len(texts), desc="tokenizer", unit="file")

    def counted():
        for batch in batches_of_texts(texts):
            yield batch
            progress.update(len(batch))

    with progress:
        return RodimusTokenizer.train_from_iterator(counted(), VOCAB_SIZE, show_progress=False)


def train_model(
    texts: Sequence[str], tokenizer: RodimusTokenizer, seconds: float, seed: int
) -> tuple[RodimusForCausalLM, dict[str, Any]]:
    """Train a small Rodimus+ with transformers' `Trainer` for `seconds`.

    Returns:
        The model, in evaluation mode, and the facts of its training; `bits_per_byte` is measured on held-out text.

    Raises:
        ValueError: too little text, or not one step in the time.
    """
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
        "held_out_bits_per_byte": round(loss / math.log(2) / bytes_per_token, 4),
    }
    tqdm.write(
        f"Trained {facts['parameters'] / 1e6:.1f} M parameters for {facts['steps']} steps ({facts['tokens']} tokens); "
        f"held-out loss {loss:.2f}, {facts['held_out_bits_per_byte']:.2f} bits per byte"
    )
    return model.eval(), facts


def _encode(texts: Sequence[str], tokenizer: RodimusTokenizer):
    """Encode the texts: blocks to train on, held-out blocks (the last 2 %, at most 64), and bytes per token."""
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
