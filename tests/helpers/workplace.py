"""A folder in which the documents' code blocks run: tiny stand-ins under the names that the documents use.

A library that is asked for `codefuse-ai/Rodimus-Plus-Coder-1.6B-Chat` takes a folder of that name before it asks the Hub,
so a stand-in is a folder in the working directory, in the layout of what is published there.
"""

import os
import subprocess
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2Model

from codefuse_hf import CGEModel, CGMProcessor, RodimusForCausalLM, to_sentence_transformer

from . import published_cge
from .faulty_repository import FILES, ISSUES, git
from .models_cgm import text_config, tiny_with_encoder, word_tokenizer
from .published_layout import write_published

CHAT_MODEL = "codefuse-ai/Rodimus-Plus-Coder-1.6B-Chat"
QWEN = "Qwen/Qwen2.5-Coder-0.5B"
ENGINE = '''"""An engine."""


class Engine:
    def run(self):
        return load_config("engine.toml")


def load_config(path):
    """Where the retry logic is."""
    return open(path).read()


def main():
    Engine().run()
'''


def make_workplace(folder: Path) -> None:
    """Write everything that the documents' blocks name and do not make themselves."""
    write_published(folder / CHAT_MODEL, block_type="rodimus_plus")
    model, tokenizer = (
        RodimusForCausalLM.from_pretrained(folder / CHAT_MODEL),
        AutoTokenizer.from_pretrained(folder / CHAT_MODEL),
    )
    for name in ("me/my-model", "my-rodimus", "MODEL", "codefuse-hf-quickstart/model"):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    published_cge.write_published(folder / "codefuse-ai/CodeFuse-CGE-Large")
    _write_qwen(folder / QWEN, folder / "codefuse-ai/CodeFuse-CGE-Large")
    embedder = CGEModel.from_backbone(str(folder / QWEN), embedding_dim=32, pma_num_heads=4)
    to_sentence_transformer(embedder, AutoTokenizer.from_pretrained(folder / QWEN)).save_pretrained(
        str(folder / "path/or/repo")
    )
    long_text = text_config(max_position_embeddings=2048)
    tiny_with_encoder(text=long_text).save_pretrained(folder / "path/to/cgm")
    CGMProcessor(word_tokenizer(chat=True), word_tokenizer(60), segment_length=16).save_pretrained(
        folder / "path/to/cgm"
    )
    for name in ("repository", "one", "another"):
        _write_repository(folder / "path/to" / name)
    (folder / "issue.md").write_text(ISSUES[5])


def _write_qwen(folder: Path, tokenizer: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    Qwen2Model(
        Qwen2Config(**sizes, vocab_size=300, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256)
    ).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


def _write_repository(folder: Path) -> None:
    for path, text in (FILES | {"src/engine.py": ENGINE}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "Shop")


def run_shell(commands: str, folder: Path, **environment: str) -> None:
    """Run a block of shell commands in the folder; installing is left to the gate, so `pip` does nothing."""
    scripts = str(Path(sys.executable).parent)
    variables = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"]} | environment
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "pip() { :; }\n" + commands],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
