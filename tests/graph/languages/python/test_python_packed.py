"""Packed facts say what the lists they replace said."""

import copy
import pickle

from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.python.reading.facts import (
    ClassFacts,
    Constant,
    FunctionFacts,
    ImportFacts,
    Parameter,
    PythonFacts,
)
from codefuse_hf.graph.languages.python.reading.packed import (
    PackedCalls,
    PackedItems,
    PackedLoads,
    PackedReferences,
    PackedSeeds,
    Pool,
    Program,
    pack_kept,
    pack_program,
)
from codefuse_hf.graph.languages.source_text import SourceText

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
        found = front_end("python").extract("a.py", SourceText(text))
        plain = copy.copy(found.facts)
        return plain, front_end("python").shrink(found.facts)

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


numbers = st.integers(0, 2**20) | st.integers(0, 50)
annotations = st.none() | st.tuples(numbers, st.lists(names, max_size=2).map(tuple))
parameters = st.builds(Parameter, names, st.integers(0, 4), numbers, annotations)
functions = st.builds(
    FunctionFacts,
    definition=numbers,
    name=names,
    parameters=st.lists(parameters, max_size=4).map(tuple),
    returned=numbers,
    yielded=numbers,
    owner=st.integers(-1, 9),
    is_async=st.booleans(),
    returned_parameters=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    variadic_sites=st.tuples(st.integers(-1, 9), st.integers(-1, 9)),
    result_annotation=annotations,
)
tables = st.dictionaries(names, numbers, max_size=3)
classes = st.builds(
    ClassFacts,
    definition=numbers,
    name=names,
    bases=st.lists(st.tuples(numbers, st.lists(names, max_size=2).map(tuple)), max_size=3).map(tuple),
    metaclass=annotations,
    namespace=tables,
    plain=tables,
    attributes=tables,
    fields=st.lists(names, max_size=3).map(tuple),
    is_dataclass=st.booleans(),
    caller=numbers,
)
imports = st.builds(ImportFacts, st.integers(0, 5), names, st.none() | st.just("*") | names, st.booleans(), numbers, numbers)  # fmt: skip
origins = st.tuples(st.sampled_from(["class", "function", "import", "attribute"]), numbers) | st.tuples(
    st.just("phi"), st.lists(numbers, max_size=4).map(tuple)
)


def kept(**lists):
    """Facts whose lists are packed as they stay at hand, after a journey from a worker."""
    facts = PythonFacts(**lists)
    pack_kept(facts)
    return pickle.loads(pickle.dumps(facts))


@given(st.lists(st.none() | functions, max_size=5))
def test_functions(items):
    packed = kept(functions=items).functions
    same(packed, items)
    present = [label for label, item in enumerate(items) if item is not None]
    assert packed.present() == present and [packed.has(label) for label in range(len(items) + 1)] == [
        *[item is not None for item in items],
        False,
    ]
    assert packed.in_order() == sorted(present, key=lambda label: items[label].definition)
    assert packed.all_returned() == [items[label].returned for label in present]
    for label in present:
        item = items[label]
        assert (packed.definition(label), packed.name(label), packed.owner(label)) == (
            item.definition,
            item.name,
            item.owner,
        )
        assert (packed.returned(label), packed.yielded(label)) == (item.returned, item.yielded)
        assert packed.parameters(label) == [(each.name, each.kind, each.variable) for each in item.parameters]
        assert packed.arguments(label) == (item.returned_parameters, item.variadic_sites)
        assert packed.annotation(label, -1) == item.result_annotation
        for position, parameter in enumerate(item.parameters):
            assert packed.parameter(label, position) == parameter.variable
            assert packed.annotation(label, position) == parameter.annotation


@given(st.lists(st.none() | classes, max_size=5))
def test_classes(items):
    packed = kept(classes=items).classes
    same(packed, items)
    assert packed.present() == [label for label, item in enumerate(items) if item is not None]
    for label in packed.present():
        item = items[label]
        assert (packed.definition(label), packed.name(label), packed.caller(label)) == (
            item.definition,
            item.name,
            item.caller,
        )
        assert packed.is_derived(label) == bool(item.bases or item.metaclass is not None)
        assert tuple(packed.bases(label)) == item.bases and packed.plain(label) == item.plain


@given(st.lists(imports, max_size=6))
def test_imports(items):
    packed = kept(imports=items).imports
    same(packed, items)
    assert [packed[index] for index in range(len(packed))] == items
    assert packed.stars() == [item for item in items if item.name == "*"]


@given(st.dictionaries(numbers, origins, max_size=6))
def test_origins(items):
    packed = kept(origins=items).origins
    assert dict(packed) == items and len(packed) == len(items) and packed.get(2**21, "none") == "none"


@given(st.dictionaries(names, numbers, max_size=5), st.lists(st.tuples(numbers, numbers, numbers), max_size=4))
def test_cells_and_decorated(cells, decorated):
    facts = kept(cells=cells, decorated=decorated)
    assert dict(facts.cells) == cells and list(facts.cells) == list(cells)
    assert [tuple(each) for each in facts.decorated] == decorated


def test_equal_names_are_one_object_over_all_files():
    one, other = (kept(imports=[ImportFacts(0, "".join(["some", "where"]), None, False, 1, 1)]) for _ in range(2))
    assert one.imports[0].module is other.imports[0].module
