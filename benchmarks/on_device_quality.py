"""What weights in 8 and 4 bits cost in quality, over a text of 16k tokens: does a recurrence add up its errors?

    codefuse-hf quickstart --output my-rodimus
    python benchmarks/on_device_quality.py my-rodimus

Reads the same text with the trained model in float32 (PyTorch) and with its quantised forms in each engine, one memory from the
first token to the last, and compares bits per byte and the most probable token, also by position. Results go to
`benchmarks/results/on_device_quality.{json,md,png}`.
"""

import argparse
import copy
import itertools
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from codefuse_hf.export.exported_model import ExportedCausalLM
from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.quantizing import make_quantizer, quantize_torch
from codefuse_hf.files import readable_size
from codefuse_hf.quickstart.corpus import read_corpus

RESULTS = Path(__file__).parent / "results"
ENGINES = ("onnx-int8", "onnx-int4", "openvino-int8", "openvino-int4", "torch-int8", "torch-int4")
# Bits per byte may rise by so much.
LIMITS = {"int8": 0.005, "int4": 0.03}
SEGMENT = 256


def read_text(tokenizer, paths: list[str] | None, tokens: int, texts: int) -> list[torch.Tensor]:
    """`texts` pieces of `tokens` tokens each, out of files in random order."""
    corpus, pieces, ids = read_corpus(paths, seed=1).texts, [], []
    for text in corpus:
        ids += tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) >= tokens:
            pieces.append(torch.tensor([ids[:tokens]]))
            ids = []
        if len(pieces) == texts:
            return pieces
    raise ValueError(f"the text has fewer than {texts} × {tokens} tokens: name more files with --corpus")


@torch.inference_mode()
def read(model, ids: torch.Tensor, label: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Nats of each token but the first, and the most probable token in its place."""
    memory = None if isinstance(model, ExportedCausalLM) else DynamicCache(config=model.config)
    nats, best = [], []
    for start in tqdm(range(0, ids.shape[1] - 1, SEGMENT), desc=label, leave=False):
        stop = min(start + SEGMENT, ids.shape[1] - 1)
        out = model(ids[:, start:stop], past_key_values=memory, use_cache=True)
        memory, logits = out.past_key_values, out.logits[0].float()
        nats.append(torch.nn.functional.cross_entropy(logits, ids[0, start + 1 : stop + 1], reduction="none"))
        best.append(logits.argmax(-1))
    return torch.cat(nats), torch.cat(best)


def quantised(model, engine: str, folder: Path) -> tuple[Any, int]:
    """The model in an engine, and the bytes of its weights on the disk (in memory for PyTorch)."""
    form, _, scheme = engine.partition("-")
    if form == "torch":
        quantised = quantize_torch(copy.deepcopy(model), scheme)
        return quantised, sum(_bytes(p) for p in quantised.parameters())
    export_causal_lm(model, form, quantizer=make_quantizer(model, form, scheme)).save_pretrained(folder)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.suffix not in (".json", ".md"))
    return ExportedCausalLM.from_pretrained(folder, threads=1), size


def _bytes(weight: torch.Tensor) -> int:
    parts = [x for x in vars(weight).values() if isinstance(x, torch.Tensor)]
    return sum(x.nbytes for x in parts) if parts else weight.nbytes


def run(args: argparse.Namespace) -> dict[str, Any]:
    """All comparisons; the report as it goes to JSON."""
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    texts = read_text(tokenizer, args.corpus, args.tokens, args.texts)
    size = sum(len(tokenizer.decode(ids[0, 1:]).encode()) for ids in texts)
    expected = [read(model, ids, "float32") for ids in texts]
    bits = sum(float(nats.sum()) for nats, _ in expected) / math.log(2) / size
    edges = [0, *(2**i for i in range(8, 40) if 2**i < args.tokens - 1), args.tokens - 1]
    parameters = sum(p.numel() for p in model.parameters())
    report: dict[str, Any] = {
        "parameters": parameters,
        "float32_bytes": 4 * parameters,
        "tokens": args.tokens,
        "texts": args.texts,
        "float32_bits_per_byte": bits,
        "positions": edges[1:],
        "load_average": os.getloadavg(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "records": [],
    }
    for engine in args.engines:
        with tempfile.TemporaryDirectory(prefix="quality-") as folder:
            other, weights = quantised(model, engine, Path(folder))
            got = [read(other, ids, engine) for ids in texts]
            del other
        more = torch.stack([a[0] - b[0] for a, b in zip(got, expected, strict=True)])
        same = torch.stack([(a[1] == b[1]).double() for a, b in zip(got, expected, strict=True)])
        nats = torch.stack([a[0] for a in expected])
        spans = [slice(a, b) for a, b in itertools.pairwise(edges)]
        report["records"].append(
            {
                "engine": engine,
                "bytes": weights,
                "bits_per_byte": bits + float(more.sum()) / math.log(2) / size,
                "rise": float(more.sum() / nats.sum()),
                "top1_agreement": float(same.mean()),
                "rise_by_position": [float(more[:, span].sum() / nats[:, span].sum()) for span in spans],
                "agreement_by_position": [float(same[:, span].mean()) for span in spans],
            }
        )
        write(report, args.output)
    return report


def write(report: dict[str, Any], folder: Path) -> None:
    """JSON, table and plot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "on_device_quality.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (folder / "on_device_quality.md").write_text(table(report), encoding="utf-8")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, key, label in zip(
        figure.subplots(1, 2),
        ("rise_by_position", "agreement_by_position"),
        ("rise of bits per byte over float32", "same most probable token"),
        strict=True,
    ):
        for record in report["records"]:
            axes.plot(report["positions"], record[key], marker="o", label=record["engine"])
        axes.set(xlabel="position in the text, up to", ylabel=label)
        axes.set_xscale("log", base=2)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    FigureCanvasAgg(figure).print_png(folder / "on_device_quality.png")


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        "# Quality of quantised weights",
        "",
        f"A Rodimus of {report['parameters'] / 1e6:.1f}M parameters, texts of {report['tokens']} tokens, {report['texts']} in all, each read with one memory;",
        f"float32 in PyTorch: {report['float32_bits_per_byte']:.4f} bits per byte, {readable_size(report['float32_bytes'])}. Limits of the rise: "
        f"{LIMITS['int8']:.1%} for int8, {LIMITS['int4']:.0%} for int4. {report['date']}.",
        "`python benchmarks/on_device_quality.py MODEL` repeats it.",
        "",
        "| engine | bits per byte | rise | within the limit | same most probable token | size, of float32 |"
        + "".join(f" rise to {p} |" for p in report["positions"]),
        f"|{' --- |' * (6 + len(report['positions']))}",
    ]
    for record in report["records"]:
        met = "yes" if record["rise"] <= LIMITS[record["engine"].partition("-")[2]] else "no"
        cells = [record["engine"], f"{record['bits_per_byte']:.4f}", f"{record['rise']:+.2%}", met]
        cells += [f"{record['top1_agreement']:.1%}", f"1/{report['float32_bytes'] / record['bytes']:.1f}"]
        cells += [f"{rise:+.2%}" for rise in record["rise_by_position"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder of a trained Rodimus")
    parser.add_argument("--corpus", nargs="+", metavar="PATH", help="text to read; default: Python's standard library")
    parser.add_argument("--tokens", type=int, default=16384, help="of each text")
    parser.add_argument("--texts", type=int, default=1)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    print(table(run(parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
