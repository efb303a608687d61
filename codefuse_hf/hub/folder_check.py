"""Is a folder self-contained: does it hold all that somebody without this project needs to load it?"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..families import FAMILIES
from .exported_folder import MANIFEST, graph_files, is_exported, read_manifest
from .isolation import isolated_command
from .remote_code import collect_sources
from .weights import find_tensors

_LOADING_PROGRAM = Path(__file__).with_name("loading_program.py")


def check_folder(folder: Path, *, try_loading: bool = True, trust_remote_code: bool = False) -> None:
    """Check that `folder` is self-contained.

    Args:
        folder: what is to be published: a model in PyTorch, or an exported one.
        try_loading: unless it is exported, also build the model and the tokenizer from the folder's own code, in a process of its own in which
            this project cannot be imported.
        trust_remote_code: run that code even where it is not this project's own. Otherwise such a folder is tried with the
            installed classes of its model type, or not at all.

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
    problems, modules = _code_problems(folder, config)
    if is_exported(folder):
        problems += _graph_problems(folder)
        if problems:
            raise ValueError(f"{folder} cannot be published:\n  " + "\n  ".join(problems))
        return
    shapes = {}
    try:
        tensors = find_tensors(folder)
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        if any(tensor.file.suffix != ".safetensors" for tensor in tensors.values()):
            problems.append("weights: only .bin files; save with save_pretrained, or use `codefuse-hf convert`")
    except (OSError, ValueError) as error:
        problems.append(f"weights: {error}")
    if not problems and try_loading:
        problems = _try_loading(folder, config, modules, shapes, trust_remote_code)
    if problems:
        raise ValueError(f"{folder} is not self-contained:\n  " + "\n  ".join(problems))


def _graph_problems(folder: Path) -> list[str]:
    """What is wrong with exported graphs; they are not run: `codefuse-hf export` has compared them with PyTorch."""
    try:
        if read_manifest(folder)["export_format"] == "dynamo":
            return ["archives of torch.export can run code when they are read: publish the PyTorch model, or ONNX"]
    except (OSError, ValueError) as error:
        return [str(error)]
    return []


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no {path.name}: was it written by save_pretrained?")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def needed_files(folder: Path) -> set[str]:
    """List the files without which a checked folder does not load: configuration, weights or graphs, and code."""
    code = _code_problems(folder, _read_json(folder / "config.json"))[1]
    if is_exported(folder):
        graphs = {path.name for path in graph_files(folder)}
        return {"config.json", MANIFEST, *(f"{module}.py" for module in code), *graphs}
    weights = {tensor.file.name for tensor in find_tensors(folder).values()}
    weights |= {f"{name}.index.json" for name in ("model.safetensors", "pytorch_model.bin")}
    return {"config.json", *(f"{module}.py" for module in code), *(w for w in weights if (folder / w).exists())}


def _code_problems(folder: Path, config: dict[str, Any]) -> tuple[list[str], set[str]]:
    """What is wrong with the code that the folder names, files and classes that are absent, imports that cannot work; and
    the modules that are run."""
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
            tree = _parsed(folder / f"{module}.py")
            if tree is None:
                problems.append(f"{file_name}: auto_map names {target}, but there is no readable {module}.py")
            elif class_name not in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}:
                problems.append(f"{file_name}: auto_map names {target}, but {module}.py has no class {class_name}")
            else:
                modules.add(module)
    imports, reached = _import_problems(folder, modules)
    return problems + imports, reached


def _is_native(model_type: Any) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return model_type in CONFIG_MAPPING_NAMES and model_type not in FAMILIES


def _targets(auto_map: Any) -> list[str]:
    """Class references of an `auto_map` to files of this folder (others name another repository)."""
    values = auto_map.values() if isinstance(auto_map, dict) else [auto_map]
    flat = [target for value in values for target in (value if isinstance(value, list | tuple) else [value])]
    return list(dict.fromkeys(target for target in flat if isinstance(target, str) and "--" not in target))


def _parsed(path: Path) -> ast.Module | None:
    """The syntax tree of a file; None if it is absent or no Python."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


def _import_problems(folder: Path, modules: set[str]) -> tuple[list[str], set[str]]:
    problems, seen, pending = [], set(modules), sorted(modules)
    while pending:
        module = pending.pop()
        tree = _parsed(folder / f"{module}.py")
        if tree is None:
            what = "no readable Python" if (folder / f"{module}.py").is_file() else "absent"
            problems.append(f"{module}.py is imported, but {what}")
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if node.level and node.module and node.module not in seen:
                    seen.add(node.module)
                    pending.append(node.module)
            if any(name.split(".")[0] == "codefuse_hf" for name in names):
                problems.append(f"{module}.py imports codefuse_hf, which the folder's users need not have")
    return problems, seen


def _is_own_code(folder: Path, modules: set[str]) -> bool:
    """Whether all code that loading would run is what this project itself writes."""
    own: dict[str, str] = {}
    for family in FAMILIES.values():
        tokenizer = [path.partition(":")[0] for path in (family.tokenizer, family.processor) if path]
        own |= collect_sources([*family.modules, *tokenizer])
    return all(own.get(f"{name}.py") == (folder / f"{name}.py").read_text(encoding="utf-8") for name in modules)


def _try_loading(
    folder: Path, config: dict[str, Any], modules: set[str], shapes: dict[str, list[int]], trust: bool
) -> list[str]:
    if trust or _is_own_code(folder, modules):
        return _loading_problems(folder, shapes, own_code=True)
    print(
        f"note: {folder} carries code that is not this project's own; it was not run (--trust-remote-code runs it)",
        file=sys.stderr,
    )
    if config.get("model_type") in FAMILIES:
        return _loading_problems(folder, shapes, own_code=False)
    return []


def _loading_problems(folder: Path, shapes: dict[str, list[int]], own_code: bool) -> list[str]:
    arguments = [str(folder.resolve())]
    if (folder / "tokenizer_config.json").is_file():
        arguments.append("--tokenizer")
    if own_code:
        command = isolated_command(_LOADING_PROGRAM, *arguments, "--own-code")
    else:
        command = [sys.executable, "-P", str(_LOADING_PROGRAM), *arguments]
    environment = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
    environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, input=json.dumps(shapes), capture_output=True, text=True, env=environment)
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if result is None:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        return [f"it cannot be loaded with {'its own code' if own_code else 'the installed classes'}: {reason}"]
    return json.loads(result.removeprefix("RESULT"))
