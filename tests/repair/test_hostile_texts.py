"""Issues and answers that are made to take long: each is read in one pass. (Reading them in quadratic time would take minutes.)"""

import pytest

from codefuse_hf.repair.answers import read_lists, read_score
from codefuse_hf.repair.edits import Edit, EditError, parse_edits
from codefuse_hf.repair.issue import read_issue
from codefuse_hf.repair.quoting import quote

LENGTH = 100_000
PIECES = [
    "a", "a.", "a/", "-", "1", "1.", "_", "é", "\\", "`", "``` ", "```\n", "\n", " ", "<", "< ", "# ", "[ ", "<!--", "<details>", "x==1.1 ",
    "Error: ", "expected ", "entities ", "<entities> ", "<score> ", "1-", "4 ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_long_texts(piece):
    text = (piece * LENGTH)[:LENGTH] + "!"
    issue = read_issue("Title\n" + text)
    assert issue.title == "Title" and len(issue.paths) + len(issue.dotted_names) + len(issue.phrases) < LENGTH
    lists = read_lists(f"<entities>\n{text}", ("entities", "keywords"), limit=3)
    assert len(lists.items["entities"]) <= 3
    assert read_score(text, 7, 9) is None
    assert quote(text).startswith(">")


@pytest.mark.parametrize(
    "piece", ["<<<<<<< SEARCH\n", "=======\n", "<<<<<<< SEARCH\n=======\n", "--- a\n+++ b\n", "@@\n", "a.b\n"]
)
def test_long_answers_without_an_end(piece):
    with pytest.raises(EditError):
        parse_edits((piece * 900_000)[:900_000])


def test_many_blocks():
    block = "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"
    assert parse_edits("a/b.py\n" + block * 20_000) == [Edit("a/b.py", "x\n", "y\n")] * 20_000
