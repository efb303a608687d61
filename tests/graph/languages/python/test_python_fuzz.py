"""Generated programs and mutated real files: no exception, and what must hold for every graph holds."""

import random
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codefuse_hf.graph
from codefuse_hf.graph.build.joining import EdgeTable, file_part, join_parts
from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.base import Project
from codefuse_hf.graph.languages.source_text import SourceText
from helpers.graph_checks import check_graph

PACKAGE = Path(codefuse_hf.graph.__file__).parent
NAMES = st.sampled_from(["a", "b", "f", "g", "A", "B", "self", "cls", "super", "map", "x"])


def graph_of(texts):
    """The graph of files given as texts; unlike a build, it lets exceptions through."""
    files, parts = {}, {}
    for path in sorted(texts, key=lambda p: p.split("/")):
        facts = front_end("python").extract(path, SourceText(texts[path]))
        parts[path] = file_part(facts, SourceText(texts[path]))
        files[path] = facts
    edges = front_end("python").resolve(Project(files))
    graph = join_parts("repository", parts, [EdgeTable(edges, files)])
    check_graph(graph, texts)
    return graph


expressions = st.recursive(
    NAMES
    | st.sampled_from(["1", "'a'", "None", "super()", "self.a", "f'{a!r}b{x:>{b}}'", "...", "'é😀'", "b''", "(yield)"]),
    lambda e: st.one_of(
        st.tuples(e, e).map("({0[0]} + {0[1]})".format),
        st.tuples(e, st.lists(e, max_size=3)).map(lambda p: f"{p[0]}({', '.join(p[1])})"),
        st.tuples(e, e).map("{0[0]}(*{0[1]}, **{0[1]}, a={0[0]})".format),
        st.tuples(e, NAMES).map("({0[0]}).{0[1]}".format),
        st.tuples(e, e).map("{0[0]}[{0[1]}]".format),
        st.tuples(e, e).map("{0[0]}[1:{0[1]}]".format),
        st.lists(e, max_size=3).map(lambda p: f"[{', '.join(p)}]"),
        st.lists(st.tuples(e, e), max_size=2).map(lambda p: "{" + ", ".join(f"{k}: {v}" for k, v in p) + "}"),
        st.tuples(NAMES, e).map("(lambda {0[0]}, *args: {0[1]})".format),
        st.tuples(e, NAMES, e).map("[{0[0]} for {0[1]} in {0[2]} if {0[1]}]".format),
        st.tuples(e, e, e).map("({0[0]} if {0[1]} else {0[2]})".format),
        st.tuples(NAMES, e).map("({0[0]} := {0[1]})".format),
        st.tuples(e, e).map("({0[0]} < {0[1]} in {0[0]})".format),
    ),
    max_leaves=6,
)


def indent(lines):
    return ["    " + line for line in lines]


def block(head, body):
    return [head, *indent(body)]


statements = st.recursive(
    st.one_of(
        expressions.map(lambda e: [e]),
        st.tuples(NAMES, expressions).map(lambda p: [f"{p[0]} = {p[1]}"]),
        st.tuples(NAMES, NAMES, expressions).map(lambda p: [f"{p[0]}, *{p[1]} = {p[2]}"]),
        st.tuples(NAMES, NAMES, expressions).map(lambda p: [f"{p[0]}.{p[1]} = {p[2]}"]),
        st.tuples(NAMES, expressions).map(lambda p: [f"{p[0]}[{p[1]}] += {p[1]}"]),
        expressions.map(lambda e: [f"return {e}"]),
        expressions.map(lambda e: [f"raise {e}"]),
        NAMES.map(lambda n: [f"global {n}"]),
        NAMES.map(lambda n: [f"nonlocal {n}"]),
        NAMES.map(lambda n: [f"from .m import {n} as a, *"]),
        NAMES.map(lambda n: [f"import m.{n}, {n}"]),
        st.sampled_from(
            [
                ["break"],
                ["pass  # é"],
                ["del a, b.c, x[1]"],
                ["from m import *"],
                ["a: 'A' = 1"],
                ["def (:"],
                ["\tx = 1"],
            ]
        ),
    ),
    lambda s: st.one_of(
        st.tuples(NAMES, st.lists(s, min_size=1, max_size=3)).map(
            lambda p: block(f"def {p[0]}(self, a=1, *b, c: A = 2, **d):", list(chain.from_iterable(p[1])))
        ),
        st.tuples(NAMES, NAMES, st.lists(s, min_size=1, max_size=3)).map(
            lambda p: block(f"class {p[0]}({p[1]}, metaclass={p[1]}):", list(chain.from_iterable(p[2])))
        ),
        st.tuples(expressions, NAMES, s).map(lambda p: ["@" + p[0], *block(f"def {p[1]}(x):", p[2])]),
        st.tuples(expressions, s, s).map(lambda p: [*block(f"if {p[0]}:", p[1]), *block("else:", p[2])]),
        st.tuples(NAMES, expressions, s).map(lambda p: block(f"for {p[0]}, *x in {p[1]}:", p[2])),
        st.tuples(expressions, s).map(lambda p: block(f"while {p[0]}:", p[1])),
        st.tuples(s, NAMES, s).map(
            lambda p: [*block("try:", p[0]), *block(f"except {p[1]} as x:", p[2]), *block("finally:", p[0])]
        ),
        st.tuples(expressions, NAMES, s).map(lambda p: block(f"with {p[0]} as {p[1]}:", p[2])),
        st.tuples(NAMES, expressions, s).map(lambda p: block(f"match {p[0]}:", block(f"case A({p[0]}) | [*b]:", p[2]))),
    ),
    max_leaves=8,
)
programs = st.lists(statements, max_size=6).map(lambda parts: "\n".join(list(chain.from_iterable(parts))) + "\n")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["m.py", "p/__init__.py", "p/m.py", "a.py"]), programs, min_size=1))
def test_generated_programs(texts):
    graph_of(texts)


@settings(max_examples=100, deadline=None)
@given(st.text("abdefclsimport ():\n\t\r\f'\"\\#@=*.,[]{}é\u2028😀\0", max_size=80))
def test_arbitrary_text(text):
    graph_of({"a.py": text})


def mutate(text, generator):
    """A few random cuts, repetitions, swaps and insertions."""
    for _ in range(generator.randint(1, 6)):
        start, length = generator.randrange(len(text) + 1), generator.randint(1, 200)
        kind = generator.randrange(4)
        piece = text[start : start + length]
        if kind == 0:
            text = text[:start] + text[start + length :]
        elif kind == 1:
            text = text[:start] + piece + piece + text[start + length :]
        elif kind == 2:
            other = generator.randrange(len(text) + 1)
            text = text[:start] + text[other : other + length] + text[start:]
        else:
            text = (
                text[:start]
                + generator.choice(["(", ")", "'", '"""', "\n", "\t", ":", "é", "\r", "\0", "def ", "class ", "\\"])
                + text[start:]
            )
    return text


@pytest.mark.parametrize("seed", range(12))
def test_mutated_real_files(seed):
    generator = random.Random(seed)
    files = sorted(PACKAGE.rglob("*.py"))
    chosen = generator.sample(files, 4)
    graph_of(
        {f"graph/{path.relative_to(PACKAGE)}": mutate(path.read_text(encoding="utf-8"), generator) for path in chosen}
    )


def test_same_source_same_bytes():
    files = {
        f"graph/{p.relative_to(PACKAGE)}": p.read_text(encoding="utf-8") for p in sorted(PACKAGE.rglob("*.py"))[:8]
    }
    shuffled = dict(reversed(files.items()))
    assert graph_of(files).to_json() == graph_of(shuffled).to_json()
