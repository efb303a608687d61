"""Model cards say what is in the folder, and keep what somebody wrote."""

import json
import re

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard
from transformers import AutoModelForCausalLM, DynamicCache

from codefuse_hf.hub.model_card import folder_facts, readable_bytes, write_model_card
from helpers.published_layout import write_published, write_weights


@pytest.fixture
def folder(tmp_path):
    """Enough of a folder for a card: published configuration, weights and tokenizer, without a README."""
    write_published(tmp_path / "model", dtype="bfloat16")
    (tmp_path / "model" / "README.md").unlink()
    return tmp_path / "model"


def facts(folder):
    return folder_facts(folder, json.loads((folder / "config.json").read_text()))


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_parameters_are_counted(tmp_path, block_type, tied):
    write_published(tmp_path, block_type, tied)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert facts(tmp_path)["parameters"] == f"{sum(p.numel() for p in model.parameters()):,}"


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
def test_cache_bytes_are_those_of_a_real_cache(tmp_path, block_type):
    write_published(tmp_path, block_type, dtype="bfloat16")
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        for chunk in torch.arange(64).view(1, 4, 16).unbind(1):
            model(chunk, past_key_values=cache)
    state = window = 0
    for layer in cache.layers:
        state += layer.conv_states[0].nbytes + layer.recurrent_states[0].nbytes
        if block_type == "rodimus_plus":
            window += layer.keys.nbytes + layer.values.nbytes
    found = facts(tmp_path)
    assert found["state_bytes"] == readable_bytes(state)
    assert found["largest_cache_bytes"] == readable_bytes(state + window)


def test_filled_card(folder):
    write_model_card(folder, repo_id="user/name")
    card = ModelCard.load(folder / "README.md")
    assert card.text.strip().startswith("<!-- filled by codefuse-hf") and "# name" in card.text
    assert "{{" not in card.text and "{%" not in card.text, "nothing of the template is left"
    assert "| Precision | bfloat16 (100 %) |" in card.text
    assert "window 9" in card.text, "the token itself and window_size // 2 before it"
    assert card.data.to_dict().keys() >= {"library_name", "pipeline_tag", "tags"}


def test_a_filled_card_is_filled_again(folder):
    write_model_card(folder, repo_id="user/one", source_name="codefuse-ai/origin")
    write_model_card(folder, repo_id="user/two")
    card = ModelCard.load(folder / "README.md")
    assert "user/one" not in card.text and 'from_pretrained("user/two"' in card.text
    assert "those of `codefuse-ai/origin`" in card.text and card.data.base_model == "codefuse-ai/origin"
    assert len(re.findall("filled by codefuse-hf", card.text)) == 1


def test_evaluation_results_go_into_the_metadata(folder):
    result = EvalResult("text-generation", "openai_humaneval", "HumanEval", "pass@1", 0.5)
    write_model_card(folder, repo_id="user/name", eval_results=[result])
    write_model_card(folder, repo_id="user/name")
    kept = ModelCard.load(folder / "README.md").data.eval_results
    assert [(r.dataset_name, r.metric_type, r.metric_value) for r in kept] == [("HumanEval", "pass@1", 0.5)]


@pytest.mark.parametrize(
    ("model_type", "architecture", "library", "task"),
    [
        ("rodimus", "RodimusForCausalLM", "transformers", "text-generation"),
        ("cge", "CGEModel", "sentence-transformers", "sentence-similarity"),
        ("cgm", "CGMForCausalLM", "transformers", "text-generation"),
    ],
)
def test_metadata_name_the_library_and_the_task_of_each_family(tmp_path, model_type, architecture, library, task):
    config = {"model_type": model_type, "architectures": [architecture]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "README.md").write_text("# Mine\n")
    data = ModelCard.load(write_model_card(tmp_path)).data
    assert (data.library_name, data.pipeline_tag) == (library, task)


def test_facts_are_counted_in_the_files(tmp_path):
    weights = {"a": torch.ones(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    write_weights(tmp_path, weights, shards=2)
    size = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    (tmp_path / "chat_template.jinja").touch()
    found = folder_facts(tmp_path, {"model_type": "llama"})
    assert found["parameters"] == "8" and found["dtypes"] == "bfloat16 (25 %), float32 (75 %)"
    assert found["weight_files"] == 2 and found["weight_bytes"] == f"{size} B"
    assert (found["has_tokenizer"], found["has_chat_template"]) == (False, True)
    (tmp_path / "tokenizer.json").touch()
    assert folder_facts(tmp_path, {})["has_tokenizer"]


def test_facts_of_a_cache_with_and_without_a_bound(tmp_path):
    for block_type, window in (("rodimus", 16), ("rodimus_plus", 16), ("rodimus_plus", None)):
        folder = tmp_path / f"{block_type}-{window}"
        write_published(folder, block_type, attn_cfg={"num_heads": 4, "num_heads_k": 1, "window_size": window})
        found = facts(folder)
        # Two layers, 96 channels, 4 taps and 8 rows of the memory; a key head and four value heads of 12 channels.
        assert found["state_bytes"] == readable_bytes(2 * 96 * (4 + 8) * 4)
        attends = block_type == "rodimus_plus"
        assert found["window_bytes_per_token"] == (readable_bytes(2 * 5 * 12 * 4) if attends else None)
        assert found["window"] == (9 if attends and window else None)
        largest = 2 * 96 * 12 * 4 + (2 * 5 * 12 * 4 * 8 if found["window"] else 0)
        assert found["largest_cache_bytes"] == readable_bytes(largest)


@pytest.mark.parametrize(
    ("before", "source_name", "expected"),
    [
        ({}, "someone/model", {"base_model": "someone/model", "tags": ["cge", "codefuse-hf", "custom_code"]}),
        ({}, "a folder", {"tags": ["cge", "codefuse-hf", "custom_code"]}),
        ({"base_model": "old/one"}, "someone/model", {"base_model": "old/one"}),
        ({"tags": ["mine", "cge"]}, None, {"tags": ["mine", "cge", "codefuse-hf", "custom_code"]}),
        ({"pipeline_tag": "feature-extraction"}, None, {"pipeline_tag": "feature-extraction"}),
        ({"library_name": "mine"}, None, {"library_name": "sentence-transformers"}),
        ({"license": "mit", "language": ["en"]}, None, {"license": "mit", "language": ["en"]}),
    ],
)
def test_metadata_are_completed(tmp_path, before, source_name, expected):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "cge"}))
    ModelCard(f"---\n{json.dumps(before)}\n---\n# Mine\n").save(tmp_path / "README.md")
    data = ModelCard.load(write_model_card(tmp_path, source_name=source_name)).data.to_dict()
    assert {name: data[name] for name in expected} == expected
    assert source_name or "base_model" not in data


def test_results_are_those_of_a_model_with_a_name(tmp_path):
    result = EvalResult("text-generation", "openai_humaneval", "HumanEval", "pass@1", 0.5)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    for repo_id, name in ((None, tmp_path.name), ("user/name", "name")):
        (tmp_path / "README.md").write_text("# Mine\n")
        card = ModelCard.load(write_model_card(tmp_path, repo_id=repo_id, eval_results=[result]))
        assert card.data.model_name == name and "tags" in card.data.to_dict()


def test_broken_metadata_is_an_error(folder):
    (folder / "README.md").write_text("---\n- not\n- a mapping\n---\n# Mine\n")
    with pytest.raises(ValueError, match="metadata at the top of"):
        write_model_card(folder)


def test_a_family_without_a_template_gets_no_card(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "../rodimus"}')
    assert write_model_card(tmp_path) is None and not (tmp_path / "README.md").exists()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345_678, "12.3 MB"), (3_730_000_000_000, "3730 GB")],
)
def test_readable_bytes(count, text):
    assert readable_bytes(count) == text
