"""codefuse-hf: Rodimus, CGE and code graphs, native to the Hugging Face libraries.

Importing this package is quick: it loads neither torch nor transformers. The models are registered with the Auto
classes all the same, as soon as those are first used (see `codefuse_hf.registration`).
"""

from . import registration
from .lazy_names import lazy_names

__version__ = "0.1.0"

_PUBLIC_NAMES = {
    "RodimusConfig": "modeling.rodimus.configuration_rodimus",
    "RodimusModel": "modeling.rodimus.modeling_rodimus",
    "RodimusForCausalLM": "modeling.rodimus.modeling_rodimus",
    "RodimusForSequenceClassification": "modeling.rodimus.modeling_rodimus",
    "RodimusTokenizer": "modeling.rodimus.tokenization_rodimus_fast",
    "CGEConfig": "modeling.cge.configuration_cge",
    "CGEModel": "modeling.cge.modeling_cge",
    "CGEModelOutput": "modeling.cge.modeling_cge",
    "CGETransformer": "modeling.cge.sentence_transformers_cge",
    "CGMConfig": "modeling.cgm.configuration_cgm",
    "CGMModel": "modeling.cgm.modeling_cgm",
    "CGMForCausalLM": "modeling.cgm.modeling_cgm",
    "CGMProcessor": "modeling.cgm.processing_cgm",
    "NodeEmbeddingCache": "modeling.cgm.node_cache_cgm",
    "code_search_prompts": "modeling.cge.prompts_cge",
    "to_sentence_transformer": "modeling.cge.sentence_transformers_cge",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC_NAMES)
__all__ += ["__version__"]

registration.install()
