"""The command line as a whole: which errors are explained, and which are bugs that show where they come from."""

import importlib
import importlib.metadata
import importlib.resources
import io
import os
import subprocess
import sys

import pytest

import codefuse_hf.cli
from codefuse_hf.cli import COMMANDS, EXTRAS, main
from helpers.processes import child_environment


@pytest.fixture
def running(monkeypatch):
    """`running(error)` makes `codefuse-hf push` run a function that fails."""

    def replace(function):
        monkeypatch.setattr(importlib.import_module("codefuse_hf.cli.push"), "run", lambda args: function())
        return ["push", "folder", "me/model"]

    return replace


def refuse():
    raise ValueError("no folder")


def in_this_package(source: str):
    """Define a function as if it stood in a module of the package."""
    namespace = {"__name__": "codefuse_hf.some_module"}
    exec(source, namespace)
    return namespace["fail"]


@pytest.mark.parametrize(
    "body",
    [
        'raise ValueError("what was found")',
        'raise FileNotFoundError("what was found")',
        'open("/what was found")',
        "try:\n        int('x')\n    except ValueError as error:\n        raise ValueError('what was found') from error",
        'raise ModuleNotFoundError("what was found", name="faiss")',
    ],
)
def test_errors_for_the_user_are_one_line(body, running, capsys):
    assert main(running(in_this_package(f"def fail():\n    {body}"))) == 1
    error = capsys.readouterr().err
    assert error.startswith("codefuse-hf push: ") and "what was found" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "größe 🚀 ".encode() + b"\xff"),
        ("cp1252", "größe ".encode("cp1252") + b"\\U0001f680 \xff"),
        ("ascii", b"gr\\xf6\\xdfe \\U0001f680 \xff"),
    ],
)
def test_any_text_is_printed_on_any_terminal(encoding, expected, running, monkeypatch):
    """What a terminal's encoding lacks is escaped; a file's name that is not UTF-8 has its bytes."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding, newline=""))
    assert main(running(lambda: print(f"größe 🚀 {os.fsdecode(bytes([255]))}", end=""))) == 0
    assert written.getvalue() == expected


def test_a_closed_output_is_no_error(running, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(running(lambda: print("nobody reads this"))) == 0


@pytest.mark.parametrize(("command", "missing"), [("graph", "tree_sitter"), ("index", "scipy"), ("demo", "gradio")])
def test_what_is_not_installed_is_named_with_its_extra(command, missing, tmp_path):
    """A plain installation has no extras: each command says what it needs, and writes nothing."""
    arguments = {"graph": ["build", "."], "index": ["."], "demo": []}[command]
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from codefuse_hf.cli import main; sys.exit(main({[command, *arguments]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=child_environment(), capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 1
    assert f"pip install 'codefuse-hf[{EXTRAS[command]}]'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_extras_are_those_of_the_package():
    extras = importlib.metadata.metadata("codefuse-hf").get_all("Provides-Extra")
    assert set(EXTRAS) <= set(COMMANDS) and set(EXTRAS.values()) <= set(extras)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('raise TypeError("a bug")', TypeError),
        ("len(3)", TypeError),
        ('int("x")', ValueError),
        ("[].index(3)", ValueError),
        ('raise ImportError("cannot import name", name="codefuse_hf.hub")', ImportError),
        ("{}[3]", KeyError),
    ],
)
def test_bugs_are_not_hidden(body, kind, running):
    with pytest.raises(kind):
        main(running(in_this_package(f"def fail():\n    {body}")))


def test_a_value_error_of_another_library_is_a_bug(running):
    with pytest.raises(ValueError):
        main(running(refuse))  # its module is this test's


def test_traceback_can_be_asked_for(running):
    command = running(in_this_package("def fail():\n    raise ValueError('refused')"))
    with pytest.raises(ValueError, match="refused"):
        main(["--traceback", *command])


def test_interruption_has_a_status_of_its_own(running):
    def interrupt():
        raise KeyboardInterrupt

    assert main(running(interrupt)) == 130


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_follows_one_pattern_and_its_help_is_quick(command):
    code = f"""
import sys
from codefuse_hf.cli import main
try:
    main(["{command}", "--help"])
finally:
    print("LOADED", [name for name in ("torch", "transformers", "tree_sitter") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout and "LOADED []" in done.stdout
    module = importlib.import_module(f"codefuse_hf.cli.{command}")
    assert module.__doc__.startswith(f"`codefuse-hf {command}")
    assert callable(module.add_arguments) and callable(module.run)


def test_no_command_is_forgotten():
    folder = importlib.resources.files(codefuse_hf.cli)
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py"}
    assert modules - {"__init__", "__main__", "arguments", "model_arguments"} == set(COMMANDS)
