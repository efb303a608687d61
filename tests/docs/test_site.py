"""The site of the documentation: built as its readers' host does, where each warning (a dead link, a name that is gone) is an error."""

import os
import re
import subprocess
import sys

import pytest

from helpers import TESTS

ROOT = TESTS.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("index.html", ["codefuse-hf", "Two commands"]),
        ("ARCHITECTURE/index.html", ["One token through Rodimus"]),
        ("SECURITY/index.html", ["trusted"]),
        ("notebooks/repository_as_a_graph/index.html", ["build_code_graph"]),
        ("reference/rodimus/index.html", ["RodimusForCausalLM", "block_type"]),
        ("reference/graph/index.html", ["CodeGraph", "neighbors"]),
        ("reference/repair/index.html", ["Locator"]),
    ],
)
def test_pages_hold_what_they_should(site, page, words):
    text = (site / page).read_text(encoding="utf-8")
    missing = [word for word in words if word not in text]
    assert not missing


def test_pictures_are_there(site):
    sources = re.findall(r'<img[^>]*src="([^"]+)"', (site / "index.html").read_text(encoding="utf-8"))
    assert sources and all((site / source).is_file() for source in sources if "://" not in source)


def test_every_notebook_is_a_guide(site):
    notebooks = {path.stem for path in (ROOT / "examples" / "notebooks").glob("*.ipynb")}
    assert notebooks and all((site / "notebooks" / name / "index.html").is_file() for name in notebooks)
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}.ipynb" in navigation for name in notebooks)
