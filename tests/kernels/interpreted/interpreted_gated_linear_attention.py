"""The chunked kernels of gated linear attention against the recurrence in float64, values and gradients."""

import functools
import random

import pytest
import torch

from codefuse_hf.kernels import gated_linear_attention_triton as kernels
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention, gated_linear_attention_reference
from helpers.operators import compare

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 2e-2}
GATES = {
    "typical": lambda shape: -torch.rand(shape) * 0.1,
    "mixed": lambda shape: -(10.0 ** (torch.rand(shape) * 7.9 - 6.0)).clamp(max=80.0),
    "rarely extreme": lambda shape: torch.where(torch.rand(shape) < 0.1, -80.0, -1e-6),
    "extreme in turn": lambda shape: torch.where(torch.arange(shape[1]) % 2 == 0, -80.0, -1e-6)[:, None].expand(shape),
    "none": torch.zeros,
}


def check(
    batch, steps, d_key, d_value, gates="mixed", dtype=torch.float32, state=True, seq_idx=None, final=True, gated=True
):
    x = {
        "q": torch.randn(batch, steps, d_key),
        "k": torch.randn(batch, steps, d_key),
        "v": torch.randn(batch, steps, d_value).to(dtype),
        "g": GATES[gates]((batch, steps, d_key)).clone(),
    }
    if gated:
        both = torch.randn(batch, steps, 2, d_value).to(dtype)  # a step's values and gates lie in one row
        x["v"], x["value_gate"] = both.unbind(2)
    if state:
        x["initial_state"] = torch.randn(batch, d_key, d_value)
    arguments = {"output_final_state": final, "seq_idx": seq_idx}
    actual = functools.partial(gated_linear_attention, output_dtype=dtype)
    compare(actual, gated_linear_attention_reference, x, TOLERANCE[dtype], **arguments)


@pytest.mark.parametrize(
    ("batch", "steps", "d_key", "d_value", "dtype"),
    [
        (1, 1, 16, 8, torch.float32),
        (2, 33, 32, 72, torch.float32),
        (1, 40, 128, 40, torch.float32),
        (1, 70, 64, 72, torch.bfloat16),
        (1, 65, 16, 24, torch.float16),
        (1, 33, 128, 24, torch.bfloat16),
    ],
)
def test_sizes_and_dtypes(launches, batch, steps, d_key, d_value, dtype):
    check(batch, steps, d_key, d_value, dtype=dtype)


@pytest.mark.parametrize("gates", ["typical", "rarely extreme", "extreme in turn", "none"])
def test_decays(launches, gates):
    check(1, 50, 16, 16, gates)


def test_values_without_a_gate(launches):
    check(1, 40, 16, 24, gated=False)


@pytest.mark.parametrize("seed", range(4))
def test_random_shapes(launches, seed):
    choose = random.Random(seed)
    batch, steps, d_value = choose.randint(1, 2), choose.randint(2, 60), 8 * choose.randint(1, 12)
    check(batch, steps, choose.choice([16, 32]), d_value, choose.choice([*GATES]), state=choose.random() < 0.5)


def test_packed_sequences(launches):
    check(2, 75, 16, 24, seq_idx=(torch.arange(75) // torch.tensor([[40], [31]])).long())


def test_states_are_kept_and_found_again_and_segments_joined(launches, monkeypatch):
    """More steps than between two kept states, cut into segments; a device with few rows to work on."""
    monkeypatch.setattr(kernels, "MIN_SEGMENT", 1)
    monkeypatch.setattr(kernels, "processors", lambda device: 8)
    check(1, 290, 16, 72)
    assert sum(launch.kernel == "states_kernel" for launch in launches) == 2


@pytest.mark.parametrize("final", [True, False])
def test_segments_without_a_state_before_them(launches, monkeypatch, final):
    """Also where no gradient comes from behind; the cuts do not fall where states are kept."""
    monkeypatch.setattr(kernels, "MIN_SEGMENT", 1)
    monkeypatch.setattr(kernels, "processors", lambda device: 3)
    check(1, 270, 16, 8, "typical", dtype=torch.bfloat16, state=False, final=final)


def test_no_gradient_keeps_no_states():
    x = [torch.randn(1, 5, 16) for _ in range(4)]
    outputs, _, states = kernels._forward_op(*x, None, None, None, 1.0, False, False, torch.float32)
    assert outputs.shape == (1, 5, 16) and states.numel() == 0


def test_operators_are_registered_as_pytorch_wants():
    x = [torch.randn(1, 3, 16).requires_grad_() for _ in range(3)] + [(-torch.rand(1, 3, 16)).requires_grad_()]
    initial, gate = torch.randn(1, 16, 16).requires_grad_(), torch.randn(1, 3, 16).requires_grad_()
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(
        kernels._forward_op,
        (*x, gate, initial, None, 1.0, True, True, torch.float32),
        test_utils=checks,
        atol=1e-4,
        rtol=1e-4,
    )
