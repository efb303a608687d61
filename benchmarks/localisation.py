"""Localisation without a language model, measured: each kind of evidence alone, all but each, all, and the subgraph's files.

    python benchmarks/localisation.py INSTANCES.json REPOSITORIES [--issues ISSUES.json] [--cache FOLDER]

INSTANCES is a list of `{"instance_id", "repo", "base_commit", "gold_files", "gold_functions"}`; ISSUES maps anything to records with
`instance_id` and `problem_statement` (the public `test_lite_basic_info.json` of CodeFuse-CGM has those of SWE-bench Lite); without it, each instance
names a `commit`, whose message is the text (`localisation_pairs.py`). REPOSITORIES holds git repositories as `owner+name/repo`. A rank is pessimistic:
ties count against it. Files are all source files outside tests.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from localisation_pairs import folder, message
from tqdm import tqdm

from codefuse_hf.graph import CodeGraph, build_code_graph
from codefuse_hf.repair import Locator, Places, read_issue
from codefuse_hf.repair.evidence import KINDS
from codefuse_hf.repair.locate import FILE_SHARE, UNIT_WEIGHTS, WEIGHTS
from codefuse_hf.repair.retriever import MAX_FILES, Retriever

RESULTS = Path(__file__).parent / "results"


def read_instances(path: Path, repositories: Path, issues: Path | None) -> list[dict]:
    """The instances with their texts as `text`."""
    instances = json.loads(path.read_text())
    if issues is None:
        texts = {each["instance_id"]: message(folder(repositories, each["repo"]), each["commit"]) for each in instances}
    else:
        texts = {each["instance_id"]: each["problem_statement"] for each in json.loads(issues.read_text()).values()}
    return [{**each, "text": texts[each["instance_id"]]} for each in instances]


def collect(instances: list[dict], repositories: Path, cache: Path | None) -> list[dict]:
    """The evidence of every instance, the CPU seconds that it took, and whether the subgraph has the right file."""
    found, places, base = [], None, None
    for instance in tqdm(sorted(instances, key=lambda each: (each["repo"], each["base_commit"])), desc="Instances"):
        if base != (instance["repo"], instance["base_commit"]):
            base = (instance["repo"], instance["base_commit"])
            start = time.process_time()
            graph = read_graph(instance, repositories, cache)
            places = Places.from_graph(graph)
            index_seconds = time.process_time() - start
        start = time.process_time()
        issue = read_issue(instance["text"])
        evidence = {name: kind(issue, places) for name, kind in KINDS.items()}
        seconds = time.process_time() - start
        retrieval = Retriever(graph).retrieve(Locator(places).locate(issue, files=MAX_FILES, units=MAX_FILES))
        found.append(
            {
                "instance": instance,
                "places": places,
                "evidence": evidence,
                "index_seconds": index_seconds,
                "query_seconds": seconds,
                "subgraph_files": len(retrieval.files),
                "in_subgraph": bool(set(retrieval.files).intersection(instance["gold_files"])),
            }
        )
    return found


def read_graph(instance: dict, repositories: Path, cache: Path | None) -> CodeGraph:
    """The graph of an instance's base commit, kept in `cache`."""
    kept = (
        None if cache is None else cache / f"{instance['repo'].replace('/', '+')}@{instance['base_commit'][:12]}.json"
    )
    if kept is not None and kept.is_file():
        return CodeGraph.load(kept)
    graph = build_code_graph(
        folder(repositories, instance["repo"]), revision=instance["base_commit"], workers=0, progress=False, text_files=False
    )  # fmt: skip
    if kept is not None:
        cache.mkdir(parents=True, exist_ok=True)
        graph.save(kept)
    return graph


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


def report(cases: list[dict], output: Path) -> None:
    """Write and print the figures."""
    rows = measure(cases)
    inside = float(np.mean([case["in_subgraph"] for case in cases]))
    result = {
        "instances": len(cases),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "median_files": float(np.median([len(case["places"].paths) for case in cases])),
        "median_query_cpu_seconds": round(float(np.median([case["query_seconds"] for case in cases])), 2),
        "subgraph_has_the_file": round(inside, 3),
        "subgraph_files_at_most": max(case["subgraph_files"] for case in cases),
        "ranks": {case["instance"]["instance_id"]: file_rank(case, WEIGHTS) for case in cases},
        "rows": rows,
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    columns = list(rows["all"])
    lines = [f"| {len(cases)} issues | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |" for name, row in rows.items()]
    lines += [
        "",
        f"The subgraph of at most {MAX_FILES} files, without a language model, has the right file for {inside:.3f} of the issues.",
    ]
    output.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", type=Path)
    parser.add_argument("repositories", type=Path)
    parser.add_argument("--issues", type=Path, help="where the texts are; default: the messages of commits")
    parser.add_argument("--cache", type=Path, help="where graphs are kept")
    parser.add_argument("--output", type=Path, default=RESULTS / "localisation.json")
    args = parser.parse_args()
    cases = collect(read_instances(args.instances, args.repositories, args.issues), args.repositories, args.cache)
    report(cases, args.output)


if __name__ == "__main__":
    main()
