"""An issue as a person wrote it, taken apart: title, prose, code, and the places in code that it names.

The text is untrusted and only ever read. What bug trackers add (comments of the form, check lists, lists of installed
packages) is left out, since its words name no place.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from ..search.words import IDENTIFIER

MAX_CHARACTERS = 100_000
# Each pattern takes time in proportion to the text, whatever it is: issues are anybody's.
_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?m)^(?:    |\t|>>> |\.\.\. )(.*)$")
_INLINE = re.compile(r"`([^`\n]+)`")
_RUN = re.compile(r"[\w./\\-]+")
_SUFFIX = re.compile(r"\.(?:py|pyi|java|js|ts|go|rs|c|h|cc|cpp|hpp|cs|rb|php|kt|scala)\b")
_DOTTED = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b|(?<=import )[\w.]+|(?<=from )[\w.]+(?= import)")
_QUOTED = re.compile(r"\"([^\"\n]{8,80})\"|'([^'\n]{8,80})'")
_ERROR = re.compile(r"(?m)^[ \t]*(?:E[ \t]+)?(?:\w+\.)*\w*(?:Error|Exception|Warning)\b:? +(.+)$")
_LINE_MARK = re.compile(r"^[ \t]*(?:-+>|>+|E)?[ \t]*\d*[ \t]+|^>>> ")
_PIECE_END = re.compile(r"[.:;,\"'`()<>%{}\d\n]+")
_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
_MAX_PHRASES = 500  # each is looked for in every file
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\(")
_IMPORTED = re.compile(r"\bimport[ \t]+\(?([\w, \t]+)")
_BOLD_NAME = re.compile(r"(?<=[.`\s])\*\*(\w+)\*\*(?=\()")  # what Markdown makes of __init__()
_FRAMES = (
    re.compile(r'File "(?P<path>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<name>[\w<>.]+))?'),  # Python
    re.compile(
        r"(?m)^[ \t]*(?:File )?(?P<path>[~\w./\\:-]+\.py):(?P<line>\d+)(?:, in (?P<name>[\w.]+)|: in (?P<inner>[\w.]+))?"
    ),
    re.compile(r"(?m)^(?P<path>[~\w./\\-]+\.py)c? in (?P<name>\w+)\("),  # older IPython
    re.compile(r"(?m)^[ \t]*at (?P<class>[\w.$]+)\.(?P<name>[\w$<>]+)\((?P<path>\w+\.java):(?P<line>\d+)\)"),  # Java
)
_ENVIRONMENT = re.compile(
    r"(?mis)^#{1,6}[^\n]*\b(?:versions?|environment|system info\w*|os|dependencies)\b[^\n]*\n.*?(?=^#{1,6} |\Z)"
)
_PACKAGE_LIST = re.compile(r"(?i)pip (?:list|freeze)|\bPackage +Version|conda list|INSTALLED VERSIONS|show_versions")
_HEADINGS = re.compile(
    r"(?mi)^[ \t]*(?:#{1,6}[ \t]*|\*\*)?(?:bug (?:description|summary|report)|description|configuration|command used|code for reproduction"
    r"|(?:\w+ )?(?:expected|actual|observed)(?: (?:output|outcome|behaviou?r|results?))?|(?:steps |code |how )?to reproduce|steps/code to reproduce"
    r"|additional (?:context|information)|current (?:problem|behaviou?r)|desired solution|(?:pylint|pytest|\w+) output|output|summary|example"
    r"|traceback)[ \t]{0,9}:?[ \t]{0,9}(?:\*\*)?[ \t]{0,9}$"
)


@dataclass(frozen=True)
class Frame:
    """One line of a traceback: a path as it was on the reporter's machine, a line (0 if unknown), a function or ""."""

    path: str
    line: int
    name: str


@dataclass(frozen=True)
class Issue:
    """An issue taken apart; make one with `read_issue`.

    Attributes:
        title: its first line.
        prose: its text without code.
        code: its code blocks and what is indented like one.
        inline: what stands in `single backticks`.
        frames: the frames of its tracebacks, in their order (Python: innermost last).
    """

    title: str
    prose: str
    code: str
    inline: tuple[str, ...]
    frames: tuple[Frame, ...]

    @property
    def text(self) -> str:
        """All that is left of the issue after cleaning."""
        return "\n".join((self.title, self.prose, self.code))

    @cached_property
    def paths(self) -> list[str]:
        """Paths of source files that it names outside tracebacks, `/`-separated, each once."""
        runs = (
            (run, [match.end() for match in _SUFFIX.finditer(run) if match.start()]) for run in _RUN.findall(self.text)
        )
        found = (run[: ends[-1]].replace("\\", "/").lstrip("./") for run, ends in runs if ends)
        framed = {frame.path.lstrip("./~") for frame in self.frames}
        return list(dict.fromkeys(path for path in found if path and path.lstrip("~/") not in framed))

    @cached_property
    def dotted_names(self) -> list[str]:
        """Dotted names and imported modules, each once."""
        return list(dict.fromkeys(_DOTTED.findall(self.text)))

    @cached_property
    def identifiers(self) -> dict[str, float]:
        """Every word that could be a name, with the weight of the most telling place where it stands."""
        places = ((self.code, 0.5), (self.prose, 0.7), (" ".join(self.inline), 1.5), (self.title, 2.0))
        weights: dict[str, float] = {}
        for text, weight in places:
            weights.update(dict.fromkeys(IDENTIFIER.findall(text), weight))
        return weights

    @cached_property
    def code_names(self) -> frozenset[str]:
        """Names that can be nothing else: what stands in backticks, is called, is reached by a dot, or is imported."""
        found = [*re.findall(r"\w+", " ".join(self.inline)), *_CALLED.findall(self.text)]
        found += [part for dotted in self.dotted_names for part in dotted.split(".")]
        return frozenset(
            [*found, *(name for names in _IMPORTED.findall(self.code) for name in re.findall(r"\w+", names))]
        )

    @cached_property
    def constants(self) -> dict[str, float]:
        """Words that the program may hold as text constants, with weights: options, words with hyphens, names of settings, and words of the
        title and in backticks."""
        found = dict.fromkeys(re.findall(r"[A-Za-z]{4,}", self.title), 0.3)
        found |= dict.fromkeys((word for word in IDENTIFIER.findall(self.text) if "_" in word.strip("_")), 0.5)
        found |= dict.fromkeys(re.findall(r"\b[A-Z][A-Z_]*\d*\b", f"{self.title}\n{self.prose}"), 0.5)
        found |= dict.fromkeys((word for text in self.inline for word in re.findall(r"[\w.:-]{3,40}", text)), 1.0)
        found |= dict.fromkeys(re.findall(r"\b[A-Za-z]\w*(?:-\w+)+\b", self.text), 1.0)
        for text, weight in ((self.text, 1.0), (self.title, 2.0)):
            options = _OPTION.findall(text)
            found |= dict.fromkeys([*options, *(option.strip("-") for option in options)], weight)
        return found

    @cached_property
    def phrases(self) -> dict[str, float]:
        """Texts that the program may hold as they stand, with weights: what is quoted, the fixed parts of error messages, lines of code, and
        pieces of sentences, of which a program's own messages are some."""
        found: dict[str, float] = {}
        for message in _ERROR.findall(self.text):
            fixed = (part.strip() for part in re.split(r"['\"`<>\d]+|\s{2,}", message))
            found |= dict.fromkeys((part for part in fixed if len(part) > 8 and " " in part), 2.0)
        quoted = [part for pair in _QUOTED.findall(self.text) for part in pair if part]
        pieces = (piece.strip() for text in (self.prose, self.code) for piece in _PIECE_END.split(text))
        lines = (_LINE_MARK.sub("", line).strip() for line in self.code.split("\n"))
        for texts, weight in (
            ([*quoted, *(each for each in self.inline if len(each) >= 4)], 1.0),
            ((piece for piece in pieces if len(piece) >= 15 and piece.count(" ") >= 2), 1.0),
            ((line for line in lines if 20 <= len(line) <= 120), 0.7),
        ):
            found = dict.fromkeys(texts, weight) | found
        return dict(sorted(found.items(), key=lambda pair: -pair[1])[:_MAX_PHRASES])


def read_issue(text: str) -> Issue:
    """Take an issue apart: title on the first line, Markdown or plain text after it.

    Raises:
        ValueError: the text is empty.
    """
    if not text.strip():
        raise ValueError("the issue is empty: give its title on the first line and its text after it")
    title, _, rest = text[:MAX_CHARACTERS].replace("\r", "").strip().partition("\n")
    body = _BOLD_NAME.sub(r"__\1__", _without_forms(rest))
    prose = _FENCE.sub("", body)
    code = "\n".join([*_FENCE.findall(body), *_INDENTED.findall(prose)])
    inline = tuple(dict.fromkeys(_INLINE.findall(f"{title}\n{prose}")))
    return Issue(title.lstrip("# "), prose, code, inline, tuple(_frames(body)))


def _without_forms(text: str) -> str:
    """The text without what the form of a bug tracker and package managers put there."""
    text = re.sub(r"<!--.*?(?:-->|\Z)", "", text, flags=re.DOTALL)
    text = re.sub(r"(?m)^[ \t]*- \[[ xX]\].*$", "", text)
    text = _ENVIRONMENT.sub("", text)
    text = re.sub(r"<details>.*?(?:</details>|\Z)", _details, text, flags=re.DOTALL)
    text = _HEADINGS.sub("", text)
    text = re.sub(r"(?m)^[\w.\-]+(?: {1,40}|==)\d{1,9}\.\d[\w.\-]*[ \t]*$", "", text)  # name and version
    return re.sub(r"https?://\S+", " ", text)


def _details(match: re.Match) -> str:
    return "" if _PACKAGE_LIST.search(match.group()) else re.sub(r"</?(?:details|summary)>", "", match.group())


def _frames(text: str) -> list[Frame]:
    found = []
    for pattern in _FRAMES:
        for match in pattern.finditer(text):
            group = match.groupdict()
            path = group["path"].replace("\\", "/")
            if group.get("class"):  # the package tells the folder of a Java file
                path = "/".join([*group["class"].split(".")[:-1], path])
            name = group.get("name") or group.get("inner") or ""
            found.append((match.start(), Frame(path, int(group.get("line") or 0), name.rpartition(".")[2])))
    return [frame for _, frame in sorted(found, key=lambda pair: pair[0])]
