"""A tiny Rodimus and real text for training tests: this interpreter's own source, byte by byte."""

import textwrap
from pathlib import Path

import torch
from transformers import TrainingArguments

from codefuse_hf import RodimusConfig, RodimusForCausalLM

SOURCE = Path(textwrap.__file__)


def make_model(block_type: str = "rodimus_plus", seed: int = 0, **kwargs) -> RodimusForCausalLM:
    torch.manual_seed(seed)
    config = RodimusConfig(
        vocab_size=256,
        d_model=48,
        n_layer=2,
        block_type=block_type,
        mixer_cfg={"mem_size": 16},
        attn_cfg={"num_heads": 4, "window_size": 32},
        **kwargs,
    )
    return RodimusForCausalLM(config)


def make_examples(count: int, length: int = 48, ragged: bool = False) -> list[dict]:
    """Consecutive pieces of the source. Ragged ones end in padding, which the loss ignores."""
    data, examples = SOURCE.read_bytes(), []
    assert len(data) >= count * length
    for i in range(count):
        ids = torch.tensor(list(data[i * length : (i + 1) * length]))
        real = length if not ragged else length - (7 * i) % (length - 8)
        mask = (torch.arange(length) < real).long()
        labels = torch.where(mask.bool(), ids, -100)
        examples.append({"input_ids": ids * mask, "attention_mask": mask, "labels": labels})
    return examples


def make_arguments(folder, **kwargs) -> TrainingArguments:
    defaults = {
        "per_device_train_batch_size": 8,
        "learning_rate": 3e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "lr_scheduler_type": "constant",
        "seed": 0,
        "dataloader_pin_memory": False,
    }
    return TrainingArguments(output_dir=str(folder), **(defaults | kwargs))


def losses(trainer) -> list[float]:
    """The logged loss of each step."""
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
