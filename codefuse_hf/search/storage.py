"""An index on disk: what lies in its folder, how it is read, and how it is replaced while others read it.

    .gitignore             so that an index inside a work tree is no part of it; its first line marks the folder as an index
    manifest.json          format, options, model, a probe by which the model is recognised, and the name of the generation
    <generation>/          units.jsonl    one unit a line: kind, name, path, lines, hash, snippet
                           files.json     size, time and hash of each file as it was read
                           vectors.faiss  one vector a unit, inner product of unit vectors = cosine (absent without a model)
                           words.safetensors, words.json    BM25 over the words of units and of files
    building/              vectors that an interrupted run had finished
    lock                   held by the run that makes the index

A run writes a generation of its own and then replaces the manifest, at once: who reads finds the old index or the new one, whole. No
file is a pickle. What the folder holds besides these is nobody's index: it is neither read, nor hidden, nor removed.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codefuse_hf.files import full_disk_named, replacing
from codefuse_hf.search.word_index import WordIndex

FORMAT = "codefuse-hf code index, version 3"
_OLD_FORMAT, _OLD_NAMES = "codefuse-hf code index, version 1", ("units.jsonl", "vectors.faiss", "words")
MARK = "# An index of codefuse-hf: made from this code, and no part of it."
_GENERATION = re.compile(r"g\d+")
_PARTS = ("data", "indices", "indptr")
_BUILDING, _LOCK, _MANIFEST, _IGNORE = "building", "lock", "manifest.json", ".gitignore"
_IGNORED = "/.gitignore\n/..gitignore.*\n/manifest.json\n/.manifest.json.*\n/lock\n/building/\n/g[0-9]*/\n"
_OWN = re.compile(rf"g\d+|{_BUILDING}|{_LOCK}|\.?(?:{re.escape(_MANIFEST)}|{re.escape(_IGNORE)})(?:\..*\.partial)?")


@dataclass
class Content:
    """What an index holds.

    Attributes:
        manifest: as in the file.
        units: one record each.
        files: path → [size, time of change in ns, hash] of what was read.
        vectors: a flat FAISS index, or None.
        words: BM25 of the units.
        file_words: BM25 of the files, in the order of `files`.
    """

    manifest: dict[str, Any]
    units: list[dict[str, Any]]
    files: dict[str, list]
    vectors: Any
    words: WordIndex
    file_words: WordIndex


def read(folder: Path) -> Content:
    """Read an index.

    Raises:
        FileNotFoundError: no index there.
        ValueError: not an index of this format, or a damaged one.
    """
    if not (folder / _MANIFEST).is_file():
        raise FileNotFoundError(f"there is no index at {folder}: make one with `codefuse-hf index`")
    attempts = 5
    while True:
        attempts -= 1
        generation = None
        try:
            manifest = _checked(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
            generation = manifest["generation"]
            return _read_generation(folder / generation, manifest)
        except (ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
            if attempts and generation is not None and _generation_of(folder) != generation:
                continue  # another run has just replaced it
            raise ValueError(
                f"{folder} is not a usable index ({error}): make it again with `codefuse-hf index`"
            ) from error


def _read_generation(place: Path, manifest: dict[str, Any]) -> Content:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    units = [json.loads(line) for line in (place / "units.jsonl").read_text(encoding="utf-8").splitlines()]
    files = json.loads((place / "files.json").read_text(encoding="utf-8"))
    vocabulary = json.loads((place / "words.json").read_text(encoding="utf-8"))
    try:
        tensors = load_file(place / "words.safetensors")
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    words, file_words = (
        WordIndex.from_tensors(vocabulary[name], count, {part: tensors[f"{name}.{part}"] for part in _PARTS})
        for name, count in (("units", len(units)), ("files", len(files)))
    )
    vectors = _read_vectors(place / "vectors.faiss") if manifest["model"] is not None else None
    if len(units) != manifest["units"] or (vectors is not None and vectors.ntotal != len(units)):
        raise ValueError("it is damaged: its files disagree about the number of units")
    if not all(unit["path"] in files for unit in units):
        raise ValueError("it is damaged: units lie in files that it does not know")
    return Content(manifest, units, files, vectors, words, file_words)


def _checked(manifest: Any) -> dict[str, Any]:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if not isinstance(manifest["model"], str | None):
        raise ValueError(f"model must be a name or null, found {manifest['model']!r}")
    if not isinstance(manifest["generation"], str) or not _GENERATION.fullmatch(manifest["generation"]):
        raise ValueError(f"{manifest['generation']!r} is no name of a generation")
    return manifest


def _generation_of(folder: Path) -> str | None:
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["generation"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_vectors(path: Path) -> Any:
    import faiss

    with path.open("rb") as file:
        if file.read(4) != b"IxFI":  # flat, inner product: FAISS would read any of its kinds
            raise ValueError("vectors.faiss is no flat index")
    return faiss.read_index(str(path))


# ---------------------------------------------------------------------- writing


def check_place(folder: Path) -> None:
    """Refuse a folder that holds anything but an index.

    Raises:
        ValueError: `folder` is a file, or holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} exists and is a file: choose another place for the index")
    names = [each.name for each in folder.iterdir()]
    others = sorted(name for name in names if not _is_own(folder, name))
    begun = all(name == _LOCK or name.endswith(".partial") for name in names)  # a run that has not left its mark yet
    if others or not (begun or is_index(folder) or _is_old_index(folder)):
        found = f"holds {others[0]!r}" if others else "is no code index"
        raise ValueError(f"{folder} exists and {found}: choose another place for the index")


def is_index(folder: Path) -> bool:
    """Tell whether a folder is one of an index, finished or not, by the mark that every run leaves first."""
    try:
        return (folder / _IGNORE).read_text(encoding="utf-8").startswith(MARK)
    except (OSError, ValueError):
        return False


def own_entries(folder: Path) -> tuple[str, ...]:
    """List what in an index's folder is its own, as beginnings of paths: a folder's ends with a slash. Empty for other folders."""
    if not (is_index(folder) or _is_old_index(folder)):
        return ()
    found = (each for each in folder.iterdir() if _is_own(folder, each.name))
    return tuple(f"{each.name}/" if each.is_dir() else each.name for each in found)


def _is_own(folder: Path, name: str) -> bool:
    return bool(_OWN.fullmatch(name)) or (name in _OLD_NAMES and _is_old_index(folder))


def _is_old_index(folder: Path) -> bool:
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8")).get("format") == _OLD_FORMAT
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have an index's folder to oneself for making the index; who reads is not kept waiting, another run is.

    Raises:
        ValueError: `folder` holds something else.
    """
    from filelock import FileLock, Timeout

    check_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"note: another run is making {folder}: waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        if _is_old_index(folder):
            for name in (*_OLD_NAMES, _MANIFEST):
                _remove(folder / name)
        _leave_mark(folder)
        yield
    finally:
        lock.release()


def _leave_mark(folder: Path) -> None:
    """Mark the folder as an index; whoever looks at it meanwhile finds a whole mark."""
    mark = f"{MARK}\n{_IGNORED}"
    try:
        if (folder / _IGNORE).read_text(encoding="utf-8") == mark:
            return
    except (OSError, ValueError):
        pass
    with replacing(folder / _IGNORE, "w", encoding="utf-8") as file:
        file.write(mark)


def write(folder: Path, content: Content) -> None:
    """Write a generation and make it the index; what no manifest names any more is removed. The folder is `locked`."""
    numbers = [int(each.name[1:]) for each in folder.iterdir() if _GENERATION.fullmatch(each.name)]
    generation = f"g{max(numbers, default=0) + 1}"
    place = folder / generation
    place.mkdir()
    try:
        with full_disk_named(place):
            _write_generation(place, content)
        content.manifest = {"format": FORMAT, "generation": generation, **content.manifest}
        with replacing(folder / _MANIFEST, "w", encoding="utf-8") as file:
            json.dump(content.manifest, file, indent=1)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    for number in numbers:
        shutil.rmtree(folder / f"g{number}", ignore_errors=True)
    shutil.rmtree(folder / _BUILDING, ignore_errors=True)


def _write_generation(place: Path, content: Content) -> None:
    from safetensors.numpy import save_file

    with (place / "units.jsonl").open("w", encoding="utf-8") as file:
        for unit in content.units:
            file.write(json.dumps(unit) + "\n")
    (place / "files.json").write_text(json.dumps(content.files), encoding="utf-8")
    words = {"units": content.words, "files": content.file_words}
    vocabularies = {name: list(index.vocabulary) for name, index in words.items()}
    (place / "words.json").write_text(json.dumps(vocabularies), encoding="utf-8")
    tensors = {f"{name}.{part}": array for name, index in words.items() for part, array in index.tensors().items()}
    save_file(tensors, place / "words.safetensors")
    if content.vectors is not None:
        import faiss

        faiss.write_index(content.vectors, str(place / "vectors.faiss"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flat_index(vectors: np.ndarray) -> Any:
    """Make the FAISS index of unit vectors `[units, width]`."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


# ---------------------------------------------------------------------- finished blocks of vectors


def keep_block(folder: Path, hashes: Sequence[str], vectors: np.ndarray, probe: np.ndarray) -> None:
    """Keep vectors that are finished, so that an interruption does not lose them."""
    from safetensors.numpy import save

    (folder / _BUILDING).mkdir(exist_ok=True)
    with replacing(folder / _BUILDING / f"{hashes[0]}.safetensors") as file:
        file.write(save({"vectors": vectors, "probe": probe}, metadata={"hashes": " ".join(hashes)}))


def kept_blocks(folder: Path) -> Iterator[tuple[np.ndarray, Mapping[str, np.ndarray]]]:
    """Read back what `keep_block` kept: the model's probe and vectors by hash. Damaged blocks are left out."""
    from safetensors import SafetensorError, safe_open

    for path in sorted((folder / _BUILDING).glob("*.safetensors")):
        try:
            with safe_open(path, "numpy") as file:
                hashes, vectors = file.metadata()["hashes"].split(), file.get_tensor("vectors")
                yield file.get_tensor("probe"), dict(zip(hashes, vectors, strict=True))
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            continue
