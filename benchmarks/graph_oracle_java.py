"""Precision and recall of Java's `calls` edges on real repositories, judged by javac's bytecode.

A repository's sources are compiled (files that do not compile without their dependencies are left out, and so are the edges
that start in them), and the class files read. An edge is *explained* when the caller's code holds a call whose static target
is the callee or is overridden by it in a class below the receiver's static type; or a call of a functional interface's
method, or of library code with a parameter of a functional interface type, where the callee is a lambda or method reference
that became that interface, or an object's method that implements it. Which of several lambdas of a fitting type arrives is
not judged: the share of such edges that rest on the type alone (the lambda was made elsewhere) is given beside.

Recall is over pairs of a caller and a static target in the repository; a call is found when the graph has an edge to the
target or, where it knows the object's class, to an override of it.

    python benchmarks/graph_oracle_java.py REPOSITORY ... --jdk JDK [--classpath JAR:…] [--sample 30] [--unexplained 20] [--missed 20]
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from graph_common import RESULTS, GraphIndex, environment_facts, write_result
from java_bytecode import ABSTRACT, SYNTHETIC, ClassFile, Function, Invocation, Method, World

_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_ERROR = re.compile(r"^(\S.*?\.java):\d+: error:", re.MULTILINE)
_ROOTS = re.compile(r"(^|/)src/(main|test)/java[^/]*/")


# -- compiling -------------------------------------------------------------------------------------------------------------------


def sources_of(root: Path, everywhere: bool) -> list[Path]:
    """The files to compile: those below `src/main/java` and `src/test/java`, or all."""
    files = sorted(path for path in root.rglob("*.java") if path.name not in ("module-info.java", "package-info.java"))
    return [path for path in files if everywhere or _ROOTS.search(path.relative_to(root).as_posix())]


def compile_sources(javac: str, files: list[Path], classpath: str, output: Path) -> list[Path]:
    """Compile as many files as compile; returns those."""
    for _ in range(12):
        arguments = output / "arguments.txt"
        arguments.write_text("\n".join(f'"{file}"' for file in files))
        command = [javac, "-nowarn", "-proc:none", "-g", "-encoding", "UTF-8", "-Xmaxerrs", "100000", "-implicit:none"]
        command += ["-cp", classpath, "-d", str(output / "classes"), f"@{arguments}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return files
        broken = {Path(path) for path in _ERROR.findall(result.stderr)}
        remaining = [file for file in files if file not in broken]
        if len(remaining) == len(files):
            raise OSError(f"javac failed: {result.stderr[-2000:]}")
        files = remaining
    raise OSError("too many rounds of files that do not compile")


# -- class files to nodes --------------------------------------------------------------------------------------------------------


class Nodes:
    """Finds the graph's nodes of classes, methods and lambdas."""

    def __init__(self, index: GraphIndex, root: Path, files: Iterable[Path]) -> None:
        self.index = index
        self.paths: dict[str, str] = {}
        for file in files:
            path = file.relative_to(root).as_posix()
            package = _PACKAGE.search(file.read_text(encoding="utf-8", errors="replace"))
            folder = package[1].replace(".", "/") + "/" if package else ""
            self.paths[folder + file.name] = path
        self.by_file: dict[str, list[int]] = collections.defaultdict(list)
        for node, record in index.records.items():
            if record["nodeType"] in ("Class", "Method", "Lambda"):
                self.by_file[index.path_of(node)].append(node)
        self.cache: dict[tuple[str, str, str], frozenset[int]] = {}

    def path(self, cls: ClassFile) -> str:
        """The source file of a class."""
        return self.paths.get(f"{cls.name.rpartition('/')[0]}/{cls.source_file}".lstrip("/"), "")

    def tightest(self, nodes: Iterable[int], first: int, last: int) -> frozenset[int]:
        """The innermost of the nodes around some lines; several when they stand on the same lines."""
        around = [n for n in nodes if self.start(n) <= first and last <= self.end(n)]
        if not around:
            return frozenset()
        best = max((self.start(n), -self.end(n)) for n in around)
        return frozenset(n for n in around if (self.start(n), -self.end(n)) == best)

    def start(self, node: int) -> int:
        return self.index.records[node]["startLoc"]

    def end(self, node: int) -> int:
        return self.index.records[node]["endLoc"]

    def of_class(self, cls: ClassFile, line: int) -> frozenset[int]:
        """The class around a line of its code."""
        nodes = [n for n in self.by_file[self.path(cls)] if self.index.kind(n) == "Class"]
        name = cls.name.rpartition("/")[2].rpartition("$")[2].lstrip("0123456789")
        named = [
            n
            for n in nodes
            if (self.index.records[n]["name"] == name if name else "$" in self.index.records[n]["name"])
        ]
        return self.tightest(named, line, line)

    def of_method(self, cls: ClassFile, method: Method) -> frozenset[int]:
        """The node of a method that stands in the source."""
        key = (cls.name, method.name, method.descriptor)
        if key not in self.cache:
            self.cache[key] = self._of_method(cls, method)
        return self.cache[key]

    def _of_method(self, cls: ClassFile, method: Method) -> frozenset[int]:
        records = self.index.records
        nodes = self.by_file[self.path(cls)]
        if method.name.startswith("lambda$") and method.flags & SYNTHETIC:
            lambdas = [n for n in nodes if self.index.kind(n) == "Lambda"]
            return self.tightest(lambdas, min(method.lines, default=0), max(method.lines, default=0))
        if method.flags & SYNTHETIC or method.name == "<clinit>":
            return frozenset()
        simple = cls.name.rpartition("/")[2].rpartition("$")[2].lstrip("0123456789")
        name = simple if method.name == "<init>" else method.name
        named = [n for n in nodes if self.index.kind(n) == "Method" and records[n]["methodName"] == name]
        if method.name != "<init>":
            named = [n for n in named if len(_parameters(records[n]["signature"])) == len(method.parameters)]
        if method.lines:
            first = method.lines[0]
            around = [n for n in named if self.start(n) <= first <= self.end(n)]
            best = max(((self.start(n), -self.end(n)) for n in around), default=None)
            named = [n for n in around if (self.start(n), -self.end(n)) == best]
        else:
            path = cls.name.rpartition("/")[2].replace("$", ".")
            named = [n for n in named if records[n].get("className") == path]
        if len(named) < 2:
            return frozenset(named)
        types = [each.rpartition("/")[2].rpartition("$")[2] for each in method.parameters]
        return frozenset([max(named, key=lambda n: _alike(_parameters(records[n]["signature"]), types))])


def _parameters(signature: str) -> list[str]:
    """The parameter types of a node's signature, without type arguments."""
    text = signature.partition("(")[2].removesuffix(")")
    while "<" in text:
        shorter = re.sub(r"<[^<>]*>", "", text)
        if shorter == text:
            break
        text = shorter
    return [each.replace("...", "[]").rpartition(".")[2].strip() for each in text.split(",")] if text else []


def _alike(written: list[str], types: list[str]) -> int:
    return sum(a == b for a, b in zip(written, types, strict=False)) - abs(len(written) - len(types))


# -- what the code may call --------------------------------------------------------------------------------------------------------


class Oracle:
    """For each caller of the graph: the nodes that its code may call, and the static targets of its calls."""

    def __init__(self, world: World, nodes: Nodes) -> None:
        self.world, self.nodes = world, nodes
        self.allowed: dict[int, set[int]] = collections.defaultdict(set)
        self.by_type: dict[int, set[int]] = collections.defaultdict(set)
        self.static: dict[tuple[frozenset[int], frozenset[int]], tuple[set[int], int]] = {}
        """By callers (several where the lines do not tell which) and static target: what else it may run, and the line."""
        self.called: dict[int, set[int]] = collections.defaultdict(set)
        self.lambdas: set[int] = set()
        self._heirs: dict[tuple[str, str, str], frozenset[int]] = {}
        self._called_functions: dict[Invocation, frozenset[int]] = {}
        self.functions: dict[str, list[tuple[Function, frozenset[int]]]] = collections.defaultdict(list)
        for cls in world.own.values():
            for method in cls.methods.values():
                for function in method.functions:
                    self._add_function(function)
        for cls in world.own.values():
            for method in cls.methods.values():
                self._read(cls, method)

    def _add_function(self, function: Function) -> None:
        targets = frozenset(self.targets(function.target))
        if function.target.name.startswith("lambda$"):
            self.lambdas |= targets
        for interface in self.world.ancestors(function.interface):
            self.functions[interface].append((function, targets))

    def _read(self, cls: ClassFile, method: Method) -> None:
        if method.flags & SYNTHETIC and not method.name.startswith("lambda$"):
            return
        own = self.nodes.of_method(cls, method)
        made = {n for function in method.functions for n in self.targets(function.target)}
        for call in method.calls:
            if method.name == "<init>" and not own and call.name == "<init>" and call.owner == cls.parent:
                continue  # an implicit constructor's call of the superclass's one: whoever makes the object makes it
            callers = own
            if method.name in ("<init>", "<clinit>"):
                inside = [n for n in own if self.nodes.start(n) <= call.line <= self.nodes.end(n)]
                callers = frozenset(inside) or self.nodes.of_class(cls, call.line)
            if not callers:
                continue
            targets = self.targets(call)
            functions = self.called_functions(call)
            declared = self.world.find(call.owner, call.name, call.descriptor)
            static = self.follow(declared) if declared is not None else frozenset()
            for caller in callers:
                self.allowed[caller] |= targets | functions
                self.called[caller] |= targets
                self.by_type[caller] |= functions - made
            if static:
                self.static.setdefault((callers, static), (set(targets), call.line))

    def _below(self, owner: str, name: str, descriptor: str) -> frozenset[int]:
        key = (owner, name, descriptor)
        if key not in self._heirs:
            self._heirs[key] = self._find_below(*key)
        return self._heirs[key]

    def _find_below(self, owner: str, name: str, descriptor: str) -> frozenset[int]:
        found: set[int] = set()
        for heir in self.world.heirs.get(owner, ()):
            implementation = self.world.find(heir, name, descriptor)
            if implementation is not None:
                found |= self.follow(implementation)
        return frozenset(found)

    def targets(self, call: Invocation) -> set[int]:
        """The nodes that a call may run, and the one that it names."""
        declared = self.world.find(call.owner, call.name, call.descriptor)
        found = set(self.follow(declared)) if declared is not None else set()
        if call.kind in ("virtual", "interface"):
            found |= self._below(call.owner, call.name, call.descriptor)
        if call.name == "start" and "java/lang/Thread" in self.world.ancestors(call.owner):
            found |= self._below(call.owner, "run", "()V")
        return found

    def follow(self, method: Method, seen: frozenset = frozenset()) -> frozenset[int]:
        """The node of a method; of one that the compiler made, those of what it calls."""
        cls = self.world.own.get(method.owner)
        if cls is None:
            return frozenset()
        found = self.nodes.of_method(cls, method)
        if found or method in seen or not (method.flags & SYNTHETIC or method.name == "<init>"):
            return found
        calls = method.calls[:1] if method.name == "<init>" else method.calls
        inner = [self.world.find(c.owner, c.name, c.descriptor) for c in calls]
        return frozenset().union(*(self.follow(m, seen | {method}) for m in inner if m is not None))

    def called_functions(self, call: Invocation) -> frozenset[int]:
        """Find the functions that a call may call, by the types of interfaces."""
        key = call._replace(line=0)
        if key not in self._called_functions:
            self._called_functions[key] = self._find_called(key)
        return self._called_functions[key]

    def _find_called(self, call: Invocation) -> frozenset[int]:
        """The lambdas, method references and objects that a call may call, by the types of interfaces."""
        found: set[int] = set()
        declared = self.world.find(call.owner, call.name, call.descriptor)
        if call.kind != "static" and declared is not None and declared.flags & ABSTRACT:
            for function, targets in self.functions.get(call.owner, ()):
                if function.name == call.name:
                    found |= targets
        in_project = declared is not None and declared.owner in self.world.own
        if in_project:
            return frozenset(found)
        parameters = Method("", "", call.descriptor, 0).parameters
        for parameter in {each.removesuffix("[]") for each in parameters} - {"java/lang/Object"}:
            method = self.world.functional_method(parameter)
            if method is None:
                continue
            for _, targets in self.functions.get(parameter, ()):
                found |= targets
            found |= self._below(parameter, method.name, method.descriptor)
        return frozenset(found)


# -- judging the graph -----------------------------------------------------------------------------------------------------------


def measure(index: GraphIndex, oracle: Oracle, paths: set[str], root: Path, options: argparse.Namespace) -> dict:
    """Judge all edges that start in compiled files."""
    graph: dict[int, set[int]] = collections.defaultdict(set)
    for kind, source, target in index.edges:
        if kind == "calls" and index.path_of(source) in paths:
            graph[source].add(target)
    edges = [(a, b) for a, targets in graph.items() for b in targets if index.path_of(b) in paths]
    wrong = [(a, b) for a, b in edges if b not in oracle.allowed.get(a, ())]
    to_lambdas = [(a, b) for a, b in edges if index.kind(b) == "Lambda"]
    pairs = missed = exact = 0
    lost = []
    for (callers, static), (allowed, line) in oracle.static.items():
        pairs += 1
        reached = {target for caller in callers for target in graph[caller]}
        exact += not static.isdisjoint(reached)
        if (static | allowed).isdisjoint(reached):
            missed += 1
            lost.append((min(callers), static, line))
    called = {b for targets in graph.values() for b in targets}
    chosen = random.Random(options.seed)
    if options.sample:
        print(f"\n{root.name}: {options.sample} of {len(edges)} edges")
        for a, b in chosen.sample(sorted(edges), min(options.sample, len(edges))):
            print(show_edge(root, index, a, b, oracle))
    if options.unexplained:
        print(f"\n{root.name}: {len(wrong)} edges not explained")
        for a, b in chosen.sample(sorted(wrong), min(options.unexplained, len(wrong))):
            print(show_edge(root, index, a, b, oracle))
    if options.missed:
        print(f"\n{root.name}: {missed} calls missed")
        for caller, static, line in chosen.sample(lost, min(options.missed, len(lost))):
            path = index.path_of(caller)
            print(f"{name_of(index, caller)} {path}:{line} -> {[name_of(index, n) for n in static]}")
            print(f"        {lines_of(root / path)[line - 1].strip()[:150]}")
    if options.uncalled:
        alone = sorted(oracle.lambdas - called)
        print(f"\n{root.name}: {len(alone)} lambdas without a caller")
        for node in chosen.sample(alone, min(options.uncalled, len(alone))):
            path, line = index.path_of(node), index.records[node]["startLoc"]
            print(f"{path}:{line}  {lines_of(root / path)[line - 1].strip()[:150]}")
    return {
        "files": len(paths),
        "edges": len(edges),
        "explained": round(1 - len(wrong) / max(len(edges), 1), 4),
        "edges_to_lambdas": len(to_lambdas),
        "explained_by_type_only": sum(
            b in oracle.by_type.get(a, ()) and b not in oracle.called.get(a, ()) for a, b in edges
        ),
        "static_calls": pairs,
        "recall": round(1 - missed / max(pairs, 1), 4),
        "static_target_itself": round(exact / max(pairs, 1), 4),
        "lambdas": len(oracle.lambdas),
        "lambdas_with_a_caller": round(len(oracle.lambdas & called) / max(len(oracle.lambdas), 1), 4),
    }


def name_of(index: GraphIndex, node: int) -> str:
    record = index.records[node]
    if record["nodeType"] == "Lambda":
        return f"{name_of(index, index.scope_of(node))}.<lambda:{record['startLoc']}>"
    return record.get("signature") or record.get("name") or ""


@cache
def lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def show_edge(root: Path, index: GraphIndex, caller: int, callee: int, oracle: Oracle) -> str:
    """An edge with the lines of the caller that may be the call, to be read by hand."""
    a, b = index.records[caller], index.records[callee]
    mark = "" if callee in oracle.allowed.get(caller, ()) else "  NOT EXPLAINED"
    path, other = index.path_of(caller), index.path_of(callee)
    word = b.get("methodName") or ""
    lines = lines_of(root / path)[a["startLoc"] - 1 : a["endLoc"]]
    using = [f"{a['startLoc'] + n}: {line.strip()[:150]}" for n, line in enumerate(lines) if word and word in line][:3]
    if not word:
        using = [f"{a['startLoc'] + n}: {line.strip()[:150]}" for n, line in enumerate(lines[:6])]
    text = (
        f"{path}:{a['startLoc']} {name_of(index, caller)}  ->  {other}:{b['startLoc']} {name_of(index, callee)}{mark}"
    )
    return "\n".join([text, *(f"        {line}" for line in using)])


def judge(repository: Path, options: argparse.Namespace) -> dict:
    """Compile a repository, build its graph and compare."""
    from codefuse_hf.graph import build_code_graph

    root = repository.resolve()
    output = options.classes / root.name if options.classes else Path(tempfile.mkdtemp())
    output.mkdir(parents=True, exist_ok=True)
    known = output / "files.txt"
    files = sources_of(root, options.everywhere)
    found = len(files)
    if known.exists():
        files = [root / line for line in known.read_text().splitlines()]
    else:
        files = compile_sources(str(options.jdk / "bin" / "javac"), files, options.classpath, output)
        known.write_text("\n".join(file.relative_to(root).as_posix() for file in files))
    archives = [
        *(Path(each) for each in options.classpath.split(os.pathsep) if each),
        *sorted((options.jdk / "jmods").glob("*.jmod")),
    ]
    graph = build_code_graph(root, languages=["java"], progress=False)
    index = GraphIndex(json.loads(graph.to_json()))
    nodes = Nodes(index, root, files)
    oracle = Oracle(World(output / "classes", archives), nodes)
    figures = measure(index, oracle, set(nodes.paths.values()), root, options)
    return {"sources": found, **figures}


def table(results: dict[str, dict]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| repository | files | edges | explained | static calls | recall | lambdas | with a caller |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows += [
        f"| {name} | {each['files']:,} of {each['sources']:,} | {each['edges']:,} | {each['explained']:.4f} "
        f"| {each['static_calls']:,} | {each['recall']:.4f} | {each['lambdas']:,} | {each['lambdas_with_a_caller']:.3f} |"
        for name, each in results.items()
    ]
    return "\n".join(rows)


def main() -> None:
    """Compile each repository and judge its graph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--jdk", type=Path, required=True, help="folder of a JDK with bin/javac and jmods/")
    parser.add_argument("--classpath", default="", help="jars that the repositories need")
    parser.add_argument(
        "--everywhere", action="store_true", help="compile all .java files, not only src/{main,test}/java"
    )
    parser.add_argument("--classes", type=Path, help="keep class files here, and read those already there")
    parser.add_argument("--sample", type=int, default=0, help="print that many random edges")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unexplained", type=int, default=0, help="print that many edges that are not explained")
    parser.add_argument("--missed", type=int, default=0, help="print that many missed calls")
    parser.add_argument("--uncalled", type=int, default=0, help="print that many lambdas that nothing calls")
    parser.add_argument("--output", type=Path, help=f"by convention {RESULTS / 'graph_oracle_java.json'}")
    options = parser.parse_args()
    results = {}
    for repository in options.repositories:
        results[repository.resolve().name] = judge(repository, options)
        print(json.dumps({repository.resolve().name: results[repository.resolve().name]}), flush=True)
    print(table(results))
    if options.output:
        version = subprocess.run(
            [options.jdk / "bin" / "javac", "-version"], capture_output=True, text=True, check=True
        )
        facts = {**environment_facts(), "oracle": version.stdout.strip(), "repositories": results}
        write_result(options.output, facts)


if __name__ == "__main__":
    main()
