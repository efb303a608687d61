"""Pooling: token vectors of a text → one vector. Only real tokens count, whichever side is padded.

Pooling by multi-head attention (PMA) is from *Set Transformer* (arXiv 1810.00825), in the variants of CodeFuse-CGE:
one learnt seed attends to all tokens of a text, the scores are scaled by the square root of the full width C (not of
a head's width), and the layer norms stand in one of three places.
"""

import torch
import torch.nn.functional as F
from torch import nn


class CGEAttentionBlock(nn.Module):
    """One attention block from the seed to the tokens, with the feed-forward step of the chosen mode.

    With Q the seed, X the tokens and O the attention output (heads side by side):

        post_normal: z = ln0(Q + O);                            out = ln1(z + relu(fc_o(z)))
        pre_normal:  Q' = ln_q(Q), X' = ln_kv(X); z = Q + O;    out = ln_final(z + relu(fc_o(ln_o(z))))
        pre_gptj:    Q' = ln_q(Q), X' = ln_kv(X);               out = ln_final(Q + O + relu(fc_o(Q')))

    In the pre modes Q' and X' are what the attention sees. With `residual` "projected_seed" the attention output is added to
    the query, fc_q(Q) or fc_q(Q'), as in *Set Transformer* (equation 7) and C2LLM, instead of to Q.
    """

    def __init__(
        self, hidden_size: int, width: int, num_heads: int, layer_norm: bool, mode: str, residual: str = "seed"
    ):
        super().__init__()
        self.residual = residual
        self.num_heads = num_heads
        self.mode = mode
        self.fc_q = nn.Linear(width, width)
        self.fc_k = nn.Linear(hidden_size, width)
        self.fc_v = nn.Linear(hidden_size, width)
        self.fc_o = nn.Linear(width, width)
        norms = {
            "post_normal": {"ln0": width, "ln1": width},
            "pre_normal": {"ln_q": width, "ln_kv": hidden_size, "ln_o": width, "ln_final": width},
            "pre_gptj": {"ln_q": width, "ln_kv": hidden_size, "ln_final": width},
        }[mode]
        for name, size in norms.items():
            self.add_module(name, nn.LayerNorm(size) if layer_norm else nn.Identity())

    def forward(
        self, seed: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor | None, need_weights: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pool `tokens` [batch, seq_len, hidden] with `seed` [1, 1, width] over the positions where `mask` [batch,
        seq_len] (bool, None for all) is true. Returns the pooled vectors [batch, width] and, on request, the attention
        weights [batch, num_heads, seq_len]. A row without any real token has a zero attention output."""
        pre = self.mode != "post_normal"
        query = self.ln_q(seed) if pre else seed
        keys = self.ln_kv(tokens) if pre else tokens
        projected = self.fc_q(query)
        attended, weights = self._attend(projected, self.fc_k(keys), self.fc_v(keys), mask, need_weights)
        seed = (projected if self.residual == "projected_seed" else seed)[:, 0].to(attended.dtype)
        if self.mode == "post_normal":
            z = self.ln0(seed + attended)
            return self.ln1(z + F.relu(self.fc_o(z))), weights
        z = seed + attended
        inner = self.ln_o(z) if self.mode == "pre_normal" else query[:, 0]
        return self.ln_final(z + F.relu(self.fc_o(inner))), weights

    def _attend(self, q, k, v, mask, need_weights):
        batch, seq_len, width = k.shape
        heads, size = self.num_heads, width // self.num_heads
        q = q.to(k.dtype).view(1, 1, heads, size).transpose(1, 2).expand(batch, -1, -1, -1)
        k = k.view(batch, seq_len, heads, size).transpose(1, 2)
        v = v.view(batch, seq_len, heads, size).transpose(1, 2)
        scale = width**-0.5
        bias, has_tokens = None, None
        if mask is not None:
            # A row without tokens attends to everything, so that no softmax is empty, and is zeroed afterwards.
            has_tokens = mask.any(dim=-1).view(batch, 1, 1)
            bias = (mask.unsqueeze(1) | ~has_tokens).unsqueeze(1)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
        attended = attended.transpose(1, 2).reshape(batch, width)
        if has_tokens is not None:
            attended = attended.masked_fill(~has_tokens[:, 0], 0.0)
        if not need_weights:
            return attended, None
        scores = torch.matmul(q.float(), k.float().transpose(-1, -2)) * scale
        if bias is not None:
            scores = scores.masked_fill(~bias, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)[:, :, 0]
        return attended, weights if has_tokens is None else weights * (mask.unsqueeze(1) & has_tokens)


class CGEAttentionPooling(nn.Module):
    """Pooling by multi-head attention with one learnt seed `S` [1, 1, width]."""

    def __init__(
        self,
        hidden_size: int,
        width: int,
        num_heads: int,
        layer_norm: bool = True,
        mode: str = "post_normal",
        residual: str = "seed",
    ):
        super().__init__()
        self.S = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.mab = CGEAttentionBlock(hidden_size, width, num_heads, layer_norm, mode, residual)

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, need_weights: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Pool `hidden_states` [batch, seq_len, hidden] over the positions where `attention_mask` [batch, seq_len] is
        1 (or true); `None` means all. Returns [batch, 1, width] (one vector per seed) and, with `need_weights`, also
        the attention weights [batch, num_heads, seq_len]."""
        mask = None if attention_mask is None else attention_mask.bool()
        pooled, weights = self.mab(self.S, hidden_states, mask, need_weights)
        return (pooled.unsqueeze(1), weights) if need_weights else pooled.unsqueeze(1)


def token_weights(method: str, mask: torch.Tensor) -> torch.Tensor:
    """Return the weight of each token in "last", "mean" or "weighted" pooling, for `mask` [batch, seq_len] (bool).

    Rows sum to one (to zero where there is no real token). "weighted" gives the i-th real token weight i.
    """
    rank = mask.cumsum(dim=-1)  # 1 for the first real token
    if method == "mean":
        weights = mask.float()
    elif method == "weighted":
        weights = (rank * mask).float()
    else:
        weights = ((rank == rank[:, -1:]) & mask).float()
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1.0)


def pool_tokens(hidden_states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum token vectors by their weights: [batch, seq_len, hidden], [batch, seq_len] → [batch, hidden], summed in fp32."""
    # Where the weight is zero the token must not count even if it is not finite.
    hidden_states = hidden_states.masked_fill((weights == 0).unsqueeze(-1), 0.0)
    return torch.einsum("bt,bth->bh", weights, hidden_states.float()).to(hidden_states.dtype)
