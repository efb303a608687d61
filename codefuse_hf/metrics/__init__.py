"""Metrics of ranked retrieval, as `evaluate.Metric` classes that work offline: MRR, recall@k, nDCG@k.

    >>> from codefuse_hf.metrics import MRR
    >>> MRR().compute(predictions=[["a", "b"]], references=[["b"]], k=10)
    {'mrr@10': 0.5}

Each class is also a script of its own, so `evaluate.load("…/codefuse_hf/metrics/mrr.py")` works as well. The plain
functions are in `codefuse_hf.metrics.ranking`. Importing this package is quick; `evaluate` is imported with a class.
"""

from ..lazy_names import lazy_names

_CLASSES = {
    "MRR": "mrr",
    "RecallAtK": "recall_at_k",
    "NDCGAtK": "ndcg_at_k",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _CLASSES)
