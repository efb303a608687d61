"""Building again after changes gives the bytes of a full build."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codefuse_hf.graph import GraphBuilder, build_code_graph, extraction

VERSIONS = {
    "main.py": [
        "from pkg import work\nwork(print)\n",
        "import pkg.core as c\nc.work(lambda: 1)\n",
        "# nothing\n",
        "def broken(:\n",
    ],
    "pkg/__init__.py": ["from .core import work\n", "from .core import *\n", ""],
    "pkg/core.py": [
        "from .util import helper\ndef work(f):\n    f()\n    return helper()\n",
        "from .util import helper as h\ndef work(f):\n    # a comment\n    return h(f)\nclass A:\n    def m(self): return work(self.m)\n",
    ],
    "pkg/util.py": [
        "def helper(f=None):\n    return f\n",
        "class helper:\n    def __init__(self, f=None): self.f = f; f and f()\n",
    ],
    "pkg/shapes.py": [
        "from .core import work\nclass Shape:\n    def area(self): return work(self.side)\n    def side(self): pass\n",
        "class Shape:\n    def size(self): return self.side()\n    def side(self): pass\nclass Round(Shape):\n    def side(self): pass\n",
        "def Shape(made=None):\n    return made\n",
    ],
    "pkg/flows.py": [
        "from .shapes import Shape\nfrom . import util\ndef apply(f, x): return f(x)\napply(util.helper, Shape()).area()\n",
        "from .shapes import Shape as S\ndef apply(f, *x): return [f(y) for y in x]\ndef new(): return apply(S)\n",
        "from pkg.shapes import *\ndef other(): pass\ntable = {'a': other, 'b': Shape}\n",
    ],
    "use.py": [
        "from pkg.flows import apply\nimport pkg.shapes\ndef mine(x): x.side()\napply(mine, pkg.shapes.Shape())\n",
        "from pkg import flows\nfor f in flows.table.values():\n    f()\n",
    ],
    "notes.txt": ["a\n", "b\n"],
}


def fresh(path):
    return build_code_graph(path, progress=False, workers=0).to_json()


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text)


changes = st.lists(
    st.sampled_from(sorted(VERSIONS)).flatmap(
        lambda n: st.tuples(st.just(n), st.none() | st.sampled_from(VERSIONS[n]))
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(changes, min_size=1, max_size=3), told=st.booleans())
def test_update_gives_the_bytes_of_a_full_build(tmp_path_factory, steps, told):
    root = tmp_path_factory.mktemp("repository")
    for name, versions in VERSIONS.items():
        write(root, name, versions[0])
    builder = GraphBuilder(root, progress=False, workers=0)
    assert builder.build().to_json() == fresh(root)
    for step in steps:
        for name, text in step:
            write(root, name, text)
        graph = builder.update([name for name, _ in step] if told else None)
        assert graph.to_json() == fresh(root)


@pytest.fixture
def counted(tmp_path, monkeypatch):
    for name, versions in VERSIONS.items():
        write(tmp_path, name, versions[0])
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    read, resolved = [], []
    real_extract, real_resolve = extraction.extract_file, GraphBuilder._resolve
    monkeypatch.setattr(extraction, "extract_file", lambda path, *rest: read.append(path) or real_extract(path, *rest))
    monkeypatch.setattr(
        GraphBuilder, "_resolve", lambda self, *rest: resolved.append(rest[0]) or real_resolve(self, *rest)
    )
    return tmp_path, builder, read, resolved


def test_update_reads_the_changed_files_only(counted):
    root, builder, read, resolved = counted
    write(root, "pkg/util.py", VERSIONS["pkg/util.py"][1])
    builder.update(["pkg/util.py"])
    assert read == ["pkg/util.py"] and resolved == ["python"]


def test_a_comment_does_not_resolve_anything_again(counted):
    root, builder, read, resolved = counted
    write(root, "pkg/util.py", "# moved\n\n" + VERSIONS["pkg/util.py"][0])
    assert builder.update(["pkg/util.py"]).to_json() == fresh(root)
    assert resolved == ["python"]  # the one of the fresh build
    assert read[0] == "pkg/util.py"


def test_only_the_changed_file_becomes_nodes_again(counted, monkeypatch):
    root, builder, _, _ = counted
    made, real = [], extraction.file_part
    monkeypatch.setattr(extraction, "file_part", lambda facts, source: made.append(facts.path) or real(facts, source))
    write(root, "pkg/util.py", VERSIONS["pkg/util.py"][1])
    builder.update()
    assert made == ["pkg/util.py"]


def test_update_outside_the_folder_is_refused(counted):
    _, builder, _, _ = counted
    with pytest.raises(ValueError, match="outside"):
        builder.update(["../elsewhere.py"])


def test_cache_is_used_when_nothing_changed_and_only_then(tmp_path, monkeypatch):
    root, kept = tmp_path / "repository", tmp_path / "kept"
    for name, versions in VERSIONS.items():
        write(root, name, versions[0])
    write(root, "broken.py", "def f(:\n")
    first = build_code_graph(root, progress=False, workers=0, cache=kept)
    builds = []
    real = GraphBuilder.build
    monkeypatch.setattr(GraphBuilder, "build", lambda self: builds.append(1) or real(self))
    again = build_code_graph(root, progress=False, workers=0, cache=kept)
    assert not builds and again.to_json() == first.to_json() and again.diagnostics == first.diagnostics
    write(root, "pkg/util.py", VERSIONS["pkg/util.py"][1])
    assert build_code_graph(root, progress=False, workers=0, cache=kept).to_json() == fresh(root)
    assert len(builds) == 2  # the fresh one and the cached one
    build_code_graph(root, progress=False, workers=0, cache=kept, text_files=False)
    assert len(builds) == 3


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_damaged_cache_is_rebuilt(tmp_path, damage):
    root, kept = tmp_path / "repository", tmp_path / "kept"
    write(root, "a.py", "def f(): pass\nf()\n")
    expected = build_code_graph(root, progress=False, workers=0, cache=kept).to_json()
    for name in ("manifest.json", "graph.json.gz"):
        good = (kept / name).read_bytes()
        (kept / name).write_bytes(damage)
        assert build_code_graph(root, progress=False, workers=0, cache=kept).to_json() == expected
        (kept / name).write_bytes(good)


def test_cache_that_is_a_file_is_refused(tmp_path):
    write(tmp_path, "a.py", "")
    with pytest.raises(NotADirectoryError, match="cache="):
        build_code_graph(tmp_path, progress=False, workers=0, cache=tmp_path / "a.py")
