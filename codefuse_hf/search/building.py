"""Makes an index: reads a repository, embeds what is new, counts words."""

import os
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from codefuse_hf.graph.schema import Diagnostic
from codefuse_hf.search import storage
from codefuse_hf.search.encoder import Encoder, same_probe
from codefuse_hf.search.paths import PathFilter
from codefuse_hf.search.places import CARRIED_FOLDER
from codefuse_hf.search.units import Unit, iter_units
from codefuse_hf.search.word_index import WordIndex
from codefuse_hf.search.words import count_words

_BLOCK = 512
_NAME_WEIGHT, _PATH_WEIGHT, _COMMENT_WEIGHT, _MOST = 3, 1, 1, 20
"""How often a unit's name, its file's path and its comment count as words of it; more repetitions of one word say nothing more."""
_FILE_PATH_WEIGHT = 5
"""How often its path counts as words of a file."""


def build_index(
    root: str | os.PathLike,
    folder: Path,
    *,
    model: Any,
    kinds: tuple[str, ...],
    wanted: PathFilter,
    batch_size: int,
    trust_remote_code: bool,
    progress: bool,
) -> Encoder | None:
    """Write the index of `root` into `folder`, see `CodeIndex.build`. Returns the model that was used, if any."""
    root = Path(root)
    with storage.locked(folder):
        problems: list[Diagnostic] = []
        found = iter_units(root, kinds=kinds, wanted=wanted, progress=progress, problems=problems)
        units = _but_indexes(root, folder, found)
        first = next(units, None)
        if first is None:
            chosen = " that --include and --exclude choose" if wanted else ""
            raise ValueError(
                f"there is nothing to index in {os.fspath(root)}: no readable text of kind {', '.join(kinds)}{chosen}"
            )
        encoder = Encoder(model, trust_remote_code, batch_size) if model is not None else None
        building = _Building(folder, encoder)
        for unit in chain([first], units):
            building.add(unit)
        options = {"kinds": list(kinds), "include": wanted.include, "exclude": wanted.exclude}
        storage.write(folder, building.finish(root, {**options, "problems": _summary(problems)}))
    return encoder


def _summary(problems: list[Diagnostic]) -> dict[str, list]:
    """How many problems there are of each kind, and the first of them in words."""
    kinds: dict[str, list] = {}
    for each in problems:
        kinds.setdefault(each.kind, [0, f"{each.path}: {each.message}" if each.path else each.message])[0] += 1
    return kinds


class _Building:
    """An index in the making: vectors known already, blocks of new ones, words of every unit."""

    def __init__(self, folder: Path, encoder: Encoder | None):
        self.folder, self.encoder = folder, encoder
        self.units: list[dict] = []
        self.words, self.file_words = _Words(), _Words()
        self.file: tuple[str, Counter[str]] | None = None
        self.pending: dict[str, str] = {}
        self.known: dict[str, np.ndarray] = {}
        self.computed = 0
        if encoder is not None:
            self.probe = encoder.probe()
            self.known = {**_vectors_of_index(folder, self.probe), **self._finished_blocks()}

    def _finished_blocks(self) -> dict[str, np.ndarray]:
        known: dict[str, np.ndarray] = {}
        for probe, vectors in storage.kept_blocks(self.folder):
            if same_probe(probe, self.probe):
                known.update(vectors)
        if known:
            print(f"note: going on from an interrupted run, which left {len(known)} vectors", file=sys.stderr)
        return known

    def add(self, unit: Unit) -> None:
        record = {**asdict(unit), "hash": unit.content_hash, "snippet": unit.snippet}
        del record["text"], record["comment"]
        self.units.append(record)
        self.words.add(words_of(unit))
        self.add_to_file(unit)
        if self.encoder is not None and record["hash"] not in self.known:
            self.pending[record["hash"]] = unit.described
            if len(self.pending) >= _BLOCK:
                self.encode_pending()

    def add_to_file(self, unit: Unit) -> None:
        """Count the words of a file as those of its units; a file's units come one after another."""
        if self.file is None or self.file[0] != unit.path:
            self.end_file()
            path = count_words(os.path.splitext(unit.path)[0])
            self.file = unit.path, Counter({word: _FILE_PATH_WEIGHT * count for word, count in path.items()})
        self.file[1].update({word: min(count, _MOST) for word, count in count_words(unit.text).items()})

    def end_file(self) -> None:
        if self.file is not None:
            self.file_words.add(self.file[1])

    def encode_pending(self) -> None:
        if not self.pending:
            return
        hashes = list(self.pending)
        vectors = self.encoder.encode(list(self.pending.values()))
        self.known.update(zip(hashes, vectors, strict=True))
        self.computed += len(hashes)
        storage.keep_block(self.folder, hashes, vectors, self.probe)
        self.pending.clear()

    def finish(self, root: Path, options: dict[str, Any]) -> storage.Content:
        """Everything that is to be written."""
        manifest = {"root": os.fspath(root.resolve()), **options, "units": len(self.units), "model": None}
        vectors = None
        if self.encoder is not None:
            self.encode_pending()
            vectors = storage.flat_index(np.stack([self.known[unit["hash"]] for unit in self.units]))
            probe = [float(x) for x in self.probe]
            manifest |= {"model": self.encoder.name, "probe": probe, "embedded_now": self.computed}
        files = {path: _state(root / path) for path in dict.fromkeys(unit["path"] for unit in self.units)}
        self.end_file()
        words, file_words = WordIndex.build(self.words), WordIndex.build(self.file_words)
        return storage.Content(manifest, self.units, files, vectors, words, file_words)


class _Words(Sequence):
    """The words of each unit with their counts, in little memory: a sequence of mappings, made when they are asked for."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self.counts: list[array] = []
        self._words: list[str] = []

    def add(self, counts: Counter[str]) -> None:
        packed = array("i")
        for word, count in counts.items():
            packed.extend((self.vocabulary.setdefault(word, len(self.vocabulary)), count))
        self.counts.append(packed)

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, position: int) -> dict[str, int]:
        if len(self._words) != len(self.vocabulary):
            self._words = list(self.vocabulary)
        packed = self.counts[position]
        return {self._words[word]: count for word, count in zip(packed[::2], packed[1::2], strict=True)}


def words_of(unit: Unit) -> Counter[str]:
    """Count the words of a unit: those of its text, its name, its path and its comment, weighed."""
    words = Counter({word: min(count, _MOST) for word, count in count_words(unit.text).items()})
    path = "" if unit.kind == "file" else os.path.splitext(unit.path)[0]  # a file's text begins with its path
    for text, weight in ((unit.name, _NAME_WEIGHT), (path, _PATH_WEIGHT), (unit.comment, _COMMENT_WEIGHT)):
        for word, count in count_words(text).items():
            words[word] += weight * count
    return words


def _but_indexes(root: Path, folder: Path, units: Iterator[Unit]) -> Iterator[Unit]:
    """The units without those of an index that lies in the repository: of this one, and of one that it carries."""
    base, beginnings = root.resolve(), []
    for index in (folder.resolve(), base / CARRIED_FOLDER):
        if index.is_relative_to(base) and index.is_dir():
            place = index.relative_to(base).as_posix()
            beginnings += [f"{place}/{entry}" for entry in storage.own_entries(index)]
    own = tuple(beginnings)
    return (unit for unit in units if not unit.path.startswith(own)) if own else units


def _vectors_of_index(folder: Path, probe: np.ndarray) -> dict[str, np.ndarray]:
    """Vectors of an earlier index made with the same model, by content."""
    try:
        content = storage.read(folder)
    except (OSError, ValueError):
        return {}
    if content.vectors is None or not same_probe(np.asarray(content.manifest["probe"], dtype=np.float32), probe):
        return {}
    vectors = content.vectors.reconstruct_n(0, len(content.units))
    return {unit["hash"]: vector for unit, vector in zip(content.units, vectors, strict=True)}


def _state(path: Path) -> list:
    """Size, time of change and hash of a file, by which a change is noticed."""
    try:
        data, status = path.read_bytes(), path.stat()
    except OSError:
        return [0, 0, ""]
    return [status.st_size, status.st_mtime_ns, blake2b(data, digest_size=16).hexdigest()]
