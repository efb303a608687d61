"""The index of a repository: vectors, words and where each unit stands.

A folder with
    manifest.json       format, model, width, counts, and a probe by which the model is recognised
    units.jsonl         one unit a line: kind, name, path, lines, hash, snippet
    vectors.faiss       one vector a unit, inner product of unit vectors = cosine (absent without a model)
    words/              BM25 over words and parts of identifiers
The folder appears complete or not at all. While it is made, finished blocks of vectors are kept in `<folder>.building`, so
that an interrupted run goes on where it stopped; a later run computes vectors only for content it has not seen.

An index is data, whoever made it: it never decides whether code is run, and it decides what model is loaded only where it lies in
the user's own cache (`places`).
"""

import json
import os
import re
import shutil
import sys
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from codefuse_hf.search.default_model import DEFAULT_MODEL, load_default_model
from codefuse_hf.search.fusion import reciprocal_rank_fusion
from codefuse_hf.search.places import CARRIED_FOLDER, default_folder, is_own
from codefuse_hf.search.units import KINDS, Unit, iter_units

FORMAT = "codefuse-hf code index, version 1"
MODES = ("hybrid", "vectors", "words")
_BLOCK = 512
_PROBE = "def read_lines(path):\n    with open(path) as file:\n        return file.readlines()\n"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True)
class SearchResult:
    """One hit. `score` is the cosine for "vectors", BM25 for "words", and the fused score of both ranks for "hybrid"."""

    score: float
    kind: str
    name: str
    path: str
    line: int
    end_line: int
    snippet: str


class CodeIndex:
    """An index that has been loaded; make one with `CodeIndex.build` or `CodeIndex.load`."""

    def __init__(self, folder: Path, manifest: dict, units: list[dict], vectors: Any, words: Any, model: Any):
        self.folder, self.manifest, self.units = folder, manifest, units
        self._vectors, self._words, self._model = vectors, words, model

    def __len__(self) -> int:
        return len(self.units)

    @classmethod
    def build(
        cls,
        root: str | os.PathLike,
        *,
        model: Any = None,
        folder: str | os.PathLike | None = None,
        kinds: tuple[str, ...] = KINDS,
        batch_size: int = 32,
        trust_remote_code: bool = False,
        progress: bool = True,
    ) -> "CodeIndex":
        """Index a repository, or bring its index up to date.

        Args:
            root: the repository.
            model: a sentence-transformers model, or the name or folder of one (`DEFAULT_MODEL`: the small one that is part
                of this package); None: words only.
            folder: where the index is kept (default: in the user's cache, `places.default_folder(root)`).
            kinds: what to index, some of "function", "class", "file".
            batch_size: units embedded at once.
            trust_remote_code: for a `model` given by name: run the code that its folder carries. It is not remembered.
            progress: show progress bars.

        Raises:
            ValueError: nothing to index, or `folder` holds something else.
            OSError: `root` does not exist or `folder` cannot be written.
        """
        folder = Path(folder) if folder is not None else default_folder(root)
        _recover(folder)
        _check_replaceable(folder)
        encoder = _Encoder(model, trust_remote_code, batch_size) if model is not None else None
        building = _Building(folder, encoder)
        indexes = _indexes_inside(root, folder)
        for unit in iter_units(root, kinds=kinds, progress=progress):
            if not unit.path.startswith(indexes):
                building.add(unit)
        if not building.units:
            raise ValueError(
                f"there is nothing to index in {os.fspath(root)}: no readable text of kind {', '.join(kinds)}"
            )
        building.finish(progress)
        index = cls.load(folder)
        index._model = encoder.model if encoder is not None else None
        return index

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "CodeIndex":
        """Load an index; the embedding model is loaded with the first query that needs it.

        That is the model named with `use_model`, or the one that is part of this package, or the one that made the index if
        the index lies in the user's own cache. Code that a model carries is run for one named with `use_model` only.

        Raises:
            FileNotFoundError: no index there.
            ValueError: not an index of this format, or a damaged one.
        """
        import bm25s

        folder = Path(folder)
        if not (folder / "manifest.json").is_file():
            raise FileNotFoundError(f"there is no index at {folder}: make one with `codefuse-hf index`")
        try:
            manifest = _checked(json.loads((folder / "manifest.json").read_text()))
            units = [json.loads(line) for line in (folder / "units.jsonl").read_text().splitlines()]
            words = bm25s.BM25.load(folder / "words", load_corpus=False, allow_pickle=False)
            vectors = _read_vectors(folder) if manifest["model"] is not None else None
        except (ValueError, KeyError, OSError, RuntimeError) as error:
            raise ValueError(
                f"{folder} is not a usable index ({error}): make it again with `codefuse-hf index`"
            ) from error
        if len(units) != manifest["units"] or (vectors is not None and vectors.ntotal != len(units)):
            raise ValueError(f"{folder} is damaged: its files disagree about the number of units; make it again")
        return cls(folder, manifest, units, vectors, words, None)

    def use_model(self, model: Any, trust_remote_code: bool = False) -> None:
        """Embed queries with `model` (an object, name or folder).

        Args:
            model: the model that made the index.
            trust_remote_code: run the code that the folder of a `model` given by name carries.

        Raises:
            ValueError: it is not the model that made the index.
        """
        encoder = _Encoder(model, trust_remote_code, 1)
        probe = encoder.probe()
        stored = np.asarray(self.manifest["probe"], dtype=np.float32)
        if probe.shape != stored.shape or float(probe @ stored) < 0.999:
            raise ValueError(
                f"this index was made with another model ({self.manifest['model']!r}, width {len(stored)}), not with "
                f"{encoder.name!r} (width {len(probe)}): search with that model, or make the index again with this one"
            )
        self._model = encoder.model

    def search(
        self, query: str, k: int = 10, *, mode: str | None = None, kinds: tuple[str, ...] = KINDS
    ) -> list[SearchResult]:
        """The `k` best units for a query in plain words, best first.

        Args:
            query: what is looked for.
            k: how many results at the most.
            mode: "vectors", "words", or "hybrid", both fused by reciprocal rank; by default "hybrid" where there are vectors.
            kinds: only these kinds of units.

        Raises:
            ValueError: an empty query, k < 1, an unknown mode, or vectors wanted where there are none.
        """
        mode = mode or ("words" if self._vectors is None else "hybrid")
        if not query.strip():
            raise ValueError("the query is empty: say in words what to look for")
        if k < 1 or mode not in MODES:
            raise ValueError(f"k must be ≥ 1 and mode one of {', '.join(MODES)}, got k={k}, mode={mode!r}")
        if mode != "words" and self._vectors is None:
            raise ValueError(f"mode {mode!r} needs vectors, but this index was made without a model")
        wanted = np.array([unit["kind"] in kinds for unit in self.units])
        if mode == "hybrid":
            depth = max(100, 10 * k)
            rankings = (self._by_vectors(query, depth, wanted), self._by_words(query, depth, wanted))
            found = reciprocal_rank_fusion([[i for i, _ in ranking] for ranking in rankings])
        else:
            found = self._by_vectors(query, k, wanted) if mode == "vectors" else self._by_words(query, k, wanted)
        return [self._result(i, score) for i, score in found[:k]]

    def _by_vectors(self, query: str, depth: int, wanted: np.ndarray) -> list[tuple[int, float]]:
        if self._model is None:
            self.use_model(self._model_of_ones_own())
        vector = _unit_vectors(self._model.encode_query([query], convert_to_numpy=True, show_progress_bar=False))
        every = min(len(self), depth if wanted.all() else len(self))
        scores, indices = self._vectors.search(vector, every)
        return [(int(i), float(s)) for i, s in zip(indices[0], scores[0], strict=True) if i >= 0 and wanted[i]][:depth]

    def _model_of_ones_own(self) -> str:
        """The model that the index names, if that is the user's choice and not somebody else's."""
        name = self.manifest["model"]
        if name != DEFAULT_MODEL and not is_own(self.folder):
            raise ValueError(
                f"{self.folder} says that it was made with the model {name!r}. It is not among the indexes in your cache, and "
                "somebody else's index cannot choose what is loaded: name the model (--model, or use_model), or search by words"
            )
        return name

    def _by_words(self, query: str, depth: int, wanted: np.ndarray) -> list[tuple[int, float]]:
        known = [word for word in split_words(query) if word in self._words.vocab_dict]
        if not known:
            return []
        scores = np.where(wanted, self._words.get_scores(known), 0.0)
        best = np.argsort(-scores, kind="stable")[:depth]
        return [(int(i), float(scores[i])) for i in best if scores[i] > 0]

    def _result(self, i: int, score: float) -> SearchResult:
        unit = self.units[i]
        return SearchResult(score, *(unit[name] for name in ("kind", "name", "path", "line", "end_line", "snippet")))


def _load_model(model: str | os.PathLike, trust_remote_code: bool) -> Any:
    if model == DEFAULT_MODEL:
        return load_default_model()
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(os.fspath(model), trust_remote_code=trust_remote_code)
    except ValueError as error:
        if trust_remote_code or "trust_remote_code" not in str(error):
            raise
        raise ValueError(
            f"the model {os.fspath(model)!r} carries code of its own, which is run only if you name the model and say so: "
            "--model with --trust-remote-code (in Python, trust_remote_code=True)"
        ) from error


class _Encoder:
    """An embedding model and how it is called."""

    def __init__(self, model: Any, trust_remote_code: bool, batch_size: int):
        self.name, self.batch_size = str(model), batch_size
        self.model = model
        if isinstance(model, str | os.PathLike):
            self.model = _load_model(model, trust_remote_code)
            if model != DEFAULT_MODEL and Path(model).exists():
                self.name = os.fspath(Path(model).resolve())
        elif not hasattr(model, "encode_document"):
            raise TypeError(
                f"model must be a sentence-transformers model or the name of one, got {type(model).__name__}"
            )
        else:
            self.name = getattr(getattr(model, "model_card_data", None), "base_model", None) or type(model).__name__

    def encode(self, texts: list[str]) -> np.ndarray:
        """`[len(texts), width]`, float32, each of length 1."""
        options = {"batch_size": self.batch_size, "convert_to_numpy": True, "show_progress_bar": False}
        return _unit_vectors(self.model.encode_document(texts, **options))

    def probe(self) -> np.ndarray:
        return self.encode([_PROBE])[0]


class _Building:
    """An index in the making: vectors known already, blocks of new ones, words of every unit."""

    def __init__(self, folder: Path, encoder: _Encoder | None):
        self.folder, self.encoder = folder, encoder
        self.blocks = folder.with_name(f"{folder.name}.building")
        self.units: list[dict] = []
        self.vocabulary: dict[str, int] = {}
        self.words: list[array] = []
        self.pending: dict[str, str] = {}
        self.known: dict[str, np.ndarray] = {}
        if encoder is not None:
            self.probe = encoder.probe()
            finished = _vectors_of_blocks(self.blocks, self.probe)
            if self.blocks.exists():
                _say(f"going on from an interrupted run, which left {len(finished)} vectors in {self.blocks}")
            self.known = {**_vectors_of_index(folder, self.probe), **finished}
            self.computed = 0

    def add(self, unit: Unit) -> None:
        record = {**asdict(unit), "hash": unit.content_hash, "snippet": unit.snippet}
        text = record.pop("text")
        self.units.append(record)
        ids = (self.vocabulary.setdefault(word, len(self.vocabulary)) for word in split_words(f"{unit.name} {text}"))
        self.words.append(array("i", ids))
        if self.encoder is not None and record["hash"] not in self.known:
            self.pending[record["hash"]] = text
            if len(self.pending) >= _BLOCK:
                self.encode_pending()

    def encode_pending(self) -> None:
        """Embed what is pending and keep it on disk, so that an interruption does not lose it."""
        from safetensors.numpy import save_file

        if not self.pending:
            return
        hashes = list(self.pending)
        vectors = self.encoder.encode(list(self.pending.values()))
        self.known.update(zip(hashes, vectors, strict=True))
        self.computed += len(hashes)
        self.blocks.mkdir(parents=True, exist_ok=True)
        target = self.blocks / f"{hashes[0]}.safetensors"
        save_file({"vectors": vectors, "probe": self.probe}, f"{target}.partial", metadata={"hashes": " ".join(hashes)})
        os.replace(f"{target}.partial", target)
        self.pending.clear()

    def finish(self, progress: bool) -> None:
        """Write the index beside its place and put it there."""
        if self.encoder is not None:
            self.encode_pending()
        new = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            self._write(new, progress)
            old = self.folder.with_name(f"{self.folder.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            if self.folder.exists():
                os.replace(self.folder, old)
            os.replace(new, self.folder)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(self.blocks, ignore_errors=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _write(self, new: Path, progress: bool) -> None:
        import bm25s

        with (new / "units.jsonl").open("w", encoding="utf-8") as file:
            for unit in self.units:
                file.write(json.dumps(unit) + "\n")
        words = bm25s.BM25()
        corpus = (np.asarray(ids, dtype=np.int64) for ids in self.words)
        corpus = list(tqdm(corpus, desc="Words", unit="unit", total=len(self.words), disable=not progress))
        words.index((corpus, self.vocabulary), show_progress=False)
        words.save(new / "words", show_progress=False)
        manifest = {"format": FORMAT, "units": len(self.units), "model": None}
        if self.encoder is not None:
            _write_vectors(new, np.stack([self.known[unit["hash"]] for unit in self.units]))
            manifest |= {
                "model": self.encoder.name,
                "probe": [float(x) for x in self.probe],
                "embedded_now": self.computed,
            }
        (new / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def split_words(text: str) -> Iterator[str]:
    """Words and the parts of identifiers, in lower case: `getFileName` and `get_file_name` give get, file, name."""
    return (match.lower() for match in _WORD.findall(text) if len(match) > 1)


def _unit_vectors(vectors: np.ndarray) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _write_vectors(folder: Path, vectors: np.ndarray) -> None:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(folder / "vectors.faiss"))


def _read_vectors(folder: Path) -> Any:
    import faiss

    with (folder / "vectors.faiss").open("rb") as file:
        if file.read(4) != b"IxFI":  # flat, inner product: FAISS would read any of its kinds
            raise ValueError("vectors.faiss is no flat index")
    return faiss.read_index(str(folder / "vectors.faiss"))


def _vectors_of_index(folder: Path, probe: np.ndarray) -> dict[str, np.ndarray]:
    """Vectors of an earlier index made with the same model, by content."""
    try:
        index = CodeIndex.load(folder)
    except (OSError, ValueError):
        return {}
    if index._vectors is None or not _same_probe(np.asarray(index.manifest["probe"], dtype=np.float32), probe):
        return {}
    vectors = index._vectors.reconstruct_n(0, len(index))
    return {unit["hash"]: vector for unit, vector in zip(index.units, vectors, strict=True)}


def _vectors_of_blocks(blocks: Path, probe: np.ndarray) -> dict[str, np.ndarray]:
    """Vectors that an interrupted run had finished."""
    from safetensors import SafetensorError, safe_open

    known: dict[str, np.ndarray] = {}
    for path in sorted(blocks.glob("*.safetensors")):
        try:
            with safe_open(path, "numpy") as file:
                if _same_probe(file.get_tensor("probe"), probe):
                    known.update(zip(file.metadata()["hashes"].split(), file.get_tensor("vectors"), strict=True))
        except (SafetensorError, OSError, KeyError, ValueError):
            continue  # damaged: its vectors are computed again
    return known


def _same_probe(stored: np.ndarray, probe: np.ndarray) -> bool:
    return stored.shape == probe.shape and float(stored @ probe) > 0.999


def _checked(manifest: Any) -> dict[str, Any]:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if not isinstance(manifest["model"], str | None):
        raise ValueError(f"model must be a name or null, found {manifest['model']!r}")
    return manifest


def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _recover(folder: Path) -> None:
    """Put back what a run that was killed while it replaced the index had moved away."""
    old = folder.with_name(f"{folder.name}.old")
    if old.is_dir() and not folder.exists():
        os.replace(old, folder)
        _say(f"an interrupted run had moved the index away; it is back at {folder}")


def _indexes_inside(root: str | os.PathLike, folder: Path) -> tuple[str, ...]:
    """Beginnings of the paths in `root` that belong to an index and are no source: one it carries, and the one in the making."""
    base, folder = Path(root).resolve(), folder.resolve()
    prefixes = [f"{CARRIED_FOLDER}/"]
    if folder.is_relative_to(base):
        place = folder.relative_to(base).as_posix()
        prefixes += [f"{place}{state}/" for state in ("", ".building", ".new", ".old")]
    return tuple(prefixes)


def _check_replaceable(folder: Path) -> None:
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "manifest.json").is_file())
    ):
        raise ValueError(f"{folder} exists and is no code index: choose another place for the index")
