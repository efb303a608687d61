"""Decorators that may be given options: what they return for those is not what they return for a function."""

import json

import pytest
from graph_names import GraphIndex

from codefuse_hf.graph import GraphBuilder, build_code_graph
from helpers.python_calls import called

FORMS = (
    "    if it:\n        return inner(it)\n    return inner\n",
    "    return inner if it is None else inner(it)\n",
    "    if it is not None:\n        it = inner(it)\n        return it\n    else:\n        return inner\n",
)
ITSELF = (
    "def deco(it=None, *, name=''):\n    def inner(function):\n        function.name = name\n        return function\n"
)
WRAPPER = "def deco(it=None, *, name=''):\n    def inner(function):\n        def outer(*args):\n            return function(*args)\n        return outer\n"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("inner", "callee"), [(ITSELF, "one"), (WRAPPER, "deco.inner.outer")])
@pytest.mark.parametrize("decorated", ["@deco", "@deco(name='x')"])
def test_the_inner_decorator_is_not_called_in_place_of_what_it_decorates(tmp_path, form, inner, callee, decorated):
    (tmp_path / "m.py").write_text(f"{inner}{form}{decorated}\ndef one(): ...\ndef use():\n    one()\n")
    calls = GraphIndex(json.loads(build_code_graph(tmp_path, progress=False, workers=0).to_json())).calls()
    assert {target for source, target in calls if source == "m.use"} == {f"m.{callee}"}
    assert ("m", "m.deco") in calls


WRAPS = "    def outer(*args):\n        return function(*args)\n    return outer\n"
LATER = (
    "from functools import partial\ndef deco(function=None, *, n=1):\n    if function is None:\n        return partial(deco, n=n)\n"
    + WRAPS,
    "def deco(function=None, n=1):\n    if function is None:\n        return lambda given: deco(given, n)\n" + WRAPS,
    "def deco(function=None, n=1):\n    if function is None:\n        def inner(given):\n            return deco(given, n=n)\n        return inner\n"
    + WRAPS,
    "def deco(n=1):\n    return lambda function: wrap(function, n)\ndef wrap(function, n):\n" + WRAPS,
)
TWO = "def one(): return Item()\n{}\ndef two(): return Other()\ndef use():\n    one().price()\n"


@pytest.mark.parametrize("definition", LATER)
@pytest.mark.parametrize("decorated", ["@deco", "@deco(n=2)"])
def test_a_decorator_that_waits_for_its_function_yields_its_wrapper_alone(tmp_path, definition, decorated):
    if "wrap(" in definition and decorated == "@deco":
        decorated = "@deco()"
    text = f"{definition}{decorated}\n{TWO.format('@deco(n=3)')}"
    wrapper = "wrap.outer" if "wrap(" in definition else "deco.outer"
    assert called(tmp_path, text) == {"Item.price", wrapper}
    assert wrapper not in called(tmp_path, text, "")


def test_a_decorator_may_wrap_something_else(tmp_path):
    text = "def instead(other):\n    def deco(function):\n        def outer(*args):\n            return other(*args)\n        return outer\n    return deco\n"
    text += "def make(): return Item()\n@instead(make)\ndef one(): return Other()\ndef use():\n    one().price()\n"
    assert called(tmp_path, text) >= {"instead.deco.outer", "Item.price"}


def test_a_function_that_is_returned_beside_another_ones_result_is_called(tmp_path):
    text = "def choose(kind):\n    def make(x): return x\n    if kind:\n        return make\n    return make(Item)\ndef use():\n    choose(1)(2).price()\n"
    assert "choose.make" in called(tmp_path, text)


def test_an_update_keeps_what_is_returned_for_options(tmp_path):
    path = tmp_path / "m.py"
    rest = f"{ITSELF}{FORMS[1]}@deco\ndef one(): ...\ndef use():\n    one()\n"
    path.write_text(rest)
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    path.write_text(f"def first():\n    def second(): ...\n    return second\n{rest}")
    assert (
        builder.update(["m.py"]).to_json()
        == build_code_graph(tmp_path, progress=False, workers=0, files=None).to_json()
    )


def test_keys_of_equal_hash_are_two_items(tmp_path):
    (tmp_path / "a.py").write_text("table = {}\ndef one(): ...\ndef two(): ...\n")
    (tmp_path / "b.py").write_text(
        "import a\na.table[-1] = a.one\na.table[-2] = a.two\ndef use():\n    a.table[-1]()\n"
    )
    calls = GraphIndex(json.loads(build_code_graph(tmp_path, progress=False, workers=0).to_json())).calls()
    assert ("b.use", "a.one") in calls
    assert ("b.use", "a.two") not in calls
