"""Kernels on inputs as they come: any strides, few gradients asked for, addresses far apart, transforms and compilers."""

import kernel_traffic
import pytest
import torch

from codefuse_hf.kernels.decoding_step import decoding_step
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention, gated_linear_attention_reference
from codefuse_hf.kernels.gated_norm import gated_norm, gated_norm_reference
from codefuse_hf.kernels.halves import halves
from codefuse_hf.kernels.short_convolution import short_convolution_reference
from codefuse_hf.kernels.short_convolution_triton import short_convolution_branched_triton, short_convolution_triton
from codefuse_hf.kernels.tempered_selection import tempered_selection, tempered_selection_reference
from helpers.kernel_models import IDS, plain_pytorch, tiny

BATCH, STEPS, CHANNELS, M = 2, 19, 24, 16
FAR = 2**31 + 8  # elements; memory that nobody touches takes none


def attention(**inputs):
    return gated_linear_attention(**inputs, output_final_state=True)


def attention_reference(**inputs):
    return gated_linear_attention_reference(**inputs, output_final_state=True)


def without_gradients_of_the_history(function):
    return lambda **inputs: function(inputs["x"], inputs["weight"], inputs["bias"], inputs["history"].detach())


OPERATORS = {
    "attention": (attention, attention_reference, {"q": M, "k": M, "v": CHANNELS, "g": M, "value_gate": CHANNELS}),
    "convolution": (
        without_gradients_of_the_history(short_convolution_triton),
        without_gradients_of_the_history(short_convolution_reference),
        {"x": CHANNELS, "history": CHANNELS},
    ),
    "norm": (
        lambda **x: gated_norm(**x, eps=1e-5),
        lambda **x: gated_norm_reference(**x, eps=1e-5),
        {"out": CHANNELS, "residual": CHANNELS, "gate": CHANNELS},
    ),
    "gates": (
        lambda **x: tempered_selection(**x, eps=1e-6),
        lambda **x: tempered_selection_reference(**x, eps=1e-6),
        {"query_key": 2 * M, "gates": 2 * M},
    ),
}
WEIGHTS = {
    "convolution": {"weight": (CHANNELS, 1, 4), "bias": (CHANNELS,)},
    "norm": {"residual_weight": (CHANNELS,), "weight": (CHANNELS,)},
}
LAYOUTS = {
    "channels first": lambda n: torch.randn(BATCH, n, STEPS).transpose(1, 2),
    "steps first": lambda n: torch.randn(STEPS, BATCH, n).transpose(0, 1),
    "one row for all": lambda n: torch.randn(1, STEPS, n).expand(BATCH, -1, -1),
    "one step for all": lambda n: torch.randn(BATCH, 1, n).expand(-1, STEPS, -1),
    "one channel for all": lambda n: torch.randn(BATCH, STEPS, 1).expand(-1, -1, n),
    "off by one": lambda n: torch.randn(BATCH * STEPS * (n + 3) + 1)[1:].view(BATCH, STEPS, n + 3)[..., 2:-1],
    "every other channel": lambda n: torch.randn(BATCH, STEPS, 2 * n)[..., ::2],
}


def inputs_of(name, layout):
    x = {key: layout(n) for key, n in OPERATORS[name][2].items()}
    if "g" in x:
        x["g"] = -x["g"].abs()
    return x | {key: torch.randn(shape) for key, shape in WEIGHTS.get(name, {}).items()}


def gradients(function, leaves, wanted):
    out = function(**leaves)
    out = out if isinstance(out, tuple) else (out,)
    total = sum((torch.linspace(-1, 1, y.numel()).view(y.shape).to(y) * y).sum() for y in out)
    return [*out, *torch.autograd.grad(total, [leaves[key] for key in wanted])]


def assert_same(name, x, wanted=None):
    actual, expected, _ = OPERATORS[name]
    wanted = [key for key in x if key != "history"] if wanted is None else wanted
    # A view that asks for gradients keeps its strides.
    found = gradients(actual, {k: y.detach().requires_grad_(k in wanted) for k, y in x.items()}, wanted)
    right = gradients(expected, {k: y.detach().double().requires_grad_(k in wanted) for k, y in x.items()}, wanted)
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_any_strides(launches, name, layout):
    assert_same(name, inputs_of(name, LAYOUTS[layout]))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (name, key)
        for name, (_, _, sizes) in OPERATORS.items()
        for key in (*sizes, *WEIGHTS.get(name, ()))
        if key != "history"  # which gets none
    ],
)
def test_gradients_of_one_input_alone(launches, name, wanted):
    assert_same(name, inputs_of(name, LAYOUTS["steps first"]), [wanted])


def test_gradients_from_the_final_state_alone(launches):
    x = inputs_of("attention", LAYOUTS["steps first"])
    found, right = [], []
    for function, dtype, results in (
        (attention, torch.float32, found),
        (attention_reference, torch.float64, right),
    ):
        leaves = {k: y.detach().to(dtype).requires_grad_() for k, y in x.items()}
        results += torch.autograd.grad(function(**leaves)[1].sum(), leaves.values(), materialize_grads=True)
    torch.testing.assert_close(found, [y.float() for y in right], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("numbers", [torch.tensor([0] * 8 + [1] * 11), torch.tensor([0] * 8 + [1] * 11).int()])
def test_numbers_of_packed_sequences_with_any_strides(launches, numbers):
    """One row of numbers for all rows; and numbers in every other place."""
    x = inputs_of("attention", LAYOUTS["steps first"])
    conv = [torch.randn(BATCH, STEPS, CHANNELS), torch.randn(CHANNELS, 1, 4), torch.randn(CHANNELS)]
    for given in (numbers.expand(BATCH, -1), numbers.repeat_interleave(2).expand(BATCH, -1)[:, ::2]):
        actual = gated_linear_attention(**x, seq_idx=given)[0]
        torch.testing.assert_close(actual, gated_linear_attention_reference(**x, seq_idx=given)[0])
        actual = short_convolution_triton(*conv, None, given)
        torch.testing.assert_close(actual, short_convolution_reference(*conv, None, given))


def test_rows_further_apart_than_32_bits_count(launches):
    """Offsets are 64 bits wide, where a row of the batch or a step begins."""
    torch.utils.deterministic.fill_uninitialized_memory = False
    memory = torch.empty(2 * FAR + 4 * CHANNELS, dtype=torch.bfloat16)

    def far(steps, n):
        x = memory.as_strided((2, steps, n), (FAR, FAR // 2 if steps == 2 else n, 1))
        return x.copy_(torch.randn(x.shape))

    with torch.no_grad():
        for steps in (2, 3):
            q, k, g = torch.randn(3, 2, steps, M)
            v = far(steps, CHANNELS)
            arguments = (q, k, v, -g.abs())
            expected = gated_linear_attention_reference(*arguments)[0]
            torch.testing.assert_close(gated_linear_attention(*arguments)[0], expected, rtol=1e-2, atol=1e-2)
            conv = (v, torch.randn(CHANNELS, 1, 4), torch.randn(CHANNELS))
            expected = short_convolution_reference(v.float(), *conv[1:])
            torch.testing.assert_close(short_convolution_triton(*conv).float(), expected, rtol=1e-2, atol=2e-2)
        rows = far(3, CHANNELS)[:, :1]
        norm = (rows, rows, torch.ones(CHANNELS), rows, torch.ones(CHANNELS), 1e-5)
        torch.testing.assert_close(gated_norm(*norm), gated_norm_reference(*norm), rtol=1e-4, atol=1e-4)
        pairs = far(3, 2 * M)[:, :1]
        expected = tempered_selection_reference(pairs, pairs, 1e-6)
        torch.testing.assert_close(tempered_selection(pairs, pairs, 1e-6), expected, rtol=1e-4, atol=1e-4)
        state = torch.randn(2, M, CHANNELS)
        given = (far(3, 2 * M)[:, :1], pairs, far(3, CHANNELS)[:, :1], rows)
        near, copy = [y.clone() for y in given], state.clone()
        torch.testing.assert_close(decoding_step(*given, state, 1e-6), decoding_step(*near, copy, 1e-6))


def test_no_rows_and_no_steps():
    for batch, steps in ((0, 5), (2, 0), (0, 0)):
        x = {
            k: y.new_empty(batch, steps, y.shape[-1]).requires_grad_()
            for k, y in inputs_of("attention", LAYOUTS["steps first"]).items()
        }
        out, state = attention(**x)
        assert out.shape == (batch, steps, CHANNELS) and state.shape == (batch, M, CHANNELS)
        conv = x["v"], torch.randn(CHANNELS, 1, 4, requires_grad=True), torch.randn(CHANNELS, requires_grad=True)
        s = short_convolution_triton(*conv)
        pair = x["v"].new_empty(batch, steps, 2 * M)
        gates = tempered_selection(pair, pair, 1e-6)
        norm = gated_norm(s, s, conv[2], s, conv[2], 1e-5)
        assert s.shape == norm.shape == out.shape and gates[0].shape == (batch, steps, M)
        for gradient in torch.autograd.grad(s.sum() + norm.sum(), conv):
            assert not gradient.any()


@pytest.mark.parametrize("name", OPERATORS)
def test_second_derivatives_are_refused(name):
    x = {k: y.detach().requires_grad_(k != "history") for k, y in inputs_of(name, LAYOUTS["steps first"]).items()}
    out = OPERATORS[name][0](**x)
    loss = sum(y.square().sum() for y in (out if isinstance(out, tuple) else (out,)))
    leaves = [y for y in x.values() if y.requires_grad]
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    with pytest.raises(RuntimeError, match=r"_backward_triton\.default but no autograd formula"):
        torch.autograd.grad(sum(y.square().sum() for y in first), leaves)


def test_second_derivatives_are_refused_where_gradients_are_written_side_by_side():
    s, gate = halves(torch.randn(1, 3, 2 * CHANNELS, requires_grad=True) * 1)
    out = gated_norm(s, s, torch.ones(CHANNELS), gate, torch.ones(CHANNELS), 1e-5)
    (first,) = torch.autograd.grad(out.square().sum(), gate, create_graph=True)
    with pytest.raises(RuntimeError, match=r"_backward_triton\.default but no autograd formula"):
        torch.autograd.grad(first.square().sum(), gate)
    x = torch.randn(1, 3, 8, requires_grad=True)
    s, *_ = short_convolution_branched_triton(x, torch.ones(8, 1, 4), torch.ones(8), None, None)
    (first,) = torch.autograd.grad(s.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"_backward_triton\.default but no autograd formula"):
        torch.autograd.grad(first.square().sum(), x)


def test_the_same_inputs_give_the_same_bits(launches, monkeypatch):
    """No sum depends on the order in which programs run: forwards, then from the last to the first."""
    from triton.runtime.interpreter import InterpreterBuilder

    model, place, found = tiny(), InterpreterBuilder.set_grid_idx, []

    def from_the_last(self, *index):
        place(self, *(n - 1 - i for n, i in zip(self.grid_dim, index, strict=True)))

    for order in (place, from_the_last):
        monkeypatch.setattr(InterpreterBuilder, "set_grid_idx", order)
        model.zero_grad()
        model(IDS, labels=IDS).loss.backward()
        found.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_one_compiled_graph_serves_every_length_and_batch():
    model, graphs = tiny(), []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(
        lambda ids: model(ids, use_cache=False).logits, backend=backend, dynamic=True, fullgraph=True
    )
    for rows, steps in ((2, 9), (3, 21), (2, 40)):  # of 40 steps are two chunks
        ids = torch.arange(rows * steps).reshape(rows, steps) % 47
        with kernel_traffic.record() as launches:
            actual = compiled(ids)
        with plain_pytorch():
            expected = model(ids, use_cache=False).logits
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
        assert launches
    assert len(graphs) == 1


def test_a_function_over_a_batch():
    """PyTorch calls the operator for each; it says itself that this is slow."""
    x = inputs_of("gates", LAYOUTS["steps first"])
    actual = torch.vmap(lambda a, b: tempered_selection(a, b, 1e-6)[1])(x["query_key"], x["gates"])
    torch.testing.assert_close(actual, tempered_selection(**x, eps=1e-6)[1])


@pytest.mark.parametrize("name", OPERATORS)
def test_gradients_by_a_transform(name):
    """The operators take PyTorch then; a kernel by itself is refused, as PyTorch refuses every custom operator with a backward pass."""
    x = inputs_of(name, LAYOUTS["steps first"])
    first = next(iter(x))

    def gradient(operator):
        def loss(y):
            out = operator(**x | {first: y})
            return (out[0] if isinstance(out, tuple) else out).square().sum()

        return torch.func.grad(loss)(x[first])

    actual, expected, _ = OPERATORS[name]
    if name == "convolution":
        with pytest.raises(RuntimeError, match="setup_context"):
            gradient(actual)
    else:
        torch.testing.assert_close(gradient(actual), gradient(expected), rtol=1e-4, atol=1e-4)
