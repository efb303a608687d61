"""The two halves of a tensor, whose gradients come to lie side by side without a pass of their own.

The backward pass of `chunk` reads both gradients to write them into one tensor. Here an operator that ends at a half asks for the
memory of that half's gradient (`empty_gradient`), and writes it where it belongs.
"""

import torch

from .kernel_dispatch import use_kernels


def halves(both: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split the last dimension in two, as `both.chunk(2, -1)` does."""
    if not use_kernels(both) or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return both.chunk(2, -1)
    return _Halves.apply(both)


class _Halves(torch.autograd.Function):
    """Its node in the graph holds the memory of both gradients (`room`) and which halves of it were given out (`taken`)."""

    @staticmethod
    def forward(ctx, both):
        ctx.room, ctx.taken = None, set()
        return tuple(x.detach() for x in both.chunk(2, -1))

    @staticmethod
    def backward(ctx, *gradients):
        room, ctx.room = ctx.room, None
        if room is not None and not torch.is_grad_enabled() and all(map(_same_memory, gradients, room.chunk(2, -1))):
            return room
        return torch.cat(
            gradients, -1
        )  # an operator that did not ask, a hook, several places that use a half; second derivatives


def _same_memory(x: torch.Tensor, half: torch.Tensor) -> bool:
    return (x.data_ptr(), x.stride(), x.shape, x.dtype) == (half.data_ptr(), half.stride(), half.shape, half.dtype)


def is_half(x: torch.Tensor) -> bool:
    """Tell whether `x` came from `halves`, with gradients."""
    return getattr(x.grad_fn, "_forward_cls", None) is _Halves


def empty_gradient(x: torch.Tensor) -> torch.Tensor:
    """Give memory for the gradient of `x`, in its shape, to be written in whole: its half of both, if `x` is a half.

    Memory that was given out once is never given out again.
    """
    if not is_half(x):
        return x.new_empty(x.shape)
    node, half = x.grad_fn, x.output_nr
    if node.room is None or half in node.taken:
        node.room, node.taken = x.new_empty((*x.shape[:-1], 2 * x.shape[-1])), set()
    node.taken.add(half)
    return node.room.chunk(2, -1)[half]
