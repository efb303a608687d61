"""Mining (description, code) pairs from source: what a function says of itself, and the function without it.

In Python that is the docstring, in every other language of the code graph the comment before the function. Source files are
read as data, never imported or run.
"""

import ast
import hashlib
import inspect
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from codefuse_hf.graph.build.sources import decode_source
from codefuse_hf.graph.build.test_paths import is_test
from codefuse_hf.graph.languages import front_end, select_languages
from codefuse_hf.graph.languages import languages as known_languages
from codefuse_hf.graph.languages.source_text import SourceText

_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class CodePair:
    """A natural-language description and the code that it describes.

    Attributes:
        query: first paragraph of the docstring or comment, on one line.
        code: source of the function, without its docstring, dedented.
        name: qualified name within its file.
        path: file, relative to the root that was mined.
        line: first line of the function, from 1.
        package: first part of the path, the unit for holding out.
        language: of the file.
    """

    query: str
    code: str
    name: str
    path: str
    line: int
    package: str
    language: str = "python"


def mine_code_pairs(
    roots: Iterable[str | os.PathLike],
    *,
    min_words: int = 4,
    max_words: int = 60,
    min_lines: int = 3,
    max_characters: int = 6000,
    languages: Iterable[str] = ("python",),
    progress: bool = True,
) -> list[CodePair]:
    """Collect pairs from all files of the `languages` below `roots`, in a deterministic order, each code and each query once.

    Left out: links, tests, private dunder methods, functions without real body, descriptions that are too short or long, not
    prose, or shared by several functions ("Returns the config."), which no search could tell apart.

    Raises:
        FileNotFoundError: a root that does not exist.
        ValueError: an unknown language.
    """
    suffixes = {suffix: name for name, each in select_languages(languages).items() for suffix in each.suffixes}
    files = []
    for root in map(Path, roots):
        if not root.exists():
            raise FileNotFoundError(f"there is no folder {root} to mine")
        files += [(root, path) for path in sorted(root.rglob("*")) if _is_source(root, path, suffixes)]
    pairs, seen_code, queries = [], set(), {}
    for root, path in tqdm(files, desc="Mining", unit="file", disable=None if progress else True):
        language, relative = suffixes[path.suffix], path.relative_to(root)
        pairs_of = _pairs_of_python if language == "python" else partial(_pairs_of_comments, language)
        for pair in pairs_of(path, relative, max_characters):
            words = pair.query.split()
            key = hashlib.sha256(re.sub(r"\s+", "", pair.code).encode()).digest()
            short = pair.code.count("\n") + 1 < min_lines
            if short or key in seen_code or not min_words <= len(words) <= max_words or not _is_prose(pair.query):
                continue
            seen_code.add(key)
            queries[pair.query.lower()] = queries.get(pair.query.lower(), 0) + 1
            pairs.append(pair)
    return [pair for pair in pairs if queries[pair.query.lower()] == 1]


def hold_out(pairs: list[CodePair], packages: Iterable[str]) -> tuple[list[CodePair], list[CodePair]]:
    """Split into pairs for training and pairs of the packages held out.

    Raises:
        ValueError: a package that has no pairs.
    """
    packages = set(packages)
    missing = packages - {pair.package for pair in pairs}
    if missing:
        raise ValueError(f"no pairs were mined from {', '.join(sorted(missing))}")
    held = [pair for pair in pairs if pair.package in packages]
    return [pair for pair in pairs if pair.package not in packages], held


def _pairs_of_python(path: Path, relative: Path, max_characters: int) -> Iterator[CodePair]:
    try:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return  # unreadable, not UTF-8, or not Python 3: no pairs
    lines = source.splitlines()
    stack = [(tree, "")]
    while stack:
        node, prefix = stack.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                stack.append((child, f"{prefix}{child.name}."))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                described = _describe(child, lines, max_characters)
                if described is not None:
                    name = prefix + child.name
                    yield CodePair(*described, name, relative.as_posix(), child.lineno, relative.parts[0])


def _describe(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], limit: int) -> tuple[str, str] | None:
    """Query and code of one function, or None."""
    docstring = ast.get_docstring(node)
    if not docstring or len(node.body) < 2 or re.fullmatch(r"__\w+__", node.name):
        return None
    expression = node.body[0]
    if expression.lineno == node.lineno or node.body[1].lineno == expression.end_lineno:
        return None  # docstring shares a line with code
    body = lines[node.lineno - 1 : expression.lineno - 1] + lines[expression.end_lineno : node.end_lineno]
    code = inspect.cleandoc("\n" + "\n".join(body))
    paragraph = re.split(r"\n\s*\n|\n\s*(?:Args|Arguments|Parameters|Returns|Raises|:param)\b", docstring.strip())[0]
    query = " ".join(paragraph.split())
    return (query, code) if query and len(code) <= limit else None


def _pairs_of_comments(language: str, path: Path, relative: Path, max_characters: int) -> Iterator[CodePair]:
    """The pairs of a file whose functions have comments before them."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    if len(data) > _LARGEST_FILE:
        return
    source = SourceText(decode_source(data)[0])
    facts = front_end(language).extract(relative.as_posix(), source)
    kinds = known_languages()[language].unit_kinds
    for definition in facts.definitions[1:]:
        comment = definition.fields.get("comment")
        code = inspect.cleandoc("\n" + source.text[definition.start : definition.end])
        if kinds.get(definition.node_type) != "function" or not isinstance(comment, str) or len(code) > max_characters:
            continue
        query = describe(comment)
        if query:
            name = definition.fields.get("name") or definition.fields.get("methodName") or ""
            yield CodePair(
                query, code, name, relative.as_posix(), source.line(definition.start), relative.parts[0], language
            )


def describe(comment: str) -> str:
    """Return the first paragraph of a documentation comment on one line, without the signs of comments, markup and tags."""
    text = re.sub(
        r"^[ \t]*(?:/\*+!?|\*+/|//+[/!]*|\*(?!\w)|#+|--)|\*+/[ \t]*$", "", comment.strip(), flags=re.MULTILINE
    )
    markup = r"<(code|pre)>.*?</\1>|<[^<>]{1,80}>|\{@\w+|^\s*[@\\](?:brief|summary|short|desc)\b"
    text = re.sub(r"[`}]", "", re.sub(markup, " ", text, flags=re.DOTALL | re.MULTILINE))
    paragraph = re.split(
        r"\n\s*\n|^\s*[@\\]\w+|\n\s*(?:#+ |Args|Parameters|Returns|Example|Note:|:\w)", text.strip(), flags=re.MULTILINE
    )[0]
    return " ".join(paragraph.split())


def _is_source(root: Path, path: Path, suffixes: Mapping[str, str]) -> bool:
    return path.suffix in suffixes and path.is_file() and not path.is_symlink() and not _is_test(path.relative_to(root))


def _is_prose(text: str) -> bool:
    letters = sum(c.isascii() and (c.isalpha() or c == " ") for c in text)
    return letters >= 0.8 * len(text) and "::" not in text and "http" not in text


def _is_test(path: Path) -> bool:
    folders = any(part in ("tests", "test", "testing", "__tests__", "spec") for part in path.parts)
    return folders or any(part.startswith("test_") for part in path.parts) or is_test(path.as_posix())
