"""What a question finds: the repository as it is now, the wanted files, sources before tests; and the command line around it."""

import json

import pytest

pytest.importorskip("faiss")

from codefuse_hf.cli import main
from codefuse_hf.search import CodeIndex
from codefuse_hf.search.paths import PathFilter

CODE = "def deploy(service):\n    return service.start()\n"


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    for path, text in {
        "net/client.py": CODE,
        "net/server.js": "// deploys the service\n",
        "tests/test_client.py": "def test_deploy(service):\n    deploy(service)\n    assert service.deploy\n",
        "notes.md": "Intro.\n\n# Deploy\n\nHow to deploy.\n\n## Roll back\n\nUndo a deploy.\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def found(index, query, **options):
    return [(each.path, each.name) for each in index.search(query, **options)]


def test_deleted_code_is_not_shown(repository):
    index = CodeIndex.build(repository, progress=False)
    (repository / "net" / "client.py").unlink()
    assert "net/client.py" not in {path for path, _ in found(index, "deploy")}
    assert index.left_out == 2  # the function and the file


def test_changed_code_is_not_shown_and_moved_code_is_at_its_new_lines(repository):
    index = CodeIndex.build(repository, progress=False)
    file = repository / "net" / "client.py"
    file.write_text("import os\n\n\n" + CODE)
    (result,) = index.search("deploy", include=["net/client.py"], kinds=("function",))
    assert (result.line, result.end_line) == (4, 5)
    file.write_text(CODE.replace("start", "stop"))
    assert index.search("deploy", include=["net/client.py"]) == []


def test_a_file_that_is_touched_only_is_as_it_was(repository):
    index = CodeIndex.build(repository, progress=False)
    file = repository / "net" / "client.py"
    file.touch()
    assert index.search("deploy", include=["client.py"])


def test_files_that_an_index_names_outside_of_the_repository_are_not_read(repository, tmp_path):
    (tmp_path / "secret.py").write_text("def secret():\n    return 1\n")
    folder = CodeIndex.build(repository, progress=False).folder
    for name in ("units.jsonl", "files.json"):
        file = folder / "g1" / name
        file.write_text(file.read_text().replace("net/client.py", "../secret.py"))
    index = CodeIndex.load(folder)
    assert "../secret.py" not in {path for path, _ in found(index, "deploy")} and index.left_out


def test_tests_rank_below_sources_unless_asked_for(repository):
    index = CodeIndex.build(repository, progress=False)
    assert found(index, "deploy service", kinds=("function",))[0] == ("net/client.py", "deploy")

    def score(query, **options):
        (result,) = index.search(query, include=["tests"], kinds=("function",), **options)
        return result.score

    assert score("deploy service") < score("deploy service", tests=True)
    assert score("test of deploy") == score("test of deploy", tests=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["*.js"]}, {"net/server.js"}),
        ({"include": ["net"]}, {"net/server.js", "net/client.py"}),
        ({"include": ["net/"], "exclude": ["*.js"]}, {"net/client.py"}),
        ({"include": ["net/c*"]}, {"net/client.py"}),
        ({"exclude": ["tests", "*.md", "net/*.js"]}, {"net/client.py"}),
        ({"within": "net", "include": ["*.py"]}, {"net/client.py"}),
    ],
)
def test_wanted_files(repository, options, expected):
    index = CodeIndex.build(repository, progress=False)
    assert {path for path, _ in found(index, "deploy", **options)} == expected
    if "within" not in options:
        index = CodeIndex.build(repository, progress=False, **options)
        assert {unit["path"] for unit in index.units} == expected


@pytest.mark.parametrize("pattern", ["", "/", "./"])
def test_no_pattern(pattern):
    with pytest.raises(ValueError, match="no pattern of paths"):
        PathFilter(include=[pattern])


def test_command_line(repository, capsys, monkeypatch):
    path = ["--path", str(repository)]
    assert main(["index", "--words-only", str(repository), "--json"]) == 0
    capsys.readouterr()
    assert main(["search", *path, "--kinds", "function,class", "where", "is", "deploy"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("net/client.py\n  net/client.py:1  function deploy") and "notes.md" not in out
    assert main(["search", "--kinds", "function", *path, "zebra"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "nothing found" in captured.err
    monkeypatch.chdir(repository / "net")
    assert main(["search", "deploy", "--json"]) == 0
    assert {each["path"] for each in json.loads(capsys.readouterr().out)} == {"net/client.py", "net/server.js"}
    (repository / "net" / "client.py").unlink()
    assert main(["search", "deploy"]) == 0
    assert "2 results were left out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["search", "--kinds", "functions", "x"])
    assert "found 'functions'" in capsys.readouterr().err


def test_results_of_a_file_stand_together(repository, capsys):
    assert main(["index", "--words-only", str(repository)]) == 0
    capsys.readouterr()
    assert main(["search", "--path", str(repository), "deploy", "service"]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith(" ")]
    assert len(headings) == len(set(headings)) > 2


def test_an_empty_folder_is_noticed_before_the_model_is_loaded(tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["index", str(empty), "--model", "there/is-no-such-model"]) == 1
    said = capsys.readouterr().err
    assert f"nothing to index in {empty}: no readable text of kind " in said and "choose" not in said
    (empty / "a.py").write_text("def f(): return 1\n")
    assert main(["index", str(empty), "--exclude", "*.py"]) == 1
    assert "that --include and --exclude choose" in capsys.readouterr().err
    assert main(["index", str(tmp_path / "absent")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_class_that_is_named_comes_before_its_methods(tmp_path):
    methods = "".join(
        f"    def print_{i}(self, x):\n        y = x\n        z = y\n        return PrintLogger(z)\n\n"
        for i in range(3)
    )
    (tmp_path / "output.py").write_text(
        f"class PrintLogger:\n    pass\n\n{methods}\n\nclass Other(PrintLogger):\n    pass\n"
    )
    index = CodeIndex.build(tmp_path, folder=tmp_path.parent / "index", progress=False)
    for question in ("PrintLogger", "what is output.PrintLogger for", "PrintLogger()"):
        assert index.search(question)[0].name == "PrintLogger"
    assert index.search("PrintLogger.print_2")[0].name == "PrintLogger.print_2"
