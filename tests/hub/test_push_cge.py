"""A code embedding model through sentence-transformers' own `push_to_hub`, over a real socket."""

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config

from codefuse_hf import CGEConfig, CGEModel, RodimusConfig, to_sentence_transformer
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


def make_tokenizer() -> PreTrainedTokenizerFast:
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({"<pad>": 0, "<eos>": 1, **{c: 2 + i for i, c in enumerate(characters)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


def test_push_and_load_from_the_hub(hub, environment, tmp_path):
    torch.manual_seed(0)
    backbone = Qwen2Config(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=258,
    )  # fmt: skip
    model = CGEModel(CGEConfig(backbone, compress_dim=16, pma_num_heads=2, inf_seq_length=64)).eval()
    embedder = to_sentence_transformer(model, make_tokenizer())
    embedder.save_pretrained(str(tmp_path / "model"))

    result = run_python(PUSH_AND_LOAD, str(tmp_path / "model"), *TEXTS, with_package=False, **environment())
    np.testing.assert_allclose(result["queries"], embedder.encode_query(TEXTS), atol=1e-6)
    np.testing.assert_allclose(result["plain"], embedder.encode(TEXTS), atol=1e-6)
    assert result["class"].startswith("transformers_modules.")
    files = hub.repos["user/embedder"].files("v1").keys()
    assert {"modules.json", "sentence_transformers_cge.py", "modeling_cge.py", "README.md", "tokenizer.json"} <= files


LOAD_PRIVATE = """
import os, sys
from pathlib import Path
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

home, texts = sys.argv[1], sys.argv[2:]
where = {"revision": "v1", "token": "hf_user", "trust_remote_code": True}
plain = AutoModel.from_pretrained("user/private", cache_dir=home + "/one", **where)
model = SentenceTransformer("user/private", cache_folder=home + "/two", device="cpu", **where)
default = Path(os.environ["HF_HOME"], "hub")
result = {
    "plain": plain.encode(texts).tolist(),
    "model": model.encode(texts).tolist(),
    "backbone": type(plain.backbone).__module__,
    # transformers itself looks for an adapter there, of every model
    "elsewhere": [str(path) for path in default.rglob("*") if path.is_file() and ".no_exist" not in str(path)],
}
"""


def test_code_and_tokenizer_come_from_where_the_weights_do(hub, environment, tmp_path):
    """A backbone with code of its own, in a private repository, on a branch, into a cache of the caller's."""
    torch.manual_seed(0)
    backbone = RodimusConfig(vocab_size=258, hidden_size=32, num_hidden_layers=1, mixer_cfg={"mem_size": 8})
    model = CGEModel(CGEConfig(backbone, compress_dim=16, pma_num_heads=2, inf_seq_length=64)).eval()
    embedder = to_sentence_transformer(model, make_tokenizer())
    embedder.save_pretrained(str(tmp_path / "model"))
    code = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("user/private", private=True)
api.create_branch("user/private", branch="v1")
api.upload_folder(repo_id="user/private", folder_path=sys.argv[1], revision="v1")
result = None
"""
    run_python(code, str(tmp_path / "model"), **environment())
    found = run_python(LOAD_PRIVATE, str(tmp_path), *TEXTS, with_package=False, **environment(None))
    np.testing.assert_allclose(found["plain"], embedder.encode(TEXTS), atol=1e-6)
    np.testing.assert_allclose(found["model"], embedder.encode(TEXTS), atol=1e-6)
    assert found["backbone"].startswith("transformers_modules.") and found["elsewhere"] == []
