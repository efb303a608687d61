"""Localisation without a language model, measured: each kind of evidence alone, all but each, and all.

    python benchmarks/localisation.py INSTANCES.json ISSUES.json REPOSITORIES [--cache FOLDER]

INSTANCES is a list of `{"instance_id", "repo", "base_commit", "gold_files", "gold_functions"}`; ISSUES maps anything to records with
`instance_id` and `problem_statement` (the public `test_lite_basic_info.json` of CodeFuse-CGM has those of SWE-bench Lite); REPOSITORIES holds
git repositories as `owner+name/repo`. A rank is pessimistic: ties count against it. Files are all source files outside tests.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from codefuse_hf.repair import Locator, read_issue
from codefuse_hf.repair.evidence import KINDS
from codefuse_hf.repair.locate import FILE_SHARE, UNIT_WEIGHTS, WEIGHTS

RESULTS = Path(__file__).parent / "results"


def collect(instances: list[dict], texts: dict[str, str], repositories: Path, cache: Path | None) -> list[dict]:
    """The evidence of every instance, and the CPU seconds that it took."""
    found = []
    for instance in tqdm(instances, desc="Instances"):
        start = time.process_time()
        repository = repositories / instance["repo"].replace("/", "+") / "repo"
        locator = Locator.for_repository(
            repository, revision=instance["base_commit"], cache=cache, workers=0, progress=False
        )
        indexed = time.process_time()
        issue = read_issue(texts[instance["instance_id"]])
        evidence = {name: kind(issue, locator.places) for name, kind in KINDS.items()}
        found.append(
            {
                "instance": instance,
                "places": locator.places,
                "evidence": evidence,
                "index_seconds": indexed - start,
                "query_seconds": time.process_time() - indexed,
            }
        )
    return found


def file_rank(case: dict, weights: dict[str, float]) -> int:
    """The pessimistic rank of the best placed file that the fix changed."""
    scores = sum(weight * case["evidence"][name].files for name, weight in weights.items())
    paths = case["places"].paths
    gold = [paths.index(path) for path in case["instance"]["gold_files"] if path in paths]
    return min((int((scores >= scores[each]).sum()) for each in gold), default=10**9)


def unit_rank(case: dict, weights: dict[str, float]) -> int:
    """The pessimistic rank of the best placed function or class that the fix changed."""
    places, instance = case["places"], case["instance"]
    files = sum(weight * case["evidence"][name].files for name, weight in weights.items())
    scores = sum(weight * case["evidence"][name].units for name, weight in UNIT_WEIGHTS.items())
    scores = scores + FILE_SHARE * files[places.unit_files]
    wanted = [
        position
        for position, unit in enumerate(places.units)
        if unit.name in instance["gold_functions"] and places.paths[unit.file] in instance["gold_files"]
    ]
    return min((int((scores >= scores[each]).sum()) for each in wanted), default=10**9)


def summary(ranks: list[int]) -> dict[str, float]:
    """Recall at 1, 5, 10 and 60 and the mean reciprocal rank."""
    ranks = np.array(ranks)
    return {
        **{f"R@{k}": round(float((ranks <= k).mean()), 3) for k in (1, 5, 10, 60)},
        "MRR": round(float((1 / ranks).mean()), 3),
    }


def measure(cases: list[dict]) -> dict[str, dict[str, float]]:
    """Name of a combination → its figures."""
    rows = {"all": summary([file_rank(case, WEIGHTS) for case in cases])}
    with_functions = [case for case in cases if case["instance"]["gold_functions"]]
    rows["all, functions"] = summary([unit_rank(case, WEIGHTS) for case in with_functions])
    for name in WEIGHTS:
        rows[f"{name} alone"] = summary([file_rank(case, {name: 1.0}) for case in cases])
    for name in WEIGHTS:
        rest = {each: weight for each, weight in WEIGHTS.items() if each != name}
        rows[f"all but {name}"] = summary([file_rank(case, rest) for case in cases])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", type=Path)
    parser.add_argument("issues", type=Path)
    parser.add_argument("repositories", type=Path)
    parser.add_argument("--cache", type=Path, help="where what is read of the repositories is kept")
    parser.add_argument("--output", type=Path, default=RESULTS / "localisation.json")
    args = parser.parse_args()
    instances = json.loads(args.instances.read_text())
    texts = {each["instance_id"]: each["problem_statement"] for each in json.loads(args.issues.read_text()).values()}
    cases = collect(instances, texts, args.repositories, args.cache)
    rows = measure(cases)
    result = {
        "instances": len(cases),
        "python": platform.python_version(),
        "median_files": float(np.median([len(case["places"].paths) for case in cases])),
        "median_query_cpu_seconds": round(float(np.median([case["query_seconds"] for case in cases])), 2),
        "median_index_cpu_seconds": round(float(np.median([case["index_seconds"] for case in cases])), 2),
        "ranks": {case["instance"]["instance_id"]: file_rank(case, WEIGHTS) for case in cases},
        "rows": rows,
    }
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    columns = list(rows["all"])
    lines = [f"| {len(cases)} issues | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |" for name, row in rows.items()]
    args.output.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
