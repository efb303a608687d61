"""The model families: where their classes live. The one table that registration and self-contained saving read."""

import importlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """One model family; classes are named "module:Class" and imported on demand.

    Attributes:
        model_type: its configs' `model_type`.
        config: the configuration class.
        models: Auto class name → model class.
        tokenizer, processor: classes to register with AutoTokenizer and AutoProcessor.
        extra_modules: further modules that travel with the weights.
        lora_targets: layers that PEFT's LoRA and its kin adapt by default; `"all-linear"` adds the gates.
    """

    model_type: str
    config: str
    models: dict[str, str]
    tokenizer: str | None = None
    processor: str | None = None
    extra_modules: tuple[str, ...] = field(default=())
    lora_targets: tuple[str, ...] = ()

    @property
    def auto_map(self) -> dict[str, str]:
        """The `auto_map` of a self-contained folder: Auto class name → "file.Class"."""
        classes = {"AutoConfig": self.config, **self.models}
        return {auto: file_and_class(path) for auto, path in classes.items()}

    @property
    def classes(self) -> list[str]:
        """All classes, as "module:Class"."""
        paths = [self.config, *self.models.values(), self.tokenizer, self.processor]
        return [path for path in dict.fromkeys(paths) if path is not None]

    @property
    def module_name(self) -> str:
        """Where transformers looks for the family, below `transformers.models`."""
        return self.model_type.replace("-", "_")

    @property
    def modules(self) -> list[str]:
        """Modules of the config and model classes, the roots of what must travel."""
        paths = [self.config, *self.models.values()]
        return list(dict.fromkeys([path.partition(":")[0] for path in paths] + list(self.extra_modules)))


_RODIMUS = "codefuse_hf.modeling.rodimus"
_CGE = "codefuse_hf.modeling.cge"
_CGM = "codefuse_hf.modeling.cgm"

FAMILIES = {
    family.model_type: family
    for family in (
        Family(
            model_type="rodimus",
            config=f"{_RODIMUS}.configuration_rodimus:RodimusConfig",
            models={
                "AutoModel": f"{_RODIMUS}.modeling_rodimus:RodimusModel",
                "AutoModelForCausalLM": f"{_RODIMUS}.modeling_rodimus:RodimusForCausalLM",
                "AutoModelForSequenceClassification": f"{_RODIMUS}.modeling_rodimus:RodimusForSequenceClassification",
            },
            tokenizer=f"{_RODIMUS}.tokenization_rodimus_fast:RodimusTokenizer",
            lora_targets=("fc", "in_proj", "out_proj", "q_proj", "k_proj", "v_proj"),
        ),
        Family(
            model_type="cge",
            config=f"{_CGE}.configuration_cge:CGEConfig",
            models={"AutoModel": f"{_CGE}.modeling_cge:CGEModel"},
            extra_modules=(f"{_CGE}.sentence_transformers_cge",),
        ),
        Family(
            model_type="cgm",
            config=f"{_CGM}.configuration_cgm:CGMConfig",
            models={
                "AutoModel": f"{_CGM}.modeling_cgm:CGMModel",
                "AutoModelForCausalLM": f"{_CGM}.modeling_cgm:CGMForCausalLM",
            },
            processor=f"{_CGM}.processing_cgm:CGMProcessor",
            # The language model's projections, and those of T5 (q, k, v, o) and BERT (query, key, value) encoders.
            lora_targets=(
                *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
                *("q", "k", "v", "o", "query", "key", "value"),
            ),
        ),
    )
}


def file_and_class(path: str) -> str:
    """Turn "package.module:Class" into what transformers writes into an `auto_map`: "module.Class"."""
    module, _, name = path.partition(":")
    return f"{module.rpartition('.')[2]}.{name}"


def load_class(path: str) -> type:
    """Load the class named "module:Class"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
