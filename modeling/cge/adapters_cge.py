"""Adapters (LoRA and the like, added with `add_adapter`) of a model: merging them, and the weights below them.

PEFT's layers are recognised by their interface, so that this file does not need PEFT to be installed.
"""

import torch
from torch import nn

_BASE = "base_layer."


def has_adapters(model: nn.Module) -> bool:
    """Whether adapters were added to the model."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def adapter_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The adapted layers by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if hasattr(module, "get_base_layer") and hasattr(module, "merge")
    }


def merge_adapters(model: nn.Module) -> None:
    """Merge the active adapters into the weights and put the plain layers back, in place.

    Raises:
        ValueError: if there is no adapter, or if merging gives values that are not finite.
    """
    if not has_adapters(model):
        raise ValueError("This model has no adapters to merge; add them with `add_adapter(peft_config)`.")
    for name, layer in adapter_layers(model).items():
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())
    model._hf_peft_config_loaded = False
    model.__dict__.pop("peft_config", None)
    model.requires_grad_(True)


def base_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights without the adapters, under the names that they have in a model without adapters."""
    layers = tuple(adapter_layers(model))
    state = {}
    for key, tensor in model.state_dict().items():
        layer = next((name for name in layers if key.startswith(f"{name}.")), None)
        if layer is None:
            state[key] = tensor
        elif key[len(layer) + 1 :].startswith(_BASE):
            state[f"{layer}.{key[len(layer) + 1 + len(_BASE) :]}"] = tensor
    return state


def trains_base_weights(model: nn.Module) -> bool:
    """Whether weights outside the adapters are trained too (they would be lost if only adapters were saved)."""
    layers = tuple(f"{name}." for name in adapter_layers(model))
    return any(
        parameter.requires_grad and (not key.startswith(layers) or f".{_BASE}" in key)
        for key, parameter in model.named_parameters()
    )
