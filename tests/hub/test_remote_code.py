"""What we save loads with trust_remote_code=True where `codefuse_hf` cannot be imported, and saves itself again."""

import json
import os
import stat

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Trainer, TrainingArguments

from codefuse_hf import CGEConfig, RodimusForCausalLM
from codefuse_hf.hub.remote_code import collect_sources, write_sources
from codefuse_hf.modeling.rodimus.configuration_rodimus import RodimusConfig
from helpers.processes import run_python
from helpers.published_layout import write_published

SOURCES = {
    "configuration_rodimus.py",
    "configuration_checks.py",
    "modeling_rodimus.py",
    "cache_names.py",
    "cache_rodimus.py",
    "generation_state_rodimus.py",
    "virtual_tokens_rodimus.py",
    "quantised_layers.py",
    "whole_file.py",
    "masks_rodimus.py",
    "padding_rodimus.py",
    "kernel_dispatch.py",
    "decoding_step.py",
    "decoding_step_triton.py",
    "gated_linear_attention.py",
    "gated_linear_attention_triton.py",
    "gated_linear_attention_triton_kernels.py",
    "gated_norm.py",
    "gated_norm_triton.py",
    "halves.py",
    "second_derivatives.py",
    "short_convolution.py",
    "short_convolution_triton.py",
    "sliding_window_attention.py",
    "tempered_selection.py",
    "tempered_selection_triton.py",
}

# Loads every way, generates, saves all of it again beside the folder, and loads that.
STRANGER = """
import json, os, torch
from transformers import (
    AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
)
remote = {"trust_remote_code": True}
ids = torch.arange(40)[None]
def tokens(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, **remote)
    return model, model.generate(ids, max_new_tokens=8, do_sample=False).tolist()
result = []
for folder in sys.argv[1:]:
    model, first = tokens(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, **remote)
    classes = [
        type(x) for x in (
            AutoConfig.from_pretrained(folder, **remote), AutoModel.from_pretrained(folder, **remote), model, tokenizer,
            AutoModelForSequenceClassification.from_pretrained(folder, **remote),
        )
    ]
    again = folder + "-again"
    model.save_pretrained(again)
    tokenizer.save_pretrained(again)
    model2, second = tokens(again)
    tokenizer2 = AutoTokenizer.from_pretrained(again, **remote)
    chat = [{"role": "user", "content": "x"}]
    result.append({
        "remote": all(cls.__module__.startswith("transformers_modules.") for cls in classes),
        "names": [cls.__name__ for cls in classes],
        "tokens": first,
        "tokens_again": second,
        "ids": tokenizer("def f():")["input_ids"],
        "ids_again": tokenizer2("def f():")["input_ids"],
        "prompt": tokenizer.apply_chat_template(chat, tokenize=False),
        "prompt_again": tokenizer2.apply_chat_template(chat, tokenize=False),
        "side_again": tokenizer2.padding_side,
        "files": sorted(os.listdir(folder)),
        "files_again": sorted(os.listdir(again)),
        "auto_map": json.load(open(again + "/config.json"))["auto_map"],
    })
"""


def tokens(model):
    return model.eval().generate(torch.arange(40)[None], max_new_tokens=8, do_sample=False).tolist()


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def save_installed(source, folder):
    model, tokenizer = load(source)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def save_sharded_half(source, folder):
    model, tokenizer = load(source)
    model = model.to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="60KB")
    tokenizer.save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder)


def save_merged(source, folder):
    peft = pytest.importorskip("peft")
    model, tokenizer = load(source)
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", init_lora_weights=False))
    merged = adapted.merge_and_unload()
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return merged


def save_by_trainer(source, folder):
    model, tokenizer = load(source)
    data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 2
    arguments = TrainingArguments(
        folder, max_steps=1, report_to=[], use_cpu=True, disable_tqdm=True, save_strategy="no", learning_rate=1e-2
    )
    trainer = Trainer(model, arguments, train_dataset=data, processing_class=tokenizer)
    trainer.train()
    trainer.save_model()
    return model


WAYS = {
    "installed": save_installed,
    "sharded-bf16": save_sharded_half,
    "merged": save_merged,
    "trainer": save_by_trainer,
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """One process without the package goes through the folders of all ways to save: way → its report."""
    root = tmp_path_factory.mktemp("remote")
    write_published(root / "rodimus_plus")
    write_published(root / "rodimus", block_type="rodimus", tied=False)
    expected = {}
    for way, save in WAYS.items():
        expected[way] = tokens(save(root / "rodimus_plus", root / way))
    expected["recurrent"] = tokens(save_installed(root / "rodimus", root / "recurrent"))
    found = run_python(
        STRANGER, *(root / way for way in expected), with_package=False, HF_MODULES_CACHE=str(root / "modules")
    )
    return {way: report | {"expected": expected[way]} for way, report in zip(expected, found, strict=True)}


ALL_WAYS = pytest.mark.parametrize("way", [*WAYS, "recurrent"])


@ALL_WAYS
def test_every_auto_class_loads_the_folders_own_code(reports, way):
    assert reports[way]["remote"]
    assert reports[way]["names"] == [
        "RodimusConfig",
        "RodimusModel",
        "RodimusForCausalLM",
        "RodimusTokenizer",
        "RodimusForSequenceClassification",
    ]


@ALL_WAYS
def test_generates_the_same_tokens(reports, way):
    assert reports[way]["tokens"] == reports[way]["expected"]


@ALL_WAYS
def test_saved_again_it_loads_again(reports, way):
    report = reports[way]
    assert report["tokens_again"] == report["expected"]
    assert report["ids_again"] == report["ids"] and report["prompt_again"] == report["prompt"]
    assert report["side_again"] == "left"
    assert {"AutoConfig", "AutoModelForCausalLM"} <= report["auto_map"].keys()


@ALL_WAYS
def test_the_sources_lie_beside_the_weights(reports, way):
    for files in (reports[way]["files"], reports[way]["files_again"]):
        assert SOURCES | {"tokenization_rodimus_fast.py"} <= set(files)


def test_nothing_that_travels_mentions_the_package(tmp_path):
    modules = [
        "codefuse_hf.modeling.rodimus.modeling_rodimus",
        "codefuse_hf.modeling.rodimus.tokenization_rodimus_fast",
    ]
    sources = collect_sources(modules)
    assert sources.keys() == SOURCES | {"tokenization_rodimus_fast.py"}
    for name, source in sources.items():
        assert "import codefuse_hf" not in source and "from codefuse_hf" not in source, name
        compile(source, name, "exec")


def test_the_config_alone_is_self_contained(tmp_path):
    RodimusConfig(d_model=32, n_layer=1).save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == SOURCES | {"config.json"}


def test_the_backbones_code_travels_with_an_embedding_model(tmp_path):
    """A configuration inside a configuration: its family's sources, and its own `auto_map`."""
    sizes = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 1}
    for name, backbone in (("own", RodimusConfig(**sizes)), ("native", Qwen2Config(**sizes, num_attention_heads=2))):
        CGEConfig(backbone, compress_dim=16, pma_num_heads=2).save_pretrained(tmp_path / name)
    own, native = ({path.name for path in (tmp_path / name).glob("*.py")} for name in ("own", "native"))
    of_cge_too = {"configuration_checks.py", "quantised_layers.py", "kernel_dispatch.py"}
    assert own - native == SOURCES - of_cge_too
    saved = json.loads((tmp_path / "own" / "config.json").read_text())
    inner = next(value for value in saved.values() if isinstance(value, dict) and value.get("model_type") == "rodimus")
    assert inner["auto_map"]["AutoModel"] == "modeling_rodimus.RodimusModel"
    assert saved["auto_map"]["AutoModel"] == "modeling_cge.CGEModel"


def test_sources_have_the_modes_of_ordinary_files(tmp_path):
    before = os.umask(0o022)
    try:
        write_sources(["codefuse_hf.modeling.rodimus.configuration_rodimus"], tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "configuration_rodimus.py").stat().st_mode) == 0o644


def test_installed_class_wins_over_the_folders_code(tmp_path):
    write_published(tmp_path / "source")
    save_installed(tmp_path / "source", tmp_path / "saved")
    for name in SOURCES:
        (tmp_path / "saved" / name).write_text("raise RuntimeError('the folder was trusted')")
    for trust in (None, True, False):
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "saved", trust_remote_code=trust)
        assert type(model) is RodimusForCausalLM


def test_saving_changes_nothing_in_the_model(tmp_path):
    write_published(tmp_path / "source")
    model, _ = load(tmp_path / "source")
    before = tokens(model)
    model.save_pretrained(tmp_path / "saved")
    assert tokens(model) == before
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["architectures"] == ["RodimusForCausalLM"]


PEFT_ON_REMOTE = """
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
adapted = get_peft_model(model, LoraConfig(target_modules="all-linear"))
ids = torch.arange(20)[None]
adapted(input_ids=ids, labels=ids).loss.backward()
adapters = {name: p.grad for name, p in adapted.named_parameters() if p.requires_grad}
for name, p in adapted.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(p, std=0.05)
adapted.eval()
with torch.no_grad():
    before = adapted(input_ids=ids).logits
    merged = adapted.merge_and_unload()
    after = merged(input_ids=ids).logits
merged.save_pretrained(folder + "-merged")
again = AutoModelForCausalLM.from_pretrained(folder + "-merged", trust_remote_code=True)
with torch.no_grad():
    reloaded = again(input_ids=ids).logits
result = {
    "adapters": len(adapters),
    "without_gradient": [name for name, grad in adapters.items() if grad is None],
    "difference": (before - after).abs().max().item(),
    "reloaded": (reloaded - after).abs().max().item(),
}
"""


def test_adapters_on_a_remote_code_model(tmp_path):
    pytest.importorskip("peft")
    write_published(tmp_path / "source")
    save_installed(tmp_path / "source", tmp_path / "saved")
    report = run_python(
        PEFT_ON_REMOTE, tmp_path / "saved", with_package=False, HF_MODULES_CACHE=str(tmp_path / "modules")
    )
    assert report["adapters"] > 10 and not report["without_gradient"]
    assert report["difference"] <= 1e-5 and report["reloaded"] == 0
