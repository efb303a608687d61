"""Pairs of a described fault and the place of its fix, mined from the histories of public repositories; what localisation is fitted on.

    python benchmarks/localisation_pairs.py REPOSITORIES

A pair is a commit that explains a fault at length, changes one source file and some test, and whose functions were there before. Pairs of one
repository share a base commit (at most `WINDOW_DAYS` older than any of them), so that few graphs are built. No repository of SWE-bench is
among them. The list holds commits and places, no texts: `message` reads those from the repository.
"""

import argparse
import ast
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codefuse_hf.graph.build.test_paths import is_test

PAIRS = Path(__file__).parent / "data" / "localisation_pairs.json"
REPOSITORIES = (
    "celery/celery", "aio-libs/aiohttp", "networkx/networkx", "python-poetry/poetry", "tornadoweb/tornado", "pallets/werkzeug", "pypa/pip",
    "python/mypy", "dask/dask", "sqlalchemy/sqlalchemy", "scrapy/scrapy", "ipython/ipython", "nedbat/coveragepy",
)  # fmt: skip
WINDOW_DAYS = 500
PER_BASE = 22
MAX_COMMITS = 9000
_TRIED = 5  # windows that are looked at closely
MAX_FILES = 900
_FAULT = re.compile(
    r"(?i)\b(?:fix\w*|bugs?|issue|errors?|crash\w*|regress\w+|fail\w*|wrong\w*|incorrect\w*|broken|instead|exceptions?|raises?)\b"
)
_TRAILER = re.compile(
    r"(?mi)^(?:(?:co-authored-by|signed-off-by|reviewed-by|change-id|acked-by|closes|references|cc)\b|\(cherry picked).*$"
)
_BESIDE = re.compile(r"(?:docs?|examples?|scripts?|tools|benchmarks?|setup\.py)(?:/|$)")


@dataclass
class Commit:
    """A commit that may be a pair."""

    id: str
    parent: str
    day: int
    path: str
    functions: list[str]


def git(repository: Path, *arguments: str) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def folder(repositories: Path, repo: str) -> Path:
    """Where the git repository of `owner/name` lies."""
    return repositories / repo.replace("/", "+") / "repo"


def message(repository: Path, commit: str) -> str:
    """The commit's message without trailers, as the text of an issue."""
    return _TRAILER.sub("", git(repository, "show", "-s", "--format=%B", commit)).strip()


def without_names(text: str, instance: dict) -> str:
    """The text without the names of the file and the functions that the fix changed, which a commit gives away and an issue often does not."""
    names = {name for path in instance["gold_files"] for name in (path, Path(path).stem)}
    names |= {part for function in instance["gold_functions"] for part in function.split(".") if len(part) > 3}
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?i)(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", " ", text)
    return text if text.strip() else "(nothing)"


def commits(repository: Path) -> Iterator[Commit]:
    """The commits that may be pairs, oldest first."""
    form = "--format=%x01%H%x00%P%x00%ct%x00%B%x03"
    listed = git(repository, "log", "--no-merges", "--name-status", f"--max-count={MAX_COMMITS}", form)
    seen = set()
    for record in reversed(listed.split("\x01")[1:]):
        head, _, names = record.partition("\x03")
        commit, parent, seconds, text = head.split("\0", 3)
        changed = [line.split("\t") for line in names.split("\n") if line.endswith(".py")]
        sources = [entry for entry in changed if not is_test(entry[-1]) and not _BESIDE.match(entry[-1])]
        title = re.sub(r"\W+|#\d+", " ", text.partition("\n")[0]).lower()
        if len(sources) != 1 or sources[0][0] != "M" or len(changed) == 1 or title in seen or not _explains(text):
            continue
        seen.add(title)
        functions = sorted(_changed_functions(repository, parent, commit, sources[0][1]))
        if functions:
            yield Commit(commit, parent, int(seconds) // 86400, sources[0][1], functions)


def _explains(text: str) -> bool:
    """Whether a message is about a fault, and says more than its title, in sentences rather than as a list of commits."""
    body = _TRAILER.sub("", text.partition("\n")[2]).strip()
    lines = body.splitlines()
    listed = sum(line.lstrip().startswith(("*", "-")) for line in lines)
    return len(body) >= 200 and listed < 0.4 * len(lines) and _FAULT.search(text) is not None


def _changed_functions(repository: Path, parent: str, commit: str, path: str) -> set[str]:
    """Dotted names of the innermost functions, else classes, of the old file in which lines were changed."""
    hunks = re.findall(r"(?m)^@@ -(\d+)(?:,(\d+))?", git(repository, "diff", "-U0", parent, commit, "--", path))
    lines = [line for first, count in hunks for line in range(int(first), int(first) + max(int(count or 1), 1))]
    spans = _spans(git(repository, "show", f"{parent}:{path}"))
    around = ([span for span in spans if span[0] <= line <= span[1]] for line in lines)
    return {min(inside, key=lambda span: span[1] - span[0])[2] for inside in around if inside}


def _spans(text: str) -> list[tuple[int, int, str]]:
    """First line, last line and dotted name of each function and class; none if the text does not parse."""
    try:
        open_nodes = [(ast.parse(text), "")]
    except (SyntaxError, ValueError):
        return []
    spans = []
    while open_nodes:
        node, outer = open_nodes.pop()
        for child in ast.iter_child_nodes(node):
            name = outer
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{outer}.{child.name}".lstrip(".")
                spans.append((child.lineno, child.end_lineno, name))
            open_nodes.append((child, name))
    return spans


def window(repository: Path, found: list[Commit]) -> tuple[str, list[tuple[Commit, list[str]]]]:
    """The base commit with the most pairs, and the pairs with the functions that the base has."""
    counts = [(sum(first.day <= each.day <= first.day + WINDOW_DAYS for each in found), first) for first in found]
    tried = [_window(repository, first, found) for _, first in sorted(counts, key=lambda pair: -pair[0])[:_TRIED]]
    return max(tried, key=lambda pair: len(pair[1]))


def _window(repository: Path, first: Commit, found: list[Commit]) -> tuple[str, list[tuple[Commit, list[str]]]]:
    """The commit before `first`, and the pairs that it can be the base of; none if it has too many files."""
    paths = set(git(repository, "ls-tree", "-r", "--name-only", first.parent).split("\n"))
    if sum(path.endswith(".py") for path in paths) > MAX_FILES:
        return first.parent, []
    inside = [each for each in found if first.day <= each.day <= first.day + WINDOW_DAYS and each.path in paths]
    kept = ((each, _kept(repository, first.parent, each)) for each in inside)
    return first.parent, [(each, functions) for each, functions in kept if functions][:PER_BASE]


def _kept(repository: Path, base: str, commit: Commit) -> list[str]:
    names = {span[2] for span in _spans(git(repository, "show", f"{base}:{commit.path}"))}
    return [name for name in commit.functions if name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", type=Path, help="git repositories as owner+name/repo")
    parser.add_argument("--output", type=Path, default=PAIRS)
    args = parser.parse_args()
    pairs = []
    for repo in REPOSITORIES:
        repository = folder(args.repositories, repo)
        found = list(commits(repository))
        base, inside = window(repository, found)
        for commit, functions in inside:
            instance = f"{repo.replace('/', '__')}-{commit.id[:10]}"
            gold = {"gold_files": [commit.path], "gold_functions": functions}
            pairs.append({"instance_id": instance, "repo": repo, "base_commit": base, "commit": commit.id, **gold})
        print(f"{repo}: {len(found)} commits, {len(inside)} pairs", flush=True)
        args.output.write_text("[\n" + ",\n".join(map(json.dumps, pairs)) + "\n]\n")


if __name__ == "__main__":
    main()
