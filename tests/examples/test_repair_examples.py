"""The example goes from a git repository to a patch, with a scripted model behind a real socket, and without any."""

import importlib.util
import sys
from pathlib import Path

import pytest

from helpers.chat_server import chat_server
from helpers.faulty_repository import ISSUES, PATH_OF, failing_tests, git, make_repository, right_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "issue_to_patch.py"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    spec = importlib.util.spec_from_file_location("issue_to_patch", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = make_repository(tmp_path / "shop")
    (tmp_path / "issue.md").write_text(ISSUES[5])

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["issue_to_patch.py", str(root), str(tmp_path / "issue.md"), *arguments])
        module.main()
        return capsys.readouterr().out, root

    return call


def test_a_patch_that_mends(run, tmp_path):
    with chat_server(right_model) as server:
        out, root = run("--model", "scripted", "--base-url", server.url, "--output", str(tmp_path / "fix.patch"))
    assert f"Likely files:\n  {PATH_OF[5]}: " in out and "Subgraph: " in out and "apply it with" in out
    git(root, "apply", str(tmp_path / "fix.patch"))
    assert failing_tests(root) == set(range(10)) - {5}


def test_no_patch_and_no_model(run):
    with chat_server(["I cannot."]) as server:
        assert "No patch: the answer holds no edit" in run("--model", "scripted", "--base-url", server.url)[0]
    assert PATH_OF[5] in run()[0].splitlines()[1]
