"""Models behind a real socket: what is repeated, what is given up, what is paid once."""

import email.utils
import time

import pytest

from codefuse_hf.repair.models import Answer, CachedModel, InferenceModel, ModelError, Usage
from helpers.chat_server import Long, Raw, Refusal, Slow, chat_server, completion

ASK = [{"role": "user", "content": "why?"}]


@pytest.fixture
def ask(online):
    """`ask(script, **options)` → the answer or error, the server, and the pauses that the model made."""

    def run(script, times=1, **options):
        pauses = []
        with chat_server(script) as server:
            model = InferenceModel("scripted", base_url=server.url, sleep=pauses.append, **options)
            try:
                for _ in range(times):
                    answer = model.chat(ASK, max_tokens=50)
            except ModelError as error:
                answer = error
        return answer, server, pauses

    return run


def test_an_answer_with_its_costs(ask):
    answer, server, _ = ask(["because"], temperature=0.5, seed=3)
    assert (answer.text, answer.cut_off) == ("because", False)
    assert (answer.usage.calls, answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 11, 7)
    body = server.requests[0]["body"]
    assert server.requests[0]["path"] == "/v1/chat/completions"
    wanted = {"messages": ASK, "model": "scripted", "max_tokens": 50, "temperature": 0.5, "seed": 3}
    assert {name: body[name] for name in wanted} == wanted


def test_an_answer_that_is_cut_off_says_so(ask):
    assert ask([Long("becau")])[0].cut_off


@pytest.mark.parametrize(
    "step",
    [
        Refusal(429), Refusal(500), Refusal(503), Refusal(504), Raw("no JSON"), Raw("[]"), Raw('{"choices": []}'),
        Raw(completion("because")[:60], promised=500), Raw('{"choices": [{"message": {"content": 3}}]}'),
    ],
    ids=["429", "500", "503", "504", "no JSON", "list", "no choice", "broken connection", "number"],
)  # fmt: skip
def test_what_may_pass_is_asked_again(ask, step):
    answer, server, pauses = ask([step, step, "because"])
    assert answer.text == "because" and len(server.requests) == 3
    assert 0.5 <= pauses[0] <= 1 and 1 <= pauses[1] <= 2


def test_a_late_answer_is_asked_for_again(ask):
    answer, server, _ = ask([Slow(1.5), "because"], timeout=0.3)
    assert answer.text == "because" and len(server.requests) == 2


def test_the_server_says_how_long_to_wait(ask):
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    steps = [
        Refusal(429, {"Retry-After": "7"}),
        Refusal(503, {"Retry-After": date}),
        Refusal(429, {"Retry-After": "soon"}),
    ]
    answer, _, pauses = ask([*steps, "because"])
    assert answer.text == "because"
    assert pauses[0] == 7 and 20 < pauses[1] <= 30 and pauses[2] <= 4


def test_a_pause_that_is_too_long_is_refused(ask):
    error, server, pauses = ask([Refusal(429, {"Retry-After": "3600"})])
    assert "wants a pause of 3600 s" in str(error) and len(server.requests) == 1 and not pauses


def test_what_does_not_pass_is_given_up_after_some_calls(ask):
    error, server, _ = ask([Refusal(500, body="out of memory")], retries=2)
    assert len(server.requests) == 3
    assert "scripted at http://127.0.0.1" in str(error) and "in 3 calls" in str(error) and "out of memory" in str(error)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_not_repeated(ask, status):
    error, server, _ = ask([Refusal(status, body='{"error": "prompt is too long"}')])
    assert len(server.requests) == 1 and f"{status}: " in str(error) and "prompt is too long" in str(error)


def test_no_server(online):
    with chat_server([]) as server:
        url = server.url
    model = InferenceModel("scripted", base_url=url, retries=1, sleep=lambda seconds: None)
    with pytest.raises(ModelError, match="gave no answer in 2 calls"):
        model.chat(ASK, max_tokens=5)


def test_offline_mode_is_named(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        InferenceModel("m", base_url="http://127.0.0.1:9/v1").chat(ASK, max_tokens=5)


def test_the_token_of_the_hub_goes_to_no_other_server(ask, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    _, server, _ = ask(["because"])
    assert "hf_secret" not in str(server.requests[0]["headers"])
    _, server, _ = ask(["because"], api_key="mine")
    assert server.requests[0]["headers"]["authorization"] == "Bearer mine"


def test_calls_are_spaced(ask):
    _, _, pauses = ask(["because"], times=3, requests_per_minute=6)
    assert [round(pause) for pause in pauses] == [10, 20]


def test_the_budget_ends_the_calls(ask):
    error, server, _ = ask(["because"], times=3, token_budget=20)
    assert len(server.requests) == 2 and "the budget of 20 tokens is spent (36)" in str(error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://x/v1", "provider": "auto"}, "not through both"),
        ({"base_url": "localhost:8000"}, "must begin with http"),
        ({"base_url": "http://x/v1", "requests_per_minute": 0}, "more than 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        InferenceModel("m", **options)


def test_an_answer_is_paid_once(online, tmp_path):
    with chat_server(["first", "second", "third"]) as server:
        model = CachedModel(InferenceModel("scripted", base_url=server.url), tmp_path)
        first = model.chat(ASK, max_tokens=50)
        again = model.chat(ASK, max_tokens=50)
        other = model.chat(ASK, max_tokens=51)
        same = CachedModel(InferenceModel("scripted", base_url=server.url), tmp_path).chat(ASK, max_tokens=50)
    assert (first.text, again.text, other.text, same.text) == ("first", "first", "second", "first")
    assert again.usage == Usage(cached=1)


def test_another_model_has_other_answers(online, tmp_path):
    with chat_server(["first", "second"]) as server:
        for name, expected in (("a", "first"), ("b", "second"), ("a", "first")):
            model = CachedModel(InferenceModel(name, base_url=server.url), tmp_path)
            assert model.chat(ASK, max_tokens=50).text == expected


@pytest.mark.parametrize("content", ["", "{", "[]", '{"text": 3}'])
def test_a_damaged_cache_is_no_answer(online, tmp_path, content):
    with chat_server(["first", "second"]) as server:
        model = CachedModel(InferenceModel("scripted", base_url=server.url), tmp_path)
        model.chat(ASK, max_tokens=50)
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(content)
        assert model.chat(ASK, max_tokens=50).text == "second"
        assert model.chat(ASK, max_tokens=50).text == "second"


def test_errors_are_not_kept(online, tmp_path):
    with chat_server([Refusal(400), "because"]) as server:
        model = CachedModel(InferenceModel("scripted", base_url=server.url), tmp_path)
        with pytest.raises(ModelError):
            model.chat(ASK, max_tokens=50)
        assert model.chat(ASK, max_tokens=50).text == "because"


def test_answers_are_records():
    answer = Answer("text", True, Usage(1, 0, 5, 6, 0.5))
    assert Answer.from_json(answer.to_json()) == answer
    assert str(answer.usage + Usage(cached=2)) == "1 call, 2 from the cache, 5 + 6 tokens"
