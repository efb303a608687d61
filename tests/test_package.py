"""The package itself: what is installed, how quickly it is imported, what it needs."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import codefuse_hf

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(code: str, *arguments: str) -> str:
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_import_loads_neither_torch_nor_transformers():
    code = "import codefuse_hf, sys; print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_public_names_are_importable():
    for name in codefuse_hf.__all__:
        assert getattr(codefuse_hf, name) is not None
    assert set(codefuse_hf.__all__) <= set(dir(codefuse_hf))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = codefuse_hf.nonsense


@pytest.mark.parametrize(
    "first",
    [
        "import codefuse_hf; from transformers import AutoConfig",
        "from transformers import AutoConfig; import codefuse_hf",
        "from transformers import AutoModelForCausalLM, AutoConfig; import codefuse_hf",
        "from codefuse_hf import RodimusConfig; from transformers import AutoConfig",
        "from codefuse_hf.modeling.rodimus.modeling_rodimus import RodimusModel; from transformers import AutoConfig",
        "import codefuse_hf; from transformers.generation import GenerationMixin; from transformers import AutoConfig",
    ],
)
def test_auto_classes_know_the_models_in_any_import_order(first):
    code = f"""{first}
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification
config = AutoConfig.for_model("rodimus", vocab_size=8, d_model=16, n_layer=1)
classes = (AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification)
print([type(config).__module__, *(type(c.from_config(config)).__name__ for c in classes)])
"""
    assert run(code).strip() == str(
        [
            "codefuse_hf.modeling.rodimus.configuration_rodimus",
            "RodimusModel",
            "RodimusForCausalLM",
            "RodimusForSequenceClassification",
        ]
    )


def test_every_folder_with_code_is_installed():
    """A new folder must be listed in pyproject.toml, or a wheel would lack it."""
    folders = {}
    for name, folder in PYPROJECT["tool"]["setuptools"]["package-dir"].items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            folders[".".join((name, *parts))] = init
        for source in (ROOT / folder).rglob("*.py"):
            assert (source.parent / "__init__.py").exists(), f"{source.parent} has no __init__.py"
    assert set(folders) == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_nothing_is_installed_as_modeling_or_kernels():
    names = {name.split(".")[0] for name in PYPROJECT["tool"]["setuptools"]["packages"]}
    assert names == {"codefuse_hf"}


OPTIONAL = (
    "peft", "trl", "datasets", "sentence_transformers", "faiss", "bm25s", "tree_sitter",
    "networkx", "evaluate", "sklearn", "matplotlib", "pytest", "hypothesis",
)  # fmt: skip


def test_no_family_needs_an_optional_dependency():
    """Also what transformers and accelerate import by themselves is kept away, where it is optional to us."""
    code = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # None: cannot be imported
import torch
from codefuse_hf import RodimusConfig, RodimusForCausalLM
model = RodimusForCausalLM(RodimusConfig(vocab_size=8, d_model=16, n_layer=1))
print(model.generate(torch.ones(1, 3, dtype=torch.long), max_new_tokens=2).shape)
from codefuse_hf import CGEConfig, CGEModel, CGMConfig, CGMForCausalLM, CGMProcessor
"""
    assert run(code, *OPTIONAL).strip() == "torch.Size([1, 5])"


def test_travelling_files_import_nothing_of_the_rest():
    """modeling/ and kernels/ know only torch, transformers, the standard library, one another (and lazily Triton and matplotlib)."""
    allowed = {
        "torch",
        "transformers",
        "huggingface_hub",
        "safetensors",
        "tokenizers",
        "numpy",
        "tqdm",
        "triton",
        "matplotlib",
        "jinja2",
    }
    allowed |= {"sentence_transformers", "codefuse_hf.modeling", "codefuse_hf.kernels"} | set(sys.stdlib_module_names)
    for source in [*(ROOT / "modeling").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            else:
                continue
            for name in names:
                top = ".".join(name.split(".")[:2]) if name.startswith("codefuse_hf") else name.split(".")[0]
                assert top in allowed, f"{source} imports {name}"


def test_module_names_are_unique():
    """They lie side by side in a self-contained folder."""
    stems = [p.stem for top in ("modeling", "kernels") for p in (ROOT / top).rglob("*.py") if p.name != "__init__.py"]
    assert len(stems) == len(set(stems))


def test_command_line_help_is_quick_and_complete():
    from codefuse_hf.cli import COMMANDS

    out = run("import sys; from codefuse_hf.cli import main; sys.argv[1:] = ['--help']; main()")
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_wrong_usage_exits_with_2(arguments):
    from codefuse_hf.cli import main

    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2


def test_the_repository_root_on_the_path_does_not_hide_the_kernels_library():
    """The folder `kernels/` in it has the library's name, and transformers imports the library where it finds it."""
    code = """import sys
sys.path.insert(0, sys.argv[1])
from kernels import get_kernel
import kernels.layer, codefuse_hf.kernels
print([kernels.__spec__.name, kernels.layer.__name__, codefuse_hf.kernels.__doc__[:9]])
folder = sys.argv[1] + "/kernels/"
print(not any(x.__file__.startswith(folder) for x in (kernels, kernels.layer)), codefuse_hf.kernels.__file__ != kernels.__file__)
"""
    assert run(code, str(ROOT)).splitlines() == ["['kernels', 'kernels.layer', 'Operators']", "True True"]
