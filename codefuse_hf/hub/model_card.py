"""Model cards: the templates in `model_cards/`, filled with facts that are read off the folder itself."""

import importlib.resources
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from .weights import find_tensors

# Stands in cards that were filled from a template, which may be filled again; any other text is its author's.
_MARKER = re.compile(r"<!-- filled by codefuse-hf from the folder's own files(?:, converted from (\S+))? -->")


def write_model_card(
    folder: Path,
    *,
    repo_id: str | None = None,
    source: Path | None = None,
    source_name: str | None = None,
    eval_results: Sequence[EvalResult] = (),
) -> Path | None:
    """Write `README.md` of a self-contained folder.

    A card that somebody wrote is kept, and only its metadata is completed.

    Args:
        folder: configuration, weights and tokenizer.
        repo_id: where it will be; the folder's name by default.
        source, source_name: the folder and the repo id that it was converted from; their licence and languages are kept.
        eval_results: measured results, for the metadata.

    Returns:
        The card, or None for a family without a template whose folder has no card.

    Raises:
        ValueError: metadata in an existing card that cannot be read.
    """
    card_path = folder / "README.md"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    old = _load_card(card_path)
    inherited = old or _load_card(source / "README.md" if source else None)
    data = _metadata(config, inherited.data.to_dict() if inherited else {}, source_name)
    if eval_results:
        data.model_name = data.model_name or (repo_id or folder.name).rpartition("/")[2]
        data.eval_results = list(eval_results)
    template = _template(str(config.get("model_type")))
    filled = _MARKER.search(old.text) if old is not None else None
    if old is not None and filled is None:
        old.data = data
        old.save(card_path)
    elif template is None:
        return None
    else:
        facts = folder_facts(folder, config) | {"results": list(eval_results)}
        name = repo_id or folder.name
        source_name = source_name or (filled.group(1) if filled else None)
        origin = f", converted from {source_name}" if source_name else ""
        marker = f"<!-- filled by codefuse-hf from the folder's own files{origin} -->"
        card = ModelCard.from_template(
            data, template_str=template, repo_id=name, marker=marker, source=source_name, **facts
        )
        card.save(card_path)
    return card_path


def is_filled_card(text: str) -> bool:
    """Tell whether a card was filled from a template here, so that filling it again loses nobody's words."""
    return _MARKER.search(text) is not None


def _load_card(path: Path | None) -> ModelCard | None:
    if path is None or not path.is_file():
        return None
    try:
        return ModelCard.load(path)
    except ValueError as error:
        raise ValueError(f"the metadata at the top of {path} cannot be read: {error}") from error


def _metadata(config: dict[str, Any], known: dict[str, Any], source_name: str | None) -> ModelCardData:
    """Metadata that is known already, completed by what the configuration says."""
    data = {key: value for key, value in known.items() if key != "model-index"}
    data.setdefault("library_name", "transformers")
    if any("CausalLM" in name for name in config.get("architectures") or []):
        data.setdefault("pipeline_tag", "text-generation")
    if config.get("model_type") == "cge":
        data["library_name"] = "sentence-transformers"
        data.setdefault("pipeline_tag", "sentence-similarity")
    data["tags"] = list(
        dict.fromkeys([*(data.get("tags") or []), str(config.get("model_type")), "codefuse-hf", "custom_code"])
    )
    if source_name is not None and re.fullmatch(r"[\w.-]+/[\w.-]+", source_name):
        data.setdefault("base_model", source_name)
    if "model-index" in known:
        data["model-index"] = known["model-index"]
    return ModelCardData(**data, ignore_metadata_errors=True)


def _template(model_type: str) -> str | None:
    if not re.fullmatch(r"[a-z0-9_]+", model_type):
        return None
    template = importlib.resources.files("codefuse_hf.model_cards") / f"{model_type}.md"
    return template.read_text(encoding="utf-8") if template.is_file() else None


def folder_facts(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Tell what a template can say about a folder: counted in its files, or computed from its configuration."""
    tensors = find_tensors(folder)
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        dtype = str(tensor.dtype).removeprefix("torch.")
        sizes[dtype] = sizes.get(dtype, 0) + torch.Size(tensor.shape).numel()
    parameters = sum(sizes.values())
    files = sorted({tensor.file for tensor in tensors.values()})
    facts = {
        "config": config,
        "parameters": f"{parameters:,}",
        "dtypes": ", ".join(f"{dtype} ({100 * n / parameters:.3g} %)" for dtype, n in sorted(sizes.items())),
        "weight_bytes": readable_bytes(sum(file.stat().st_size for file in files)),
        "weight_files": len(files),
        "has_tokenizer": (folder / "tokenizer.json").is_file(),
        "has_chat_template": (folder / "chat_template.jinja").is_file(),
        "transformers_version": transformers.__version__,
    }
    return facts | _FAMILY_FACTS.get(str(config.get("model_type")), lambda folder: {})(folder)


def _rodimus_facts(folder: Path) -> dict[str, Any]:
    from ..modeling.rodimus.configuration_rodimus import RodimusConfig

    config = RodimusConfig.from_pretrained(folder)
    item = (config.dtype or torch.float32).itemsize
    # States are float32: the last d_conv inputs of the convolution, and the memory.
    state = config.n_layer * config.d_inner * (config.d_conv + config.mem_size) * 4
    per_token = config.n_layer * (config.num_key_heads + config.num_value_heads) * config.head_dim * item
    attends = config.has_attention
    return {
        "settings": config,
        "state_bytes": readable_bytes(state),
        "window": config.sliding_window if attends else None,
        "window_bytes_per_token": readable_bytes(per_token) if attends else None,
        "largest_cache_bytes": readable_bytes(state + per_token * (config.sliding_window - 1))
        if attends and config.sliding_window
        else readable_bytes(state),
    }


def _cge_facts(folder: Path) -> dict[str, Any]:
    from ..modeling.cge.configuration_cge import CGEConfig

    config = CGEConfig.from_pretrained(folder)
    settings = folder / "config_sentence_transformers.json"
    prompts = json.loads(settings.read_text(encoding="utf-8")).get("prompts") if settings.is_file() else None
    pooling = {
        "pma": "by multi-head attention: one learnt query looks at all tokens",
        "last": "at the last token",
        "mean": "by the mean of its token vectors",
        "weighted": "by a mean of its token vectors in which later ones count more",
    }
    return {"settings": config, "prompts": prompts or {}, "pooling": pooling[config.embedding_method]}


def _cgm_facts(folder: Path) -> dict[str, Any]:
    from ..modeling.cgm.configuration_cgm import CGMConfig

    return {"settings": CGMConfig.from_pretrained(folder)}


_FAMILY_FACTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "rodimus": _rodimus_facts,
    "cge": _cge_facts,
    "cgm": _cgm_facts,
}


def readable_bytes(count: int) -> str:
    """Write a number of bytes so that people can read it: 12 345 678 → "12.3 MB"."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
