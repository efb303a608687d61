"""From an issue to the places that a fix changes, and to a patch.

`Locator` ranks the files and functions of a repository for an issue, without a language model, on a CPU. `Chain` goes on with
one: it rewrites the issue, retrieves the part of the code graph, reranks its files and reads them (after CGM, arXiv 2505.16901);
each stage is a class of its own. An issue is untrusted text and a repository untrusted data: both are read, neither is run.
"""

from codefuse_hf.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Issue": "issue",
        "read_issue": "issue",
        "Places": "places",
        "Locator": "locate",
        "Ranking": "locate",
        "RankedFile": "locate",
        "RankedUnit": "locate",
        "InferenceModel": "models",
        "CachedModel": "models",
        "ChatModel": "models",
        "ModelError": "models",
        "ModelChoice": "model_choice",
        "LocalModel": "local_models",
        "GraphModel": "local_models",
        "Rewriter": "rewriter",
        "Rewriting": "rewriter",
        "Retriever": "retriever",
        "Retrieval": "retriever",
        "ChatReranker": "reranker",
        "CrossEncoderReranker": "reranker",
        "Reranking": "reranker",
        "Reader": "reader",
        "Repair": "reader",
        "Repository": "repository",
        "Chain": "chain",
        "Outcome": "chain",
    },
)
