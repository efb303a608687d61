"""Few files out of many: by a chat model behind a real socket, and by a cross-encoder of random weights."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from codefuse_hf.graph import build_code_graph
from codefuse_hf.repair.models import InferenceModel
from codefuse_hf.repair.reranker import ChatReranker, CrossEncoderReranker, Reranking, skeleton
from helpers.chat_server import chat_server
from helpers.faulty_repository import FILES
from helpers.models_cgm import word_tokenizer

PATHS = tuple(f"shop/{name}.py" for name in ("money", "cart", "stock", "text", "dates"))
ISSUE = "Title\n\nText."


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    root = tmp_path_factory.mktemp("reranker")
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return build_code_graph(root, workers=0, progress=False, text_files=False)


@pytest.fixture
def rerank(online, graph):
    def run(script, files=PATHS, **options):
        with chat_server(script) as server:
            model = InferenceModel("scripted", base_url=server.url, retries=0)
            return ChatReranker(model, **options).rerank(ISSUE, files, graph), server

    return run


def answers(picks, scores):
    def model(messages):
        prompt = messages[0]["content"]
        if "<files>" in prompt:
            return picks
        return scores[next(path for path in PATHS if f"The file {path} " in prompt)]

    return model


def test_two_steps(rerank):
    picks = "<files>\n1. `shop/text.py` (labels)\n- ./shop/dates.py\n- repo/shop/cart.py\n- shop/none.py\n</files>"
    scores = {"shop/text.py": "<score>2</score>", "shop/dates.py": "It fits.\nScore: 5", "shop/cart.py": "<score>4"}
    reranking, server = rerank(answers(picks, scores), picks=3, keep=2)
    assert reranking.paths == ("shop/dates.py", "shop/cart.py") and [file.score for file in reranking.files] == [5, 4]
    assert reranking.dropped == ("paths: 'shop/none.py' is none of the files",)
    assert reranking.usage.calls == len(server.requests) == 4
    assert Reranking.from_json(reranking.to_json()) == reranking


def test_senseless_answers_leave_the_given_order(rerank):
    reranking, _ = rerank(["I cannot."], picks=3, keep=2)
    assert reranking.paths == PATHS[:2] and reranking.files[0].score is None
    assert any("no score of 1 to 5" in each for each in reranking.dropped)


def test_a_file_without_a_score_is_in_the_middle(rerank):
    scores = dict.fromkeys(PATHS, "<score>2</score>") | {"shop/dates.py": "?", "shop/text.py": "<score>4</score>"}
    reranking, server = rerank(answers("", scores), keep=5)
    assert reranking.paths == ("shop/text.py", "shop/dates.py", "shop/money.py", "shop/cart.py", "shop/stock.py")
    assert not any("<files>" in prompt for prompt in server.prompts)  # five of five need no first step


def test_no_files_no_questions(rerank):
    reranking, server = rerank(["x"], files=())
    assert reranking == Reranking() and server.requests == []


def test_a_skeleton_shows_what_is_nested(graph):
    assert skeleton(graph, "shop/cart.py").splitlines()[:2] == ["class Cart", "    def __init__(self, items=[]):"]
    assert skeleton(graph, "shop/none.py") == "" == skeleton(graph, "shop")


def test_a_cross_encoder(graph, tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=90, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64, num_labels=1
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer = word_tokenizer()
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(tmp_path)
    reranking = CrossEncoderReranker(str(tmp_path), keep=3).rerank(ISSUE, PATHS, graph)
    scores = [file.score for file in reranking.files]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True) and set(reranking.paths) < set(PATHS)
    again = CrossEncoderReranker(str(tmp_path), keep=5).rerank(ISSUE, PATHS[::-1], graph)
    assert again.paths[:3] == reranking.paths
    assert CrossEncoderReranker(str(tmp_path)).rerank(ISSUE, (), graph) == Reranking()
