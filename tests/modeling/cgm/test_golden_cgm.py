"""The golden case: mask, adapter, logits, loss, and greedy steps that follow from its logits."""

import pytest
import torch
from torch.testing import assert_close

from codefuse_hf.modeling.cgm.mask_cgm import graph_attention_mask
from helpers import models_cgm


@pytest.fixture
def golden_case():
    return models_cgm.golden_case()


@pytest.fixture
def graph(golden_case):
    io = golden_case[1]
    return {"node_embeddings": io["node_embeddings"][None], "adjacency": io["adjacency"][None]}


def test_mask(golden_case):
    io = golden_case[1]
    assert torch.equal(graph_attention_mask(io["adjacency"], io["qa_mask"]), io["mask"])


def test_adapter(golden_case):
    model, io = golden_case
    assert_close(model.adapter(io["node_embeddings"]), io["adapter_out"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("sparse", [False, True])
def test_logits(golden_case, graph, implementation, sparse):
    model, io = golden_case
    model.set_attn_implementation({"text_config": implementation})
    assert model.lm.config._attn_implementation == implementation
    if sparse:
        graph["edge_index"] = graph.pop("adjacency")[0].nonzero().T[None]
    logits = model(input_ids=io["x"][None], prompt_mask=io["qa_mask"][None], **graph).logits
    assert_close(logits, io["logits"], atol=1e-4, rtol=0)


def test_loss(golden_case, graph):
    model, io = golden_case
    labels = torch.where(torch.arange(11) < io["qa_mask"].sum(), -100, io["ids"])[None]
    output = model(input_ids=io["ids"][None], labels=labels, **graph)
    assert_close(output.loss, io["loss"], atol=1e-5, rtol=0)
    assert_close(output.logits[:, :17], io["logits"], atol=1e-4, rtol=0)  # one more answer token changes nothing before


@pytest.mark.parametrize("change", ["transposed", "self loops", "prompt hidden", "answers shown"])
def test_every_mistake_in_the_mask_shows(golden_case, graph, change):
    model, io = golden_case
    prompt_mask = io["qa_mask"][None]
    if change == "transposed":
        graph["adjacency"] = graph["adjacency"].transpose(1, 2)
    elif change == "self loops":
        graph["adjacency"] = graph["adjacency"] | torch.eye(7, dtype=torch.long)
    else:
        prompt_mask = torch.full_like(prompt_mask, change == "answers shown")
    logits = model(input_ids=io["x"][None], prompt_mask=prompt_mask, **graph).logits
    assert (logits - io["logits"])[:, 7:].abs().max() > 1e-2
