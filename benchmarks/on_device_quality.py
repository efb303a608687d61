"""What weights in 8 and 4 bits cost in quality, over a text of 16k tokens: does a recurrence add up its errors?

    codefuse-hf quickstart --output my-rodimus
    python benchmarks/on_device_quality.py my-rodimus/model

Reads the same text with the trained model in float32 (PyTorch) and with its quantised forms in each engine, one memory from the
first token to the last, and compares bits per byte and the most probable token, also by position. It counts what the bytes of the
quantised models are, too. Results go to `benchmarks/results/on_device_quality.{json,md,png}`.
"""

import argparse
import copy
import importlib.util
import itertools
import json
import math
import os
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from codefuse_hf import measure
from codefuse_hf.export.exported_model import ExportedCausalLM
from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.quantizing import make_quantizer, quantize_torch
from codefuse_hf.export.torch_layers import Int4Linear, Int8Embedding, Int8Linear
from codefuse_hf.files import readable_size
from codefuse_hf.quickstart.corpus import read_corpus

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "nncf", "torchao")
ENGINES = ("onnx-int8", "onnx-int4", "openvino-int8", "openvino-int4", "torch-int8", "torch-int4")
# Bits per byte may rise by so much.
LIMITS = {"int8": 0.005, "int4": 0.03}
SEGMENT = 256
# What bytes of a quantised model are.
KINDS = FOUR, EIGHT, SCALES, HALF, FLOAT, GRAPH = (
    "in 4 bits",
    "in 8 bits",
    "scales, offsets",
    "float16",
    "float32",
    "graph",
)


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


def quantised(model, engine: str, folder: Path) -> tuple[Any, dict[str, int]]:
    """The model in an engine, and the bytes of its parts: on the disk, in memory for PyTorch."""
    form, _, scheme = engine.partition("-")
    if form == "torch":
        quantised = quantize_torch(copy.deepcopy(model), scheme)
        return quantised, _parts_torch(quantised)
    export_causal_lm(model, form, quantizer=make_quantizer(model, form, scheme)).save_pretrained(folder)
    parts = {"onnx": _parts_onnx, "openvino": _parts_openvino}[form](folder)
    # Not the folder's code, configuration and card.
    total = sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".onnx", ".data", ".xml", ".bin"))
    return ExportedCausalLM.from_pretrained(folder, threads=1), dict(parts) | {GRAPH: total - sum(parts.values())}


def _parts_torch(model) -> Counter:
    parts: Counter = Counter()
    seen: set[int] = set()  # an embedding and a head may share their weights
    for module in model.modules():
        kind = {Int4Linear: FOUR, Int8Linear: EIGHT, Int8Embedding: EIGHT}.get(type(module))
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if tensor.data_ptr() not in seen:
                seen.add(tensor.data_ptr())
                parts[FLOAT if kind is None or name == "bias" else kind if name == "weight" else SCALES] += (
                    tensor.nbytes
                )
    return parts


def _parts_onnx(folder: Path) -> Counter:
    import onnx

    parts: Counter = Counter()
    for tensor in onnx.load(next(folder.glob("*.onnx")), load_external_data=False).graph.initializer:
        size = math.prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        ends = {"_Q4": FOUR, "_Q8": EIGHT, "_scales": SCALES, "_half": HALF}
        kinds = [kind for end, kind in ends.items() if tensor.name.endswith(end)]
        parts[kinds[0] if kinds else FLOAT] += size
    return parts


def _parts_openvino(folder: Path) -> Counter:
    import openvino

    parts: Counter = Counter()
    kinds = {"u4": FOUR, "i4": FOUR, "u8": EIGHT, "i8": EIGHT}
    for op in openvino.Core().read_model(next(folder.glob("*.xml"))).get_ordered_ops():
        if op.get_type_name() == "Constant":
            kind, shape = op.get_element_type().get_type_name(), op.get_output_shape(0)
            half = kind == "f16" and len(shape) == 2 and shape[1] > 1  # scales have a last dimension of 1
            other = HALF if half else FLOAT if kind == "f32" else SCALES
            parts[kinds.get(kind, other)] += op.get_byte_size()
    return parts


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
    spans = list(itertools.pairwise(edges))
    parameters = measure.count_parameters(model)
    report: dict[str, Any] = {
        "parameters": parameters,
        "float32_bytes": 4 * parameters,
        "tokens": args.tokens,
        "texts": args.texts,
        "float32_bits_per_byte": bits,
        "float32_nats_by_position": [float(torch.stack([a[0] for a in expected])[:, a:b].mean()) for a, b in spans],
        "text": [str(Path(*Path(path).parts[-2:])) for path in args.corpus or ["Python's standard library"]],
        "training": training(args.model),
        "positions": edges[1:],
        "packages": {name: version(name) for name in PACKAGES if importlib.util.find_spec(name)},
        "load_average_before": os.getloadavg(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "records": [],
    }
    for engine in args.engines:
        with tempfile.TemporaryDirectory(prefix="quality-") as folder:
            other, parts = quantised(model, engine, Path(folder))
            got = [read(other, ids, engine) for ids in texts]
            del other
        more = torch.stack([a[0] - b[0] for a, b in zip(got, expected, strict=True)])
        same = torch.stack([(a[1] == b[1]).double() for a, b in zip(got, expected, strict=True)])
        nats = torch.stack([a[0] for a in expected])
        report["records"].append(
            {
                "engine": engine,
                "bytes": sum(parts.values()),
                "bytes_of": parts,
                "bits_per_byte": bits + float(more.sum()) / math.log(2) / size,
                "rise": float(more.sum() / nats.sum()),
                "top1_agreement": float(same.mean()),
                "rise_by_position": [float(more[:, a:b].sum() / nats[:, a:b].sum()) for a, b in spans],
                "agreement_by_position": [float(same[:, a:b].mean()) for a, b in spans],
            }
        )
        report["load_average_after"] = os.getloadavg()
        write(report, args.output)
    return report


def training(model: str) -> dict[str, Any] | None:
    """What the quickstart has noted beside its model; None for another one."""
    notes = Path(model).resolve().parent / "quickstart.json"
    return json.loads(notes.read_text(encoding="utf-8"))["training"] if notes.is_file() else None


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
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    FigureCanvasAgg(figure).print_png(folder / "on_device_quality.png")


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    loads = [f"{report[name][0]:.1f}" for name in ("load_average_before", "load_average_after")]
    nats = ", ".join(f"{x:.2f}" for x in report["float32_nats_by_position"])
    facts, packages = report["training"], ", ".join(f"{name} {number}" for name, number in report["packages"].items())
    lines = [
        "# Quality of quantised weights",
        "",
        f"A Rodimus of {report['parameters'] / 1e6:.1f}M parameters"
        + (
            f", the quickstart's, trained for {facts['steps']} steps on {facts['tokens']} tokens ({facts['held_out_bits_per_byte']:.2f} bits per byte held out)"
            if facts
            else ""
        )
        + f". It reads {', '.join(report['text'])}:",
        f"{report['texts']} × {report['tokens']} tokens, each text with one memory. In float32 in PyTorch: {report['float32_bits_per_byte']:.4f} bits per byte, "
        f"{readable_size(report['float32_bytes'])};",
        f"nats per token between the positions below: {nats}. Limits of the rise: {LIMITS['int8']:.1%} for int8, {LIMITS['int4']:.0%} for int4.",
        f"{packages}; load {loads[0]} before and {loads[1]} after; {report['date']}. `python benchmarks/on_device_quality.py MODEL --corpus …` repeats it.",
        "",
        "| engine | bits per byte | rise | within the limit | same most probable token |"
        + "".join(f" rise to {p} |" for p in report["positions"]),
        f"|{' --- |' * (5 + len(report['positions']))}",
    ]
    for record in report["records"]:
        met = "yes" if record["rise"] <= LIMITS[record["engine"].partition("-")[2]] else "no"
        cells = [record["engine"], f"{record['bits_per_byte']:.4f}", f"{record['rise']:+.2%}", met]
        cells.append(f"{record['top1_agreement']:.1%}")
        cells += [f"{rise:+.2%}" for rise in record["rise_by_position"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_sizes(report)]) + "\n"


def _sizes(report: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "## What the bytes are",
        "",
        "On the disk, for PyTorch in memory; in kB. `on_device.md` has the sizes of larger models.",
        "",
        f"| engine | of float32 | {' | '.join(KINDS)} |",
        f"|{' --- |' * (2 + len(KINDS))}",
    ]
    for record in report["records"]:
        cells = [record["engine"], f"1/{report['float32_bytes'] / record['bytes']:.2f}"]
        cells += [f"{record['bytes_of'].get(kind, 0) / 1e3:.0f}" for kind in KINDS]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


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
