"""Words of questions and of code in one form."""

import pytest

from codefuse_hf.search.words import count_words, looks_like_code, stem


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("format", ["format", "formats", "formatted", "formatting"]),
        ("pars", ["parse", "parsed", "parsing", "parses"]),
        ("entry", ["entry", "entries"]),
        ("call", ["call", "calls", "called", "calling"]),
        ("pass", ["pass", "passes", "passed", "passing"]),
        ("add", ["add", "added", "adding"]),
        ("mapp", ["mapped", "mapping"]),
        ("maps", ["maps"]),
        ("plan", ["planned", "planning"]),
        ("install", ["install", "installed", "installing", "installs"]),
        ("copy", ["copy", "copies", "copied"]),
        ("repeat", ["repeat", "repeated", "repeatedly"]),
        ("quick", ["quick", "quickly"]),
        ("build", ["building", "buildings"]),
        ("using", ["using"]),
        ("cooky", ["cookie", "cookies"]),
        ("tie", ["tie"]),
    ],
)
def test_endings_are_stripped(form, words):
    assert [stem(word) for word in words] == [form] * len(words)


def test_identifiers_count_in_parts_and_whole():
    assert count_words("The parser reads `HTTPHeader.merge_setting2` in a _private x") == {
        "parser": 1, "read": 1, "http": 1, "header": 1, "merg": 1, "sett": 1, "privat": 1, "=httpheader": 1, "=merge_setting2": 1,
    }  # fmt: skip


def test_words_are_counted_as_often_as_they_stand_there():
    assert count_words("door Doors door_bell i i doors") == {"door": 4, "bell": 1, "=door_bell": 1}


def test_names_in_prose_are_recognised():
    assert [word for word in ("merge_setting", "fromObject", "HTTP", "_private", "word", "Till") if looks_like_code(word)] == [
        "merge_setting", "fromObject",
    ]  # fmt: skip
