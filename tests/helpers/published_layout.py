"""Small random repositories in the layout of the published Rodimus checkpoints: config, weights and tokenizer, no code."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

# Keys and values as published; the sizes are small.
CONFIG = {
    "activation_dropout": 0.0,
    "architectures": ["RodimusForCausalLM"],
    "attention_dropout": 0.0,
    "auto_map": {
        "AutoConfig": "configuration_rodimus.RodimusConfig",
        "AutoModel": "modeling_rodimus.RodimusForCausalLM",
        "AutoModelForCausalLM": "modeling_rodimus.RodimusForCausalLM",
    },
    "bos_token_id": 256,
    "d_model": 48,
    "dropout": 0.0,
    "eos_token_id": 257,
    "initializer_range": 0.02,
    "max_position_embeddings": 128,
    "mixer_cfg": {
        "expand_ratio": 2.0,
        "input_gate_low_rank": "auto",
        "mem_size": 8,
        "mode": "fused_chunk",
        "normalize_epsilon": 1e-05,
    },
    "model_type": "rodimus",
    "n_layer": 2,
    "norm_epsilon": 1e-05,
    "pad_token_id": None,
    "rescale_prenorm_residual": True,
    "residual_in_fp32": True,
    "use_cache": True,
    "use_fast_path": True,
    "use_fused_cross_entropy": True,
    "use_fused_swiglu": True,
    "use_norm_embedding": False,
    "use_scale_embedding": False,
    "vocab_size": 272,
}
ATTENTION = {
    "ffn_expand_ratio": 1.3333333333333333,
    "num_heads": 4,
    "num_heads_k": 1,
    "num_heads_v": 4,
    "rotary_emb_dim": -1,
    "rotary_emb_scale_base": None,
    "window_size": 16,
}
BASE_TOKENS = ["<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]"]
CODER_TOKENS = ["<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]


def config_of(block_type: str = "rodimus_plus", tied: bool = True, dtype: str = "float32", **changes) -> dict:
    """A published `config.json`."""
    attention = ATTENTION if block_type == "rodimus_plus" else {**dict.fromkeys(ATTENTION), "window_size": 128}
    config = {"block_type": block_type, "attn_cfg": attention, "tie_word_embeddings": tied, "torch_dtype": dtype}
    return {**CONFIG, **config, **changes}


def weights_of(config: dict, seed: int = 0, redundant_head: bool = False) -> dict[str, torch.Tensor]:
    """Random weights by their published names; a tied head is left out, or stored a second time."""
    from codefuse_hf import RodimusConfig, RodimusForCausalLM

    torch.manual_seed(seed)
    weights = RodimusForCausalLM(RodimusConfig(**config)).state_dict()
    weights = {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in weights.items()}
    if config["tie_word_embeddings"]:
        weights["lm_head.weight"] = weights["model.embeddings.weight"].clone()
        if not redundant_head:
            del weights["lm_head.weight"]
    return {name: tensor.to(getattr(torch, config["torch_dtype"])) for name, tensor in weights.items()}


def write_weights(folder: Path, weights: dict[str, torch.Tensor], form: str = "safetensors", shards: int = 1) -> None:
    """Store weights as `safetensors` or `bin`, in one file or in several with an index."""
    stem, suffix = {"safetensors": ("model", "safetensors"), "bin": ("pytorch_model", "bin")}[form]
    names, weight_map = sorted(weights), {}
    for i in range(shards):
        file = f"{stem}.{suffix}" if shards == 1 else f"{stem}-{i + 1:05d}-of-{shards:05d}.{suffix}"
        part = {name: weights[name] for name in names[i::shards]}
        weight_map |= dict.fromkeys(part, file)
        if form == "bin":
            torch.save(part, folder / file)
        else:
            save_file(
                {name: tensor.contiguous() for name, tensor in part.items()}, folder / file, metadata={"format": "pt"}
            )
    if shards > 1:
        size = sum(tensor.nbytes for tensor in weights.values())
        index = {"metadata": {"total_size": size}, "weight_map": weight_map}
        (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


def write_tokenizer(folder: Path, coder: bool = True) -> None:
    """A byte-level tokenizer with the family's special tokens, in the published files."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(BASE_TOKENS + (CODER_TOKENS if coder else []))
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "cls_token": "[CLS]",
        "gmask_token": "[gMASK]",
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    auto_map = {"AutoTokenizer": [None, "tokenization_rodimus_fast.RodimusTokenizer"]}
    config = {**special, "auto_map": auto_map, "tokenizer_class": "RodimusTokenizer"}
    config |= {"add_bos_token": False, "add_eos_token": False, "model_max_length": 4096}
    config["additional_special_tokens"] = CODER_TOKENS if coder else []
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_published(
    folder: Path,
    block_type: str = "rodimus_plus",
    tied: bool = True,
    dtype: str = "float32",
    form: str = "safetensors",
    shards: int = 1,
    redundant_head: bool = False,
    **changes,
) -> dict[str, torch.Tensor]:
    """Write a whole repository; returns the weights as stored."""
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(block_type, tied, dtype, **changes)
    (folder / "config.json").write_text(json.dumps(config))
    weights = weights_of(config, redundant_head=redundant_head)
    write_weights(folder, weights, form, shards)
    write_tokenizer(folder)
    (folder / "README.md").write_text("---\nlicense: other\n---\n# A published model\n")
    return weights
