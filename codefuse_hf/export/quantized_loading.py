"""Load a model with weights in 8 or 4 bits from a folder that holds them in more, without ever holding these."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from ..free_memory import give_back
from ..hub.weights import StoredTensor, find_tensors, read_rows
from .quantizing import BITS, kept_in_float32, replace_layers
from .torch_layers import Rows


def load_quantized(folder: str | Path, scheme: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a Rodimus that can only be run, as `quantize_torch` makes it, in the memory that it takes in the end.

    The model begins on the meta device; weights are read and rounded some rows at a time, and each layer is put in its place when
    it is whole. `from_pretrained` and then `quantize_torch` would need the memory of both.

    Args:
        folder: as `save_pretrained` or `codefuse-hf convert` writes it.
        scheme: "int8" or "int4"; see `quantize_torch`.
        dtype: of what is not quantised, and of the logits.

    Raises:
        ValueError: an unknown scheme, another kind of model, or weights that are not this model's.
        OSError: no such folder, or files are missing.
    """
    folder = Path(folder)
    if scheme not in BITS:
        raise ValueError(f"unknown quantisation {scheme!r}: choose one of {', '.join(BITS)}")
    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "rodimus":
        raise ValueError(
            f"{folder} holds a {config.model_type!r} model, and only Rodimus is quantised while it is read: load it with "
            "from_pretrained, and call quantize_torch"
        )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    stored = _stored_weights(model, folder)
    quantised = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Linear) and not kept_in_float32(n)}
    if config.tie_word_embeddings:
        quantised.add("model.embeddings.weight")  # the head's
    wide = tuple(getattr(model, "_keep_in_fp32_modules_strict", None) or ())
    for name in stored.keys() - quantised:
        target = torch.float32 if name.endswith(wide) else dtype
        weight = read_rows(stored[name], 0, stored[name].shape[0]).to(target)
        model.load_state_dict({name: weight}, strict=False, assign=True)

    def rows_of(name: str) -> Rows:
        return lambda first, last: read_rows(stored[f"{name}.weight"], first, last)

    replace_layers(model, scheme, rows_of)
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    model.name_or_path = str(folder)
    give_back()
    return model.eval()


def _stored_weights(model: nn.Module, folder: Path) -> dict[str, StoredTensor]:
    """Where the weights of a model lie, by their names in it; a head that shares the embedding's has those.

    Raises:
        ValueError: they are not this model's.
    """
    stored, expected = find_tensors(folder), model.state_dict()
    if model.config.tie_word_embeddings and "model.embeddings.weight" in stored:
        stored["lm_head.weight"] = stored["model.embeddings.weight"]
    wrong = [f"{name} is missing" for name in expected.keys() - stored.keys()]
    wrong += [f"{name} is unknown" for name in stored.keys() - expected.keys()]
    for name in expected.keys() & stored.keys():
        shape, found = tuple(expected[name].shape), stored[name].shape
        if found != shape:
            wrong.append(f"{name} has shape {list(found)} in place of {list(shape)}")
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(
            f"{folder} holds other weights than its config.json says: {', '.join(sorted(wrong)[:3])}{more}"
        )
    return stored
