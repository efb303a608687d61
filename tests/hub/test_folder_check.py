"""Is a folder self-contained? What its files say, before anything is loaded; and the program that loads it."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from codefuse_hf import RodimusConfig
from codefuse_hf.hub.folder_check import check_folder, needed_files
from codefuse_hf.hub.loading_program import build_model, tokenizer_problems, weight_problems
from helpers.published_layout import config_of, write_tokenizer

SIZES = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture
def folder(tmp_path):
    """A folder of a model with code of its own, and as good as no weights."""
    config = {"model_type": "toy", "auto_map": {"AutoConfig": "toy.Config", "AutoModel": "model.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "toy.py").write_text("class Config:\n    pass\n")
    (tmp_path / "model.py").write_text("import torch\nfrom .layers import x\n\nclass Model:\n    pass\n")
    (tmp_path / "layers.py").write_text("from .model import Model as x\n")
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    return tmp_path


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def only_bin(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.ones(2)}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (write("toy.py", "class Config:\n"), "config.json: auto_map names toy.Config, but there is no readable toy.py"),
        (write("toy.py", "x = 1\n"), "config.json: auto_map names toy.Config, but toy.py has no class Config"),
        (write("layers.py", "import codefuse_hf.files\n"), "layers.py imports codefuse_hf, which the folder's users need not have"),
        (write("layers.py", "def f():\n    from codefuse_hf.files import x\n"), "layers.py imports codefuse_hf, which"),
        (write("layers.py", "from .deep import x\n"), "deep.py is imported, but absent"),
        (write("layers.py", "x ="), "layers.py is imported, but no readable Python"),
        (write("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": [null, "tok.T"]}}'), "tokenizer_config.json: auto_map names tok.T,"),
        (write("processor_config.json", '{"auto_map": {"AutoProcessor": "proc.P"}}'), "processor_config.json: auto_map names proc.P,"),
        (write("model.safetensors", "half"), "weights: "),
        (only_bin, "weights: only .bin files; save with save_pretrained"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(folder, spoil, problem):
    check_folder(folder, try_loading=False)
    spoil(folder)
    with pytest.raises(ValueError, match="is not self-contained:") as found:
        check_folder(folder, try_loading=False)
    _, *problems = str(found.value).split("\n  ")
    assert len(problems) == 1 and problems[0].startswith(problem)


def test_code_of_other_repositories_and_other_packages_is_not_looked_for(folder):
    auto_map = {"AutoConfig": "toy.Config", "AutoModel": ["someone/else--model.Absent", None]}
    write("config.json", json.dumps({"auto_map": auto_map}))(folder)
    write("toy.py", "import codefuse, os.path\nfrom codefuse_hfx import y\nfrom . import z\nclass Config: pass\n")(
        folder
    )
    check_folder(folder, try_loading=False)


@pytest.mark.parametrize(("model_type", "fits"), [("llama", True), ("toy", False), ("rodimus", False)])
def test_without_code_transformers_must_know_the_model_type(folder, model_type, fits):
    write("config.json", json.dumps({"model_type": model_type}))(folder)
    if fits:
        check_folder(folder, try_loading=False)
    else:
        with pytest.raises(
            ValueError, match=f"no auto_map, and transformers itself does not know the model type '{model_type}'"
        ):
            check_folder(folder, try_loading=False)


def test_code_of_others_is_not_run(folder, capsys):
    write("toy.py", "raise SystemExit('it was run')\nclass Config: pass\n")(folder)
    check_folder(folder)
    assert "carries code that is not this project's own; it was not run" in capsys.readouterr().err


def test_files_without_which_nothing_loads(folder):
    write("unused.py", "")(folder)
    assert needed_files(folder) == {"config.json", "toy.py", "model.py", "layers.py", "model.safetensors"}
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors"}})
    write("model.safetensors.index.json", index)(folder)
    weights = {"model-00001-of-00001.safetensors", "model.safetensors.index.json"}
    assert needed_files(folder) == {"config.json", "toy.py", "model.py", "layers.py", *weights}


# ---- the program that loads a folder, in this process


def test_weights_are_compared_by_name_and_shape():
    model = build_model(LlamaConfig(**SIZES, tie_word_embeddings=True, architectures=["LlamaForCausalLM"]), False)
    assert isinstance(model, LlamaForCausalLM) and {p.device.type for p in model.parameters()} == {"meta"}
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert weight_problems(model, shapes) == []
    embedding = shapes.pop("lm_head.weight")
    assert weight_problems(model, shapes) == [], "it is the embedding"
    assert weight_problems(model, {**shapes, "more": [1]}) == ["weights: more is not the model's"]
    shapes["model.norm.weight"] = [8]
    assert weight_problems(model, shapes) == ["weights: model.norm.weight has shape [8], the model asks for [16]"]
    del shapes["model.norm.weight"]
    assert weight_problems(model, shapes) == ["weights: model.norm.weight is missing"] and embedding == [64, 16]


def test_the_class_is_that_which_the_configuration_names():
    config = RodimusConfig(**config_of())
    config.auto_map = {
        "AutoConfig": "c.RodimusConfig",
        "AutoModel": "m.RodimusModel",
        "AutoModelForCausalLM": "m.RodimusForCausalLM",
    }
    assert type(build_model(config, False)).__name__ == "RodimusForCausalLM"
    config.architectures = ["RodimusModel"]
    assert type(build_model(config, False)).__name__ == "RodimusModel"
    config.auto_map["AutoModelForCausalLM"] = "m.RodimusModel"
    assert type(build_model(config, False)).__name__ == "RodimusForCausalLM", (
        "the Auto class for causal language models"
    )
    for architectures in (["LlamaForCausalLM"], ["Absent"], None):
        config.architectures = architectures
        assert build_model(config, False) is None
    assert build_model(LlamaConfig(**SIZES), False) is None


def test_a_tokenizer_has_at_most_as_many_tokens_as_the_model(tmp_path):
    write_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config_of()))
    config = RodimusConfig(**config_of(vocab_size=266))
    assert tokenizer_problems(str(tmp_path), config, False) == []
    config.vocab_size = 265
    assert tokenizer_problems(str(tmp_path), config, False) == ["tokenizer: 266 tokens, but the model has only 265"]
    del config.vocab_size
    assert tokenizer_problems(str(tmp_path), LlamaConfig(vocab_size=300), False) == []
