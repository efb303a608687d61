"""The gate cannot be fooled: what hangs fails, what is shipped is in the wheel."""

import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from helpers import TESTS

ROOT = TESTS.parent
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]

# Each hangs where a plain alarm would be swallowed, or leaves an exception where nothing looks.
FOOLING = {
    "hangs in a garbage collector's callback": """
import gc, time
def test():
    gc.callbacks.append(lambda phase, info: time.sleep(60))
    gc.collect()
""",
    "an exception in a finaliser": """
class Broken:
    def __del__(self):
        raise RuntimeError("lost")
def test():
    Broken()
""",
    "an exception in a thread": """
import threading
def test():
    def fail():
        raise RuntimeError("lost")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
""",
}


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("source", FOOLING.values(), ids=FOOLING)
def test_what_hides_a_failure_fails(source, workers, tmp_path):
    (tmp_path / "test_fooling.py").write_text(source)
    lines = ["[pytest]", "timeout = 3", f"timeout_method = {PYTEST['timeout_method']}", "filterwarnings ="]
    (tmp_path / "pytest.ini").write_text("\n".join(lines + [f"    {x}" for x in PYTEST["filterwarnings"]]))
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "test_fooling.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode not in (0, 5), done.stdout


def test_all_files_of_the_package_are_in_the_wheel(tmp_path):
    """Code and data: a kind of file that pyproject.toml does not name would be missing after an installation."""
    folders = {"codefuse_hf": "codefuse_hf/", "modeling": "codefuse_hf/modeling/", "kernels": "codefuse_hf/kernels/"}
    folders["model_cards"] = "codefuse_hf/model_cards/"
    files = ["pyproject.toml", "README.md", "LICENSE", *folders]
    tracked = subprocess.run(["git", "ls-files", "-z", *files], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = set()
    for name in filter(None, tracked.stdout.split("\0")):
        copy = tmp_path / "tree" / name  # built elsewhere: what an earlier build left here must not get in
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
        top, _, rest = name.partition("/")
        if top in folders:
            expected.add(folders[top] + rest)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), "./tree"]
    done = subprocess.run(pip, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == expected
