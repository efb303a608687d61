"""fla-core's kernels of gated linear attention, for `kernel_static.py`: run in the interpreter, and compiled for a GPU.

In the interpreter an operator runs with one configuration a kernel; what its kernels were given is what they are compiled for
afterwards, in a process without the interpreter, in several of the configurations among which fla-core's autotuner chooses on a GPU.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any


def _import() -> tuple[Callable, Callable]:
    """`chunk_gla` and `causal_conv1d`, with the block sizes that they take on a GPU with shared memory enough."""
    import fla.utils

    fla.utils.check_shared_mem = lambda *args, **kwargs: True
    from fla.modules.causal_conv1d.ops import causal_conv1d
    from fla.ops.gla.chunk import chunk_gla

    return chunk_gla, causal_conv1d


def operators() -> tuple[Callable, Callable]:
    """The operators, made to run in the interpreter: one configuration a kernel, loop variables as tensors."""
    import numpy as np
    import triton.language as tl
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.interpreter import TensorHandle

    found = _import()

    def as_int(x):
        return int(x.handle.data.item()) if isinstance(x, tl.tensor) else int(x)

    def tensor_range(*bounds):
        for i in range(*map(as_int, bounds)):
            yield tl.tensor(TensorHandle(np.array([i], dtype=np.int32), tl.int32), tl.int32)

    for name, module in list(sys.modules.items()):
        if name.startswith("fla."):
            module.__dict__["range"] = tensor_range
    for x in gc.get_objects():
        if issubclass(type(x), Autotuner):
            x.configs = x.configs[-1:]
    return found


def cases(launches: list[dict[str, Any]], most: int) -> Iterator[tuple[str, Any, dict, dict, int, int]]:
    """What was launched, as `kernel_static.cases` gives ours: each kernel in `most` of its configurations, evenly picked."""
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    _import()
    by_name = {x.__name__: x for x in gc.get_objects() if type(x) is JITFunction and x.__module__.startswith("fla.")}
    choices = {}
    for x in gc.get_objects():
        if isinstance(x, Autotuner):
            choices[x.base_fn.__name__] = x.configs
    for launch in launches:
        name, types, constants = launch["kernel"], launch["types"], launch["constants"]
        configs = choices.get(name, [])
        for config in [
            configs[i] for i in sorted({j * (len(configs) - 1) // (most - 1) for j in range(most)}) if configs
        ]:
            blocks = ", ".join(f"{key} {value}" for key, value in config.kwargs.items())
            title = f"{name} {'keeping states ' if constants.get('STORE_INITIAL_STATE') else ''}{blocks}".strip()
            yield title, by_name[name], types, constants | config.kwargs, config.num_warps, config.num_stages
