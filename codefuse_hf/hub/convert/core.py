"""Conversion of a published repository into a self-contained folder.

The weights are streamed: at most one output shard is in memory. Everything is checked from the files' headers before a
byte is written, and the folder appears complete or not at all. The run after one that was killed goes on with its folder, or removes it.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import StateDictSplit, split_state_dict_into_shards_factory
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from ...files import readable_size, remove_leftovers, replacing_folder
from ..model_card import write_model_card
from ..weights import StoredTensor, read_tensors, write_shard
from .reader import Reader, reader_of

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_CODE_AND_TOKENIZER = 256 * 2**20  # generous room for all that is not weights


@dataclass(frozen=True)
class Plan:
    """What becomes of each tensor.

    Attributes:
        tensors: our name → stored tensor, in the model's order.
        dtypes: our name → dtype to store.
        tied_copies: pairs of stored tensors that must be the same; only the second is kept.
    """

    tensors: dict[str, StoredTensor]
    dtypes: dict[str, torch.dtype]
    tied_copies: list[tuple[StoredTensor, StoredTensor]]

    def nbytes(self, name: str) -> int:
        """Count the bytes that one tensor takes when it is stored."""
        return torch.Size(self.tensors[name].shape).numel() * self.dtypes[name].itemsize

    @property
    def total_bytes(self) -> int:
        """Bytes that all tensors take when they are stored."""
        return sum(map(self.nbytes, self.tensors))


def convert_folder(
    source: str | os.PathLike,
    destination: str | os.PathLike,
    *,
    dtype: str | torch.dtype | None = None,
    max_shard_size: int | str = "2GB",
    source_name: str | None = None,
    resume: bool = False,
) -> Path:
    """Turn a local copy of a published repository into a self-contained folder.

    Args:
        source: the repository's folder: `config.json`, weights (safetensors or `.bin`, whole or in shards), tokenizer.
        destination: the folder to make; it must not exist, or be empty.
        dtype: "float32", "float16" or "bfloat16"; None keeps each tensor as it is. What the model keeps in float32 is
            stored in float32.
        max_shard_size: size of the weight files, in bytes or as "2GB"; as much memory is needed.
        source_name: what the model card calls the source, a repo id; the folder's name by default.
        resume: keep finished weight files also when the run ends with an error, for a later run to go on with.

    Returns:
        The folder.

    Raises:
        ValueError: an unknown layout, an impossible configuration, tensors that are missing, superfluous, stored twice or
            of wrong shape (all named), a tied head that differs from the embedding, numbers too large for `dtype`.
        OSError: no such folder, a destination that is not empty, too little room on the disk.
    """
    source, destination = Path(source), Path(destination)
    if isinstance(dtype, str):
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        dtype = DTYPES[dtype]
    config = read_config(source)
    check_destination(destination)
    reader = reader_of(config, source)
    with torch.device("meta"):
        model = reader.build(source, config)
    plan = make_plan(model, reader, reader.find_tensors(source), dtype)
    split = _split(plan, max_shard_size)
    content = _fingerprint(plan, split)
    remove_leftovers(destination, but=destination.absolute().with_name(f".{destination.name}.{content}.partial"))
    _check_room(destination, plan.total_bytes)
    with replacing_folder(destination, content=content, keep=resume) as folder:
        _check_tied_copies(plan)
        _write_weights(plan, split, folder)
        model.config.dtype = _main_dtype(plan)
        reader.write_rest(source, folder, model)
        _copy_licences(source, folder)
        source_name = source_name or source.resolve().name
        write_model_card(folder, repo_id=destination.name, source=source, source_name=source_name)
    return destination


def read_config(source: Path) -> dict:
    """Read `config.json` of a folder. Raises `OSError` if there is none, `ValueError` if it is no JSON object."""
    if not source.is_dir():
        raise FileNotFoundError(f"there is no folder {source}")
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{source} has no config.json: is it a model repository?") from None
    except ValueError as error:
        raise ValueError(f"{source / 'config.json'} is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{source / 'config.json'} must hold a JSON object, found a {type(config).__name__}")
    return config


def check_destination(destination: Path) -> None:
    """Raise `OSError` unless `destination` is free: absent, or an empty folder."""
    if destination.is_file() or (destination.is_dir() and any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists already: name a new folder, or remove it first")


def make_plan(
    model: PreTrainedModel, reader: Reader, stored: dict[str, StoredTensor], dtype: torch.dtype | None
) -> Plan:
    """Pair each of the model's parameters with one stored tensor.

    Raises:
        ValueError: anything missing, superfluous, named twice or of another shape; every such tensor is named.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tied = dict(model.all_tied_weights_keys)
    found: dict[str, StoredTensor] = {}
    problems = []
    for name, tensor in stored.items():
        target = reader.rename(name)
        if target is None:
            continue
        if target not in expected:
            problems.append(f"{name}: the model has no such weight")
        elif target in found:
            problems.append(f"{name}: stored twice, {found[target].name} is the same weight")
        elif tensor.shape != expected[target]:
            problems.append(f"{name}: shape {tensor.shape}, the configuration asks for {expected[target]}")
        found.setdefault(target, tensor)
    for target, original in tied.items():  # either of the two names will do
        if original not in found and target in found:
            found[original] = found.pop(target)
    problems += [f"{name}: missing" for name in expected if name not in found and name not in tied]
    if problems:
        raise ValueError(
            f"the weights do not fit the configuration ({reader.layout}), {len(problems)} problem(s):\n  "
            + "\n  ".join(problems)
        )
    kept_wide = tuple(getattr(model, "_keep_in_fp32_modules_strict", None) or ())
    tensors = {name: found[name] for name in expected if name not in tied}
    dtypes = {
        name: torch.float32 if any(part in name.split(".") for part in kept_wide) else (dtype or tensor.dtype)
        for name, tensor in tensors.items()
    }
    copies = [(found[name], found[original]) for name, original in tied.items() if name in found]
    return Plan(tensors, dtypes, copies)


def _check_tied_copies(plan: Plan) -> None:
    """A tied weight stored a second time must be the same."""
    for copy, original in plan.tied_copies:
        values = [value for _, value in read_tensors([copy, original])]
        if not torch.equal(*values):
            raise ValueError(
                f"{copy.name} differs from {original.name}, although the configuration ties them (tie_word_embeddings): set it "
                "to false in config.json if the head was trained separately"
            )


def _split(plan: Plan, max_shard_size: int | str) -> StateDictSplit:
    return split_state_dict_into_shards_factory(
        {name: (name,) for name in plan.tensors},  # strings alone would be taken for no tensors
        get_storage_size=lambda name: plan.nbytes(*name),
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=max_shard_size,
    )


def _check_room(destination: Path, nbytes: int) -> None:
    parent = next(folder for folder in destination.absolute().parents if folder.exists())
    needed, free = nbytes + _CODE_AND_TOKENIZER, shutil.disk_usage(parent).free
    if free < needed:
        raise OSError(f"not enough room in {parent}: {readable_size(needed)} needed, {readable_size(free)} free")


def _fingerprint(plan: Plan, split: StateDictSplit) -> str:
    """Names what goes into the weight files: the same for the same source files, dtypes and split."""
    files = {tensor.file for tensor in plan.tensors.values()}
    stats = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    dtypes = sorted((name, str(dtype), plan.tensors[name].name) for name, dtype in plan.dtypes.items())
    return hashlib.sha256(repr((stats, dtypes, split.filename_to_tensors)).encode()).hexdigest()[:16]


def _write_weights(plan: Plan, split: StateDictSplit, folder: Path) -> None:
    with tqdm(total=plan.total_bytes, unit="B", unit_scale=True, desc="weights") as progress:
        for file_name, names in split.filename_to_tensors.items():
            if (folder / file_name).is_file():  # of an earlier run that is gone on with
                progress.update(sum(map(plan.nbytes, names)))
                continue
            by_stored = {plan.tensors[name]: name for name in names}
            shard = {}
            for stored, value in read_tensors(by_stored):
                name = by_stored[stored]
                shard[name] = _cast(name, value, plan.dtypes[name])
                progress.update(plan.nbytes(name))
            write_shard({name: shard[name] for name in names}, folder / file_name)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _cast(name: str, value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    result = value.to(dtype)
    narrower = torch.finfo(dtype).max < torch.finfo(value.dtype).max
    if narrower and bool((result.isinf() & ~value.isinf()).any()):
        largest = value.abs().max().item()
        raise ValueError(f"{name} holds numbers up to {largest:g}, too large for {dtype}: choose bfloat16 or float32")
    return result


def _main_dtype(plan: Plan) -> torch.dtype:
    """The dtype that most of the weights have."""
    sizes: dict[torch.dtype, int] = {}
    for name, dtype in plan.dtypes.items():
        sizes[dtype] = sizes.get(dtype, 0) + plan.nbytes(name)
    return max(sizes, key=sizes.get)


def _copy_licences(source: Path, folder: Path) -> None:
    for file in sorted(source.iterdir()):
        if file.is_file() and file.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
            shutil.copyfile(file, folder / file.name)
