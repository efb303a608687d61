"""The Rodimus examples run offline, on a tiny random model."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusTokenizer

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = "\n".join(f"def add_{i}(a, b):\n    return a + b * {i}\n" for i in range(200))


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = RodimusTokenizer.train_from_iterator([TEXT], 300, show_progress=False)
    torch.manual_seed(0)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = RodimusConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        n_layer=2,
        block_type="rodimus_plus",
        mixer_cfg={"mem_size": 8},
        attn_cfg={"num_heads": 2, "window_size": 16},
        **special,
    )
    RodimusForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def losses(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d{3}", text.splitlines()[-1])]


def test_lora_fine_tuning_lowers_the_held_out_loss(model_folder, tmp_path, capsys):
    (tmp_path / "data.py").write_text(TEXT)
    options = ["--data", str(tmp_path / "data.py"), "--output", str(tmp_path / "out"), "--block-length", "32"]
    options += ["--max-steps", "20", "--learning-rate", "1e-2", "--gradient-accumulation-steps", "1"]
    load("rodimus_finetune_lora").main([str(model_folder), *options])
    before, after = losses(capsys.readouterr().out)
    assert after < before - 0.1
    names = {entry.name for entry in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "modeling_rodimus.py"} <= names
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


@pytest.mark.parametrize("lora_rank", ["0", "4"])
def test_sft_on_conversations_lowers_the_loss_and_teaches_to_stop(lora_rank, model_folder, tmp_path, capsys):
    question, answer = {"role": "user", "content": "add"}, {"role": "assistant", "content": "return a + b"}
    (tmp_path / "data.jsonl").write_text(f"{json.dumps({'messages': [question, answer]})}\n" * 8)
    options = ["--data", str(tmp_path / "data.jsonl"), "--output", str(tmp_path / "out"), "--lora-rank", lora_rank]
    options += ["--max-steps", "8" if lora_rank == "4" else "40", "--learning-rate", "3e-2"]
    load("rodimus_sft_chat").main([str(model_folder), *options])
    first, last = losses(capsys.readouterr().out)
    assert last < first - 0.1
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    if lora_rank == "0":
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
        prompt = tokenizer.apply_chat_template([question], return_tensors="pt", return_dict=True)
        answer = model.generate(**prompt, max_new_tokens=60, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        assert tokenizer.decode(answer) == "return a + b<|endoftext|>", "it has learnt to stop"


def test_sft_data_that_is_no_conversation_is_refused(tmp_path):
    (tmp_path / "data.jsonl").write_text('{"text": "hello"}\n')
    with pytest.raises(ValueError, match="line 1"):
        load("rodimus_sft_chat").load_conversations(tmp_path / "data.jsonl")


def test_conversation_goes_on_from_its_file_as_if_never_interrupted(model_folder, tmp_path):
    example = load("rodimus_generate")
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    whole = example.Conversation(model, tokenizer)
    uninterrupted = [whole.say(text, max_new_tokens=6, do_sample=False) for text in ("add", "multiply")]
    interrupted = [
        example.Conversation(model, tokenizer, tmp_path / "state").say(text, max_new_tokens=6, do_sample=False)
        for text in ("add", "multiply")
    ]
    assert interrupted == uninterrupted


def test_cached_turns_equal_a_run_over_the_whole_text(model_folder):
    example = load("rodimus_generate")
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    conversation = example.Conversation(model, tokenizer)
    for text in ("add", "multiply", "divide"):
        before = conversation.ids
        conversation.say(text, max_new_tokens=5, do_sample=False)
    turn = tokenizer.apply_chat_template([{"role": "user", "content": "divide"}], return_dict=True)["input_ids"]
    ids = torch.cat([before, torch.tensor([turn])], 1)
    expected = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False, use_cache=False
    )
    assert torch.equal(expected[:, : conversation.ids.shape[1]], conversation.ids)


def test_chat_command_keeps_its_state(model_folder, tmp_path, capsys):
    options = [
        "--turn",
        "add",
        "--turn",
        "more",
        "--state",
        str(tmp_path / "state.safetensors"),
        "--max-new-tokens",
        "4",
    ]
    load("rodimus_generate").main([str(model_folder), "--system", "Be brief.", *options])
    assert (tmp_path / "state.safetensors").stat().st_size > 0
    assert capsys.readouterr().out
