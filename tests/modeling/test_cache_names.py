"""A cache may be given as `cache` (transformers 5.24 and newer) or `past_key_values`; neither name is ever passed over."""

import inspect

import pytest
import torch
from transformers import DynamicCache

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMModel, RodimusConfig, RodimusForCausalLM, RodimusModel
from codefuse_hf.modeling.cache_names import CACHE_NAME, CACHE_NAMES, takes_cache
from helpers.models_cgm import text_config
from helpers.models_rodimus import make_config, plus, recurrent

IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
MODELS = {
    "rodimus": lambda: RodimusForCausalLM(RodimusConfig(**make_config(recurrent()))),
    "rodimus+": lambda: RodimusForCausalLM(RodimusConfig(**make_config(plus()))),
    "rodimus+ without head": lambda: RodimusModel(RodimusConfig(**make_config(plus()))),
    "cgm": lambda: CGMForCausalLM(CGMConfig(text_config(), embedding_dim=16, adapter_hidden_dim=32)),
    "cgm without head": lambda: CGMModel(CGMConfig(text_config(), embedding_dim=16, adapter_hidden_dim=32)),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CACHE_NAMES)
@torch.no_grad()
def test_what_came_before_is_seen_by_either_name(model, name):
    torch.manual_seed(0)
    model = MODELS[model]().eval()
    cache = DynamicCache(config=model.config.get_text_config())
    first = model(IDS[:, :5], **{name: cache}, use_cache=True)
    assert getattr(first, CACHE_NAME) is cache
    rest = model(IDS[:, 5:], **{name: cache}, use_cache=True)[0]
    torch.testing.assert_close(rest, model(IDS)[0][:, -3:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_transformers_finds_the_name_it_looks_for(model):
    model = MODELS[model]()
    names = set(inspect.signature(model.forward).parameters)
    assert CACHE_NAME in names and len(names & set(CACHE_NAMES)) == 1


@pytest.mark.parametrize(
    "model, name", [("rodimus", CACHE_NAME), ("rodimus+", CACHE_NAME), *(("cgm", name) for name in CACHE_NAMES)]
)
def test_what_a_step_of_generation_gets_is_understood(model, name):
    model = MODELS[model]()
    cache = DynamicCache(config=model.config.get_text_config())
    step = model.prepare_inputs_for_generation(IDS, **{name: cache}, attention_mask=torch.ones_like(IDS))
    assert step[CACHE_NAME] is cache


def test_two_caches_are_refused_and_one_may_be_none():
    @takes_cache
    def given(x, past_key_values=None, **kwargs):
        assert not kwargs
        return past_key_values

    assert given(0) is None and given(0, 1) == 1 and given(0, cache=None) is None
    assert given(0, cache=None, past_key_values=2) == 2 and given(0, cache=3, past_key_values=None) == 3
    with pytest.raises(ValueError, match="either cache or past_key_values"):
        given(0, cache=1, past_key_values=2)
