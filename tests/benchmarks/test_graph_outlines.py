"""The comparison of outlines with ctags: names mean the same, and what counts as found is found."""

import subprocess

import graph_outlines
import pytest
from graph_outlines import by_graph, compare, draw_files, plain, table


@pytest.mark.parametrize(
    ("name", "right"),
    [("A::f(int)", "f"), ("Shop.Run", "Run"), ("A.operator ()", "operator()"), ("run", "run"), ("name!", "name!")],
)
def test_names_are_compared_by_their_last_part(name, right):
    assert plain(name) == right


def test_a_definition_is_found_near_its_line_and_compared_by_its_last(tmp_path):
    (tmp_path / "a.go").write_text("package a\n\nfunc Run(n int) error {\n\treturn nil\n}\n\ntype Shop struct{}\n")
    ours = by_graph(tmp_path)
    assert ours == {"functions": {("a.go", "Run", 3): 5}, "classes": {("a.go", "Shop", 7): 7}}
    theirs = {"functions": {("a.go", "Run", 4): 5, ("a.go", "Run", 99): 100}, "classes": {("a.go", "Shop", 7): 8}}
    figures = compare(theirs, ours)
    assert list(figures.values()) == [2, 1, 1, 1, 1, 1, 1, 0]
    row = {"language": "Go", "repository": "a/b", "files": 1, **figures}
    assert table([row]).splitlines()[-1] == "| Go | a/b | 1 | 2 | 0.500 | 1 of 1 | 1 | 1.000 | 0 of 1 |"


def test_files_are_drawn_from_the_last_commit(tmp_path):
    repository = tmp_path / "repo"
    repository.mkdir()
    for name in ("a.go", "b.txt", "c.go"):
        (repository / name).write_text(name)
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    (repository / "a.go").write_text("changed")
    assert draw_files(repository, "Go", 300, tmp_path / "drawn") == 2
    assert sorted(path.read_text() for path in (tmp_path / "drawn").iterdir()) == ["a.go", "c.go"]
    assert draw_files(repository, "Go", 1, tmp_path / "one") == 1


def test_every_repository_has_a_language_that_is_described():
    assert graph_outlines.REPOSITORIES.keys() == graph_outlines.LANGUAGES.keys()
