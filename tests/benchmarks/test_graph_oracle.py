"""The oracle of call edges, on reports written by hand."""

import json
from argparse import Namespace

from graph_oracle import Oracle, Report, Site, measure

SOURCE = "class Base:\n    def go(self): pass\n    def step(self): pass\nclass Mixin:\n    def step(self): pass\nclass Real(Mixin, Base):\n    pass\n"
STUB = "class Mixin:\n    def step(self) -> int: ...\ndef made() -> int: ...\n"


def function(name, place, owner=None):
    facts = {"name": name, "name_location": f"{place}-{place}"}
    return facts if owner is None else {**facts, "defining_class": {"module_id": 1, "class_id": owner}}


def report(folder, path, functions):
    (folder / "definitions").mkdir()
    mro = {0: [], 1: [], 2: [1, 0]}
    module = {
        "module_id": 1,
        "source_path": {"FileSystem": str(folder / path)},
        "function_definitions": functions,
        "class_definitions": {
            str(n): {"class_id": n, "mro": {"Resolved": [{"module_id": 1, "class_id": base} for base in bases]}}
            for n, bases in mro.items()
        },
    }
    (folder / "definitions" / "mod.json").write_text(json.dumps(module))
    (folder / "mod.py").write_text(SOURCE)
    return Report(folder, folder)


def call(label, kind, receiver=None):
    found = {"target": {kind: {"module_id": 1, "function_id": label, "function_name": "step"}}}
    return found if receiver is None else {**found, "receiver_class": {"module_id": 1, "class_id": receiver}}


def test_what_a_subclass_has_from_another_base_is_an_override(tmp_path):
    functions = {"F0": function("go", "2:9", 0), "F1": function("step", "3:9", 0), "F2": function("step", "5:9", 1)}
    found = report(tmp_path, "mod.py", functions)
    assert found.targets([call("F1", "Overrides", 0)]) == (
        {("mod.py", 3, "step"), ("mod.py", 5, "step")},
        {"step"},
        True,
    )
    assert found.targets([call("F1", "Function", 0)])[0] == {("mod.py", 3, "step")}


def test_a_function_of_a_stub_is_that_of_the_source(tmp_path):
    (tmp_path / "mod.pyi").write_text(STUB)
    found = report(tmp_path, "mod.pyi", {"F0": function("step", "2:9", 1), "F1": function("made", "3:5")})
    assert found.targets([call("F0", "Function")]) == ({("mod.py", 5, "step")}, {"step"}, True)
    assert found.targets([call("F1", "Function")]) == (set(), {"step"}, False)


def test_what_runs_behind_a_protocol_is_not_known(tmp_path):
    (tmp_path / "mod.py").write_text("class Step(Protocol[T]):\n    def step(self): ...\n")
    (tmp_path / "definitions").mkdir()
    module = {
        "module_id": 1,
        "source_path": {"FileSystem": str(tmp_path / "mod.py")},
        "function_definitions": {"F0": function("step", "2:9", 0)},
        "class_definitions": {"0": {"class_id": 0, "name_location": "1:7-1:11", "mro": {"Resolved": []}}},
    }
    (tmp_path / "definitions" / "mod.json").write_text(json.dumps(module))
    found = Report(tmp_path, tmp_path)
    assert found.targets([call("F0", "Function", 0)]) == ({("mod.py", 2, "step")}, {"step"}, False)


def test_a_method_from_outside_that_the_repository_overrides_is_not_its_own(tmp_path):
    found = report(tmp_path, "mod.py", {"F1": function("step", "3:9", 0)})
    outside = {"target": {"Overrides": {"module_id": 7, "function_id": "F1", "function_name": "append"}}}
    assert found.names_own([call("F1", "Function", 0), outside])
    assert not found.names_own([outside]) and not found.names_own([{"target": "FormatString"}])


def test_a_decorated_function_is_found_behind_its_wrapper(tmp_path):
    (tmp_path / "mod.py").write_text(
        "def wrap(f):\n    def inner():\n        return other() or f()\n    return inner\n"
        "def other(): pass\n@wrap\ndef step(): pass\ndef run():\n    step()\n    other()\n"
    )
    oracle = Oracle()
    for line, name in ((7, "step"), (5, "other")):
        oracle.sites["mod.py", 8, "run"].append(Site(name, 9, "call", True, frozenset({("mod.py", line, name)})))
    oracle.sites["mod.py", 8, "run"].append(
        Site("append", 9, "call", True, frozenset({("mod.py", 2, "inner")}), own=False)
    )
    options = Namespace(root=tmp_path, seed=0, sample=0, wrong=0, missed=0)
    found = measure(tmp_path, oracle, options)["sources"]["recall"]
    assert found == {"call": {"sites": 2, "found": 0.5, "behind_wrappers": 0.5}}
