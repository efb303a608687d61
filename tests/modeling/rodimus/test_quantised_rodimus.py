"""4-bit weights of bitsandbytes on a CPU, at widths that its fast format cannot hold, such as published ones.

Control: a Llama whose MLP is 80 wide fails alike, in bitsandbytes 0.50 on a CPU with AVX-512 BF16.
"""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import BitsAndBytesConfig

from codefuse_hf import CGEConfig, CGEModel, RodimusConfig
from helpers.models_rodimus import make_config, make_ids, make_model, plus, recurrent

# Gates of rank 16 or 32, a feed-forward width that 64 does not divide (2736 in the 1.6B model), 2 · mem_size = 16 outputs.
WIDTHS = {
    "rodimus": recurrent(),
    "rodimus_plus": plus(),
    "as published": plus({"input_gate_low_rank": 32, "mem_size": 64}, d_model=128),
}
IDS = make_ids(2, 20)


def in_four_bits(model, folder, **settings):
    model.save_pretrained(folder)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", **settings)
    return type(model).from_pretrained(folder, quantization_config=config, device_map="cpu")


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_a_model_in_four_bits_runs_like_its_dequantised_weights(widths, double, tmp_path):
    model, copy = (
        in_four_bits(make_model(WIDTHS[widths]), tmp_path, bnb_4bit_use_double_quant=double) for _ in range(2)
    )
    assert sum(p.dtype == torch.uint8 for p in model.parameters()) >= 12
    with torch.no_grad():
        found = model(IDS).logits
        model.generate(IDS, max_new_tokens=3, do_sample=False)
        expected = copy.dequantize()(IDS).logits
    torch.testing.assert_close(found.float(), expected.float(), atol=0.15, rtol=0.1)


def test_adapters_over_four_bits_train_and_run(tmp_path):
    model = in_four_bits(make_model(WIDTHS["as published"]), tmp_path)
    peft_model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    peft_model.train()(IDS, labels=IDS).loss.backward()
    adapters = [p for name, p in peft_model.named_parameters() if "lora_B" in name]
    assert adapters and all(p.grad is not None and p.grad.any() for p in adapters)
    with torch.no_grad():
        assert peft_model.eval()(IDS).logits.isfinite().all()


def test_an_embedding_model_over_rodimus_in_four_bits(tmp_path):
    torch.manual_seed(0)
    backbone = RodimusConfig(**make_config(plus()))
    model = in_four_bits(CGEModel(CGEConfig(backbone, compress_dim=32, pma_num_heads=4)), tmp_path).eval()
    with torch.no_grad():
        embedding = model(IDS, torch.ones_like(IDS)).embedding
    assert embedding.shape == (2, 32) and embedding.isfinite().all() and not torch.equal(embedding[0], embedding[1])
