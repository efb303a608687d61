"""Embedding models for tests of code search."""

import numpy as np

from codefuse_hf.search.words import count_words


class BagOfWords:
    """An embedding model with the interface of sentence-transformers': hashed words. Counts what it embeds."""

    def __init__(self, width: int = 64, seed: int = 0, fail_after: int | None = None):
        self.width, self.seed, self.fail_after, self.texts = width, seed, fail_after, []

    def encode_document(self, texts, **_):
        self.texts += texts
        if self.fail_after is not None and len(self.texts) > self.fail_after:
            raise KeyboardInterrupt
        return np.stack([self._vector(text) for text in texts])

    encode_query = encode_document

    def _vector(self, text):
        vector = np.zeros(self.width, dtype=np.float32)
        for word in count_words(text).elements():
            rng = np.random.default_rng([self.seed, *word.encode()])
            vector += rng.standard_normal(self.width, dtype=np.float32)
        return vector
