"""Rodimus and Rodimus+ (arXiv 2410.06577): recurrent language models with a state of constant size.

A Rodimus block is a recurrent mixer; a Rodimus+ block follows it with sliding-window shared-key attention and a
feed-forward network. Parameter names are those of the published checkpoints. Section numbers refer to the paper.
The file is long because a model's definition is read as a whole, in transformers as well; padding, packing and caches
have files of their own.
"""

import enum
import functools
import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache
from transformers.generation import GenerationMixin, MaxLengthCriteria
from transformers.integrations import use_kernel_forward_from_hub
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask
from transformers.modeling_layers import GenericForSequenceClassification, GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
    SequenceClassifierOutputWithPast,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple, logging
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from codefuse_hf.kernels.decoding_step import MAX_STEPS, decoding_step
from codefuse_hf.kernels.gated_linear_attention import (
    CHUNK_SIZE,
    gated_linear_attention,
    gated_linear_attention_step,
)
from codefuse_hf.kernels.gated_norm import gated_norm, rms_norm
from codefuse_hf.kernels.halves import halves
from codefuse_hf.kernels.kernel_dispatch import is_exporting, is_transformed, use_kernels
from codefuse_hf.kernels.short_convolution import CausalConv1d, insert_gaps
from codefuse_hf.kernels.sliding_window_attention import (
    sliding_window_attention,
    window_attention_step,
    worth_blocks,
)
from codefuse_hf.kernels.tempered_selection import tempered_selection
from codefuse_hf.modeling.cache_names import CACHE_NAME, CACHE_NAMES, takes_cache
from codefuse_hf.modeling.quantised_layers import avoid_unfit_cpu_format

from .cache_rodimus import (
    RecurrentLayer,
    SlidingLayer,
    WindowLayer,
    WindowView,
    adopt_cache,
    check_capacity,
    has_past,
    past_length,
)
from .configuration_rodimus import RodimusConfig
from .generation_state_rodimus import GenerationStateMixin
from .masks_rodimus import read_attention_mask
from .padding_rodimus import Packing, Padding, take_steps
from .virtual_tokens_rodimus import check_virtual_tokens, virtual_tokens

logger = logging.get_logger(__name__)

# Tokens of a piece: with more the processor's caches are too small, with fewer the products of linear layers are slower.
_PIECE = 1024


class LinearRole(enum.Enum):
    """What a linear layer is for, where `RodimusPreTrainedModel._init_weights` initialises it by that."""

    GATE = enum.auto()
    SELECTION = enum.auto()
    BRANCH_OUTPUT = enum.auto()


class RodimusRMSNorm(nn.Module):
    """RMSNorm in float32 (float64 for a float64 model); the result has the dtype of the weight."""

    def __init__(self, hidden_size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.eps = eps

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension: `[…, hidden_size]`."""
        return rms_norm(hidden_states, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Show width and epsilon where the model is printed."""
        return f"{tuple(self.weight.shape)}, eps={self.eps}"


@use_kernel_forward_from_hub("RodimusGatedRMSNorm")
class RodimusGatedRMSNorm(RodimusRMSNorm):
    """RMSNorm of what leaves the recurrence, with its residual and its output gate (§3.1, figure 3)."""

    def forward(
        self, out: torch.Tensor, residual: torch.Tensor, residual_weight: torch.Tensor, gate: torch.Tensor
    ) -> torch.Tensor:
        """Add the residual to what left the recurrence, normalise, and gate: all `[batch, seq_len, d_inner]`, but
        `residual_weight`, `[d_inner]`."""
        return gated_norm(out, residual, residual_weight, gate, self.weight, self.eps)


class RodimusShortConv(nn.Module):
    """Causal depthwise convolution over the last `d_conv` tokens, followed by SiLU (§3.1, "ShortConv")."""

    def __init__(self, config: RodimusConfig):
        super().__init__()
        self.taps = config.d_conv
        self.conv1d = CausalConv1d(config.d_inner, config.d_conv)

    def forward(
        self,
        x: torch.Tensor,
        layer: CacheLayerMixin | None = None,
        has_past: bool = False,
        padding: Padding | None = None,
        packing: Packing | None = None,
    ) -> torch.Tensor:
        """Convolve `x`, `[batch, seq_len, d_inner]`, with what the cache's layer remembers before it; the result has the same
        shape."""
        if has_past and _is_one(x.shape[1]) and padding is None:
            window = _own_past(self._update_cache(layer, x.transpose(1, 2)))[..., -self.taps :]
            return F.silu(self.conv1d(window.to(x.dtype)).transpose(1, 2))
        history = x.new_zeros(x.shape[0], self.taps, x.shape[2])
        if has_past:
            history = layer.conv_states[0].transpose(1, 2).to(x.dtype)
        if padding is not None:
            history, x = padding.pack_with_past(history, x * padding.mask[..., None])
        silu_done = packing is None and torch.is_grad_enabled() and _on_plain_cpu(x) and _has_kernels(self.conv1d)
        steps = torch.cat([history[:, 1:] if silu_done else history, x], 1)
        if silu_done:
            window, out = steps[:, -self.taps :], self.conv1d(steps, behind_history=True)
        elif packing is None:
            window, out = steps[:, -self.taps :], self.conv1d(steps[:, 1:].transpose(1, 2)).transpose(1, 2)
        else:
            window, out = self._convolve_packed(steps, F.pad(packing.packed, (self.taps, 0)))
        if layer is not None:
            self._update_cache(layer, window.transpose(1, 2))
        out = out if silu_done else F.silu(out, inplace=_in_place())
        return out if padding is None else padding.unpack(out)

    def by_kernel(
        self,
        x: torch.Tensor,
        layer: CacheLayerMixin | None,
        has_past: bool,
        padding: Padding | None,
        packing: Packing | None,
    ) -> list[torch.Tensor]:
        """Compute `forward` in one pass of a kernel, once for each of the three places that read it, and return `x` for each of
        the two others that read that: so their gradients are added up in the backward pass."""
        history, seq_idx = None, None if packing is None else packing.packed
        if has_past:
            history = layer.conv_states[0].transpose(1, 2).clone()
        inputs = None
        if padding is not None:
            history = x.new_zeros(x.shape[0], self.taps, x.shape[2]) if history is None else history
            inputs = [x, x]
            history, x = padding.pack_with_past(history, x * padding.mask[..., None])
        out = self.conv1d(x, history=history, seq_idx=seq_idx)
        if layer is not None:
            last = x[:, -self.taps :]
            if seq_idx is not None:
                last = last * (seq_idx[:, -self.taps :] == seq_idx[:, -1:])[..., None]
            last = F.pad(last, (0, 0, self.taps, 0)) if history is None else torch.cat([history, last], 1)
            self._update_cache(layer, last[:, -self.taps :].transpose(1, 2))
        return out if inputs is None else [*(padding.unpack(s) for s in out[:3]), *inputs]

    def _convolve_packed(self, steps: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The last inputs and the outputs of sequences `numbers` in a row, behind the history, that do not see one another."""
        if not torch.compiler.is_compiling():
            spread, positions = insert_gaps(steps, numbers, self.taps - 1)
            last = positions[:, -1:] + torch.arange(1 - self.taps, 1, device=steps.device)
            out = self.conv1d(spread[:, 1:].transpose(1, 2)).transpose(1, 2)
            return take_steps(spread, last), take_steps(out, positions[:, self.taps :] - self.taps)
        # How far gaps move the steps is not known here; so each step gets a window of its own.
        windows, of_windows = steps[:, 1:].unfold(1, self.taps, 1), numbers[:, 1:].unfold(1, self.taps, 1)
        windows = windows * (of_windows == of_windows[..., -1:])[:, :, None]
        out = self.conv1d(windows.flatten(0, 1)).squeeze(-1).unflatten(0, windows.shape[:2])
        return steps[:, -self.taps :] * (numbers[:, -self.taps :] == numbers[:, -1:])[..., None], out

    def _update_cache(self, layer: CacheLayerMixin, window: torch.Tensor) -> torch.Tensor:
        window = window if window.dtype == torch.float64 else window.float()
        return layer.update_conv_state(window, conv_kernel_size=self.taps)


class RodimusInnerMixer(nn.Module):
    """Semantic compression: the gated recurrence with data-dependent tempered selection (§3.1, eq. 8 to 14).

    All gates are computed in float32, and so is the state `[batch, mem_size, d_inner]`.
    """

    def __init__(self, config: RodimusConfig):
        super().__init__()
        self.mem_size = config.mem_size
        self.key_eps = config.mixer_cfg["normalize_epsilon"]
        self.short_conv = RodimusShortConv(config)
        dtype = torch.float32 if config.residual_in_fp32 else None
        self.residual_weight = nn.Parameter(torch.ones(config.d_inner, dtype=dtype))
        self.in_proj = nn.Linear(config.d_inner, 2 * config.mem_size, bias=False)
        self.ch_gate_proj = nn.Sequential(
            nn.Linear(config.d_inner, config.input_gate_rank, bias=False),
            nn.Linear(config.input_gate_rank, config.d_inner, bias=True),
        )
        self.mem_gate_proj = nn.Linear(config.d_inner, 2 * config.mem_size, bias=True)
        # What `RodimusPreTrainedModel._init_weights` goes by.
        for linear in (self.in_proj, *self.ch_gate_proj):
            linear.role = LinearRole.GATE
        self.mem_gate_proj.role = LinearRole.SELECTION

    def __setattr__(self, name: str, value) -> None:
        super().__setattr__(name, value)
        if name == "_is_fsdp_managed_module" and value:
            self._follow_the_others()

    def _follow_the_others(self) -> None:
        """PyTorch's FSDP sets the attribute where it shards parameters. It needs one dtype for all that train in a group, so
        there `residual_weight` cannot stay in float32 beside others in half precision."""
        weight = self.residual_weight
        others = {p.dtype for p in self.parameters() if p is not weight and p.requires_grad and p.is_floating_point()}
        if weight.requires_grad and len(others) == 1 and weight.dtype not in others:
            logger.warning_once(
                "FSDP: residual_weight follows the dtype of the other weights. To keep it in float32, load the model in "
                "float32 and compute in half precision with MixedPrecisionPolicy(param_dtype=torch.bfloat16) or bf16=True"
            )
            self.residual_weight = nn.Parameter(weight.detach().to(others.pop()))

    def forward(
        self,
        x: torch.Tensor,
        layer: CacheLayerMixin | None = None,
        padding: Padding | None = None,
        packing: Packing | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mix tokens by the recurrence: `x` is `[batch, seq_len, d_inner]`, `layer` the cache's. Returns what the recurrence
        gives, the residual and its weights: the arguments of `RodimusGatedRMSNorm`, which adds them up."""
        has_past = layer is not None and layer.has_previous_state[0]
        has_kernels = _has_kernels(self.short_conv.conv1d)
        by_kernels = has_kernels and use_kernels(x)
        if has_past and padding is None and has_kernels and _can_step(layer) and _are_few(x.shape[1], by_kernels):
            out, conv = self._few_steps(x, layer)
            return out, conv, self.residual_weight
        if by_kernels:
            *conv, x, gate_input = self.short_conv.by_kernel(x, layer, has_past, padding, packing)
            value_gate = self.ch_gate_proj(gate_input)
        else:
            conv = [self.short_conv(x, layer, has_past, padding, packing)] * 3
            value_gate = self.ch_gate_proj(x)
        query, key, log_decay = tempered_selection(self.in_proj(conv[0]), self.mem_gate_proj(conv[1]), self.key_eps)
        if padding is not None:
            # A padding token writes nothing and lets nothing fade.
            key, log_decay = key * padding.mask[..., None], log_decay * padding.mask[..., None]
        state = _own_past(layer.recurrent_states[0]) if has_past else None
        if has_past and _is_one(x.shape[1]) and not torch.is_grad_enabled():
            value = torch.sigmoid(_wide(value_gate)) * x
            out = gated_linear_attention_step(query, key, value, log_decay, state)
        else:
            seq_idx = None if packing is None else packing.numbers
            out, state = gated_linear_attention(
                query,
                key,
                x,
                log_decay,
                value_gate=value_gate,
                initial_state=state,
                output_final_state=layer is not None,
                seq_idx=seq_idx,
                output_dtype=x.dtype if by_kernels else None,
            )
            if layer is not None:
                layer.update_recurrent_state(state)
        return out, conv[2], self.residual_weight

    def _few_steps(self, x: torch.Tensor, layer: CacheLayerMixin) -> tuple[torch.Tensor, torch.Tensor]:
        """A few decoding steps; the cache's tensors are updated where they lie."""
        conv = self.short_conv.conv1d(x, state=layer.conv_states[0])
        gates = self.mem_gate_proj(conv)
        state = layer.recurrent_states[0]
        return decoding_step(self.in_proj(conv), gates, self.ch_gate_proj(x), x, state, self.key_eps), conv


class RodimusMixer(nn.Module):
    """The recurrent branch of a block: expansion, inner mixer, output gate, norm and projection (§3.1, figure 3)."""

    def __init__(self, config: RodimusConfig, layer_idx: int):
        super().__init__()
        self.layer_idx = layer_idx
        self.fc = nn.Linear(config.hidden_size, 2 * config.d_inner, bias=False)
        self.inner_mixer = RodimusInnerMixer(config)
        self.act_norm = RodimusGatedRMSNorm(config.d_inner, config.norm_epsilon)
        self.out_proj = nn.Linear(config.d_inner, config.hidden_size, bias=False)
        self.out_proj.role = LinearRole.BRANCH_OUTPUT

    def forward(
        self,
        hidden_states: torch.Tensor,
        past_key_values: Cache | None = None,
        padding: Padding | None = None,
        packing: Packing | None = None,
    ) -> torch.Tensor:
        """Mix tokens: `[batch, seq_len, d_model]` to the same shape."""
        layer = None if past_key_values is None else past_key_values.layers[self.layer_idx]
        steps = None if packing is not None or (padding is not None and not padding.in_order) else _piece(hidden_states)
        if steps is None:
            return self._mix(hidden_states, layer, padding, packing)
        # What was before a piece is all in the states.
        layer, mixed = RecurrentLayer() if layer is None else layer, []
        for first in range(0, hidden_states.shape[1], steps):
            piece = slice(first, first + steps)
            mixed.append(self._mix(hidden_states[:, piece], layer, padding and padding.piece(piece), None))
        return torch.cat(mixed, 1)

    def _mix(self, hidden_states, layer, padding, packing) -> torch.Tensor:
        x, gate = halves(self.fc(hidden_states))
        return self.out_proj(self.act_norm(*self.inner_mixer(x, layer, padding, packing), gate))


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute softmax attention in plain PyTorch, the reference of the others; query, key, value `[batch, heads, length,
    head_dim]`."""
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.softmax(scores, dim=-1, dtype=_wide(scores).dtype).to(query.dtype)
    weights = F.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class RodimusAttention(nn.Module):
    """Sliding-window shared-key attention, SW-SKA (§3.2): few key heads, often one, for many query heads.

    Query head j reads key head `j % num_key_heads` and value head `j % num_value_heads`. The cache holds the heads side
    by side, `[batch, 1, length, heads · head_dim]`, since keys and values may have different numbers of them.
    """

    def __init__(self, config: RodimusConfig, layer_idx: int):
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.num_heads, self.head_dim = config.num_attention_heads, config.head_dim
        self.sliding_window = config.sliding_window
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        self.rotary_dim, self.rotary_interleaved = config.rotary_dim, config.attn_cfg["rotary_emb_interleaved"]
        self.window_dtype: torch.dtype | None = None  # of queries, keys, values and the cache; None: the input's
        self.is_causal = True
        self.num_key_value_groups = 1  # heads are tiled here, not by the attention functions
        width = config.hidden_size
        self.q_proj = nn.Linear(width, self.num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(width, config.num_key_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(width, config.num_value_heads * self.head_dim, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.out_proj.role = LinearRole.BRANCH_OUTPUT

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor] | None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        padding: Padding | None = None,
        moved: Padding | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend to the window: `[batch, seq_len, d_model]` to the same shape, and the attention's weights if they were asked
        for. `moved`: padding of cache and segment, where the order in the cache is not that of the input."""
        batch, seq_len, width = hidden_states.shape
        in_blocks = attention_mask is None and not _is_one(seq_len)
        in_blocks = in_blocks and window_alone(self.config, seq_len, past_key_values, self.layer_idx)
        query = self._rotate(self.q_proj(hidden_states), position_embeddings)
        key = self._rotate(self.k_proj(hidden_states), position_embeddings)
        value = self.v_proj(hidden_states)
        if self.window_dtype is not None:
            query, key, value = (x.to(self.window_dtype) for x in (query, key, value))
        if padding is not None:
            query = padding.pack(query)
            key, value = self._pack_with_cache(key, value, past_key_values, padding)
        if past_key_values is not None:
            key, value = past_key_values.update(key.unsqueeze(1), value.unsqueeze(1), self.layer_idx)
            if not _is_one(seq_len):
                _own_memory(past_key_values.layers[self.layer_idx])
            key, value = key.squeeze(1), value.squeeze(1)
        if padding is None and attention_mask is None and self._steps_by_itself(query, past_key_values):
            return self.out_proj(window_attention_step(query, key, value, self.head_dim, self.scaling)), None
        if in_blocks:
            key, value = (x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for x in (key, value))
            dropout = self.attention_dropout if self.training else 0.0
            out = sliding_window_attention(self._heads(query), key, value, self.sliding_window, self.scaling, dropout)
            return self.out_proj(out.transpose(1, 2).reshape(batch, seq_len, width)), None
        attention: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        out, weights = attention(
            self,
            self._heads(query),
            self._heads(key),
            self._heads(value),
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            sliding_window=self.sliding_window,
            **kwargs,
        )
        out = out.reshape(batch, seq_len, width)
        if weights is not None and moved is not None:
            weights = moved.weights_in_input_order(weights)
        return self.out_proj(out if padding is None else padding.unpack(out)), weights

    def _steps_by_itself(self, query: torch.Tensor, past_key_values: Cache | None) -> bool:
        """Whether a decoding step needs no attention function: where it only adds to what has to be done."""
        if past_key_values is None or not _is_one(query.shape[1]) or query.device.type != "cpu":
            return False
        traced = torch.is_grad_enabled() or torch.compiler.is_compiling()
        plain = query.dtype in (torch.float32, torch.float64)
        return plain and not traced and self.config._attn_implementation == "sdpa"

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """`[batch, length, heads · head_dim]` → `[batch, num_heads, length, head_dim]`, heads repeated in turn."""
        x = x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        if x.shape[1] == 1:
            return x.expand(-1, self.num_heads, -1, -1)
        return x if x.shape[1] == self.num_heads else x.repeat(1, self.num_heads // x.shape[1], 1, 1)

    def _rotate(self, x: torch.Tensor, position_embeddings: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        """Rotary position embedding of `[batch, length, heads · head_dim]` (arXiv 2104.09864)."""
        if position_embeddings is None:
            return x
        cos, sin = position_embeddings
        axis, shape = (-1, (-1, 2)) if self.rotary_interleaved else (-2, (2, -1))
        pairs, rest = x.unflatten(-1, (-1, self.head_dim)), None
        if self.rotary_dim < self.head_dim:
            pairs, rest = pairs.tensor_split([self.rotary_dim], -1)
        pairs = pairs.unflatten(-1, shape)
        # Each pair (a, b) becomes (a cos − b sin, b cos + a sin).
        rotated = torch.addcmul(pairs * cos, pairs.flip(axis), sin)
        rotated = rotated if rotated.dtype == x.dtype else rotated.to(x.dtype)
        return rotated.flatten(2) if rest is None else torch.cat([rotated.flatten(-2), rest], -1).flatten(2)

    def _pack_with_cache(self, key, value, past_key_values, padding):
        """Keys and values in packed order, together with those in the cache, which are moved there."""
        layer = None if past_key_values is None else past_key_values.layers[self.layer_idx]
        if padding.in_order or layer is None or layer.keys is None or layer.keys.shape[2] == 0:
            return padding.pack(key), padding.pack(value)
        old_key, key = padding.pack_with_past(layer.keys.squeeze(1), key)
        old_value, value = padding.pack_with_past(layer.values.squeeze(1), value)
        if isinstance(layer, WindowLayer):
            layer.keys.copy_(old_key.unsqueeze(1))
            layer.values.copy_(old_value.unsqueeze(1))
        else:
            layer.keys, layer.values = old_key.unsqueeze(1), old_value.unsqueeze(1)
        return key, value


class RodimusMLP(nn.Module):
    """Gated feed-forward network (SwiGLU)."""

    def __init__(self, config: RodimusConfig):
        super().__init__()
        self.dropout = config.activation_dropout
        self.fc = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.out_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.out_proj.role = LinearRole.BRANCH_OUTPUT

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Apply the network to each token: `[…, d_model]`."""
        steps = _piece(hidden_states)
        if steps is not None:
            return torch.cat([self._feed(piece) for piece in hidden_states.split(steps, 1)], 1)
        return self._feed(hidden_states)

    def _feed(self, hidden_states: torch.Tensor) -> torch.Tensor:
        up, gate = self.fc(hidden_states).chunk(2, -1)
        gated = F.silu(gate, inplace=True).mul_(up) if _in_place() else F.silu(gate) * up  # nobody else sees `gate`
        return self.out_proj(F.dropout(gated, self.dropout) if self.training and self.dropout > 0 else gated)


class RodimusBlock(GradientCheckpointingLayer):
    """One block on the residual stream `[batch, seq_len, d_model]` (float32 with `residual_in_fp32`).

    In `rodimus_plus` the attention output reaches the stream through the feed-forward network only ("two-hop residual", §3.3).
    """

    def __init__(self, config: RodimusConfig, layer_idx: int):
        super().__init__()
        self.dropout = config.dropout
        self.mixer_norm = RodimusRMSNorm(config.hidden_size, config.norm_epsilon)
        self.mixer = RodimusMixer(config, layer_idx)
        self.has_attention = config.has_attention
        if self.has_attention:
            self.attn_norm = RodimusRMSNorm(config.hidden_size, config.norm_epsilon)
            self.attn = RodimusAttention(config, layer_idx)
            self.ffn_norm = RodimusRMSNorm(config.hidden_size, config.norm_epsilon)
            self.ffn = RodimusMLP(config)

    @takes_cache
    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        padding: Padding | None = None,
        packing: Packing | None = None,
        moved: Padding | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        """Add to the residual stream what the block makes of it; arguments as in `RodimusModel.forward`, made once for all
        blocks."""
        mixed = self.mixer(
            self.mixer_norm(hidden_states), past_key_values=past_key_values, padding=padding, packing=packing
        )
        hidden_states = hidden_states + self._drop(mixed)
        if not self.has_attention:
            return hidden_states
        attended, _ = self.attn(
            self.attn_norm(hidden_states),
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            padding=padding,
            moved=moved,
            **kwargs,
        )
        return hidden_states + self._drop(self.ffn(self.ffn_norm(hidden_states + self._drop(attended))))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout > 0 else x


class RodimusPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialisation, common to all Rodimus models."""

    config_class = RodimusConfig
    config: RodimusConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["RodimusBlock"]
    _skip_keys_device_placement = [*CACHE_NAMES]
    _input_embed_layer = "embeddings"
    _is_stateful = True
    _can_compile_fullgraph = True
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {"hidden_states": RodimusBlock, "attentions": RodimusAttention}

    def __init__(self, config: RodimusConfig, *inputs, **kwargs):
        super().__init__(config, *inputs, **kwargs)
        config.check_values()  # attributes may have been set since it was made
        if config.residual_in_fp32:
            self._keep_in_fp32_modules_strict = ["residual_weight"]

    @classmethod
    def from_pretrained(cls, *args, weights_only: bool = True, **kwargs):
        """Load a model as transformers does, but read a pickled `.bin` file only ever as data.

        Raises:
            ValueError: `weights_only=False`.
        """
        if not weights_only:
            raise ValueError("weights_only must be True: unpickling a .bin file in full could run any code in it")
        loaded = super().from_pretrained(*args, **kwargs)
        avoid_unfit_cpu_format(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialisation of the paper's training runs (appendix C)."""
        if isinstance(module, nn.Linear):
            self._init_linear(module)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, RodimusRMSNorm):
            init.ones_(module.weight)
        elif isinstance(module, nn.Conv1d):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            bound = 1 / math.sqrt(module.kernel_size[0])
            init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, RodimusInnerMixer):
            init.ones_(module.residual_weight)

    def _init_linear(self, module: nn.Linear) -> None:
        # By the layer's role, and not from the module around it, which transformers passes over where that module has
        # no parameters of its own.
        std, role = self.config.initializer_range, getattr(module, "role", None)
        if role in (LinearRole.GATE, LinearRole.SELECTION):
            init.xavier_uniform_(module.weight, gain=2**-2.5)
        elif role is LinearRole.BRANCH_OUTPUT and self.config.rescale_prenorm_residual:
            residuals = 3 if self.config.has_attention else 1
            init.normal_(module.weight, std=std / math.sqrt(residuals * self.config.n_layer))
        else:
            init.normal_(module.weight, std=std)
        if role is LinearRole.SELECTION:
            self._init_selection_bias(module.bias)
        elif module.bias is not None:
            init.zeros_(module.bias)

    @staticmethod
    def _init_selection_bias(bias: nn.Parameter) -> None:
        """γ log-uniform from 0.001 to 0.1, τ uniform from 1/16 to 0.9."""
        if getattr(bias, "_is_hf_initialized", False):
            return
        mem_size = bias.shape[0] // 2
        selection = torch.rand(mem_size, dtype=torch.float32) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)
        selection = selection.exp().clamp(min=1e-4)
        selection = selection + torch.log(-torch.expm1(-selection))  # inverse of softplus
        temperature = torch.empty(mem_size).uniform_(1 / 16, 0.9).logit()
        init.copy_(bias, torch.cat([selection, temperature]).to(bias))

    def no_weight_decay(self) -> set[str]:
        """List the names of the parameters that weight decay should spare: biases, norms, `residual_weight`, an untied
        embedding."""
        tied = self.config.tie_word_embeddings
        return {
            name
            for name, parameter in self.named_parameters()
            if parameter.ndim < 2 or (name.endswith("embeddings.weight") and not tied)
        }

    def parameter_groups(self, weight_decay: float) -> list[dict]:
        """Group the trainable parameters for an optimiser: `torch.optim.AdamW(model.parameter_groups(0.1), lr=…)`."""
        spared = self.no_weight_decay()
        trained = {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}
        return [
            {"params": [p for name, p in trained.items() if name not in spared], "weight_decay": weight_decay},
            {"params": [p for name, p in trained.items() if name in spared], "weight_decay": 0.0},
        ]

    @staticmethod
    @takes_cache
    def create_masks_for_generate(
        config: RodimusConfig,
        inputs_embeds: torch.Tensor,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None = None,
        position_ids: torch.Tensor | None = None,
        **kwargs,
    ) -> dict[str, torch.Tensor | None]:
        """Make the masks of one forward pass, outside of it so that a compiled decoding step need not make them.

        Returns:
            `{"attention": mask of the attention function or None, "padding": 2D mask of cache and segment, or None if the
            segment has no padding, "moved": the same, or None if tokens stand in the cache in the order of the input}`; a
            forward pass takes it as `attention_mask`.
        """
        if past_key_values is not None:
            adopt_cache(past_key_values, config)
        padding = Padding.from_attention_mask(attention_mask, inputs_embeds.shape[1])
        attention = attention_mask_for(config, inputs_embeds, padding, past_key_values)
        in_segment = padding is not None and not bool(padding.mask.all())
        moved = padding is not None and not padding.all_in_order
        return {
            "attention": attention,
            "padding": attention_mask if in_segment else None,
            "moved": attention_mask if moved else None,
        }


def attention_mask_for(
    config: RodimusConfig,
    inputs_embeds: torch.Tensor,
    padding: Padding | None,
    past_key_values: Cache | None,
    packing: Packing | None = None,
) -> torch.Tensor | None:
    """Make the causal (windowed) mask in the form that the model's attention function takes; None where it needs none."""
    seq_len, device = inputs_embeds.shape[1], inputs_embeds.device
    if not config.has_attention:
        return None
    if padding is None and packing is None:
        if window_alone(config, seq_len, past_key_values) or _sees_all(config, seq_len, past_key_values):
            return None
    mask = None if padding is None else padding.full_mask
    if past_key_values is not None and isinstance(past_key_values.layers[0], WindowLayer):
        layer, past_key_values = past_key_values.layers[0], None
        if layer.started:
            # Real tokens are the last of the window and of the segment, as many as there are.
            seen = layer.get_seq_length() + seq_len if mask is None else mask.sum(1, keepdim=True)
            slots = torch.arange(layer.past + seq_len, device=device)[None]
            mask = (slots >= layer.past + seq_len - seen).expand(inputs_embeds.shape[0], -1)
            past_key_values = WindowView(layer.past)
    create_mask = create_causal_mask if config.sliding_window is None else create_sliding_window_causal_mask
    arguments = {"config": config, "inputs_embeds": inputs_embeds, "attention_mask": mask}
    if packing is None:
        return create_mask(**arguments, **{CACHE_NAME: past_key_values})
    # In an empty cache there is nothing to see.
    if config._attn_implementation == "flex_attention":
        numbers = packing.packed

        def same(batch, head, query, key):
            return numbers[batch, query] == numbers[batch, key]

        return create_mask(**arguments, **{CACHE_NAME: None}, and_mask_function=same)
    mask = create_mask(**arguments, **{CACHE_NAME: None})
    if mask is None:
        mask = torch.ones(seq_len, seq_len, dtype=torch.bool, device=device).tril()[None, None]
    if mask.ndim != 4:
        return mask  # flash attention, which reads positions or cu_seq_lens instead
    same = packing.packed[:, None, :, None] == packing.packed[:, None, None, :]
    return mask & same if mask.dtype == torch.bool else mask.masked_fill(~same, torch.finfo(mask.dtype).min)


def window_alone(config: RodimusConfig, seq_len: int, past_key_values: Cache | None, layer_idx: int = 0) -> bool:
    """Tell whether attention is computed in blocks when nothing but the window limits it (no padding, no packing)."""
    if config._attn_implementation != "sdpa" or is_exporting():
        return False
    layer = None if past_key_values is None else past_key_values.layers[layer_idx]
    if isinstance(layer, WindowLayer) and layer.started:
        return False  # not all that lies in the window need be there yet
    return worth_blocks(seq_len, config.sliding_window)


def _sees_all(config: RodimusConfig, seq_len: int, past_key_values: Cache | None) -> bool:
    """Whether it is a single token behind a window, which keeps no more than that token sees. transformers makes a mask of ones
    where the window is full."""
    layer = None if past_key_values is None else past_key_values.layers[0]
    return config._attn_implementation in ("sdpa", "eager") and _is_one(seq_len) and isinstance(layer, SlidingLayer)


class RodimusModel(RodimusPreTrainedModel):
    """The bare model: token ids to final hidden states."""

    def __init__(self, config: RodimusConfig):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.embed_norm = RodimusRMSNorm(config.hidden_size, config.norm_epsilon) if config.use_norm_embedding else None
        self.layers = nn.ModuleList(RodimusBlock(config, i) for i in range(config.num_hidden_layers))
        self.norm_f = RodimusRMSNorm(config.hidden_size, config.norm_epsilon)
        self.gradient_checkpointing = False
        self.post_init()

    @takes_cache
    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | dict[str, torch.Tensor | None] | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPast:
        """Compute the final hidden states of token ids or of their embeddings.

        Args:
            input_ids: `[batch, seq_len]`; or `inputs_embeds`: `[batch, seq_len, d_model]`.
            attention_mask: 1 for real tokens, 0 for padding (anywhere), `[batch, past_len + seq_len]`; numbers 1, 2, … mark
                packed sequences. Masks over pairs of tokens, `[batch, 1, seq_len, past_len + seq_len]`, may say the same.
            position_ids: `[batch, seq_len]`. Positions that start again within a row, without padding, mark packed
                sequences, as do `seq_idx` `[batch, seq_len]` and `cu_seq_lens_q`.
            past_key_values: `DynamicCache(config=model.config)` or `StaticCache(config=model.config, max_cache_len=…)`.

        Raises:
            ValueError: inputs that contradict one another, with what was expected.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        if inputs_embeds is None:
            inputs_embeds = self.embeddings(input_ids)
        if inputs_embeds.ndim != 3 or (inputs_embeds.shape[1] == 0 and not torch.compiler.is_compiling()):
            raise ValueError(
                "input_ids must have shape [batch, seq_len] with at least one token (inputs_embeds: one dimension more), got "
                f"{tuple(inputs_embeds.shape[:-1])}"
            )
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if past_key_values is not None:
            adopt_cache(past_key_values, self.config)
            if not torch.compiler.is_compiling():
                check_capacity(past_key_values, self.config, inputs_embeds.shape[1])
        masks, position_ids, padding, packing, moved = self._prepare(
            inputs_embeds, attention_mask, position_ids, past_key_values, kwargs
        )
        kwargs.pop("seq_idx", None)  # the layers get it in one form, whatever it was given as
        if packing is not None and "flash" in (self.config._attn_implementation or ""):
            kwargs["position_ids"] = position_ids
        position_embeddings = None
        if self.config.has_attention:
            position_embeddings = self._position_embeddings(position_ids, _wide(inputs_embeds).dtype)
        hidden_states = self._embed(inputs_embeds)
        for layer in self.layers:
            hidden_states = layer(
                hidden_states,
                position_embeddings=position_embeddings,
                attention_mask=masks,
                padding=padding,
                packing=packing,
                moved=moved,
                **{CACHE_NAME: past_key_values},
                **kwargs,
            )
        if past_key_values is not None and not self.config.has_attention:
            past_key_values.layers[0].advance(inputs_embeds.shape[1], inputs_embeds.device)
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm_f(hidden_states), **{CACHE_NAME: past_key_values if use_cache else None}
        )

    def _embed(self, inputs_embeds: torch.Tensor) -> torch.Tensor:
        hidden_states = inputs_embeds
        if self.config.use_scale_embedding:
            hidden_states = hidden_states * math.sqrt(self.config.mem_size)
        if self.embed_norm is not None:
            hidden_states = self.embed_norm(hidden_states)
        return _wide(hidden_states) if self.config.residual_in_fp32 else hidden_states

    def _prepare(self, inputs_embeds, attention_mask, position_ids, past_key_values, kwargs):
        """Attention mask, positions, padding and packing of one forward pass, made once for all layers."""
        batch, seq_len = inputs_embeds.shape[:2]
        packing, needs_positions = None, self.config.has_attention
        if isinstance(attention_mask, dict):
            masks = attention_mask["attention"]
            padding = Padding.from_attention_mask(attention_mask["padding"], seq_len)
            moved = Padding.from_attention_mask(attention_mask["moved"], seq_len)
        else:
            traced = torch.compiler.is_compiling()
            past_len = 0 if traced else past_length(past_key_values)
            mask, numbers = read_attention_mask(attention_mask, batch, seq_len, past_len, self.config.sliding_window)
            padding = Padding.from_attention_mask(mask, seq_len)
            packing = Packing.find(inputs_embeds, numbers, position_ids, padding, has_past(past_key_values), kwargs)
            masks = attention_mask_for(self.config, inputs_embeds, padding, past_key_values, packing)
            moved = None if padding is None or padding.all_in_order else padding
            if packing is not None:
                position_ids = packing.position_ids() if padding is None else padding.position_ids()
            elif position_ids is None and padding is not None and needs_positions:
                position_ids = padding.position_ids()
            if padding is not None and not traced and bool(padding.mask.all()):
                padding = None  # it lies in the cache already, and only the attention mask still has to know
        if position_ids is None and needs_positions:
            position_ids = (torch.arange(seq_len, device=inputs_embeds.device) + past_length(past_key_values))[None]
        return masks, position_ids, padding, packing, moved

    def _position_embeddings(
        self, position_ids: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Cosines and sines of the rotation angles, as they meet pairs `[batch, seq_len, heads, 2, rotary_dim / 2]`, or with the
        two of a pair side by side; the sines of the first of a pair have the other sign. None if nothing rotates."""
        dim = self.config.rotary_dim
        if dim == 0:
            return None
        make = _make_frequencies if torch.compiler.is_compiling() else _frequencies
        angles = position_ids[..., None] * make(
            dim, self.config.attn_cfg["rotary_emb_base"], dtype, position_ids.device
        )
        angles = angles.unsqueeze(2)
        axis = -1 if self.config.attn_cfg["rotary_emb_interleaved"] else -2
        sin = angles.sin()
        return angles.cos().unsqueeze(axis), torch.stack([-sin, sin], axis)


class RodimusForCausalLM(RodimusPreTrainedModel, GenerationStateMixin, GenerationMixin):
    """Rodimus with a language modeling head: everything `generate` offers, from a cache that does not grow."""

    _tied_weights_keys = {"lm_head.weight": "model.embeddings.weight"}

    def __init__(self, config: RodimusConfig):
        super().__init__(config)
        self.model = RodimusModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @takes_cache
    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CausalLMOutputWithPast:
        """Compute the next token's logits, and the loss where labels are given.

        Args:
            input_ids, attention_mask, position_ids, past_key_values, inputs_embeds: as in `RodimusModel.forward`.
            labels: `[batch, seq_len]`, shifted inside; −100 is ignored. The loss is transformers' own, and honours
                `num_items_in_batch`.
            logits_to_keep: compute the logits of the last so many positions (0: all), or of these indices.
        """
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        # PyTorch copies the head once for each row of a batch whose last tokens do not lie side by side, unless it is trained.
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :].contiguous())
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            **{CACHE_NAME: getattr(outputs, CACHE_NAME)},
        )

    def _prepare_cache_for_generation(
        self, generation_config, model_kwargs, generation_mode, batch_size, max_cache_length
    ):
        virtual = virtual_tokens(self)
        result = super()._prepare_cache_for_generation(
            generation_config, model_kwargs, generation_mode, batch_size, max_cache_length + virtual
        )
        cache = model_kwargs.get(CACHE_NAME)
        if cache is not None:
            adopt_cache(cache, self.config)
        if virtual:
            check_virtual_tokens(generation_config, cache)
        return result

    def _prepare_generated_length(self, generation_config, has_default_max_length, **kwargs):
        # By default a text is as long as the prompt and 20 tokens, but no longer than the training context.
        if has_default_max_length and generation_config.max_new_tokens is None and self.config.is_bounded:
            generation_config.max_new_tokens = generation_config.max_length
        return super()._prepare_generated_length(generation_config, has_default_max_length, **kwargs)

    def _get_stopping_criteria(self, *args, **kwargs):
        criteria = super()._get_stopping_criteria(*args, **kwargs)
        for each in criteria:
            if isinstance(each, MaxLengthCriteria) and self.config.is_bounded:
                each.max_position_embeddings = None  # it would warn of a length that this model does not have
        return criteria

    @functools.wraps(GenerationMixin.prepare_inputs_for_generation)  # `generate` looks at the names of its arguments
    def prepare_inputs_for_generation(self, *args, attention_mask: torch.Tensor | None = None, **kwargs):
        """Choose what `forward` gets in a step, as transformers does, with the 2D mask where the step is not compiled."""
        inputs = super().prepare_inputs_for_generation(*args, attention_mask=attention_mask, **kwargs)
        # A step is compiled with a static cache only; and virtual tokens are put in front of the mask itself.
        if isinstance(inputs.get(CACHE_NAME), DynamicCache) or virtual_tokens(self):
            inputs["attention_mask"] = attention_mask
        return inputs


class RodimusForSequenceClassification(GenericForSequenceClassification, RodimusPreTrainedModel):
    """Rodimus with a classification head on each row's last real token: the last that is not `pad_token_id`, as in transformers'
    other models, whatever the mask says."""

    @takes_cache
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SequenceClassifierOutputWithPast:
        """Classify each row; see transformers' `GenericForSequenceClassification`.

        Raises:
            ValueError: a mask with numbers of packed sequences: there is one answer for a row.
        """
        if attention_mask is not None and not torch.compiler.is_compiling() and bool((attention_mask > 1).any()):
            raise ValueError(
                "attention_mask numbers several sequences packed in a row, but a row gets one class: give each a row of its own"
            )
        return super().forward(
            input_ids, attention_mask, position_ids, past_key_values, inputs_embeds, labels, use_cache, **kwargs
        )


@functools.lru_cache(maxsize=16)
def _frequencies(*arguments) -> torch.Tensor:
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        return _make_frequencies(*arguments)


def _make_frequencies(dim: int, base: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Frequencies of the rotation by position, `[dim / 2]`."""
    return torch.pow(base, -torch.arange(0, dim, 2, dtype=dtype, device=device) / dim)


def _own_memory(layer: CacheLayerMixin) -> None:
    """A sliding window is a view of all that was fed; let go of what has left it, or a prompt stays in memory."""
    if torch.compiler.is_compiling() or layer.keys.untyped_storage().nbytes() == layer.keys.nbytes:
        return
    layer.keys, layer.values = layer.keys.clone(), layer.values.clone()


def _own_past(state: torch.Tensor) -> torch.Tensor:
    """A cache's state as a backward pass finds it again, since the cache writes the next one into its place."""
    return state.clone() if torch.is_grad_enabled() else state


def _can_step(layer: CacheLayerMixin) -> bool:
    """Whether a cache layer's states may be updated in place: no gradients, no past kept for taking steps back."""
    return not torch.is_grad_enabled() and not getattr(layer, "record_past", False)


def _are_few(steps: int, by_kernels: bool) -> bool:
    """Whether so many steps are taken one after another. Asked last, since the answer binds a traced graph to it."""
    return _is_one(steps) or (by_kernels and steps <= MAX_STEPS)


def _is_one(size: int) -> bool:
    """Whether a size is 1. One that an exporter keeps open is not, and not asked either: the answer would bind it."""
    return isinstance(size, int) and size == 1


def _in_place() -> bool:
    """Whether operators may write over what they read and nobody else sees."""
    return not torch.is_grad_enabled() and not torch.compiler.is_compiling() and not is_transformed()


def _has_kernels(convolution: nn.Module) -> bool:
    """Whether a short convolution is ours: a layer in its place has its convolution only."""
    return getattr(convolution, "has_kernels", False)


def _on_plain_cpu(x: torch.Tensor) -> bool:
    """Whether operators on `x` run one by one on a CPU: no graph is made, nothing is transformed, no Triton kernel interpreted."""
    return x.device.type == "cpu" and not (torch.compiler.is_compiling() or is_transformed() or use_kernels(x))


def _piece(x: torch.Tensor) -> int | None:
    """Steps of the pieces in which a long input `[batch, seq_len, …]` is computed, whole chunks of the recurrence; None for all
    at once. On a CPU without gradients pieces save memory, and the time that new memory and ways through it take."""
    if torch.is_grad_enabled() or x.ndim != 3 or not _on_plain_cpu(x):
        return None
    steps = max(_PIECE // max(x.shape[0] * CHUNK_SIZE, 1), 1) * CHUNK_SIZE
    return steps if x.shape[1] > steps else None


def _wide(x: torch.Tensor) -> torch.Tensor:
    """At least float32."""
    return x if x.dtype == torch.float64 else x.float()


__all__ = ["RodimusForCausalLM", "RodimusForSequenceClassification", "RodimusModel", "RodimusPreTrainedModel"]
