"""transformers' own tests for every model, which it ships in its source distribution only.

`load("test_modeling_common")` imports that file for the installed version of transformers, exactly as it was published.
The source distribution is fetched by pip, once, into a folder of the user's cache; run this file to do so
ahead of time (`python tests/helpers/transformers_common_tests.py`). Nothing of it is part of this project.

The mixins of the exporters' and of the generation tests, which these files import, are not in the source distribution;
empty classes stand in for them.
"""

import importlib
import os
import subprocess
import sys
import tarfile
import tempfile
import types
from importlib import metadata
from pathlib import Path

PACKAGE = "transformers_own_tests"

# Arguments that every configuration accepts and keeps; the list of transformers' own is not in the source distribution.
COMMON_CONFIG_ARGUMENTS = {
    "return_dict": False,
    "output_hidden_states": True,
    "dtype": "float16",
    "architectures": ["SomeModel"],
    "id2label": {0: "good", 1: "bad"},
    "label2id": {"good": 0, "bad": 1},
    "problem_type": "regression",
    "chunk_size_feed_forward": 3,
    "is_encoder_decoder": False,
}


class Unavailable(Exception):
    """The common tests cannot be had here."""


def cache_folder() -> Path:
    """Where the unpacked tests are kept, one folder per version of transformers."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "codefuse-hf-tests" / f"transformers-{metadata.version('transformers')}"


def fetch() -> Path:
    """The folder with transformers' tests, downloaded if it is not there yet.

    Raises:
        Unavailable: pip cannot fetch the source distribution.
    """
    folder = cache_folder()
    if (folder / "test_modeling_common.py").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        unpacked = _unpack(_download(Path(partial)), Path(partial))
        if not (unpacked / "test_modeling_common.py").is_file():
            raise Unavailable(
                f"the source distribution of transformers {metadata.version('transformers')} has no tests"
            )
        (unpacked / "__init__.py").touch()
        try:
            os.rename(unpacked, folder)
        except OSError:  # another process was quicker
            if not (folder / "test_modeling_common.py").is_file():
                raise
    return folder


def _download(folder: Path) -> Path:
    requirement = f"transformers=={metadata.version('transformers')}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    pip += ["--no-deps", "--no-binary", "transformers", "--dest", str(folder), requirement]
    # pip asks the package for its metadata. That takes setuptools, which is quicker to find here than to install.
    for isolation in (["--no-build-isolation"], []):
        done = subprocess.run([*pip, *isolation], capture_output=True, text=True, timeout=240)
        archives = list(folder.glob("transformers-*.tar.gz"))
        if archives:
            return archives[0]
    raise Unavailable(f"pip cannot fetch the source distribution of {requirement}: {done.stderr.strip()[-400:]}")


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        root = tar.getnames()[0].split("/")[0]
        tar.extractall(folder, [x for x in tar.getmembers() if x.name.startswith(f"{root}/tests/")], filter="data")
    return folder / root / "tests"


def _stand_in(name: str, **members) -> None:
    """A module of the tests' package that the source distribution lacks."""
    parent, _, stem = f"{PACKAGE}.{name}".rpartition(".")
    if parent not in sys.modules:
        sys.modules[parent] = types.ModuleType(parent)
        sys.modules[parent].__path__ = []
    module = types.ModuleType(f"{parent}.{stem}")
    module.__dict__.update(members)
    sys.modules[f"{parent}.{stem}"] = module


def load(name: str) -> types.ModuleType:
    """Import one of transformers' test files, e.g. `"test_modeling_common"`.

    Raises:
        Unavailable: the tests cannot be fetched, or need a package that is not installed.
    """
    if PACKAGE not in sys.modules:
        folder = fetch()
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(folder)]
        sys.modules[PACKAGE] = package
        _stand_in("exporters.test_export", ExportTesterMixin=type("ExportTesterMixin", (), {}))
        _stand_in("generation.test_utils", GenerationTesterMixin=type("GenerationTesterMixin", (), {}))
        _stand_in("utils.test_configuration_utils", config_common_kwargs=COMMON_CONFIG_ARGUMENTS)
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        raise Unavailable(f"transformers' common tests need the package {error.name!r}") from error


def load_or_skip(*names: str) -> list[types.ModuleType]:
    """Import several of these files; skips the test module that asks where they cannot be had, but for the gate, which must have them."""
    import pytest

    try:
        return [load(name) for name in names]
    except Unavailable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason), allow_module_level=True)


if __name__ == "__main__":
    print(fetch())
