"""Generates the signatures of Java's own library that the code graph knows, from a JDK, by `javap`.

One file a package in `codefuse_hf/graph/languages/java/library/`; `library/__init__.py` says how they are written. JUnit's assertions, which most tests are written with, are taken from its jars. Left out
are what is not public or protected, members that only repeat those of a supertype, `values` and `valueOf` of enums, and
supertypes outside of the packages below.

    python benchmarks/java_library.py --jdk JDK --jars junit-4.13.2.jar junit-jupiter-api-5.13.4.jar
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from graph_common import REPOSITORY
from java_bytecode import BRIDGE, Method, World

LIBRARY = REPOSITORY / "codefuse_hf" / "graph" / "languages" / "java" / "library"
PACKAGES = (
    "java.lang", "java.lang.annotation", "java.lang.ref", "java.lang.reflect", "java.io", "java.math", "java.net",
    "java.nio", "java.nio.charset", "java.nio.file", "java.nio.file.attribute", "java.nio.channels", "java.security",
    "java.text", "java.time", "java.time.chrono", "java.time.format", "java.time.temporal", "java.time.zone",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
    "java.util.function", "java.util.jar", "java.util.logging", "java.util.prefs", "java.util.regex",
    "java.util.stream", "java.util.zip", "java.beans", "java.net.http", "java.sql",
)  # fmt: skip
JUNIT = {
    "org.junit": ("Assert", "Assume"),
    "org.junit.function": ("ThrowingRunnable",),
    "org.junit.jupiter.api": ("Assertions", "Assumptions"),
    "org.junit.jupiter.api.function": ("Executable", "ThrowingConsumer", "ThrowingSupplier"),
}
_MODIFIERS = frozenset({
    "public", "protected", "private", "static", "final", "abstract", "synchronized", "native", "default", "transient", "volatile", "strictfp",
})  # fmt: skip
_KINDS = ("class", "interface")


@dataclass
class Stub:
    """One class: its header and members, types with full names."""

    name: str
    kind: str
    flags: set[str]
    parameters: str
    superclass: str | None
    interfaces: list[str]
    methods: list[tuple[str, set[str], str, tuple[str, ...], str]] = field(default_factory=list)
    """(type parameters, flags, name, parameter types, result)"""
    fields: list[tuple[str, str]] = field(default_factory=list)


# -- reading javap's output --------------------------------------------------------------------------------------------------------


def split(text: str, separator: str = ",") -> list[str]:
    """Parts between separators that stand outside of `<…>`."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character == "<") - (character == ">")
        if character == separator and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()] if current.strip() else parts


def normal(text: str) -> str:
    """A type in the normal form of the graph: no blanks, wildcards by their bounds, `.` for nested classes."""
    text = re.sub(r"@[\w.$]+(\([^)]*\))?\s*", "", text)
    text = re.sub(r"\?\s+(?:super|extends)\s+", "", text)
    return text.replace("$", ".").replace(" ", "")


def take_parameters(text: str) -> tuple[str, str]:
    """Type parameters `<…>` that a text begins with, and the rest."""
    if not text.startswith("<"):
        return "", text
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if depth == 0:
            return text[1:position], text[position + 1 :].strip()
    raise ValueError(f"no end of type parameters in {text!r}")


def type_parameters(text: str) -> str:
    """`T,U:Bound`; the first bound, none for Object."""
    found = []
    for each in split(text):
        name, _, bound = each.partition(" extends ")
        first = normal(split(bound, "&")[0]) if bound else ""
        found.append(name.strip() if first in ("", "java.lang.Object") else f"{name.strip()}:{first}")
    return ",".join(found)


def read_header(line: str) -> Stub:
    """`public abstract class a.B<T> extends C implements D, E {`"""
    words = line.removesuffix("{").strip()
    flags = set()
    while True:
        word, _, words = words.partition(" ")
        if word in _KINDS:
            break
        flags.add(word)
    name = re.match(r"[\w.$]+", words)[0]
    parameters, rest = take_parameters(words[len(name) :].strip())
    rest = rest.partition(" permits ")[0] if not rest.startswith("permits ") else ""
    before, _, implemented = (" " + rest).partition(" implements ")
    _, _, extended = before.partition(" extends ")
    supers, interfaces = split(extended), split(implemented)
    if word == "interface":
        supers, interfaces = [], supers
    kind = word
    if supers and supers[0].startswith("java.lang.Enum<") and name != "java.lang.Enum":
        kind, supers = "enum", []
    if "java.lang.annotation.Annotation" in interfaces:
        kind = "annotation"
    superclass = normal(supers[0]) if supers and supers[0] != "java.lang.Object" else None
    return Stub(
        normal(name), kind, flags, type_parameters(parameters), superclass, [normal(each) for each in interfaces]
    )


def read_member(stub: Stub, line: str) -> None:
    """A method, constructor or field, as javap prints it."""
    text = line.strip().removesuffix(";")
    flags = set()
    while text.partition(" ")[0] in _MODIFIERS:
        word, _, text = text.partition(" ")
        flags.add(word)
    if text in ("{}", "static {}"):
        return
    parameters, text = take_parameters(text)
    if "(" not in text:
        kind, _, name = text.rpartition(" ")
        stub.fields.append((normal(kind), name))
        return
    head, _, tail = text.partition("(")
    given = tuple(normal(each) for each in split(tail.partition(")")[0]))
    kind, _, name = head.rpartition(" ")
    if not kind:
        stub.methods.append((type_parameters(parameters), flags, "new", given, ""))
    else:
        stub.methods.append((type_parameters(parameters), flags, name, given, normal(kind)))


def class_names(jdk: Path) -> list[str]:
    """List the classes of the packages, as `java.util.Map$Entry`."""
    command = [jdk / "bin" / "jimage", "list", jdk / "lib" / "modules"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    names = []
    for line in listed.stdout.splitlines():
        name = line.strip().removesuffix(".class").replace("/", ".")
        if line.endswith(".class") and name.rpartition(".")[0] in PACKAGES and not re.search(r"\$\d|-", name):
            names.append(name)
    return names


def read_classes(jdk: Path, jars: list[Path]) -> dict[str, Stub]:
    """Read all classes of the packages, by full names `java.util.Map.Entry`."""
    world = World(None, [*sorted((jdk / "jmods").glob("*.jmod")), *jars])
    names = [*class_names(jdk), *(f"{package}.{name}" for package, own in JUNIT.items() for name in own)]
    classpath = os.pathsep.join(str(jar) for jar in jars)
    found: dict[str, Stub] = {}
    for start in range(0, len(names), 400):
        command = [jdk / "bin" / "javap", "-protected", "-s", "-cp", classpath, *names[start : start + 400]]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = [line for line in output.splitlines() if line and not line.startswith(("Compiled from", "}"))]
        for line, following in itertools.pairwise([*lines, ""]):
            if not line.startswith(" "):
                stub = read_header(line)
                name = re.search(r"(?:class|interface) ([\w.$]+)", line)[1]
                methods = world.get(name.replace(".", "/")).methods
                found[stub.name] = stub
            elif not line.startswith("    descriptor:") and not is_bridge(line, following, methods):
                read_member(stub, line)
    return found


def is_bridge(line: str, following: str, methods: dict[tuple[str, str], Method]) -> bool:
    """Whether a method was made by the compiler, to have the types of the method that it overrides."""
    if "(" not in line:
        return False
    name = line.partition("(")[0].rpartition(" ")[2]
    method = methods.get((name, following.partition(": ")[2]))
    return method is not None and bool(method.flags & BRIDGE)


# -- what is kept ----------------------------------------------------------------------------------------------------------------


def plain(kind: str) -> str:
    return kind.partition("<")[0]


def keep(classes: dict[str, Stub]) -> dict[str, Stub]:
    """The public classes and their supertypes; supertypes that are not known are left out."""
    kept: dict[str, Stub] = {}
    waiting = [each for each in classes.values() if "public" in each.flags or "protected" in each.flags]
    while waiting:
        stub = waiting.pop()
        if stub.name in kept:
            continue
        around = stub.name.rpartition(".")[0]
        kept[stub.name] = stub
        if stub.superclass is not None and plain(stub.superclass) not in classes:
            stub.superclass = None
        stub.interfaces = [each for each in stub.interfaces if plain(each) in classes]
        supers = [plain(each) for each in (stub.superclass, *stub.interfaces) if each]
        waiting += [classes[each] for each in (*supers, around) if each in classes]
    return kept


def inherited(classes: dict[str, Stub], stub: Stub) -> dict[tuple, tuple]:
    """The methods of all supertypes: (name, parameters) to (result, flags)."""
    found: dict[tuple, tuple] = {}
    supers = [plain(each) for each in (stub.superclass, *stub.interfaces) if each]
    for parent in (*supers, "java.lang.Object"):
        if parent != stub.name and parent in classes:
            for _, flags, name, given, result in classes[parent].methods:
                if name != "new" and "static" not in flags:
                    found.setdefault((name, given), (result, flags & {"abstract", "default"}))
            for key, value in inherited(classes, classes[parent]).items():
                found.setdefault(key, value)
    return found


# -- writing ---------------------------------------------------------------------------------------------------------------------


class Names:
    """Shortens the types of one package: simple names for its own classes and those of `java.lang` and of imports."""

    def __init__(self, package: str, classes: dict[str, Stub], stubs: list[Stub]) -> None:
        self.package = package
        texts = [text for stub in stubs for text in texts_of(stub)]
        used = {name for text in texts for name in re.findall(r"[\w.]+", text) if name in classes}
        self.by_package: dict[str, set[str]] = collections.defaultdict(set)
        for name in classes:
            self.by_package[package_of(name)].add(name.removeprefix(package_of(name) + ".").partition(".")[0])
        wanted = collections.Counter(package_of(name) for name in used)
        self.imports = sorted(p for p in wanted if p not in (package, "java.lang"))

    def __call__(self, text: str) -> str:
        return re.sub(r"[\w.]+", lambda match: self._short(match[0]), text)

    def _short(self, name: str) -> str:
        package = package_of(name)
        if package not in (self.package, "java.lang", *self.imports):
            return name
        simple = name.removeprefix(package + ".")
        first = simple.partition(".")[0]
        order = [self.package, *self.imports, "java.lang"]
        return simple if next((p for p in order if first in self.by_package[p]), None) == package else name


def package_of(name: str) -> str:
    return ".".join(part for part in name.split(".") if part[:1].islower()) if "." in name else ""


def texts_of(stub: Stub) -> list[str]:
    texts = [stub.parameters, stub.superclass or "", *stub.interfaces, *(kind for kind, _ in stub.fields)]
    for parameters, _, _, given, result in stub.methods:
        texts += [parameters, *given, result]
    return texts


def write(stub: Stub, classes: dict[str, Stub], names: Names) -> list[str]:
    """The lines of a class."""
    simple = stub.name.removeprefix(names.package + ".")
    marks = ("!" if "abstract" in stub.flags and stub.kind == "class" else "") + ("#" if "final" in stub.flags else "")
    head = [stub.kind + marks, simple + (f"<{names(stub.parameters)}>" if stub.parameters else "")]
    head += [names(stub.superclass) if stub.superclass else "-", ";".join(names(each) for each in stub.interfaces)]
    lines = [" ".join(head).rstrip()]
    known = inherited(classes, stub)
    members = []
    for parameters, flags, name, given, result in stub.methods:
        if stub.kind == "annotation" or (stub.kind == "enum" and name in ("values", "valueOf", "new")):
            continue
        before = known.get((name, given))
        abstract = flags & {"abstract", "default"}
        if before is not None and before[0] == result and (before[1] == abstract or stub.kind != "interface"):
            continue
        mark = "." if "static" in flags else ""
        if stub.kind == "interface" and "default" in flags:
            mark = "="
        if stub.kind == "class" and "abstract" in flags:
            mark = "!"
        variables = f" {names(parameters)}" if parameters else ""
        members.append(f" {mark}{name}({','.join(names(each) for each in given)}){names(result)}{variables}")
    lines += sorted(dict.fromkeys(members), key=lambda line: line.lstrip(" .=!"))
    by_type: dict[str, list[str]] = collections.defaultdict(list)
    for kind, name in stub.fields:
        by_type[kind].append(name)
    lines += [f" :{names(kind)} {' '.join(fields)}" for kind, fields in sorted(by_type.items())]
    return lines


def main() -> None:
    """Write the files of all packages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jdk", type=Path, required=True)
    parser.add_argument("--jars", type=Path, nargs="+", required=True, help="of JUnit 4 and 5")
    options = parser.parse_args()
    classes = keep(read_classes(options.jdk, options.jars))
    total = 0
    for package in (*PACKAGES, *JUNIT):
        stubs = [classes[name] for name in sorted(classes) if package_of(name) == package]
        names = Names(package, classes, stubs)
        blocks: dict[str, list[str]] = collections.defaultdict(list)
        for stub in stubs:
            blocks[stub.name.removeprefix(package + ".").partition(".")[0]] += write(stub, classes, names)
        text = (
            "\n\n".join([f"import {' '.join(names.imports)}".strip(), *("\n".join(lines) for lines in blocks.values())])
            + "\n"
        )
        (LIBRARY / f"{package}.txt").write_text(text, encoding="utf-8")
        total += len(text)
        print(f"{package}: {len(stubs)} classes, {len(text):,} bytes")
    print(f"{total:,} bytes")


if __name__ == "__main__":
    main()
