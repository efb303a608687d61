"""What `kernel_static.py` found, as Markdown."""

import json
import re
from collections.abc import Iterable
from typing import Any


def table(report: dict[str, Any], targets: Iterable[str]) -> str:
    """The report of `kernel_static.py`, for the GPUs that it compiled for, in Markdown."""
    lines = [
        "# Triton kernels without a GPU",
        "",
        f"{report['versions']}. Compiled in one run, for {report['compiled for']}; nothing was timed."
        + (f" Compiled again since: {', '.join(later)}." if (later := report.get("compiled later")) else "")
        + (" What was counted, and fla-core's kernels, are of an earlier run." if report.get("counted before") else ""),
        "",
    ]
    compiled = [x for x in report["compiled"] if "error" not in x]
    for target in targets:
        mine = [x for x in compiled if x["target"] == target]
        errors = [x for x in report["compiled"] if x["target"] == target and "error" in x]
        if mine or errors:
            spilling = [x for x in mine if x["spill_bytes"]]
            without = sum(x["products_without_tensor_cores"] for x in mine)
            lines.append(
                f"* {target}: {len(mine)} kernels compile, {len(errors)} do not; {len(spilling)} spill registers; "
                f"{sum(not x['fits'] for x in mine)} need more shared memory than there is; "
                f"{without} of {sum(x['products'] for x in mine)} products without tensor cores."
            )
            lines += [f"  * spills {x['spill_bytes']} bytes: {_title(x)}" for x in spilling]
            lines += [f"  * needs more shared memory than there is: {_title(x)}" for x in mine if not x["fits"]]
            lines += [f"  * does not compile: {x['kernel']}: {x['error']}" for x in errors]
    lines += ["", *_families(compiled, targets)]
    lines += [
        "",
        "| bfloat16, M 64, I 4096, sm_90 | registers | spills | shared | blocks/SM | tensor-core instructions |",
        "|---|---|---|---|---|---|",
    ]
    for x in compiled:
        if x["target"] == "sm_90" and "bf16" in x["kernel"] and not re.search(r"M(16|32|128)|6144|8192", x["kernel"]):
            lines.append(
                f"| {_title(x)} | {x['registers']} | {x['spill_bytes']} | {x['shared_bytes']} "
                f"| {x['blocks_per_multiprocessor']} | {x['tensor_core_instructions']} |"
            )
    lines += [
        "",
        "| fla-core's kernels of `chunk_gla`, bfloat16, K 64, V 4096, sm_90, in some of its configurations each | registers | spills | shared | tensor-core instructions |",
        "|---|---|---|---|---|",
    ]
    for x in report["compiled, fla-core"]:
        if "error" in x:
            lines.append(f"| {x['kernel']}: {x['error']} | | | | |")
        else:
            lines.append(
                f"| {_title(x)} | {x['registers']} | {x['spill_bytes']} | {x['shared_bytes']} "
                f"| {x['tensor_core_instructions']} |"
            )
    lines += [
        "",
        "## Bytes per token and layer, bfloat16, M 64, I 4096",
        "",
        "| | phase | distinct | issued |",
        "|---|---|---|---|",
    ]
    for side in ("ours", "fla-core"):
        for name, phases in report["counted"][side].items():
            if name == "operator, one long row":
                continue  # stands below, for a row that is long
            for phase, figures in phases.items():
                if isinstance(figures, dict):
                    lines.append(f"| {side}: {name} | {phase} | {figures['distinct']:.0f} | {figures['issued']:.0f} |")
    for phase, figure in report["counted"]["eager PyTorch"]["operator"].items():
        lines.append(f"| eager PyTorch: operator (torch.compile runs it as one call) | {phase} | {figure:.0f} | |")
    for name, phases in report["counted"].get("Inductor", {}).items():
        for phase, figures in phases.items() if isinstance(phases, dict) else ():
            kernels = " + ".join(f"{x:.0f}" for x in figures["bytes_per_token"])
            if kernels:
                lines.append(f"| Inductor: {name} | {phase} | {kernels} | |")
    lines += ["", *_aims(report["compared"]), ""]
    lines += ["```json", json.dumps(report["compared"], indent=1), "```", ""]
    return "\n".join(lines)


def _title(x: dict[str, Any]) -> str:
    return f"{x['kernel']} ({x['warps']} warps, {x['stages']} stages)"


def _families(compiled: list[dict[str, Any]], targets: Iterable[str]) -> list[str]:
    """Each kernel over all of its dtypes, sizes and configurations: how many, and the most registers and bytes that any takes."""
    lines = [
        "| all dtypes, M and configurations: how many, most registers, most spilled, most shared | "
        + " | ".join(targets)
        + " |"
    ]
    lines.append("|---" * (1 + len(list(targets))) + "|")
    names = dict.fromkeys(x["kernel"].split(" ")[0] for x in compiled)
    for name in names:
        cells = []
        for target in targets:
            mine = [x for x in compiled if x["target"] == target and x["kernel"].split(" ")[0] == name]
            most = [max((x[key] for x in mine), default=0) for key in ("registers", "spill_bytes", "shared_bytes")]
            cells.append(f"{len(mine)}: {most[0]}, {most[1]}, {most[2]}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _aims(compared: dict[str, Any]) -> list[str]:
    """What the counts were to reach, and whether they do."""
    lines = ["| distinct bytes | counted | aim | |", "|---|---|---|---|"]

    def line(what, counted, most):
        if counted is None:
            return
        lines.append(f"| {what} | {counted} | at most {most} | {'reached' if counted <= most else '**missed**'} |")

    for name, figures in compared["operator"].items():
        line(f"{name}, to what must move", figures["to what must move"], 1.6 if "backward" in name else 1.3)
        if "to fla-core" in figures:
            line(f"{name}, to fla-core", figures["to fla-core"], 0.667)
    for name, figures in compared.items():
        if name.startswith("mixer"):
            line(f"{name}, to fla-core's operators and Inductor's kernels", figures.get("to Inductor"), 0.5)
            line(
                f"{name}, to fla-core's operators and compiled code at its best",
                figures["to compiled at its best"],
                0.5,
            )
    return lines
