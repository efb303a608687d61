"""Are the Triton kernels right on a GPU? Operators, known answers and a long generation, on the device.

    python benchmarks/kernel_gpu_checks.py            # on a GPU: a table; JSON into benchmarks/results/, written as it goes on
    compute-sanitizer --tool memcheck python benchmarks/kernel_gpu_checks.py --only operators
    compute-sanitizer --tool racecheck python benchmarks/kernel_gpu_checks.py --only operators
    TRITON_INTERPRET=1 python benchmarks/kernel_gpu_checks.py --smoke      # on a CPU: shows only that everything runs

The interpreter's tests (`tests/kernels/interpreted/`) have many more cases; here are those that a device may answer otherwise: every
dtype, key size and kind of decay, rows cut into segments, packed rows, the model's known answers in float32 and bfloat16. Errors are
relative to the largest value. A check that fails, or raises, is a row of the table, and the exit status is 1.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from codefuse_hf import RodimusForCausalLM
from codefuse_hf.kernels import kernel_dispatch
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention, gated_linear_attention_reference
from codefuse_hf.kernels.gated_norm import gated_norm, gated_norm_reference
from codefuse_hf.kernels.short_convolution import short_convolution_reference
from codefuse_hf.kernels.short_convolution_triton import short_convolution_triton
from codefuse_hf.kernels.tempered_selection import tempered_selection, tempered_selection_reference

RESULTS = Path(__file__).parent / "results"
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "rodimus"
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 2e-2}  # operators, against float64
MODEL_TOLERANCE = 1e-3  # known answers and generation, in float32
TIMES_PLAIN = 1.25  # in bfloat16, whose rounding in plain PyTorch is 2.4e-2 and 3.1e-2 of the largest logit
DECAYS = {
    "typical": lambda shape: -torch.rand(shape) * 0.1,
    "mixed": lambda shape: -(10.0 ** (torch.rand(shape) * 7.9 - 6.0)).clamp(max=80.0),
    "extreme in turn": lambda shape: torch.where(torch.arange(shape[1]) % 2 == 0, -80.0, -1e-6)[:, None].expand(shape),
}
Check = tuple[str, float, Callable[[], float]]  # name, greatest error allowed, what measures the error


def largest_error(actual: Callable, expected: Callable, tensors: dict[str, torch.Tensor], **others) -> float:
    """Of results and gradients, against `expected` in float64 on a CPU. NaN counts as infinite."""

    def run(function, device, dtype):
        leaves = {k: x.detach().to(device, dtype or x.dtype).requires_grad_() for k, x in tensors.items()}
        moved = {k: x.to(device) if isinstance(x, torch.Tensor) else x for k, x in others.items()}
        out = function(**leaves, **moved)
        out = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
        generator = torch.Generator().manual_seed(1)
        weights = [torch.randn(x.shape, generator=generator, dtype=torch.float64) for x in out]
        gradients = torch.autograd.grad(out, [*leaves.values()], [w.to(x) for w, x in zip(weights, out, strict=True)])
        return [x.detach().double().cpu() for x in (*out, *gradients)]

    found, right = run(actual, DEVICE, None), run(expected, "cpu", torch.float64)
    errors = [((a - b).abs().max() / (b.abs().max() + 1e-9)).item() for a, b in zip(found, right, strict=True)]
    return max(x if x == x else float("inf") for x in errors)


def operators(smoke: bool) -> Iterator[Check]:
    """Every kernel of training and prefill against its formula."""
    sizes = [(1, 1, 16, 8), (2, 77, 32, 72), (1, 300, 64, 264), (1, 130, 128, 136), (3, 2100, 64, 512)][
        : 1 if smoke else 5
    ]
    dtypes, decays = [*TOLERANCE][: 1 if smoke else None], [*DECAYS.items()][: 1 if smoke else None]
    for (batch, steps, m, values), dtype, (kind, decay) in itertools.product(sizes, dtypes, decays):
        for packed in (True,) if smoke else (False, True):

            def recurrence(batch=batch, steps=steps, m=m, values=values, dtype=dtype, decay=decay, packed=packed):
                torch.manual_seed(0)
                x = {"q": torch.randn(batch, steps, m), "k": torch.randn(batch, steps, m) * m**-0.5}
                x |= {"v": torch.randn(batch, steps, values).to(dtype), "g": decay((batch, steps, m)).clone()}
                x |= {
                    "initial_state": torch.randn(batch, m, values),
                    "value_gate": torch.randn(batch, steps, values).to(dtype),
                }
                numbers = (torch.arange(steps) // 37).expand(batch, -1).contiguous() if packed else None

                def kernel(**inputs):
                    return gated_linear_attention(**inputs, output_dtype=dtype)

                return largest_error(
                    kernel, gated_linear_attention_reference, x, seq_idx=numbers, output_final_state=True
                )

            name = f"recurrence {[batch, steps, m, values]} {str(dtype)[6:]} {kind}{' packed' if packed else ''}"
            yield name, TOLERANCE[dtype], recurrence
    for dtype, channels in itertools.product(dtypes, (24, 4096, 6144, 8192)[: 1 if smoke else None]):

        def convolution(dtype=dtype, channels=channels):
            x = {"x": torch.randn(2, 301, channels).to(dtype), "weight": torch.randn(channels, 1, 4)}
            x["bias"] = torch.randn(channels)
            return largest_error(short_convolution_triton, short_convolution_reference, x)

        def norm(dtype=dtype, channels=channels):
            x = {name: torch.randn(2, 65, channels).to(dtype) for name in ("out", "residual", "gate")}
            x |= {"residual_weight": torch.randn(channels), "weight": torch.randn(channels).to(dtype)}
            return largest_error(gated_norm, gated_norm_reference, x, eps=1e-5)

        def gates(dtype=dtype):
            x = {name: (torch.randn(2, 65, 128) * 3).to(dtype) for name in ("query_key", "gates")}
            return largest_error(tempered_selection, tempered_selection_reference, x, eps=1e-5)

        for function in (convolution, norm, gates)[: None if channels == 24 else 2]:
            yield f"{function.__name__} {channels} {str(dtype)[6:]}", TOLERANCE[dtype], function


def known_answers(smoke: bool) -> Iterator[Check]:
    """Logits of the published layout's golden cases, in a forward pass and by decoding."""
    rows, steps = (slice(1), 3) if smoke else (slice(None), None)
    for case in ("rodimus_tiny", "rodimus_plus_tiny"):

        @torch.no_grad()
        def forward(case=case, dtype=torch.float32):
            io = load_file(GOLDEN / case / "io.safetensors")
            model = RodimusForCausalLM.from_pretrained(GOLDEN / case, dtype=dtype).eval().to(DEVICE)
            return _relative(model(io["input_ids"][rows].to(DEVICE)).logits, io["logits"][rows])

        def rounding(forward=forward):
            found = forward(dtype=torch.bfloat16)
            enabled, kernel_dispatch._ENABLED = kernel_dispatch._ENABLED, False
            try:
                return found / forward(dtype=torch.bfloat16)
            finally:
                kernel_dispatch._ENABLED = enabled

        yield f"known answers {case}", MODEL_TOLERANCE, forward
        yield f"known answers {case} bfloat16, times the error of plain PyTorch", TIMES_PLAIN, rounding

    @torch.no_grad()
    def decoding():
        folder = GOLDEN / "decode_rodimus"
        weights = (folder / json.loads((folder / "meta.json").read_text())["weights"]).resolve().parent
        model = RodimusForCausalLM.from_pretrained(weights, dtype=torch.float32).eval().to(DEVICE)
        io = load_file(folder / "io.safetensors")
        ids, right = io["input_ids"][rows].to(DEVICE), io["decode_logits"][rows, :steps]
        out, errors = model(ids[:, :20], use_cache=True), []
        for t in range(right.shape[1]):
            out = model(ids[:, 20 + t : 21 + t], past_key_values=out.past_key_values, use_cache=True)
            errors.append(_relative(out.logits[:, 0], right[:, t]))
        return max(errors)

    yield "known answers, decoding", MODEL_TOLERANCE, decoding


def generation(smoke: bool) -> Iterator[Check]:
    """Greedy tokens, each by a decoding step, against those of one pass over the whole text without a cache."""
    tokens = 5 if smoke else 2000
    for case in ("rodimus_tiny", "rodimus_plus_tiny"):

        @torch.no_grad()
        def generate(case=case):
            model = RodimusForCausalLM.from_pretrained(GOLDEN / case, dtype=torch.float32).eval().to(DEVICE)
            prompt = load_file(GOLDEN / case / "io.safetensors")["input_ids"][:1, :8].to(DEVICE)
            options = {"do_sample": False, "max_new_tokens": tokens, "min_new_tokens": tokens, "pad_token_id": 0}
            done = model.generate(prompt, output_logits=True, return_dict_in_generate=True, **options)
            whole = model(done.sequences, use_cache=False).logits[0, prompt.shape[1] - 1 : -1].float()
            return _relative(torch.cat(done.logits).float(), whole)

        yield f"{tokens} generated tokens {case}: logits of each", MODEL_TOLERANCE, generate


def _relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    expected = expected.double().cpu()
    return ((actual.double().cpu() - expected).abs().max() / expected.abs().max()).item()


PARTS = {"operators": operators, "known-answers": known_answers, "generation": generation}
DEVICE = torch.device("cpu")


def main(argv: list[str] | None = None) -> int:
    global DEVICE
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="few cases on a CPU, in Triton's interpreter; no files")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], help="which parts (default: all)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args(argv)
    if not args.smoke:
        DEVICE = torch.accelerator.current_accelerator()
        if DEVICE is None:
            parser.error("no GPU was found: with TRITON_INTERPRET=1 and --smoke everything runs on a CPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows: list[dict[str, Any]] = []
    for name, most, measure in itertools.chain.from_iterable(PARTS[part](args.smoke) for part in args.only):
        row: dict[str, Any] = {"check": name, "at most": most}
        try:
            row["error"] = measure()
            row["passed"] = row["error"] <= most
        except Exception as error:  # a row of the table; the rest goes on
            row |= {"passed": False, "raised": f"{type(error).__name__}: {str(error)[:300]}"}
        print("passed" if row["passed"] else "FAILED", row, flush=True)
        rows.append(row)
        if not args.smoke:
            args.output.mkdir(parents=True, exist_ok=True)
            report = {"device": str(DEVICE), "torch": torch.__version__, "checks": rows}
            (args.output / "kernel_gpu_checks.json").write_text(json.dumps(report, indent=1) + "\n")
    failed = sum(not row["passed"] for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
