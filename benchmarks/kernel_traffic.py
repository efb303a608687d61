"""Bytes that Triton kernels read and write, counted by executing their pointer arithmetic.

In Triton's interpreter (`TRITON_INTERPRET=1` before the first import) every load and store has its addresses and its mask as
arrays. `record()` writes them down for each launch:

    with record() as launches:
        operator(...)
    launches[0].kernel, launches[0].issued_read, launches[0].distinct_read, launches[0].outside

*Issued* bytes count every access of every program; what programs share, the caches serve. *Distinct* bytes count each address
once a launch: what has to come from memory, or go there, at least.
"""

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

POINTERS = {
    "bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float64": "fp64", "int32": "i32", "int64": "i64", "bool": "i1",
}  # fmt: skip


@dataclass
class Launch:
    """One launch of a kernel; all sizes in bytes.

    Attributes:
        issued_read, issued_written: over all programs.
        distinct_read, distinct_written: each address once.
        written_addresses: addresses of what was stored, sorted.
        outside: accesses outside of the tensors that the kernel was given.
        products: floating-point operations of matrix products.
        types, constants: arguments by name as a compiler wants them, "*bf16" or "i32", and values known to it.
    """

    kernel: str
    types: dict[str, str] = field(default_factory=dict, repr=False)
    constants: dict[str, Any] = field(default_factory=dict, repr=False)
    extents: list[tuple[int, int]] = field(default_factory=list, repr=False)
    issued_read: int = 0
    issued_written: int = 0
    distinct_read: int = 0
    distinct_written: int = 0
    outside: int = 0
    products: int = 0
    _read: dict[int, list[np.ndarray]] = field(default_factory=dict, repr=False)
    _written: dict[int, list[np.ndarray]] = field(default_factory=dict, repr=False)

    def access(self, pointers: np.ndarray, mask: np.ndarray, size: int, write: bool) -> None:
        addresses = np.asarray(pointers)[np.broadcast_to(np.asarray(mask, dtype=bool), np.shape(pointers))].ravel()
        if write:
            self.issued_written += addresses.size * size
        else:
            self.issued_read += addresses.size * size
        inside = np.zeros(addresses.shape, dtype=bool)
        for start, end in self.extents:
            inside |= (addresses >= start) & (addresses + np.uint64(size) <= end)
        self.outside += int((~inside).sum())
        (self._written if write else self._read).setdefault(size, []).append(np.unique(addresses))

    def close(self) -> None:
        def distinct(parts: dict[int, list[np.ndarray]]) -> int:
            return sum(np.unique(np.concatenate(arrays)).size * size for size, arrays in parts.items())

        self.distinct_read, self.distinct_written = distinct(self._read), distinct(self._written)
        self._read.clear()
        self._written.clear()


def _extents(arguments: Any) -> list[tuple[int, int]]:
    found = []
    for x in arguments:
        if hasattr(x, "data_ptr") and x.numel() > 0:
            last = sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))
            found.append((x.data_ptr(), x.data_ptr() + (last + 1) * x.element_size()))
    return found


def _describe(executor: Any, arguments: tuple, options: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Types of what a kernel is launched with, and the constants among it."""
    given = inspect.getcallargs(
        executor.fn, *arguments, **{k: v for k, v in options.items() if k in executor.arg_names}
    )
    types, constants = {}, {}
    for name, x in given.items():
        if name in executor.constexprs or x is None:
            constants[name] = x
        elif hasattr(x, "data_ptr"):
            types[name] = "*" + POINTERS[str(x.dtype).removeprefix("torch.")]
        else:
            types[name] = "fp32" if isinstance(x, float) else "i32"
    return types, constants


@contextlib.contextmanager
def record() -> Iterator[list[Launch]]:
    """Collects a `Launch` for every kernel that runs in the interpreter meanwhile."""
    from triton.runtime import interpreter

    launches: list[Launch] = []
    open_launches: list[Launch] = []
    builder, executor = interpreter.InterpreterBuilder, interpreter.GridExecutor
    load, store, dot, call = (
        builder.create_masked_load,
        builder.create_masked_store,
        builder.create_dot,
        executor.__call__,
    )

    def size_of(pointers: Any) -> int:
        return max(pointers.get_element_ty().primitive_bitwidth // 8, 1)

    def recorded_load(self, pointers, mask, *rest):
        open_launches[-1].access(pointers.data, mask.data, size_of(pointers), write=False)
        return load(self, pointers, mask, *rest)

    def recorded_store(self, pointers, value, mask, *rest):
        open_launches[-1].access(pointers.data, mask.data, size_of(pointers), write=True)
        return store(self, pointers, value, mask, *rest)

    def recorded_dot(self, a, b, *rest):
        open_launches[-1].products += 2 * a.data.size * b.data.shape[-1]
        return dot(self, a, b, *rest)

    def recorded_call(self, *arguments, **options):
        launch = Launch(self.fn.__name__, *_describe(self, arguments, options))
        launch.extents = _extents([*arguments, *options.values()])
        launches.append(launch)
        open_launches.append(launch)
        try:
            return call(self, *arguments, **options)
        finally:
            open_launches.pop().close()

    builder.create_masked_load, builder.create_masked_store = recorded_load, recorded_store
    builder.create_dot, executor.__call__ = recorded_dot, recorded_call
    try:
        yield launches
    finally:
        builder.create_masked_load, builder.create_masked_store = load, store
        builder.create_dot, executor.__call__ = dot, call
