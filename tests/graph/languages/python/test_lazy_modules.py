"""Modules whose `__getattr__` answers for names (PEP 562)."""

import json

import pytest
from graph_names import GraphIndex

from codefuse_hf.graph import GraphBuilder, build_code_graph

PACKAGE = """def __getattr__(name):
    if name == "embed":
        from .a import embed
        return embed
    elif name in ("get", "put"):
        from .b import get
        return get
    if name == "Till":
        from .b import Till

        return Till
    raise AttributeError(name)
"""
FILES = {
    "pack/__init__.py": PACKAGE,
    "pack/a.py": "def embed(): pass\n",
    "pack/b.py": "def get(): pass\nclass Till:\n    def open(self): pass\n",
}


def calls(folder, text, caller="m.use"):
    for path, content in {**FILES, "m.py": text}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    found = GraphIndex(json.loads(build_code_graph(folder, progress=False, workers=0).to_json())).calls()
    return {target for source, target in found if source == caller}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from pack import embed\ndef use(): embed()\n", {"pack.a.embed"}),
        ("import pack\ndef use(): pack.get()\n", {"pack.b.get", "pack.__getattr__"}),
        ("from pack import put\ndef use(): put()\n", {"pack.b.get"}),
        ("from pack import Till\nclass Sub(Till): pass\ndef use(): Sub().open()\n", {"pack.b.Till.open"}),
        ("import pack\ndef use(): pack.other()\n", {"pack.__getattr__"}),
    ],
)
def test_a_name_is_what_the_modules_getattr_answers_for_it(tmp_path, text, found):
    assert calls(tmp_path, text) == found


def test_the_module_is_asked_where_a_name_is_imported(tmp_path):
    assert calls(tmp_path, "from pack import embed\n", "m") == {"pack.__getattr__"}


def test_an_update_asks_again(tmp_path):
    calls(tmp_path, "from pack import embed\ndef use(): embed()\n")
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    for text in (PACKAGE.replace('"embed"', '"other"'), PACKAGE):
        (tmp_path / "pack/__init__.py").write_text(text)
        graph = builder.update(["pack/__init__.py"])
        assert graph.to_json() == build_code_graph(tmp_path, progress=False, workers=0, files=None).to_json()
