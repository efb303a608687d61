"""Prompt tuning and its kin (PEFT): virtual tokens in front of the text, in training and in `generate`.

Llama as control (transformers 5.23, PEFT 0.21): static caches fail there with `KeyError: 'cache_position'`, and a second turn
from a cache, or a chunked prefill, is silently wrong; the latter two are refused here.
"""

import pytest
import torch
from peft import (
    CPTConfig,
    MultitaskPromptTuningConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)

from codefuse_hf import RodimusConfig, RodimusForSequenceClassification
from helpers.models_cgm import alone, example, tiny
from helpers.models_rodimus import BLOCKS, make_config, make_ids, make_model, plus

MODELS = {
    **BLOCKS,
    "no window": plus(attn_cfg={"window_size": None}),
    "long window": plus(attn_cfg={"window_size": 64}),
}
KINDS = {
    "prompt tuning": (PromptTuningConfig, {"num_virtual_tokens": 5}),
    "p-tuning": (PromptEncoderConfig, {"num_virtual_tokens": 5, "encoder_hidden_size": 16}),
    "multitask": (MultitaskPromptTuningConfig, {"num_virtual_tokens": 5, "num_tasks": 2}),
    "CPT": (
        CPTConfig,
        {"cpt_token_ids": [1, 2, 3, 4, 5], "cpt_mask": [1] * 5, "cpt_tokens_type_mask": [1, 2, 3, 3, 4]},
    ),
}
IDS = make_ids(2, 9)
MASK = torch.ones_like(IDS)
MASK[0, :3] = 0
ARGUMENTS = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "max_new_tokens": 12}


def tuned(model="rodimus_plus", kind="prompt tuning"):
    config_class, values = KINDS[kind]
    torch.manual_seed(1)
    return get_peft_model(make_model(MODELS[model]), config_class(task_type="CAUSAL_LM", **values)).eval()


def tasks(kind):
    return {"task_ids": torch.tensor([0, 1])} if kind == "multitask" else {}


@torch.no_grad()
def step_by_step(model, steps, **kwargs):
    ids, mask = IDS, MASK
    for _ in range(steps):
        logits = model(ids, attention_mask=mask, **kwargs).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], 1)
        mask = torch.cat([mask, mask.new_ones(2, 1)], 1)
    return ids


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", BLOCKS)
def test_training_moves_the_prompt_and_nothing_else(model, kind):
    peft_model = tuned(model, kind).train()
    before = {name: p.clone() for name, p in peft_model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in peft_model.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = peft_model(IDS, attention_mask=MASK, labels=IDS, **tasks(kind)).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    moved = {name for name, p in peft_model.named_parameters() if not torch.equal(p, before[name])}
    assert moved and all("prompt_encoder" in name for name in moved)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_generate_is_the_forward_pass_step_by_step(model, kind):
    peft_model = tuned(model, kind)
    expected = step_by_step(peft_model, 12, **tasks(kind))
    for cache in ({}, {"cache_implementation": "static"}, {"use_cache": False}):
        found = peft_model.generate(input_ids=IDS, attention_mask=MASK, **ARGUMENTS, **cache, **tasks(kind))
        assert torch.equal(found, expected), cache


@pytest.mark.parametrize("model", BLOCKS)
def test_beam_search(model):
    peft_model = tuned(model)
    expected = peft_model.generate(input_ids=IDS, attention_mask=MASK, num_beams=3, use_cache=False, **ARGUMENTS)
    for cache in ({}, {"cache_implementation": "static"}):
        found = peft_model.generate(input_ids=IDS, attention_mask=MASK, num_beams=3, **ARGUMENTS, **cache)
        assert torch.equal(found, expected), cache


@pytest.mark.parametrize("kind", ["prompt tuning", "p-tuning"])
@pytest.mark.parametrize("model", BLOCKS)
def test_prompts_are_saved_and_loaded(model, kind, tmp_path):
    peft_model = tuned(model, kind)
    peft_model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(make_model(MODELS[model]), tmp_path).eval()
    torch.testing.assert_close(loaded(IDS).logits, peft_model(IDS).logits, atol=1e-6, rtol=0)
    assert torch.equal(
        step_by_step(loaded, 3), loaded.generate(input_ids=IDS, attention_mask=MASK, **ARGUMENTS)[:, :12]
    )


def test_the_base_model_generates_as_before_afterwards():
    model = make_model(BLOCKS["rodimus_plus"])
    arguments = {"input_ids": IDS, "attention_mask": MASK, **ARGUMENTS}
    expected = model.generate(**arguments)
    peft_model = get_peft_model(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
    assert not torch.equal(peft_model.generate(**arguments), expected)
    for cache in ({}, {"cache_implementation": "static"}):
        assert torch.equal(model.generate(**arguments, **cache), expected)


def test_classification():
    config = RodimusConfig(**make_config(BLOCKS["rodimus_plus"]), pad_token_id=0, num_labels=3)
    model = RodimusForSequenceClassification(config)
    peft_model = get_peft_model(model, PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=5))
    output = peft_model(IDS, attention_mask=MASK, labels=torch.tensor([0, 1]))
    output.loss.backward()
    assert output.logits.shape == (2, 3) and all(p.grad is not None for p in peft_model.prompt_encoder.parameters())


@pytest.mark.parametrize("model", BLOCKS)
def test_prefix_tuning_is_refused(model):
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
    peft_model = get_peft_model(make_model(MODELS[model]), config)
    for call in (lambda: peft_model(IDS, labels=IDS), lambda: peft_model.generate(input_ids=IDS, **ARGUMENTS)):
        with pytest.raises(ValueError, match="cannot hold the recurrent states"):
            call()


def test_what_generate_would_count_wrongly_is_refused():
    peft_model = tuned()
    first = peft_model.generate(input_ids=IDS, return_dict_in_generate=True, **ARGUMENTS)
    with pytest.raises(ValueError, match="has seen virtual tokens"):
        peft_model.generate(
            input_ids=torch.cat([first.sequences, IDS], 1), past_key_values=first.past_key_values, **ARGUMENTS
        )
    with pytest.raises(ValueError, match="prefill_chunk_size cannot be used with virtual tokens"):
        peft_model.generate(input_ids=IDS, prefill_chunk_size=4, **ARGUMENTS)


def test_a_graph_refuses_virtual_tokens_in_generate():
    peft_model = get_peft_model(tiny(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)).eval()
    with pytest.raises(ValueError, match="cannot be combined with a graph"):
        peft_model.generate(**alone(example(3, 7)), max_new_tokens=2)
