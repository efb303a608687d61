"""Registers the model families with transformers' Auto classes, without importing transformers.

`import codefuse_hf` must be quick, and importing transformers' configurations alone loads torch. So a hook waits for
transformers' own Auto modules to be imported; it then gives each of their registries a dictionary that registers our
classes the first time anybody looks into it. The same hook completes our own configuration and tokenizer modules with
self-contained saving (`codefuse_hf.hub.remote_code`), of which those files, which travel to the Hub, know nothing.
"""

import functools
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType

from .families import FAMILIES, file_and_class, load_class

_AUTO = "transformers.models.auto"


class _Pending(dict):
    """Contents of a registry that `complete` fills in as soon as they are looked at."""

    def __init__(self, mapping, complete: Callable[[], None]):
        super().__init__(mapping._extra_content)
        self._mapping, self._complete = mapping, complete

    def _settled(self) -> dict:
        if self._mapping._extra_content is self:
            self._mapping._extra_content = dict(super().items())
            self._complete()
        return self._mapping._extra_content

    def __contains__(self, key):
        return key in self._settled()

    def __getitem__(self, key):
        return self._settled()[key]

    def __iter__(self):
        return iter(self._settled())

    def __len__(self):
        return len(self._settled())

    def get(self, key, default=None):
        return self._settled().get(key, default)

    def keys(self):
        return self._settled().keys()

    def values(self):
        return self._settled().values()

    def items(self):
        return self._settled().items()

    def __setitem__(self, key, value):
        self._settled()[key] = value


def _on_configurations(module: ModuleType) -> None:
    def complete() -> None:
        for family in FAMILIES.values():
            module.CONFIG_MAPPING.register(family.model_type, load_class(family.config), exist_ok=True)

    module.CONFIG_MAPPING._extra_content = _Pending(module.CONFIG_MAPPING, complete)


def _on_models(module: ModuleType) -> None:
    for auto_name in sorted({name for family in FAMILIES.values() for name in family.models}):
        auto_class = getattr(module, auto_name)
        mapping = auto_class._model_mapping

        def complete(mapping=mapping, auto_name=auto_name) -> None:
            for family in FAMILIES.values():
                if auto_name in family.models:
                    mapping.register(load_class(family.config), load_class(family.models[auto_name]), exist_ok=True)

        mapping._extra_content = _Pending(mapping, complete)


def _on_tokenizers(module: ModuleType) -> None:
    def complete() -> None:
        for family in FAMILIES.values():
            if family.tokenizer is not None:
                tokenizer = load_class(family.tokenizer)
                module.AutoTokenizer.register(load_class(family.config), fast_tokenizer_class=tokenizer, exist_ok=True)

    module.TOKENIZER_MAPPING._extra_content = _Pending(module.TOKENIZER_MAPPING, complete)

    # With trust_remote_code=True, and unlike AutoConfig and AutoModel, AutoTokenizer prefers a folder's own file to the
    # registered class; published folders name a file that they do not have.
    installed = {file_and_class(family.tokenizer): family.tokenizer for family in FAMILIES.values() if family.tokenizer}
    fetch_class = module.get_class_from_dynamic_module

    @functools.wraps(fetch_class)
    def get_class_from_dynamic_module(class_reference, *args, **kwargs):
        path = installed.get(class_reference.rpartition("--")[2])
        return fetch_class(class_reference, *args, **kwargs) if path is None else load_class(path)

    module.get_class_from_dynamic_module = get_class_from_dynamic_module


def _on_processors(module: ModuleType) -> None:
    def complete() -> None:
        for family in FAMILIES.values():
            if family.processor is not None:
                module.AutoProcessor.register(load_class(family.config), load_class(family.processor), exist_ok=True)

    module.PROCESSOR_MAPPING._extra_content = _Pending(module.PROCESSOR_MAPPING, complete)


def _on_peft(module: ModuleType) -> None:
    """Default targets for LoRA and for the methods that adapt the same layers as LoRA."""
    lora = module.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    for name, targets in vars(module).items():
        if name.endswith("_TARGET_MODULES_MAPPING") and targets.get("llama") == lora["llama"]:
            for family in FAMILIES.values():
                if family.lora_targets:
                    targets.setdefault(family.model_type, list(family.lora_targets))


def _on_trl(module: ModuleType) -> None:
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


def _make_self_contained(path: str) -> Callable[[ModuleType], None]:
    def install_hook(module: ModuleType) -> None:
        from .hub import remote_code

        remote_code.make_self_contained(getattr(module, path.partition(":")[2]))

    return install_hook


def _callbacks() -> dict[str, Callable[[ModuleType], None]]:
    callbacks = {
        f"{_AUTO}.configuration_auto": _on_configurations,
        f"{_AUTO}.modeling_auto": _on_models,
        f"{_AUTO}.tokenization_auto": _on_tokenizers,
        f"{_AUTO}.processing_auto": _on_processors,
        "peft.utils.constants": _on_peft,
        "trl.data_utils": _on_trl,
    }
    for family in FAMILIES.values():
        for path in (family.config, family.tokenizer, family.processor):
            if path is not None:
                callbacks[path.partition(":")[0]] = _make_self_contained(path)
    return callbacks


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function on each of some modules right after it has been imported."""

    def __init__(self, callbacks: dict[str, Callable[[ModuleType], None]]):
        self.callbacks = callbacks

    def find_spec(self, name, path=None, target=None):
        callback = self.callbacks.get(name)
        if callback is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, callback)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader, callback: Callable[[ModuleType], None]):
        self._loader, self._callback = loader, callback

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps its usual loader: `inspect`, `importlib.reload` and others ask for it.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._callback(module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


def install() -> None:
    """Arrange for the registration of every family; called once, by `import codefuse_hf`."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return
    callbacks = _callbacks()
    for name, callback in callbacks.items():
        if name in sys.modules:
            callback(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport(callbacks))
