"""Models, prompts and the slow right answer for tests of generation."""

import torch

from codefuse_hf import RodimusConfig, RodimusForCausalLM

BLOCK_TYPES = ("rodimus", "rodimus_plus")
WINDOW = 16  # window_size: a token sees 8 before it


def tiny(block_type: str, dtype: torch.dtype = torch.float64, **kwargs) -> RodimusForCausalLM:
    torch.manual_seed(7)
    config = RodimusConfig(
        vocab_size=97,
        d_model=32,
        n_layer=2,
        block_type=block_type,
        mixer_cfg={"mem_size": 8},
        attn_cfg={"num_heads": 4, "num_heads_k": 1, "window_size": WINDOW},
        tie_word_embeddings=False,
        initializer_range=0.3,  # sharp distributions: ties between tokens do not occur
        eos_token_id=None,
        pad_token_id=0,
        **kwargs,
    )
    return RodimusForCausalLM(config).to(dtype).eval()


def prompt(batch: int = 1, length: int = 21, seed: int = 0) -> torch.Tensor:
    return torch.randint(1, 97, (batch, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def greedy_without_cache(model, ids: torch.Tensor, new_tokens: int) -> torch.Tensor:
    for _ in range(new_tokens):
        ids = torch.cat([ids, model(ids, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    return ids


def left_padded(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.stack([torch.nn.functional.pad(row, (width - len(row), 0)) for row in rows])
    mask = torch.stack([torch.arange(width) >= width - len(row) for row in rows]).long()
    return ids, mask
