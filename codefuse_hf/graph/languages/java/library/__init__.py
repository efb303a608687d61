"""The signatures of Java's own library: which types there are, what they extend, and their members' types.

A call on a project's object often starts from one of the library's containers, streams or function types, and what a library method calls back is told
by the types of its parameters. One file a package, written by `benchmarks/java_library.py` from a JDK; types are in the normal form of
`reading/facts.py`. A file begins with the packages whose simple names it uses, and has a block of lines for each top-level class:

    interface Map<K,V> -                     kind and marks (! abstract, # final), name, superclass or -, interfaces with ; between
     =compute(K,BiFunction<K,V,V>)V          a method; . static, = default, ! abstract
     .entry(K,V)Map.Entry<K,V> K,V           its type parameters come last
     :int SIZE                               fields of one type
    interface Map.Entry<K,V> -               a nested class

A block is read when its class is first asked for, and kept for all projects.
"""

from __future__ import annotations

import functools
import re
from importlib import resources

from codefuse_hf.graph.languages.base import FileFacts
from codefuse_hf.graph.languages.java.reading import facts as op

_FILES = resources.files(__name__)
_METHOD = re.compile(r"\n [.=!]?(\w+)\(")
_FLAGS = {".": op.STATIC, "=": op.DEFAULT, "!": op.ABSTRACT}


@functools.cache
def packages() -> frozenset[str]:
    """Lists the names of the packages that are known."""
    return frozenset(each.name.removesuffix(".txt") for each in _FILES.iterdir() if each.name.endswith(".txt"))


@functools.cache
def _text(package: str) -> str:
    return _FILES.joinpath(f"{package}.txt").read_text(encoding="utf-8")


@functools.cache
def _blocks(package: str) -> dict[str, str]:
    """Cuts the text of each top-level class out."""
    found = {}
    for block in _text(package).split("\n\n")[1:]:
        found[re.split(r"[<. \n]", block.partition(" ")[2], maxsplit=1)[0]] = block
    return found


@functools.cache
def method_names() -> frozenset[str]:
    """Lists the names of all methods of the library."""
    return frozenset(name for package in packages() for name in _METHOD.findall(_text(package)))


@functools.cache
def facts_of(package: str, name: str) -> FileFacts | None:
    """Reads a top-level class and what is nested in it, as if they were a file of their own; None for an unknown name."""
    block = _blocks(package).get(name) if package in packages() else None
    if block is None:
        return None
    imports = _text(package).partition("\n")[0].split()[1:]
    return _Block(package).read(imports, block)


class _Block:
    """The facts of one block while it is read."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.classes: list[op.ClassFacts] = []
        self.methods: list[op.MethodFacts] = []
        self.fields: list[op.FieldFacts] = []
        self.environments = [op.EnvironmentFacts(-1, -1)]
        self.indices: dict[str, int] = {}
        self.is_interface = False

    def read(self, imports: list[str], block: str) -> FileFacts:
        for line in block.splitlines():
            if not line.startswith(" "):
                self._class(line)
            elif line.startswith(" :"):
                kind, *names = line[2:].split(" ")
                self.fields += [op.FieldFacts(0, len(self.classes) - 1, name, kind, op.STATIC) for name in names]
            else:
                self._method(line)
        named = [(op.IMPORT_PACKAGE, each) for each in imports]
        facts = op.Facts(named, self.classes, self.methods, self.fields, [], [], self.environments, [])
        return FileFacts("", "java", [], facts, [], self.package)

    def _class(self, line: str) -> None:
        marked, written, superclass, interfaces = [*line.split(" "), ""][:4]
        kind = marked.rstrip("!#")
        self.is_interface = kind in ("interface", "annotation")
        flags = (op.ABSTRACT if "!" in marked or self.is_interface else 0) | (op.FINAL if "#" in marked else 0)
        name, _, parameters = written.partition("<")
        outer_name, _, simple = name.rpartition(".")
        outer = self.indices.get(outer_name, -1)
        index = self.indices[name] = len(self.classes)
        environment = len(self.environments)
        around = self.classes[outer].environment if outer >= 0 else 0
        self.environments.append(op.EnvironmentFacts(around, index))
        self.environments.append(op.EnvironmentFacts(environment, -1))
        self.classes.append(
            op.ClassFacts(
                0,
                simple,
                kind,
                flags | op.STATIC,
                outer,
                environment,
                _type_parameters(parameters.removesuffix(">")),
                superclass if superclass != "-" else None,
                tuple(each for each in interfaces.split(";") if each),
                True,
                None,
            )
        )

    def _method(self, line: str) -> None:
        flags = _FLAGS.get(line[1], 0)
        if not flags and self.is_interface:
            flags = op.ABSTRACT
        name, _, rest = line[1:].lstrip(".=!").partition("(")
        given, _, rest = rest.partition(")")
        result, _, variables = rest.partition(" ")
        parameters = split_types(given)
        variadic = bool(parameters) and parameters[-1].endswith("...")
        if variadic:
            parameters[-1] = parameters[-1].removesuffix("...") + "[]"
        inside = self.classes[-1].environment
        environment = inside + 1
        if variables:
            self.environments.append(op.EnvironmentFacts(inside, -1, _type_parameters(variables)))
            environment = len(self.environments) - 1
        owner = len(self.classes) - 1
        name = "<init>" if name == "new" else name
        self.methods.append(
            op.MethodFacts(0, owner, name, tuple(parameters), variadic, result or None, flags, environment, -1)
        )


def _type_parameters(text: str) -> tuple[tuple[str, str], ...]:
    """Reads `T,U:Bound` as names and bounds."""
    pairs = [each.partition(":") for each in split_types(text)]
    return tuple((name, bound) for name, _, bound in pairs)


def split_types(text: str) -> list[str]:
    """Splits types at the commas that stand outside of `<…>`."""
    if "<" not in text:
        return text.split(",") if text else []
    parts: list[str] = []
    depth = 0
    for piece in text.split(","):
        if depth:
            parts[-1] += "," + piece
        else:
            parts.append(piece)
        depth += piece.count("<") - piece.count(">")
    return parts
