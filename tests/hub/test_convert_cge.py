"""Conversion of published code embedding models: flat configurations with tiny shapes stand in for the real ones."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import AutoModel, Phi3Config, PreTrainedTokenizerFast, Qwen2Config

from codefuse_hf import CGEConfig, CGEModel
from codefuse_hf.cli import main
from codefuse_hf.hub.convert.core import convert_folder
from helpers.published_cge import LAYOUTS, write_published

TEXTS = ["def add(a, b): return a + b", "a longer text " * 9]


def stored(folder):
    return {name: value for file in sorted(folder.glob("*.safetensors")) for name, value in load_file(file).items()}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shards", [1, 3])
def test_weights_are_the_same_without_the_head(tmp_path, layout, shards):
    weights = write_published(tmp_path / "source", layout, shards=shards)
    result = stored(convert_folder(tmp_path / "source", tmp_path / "result", max_shard_size="150KB"))
    assert weights.keys() - result.keys() == {"plm_model.lm_head.weight"} and not result.keys() - weights.keys()
    assert all(torch.equal(result[name], weights[name]) for name in result)
    assert len(list((tmp_path / "result").glob("*.safetensors"))) > 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_result_gives_the_vectors_of_the_source(tmp_path, layout):
    from sentence_transformers import SentenceTransformer

    write_published(tmp_path / "source", layout)
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    source = CGEModel.from_pretrained(tmp_path / "source")
    expected = source.encode(TEXTS, PreTrainedTokenizerFast.from_pretrained(tmp_path / "source"), max_length=77)
    embedder = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")
    embedder.max_seq_length = 77
    np.testing.assert_allclose(embedder.encode(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(AutoModel.from_pretrained(folder).encode(TEXTS, max_length=77), expected, atol=1e-6)


def test_result_is_a_whole_sentence_transformers_folder(tmp_path):
    write_published(tmp_path / "source")
    (tmp_path / "source" / "MODEL_LICENSE.md").write_text("terms")
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "modules.json", "config_sentence_transformers.json", "tokenizer.json", "README.md"} <= names
    assert {"modeling_cge.py", "configuration_cge.py", "sentence_transformers_cge.py", "prompts_cge.py"} <= names
    assert not any("codefuse_cge" in name for name in names)
    config = CGEConfig.from_pretrained(folder)
    assert config.architectures == ["CGEModel"]
    assert config.prompt_position == "after" and config.inf_seq_length == 100 and config.padding_side == "right"
    assert isinstance(config.text_config, Qwen2Config) and config.text_config.rope_parameters["rope_theta"] == 1e6
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    card = (folder / "README.md").read_text()
    assert 'SentenceTransformer("result", trust_remote_code=True)' in card and "stands **after** the text" in card
    assert "library_name: sentence-transformers" in card and "| `python-document` | `Python code:` |" in card
    assert prompts["python-query"] == "Retrieve the Python code that solves the following query:"


def test_small_has_a_phi3_backbone(tmp_path):
    write_published(tmp_path / "source", "small")
    config = CGEConfig.from_pretrained(convert_folder(tmp_path / "source", tmp_path / "result"))
    assert isinstance(config.text_config, Phi3Config)
    assert config.text_config.rope_parameters["rope_type"] == "longrope"


def test_c2llm(tmp_path):
    write_published(tmp_path / "source", "c2llm")
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    config = CGEConfig.from_pretrained(folder)
    assert isinstance(config.text_config, Qwen2Config) and config.embedding_dim == 32
    assert (config.padding_side, config.prompt_position, config.inf_seq_length) == ("left", "before", 77)
    assert "flash" not in (folder / "config.json").read_text()
    assert (
        config.pma_residual == "projected_seed"
        and AutoModel.from_pretrained(folder).mha_pma.mab.residual == config.pma_residual
    )
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    assert prompts["document"] == "Retrieved Answer:"
    assert prompts["query"] == "Retrieve the code that solves the following query:\n"
    assert prompts["CosQA-query"] == (
        "Given a query from a web search, retrieve code that is helpful in addressing the query.\n"
    )
    assert len(prompts) == 13 and all(text.endswith("\n") for name, text in prompts.items() if name != "document")
    card = (folder / "README.md").read_text()
    assert "known from one source" in card and r"the following query:\n` |" in card


def test_c2llm_says_little_and_means_more(tmp_path):
    """What its files leave out: width, longest input, side."""
    source = tmp_path / "source"
    write_published(source, "c2llm", compressed_dim=64)
    (source / "sentence_bert_config.json").unlink()
    config = json.loads((source / "config.json").read_text())
    for name in ("compressed_dim", "padding_side"):
        del config[name]
    (source / "config.json").write_text(json.dumps(config))
    config = CGEConfig.from_pretrained(convert_folder(source, tmp_path / "result"))
    assert (config.embedding_dim, config.padding_side, config.inf_seq_length) == (64, "left", 2048)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "holds no max_seq_length"),
        ("{}", "holds no max_seq_length"),
        ("[512]", "holds no max_seq_length"),
        ('{"max_seq_length": 0}', "must be a positive integer, found 0"),
        ('{"max_seq_length": null}', "must be a positive integer, found None"),
        ('{"max_seq_length": true}', "must be a positive integer, found True"),
    ],
)
def test_a_longest_input_that_cannot_be_is_refused(tmp_path, text, message):
    write_published(tmp_path / "source", "c2llm")
    (tmp_path / "source" / "sentence_bert_config.json").write_text(text)
    with pytest.raises(ValueError, match=rf"sentence_bert_config\.json.*{message}"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert not (tmp_path / "result").exists()


def test_the_shortest_longest_input_is_one_token(tmp_path):
    write_published(tmp_path / "source", "c2llm")
    (tmp_path / "source" / "sentence_bert_config.json").write_text('{"max_seq_length": 1}')
    assert CGEConfig.from_pretrained(convert_folder(tmp_path / "source", tmp_path / "result")).inf_seq_length == 1


@pytest.mark.parametrize(
    ("sizes", "head", "parameters"),
    [
        ((896, 4864, 24, 14, 2, 151936), False, 497_252_096),
        ((3584, 18944, 28, 28, 4, 152064), True, 7_667_028_992),
    ],
    ids=["0.5B", "7B"],
)
def test_c2llm_has_the_published_number_of_parameters(sizes, head, parameters):
    """The larger one is published with the head of its language model, the smaller one without."""
    hidden, intermediate, layers, heads, kv_heads, vocabulary = sizes
    flat = {
        "architectures": ["C2LLMForEmbedding"],
        "model_type": "c2llm",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocabulary,
        "compressed_dim": hidden,
        "pma_num_heads": 32,
        "pma_norm_mode": "post_normal",
    }
    with torch.device("meta"):
        model = CGEModel(CGEConfig.from_dict(flat))
    assert model.config.pma_residual == "projected_seed"
    assert model.num_parameters() + (hidden * vocabulary if head else 0) == parameters


def test_layers_that_are_not_kept_are_left_out(tmp_path):
    weights = write_published(tmp_path / "source", keep_max_layer=2)
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    left_out = weights.keys() - stored(folder).keys()
    assert {name.split(".")[2] for name in left_out} == {"layers", "norm", "weight"}  # the last is the head's
    assert len(CGEModel.from_pretrained(folder).backbone.layers) == 2


@pytest.mark.parametrize("head", [True, False])
def test_golden_case(tmp_path, golden, head):
    case = golden / "cge" / "post_normal_ln1"
    shutil.copytree(case, tmp_path / "source")
    write_published(tmp_path / "tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "tokenizer" / name, tmp_path / "source" / name)
    (tmp_path / "source" / "tokenizer.json").write_text(_small_tokenizer())
    folder = convert_folder(tmp_path / "source", tmp_path / "result", dtype=None if head else "float32")
    io = load_file(case / "io.safetensors")
    with torch.no_grad():
        embedding = AutoModel.from_pretrained(folder)(io["input_ids_left"], io["attention_mask_left"]).embedding
    torch.testing.assert_close(embedding, io["embeddings_left"], atol=1e-5, rtol=0)


def _small_tokenizer() -> str:
    return Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "a": 2}, unk_token="<eos>")).to_str()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("mha_pma.S"), "mha_pma.S: missing"),
        (lambda w: w.update({"mha_pma.extra": torch.zeros(2)}), "mha_pma.extra: the model has no such weight"),
        (lambda w: w.update({"mha_pma.mab.fc_k.weight": torch.zeros(32, 32)}), r"shape \(32, 32\).*asks for \(32, 64\)"),
        (lambda w: w.update({"plm_model.norm.weight": torch.zeros(64)}), "stored twice"),
    ],
)  # fmt: skip
def test_every_tensor_is_accounted_for(tmp_path, change, message):
    weights = write_published(tmp_path / "source")
    change(weights)
    save_file(weights, tmp_path / "source" / "model.safetensors")
    with pytest.raises(ValueError, match=message):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_backbone_stored_without_its_language_model(tmp_path):
    weights = write_published(tmp_path / "source", head=False)
    shorter = {name.replace("plm_model.model.", "plm_model."): tensor for name, tensor in weights.items()}
    save_file(shorter, tmp_path / "source" / "model.safetensors")
    result = stored(convert_folder(tmp_path / "source", tmp_path / "result"))
    assert result.keys() == weights.keys()


def test_precision(tmp_path):
    write_published(tmp_path / "source")
    folder = convert_folder(tmp_path / "source", tmp_path / "result", dtype="bfloat16")
    assert CGEModel.from_pretrained(folder).dtype == torch.bfloat16


def test_source_without_a_tokenizer(tmp_path):
    write_published(tmp_path / "source")
    (tmp_path / "source" / "tokenizer.json").unlink()
    (tmp_path / "source" / "tokenizer_config.json").unlink()
    with pytest.raises(OSError, match=r"expected one of tokenizer\.json"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert not (tmp_path / "result").exists()


def test_command(tmp_path, capsys):
    write_published(tmp_path / "source")
    assert main(["convert", str(tmp_path / "source"), str(tmp_path / "result")]) == 0
    assert (tmp_path / "result" / "modules.json").is_file()
    assert "SentenceTransformer(" in capsys.readouterr().out
