"""A file's program is read back from bytes as it was, and tells one source from another."""

import copy
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.python.reading.facts import Constant, PythonFacts
from codefuse_hf.graph.languages.python.reading.program import Program, pack_program
from codefuse_hf.graph.languages.source_text import SourceText

ROWS = ("items", "calls", "seeds")
LISTS = ("loads", *ROWS)
words = st.text(max_size=8)
literals = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.binary(max_size=4)
parts = st.integers(-(2**40), 2**40) | words | st.booleans() | st.none() | literals.map(Constant)
rows = st.lists(st.recursive(parts, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=6), max_size=4)
tables = st.lists(rows.map(tuple), max_size=3)
numbers = st.integers(0, 2**31 - 1)
loads = st.lists(st.tuples(st.text(max_size=8), numbers, numbers, st.booleans()), max_size=3)


def shown(rows):
    """Rows with their types: 1, True and 1.0 are equal."""
    return repr(list(rows))


@given(st.fixed_dictionaries(dict.fromkeys(ROWS, tables)), loads)
def test_rows_come_back_with_their_types(lists, loads):
    lists["loads"] = loads
    program = Program(pack_program(PythonFacts(**lists)))
    assert shown(program.loads) == shown(loads) == shown(program.loads[i] for i in range(len(loads)))
    for name in ROWS:
        expected = lists[name]
        found = getattr(program, name)
        assert shown(found) == shown(expected) == shown(found[i] for i in range(len(found)))
        with pytest.raises(IndexError):
            _ = found[len(expected)]
    assert pack_program(program) == pack_program(PythonFacts(**lists))


def test_equal_names_are_one_object_over_all_programs():
    one, other = (
        Program(pack_program(PythonFacts(loads=[("".join(["some", "where"]), 1, 0, True)]))) for _ in range(2)
    )
    assert one.loads[0][0] is other.loads[0][0] is sys.intern("somewhere")


def facts_of(text):
    found = front_end("python").extract("a.py", SourceText(text)).facts
    return copy.copy(found), front_end("python").shrink(found)


def test_facts_keep_what_a_file_says_and_notice_changes():
    text = "import os\n@d\ndef f(a, *b, k=1):\n    a[0] = b[1:].x\n    return f(*b, k=True, **a)\nf(1, 's', k=a.b)\n"
    plain, kept = facts_of(text)
    program = Program(kept.program)
    for name in LISTS:
        assert shown(getattr(program, name)) == shown(getattr(plain, name))
    assert program.operations == plain.operations and program.starts == plain.starts
    assert program.sites == plain.sites and program.names == plain.names
    assert kept == facts_of(text + "\n# a comment\n")[1]
    for before, now in (("a.b", "a.c"), ("'s'", "'t'"), ("k=1", "k=None"), ("import os", "import sys")):
        assert kept != facts_of(text.replace(before, now))[1], now
