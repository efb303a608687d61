"""Rodimus and Rodimus+ once more, for one sequence, token by token, straight from the formulas and in float64.

Takes parameters under their published names and a configuration under its published keys, and shares no code with the
model that it checks.
"""

import math
from typing import Any

import torch

Parameters = dict[str, torch.Tensor]


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def silu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


def mixer(p: Parameters, name: str, h: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """The recurrent mixer. `h` and the result: `[tokens, d_model]`."""
    inner, cfg = f"{name}.inner_mixer", {"mem_size": 64, "normalize_epsilon": 1e-12} | config["mixer_cfg"]
    x, gate = (h @ p[f"{name}.fc.weight"].T).tensor_split(2, -1)
    taps = p[f"{inner}.short_conv.conv1d.weight"][:, 0]
    s = []
    for t in range(len(x)):
        window = [taps[:, -1 - j] * x[t - j] for j in range(taps.shape[1]) if t - j >= 0]
        s.append(silu(sum(window) + p[f"{inner}.short_conv.conv1d.bias"]))
    s = torch.stack(s)
    r, k = (s @ p[f"{inner}.in_proj.weight"].T).tensor_split(2, -1)
    low_rank = x @ p[f"{inner}.ch_gate_proj.0.weight"].T
    u = torch.sigmoid(low_rank @ p[f"{inner}.ch_gate_proj.1.weight"].T + p[f"{inner}.ch_gate_proj.1.bias"]) * x
    a, b = (s @ p[f"{inner}.mem_gate_proj.weight"].T + p[f"{inner}.mem_gate_proj.bias"]).tensor_split(2, -1)
    gamma, tau = torch.log1p(torch.exp(a)), torch.sigmoid(b)
    k = k / k.norm(dim=-1, keepdim=True).clamp(min=cfg["normalize_epsilon"]) * gamma**tau
    state, outputs = x.new_zeros(k.shape[1], x.shape[1]), []
    for t in range(len(x)):
        state = torch.exp(-gamma[t] * tau[t])[:, None] * state + torch.outer(k[t], u[t])
        outputs.append(state.T @ r[t] / math.sqrt(cfg["mem_size"]) + p[f"{inner}.residual_weight"] * s[t])
    out = rms_norm(torch.stack(outputs) * silu(gate), p[f"{name}.act_norm.weight"], config.get("norm_epsilon", 1e-5))
    return out @ p[f"{name}.out_proj.weight"].T


def rotate(x: torch.Tensor, position: int, cfg: dict[str, Any]) -> torch.Tensor:
    """Rotary position embedding of one head of one token, `[head_dim]`."""
    dim = cfg.get("rotary_emb_dim", -1)
    dim, x = len(x) if dim < 0 else dim, x.clone()
    pairs = [(2 * i, 2 * i + 1) if cfg.get("rotary_emb_interleaved") else (i, i + dim // 2) for i in range(dim // 2)]
    rotated = x.clone()
    for i, (first, second) in enumerate(pairs):
        angle = position * cfg.get("rotary_emb_base", 10000.0) ** (-2 * i / dim)
        rotated[first] = x[first] * math.cos(angle) - x[second] * math.sin(angle)
        rotated[second] = x[first] * math.sin(angle) + x[second] * math.cos(angle)
    return rotated


def attention(p: Parameters, name: str, h: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Sliding-window shared-key attention. `h` and the result: `[tokens, d_model]`."""
    cfg = config["attn_cfg"]
    heads = cfg.get("num_heads") or config["d_model"] // 128
    size = config["d_model"] // heads
    q, k, v = ((h @ p[f"{name}.{x}_proj.weight"].T).unflatten(-1, (-1, size)) for x in "qkv")
    window = cfg.get("window_size")
    outputs = []
    for i in range(len(h)):
        first = 0 if window is None or window <= 0 else max(0, i - window // 2)
        row = []
        for j in range(heads):
            query = rotate(q[i, j], i, cfg)
            keys = torch.stack([rotate(k[t, j % k.shape[1]], t, cfg) for t in range(first, i + 1)])
            weights = torch.softmax(keys @ query / math.sqrt(size), 0)
            row.append(weights @ v[first : i + 1, j % v.shape[1]])
        outputs.append(torch.cat(row))
    return torch.stack(outputs) @ p[f"{name}.out_proj.weight"].T


def feed_forward(p: Parameters, name: str, h: torch.Tensor) -> torch.Tensor:
    up, gate = (h @ p[f"{name}.fc.weight"].T).tensor_split(2, -1)
    return (silu(gate) * up) @ p[f"{name}.out_proj.weight"].T


def logits(parameters: Parameters, config: dict[str, Any], input_ids: torch.Tensor) -> torch.Tensor:
    """`input_ids` `[tokens]` → `[tokens, vocab_size]`, float64."""
    p = {name: tensor.double() for name, tensor in parameters.items()}
    eps = config.get("norm_epsilon", 1e-5)
    h = p["model.embeddings.weight"][input_ids]
    if config.get("use_scale_embedding"):
        h = h * math.sqrt(config["mixer_cfg"].get("mem_size", 64))
    if config.get("use_norm_embedding"):
        h = rms_norm(h, p["model.embed_norm.weight"], eps)
    res = torch.zeros_like(h)
    for i in range(config["n_layer"]):
        name = f"model.layers.{i}"
        res = res + h
        h = mixer(p, f"{name}.mixer", rms_norm(res, p[f"{name}.mixer_norm.weight"], eps), config)
        if config["block_type"] == "rodimus_plus":
            res = res + h
            h = attention(p, f"{name}.attn", rms_norm(res, p[f"{name}.attn_norm.weight"], eps), config)
            h = feed_forward(p, f"{name}.ffn", rms_norm(res + h, p[f"{name}.ffn_norm.weight"], eps))
    h = rms_norm(res + h, p["model.norm_f.weight"], eps)
    head = "model.embeddings.weight" if config.get("tie_word_embeddings", True) else "lm_head.weight"
    return h @ p[head].T
