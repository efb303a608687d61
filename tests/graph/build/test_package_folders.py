"""Imports go where the project's metadata says that its packages lie."""

from __future__ import annotations

import pytest

from codefuse_hf.graph import GraphBuilder

METADATA = {
    "pyproject.toml": [
        '[tool.setuptools.package-dir]\npack = "."\n"pack.inner" = "elsewhere"\n',
        '[tool.poetry]\npackages = [{ include = "pack", from = "lib" }]\n',
        '[tool.hatch.build.targets.wheel]\npackages = ["lib/pack"]\n',
        '[tool.setuptools.packages.find]\nwhere = ["lib"]\n',
    ],
    "setup.cfg": ["[options]\npackage_dir =\n    pack.inner = elsewhere\n", "[options.packages.find]\nwhere = lib\n"],
}
FILES = {
    "elsewhere/__init__.py": "def work(): pass\n",
    "lib/pack/__init__.py": "",
    "lib/pack/inner.py": "def work(): pass\n",
    "pack/__init__.py": "",
    "pack/inner.py": "",
    "use.py": "from pack.inner import work\nwork()\n",
}


def write(root, files: dict[str, str]) -> None:
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)


def called(graph) -> list[str]:
    use = next(node.id for node in graph.nodes() if node.qualified_name == "use")
    return [graph[target].file_path for target in graph.neighbors(use, "calls", "out")]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in METADATA.items() for text in texts])
def test_imports_follow_the_metadata(tmp_path, name, text):
    write(tmp_path, FILES)
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    assert called(builder.build()) == []  # pack/inner.py has no such function
    (tmp_path / name).write_text(text)
    updated = builder.update([name])
    assert called(updated) == ["elsewhere/__init__.py" if "elsewhere" in text else "lib/pack/inner.py"]
    assert updated.to_json() == GraphBuilder(tmp_path, progress=False, workers=0).build().to_json()


@pytest.mark.parametrize(
    "text", ["[tool", "[tool.setuptools]\npackages = 3\n", '[tool.setuptools.package-dir]\nx = ["y"]\n']
)
def test_what_is_no_metadata_says_nothing(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "setup.cfg").write_text(text)
    (tmp_path / "use.py").write_text(FILES["use.py"])
    assert called(GraphBuilder(tmp_path, progress=False, workers=0).build()) == []


def test_a_module_named_like_its_package_does_not_hide_it(tmp_path):
    files = {
        "src/shop/cart.py": "from shop.price import total\ndef fill():\n    total()\n",
        "src/shop/price.py": "def total(): pass\n",
        "src/shop/shop.py": "",
        "use.py": "from shop.cart import fill\nfill()\n",
    }
    write(tmp_path, files)
    graph = GraphBuilder(tmp_path, progress=False, workers=0).build()
    assert called(graph) == ["src/shop/cart.py"]
    fill = next(node.id for node in graph.nodes() if node.name == "fill")
    assert [graph[target].name for target in graph.neighbors(fill, "calls", "out")] == ["total"]


def test_a_module_is_found_where_the_whole_of_its_name_is(tmp_path):
    files = {
        "examples/contrib/helper/__init__.py": "",
        "examples/contrib/helper/dog.py": "def bark(): pass\n",
        "examples/contrib/helper/test_dog.py": "from examples.contrib.helper.dog import bark\ndef test(): bark()\n",
        "test/examples/__init__.py": "",
        "docs/examples.py": "",
    }
    write(tmp_path, files)
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    edge = "examples.contrib.helper.test_dog.test", "examples.contrib.helper.dog.bark"
    assert edge in _calls(builder.build())
    (tmp_path / "examples/contrib/helper/dog.py").unlink()
    assert edge not in _calls(builder.update(["examples/contrib/helper/dog.py"]))
    (tmp_path / "other/examples/contrib/helper").mkdir(parents=True)
    (tmp_path / "other/examples/contrib/helper/dog.py").write_text("def bark(): pass\n")
    graph = builder.update(["other/examples/contrib/helper/dog.py"])
    assert graph.to_json() == GraphBuilder(tmp_path, progress=False, workers=0).build().to_json()
    assert (edge[0], "other.examples.contrib.helper.dog.bark") in _calls(graph)


def _calls(graph):
    return {
        (node.qualified_name, graph[target].qualified_name)
        for node in graph.nodes()
        for target in graph.neighbors(node.id, "calls", "out")
    }
