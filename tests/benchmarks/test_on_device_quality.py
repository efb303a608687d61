"""The benchmark of quantised quality as a smoke run, on a model that has learnt nothing."""

import json

import on_device_quality
import pytest

from codefuse_hf.modeling.rodimus.tokenization_rodimus_fast import RodimusTokenizer
from helpers.models_rodimus import make_model, plus


def test_a_run_compares_by_position(tmp_path):
    pytest.importorskip("torchao", reason="torchao is not installed")
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
    assert (out / "on_device_quality.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="name more files with --corpus"):
        on_device_quality.main([*arguments[:-1], "100000", "--output", str(out)])
