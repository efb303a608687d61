"""The benchmark of quantised quality as a smoke run, on a model that has learnt nothing."""

import copy
import json

import on_device_quality
import pytest
from on_device_engines import weight_bytes

from codefuse_hf.export.quantizing import kept_in_float32
from codefuse_hf.modeling.rodimus.tokenization_rodimus_fast import RodimusTokenizer
from helpers.exporting import needs_format
from helpers.models_rodimus import make_model, plus


def test_a_run_compares_by_position(tmp_path):
    text = "".join(f"def function_{i}(x):\n    return x + {i}\n" for i in range(200))
    (tmp_path / "text.py").write_text(text)
    tokenizer = RodimusTokenizer.train_from_iterator([text], 300, show_progress=False)
    make_model(plus(vocab_size=len(tokenizer), d_model=64)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    arguments = [str(tmp_path / "model"), "--corpus", str(tmp_path / "text.py"), "--tokens", "300"]
    out = tmp_path / "out"
    assert on_device_quality.main([*arguments, "--engines", "torch-int8", "torch-int4", "--output", str(out)]) == 0
    report = json.loads((out / "on_device_quality.json").read_text())
    assert report["positions"] == [256, 299]
    exact, rough = report["records"]
    assert abs(exact["rise"]) < 0.02 and exact["top1_agreement"] > rough["top1_agreement"] > 0.3
    assert len(exact["rise_by_position"]) == len(exact["agreement_by_position"]) == 2
    for record in report["records"]:
        assert record["bytes"] == sum(record["bytes_of"].values())
        assert "in 8 bits" in record["bytes_of"] and "float32" in record["bytes_of"]
    assert "| torch-int4 | 1/" in (out / "on_device_quality.md").read_text()
    assert (out / "on_device_quality.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="name more files with --corpus"):
        on_device_quality.main([*arguments[:-1], "100000", "--output", str(out)])


@pytest.mark.parametrize("form", [pytest.param(name, marks=needs_format(name)) for name in ("onnx", "openvino")])
def test_bytes_of_exported_weights_are_told_apart(tmp_path, form):
    model = make_model(plus(d_model=64, vocab_size=512, n_layer=1))
    _, parts = on_device_quality.quantised(model, f"{form}-int4", tmp_path)
    kept = sum(p.numel() for name, p in model.named_parameters() if kept_in_float32(name) and p.ndim == 2)
    small = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    rest = sum(p.numel() for name, p in model.named_parameters() if not kept_in_float32(name) and p.ndim == 2)
    # NNCF leaves small matrices in 8 bits, and its zero points are counted with the weights.
    eight = parts.get("in 8 bits", 0)
    assert eight + 2 * parts["in 4 bits"] == pytest.approx(rest, rel=0.05)
    assert eight < rest / 4
    assert parts["float16"] == 2 * kept
    assert 4 * small <= parts["float32"] < 4 * small + 4000 and parts["graph"] > 10_000 and parts["scales, offsets"] > 0


def test_bits_that_a_floor_is_reckoned_with_are_those_of_the_layers():
    from codefuse_hf.export.quantizing import quantize_torch

    model = make_model(plus(d_model=64, vocab_size=512, n_layer=1))
    for engine in ("torch-int8", "torch-int4"):
        parts = on_device_quality._parts_torch(quantize_torch(copy.deepcopy(model), engine.partition("-")[2]))
        assert weight_bytes(model, engine) == pytest.approx(sum(parts.values()), rel=0.1)
