"""Gates and norms without gradients, which take fewer operations, equal those with gradients and the formulas."""

import math

import pytest
import torch
from torch.nn import functional as F

from codefuse_hf.kernels.gated_norm import gated_norm, gated_norm_reference, rms_norm
from codefuse_hf.kernels.tempered_selection import tempered_selection, tempered_selection_reference


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_selection_without_gradients(dtype):
    torch.manual_seed(0)
    query_key, gates = torch.randn(2, 7, 16, dtype=dtype), 3 * torch.randn(2, 7, 16, dtype=dtype)
    # Selections that are nothing and temperatures that would hide it, and the other way round.
    gates[0, 0, :4], gates[0, 0, 8:12] = torch.tensor([-100.0, -59.0, -61.0, 40.0], dtype=dtype), -8
    query_key[0, 1] = 0
    with torch.no_grad():
        got = tempered_selection(query_key, gates, 1e-5)
    torch.testing.assert_close(got, tempered_selection(query_key, gates.clone().requires_grad_(), 1e-5))
    torch.testing.assert_close(got, tempered_selection_reference(query_key, gates, 1e-5))


@pytest.mark.parametrize("weight_dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_norms_without_gradients(weight_dtype):
    torch.manual_seed(0)
    wide = torch.float64 if weight_dtype == torch.float64 else torch.float32
    out, residual, gate = (torch.randn(2, 5, 12, dtype=wide) for _ in range(3))
    out[0, 0], residual[0, 0] = 0, 0
    residual_weight, weight = torch.randn(12, dtype=wide), torch.randn(12).to(weight_dtype)
    before = out.clone()
    with torch.no_grad():
        gated, plain = gated_norm(out, residual, residual_weight, gate, weight, 1e-5), rms_norm(out, weight, 1e-5)
    assert gated.dtype == plain.dtype == weight_dtype and torch.equal(out, before)
    torch.testing.assert_close(gated, gated_norm_reference(out, residual, residual_weight, gate, weight, 1e-5))
    torch.testing.assert_close(plain, F.rms_norm(out, (12,), weight.to(wide), 1e-5).to(weight_dtype))


@pytest.mark.parametrize("weight_dtype", [torch.float32, torch.bfloat16])
def test_long_inputs_without_gradients(weight_dtype):
    """They are gone through block by block, of which the last is a smaller one."""
    torch.manual_seed(0)
    out, residual = (torch.randn(2, 700, 200) for _ in range(2))
    gate = torch.randn(2, 700, 400).chunk(2, -1)[1]
    weights = torch.randn(200), torch.randn(200).to(weight_dtype)
    expected = gated_norm_reference(out, residual, weights[0], gate, weights[1], 1e-5)
    before = out.clone()
    with torch.no_grad():
        torch.testing.assert_close(gated_norm(out, residual, weights[0], gate, weights[1], 1e-5), expected)
    assert torch.equal(out, before)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("norm", [gated_norm, gated_norm_reference])
def test_norms_are_computed_in_float64_or_else_in_float32(norm, gradients):
    torch.manual_seed(0)
    out, residual, gate = (torch.randn(2, 5, 12, dtype=torch.float64) for _ in range(3))
    residual_weight, weight = torch.randn(12, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    gated = (out + residual_weight * residual) * gate / (1 + torch.exp(-gate))
    with torch.set_grad_enabled(gradients):
        for got, x in (
            (norm(out, residual, residual_weight, gate, weight, 1e-5), gated),
            (rms_norm(out, weight, 1e-5), out),
        ):
            exact = x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight
            torch.testing.assert_close(got, exact, rtol=1e-12, atol=1e-12)
        half = [x.bfloat16() for x in (out, residual, residual_weight, gate)]
        wide, weight = [x.float() for x in half], weight.float()
        assert torch.equal(norm(*half, weight, 1e-5), norm(*wide, weight, 1e-5))
        assert torch.equal(rms_norm(half[0], weight, 1e-5), rms_norm(wide[0], weight, 1e-5))


@pytest.mark.parametrize("scale", [1.0, 1e-4, 0.0, math.inf])
@torch.no_grad()
def test_a_single_row_without_gradients(scale):
    x, weight = torch.randn(1, 1, 12).mul(scale), torch.randn(12)
    torch.testing.assert_close(rms_norm(x, weight, 1e-5), F.rms_norm(x, (12,), weight, 1e-5), equal_nan=True)
    assert rms_norm(torch.zeros(1, 12), weight, 0.0).isnan().all()


@pytest.mark.filterwarnings("ignore")  # PyTorch gives up its own tracer
@torch.no_grad()
def test_a_trace_of_a_single_row_keeps_no_number():
    weight = torch.randn(12)
    traced = torch.jit.trace(lambda x: rms_norm(x, weight, 1e-5), torch.randn(1, 12))
    x = 5 * torch.randn(1, 12)
    torch.testing.assert_close(traced(x), rms_norm(x, weight, 1e-5))
