"""Nothing in a repository reaches out of it: neither links, nor the configuration of its git folder."""

import os
import subprocess

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.build.sources import SourceReader, list_sources
from codefuse_hf.search.units import iter_units


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def build(path, **options):
    return build_code_graph(path, progress=False, workers=0, **options)


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with links to files and folders outside, by several ways, and to things inside."""
    write(tmp_path, {"outside/secret.py": "SECRET = 'hunter2'\n", "outside/secret.txt": "hunter2"})
    root = write(tmp_path / "repo", {"src/a.py": "def f(): pass\n", ".git/config": "token = hunter2\n"})
    for name, target in {
        "src/absolute.py": tmp_path / "outside" / "secret.py",
        "src/relative.py": "../../outside/secret.py",
        "src/text.txt": tmp_path / "outside" / "secret.txt",
        "src/chained.py": "relative.py",
        "src/folder": tmp_path / "outside",
        "src/through.py": "folder/secret.py",
        "src/git.txt": "../.git/config",
        "src/up": "../..",
    }.items():
        (root / name).symlink_to(target)
    (root / "src" / "inside.py").symlink_to("a.py")
    return root


OUT = {
    f"src/{name}"
    for name in ("absolute.py", "relative.py", "text.txt", "chained.py", "folder", "through.py", "git.txt", "up")
}


def test_links_out_of_the_folder_become_nothing(repository, tmp_path):
    tree = list_sources(repository)
    assert tree.paths == ["src/a.py", "src/inside.py"]
    assert {(each.path, each.kind) for each in tree.diagnostics} == {(path, "symlink") for path in OUT}
    graph = build(repository)
    graph.save(tmp_path / "graph.json")
    assert "hunter2" not in (tmp_path / "graph.json").read_text()
    assert {each.path for each in graph.diagnostics} == OUT


def test_a_repository_that_is_reached_by_a_link_is_whole(repository, tmp_path):
    (tmp_path / "way").symlink_to(repository)
    assert list_sources(tmp_path / "way").paths == ["src/a.py", "src/inside.py"]
    assert build(tmp_path / "way").find("f")


def test_named_files_are_no_exception(repository):
    files = ["src/a.py", "src/relative.py", "src/folder/secret.py"]
    tree = list_sources(repository, files=files)
    assert tree.paths == ["src/a.py"] and {each.path for each in tree.diagnostics} == set(files[1:])
    tree = list_sources([repository / file for file in ["src/a.py", "src/absolute.py"]])
    assert tree.paths == ["a.py"] and [each.path for each in tree.diagnostics] == ["absolute.py"]


def test_one_file_that_is_named_may_be_a_link(repository):
    assert list_sources(repository / "src" / "inside.py").paths == ["a.py"]


def test_a_file_that_becomes_a_link_after_it_was_listed(repository, tmp_path):
    tree = list_sources(repository)
    os.remove(repository / "src" / "a.py")
    (repository / "src" / "a.py").symlink_to(tmp_path / "outside" / "secret.py")
    with SourceReader(tree.root) as reader, pytest.raises(OSError, match="out of the repository"):
        reader.read("src/a.py", 1000)


def test_links_are_not_indexed_for_search(repository):
    units = list(iter_units(repository, progress=False))
    assert {unit.path for unit in units} == {"src/a.py", "src/inside.py"}
    assert not any("hunter2" in unit.text for unit in units)


def test_links_in_a_revision_are_named(tmp_path):
    write(tmp_path, {"a.py": "def f(): pass\n"})
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    tree = list_sources(tmp_path, revision="HEAD")
    assert tree.paths == ["a.py"] and [(each.path, each.kind) for each in tree.diagnostics] == [("link.py", "symlink")]


def test_programs_that_a_repositorys_configuration_names_are_not_run(tmp_path):
    """Of a repository that came as an archive, `.git/config` included, whose objects are 'still at the server'."""
    root, marker = write(tmp_path / "repo", {"a.py": "x = 1\n"}), tmp_path / "the program was run"
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    blob = git(root, "rev-parse", "HEAD:a.py")
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::sh -c touch% '{str(marker).replace(' ', '% ')}'",
        "protocol.ext.allow": "always",
        "core.fsmonitor": f"touch '{marker}'",
    }.items():
        git(root, "config", key, value)
    build(root, revision="HEAD")
    assert not marker.exists()
