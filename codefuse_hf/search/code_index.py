"""The index of a repository, loaded: it answers questions. `building` makes it, `storage` keeps it.

An index is data, whoever made it: it never decides whether code is run, and it decides what model is loaded only where it lies in
the user's own cache (`places`).
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codefuse_hf.graph.build.test_paths import is_test
from codefuse_hf.search import storage
from codefuse_hf.search.default_model import DEFAULT_MODEL
from codefuse_hf.search.encoder import Encoder, same_probe
from codefuse_hf.search.freshness import Freshness
from codefuse_hf.search.kinds import KINDS, MODES
from codefuse_hf.search.paths import PathFilter
from codefuse_hf.search.places import default_folder, is_own
from codefuse_hf.search.ranking import add_named, combine, is_data, named_in, priors, spread
from codefuse_hf.search.words import count_words


@dataclass(frozen=True)
class SearchResult:
    """One hit. `score` is between 0 and 1 and compares the results of one question, not those of two (`ranking`)."""

    score: float
    kind: str
    name: str
    path: str
    line: int
    end_line: int
    snippet: str


class CodeIndex:
    """An index that has been loaded; make one with `CodeIndex.build` or `CodeIndex.load`.

    Attributes:
        folder: where it lies.
        manifest: what it says of itself.
        units: the record of each unit.
        root: the repository, by which results are checked for changes; None: they are not.
        left_out: how many results of the last search were left out, because their code is gone or another now.
    """

    def __init__(self, folder: Path, content: storage.Content, model: Any = None, root: Path | None = None):
        self.folder, self.manifest, self.units, self.root = folder, content.manifest, content.units, root
        self._files, self._vectors = content.files, content.vectors
        self._words, self._file_words = content.words, content.file_words
        self._encoder: Encoder | None = model
        self.left_out = 0

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
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
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
            kinds: what to index, some of "function", "class", "section", "file".
            include, exclude: patterns of paths, see `PathFilter`.
            batch_size: units embedded at once.
            trust_remote_code: for a `model` given by name: run the code that its folder carries. It is not remembered.
            progress: show progress bars, if there is a terminal.

        Raises:
            ValueError: nothing to index, or `folder` holds something else.
            OSError: `root` does not exist or `folder` cannot be written.
        """
        from codefuse_hf.search.building import build_index

        if not Path(root).is_dir():
            raise FileNotFoundError(f"there is no folder {os.fspath(root)!r} to index")
        folder = Path(folder) if folder is not None else default_folder(root)
        encoder = build_index(
            root, folder, model=model, kinds=kinds, wanted=PathFilter(include, exclude), batch_size=batch_size,
            trust_remote_code=trust_remote_code, progress=progress,
        )  # fmt: skip
        return cls(folder, storage.read(folder), encoder, Path(root))

    @classmethod
    def load(cls, folder: str | os.PathLike, root: str | os.PathLike | None = None) -> "CodeIndex":
        """Load an index; the embedding model is loaded with the first query that needs it.

        That is the model named with `use_model`, or the one that is part of this package, or the one that made the index if
        the index lies in the user's own cache. Code that a model carries is run for one named with `use_model` only.

        Args:
            folder: the index.
            root: the repository, if results are to be checked for changes; an index in the user's cache knows it.

        Raises:
            FileNotFoundError: no index there.
            ValueError: not an index of this format, or a damaged one.
        """
        folder = Path(folder)
        content = storage.read(folder)
        if root is None and is_own(folder):
            root = content.manifest.get("root")
        return cls(folder, content, None, None if root is None else Path(root))

    def use_model(self, model: Any, trust_remote_code: bool = False) -> None:
        """Embed queries with `model` (an object, name or folder).

        Args:
            model: the model that made the index.
            trust_remote_code: run the code that the folder of a `model` given by name carries.

        Raises:
            ValueError: it is not the model that made the index.
        """
        encoder = Encoder(model, trust_remote_code, 1)
        probe = encoder.probe()
        stored = np.asarray(self.manifest["probe"], dtype=np.float32)
        if not same_probe(stored, probe):
            raise ValueError(
                f"this index was made with another model ({self.manifest['model']!r}, width {len(stored)}), not with "
                f"{encoder.name!r} (width {len(probe)}): search with that model, or make the index again with this one"
            )
        self._encoder = encoder

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: str | None = None,
        kinds: tuple[str, ...] = KINDS,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        within: str = "",
        tests: bool | None = None,
    ) -> list[SearchResult]:
        """Find the `k` best units for a query in plain words, best first, as the repository is now: what was changed or deleted
        since it was indexed is left out and counted in `left_out`.

        Args:
            query: what is looked for.
            k: how many results at the most.
            mode: "vectors", "words", or "hybrid", both weighed; by default "hybrid" where there are vectors.
            kinds: only these kinds of units.
            include, exclude: only files that these patterns choose, see `PathFilter`.
            within: only below this folder of the repository.
            tests: whether tests rank as high as other code; by default where the query speaks of tests.

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
        if tests is None:
            tests = "test" in count_words(query)
        of_tests = np.zeros(len(self), bool) if tests else self._of_paths(is_test)
        kinds_of_units = np.array([unit["kind"] for unit in self.units], dtype=object)
        sizes = np.array([unit["end_line"] - unit["line"] + 1 for unit in self.units], int)
        factors = priors(kinds_of_units, sizes, of_tests, self._of_paths(is_data))
        scores = self._scores(query, mode) * factors
        if mode != "vectors":
            definitions = [unit["name"] if unit["kind"] in ("function", "class") else "" for unit in self.units]
            scores = add_named(scores, named_in(query, definitions, [unit["path"] for unit in self.units]))
        wanted = (
            np.isin(kinds_of_units, list(kinds)) & self._of_paths(PathFilter(include, exclude, within)) & (scores > 0)
        )
        order = np.argsort(-np.where(wanted, scores, -np.inf), kind="stable")[: int(wanted.sum())]
        return self._fresh(order, scores, k)

    def _scores(self, query: str, mode: str) -> np.ndarray:
        """The score of every unit, 0 … 1."""
        cosines = None
        if mode != "words":
            if self._encoder is None:
                self.use_model(self._model_of_ones_own())
            found, indices = self._vectors.search(self._encoder.encode_query(query)[None], len(self))
            cosines = np.zeros(len(self), np.float32)
            cosines[indices[0]] = found[0]
        if mode == "vectors":
            return spread(cosines)
        words = count_words(query)
        place = {path: i for i, path in enumerate(self._files)}
        files = np.array([place[unit["path"]] for unit in self.units], int)
        own = self._words.score(words)
        scores = combine(own, self._file_words.score(words)[files], cosines)
        return np.where(own > 0, scores, 0.0) if cosines is None else scores

    def _of_paths(self, holds: Any) -> np.ndarray:
        """bool [units]: what holds of each unit's path."""
        answers = {path: holds(path) for path in self._files}
        return np.array([answers.get(unit["path"], False) for unit in self.units], bool)

    def _fresh(self, order: np.ndarray, scores: np.ndarray, k: int) -> list[SearchResult]:
        freshness = None if self.root is None else Freshness(self.root, self._files)
        results, self.left_out = [], 0
        for position in order.tolist():
            unit = self.units[position] if freshness is None else freshness.now(self.units[position])
            if unit is None:
                self.left_out += 1
                continue
            fields = (unit[name] for name in ("kind", "name", "path", "line", "end_line", "snippet"))
            results.append(SearchResult(float(scores[position]), *fields))
            if len(results) == k:
                break
        return results

    def _model_of_ones_own(self) -> str:
        """The model that the index names, if that is the user's choice and not somebody else's."""
        name = self.manifest["model"]
        if name != DEFAULT_MODEL and not is_own(self.folder):
            raise ValueError(
                f"{self.folder} says that it was made with the model {name!r}. It is not among the indexes in your cache, and "
                "somebody else's index cannot choose what is loaded: name the model (--model, or use_model), or search by words"
            )
        return name
