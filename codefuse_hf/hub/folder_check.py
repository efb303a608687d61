"""Is a folder self-contained: does it hold all that somebody without this project needs to load it?"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..families import FAMILIES
from .weights import find_tensors

# Runs where `codefuse_hf` cannot be imported. Builds the model without memory for its weights, and compares names and
# shapes with those on disk.
_LOADING = """
import json, sys
sys.modules["codefuse_hf"] = None
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

folder, shapes = sys.argv[1], json.load(sys.stdin)
config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
problems = []
architecture = (config.architectures or [None])[0]
auto_map = getattr(config, "auto_map", None) or {}
auto = sorted(name for name, target in auto_map.items() if isinstance(target, str) and target.endswith(f".{architecture}"))
model = None
with torch.device("meta"):
    if auto:
        # A class that serves several Auto classes is most itself under the most special one.
        model = getattr(transformers, max(auto, key=len)).from_config(config, trust_remote_code=True)
    elif not auto_map and hasattr(transformers, architecture or ""):
        model = getattr(transformers, architecture)(config)
if model is not None:
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    tied = set(model.all_tied_weights_keys) | set(model.all_tied_weights_keys.values())
    problems += [f"weights: {name} is missing" for name in expected if name not in shapes and name not in tied]
    problems += [f"weights: {name} is not the model's" for name in shapes if name not in expected]
    problems += [
        f"weights: {name} has shape {shapes[name]}, the model asks for {expected[name]}"
        for name in expected if name in shapes and shapes[name] != expected[name]
    ]
if len(sys.argv) > 2:
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    size = getattr(config, "vocab_size", None)
    if size is not None and len(tokenizer) > size:
        problems.append(f"tokenizer: {len(tokenizer)} tokens, but the model has only {size}")
print("RESULT" + json.dumps(problems))
"""


def check_folder(folder: Path, *, try_loading: bool = True) -> None:
    """Check that `folder` is self-contained.

    Args:
        folder: what is to be published.
        try_loading: also build the model and the tokenizer from the folder's own code, in a process of its own in which
            this project cannot be imported.

    Raises:
        FileNotFoundError: no such folder, or no configuration in it.
        ValueError: it is not self-contained; all that is missing is named.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if (folder / "adapter_config.json").is_file():
        raise ValueError(
            f"{folder} holds an adapter, not a model: save model.merge_and_unload() and push that, or use PEFT's push_to_hub"
        )
    config = _read_json(folder / "config.json")
    problems = _code_problems(folder, config)
    shapes = {}
    try:
        tensors = find_tensors(folder)
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        if any(tensor.file.suffix != ".safetensors" for tensor in tensors.values()):
            problems.append("weights: only .bin files; save with save_pretrained, or use `codefuse-hf convert`")
    except (OSError, ValueError) as error:
        problems.append(f"weights: {error}")
    if not problems and try_loading:
        problems = _loading_problems(folder, shapes)
    if problems:
        raise ValueError(f"{folder} is not self-contained:\n  " + "\n  ".join(problems))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no {path.name}: was it written by save_pretrained?")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def _code_problems(folder: Path, config: dict[str, Any]) -> list[str]:
    """What is wrong with the code that the folder names: files and classes that are absent, imports that cannot work."""
    problems = []
    auto_maps = {"config.json": config.get("auto_map")}
    for name in ("tokenizer_config.json", "processor_config.json"):
        if (folder / name).is_file():
            auto_maps[name] = _read_json(folder / name).get("auto_map")
    if not auto_maps["config.json"] and not _is_native(config.get("model_type")):
        problems.append(
            "config.json: no auto_map, and transformers itself does not know the model type "
            f"{config.get('model_type')!r}; save the model with save_pretrained after `import codefuse_hf`"
        )
    modules = set()
    for file_name, auto_map in auto_maps.items():
        for target in _targets(auto_map):
            module, _, class_name = target.rpartition(".")
            classes = _classes(folder / f"{module}.py")
            if classes is None:
                problems.append(f"{file_name}: auto_map names {target}, but there is no readable {module}.py")
            elif class_name not in classes:
                problems.append(f"{file_name}: auto_map names {target}, but {module}.py has no class {class_name}")
            else:
                modules.add(module)
    return problems + _import_problems(folder, modules)


def _is_native(model_type: Any) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return model_type in CONFIG_MAPPING_NAMES and model_type not in FAMILIES


def _targets(auto_map: Any) -> list[str]:
    """Class references of an `auto_map` to files of this folder (others name another repository)."""
    values = auto_map.values() if isinstance(auto_map, dict) else [auto_map]
    flat = [target for value in values for target in (value if isinstance(value, list | tuple) else [value])]
    return list(dict.fromkeys(target for target in flat if isinstance(target, str) and "--" not in target))


def _classes(path: Path) -> set[str] | None:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _import_problems(folder: Path, modules: set[str]) -> list[str]:
    problems, seen, pending = [], set(modules), sorted(modules)
    while pending:
        module = pending.pop()
        path = folder / f"{module}.py"
        if not path.is_file():
            problems.append(f"{module}.py is imported, but absent")
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if node.level and node.module and node.module not in seen:
                    seen.add(node.module)
                    pending.append(node.module)
            if any(name.split(".")[0] == "codefuse_hf" for name in names):
                problems.append(f"{module}.py imports codefuse_hf, which the folder's users need not have")
    return problems


def _loading_problems(folder: Path, shapes: dict[str, list[int]]) -> list[str]:
    command = [sys.executable, "-c", _LOADING, str(folder.resolve())]
    if (folder / "tokenizer_config.json").is_file():
        command.append("with tokenizer")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, input=json.dumps(shapes), capture_output=True, text=True, env=environment)
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if result is None:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        return [f"it cannot be loaded with trust_remote_code=True: {reason}"]
    return json.loads(result.removeprefix("RESULT"))
