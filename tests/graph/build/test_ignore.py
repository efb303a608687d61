"""What git ignores is no source: the rules, compared with git's own answers."""

import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codefuse_hf.cli import main
from codefuse_hf.graph import CodeGraph, GraphBuilder, build_code_graph
from codefuse_hf.graph.build.sources import list_sources


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def git(root, *arguments):
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def listed(root, **options):
    return [path for path in list_sources(root, **options).paths if not path.endswith(".gitignore")]


def test_nested_files_and_negations_outside_of_any_repository(tmp_path):
    write(
        tmp_path,
        {
            ".gitignore": "# comment\n*.log\n/build/\n!keep.log\n\\#odd\nwith space \\ \r\nout\n",
            "a.py": "", "a.log": "", "keep.log": "", "#odd": "", "with space  ": "", "build/x.py": "", "sub/build/x.py": "", "sub/out/x.py": "",
            "sub/.gitignore": "\ufeff!a.log\n/local.py\ndata/**/raw\n", "sub/a.log": "", "sub/local.py": "", "sub/deep/local.py": "",
            "sub/data/x/y/raw": "", "sub/data/raw": "", "sub/data/raw.py": "", "deep/keep.log/inside.py": "",
        },
    )  # fmt: skip
    assert listed(tmp_path) == [
        "a.py", "deep/keep.log/inside.py", "keep.log", "sub/a.log", "sub/build/x.py", "sub/data/raw.py", "sub/deep/local.py"
    ]  # fmt: skip
    assert len(listed(tmp_path, ignored=True)) == 15


def test_inside_an_ignored_folder_nothing_comes_back(tmp_path):
    write(tmp_path, {".gitignore": "out/\n!out/a.py\n", "out/a.py": "", "out/.gitignore": "!*\n", "b.py": ""})
    assert listed(tmp_path) == ["b.py"]


def test_a_part_of_a_repository_has_the_rules_above_it_and_its_excludes(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {".gitignore": "*.log\n/part/x.py\n", "part/x.py": "", "part/a.log": "", "part/a.py": "", "part/b.py": ""},
    )
    (tmp_path / ".git/info").mkdir(exist_ok=True)
    (tmp_path / ".git/info/exclude").write_text("b.py\n")
    assert listed(tmp_path / "part") == ["a.py"]
    assert listed(tmp_path) == ["part/a.py"]


def test_tracked_files_stay(tmp_path):
    write(tmp_path, {".gitignore": "lib/\n*.gen.py\n", "lib/a.py": "", "lib/b.py": "", "x.gen.py": "", "y.gen.py": ""})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "lib/a.py", "x.gen.py")
    assert listed(tmp_path) == ["lib/a.py", "x.gen.py"]


def test_a_folder_that_is_ignored_as_a_whole_was_meant_when_it_was_named(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "/work\n*.log\n",
            "work/in/a.py": "",
            "work/in/a.log": "",
            "work/in/.gitignore": "b.py",
            "work/in/b.py": "",
        },
    )
    assert listed(tmp_path / "work" / "in") == ["a.log", "a.py"]


def test_a_repository_inside_has_its_own_rules(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "*.log\n",
            "inner/a.log": "",
            "inner/b.txt": "",
            "inner/c.txt": "",
            "inner/.gitignore": "b.txt\nc.txt\n",
        },
    )
    git(tmp_path / "inner", "init", "-q")
    git(tmp_path / "inner", "add", "-f", "c.txt")
    assert listed(tmp_path) == ["inner/a.log", "inner/c.txt"]


def test_a_second_work_tree_knows_the_excludes_of_the_first(tmp_path):
    first = write(tmp_path / "first", {"a.py": ""})
    git(first, "init", "-q")
    git(first, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "--allow-empty", "-m", "one")
    (first / ".git/info").mkdir(exist_ok=True)
    (first / ".git/info/exclude").write_text("b.py\n")
    git(first, "worktree", "add", "-q", str(tmp_path / "second"))
    write(tmp_path / "second", {"b.py": "", "c.py": ""})
    assert listed(tmp_path / "second") == ["c.py"]


def test_links_to_what_is_ignored_are_not_followed(tmp_path):
    write(tmp_path, {".gitignore": "out\nlink.py\n", "out/a.py": "", "b.py": ""})
    (tmp_path / "folder").symlink_to(tmp_path / "out", target_is_directory=True)
    (tmp_path / "file.py").symlink_to(tmp_path / "out" / "a.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "b.py")
    tree = list_sources(tmp_path)
    assert tree.paths == [".gitignore", "b.py"]
    assert {(d.path, d.kind) for d in tree.diagnostics} == {("folder", "symlink"), ("file.py", "symlink")}


def test_hostile_rules_cost_nothing(tmp_path):
    write(
        tmp_path,
        {".gitignore": "*a" * 60 + "b\n" + "**/*a/" * 20 + "b\n[\n!\n***\\\n/\nb.py\n", "a" * 200: "", "b.py": ""},
    )
    assert listed(tmp_path) == ["a" * 200]
    (tmp_path / ".gitignore").unlink()
    os.mkfifo(tmp_path / ".gitignore")
    assert "b.py" in listed(tmp_path)


def test_rules_that_are_a_link_are_not_read(tmp_path):
    write(tmp_path, {"rules": "*.py\n", "in/a.py": ""})
    (tmp_path / "in" / ".gitignore").symlink_to(tmp_path / "rules")
    assert "a.py" in list_sources(tmp_path / "in").paths


def test_an_update_follows_the_rules(tmp_path):
    write(tmp_path, {"a.py": "def f(): pass\n", "b.py": "def g(): pass\n"})
    builder = GraphBuilder(tmp_path, progress=False, workers=0)
    assert builder.build().find("g")
    write(tmp_path, {".gitignore": "b.py\n"})
    graph = builder.update([".gitignore"])
    assert graph.find("f") and not graph.find("g")
    assert GraphBuilder(tmp_path, progress=False, workers=0, ignored=True).build().find("g")


def test_what_this_package_wrote_is_no_input(tmp_path):
    write(tmp_path, {"a.py": "def f(): pass\n", "nodes.json": '{"nodes": [1, 2]}'})
    graph = build_code_graph(tmp_path, progress=False, workers=0, cache=tmp_path / "kept")
    graph.save(tmp_path / "graph.json")
    assert main(["graph", "show", str(tmp_path), "-o", str(tmp_path / "graph.html"), "--quiet"]) in (0, None)
    assert main(["graph", "build", str(tmp_path), "--format", "jsonl", "-o", str(tmp_path / "rows"), "--quiet"]) in (
        0,
        None,
    )
    write(tmp_path, {"index/manifest.json": "{}", "index/units.jsonl": "", "cache/CACHEDIR.TAG": "", "cache/x.py": ""})
    again = build_code_graph(tmp_path, progress=False, workers=0)
    assert again == graph
    assert CodeGraph.load(tmp_path / "graph.json") == graph


def test_no_ignore_on_the_command_line(tmp_path, capsys):
    write(tmp_path, {".gitignore": "b.py\n", "b.py": "def g(): pass\n"})
    assert main(["graph", "query", str(tmp_path), "g", "--quiet"]) == 1
    assert main(["graph", "query", str(tmp_path), "g", "--quiet", "--no-ignore"]) == 0


PARTS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "a.py",
        "*",
        "*.py",
        "**",
        "a*",
        "?",
        "[ab]",
        "[!a]",
        "*a*",
        "\\\\a",
        "[a-b]*",
        "*.p[[:alpha:]]",
        "[^x-z",
        "a?*",
        "**b",
        "[]a]",
        "[z-a]",
    ]
)
PATTERN = st.tuples(
    st.sampled_from(["", "", "!"]), st.sampled_from(["", "", "/"]), st.lists(PARTS, min_size=1, max_size=3), st.sampled_from(["", "", "/"])
).map(lambda p: p[0] + p[1] + "/".join(p[2]) + p[3])  # fmt: skip
RULES = st.lists(PATTERN, max_size=4).map("\n".join)


PATHS = [
    f"{folder}{name}" for folder in ("", "a/", "a/b/", "b/", "b/a.py/", "ab/a/b/") for name in ("x", "a.txt", "ab.py")
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = write(tmp_path_factory.mktemp("repository"), dict.fromkeys(PATHS, ""))
    git(root, "init", "-q")
    return root


@example(rules="", inner="[^x-z/[!a]", deeper="")  # a slash in brackets
@example(rules="a/[/b]\n\\[a/b]", inner="[b/x", deeper="")
@given(rules=RULES, inner=RULES, deeper=RULES)
@settings(max_examples=60, deadline=None)
def test_the_answers_are_those_of_git(repository, rules, inner, deeper):
    write(repository, {".gitignore": rules, "a/.gitignore": inner, "a/b/.gitignore": deeper})
    expected = sorted(git(repository, "ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1])
    assert list_sources(repository).paths == expected
