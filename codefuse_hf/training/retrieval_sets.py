"""The standard code-search data sets, from local files in their published formats; nothing is downloaded.

| set | files |
| --- | --- |
| CodeSearchNet | `*.jsonl` or `*.jsonl.gz` with `docstring` (or `docstring_tokens`) and `code`, `url`, `partition` |
| CosQA | a JSON list of `{"idx", "doc", "code", "retrieval_idx", "label"}`; for retrieval also `code_idx_map.txt` |
| AdvTest | `train.jsonl`, `valid.jsonl`, `test.jsonl` with `docstring_tokens` and `code` (or `code_tokens`), `url` or `idx` |
| CoIR, MTEB | `corpus.jsonl`, `queries.jsonl` (`_id`, `text`, `title`) and `qrels/<split>.tsv` |
"""

import csv
import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RetrievalSet:
    """Queries, documents and which belongs to which.

    Attributes:
        queries, corpus: id → text.
        relevant: query id → document id → gain (> 0).
    """

    queries: dict[str, str]
    corpus: dict[str, str]
    relevant: dict[str, dict[str, float]]

    def __post_init__(self):
        for query, documents in self.relevant.items():
            unknown = [d for d in documents if d not in self.corpus]
            if query not in self.queries or unknown:
                missing = f"query {query!r}" if query not in self.queries else f"document {unknown[0]!r}"
                raise ValueError(f"the judgements name the {missing}, which is not among the texts")

    def pairs(self) -> list[tuple[str, str]]:
        """Return (query, relevant document) texts, for training."""
        return [(self.queries[q], self.corpus[d]) for q, documents in self.relevant.items() for d in documents]

    def evaluator(self, **kwargs):
        """Make sentence-transformers' `InformationRetrievalEvaluator` of it."""
        from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

        relevant = {query: set(documents) for query, documents in self.relevant.items()}
        return InformationRetrievalEvaluator(self.queries, self.corpus, relevant, **kwargs)


def load_codesearchnet(path: str | os.PathLike, partition: str | None = None) -> RetrievalSet:
    """CodeSearchNet (arXiv 1909.09436): each function is the answer to its own docstring.

    Args:
        path: a file, or a folder with files anywhere below it.
        partition: only "train", "valid" or "test"; by default all that is there.
    """
    rows = (row for file in _files(path, (".jsonl", ".jsonl.gz")) for row in _json_lines(file))
    rows = (row for row in rows if partition is None or row.get("partition", partition) == partition)
    return _own_description(rows, path, code_keys=("code", "original_string", "function"))


def load_advtest(path: str | os.PathLike, split: str = "test") -> RetrievalSet:
    """AdvTest of CodeXGLUE (arXiv 2102.04664): like CodeSearchNet, with the names in test code replaced."""
    path = Path(path)
    return _own_description(
        _json_lines(path if path.is_file() else path / f"{split}.jsonl"), path, ("code", "function")
    )


def load_cosqa(path: str | os.PathLike, codes: str | os.PathLike | None = None) -> RetrievalSet:
    """CosQA (arXiv 2105.13239): web queries.

    Args:
        path: the JSON list of queries, e.g. `cosqa-retrieval-test-500.json`; rows labelled 0 are not relevant.
        codes: `code_idx_map.txt`, all candidate functions; by default those of the rows themselves.
    """
    rows = _json(path)
    if not isinstance(rows, list):
        raise ValueError(f"{path} must hold a list of rows, found {type(rows).__name__}")
    corpus = {str(i): code for code, i in _json(codes).items()} if codes is not None else {}
    queries, relevant = {}, {}
    for number, row in enumerate(rows):
        query, code = _text(row, ("doc", "query"), path, number), _text(row, ("code",), path, number)
        document = str(row.get("retrieval_idx", row.get("idx", number)))
        if codes is None:
            corpus.setdefault(document, code)
        if int(row.get("label", 1)) == 0:
            continue
        name = str(row.get("idx", number))
        queries[name] = query
        relevant[name] = {document: 1.0}
    return _checked(RetrievalSet(queries, corpus, relevant), path)


def load_coir(path: str | os.PathLike, split: str = "test") -> RetrievalSet:
    """Read a task of CoIR (arXiv 2407.02883) or MTEB in BEIR's layout: a folder with corpus, queries and qrels."""
    path = Path(path)
    corpus = {str(row["_id"]): _titled(row) for row in _json_lines(path / "corpus.jsonl")}
    every = {str(row["_id"]): row["text"] for row in _json_lines(path / "queries.jsonl")}
    relevant: dict[str, dict[str, float]] = {}
    with _open(path / "qrels" / f"{split}.tsv") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
            try:
                query, document, gain = row["query-id"], row["corpus-id"], float(row["score"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}/qrels/{split}.tsv, row {number + 1}: expected query-id, corpus-id, score"
                ) from error
            if gain > 0:
                relevant.setdefault(query, {})[document] = gain
    return _checked(RetrievalSet({q: every[q] for q in relevant if q in every}, corpus, relevant), path)


def _own_description(rows: Iterator[dict], path, code_keys: tuple[str, ...]) -> RetrievalSet:
    queries, corpus, relevant = {}, {}, {}
    for number, row in enumerate(rows):
        name = str(row.get("url") or row.get("idx") or number)
        query = _text(row, ("docstring_tokens", "docstring"), path, number)
        queries[name], corpus[name] = query, _text(row, (*code_keys, "code_tokens"), path, number)
        relevant[name] = {name: 1.0}
    return _checked(RetrievalSet(queries, corpus, relevant), path)


def _checked(found: RetrievalSet, path) -> RetrievalSet:
    if not found.relevant:
        raise ValueError(f"{path} holds no query with a relevant document")
    return found


def _text(row: Any, keys: tuple[str, ...], path, number: int) -> str:
    for key in keys:
        value = row.get(key) if isinstance(row, dict) else None
        if value:
            return " ".join(value) if isinstance(value, list) else value
    raise ValueError(f"{path}, row {number}: expected one of the keys {', '.join(keys)}")


def _titled(row: dict) -> str:
    return f"{row['title']}\n{row['text']}" if row.get("title") else row["text"]


def _files(path: str | os.PathLike, suffixes: tuple[str, ...]) -> list[Path]:
    path = Path(path)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.name.endswith(suffixes))
    if not files:
        raise FileNotFoundError(f"there are no {' or '.join(suffixes)} files at {path}")
    return files


def _open(path: Path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _json_lines(path: Path) -> Iterator[dict]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise ValueError(f"{path}, line {number}: not JSON ({error.msg})") from error


def _json(path: str | os.PathLike) -> Any:
    with _open(Path(path)) as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not JSON ({error.msg}, line {error.lineno})") from error
