"""From a model's folder to an exported one, which is checked against PyTorch before it is put in place."""

import importlib.metadata
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, ModelCardData
from torch import nn
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import ADAPTER_CONFIG_NAME

from ..files import readable_size, replacing_folder
from ..hub.exported_folder import graph_files, is_exported
from .exported_model import ExportedCausalLM, model_folder
from .exporting import export_causal_lm, export_encoder
from .formats import FORMATS, check_format
from .quantizing import make_quantizer

# How far what an exported model gives may lie from what PyTorch gives, as a share of its own spread, by the bits of the weights: logits,
# and scores or embeddings of texts. A file that has nothing to do with the model is 1.4 away. (Not how often the most probable token is
# the same: one that leads by little changes with the least error, and without training, or among rows that none trained, most do.)
_LOGITS = {None: 2e-3, "int8": 0.3, "int4": 0.5}
_TEXTS = {None: 2e-3, "int8": 0.045, "int4": 0.5}  # 0.045 of an embedding is a cosine of 0.999
_CHECKED_TOKENS = 96


def export_folder(
    source: str | Path, destination: str | Path, format_name: str, quantization: str | None = None
) -> dict[str, Any]:
    """Export a model, check it, and put it in place with configuration, tokenizer and model card.

    Args:
        source: folder or repository of a `RodimusForCausalLM`, a `RodimusForSequenceClassification` or a `CGEModel`.
        destination: the folder to make; it must not exist, or be empty.
        format_name: one of `FORMATS`.
        quantization: "int8" or "int4" for weights in so many bits; None for float32.

    Returns:
        What was measured: the difference to PyTorch, the agreement of the most probable token, sizes.

    Raises:
        ValueError: a model, format or quantisation that cannot be exported, or a result that differs from PyTorch.
        OSError: no such model, or a destination that is not empty; ImportError: a package is missing.
    """
    destination = Path(destination)
    check_format(format_name)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists already: remove it, or choose another place")
    with tqdm(total=4, unit="step", desc="loading") as progress:
        loaded = model_folder(source)
        model = _load(loaded)
        quantizer = None if quantization is None else make_quantizer(model, format_name, quantization)
        progress.update()
        progress.set_description("exporting")
        generates = hasattr(model, "lm_head")
        export = export_causal_lm if generates else export_encoder
        exported = export(model, format_name, quantizer=quantizer)
        progress.update()
        with replacing_folder(destination) as folder:
            progress.set_description("writing")
            exported.save_pretrained(folder)
            del exported
            _copy_tokenizer(loaded, folder)
            progress.update()
            progress.set_description("checking")
            facts = (_check_generating if generates else _check_encoder)(model, folder, quantization)
            facts |= _sizes(model, folder) | {"format": format_name, "quantization": quantization}
            _write_card(folder, str(source), model, facts)
            progress.update()
            progress.set_description("done")
    return facts


def _load(source: Path) -> nn.Module:
    if is_exported(source):
        raise ValueError(f"{source} is exported already: export the PyTorch model that it was made from")
    if (source / ADAPTER_CONFIG_NAME).is_file():
        raise ValueError(f"{source} holds an adapter: save model.merge_and_unload(), and export that")
    config = AutoConfig.from_pretrained(source)
    if config.model_type not in ("rodimus", "cge"):
        raise ValueError(f"{source} holds a {config.model_type!r} model: only Rodimus and CGE are exported here")
    if config.model_type == "cge":
        auto = AutoModel
    elif any("SequenceClassification" in name for name in config.architectures or ()):
        auto = AutoModelForSequenceClassification
    else:
        auto = AutoModelForCausalLM
    return auto.from_pretrained(source, dtype=torch.float32).eval()


def _copy_tokenizer(source: Path, folder: Path) -> None:
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError):
        return  # a model without one is a model still
    tokenizer.save_pretrained(folder)


@torch.inference_mode()
def _check_generating(model: nn.Module, folder: Path, quantization: str | None) -> dict[str, float]:
    """Compare logits over more than a segment with those of PyTorch."""
    exported = ExportedCausalLM.from_pretrained(folder, trust_remote_code=True)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, model.config.vocab_size, (1, _CHECKED_TOKENS), generator=generator)
    expected, got = model(ids).logits[0].float(), exported(ids).logits[0]
    agreement = float((expected.argmax(-1) == got.argmax(-1)).float().mean())
    # What all logits of a place have in common changes no probability.
    centred = (x - x.mean(-1, keepdim=True) for x in (expected, got))
    return {"relative_error": _check_error(*centred, _LOGITS[quantization]), "top1_agreement": agreement}


@torch.inference_mode()
def _check_encoder(model: nn.Module, folder: Path, quantization: str | None) -> dict[str, float]:
    from .exported_encoder import ExportedEncoder

    generator = torch.Generator().manual_seed(0)
    # Several texts, some padded, since one score of one text may happen to be near 0.
    ids = torch.randint(1, min(model.get_input_embeddings().num_embeddings, 1000), (8, 24), generator=generator)
    mask = (torch.arange(24) >= 3 * torch.arange(8)[:, None]).long()
    if getattr(model.config, "padding_side", "left") == "right":
        mask = mask.flip(1)
    expected = ExportedEncoder.result(model(input_ids=ids, attention_mask=mask))
    got = ExportedEncoder.from_pretrained(folder, trust_remote_code=True)(ids, mask)
    cosine = float(torch.nn.functional.cosine_similarity(expected, got).min())
    error = _check_error(expected.flatten()[None], got.flatten()[None], _TEXTS[quantization])
    return {"relative_error": error, "cosine": cosine}


def _check_error(expected: torch.Tensor, got: torch.Tensor, most: float) -> float:
    """The largest error of a row `[rows, width]`, as a share of the size of rows.

    Raises:
        ValueError: too large, or no number.
    """
    size = expected.norm(dim=-1).square().mean().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
    error = float((expected - got).norm(dim=-1).max() / size)
    if not error <= most:
        raise ValueError(
            f"the exported model differs from PyTorch by {error:.2g} of what it computes, where {most:g} is the most "
            "that its precision explains. Nothing was written"
        )
    return error


def _sizes(model: nn.Module, folder: Path) -> dict[str, int]:
    return {
        "bytes": sum(path.stat().st_size for path in graph_files(folder)),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _write_card(folder: Path, source: str, model: nn.Module, facts: dict[str, Any]) -> None:
    kind = FORMATS[facts["format"]]
    packages = {name: importlib.metadata.version(name) for name in ("torch", "transformers", *kind.packages)}
    data = ModelCardData(
        library_name="codefuse-hf", tags=[facts["format"], type(model).__name__], base_model=None, inference=False
    )
    bits = facts["quantization"]
    weights = "float32" if bits is None else f"{bits} (gates, norms and states in float32)"
    checks = [f"{name.replace('_', ' ')}: {facts[name]:.6g}" for name in facts if name in _CHECKS]
    # Where a folder lay is nobody's business, and what a repository is called is.
    name = Path(source).resolve().name if Path(source).is_dir() else source
    lines = [
        f"# {name}, for {kind.title}",
        f"A `{type(model).__name__}` of {facts['parameters']:,} parameters, exported by codefuse-hf from `{name}`.",
        f"- weights: {weights}; {readable_size(facts['bytes'])} on the disk",
        f"- compared with PyTorch in float32 before it was written: {', '.join(checks)}",
        f"- made with {', '.join(f'{name} {version}' for name, version in packages.items())}",
    ]
    if hasattr(model, "lm_head"):
        lines += ["", "```bash", "codefuse-hf generate FOLDER --prompt 'def add('", "```"]
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join([lines[0], "", lines[1], "", *lines[2:], ""])).save(
        folder / "README.md"
    )


_CHECKS = ("relative_error", "top1_agreement", "cosine")
