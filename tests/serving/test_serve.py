"""The server over a real socket, with OpenAI's own client: answers equal `generate`'s, turns read new tokens only."""

import os
import socket
import sys
import threading
import time

import pytest
import torch
from openai import BadRequestError, OpenAI

from codefuse_hf import CGMProcessor, RodimusConfig, RodimusForCausalLM, RodimusTokenizer
from codefuse_hf.serving import Server
from helpers.models_cgm import tiny_with_encoder, word_tokenizer

BLOCK_TYPES = ("rodimus", "rodimus_plus")
NEW = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    folder, found = tmp_path_factory.mktemp("models"), {}
    texts = ["def load(path): return open(path).read()", "What does it do? It reads a file."] * 4
    tokenizer = RodimusTokenizer.train_from_iterator(texts, 320, show_progress=False)
    for block_type in BLOCK_TYPES:
        torch.manual_seed(1)
        config = RodimusConfig(
            vocab_size=len(tokenizer),
            d_model=32,
            n_layer=2,
            block_type=block_type,
            mixer_cfg={"mem_size": 8},
            attn_cfg={"num_heads": 4, "num_heads_k": 1, "window_size": 16},
            initializer_range=0.3,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        found[block_type] = str(folder / block_type)
        RodimusForCausalLM(config).save_pretrained(found[block_type])
        tokenizer.save_pretrained(found[block_type])
    return found


class Running:
    """A server in a thread, a client of it, and the widths of the forward passes that the model ran."""

    def __init__(self, folder: str, **options):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        self.server, self.name, self.widths = Server(folder, port=port, device="cpu", **options), folder, []
        (loaded,) = self.server.manager.loaded_models.values()
        self.model, self.tokenizer = loaded.model, loaded.processor
        self.model.register_forward_pre_hook(self.note, with_kwargs=True)
        self.server.start()
        self.client = OpenAI(base_url=f"http://localhost:{port}/v1", api_key="none", max_retries=8)

    def note(self, module, args, kwargs):
        self.widths.append(kwargs["input_ids"].shape[1])

    def chat(self, *texts: str, **options):
        roles = ("user", "assistant")
        messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
        options = {"temperature": 0, "max_tokens": NEW} | options
        self.widths.clear()
        return self.client.chat.completions.create(model=self.name, messages=messages, **options)

    def expected(self, *texts: str) -> str:
        """The answer of `generate`, without a server and without anything kept."""
        roles = ("user", "assistant")
        messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
        inputs = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_tensors="pt", return_dict=True
        )
        out = type(self.model).generate(self.model, **inputs, max_new_tokens=NEW, do_sample=False)
        return self.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


@pytest.fixture(scope="module", params=BLOCK_TYPES)
def running(request, folders):
    running = Running(folders[request.param])
    yield running
    running.server.stop()


def test_models_are_listed(running):
    assert [model.id for model in running.client.models.list()] == [running.name]


def test_answer_equals_generate(running):
    answer = running.chat("What does it do?")
    assert answer.choices[0].message.content == running.expected("What does it do?")
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage.completion_tokens <= NEW and answer.usage.prompt_tokens > 5


def test_streaming_gives_the_same_answer(running):
    pieces = [chunk.choices[0].delta.content or "" for chunk in running.chat("Read a file", stream=True)]
    # Half a character at the end is shown by `decode` and held back by the stream.
    assert "".join(pieces) == running.expected("Read a file").rstrip("\ufffd") and len(pieces) > 2


def test_completions(running):
    answer = running.client.completions.create(
        model=running.name, prompt="def load(path): return", max_tokens=NEW, temperature=0
    )
    ids = running.tokenizer("def load(path): return", return_tensors="pt")
    out = type(running.model).generate(running.model, **ids, max_new_tokens=NEW, do_sample=False)
    assert answer.choices[0].text == running.tokenizer.decode(
        out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True
    )


def test_the_next_turn_reads_its_new_tokens_only(running):
    history = ["What does it do? " * 40]
    first = running.chat(*history)
    assert max(running.widths) > 200
    history += [first.choices[0].message.content, "And then?"]
    second = running.chat(*history)
    assert second.usage.prompt_tokens > 200
    assert max(running.widths) < 100  # what follows the answer or, where its text has other tokens, the first prompt
    assert second.choices[0].message.content == running.expected(*history)


def test_another_answer_to_the_same_prompt_reads_one_token(running):
    first = running.chat("What is a file? " * 8)
    again = running.chat("What is a file? " * 8)
    assert max(running.widths) == 1
    assert again.choices[0].message.content == first.choices[0].message.content


def test_an_edited_history_is_read_again(running):
    """A recurrent state cannot be rewound: the answer is that to the edited text, as if nothing had been kept."""
    running.chat("It reads a file. " * 8)
    edited = ["It writes a file. " + "It reads a file. " * 7]
    answer = running.chat(*edited)
    assert max(running.widths) > 40
    assert answer.choices[0].message.content == running.expected(*edited)


def test_requests_at_once_do_not_mix(running):
    questions = [f"{word} a file" for word in ("load", "read", "open", "path")]
    answers = {}

    def ask(question):
        answers[question] = running.chat(question).choices[0].message.content

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {question: running.expected(question) for question in questions}


def test_a_client_that_goes_away_harms_nobody(running):
    stream = running.chat("What does it do?", stream=True, max_tokens=400)
    next(iter(stream))
    stream.close()
    time.sleep(0.2)
    assert running.chat("open it").choices[0].message.content == running.expected("open it")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_transformers_chat(running):
    """transformers' own client in a terminal: two turns, streamed, of which the second reads its new tokens only."""
    from helpers.terminal import talk

    command = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "chat",
        running.name,
        str(running.client.base_url),
    ]
    turns = ("What does it do? " * 30, "And then?")
    read = []
    script = [
        ("<me>:", turns[0]),
        (r"\(y/N\)|<me>:", "n"),
        ("<me>:", turns[1]),
        (r"\(y/N\)|<me>:", "n"),
        ("<me>:", "!exit"),
    ]
    running.model.register_forward_pre_hook(
        lambda *given: read.append(given[-1]["input_ids"].shape[1]), with_kwargs=True
    )
    options = [f"max_new_tokens={NEW}", "do_sample=False", "eos_token_id=[1000]", "--user", "me"]
    status, shown = talk([*command, *options], script, COLUMNS="100", HF_HUB_OFFLINE="0")
    assert status == 0, shown
    assert shown.count("Generation stopped after reaching the token limit") == 2, shown
    assert sum(width > 100 for width in read) == 1  # the first turn
    assert len(read) >= 2 * NEW


def test_another_model_is_refused(running):
    with pytest.raises(BadRequestError):
        running.client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}])


def test_states_are_bounded(folders):
    running = Running(folders["rodimus"], states=3)
    try:
        for i in range(5):
            running.chat(f"{i} " * 9)
        assert len(running.server.states) == 3
        assert running.chat("0 " * 9).choices[0].message.content == running.expected("0 " * 9)
    finally:
        running.server.stop()


def test_nothing_is_kept_where_no_state_may_be(folders):
    running = Running(folders["rodimus"], states=0)
    try:
        answer = running.chat("What? " * 8).choices[0].message.content
        assert len(running.server.states) == 0
        running.chat("What? " * 8)
        assert max(running.widths) > 10 and answer == running.expected("What? " * 8)
    finally:
        running.server.stop()


def test_text_side_of_cgm(tmp_path):
    """A model that reads graphs answers text alone as the language model that it is."""
    tiny_with_encoder().save_pretrained(tmp_path)
    CGMProcessor(word_tokenizer(chat=True), word_tokenizer(60), segment_length=16).save_pretrained(tmp_path)
    running = Running(str(tmp_path))
    try:
        assert running.chat("w1 w2 w3").choices[0].message.content == running.expected("w1 w2 w3")
        running.chat("w1 w2 w3")
        assert max(running.widths) == 1
    finally:
        running.server.stop()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        Server(tmp_path / "nowhere")
