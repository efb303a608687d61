"""Fine-tuning Rodimus with PEFT."""

import os
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import nn
from torch.nn import functional as F

import codefuse_hf  # noqa: F401 - registers the models, and their default targets with PEFT
from codefuse_hf import RodimusConfig, RodimusForCausalLM

CONFIG = {
    "vocab_size": 61,
    "d_model": 32,
    "n_layer": 2,
    "mixer_cfg": {"mem_size": 8},
    "attn_cfg": {"num_heads": 4, "window_size": 8},
}
RECURRENT = {"fc", "in_proj", "ch_gate_proj.0", "ch_gate_proj.1", "mem_gate_proj", "out_proj"}
ATTENTION = {"q_proj", "k_proj", "v_proj"}
IDS = torch.randint(0, 61, (2, 20), generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["rodimus", "rodimus_plus"])
def model(request) -> RodimusForCausalLM:
    return make_model(request.param)


def make_model(block_type: str) -> RodimusForCausalLM:
    torch.manual_seed(0)
    return RodimusForCausalLM(RodimusConfig(**CONFIG, block_type=block_type))


def adapt(model: nn.Module, **kwargs) -> PeftModel:
    torch.manual_seed(1)
    settings = {"task_type": TaskType.CAUSAL_LM, "r": 4, "lora_alpha": 8, **kwargs}
    return get_peft_model(model, LoraConfig(**settings))


def stir(model: PeftModel) -> None:
    """Adapters that do something, as after training: B is zero at first."""
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.2)


def adapted_layers(model: PeftModel) -> set[str]:
    """Names of the layers with adapters, without what stands before them in a block."""
    names = {name.split(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A" in name}
    return {".".join(name.split(".")[-2:]) if name[-1].isdigit() else name.split(".")[-1] for name in names}


def test_all_linear_reaches_every_projection(model):
    expected = RECURRENT | (ATTENTION if model.config.has_attention else set())
    assert adapted_layers(adapt(model, target_modules="all-linear")) == expected


def test_default_targets(model):
    expected = {"fc", "in_proj", "out_proj"} | (ATTENTION if model.config.has_attention else set())
    assert adapted_layers(adapt(model)) == expected


@pytest.mark.parametrize("targets", ["all-linear", None, ["ch_gate_proj.0", "ch_gate_proj.1"]])
def test_every_adapter_has_a_gradient_after_one_backward(model, targets):
    peft_model = adapt(model, target_modules=targets)
    stir(peft_model)
    peft_model(IDS, labels=IDS).loss.backward()
    adapters = {name: p for name, p in peft_model.named_parameters() if "lora_" in name}
    assert adapters
    for name, parameter in adapters.items():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert all(p.grad is None for name, p in peft_model.named_parameters() if "lora_" not in name)


def test_first_backward_reaches_every_fresh_adapter(model):
    """With B at zero, as PEFT makes it, B is what gets a gradient."""
    peft_model = adapt(model, target_modules="all-linear")
    peft_model(IDS, labels=IDS).loss.backward()
    adapters = {name: p for name, p in peft_model.named_parameters() if "lora_" in name}
    assert any("lora_A" in name for name in adapters) and any("lora_B" in name for name in adapters)
    for name, parameter in adapters.items():
        assert parameter.grad is not None and bool(parameter.grad.any()) == ("lora_B" in name), name


def test_convolutions_are_trained_whole(model):
    """PEFT has no low-rank adapter for depthwise convolutions of this size, but trains and saves them as they are."""
    peft_model = adapt(model, target_modules="all-linear", modules_to_save=["conv1d"])
    peft_model(IDS, labels=IDS).loss.backward()
    trained = [p for name, p in peft_model.named_parameters() if "conv1d.modules_to_save" in name]
    assert len(trained) == 4 and all(p.grad.abs().max() > 0 for p in trained)


@pytest.mark.parametrize("rank", [4, 64, 128])
def test_low_rank_adapters_of_convolutions_are_refused(model, rank):
    """d_inner is 64 here; PEFT itself refuses ranks that the number of groups does not divide."""
    with pytest.raises(ValueError, match=r"divisible by groups|to train it, whole, pass modules_to_save"):
        adapt(model, target_modules=["conv1d"], r=rank)


@torch.no_grad()
def test_merging_changes_nothing(model):
    before = model(IDS).logits
    peft_model = adapt(model, target_modules="all-linear").eval()
    stir(peft_model)
    adapted = peft_model(IDS).logits
    assert (adapted - before).abs().max() > 1e-3
    merged = peft_model.merge_and_unload()
    assert isinstance(merged, RodimusForCausalLM)
    torch.testing.assert_close(merged(IDS).logits, adapted, atol=1e-5, rtol=0)


@torch.no_grad()
def test_each_adapter_changes_the_output(model):
    """No layer is bypassed."""
    before = model(IDS).logits
    for target in RECURRENT | (ATTENTION if model.config.has_attention else set()):
        peft_model = adapt(model, target_modules=r".*\." + target.replace(".", r"\."))
        stir(peft_model)
        assert (peft_model(IDS).logits - before).abs().max() > 1e-6, target
        model = peft_model.unload()


@torch.no_grad()
def test_adapter_is_saved_and_loaded(model, tmp_path):
    peft_model = adapt(model, target_modules="all-linear").eval()
    stir(peft_model)
    expected = peft_model(IDS).logits
    peft_model.save_pretrained(tmp_path)
    block_type = model.config.block_type
    loaded = PeftModel.from_pretrained(make_model(block_type), tmp_path).eval()
    torch.testing.assert_close(loaded(IDS).logits, expected, atol=1e-6, rtol=0)


@torch.no_grad()
def test_merged_model_is_saved_and_loaded(model, tmp_path):
    peft_model = adapt(model, target_modules="all-linear").eval()
    stir(peft_model)
    merged = peft_model.merge_and_unload()
    merged.save_pretrained(tmp_path)
    loaded = RodimusForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(IDS).logits, merged(IDS).logits, atol=0, rtol=0)


def test_adapted_model_generates(model):
    peft_model = adapt(model, target_modules="all-linear").eval()
    stir(peft_model)
    tokens = peft_model.generate(input_ids=IDS, max_new_tokens=5, do_sample=False)
    ids = IDS
    for _ in range(5):
        ids = torch.cat([ids, peft_model(ids).logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(tokens, ids)


def test_gradient_checkpointing_with_adapters(model):
    peft_model = adapt(model, target_modules="all-linear")
    stir(peft_model)
    peft_model(IDS, labels=IDS).loss.backward()
    expected = {name: p.grad.clone() for name, p in peft_model.named_parameters() if p.grad is not None}
    peft_model.zero_grad()
    peft_model.enable_input_require_grads()
    peft_model.gradient_checkpointing_enable({"use_reentrant": False})
    peft_model.train()
    peft_model(IDS, labels=IDS).loss.backward()
    for name, parameter in peft_model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name], atol=1e-6, rtol=1e-4)


class SealedLinear(nn.Linear):
    """Like a quantised layer: what multiplies is not to be had as a plain weight, so reading `.weight` is an error."""

    open = False

    @classmethod
    def seal(cls, layer: nn.Linear) -> "SealedLinear":
        sealed = cls(layer.in_features, layer.out_features, bias=layer.bias is not None)
        sealed.load_state_dict(layer.state_dict())
        return sealed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self._parameters["weight"], self._parameters["bias"])

    def __getattr__(self, name: str):
        if name == "weight" and not SealedLinear.open:
            raise AssertionError("the weight of a layer was read from outside of it")
        return super().__getattr__(name)


@torch.no_grad()
def test_no_module_reads_the_weight_of_a_linear_layer(model, monkeypatch):
    model.eval()
    expected = model(IDS).logits
    monkeypatch.setattr(SealedLinear, "open", True)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name != "lm_head":
            model.set_submodule(name, SealedLinear.seal(module))
    assert sum(isinstance(x, SealedLinear) for x in model.modules()) >= 12
    monkeypatch.setattr(SealedLinear, "open", False)
    out = model(IDS[:, :15])
    tail = model(IDS[:, 15:16], past_key_values=out.past_key_values).logits
    torch.testing.assert_close(torch.cat([out.logits, tail], 1), expected[:, :16], atol=1e-5, rtol=0)


# In a process where this package cannot be imported: the class comes with the folder.
REMOTE = """
import sys
sys.modules["codefuse_hf"] = None
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)

folder, ids = sys.argv[1], torch.arange(20)[None]
torch.manual_seed(0)
peft_model = get_peft_model(load(folder), LoraConfig(target_modules="all-linear", r=4, task_type="CAUSAL_LM"))
for name, parameter in peft_model.named_parameters():
    if "lora_" in name:
        torch.nn.init.normal_(parameter, std=0.2)
peft_model(ids, labels=ids).loss.backward()
adapters = [p for name, p in peft_model.named_parameters() if "lora_" in name]
assert len(adapters) == 2 * 12 * 2 and all(p.grad.abs().max() > 0 for p in adapters), len(adapters)
with torch.no_grad():
    expected = peft_model.eval()(ids).logits
    peft_model.save_pretrained(folder + "-adapter")
    loaded = PeftModel.from_pretrained(load(folder), folder + "-adapter").eval()
    torch.testing.assert_close(loaded(ids).logits, expected, atol=1e-6, rtol=0)
    peft_model.merge_and_unload().save_pretrained(folder + "-merged")
    torch.testing.assert_close(load(folder + "-merged").eval()(ids).logits, expected, atol=1e-5, rtol=0)
print("done")
"""


def test_remote_code_model(tmp_path):
    make_model("rodimus_plus").save_pretrained(tmp_path / "model")
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", REMOTE, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
