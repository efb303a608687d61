"""A tiny Rodimus and the comparison of its kernels, in Triton's interpreter, with plain PyTorch."""

import contextlib

import kernel_traffic
import torch

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from codefuse_hf.kernels import kernel_dispatch

IDS = torch.arange(2 * 21).reshape(2, 21) % 47


@contextlib.contextmanager
def plain_pytorch():
    """As where there is no Triton."""
    kernel_dispatch._ENABLED = False
    try:
        yield
    finally:
        kernel_dispatch._ENABLED = True


def tiny(block_type: str = "rodimus", n_layer: int = 1, **kwargs) -> RodimusForCausalLM:
    torch.manual_seed(0)
    config = RodimusConfig(
        block_type=block_type,
        vocab_size=47,
        d_model=32,
        n_layer=n_layer,
        mixer_cfg={"expand_ratio": 1.5, "mem_size": 16, "input_gate_low_rank": 4},
        attn_cfg={"num_heads": 2, "num_heads_k": 1, "num_heads_v": 2, "window_size": 8},
        **kwargs,
    )
    model = RodimusForCausalLM(config).eval()
    for parameter in model.parameters():  # gates that do something
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def both(function):
    """What `function` returns through the kernels and in plain PyTorch."""
    with kernel_traffic.record() as launches:
        actual = function()
    assert launches
    with plain_pytorch(), kernel_traffic.record() as launches:
        expected = function()
    assert not launches
    return actual, expected


def assert_same(function, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(*both(function), rtol=tolerance, atol=tolerance)


def loss_and_gradients(model, **inputs):
    model.zero_grad()
    loss = model(labels=inputs["input_ids"], **inputs).loss
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
