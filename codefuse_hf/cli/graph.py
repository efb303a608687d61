"""`codefuse-hf graph build | stats | show | query`.

Results go to standard output, progress and remarks to standard error, so that `--json` can be piped into a tool.
"""

import argparse
import json
import sys
import time
import webbrowser
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from codefuse_hf.files import readable_size
from codefuse_hf.graph.code_graph import DIRECTIONS, CodeGraph
from codefuse_hf.graph.formats import tables
from codefuse_hf.graph.formats.page.render import MAX_NODES, save_page
from codefuse_hf.graph.node import Node
from codefuse_hf.graph.schema import EDGE_TYPES, NODE_CODES, NODE_TYPES, EdgeType, Language, NodeType

from .arguments import positive, size

_SOURCE_HELP = "a repository's folder, a source file, or a graph that was built (.json, .json.gz or a folder of rows)"
_LIST_LIMIT = 20
_INVERSE = {
    EdgeType.CONTAINS: "contained in",
    EdgeType.IMPORTS: "imported by",
    EdgeType.EXTENDS: "extended by",
    EdgeType.IMPLEMENTS: "implemented by",
    EdgeType.CALLS: "called by",
    EdgeType.REFERENCES: "referenced by",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the four actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    build = actions.add_parser("build", help="build the code graph of a repository and save it")
    _add_source(build)
    build.add_argument(
        "-o",
        "--output",
        type=Path,
        help="where to save it: .json, .json.gz, or a folder with --format; default graph.json",
    )
    build.add_argument(
        "--format",
        choices=("json", *tables.FORMATS),
        default="json",
        help="json (default), or a data-set folder of rows",
    )
    build.set_defaults(action_function=_build)

    stats = actions.add_parser("stats", help="count nodes and edges by type")
    _add_source(stats)
    stats.set_defaults(action_function=_stats)

    show = actions.add_parser("show", help="write one HTML page on which to look at a graph")
    _add_source(show)
    show.add_argument("-o", "--output", type=Path, default=Path("graph.html"), help="the page; default graph.html")
    show.add_argument("--path", help="only the files with this path, below this folder, or matching this pattern")
    show.add_argument("--title", help="the heading; default the repository's name")
    show.add_argument(
        "--max-nodes", type=positive, default=MAX_NODES, help=f"leave out detail above; default {MAX_NODES}"
    )
    show.add_argument("--open", action="store_true", help="open the page in the browser")
    show.set_defaults(action_function=_show)

    query = actions.add_parser("query", help="find nodes by name or path and list what they are related to")
    _add_source(query)
    query.add_argument("name", nargs="?", help="a name, the end of a dotted name, or a pattern with * and ?")
    query.add_argument("--id", type=int, help="the node with this id")
    query.add_argument("--path", help="in the files with this path, below this folder, or matching this pattern")
    query.add_argument("--type", action="append", choices=[t.value for t in NodeType], help="only nodes of this type")
    query.add_argument(
        "--edge", action="append", choices=[t.value for t in EdgeType], help="only relations of this type"
    )
    query.add_argument("--direction", choices=DIRECTIONS, default="both", help="of the relations; default both")
    query.add_argument("--hops", type=positive, help="instead of the relations, all nodes within so many of them")
    query.add_argument("--source", action="store_true", dest="show_source", help="print the source too")
    query.set_defaults(action_function=_query)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("graph", metavar="SOURCE", help=_SOURCE_HELP)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks")
    building = parser.add_argument_group("building, where SOURCE is source code")
    building.add_argument(
        "--revision", help="a commit, branch or tag of the git repository, instead of its files on disk"
    )
    building.add_argument("--no-ignore", action="store_true", help="read files that git ignores (.gitignore) too")
    building.add_argument(
        "--language", action="append", choices=[each.value for each in Language], help="only this language"
    )
    building.add_argument("--cache", type=Path, help="keep what was read of each file here, and read only what changed")
    building.add_argument("--workers", type=positive, help="processes; default one per core")
    building.add_argument("--max-file-size", type=size, help="skip larger files, such as 5M")
    building.add_argument("--max-files", type=positive, help="stop after so many files")
    building.add_argument(
        "--memory",
        type=size,
        help="for intermediate results, such as 1G (default 200M): more is faster in large projects",
    )


def run(args: argparse.Namespace) -> int | None:
    """Runs the chosen action; returns the exit status, None for success."""
    return args.action_function(args)


# ---------------------------------------------------------------------- actions


def _build(args: argparse.Namespace) -> None:
    output = args.output or Path("graph.json" if args.format == "json" else "graph")
    if args.format == "json" and output.suffix not in (".json", ".gz"):
        raise ValueError(
            f"{output}: a graph is saved as .json or .json.gz, or as a folder with --format parquet or jsonl"
        )
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent} is not a folder: create it before the graph is built")
    graph, seconds = _graph_of(args)
    if args.format == "json":
        graph.save(output)
    else:
        tables.save_rows(graph, output, args.format)
    result = {"output": str(output), **_summary(graph, seconds)}
    if args.json:
        _print_json(result)
    else:
        _print_summary(graph, result)
        print(f"saved to {output}")


def _stats(args: argparse.Namespace) -> None:
    graph, seconds = _graph_of(args)
    result = _summary(graph, seconds)
    if args.json:
        _print_json({**result, "diagnostics": [_diagnostic_record(each) for each in graph.diagnostics]})
    else:
        _print_summary(graph, result)


def _show(args: argparse.Namespace) -> None:
    if not args.output.parent.is_dir():
        raise FileNotFoundError(f"{args.output.parent} is not a folder: create it first")
    graph, _ = _graph_of(args)
    if args.path:
        files = graph.find(path=args.path)
        if not files:
            raise ValueError(f"no file of the graph has the path {args.path!r}")
        graph = graph.subgraph(graph.file_closure(graph.with_containers(files)))
    left_out = save_page(graph, args.output, title=args.title, max_nodes=args.max_nodes)
    if args.json:
        _print_json({"output": str(args.output), "num_nodes": graph.num_nodes, "left_out": left_out})
    else:
        for node_type, count in left_out.items():
            _remark(args, f"left out {count} {node_type} nodes to keep the page below {args.max_nodes} nodes")
        print(f"{graph.num_nodes - sum(left_out.values())} nodes on {args.output}")
    if args.open:
        webbrowser.open(args.output.resolve().as_uri())


def _query(args: argparse.Namespace) -> int:
    if args.id is None and args.name is None and args.path is None and args.type is None:
        raise ValueError("query needs a name, --path, --type or --id")
    graph, _ = _graph_of(args)
    found = [args.id] if args.id is not None else graph.find(args.name, path=args.path, types=args.type)
    nodes = [graph[node_id] for node_id in found]
    if args.json:
        _print_json([_answer(graph, node, args) for node in nodes])
    else:
        for node in nodes:
            _print_answer(graph, node, args)
    if not nodes:
        _remark(args, "nothing found" + _hint(graph, args))
    return 0 if nodes else 1


def _hint(graph: CodeGraph, args: argparse.Namespace) -> str:
    """What the person may have meant, where the name that they gave is a path."""
    if (
        args.name is not None
        and args.path is None
        and ("/" in args.name or "." in args.name)
        and graph.find(path=args.name)
    ):
        return f": {args.name} is a path, which --path takes"
    return ""


# ---------------------------------------------------------------------- making and measuring


def _graph_of(args: argparse.Namespace) -> tuple[CodeGraph, float]:
    """The graph that the arguments name, built if need be, and the seconds that took."""
    start = time.perf_counter()
    path = Path(args.graph)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: expected {_SOURCE_HELP}")
    options = {
        "revision": args.revision,
        "ignored": args.no_ignore or None,
        "languages": args.language,
        "cache": args.cache,
        "workers": args.workers,
        "max_file_size": args.max_file_size,
        "max_files": args.max_files,
        "memory": args.memory,
    }
    options = {name: value for name, value in options.items() if value is not None}
    loader = _loader(path)
    if loader is not None:
        if options:
            spelled = {"languages": "language", "ignored": "no-ignore"}
            names = ", ".join("--" + spelled.get(name, name).replace("_", "-") for name in options)
            raise ValueError(f"{path} is a graph that was built already: {names} is for source code")
        graph = loader(path)
    else:
        import tree_sitter  # noqa: F401  without it there would be a graph, of files without contents

        from codefuse_hf.graph.build.builder import build_code_graph

        source = path if path.is_dir() else [path]
        graph = build_code_graph(source, progress=not args.quiet, **options)
    return graph, time.perf_counter() - start


def _loader(path: Path) -> Any:
    """What reads a graph that was built; None for source code."""
    if path.is_file() and path.name.endswith((".json", ".json.gz")):
        return CodeGraph.load
    if any((path / f"nodes{suffix}").is_file() for suffix in (".parquet", ".jsonl")):
        return CodeGraph.load
    return None


def _summary(graph: CodeGraph, seconds: float) -> dict[str, Any]:
    column = graph.arrays.texts.get("text")
    text_bytes = {}
    for node_type in graph.counts()["nodes"]:
        alike = graph.arrays.types == NODE_CODES[NodeType(node_type)]
        text_bytes[node_type] = 0 if column is None else int(np.maximum(column.lengths[alike], 0).sum(dtype=np.int64))
    return {
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        **graph.counts(),
        "text_bytes": text_bytes,
        "dropped_edges": graph.dropped_edges,
        "problems": dict(Counter(each.kind for each in graph.diagnostics)),
        "seconds": round(seconds, 3),
    }


def _print_summary(graph: CodeGraph, result: dict[str, Any]) -> None:
    print(f"{'nodes':<12}{result['num_nodes']:>12,}{'text':>14}")
    for node_type in NODE_TYPES:
        if node_type in result["nodes"]:
            print(
                f"  {node_type:<10}{result['nodes'][node_type]:>12,}{readable_size(result['text_bytes'][node_type]):>14}"
            )
    print(f"{'edges':<12}{result['num_edges']:>12,}")
    for edge_type in EDGE_TYPES:
        if edge_type in result["edges"]:
            print(f"  {edge_type:<10}{result['edges'][edge_type]:>12,}")
    if result["dropped_edges"]:
        print(f"dropped edges (an end is missing): {result['dropped_edges']:,}")
    for kind, count in result["problems"].items():
        first = next(each for each in graph.diagnostics if each.kind == kind)
        print(f"problems, {kind}: {count:,} (such as {first.path}: {first.message})")
    print(f"{result['seconds']:.2f} s")


def _answer(graph: CodeGraph, node: Node, args: argparse.Namespace) -> dict[str, Any]:
    record = {**_brief(node), "containers": graph.containers(node)}
    if args.show_source:
        record["text"] = node.text
    if args.hops:
        reached = graph.expand(node, args.hops, edge_types=args.edge, direction=args.direction)
        record["reached"] = [_brief(graph[each]) for each in reached if each != node.id]
    else:
        record["edges"] = [
            {"edgeType": kind.value, "source": source, "target": target}
            for kind, source, target in graph.incident_edges(node, args.edge, args.direction)
        ]
    return record


def _print_answer(graph: CodeGraph, node: Node, args: argparse.Namespace) -> None:
    print(_line(node))
    if args.hops:
        reached = graph.expand(node, args.hops, edge_types=args.edge, direction=args.direction)
        _print_list(f"within {args.hops}", [graph[each] for each in reached if each != node.id])
    else:
        groups: dict[str, list[Node]] = {}
        for kind, source, target in graph.incident_edges(node, args.edge, args.direction):
            phrase, other = (kind.value, target) if source == node.id else (_INVERSE[kind], source)
            groups.setdefault(phrase, []).append(graph[other])
        for phrase, others in groups.items():
            _print_list(phrase, others)
    if args.show_source and node.text is not None:
        print(node.text)


def _print_list(heading: str, nodes: list[Node]) -> None:
    print(f"  {heading} ({len(nodes)})")
    for node in nodes[:_LIST_LIMIT]:
        print(f"    {_line(node)}")
    if len(nodes) > _LIST_LIMIT:
        print(f"    … and {len(nodes) - _LIST_LIMIT} more (--json lists all)")


def _line(node: Node) -> str:
    place = node.file_path or ""
    if node.start_line is not None:
        place += f":{node.start_line}"
    return f"{node.type:<9} {node.qualified_name or '-'}  {place}  [{node.id}]"


def _brief(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "nodeType": node.type.value,
        "name": node.qualified_name,
        "path": node.file_path,
        "startLoc": node.start_line,
        "endLoc": node.end_line,
    }


def _diagnostic_record(diagnostic: Any) -> dict[str, Any]:
    return {name: getattr(diagnostic, name) for name in ("path", "kind", "message", "line")}


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"), indent=1))


def _remark(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, file=sys.stderr)
