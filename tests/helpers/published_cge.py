"""Tiny folders in the layouts of the published code embedding models."""

import json

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codefuse_hf import CGEConfig, CGEModel

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "vocab_size": 300,
}
POOLING = {
    "embedding_method": "pma",
    "inf_seq_length": 100,
    "keep_max_layer": 3,
    "padding_side": "right",
    "pma_ln": True,
    "pma_norm": False,
    "pma_norm_mode": "post_normal",
    "pma_num_heads": 4,
    "compress_dim": 32,
}
# The keys of each published configuration, as far as they matter or could be in the way.
LAYOUTS = {
    "large": {
        "architectures": ["CodeFuse_CGE_Large"],
        "auto_map": {"AutoModel": "modeling_codefuse_cge_large.CodeFuse_CGE_Large"},
        "model_type": "qwen2",
        "embedding_dim": 64,
        "encoder_mode": "post_normal",
        "num_encoder_layers": 0,
        "rotary_emb_base": 1000000,
        "rope_theta": 1000000,
        "rms_norm_eps": 1e-5,
        "seq_length": 128,
        "sliding_window": None,
        "use_sliding_window": False,
        **POOLING,
    },
    "small": {
        "architectures": ["CodeFuse_CGE_Small"],
        "auto_map": {"AutoModel": "modeling_codefuse_cge_small.CodeFuse_CGE_Small"},
        "model_type": "phi3",
        "original_max_position_embeddings": 64,
        "pad_token_id": 0,
        "rope_scaling": {"type": "longrope", "short_factor": [1.1] * 8, "long_factor": [2.0] * 8},
        **POOLING,
    },
    "c2llm": {
        "architectures": ["C2LLMForEmbedding"],
        "attn_implementation": "flash_attention_2",
        "auto_map": {"AutoConfig": "configuration_c2llm.C2LLMConfig", "AutoModel": "modeling_c2llm.C2LLMForEmbedding"},
        "model_type": "c2llm",
        "tokenizer_name_or_path": "codefuse-ai/C2LLM-0.5B",
        **{key: value for key, value in POOLING.items() if key not in ("compress_dim", "inf_seq_length", "keep_max_layer")},
        "compressed_dim": 32,
        "padding_side": "left",
    },
}  # fmt: skip


def write_published(folder, layout="large", dtype=torch.float32, shards=1, head=True, **changes) -> dict:
    """A folder in a published layout, with random weights; returns these."""
    folder.mkdir(parents=True)
    config = {**SIZES, **LAYOUTS[layout], "torch_dtype": str(dtype).removeprefix("torch."), **changes}
    (folder / "config.json").write_text(json.dumps(config))
    for file in ("modeling_codefuse_cge_large.py", "modeling_c2llm.py", "configuration_c2llm.py"):
        (folder / file).write_text("raise SystemExit('code of the source was run')")
    torch.manual_seed(0)
    # All layers are stored, whatever `keep_max_layer` says.
    whole = CGEModel(CGEConfig.from_dict({**config, "keep_max_layer": 3})).to(dtype)
    weights = {name: torch.randn_like(tensor) * 0.2 for name, tensor in whole.state_dict().items()}
    if head:
        weights["plm_model.lm_head.weight"] = torch.randn(300, 64).to(dtype)
    names = sorted(weights)
    if shards == 1:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        files = {name: f"model-{index % shards + 1:05}-of-{shards:05}.safetensors" for index, name in enumerate(names)}
        for file in sorted(set(files.values())):
            save_file({name: weights[name] for name in names if files[name] == file}, folder / file)
        index = {"metadata": {}, "weight_map": files}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    if layout == "c2llm":
        (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 77, "do_lower_case": false}')
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({"<pad>": 0, "<eos>": 1, **{c: 2 + i for i, c in enumerate(characters)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>").save_pretrained(folder)
    return weights
