"""Recall of static `calls` edges over the calls that happen at run time, per package.

Each workload of `graph_workloads.py` runs in its own process under `sys.setprofile`, which notes every call between two
functions of the package: the frame that starts and the frame right behind it. Left out, because no call between the two
is written: module and class bodies that run, and resumed generators (a generator's frame starts when it is first
resumed, by whoever iterates). Comprehensions belong to the function around them. The graph of the package is then built
from its source alone, and each traced pair is looked up among its `calls` edges.

Recall could be bought with edges to everything, so the table also gives, for the functions that ran, how many targets the
graph has for each target that was seen (`targets per traced target`).

    python benchmarks/graph_runtime_recall.py [--packages networkx mpmath] [--seconds 40] [--misses 20]
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import importlib.util
import inspect
import json
import linecache
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from graph_common import RESULTS, GraphIndex, build_package_graph, environment_facts, is_test_file, write_result
from graph_workloads import WORKLOADS, run_tests

TRANSPARENT = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Tracer:
    """Notes calls between the functions of one package, with the line of one call of each pair."""

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve()) + os.sep
        self.inside: dict[object, str | None] = {}
        self.calls: dict[tuple[object, object], int] = {}
        self.comprehensions: dict[tuple[object, str], object] = {}

    def _path(self, code: object) -> str | None:
        file = code.co_filename
        return file[len(self.root) :] if file.startswith(self.root) else None

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event != "call":
            return
        code, back = frame.f_code, frame.f_back
        if back is None or code.co_flags & SUSPENDABLE or not code.co_flags & inspect.CO_OPTIMIZED:
            return
        inside = self.inside
        if code not in inside:
            inside[code] = self._path(code)
        if inside[code] is None or code.co_name in TRANSPARENT:
            return
        line = back.f_lineno
        caller = back.f_code
        while (
            caller.co_name in TRANSPARENT
            and back.f_back is not None
            and back.f_back.f_code.co_filename == caller.co_filename
        ):
            back = back.f_back
            caller = back.f_code
        if caller not in inside:
            inside[caller] = self._path(caller)
        if inside[caller] is not None and (caller, code) not in self.calls:
            self.calls[caller, code] = line

    def records(self) -> list[dict]:
        """The calls as plain data: path, first line, and name of both ends, and the line of the call."""

        def end(code: object) -> list:
            return [self.inside[code], code.co_firstlineno, code.co_name]

        rows = [{"caller": end(a), "callee": end(b), "line": line or 0} for (a, b), line in self.calls.items()]
        return sorted(rows, key=lambda row: (row["caller"], row["callee"]))


def trace(package: str, seconds: float, output: Path) -> None:
    """Run the workload of `package` in this process and write the traced calls to `output`."""
    workload = next(item for item in WORKLOADS if item.package == package)
    root = package_root(package)
    tracer = Tracer(root)
    facts: dict[str, int] = {}
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        if workload.run is None:
            facts = run_tests(root, workload.tests, seconds)
        else:
            workload.run(seconds)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        output.write_text(json.dumps({"facts": facts, "calls": tracer.records()}))
    os._exit(0)  # some suites leave pools and threads behind


def package_root(package: str) -> Path:
    """Folder of an installed package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no installed package {package!r}")
    return Path(next(iter(spec.submodule_search_locations)))


class Sites:
    """Finds the nodes of traced frames: by file, name and line; a decorated function's frame starts at its decorator."""

    def __init__(self, index: GraphIndex, root: Path) -> None:
        self.root = root
        self.by_place: dict[tuple[str, str, int], list[int]] = collections.defaultdict(list)
        self.definition_lines: dict[str, dict[tuple[str, int], int]] = {}
        for node, record in index.records.items():
            if record["nodeType"] not in ("Function", "Lambda", "Class", "File"):
                continue
            name = record.get("name") or record.get("className") or ""
            name = {"Lambda": "<lambda>", "File": "<module>"}.get(record["nodeType"], name)
            line = 1 if name == "<module>" else record["startLoc"]
            self.by_place[index.path_of(node).split("/", 1)[-1], name, line].append(node)

    def _lines(self, path: str) -> dict[tuple[str, int], int]:
        if path not in self.definition_lines:
            lines = self.definition_lines[path] = {}
            for node in ast.walk(ast.parse((self.root / path).read_bytes())):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.decorator_list:
                    lines[node.name, min(item.lineno for item in node.decorator_list)] = node.lineno
        return self.definition_lines[path]

    def find(self, path: str, line: int, name: str) -> list[int]:
        """Nodes that the frame may be; more than one for several lambdas on a line, none for generated code."""
        if name == "<module>":
            line = 1
        found = self.by_place.get((path, name, line))
        if not found:
            found = self.by_place.get((path, name, self._lines(path).get((name, line), -1)))
        return found or []


SPECIAL = re.compile(r"__\w+__$")


def cause(row: dict, root: Path) -> str:
    """Why a call is hard to see, judged by the line it was made on."""
    name = row["callee"][2]
    text = linecache.getline(str(root / row["caller"][0]), row["line"])
    if name in ("__init__", "__new__"):
        return "constructor"
    if SPECIAL.match(name):
        return "special method through syntax or a builtin"
    if name == "<lambda>":
        return "lambda"
    if re.search(rf"(self|cls|super\(.*\))\.{re.escape(name)}\s*\(", text):
        return "method of self, cls or super()"
    if re.search(rf"\.{re.escape(name)}\s*\(", text):
        return "method of another object, or module attribute"
    if re.search(rf"(?<![\w.]){re.escape(name)}\s*\(", text):
        return "plain name"
    if re.search(rf"\.{re.escape(name)}\b", text):
        return "attribute read: property, or passed on"
    return "function held by a variable, or called on behalf"


def measure(package: str, traced: dict, misses: int) -> dict:
    """Look the traced calls up in the graph of the package."""
    root = package_root(package)
    index = build_package_graph(root)
    sites = Sites(index, root)
    static = index.targets("calls")
    counts, hits, causes = collections.Counter(), collections.Counter(), collections.Counter()
    seen: dict[int, set[int]] = collections.defaultdict(set)
    examples = []
    for row in traced["calls"]:
        callers, callees = sites.find(*row["caller"]), sites.find(*row["callee"])
        if not callers or not callees:
            counts["without a node (generated code)"] += 1
            continue
        scope = "test files" if is_test_file(row["caller"][0]) else "package"
        hit = any(callee in static.get(caller, ()) for caller in callers for callee in callees)
        kind = cause(row, root)
        counts[scope] += 1
        hits[scope] += hit
        if scope == "package":
            counts[kind] += 1
            hits[kind] += hit
            for caller in callers[:1]:
                seen[caller].add(callees[0])
        if not hit and scope == "package":
            causes[kind] += 1
            examples.append({"cause": kind, **row})
    targets = sum(len(static.get(caller, ())) for caller in seen)
    total = counts["package"] + counts["test files"]
    lines = sum(
        len(path.read_bytes().splitlines())
        for path in root.rglob("*.py")
        if not is_test_file(path.relative_to(root).as_posix())
    )
    result = {
        "lines": lines,
        "workload": traced["facts"] or "own workload",
        "traced_calls": counts["package"],
        "recall": round(hits["package"] / max(counts["package"], 1), 4),
        "traced_calls_with_tests": total,
        "recall_with_tests": round((hits["package"] + hits["test files"]) / max(total, 1), 4),
        "without_a_node": counts["without a node (generated code)"],
        "targets_per_traced_target": round(targets / max(sum(map(len, seen.values())), 1), 2),
        "by_kind": {
            kind: {"traced": counts[kind], "recall": round(hits[kind] / counts[kind], 4)}
            for kind in sorted(counts)
            if kind not in ("package", "test files", "without a node (generated code)")
        },
        "missed_by_kind": dict(causes.most_common()),
    }
    if misses:
        by_kind = collections.defaultdict(list)
        for example in examples:
            by_kind[example["cause"]].append(example)
        for kind, rows in by_kind.items():
            print(f"\n{package}: {kind}: {len(rows)}")
            for row in rows[:: max(1, len(rows) // misses)][:misses]:
                text = linecache.getline(str(root / row["caller"][0]), row["line"]).strip()
                print(
                    f"    {row['caller'][0]}:{row['line']} {row['caller'][2]} -> {row['callee'][0]}:{row['callee'][1]} {row['callee'][2]}   | {text[:110]}"
                )
    return result


def run_trace(package: str, seconds: float, output: Path) -> None:
    """Trace a workload in a process of its own; no file is written where it dies or does not end."""
    command = [sys.executable, __file__, "--trace", package, "--seconds", str(seconds), "--trace-output", str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=environment, timeout=4 * seconds + 120, check=False)


def table(results: dict[str, dict]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| package | lines | traced calls | recall | with test files | targets per traced target |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for package, item in results.items():
        rows.append(
            f"| {package} | {item['lines']:,} | {item['traced_calls']:,} | {item['recall']:.3f} "
            f"| {item['recall_with_tests']:.3f} ({item['traced_calls_with_tests']:,}) | {item['targets_per_traced_target']:.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Trace and measure the chosen packages; traces are kept beside the results when `--traces` names a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", nargs="+", default=[item.package for item in WORKLOADS])
    parser.add_argument("--seconds", type=float, default=20, help="time for each test suite")
    parser.add_argument("--misses", type=int, default=0, help="print that many missed calls of each kind")
    parser.add_argument("--traces", type=Path, help="keep traces here, and read those that are there already")
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_runtime_recall.json")
    parser.add_argument("--trace", help=argparse.SUPPRESS)
    parser.add_argument("--trace-output", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.trace:
        trace(options.trace, options.seconds, options.trace_output)
    results = {}
    with contextlib.ExitStack() as stack:
        folder = options.traces or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        for package in options.packages:
            file = folder / f"{package}.json"
            if not file.is_file():
                run_trace(package, options.seconds, file)
            if not file.is_file():
                print(f"{package}: the workload ended without a trace", file=sys.stderr)
                continue
            results[package] = measure(package, json.loads(file.read_text()), options.misses)
            print(json.dumps({package: results[package]}, indent=1))
    print(table(results))
    write_result(options.output, {**environment_facts(options.packages), "packages": results})


if __name__ == "__main__":
    main()
