"""Tiny models for tests of exporting, and which formats can be tested here."""

import atexit
import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from codefuse_hf import RodimusForCausalLM
from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.formats import FORMATS

from .models_rodimus import BLOCKS, make_model

SEGMENT = 8


def _can_run(name: str) -> bool:
    packages = ("transformers.exporters", *FORMATS[name].packages)
    return all(importlib.util.find_spec(package) for package in packages)


def needs_format(name: str) -> pytest.MarkDecorator:
    """A mark that skips where a format cannot be written and run."""
    reason = f"transformers' exporters or {FORMATS[name].title} are not installed"
    return pytest.mark.skipif(not _can_run(name), reason=reason)


INSTALLED_FORMATS = [pytest.param(name, marks=needs_format(name)) for name in FORMATS]


def exported_model(block_type: str) -> RodimusForCausalLM:
    """The model that `exported_folder` exports; two layers of one type are enough to see that none takes another's state."""
    return make_model(BLOCKS[block_type] | {"n_layer": 2 if block_type == "rodimus" else 1})


@functools.cache
def exported_folder(block_type: str, format_name: str) -> Path:
    """A folder with a tiny exported model; exporting takes seconds, so it is made once."""
    folder = Path(tempfile.mkdtemp(prefix="exported-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    export_causal_lm(exported_model(block_type), format_name, segment=SEGMENT).save_pretrained(folder)
    return folder


def greedy(model, ids: torch.Tensor, mask: torch.Tensor | None = None, tokens: int = 40, **kwargs) -> torch.Tensor:
    """Tokens that a model generates, without a choice in it."""
    mask = torch.ones_like(ids) if mask is None else mask
    settings = {"do_sample": False, "max_new_tokens": tokens, "pad_token_id": 0, "eos_token_id": None} | kwargs
    return model.generate(ids, attention_mask=mask, **settings)
