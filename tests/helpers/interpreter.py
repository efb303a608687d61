"""Triton's interpreter without two of its costs that show nothing."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch


@contextlib.contextmanager
def cheap_launches() -> Iterator[None]:
    """Run kernels in a third less time.

    The interpreter looks through Triton's whole language again whenever one function of a kernel calls another: once a launch
    is enough. And Python 3.11 keeps frames in blocks of 16 KB, where a loop whose calls cross a border gets and frees a block
    each time; so launches run in a thread, whose frames begin with a block of their own.
    """
    from triton import language
    from triton.runtime import interpreter

    run, patch_language, patched = interpreter.InterpretedFunction.run, interpreter._patch_lang, set()

    def run_in_thread(self, *arguments, **options):
        patched.clear()
        return thread.submit(run, self, *arguments, **options).result()

    def patch_once(function):
        seen = tuple(module in function.__globals__.values() for module in (language, language.core))
        if seen not in patched:
            patched.add(seen)
            return patch_language(function)

    with (
        ThreadPoolExecutor(1) as thread,
        patch.object(interpreter.InterpretedFunction, "run", run_in_thread),
        patch.object(interpreter, "_patch_lang", patch_once),
    ):
        yield
