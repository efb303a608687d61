"""The tools that `graph_speed.py` compares, each run on one tree in a process and an environment of its own.

    python graph_speed_tools.py TOOL FOLDER [--workers N]          time one tool on one tree, print a JSON line
    python graph_speed_tools.py TOOL FOLDER --programs             the calls it finds in every labelled program

Only the standard library is imported here at the top: the interpreter is that of the tool's own environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path


def source_files(folder: Path) -> list[str]:
    """All Python files of a tree, sorted."""
    return sorted(str(path) for path in folder.rglob("*.py"))


def codefuse_hf(folder: Path, workers: int | None) -> dict:
    """Our builder."""
    from codefuse_hf.graph import build_code_graph

    graph = build_code_graph(folder, workers=workers, progress=False)
    return {"nodes": graph.num_nodes, "edges": graph.num_edges}


def codefuse_hf_update(folder: Path, counts: list[int]) -> dict:
    """Our builder: a full build, then an update after each of `counts` files of the tree have gained a function."""
    from codefuse_hf.graph import GraphBuilder, build_code_graph

    builder = GraphBuilder(folder, progress=False)
    start = time.perf_counter()
    builder.build()
    full = time.perf_counter() - start
    files, updates = source_files(folder), []
    saved = {file: Path(file).read_bytes() for file in files}
    try:
        for number, count in enumerate(counts):
            changed = files[:: max(1, len(files) // count)][:count]
            for file in changed:
                with open(file, "ab") as stream:
                    stream.write(f"\n\ndef added_function_{number}():\n    return 1\n".encode())
            start = time.perf_counter()
            updated = builder.update(changed)
            updates.append({"changed_files": len(changed), "seconds": round(time.perf_counter() - start, 3)})
        same = updated.to_json() == build_code_graph(folder, progress=False).to_json()
    finally:
        for file, content in saved.items():
            Path(file).write_bytes(content)
    return {"full_seconds": full, "updates": updates, "same_as_full_build": same}


def pycg(folder: Path, workers: int | None) -> dict:
    """PyCG: calls only, by assignment analysis of the whole program."""
    edges = pycg_edges(source_files(folder), folder)
    return {"nodes": len({end for edge in edges for end in edge}), "edges": len(edges)}


def pycg_edges(files: list[str], root: Path) -> list[tuple[str, str]]:
    """(caller, callee) pairs that PyCG finds."""
    with contextlib.suppress(ImportError):  # the wheel of 0.0.8 spells its folder PyCG and imports itself as pycg
        import PyCG

        sys.modules.setdefault("pycg", PyCG)
    from pycg.pycg import CallGraphGenerator
    from pycg.utils.constants import CALL_GRAPH_OP

    generator = CallGraphGenerator(files, str(root), -1, CALL_GRAPH_OP)
    generator.analyze()
    return [tuple(edge) for edge in generator.output_edges()]


def pyan3(folder: Path, workers: int | None) -> dict:
    """pyan3: definitions and uses by scope analysis."""
    visitor = pyan3_visitor(source_files(folder), folder)
    nodes = {node for group in visitor.nodes.values() for node in group if node.defined}
    edges = sum(len(targets) for targets in visitor.uses_edges.values())
    return {"nodes": len(nodes), "edges": edges + sum(len(targets) for targets in visitor.defines_edges.values())}


def pyan3_visitor(files: list[str], root: Path) -> object:
    """A pyan3 visitor that has analysed the files."""
    import logging

    from pyan.analyzer import CallGraphVisitor

    logger = logging.getLogger("pyan")
    logger.setLevel(logging.CRITICAL)
    return CallGraphVisitor(files, root=str(root), logger=logger)


TAGS = {
    "class_definition": ("definition", "name"),
    "function_definition": ("definition", "name"),
    "call": ("reference", "function"),
}


def tags(folder: Path, workers: int | None) -> dict:
    """RepoGraph-like: definitions and called names as tree-sitter tags, joined by name alone in networkx."""
    graph = tags_graph(source_files(folder))
    return {"nodes": graph.number_of_nodes(), "edges": graph.number_of_edges()}


def tags_graph(files: list[str]) -> object:
    """A graph of definitions, with an edge from a scope to every definition whose name it calls."""
    import warnings

    import networkx

    warnings.simplefilter("ignore")
    from tree_sitter_languages import get_parser

    parser = get_parser("python")
    graph = networkx.MultiDiGraph()
    defined: dict[bytes, list[tuple]] = {}
    used: list[tuple[tuple, bytes]] = []
    for file in files:
        pending = [(parser.parse(Path(file).read_bytes()).root_node, (file,))]
        graph.add_node((file,))
        while pending:
            node, scope = pending.pop()
            kind, field = TAGS.get(node.type, (None, None))
            if kind:
                name = node.child_by_field_name(field)
                if name is not None and name.type == "attribute":
                    name = name.child_by_field_name("attribute")
                if name is not None and name.type == "identifier":
                    if kind == "definition":
                        inner = (*scope, name.text)
                        graph.add_edge(scope, inner, kind="contains")
                        defined.setdefault(name.text, []).append(inner)
                        scope = inner
                    else:
                        used.append((scope, name.text))
            pending.extend((child, scope) for child in node.children)
    for scope, name in used:
        for target in defined.get(name, ()):
            graph.add_edge(scope, target, kind="references")
    return graph


def aider(folder: Path, workers: int | None) -> dict:
    """aider's repository map: tags ranked by PageRank between files, no calls between functions."""
    from aider.repomap import RepoMap

    class Quiet:
        def read_text(self, name: str, **_: object) -> str:
            return Path(name).read_text(errors="ignore")

        def tool_output(self, *_: object, **__: object) -> None:
            pass

        tool_error = tool_warning = tool_output

    class Counter:
        def token_count(self, text: str) -> int:
            return len(text) // 4

    with tempfile.TemporaryDirectory() as root:
        mapper = RepoMap(map_tokens=4096, root=root, main_model=Counter(), io=Quiet())
        tags_found = mapper.get_ranked_tags([], source_files(folder), set(), set())
    return {"nodes": len(tags_found), "edges": None}


TOOLS = {"codefuse-hf": codefuse_hf, "PyCG": pycg, "pyan3": pyan3, "tree-sitter tags": tags, "aider": aider}


def program_calls(tool: str, root: Path) -> dict[str, list]:
    """(caller, callee) pairs that a tool finds in each labelled program, in dotted names; None where it fails."""
    found = {}
    for labels in sorted(root.glob("*/*/callgraph.json")):
        case = labels.parent
        files = source_files(case)
        try:
            os.chdir(case)
            if tool == "PyCG":
                edges = pycg_edges(files, case)
            elif tool == "pyan3":
                uses = pyan3_visitor(files, case).uses_edges
                edges = [
                    (caller.get_name(), callee.get_name()) for caller, callees in uses.items() for callee in callees
                ]
            else:
                graph = tags_graph(files)
                edges = [
                    (tag_name(a, case), tag_name(b, case))
                    for a, b, kind in graph.edges(data="kind")
                    if kind == "references"
                ]
        except BaseException:  # any failure of a tool is a result
            edges = None
        found[f"{case.parent.name}/{case.name}"] = edges
    return found


def tag_name(tag: tuple, root: Path) -> str:
    """Dotted name of a tag."""
    module = Path(tag[0]).relative_to(root).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return ".".join([module, *(part.decode() for part in tag[1:])])


def warm_up(tool: str) -> None:
    """Run a tool on one line, so that imports and the loading of grammars are not measured."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "line.py").write_text("x = 1\n")
        TOOLS[tool](Path(folder), 1)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Run one tool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=list(TOOLS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--update", type=int, nargs="*", help="codefuse-hf only: updates after so many changed files")
    parser.add_argument("--programs", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    options = parser.parse_args()
    sys.setrecursionlimit(20_000)
    if options.one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    output, sys.stdout = sys.stdout, sys.stderr
    folder = options.folder.resolve()
    if options.programs:
        print(json.dumps(program_calls(options.tool, folder)), file=output)
        return
    warm_up(options.tool)
    start, start_cpu = time.perf_counter(), cpu_seconds()
    result = (
        codefuse_hf_update(folder, options.update) if options.update else TOOLS[options.tool](folder, options.workers)
    )
    result["seconds"] = time.perf_counter() - start
    result["cpu_seconds"] = cpu_seconds() - start_cpu
    print(json.dumps(result), file=output)


if __name__ == "__main__":
    main()
