"""Index and search a repository with an embedding model, words, or both.

`units` cuts a repository into functions, classes and files (with the code graph's language front ends); `code_index`
turns them into vectors (FAISS) and words (BM25) and answers queries. Everything is kept in safe formats: JSON, FAISS's own,
NumPy arrays without pickle, safetensors.

    >>> from codefuse_hf.search import DEFAULT_MODEL, CodeIndex
    >>> index = CodeIndex.build("path/to/repository", model=DEFAULT_MODEL)  # or any sentence-transformers model
    >>> index.search("where is the retry logic")[0]
"""

from ..lazy_names import lazy_names

_NAMES = {
    "CodeIndex": "code_index",
    "DEFAULT_MODEL": "default_model",
    "SearchResult": "code_index",
    "Unit": "units",
    "iter_units": "units",
    "load_default_model": "default_model",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _NAMES)
