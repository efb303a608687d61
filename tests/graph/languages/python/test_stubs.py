"""Stubs beside sources: their types reach the sources' definitions, which stay the ones that edges lead to."""

import pytest

from codefuse_hf.graph import GraphBuilder

ITEMS = "class Item:\n    def price(self): pass\nclass Other:\n    def price(self): pass\n"
FILES = {"pkg/__init__.py": "", "pkg/items.py": ITEMS}


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def edges(graph, kind="calls"):
    """The (source, target) of the edges of one kind, each as `path:dotted name`."""
    nodes = {n.id: f"{n.file_path}:{n.qualified_name}" for n in graph.nodes()}
    return {(nodes[n.id], nodes[t]) for n in graph.nodes() for t in graph.neighbors(n.id, kind, "out")}


def built(folder, files):
    write(folder, FILES | files)
    return GraphBuilder(folder, progress=False, workers=0, languages=["python"]).build()


def called(graph, name):
    """What the function `name` calls."""
    return {target for source, target in edges(graph) if source.endswith(f".{name}")}


PRICE = "pkg/items.py:pkg.items.Item.price"


@pytest.mark.parametrize(
    ("source", "stub", "use"),
    [
        ("def make(x): return x()", "def make(x) -> Item: ...", "mod.make(1).price()"),
        ("def make(x): return x()", "def make(x) -> list[Item]: ...", "mod.make(1)[0].price()"),
        ("def make(x): return x()", "def make(x) -> 'Item': ...", "mod.make(1).price()"),
        ("class Till:\n    last = None", "class Till:\n    last: Item", "mod.Till().last.price()"),
        (
            "class Till:\n    def take(self): return self.x()",
            "class Till:\n    def take(self) -> Item: ...",
            "mod.Till().take().price()",
        ),
        (
            "class Till:\n    class Box:\n        def get(self): return self.x()",
            "class Till:\n    class Box:\n        def get(self) -> Item: ...",
            "mod.Till.Box().get().price()",
        ),
        ("stock = load()", "stock: dict[str, Item]", "mod.stock['a'].price()"),
        ("from ._c import make", "def make() -> Item: ...", "mod.make().price()"),
    ],
)
def test_what_a_stub_says_is_known_of_the_source(tmp_path, source, stub, use):
    stub = f"from .items import Item\n{stub}\n"
    graph = built(
        tmp_path, {"pkg/mod.py": source, "pkg/mod.pyi": stub, "use.py": f"from pkg import mod\ndef use():\n    {use}\n"}
    )
    assert PRICE in called(graph, "use")


def test_edges_go_to_the_source(tmp_path):
    body = "class {0}:\n    def __init__(self): self.x = 1\n    def go(self): return self\nclass Sub({0}):\n    pass\ndef new(): return Sub()\n"
    stub = "class Base:\n    x: int\n    def __init__(self) -> None: ...\n    def go(self) -> Base: ...\nclass Sub(Base): ...\ndef new() -> Sub: ...\n"
    use = "from pkg.mod import new, Sub\nclass Own(Sub):\n    pass\ndef use():\n    new().go()\n    Own().go()\ndef by_name(x):\n    x.go_on_now()\n"
    files = {"pkg/mod.py": body.format("Base"), "pkg/mod.pyi": stub, "use.py": use}
    graph = built(tmp_path, files)
    source = "pkg/mod.py:pkg.mod."
    assert called(graph, "use") == {source + "new", source + "Base.go", source + "Base.__init__"}
    into_stub = {
        edge
        for kind in ("calls", "references", "imports", "extends")
        for edge in edges(graph, kind)
        if edge[1].startswith("pkg/mod.pyi:")
    }
    assert into_stub == set()
    assert ("pkg/mod.py:pkg.mod.Sub", source + "Base") in edges(graph, "extends")


def test_parameters_and_methods_of_a_stub(tmp_path):
    source = "def total(items, till):\n    till.add()\n    for item in items: item.price()\nclass Till:\n    def add(self): return self\n    def open(self): return self.y()\n"
    stub = "from typing import Iterable, Self\nfrom .items import Item\ndef total(items: Iterable[Item], till: Till) -> None: ...\nclass Till:\n    def add(self): ...\n    def open(self) -> Self: ...\n"
    use = "from pkg.mod import Till\nclass Own(Till):\n    def mine(self): pass\ndef use():\n    Own().open().mine()\n"
    graph = built(tmp_path, {"pkg/mod.py": source, "pkg/mod.pyi": stub, "use.py": use})
    assert called(graph, "total") == {PRICE, "pkg/mod.py:pkg.mod.Till.add"}
    assert called(graph, "use") == {"pkg/mod.py:pkg.mod.Till.open", "use.py:use.Own.mine"}


def test_overloads_of_a_stub_are_any_of_them(tmp_path):
    stub = (
        "from typing import overload\nfrom .items import Item, Other\n@overload\ndef make(x: int) -> Item: ...\n"
        "@overload\ndef make(x: str) -> Other: ...\n"
    )
    use = "from pkg.mod import make\ndef use():\n    make(1).price()\n"
    graph = built(tmp_path, {"pkg/mod.py": "def make(x): return x()\n", "pkg/mod.pyi": stub, "use.py": use})
    assert called(graph, "use") == {PRICE, PRICE.replace("Item", "Other"), "pkg/mod.py:pkg.mod.make"}


def test_a_compiled_module_is_its_stub(tmp_path):
    stub = "from .items import Item\nclass Core:\n    def get(self) -> Item: ...\ndef new() -> Core: ...\n"
    use = "from pkg._core import new\ndef use():\n    new().get().price()\n"
    graph = built(tmp_path, {"pkg/_core.pyi": stub, "use.py": use})
    assert called(graph, "use") == {PRICE, "pkg/_core.pyi:pkg._core.new", "pkg/_core.pyi:pkg._core.Core.get"}


def test_what_only_the_stub_has_is_found_there(tmp_path):
    stub = "from .items import Item as Item\ndef made_at_run_time() -> Item: ...\n"
    use = "from pkg import mod\ndef use():\n    mod.made_at_run_time().price()\n    mod.Item().price()\n"
    graph = built(tmp_path, {"pkg/mod.py": "globals().update(f())\n", "pkg/mod.pyi": stub, "use.py": use})
    assert called(graph, "use") == {PRICE, "pkg/mod.pyi:pkg.mod.made_at_run_time"}


def test_a_call_by_name_does_not_count_the_stub(tmp_path):
    source = "class Till:\n    def take_all(self): pass\n"
    stub = "class Till:\n    def take_all(self) -> None: ...\n"
    graph = built(tmp_path, {"pkg/mod.py": source, "pkg/mod.pyi": stub, "use.py": "def use(x):\n    x.take_all()\n"})
    assert called(graph, "use") == {"pkg/mod.py:pkg.mod.Till.take_all"}


STEPS = [
    {"pkg/mod.pyi": "from .items import Item\ndef make(x) -> Item: ...\n"},
    {"pkg/mod.pyi": "from .items import Other\ndef make(x) -> Other: ...\n"},
    {"pkg/items.py": ITEMS.replace("Other", "Third") + "Other = Item\n"},
    {"pkg/mod.py": "# moved\ndef other(): pass\ndef make(x): return x()\n"},
    {"pkg/mod.pyi": None},
    {"pkg/mod.pyi": "from .items import Item\ndef make(x) -> Item: ...\n"},
    {"pkg/mod.py": None},
    {"pkg/mod.py": "def make(x): return x()\n"},
]


def test_updates_give_what_a_full_build_gives(tmp_path):
    write(
        tmp_path,
        FILES
        | {
            "pkg/mod.py": "def make(x): return x()\n",
            "use.py": "from pkg import mod\ndef use():\n    mod.make(1).price()\n",
        },
    )
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    for step in STEPS:
        for path, text in step.items():
            (tmp_path / path).unlink() if text is None else (tmp_path / path).write_text(text)
        updated = builder.update(list(step))
        assert updated.to_json() == GraphBuilder(tmp_path, progress=False, workers=0).build().to_json(), step
