"""How many of the definitions that universal-ctags finds the graph has, in languages that are read in outline.

    python benchmarks/graph_outlines.py REPOSITORIES [--most 300]

REPOSITORIES holds git repositories as `owner+name/repo`; `ctags` is that of universal-ctags, with JSON. Of each repository's files up to MOST are
drawn. A definition is found if the graph has one of its name in the file that begins at most six lines before or after (ctags gives the line of
the name, the graph that of the first attribute). ctags is no truth, and knows neither macros nor nesting well: what is missing was read by hand, and what
that showed stands in the Markdown. Writes `benchmarks/results/graph_outlines.json` and `.md`.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from codefuse_hf.graph import build_code_graph

RESULTS = Path(__file__).parent / "results"
LANGUAGES = {
    "Go": ((".go",), "func methodSpec", "struct interface type"),
    "C": ((".c", ".h"), "function", "struct union enum"),
    "C++": ((".cc", ".cpp", ".hpp", ".h"), "function", "class struct union enum"),
    "Rust": ((".rs",), "method function", "struct enum interface"),
    "C#": ((".cs",), "method", "class struct interface enum"),
    "Ruby": ((".rb",), "method singletonMethod", "class module"),
    "PHP": ((".php",), "function", "class interface trait"),
}
REPOSITORIES = {
    "Go": ("gin-gonic/gin", "gorilla/mux", "prometheus/prometheus"),
    "C": ("curl/curl", "jqlang/jq", "libuv/libuv", "redis/redis"),
    "C++": ("abseil/abseil-cpp", "gabime/spdlog", "google/leveldb", "fmtlib/fmt"),
    "Rust": ("BurntSushi/ripgrep", "clap-rs/clap", "tokio-rs/axum"),
    "C#": ("App-vNext/Polly", "serilog/serilog", "DapperLib/Dapper", "JamesNK/Newtonsoft.Json"),
    "Ruby": ("rack/rack", "sinatra/sinatra"),
    "PHP": ("Seldaek/monolog", "guzzle/guzzle"),
}
NEAR = 6
KINDS = ("functions", "classes")
NODE_TYPES = {"Function": "functions", "Class": "classes"}

Found = dict[str, dict[tuple[str, str, int], int | None]]
"""By kind: path, name and first line of a definition, to its last line where that is known."""


def draw_files(repository: Path, language: str, most: int, folder: Path) -> int:
    """Writes up to `most` files of the repository's last commit into `folder`; returns how many."""
    git = ["git", "-C", str(repository)]
    listed = subprocess.run([*git, "ls-tree", "-r", "-z", "--name-only", "HEAD"], capture_output=True, check=True)
    paths = [path for path in listed.stdout.decode().split("\0") if path.endswith(LANGUAGES[language][0])]
    random.Random(0).shuffle(paths)
    written = 0
    for path in paths[:most]:
        shown = subprocess.run([*git, "show", f"HEAD:{path}"], capture_output=True, check=False)
        if shown.returncode == 0 and len(shown.stdout) < 500_000:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(shown.stdout)
            written += 1
    return written


def plain(name: str) -> str:
    """The last part of a name, without arguments and blanks."""
    if "operator" in name:
        return name.replace(" ", "")[name.replace(" ", "").index("operator") :]
    return name.partition("(")[0].replace("::", ".").rpartition(".")[2].strip()


def by_ctags(folder: Path, language: str) -> Found:
    """The definitions that ctags finds."""
    headers = ["--langmap=C:+.h"] if language == "C" else []
    command = [
        "ctags",
        "-R",
        "--output-format=json",
        "--fields=+neK",
        f"--languages={language}",
        *headers,
        "-f",
        "-",
        ".",
    ]
    output = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    kinds = {kind: which for which, names in zip(KINDS, LANGUAGES[language][1:], strict=True) for kind in names.split()}
    found: Found = {kind: {} for kind in KINDS}
    for line in output.decode(errors="replace").splitlines():
        tag = json.loads(line)
        if tag.get("kind") in kinds and not tag["name"].startswith("__anon"):
            key = (os.path.normpath(tag["path"]), plain(tag["name"]), tag["line"])
            found[kinds[tag["kind"]]][key] = tag.get("end")
    return found


def by_graph(folder: Path) -> Found:
    """The definitions that the graph has."""
    found: Found = {kind: {} for kind in KINDS}
    for node in build_code_graph(folder, progress=False).nodes():
        if node.type in NODE_TYPES:
            found[NODE_TYPES[node.type]][node.file_path, plain(node.name), node.start_line] = node.end_line
    return found


def compare(theirs: Found, ours: Found) -> dict[str, int]:
    """How many of their definitions there are in ours, and how many of those have the same last line."""
    figures = {}
    for kind in KINDS:
        match = {}
        for path, name, line in theirs[kind]:
            lines = [*(line - away for away in range(NEAR + 1)), *(line + away for away in range(1, NEAR + 1))]
            match[path, name, line] = next((each for at in lines if (each := (path, name, at)) in ours[kind]), None)
        both = [(theirs[kind][key], ours[kind][own]) for key, own in match.items() if own and theirs[kind][key]]
        figures |= {
            kind: len(match),
            f"{kind} found": sum(own is not None for own in match.values()),
            f"{kind} with a last line": len(both),
            f"{kind} with the same last line": sum(a == b for a, b in both),
        }
    return figures


def table(rows: list[dict]) -> str:
    """All figures as Markdown."""
    lines = [
        "# Definitions in outline beside universal-ctags",
        "",
        "Written by `benchmarks/graph_outlines.py`, in one run: what ctags finds, how much of it the graph has, and how many of those that ctags gives a",
        "last line have the same in the graph. ctags is no truth: in libuv and redis it calls tests by the macro that makes them (`TEST_IMPL`), the graph by",
        "their names (`tcp_bind`); of the C# functions that are not found, most have the name of an interface in ctags (`IEnumerable.GetEnumerator`), or are",
        "classes with parameters.",
        "",
        "| language | repository | files | functions | found | same last line | classes | found | same last line |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [row["language"], row["repository"], str(row["files"])]
        for kind in KINDS:
            total, found = row[kind], row[f"{kind} found"]
            ends, same = row[f"{kind} with a last line"], row[f"{kind} with the same last line"]
            cells += [str(total), f"{found / total:.3f}" if total else "", f"{same} of {ends}" if ends else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> list[dict]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repositories", type=Path)
    parser.add_argument("--most", type=int, default=300, help="files of a repository")
    parser.add_argument("--results", type=Path, default=RESULTS / "graph_outlines.json")
    args = parser.parse_args(argv)
    version = subprocess.run(["ctags", "--version"], capture_output=True, check=True, text=True).stdout.split("\n")[0]
    rows, start = [], time.process_time()
    for language, names in REPOSITORIES.items():
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                files = draw_files(
                    args.repositories / name.replace("/", "+") / "repo", language, args.most, Path(folder)
                )
                figures = compare(by_ctags(Path(folder), language), by_graph(Path(folder)))
            rows.append({"language": language, "repository": name, "files": files, **figures})
            print(rows[-1], flush=True)
    facts = {
        "ctags": version,
        "cpu_seconds": round(time.process_time() - start, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    args.results.write_text(json.dumps({**facts, "repositories": rows}, indent=1) + "\n")
    args.results.with_suffix(".md").write_text(table(rows))
    return rows


if __name__ == "__main__":
    main()
