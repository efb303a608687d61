"""Building again after changes gives the bytes of a full build."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codefuse_hf.graph import GraphBuilder, build_code_graph
from codefuse_hf.graph.build import extraction
from codefuse_hf.graph.languages.python.flow.declarations import MAX_SUBCLASSES
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.update.declarations import KeptStructure
from codefuse_hf.graph.languages.python.update.resolution import KeptResolution

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

# Every version of every file goes with every version of the others, whatever they then import in vain.
PROGRAM = {
    "app/__init__.py": [
        "from .models import Base, make\nfrom .hooks import *\n",
        "from .models import *\n__all__ = ['Base', 'fire']\n",
        "def __getattr__(name):\n    return make\ndef make(): pass\n",
    ],
    "app/models.py": [
        "class Base:\n    def run(self): return self.step(self.handler)\n    def step(self, f): return f()\n"
        "def make(kind): return kind()\n",
        "def first(): pass\nclass Mixin:\n    def step(self, f): return [f, lambda: f()]\n"
        "class Base(Mixin):\n    def run(self):\n        for g in self.step(self.handler): g()\n    def handler(self): pass\n"
        "def make(kind, *rest, **named): return kind(*rest, **named)\n",
        "class Meta(type):\n    def __call__(cls, *a): return super().__call__(*a)\n"
        "class Base(metaclass=Meta):\n    def run(self): self.handler()\nmake = Base\n",
    ],
    "app/hooks.py": [
        "from functools import partial\nregistry = {}\ndef register(f):\n    registry[f.__name__] = f\n    return f\n"
        "def fire(name, *args): return registry[name](*args)\nlater = partial(fire, 'go')\n",
        "def register(f):\n    def wrapper(*args, **named):\n        return f(*args, **named)\n    return wrapper\n"
        "def _hidden(): pass\ndef fire(f): return f()\nlater = [fire, _hidden]\n",
        "class register:\n    def __init__(self, f): self.f = f\n    def __call__(self, *args): return self.f(*args)\n"
        "    def __get__(self, owner, kind=None): return self.f\n",
    ],
    "app/tasks.py": [
        "from app import Base, make\nfrom app.hooks import register\n@register\ndef go(): pass\n"
        "class Task(Base):\n    @register\n    def handler(self): return go()\ntask = make(Task)\ntask.run()\n",
        "import app\nfrom . import hooks, models\nclass Task(models.Base):\n    handler = hooks.register(lambda self: self.extra())\n"
        "    @property\n    def extra(self): return hooks.fire\ntask = app.make(Task)\ntask.callback = hooks.later\ntask.run()\n",
        "from app.models import *\nclass Task(Base):\n    pass\nTask.handler = make\nsetattr(Task, 'step', lambda self, f: f)\n",
    ],
    "main.py": [
        "from app.tasks import task, Task\ndef done(): pass\ntask.callback = done\ntask.callback()\nTask.run(task)\n",
        "from app import *\nimport app.tasks as t\ndef done(x=None): return x\nt.task.handler = done\nt.task.run()\nfire('go')\n",
    ],
    "other/use.py": [
        "from app.hooks import fire, later\nfrom main import done\nfire(done)\nlater()\nfor f in later: f()\n",
        "import main\ndef work(items): return sorted(items, key=main.done)\nwork([main.Task])[0]().run()\n",
    ],
}


# What names mean hangs on files that are there or not, on stars, circles and on how many there are of something.
MEANINGS = {
    "pkg/__init__.py": [
        "from .a import *\n",
        None,
        "",
        "from .a import f as g, Base\nfrom . import b\n",
        "from .b import *\nfrom .a import *\n__all__ = ['f', 'Base', 'Kid']\n",
    ],
    "pkg/a.py": [
        "def f(): pass\nclass Base:\n    def run(self): return self.step()\n    def step(self): pass\n",
        None,
        "value = []\nfrom .b import *\nfrom .b import Base as Root\nclass Base(Root):\n    def step(self): return value\n",
        "from .b import f, Base\n__all__ = ['f']\ndef _hidden(): return f()\n",
        "from pkg.a import Base as Again\nclass Base(Again): pass\nf = Base().run\n",
    ],
    "pkg/a/__init__.py": [None, "from ..b import *\ndef f(): return Base().run()\n", "", "from .deep import f, Base\n"],
    "pkg/a/deep.py": [None, "from pkg.b import Base\nclass Inner(Base): pass\ndef f(): return Inner\n"],
    "pkg/b.py": [
        "def f(): return value\nvalue = {}\nclass Base:\n    limit = 1\n    def run(self): return self.limit\n",
        None,
        "from .a import *\nfrom . import a\nclass Kid(a.Base):\n    def step(self): return f\n",
        "from .a import Base, f\nclass Kid(Base):\n    class Base(Base): pass\n    def step(self): return self.run()\n",
        "try:\n    from .a import Base\nexcept ImportError:\n    class Base: pass\nvalue = f = Base\n__all__ = ['f', 'value']\n",
        "try:\n    from .a import Base, f\nexcept ImportError:\n    from b import Base, f\n",
    ],
    "b.py": [None, "class Base:\n    def run(self): return self.other\n    def other(self): pass\nf = Base\n"],
    "json.py": [None, "def dumps(x): return x\n"],
    "use.py": [
        "import b\nfrom pkg import f, Base\nfrom pkg.b import *\nclass Own(Base):\n    def step(self): return f()\nb.f().run()\nOwn().run()\n",
        "import json, pkg.b\nimport pkg.a as a\nclass Own(pkg.b.Kid, a.Base):\n    limit = json.dumps(pkg.b.value)\nOwn.limit\nOwn().run()\na.f()\n",
        "from pkg.b import Kid\nclass Own(Kid.Base): pass\ndef late(x): return x.run(), x.meet_me(), x.other()\nOwn().step()\n",
    ],
    "pkg/use.py": [
        "from b import f\nfrom .b import Base as B\nimport json\njson.dumps(f)\ndef call(x): return x.meet_me()\nclass T(B): pass\nT().run()\n",
        "from . import *\nfrom .a import *\ndef call(x): return f(x), x.step()\nBase.run\n",
    ],
    "many.py": [
        "".join(f"class M{i}:\n    def meet_me(self): pass\n" for i in range(1)),
        "".join(f"class M{i}:\n    def meet_me(self): pass\n" for i in range(2)),
        "from pkg.b import Base\n" + "".join(f"class M{i}(Base): pass\n" for i in range(MAX_SUBCLASSES - 1)),
        "from pkg.b import Base\n" + "".join(f"class M{i}(Base): pass\n" for i in range(MAX_SUBCLASSES + 1)),
    ],
    "more.py": [
        None,
        "class N:\n    def meet_me(self): return self.run()\n    def run(self): pass\n",
        "from pkg.b import Base\nclass N(Base):\n    def meet_me(self): pass\n",
    ],
}  # fmt: skip


def edited(text, edit):
    """A text with something new in front, behind or inside, so that the numbers of everything else move."""
    place, added = edit
    if place == "inside":
        return text.replace("\ndef ", f"\n{added}def ")
    return added + text if place == "before" else text + added


edits = st.tuples(
    st.sampled_from(["before", "behind", "inside"]),
    st.sampled_from(
        ["", "# comment\n", "def added(f): return f()\n", "class Added:\n    items = [{}]\n    def run(self): pass\n", "table = {1: [2, (3, 4)]}\n"]
    ),
)  # fmt: skip


def fresh(path):
    return build_code_graph(path, progress=False, workers=0).to_json()


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text)


# The tests below come in parts, of independent examples, so that none takes long.
changes = st.lists(
    st.sampled_from(sorted(VERSIONS)).flatmap(
        lambda n: st.tuples(st.just(n), st.none() | st.sampled_from(VERSIONS[n]))
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("part", range(2))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(changes, min_size=1, max_size=3), told=st.booleans())
def test_update_gives_the_bytes_of_a_full_build(tmp_path_factory, part, steps, told):
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


@pytest.mark.parametrize("part", range(4))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.lists(
            st.sampled_from(sorted(PROGRAM)).flatmap(
                lambda n: st.tuples(st.just(n), st.none() | st.tuples(st.sampled_from(PROGRAM[n]), edits))
            ),
            min_size=1,
            max_size=2,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_update_after_edits_of_a_program_of_many_flows(tmp_path_factory, part, steps):
    root = tmp_path_factory.mktemp("repository")
    for name, versions in PROGRAM.items():
        write(root, name, versions[0])
    builder = GraphBuilder(root, progress=False, workers=0)
    builder.build()
    for step in steps:
        for name, version in step:
            write(root, name, None if version is None else edited(*version))
        assert builder.update().to_json() == fresh(root)


@pytest.mark.parametrize("part", range(10))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.fixed_dictionaries({name: st.sampled_from(versions) for name, versions in MEANINGS.items()}),
    steps=st.lists(
        st.lists(
            st.sampled_from(sorted(MEANINGS)).flatmap(
                lambda n: st.tuples(st.just(n), st.sampled_from(MEANINGS[n]), edits)
            ),
            min_size=1,
            max_size=2,
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_update_where_names_change_their_meaning(tmp_path_factory, part, start, steps):
    root = tmp_path_factory.mktemp("repository")
    for name, text in start.items():
        write(root, name, text)
    write(root, "kept.py", "")
    builder = GraphBuilder(root, progress=False, workers=0)
    builder.build()
    for step in steps:
        for name, text, edit in step:
            write(root, name, None if text is None else edited(text, edit))
        assert builder.update().to_json() == fresh(root)


# Files, then what is written over them step by step; each changes one thing that another file has read.
READS = {
    "a name in a class's body": [
        {"b.py": "class One: pass\nclass Two: pass\nclass Outer:\n    Inner = One\n", "use.py": "from b import Outer\nclass Own(Outer.Inner): pass\n"},
        {"b.py": "class One: pass\nclass Two: pass\nclass Outer:\n    Inner = Two\n"},
    ],
    "a name in an inherited body": [
        {"a.py": "class P:\n    class Inner: pass\nclass Q:\n    class Inner: pass\n", "b.py": "from a import P, Q\nclass Outer(P): pass\n", "use.py": "from b import Outer\nclass Own(Outer.Inner): pass\n"},
        {"b.py": "from a import P, Q\nclass Outer(Q): pass\n"},
        {"a.py": "class P:\n    class Inner: pass\nclass Q(P): pass\n"},
    ],
    "an attribute that has moved, through another module": [
        {"pkg/__init__.py": "from .b import value\n", "pkg/b.py": "value = {}\n", "use.py": "import pkg\ndef f(): return pkg.value\n"},
        {"pkg/b.py": "def g(): pass\nother = []\nvalue = {}\n"},
        {"use.py": "import pkg\ndef f(): return pkg.value\ndef h(): return f(pkg.value)\n"},
    ],
    "an attribute that changes places with another": [
        {"b.py": "class A:\n    x = 1\n    y = 2\np = 1\nq = 2\n", "use.py": "import b\ndef f(): return b.A.x, b.p\n"},
        {"b.py": "class A:\n    y = 2\n    x = 1\nq = 2\np = 1\n"},
    ],
    "a method that a base class did not have": [
        {"b.py": "class Base: pass\n", "use.py": "from b import Base\nclass T(Base):\n    def go(self): return self.step()\nT().go()\n"},
        {"b.py": "class Base:\n    def step(self): pass\n"},
        {"b.py": "class Base:\n    step = print\n"},
        {"b.py": "class Base:\n    @property\n    def step(self): return len\n"},
    ],
    "a base class of a base class": [
        {"a.py": "class P:\n    def go(self): pass\nclass Q:\n    def go(self): pass\n", "b.py": "from a import *\nclass Mid(P): pass\n", "use.py": "from b import Mid\nclass T(Mid): pass\nT().go()\nT.go\n"},
        {"b.py": "from a import *\nclass Mid(Q): pass\n"},
        {"b.py": "from a import *\nP = Q\nclass Mid(P): pass\n"},
        {"a.py": "class P:\n    def go(self): pass\nQ = P\n"},
    ],
    "a name that hid a module": [
        {"pkg/__init__.py": "", "pkg/sub.py": "def f(): pass\n", "use.py": "from pkg import sub\nsub.f()\n"},
        {"pkg/__init__.py": "def sub(): pass\n"},
        {"pkg/__init__.py": "", "pkg/sub.py": None},
        {"pkg/sub/__init__.py": "from .deep import f\n", "pkg/sub/deep.py": "def f(): pass\n"},
    ],
    "the order of what a circle of imports gives": [
        {"a.py": "try:\n    from b import K\nexcept ImportError:\n    from c import One as K\nclass T(K): pass\n", "b.py": "try:\n    from a import K\nexcept ImportError:\n    from c import Two as K\n", "c.py": "class One:\n    def go(self): pass\nclass Two:\n    def go(self): pass\n", "use.py": "from a import T, K\nT().go()\nclass U(K): pass\nU().go()\n"},
        {"c.py": "class Two:\n    def go(self): pass\nclass One:\n    def go(self): pass\n"},
    ],
    "a module in front of another": [
        {"lib/tool.py": "def f(): pass\n", "app/use.py": "import tool\ntool.f()\n"},
        {"app/tool.py": "def f(): pass\n"},
        {"tool.py": "def f(): pass\n", "app/tool.py": None},
        {"app/__init__.py": "", "app/tool.py": "def f(): pass\n"},
        {"app/__init__.py": None},
    ],
    "a metaclass": [
        {"m.py": "class M(type):\n    def make(cls): pass\nclass N(type):\n    def make(cls): pass\n", "b.py": "from m import M, N\nclass Base(metaclass=M): pass\n", "use.py": "from b import Base\nclass T(Base): pass\nT.make()\n"},
        {"b.py": "from m import M, N\nclass Base(metaclass=N): pass\n"},
        {"m.py": "class M(type):\n    def make(cls): pass\nN = M\n"},
    ],
    "an attribute's annotation": [
        {"t.py": "class P:\n    def go(self): pass\nclass Q:\n    def go(self): pass\n", "b.py": "from t import P, Q\nclass Base:\n    x: P\n", "use.py": "from b import Base\nfrom t import P, Q\nclass T(Base):\n    def go(self): self.x.go()\ndef f(t: T):\n    t.x = P()\n    t.x = Q()\n    for y in t.x: y.go()\n"},
        {"b.py": "from t import P, Q\nclass Base:\n    x: Q\n"},
        {"b.py": "from t import P, Q\nclass Base:\n    x: list[Q]\n"},
        {"b.py": "from t import P, Q\nclass Base:\n    x = None\n"},
        {"b.py": "from t import P, Q\nclass Base:\n    def f(self): self.x: P = None\n"},
        {"t.py": "class P:\n    def go(self): pass\n    def __get__(self, *_): return Q()\nclass Q:\n    def go(self): pass\n"},
        {"t.py": "class Q:\n    def go(self): pass\nclass P(Q): pass\n"},
    ],
    "what a class is a container of": [
        {"t.py": "class P:\n    def go(self): pass\nclass Q:\n    def go(self): pass\n", "b.py": "from t import P, Q\nclass Base(dict[str, P]): pass\n", "use.py": "from b import Base\nclass T(Base): pass\ndef f(t: T):\n    t['a'].go()\n    for x in t.values(): x.go()\n"},
        {"b.py": "from t import P, Q\nclass Base(dict[str, Q]): pass\n"},
        {"b.py": "from t import P, Q\nclass Base(dict[str, Q]):\n    def __getitem__(self, key): return P()\n"},
        {"b.py": "from t import P, Q\nclass Base(dict): pass\n"},
        {"b.py": "from t import P, Q\nclass Base(dict[str, Q]): pass\n", "t.py": "class Q:\n    def go(self): pass\nP = Q\n"},
    ],
    "subclasses that become too many": [
        {"b.py": "class Base:\n    def go(self): return self.step()\n", "k.py": "from b import Base\nclass K(Base):\n    def step(self): pass\n"},
        {"m.py": "from b import Base\n" + "".join(f"class M{i}(Base): pass\n" for i in range(MAX_SUBCLASSES))},
        {"m.py": None},
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", READS)
def test_what_was_read_elsewhere_changes(tmp_path, what):
    first, *steps = READS[what]
    for name, text in first.items():
        write(tmp_path, name, text)
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    for step in steps:
        for name, text in step.items():
            write(tmp_path, name, text)
        assert builder.update().to_json() == fresh(tmp_path)


def popular_project(root, size):
    """Files that all use one module, by name, through a package and by its class, each with a neighbour of its own."""
    write(root, "pkg/__init__.py", "from .base import Base, helper\nfrom .part0 import *\n")
    write(
        root,
        "pkg/base.py",
        "LIMIT = 1\ndef helper(x): return x\nclass Base:\n    def run(self): return helper(LIMIT)\n",
    )
    for i in range(size):
        text = (
            f"import json, pkg.base\nfrom pkg import Base, helper\nfrom pkg.part{(i + 1) % size} import Part{(i + 1) % size} as Next\n"
            f"class Part{i}(Base):\n    def part{i}(self):\n        return helper(Next), self.run(), pkg.base.LIMIT, json.dumps({{}})\n"
        )
        write(root, f"pkg/part{i}.py", text)


EDITS = {
    "function": ("pkg/part3.py", lambda text: text + "def more(x): return x\n"),
    "popular function": ("pkg/base.py", lambda text: "def more(x): return x\n" + text),
    "popular method": ("pkg/base.py", lambda text: text + "    def other(self): return self\n"),
    "popular constant": ("pkg/base.py", lambda text: "OTHER = 2\n" + text),
    "body": ("pkg/base.py", lambda text: text.replace("helper(x): return x", "helper(x):\n    y = x\n    return y")),
    "new file": ("pkg/added.py", lambda text: "from pkg import helper\nhelper(1)\n"),
    "new module": ("added.py", lambda text: "import pkg.base\npkg.base.helper(1)\n"),
    "class": ("pkg/part3.py", lambda text: text + "class Other(Part3): pass\nOther().run()\n"),
}


def work_of(root, size, edit, monkeypatch):
    """Questions answered, files whose names are followed and files run in an update after `edit`, in a project of `size` files."""
    popular_project(root, size)
    builder = GraphBuilder(root, progress=False, workers=0)
    builder.build()
    name, change = edit
    path = root / name
    path.write_text(change(path.read_text() if path.exists() else ""))
    work = {"answers": 0, "names": 0, "runs": 0}

    def counted(kind, method):
        def call(*arguments):
            work[kind] += 1
            return method(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(KeptStructure, "_answer", counted("answers", KeptStructure._answer))
        patch.setattr(KeptResolution, "_name_edges", counted("names", KeptResolution._name_edges))
        patch.setattr(Solver, "start", counted("runs", Solver.start))
        graph = builder.update([name])
    assert graph.to_json() == fresh(root)
    return work


@pytest.mark.parametrize("edit", EDITS)
def test_the_work_of_an_update_does_not_grow_with_the_project(tmp_path, monkeypatch, edit):
    small = work_of(tmp_path / "small", 200, EDITS[edit], monkeypatch)
    large = work_of(tmp_path / "large", 400, EDITS[edit], monkeypatch)
    assert small == large
    assert small["runs"] <= 4 and small["names"] <= 4


def test_an_edit_runs_the_files_it_reaches_and_no_others(tmp_path, monkeypatch):
    names = [f"part{i}" for i in range(200)]
    for i, name in enumerate(names):
        users = "".join(f"from pkg.{n} import {n}_make\n{n}_make({name}_leaf)\n" for n in names[i + 1 : i + 3])
        body = f"def {name}_leaf(x): return x\ndef {name}_make(f): return {name}_leaf(f)\n"
        write(tmp_path, f"pkg/{name}.py", users + body)
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    started, start = [], Solver.start
    monkeypatch.setattr(Solver, "start", lambda self, slot: started.append(slot) or start(self, slot))
    path = tmp_path / "pkg" / "part100.py"
    text = path.read_text()
    for new in ("    for y in [x]: y.close()\n    return x\n", "    def inner(): return x\n    return inner()\n"):
        path.write_text(text.replace("part100_leaf(x): return x\n", f"part100_leaf(x):\n{new}"))
        graph = builder.update(["pkg/part100.py"])
        assert 1 <= len(started) <= 8
        started.clear()
        assert graph.to_json() == fresh(tmp_path)
        started.clear()
    path.write_text("def part100_new(): return part100_leaf\n" + path.read_text())
    graph = builder.update(["pkg/part100.py"])
    assert 1 <= len(started) <= 8
    assert graph.to_json() == fresh(tmp_path)


@pytest.fixture
def counted(tmp_path, monkeypatch):
    for name, versions in VERSIONS.items():
        write(tmp_path, name, versions[0])
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    builder.build()
    read, resolved = [], []
    real_extract, real_update = extraction.extract_file, KeptResolution.update
    monkeypatch.setattr(extraction, "extract_file", lambda path, *rest: read.append(path) or real_extract(path, *rest))
    monkeypatch.setattr(
        KeptResolution,
        "update",
        lambda self, files, changed: resolved.extend(changed) or real_update(self, files, changed),
    )
    return tmp_path, builder, read, resolved


def test_update_reads_the_changed_files_only(counted):
    root, builder, read, resolved = counted
    write(root, "pkg/util.py", VERSIONS["pkg/util.py"][1])
    builder.update(["pkg/util.py"])
    assert read == ["pkg/util.py"] and resolved == ["pkg/util.py"]


def test_a_comment_does_not_resolve_anything_again(counted):
    root, builder, read, resolved = counted
    write(root, "pkg/util.py", "# moved\n\n" + VERSIONS["pkg/util.py"][0])
    assert builder.update(["pkg/util.py"]).to_json() == fresh(root)
    assert not resolved
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
