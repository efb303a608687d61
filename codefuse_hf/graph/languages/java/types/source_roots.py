"""Which folders hold the sources of a Maven or Gradle module, and which its tests: of several classes with one name, a file means the one it can see."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

_LAYOUT = re.compile(r"(?:^|(?P<module>.*)/)src/(?P<set>[^/]+)/java[^/]*$")
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MAVEN = re.compile(r"<(testS|s)ourceDirectory>\s*([^<]+?)\s*</\1ourceDirectory>")
_BASE = re.compile(r"^\$\{(?:project\.)?basedir\}/")
_GRADLE = re.compile(
    r"//[^\n]*|/\*.*?\*/|(?P<open>[\w.]*(?:\(\s*[\"']\w+[\"']\s*\))?)\s*\{|(?P<close>\})"
    r"|(?P<place>[\w.]*?)(?:srcDirs?|setSrcDirs)\b(?P<folders>[^\n;}]*)",
    re.DOTALL,
)
_QUOTED = re.compile(r"[\"']([^\"'$]+)[\"']")
_TEST = re.compile(r"test|^it$|jmh|spec", re.IGNORECASE)


class Place(NamedTuple):
    """Where a file lies: the folder of its outermost package, the module, and whether that folder holds tests."""

    root: str
    module: str
    is_test: bool


def declared_roots(paths: Iterable[str], read: Callable[[str], str | None]) -> dict[str, Place]:
    """Reads the folders that build files declare in plain words.

    Args:
        paths: of the build files of the project.
        read: gives the text of one of them.
    """
    found: dict[str, Place] = {}
    for path in paths:
        module, _, name = path.rpartition("/")
        text = read(path) or ""
        for folder, is_test in _maven(text) if name == "pom.xml" else _gradle(text):
            root = posixpath.normpath(posixpath.join(module, folder))
            if not root.startswith(("..", "/")):
                found[root] = Place(root, module, is_test)
    return found


def _maven(text: str) -> Iterable[tuple[str, bool]]:
    for kind, folder in _MAVEN.findall(_XML_COMMENT.sub("", text)):
        folder = _BASE.sub("", folder)
        if "${" not in folder:
            yield folder, kind == "testS"


def _gradle(text: str) -> Iterable[tuple[str, bool]]:
    """What stands in `sourceSets { main { java { srcDirs = ['src'] } } }`, in Groovy or Kotlin, or as `sourceSets.main.java.srcDirs`."""
    around: list[str] = []
    for match in _GRADLE.finditer(text):
        if match["open"] is not None:
            around.append(match["open"])
        elif match["close"]:
            del around[-1:]
        elif match["folders"] is not None:
            words = re.findall(r"\w+", " ".join([*around, match["place"] or ""]))
            if "sourceSets" in words and "resources" not in words and "kotlin" not in words:
                names = [w for w in words[words.index("sourceSets") + 1 :] if w not in ("java", "getByName", "named")]
                for folder in _QUOTED.findall(match["folders"]):
                    yield folder, bool(names and _TEST.search(names[0]))


class SourceRoots:
    """Places of files, and which of several files one can see first."""

    def __init__(self, declared: Mapping[str, Place]) -> None:
        self._declared = declared
        self._places: dict[str, Place] = {}

    def place(self, path: str, package: str) -> Place:
        """Finds out where a file lies."""
        found = self._places.get(path)
        if found is None:
            found = self._places[path] = self._place(path, package)
        return found

    def _place(self, path: str, package: str) -> Place:
        folder = path.rpartition("/")[0]
        inside = package.replace(".", "/")
        root = folder.removesuffix(inside).rstrip("/") if f"/{folder}".endswith(f"/{inside}") else folder
        for around in (root, *_parents(root)):
            if around in self._declared:
                return self._declared[around]
        match = _LAYOUT.match(root)
        if match:
            return Place(root, match["module"] or "", bool(_TEST.search(match["set"])))
        module, _, last = root.rpartition("/")
        return Place(root, module, bool(_TEST.match(last)))

    def nearness(self, path: str, package: str, asking: str, asking_package: str) -> tuple:
        """Orders files that declare the same name, for one that uses it: the largest is meant."""
        there, here = self.place(path, package), self.place(asking, asking_package)
        is_seen = here.is_test or not there.is_test
        return (there.root == here.root, is_seen, there.module == here.module, _common(path, asking))


def _parents(folder: str) -> Iterable[str]:
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _common(a: str, b: str) -> int:
    """Counts the leading folders that two paths share."""
    count = 0
    for x, y in zip(a.split("/")[:-1], b.split("/")[:-1], strict=False):
        if x != y:
            break
        count += 1
    return count
