"""Small Rodimus models for tests: the published variants in miniature, and odd ones."""

from typing import Any

import torch

from codefuse_hf import RodimusConfig, RodimusForCausalLM

SMALL = {"vocab_size": 61, "d_model": 32, "n_layer": 2}
MIXER = {"expand_ratio": 2.0, "mem_size": 8, "input_gate_low_rank": "auto", "normalize_epsilon": 1e-5}
ATTENTION = {"num_heads": 4, "num_heads_k": 1, "num_heads_v": 4, "window_size": 8, "ffn_expand_ratio": 4 / 3}

# The checkpoints that are published, with fewer and narrower layers.
PUBLISHED = {
    "rodimus_1B4_base": {
        "block_type": "rodimus",
        "mixer_cfg": {k: v for k, v in MIXER.items() if k != "normalize_epsilon"},
        "attn_cfg": {"num_heads": None, "num_heads_k": None, "num_heads_v": None, "window_size": 8},
        "tie_word_embeddings": True,
    },
    "Rodimus-Plus-Coder-1.6B": {
        "block_type": "rodimus_plus",
        "mixer_cfg": MIXER,
        "attn_cfg": ATTENTION | {"rotary_emb_dim": -1, "rotary_emb_scale_base": None},
        "tie_word_embeddings": True,
    },
    "Rodimus-Plus-Coder-4B": {
        "block_type": "rodimus_plus",
        "d_model": 48,
        "n_layer": 3,
        "mixer_cfg": MIXER,
        "attn_cfg": ATTENTION | {"num_heads": 6, "num_heads_v": 6, "rotary_emb_dim": -1},
        "tie_word_embeddings": False,
    },
}


def plus(mixer_cfg: dict | None = None, attn_cfg: dict | None = None, **values) -> dict[str, Any]:
    return {
        "block_type": "rodimus_plus",
        "mixer_cfg": MIXER | (mixer_cfg or {}),
        "attn_cfg": ATTENTION | (attn_cfg or {}),
    } | values


def recurrent(mixer_cfg: dict | None = None, **values) -> dict[str, Any]:
    return {"block_type": "rodimus", "mixer_cfg": MIXER | (mixer_cfg or {})} | values


ODD = {
    "3 heads of size 10": plus(attn_cfg={"num_heads": 3, "num_heads_v": 3}, d_model=30),
    "one head": plus(attn_cfg={"num_heads": 1, "num_heads_v": 1}),
    "2 key heads": plus(attn_cfg={"num_heads_k": 2}),
    "2 value heads": plus(attn_cfg={"num_heads_v": 2}),
    "3 key heads, 2 value heads of 6": plus(attn_cfg={"num_heads": 6, "num_heads_k": 3, "num_heads_v": 2}, d_model=36),
    "as many key heads": plus(attn_cfg={"num_heads_k": 4}),
    "heads by default": plus(attn_cfg={"num_heads": None, "num_heads_v": None}, d_model=256, n_layer=1),
    "no window": plus(attn_cfg={"window_size": None}),
    "window -1": plus(attn_cfg={"window_size": -1}),
    "odd window": plus(attn_cfg={"window_size": 7}),
    "window of the token itself": plus(attn_cfg={"window_size": 1}),
    "partial rotation": plus(attn_cfg={"rotary_emb_dim": 4}),
    "no rotation": plus(attn_cfg={"rotary_emb_dim": 0}),
    "interleaved rotation": plus(attn_cfg={"rotary_emb_interleaved": True}),
    "partial interleaved rotation": plus(attn_cfg={"rotary_emb_interleaved": True, "rotary_emb_dim": 6}),
    "rotary base": plus(attn_cfg={"rotary_emb_base": 500.0}),
    "feed-forward width": plus(attn_cfg={"ffn_expand_ratio": 2.7}),
    "scaled embedding": plus(use_scale_embedding=True),
    "normed embedding": plus(use_norm_embedding=True),
    "scaled and normed embedding, recurrent": recurrent(use_norm_embedding=True, use_scale_embedding=True),
    "residual in the model's dtype": plus(residual_in_fp32=False),
    "one tap": recurrent({"d_conv": 1}),
    "2 taps": plus({"d_conv": 2}),
    "7 taps": recurrent({"d_conv": 7}),
    "mem_size 5": recurrent({"mem_size": 5}),
    "mem_size 1": recurrent({"mem_size": 1}),
    "mem_size 70": plus({"mem_size": 70}),
    "expand_ratio 1.3": recurrent({"expand_ratio": 1.3}),
    "gate rank 3": recurrent({"input_gate_low_rank": 3}),
    "gate rank as text": recurrent({"input_gate_low_rank": "5"}),
    "large norm epsilon": plus(norm_epsilon=0.1),
    "large key epsilon": recurrent({"normalize_epsilon": 0.5}),
    "untied": recurrent(tie_word_embeddings=False),
    "one layer": plus(n_layer=1),
}

BLOCKS = {"rodimus": recurrent(), "rodimus_plus": plus()}


def make_config(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration as published, ready to be read as JSON."""
    return SMALL | values


def make_model(
    values: dict[str, Any], seed: int = 0, dtype: torch.dtype = torch.float32, **kwargs
) -> RodimusForCausalLM:
    """A model with weights large enough that every part of it shows in the logits."""
    torch.manual_seed(seed)
    model = RodimusForCausalLM(RodimusConfig(**make_config(values), **kwargs)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight") or "norm_f" in name or "residual_weight" in name:
                parameter.uniform_(0.5, 1.5)
            elif parameter.ndim > 1 and "conv1d" not in name:
                parameter.normal_(std=1.2 * parameter.shape[1] ** -0.5)
            elif "ch_gate_proj" in name:
                parameter.normal_()
    return model.to(dtype)


def make_ids(batch: int, steps: int, seed: int = 0, vocab_size: int = SMALL["vocab_size"]) -> torch.Tensor:
    return torch.randint(0, vocab_size, (batch, steps), generator=torch.Generator().manual_seed(seed))
