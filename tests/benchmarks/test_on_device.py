"""The benchmarks for the device as smoke runs: every figure is there, and an engine that fails stops none of the others."""

import json

import on_device
import on_device_engines
import pytest
import torch


def test_a_run_writes_figures_and_reasons(tmp_path):
    folder = tmp_path / "models"
    for model in ("Rodimus+", "Llama"):
        (folder / f"tiny-{model}-onnx-int8").mkdir(parents=True)  # exported, and broken
    arguments = ["--sizes", "tiny", "--models", "Rodimus+", "Llama", "--engines", "torch-fp32", "onnx-int8"]
    arguments += ["--contexts", "16", "40", "--steps", "1", "--repeats", "2", "--prompts", "1"]
    assert on_device.main([*arguments, "--folder", str(folder), "--output", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "on_device.json").read_text())
    assert (tmp_path / "out" / "on_device.png").read_bytes().startswith(b"\x89PNG")
    records = {(r["model"], r["engine"]): r for r in report["records"]}
    for model in ("Rodimus+", "Llama"):
        assert records.pop((model, "onnx-int8"))["error"].startswith("load: ")
    assert len(records) == 2
    for record in records.values():
        assert "error" not in record, record
        assert set(record["decode"]) == {"16", "40"} and record["load_seconds"] > 0 and record["floor_seconds"] > 0
        assert all(len(point["seconds"]) == 2 and point["cache_bytes"] > 0 for point in record["decode"].values())
    plus = records["Rodimus+", "torch-fp32"]["decode"]
    assert plus["16"]["cache_bytes"] == plus["40"]["cache_bytes"]
    llama = records["Llama", "torch-fp32"]["decode"]
    assert llama["40"]["cache_bytes"] > llama["16"]["cache_bytes"]
    arguments[arguments.index("torch-fp32") : arguments.index("--contexts")] = ["torch-int8"]
    assert on_device.main([*arguments, "--append", "--output", str(tmp_path / "out")]) == 0
    both = json.loads((tmp_path / "out" / "on_device.json").read_text())
    assert len(both["runs"]) == 2 and both["records"][: len(report["records"])] == report["records"]
    assert [(r["model"], r["engine"], r.get("error")) for r in both["records"][len(report["records"]) :]] == [
        ("Rodimus+", "torch-int8", None),
        ("Llama", "torch-int8", None),
    ]
    assert not any(record["unfinished"] for record in both["records"]) and "unfinished" not in on_device.table(both)


def test_what_a_run_that_is_cut_off_has_measured_stands_beside_the_earlier_row(tmp_path, monkeypatch):
    row = {"size": "tiny", "model": "Rodimus+", "engine": "torch-fp32", "decode": {}, "error": "load: none"}
    earlier = {"runs": [], "contexts": [16, 40], "records": [row]}
    (tmp_path / "on_device.json").write_text(json.dumps(earlier))
    ask = on_device.Worker.ask

    def cut_off(worker, do, **arguments):
        if arguments.get("context") == 40:
            raise KeyboardInterrupt
        return ask(worker, do, **arguments)

    monkeypatch.setattr(on_device.Worker, "ask", cut_off)
    monkeypatch.setattr(on_device, "code_version", lambda: "abc+")
    arguments = ["--sizes", "tiny", "--models", "Rodimus+", "--engines", "torch-fp32", "--steps", "1", "--repeats", "1"]
    with pytest.raises(KeyboardInterrupt):
        on_device.main([*arguments, "--prompts", "0", "--contexts", "16", "40", "--append", "--output", str(tmp_path)])
    kept, new = json.loads((tmp_path / "on_device.json").read_text())["records"]
    assert kept == row and new["unfinished"] and new["commit"] == "abc+" and set(new["decode"]) == {"16"}
    assert "| Rodimus+ | torch-fp32 (**unfinished**) |" in (tmp_path / "on_device.md").read_text()
    finished = new | {"unfinished": False}
    assert on_device.merged([row, new], [finished]) == [finished]
    assert on_device.merged([row, new], [new]) == [row, new]


@pytest.mark.parametrize("size", ["30M", "1.6B"])
def test_models_of_a_size_have_as_many_parameters(size):
    shapes = on_device_engines.SIZES[size]
    for name in on_device_engines.MODELS:
        if name == "Rodimus" and shapes.rodimus_layers is None:
            continue
        with torch.device("meta"):
            model = on_device_engines.build(name, shapes)
        count = sum(p.numel() for p in model.parameters())
        assert count == pytest.approx(shapes.parameters, rel=0.02), name
        assert on_device_engines.weight_bytes(model, "torch-bf16") == pytest.approx(2 * count, rel=0.01)
        assert on_device_engines.weight_bytes(model, "onnx-int4") < count
