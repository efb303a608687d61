"""The seam to tree-sitter: one grammar for each language, a wheel of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from codefuse_hf import free_memory
from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.languages import tree_sitter as syntax
from codefuse_hf.graph.languages.source_text import SourceText

SNIPPETS = {
    "python": b"x = 1\n", "java": b"class A {}", "go": b"package a", "javascript": b"f()", "typescript": b"let a: b", "tsx": b"<a/>", "c": b"int a;",
    "cpp": b"int a;", "rust": b"fn a() {}", "c_sharp": b"class A {}", "ruby": b"a", "php": b"<?php a();", "kotlin": b"fun a() {}", "scala": b"object A",
}  # fmt: skip


@pytest.fixture
def fresh_seam(monkeypatch):
    """The seam as in a process that has parsed nothing yet."""
    syntax._language.cache_clear()
    yield monkeypatch
    syntax._language.cache_clear()


@pytest.mark.parametrize("language", SNIPPETS)
def test_every_grammar_parses(language):
    assert syntax.first_error(syntax.parse(language, SNIPPETS[language])) is None
    assert syntax.has_grammar(language)
    assert re.fullmatch(r"tree-sitter-[a-z-]+ \d+\.\d+\.\d+", syntax.grammar_version(language))


@pytest.mark.parametrize("absent", ["tree_sitter", "tree_sitter_python"])
def test_what_to_install_when_something_is_missing(fresh_seam, absent):
    fresh_seam.setitem(sys.modules, absent, None)  # None makes an import fail
    with pytest.raises(ImportError, match=r"pip install|tree-sitter-python"):
        syntax.new_parser("python")
    assert not syntax.has_grammar("python")


def test_a_grammar_that_nobody_has():
    with pytest.raises(ImportError, match=r"no grammar for 'klingon'.*install `tree-sitter-klingon`"):
        syntax.new_parser("klingon")


def test_first_error_says_where():
    assert syntax.first_error(syntax.parse("python", b"x = 1\ny = = 2\n"))[0] >= 6
    offset, kind = syntax.first_error(syntax.parse("java", b"class A { int x }"))
    assert offset > 0 and kind in ("error", "missing ;")


def shape(source):
    return str(syntax.parse("python", source).root_node)


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
from codefuse_hf.graph.languages.python.reading.file import extract_python
from codefuse_hf.graph.languages.source_text import SourceText
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
before = resident()
extract_python("a.py", SourceText("f(a, b, c=d, *e)\\n" * 120_000))
print(before, resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(
    free_memory._trim() is None or not Path("/proc/self/status").exists(), reason="needs Linux with glibc"
)
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
    """Much of Python's syntax, in one file (Python wants no `except*` beside `except`, the grammar reads it)."""
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


TRUE_PYTHON = [
    "def f(a: list[tuple[int, str,]]): pass", "x = t'{g()} x'", "match = 1\nmatch[1]\nmatch.a()", "class A[T = int]: pass", "def f[T = int](x: T): pass",
    "type X[T = int, *Ts = *tuple[int, ...]] = T", "def k[T: (int, str) = bool](x: T) -> T: return x", "class B[**P = [int]]: pass", "x = f'{a['b']}'",
    "class C[T: dict[str, int] = dict[str, int], U = 'a,]']: pass", "type = 1\ntype(x)",
    "a[*(g() or h())]", "a[b, *[c], *{d}]", "x = *(g or h), 1", "for x in *(a), b: pass", "def f():\n return *(a), [*(b)], f(*(c), x[*(d)])", "a[1 *(2)]", "match x:\n case {'a': 1, **r} | [*_]: pass",
]  # fmt: skip


@pytest.mark.parametrize("source", TRUE_PYTHON)
def test_no_false_syntax_problems(tmp_path, source):
    (tmp_path / "a.py").write_text(source + "\n")
    assert not build_code_graph(tmp_path, progress=False, workers=0).diagnostics


CALLS_IN_NEW_PLACES = """
def match(x): return x
def g(): return []
def soft(): match(1)
def star(a): a[*g()]
def stars(a): a[*(g() or match(1))], f'{a[*(spread())]}'
def spread(): return [*g(), *A.make()], *g()
def elements():
    for each in (*functions(), match): each()
def functions(): return [g]
def template(): t"{g()}"
class A[T = int]:
    def method(self): g()
    def make(): pass
def generic[T: object = int](x: T) -> T:
    return g()
"""


def test_calls_in_new_syntax(tmp_path):
    (tmp_path / "a.py").write_text(CALLS_IN_NEW_PLACES)
    graph = build_code_graph(tmp_path, progress=False, workers=0)
    found = {
        name: sorted(graph[t].name for t in graph.neighbors(graph.find(name)[0], "calls"))
        for name in ("soft", "star", "stars", "spread", "elements", "template", "method", "generic")
    }
    assert found == {
        "soft": ["match"],
        "star": ["g"],
        "stars": ["g", "match", "spread"],
        "spread": ["g", "make"],
        "elements": ["functions", "g", "match"],
        "template": ["g"],
        "method": ["g"],
        "generic": ["g"],
    }
    assert graph[graph.find("A")[0]].text.startswith("class A[T = int]:")


def test_what_is_no_default_stays(tmp_path):
    """Only the brackets behind a class's, function's or alias's name hold type parameters."""
    from codefuse_hf.graph.languages.python.reading.type_defaults import bounds_for_defaults

    for source in (
        b"class A(b[c == d]): e = f",
        b"def f(a=1): b[c] = d",
        b"x[lambda a=1: a] = 2",
        b"class A[T: 'b=c']: pass",
    ):
        assert bounds_for_defaults(source) is source
