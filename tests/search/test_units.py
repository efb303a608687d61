"""What is found: sections of long files and of Markdown, names, comments."""

import pytest

pytest.importorskip("tree_sitter")

from codefuse_hf.search.sections import MAX_CHARACTERS
from codefuse_hf.search.units import units_of_file


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
    pytest.importorskip("tree_sitter_languages")
    text, names = SOURCES[path]
    found = {each.name.partition("(")[0]: each for each in units(path, text) if each.kind in ("function", "class")}
    assert set(found) == names
    function = next(
        each for each in found.values() if each.name.partition("(")[0].lower().replace("_", "").endswith("opendoor")
    )
    assert "Opens it." in function.comment or "opens it." in function.comment
    assert "Opens" not in function.text.partition("{")[0] and function.end_line > function.line
