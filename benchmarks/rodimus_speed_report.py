"""What `rodimus_speed.py` writes: JSON, a table, a plot, and what was to be reached. Sections may be missing from a report."""

import json
from pathlib import Path
from typing import Any

from result_files import put_whole

from codefuse_hf import measure
from codefuse_hf.files import readable_size

NAMES = ("Rodimus", "Rodimus+", "Llama", "Mamba2")
OURS = NAMES[:2]


class Targets(list):
    """Rows of what was to be reached and what was."""

    def add(self, text: str, value: float, at_most: float | None = None, at_least: float | None = None) -> None:
        """Add a row."""
        met = value <= at_most if at_most is not None else value >= at_least
        limit = f"≤ {at_most}" if at_most is not None else f"≥ {at_least}"
        self.append({"target": text, "value": round(value, 3), "limit": limit, "met": bool(met)})


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare with what was to be reached; sections that are missing give no rows."""
    rows = Targets()
    for name in OURS:
        if "decode" in report:
            _decode_targets(rows, report, name)
        if "single_steps" in report:
            _step_targets(rows, report, name)
        if "prefill" in report:
            speed = {key: figures["median"] for key, figures in report["prefill"].items()}
            rows.add(f"{name}: prefill over Llama's", speed[name] / speed["Llama"], at_least=1.5)
            linear = speed[f"{name}, linear layers"]
            rows.add(f"{name}: prefill over its linear layers alone", speed[name] / linear, at_least=0.85)
        if "training" in report:
            speed = {key: figures["median"] for key, figures in report["training"].items()}
            rows.add(f"{name}: training over Llama's", speed[name] / speed["Llama"], at_least=1.0)
            rows.add(f"{name}: training over Mamba2's", speed[name] / speed["Mamba2"], at_least=2.0)
        for task, limit in (("prefill", 1.5), ("training", 1.0)):
            if f"compiled_{task}" in report:
                speed = {key: figures["median"] for key, figures in report[f"compiled_{task}"].items()}
                rows.add(f"{name}: compiled {task} over Llama's", speed[name] / speed["Llama"], at_least=limit)
                gain = speed[name] / speed[f"{name}, as it is"]
                rows.add(f"{name}: compiled {task} over not compiled", gain, at_least=1.0)
    if "operator" in report:
        for task, text in (("forward", "forward"), ("forward_backward", "forward and backward")):
            rows.add(f"chunk operator over reference, {text}", report["operator"][task]["speedup"], at_least=10)
    return list(rows)


def _decode_targets(rows: Targets, report: dict[str, Any], name: str) -> None:
    decode = {(r["model"], r["context"]): r["median_seconds_per_token"] for r in report["decode"]}
    contexts = sorted({context for _, context in decode})
    short, long = contexts[0], contexts[-1]
    rows.add(f"{name}: decode at {long} over decode at {short}", decode[name, long] / decode[name, short], at_most=1.1)
    rows.add(f"{name}: decode at {short} over Llama's", decode[name, short] / decode["Llama", short], at_most=1.0)
    rows.add(f"Llama's decode at {long} over {name}'s", decode["Llama", long] / decode[name, long], at_least=10)


def _step_targets(rows: Targets, report: dict[str, Any], name: str) -> None:
    step = _first(report)[name]
    share = step["linear"]["median"] / step["dynamic"]["median"]
    rows.add(f"{name}: the linear layers' share of a decoded token", share, at_least=0.85)
    gain = step["static"]["median"] / step["compiled"]["median"]
    rows.add(f"{name}: static over compiled step", gain, at_least=1.2)
    rows.add(f"{name}: graphs of the compiled step", report["single_steps"]["graphs"][name], at_most=1)


def _first(report: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds behind the shortest context, by model and kind."""
    seconds = report["single_steps"]["seconds"]
    return seconds[min(seconds, key=int)]


def write(report: dict[str, Any], folder: Path) -> None:
    """Write JSON, table and plot."""
    texts = {"rodimus_speed.json": json.dumps(report, indent=1) + "\n", "rodimus_speed.md": table(report)}
    put_whole(folder, texts)
    if "decode" in report:
        fields = ("model", "context", "seconds_per_token", "cache_bytes", "recurrent_bytes")
        records = [measure.DecodeRecord(**{field: r[field] for field in fields}) for r in report["decode"]]
        measure.plot_decoding(records, folder / "rodimus_speed.png", f"{_what(report)}, batch 1")


def _what(report: dict[str, Any]) -> str:
    threads = report["threads"]
    times = "one thread, CPU time" if threads == 1 else f"{threads} threads"
    return f"{report['shapes']['parameters'] / 1e6:g} M parameters, {report['dtype']}, {times}"


def table(report: dict[str, Any]) -> str:
    """Write the report for people, in Markdown."""
    lines = [
        "# Rodimus beside Llama and Mamba2",
        "",
        f"{_what(report)}; {report['cpu']}, {report['threads']} of {report['cores']} cores. Medians (least to most). *Linear layers alone*: the",
        "products of the model's linear layers and nothing else, run in the same turns; *share*: their time over that of the whole.",
    ]
    if report.get("missing"):
        lines.append(f"**Not finished**: {', '.join(report['missing'])} missing.")
    lines += ["", f"| | {' | '.join(NAMES)} |", f"|{' --- |' * (len(NAMES) + 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(report)]
    if "targets" in report:
        lines += ["", "| to be reached | limit | found | |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {row['target']} | {row['limit']} | {row['value']} | {'met' if row['met'] else '**missed**'} |"
            for row in report["targets"]
        ]
    lines += [
        "",
        "| section | commit | taken | load before, after | seconds | repeats | libraries |",
        f"|{' --- |' * 7}",
    ]
    for name, facts in report["sections"].items():
        load = f"{facts['load_average_before']}, {facts['load_average_after']}"
        libraries = f"torch {facts['torch']}, transformers {facts['transformers']}"
        cells = [name, facts["commit"], facts["date"], load, facts["seconds"], facts["repeats"], libraries]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += [
        "",
        "`+` behind a commit: with changes that were not committed. `python benchmarks/rodimus_speed.py` repeats it.",
    ]
    return "\n".join(lines) + "\n"


def _rows(report: dict[str, Any]) -> list[list[str]]:
    rows: list[list[str]] = []

    def add(title: str, cells: dict[str, str]) -> None:
        rows.append([title, *(cells.get(name, "–") for name in NAMES)])

    for context, by_model in report.get("single_steps", {}).get("seconds", {}).items():
        for kind, title in (
            ("dynamic", "ms a token at {}"),
            ("linear", "its linear layers alone"),
            ("static", "in a static cache, at {}"),
            ("compiled", "compiled, in a static cache, at {}"),
        ):
            found = {name: _spread(kinds[kind], 1e3) for name, kinds in by_model.items() if kind in kinds}
            if found:
                add(title.format(context), found)
            if kind == "linear":
                shares = {n: x["linear"]["median"] / x["dynamic"]["median"] for n, x in by_model.items()}
                add("share", {name: f"{share:.0%}" for name, share in shares.items()})
    for task, title in (
        ("prefill", "prompt, tokens/s"),
        ("training", "training, tokens/s"),
        ("compiled_prefill", "compiled: prompt, tokens/s"),
        ("compiled_training", "compiled: training, tokens/s"),
    ):
        figures = report.get(task)
        if figures is None:
            continue
        add(title, {name: _spread(figures[name], 1, 0) for name in NAMES if name in figures})
        plain = {name: _spread(x, 1, 0) for name in NAMES if (x := figures.get(f"{name}, as it is"))}
        if plain:
            add("not compiled, in the same turns", plain)
        linear = {name: figures[f"{name}, linear layers"] for name in NAMES if f"{name}, linear layers" in figures}
        add("its linear layers alone", {name: _spread(x, 1, 0) for name, x in linear.items()})
        add("share", {name: f"{figures[name]['median'] / x['median']:.0%}" for name, x in linear.items()})
    for record_context in sorted({r["context"] for r in report.get("decode", [])}):
        cells = {
            r["model"]: f"{r['median_seconds_per_token'] * 1e3:.1f}, {readable_size(r['cache_bytes'])}"
            for r in report["decode"]
            if r["context"] == record_context
        }
        add(f"growing context, {record_context}: ms a token, cache", cells)
    for task, sizes in report.get("peak_memory_bytes", {}).items():
        add(f"peak memory above the weights, {task}", {name: readable_size(size) for name, size in sizes.items()})
    return rows


def _spread(figures: dict[str, float], factor: float, digits: int = 1) -> str:
    low, middle, high = (f"{figures[key] * factor:.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} ({low}–{high})"
