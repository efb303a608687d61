"""The table and the picture of runs of `cgm_graph_task.py`: shares with their intervals, and differences on the same questions."""

import json
import math
from pathlib import Path

from codefuse_hf.training.cgm_questions import TASKS

LETTERS = "ABCD"
MASKS = ("graph", "full", "shuffled", "none")


def interval(right: list[int]) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of a share."""
    count, share, z = len(right), sum(right) / len(right), 1.96
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def shown(right: list[int]) -> str:
    """Write a share with its interval, in per cent; nothing where nothing was asked."""
    if not right:
        return ""
    low, high = interval(right)
    return f"{100 * sum(right) / len(right):.1f} ({100 * low:.1f}-{100 * high:.1f})"


def difference(one: list[int], other: list[int]) -> str:
    """Say how much better one is on the same questions, in points, with the 95 % interval of paired differences."""
    each = [a - b for a, b in zip(one, other, strict=True)]
    mean = sum(each) / len(each)
    half = 1.96 * math.sqrt(sum((x - mean) ** 2 for x in each) / (len(each) - 1) / len(each))
    return f"{100 * mean:+.1f} ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})"


def table_of(results: list[dict]) -> list[str]:
    """Write one line for each run and mask that it was scored under."""
    lines = [
        "| LM | seed | trained under | scored under | all | "
        + " | ".join(TASKS)
        + " | seen repositories | steps | CPU s |",
        "|---|---|---|---|---|" + "---|" * (len(TASKS) + 3),
    ]
    for result in results:
        for key, right in result["right"].items():
            split, mask = key.split()
            if split != "test":
                continue
            tasks = [task for task, _ in result["asked"]["test"]]
            by_task = [shown([r for r, t in zip(right, tasks, strict=True) if t == task]) for task in TASKS]
            seen = shown(result["right"][f"seen {mask}"]) if f"seen {mask}" in result["right"] else ""
            start = [result["lm"], str(result["seed"]), result["mask"], mask]
            cost = f"{result['cpu_s']:.0f}" if mask == result["mask"] else ""
            cells = [*start, f"**{shown(right)}**", *by_task, seen, str(result["done_steps"]), cost]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def chance(results: list[dict]) -> int:
    """Return the per cent right by guessing: questions are of one kind in all runs of a report."""
    return 50 if results[0].get("pairs") else 100 // len(LETTERS)


def report(runs: Path, destination: Path, repositories: Path) -> None:
    """Print the table of all finished runs below `runs`, of one kind of questions, and write their figures and a picture.

    Args:
        destination: where the figures go, without suffix.
        repositories: JSON with the names and commits of the repositories.
    """
    results = [json.loads(file.read_text()) for file in sorted(runs.glob("*/result.json"))]
    results.sort(key=lambda result: (result["lm"], result["seed"], MASKS.index(result["mask"])))
    answers = [answer for _, answer in results[0]["asked"]["test"]]
    majority = [int(answer == results[0]["majority"]) for answer in answers]
    names = json.loads(repositories.read_text())
    lines = [
        f"Chance: {chance(results)} %. Majority (always the answer that is most frequent in training): {shown(majority)}.",
        f"Questions of the test: {len(answers)}, of {len(names['held out'])} repositories that training did not have.",
        "Accuracy in per cent, with the 95 % interval.",
        "",
        *table_of(results),
        "",
    ]
    best = {(each["lm"], each["seed"]): each for each in results if each["mask"] == "graph"}
    for other in results:
        graph = best.get((other["lm"], other["seed"]))
        if graph is not None and other is not graph:
            gap = difference(graph["right"]["test graph"], other["right"][f"test {other['mask']}"])
            lines.append(
                f"* {other['lm']}: trained and scored with the graph mask, against `{other['mask']}`: {gap} points"
            )
    figures = {"repositories": names, "majority": sum(majority) / len(majority), "runs": results}
    destination.with_suffix(".json").write_text(json.dumps(figures, indent=None) + "\n")
    draw(results, destination.with_suffix(".png"))
    print("\n".join(lines))


def draw(results: list[dict], file: Path) -> None:
    """Draw bars of the accuracy by task, one colour for each model and mask it was trained under."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    width = 0.8 / len(results)
    for index, result in enumerate(results):
        right, tasks = result["right"][f"test {result['mask']}"], [task for task, _ in result["asked"]["test"]]
        asked = [task for task in TASKS if task in tasks]
        rows = [[r for r, t in zip(right, tasks, strict=True) if t == task] for task in asked]
        shares = [100 * sum(row) / len(row) for row in rows]
        errors = [
            [100 * abs(end - sum(row) / len(row)) for row, end in zip(rows, ends, strict=True)]
            for ends in zip(*map(interval, rows), strict=True)
        ]
        places = [place + (index - (len(results) - 1) / 2) * width for place in range(len(asked))]
        name = f"{result['lm']}, {result['mask']}" + (f", seed {result['seed']}" if result["seed"] else "")
        axes.bar(places, shares, width, yerr=errors, label=name, error_kw={"lw": 0.8})
    axes.axhline(chance(results), color="grey", lw=1, ls="--", label="chance")
    axes.set_xticks(range(len(asked)), [task.replace("_", " ") for task in asked])
    axes.set(ylabel="right, %", ylim=(0, 110), title="Questions about repositories that training did not have")
    axes.legend(loc="upper right", fontsize=8)
    figure.savefig(file, dpi=130)
