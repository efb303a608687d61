"""Recall at k: share of a query's relevant documents among the first k, averaged over queries."""

import datasets
import evaluate

from codefuse_hf.metrics.ranking import mean_over_queries
from codefuse_hf.metrics.ranking import recall

_DESCRIPTION = "Recall at k: share of a query's relevant documents among the first k, averaged over queries."

_INPUTS = """
Args:
    predictions: for each query the ids of the retrieved documents, best first.
    references: for each query the ids of its relevant documents.
    gains: for each query the gains of its references, for graded relevance; 1 for each by default.
    k: how many documents of each ranking count (10).
Returns:
    {"recall@<k>": the mean over the queries, from 0 to 1}
"""


class RecallAtK(evaluate.Metric):
    """`evaluate` metric; see `codefuse_hf.metrics.ranking.recall` for the definition."""

    def _info(self) -> evaluate.MetricInfo:
        ids = datasets.Sequence(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": ids, "references": ids}),
        )

    def _compute(self, predictions, references, gains=None, k: int = 10) -> dict[str, float]:
        if gains is not None:
            references = [dict(zip(ids, values, strict=True)) for ids, values in zip(references, gains, strict=True)]
        return {f"recall@{k}": mean_over_queries(recall, predictions, references, k)}
