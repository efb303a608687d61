"""Questions about public repositories with known answers: where the text of each comes from, and how those drawn by rule were drawn.

    python benchmarks/search_questions.py REPOSITORIES

draws anew what is drawn by rule in `benchmarks/data/search_questions.json` and keeps what was written by hand. REPOSITORIES holds bare git
repositories as `owner+name/repo`. Of a repository's text the file holds only where it stands:

* *docstring*: the first paragraph of what a function says of itself, which is taken out of the function before it is indexed;
* *commit*: the subject of a commit that changed the inside of one function and of no other source file;
* *hand*: a question in words of one's own, in the file.

Repositories of the two halves, `development` and `untouched`, are different ones, and so are those of `further`, more questions for
development, all drawn by rule. Within a repository functions and commits are ordered by the hash of their names, and the first that fulfil
the conditions are taken.
"""

import argparse
import hashlib
import inspect
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from codefuse_hf.graph.build.test_paths import is_test
from codefuse_hf.graph.languages import language_of_path
from codefuse_hf.search.units import Unit, units_of_file
from codefuse_hf.training.code_pairs import describe

DATA = Path(__file__).parent / "data" / "search_questions.json"
EACH = 4
_NO_QUESTION = re.compile(
    r"\b(?:release|bump|typo|merge|changelog|revert|version|docs?|readme|tests?|lint|format|refactor|cleanup|whitespace|javadoc|comments?|sort)\b|^\S+$",
    re.IGNORECASE,
)


def git(repository: Path, *arguments: str) -> bytes:
    """The output of a git command that reads."""
    return subprocess.run(["git", "--git-dir", repository, *arguments], check=True, capture_output=True).stdout


def blob(repository: Path, revision: str, path: str) -> bytes:
    """A file's content."""
    return git(repository, "cat-file", "blob", f"{revision}:{path}")


def check_out(repository: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder; what a snapshot lacks is left out."""
    with tempfile.TemporaryFile() as archive:
        subprocess.run(["git", "--git-dir", repository, "archive", revision], stdout=archive, stderr=subprocess.DEVNULL)
        archive.seek(0)
        subprocess.run(["tar", "-x", "-C", folder], stdin=archive, stderr=subprocess.DEVNULL)


def question_text(question: dict, repository: Path, revision: str) -> str:
    """What is asked."""
    if question["source"] == "hand":
        return question["text"]
    if question["source"] == "commit":
        return tidy_subject(git(repository, "log", "-1", "--format=%s", question["commit"]).decode("utf-8", "replace"))
    lines = blob(repository, revision, question["path"]).decode("utf-8", "replace").splitlines()
    first, last = question["remove"]
    return describe(_without_quotes(inspect.cleandoc("\n" + "\n".join(lines[first - 1 : last]))))


def take_out(question: dict, folder: Path) -> None:
    """Make the lines of a docstring empty in the checked-out file."""
    if question["source"] == "docstring":
        path = folder / question["path"]
        lines = path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)
        first, last = question["remove"]
        lines[first - 1 : last] = ["\n"] * (last - first + 1)
        path.write_bytes("".join(lines).encode())


def tidy_subject(subject: str) -> str:
    """A commit's subject without its kind and its number."""
    subject = re.sub(r"^\s*(?:\w+(?:\([^)]*\))?!?:|\[[^\]]*\])\s*", "", subject.strip())
    return re.sub(r"\s*\(?(?:#|gh-|LANG-|closes?|fix(?:es)?:?\s#)\d+\)?\.?", "", subject, flags=re.IGNORECASE).strip()


def draw(name: str, repository: Path, revision: str, under: str) -> Iterator[dict]:
    """The questions of one repository that are drawn by rule."""
    paths = git(repository, "ls-tree", "-r", "--name-only", revision).decode("utf-8", "replace").split("\n")
    paths = [path for path in paths if path.startswith(under) and language_of_path(path) and not is_test(path)]
    yield from _from_docstrings(name, repository, revision, paths)
    yield from _from_commits(name, repository, revision, under)


def _from_docstrings(name: str, repository: Path, revision: str, paths: list[str]) -> Iterator[dict]:
    found = []
    for path in paths:
        data = blob(repository, revision, path)
        lines = data.decode("utf-8", "replace").splitlines()
        for unit in units_of_file(path, data):
            if unit.kind == "function" and unit.end_line - unit.line >= 5 and (place := _documented(unit, lines)):
                question = {"source": "docstring", **_answer(name, unit), "remove": place}
                text = question_text(question, repository, revision)
                if 5 <= len(text.split()) <= 25 and text.isascii() and not _NO_QUESTION.search(text):
                    found.append((text.lower(), question))
    often = Counter(text for text, _ in found)
    found = [question for text, question in found if often[text] == 1]
    yield from sorted(found, key=lambda question: _hash(question["path"], question["unit"]))[:EACH]


def _documented(unit: Unit, lines: list[str]) -> list[int] | None:
    """First and last line of the docstring or comment, where it has lines of its own."""
    if unit.path.endswith(".py"):
        for at in range(unit.line, min(unit.end_line, unit.line + 30)):
            text = lines[at - 1].strip()
            if re.match(r'r?("""|\'\'\')', text):
                quote = text.lstrip("r")[:3]
                if text.count(quote) == 2 and text.endswith(quote):
                    return [at, at]
                end = next((i for i in range(at + 1, unit.end_line + 1) if lines[i - 1].rstrip().endswith(quote)), None)
                return None if end is None else [at, end]
        return None
    if not unit.comment:
        return None
    last = unit.line - 1
    while last > 0 and lines[last - 1].strip().startswith("@"):
        last -= 1
    first = last
    if last > 0 and lines[last - 1].strip().endswith("*/"):
        while first > 1 and not lines[first - 1].strip().startswith("/*"):
            first -= 1
    elif last > 0 and re.match(r"\s*(//|#)", lines[last - 1]):
        while first > 1 and re.match(r"\s*(//|#)", lines[first - 2]):
            first -= 1
    else:
        return None
    return [first, last]


def _from_commits(name: str, repository: Path, revision: str, under: str) -> Iterator[dict]:
    log = git(repository, "log", "--no-merges", "-n", "3000", "--format=%H%x09%s", revision, "--", under or ".")
    commits = [line.split("\t", 1) for line in log.decode("utf-8", "replace").split("\n") if "\t" in line]
    taken: set[tuple[str, str]] = set()
    for commit, subject in sorted(commits, key=lambda each: _hash(each[0])):
        text = tidy_subject(subject)
        if not 5 <= len(text.split()) <= 20 or _NO_QUESTION.search(text) or not text.isascii():
            continue
        unit = _changed_function(repository, revision, commit)
        if unit is None or (unit.path, unit.name) in taken or not unit.path.startswith(under):
            continue
        taken.add((unit.path, unit.name))
        yield {"source": "commit", **_answer(name, unit), "commit": commit}
        if len(taken) == EACH:
            return


def _changed_function(repository: Path, revision: str, commit: str) -> Unit | None:
    """The function, as it is in `revision`, that alone a commit changed."""
    names = (
        git(repository, "diff-tree", "-r", "--root", "--no-commit-id", "--name-only", commit)
        .decode("utf-8", "replace")
        .split()
    )
    sources = [path for path in names if language_of_path(path) and not is_test(path)]
    if len(sources) != 1:
        return None
    (path,) = sources
    diff = git(repository, "show", "--format=", "-U0", commit, "--", path).decode("utf-8", "replace")
    try:
        then, now = (list(units_of_file(path, blob(repository, each, path))) for each in (commit, revision))
    except subprocess.CalledProcessError:
        return None
    changed = set()
    for start, count in re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", diff, re.MULTILINE):
        lines = range(int(start), int(start) + max(1, int(count or 1)))
        inside = [
            unit for unit in then if unit.kind == "function" and unit.line < lines[0] and lines[-1] <= unit.end_line
        ]
        changed.add(max(inside, key=lambda unit: unit.line).name if inside else None)
    if len(changed) != 1 or None in changed:
        return None
    same = [unit for unit in now if unit.kind == "function" and unit.name in changed]
    return same[0] if len(same) == 1 else None


def _answer(name: str, unit: Unit) -> dict:
    return {"repository": name, "path": unit.path, "unit": unit.name}


def _without_quotes(text: str) -> str:
    return re.sub(r'^r?("""|\'\'\')|("""|\'\'\')$', "", text.strip())


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repositories", type=Path)
    parser.add_argument(
        "--only", nargs="*", metavar="OWNER/NAME", help="draw for these alone, keep the others' questions"
    )
    args = parser.parse_args(argv)
    data = json.loads(DATA.read_text())
    chosen = set(data["repositories"]) if args.only is None else set(args.only)
    if unknown := chosen - set(data["repositories"]):
        parser.error(f"{min(unknown)} is not among the repositories of {DATA.name}")
    questions = [each for each in data["questions"] if each["source"] == "hand" or each["repository"] not in chosen]
    for name, facts in data["repositories"].items():
        if name not in chosen:
            continue
        repository = args.repositories / name.replace("/", "+") / "repo"
        drawn = list(draw(name, repository, facts["commit"], facts["under"]))
        print(name, Counter(each["source"] for each in drawn))
        questions += drawn
    data["questions"] = sorted(
        questions, key=lambda each: (list(data["repositories"]).index(each["repository"]), each["source"])
    )
    rows = ",\n  ".join(json.dumps(each) for each in data["questions"])
    head = ",\n  ".join(f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in data["repositories"].items())
    DATA.write_text(f'{{\n "repositories": {{\n  {head}\n }},\n "questions": [\n  {rows}\n ]\n}}\n')


if __name__ == "__main__":
    main()
