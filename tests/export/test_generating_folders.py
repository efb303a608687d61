"""A small trained model, exported by the command: what `codefuse-hf generate` prints of it, and what quantising costs."""

import copy
import io
import json
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusForSequenceClassification, RodimusTokenizer
from codefuse_hf.cli import main
from codefuse_hf.export.exported_model import ExportedCausalLM
from codefuse_hf.export.quantizing import quantize_torch
from codefuse_hf.export.terminal import Writer
from codefuse_hf.hub.exported_folder import MANIFEST
from helpers.exporting import greedy, needs_format

TEXT = textwrap.dedent(
    '''
    def add(a, b):
        """Return the sum of two numbers."""
        return a + b

    def largest(numbers):
        """Return the largest of the given numbers, or None if there are none."""
        best = None
        for number in numbers:
            if best is None or number > best:
                best = number
        return best
    '''
)
PROMPT, NEW_TOKENS = "def largest(", 12


@pytest.fixture(scope="module")
def tokenizer() -> RodimusTokenizer:
    return RodimusTokenizer.train_from_iterator([TEXT], 300, show_progress=False)


@pytest.fixture(scope="module")
def ids(tokenizer) -> torch.Tensor:
    return tokenizer(TEXT, return_tensors="pt", add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def model(tokenizer, ids) -> RodimusForCausalLM:
    """A model that has learned the text by heart, nearly."""
    torch.manual_seed(0)
    config = RodimusConfig(vocab_size=len(tokenizer), d_model=192, n_layer=1, mixer_cfg={"mem_size": 16})
    model = RodimusForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.fixture(scope="module")
def folders(tmp_path_factory, model, tokenizer):
    """`folders(name)` is the model as "torch", as a format or as "onnx-int8", made once."""
    root = tmp_path_factory.mktemp("folders")
    model.save_pretrained(root / "torch")
    tokenizer.save_pretrained(root / "torch")

    def folder(name: str) -> str:
        if not (root / name).exists():
            form, *scheme = name.split("-")
            options = ["--quantize", *scheme] if scheme else []
            assert main(["export", str(root / "torch"), str(root / name), "--format", form, *options]) == 0
        return str(root / name)

    return folder


@pytest.mark.parametrize("name", ["torch", pytest.param("onnx", marks=needs_format("onnx"))])
def test_the_command_prints_what_generate_gives_and_how_fast(name, folders, model, tokenizer, capsys):
    folder = folders(name)
    ids = tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)["input_ids"]
    settings = {"do_sample": False, "max_new_tokens": NEW_TOKENS, "pad_token_id": 0}
    new = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0, ids.shape[1] :]
    expected = PROMPT + tokenizer.decode(new, skip_special_tokens=True)
    capsys.readouterr()
    arguments = ["generate", folder, "--prompt", PROMPT, "--new-tokens", str(NEW_TOKENS), "--threads", "1"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == expected + "\n"
    assert ("PyTorch, float32" if name == "torch" else "onnx") in captured.err
    assert not any(b"step_model.py" in path.read_bytes() for path in Path(folder).iterdir())  # where a node came from
    assert f"{len(new)} tokens" in captured.err and "tokens/s" in captured.err and "of memory" in captured.err


def test_the_command_rounds_weights_while_it_reads_them(folders, model, tokenizer, capsys):
    arguments = ["generate", folders("torch"), "--prompt", PROMPT, "--new-tokens", "3", "--threads", "1"]
    assert main([*arguments, "--quantize", "int8"]) == 0
    captured = capsys.readouterr()
    ids = tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)["input_ids"]
    quantised = quantize_torch(copy.deepcopy(model), "int8")
    expected = tokenizer.decode(greedy(quantised, ids, tokens=3)[0], skip_special_tokens=True)
    assert captured.out == expected + "\n" and "PyTorch, int8" in captured.err


def test_an_exported_folder_cannot_be_rounded(tmp_path, capsys):
    (tmp_path / MANIFEST).write_text("{}")  # is refused before any of it is read
    assert main(["generate", str(tmp_path), "--prompt", PROMPT, "--quantize", "int4"]) == 1
    assert "quantise it when you export it" in capsys.readouterr().err


@needs_format("onnx")
def test_a_chat_in_a_terminal_says_what_pytorch_says(folders, model, tokenizer, tmp_path):
    for module in ("pty", "readline"):
        pytest.importorskip(module, reason=f"this system has no {module}")
    from helpers.terminal import talk

    asked, expected = ["def add(", "def largest("], io.StringIO()
    Writer(model, tokenizer, NEW_TOKENS, file=expected).chat(asked)
    command = [sys.executable, "-m", "codefuse_hf.cli", "generate", folders("onnx"), "--chat", "--threads", "1"]
    with open(tmp_path / "errors", "w+") as errors:
        script = [("> ", line) for line in (*asked, "")]
        status, shown = talk([*command, "--new-tokens", str(NEW_TOKENS)], script, errors=errors)
        errors.seek(0)
        written = errors.read()
    assert status == 0, written
    spoken = re.sub(r"^> .*\n", "", shown.replace("\r", ""), flags=re.MULTILINE)
    assert spoken.strip() == expected.getvalue().strip()
    assert written.count("of memory]") == 2


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_format(name)) for name in ("onnx", "openvino")])
@torch.no_grad()
def test_weights_in_8_bits_are_small_and_predict_the_same(name, folders, model, ids):
    assert _bytes(folders(f"{name}-int8")) < _bytes(folders(name)) / 2
    quantized = ExportedCausalLM.from_pretrained(folders(f"{name}-int8"), threads=1)
    expected, got = model(ids).logits, quantized(ids).logits
    assert (expected[:, :-1].argmax(-1) == ids[:, 1:]).float().mean() > 0.8  # it has learned
    assert (expected.argmax(-1) == got.argmax(-1)).float().mean() >= 0.9
    assert greedy(quantized, ids[:, :5], tokens=3).shape == (1, 8)


def _bytes(folder: str) -> int:
    graphs = {".onnx", ".data", ".xml", ".bin"}
    return sum(path.stat().st_size for path in Path(folder).iterdir() if path.suffix in graphs)


def test_a_folder_that_is_no_model_is_named(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "lacking").mkdir()
    manifest = {"export_format": "onnx", "components": {"model": {"file": "model.onnx"}}}
    (tmp_path / "lacking" / "export.json").write_text(json.dumps(manifest))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "export.json").write_text("{")
    said = {
        "missing": "is neither a folder nor a repo id",
        "empty": "holds no model",
        "lacking": "lacks model.onnx",
        "broken": "is not the manifest",
    }
    for name, words in said.items():
        assert main(["generate", str(tmp_path / name), "--prompt", "x"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"codefuse-hf generate: {tmp_path / name}")
        assert words in error and error.count("\n") == 1


def test_an_adapter_generates_with_its_model_and_is_not_exported(folders, model, tmp_path, capsys):
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(folders("torch"))
    adapter = peft.get_peft_model(base, peft.LoraConfig(target_modules=["out_proj"], task_type="CAUSAL_LM"))
    adapter.save_pretrained(tmp_path / "adapter")
    options = ["--prompt", PROMPT, "--new-tokens", "4", "--threads", "1"]
    capsys.readouterr()
    assert main(["generate", folders("torch"), *options]) == 0
    expected = capsys.readouterr().out
    assert main(["generate", str(tmp_path / "adapter"), *options]) == 0
    assert capsys.readouterr().out.splitlines()[0] == expected.splitlines()[0]
    assert main(["export", str(tmp_path / "adapter"), str(tmp_path / "out"), "--format", "onnx"]) == 1
    assert "holds an adapter: save model.merge_and_unload()" in capsys.readouterr().err


def test_what_does_not_generate_or_has_no_tokenizer_is_named(folders, tmp_path, capsys):
    RodimusForSequenceClassification.from_pretrained(folders("torch")).save_pretrained(tmp_path / "classifier")
    assert main(["generate", str(tmp_path / "classifier"), "--prompt", "x"]) == 1
    assert "RodimusForSequenceClassification, which does not generate text" in capsys.readouterr().err
    AutoModelForCausalLM.from_pretrained(folders("torch")).save_pretrained(tmp_path / "bare")
    assert main(["generate", str(tmp_path / "bare"), "--prompt", "x"]) == 1
    assert "has no tokenizer" in capsys.readouterr().err
