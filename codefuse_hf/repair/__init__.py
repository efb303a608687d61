"""From an issue to the places that a fix changes.

`Locator` ranks the files and functions of a repository for an issue, without a language model, on a CPU. An issue is
untrusted text and a repository untrusted data: both are read, neither is run.
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
        "Rewriter": "rewriter",
        "Rewriting": "rewriter",
    },
)
