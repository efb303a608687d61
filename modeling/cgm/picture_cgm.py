"""A picture of an example's attention mask, for people who debug data."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .mask_cgm import graph_attention_mask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELLED = 40  # rows that can still be told apart by name


def draw_mask(
    adjacency: np.ndarray, prompt_mask: np.ndarray, names: list[str], tokens: list[str], figure: Any = None
) -> "Figure":
    """Draw the mask of one example: rows are queries, dark cells may be attended to.

    Args:
        adjacency: bool `[N, N]`; prompt_mask: bool `[L]`; names: of the N node tokens; tokens: the L text tokens.
        figure: a matplotlib figure to draw into; a new one by default.

    Returns:
        The figure: blue for nodes that see nodes, green for nodes that see the prompt, grey for what text sees.
    """
    try:
        from matplotlib.colors import ListedColormap
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("show_mask draws with matplotlib: pip install matplotlib") from error
    num_nodes = len(adjacency)
    mask = graph_attention_mask(torch.from_numpy(adjacency), torch.from_numpy(prompt_mask)).numpy()
    kinds = mask.astype(int)
    kinds[:num_nodes, num_nodes:] *= 2
    kinds[num_nodes:] *= 3
    size = min(12.0, 3.5 + 0.12 * len(mask))
    figure = Figure(figsize=(size, size), layout="constrained") if figure is None else figure
    axes = figure.subplots()
    colours = ListedColormap(["white", "tab:blue", "tab:green", "dimgray"])
    axes.imshow(kinds, cmap=colours, vmin=0, vmax=3, interpolation="nearest")
    prompt_end = num_nodes + int(prompt_mask.sum())
    for border in dict.fromkeys((num_nodes, prompt_end)):
        axes.axhline(border - 0.5, color="tab:red", linewidth=0.8)
        axes.axvline(border - 0.5, color="tab:red", linewidth=0.8)
    labels = [*names, *tokens]
    if len(labels) <= _LABELLED:
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7, parse_math=False)
        axes.set_yticks(range(len(labels)), labels, fontsize=7, parse_math=False)
    axes.set_xlabel("attended to")
    axes.set_ylabel("attends")
    axes.set_title(f"{num_nodes} nodes, {prompt_end - num_nodes} prompt and {len(mask) - prompt_end} answer tokens")
    return figure
