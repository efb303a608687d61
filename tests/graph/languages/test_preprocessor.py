"""C, C++ and C# whose conditionals and macros break their grammars' rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codefuse_hf.graph.languages import front_end
from codefuse_hf.graph.languages.outline.preprocessor import one_branch, without_macros
from codefuse_hf.graph.languages.source_text import SourceText

CASES = {
    "a macro before the name of a class": (
        "a.h",
        "namespace n {\nclass EXPORT_API Status {\n public:\n  int code() const { return 1; }\n};\nstruct ALIGNED(8) Two final : Status { int b; };\n}\n",
        {"n.Status": (2, 5), "n.Status.code": (4, 4), "n.Two": (6, 6)},
    ),
    "macros behind parameters and names": (
        "a.cc",
        "class A {\n  void Add(int n) LOCKS_EXCLUDED(mu_) {\n    n_ += n;\n  }\n  int Get() const NO_ANALYSIS MUST_USE { return n_; }\n"
        "  int n_ GUARDED_BY(mu_) = 0;\n};\n",
        {"A": (1, 7), "A.Add": (2, 4), "A.Get": (5, 5)},
    ),
    "macros before a function": (
        "a.cc",
        "LIB_INLINE logger::logger(logger &&other) LIB_NOEXCEPT : name_(1) {\n}\nvoid LIB_INLINE pool::reset() { q_.reset(); }\n",
        {"logger.logger": (1, 2), "pool.reset": (3, 3)},
    ),
    "macros for the ends of namespaces": (
        "a.cc",
        "LIB_BEGIN_NAMESPACE\nnamespace detail {\nint f() { return 1; }\n}\ntemplate <typename T> class View {\n};\nLIB_END_NAMESPACE\n",
        {"detail.f": (3, 3), "View": (5, 6)},
    ),
    "a name in parentheses": ("a.c", "LIB_API void (lib_open) (int *L) {\n}\n", {"lib_open": (1, 2)}),
    "one body for two heads": (
        "a.c",
        "int f(void) {\n#ifdef A\n  if (x) {\n#else\n  if (y) {\n#endif\n    g();\n  }\n  return 0;\n}\nint h(void) { return 1; }\n",
        {"f": (1, 10), "h": (11, 11)},
    ),
    "half a head in a conditional": (
        "a.cs",
        "class A {\n#if SPAN\n  void P(Span<int> a)\n#else\n  void P(int[] a)\n#endif\n  {\n    Q();\n  }\n  void Q() { }\n}\n",
        {"A": (1, 11), "A.P": (3, 9), "A.Q": (10, 10)},
    ),
    "a body or none": (
        "a.cs",
        "interface I {\n  I For(int a)\n#if DEFAULTS\n  {\n    return this;\n  }\n#else\n  ;\n#endif\n  void Q();\n}\n",
        {"I": (1, 11), "I.For": (2, 6), "I.Q": (10, 10)},
    ),
    "what is switched off": (
        "a.c",
        "#if 0\nThis isn't {code\n#else\nint f(void) { return 1; }\n#endif\nint g(void) { return 2; }\n",
        {"f": (4, 4), "g": (6, 6)},
    ),
    "both of two whole branches": (
        "a.c",
        "#ifdef A\nint f(void) { return 1; }\n#else\nint g(void) { return 1; }\n#endif\nFOO_API int broken (int) {{ ;\n",
        {"f": (2, 2), "g": (4, 4)},
    ),
    "directives between macros": (
        "a.c",
        "LIB_COLD\n#define TWICE(x) ((x) + (x))\nint f(int a) { return TWICE(a); }\nLIB_EXPORT int LIB_NOTHROW\nLIB_ATTR(nonnull(1))\nlib_f(int *a) { return 1; }\n",
        {"TWICE": (2, 2), "f": (3, 3), "lib_f": (4, 6)},
    ),
}


def read(name, source):
    """The definitions of a file: dotted name to first line, last line and text."""
    language = {"cs": "csharp", "cc": "cpp"}.get(name.rpartition(".")[2], "c")
    facts = front_end(language).extract(name, SourceText(source))
    found = {}
    for dotted, each in list(zip(facts.facts.names, facts.definitions, strict=True))[1:]:
        lines = (source.count("\n", 0, each.start) + 1, source.count("\n", 0, each.end) + 1)
        found.setdefault(dotted, []).append((each.node_type, lines, source[each.start : each.end]))
    return found


@pytest.mark.parametrize("case", CASES)
def test_definitions_have_their_names_and_lines(case):
    name, source, right = CASES[case]
    found = read(name, source)
    assert {each: [lines for kind, lines, _ in found.get(each, ()) if kind != "Attribute"] for each in right} == {
        each: [lines] for each, lines in right.items()
    }
    rest = {dotted.rpartition(".")[2] for dotted in found.keys() - right.keys()}
    assert not rest & {"if", "namespace", "void", "class", "LOCKS_EXCLUDED", "EXPORT_API", "LIB_ATTR"}


def test_sound_source_is_not_simplified():
    """Nothing is taken from a file that its grammar reads, though macros and conditionals be in it."""
    source = "#if A\nint f(void) { return 1; }\n#else\nint f(void) { return 2; }\n#endif\nint g(int NOT_A_MACRO) { return NOT_A_MACRO; }\n"
    found = read("a.c", source)
    assert [lines for _, lines, _ in found["f"]] == [(2, 2), (4, 4)]
    assert found["g"][0][2] == "int g(int NOT_A_MACRO) { return NOT_A_MACRO; }"


def test_the_text_of_a_definition_has_its_macros():
    found = read("a.cc", "LIB_INLINE logger::logger(logger &&other) LIB_NOEXCEPT : name_(1) {}\n")
    assert found["logger.logger"][0][2] == "LIB_INLINE logger::logger(logger &&other) LIB_NOEXCEPT : name_(1) {}"


PIECES = ["#if 0\n", "#if A\n", "#else\n", "#endif\n", "class EXPORT_API A {", "}", ";", "(", ")", "FOO_BAR", "FOO_B(x)", " ", "\n", '"', "'", "//", "/*", "*/",
          "int f", "é", "#define X(a) \\\n", "\\", "R\"x(", ")x\""]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_every_byte_keeps_its_place(source):
    data = source.encode()
    for simplified in (one_branch(data), without_macros(data), without_macros(one_branch(data))):
        assert len(simplified) == len(data)
        assert [i for i, byte in enumerate(simplified) if byte == 10] == [
            i for i, byte in enumerate(data) if byte == 10
        ]
        changed = bytes(b for a, b in zip(data, simplified, strict=True) if a != b)
        assert not changed.replace(b"inline", b"").strip()


@pytest.mark.parametrize(
    "piece",
    [
        "FOO_BAR(",
        "class FOO_A ",
        ") FOO_B ",
        "x <",
        "int FOO_B FOO_B(x) f(",
        ";FOO_B a *",
        "#if A\n",
        "#if 0\n{\n#else\n(\n#endif\n",
        'R"',
        "/*",
    ],
)
def test_long_strange_files_take_no_long_time(piece):
    """Of each rule, what would make a careless expression try all ways: done at once, or the run's own limit of time ends the test."""
    data = piece.encode() * (100_000 // len(piece))
    assert len(without_macros(one_branch(data))) == len(data)
