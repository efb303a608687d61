"""Packed facts say what the lists they replace said."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph.languages.python import FRONT_END
from codefuse_hf.graph.languages.python_facts import Constant
from codefuse_hf.graph.languages.python_packed import (
    PackedCalls,
    PackedItems,
    PackedLoads,
    PackedReferences,
    PackedSeeds,
    Pool,
    Program,
    pack_program,
)
from codefuse_hf.graph.source_text import SourceText

variables = st.integers(0, 2**20)
constants = st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=3), st.none()).map(
    Constant
)
values = variables | constants
names = st.text(max_size=3)


def same(packed, items):
    assert len(packed) == len(items)
    assert [repr(item) for item in packed] == [repr(item) for item in items]  # 1, 1.0 and True differ here


@given(st.lists(st.tuples(names, variables, variables, st.booleans())))
def test_loads(items):
    same(PackedLoads.pack(items, Pool()), items)


@given(
    st.lists(st.tuples(values | names | st.tuples(st.just("slice"), st.none() | st.integers()), variables, variables))
)
def test_items(items):
    same(PackedItems.pack(items, Pool()), items)


@given(st.lists(st.tuples(variables, variables)))
def test_references(items):
    same(PackedReferences.pack(items, Pool()), items)
    packed = PackedReferences.pack(items, Pool())
    assert [packed[index] for index in range(len(packed))] == items


seeds = st.tuples(variables, st.sampled_from(["function", "class", "object"]), variables) | st.tuples(
    variables, st.just("constant"), st.integers() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3)
)


@given(st.lists(seeds))
def test_seeds(items):
    packed = PackedSeeds.pack(items, Pool())
    same(packed, items)
    assert [repr(packed[index]) for index in range(len(packed))] == [repr(item) for item in items]


arguments = st.lists(st.tuples(st.sampled_from([0, 1]), values), max_size=3).map(tuple)
keywords = st.lists(st.tuples(st.none() | names, values), max_size=3).map(tuple)


@given(st.lists(st.tuples(variables, variables, variables, arguments, keywords, st.booleans())))
def test_calls(items):
    same(PackedCalls.pack(items, Pool()), items)


def test_packing_keeps_what_a_file_says_and_notices_changes():
    def facts(text):
        found = FRONT_END.extract("a.py", SourceText(text))
        plain = copy.copy(found.facts)
        return plain, FRONT_END.shrink(found.facts)

    text = "import os\n@d\ndef f(a, *b, k=1):\n    a[0] = b[1:].x\n    return f(*b, k=True, **a)\nf(1, 's', k=a.b)\n"
    plain, packed = facts(text)
    program = Program(packed.program)
    for name in ("loads", "items", "calls", "seeds"):
        same(getattr(program, name), getattr(plain, name))
    same(packed.references, plain.references)
    assert program.operations == plain.operations and program.starts == plain.starts
    assert program.sites == plain.sites and program.names == plain.names
    assert pack_program(program) == packed.program
    assert packed == facts(text)[1]
    assert packed != facts(text.replace("a.b", "a.c"))[1]
