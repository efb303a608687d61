"""What a GPU would be asked to do: each launch is specialised and compiled as it would be there, without one."""

from collections import Counter

import pytest
import torch
from transformers import StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention
from helpers.absent_gpu import absent_gpu

pytestmark = [pytest.mark.triton, pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION")]


@pytest.fixture
def launches(monkeypatch):
    with absent_gpu(monkeypatch) as launches:
        yield launches


@pytest.fixture
def one_tile():
    """No choice of tiles, as where PyTorch is told to be deterministic."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def tiny():
    sizes = {"expand_ratio": 1.5, "mem_size": 16, "input_gate_low_rank": 4}
    config = RodimusConfig(block_type="rodimus", vocab_size=47, d_model=32, n_layer=1, mixer_cfg=sizes)
    return RodimusForCausalLM(config).to(torch.bfloat16)


def test_training_compiles_each_kernel_once_for_all_lengths(launches, one_tile):
    """Also for a single step, and for lengths that are multiples of 16."""
    model, kinds = tiny(), []
    for rows, steps in ((2, 9), (2, 2), (2, 16), (2, 64), (2, 70), (2, 300)):
        ids = torch.zeros(rows, steps, dtype=torch.long)
        model(ids, labels=ids, use_cache=False).loss.backward()
        kinds.append(Counter(name for name, _ in launches.compiled))
    assert kinds[0] == kinds[-1]
    assert {name for name, _ in launches.launched} >= {"_forward", "_backward", "intra_chunk_backward_kernel"}


@torch.no_grad()
def test_prompts_and_steps_compile_once_for_all_lengths(launches, one_tile):
    model, ids = tiny().eval(), torch.zeros(1, 500, dtype=torch.long)
    for steps in (40, 1, 17, 64, 65, 128, 500):
        cache = StaticCache(config=model.config, max_cache_len=600)
        for part in (ids[:, :steps], ids[:, :20], ids[:, :1], ids[:, :1], ids[:, :3]):
            model(part, past_key_values=cache)
        if steps == 40:
            first = list(launches.compiled)
    assert not launches.compiled[len(first) :]


@torch.no_grad()
def test_each_tile_that_fits_is_tried_once(launches):
    """For sizes, dtypes and what is kept; other lengths and batches take what was found."""
    from codefuse_hf.kernels import gated_linear_attention_triton as kernels

    q, k, g = torch.randn(3, 1, 40, 64)
    v = torch.randn(1, 40, 64, dtype=torch.bfloat16)
    for _ in range(2):
        gated_linear_attention(q, k, v, -g.abs(), output_final_state=True)
    tiles = kernels.walk_configs(kernels.WALK_CONFIGS, 64, "tf32", 9)
    assert len(tiles) > 1
    counted = Counter(name for name, _ in launches.launched)
    assert counted == {"intra_chunk_kernel": 2, "outputs_kernel": len(tiles) + 2}


def test_few_long_rows_are_cut_into_segments_for_all_multiprocessors(launches, one_tile):
    x = [torch.randn(1, 4096, 16, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
    log_decay = torch.zeros(1, 4096, 16, requires_grad=True)
    gated_linear_attention(*x, log_decay)[0].sum().backward()
    grids = dict(launches.launched)
    assert grids["states_kernel"] == (1, 8, 1) and grids["outputs_kernel"] == (1, 8, 1)
    assert grids["chunk_gradients_kernel"] == (64, 1, 1)
