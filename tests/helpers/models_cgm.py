"""Tiny CGMs, and batches of graphs."""

import functools
import json

import torch
from safetensors.torch import load_file
from transformers import BertConfig, Qwen2Config

from codefuse_hf import CGMConfig, CGMForCausalLM
from helpers import GOLDEN

WIDTH, VOCABULARY = 12, 90


def text_config(**changes):
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "initializer_range": 0.3,
    }
    return Qwen2Config(**{**settings, **changes})


def bert_config(**changes):
    settings = {
        "vocab_size": 60,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 40,
        "initializer_range": 0.3,
    }
    return BertConfig(**{**settings, **changes})


def tiny(seed=0, text=None, **changes):
    """A CGM without encoder."""
    torch.manual_seed(seed)
    settings = {"embedding_dim": WIDTH, "adapter_hidden_dim": 20}
    return CGMForCausalLM(CGMConfig(text or text_config(), **{**settings, **changes})).eval()


def tiny_with_encoder(seed=0, **changes):
    return tiny(seed, embedding_dim=None, encoder_config=bert_config(), encoder_pooling="mean", **changes)


def example(num_nodes, length, seed=0, edges=0.3):
    """One graph and text, unbatched."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "input_ids": torch.randint(3, VOCABULARY, (length,), generator=generator),
        "node_embeddings": torch.randn(num_nodes, WIDTH, generator=generator),
        "adjacency": torch.rand(num_nodes, num_nodes, generator=generator) < edges,
    }


def collate(examples, side="left", node_side="right"):
    """A padded batch; padded nodes hold rubbish, and edges to them."""
    length = max(len(e["input_ids"]) for e in examples)
    count = max(len(e["node_embeddings"]) for e in examples)
    batch = {name: [] for name in ("input_ids", "attention_mask", "node_embeddings", "node_mask", "adjacency")}
    for e in examples:
        pads, spare = length - len(e["input_ids"]), count - len(e["node_embeddings"])
        around = (pads, 0) if side == "left" else (0, pads)
        nodes = (spare, 0) if node_side == "left" else (0, spare)
        ones = torch.ones_like(e["input_ids"])
        batch["input_ids"].append(torch.nn.functional.pad(e["input_ids"], around))
        batch["attention_mask"].append(torch.nn.functional.pad(ones, around))
        batch["node_embeddings"].append(torch.nn.functional.pad(e["node_embeddings"], (0, 0, *nodes), value=1e4))
        batch["node_mask"].append(torch.nn.functional.pad(torch.ones(len(e["node_embeddings"])), nodes))
        batch["adjacency"].append(torch.nn.functional.pad(e["adjacency"], (*nodes, *nodes), value=True))
    return {name: torch.stack(values) for name, values in batch.items()}


def alone(e):
    """One example as a batch of one, without padding."""
    return {name: value.unsqueeze(0) for name, value in e.items()}


@functools.cache
def golden_case():
    """The model of the golden case, and its inputs and outputs."""
    folder = GOLDEN / "cgm"
    settings = json.loads((folder / "config.json").read_text())
    sizes = settings.pop("cgm")
    for name in ("architectures", "model_type", "torch_dtype", "transformers_version"):
        settings.pop(name)
    config = CGMConfig(
        Qwen2Config(**settings),
        embedding_dim=sizes["embedding_dim"],
        adapter_hidden_dim=sizes["adapter_hidden_dim"],
    )
    model = CGMForCausalLM(config).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model, load_file(folder / "io.safetensors")


def word_tokenizer(size=VOCABULARY, chat=False, **special):
    """A tokenizer of words: each is the number that it hashes to, so that any text has tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", **special}
    letters = [chr(code) for code in range(32, 127)]
    vocabulary = [*names.values(), *letters][:size]
    model = models.WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token=vocabulary[-1])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **names)
    if chat:
        fast.chat_template = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[assistant]"
    return fast
