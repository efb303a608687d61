"""Rodimus with quantised projections equals itself in plain PyTorch: kernels take activations, never another module's weight."""

import importlib.util

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import BitsAndBytesConfig, DynamicCache

from codefuse_hf import RodimusForCausalLM
from helpers.kernel_models import IDS, assert_same, loss_and_gradients, tiny

TOLERANCE = 1e-4
SCHEMES = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.float32},
    "nf4, doubly": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "int8": {"load_in_8bit": True},
}


def quantised(scheme, folder, block_type="rodimus"):
    tiny(block_type).save_pretrained(folder)
    config = BitsAndBytesConfig(**SCHEMES[scheme])
    model = RodimusForCausalLM.from_pretrained(
        folder, quantization_config=config, device_map="cpu", dtype=torch.float32
    )
    assert sum(p.dtype in (torch.uint8, torch.int8) for p in model.parameters()) >= 6
    return model.eval()


def assert_same_prompt_and_decoding(model, tolerance):
    def run():
        past = DynamicCache(config=model.config)
        return [model(part, past_key_values=past).logits.float() for part in IDS.split([17, 1, 3], 1)]

    assert_same(run, tolerance)


@torch.no_grad()
@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_prompt_and_decoding(scheme, block_type, tmp_path):
    assert_same_prompt_and_decoding(quantised(scheme, tmp_path, block_type), TOLERANCE)


if importlib.util.find_spec("torchao"):  # in no extra of ours but executorch

    @torch.no_grad()
    @pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
    def test_prompt_and_decoding_with_tensors_of_torchao(block_type):
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        model = tiny(block_type)
        quantize_(model, Int8WeightOnlyConfig())
        assert type(model.model.layers[0].mixer.fc.weight) is not torch.nn.Parameter
        assert_same_prompt_and_decoding(model, TOLERANCE)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_adapters_over_quantised_projections(scheme, tmp_path):
    targets = ["fc", "in_proj", "mem_gate_proj", "ch_gate_proj.0", "ch_gate_proj.1", "mixer.out_proj"]
    adapters = LoraConfig(target_modules=targets, r=2, init_lora_weights=False)
    model = get_peft_model(quantised(scheme, tmp_path), adapters).eval()
    assert_same(lambda: loss_and_gradients(model, input_ids=IDS), TOLERANCE)
