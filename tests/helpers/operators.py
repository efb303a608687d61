"""Comparing operators: results and gradients of one implementation against another in float64."""

from collections.abc import Callable

import torch


def results_and_gradients(function: Callable, tensors: dict[str, torch.Tensor], **kwargs) -> dict[str, torch.Tensor]:
    """What `function(**tensors, **kwargs)` returns, and the gradients of `tensors` for random gradients of that."""
    leaves = {name: x.detach().clone().requires_grad_() for name, x in tensors.items()}
    out = function(**leaves, **kwargs)
    out = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
    generator = torch.Generator().manual_seed(1)
    d_out = [torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype) for x in out]
    gradients = torch.autograd.grad(out, list(leaves.values()), d_out)
    return {f"result {i}": x.detach() for i, x in enumerate(out)} | dict(zip(leaves, gradients, strict=True))


def compare(actual: Callable, expected: Callable, tensors: dict[str, torch.Tensor], tolerance: float, **kwargs) -> None:
    """Asserts that results and gradients agree, relative to the largest value of each; `expected` runs in float64."""
    found = results_and_gradients(actual, tensors, **kwargs)
    right = results_and_gradients(expected, {name: x.double() for name, x in tensors.items()}, **kwargs)
    assert found.keys() == right.keys()
    for name, x in found.items():
        assert x.shape == right[name].shape, name
        assert torch.isfinite(x).all(), name
        error, largest = (x.double() - right[name]).abs().max(), right[name].abs().max()
        assert error <= tolerance * largest + 1e-9, f"{name}: {error:.2e} of {largest:.2e}"
