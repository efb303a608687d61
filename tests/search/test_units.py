"""What is found: sections of long files and of Markdown, names, comments."""

from dataclasses import replace

import pytest

pytest.importorskip("tree_sitter")

from codefuse_hf.search.sections import MAX_CHARACTERS, uncovered_sections
from codefuse_hf.search.units import Unit, units_of_file


def units(path, text):
    return list(units_of_file(path, text.encode()))


MARKDOWN = """Before.

# Guide

Some words about it.

```sh
# no heading
```

## Install it

One two three four.

Deeper
------

# Use it #

Five six seven eight.
"""


def test_markdown_has_a_section_a_heading():
    sections = {each.name: each for each in units("a.md", MARKDOWN) if each.kind == "section"}
    assert list(sections) == ["Guide", "Guide › Install it", "Use it"]
    assert (sections["Guide"].line, sections["Guide"].end_line) == (3, 9)
    assert "no heading" in sections["Guide"].text and "seven" not in sections["Guide › Install it"].text
    assert sections["Use it"].line == 18


def test_every_word_of_a_long_file_is_in_a_unit():
    text = "\n\n".join(f"Paragraph {'x' * i} with some words and the number n{i}n." for i in range(300))
    found = units("notes.txt", text)
    assert all(any(f"n{i}n." in each.text for each in found) for i in range(300))
    assert max(len(each.text) for each in found) < MAX_CHARACTERS + 20
    lines = text.split("\n")
    for each in found[1:]:
        assert each.text == "\n".join(lines[each.line - 1 : each.end_line])


def test_a_text_is_one_section_until_it_is_half_as_long_again_as_a_section():
    line = "one two three\n"
    for lines, pieces in ((2900 // len(line), 1), (3100 // len(line), 2)):
        found = [each for each in units("a.md", "# Long\n" + line * lines) if each.kind == "section"]
        assert len(found) == pieces and sum(each.text.count("one two three") for each in found) == lines


def test_code_between_and_behind_functions_is_in_sections():
    body = "".join(f"    value_{i} = compute(value_{i - 1}, {i})\n" for i in range(1, 300))
    table = "".join(f"TABLE_{i} = {{'key of {i}': 'value'}}\n" for i in range(50))
    text = "# head\n" * 700 + f"def long(value_0):\n{body}    return value_299\n\n\n{table}"
    found = units("code.py", text)
    sections = [each for each in found if each.kind == "section"]
    assert any("value_298" in each.text for each in sections) and any("TABLE_49" in each.text for each in sections)
    assert not any("def long" in each.text for each in sections)
    (function,) = (each for each in found if each.kind == "function")
    assert function.end_line - function.line == 300


def test_one_line_without_end():
    assert sum(len(each.text) for each in units("data.json", '["word another third", ' * 2000)) > 45_000


def test_a_fence_ends_with_its_own_mark():
    text = "# One\n\nfirst second third\n~~~\n```\n# not a heading\n~~~\n# Two\n\nfourth fifth sixth\n"
    assert [each.name for each in units("a.md", text) if each.kind == "section"] == ["One", "Two"]


def test_a_heading_ends_those_of_its_level_and_below():
    levels = [1, 3, 2, 3, 1]
    text = "".join(f"{'#' * level} H{i}\n\nsome more words\n\n" for i, level in enumerate(levels))
    names = [each.name for each in units("a.md", text) if each.kind == "section"]
    assert names == ["H0", "H0 › H1", "H0 › H2", "H0 › H2 › H3", "H4"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_long_section_is_cut_at_the_last_empty_line_of_its_second_half(end):
    line = "one two three four five" + end
    blank = [0 if i % 10 else 1 for i in range(1, 161)]
    text = "".join(line + (end if empty else "") for empty in blank)
    first, *others = uncovered_sections(text, [])
    cut = max(at for at in range(1000, 2000) if text.startswith(end + end, at))
    assert first == (0, cut) and others[0][0] == cut + 2 * len(end)
    assert others[-1][1] == len(text.rstrip())


def test_a_long_section_without_empty_lines_is_cut_at_the_end_of_a_line_or_of_2000_characters():
    line = "one two three four five\n"
    text = line * 200
    first, second, *_ = uncovered_sections(text, [])
    assert first == (0, 2000 // len(line) * len(line) - 1) and second[0] == first[1] + 1
    text = "word " * 1000
    assert next(uncovered_sections(text, [])) == (0, 1999)


def test_what_is_covered_twice_or_not_at_all():
    text = "".join(f"word number {chr(97 + i)}{chr(97 + i)}\n" for i in range(10))
    size = len(text) // 10
    covered = [(size, 4 * size), (2 * size, 3 * size), (6 * size, 7 * size)]
    found = list(uncovered_sections(text, covered))
    assert found == [(0, size - 1), (4 * size, 6 * size - 1), (7 * size, 10 * size - 1)]
    indented = "    one two three\n\n"
    assert list(uncovered_sections("\n\n" + indented, [])) == [(2, 19)], "whole lines"


def test_what_is_shown_of_a_unit_is_its_first_lines():
    unit = Unit("function", "f", "a.py", 1, 9, "\n\none\ntwo\nthree\nfour\n")
    assert unit.snippet == "one\ntwo\nthree"
    assert replace(unit, text="x" * 500).snippet == "x" * 240
    assert replace(unit, comment="Says it.").described == "Says it.\n" + unit.text and unit.described == unit.text
    assert len({unit.content_hash, replace(unit, comment="c").content_hash, replace(unit, text="x").content_hash}) == 3
    assert replace(unit, path="b.py", line=7, name="g").content_hash == unit.content_hash


def test_a_section_has_three_words_at_least():
    text = "# One\n\ntwo\n\n# Three\n\nfour five\n"
    assert [each.name for each in units("a.md", text) if each.kind == "section"] == ["Three"]


def test_short_files_have_no_sections():
    assert [each.kind for each in units("a.py", "def f():\n    return 1\n")] == ["file", "function"]


def test_java_names_have_no_return_types():
    text = "class Tool {\n  /** Adds two numbers. */\n  static <T> int addNumbers(int a, java.util.List<T> b) { return a; }\n  Tool(String s) {}\n}\n"
    found = {each.name: each for each in units("Tool.java", text)}
    assert set(found) == {"Tool.java", "Tool", "Tool.addNumbers(int,java.util.List<T>)", "Tool.Tool(String)"}
    method = found["Tool.addNumbers(int,java.util.List<T>)"]
    assert "Adds two numbers" in method.comment and method.line == 3
    assert method.described.index("Adds") < method.described.index("addNumbers")


SOURCES = {
    "a.js": ("/** Opens it. */\nfunction openDoor(door) {\n  return door.open();\n}\nclass Door {\n  knock() {\n    return 1;\n  }\n}\n", {"openDoor", "Door", "Door.knock"}),
    "a.ts": ("// Opens it.\nexport function openDoor(door: Door): number {\n  return door.open();\n}\n", {"openDoor"}),
    "a.go": ("package a\n\n// OpenDoor opens it.\nfunc OpenDoor(d Door) int {\n\treturn d.Open()\n}\n", {"OpenDoor"}),
    "a.c": ("/* Opens it. */\nint open_door(int d) {\n  return d;\n}\n", {"open_door"}),
    "a.cpp": ("// Opens it.\nint open_door(Door d) {\n  return d.open();\n}\n", {"open_door"}),
    "a.rs": ("/// Opens it.\nfn open_door(d: Door) -> u8 {\n    d.open()\n}\n", {"open_door"}),
    "A.cs": ("class House {\n  /// <summary>Opens it.</summary>\n  int OpenDoor(Door d) {\n    return d.Open();\n  }\n}\n", {"House", "House.OpenDoor"}),
    "a.rb": ("# Opens it.\ndef open_door(door)\n  door.open\nend\n", {"open_door"}),
    "a.php": ("<?php\n/** Opens it. */\nfunction openDoor($door) {\n  return $door->open();\n}\n", {"openDoor"}),
    "a.kt": ("// Opens it.\nfun openDoor(d: Door): Int {\n  return d.open()\n}\n", {"openDoor"}),
    "A.scala": ("object House {\n  // Opens it.\n  def openDoor(d: Door): Int = {\n    d.open()\n  }\n}\n", {"House", "House.openDoor"}),
}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES)
def test_units_of_many_languages(path):
    text, names = SOURCES[path]
    found = {each.name.partition("(")[0]: each for each in units(path, text) if each.kind in ("function", "class")}
    assert set(found) == names
    function = next(
        each for each in found.values() if each.name.partition("(")[0].lower().replace("_", "").endswith("opendoor")
    )
    assert "Opens it." in function.comment or "opens it." in function.comment
    assert "Opens" not in function.text.partition("{")[0] and function.end_line > function.line
