"""Edits that a language model proposes: read leniently from its answer, applied strictly to the files.

An answer is untrusted text. It is read as search/replace blocks or as a unified diff, whatever stands around them; each
edit must then name one place in one file inside the repository, and a Python file must still parse. Nothing is written
here: the result is new contents of files, and a patch that `git apply` takes.
"""

import ast
import difflib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath

MAX_ANSWER_CHARACTERS = 1_000_000
MAX_FILE_CHARACTERS = 2_000_000
_LINES_BEFORE = 12  # of an answer in which a block's path is looked for
_SEARCH, _MIDDLE, _END = (
    re.compile(rf"{mark}[ \t]*") for mark in ("<{5,9} ?SEARCH[^\n]*", "={5,9}", ">{5,9} ?REPLACE[^\n]*")
)
_DIFF_FILE = re.compile(r"^--- (?P<old>[^\n]+)\n\+\+\+ (?P<new>[^\n]+)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@[^\n]*\n?", re.MULTILINE)
_WORD = re.compile(r"[^\s`*\"'()\[\],;<>#]+")

Read = Callable[[str], str | None]
"""Gives the text of a file by its path in the repository; None if there is no such file."""


@dataclass(frozen=True)
class Edit:
    """Replace `search` by `replace` in one file; an empty `search` makes a new file."""

    path: str
    search: str
    replace: str


class EditError(ValueError):
    """Edits that cannot be applied; the message says which and why, in words that a language model can act on."""


def parse_edits(answer: str) -> list[Edit]:
    """Read the edits out of an answer, in their order.

    Search/replace blocks need the file's path on one of the two lines before the block, or in an earlier block:

        path/to/file.py
        <<<<<<< SEARCH
        the lines as they are
        =======
        the lines as they should be
        >>>>>>> REPLACE

    The line numbers of a unified diff are not used: its hunks are found by their lines.

    Raises:
        EditError: the answer holds no edit, an edit without a path, or is too long.
    """
    if len(answer) > MAX_ANSWER_CHARACTERS:
        raise EditError(
            f"the answer has {len(answer):,} characters, more than {MAX_ANSWER_CHARACTERS:,}: answer with edits only"
        )
    answer = answer.replace("\r\n", "\n")
    edits = _search_replace(answer) or _diff(answer)
    if not edits:
        raise EditError("the answer holds no edit: write search/replace blocks, or a unified diff")
    return edits


def apply_edits(edits: list[Edit], read: Read) -> dict[str, str]:
    """Apply edits in their order; later ones see what earlier ones did.

    Args:
        edits: see `parse_edits`.
        read: gives the text of a file.

    Returns:
        New text of each file that changes.

    Raises:
        EditError: a path that is not inside the repository, a search text that is not there or is there more than once, a file
            that is too large, a Python file that would not parse, or edits that change nothing.
    """
    texts: dict[str, str] = {}
    before: dict[str, str | None] = {}
    for number, edit in enumerate(edits, start=1):
        path = _checked_path(edit.path)
        if path not in texts:
            before[path] = read(path)
            if before[path] is not None and len(before[path]) > MAX_FILE_CHARACTERS:
                raise EditError(f"edit {number}: {path} is too large to be edited ({len(before[path]):,} characters)")
        texts[path] = _applied(number, path, texts.get(path, before[path]), edit)
    changed = {path: text for path, text in texts.items() if text != before[path]}
    if not changed:
        raise EditError("the edits change nothing")
    for path, text in changed.items():
        if re.search(r"[\ud800-\udfff]", path + text):
            raise EditError(f"{path} would hold characters that are no Unicode text")
        _check_syntax(path, before[path], text)
    return changed


def make_patch(changed: Mapping[str, str], read: Read) -> str:
    """Write changed files as one unified diff in git's form, in the order of their paths."""
    parts = []
    for path, text in sorted(changed.items()):
        old = read(path)
        parts.append(f"diff --git a/{path} b/{path}\n")
        if old is None:
            parts.append("new file mode 100644\n")
        source = "/dev/null" if old is None else f"a/{path}"
        lines = difflib.unified_diff(_lines(old or ""), _lines(text), source, f"b/{path}")
        parts += (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "".join(parts)


def _lines(text: str) -> list[str]:
    """Lines as git counts them: by line feeds alone."""
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _search_replace(answer: str) -> list[Edit]:
    edits, path = [], None
    for before, search, replace in _blocks(answer):
        path = _path_before(before) or path
        if path is None:
            raise EditError(f"edit {len(edits) + 1} names no file: put the path on the line before the block")
        edits.append(Edit(path, search, replace))
    return edits


def _blocks(answer: str) -> Iterator[tuple[str, str, str]]:
    """What stands before each complete block, after SEARCH, and before REPLACE; in one pass, since an answer may be hostile."""
    parts, marks = [[]], (_SEARCH, _MIDDLE, _END)
    for line in _lines(answer):
        if marks[len(parts) - 1].fullmatch(line.rstrip("\n")):
            parts.append([])
        else:
            parts[-1].append(line)
        if len(parts) == 4:
            before, search, replace, _ = parts
            yield "".join(before[-_LINES_BEFORE:]), "".join(search), "".join(replace)
            parts = [[]]


def _path_before(text: str) -> str | None:
    """The path on the last two lines before a block that are no code fences; None if there is none."""
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("```")]
    for line in reversed(lines[-2:]):
        words = (word.rstrip(":.") for word in _WORD.findall(line))
        paths = [word for word in words if re.search(r"\w\.\w+$|/\w", word)]
        if paths:
            return paths[-1]
    return None


def _diff(answer: str) -> list[Edit]:
    edits = []
    files = list(_DIFF_FILE.finditer(answer))
    for file, following in zip_longest(files, files[1:]):
        body = answer[file.end() : following.start() if following else len(answer)]
        old, new = (file[side].split("\t")[0].strip() for side in ("old", "new"))
        if new == "/dev/null":
            raise EditError(f"the diff deletes {old}: files cannot be deleted")
        for hunk in _HUNK.split(body)[1:]:
            search, replace = _sides(hunk)
            if search or old == "/dev/null":
                edits.append(Edit(re.sub(r"^[ab]/", "", new), search, replace))
    return edits


def _sides(hunk: str) -> tuple[str, str]:
    """The lines of a hunk before and after it."""
    search, replace = [], []
    for line in _lines(hunk):
        sign, rest = line[0], line[1:]
        if sign == "\\":  # no newline at the end of the file
            continue
        if sign not in " +-\n" or line.startswith(("diff --git", "```")):
            break
        if sign == "\n":
            rest = "\n"
        if sign in " -\n":
            search.append(rest)
        if sign in " +\n":
            replace.append(rest)
    while search and replace and search[-1] == replace[-1] == "\n":  # blank lines between the diff and what follows it
        search.pop()
        replace.pop()
    return "".join(search), "".join(replace)


def _checked_path(path: str) -> str:
    """The path in its plain form, if it may be edited."""
    plain = path.replace("\\", "/").removeprefix("./")
    parts = PurePosixPath(plain).parts
    if plain.startswith(("/", "~")) or re.match(r"[A-Za-z]:", plain):
        raise EditError(f"{path!r} is an absolute path: use the path inside the repository")
    if not parts or ".." in parts or any(ord(letter) < 32 for letter in plain):
        raise EditError(f"{path!r} does not lie inside the repository")
    if any(part.lower() == ".git" for part in parts):
        raise EditError(f"{path!r} belongs to git itself and is never edited")
    return "/".join(parts)


def _applied(number: int, path: str, text: str | None, edit: Edit) -> str:
    if text is None:
        if edit.search.strip():
            raise EditError(f"edit {number}: there is no file {path}")
        return edit.replace
    if not edit.search.strip():
        raise EditError(f"edit {number}: {path} exists: give the lines to be replaced after SEARCH")
    if 2 * text.count("\r\n") > text.count("\n"):  # answers have line feeds alone
        edit = Edit(edit.path, edit.search.replace("\n", "\r\n"), edit.replace.replace("\n", "\r\n"))
    count = text.count(edit.search)
    if count == 1:
        return text.replace(edit.search, edit.replace)
    if count > 1:
        raise EditError(
            f"edit {number}: the lines to be replaced occur {count} times in {path}: give more lines around them"
        )
    return _applied_by_lines(number, path, text, edit)


def _applied_by_lines(number: int, path: str, text: str, edit: Edit) -> str:
    """As whole lines, blanks at their ends aside."""
    lines, wanted = _lines(text), [line.rstrip() for line in _lines(edit.search)]
    bare = [line.rstrip() for line in lines]
    found = [at for at in range(len(lines) - len(wanted) + 1) if bare[at : at + len(wanted)] == wanted]
    if len(found) != 1:
        how = "do not occur" if not found else f"occur {len(found)} times"
        raise EditError(
            f"edit {number}: the lines to be replaced {how} in {path}: copy them exactly, with their indentation"
        )
    end = "\r\n" if "\r\n" in edit.search else "\n"
    replace = edit.replace if not edit.replace or edit.replace.endswith("\n") else edit.replace + end
    return "".join(lines[: found[0]]) + replace + "".join(lines[found[0] + len(wanted) :])


def _check_syntax(path: str, before: str | None, text: str) -> None:
    if not path.endswith(".py") or _syntax_error(text) is None:
        return
    if before is None or _syntax_error(before) is None:
        error = _syntax_error(text)
        raise EditError(f"{path} would not parse any more: line {error.lineno}: {error.msg}")


def _syntax_error(text: str) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error))
    return None
