"""The gated linear attention operator against its formula in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codefuse_hf.kernels.gated_linear_attention import (
    gated_linear_attention,
    gated_linear_attention_chunk,
    gated_linear_attention_reference,
    gated_linear_attention_step,
)

# Of the largest value of each result, float32 against a float64 recurrence.
RELATIVE_TOLERANCE = 1e-4

GATES = {
    "typical": lambda shape: -torch.rand(shape) * 0.1,
    "weak": lambda shape: torch.full(shape, -1e-6),
    "none": lambda shape: torch.zeros(shape),
    "extreme": lambda shape: torch.full(shape, -80.0),
    "mixed": lambda shape: -(10.0 ** (torch.rand(shape) * 7.9 - 6.0)).clamp(max=80.0),
    "rarely extreme": lambda shape: torch.where(torch.rand(shape) < 0.1, -80.0, -1e-6),
    "extreme in turn": lambda shape: torch.where(torch.arange(shape[1]) % 2 == 0, -80.0, -1e-6)[:, None].expand(shape),
}


def inputs(gates: str, batch=2, steps=150, d_key=6, d_value=10, seed=0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {
        "q": torch.randn(batch, steps, d_key),
        "k": torch.randn(batch, steps, d_key),
        "v": torch.randn(batch, steps, d_value),
        "g": GATES[gates]((batch, steps, d_key)).clone(),
        "initial_state": torch.randn(batch, d_key, d_value),
    }


def assert_close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = RELATIVE_TOLERANCE) -> None:
    assert actual.shape == expected.shape
    assert torch.isfinite(actual).all()
    error = (actual.double() - expected.double()).abs().max()
    assert error <= tolerance * expected.abs().max().clamp(min=1e-6)


def run(function, tensors: dict[str, torch.Tensor], dtype: torch.dtype, **kwargs):
    """Output, final state and the gradients of all inputs, for fixed random gradients of the two results."""
    leaves = {name: x.to(dtype).detach().requires_grad_() for name, x in tensors.items()}
    output, state = function(**leaves, output_final_state=True, **kwargs)
    generator = torch.Generator().manual_seed(1)
    d_output = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(dtype)
    d_state = torch.randn(state.shape, generator=generator, dtype=torch.float64).to(dtype)
    gradients = torch.autograd.grad([output, state], list(leaves.values()), [d_output, d_state])
    return {"output": output.detach(), "state": state.detach()} | dict(zip(leaves, gradients, strict=True))


def test_reference_is_the_recurrence():
    x = {name: tensor.double() for name, tensor in inputs("typical", batch=1, steps=3, d_key=2, d_value=2).items()}
    state = x["initial_state"][0]
    for t in range(3):
        q, k, v, g = (x[name][0, t] for name in "qkvg")
        state = torch.diag(g.exp()) @ state + torch.outer(k, v)
        expected = state.T @ (q * 2**-0.5)
        output, final = gated_linear_attention_reference(**x, output_final_state=True)
        torch.testing.assert_close(output[0, t], expected)
    torch.testing.assert_close(final[0], state)


@pytest.mark.parametrize("gates", GATES)
def test_reference_in_float32_equals_float64(gates):
    x = inputs(gates)
    actual = gated_linear_attention_reference(**x)[0]
    assert_close(actual, gated_linear_attention_reference(**{name: t.double() for name, t in x.items()})[0])


@pytest.mark.parametrize("gates", GATES)
def test_chunk_equals_float64_reference(gates):
    x = inputs(gates)
    actual = run(gated_linear_attention_chunk, x, torch.float32)
    expected = run(gated_linear_attention_reference, x, torch.float64)
    for name in expected:
        assert_close(actual[name], expected[name])


def test_chunk_passes_gradcheck():
    x = {
        name: tensor.double().requires_grad_()
        for name, tensor in inputs("typical", 1, steps=7, d_key=3, d_value=2).items()
    }
    seq_idx = torch.tensor([[0, 0, 0, 1, 1, 2, 2]])

    def function(*leaves):
        arguments = dict(zip(x, leaves, strict=True))
        return gated_linear_attention_chunk(**arguments, output_final_state=True, seq_idx=seq_idx, chunk_size=4)

    assert torch.autograd.gradcheck(function, tuple(x.values()))


@settings(derandomize=True)
@given(
    steps=st.integers(1, 70),
    d_key=st.integers(1, 9),
    d_value=st.integers(1, 9),
    chunk_size=st.sampled_from([1, 2, 8, 64]),
    gates=st.lists(st.floats(-80, 0, width=32), min_size=1, max_size=12),
    has_state=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_chunk_equals_reference_for_any_shape_and_gates(steps, d_key, d_value, chunk_size, gates, has_state, seed):
    x = inputs("none", 2, steps, d_key, d_value, seed)
    x["g"] = torch.tensor(gates)[torch.randint(len(gates), x["g"].shape)]
    if not has_state:
        del x["initial_state"]
    actual = run(gated_linear_attention_chunk, x, torch.float32, chunk_size=chunk_size)
    expected = run(gated_linear_attention_reference, x, torch.float64)
    for name in expected:
        assert_close(actual[name], expected[name])


@pytest.mark.parametrize("gates", ["typical", "mixed"])
def test_packed_sequences_do_not_leak(gates):
    x = inputs(gates)
    seq_idx = torch.tensor([[0] * 5 + [1] * 59 + [2] * 1 + [3] * 70 + [4] * 15, [0] * 128 + [1] * 22])
    actual = run(gated_linear_attention_chunk, x, torch.float32, seq_idx=seq_idx)
    for row in range(2):
        for number in range(int(seq_idx[row].max()) + 1):
            steps = (seq_idx[row] == number).nonzero()[:, 0]
            alone = {name: x[name][row : row + 1, steps].double() for name in "qkvg"}
            if number == 0:
                alone["initial_state"] = x["initial_state"][row : row + 1].double()
            output, state = gated_linear_attention_reference(**alone, output_final_state=True)
            assert_close(actual["output"][row, steps], output[0])
        assert_close(actual["state"][row], state[0])


@pytest.mark.parametrize("gates", ["typical", "mixed"])
def test_gradients_of_packed_sequences_equal_reference(gates):
    x = inputs(gates)
    seq_idx = (torch.arange(150) // torch.tensor([[40], [63]])).long()
    actual = run(gated_linear_attention_chunk, x, torch.float32, seq_idx=seq_idx)
    expected = run(gated_linear_attention_reference, x, torch.float64, seq_idx=seq_idx)
    for name in expected:
        assert_close(actual[name], expected[name])


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_gated_values(dtype, gradients):
    x = inputs("mixed")
    gate = torch.randn(x["v"].shape)
    exact = {name: tensor.double() for name, tensor in x.items()} | {"v": x["v"].to(dtype).double()}
    expected = gated_linear_attention_reference(**exact, value_gate=gate.to(dtype).double(), output_final_state=True)
    with torch.set_grad_enabled(gradients):
        found = gated_linear_attention(
            **x | {"v": x["v"].to(dtype)}, value_gate=gate.to(dtype), output_final_state=True
        )
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert_close(a, b)


@pytest.mark.parametrize("gates", ["typical", "mixed", "extreme"])
def test_steps_equal_reference(gates):
    x = inputs(gates, steps=20)
    expected, final = gated_linear_attention_reference(**{n: t.double() for n, t in x.items()}, output_final_state=True)
    state = x["initial_state"].clone()
    for t in range(20):
        output = gated_linear_attention_step(*(x[name][:, t : t + 1] for name in "qkvg"), state)
        assert_close(output, expected[:, t : t + 1])
    assert_close(state, final)


def test_compiled_equals_eager():
    x = inputs("mixed")
    compiled = torch.compile(gated_linear_attention, backend="eager", fullgraph=True)
    for actual, expected in zip(
        compiled(**x, output_final_state=True), gated_linear_attention(**x, output_final_state=True), strict=True
    ):
        assert_close(actual, expected)


@pytest.mark.parametrize("cut", [1, 63, 64, 65, 149])
def test_two_segments_equal_one(cut):
    x = inputs("typical")
    whole, final = gated_linear_attention(**x, output_final_state=True)
    first = {name: x[name][:, :cut] for name in "qkvg"}
    second = {name: x[name][:, cut:] for name in "qkvg"}
    head, state = gated_linear_attention(**first, initial_state=x["initial_state"], output_final_state=True)
    tail, state = gated_linear_attention(**second, initial_state=state, output_final_state=True)
    assert_close(torch.cat([head, tail], 1), whole)
    assert_close(state, final)


def test_initial_state_is_not_changed():
    x = inputs("typical")
    before = x["initial_state"].clone()
    gated_linear_attention(**x, output_final_state=True)
    assert torch.equal(x["initial_state"], before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(dtype):
    x = {name: tensor.to(dtype) for name, tensor in inputs("typical").items()}
    output, state = gated_linear_attention(**x, output_final_state=True)
    assert output.dtype == state.dtype == torch.float32
    assert_close(output, gated_linear_attention_reference(**{name: t.double() for name, t in x.items()})[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_step_of_half_precision_is_computed_in_the_precision_of_the_state(dtype):
    x = inputs("typical", steps=1)
    state = x.pop("initial_state")
    x = {name: tensor.to(dtype) for name, tensor in x.items()}
    doubled = {name: tensor.double() for name, tensor in x.items()}
    expected, final = gated_linear_attention_reference(
        **doubled, initial_state=state.double(), scale=2.0, output_final_state=True
    )
    output = gated_linear_attention_step(*(x[name] for name in "qkvg"), state, scale=2.0)
    assert output.dtype == state.dtype == torch.float32
    assert_close(output, expected)
    assert_close(state, final)


def test_gradients_of_half_precision_inputs_have_their_dtype():
    x = {name: tensor.bfloat16() for name, tensor in inputs("typical").items()}
    found, expected = (
        run(gated_linear_attention, x, torch.bfloat16),
        run(gated_linear_attention_reference, x, torch.float64),
    )
    for name in x:
        assert found[name].dtype == torch.bfloat16
        assert_close(found[name], expected[name], 0.01)


@pytest.mark.parametrize("function", [gated_linear_attention_chunk, gated_linear_attention])
def test_autocast_changes_nothing(function):
    x = inputs("mixed")
    expected = run(function, x, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):  # the backward pass too, though it should be left outside
        actual = run(function, x, torch.float32)
    for name in expected:
        assert torch.equal(actual[name], expected[name])


def test_autocast_does_not_change_steps():
    x, results = inputs("typical"), []
    for enabled in (False, True):
        state = x["initial_state"].clone()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            results.append((gated_linear_attention_step(*(x[name][:, :1] for name in "qkvg"), state), state))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_empty_sequence_returns_the_initial_state():
    x = inputs("typical", steps=0)
    output, state = gated_linear_attention(**x, output_final_state=True)
    assert output.shape == (2, 0, 10)
    assert torch.equal(state, x["initial_state"])


def test_scale():
    x = inputs("typical")
    doubled = gated_linear_attention(**x, scale=2.0)[0]
    torch.testing.assert_close(doubled, 2 * gated_linear_attention(**x, scale=1.0)[0], rtol=1e-5, atol=1e-5)


def test_no_state_is_returned_unless_asked_for():
    assert gated_linear_attention(**inputs("typical"))[1] is None


def saved_for_backward(steps: int) -> int:
    """Bytes that autograd keeps between the forward and the backward pass."""
    storages = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = {name: tensor.requires_grad_() for name, tensor in inputs("typical", 1, steps, 8, 16).items()}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = gated_linear_attention_chunk(**x)[0]
    output.sum().backward()
    return sum(storages.values())


def peak_memory(steps: int) -> int:
    """Largest number of bytes allocated at any time of a forward and a backward pass, by torch's profiler."""
    x = {name: tensor.requires_grad_() for name, tensor in inputs("typical", 1, steps, 8, 16).items()}
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        gated_linear_attention_chunk(**x)[0].sum().backward()
    allocated = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            allocated += event.nbytes()
            peak = max(peak, allocated)
    return peak


@pytest.mark.parametrize("measure", [saved_for_backward, peak_memory])
def test_memory_is_linear_in_the_sequence_length(measure):
    short, long = measure(512), measure(4096)
    assert short > 0
    assert long <= 8.5 * short


def test_outputs_in_the_wanted_precision():
    x = inputs("typical")
    output, state = gated_linear_attention(**x, output_dtype=torch.bfloat16, output_final_state=True)
    assert output.dtype == torch.bfloat16 and state.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("q", (2, 150, 7), "q .2, 150, 7"),
        ("k", (2, 149, 6), "k .2, 149, 6"),
        ("g", (2, 150, 1), "g .2, 150, 1"),
        ("v", (1, 150, 10), "v .1, 150, 10"),
        ("v", (2, 150, 10, 1), "d_value"),
        ("initial_state", (2, 10, 6), r"initial_state must have shape \(2, 6, 10\)"),
        ("seq_idx", (2, 149), r"seq_idx must have shape \(2, 150\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, shape, message):
    x = inputs("typical") | {name: torch.zeros(shape)}
    with pytest.raises(ValueError, match=message):
        gated_linear_attention(**x)


@pytest.mark.parametrize("chunk_size", [0, -1, 48])
def test_chunk_size_must_be_a_power_of_two(chunk_size):
    with pytest.raises(ValueError, match="power of two"):
        gated_linear_attention_chunk(**inputs("typical"), chunk_size=chunk_size)


# ---- traced: torch.compile and torch.export


class Operator(torch.nn.Module):
    def forward(self, q, k, v, g, state, seq_idx=None):
        return gated_linear_attention(q, k, v, g, initial_state=state, output_final_state=True, seq_idx=seq_idx)


def traced_inputs(steps: int, extreme: bool = False) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(steps)
    q, k, v, g = (torch.randn(2, steps, n, generator=generator) for n in (8, 8, 12, 8))
    g = -torch.exp(6 * g) if extreme else -g.abs()
    return q, k, v, g, torch.randn(2, 8, 12, generator=generator)


def test_exported_operator_serves_every_length():
    length = {1: torch.export.Dim.AUTO}
    seq_idx = torch.arange(150).expand(2, -1) // 40
    for packed in (False, True):
        inputs = (*traced_inputs(150), *([seq_idx] if packed else []))
        shapes = (*[length] * 4, None, *([length] if packed else []))
        exported = torch.export.export(Operator(), inputs, dynamic_shapes=shapes).module()
        for steps, extreme in ((1, False), (5, True), (64, False), (65, True), (200, True), (200, False)):
            inputs = traced_inputs(steps, extreme)
            numbers = torch.arange(steps).expand(2, -1) // 23 if packed else None
            expected = gated_linear_attention_reference(
                *inputs[:4], initial_state=inputs[4], output_final_state=True, seq_idx=numbers
            )
            actual = exported(*inputs, *([numbers] if packed else []))
            torch.testing.assert_close(actual, expected, atol=2e-5, rtol=0)


def test_compiled_operator_has_one_graph_for_every_length():
    graphs = []

    def backend(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    step = torch.compile(Operator(), dynamic=True, fullgraph=True, backend=backend)
    for steps in (5, 64, 129, 200):
        gradients = []
        for function in (step, Operator()):
            inputs = [x.requires_grad_() for x in traced_inputs(steps, extreme=True)]
            output, state = function(*inputs)
            gradients.append([output, state, *torch.autograd.grad(output.sum() + state.square().sum(), inputs)])
        torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-6)
    assert len(graphs) == 1


def test_operator_for_the_compiler_is_sound():
    q, k, v, g, state = (x.requires_grad_() for x in traced_inputs(70))
    seq_idx = torch.arange(70).expand(2, -1) // 20
    gate = v.detach().flip(1).requires_grad_()
    for value_gate, *arguments in ((gate, state, seq_idx, True), (None, None, None, True), (gate, None, None, False)):
        inputs = (q, k, v, g, value_gate, 0.3, *arguments)
        options = {} if arguments[-1] else {"test_utils": ("test_schema", "test_faketensor")}
        torch.library.opcheck(torch.ops.codefuse_hf.gated_linear_attention, inputs, **options)
