"""Configurations of tiny language models under CGE, and texts for a tokenizer."""

from transformers import (
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from codefuse_hf import RodimusConfig

VOCAB = 400
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": VOCAB,
    "max_position_embeddings": 256,
}
_RODIMUS = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": VOCAB}
BACKBONES = {
    "qwen2": lambda: Qwen2Config(**_SIZES, num_key_value_heads=2),
    "qwen3": lambda: Qwen3Config(**_SIZES, num_key_value_heads=2, head_dim=16),
    "phi3": lambda: Phi3Config(**_SIZES, pad_token_id=0),
    "llama": lambda: LlamaConfig(**_SIZES),
    "mistral_window": lambda: MistralConfig(**_SIZES, num_key_value_heads=2, sliding_window=4),
    "gemma": lambda: GemmaConfig(**_SIZES, head_dim=16, num_key_value_heads=2),
    "gpt2": lambda: GPT2Config(n_embd=64, n_layer=3, n_head=4, vocab_size=VOCAB, n_positions=256),
    "rodimus": lambda: RodimusConfig(**_RODIMUS, block_type="rodimus"),
    "rodimus_plus": lambda: RodimusConfig(**_RODIMUS, block_type="rodimus_plus", num_attention_heads=4),
}
CORPUS = [
    "def add(a, b):\n    return a + b\n",
    "class Stack:\n    def push(self, item):\n        self.items.append(item)\n",
    "Return the largest of the given numbers, or None if there are none.",
    "public int size() { return this.count; }",
    "for (let i = 0; i < n; i++) { total += values[i]; }",
] * 4
