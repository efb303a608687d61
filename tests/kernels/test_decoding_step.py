"""A few decoding steps in PyTorch equal the formulas of gates and recurrence, in float64, and leave the state where it is."""

import pytest
import torch

from codefuse_hf.kernels.decoding_step import decoding_step
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_reference
from codefuse_hf.kernels.tempered_selection import tempered_selection_reference


def formula(query_key, gates, channel_gate, x, state):
    query, key, log_decay = tempered_selection_reference(query_key, gates, 1e-6)
    value = torch.sigmoid(channel_gate) * x
    return gated_linear_attention_reference(query, key, value, log_decay, initial_state=state, output_final_state=True)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-5), (torch.float64, 1e-12)]
)
@torch.no_grad()
def test_steps_are_those_of_the_formula(steps, dtype, tolerance):
    torch.manual_seed(steps)
    query_key, gates = torch.randn(2, 3, steps, 16).to(dtype)
    channel_gate, x = torch.randn(2, 3, steps, 10).to(dtype)
    state = torch.randn(3, 8, 10, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    inputs = (query_key, gates, channel_gate, x)
    expected, final = formula(*(tensor.double() for tensor in inputs), state.double())
    address = state.data_ptr()
    found = decoding_step(*inputs, state, 1e-6)
    assert found.dtype == state.dtype and state.data_ptr() == address
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(state.double(), final, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("steps", [1, 2])
@torch.no_grad()
def test_autocast_changes_nothing(steps):
    torch.manual_seed(0)
    query_key, gates = torch.randn(2, 3, steps, 16)
    channel_gate, x = torch.randn(2, 3, steps, 10)
    state = torch.randn(3, 8, 10)
    states = [state.clone(), state.clone()]
    expected = decoding_step(query_key, gates, channel_gate, x, states[0], 1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        found = decoding_step(query_key, gates, channel_gate, x, states[1], 1e-6)
    assert torch.equal(found, expected) and torch.equal(*states)
