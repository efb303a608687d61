"""The graph attention mask of CGM (arXiv 2505.16901, section 3.2) over N node tokens and L text tokens after them.

A row is a query, True means that it may attend:

|        | node j            | text j                |
|--------|-------------------|-----------------------|
| node i | `adjacency[i, j]` | j is a prompt token   |
| text i | always            | j ≤ i                 |

Only the node rows need a tensor; the rest is the usual causal mask. Softmax cannot be empty: a node that may attend to
nothing at all (no edge, no prompt) attends to itself alone, so that its row stays finite and nothing else is seen.
"""

from collections.abc import Callable

import torch


def graph_attention_mask(adjacency: torch.Tensor, prompt_mask: torch.Tensor) -> torch.Tensor:
    """Write the mask out as in the table: the plain reference, also what `CGMProcessor.show_mask` draws.

    Args:
        adjacency: bool or 0/1, `[..., N, N]`.
        prompt_mask: bool or 0/1, `[..., L]`, true at prompt tokens.

    Returns:
        bool `[..., N + L, N + L]`.
    """
    num_nodes, length = adjacency.shape[-1], prompt_mask.shape[-1]
    nodes = torch.cat([adjacency.bool(), prompt_mask.bool().unsqueeze(-2).expand(*adjacency.shape[:-1], length)], -1)
    causal = torch.ones(length, num_nodes + length, dtype=torch.bool, device=adjacency.device).tril(num_nodes)
    return torch.cat([nodes, causal.expand(*nodes.shape[:-2], length, num_nodes + length)], -2)


def node_rows(
    adjacency: torch.Tensor, prompt_mask: torch.Tensor, node_mask: torch.Tensor, text_mask: torch.Tensor
) -> torch.Tensor:
    """Return the rows of the node tokens, without padding, none of them empty: bool `[batch, N, N + L]`.

    Args:
        adjacency: bool `[batch, N, N]`.
        prompt_mask, text_mask: bool `[batch, L]`, true at prompt tokens and at real tokens.
        node_mask: bool `[batch, N]`, true at real nodes.
    """
    num_nodes = adjacency.shape[-1]
    seen_text = prompt_mask & text_mask
    rows = adjacency.new_empty(*adjacency.shape[:2], num_nodes + text_mask.shape[-1])
    rows[..., :num_nodes] = adjacency if node_mask.all() else adjacency & node_mask.unsqueeze(1)
    rows[..., num_nodes:] = seen_text.unsqueeze(1)
    if not seen_text.any(-1).all():
        rows.diagonal(dim1=1, dim2=2).logical_or_(~rows.any(-1))
    return rows


def mask_function(rows: torch.Tensor) -> Callable:
    """Return the whole mask as a function of (batch, head, query, key) positions, as transformers' masking utilities take it.

    Args:
        rows: bool `[batch, N, N + L]`, see `node_rows`. Keys beyond it (the free room of a static cache) are not seen.
    """
    last_node, last_key = rows.shape[1] - 1, rows.shape[2] - 1

    def may_attend(batch_idx, head_idx, q_idx, kv_idx):
        of_node = rows[batch_idx, q_idx.clamp(max=last_node), kv_idx.clamp(max=last_key)]
        return torch.where(q_idx <= last_node, of_node & (kv_idx <= last_key), kv_idx <= q_idx)

    return may_attend


def prompt_mask_of_labels(labels: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """Return the tokens before the first answer token of each row: bool, shape of `labels` `[batch, L]`.

    What follows the first answer token is no prompt even where it bears no loss: it has seen the answer, and nodes that
    saw it would tell the answer in advance.
    """
    return (labels != ignore_index).cumsum(-1) == 0


def adjacency_of_edges(edge_index: torch.Tensor, batch_size: int, num_nodes: int) -> torch.Tensor:
    """Make a dense adjacency of sparse edges, written in one operation.

    Args:
        edge_index: integers `[batch, 2, edges]` (or `[2, edges]` for a batch of one): sources and targets; columns of
            -1 are padding.

    Returns:
        bool `[batch, N, N]`, true at (source, target).

    Raises:
        TypeError: no integers. ValueError: another shape, or an index that is no node.
    """
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype is torch.bool:
        raise TypeError(f"`edge_index` must hold integers, found {edge_index.dtype}.")
    if edge_index.dim() == 2 and batch_size == 1:
        edge_index = edge_index.unsqueeze(0)
    if edge_index.dim() != 3 or edge_index.shape[:2] != (batch_size, 2):
        raise ValueError(
            f"`edge_index` must have shape [{batch_size}, 2, edges] ([batch, 2, edges]), found {list(edge_index.shape)}."
        )
    source, target = edge_index.long().unbind(1)
    padding = (source == -1) & (target == -1)
    wrong = ~padding & ((source < 0) | (target < 0) | (source >= num_nodes) | (target >= num_nodes))
    if wrong.any():
        row, column = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"`edge_index` names a node that is not there: edge {column} of row {row} is "
            f"({int(source[row, column])}, {int(target[row, column])}), the row has {num_nodes} nodes (0 to "
            f"{num_nodes - 1}; both -1 is padding)."
        )
    key = torch.where(padding, num_nodes * num_nodes, source * num_nodes + target)  # padding goes to a spare cell
    flat = torch.zeros(batch_size, num_nodes * num_nodes + 1, dtype=torch.bool, device=edge_index.device)
    flat.scatter_(1, key, True)
    return flat[:, :-1].view(batch_size, num_nodes, num_nodes)


def check_adjacency(adjacency: torch.Tensor, batch_size: int, num_nodes: int) -> torch.Tensor:
    """Return a given dense adjacency as bool `[batch, N, N]`.

    Raises:
        TypeError: neither bool nor integers. ValueError: another shape, or numbers other than 0 and 1.
    """
    if adjacency.is_floating_point() or adjacency.is_complex():
        raise TypeError(
            f"`adjacency` must be bool (or 0 and 1 as integers), found {adjacency.dtype}: it says who may attend to whom "
            "and is no additive mask."
        )
    if adjacency.is_sparse:
        adjacency = adjacency.to_dense()
    expected = (batch_size, num_nodes, num_nodes)
    if adjacency.shape != expected:
        raise ValueError(
            f"`adjacency` must have shape {list(expected)} ([batch, nodes, nodes]), found {list(adjacency.shape)}."
        )
    if adjacency.dtype is not torch.bool:
        if ((adjacency != 0) & (adjacency != 1)).any():
            raise ValueError("`adjacency` must hold 0 and 1 only: weighted edges are not defined.")
        adjacency = adjacency.bool()
    return adjacency


def orient(adjacency: torch.Tensor, direction: str, self_loops: bool) -> torch.Tensor:
    """Apply the configuration's switches to a bool adjacency `[batch, N, N]`."""
    if direction == "backward":
        adjacency = adjacency.transpose(1, 2)
    elif direction == "both":
        adjacency = adjacency | adjacency.transpose(1, 2)
    if self_loops:
        adjacency = adjacency | torch.eye(adjacency.shape[-1], dtype=torch.bool, device=adjacency.device)
    return adjacency
