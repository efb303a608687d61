"""The node encoder of CGM: segments of node texts → vectors, batched by length over all nodes of a batch.

The backbone is any text encoder of transformers. CodeT5+ embedding is T5's encoder here, the first token's state, a
projection and L2 normalisation; sentence-transformers encoders are their transformer and mean pooling; CGE gives its own
embedding. A segment without tokens has the zero vector.
"""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

from codefuse_hf.modeling.configuration_checks import runs_as_remote_code

from .configuration_cgm import CGMConfig, encoder_width

BATCH_TOKENS = 16_384
"""Tokens, padding included, of one call of the encoder."""


def build_backbone(config) -> PreTrainedModel:
    """Make a new text encoder of a configuration: an encoder alone where the architecture also has a decoder (T5)."""
    if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING:
        return MODEL_FOR_TEXT_ENCODING_MAPPING[type(config)]._from_config(config)
    # A backbone whose code travels with this file was trusted together with it.
    trust = {"trust_remote_code": True} if runs_as_remote_code() else {}
    return AutoModel.from_config(config, **trust)


class CGMNodeEncoder(nn.Module):
    """Text encoder, pooling, projection, normalisation. Parameters: `model.*`, `proj.*`."""

    def __init__(self, config: CGMConfig, backbone: PreTrainedModel | None = None):
        """`backbone`: a ready encoder to use instead of a new one."""
        super().__init__()
        self.model = build_backbone(config.encoder_config) if backbone is None else backbone
        self.pooling = config.encoder_pooling
        self.normalize = config.encoder_normalize
        self.frozen = config.freeze_encoder
        width = config.encoder_projection_dim
        self.proj = None if width is None else nn.Linear(encoder_width(config.encoder_config), width)
        self.embedding_dim = config.embedding_dim
        pass_on_rules(self, "model")

    def train(self, mode: bool = True) -> "CGMNodeEncoder":
        """Set training or evaluation mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, batch_tokens: int = BATCH_TOKENS
    ) -> torch.Tensor:
        """Encode segments, each distinct one once, those of similar length together.

        Args:
            input_ids, attention_mask: `[segments, tokens]`; padding may be anywhere.
            batch_tokens: tokens, padding included, of one call of the backbone.

        Returns:
            `[segments, embedding_dim]`; zero for segments without tokens.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            rows, inverse = _distinct_rows(input_ids, attention_mask.bool())
            lengths = (rows >= 0).sum(1)
            order = lengths.argsort(descending=True, stable=True)
            order = order[: int((lengths > 0).sum())]  # the empty one, if any, is the last
            batches = list(self._batches(order, lengths[order].tolist(), batch_tokens))
            idle = self._idle_calls(len(batches), rows.device)
            vectors = [
                self.encode(rows[batch, :longest].clamp(min=0), rows[batch, :longest] >= 0)
                for batch, longest in batches
            ]
            token = rows.new_zeros(1, 1)
            vectors += [self.encode(token, token == 0) for _ in range(idle)]
            encoded = torch.cat(vectors) if vectors else rows.new_zeros(0, self.embedding_dim, dtype=self._dtype())
            distinct = encoded.new_zeros(len(rows), self.embedding_dim).index_copy(0, order, encoded[: len(order)])
            return distinct[inverse] + encoded[len(order) :].sum() * 0

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Call the backbone once: `[rows, tokens]`, padded on the right, no row empty → `[rows, embedding_dim]`."""
        outputs = self.model(input_ids=input_ids, attention_mask=attention_mask.long(), return_dict=True)
        if self.pooling == "embedding":
            pooled = outputs.embedding
        else:
            pooled = pool(outputs.last_hidden_state, attention_mask, self.pooling)
        if self.proj is not None:
            pooled = self.proj(pooled)
        return F.normalize(pooled, dim=-1) if self.normalize else pooled

    def _dtype(self) -> torch.dtype:
        return next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.float32)

    @staticmethod
    def _batches(order: torch.Tensor, lengths: list[int], batch_tokens: int):
        """Runs of `order`, longest first, of at most `batch_tokens` tokens with padding, and their longest length."""
        start = 0
        while start < len(lengths):
            size = max(1, batch_tokens // lengths[start])
            yield order[start : start + size], lengths[start]
            start += size

    def _idle_calls(self, calls: int, device: torch.device) -> int:
        """How many calls on one token make this process call the backbone as often as the others with its weights.

        Sharded weights are gathered in each call, and a parameter that a process does not use stalls the reduction of
        gradients. The processes agree before the first call: in between, it would get mixed up with that gathering.
        """
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if not distributed or torch.distributed.get_world_size() == 1 or not (self.training or self._is_sharded()):
            return 0
        most = torch.tensor(max(calls, 1), device=device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        return int(most) - calls

    def _is_sharded(self) -> bool:
        return any(hasattr(p, "device_mesh") for p in self.parameters()) or any(
            getattr(module, "_is_fsdp_managed_module", False) for module in self.modules()
        )


_RULES = (
    "_keep_in_fp32_modules",
    "_keep_in_fp32_modules_strict",
    "_no_split_modules",
    "_skip_keys_device_placement",
    "_keys_to_ignore_on_load_unexpected",
    "_keys_to_ignore_on_load_missing",
)


def pass_on_rules(wrapper: nn.Module, name: str) -> None:
    """Hand a model's rules on through a plain module around it; transformers gathers them from direct children only."""
    model = wrapper.get_submodule(name)
    tied = getattr(model, "all_tied_weights_keys", {})
    wrapper.all_tied_weights_keys = {f"{name}.{copy}": f"{name}.{original}" for copy, original in tied.items()}
    for plan in ("_tp_plan", "_ep_plan", "_pp_plan", "_fsdp_plan"):
        own = getattr(model, plan, None) or {}
        setattr(wrapper, plan, {f"{name}.{module}": style for module, style in own.items()})
    for rule in _RULES:
        setattr(wrapper, rule, getattr(model, rule, None))


def pool(states: torch.Tensor, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return the "first", "last" or "mean" state of each row; padding on the right, no row empty.

    Args:
        states: `[rows, tokens, hidden_size]`; attention_mask: `[rows, tokens]`.
    """
    if pooling == "first":
        return states[:, 0]
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), attention_mask.sum(1) - 1]
    weights = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def _distinct_rows(input_ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distinct segments, real tokens first and -1 behind them, and for each given one its place among them."""
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
    rows = input_ids.long().masked_fill(~mask, -1).gather(1, order)
    width = int(mask.sum(1).max()) if mask.numel() else 0
    if width == 0:
        return rows.new_full((1, 1), -1), torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    return torch.unique(rows[:, :width], dim=0, return_inverse=True)
