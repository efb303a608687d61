"""Text encoders for a new CGM: from a name or a model to a backbone, its projection, and how its states are pooled."""

import json
from typing import Any

import torch
from transformers import AutoModel, T5Config, T5EncoderModel
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel, load_state_dict
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING
from transformers.utils import cached_file

CODET5P = "CodeT5p_Embedding"
"""Architecture of the CodeT5+ embedding models, whose remote code is not needed: they are T5 encoders."""

Encoder = tuple[PreTrainedModel | None, dict[str, torch.Tensor] | None, dict[str, Any]]


def load_encoder(encoder: "str | PreTrainedModel | None", kwargs: dict[str, Any]) -> Encoder:
    """Load a text encoder, the weights of its projection if it has one, and the keys of `CGMConfig` that describe it.

    Raises:
        ValueError: a sentence-transformers folder with modules that have no counterpart here.
        TypeError: neither a name nor a model.
    """
    if encoder is None:
        return None, None, {}
    if isinstance(encoder, PreTrainedModel):
        return encoder, None, _default_settings(encoder)
    if not (isinstance(encoder, str) or hasattr(encoder, "__fspath__")):
        raise TypeError(f"encoder must be a text encoder or the name of one, found {type(encoder).__name__}.")
    name = str(encoder)
    raw, _ = PreTrainedConfig.get_config_dict(name)
    if CODET5P in (raw.get("architectures") or []):
        return _load_codet5p(name, raw, kwargs)
    backbone = _load_backbone(name, kwargs)
    settings = _default_settings(backbone)
    modules = _read_json(name, "modules.json")
    if modules is not None and backbone.config.model_type != "cge":
        settings |= _sentence_transformers_settings(name, modules)
    return backbone, None, settings


def codet5p_config(raw: dict[str, Any]) -> tuple[T5Config, int]:
    """Return the T5 configuration of a published CodeT5+ embedding model, and the width of its projection.

    Raises:
        ValueError: a projection without a width.
    """
    width = raw.get("embed_dim")
    if not isinstance(width, int) or width < 1:
        raise ValueError(f"a {CODET5P} configuration needs `embed_dim`, the width of its embedding; found {width!r}.")
    dropped = ("model_type", "architectures", "auto_map", "embed_dim", "_name_or_path", "transformers_version")
    fields = {key: value for key, value in raw.items() if key not in dropped}
    # The encoder alone; its configuration says so, as that of every `T5EncoderModel`.
    fields.update(is_encoder_decoder=False, use_cache=False)
    return T5Config(**fields), width


def rename_codet5p(name: str) -> str:
    """Return our name, below `encoder.`, of a tensor of a CodeT5+ embedding model."""
    return name if name.startswith("proj.") else f"model.{name}"


def codet5p_settings(width: int) -> dict[str, Any]:
    """Return the keys of `CGMConfig` for a CodeT5+ embedding encoder."""
    return {"encoder_pooling": "first", "encoder_projection_dim": width, "encoder_normalize": True}


def _load_codet5p(name: str, raw: dict[str, Any], kwargs: dict[str, Any]) -> Encoder:
    config, width = codet5p_config(raw)
    file = _find(name, "model.safetensors") or _find(name, "pytorch_model.bin")
    if file is None:
        raise ValueError(f"{name} has neither model.safetensors nor pytorch_model.bin.")
    state = load_state_dict(file, map_location="cpu", weights_only=True)
    projection = {key.removeprefix("proj."): state.pop(key) for key in list(state) if key.startswith("proj.")}
    backbone = T5EncoderModel.from_pretrained(None, config=config, state_dict=state, **kwargs)
    return backbone, projection, codet5p_settings(width)


def _load_backbone(name: str, kwargs: dict[str, Any]) -> PreTrainedModel:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(name, trust_remote_code=kwargs.get("trust_remote_code"))
    if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING:
        return MODEL_FOR_TEXT_ENCODING_MAPPING[type(config)].from_pretrained(name, **kwargs)
    return AutoModel.from_pretrained(name, **kwargs)


def _default_settings(backbone: PreTrainedModel) -> dict[str, Any]:
    kind = backbone.config.model_type
    if kind == "cge":
        return {"encoder_pooling": "embedding", "encoder_normalize": False}
    return {"encoder_pooling": "first" if kind == "t5" else "mean", "encoder_normalize": True}


def _sentence_transformers_settings(name: str, modules: list[dict[str, Any]]) -> dict[str, Any]:
    """Pooling and normalisation of a sentence-transformers folder."""
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    unknown = sorted(set(kinds[1:]) - {"Pooling", "Normalize"})
    if unknown:
        raise ValueError(
            f"{name} is a sentence-transformers model with {', '.join(unknown)}, which CGM's node encoder does not have: "
            "pass its transformer, e.g. from_base(lm, AutoModel.from_pretrained(name), encoder_pooling=…)."
        )
    settings: dict[str, Any] = {"encoder_normalize": "Normalize" in kinds}
    if "Pooling" in kinds:
        path = str(modules[kinds.index("Pooling")].get("path", "")).strip("/")
        pooling = _read_json(name, f"{path}/config.json" if path else "config.json") or {}
        settings["encoder_pooling"] = _pooling_of(name, pooling)
    return settings


def _pooling_of(name: str, pooling: dict[str, Any]) -> str:
    modes = {"cls_token": "first", "mean_tokens": "mean", "lasttoken": "last", "cls": "first", "mean": "mean"}
    chosen = [
        key.removeprefix("pooling_mode_") for key, on in pooling.items() if key.startswith("pooling_mode_") and on
    ]
    chosen = chosen or [pooling.get("pooling_mode", "mean")]
    if len(chosen) != 1 or chosen[0] not in modes:
        raise ValueError(f"{name} pools by {chosen}; CGM's node encoder knows the first, the mean and the last token.")
    return modes[chosen[0]]


def _find(name: str, file: str) -> str | None:
    return cached_file(
        name,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_connection_errors=False,
    )


def _read_json(name: str, file: str) -> Any:
    path = _find(name, file)
    if path is None:
        return None
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def mark_initialized(part: PreTrainedModel) -> None:
    """Tell transformers that these weights are not to be drawn anew when the model around them is built."""
    for module in part.modules():
        module._is_hf_initialized = True
    for tensor in (*part.parameters(), *part.buffers()):
        tensor._is_hf_initialized = True


def take_over_quantization(model: PreTrainedModel, lm: PreTrainedModel) -> None:
    """Let trainers and PEFT see that the language model inside is quantised."""
    for name in ("is_quantized", "is_loaded_in_4bit", "is_loaded_in_8bit", "quantization_method", "hf_quantizer"):
        if getattr(lm, name, None):
            setattr(model, name, getattr(lm, name))
