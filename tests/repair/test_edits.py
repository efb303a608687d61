"""Edits out of answers: lenient reading, strict applying, patches that git takes."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codefuse_hf.repair.edits import Edit, EditError, apply_edits, make_patch, parse_edits

FILES = {
    "shop/money.py": "def half(value):\n    return value / 3\n\n\ndef same(value):\n    return value\n",
    "notes.txt": "no newline",
}
BLOCK = "<<<<<<< SEARCH\n    return value / 3\n=======\n    return value / 2\n>>>>>>> REPLACE\n"
HALF = {"shop/money.py": FILES["shop/money.py"].replace("/ 3", "/ 2")}


@pytest.mark.parametrize(
    "answer",
    [
        f"shop/money.py\n{BLOCK}",
        f"Sure! The fault is in `half`.\n\n### File: `shop/money.py`\n```python\n{BLOCK}```\nThat is all.",
        f"```\nshop/money.py\n{BLOCK}",  # cut off
        f"**shop/money.py**\n\n```diff\n{BLOCK}```".replace("\n", "\r\n"),
        f"./shop/money.py\n{BLOCK}",
        "--- a/shop/money.py\n+++ b/shop/money.py\n@@ -1,2 +1,2 @@\n def half(value):\n-    return value / 3\n+    return value / 2\n",
        "```diff\ndiff --git a/shop/money.py b/shop/money.py\n--- a/shop/money.py\n+++ b/shop/money.py\n@@ -900,7 +12,1 @@ wrong numbers\n"
        " def half(value):\n-    return value / 3\n+    return value / 2\n\n```\nDone.",
        f"shop/money.py\n{BLOCK}".replace("value / 3\n", "value / 3   \n"),  # blanks at the end of a line
    ],
    ids=["plain", "chatty", "cut off", "line ends", "dot", "diff", "diff with wrong numbers", "blanks"],
)
def test_the_same_edit_however_it_is_written(answer):
    assert apply_edits(parse_edits(answer), FILES.get) == HALF


def test_later_edits_see_earlier_ones_and_keep_their_file():
    answer = f"shop/money.py\n{BLOCK}\n<<<<<<< SEARCH\n    return value / 2\n=======\n    return value // 2\n>>>>>>> REPLACE\n"
    assert apply_edits(parse_edits(answer), FILES.get)["shop/money.py"].count("value // 2") == 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("/etc/passwd", "", "x"), "absolute path"),
        (Edit("~/x.py", "", "x"), "absolute path"),
        (Edit("C:\\x.py", "", "x"), "absolute path"),
        (Edit("../x.py", "", "x"), "does not lie inside"),
        (Edit("a/../../x.py", "", "x"), "does not lie inside"),
        (Edit("a\\..\\..\\x.py", "", "x"), "does not lie inside"),
        (Edit(".git/hooks/pre-commit", "", "x"), "belongs to git"),
        (Edit("sub/.GIT/config", "", "x"), "belongs to git"),
        (Edit("x\n.py", "", "x"), "does not lie inside"),
        (Edit("absent.py", "a\n", "b\n"), "there is no file absent.py"),
        (Edit("notes.txt", "", "b\n"), "notes.txt exists"),
        (Edit("shop/money.py", "value", "b"), "occur 8 times|occur . times"),
        (Edit("shop/money.py", "return nothing\n", "b\n"), "do not occur in shop/money.py"),
        (Edit("shop/money.py", "def half(value):\n", "def half(value:\n"), "would not parse any more: line 1"),
        (Edit("notes.txt", "no newline", "no newline"), "change nothing"),
    ],
)
def test_what_cannot_be_applied_is_refused_with_the_reason(edit, message):
    with pytest.raises(EditError, match=message):
        apply_edits([edit], FILES.get)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "no edit"),
        ("I cannot help with that.", "no edit"),
        (BLOCK, "names no file"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ("--- a/x.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "cannot be deleted"),
    ],
)
def test_answers_without_edits_are_refused(answer, message):
    with pytest.raises(EditError, match=message):
        parse_edits(answer)


def test_a_file_that_did_not_parse_before_may_be_edited():
    assert apply_edits([Edit("old.py", "print 1\n", "print 2\n")], {"old.py": "print 1\n"}.get) == {
        "old.py": "print 2\n"
    }


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab\n\r \x0c", max_size=12), st.text("ab\n\r \x0c", min_size=1, max_size=12)),
        min_size=1,
        max_size=3,
    )
)
def test_git_applies_the_patch(tmp_path_factory, pairs):
    root = tmp_path_factory.mktemp("repository")
    before = {f"folder/file{number}.txt": old for number, (old, _) in enumerate(pairs)}
    changed = {path: new for (path, old), (_, new) in zip(before.items(), pairs, strict=True) if old != new}
    changed["folder/new.txt"] = "made\nanew"
    for path, text in before.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(text.encode())
    patch = make_patch(changed, before.get)
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=root, input=patch.encode(), check=True)
    assert {path: (root / path).read_bytes().decode() for path in {**before, **changed}} == {**before, **changed}
