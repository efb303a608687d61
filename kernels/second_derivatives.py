"""Gradients of gradients of operators whose backward pass is written by hand: those of the same formula in plain operators."""

from collections.abc import Callable, Sequence

import torch


def plain_gradients(
    formula: Callable[..., Sequence[torch.Tensor]],
    inputs: Sequence[torch.Tensor | None],
    needed: Sequence[bool],
    d_outputs: Sequence[torch.Tensor],
) -> list[torch.Tensor | None]:
    """Differentiate a formula for the backward pass of a `torch.autograd.Function` that runs under `create_graph`.

    Args:
        formula: takes `inputs` and returns as many outputs as there are `d_outputs`, by operators that PyTorch differentiates.
        inputs: the function's saved inputs.
        needed: which of their gradients are wanted, as in `ctx.needs_input_grad`.
        d_outputs: gradients of the outputs.

    Returns:
        A gradient, with a graph of its own, for each input where it is needed, else None.
    """
    outputs = zip(formula(*inputs), d_outputs, strict=True)
    outputs, gradients = zip(*((y, d) for y, d in outputs if y.requires_grad), strict=True)
    wanted = [x for x, asked in zip(inputs, needed, strict=True) if asked]
    found = iter(torch.autograd.grad(outputs, wanted, gradients, create_graph=True))
    return [next(found) if asked else None for asked in needed]
