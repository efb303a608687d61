"""`codefuse-hf fix`, in this process, with a model behind a real socket."""

import json

import pytest

from codefuse_hf.cli import main
from codefuse_hf.search.places import default_folder
from helpers.chat_server import chat_server
from helpers.faulty_repository import FILES, ISSUES, PATH_OF, failing_tests, git, make_repository, right_model


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_repository(tmp_path_factory.mktemp("fix") / "shop")


@pytest.fixture
def root(shop, tmp_path):
    git(tmp_path, "clone", "-q", str(shop), str(tmp_path / "shop"))
    return tmp_path / "shop"


@pytest.fixture
def fix(online, root, tmp_path, capsys, monkeypatch):
    """`fix(number, *options)` → exit status, standard output and error."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))

    def run(number, *options, script=right_model, model=True):
        (tmp_path / "issue.md").write_text(ISSUES[number])
        with chat_server(script) as server:
            asks = ["--model", "scripted", "--base-url", server.url] if model else []
            status = main(["fix", str(root), "--issue", str(tmp_path / "issue.md"), *asks, *options])
        return status, *capsys.readouterr()

    return run


def test_places_and_a_patch_that_git_takes_out_of_the_output(fix, root):
    status, out, error = fix(5)
    assert status == 0 and out.startswith(f"  1  {PATH_OF[5]}") and "\ndiff --git" in out
    git(root, "apply", "--check", "-", data=out)
    assert [line.split()[0] for line in error.splitlines()] == [
        "ranking",
        "rewriter",
        "retriever",
        "reranker",
        "reader",
    ]
    assert "2 calls, 22 + 14 tokens" in error
    assert git(root, "status", "--porcelain") == ""


def test_json(fix, root):
    status, out, _ = fix(5, "--json", "--revision", "HEAD")
    git(root, "apply", "--check", "-", data=json.loads(out)["repair"]["patch"])
    assert status == 0


def test_write_mends_the_folder_only_if_it_is_clean(fix, root):
    (root / "README.md").write_text("mine")
    status, _, error = fix(5, "--write")
    assert status == 1 and "not committed (README.md)" in error and "reader" not in error
    assert (root / PATH_OF[5]).read_text() == FILES[PATH_OF[5]]
    status, _, error = fix(5, "--write", "--force")
    assert status == 0 and f"changed {PATH_OF[5]}" in error
    assert failing_tests(root) == set(range(10)) - {5}


def test_no_patch_is_status_1_with_the_reason(fix):
    status, out, error = fix(5, script=["I cannot."], model=True)
    assert status == 1 and "diff" not in out and "no patch after 3 answers: the answer holds no edit" in error


def test_an_index_that_cannot_be_loaded_is_said_and_left_aside(fix, root):
    folder = default_folder(str(root))
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    status, out, error = fix(5)
    assert status == 0 and "\ndiff --git" in out
    assert f"goes on without the index in {folder}, which cannot be loaded:" in error
    assert "goes on without" not in fix(5, "--no-index")[2]


def test_without_a_model(fix):
    status, out, _ = fix(5, "--no-llm", model=False)
    assert status == 0 and PATH_OF[5] in out.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name a language model with --model"),
        (["--no-llm", "--model", "m"], "--no-llm goes without"),
        (["--no-llm", "--write"], "nothing to --write"),
        (["--model", "m", "--write", "--revision", "HEAD"], "goes without --revision"),
        (["--model", "m", "--attempts", "0"], "--attempts must be more than 0"),
        (["--model", "m", "--api-key-env", "CODEFUSE_NO_SUCH_KEY"], "no environment variable CODEFUSE_NO_SUCH_KEY"),
        (["--model", "m", "--base-url", "localhost"], "base_url must begin with http"),
    ],
)
def test_options_that_do_not_go_together(fix, options, message):
    status, _, error = fix(5, *options, model=False)
    assert status == 1 and message in error and error.count("\n") == 1
