"""Ranking metrics: known answers, agreement with scikit-learn and sentence-transformers, bad input."""

import random
from pathlib import Path

import pytest

import codefuse_hf.metrics
from codefuse_hf.metrics.ranking import mean_over_queries, ndcg, recall, reciprocal_rank

RANKING = ["d3", "d1", "d9", "d2", "d4"]


@pytest.mark.parametrize(
    ("measure", "relevant", "k", "expected"),
    [
        (reciprocal_rank, {"d9"}, 10, 1 / 3),
        (reciprocal_rank, {"d9", "d1"}, 10, 1 / 2),
        (reciprocal_rank, {"d9"}, 2, 0.0),
        (reciprocal_rank, {"d3": 0.0, "d4": 2.0}, 10, 1 / 5),
        (recall, {"d3", "d2", "zz"}, 3, 1 / 3),
        (recall, {"d3", "d2", "zz"}, 5, 2 / 3),
        (ndcg, {"d3"}, 10, 1.0),
        (ndcg, {"d1"}, 10, 0.6309297535714575),
        (ndcg, {"d1": 3.0, "d3": 1.0}, 2, (1 + 3 / 1.584962500721156) / (3 + 1 / 1.584962500721156)),
        (ndcg, {"zz"}, 10, 0.0),
    ],
)
def test_known_answers(measure, relevant, k, expected):
    assert measure(RANKING, relevant, k) == pytest.approx(expected)


def random_queries(graded: bool, seed: int = 0):
    rng, documents = random.Random(seed), [f"d{i}" for i in range(40)]
    rankings = [rng.sample(documents, 40) for _ in range(25)]
    relevant = [
        {d: float(rng.randint(1, 4)) if graded else 1.0 for d in rng.sample(documents, rng.randint(1, 6))}
        for _ in rankings
    ]
    return documents, rankings, relevant


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_ndcg_agrees_with_scikit_learn(graded, k):
    metrics = pytest.importorskip("sklearn.metrics")
    documents, rankings, relevant = random_queries(graded)
    truth = [[gains.get(d, 0.0) for d in documents] for gains in relevant]
    scores = [[-ranking.index(d) for d in documents] for ranking in rankings]
    assert mean_over_queries(ndcg, rankings, relevant, k) == pytest.approx(metrics.ndcg_score(truth, scores, k=k))


def test_all_agree_with_sentence_transformers():
    evaluation = pytest.importorskip("sentence_transformers.evaluation")
    documents, rankings, relevant = random_queries(graded=False, seed=1)
    evaluator = evaluation.InformationRetrievalEvaluator(
        {str(i): "" for i in range(len(rankings))},
        dict.fromkeys(documents, ""),
        {str(i): set(gains) for i, gains in enumerate(relevant)},
        mrr_at_k=[10], ndcg_at_k=[10], precision_recall_at_k=[5], accuracy_at_k=[1], map_at_k=[10],
    )  # fmt: skip
    results = [[{"corpus_id": d, "score": -i} for i, d in enumerate(ranking)] for ranking in rankings]
    theirs = evaluator.compute_metrics(results)
    assert mean_over_queries(reciprocal_rank, rankings, relevant, 10) == pytest.approx(theirs["mrr@k"][10])
    assert mean_over_queries(ndcg, rankings, relevant, 10) == pytest.approx(theirs["ndcg@k"][10])
    assert mean_over_queries(recall, rankings, relevant, 5) == pytest.approx(theirs["recall@k"][5])


@pytest.mark.parametrize(("name", "key"), [("MRR", "mrr@3"), ("RecallAtK", "recall@3"), ("NDCGAtK", "ndcg@3")])
def test_evaluate_classes(name, key):
    pytest.importorskip("evaluate")
    metric = getattr(codefuse_hf.metrics, name)()
    metric.add_batch(predictions=[["a", "b"], ["c", "d", "e"]], references=[["a"], ["e"]])
    assert metric.compute(k=3)[key] == pytest.approx({"mrr@3": 2 / 3, "recall@3": 1.0, "ndcg@3": 0.75}[key])


def test_graded_relevance_through_evaluate():
    pytest.importorskip("evaluate")
    result = codefuse_hf.metrics.NDCGAtK().compute(
        predictions=[RANKING], references=[["d1", "d3"]], gains=[[3.0, 1.0]], k=2
    )
    assert result["ndcg@2"] == pytest.approx(ndcg(RANKING, {"d1": 3.0, "d3": 1.0}, 2))


def test_scripts_load_offline():
    evaluate = pytest.importorskip("evaluate")
    script = Path(codefuse_hf.metrics.__file__).parent / "mrr.py"
    assert evaluate.load(str(script)).compute(predictions=[["a", "b"]], references=[["b"]]) == {"mrr@10": 0.5}


@pytest.mark.parametrize(
    ("rankings", "relevant", "k", "message"),
    [
        ([], [], 10, "no queries"),
        ([["a"]], [], 10, "1 rankings but relevant documents for 0"),
        ([["a"]], [[]], 10, "query 0 has no relevant"),
        ([["a", "a"]], [["a"]], 10, "names a document twice"),
        ([["a"]], [["a"]], 0, "k must be"),
    ],
)
def test_bad_input(rankings, relevant, k, message):
    with pytest.raises(ValueError, match=message):
        mean_over_queries(recall, rankings, relevant, k)
