"""Operators: a plain reference, fast versions and their dispatch, one flat file each.

Installed as `codefuse_hf.kernels`. A process that has the repository's root on `sys.path` finds this folder as `kernels`, too,
which is the name of Hugging Face's library: there it steps aside for the library.
"""


def _step_aside() -> None:
    """Load the library `kernels` into this module, if it is installed anywhere else on `sys.path`."""
    import sys
    from importlib.machinery import PathFinder
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    spec = PathFinder.find_spec("kernels", [path for path in sys.path if Path(path).resolve() != root])
    if spec is not None and spec.loader is not None:
        module = sys.modules["kernels"]
        module.__spec__, module.__file__, module.__path__ = spec, spec.origin, spec.submodule_search_locations
        spec.loader.exec_module(module)


if __name__ == "kernels":
    _step_aside()
