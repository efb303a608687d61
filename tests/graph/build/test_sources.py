"""Where files come from and how they are decoded."""

import os
import subprocess

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.build.sources import decode_source, decode_text, list_sources
from codefuse_hf.graph.languages.source_text import SourceText


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def build(path, **options):
    return build_code_graph(path, progress=False, workers=0, **options)


def kinds(graph):
    return {(d.path, d.kind) for d in graph.diagnostics}


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("data", "text", "guessed"),
    [
        (b"x = 1\n", "x = 1\n", False),
        (b"\xef\xbb\xbfx = '\xc3\xa9'", "x = 'é'", False),
        ("x = 'é'".encode("utf-16"), "x = 'é'", False),
        ("x = 'é'".encode("utf-16-le"), "x = 'é'", True),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'", "# -*- coding: latin-1 -*-\nx = 'é'", False),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\x80'", None, False),
        (b"x = '\xe9'", "x = 'é'", True),
        (b"# coding: nonsense\nx = 1", "# coding: nonsense\nx = 1", True),
        (b"# coding: rot13\nx = 1", "# coding: rot13\nx = 1", False),
        (b"x = 1\r\ny = 2\r", "x = 1\r\ny = 2\r", False),
    ],
)
def test_decode_source(data, text, guessed):
    decoded, note = decode_source(data)
    assert decoded == (text if text is not None else data.decode("cp1252"))
    assert (note is not None) == guessed


def test_decode_text_tells_binary_from_text():
    assert decode_text(b"caf\xe9\n") == "café\n"
    assert decode_text(b"\x00\x01\x02") is None
    assert decode_text(bytes(range(256)) * 4) is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_and_columns_of_every_line_end(tmp_path, end):
    source = end.join(["# é 😀", "", "class A:", "    def f(self):", "        return 'é'", "", "    x = 1", ""])
    write(tmp_path, {"a.py": source})
    graph = build(tmp_path)
    method = graph[graph.find("f")[0]]
    assert (method.start_line, method.end_line, method.column) == (4, 5, 4)
    assert method.text == end.join(["def f(self):", "        return 'é'"])
    attribute = graph[graph.find("x")[0]]
    assert (attribute.start_line, attribute.column, attribute.text) == (7, 4, "x = 1")


def test_form_feed_is_no_line_end():
    source = SourceText("a\n\fb\n")
    assert source.line(3) == 2 and source.column(3) == 1


def test_character_offsets_after_multibyte_characters():
    source = SourceText("é😀x")
    assert [source.char(0), source.char(2), source.char(6), source.char(7)] == [0, 1, 2, 3]
    assert source.slice(2, 6) == "😀"


def test_ignored_folders_and_virtual_environments_are_left_out(tmp_path):
    write(
        tmp_path,
        {
            "a.py": "",
            ".git/hook.py": "",
            "node_modules/x.py": "",
            "__pycache__/a.py": "",
            "myenv/pyvenv.cfg": "",
            "myenv/lib/b.py": "",
            "p.egg-info/x.txt": "",
        },
    )
    assert list_sources(tmp_path).paths == ["a.py"]


def test_symlink_loop_is_entered_once(tmp_path):
    write(tmp_path, {"pkg/a.py": "def f(): pass\n"})
    (tmp_path / "pkg" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    tree = list_sources(tmp_path)
    assert tree.paths == ["pkg/a.py"]
    assert {(d.path, d.kind) for d in tree.diagnostics} == {("pkg/loop", "symlink"), ("self", "symlink")}


def test_unreadable_and_vanished_files_cost_a_diagnostic_each(tmp_path, monkeypatch):
    write(tmp_path, {"a.py": "x = 1\n", "b.py": "def f(): pass\n", "c.py": "y = 1\n"})
    import codefuse_hf.graph.build.sources as sources

    real = sources.SourceReader.read

    def read(self, path, limit):
        if path == "a.py":
            raise PermissionError(13, "Permission denied")
        if path == "c.py":
            os.remove(tmp_path / "c.py")
        return real(self, path, limit)

    monkeypatch.setattr(sources.SourceReader, "read", read)
    graph = build(tmp_path)
    assert kinds(graph) == {("a.py", "unreadable"), ("c.py", "vanished")}
    assert graph.find("f")


def test_size_and_count_limits(tmp_path):
    write(tmp_path, {"a.py": "x = 1\n", "big.py": "y = 1\n" * 1000, "z.py": "z = 1\n"})
    graph = build(tmp_path, max_file_size=100)
    assert kinds(graph) == {("big.py", "too-large")} and graph.find("z")
    assert kinds(build(tmp_path, max_files=2)) == {("", "too-many-files")}


def test_text_files_and_binary_files(tmp_path):
    write(
        tmp_path,
        {"README.md": "# Title\n", "data.bin": b"\x00\x01", "picture.png": b"text", "conf/a.xml": "<a/>", "a.py": ""},
    )
    graph = build(tmp_path)
    assert [(graph[i].name, graph[i].path) for i in graph.nodes("Textfile")] == [("README.md", "."), ("a.xml", "conf")]
    assert not list(build(tmp_path, text_files=False).nodes("Textfile"))


def test_git_revision_is_read_without_the_work_tree(tmp_path):
    repository = write(
        tmp_path / "demo", {"pkg/__init__.py": "", "pkg/a.py": "def old(): pass\n", "naïve.py": "x = 1\n"}
    )
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    first = git(repository, "rev-parse", "HEAD")
    expected = build(repository).to_json()
    write(repository, {"pkg/a.py": "def new(): pass\n", "untracked.py": ""})
    before = git(repository, "status", "--porcelain")
    graph = build(repository, revision=first[:8])
    assert graph.find("old") and not graph.find("new")
    assert graph.to_json() == expected
    assert git(repository, "status", "--porcelain") == before
    assert len(list(build(repository, revision="HEAD", files=["pkg/a.py"]).nodes("File"))) == 1


def test_bad_inputs_say_what_is_wrong(tmp_path):
    write(tmp_path, {"a.py": "", "sub/b.py": ""})
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        build(tmp_path / "none")
    with pytest.raises(ValueError, match="unknown language 'cobol'"):
        build(tmp_path, languages=["cobol"])
    with pytest.raises(ValueError, match="git rev-parse"):
        build(tmp_path, revision="main")
    with pytest.raises(ValueError, match="outside"):
        build(tmp_path / "sub", files=["../a.py"])
    with pytest.raises(ValueError, match="empty list"):
        build([])
    with pytest.raises(FileNotFoundError, match="no such file"):
        build([tmp_path / "sub"])
    with pytest.raises(ValueError, match="max_file_size"):
        build(tmp_path, max_file_size=0)


def test_list_of_files(tmp_path):
    write(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "from pkg.b import f\nf()\n",
            "pkg/b.py": "def f(): pass\n",
            "other.py": "",
        },
    )
    graph = build([tmp_path / "pkg/a.py", tmp_path / "pkg/b.py"])
    assert len(list(graph.nodes("File"))) == 2
    assert graph.neighbors(graph.find("f")[0], "calls", "in")
