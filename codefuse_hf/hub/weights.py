"""Checkpoint files as data: what they hold, known from their headers; their tensors, read one shard at a time."""

import json
import pickle
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..modeling.whole_file import whole_file

# In order of preference: index, single file.
_FORMS = (
    ("model.safetensors.index.json", "model.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model.bin"),
)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a checkpoint file."""

    name: str
    file: Path
    shape: tuple[int, ...]
    dtype: torch.dtype


def find_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Find the tensors of the checkpoint in `folder` by name, safetensors before `.bin`. Reads no tensor data.

    Raises:
        FileNotFoundError: no weights, or a shard is missing.
        ValueError: a broken file, a tensor stored twice, an index that disagrees with its files.
    """
    for index_name, file_name in _FORMS:
        index, file = folder / index_name, folder / file_name
        if index.is_file():
            return _find_sharded(folder, index)
        if file.is_file():
            return {tensor.name: tensor for tensor in read_header(file)}
    names = ", ".join(name for form in _FORMS for name in form)
    raise FileNotFoundError(f"{folder} has no weights: expected one of {names}")


def _find_sharded(folder: Path, index: Path) -> dict[str, StoredTensor]:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(weight_map.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is no index of weights: it needs a weight_map from names to file names") from error
    strangers = [name for name in files if Path(name).name != name]
    if strangers:
        raise ValueError(f"{index} names files outside its folder: {', '.join(map(repr, strangers))}")
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{index.name} names {', '.join(missing)}, which {folder} lacks: download it again")
    tensors: dict[str, StoredTensor] = {}
    for file_name in files:
        for tensor in read_header(folder / file_name):
            if tensor.name in tensors:
                raise ValueError(
                    f"{tensor.name} is stored twice: in {tensors[tensor.name].file.name} and in {file_name}"
                )
            tensors[tensor.name] = tensor
    for name, file_name in weight_map.items():
        if name not in tensors or tensors[name].file.name != file_name:
            raise ValueError(f"{index.name} promises {name} in {file_name}, which does not hold it")
    unlisted = sorted(tensors.keys() - weight_map.keys())
    if unlisted:
        raise ValueError(f"{index.name} does not list {', '.join(unlisted)}, which its files hold")
    return tensors


def read_header(file: Path) -> list[StoredTensor]:
    """Return the tensors of one file, safetensors or a pickle of tensors alone. ValueError for anything else."""
    if file.suffix != ".safetensors":
        state = _load_bin(file)
        return [StoredTensor(name, file, tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()]
    with _open_safetensors(file) as stored:
        return [
            StoredTensor(name, file, tuple(stored.get_slice(name).get_shape()), _dtype_of(stored, name, file))
            for name in stored.keys()  # noqa: SIM118 - not a dictionary
        ]


def _dtype_of(stored, name: str, file: Path) -> torch.dtype:
    text = stored.get_slice(name).get_dtype()
    if text not in _DTYPES:
        raise ValueError(f"{file}: {name} has dtype {text}; expected one of {', '.join(_DTYPES)}")
    return _DTYPES[text]


_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def _open_safetensors(file: Path):
    try:
        return safe_open(file, framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{file} is not a whole safetensors file: {error}") from error


def _load_bin(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickled file, mapped from disk where its format allows; never more than data."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{file} is not a plain file of tensors, and anything else is not read: {reason}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{file} holds a {type(state).__name__}, not a dictionary of tensors")
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ValueError(f"{file} holds things other than tensors: {', '.join(map(str, others))}")
    integers = [name for name, value in state.items() if not value.is_floating_point()]
    if integers:
        raise ValueError(f"{file}: {', '.join(integers)} hold no floating point numbers")
    return state


def read_tensors(tensors: Iterable[StoredTensor]) -> Iterator[tuple[StoredTensor, torch.Tensor]]:
    """Return the data of some tensors, file by file; each is loaded as it is asked for."""
    by_file: dict[Path, list[StoredTensor]] = {}
    for tensor in tensors:
        by_file.setdefault(tensor.file, []).append(tensor)
    for file, wanted in by_file.items():
        if file.suffix == ".safetensors":
            with _open_safetensors(file) as stored:
                for tensor in wanted:
                    yield tensor, stored.get_tensor(tensor.name)
        else:
            state = _load_bin(file)
            for tensor in wanted:
                yield tensor, state.pop(tensor.name)


def write_shard(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """Write one safetensors file, which appears whole or not at all."""
    with whole_file(file) as partial:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata={"format": "pt"})


def read_rows(tensor: StoredTensor, first: int, last: int) -> torch.Tensor:
    """Read a tensor's rows from a first up to a last, `[last - first, …]`. The file is closed again, so that what was read of it
    takes no memory here."""
    if tensor.file.suffix != ".safetensors":
        return _load_bin(tensor.file)[tensor.name][first:last].clone()
    with _open_safetensors(tensor.file) as stored:
        return stored.get_slice(tensor.name)[first:last].clone()
