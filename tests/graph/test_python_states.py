"""A build in little memory finds what a build in much memory finds."""

import gc
from pathlib import Path

import joblib
import pytest

from codefuse_hf.graph import GraphBuilder, build_code_graph
from codefuse_hf.graph.languages.python_states import FileState, States

PACKAGE = Path(joblib.__file__).parent


def build(**options):
    return build_code_graph(PACKAGE, progress=False, workers=0, **options)


@pytest.fixture(scope="module")
def expected():
    return build().to_json()


@pytest.fixture
def packed(monkeypatch):
    """Counts the states that are put away."""
    counts = {"packed": 0, "most": 0}
    pack, weigh = FileState.pack, States.weigh

    def counted(self):
        counts["packed"] += 1
        return pack(self)

    def watched(self, state):
        weigh(self, state)
        counts["most"] = max(counts["most"], len(self._here))

    monkeypatch.setattr(FileState, "pack", counted)
    monkeypatch.setattr(States, "weigh", watched)
    return counts


def test_with_room_nothing_is_put_away(packed, expected):
    assert build().to_json() == expected
    assert packed["packed"] == 0


def test_without_room_one_file_is_here_at_a_time(packed, expected):
    assert build(memory=1).to_json() == expected
    assert packed["packed"] > 100 and packed["most"] == 1


def test_updates_without_room(tmp_path, packed):
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
    assert packed["packed"] > 0


def test_a_build_leaves_nothing_behind():
    gc.collect()
    gc.disable()
    try:
        graph = build()
        kinds = {type(each).__name__ for each in gc.get_objects()}
    finally:
        gc.enable()
    assert graph.num_nodes > 1000
    assert kinds.isdisjoint({"FileState", "States", "Solver", "Structure", "PythonFacts", "FunctionFacts"})
