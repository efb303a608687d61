"""Adds the model families to the name tables from which transformers' Auto classes find theirs.

transformers keeps names in those tables, and imports `transformers.models.<model type>` when a class is first asked
for. So our names are added, and each model type gets a module there that forwards to our classes: nothing of ours is
loaded until it is used, and whatever reads the tables (Trainer, pipelines, `transformers serve`) knows our models. The
tables live in modules whose import loads torch. They are filled right after that import, so that `import codefuse_hf`
itself stays quick.

The same hook completes our own modules, which travel to the Hub and know nothing of this package, with self-contained
saving (`codefuse_hf.hub.remote_code`).
"""

import functools
import importlib.abc
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .families import FAMILIES, Family, load_class

_AUTO = "transformers.models.auto"


def _class_name(path: str) -> str:
    return path.partition(":")[2]


def _forwarding_module(family: Family) -> ModuleType:
    """The module `transformers.models.<model type>`, whose classes are ours."""
    paths = {_class_name(path): path for path in family.classes}
    module = ModuleType(f"transformers.models.{family.module_name}", f"Forwards to {family.config.partition(':')[0]}.")

    def find(name: str) -> type:
        if name not in paths:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return load_class(paths[name])

    module.__getattr__ = find
    return module


def _add_modules(_: ModuleType) -> None:
    """`getattr(transformers, architecture)`: how `transformers serve`, older TRL and AutoTokenizer find a class."""
    transformers = sys.modules["transformers"]
    for family in FAMILIES.values():
        sys.modules[f"transformers.models.{family.module_name}"] = _forwarding_module(family)
        transformers._class_to_module.update(
            dict.fromkeys(map(_class_name, family.classes), f"models.{family.module_name}")
        )


def _add_configurations(module: ModuleType) -> None:
    for family in FAMILIES.values():
        module.CONFIG_MAPPING_NAMES[family.model_type] = _class_name(family.config)
    _keep_ours(module.CONFIG_MAPPING)


def _keep_ours(mapping: Any) -> None:
    """Let no other package take our model types: flash-linear-attention, for one, registers a `rodimus` of its own."""
    for model_type in FAMILIES:
        mapping._extra_content.pop(model_type, None)  # registered before us
    register = mapping.register

    @functools.wraps(register)
    def register_others(key: str, value: type, exist_ok: bool = False) -> None:
        if key in FAMILIES and exist_ok:
            logging.getLogger(__name__).info("%s is not registered: the model type %r is ours", value, key)
        else:
            register(key, value, exist_ok=exist_ok)

    mapping.register = register_others


def _add_models(module: ModuleType) -> None:
    for family in FAMILIES.values():
        for auto_name, path in family.models.items():
            _add_to(getattr(module, auto_name)._model_mapping, family, path)


def _add_processors(module: ModuleType) -> None:
    for family in FAMILIES.values():
        if family.processor is not None:
            _add_to(module.PROCESSOR_MAPPING, family, family.processor)


def _add_to(mapping: Any, family: Family, path: str) -> None:
    """Add a class to a registry's table of names, e.g. `MODEL_FOR_CAUSAL_LM_MAPPING_NAMES`."""
    mapping._model_mapping[family.model_type] = _class_name(path)
    mapping._reverse_config_mapping[_class_name(family.config)] = family.model_type


def _add_lora_targets(module: ModuleType) -> None:
    """Default targets for LoRA and for the methods that adapt the same layers as LoRA."""
    lora = module.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    for name, targets in vars(module).items():
        if name.endswith("_TARGET_MODULES_MAPPING") and targets.get("llama") == lora["llama"]:
            for family in FAMILIES.values():
                if family.lora_targets:
                    targets.setdefault(family.model_type, list(family.lora_targets))


def _add_training_template(module: ModuleType) -> None:
    """TRL's trainers prepare conversations with a tokenizer's training template, if it has one and none is given."""
    tokenize = module._tokenize

    @functools.wraps(tokenize)
    def tokenize_to_train(processing_class, input, **kwargs):
        if kwargs.get("chat_template") is None and isinstance(input, list):
            kwargs["chat_template"] = getattr(processing_class, "training_chat_template", None)
        return tokenize(processing_class, input, **kwargs)

    # Trainers that were imported before this package have the name already.
    trainers = [other for name, other in sys.modules.items() if name.startswith("trl.")]
    for user in (module, *trainers):
        if vars(user).get("_tokenize") is tokenize:
            user._tokenize = tokenize_to_train


def _make_self_contained(path: str, module: ModuleType) -> None:
    from .hub import remote_code

    remote_code.make_self_contained(getattr(module, _class_name(path)))


# What is done with a module right after its import. Tokenizers are in no table: AutoTokenizer finds them by their name
# among transformers' classes, and then prefers them to a file that a published folder names but does not have.
_HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "transformers": _add_modules,
    "transformers.processing_utils": _add_modules,  # it executes transformers' __init__ again, as another module
    f"{_AUTO}.configuration_auto": _add_configurations,
    f"{_AUTO}.modeling_auto": _add_models,
    f"{_AUTO}.processing_auto": _add_processors,
    "peft.utils.constants": _add_lora_targets,
    "trl.data_utils": _add_training_template,
} | {
    path.partition(":")[0]: functools.partial(_make_self_contained, path)
    for family in FAMILIES.values()
    for path in (family.config, family.tokenizer, family.processor)
    if path is not None
}


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds the modules of `_HOOKS` as the other finders do, and has their hook called once they are executed."""

    def find_spec(self, name: str, path=None, target=None):
        if name not in _HOOKS:
            return None
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _HOOKS[name](module)

            spec.loader.exec_module = exec_module
        return spec


def install() -> None:
    """Register every family, now or as soon as transformers is imported; called once, by `import codefuse_hf`."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _AfterImport())
    for name, hook in _HOOKS.items():
        if name in sys.modules:
            hook(sys.modules[name])
