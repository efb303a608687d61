"""The seam to tree-sitter: both packagings of the grammars, and the same graph from either."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import tree_sitter

from codefuse_hf.graph import build_code_graph, memory
from codefuse_hf.graph.languages import tree_sitter as syntax
from codefuse_hf.graph.languages.source_text import SourceText

LANGUAGES = ["python", "java"]
OLD_INTERFACE = hasattr(tree_sitter.Parser, "set_language")  # before 0.22
OTHER = "CODEFUSE_HF_OTHER_GRAMMARS"
"""Names the Python of an environment with the packaging of the grammars that this one lacks."""


@pytest.fixture
def fresh_seam(monkeypatch):
    """The seam as in a process that has parsed nothing yet."""
    syntax._language.cache_clear()
    yield monkeypatch
    syntax._language.cache_clear()


class StubLanguage:
    def __init__(self, *arguments):
        self.arguments = arguments


class OldParser:
    """tree-sitter < 0.22: the constructor takes and ignores anything."""

    def __init__(self, *_):
        self.language = None

    def set_language(self, language):
        self.language = language


class NewParser:
    """tree-sitter >= 0.22: the language is an argument."""

    def __init__(self, language=None):
        self.language = language


def module(name, **members):
    made = ModuleType(name)
    vars(made).update(members)
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_installed_packaging_is_used(language):
    """Official wheels are preferred wherever they are installed with a tree-sitter that reads them."""
    official = not OLD_INTERFACE and find_spec(f"tree_sitter_{language}") is not None
    assert syntax.grammar_source(language) == ("official" if official else "bundled")
    tree = syntax.parse(language, b"x = 1\n" if language == "python" else b"class A {}")
    assert tree.root_node.type == {"python": "module", "java": "program"}[language]
    assert syntax.first_error(tree) is None


def test_official_wheels_are_preferred(fresh_seam):
    fresh_seam.setitem(sys.modules, "tree_sitter", module("tree_sitter", Parser=NewParser, Language=StubLanguage))
    fresh_seam.setitem(sys.modules, "tree_sitter_python", module("tree_sitter_python", language=lambda: "capsule"))
    fresh_seam.setitem(
        sys.modules, "tree_sitter_languages", module("tree_sitter_languages", get_language=lambda name: 1 / 0)
    )
    assert syntax.grammar_source("python") == "official"
    assert syntax.new_parser("python").language.arguments == ("capsule",)


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_the_bundle_where_tree_sitter_is_too_old_for_the_wheels(fresh_seam, error):
    def refuse(*_):
        raise error("another interface")

    bundle = module("tree_sitter_languages", get_language=lambda name: f"bundled {name}")
    fresh_seam.setitem(sys.modules, "tree_sitter", module("tree_sitter", Parser=OldParser, Language=refuse))
    fresh_seam.setitem(sys.modules, "tree_sitter_python", module("tree_sitter_python", language=lambda: 0))
    fresh_seam.setitem(sys.modules, "tree_sitter_languages", bundle)
    assert syntax.grammar_source("python") == "bundled"
    assert syntax.new_parser("python").language == "bundled python"


@pytest.mark.parametrize("absent", ["tree_sitter", "tree_sitter_languages"])
def test_what_to_install_when_something_is_missing(fresh_seam, absent):
    fresh_seam.setitem(sys.modules, "tree_sitter_python", None)  # None makes an import fail
    fresh_seam.setitem(sys.modules, absent, None)
    with pytest.raises(ImportError, match=r"pip install|tree-sitter-python"):
        syntax.new_parser("python")


def test_first_error_says_where():
    assert syntax.first_error(syntax.parse("python", b"x = 1\ny = = 2\n"))[0] >= 6
    offset, kind = syntax.first_error(syntax.parse("java", b"class A { int x }"))
    assert offset > 0 and kind in ("error", "missing ;")


def shape(source):
    root = syntax.parse("python", source).root_node
    return root.sexp() if OLD_INTERFACE else str(root)


def test_a_tree_does_not_depend_on_what_was_parsed_before():
    expected = shape(b"None:\n r")
    syntax.parse("python", b'f"')
    assert shape(b"None:\n r") == expected


def test_null_bytes_and_old_line_ends_reach_the_parser_as_blanks_and_line_feeds():
    tree = syntax.parse("python", SourceText("x = 1\ry =\0 2\r\nz = 3\n"))
    assert tree.root_node.child_count == 3 and syntax.first_error(tree) is None


def test_children_in_passing_are_the_children():
    root = syntax.parse("python", b"x = [1, 2]  # a\n\ndef f(): pass\n").root_node
    for node in (root, *root.children, root.children[0].children[0].children[2], root.children[-1].children[0]):
        passing = list(syntax.passing_children(node))
        assert [(c.type, c.start_byte, c.end_byte) for c in passing] == [
            (c.type, c.start_byte, c.end_byte) for c in node.children
        ]


HOW_MUCH_STAYS = """
import resource
from codefuse_hf.graph.languages.python.reading.extract import extract_python
from codefuse_hf.graph.languages.source_text import SourceText
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
before = resident()
extract_python("a.py", SourceText("f(a, b, c=d, *e)\\n" * 120_000))
print(before, resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(memory._trim() is None or not Path("/proc/self/status").exists(), reason="needs Linux with glibc")
def test_the_tree_of_a_large_file_does_not_stay():
    """2 MB of this make a tree of 360 MB."""
    root = Path(syntax.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", HOW_MUCH_STAYS], capture_output=True, text=True, check=True, cwd=root)
    before, after, peak = map(int, done.stdout.split())
    assert after - before < (peak - before) / 2


TOUR = """
import a.b as c
from .d import (e as f, g)
@c.h(1)
async def i(j, /, k: int = 1, *l, m: "N" = ..., **n) -> list[int]:
    async with o() as p, q: await r()
    async for s in t(): yield s
    print(k not in l, k is not m, not k, -k ** 2, k @ l, k if l else m)
    return [u for u in n if (v := u)]
class W(c.X, metaclass=f):
    y: int = 1
    z, aa = 1, 2
    def __init__(self): self.bb = lambda cc, *dd: cc[1:2, ..., :]
    def __contains__(self, x): return True
def ee(ff, gg: W):
    try: raise f() from None
    except (g, f) as hh: pass
    except* g: pass
    else: del hh[0], hh.a
    finally: assert hh, "x"
    match ff:
        case W(bb=1) | [1, *_] if ff: pass
        case {"a": b, **rest}: global jj; jj = 1
        case -1 | "a" | None | c.X: nonlocal kk
        case _: exec("f()"); print(*ff, **gg)
    print(1 not in W(), 1 in W(), f"a{ff!r:>{gg}}b" "c" rb'd', {**ff}, {*ff}, {1: 2}, 1_0.0e1j)
    while True: break
    else: ff += 1; ff //= 2; ff: W
"""


def test_tour_of_the_syntax(tmp_path):
    """Much of Python's syntax, the same for either packaging (Python wants no `except*` beside `except`, both grammars read it)."""
    (tmp_path / "tour.py").write_text(TOUR)
    graph = build_code_graph(tmp_path, progress=False, workers=0)
    found = [(n.type, n.name or "") for n in graph.nodes() if n.type not in ("Repo", "Package", "File")]
    assert sorted(found) == sorted([
        ("Function", "i"), ("Class", "W"), ("Attribute", "y"), ("Attribute", "z"), ("Attribute", "aa"), ("Function", "__init__"), ("Attribute", "bb"),
        ("Lambda", ""), ("Function", "__contains__"), ("Function", "ee"),
    ])  # fmt: skip
    assert not graph.diagnostics
    (ee,), (contains,) = graph.find("ee"), graph.find("__contains__")
    assert contains in graph.neighbors(ee, "calls")


def test_not_in_calls_contains(tmp_path):
    (tmp_path / "a.py").write_text("class A:\n    def __contains__(self, x): pass\n1 not in A()\n")
    graph = build_code_graph(tmp_path, progress=False, workers=0)
    (target,) = graph.find("__contains__")
    assert len(graph.neighbors(target, "calls", "in")) == 1


PARITY = """
import sys, json
from codefuse_hf.graph import build_code_graph, memory
from codefuse_hf.graph.languages import tree_sitter as syntax
sources = {language: syntax.grammar_source(language) for language in ("python", "java")}
print(json.dumps(sources))
for folder in sys.argv[1:]:
    print(build_code_graph(folder, progress=False, workers=0, text_files=False).to_json())
"""


@pytest.mark.skipif(OTHER not in os.environ, reason=f"{OTHER} names no Python with the other packaging of the grammars")
def test_both_packagings_give_the_same_graph():
    folders = [str(Path(__file__).parents[2] / "data" / "call_graphs"), str(Path(syntax.__file__).parent)]
    root = Path(syntax.__file__).parents[3]
    sources, graphs = [], []
    for python in (sys.executable, os.environ[OTHER]):
        done = subprocess.run(
            [python, "-c", PARITY, *folders], capture_output=True, text=True, check=True, cwd=root, timeout=300
        )
        lines = done.stdout.splitlines()
        sources.append(json.loads(lines[0]))
        graphs.append(lines[1:])
    assert sources[0] != sources[1], "both environments use the same packaging"
    assert graphs[0] == graphs[1]
