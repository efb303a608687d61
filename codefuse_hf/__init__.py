"""codefuse-hf: Rodimus, CGE and code graphs, native to the Hugging Face libraries.

Importing this package is quick: it loads neither torch nor transformers. The models are registered with the Auto
classes all the same, as soon as those are first used (see `codefuse_hf.registration`).
"""

import importlib

from . import registration

__version__ = "0.1.0"

_PUBLIC_NAMES = {
    "RodimusConfig": "codefuse_hf.modeling.rodimus.configuration_rodimus",
    "RodimusModel": "codefuse_hf.modeling.rodimus.modeling_rodimus",
    "RodimusForCausalLM": "codefuse_hf.modeling.rodimus.modeling_rodimus",
    "RodimusForSequenceClassification": "codefuse_hf.modeling.rodimus.modeling_rodimus",
    "RodimusTokenizer": "codefuse_hf.modeling.rodimus.tokenization_rodimus_fast",
    "CGEConfig": "codefuse_hf.modeling.cge.configuration_cge",
    "CGEModel": "codefuse_hf.modeling.cge.modeling_cge",
    "CGEModelOutput": "codefuse_hf.modeling.cge.modeling_cge",
    "CGETransformer": "codefuse_hf.modeling.cge.sentence_transformers_cge",
    "CGMConfig": "codefuse_hf.modeling.cgm.configuration_cgm",
    "CGMModel": "codefuse_hf.modeling.cgm.modeling_cgm",
    "CGMForCausalLM": "codefuse_hf.modeling.cgm.modeling_cgm",
    "CGMProcessor": "codefuse_hf.modeling.cgm.processing_cgm",
    "NodeEmbeddingCache": "codefuse_hf.modeling.cgm.node_cache_cgm",
    "code_search_prompts": "codefuse_hf.modeling.cge.prompts_cge",
    "to_sentence_transformer": "codefuse_hf.modeling.cge.sentence_transformers_cge",
}

__all__ = ["__version__", *_PUBLIC_NAMES]


def __getattr__(name: str):
    if name not in _PUBLIC_NAMES:
        raise AttributeError(f"module 'codefuse_hf' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC_NAMES})


registration.install()
