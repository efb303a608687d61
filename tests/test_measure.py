"""Measuring the cost of generation: sizes are exact, models are filled as promised, sizes match."""

import pytest
import torch
from transformers import DynamicCache, Mamba2Config, Mamba2ForCausalLM

from codefuse_hf import RodimusConfig, RodimusForCausalLM, measure


def rodimus(block_type: str = "rodimus_plus", window_size: int = 8) -> RodimusForCausalLM:
    torch.manual_seed(0)
    attention = {"num_heads": 2, "window_size": window_size}
    return RodimusForCausalLM(
        RodimusConfig(
            vocab_size=64, d_model=32, n_layer=2, block_type=block_type, mixer_cfg={"mem_size": 8}, attn_cfg=attention
        )
    )


def mamba2() -> Mamba2ForCausalLM:
    config = Mamba2Config(
        vocab_size=64, hidden_size=32, num_heads=4, head_dim=16, state_size=8, n_groups=1, num_hidden_layers=2
    )
    return Mamba2ForCausalLM(config)


def llama(parameters: int = 50_000):
    return measure.llama_of_size(parameters, vocab_size=64, hidden_size=32, num_layers=2, head_dim=16)


def test_llama_has_the_number_of_parameters_asked_for():
    assert measure.count_parameters(llama(200_000)) == pytest.approx(200_000, rel=0.01)


def test_llama_that_cannot_be_so_small_is_refused():
    with pytest.raises(ValueError, match="more than 1000 parameters"):
        llama(1000)


def test_bytes_of_a_llama_cache():
    state = measure.GrowingContext(llama())
    state.advance_to(10)
    # layers · (keys and values) · heads · tokens · head size · bytes
    assert measure.cache_bytes(state.cache) == 2 * 2 * 2 * 10 * 16 * 4


def test_bytes_of_a_rodimus_cache_do_not_grow():
    state = measure.GrowingContext(rodimus("rodimus"))
    sizes = set()
    for length in (3, 50, 300):
        state.advance_to(length)
        sizes.add(measure.cache_bytes(state.cache))
    # layers · (state rows + taps) · d_inner · bytes
    assert sizes == {2 * (8 + 4) * 64 * 4}
    assert measure.recurrent_bytes(state.cache) == 2 * 8 * 64 * 4


def test_bytes_of_a_rodimus_plus_cache_do_not_grow_beyond_the_window():
    state = measure.GrowingContext(rodimus())
    sizes = set()
    for length in (20, 50, 300):
        state.advance_to(length - 1)
        state.forward(1)
        sizes.add(measure.cache_bytes(state.cache))
    assert len(sizes) == 1


def test_a_view_counts_with_all_the_memory_that_it_keeps():
    cache = DynamicCache()
    keys = torch.zeros(1, 1, 100, 4)
    cache.update(keys, keys.clone(), 0)
    cache.layers[0].keys = cache.layers[0].keys[:, :, -1:]
    assert measure.cache_bytes(cache) == 2 * 100 * 4 * 4


@pytest.mark.parametrize("make", [rodimus, llama, mamba2])
def test_context_is_filled_to_the_length_asked_for(make):
    state = measure.GrowingContext(make(), chunk=7)
    state.advance_to(30)
    state.forward(2)
    assert state.length == 32
    if make is not mamba2:  # whose cache does not count
        assert state.cache.get_seq_length() == 32


def test_context_cannot_shrink():
    state = measure.GrowingContext(llama())
    state.advance_to(10)
    with pytest.raises(ValueError, match="rising"):
        state.advance_to(5)


def test_records_of_interleaved_models(tmp_path):
    models = {"Rodimus": rodimus("rodimus"), "Llama": llama()}
    records = measure.measure_decoding(models, [8, 16], steps=2, repeats=2)
    assert [(r.model, r.context) for r in records] == [("Rodimus", 8), ("Llama", 8), ("Rodimus", 16), ("Llama", 16)]
    assert all(len(r.seconds_per_token) == 2 and r.median > 0 for r in records)
    text = measure.table(records)
    assert all(word in text for word in ("Rodimus", "Llama", "8", "16", "KiB"))
    measure.plot_decoding(records, tmp_path / "plot.png", "title")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_read_bandwidth_is_that_of_the_quickest_sum(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 10.5])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    assert measure.read_bandwidth(size=1 << 12, repeats=2) == (1 << 12) / 0.5
