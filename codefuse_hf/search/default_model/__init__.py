"""The embedding model that is part of this package: a CGE of one layer, for code search without a download.

The folder holds weights (float16), configuration and tokenizer, and the figures of its training (`README.md`).
`examples/cge_train_from_scratch.py` made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "codefuse-hf:default"
"""Its name where a model is asked for by name; an index made with it does not depend on where the package lies."""
FOLDER = Path(__file__).parent


def load_default_model() -> SentenceTransformer:
    """Load the shipped model in PyTorch, float32, ready for `encode_query` and `encode_document`. Search itself runs it without
    PyTorch, by `SmallCGE`."""
    from codefuse_hf.modeling.cge.sentence_transformers_cge import CGETransformer, to_sentence_transformer

    module = CGETransformer.load(str(FOLDER), local_files_only=True, model_kwargs={"dtype": "float32"})
    return to_sentence_transformer(module.model, module.tokenizer, prompts={"query": "", "document": ""})
