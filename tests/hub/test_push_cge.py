"""A code embedding model through sentence-transformers' own `push_to_hub`, over a real socket."""

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config

from codefuse_hf import CGEConfig, CGEModel, to_sentence_transformer
from helpers.processes import run_python

TEXTS = ["def add(a, b): return a + b", "sum"]
PUSH_AND_LOAD = """
import sys
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

folder, texts = sys.argv[1], sys.argv[2:]
SentenceTransformer(folder, trust_remote_code=True, device="cpu").push_to_hub("user/embedder", revision="v1")
model = SentenceTransformer("user/embedder", revision="v1", trust_remote_code=True, device="cpu")
plain = AutoModel.from_pretrained("user/embedder", revision="v1", trust_remote_code=True)
result = {
    "queries": model.encode_query(texts).tolist(),
    "plain": plain.encode(texts, model.tokenizer).tolist(),
    "class": type(plain).__module__,
}
"""


def test_push_and_load_from_the_hub(hub, environment, tmp_path):
    torch.manual_seed(0)
    backbone = Qwen2Config(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=258,
    )  # fmt: skip
    model = CGEModel(CGEConfig(backbone, compress_dim=16, pma_num_heads=2, inf_seq_length=64)).eval()
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({"<pad>": 0, "<eos>": 1, **{c: 2 + i for i, c in enumerate(characters)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    embedder = to_sentence_transformer(model, tokenizer)
    embedder.save_pretrained(str(tmp_path / "model"))

    result = run_python(PUSH_AND_LOAD, str(tmp_path / "model"), *TEXTS, with_package=False, **environment())
    np.testing.assert_allclose(result["queries"], embedder.encode_query(TEXTS), atol=1e-6)
    np.testing.assert_allclose(result["plain"], embedder.encode(TEXTS), atol=1e-6)
    assert result["class"].startswith("transformers_modules.")
    files = hub.repos["user/embedder"].files("v1").keys()
    assert {"modules.json", "sentence_transformers_cge.py", "modeling_cge.py", "README.md", "tokenizer.json"} <= files
