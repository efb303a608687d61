"""What a push changes in a repository: the files that go, those that stay at home, and those that the new ones replace."""

import os
import re
import zipfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

# A training run's own files, and what editors and systems leave behind; by name, at any depth.
_RUN_FILES = (
    "events.out.tfevents*",
    "training_args.*",
    "trainer_state.json",
    "optimizer*.pt",
    "optimizer*.bin",
    "scheduler*.*",
    "scaler*.pt",
    "rng_state*",
    "random_states_*",
    "zero_to_fp32.py",
    "*.log",
    "nohup.out",
    "*.pyc",
    "*.tmp",
    "*.lock",
    "Thumbs.db",
)
_RUN_FOLDERS = (
    "checkpoint-*",
    "global_step*",
    "pytorch_model_fsdp*",
    "optimizer_*",
    "runs",
    "logs",
    "wandb",
    "mlruns",
    "lightning_logs",
    "__pycache__",
    "node_modules",
)
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill")
_WEIGHTS = re.compile(
    r"(?:model|pytorch_model|adapter_model|tf_model|flax_model)[-.\w]*\.(?:safetensors|bin|h5|msgpack)(?:\.index(?:\.[\w-]+)?\.json)?"
    r"|(?:model\.safetensors|pytorch_model\.bin)\.index(?:\.[\w-]+)?\.json"
)
# An adapter's configuration makes transformers load the adapter on top of the weights.
_ADAPTER = "adapter_config.json"
# Of these, the ones that a tokenizer brings replace all that another tokenizer had.
_TOKENIZER = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
_CARD = "README.md"


@dataclass
class PushPlan:
    """What one commit does.

    Attributes:
        files: `/`-separated path in the repository → file, to be uploaded.
        left_out: path → why it is not uploaded.
        deleted: paths in the repository that the uploaded files replace.
    """

    files: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Put the plan into words, a line for each thing that one might not expect."""
        lines = [f"not uploaded: {path}: {reason}" for path, reason in self.left_out.items()]
        return lines + [f"deleted, since the new files replace it: {path}" for path in self.deleted]


def list_files(folder: Path) -> PushPlan:
    """Return the files of a folder that may be uploaded, and those that may not: a run's files, pickles, links out of it.

    Raises:
        OSError: the folder cannot be read.
    """
    plan, root = PushPlan(), folder.resolve()
    pending = [(root, "")]
    while pending:
        place, prefix = pending.pop()
        for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
            path = f"{prefix}{entry.name}"
            reason = _reason(entry, root)
            if reason is not None:
                plan.left_out[path + ("/" if os.path.isdir(entry.path) else "")] = reason
            elif entry.is_dir(follow_symlinks=False):
                pending.append((Path(entry.path), f"{path}/"))
            else:
                plan.files[path] = Path(entry.path)
    return plan


def _reason(entry: os.DirEntry, root: Path) -> str | None:
    """Why something in the folder stays at home; None if it goes."""
    if entry.is_symlink():
        target = Path(os.path.realpath(entry.path))
        if not target.is_relative_to(root):
            return f"a link out of the folder, to {os.readlink(entry.path)}"
        if not target.is_file():
            return "a link to a folder, or to nothing"
        inside = target.relative_to(root).parts
        return next((why for part in inside for why in [_by_name(part, part != inside[-1])] if why), None) or _pickle(
            target
        )
    is_folder = entry.is_dir()
    reason = _by_name(entry.name, is_folder)
    if reason is None and not is_folder:
        reason = _pickle(Path(entry.path)) if entry.is_file() else "no regular file"
    return reason


def _by_name(name: str, is_folder: bool) -> str | None:
    if name.startswith("."):
        return "hidden"
    if any(fnmatchcase(name, pattern) for pattern in (_RUN_FOLDERS if is_folder else _RUN_FILES)):
        return "of a training run, or left behind by a tool"
    return None


def _pickle(file: Path) -> str | None:
    """Whether a file is a pickle, which may hold any code: by its name, and of `.bin` files by their content."""
    if file.suffix in _PICKLES:
        return "a pickle"
    if file.suffix == ".bin":
        with file.open("rb") as start:
            if start.read(1) == b"\x80":
                return "a pickle"
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if any(PurePosixPath(name).suffix == ".pkl" for name in archive.namelist()):
                    return "a pickle"
    return None


def plan_push(folder: Path, present: dict[str, bool | None], *, replace_card: bool, needed: set[str]) -> PushPlan:
    """Return the commit that brings a folder into a repository.

    Args:
        folder: a checked folder.
        present: paths of the repository's files → for its card, whether this project filled it; None for other files.
        replace_card: overwrite a card that somebody wrote.
        needed: names of files without which the folder does not load.

    Raises:
        ValueError: a file that is needed may not be uploaded.
    """
    plan = list_files(folder)
    for name in sorted(needed & plan.left_out.keys()):
        raise ValueError(
            f"{folder / name} is {plan.left_out[name]}, so it is not uploaded, but nothing loads without it: put the file "
            f"itself into the folder (cp -rL {folder} COPY copies what links name)"
        )
    if _CARD in plan.files and present.get(_CARD) is False and not replace_card:
        del plan.files[_CARD]
        plan.left_out[_CARD] = (
            "the repository's own card was not written by this tool and stays; --replace-card overwrites it"
        )
    plan.deleted = sorted(path for path in present if path not in plan.files and _is_stale(path, plan.files))
    return plan


def _is_stale(path: str, files: dict[str, Path]) -> bool:
    """Whether a file of the repository would be read in the place of a new one, or on top of it."""
    place, name = path.rpartition("/")[::2]
    beside = {other.rpartition("/")[2] for other in files if other.rpartition("/")[0] == place}
    if _WEIGHTS.fullmatch(name) or name == _ADAPTER:
        return any(_WEIGHTS.fullmatch(other) for other in beside)
    return name in _TOKENIZER and not beside.isdisjoint(("tokenizer.json", "tokenizer_config.json"))
