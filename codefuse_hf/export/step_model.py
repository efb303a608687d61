"""A Rodimus as a function of tokens and memory: what every exporter gets to see.

`RodimusForCausalLM` keeps its memory in a cache object that is changed in place, and computes a prompt and a single token in
different ways. A graph has neither objects nor ways to choose from. Here is the same computation, on the model's own layers, as
one function without branches: the memory goes in and comes out, and any number of tokens, one included, takes the same path.
"""

import torch
from torch import nn
from torch.nn import functional as F

from codefuse_hf.kernels.tempered_selection import tempered_selection

from .step_state import StepState, history_length
from .windows import window_capacity


class RodimusStepModel(nn.Module):
    """A `RodimusForCausalLM` as a function from tokens and `StepState` to logits and the next `StepState`.

    Args:
        model: the model; its weights are used, not copied.

    Raises:
        ValueError: a model whose memory is not of constant size.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        window_capacity(model.config)  # refuses a window without an end
        self.config = model.config
        self.model, self.lm_head = model.model, model.lm_head

    def forward(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        logits_to_keep: torch.Tensor,
        past_key_values: StepState,
        windows: dict | None = None,
    ) -> dict[str, torch.Tensor | StepState | list[torch.Tensor]]:
        """Read a segment of text.

        Args:
            input_ids: `[batch, segment]`.
            positions: which token of its text each is, −1 for padding, which stands in front: int64 `[batch, segment]`.
            logits_to_keep: places in the segment that logits are wanted of, int64 `[kept]`.
            past_key_values: the memory of what came before.
            windows: of a Rodimus+, `Windows.arguments`: what came before, too.

        Returns:
            `logits` `[batch, kept, vocab_size]`; in `past_key_values` the memory after the segment; of a Rodimus+ in `keys` and `values`
            what the segment adds to the windows, per layer.
        """
        state, real = past_key_values, positions >= 0
        hidden = self.model._embed(self.model.embeddings(input_ids))
        taps, last = _convolution_places(real, history_length(self.config), self.config.d_conv)
        if windows is not None:
            rotation = self.model._position_embeddings(positions.clamp(min=0), hidden.dtype)
            key_positions = torch.cat([windows["positions"], positions], 1)
            bias = _attention_bias(positions, key_positions, self.config.sliding_window, hidden.dtype)
        conv, recurrent, keys, values = [], [], [], []
        for i, block in enumerate(self.model.layers):
            normed = block.mixer_norm(hidden)
            mixed, *memory = _mix(block.mixer, normed, real, taps, last, state.conv[i], state.recurrent[i])
            conv.append(memory[0])
            recurrent.append(memory[1])
            hidden = hidden + mixed
            if windows is not None:
                past = windows["keys"][i], windows["values"][i]
                attended, key, value = _attend(block.attn, block.attn_norm(hidden), rotation, bias, *past)
                keys.append(key)
                values.append(value)
                hidden = hidden + block.ffn(block.ffn_norm(hidden + attended))
        hidden = self.model.norm_f(hidden.index_select(1, logits_to_keep))
        written = {} if windows is None else {"keys": keys, "values": values}
        return {"logits": self.lm_head(hidden), "past_key_values": StepState(conv, recurrent)} | written


def _packed_places(real: torch.Tensor, past: int, packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where things of the past and of a segment lie, counted from the beginning of `[batch · (past + segment), …]`.

    Padding stands in front of a segment, and the past belongs behind it: in packed order a row is padding, past, real tokens.

    Args:
        real: real tokens of the segment, `[batch, segment]`.
        past: length of the past.
        packed: places in packed order, `[count]`.

    Returns:
        The places as they are, `[batch, count]`, and which of them are padding and may hold anything.
    """
    batch, steps = real.shape
    padding = (steps - real.sum(1))[:, None]
    start = (torch.arange(batch, device=real.device) * (steps + past))[:, None]
    packed = packed[None]
    return start + torch.where(packed < padding + past, (packed - padding).clamp(min=0), packed), packed < padding


def _convolution_places(real: torch.Tensor, history: int, taps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the inputs of the convolution lie among all rows of `[batch · (history + segment), channels]`: the windows of all
    tokens `[batch, segment, taps]`, and the history of the next segment `[batch, history]`."""
    step = torch.arange(real.shape[1], device=real.device)
    offsets = range(history - taps + 1, history + 1)
    windows = torch.stack([_packed_places(real, history, step + offset)[0] for offset in offsets], 2)
    last = real.shape[1] + torch.arange(history, device=real.device)
    return windows, _packed_places(real, history, last)[0]


def _mix(mixer, hidden, real, windows, last, history, state):
    """`RodimusMixer` with its memory as arguments; returns its output, the next history and the next state."""
    inner, channels = mixer.inner_mixer, history.shape[2]
    x, gate = mixer.fc(hidden).split(channels, -1)
    rows = torch.cat([history, x], 1).flatten(0, 1)
    conv1d = inner.short_conv.conv1d
    taps = F.embedding(windows, rows)  # which is how to pick rows in any number of dimensions
    next_history = F.embedding(last, rows)
    conv = F.silu((taps * conv1d.weight[:, 0].t()).sum(2) + conv1d.bias)
    value = torch.sigmoid(inner.ch_gate_proj(x)) * x
    query, key, decay = tempered_selection(inner.in_proj(conv), inner.mem_gate_proj(conv), inner.key_eps)
    real = real[..., None].to(key.dtype)
    out, state = gated_linear_attention_segment(query, key * real, value, decay * real, state)
    return mixer.out_proj(mixer.act_norm(out, conv, inner.residual_weight, gate)), next_history, state


def gated_linear_attention_segment(q, k, v, g, state):
    """Compute gated linear attention over one segment, without a branch, a loop or a quotient of decays.

    Arguments and results as in `codefuse_hf.kernels.gated_linear_attention`, with an initial state. The decay between two steps
    is summed up for each pair of them, so that no exponent is positive and none is a difference of large numbers.
    """
    step = torch.arange(q.shape[1], device=q.device)
    query, key = step[:, None, None], step[None, :, None]
    between = torch.where(query > key, g[:, :, None], 0).cumsum(1)  # [batch, query, key, d_key]
    decay = between.exp()
    pairs = torch.where(query >= key, q[:, :, None] * decay, 0) * k[:, None]
    q_in = q * g.cumsum(1).exp()
    out = (torch.bmm(pairs.sum(-1), v) + torch.bmm(q_in, state)) * q.shape[-1] ** -0.5
    written = torch.bmm((k * decay[:, -1]).transpose(1, 2), v)
    return out, g.sum(1).exp()[..., None] * state + written


def _attention_bias(positions, key_positions, window, dtype):
    """0 where a token sees a key, else a very negative number, `[batch, 1, segment, keys]`."""
    query, key = positions[:, :, None], key_positions[:, None]
    sees = (key >= 0) & (key <= query) & (key > query - window)
    return torch.where(sees, 0.0, -1e30).to(dtype)[:, None]


def _attend(attn, hidden, rotation, bias, past_keys, past_values):
    """`RodimusAttention` with its window as arguments; returns its output and the segment's keys and values, by heads.

    Window and segment are read each by itself: put together, the window would be copied for every token.
    """
    query = _by_heads(attn._rotate(attn.q_proj(hidden), rotation) * attn.scaling, attn.head_dim)
    key = _by_heads(attn._rotate(attn.k_proj(hidden), rotation), attn.head_dim)
    value = _by_heads(attn.v_proj(hidden), attn.head_dim)
    scores = torch.cat([_multiply(query, keys, transposed=True) for keys in (past_keys, key)], -1)
    weights, past = (scores + bias).softmax(-1), past_keys.shape[2]
    out = _multiply(weights[..., :past], past_values) + _multiply(weights[..., past:], value)
    return attn.out_proj(out.transpose(1, 2).flatten(2)), key, value


def _by_heads(x, dim):
    """`[batch, steps, heads · dim]` → `[batch, heads, steps, dim]`."""
    return x.unflatten(-1, (-1, dim)).transpose(1, 2)


def _multiply(rows, matrices, transposed=False):
    """Products of each head's rows `[batch, heads, steps, n]` with a matrix, `[batch, matrix_heads, n, m]`, or `[…, m, n]` if it is
    to be transposed: that of head j is `j % matrix_heads`."""
    heads, count, steps = matrices.shape[1], rows.shape[1], rows.shape[2]
    # Heads that meet the same matrix are rows of one product, so that the matrix is not repeated.
    if heads < count:
        rows = rows.unflatten(1, (-1, heads)).transpose(1, 2).flatten(2, 3)
    # Not `matmul`, in which exporters see matrices that may have to be repeated over the batch, and OpenVINO copies them.
    matrices = matrices.flatten(0, 1)
    if transposed:  # right at the product, which then reads them as they lie
        matrices = matrices.transpose(1, 2)
    products = torch.bmm(rows.flatten(0, 1), matrices).unflatten(0, (-1, heads))
    return products if heads == count else products.unflatten(2, (-1, steps)).transpose(1, 2).flatten(1, 2)
