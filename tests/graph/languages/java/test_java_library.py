"""The signatures of Java's own library: how they are written, and what they say."""

from __future__ import annotations

import re

import pytest

from codefuse_hf.graph.languages.java import library
from codefuse_hf.graph.languages.java.types.names import Project
from codefuse_hf.graph.languages.java.types.types import PRIMITIVES, ClassType, convertible


@pytest.fixture(scope="module")
def project() -> Project:
    return Project({})


def of(project: Project, name: str) -> ClassType:
    return ClassType(project.library[name])


def test_a_block_is_read() -> None:
    facts = library.facts_of("java.util", "Map").facts
    assert [(cls.name, cls.kind, cls.outer, cls.type_parameters) for cls in facts.classes] == [
        ("Map", "interface", -1, (("K", ""), ("V", ""))),
        ("Entry", "interface", 0, (("K", ""), ("V", ""))),
    ]
    [compute] = [method for method in facts.methods if method.name == "compute"]
    assert (compute.parameters, compute.variadic, compute.result) == (("K", "BiFunction<K,V,V>"), False, "V")
    generic = [facts.environments[m.environment].type_parameters for m in facts.methods if m.name == "comparingByKey"]
    assert (("K", "Comparable<K>"), ("V", "")) in generic


def test_what_is_not_known() -> None:
    assert library.facts_of("java.util", "Nothing") is None
    assert library.facts_of("no.package", "Map") is None


@pytest.mark.parametrize("package", sorted(library.packages()))
def test_every_type_that_is_named_is_found(project: Project, package: str) -> None:
    """A name that is not found would be a class of which nothing is known."""
    for top in library._blocks(package):
        cls = project.library[f"{package}.{top}"]
        unit = cls.unit
        for method in unit.methods:
            for text in (*method.facts.parameters, method.facts.result or "void"):
                for name in re.findall(r"[\w.]+", text):
                    found = unit.named_class(method.facts.environment, name)
                    known = name in PRIMITIVES or (found is not None and not getattr(found, "external", False))
                    assert known or "." in name, f"{cls.name}.{method.name}: {name}"
        assert not any(parent.external for parent, _ in cls.supers)


@pytest.mark.parametrize(
    ("name", "supertype"),
    [
        ("java.lang.Class", "java.lang.reflect.Type"),
        ("java.lang.StringBuilder", "java.lang.Appendable"),
        ("java.util.Properties", "java.util.Map"),
        ("java.util.LinkedHashSet", "java.lang.Iterable"),
        ("java.util.concurrent.ForkJoinPool", "java.util.concurrent.Executor"),
        ("java.util.concurrent.FutureTask", "java.lang.Runnable"),
        ("java.lang.Thread", "java.lang.Runnable"),
        ("java.lang.reflect.Method", "java.lang.reflect.AnnotatedElement"),
        ("java.io.FileWriter", "java.io.Writer"),
        ("java.time.LocalDate", "java.lang.Comparable"),
        ("java.lang.NumberFormatException", "java.lang.RuntimeException"),
    ],
)
def test_supertypes(project: Project, name: str, supertype: str) -> None:
    assert convertible(of(project, name), of(project, supertype), False) == 2


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("java.lang.Runnable", "run"),
        ("java.util.Comparator", "compare"),
        ("java.util.function.BinaryOperator", "apply"),
        ("java.io.FileFilter", "accept"),
        ("java.util.concurrent.ThreadFactory", "newThread"),
        ("java.lang.Thread.UncaughtExceptionHandler", "uncaughtException"),
        ("org.junit.jupiter.api.function.Executable", "execute"),
    ],
)
def test_functional_interfaces(project: Project, name: str, method: str) -> None:
    assert project.library[name].functional_method().name == method


@pytest.mark.parametrize("name", ["java.util.List", "java.util.Iterator", "java.lang.Object", "java.util.Map.Entry"])
def test_other_types_are_no_functional_interfaces(project: Project, name: str) -> None:
    assert project.library[name].functional_method() is None
