"""Fits the weights of the kinds of evidence on mined pairs: what `codefuse_hf.repair.locate` holds as constants comes from here.

    python benchmarks/localisation_fit.py REPOSITORIES [--cache FOLDER]

A ranking is a weighted sum, and the weights, none negative, are those that make the right file the most probable one in a softmax over all files of its
repository, drawn (`PENALTY`) towards weights chosen by hand on the development set (`CHOSEN`). Each pair counts twice, as it was written and without the
names of what was changed, which a commit gives away and an issue often does not. "held out" is what the weights fitted on all other repositories
give for one.
"""

import argparse
from pathlib import Path

import numpy as np
from localisation import collect, file_rank, read_instances, summary
from localisation_pairs import PAIRS, without_names
from scipy.optimize import minimize

from codefuse_hf.repair.evidence import KINDS
from codefuse_hf.repair.locate import WEIGHTS

PENALTY = 40.0
SHARPNESS = 8.0  # of the softmax: weights of about 0.5 then stand for probabilities that mean something
CHOSEN = {
    "words_of_files": 0.4, "words_of_units": 0.6, "words_of_names": 0.2, "definitions": 0.8, "dotted_names": 0.2, "paths": 1.0,
    "tracebacks": 1.2, "phrases": 0.6, "literals": 0.2, "tests": 0.5, "called": 0.3, "standing": 0.8,
}  # fmt: skip


def fit(cases: list[dict], names: list[str]) -> dict[str, float]:
    """The best weights for cases as `collect` gives them."""
    tables = [(np.stack([case["evidence"][name].files for name in names], 1), _gold(case)) for case in cases]
    tables = [(table, gold) for table, gold in tables if len(gold)]
    start = np.array([CHOSEN[name] for name in names])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = PENALTY * ((weights - start) ** 2).sum(), 2 * PENALTY * (weights - start)
        for table, gold in tables:
            scores = SHARPNESS * (table @ weights)
            odds = np.exp(scores - scores.max())
            right = odds[gold].sum()
            total += np.log(odds.sum() / right)
            slope = slope + SHARPNESS * (odds @ table / odds.sum() - odds[gold] @ table[gold] / right)
        return total, slope

    found = minimize(loss, start, jac=True, bounds=[(0, None)] * len(names), method="L-BFGS-B")
    return dict(zip(names, found.x.round(2).tolist(), strict=True))


def _gold(case: dict) -> list[int]:
    paths = case["places"].paths
    return [paths.index(path) for path in case["instance"]["gold_files"] if path in paths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", type=Path)
    parser.add_argument("--cache", type=Path, help="where graphs are kept")
    args = parser.parse_args()
    written = read_instances(PAIRS, args.repositories, None)
    masked = [{**each, "text": without_names(each["text"], each)} for each in written]
    parts = {"as written": len(written), "without names": len(masked)}
    cases = collect(written, args.repositories, args.cache) + collect(masked, args.repositories, args.cache)
    names, weights = list(KINDS), fit(cases, list(KINDS))
    held_out = {}
    for repo in {case["instance"]["repo"] for case in cases}:
        of_others = fit([case for case in cases if case["instance"]["repo"] != repo], names)
        held_out |= {id(case): file_rank(case, of_others) for case in cases if case["instance"]["repo"] == repo}
    for part, size in parts.items():
        inside, cases = cases[:size], cases[size:]
        for name, ranks in (
            ("constants", [file_rank(case, WEIGHTS) for case in inside]),
            ("chosen", [file_rank(case, CHOSEN) for case in inside]),
            ("held out", [held_out[id(case)] for case in inside]),
        ):
            print(f"{part}, {name}: {summary(ranks)}")
    print(weights)


if __name__ == "__main__":
    main()
