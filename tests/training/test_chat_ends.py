"""What a fine-tuned model learns to stop with: the end of an answer is among the labels of every way to train."""

import copy

import datasets
import pytest
import torch
from transformers import DataCollatorForLanguageModeling
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.chat_template_utils import (
    get_training_chat_template,
    is_chat_template_stop_token_trained,
    supports_tool_calling,
)

from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusTokenizer

TURNS = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": "a2"},
]
WHOLE = (
    "<role>HUMAN</role>q1<role>ASSISTANT</role>a1<|endoftext|><role>HUMAN</role>q2<role>ASSISTANT</role>a2<|endoftext|>"
)


@pytest.fixture
def tokenizer() -> RodimusTokenizer:
    return RodimusTokenizer.train_from_iterator(["def f(x): return x"] * 4, 300, show_progress=False)


@pytest.fixture
def model(tokenizer) -> RodimusForCausalLM:
    config = RodimusConfig(vocab_size=len(tokenizer), d_model=32, n_layer=1, mixer_cfg={"mem_size": 8})
    return RodimusForCausalLM(config)


def first_batch(model, tokenizer, rows, folder, **options):
    arguments = SFTConfig(output_dir=str(folder), report_to="none", use_cpu=True, **options)
    rows = datasets.Dataset.from_list(rows * 2)
    trainer = SFTTrainer(model, args=arguments, train_dataset=rows, processing_class=tokenizer)
    return next(iter(trainer.get_train_dataloader()))


@pytest.mark.parametrize(
    ("row", "options", "trained"),
    [
        ({"messages": TURNS}, {}, WHOLE),
        ({"messages": TURNS}, {"assistant_only_loss": True}, "a1<|endoftext|>a2<|endoftext|>"),
        ({"prompt": TURNS[:3], "completion": TURNS[3:]}, {}, "a2<|endoftext|>"),
        ({"prompt": TURNS[:3], "completion": TURNS[3:]}, {"completion_only_loss": False}, WHOLE),
        ({"prompt": "q", "completion": "a"}, {}, "a<|endoftext|>"),
        ({"text": "q"}, {}, "q<|endoftext|>"),
    ],
)
@pytest.mark.parametrize("chosen", [False, True], ids=["as published", "training template set"])
def test_labels_hold_the_end_of_every_answer(model, tokenizer, row, options, trained, chosen, tmp_path):
    if chosen:
        tokenizer.chat_template = tokenizer.training_chat_template
    batch = first_batch(model, tokenizer, [row], tmp_path, **options)
    labels = batch["labels"][0]
    assert tokenizer.decode(labels[labels != -100]) == trained


def test_preferred_and_rejected_answers_end(model, tokenizer, tmp_path):
    row = {"prompt": TURNS[:1], "chosen": TURNS[1:2], "rejected": TURNS[3:]}
    arguments = DPOConfig(output_dir=str(tmp_path), report_to="none", use_cpu=True)
    rows = datasets.Dataset.from_list([row] * 2)
    trainer = DPOTrainer(model, copy.deepcopy(model), args=arguments, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    assert (batch["input_ids"] == tokenizer.eos_token_id).sum() == len(batch["input_ids"])


@pytest.mark.parametrize("chosen", [False, True], ids=["as published", "training template set"])
def test_what_trl_asks_of_a_template(tokenizer, chosen):
    if chosen:
        tokenizer.chat_template = tokenizer.training_chat_template
    assert is_chat_template_stop_token_trained(tokenizer)
    assert not supports_tool_calling(tokenizer)  # and no exception that it does not know
    assert get_training_chat_template(tokenizer) is None


def test_training_template_keeps_prompts_as_they_are(tokenizer):
    training = tokenizer.training_chat_template
    prompt = tokenizer.apply_chat_template(TURNS[:1], tokenize=False)
    assert tokenizer.apply_chat_template(TURNS[:1], tokenize=False, chat_template=training) == prompt
    options = {"tokenize": False, "chat_template": training, "continue_final_message": True}
    assert tokenizer.apply_chat_template(TURNS[:2], **options) == prompt + "a1"
    ended = [TURNS[0], {"role": "assistant", "content": "a1<|endoftext|>"}]
    assert tokenizer.apply_chat_template(ended, tokenize=False, chat_template=training) == prompt + "a1<|endoftext|>"


def test_a_template_of_the_users_own_is_left_alone(model, tokenizer, tmp_path):
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}!{% endfor %}"
    assert tokenizer.training_chat_template == tokenizer.chat_template
    batch = first_batch(model, tokenizer, [{"messages": TURNS}], tmp_path)
    assert tokenizer.decode(batch["input_ids"][0]) == "q1!a1!q2!a2!"


def test_no_end_to_train_is_an_error(tokenizer):
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no eos_token"):
        tokenizer.training_chat_template  # noqa: B018


def test_padding_is_not_the_end_in_a_vocabulary_of_ones_own(tokenizer, tmp_path):
    """transformers' collator leaves every padding token out of the loss, by its id."""
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    tokenizer.save_pretrained(tmp_path)
    loaded = RodimusTokenizer.from_pretrained(tmp_path)
    assert loaded.pad_token_id == tokenizer.pad_token_id
    rows = [loaded(f"{text}<|endoftext|>") for text in ("a", "abc")]
    labels = DataCollatorForLanguageModeling(loaded, mlm=False)(rows)["labels"]
    assert (labels == loaded.eos_token_id).sum(1).tolist() == [1, 1]
    assert torch.equal((labels == -100).sum(1), torch.tensor([2, 0]))
