"""What we save is self-contained: the model's own source goes beside its weights.

transformers copies a class's own file and its same-folder relative imports, nothing else. So here the source of a model
family is collected through all project-internal imports (an AST closure), every such import is rewritten to
`from .name import …`, and the files are written side by side, with an `auto_map` in the configuration. This happens in
`save_pretrained` of the configuration, and of the tokenizer and processor, which every way of saving goes through:
`model.save_pretrained`, `push_to_hub`, `Trainer`, merged PEFT models, sentence-transformers.

Classes loaded from such a folder are flat already, and transformers saves them again by itself.
"""

import ast
import functools
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..families import FAMILIES, Family, file_and_class
from ..files import replacing

PACKAGE = "codefuse_hf"


def collect_sources(modules: Iterable[str]) -> dict[str, str]:
    """Return the self-contained source of `modules` and of all project modules that they import.

    Returns:
        File name → source, every project-internal import rewritten to `from .name import …`.

    Raises:
        ValueError: two modules of the same name, or an import that a flat folder cannot express.
    """
    sources: dict[str, str] = {}
    origins: dict[str, str] = {}
    pending = list(modules)
    while pending:
        module = pending.pop(0)
        file_name = f"{module.rpartition('.')[2]}.py"
        if origins.setdefault(file_name, module) != module:
            raise ValueError(
                f"{module} and {origins[file_name]} would both become {file_name}: module names must be unique"
            )
        if file_name not in sources:
            sources[file_name], imported = _flatten(module)
            pending.extend(imported)
    return sources


@functools.cache
def _flatten(module: str) -> tuple[str, tuple[str, ...]]:
    """Source of one module with flat imports, and the project modules that it imports."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the source of {module} cannot be found")
    source = Path(spec.origin).read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    imported = []
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):
        target = _project_module(node, module)
        if target is None:
            continue
        imported.append(target)
        flat = ast.ImportFrom(module=target.rpartition(".")[2], names=node.names, level=1)
        indent = lines[node.lineno - 1][: node.col_offset]
        lines[node.lineno - 1 : node.end_lineno] = [f"{indent}{ast.unparse(flat)}\n"]
    return "".join(lines), tuple(reversed(imported))


def _project_module(node: ast.Import | ast.ImportFrom, module: str) -> str | None:
    """The project module that an import statement reads from, or None for other packages."""
    where = f"{module}, line {node.lineno}"
    if isinstance(node, ast.Import):
        if any(alias.name.split(".")[0] == PACKAGE for alias in node.names):
            raise ValueError(f"{where}: use `from {PACKAGE}… import name`, a flat folder has no packages")
        return None
    name = node.module or ""
    if node.level:
        name = importlib.util.resolve_name("." * node.level + name, module.rpartition(".")[0])
    if name.split(".")[0] != PACKAGE:
        return None
    if any(alias.name == "*" for alias in node.names):
        raise ValueError(f"{where}: star imports cannot travel")
    if Path(importlib.util.find_spec(name).origin).name == "__init__.py":
        raise ValueError(f"{where}: imports from the package {name}, which does not travel; import from its module")
    return name


def write_sources(modules: Iterable[str], folder: str | os.PathLike) -> list[str]:
    """Write the self-contained source of `modules` into `folder`; returns the file names.

    Each file appears complete or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sources = collect_sources(modules)
    for file_name, source in sources.items():
        with replacing(folder / file_name, "w", encoding="utf-8") as file:
            file.write(source)
    return list(sources)


def make_self_contained(cls: type) -> None:
    """Let `cls.save_pretrained` (of a configuration, tokenizer or processor) write the sources that it needs.

    Instances of subclasses, remote-code ones above all, are saved as before.
    """
    original = cls.save_pretrained

    @functools.wraps(original)
    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, push_to_hub: bool = False, **kwargs: Any):
        if type(self) is not cls or Path(save_directory).is_file():
            return original(self, save_directory, *args, push_to_hub=push_to_hub, **kwargs)
        _prepare(self, cls, save_directory)
        if not push_to_hub:
            return original(self, save_directory, *args, **kwargs)
        # transformers uploads what `original` has modified; the sources must go along, so the upload is a step of its own.
        upload = {name: kwargs.pop(name) for name in _UPLOAD_ARGUMENTS if name in kwargs}
        result = original(self, save_directory, *args, **kwargs)
        self.push_to_hub(upload.pop("repo_id", None) or Path(save_directory).name, **upload)
        return result

    cls.save_pretrained = save_pretrained


_UPLOAD_ARGUMENTS = (
    "repo_id",
    "commit_message",
    "commit_description",
    "private",
    "token",
    "revision",
    "create_pr",
    "tags",
)


def _prepare(instance: Any, cls: type, folder: str | os.PathLike) -> None:
    path = f"{cls.__module__}:{cls.__qualname__}"
    for family in FAMILIES.values():
        if family.config == path:
            write_sources(_config_modules(instance, family), folder)
            return
        if family.tokenizer == path:
            instance._auto_map = {"AutoTokenizer": [None, file_and_class(path)]}
            instance._auto_class = None  # else transformers copies the source too, unflattened
            write_sources([cls.__module__], folder)
            return
        if family.processor == path:
            instance.auto_map = {"AutoProcessor": file_and_class(path)}
            write_sources([cls.__module__], folder)
            return


def _config_modules(config: Any, family: Family) -> list[str]:
    """Modules to save with a configuration, those of its sub-configurations' families included; sets their `auto_map`."""
    config.auto_map = dict(family.auto_map)
    modules = list(family.modules)
    for name in getattr(config, "sub_configs", None) or {}:
        sub_config = getattr(config, name, None)
        sub_family = FAMILIES.get(getattr(sub_config, "model_type", None))
        if sub_family is not None:
            modules += _config_modules(sub_config, sub_family)
    return modules
