"""RodimusTokenizer: special tokens, padding, chat format, training, saving."""

import json
import pickle
import textwrap

import jinja2
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import codefuse_hf  # noqa: F401 - registers the tokenizer
from codefuse_hf import RodimusTokenizer
from helpers import GOLDEN

BASE_TOKENS = ["<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]"]
CODER_TOKENS = ["<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]
CODE = 'def greet(name):\n    """Höflich, 漢字 🙂"""\n    return f"<b>{name}</b>  "\n'


def byte_level(special_tokens=tuple(BASE_TOKENS)) -> Tokenizer:
    """A byte-level tokenizer without merges; ordinary tokens first, as in the published vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special_tokens))
    return tokenizer


@pytest.fixture
def tokenizer() -> RodimusTokenizer:
    return RodimusTokenizer(tokenizer_object=byte_level())


@pytest.fixture(scope="module")
def trained() -> RodimusTokenizer:
    return RodimusTokenizer.train_from_iterator([CODE] * 4, vocab_size=300, show_progress=False)


def published_folder(folder, tokens, **config):
    """Tokenizer files as in a published repository, without the .py file that they name."""
    backend = byte_level(tokens)
    backend.save(str(folder / "tokenizer.json"))
    auto_map = {"AutoTokenizer": [None, "tokenization_rodimus_fast.RodimusTokenizer"]}
    config = {"tokenizer_class": "RodimusTokenizer", "auto_map": auto_map, **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "config.json").write_text(json.dumps({"model_type": "rodimus", "d_model": 64, "n_layer": 1}))
    return folder


# ---- special tokens and padding


def test_special_tokens_of_the_base_family(tokenizer):
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|startoftext|>",
        "<|endoftext|>",
        "<|endoftext|>",
    )
    assert tokenizer.cls_token == "[CLS]" and tokenizer.gmask_token == "[gMASK]"
    assert tokenizer.gmask_token_id == tokenizer.convert_tokens_to_ids("[gMASK]") == 259
    assert tokenizer.fim_begin_token is None and tokenizer.fim_begin_token_id is None
    assert len(tokenizer) == 260, "nothing was added to the vocabulary"


def test_special_tokens_of_the_coder_family():
    tokenizer = RodimusTokenizer(tokenizer_object=byte_level(BASE_TOKENS + CODER_TOKENS))
    names = ["fim_begin", "fim_hole", "fim_end", "fim_pad", "repo_name", "file_sep"]
    assert [getattr(tokenizer, f"{name}_token") for name in names] == CODER_TOKENS
    assert [getattr(tokenizer, f"{name}_token_id") for name in names] == list(range(260, 266))
    assert set(CODER_TOKENS) <= set(tokenizer.all_special_tokens)


def test_given_special_tokens_win():
    tokenizer = RodimusTokenizer(tokenizer_object=byte_level(), pad_token="[CLS]")
    assert tokenizer.pad_token == "[CLS]" and tokenizer.eos_token == "<|endoftext|>"


def test_neither_bos_nor_eos_is_added(tokenizer):
    ids = tokenizer("ab")["input_ids"]
    assert len(ids) == 2 and not set(ids) & set(tokenizer.all_special_ids)


def test_a_post_processor_that_adds_bos_is_put_right():
    backend = byte_level()
    backend.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A", special_tokens=[("<|startoftext|>", 256)]
    )
    assert len(RodimusTokenizer(tokenizer_object=backend)("ab")["input_ids"]) == 2


def test_bos_and_eos_on_request():
    tokenizer = RodimusTokenizer(tokenizer_object=byte_level(), add_bos_token=True, add_eos_token=True)
    ids = tokenizer("ab")["input_ids"]
    assert (ids[0], ids[-1], len(ids)) == (tokenizer.bos_token_id, tokenizer.eos_token_id, 4)


def test_batches_are_padded_on_the_left(tokenizer):
    batch = tokenizer(["a", "abc"], padding=True)
    assert batch["attention_mask"] == [[0, 0, 1], [1, 1, 1]]
    assert batch["input_ids"][0][:2] == [tokenizer.eos_token_id] * 2
    assert set(batch) == {"input_ids", "attention_mask"}


def test_no_files_is_an_error():
    with pytest.raises(ValueError, match="tokenizer"):
        RodimusTokenizer()


# ---- fill in the middle


def test_fill_in_the_middle_prompt_is_encoded_with_its_special_tokens(trained):
    ids = trained(trained.fill_in_the_middle_prompt("a", "b"))["input_ids"]
    marks = [trained.fim_begin_token_id, trained.fim_hole_token_id, trained.fim_end_token_id]
    assert [i for i in ids if i in marks] == marks and len(ids) == 5


def test_fill_in_the_middle_needs_a_coder_vocabulary(tokenizer):
    with pytest.raises(ValueError, match="fim_begin_token"):
        tokenizer.fill_in_the_middle_prompt("a", "b")


# ---- chat


def chat_cases():
    return json.loads((GOLDEN / "rodimus/chat/chat.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("generation_prompt", [{}, {"add_generation_prompt": True}], ids=["default", "asked"])
@pytest.mark.parametrize("case", chat_cases(), ids=lambda case: case["name"])
def test_golden_prompts(tokenizer, case, generation_prompt):
    system = [] if case["system"] is None else [{"role": "SYSTEM", "content": case["system"]}]
    options = {"tokenize": False, **generation_prompt}
    assert tokenizer.apply_chat_template(system + case["messages"], **options) == case["prompt"]
    assert tokenizer.apply_chat_template(case["messages"], system=case["system"], **options) == case["prompt"]


@pytest.mark.parametrize("case", chat_cases(), ids=lambda case: case["name"])
def test_usual_role_names_give_the_golden_prompts(tokenizer, case):
    usual = {"HUMAN": "user", "ASSISTANT": "assistant", "OBSERVATION": "tool"}
    messages = [{"role": usual[m["role"]], "content": m["content"]} for m in case["messages"]]
    if case["system"]:
        messages.insert(0, {"role": "system", "content": case["system"]})
    assert tokenizer.apply_chat_template(messages, tokenize=False) == case["prompt"]


@pytest.mark.parametrize(
    ("role", "name"),
    [("Human", "HUMAN"), ("USER", "HUMAN"), ("Tool", "OBSERVATION"), ("observation", "OBSERVATION"), ("user", "HUMAN")],
)
def test_roles_in_any_case(tokenizer, role, name):
    prompt = tokenizer.apply_chat_template([{"role": role, "content": "x"}], tokenize=False)
    assert prompt == f"<role>{name}</role>x<role>ASSISTANT</role>"


def test_generation_prompt_declined(tokenizer):
    chat = [{"role": "user", "content": "x"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=False) == "<role>HUMAN</role>x"


def test_an_assistants_last_turn_goes_on(tokenizer):
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "begun "}]
    expected = "<role>HUMAN</role>x<role>ASSISTANT</role>begun "
    for options in ({}, {"add_generation_prompt": True}, {"continue_final_message": True}):
        assert tokenizer.apply_chat_template(chat, tokenize=False, **options) == expected


def test_a_users_last_turn_can_be_continued(tokenizer):
    chat = [{"role": "user", "content": "begun "}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, continue_final_message=True)
    assert rendered == "<role>HUMAN</role>begun "


@pytest.mark.parametrize("content", ["  {x} {{ y }} {% z %}\n", "<a href='&amp;'>\"</a>", "", "\ttab\r\n\n"])
def test_content_is_untouched(tokenizer, content):
    chat = [{"role": "user", "content": content}, {"role": "assistant", "content": content}]
    expected = f"<role>HUMAN</role>{content}<role>ASSISTANT</role>{content}"
    assert tokenizer.apply_chat_template(chat, tokenize=False) == expected


def test_content_in_parts(tokenizer):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": " b"}, "c"]
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": parts}], tokenize=False)
    assert prompt == "<role>HUMAN</role>a bc<role>ASSISTANT</role>"


def test_an_empty_system_message_is_none(tokenizer):
    chat = [{"role": "system", "content": ""}, {"role": "user", "content": "x"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<role>HUMAN</role>x<role>ASSISTANT</role>"


def test_a_batch_of_chats_is_padded_on_the_left(tokenizer):
    chats = [[{"role": "user", "content": text}] for text in ("x", "longer")]
    batch = tokenizer.apply_chat_template(chats, padding=True, return_tensors="pt")
    assert batch["attention_mask"].sum(1).tolist() == [
        len("<role>HUMAN</role><role>ASSISTANT</role>") + n for n in (1, 6)
    ]
    assert batch["attention_mask"][0, 0] == 0


def test_mask_of_the_assistants_tokens(tokenizer):
    chat = [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "defg"}]
    out = tokenizer.apply_chat_template(chat, return_assistant_tokens_mask=True)
    masked = [i for i, mask in zip(out["input_ids"], out["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(masked) == "defg<|endoftext|>"


USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("chat", "options", "message"),
    [
        ([{"role": "boss", "content": "x"}], {}, 'unknown role "boss"'),
        ([USER, {"role": "system", "content": "x"}], {}, "system message must come first"),
        ([{"role": "system", "content": "x"}, USER], {"system": "y"}, "give the system text once"),
        ([{"role": "user"}], {}, "content of a message by user"),
        ([{"role": "user", "content": 3}], {}, "content of a message by user"),
        ([{"role": "user", "content": {"text": "x"}}], {}, "content of a message by user"),
        ([{"role": "user", "content": [{"type": "image", "url": "x"}]}], {}, "reads text only"),
        ([USER, {"role": "assistant", "tool_calls": [{"name": "f"}]}], {}, "tool_calls"),
        ([USER], {"tools": [{"type": "function", "function": {"name": "f"}}]}, "no place for tools"),
        ([USER], {"documents": [{"title": "t", "text": "x"}]}, "no place for documents"),
        ([USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}], {}, "no place for reasoning_content"),
        (
            [USER, {"role": "assistant", "content": "x", "function_call": {"name": "f"}}],
            {},
            "no place for function_call",
        ),
    ],
)
def test_bad_conversations_are_refused(tokenizer, chat, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        tokenizer.apply_chat_template(chat, tokenize=False, **options)
    assert isinstance(caught.value, jinja2.exceptions.TemplateError), "what libraries that probe a template expect"


def test_anothers_template_keeps_its_own_errors(tokenizer):
    with pytest.raises(jinja2.exceptions.UndefinedError):
        tokenizer.apply_chat_template([USER], chat_template="{{ a.b.c }}", tokenize=False)


# ---- training


def test_training_round_trips_any_text(trained):
    text = CODE + "\x00\r\n\t  ∀x∈ℝ"
    assert trained.decode(trained(text)["input_ids"]) == text
    assert 267 < len(trained) <= 300


def test_training_learns_indentation_and_words():
    tokenizer = RodimusTokenizer.train_from_iterator([CODE] * 4, vocab_size=400, show_progress=False)
    assert tokenizer.tokenize("    return")[-2:] == ["ĠĠĠ", "Ġreturn"]


def test_training_refuses_a_vocabulary_without_room():
    with pytest.raises(ValueError, match="at least 267"):
        RodimusTokenizer.train_from_iterator(["x"], vocab_size=200)


# ---- loading and saving


@pytest.mark.parametrize("trust_remote_code", [None, True, False])
def test_published_folder_loads_by_auto_class(tmp_path, trust_remote_code):
    folder = published_folder(tmp_path, BASE_TOKENS + CODER_TOKENS, additional_special_tokens=CODER_TOKENS)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    assert type(tokenizer) is RodimusTokenizer and tokenizer.padding_side == "left"
    assert tokenizer.decode(tokenizer(CODE)["input_ids"]) == CODE
    assert tokenizer.gmask_token_id == 259 and tokenizer.fim_hole_token_id == 261 and len(tokenizer) == 266
    assert tokenizer.apply_chat_template([USER], tokenize=False) == "<role>HUMAN</role>x<role>ASSISTANT</role>"


def test_null_special_tokens_of_a_published_folder(tmp_path):
    folder = published_folder(tmp_path, BASE_TOKENS, pad_token=None)
    assert AutoTokenizer.from_pretrained(folder).pad_token == "<|endoftext|>"


def test_save_and_load(tmp_path, trained):
    trained.save_pretrained(tmp_path)
    loaded = RodimusTokenizer.from_pretrained(tmp_path)
    assert loaded.backend_tokenizer.to_str() == trained.backend_tokenizer.to_str()
    assert loaded.special_tokens_map == trained.special_tokens_map
    assert loaded.chat_template == trained.chat_template
    loaded.save_pretrained(tmp_path / "again")
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_saved_folder_names_its_own_code(tmp_path, trained):
    trained.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["auto_map"] == {"AutoTokenizer": [None, "tokenization_rodimus_fast.RodimusTokenizer"]}
    assert "codefuse_hf" not in (tmp_path / "tokenization_rodimus_fast.py").read_text()


def test_saved_folder_serves_a_plain_fast_tokenizer(tmp_path, trained):
    trained.save_pretrained(tmp_path)
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert plain(CODE)["input_ids"] == trained(CODE)["input_ids"] and plain.padding_side == "left"
    assert plain.apply_chat_template([USER], tokenize=False, add_generation_prompt=True).endswith(
        "<role>ASSISTANT</role>"
    )


def test_own_chat_template_is_kept(tmp_path, trained):
    template = textwrap.dedent("{% for m in messages %}{{ m.content }}{% endfor %}")
    RodimusTokenizer(tokenizer_object=trained.backend_tokenizer, chat_template=template).save_pretrained(tmp_path)
    assert RodimusTokenizer.from_pretrained(tmp_path).apply_chat_template([USER], tokenize=False) == "x"


def test_pickle(trained):
    assert pickle.loads(pickle.dumps(trained))(CODE)["input_ids"] == trained(CODE)["input_ids"]
