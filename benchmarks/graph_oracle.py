"""Precision and recall of `calls` edges on real repositories, judged by what a type checker says of each call site.

The oracle is pyrefly's call-graph report: the functions that each call site may reach, as far as types tell. A `calls` edge
joins two definitions, so all sites of a caller are looked at together. An edge is *right* when a site of the caller may reach
the callee (an override counts when the receiver's type is one of its bases); it is *wrong* when sites in the caller use the
callee's name and all of them are known to mean something else; every other edge is *not judged* (a receiver without a type,
a callback, a special method), which the hand-read samples are for: `--sample` prints edges with the lines that they stand on.
A method that a subclass of the receiver's class inherits from elsewhere counts as the override it is. A function in a stub stands for the one of that name
in the source beside it; where there is none, the site is not judged. Nor is one whose receiver is known by a `Protocol` only, unless the edge is to the
protocol's own method: what runs there is a class's that need not name it. Nothing is judged in a file that the running Python cannot parse. Recall is over the sites that the type checker resolves to functions of the repository
(a call of `list.append`, which some class of the repository overrides, is none).

    python benchmarks/graph_oracle.py REPOSITORY ... [--pyrefly PATH] [--sample 30] [--wrong 20] [--missed 20]
"""

from __future__ import annotations

import argparse
import ast
import collections
import functools
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from graph_common import RESULTS, GraphIndex, environment_facts, is_test_file, write_result

Definition = tuple[str, int, str]
"""A function: path in the repository, line of its name, name."""


@dataclass
class Site:
    """One place where something is called: `name` as written there, what it may reach, whether all of that is known, and whether it is a function of
    the repository that is called there, and not one from outside (`list.append`) that classes of the repository override."""

    name: str | None
    line: int
    kind: str
    known: bool
    targets: frozenset[Definition]
    own: bool = True


@dataclass
class Oracle:
    """Call sites of a repository by their caller (path, line of the definition, name)."""

    sites: dict[Definition, list[Site]] = field(default_factory=lambda: collections.defaultdict(list))


# -- the type checker's report ---------------------------------------------------------------------------------------------------


def run_pyrefly(pyrefly: str, root: Path, output: Path) -> None:
    """Write pyrefly's report on all Python files of a repository to the folder `output`."""
    roots = [root, *(root / name for name in ("src", "lib") if (root / name).is_dir())]
    config = output / "pyrefly.toml"
    config.write_text(
        f"project-includes = {json.dumps([f'{root}/**/*.py', f'{root}/**/*.pyi'])}\n"
        f"search-path = {json.dumps([str(path) for path in reversed(roots)])}\n"
        'check-unannotated-defs = true\ninfer-return-types = "checked"\n'
    )
    command = [pyrefly, "check", "--config", str(config), "--threads", "1", "--output-format"]
    command += ["omit-errors", "--report-pysa", str(output / "report"), "--report-pysa-format", "json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if not (output / "report" / "call_graphs").is_dir():
        raise OSError(f"pyrefly wrote no report: {result.stderr.strip()[-2000:]}")


class Report:
    """Reads a report: functions, what overrides what, and the targets of call sites."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.functions: dict[tuple[int, str], Definition | None] = {}
        self.names: dict[tuple[int, str], str] = {}
        self.classes: dict[tuple[int, str], tuple[int, int]] = {}
        self.overrides: dict[tuple[int, str], list[tuple[int, str]]] = collections.defaultdict(list)
        self.orders: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.heirs: dict[tuple[int, int], list[tuple[int, int]]] = collections.defaultdict(list)
        self.members: dict[tuple[tuple[int, int], str], tuple[int, str]] = {}
        self.unclear: set[tuple[int, str]] = set()
        self.protocols: set[tuple[int, int]] = set()
        for file in sorted((folder / "definitions").glob("*.json")):
            self._read_definitions(json.loads(file.read_text()))

    def path(self, module: dict) -> str | None:
        """The file of a module inside the repository; None for others."""
        file = module["source_path"].get("FileSystem")
        if file is None or not Path(file).is_relative_to(self.root):
            return None
        return Path(file).relative_to(self.root).as_posix()

    def _read_definitions(self, module: dict) -> None:
        number, path = module["module_id"], self.path(module)
        for label, function in module["function_definitions"].items():
            key = number, label
            place = function.get("name_location")
            self.names[key] = function["name"]
            inside = path is not None and place is not None and function.get("is_def_statement", True)
            found = (path, int(place.split(":")[0]), function["name"]) if inside else None
            if found is not None and path.endswith(".pyi") and (self.root / path).with_suffix(".py").is_file():
                found = behind_stub(self.root, *found)
                if found is None:
                    self.unclear.add(key)
            self.functions[key] = found
            if "defining_class" in function:
                owner = function["defining_class"]
                self.classes[key] = owner["module_id"], owner["class_id"]
                self.members[self.classes[key], function["name"]] = key
            base = function.get("overridden_base_method")
            if base is not None:
                self.overrides[base["module_id"], base["function_id"]].append(key)
        for facts in module["class_definitions"].values():
            order = facts["mro"]
            resolved = order.get("Resolved", []) if isinstance(order, dict) else []
            place = number, facts["class_id"]
            line = int(facts.get("name_location", "0").split(":")[0])
            if path is not None and line in places_of(self.root / path).protocols:
                self.protocols.add(place)
            self.orders[place] = [(base["module_id"], base["class_id"]) for base in resolved]
            for base in self.orders[place]:
                self.heirs[base].append(place)

    def below(self, key: tuple[int, str], receiver: tuple[int, int] | None) -> Iterable[tuple[int, str]]:
        """What a call of a method on an object of a class may run: what that class and those below it have under its name, by their orders of resolution."""
        top = receiver or self.classes.get(key)
        for place in (top, *self.heirs.get(top, ())) if top is not None else ():
            for owner in (place, *self.orders.get(place, ())):
                if (owner, self.names[key]) in self.members:
                    yield self.members[owner, self.names[key]]
                    break
        yield from self._overrides(key, receiver)

    def _overrides(self, key: tuple[int, str], receiver: tuple[int, int] | None) -> Iterable[tuple[int, str]]:
        pending, seen = [key], {key}
        while pending:
            method = pending.pop()
            owner = self.classes.get(method)
            if method == key or receiver is None or owner == receiver or receiver in self.orders.get(owner, ()):
                yield method
            for heir in self.overrides.get(method, ()):
                if heir not in seen:
                    seen.add(heir)
                    pending.append(heir)

    def targets(self, calls: Iterable[dict]) -> tuple[set[Definition], set[str], bool]:
        """The functions of the repository among the targets of a site, the names of all its targets, and whether each is known for what it is."""
        found: set[Definition] = set()
        names: set[str] = set()
        is_clear = True
        for call in calls:
            target = call["target"]
            if not isinstance(target, dict):
                continue
            for kind, function in target.items():
                key = function["module_id"], function["function_id"]
                receiver = call.get("receiver_class")
                place = (receiver["module_id"], receiver["class_id"]) if receiver else None
                keys = self.below(key, place) if kind in ("Overrides", "AllOverrides") else [key]
                keys = list(keys)
                is_clear = is_clear and self.unclear.isdisjoint(keys)
                is_clear = is_clear and (place or self.classes.get(key)) not in self.protocols
                names.add(function["function_name"])
                found.update(place for each in keys if (place := self.functions.get(each)) is not None)
        return found, names, is_clear

    def names_own(self, calls: Iterable[dict]) -> bool:
        """Whether one of the targets of a site is itself a function of the repository."""
        targets = [call["target"] for call in calls if isinstance(call["target"], dict)]
        places = [(each["module_id"], each["function_id"]) for target in targets for each in target.values()]
        return any(self.functions.get(place) is not None for place in places)


def behind_stub(root: Path, path: str, line: int, name: str) -> Definition | None:
    """The function in a source that one in the stub beside it stands for; None where the source does not define it."""
    stub, source = places_of(root / path), places_of((root / path).with_suffix(".py"))
    dotted = next((dotted for (row, dotted) in stub.dotted if row == line), None)
    rows = [row for row, each in source.dotted if each == dotted]
    return (path.removesuffix("i"), rows[0], name) if rows else None


TARGET_KINDS = ("call_targets", "init_targets", "new_targets", "property_getters", "property_setters", "targets")


def read_oracle(folder: Path, root: Path) -> Oracle:
    """All call sites of a report on the repository `root`."""
    report, oracle = Report(folder, root), Oracle()
    for file in sorted((folder / "call_graphs").glob("*.json")):
        module = json.loads(file.read_text())
        path = report.path(module)
        if path is None:
            continue
        places = places_of(root / path)
        for sites in module["call_graphs"].values() if places.is_read else ():
            for where, found in sites.items():
                span, _, detail = where.partition("|")
                start, end = (tuple(map(int, end.split(":"))) for end in span.split("-"))
                for kind, facts in found.items():
                    _read_site(oracle, report, places, path, start, end, detail, kind, facts)
    return oracle


def _read_site(
    oracle: Oracle, report: Report, places: Places, path: str, start: tuple, end: tuple, detail: str, kind: str, facts: dict
) -> None:  # fmt: skip
    if kind == "Define":
        return
    is_artificial = detail.startswith(("artificial", "format"))
    parts = [facts, facts.get("if_called") or {}]
    calls = [call for part in parts for name in TARGET_KINDS for call in part.get(name, ())]
    targets, names, is_clear = report.targets(calls)
    known = is_clear and not any("unresolved" in part for part in parts)
    name = places.name(start, end)
    if is_artificial:
        name = next(iter(names)) if len(names) == 1 else None
        kind = detail.split("|")[-1]
    elif kind in ("Identifier", "AttributeAccess"):
        kind = "property" if facts.get("property_getters") or facts.get("property_setters") else "mentioned"
    else:
        kind = "call"
    owner = places.owner(start)
    own = report.names_own(calls)
    oracle.sites[path, *owner].append(Site(name, start[0], kind, known, frozenset(targets), own))
    for passed in (facts.get("higher_order_parameters") or {}).values():
        found, _, _ = report.targets(call for name in TARGET_KINDS for call in passed.get(name, ()))
        oracle.sites[path, *owner].append(
            Site(None, start[0], "passed on", "unresolved" not in passed, frozenset(found))
        )


@functools.cache
def places_of(file: Path) -> Places:
    return Places(file)


class Places:
    """What stands where in a file: the innermost definition around a position, and the name that is called at a span."""

    def __init__(self, file: Path) -> None:
        self.names: dict[tuple[tuple, tuple], str | None] = {}
        self.lines: dict[tuple[int, str], int] = {}
        self.bodies: list[tuple[tuple, tuple, tuple[int, str]]] = []
        self.dotted: list[tuple[int, str]] = []
        self.protocols: set[int] = set()
        self.is_read = False
        try:
            tree = ast.parse(file.read_bytes())
        except SyntaxError:
            return
        self.is_read = True
        self._name(tree, "")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                first, last = node.body[0], node.body[-1]
                decorators = getattr(first, "decorator_list", None) or [first]
                self.bodies.append((_start(decorators[0]), _end(last), (node.lineno, node.name)))
                bases = [each.value if isinstance(each, ast.Subscript) else each for each in getattr(node, "bases", ())]
                if "Protocol" in map(_last_name, bases):
                    self.protocols.add(node.lineno)
                if node.decorator_list:
                    self.lines[min(item.lineno for item in node.decorator_list), node.name] = node.lineno
            elif isinstance(node, ast.Lambda):
                self.bodies.append((_start(node.body), _end(node.body), (node.lineno, "<lambda>")))
            elif isinstance(node, ast.Call):
                self.names[_start(node), _end(node)] = _last_name(node.func)
            elif isinstance(node, (ast.Name, ast.Attribute)):
                self.names.setdefault((_start(node), _end(node)), _last_name(node))

    def _name(self, node: ast.AST, prefix: str) -> None:
        """Notes the lines and dotted names of functions and classes, in functions too."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.dotted.append((child.lineno, f"{prefix}{child.name}"))
                self._name(child, f"{prefix}{child.name}.")
            else:
                self._name(child, prefix)

    def owner(self, position: tuple[int, int]) -> tuple[int, str]:
        """Line and name of the innermost definition around a position."""
        around = [body for body in self.bodies if body[0] <= position < body[1]]
        return max(around, key=lambda body: body[0])[2] if around else (1, "<module>")

    def name(self, start: tuple[int, int], end: tuple[int, int]) -> str | None:
        """The last name of what is called, or mentioned, at a span."""
        return self.names.get((start, end))

    def line(self, line: int, name: str) -> int:
        """The line of a definition's name, from its first line, which may be a decorator's."""
        return self.lines.get((line, name), line)


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1


def _end(node: ast.AST) -> tuple[int, int]:
    return node.end_lineno, node.end_col_offset + 1


def _last_name(node: ast.AST) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


# -- judging the graph -----------------------------------------------------------------------------------------------------------


def build_graph(root: Path) -> GraphIndex:
    """The graph of a repository's Python files."""
    from codefuse_hf.graph import build_code_graph

    graph = build_code_graph(root, languages=["python"], progress=False)
    return GraphIndex(json.loads(graph.to_json()))


class Definitions:
    """The nodes of a graph as (path, line, name), and back."""

    def __init__(self, index: GraphIndex, root: Path) -> None:
        self.by_node: dict[int, Definition] = {}
        self.nodes: dict[Definition, list[int]] = collections.defaultdict(list)
        for node, record in index.records.items():
            kind = record["nodeType"]
            if kind not in ("Function", "Lambda", "Class", "File"):
                continue
            name = record.get("name") or record.get("className") or ""
            name = {"Lambda": "<lambda>", "File": "<module>"}.get(kind, name)
            path = index.path_of(node)
            line = 1 if kind == "File" else places_of(root / path).line(record["startLoc"], name)
            key = path, line, name
            self.by_node[node] = key
            self.nodes[key].append(node)


def is_special(name: str) -> bool:
    """Whether a method is called by syntax and built-ins rather than by its name."""
    return name.startswith("__") and name.endswith("__")


def verdict(callee: Definition, kind: str, owner: str | None, sites: list[Site]) -> str:
    """What the oracle says of one edge; `owner` is the class that holds the callee."""
    if any(callee in site.targets for site in sites):
        return "right"
    if kind == "Lambda":
        return "not judged: lambda"
    name = callee[2]
    words = {name}
    if name in ("__init__", "__new__") and owner is not None:
        words = {owner, name, "cls", "__class__", "type"}
    elif is_special(name):
        return "not judged: special method"
    using = [site for site in sites if site.name in words]
    if not using:
        return "not judged: the callee's name does not stand in the caller"
    return "wrong" if all(site.known for site in using) else "not judged: receiver without a type"


@functools.cache
def lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def show_edge(root: Path, index: GraphIndex, caller: int, callee: int, definitions: Definitions) -> str:
    """An edge with the lines of the caller that use the callee's name, to be read by hand."""
    a, b = definitions.by_node[caller], definitions.by_node[callee]
    record = index.records[caller]
    first, last = (1, 10**9) if a[2] == "<module>" else (record["startLoc"], record["endLoc"])
    word = b[2]
    if word in ("__init__", "__new__"):
        word = index.records[index.scope_of(callee)].get("className") or index.records[index.scope_of(callee)]["name"]
    lines = lines_of(root / a[0])[first - 1 : last]
    using = [f"{first + n}: {line.strip()[:140]}" for n, line in enumerate(lines) if word in line][:4]
    holder = index.scope_of(callee)
    prefix = index.records[holder].get("name", "") + "." if index.kind(holder) == "Class" else ""
    text = f"{a[0]}:{a[1]} {a[2]}  ->  {b[0]}:{b[1]} {prefix}{b[2]}"
    return "\n".join([text, *(f"        {line}" for line in using)])


def measure(root: Path, oracle: Oracle, options: argparse.Namespace) -> dict:
    """Judge the edges of one repository, sources and tests apart."""
    index = build_graph(root)
    definitions = Definitions(index, root)
    static = index.targets("calls")
    counts: dict[str, collections.Counter] = {"sources": collections.Counter(), "tests": collections.Counter()}
    found: dict[str, list] = {"sources": [], "tests": []}
    wrong = []
    for caller, callees in static.items():
        if caller not in definitions.by_node:
            continue
        scope = "tests" if is_test_file(definitions.by_node[caller][0]) else "sources"
        sites = oracle.sites.get(definitions.by_node[caller], [])
        for callee in callees:
            holder = index.scope_of(callee)
            owner = index.records[holder].get("name") if holder is not None and index.kind(holder) == "Class" else None
            answer = verdict(definitions.by_node[callee], index.kind(callee), owner, sites)
            if not places_of(root / definitions.by_node[callee][0]).is_read:
                answer = "not judged: a file in the syntax of a newer Python"
            counts[scope][answer] += 1
            found[scope].append((caller, callee))
            if answer == "wrong":
                wrong.append((caller, callee))
    result = {scope: _figures(counter) for scope, counter in counts.items()}
    for scope, figures in result.items():
        figures["recall"] = _recall(oracle, definitions, index, static, scope, options)
    chosen = random.Random(options.seed)
    for scope, edges in found.items():
        if options.sample and edges:
            print(f"\n{root.name}, {scope}: {options.sample} of {len(edges)} edges")
            for caller, callee in chosen.sample(sorted(edges), min(options.sample, len(edges))):
                print(show_edge(root, index, caller, callee, definitions))
    if options.wrong:
        print(f"\n{root.name}: {len(wrong)} wrong edges")
        for caller, callee in chosen.sample(sorted(wrong), min(options.wrong, len(wrong))):
            print(show_edge(root, index, caller, callee, definitions))
    return result


def _figures(counter: collections.Counter) -> dict:
    right, wrong = counter["right"], counter["wrong"]
    return {
        "edges": sum(counter.values()),
        "right": right,
        "wrong": wrong,
        "precision_of_judged": round(right / max(right + wrong, 1), 4),
        "not_judged": {key.split(": ")[1]: n for key, n in sorted(counter.items()) if key.startswith("not")},
    }


def _behind_wrappers(
    definitions: Definitions, index: GraphIndex, static: dict[int, set[int]], reached: set[int], root: Path
) -> set[int]:
    """The decorated functions that are called by wrappers among `reached`: functions within functions."""
    wrappers = [node for node in reached if index.kind(node) == "Function" == index.kind(index.scope_of(node))]
    behind = {target for node in wrappers for target in static.get(node, ()) if target in definitions.by_node}
    places = {node: definitions.by_node[node] for node in behind}
    return {node for node, (path, line, _) in places.items() if line in places_of(root / path).lines.values()}


def _recall(
    oracle: Oracle,
    definitions: Definitions,
    index: GraphIndex,
    static: dict[int, set[int]],
    scope: str,
    options: argparse.Namespace,
) -> dict:
    """Of the pairs of caller and site that the oracle resolves: how many have an edge to one of the site's targets, and how many of the others
    have one to a wrapper that calls it. (A decorator may say that it returns what it is given; what runs is the wrapper that it makes.)"""
    total, hits, wrapped = collections.Counter(), collections.Counter(), collections.Counter()
    missed = []
    for caller, sites in oracle.sites.items():
        if (is_test_file(caller[0]) != (scope == "tests")) or caller not in definitions.nodes:
            continue
        reached = {target for node in definitions.nodes[caller] for target in static.get(node, ())}
        behind = _behind_wrappers(definitions, index, static, reached, Path(options.root))
        for site in {
            (s.kind, s.targets): s for s in sites if s.targets and s.own and s.kind not in ("mentioned", "passed on")
        }.values():
            nodes = {node for target in site.targets for node in definitions.nodes.get(target, ())}
            if nodes:
                kind = site.kind if site.kind in ("call", "property") else "special method"
                total[kind] += 1
                if not nodes.isdisjoint(reached):
                    hits[kind] += 1
                elif not nodes.isdisjoint(behind):
                    wrapped[kind] += 1
                else:
                    missed.append((kind, caller, site))
    if options.missed:
        print(f"\n{scope}: {len(missed)} calls missed")
        for kind, caller, site in random.Random(0).sample(missed, min(options.missed, len(missed))):
            text = lines_of(Path(options.root) / caller[0])[site.line - 1].strip()
            print(f"    {kind}: {caller[0]}:{site.line} {caller[2]} -> {sorted(site.targets)[:2]}   | {text[:120]}")
    return {
        kind: {
            "sites": total[kind],
            "found": round(hits[kind] / total[kind], 4),
            "behind_wrappers": round(wrapped[kind] / total[kind], 4),
        }
        for kind in sorted(total)
    }


def table(results: dict[str, dict]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| repository | edges | judged | precision of judged | calls the oracle resolves | found | and behind a wrapper |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, scopes in results.items():
        for scope, item in scopes.items():
            if item["edges"]:
                call = item["recall"].get("call", {"sites": 0, "found": 0.0, "behind_wrappers": 0.0})
                rows.append(
                    f"| {name}, {scope} | {item['edges']:,} | {item['right'] + item['wrong']:,} "
                    f"| {item['precision_of_judged']:.3f} | {call['sites']:,} | {call['found']:.3f} | {call['behind_wrappers']:.3f} |"
                )
    return "\n".join(rows)


def main() -> None:
    """Ask the oracle about each repository and judge its graph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--pyrefly", default=shutil.which("pyrefly") or "pyrefly")
    parser.add_argument(
        "--reports", type=Path, help="keep the type checker's reports here, and read those already there"
    )
    parser.add_argument("--sample", type=int, default=0, help="print that many random edges of sources and of tests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=int, default=0, help="print that many wrong edges")
    parser.add_argument("--missed", type=int, default=0, help="print that many missed calls")
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_oracle.json")
    options = parser.parse_args()
    results = {}
    for repository in options.repositories:
        root = options.root = repository.resolve()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) if options.reports is None else options.reports / root.name
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "report" / "call_graphs").is_dir():
                run_pyrefly(options.pyrefly, root, folder)
            oracle = read_oracle(folder / "report", root)
        results[root.name] = measure(root, oracle, options)
        print(json.dumps({root.name: results[root.name]}))
    print(table(results))
    version = subprocess.run([options.pyrefly, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    write_result(options.output, {**environment_facts(), "oracle": version, "repositories": results})


if __name__ == "__main__":
    main()
