"""Adapters (LoRA and the like, added with `add_adapter`) of a model: merging them, and the weights below them.

PEFT's wrappers are recognised by their interface, so that this file does not need PEFT to be installed. There are two kinds: layers
with an adapter (`base_layer`, `merge`), and modules that are trained as a whole or in part, of which a copy or a delta is kept
(`modules_to_save`, `trainable_token_indices`). One may be inside another.
"""

from collections.abc import Iterator

import torch
from torch import nn


def has_adapters(model: nn.Module) -> bool:
    """Tell whether adapters were added to the model, by whatever way."""
    return any(_is_wrapper(module) for module in model.modules())


def merge_adapters(model: nn.Module) -> None:
    """Merge the active adapters into the weights and put the plain modules back, in place.

    Raises:
        ValueError: if there is no adapter, if one cannot be merged (it is named; nothing is changed), or if merging gives values
            that are not finite.
    """
    if not has_adapters(model):
        raise ValueError("This model has no adapters to merge; add them with `add_adapter(peft_config)`.")
    merged: list[nn.Module] = []
    try:
        for name, module in list(model.named_modules()):
            if _has_layer_inside(module):
                where = name
                module.merge(safe_merge=True)
                merged.append(module)
    except (NotImplementedError, ValueError, RuntimeError) as error:
        for module in reversed(merged):
            module.unmerge()
        raise ValueError(f"The adapter of {where} cannot be merged into the model: {error}") from error
    while wrappers := dict(_outermost_wrappers(model)):
        for name, wrapper in wrappers.items():
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _without_wrapper(wrapper, trained=True))
    model._hf_peft_config_loaded = False
    model.__dict__.pop("peft_config", None)
    model.requires_grad_(True)


def base_tensors(module: nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    """Return the parameters and persistent buffers without the adapters, under the names that they have in a model without any."""
    while _is_wrapper(module):
        module = _without_wrapper(module, trained=False)
    tensors = {**module._parameters, **module._buffers}
    tensors = {
        f"{prefix}{name}": tensor
        for name, tensor in tensors.items()
        if tensor is not None and name not in module._non_persistent_buffers_set
    }
    for name, child in module._modules.items():
        if child is not None:
            tensors |= base_tensors(child, f"{prefix}{name}.")
    return tensors


def base_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the `state_dict` that the model would have without adapters."""
    return {name: tensor.detach() for name, tensor in base_tensors(model).items()}


def trains_base_weights(model: nn.Module) -> bool:
    """Tell whether weights outside the adapters are trained too (they would be lost if only adapters were saved)."""
    return any(tensor.requires_grad for tensor in base_tensors(model).values())


def _has_layer_inside(module: nn.Module) -> bool:
    # Asked of the class: some wrappers hand on whatever they are asked for.
    return hasattr(type(module), "get_base_layer") and hasattr(type(module), "merge")


def _is_wrapper(module: nn.Module) -> bool:
    return _has_layer_inside(module) or hasattr(type(module), "unload_and_optionally_merge_module")


def _outermost_wrappers(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        if _is_wrapper(child):
            yield f"{prefix}{name}", child
        else:
            yield from _outermost_wrappers(child, f"{prefix}{name}.")


def _without_wrapper(wrapper: nn.Module, trained: bool) -> nn.Module:
    """What is inside a wrapper: the module as it is without the adapter, or (merged already) with it."""
    if _has_layer_inside(wrapper):
        return wrapper.base_layer
    if "token_adapter" in wrapper._modules:
        return wrapper.token_adapter
    if trained:
        return wrapper.unload_and_optionally_merge_module(merge=False, safe_merge=True, adapter_names=None)
    return wrapper.original_module


__all__ = ["base_state_dict", "base_tensors", "has_adapters", "merge_adapters", "trains_base_weights"]
