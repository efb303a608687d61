"""A build in little memory finds what a build in much memory finds."""

import gc
import json
from array import array
from pathlib import Path

import jinja2
import pytest
from graph_names import GraphIndex

from codefuse_hf.graph import GraphBuilder, build_code_graph
from codefuse_hf.graph.languages.python.flow.rounds import Rounds
from codefuse_hf.graph.languages.python.flow.states import FileState
from codefuse_hf.graph.languages.python.reading.facts import Constant, PythonFacts
from codefuse_hf.graph.languages.python.reading.program import Program, pack_program
from codefuse_hf.graph.spill import Spill

PACKAGE = Path(jinja2.__file__).parent


def build(**options):
    return build_code_graph(PACKAGE, progress=False, workers=0, **options)


@pytest.fixture(scope="module")
def expected():
    """The graph of a build with room, which leaves nothing behind."""
    graph = build()
    gc.collect()
    kinds = {type(each).__name__ for each in gc.get_objects()}
    assert graph.num_nodes > 1000
    assert kinds.isdisjoint({"FileState", "States", "Solver", "Structure", "PythonFacts"})
    return graph.to_json()


@pytest.fixture
def put_away(monkeypatch):
    """The keys under which something is put away."""
    keys, put = [], Spill.__setitem__
    monkeypatch.setattr(Spill, "__setitem__", lambda self, key, value: keys.append(key) or put(self, key, value))
    return keys


def test_a_build_without_room_puts_files_away_again_and_again(put_away, expected):
    assert build(memory=1).to_json() == expected
    assert len(put_away) > 3 * len(set(put_away)) > 3 * 20


def test_updates_without_room(tmp_path, put_away):
    (tmp_path / "a.py").write_text("from b import g, Base\nclass A(Base):\n    def run(self): return g(self.step)\n")
    (tmp_path / "b.py").write_text(
        "from functools import partial\ndef g(f): return partial(f, k=1)()\nclass Base: pass\n"
    )
    (tmp_path / "c.py").write_text("from a import A\nfor x in [A(), *(A(),)]: x.run()\n")
    builder = GraphBuilder(tmp_path, progress=False, workers=0, memory=1)
    builder.build()
    for text in (
        "def g(f): return f()\nclass Base:\n    def step(self, k=0): pass\n",
        "def g(f): pass\nBase = object\n",
    ):
        (tmp_path / "b.py").write_text(text)
        full = build_code_graph(tmp_path, progress=False, workers=0)
        assert builder.update(["b.py"]).to_json() == full.to_json()
    assert put_away


def test_a_state_comes_back_as_it_was():
    state = FileState(3, Program(pack_program(PythonFacts())), 4)
    state.points[2] = (5, 6)
    state.named[hash((3, "attribute", "a"))] = 1
    state.bound.add(("mark", 1))
    state.copies[1], state.copies[2] = 7, array("q", (2, -(1 << 40)))
    state.steps[1], state.steps[2], state.steps[3] = ("see", 0), [7, ("take", (2, Constant("x")))], 8
    state.stores["name"] = [((1, 2), 3)]
    state.calls.add((1, 2, 3))
    for _ in range(3):
        state = FileState.unpack(state.slot, state.program, state.found, state.pack())
        state.calls.add((4, 5, 6))
    assert state.points == [(), (), (5, 6), ()] and state.named == {hash((3, "attribute", "a")): 1}
    assert state.bound == {("mark", 1)} and state.stores == {"name": [((1, 2), 3)]}
    assert state.copies == {1: 7, 2: array("q", (2, -(1 << 40)))}
    assert state.steps == {1: ("see", 0), 2: [7, ("take", (2, Constant("x")))], 3: 8}
    assert {tuple(edge) for edge in state.edges("calls").tolist()} == {(1, 2, 3), (4, 5, 6)}
    assert state.edges("uses").shape == (0, 3)


def test_values_cross_a_chain_of_twenty_files_in_a_few_sweeps(tmp_path, monkeypatch):
    count, sweeps = 20, []
    for number in range(count):
        following = f"from m{number + 1:02} import get as inner, give as outer\n"
        functions = "def get():\n    return inner()\ndef give(function):\n    outer(function)\n"
        (tmp_path / f"m{number:02}.py").write_text(following + functions)
    (tmp_path / f"m{count:02}.py").write_text(
        "def last(): pass\ndef get():\n    return last\ndef give(function):\n    function()\n"
    )
    (tmp_path / "a.py").write_text(
        "from m00 import get, give\ndef first(): pass\ndef run():\n    get()()\n    give(first)\n"
    )
    deliver = Rounds._deliver

    def counted(self, slot, messages):
        sweeps.append(self.now[:2])
        deliver(self, slot, messages)

    monkeypatch.setattr(Rounds, "_deliver", counted)
    graph = build_code_graph(tmp_path, progress=False, workers=0)
    calls = GraphIndex(json.loads(graph.to_json())).calls()
    assert {("a.run", "m20.last"), ("m20.give", "a.first")} <= calls
    assert max(sweeps) <= (0, 5)
