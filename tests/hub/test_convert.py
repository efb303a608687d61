"""`codefuse-hf convert`: published folders become self-contained ones, whole or not at all."""

import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from codefuse_hf.cli import main
from codefuse_hf.hub.convert.core import convert_folder
from helpers.published_layout import config_of, weights_of, write_published, write_weights


def stored(folder):
    """All tensors of a folder."""
    return {name: value for file in sorted(folder.glob("*.safetensors")) for name, value in load_file(file).items()}


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "source")


@pytest.mark.parametrize("block_type", ["rodimus", "rodimus_plus"])
@pytest.mark.parametrize(("form", "shards"), [("safetensors", 1), ("safetensors", 3), ("bin", 1), ("bin", 2)])
def test_weights_are_the_same(tmp_path, block_type, form, shards):
    weights = write_published(tmp_path / "source", block_type, form=form, shards=shards)
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    result = stored(folder)
    assert result.keys() == weights.keys()
    assert all(torch.equal(result[name], weights[name]) for name in weights)


def test_folders_may_be_named_by_strings(tmp_path):
    weights = write_published(tmp_path / "source")
    folder = convert_folder(str(tmp_path / "source"), str(tmp_path / "result"))
    assert folder == tmp_path / "result" and stored(folder).keys() == weights.keys()


def test_untied_head_is_kept(tmp_path):
    weights = write_published(tmp_path / "source", tied=False)
    result = stored(convert_folder(tmp_path / "source", tmp_path / "result"))
    assert torch.equal(result["lm_head.weight"], weights["lm_head.weight"])


def test_redundant_head_is_left_out(tmp_path):
    write_published(tmp_path / "source", redundant_head=True)
    assert "lm_head.weight" not in stored(convert_folder(tmp_path / "source", tmp_path / "result"))


def test_tied_head_stored_instead_of_the_embedding(tmp_path):
    weights = write_published(tmp_path / "source")
    weights["lm_head.weight"] = weights.pop("model.embeddings.weight")
    write_weights(tmp_path / "source", weights)
    result = stored(convert_folder(tmp_path / "source", tmp_path / "result"))
    assert torch.equal(result["model.embeddings.weight"], weights["lm_head.weight"])


def test_result_is_a_whole_repository(tmp_path):
    write_published(tmp_path / "source")
    (tmp_path / "source" / "LICENSE").write_text("terms")
    (tmp_path / "source" / "modeling_rodimus.py").write_text("raise RuntimeError('code of the source was run')")
    folder = convert_folder(tmp_path / "source", tmp_path / "result", source_name="someone/model")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "README.md", "LICENSE"} <= names
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenization_rodimus_fast.py"} <= names
    assert "was run" not in (folder / "modeling_rodimus.py").read_text()
    config = json.loads((folder / "config.json").read_text())
    assert all((folder / f"{target.split('.')[0]}.py").is_file() for target in config["auto_map"].values())
    generation = json.loads((folder / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (257, 257)
    card = (folder / "README.md").read_text()
    assert "base_model: someone/model" in card and "license: other" in card


def test_result_loads_and_gives_the_same_logits(tmp_path):
    write_published(tmp_path / "source", dtype="bfloat16")
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    ids = torch.arange(40)[None]
    with torch.no_grad():
        logits = [AutoModelForCausalLM.from_pretrained(path)(ids).logits for path in (tmp_path / "source", folder)]
    assert torch.equal(*logits)
    assert (
        AutoTokenizer.from_pretrained(folder)("ab")["input_ids"]
        == AutoTokenizer.from_pretrained(tmp_path / "source")("ab")["input_ids"]
    )


def test_small_shards_with_an_index(tmp_path):
    weights = write_published(tmp_path / "source")
    folder = convert_folder(tmp_path / "source", tmp_path / "result", max_shard_size="50KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == weights.keys()
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) > 3 and all(file.stat().st_size < 70_000 for file in files)
    for file in files:
        with safe_open(file, "pt") as shard:
            assert all(index["weight_map"][name] == file.name for name in shard.keys())  # noqa: SIM118


def test_dtype(tmp_path):
    weights = write_published(tmp_path / "source")
    folder = convert_folder(tmp_path / "source", tmp_path / "result", dtype="bfloat16")
    for name, value in stored(folder).items():
        expected = weights[name] if "residual_weight" in name else weights[name].bfloat16()
        assert value.dtype == expected.dtype and torch.equal(value, expected), name
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"


def test_the_dtype_is_that_of_most_bytes_not_of_the_largest_tensor(tmp_path):
    weights = {name: value.bfloat16() for name, value in write_published(tmp_path / "source").items()}
    largest = max(weights, key=lambda name: weights[name].nbytes)
    weights[largest] = weights[largest].float()
    assert weights[largest].nbytes < sum(value.nbytes for value in weights.values()) / 2
    write_weights(tmp_path / "source", weights)
    folder = convert_folder(tmp_path / "source", tmp_path / "result")
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"


def test_numbers_too_large_for_float16_are_refused(tmp_path):
    weights = write_published(tmp_path / "source")
    weights["model.norm_f.weight"][3] = 1e6
    write_weights(tmp_path / "source", weights)
    with pytest.raises(ValueError, match=r"model\.norm_f\.weight.*1e\+06"):
        convert_folder(tmp_path / "source", tmp_path / "result", dtype="float16")
    assert leftovers(tmp_path) == []


def change(name, value=None):
    def apply(weights):
        weights.pop(name, None)
        if value is not None:
            weights[name] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("model.norm_f.weight"), r"model\.norm_f\.weight: missing"),
        (change("model.embeddings.weight"), r"model\.embeddings\.weight: missing"),
        (
            change("model.layers.0.extra.weight", torch.ones(3)),
            r"model\.layers\.0\.extra\.weight: the model has no such",
        ),
        (change("model.norm_f.weight", torch.ones(47)), r"model\.norm_f\.weight: shape \(47,\).*\(48,\)"),
        (change("lm_head.weight", torch.ones(272, 48)), r"lm_head\.weight differs from model\.embeddings\.weight"),
        (change("model.norm_f.weight", torch.ones(48, dtype=torch.int8)), r"model\.norm_f\.weight"),
    ],
)
@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_weights_that_do_not_fit_are_named(tmp_path, form, edit, message):
    weights = write_published(tmp_path / "source", form=form)
    edit(weights)
    write_weights(tmp_path / "source", weights, form)
    with pytest.raises(ValueError, match=message):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert leftovers(tmp_path) == []


def edit_index(folder, edit):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    edit(index["weight_map"])
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda m: m.update(ghost="model-00001-of-00002.safetensors"), ValueError, "promises ghost"),
        (lambda m: m.pop("model.norm_f.weight"), ValueError, r"does not list model\.norm_f\.weight"),
        (lambda m: m.update({"model.norm_f.weight": "../elsewhere.safetensors"}), ValueError, "outside its folder"),
        (lambda m: m.update({"model.norm_f.weight": "gone.safetensors"}), OSError, "gone.safetensors"),
    ],
)
def test_index_that_disagrees_with_its_files(tmp_path, edit, error, message):
    write_published(tmp_path / "source", shards=2)
    edit_index(tmp_path / "source", edit)
    with pytest.raises(error, match=message):
        convert_folder(tmp_path / "source", tmp_path / "result")


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": [1]}}', "\xff"])
def test_what_is_no_index(tmp_path, text):
    write_published(tmp_path / "source", shards=2)
    (tmp_path / "source" / "model.safetensors.index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="is no index of weights"):
        convert_folder(tmp_path / "source", tmp_path / "result")


def test_tensor_in_two_shards(tmp_path):
    weights = write_published(tmp_path / "source", shards=2)
    name = "model.norm_f.weight"
    from safetensors.torch import save_file

    for file in (tmp_path / "source").glob("*.safetensors"):
        save_file({**load_file(file), name: weights[name]}, file)
    with pytest.raises(ValueError, match="stored twice"):
        convert_folder(tmp_path / "source", tmp_path / "result")


def test_no_weights(tmp_path):
    write_published(tmp_path / "source")
    (tmp_path / "source" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"source has no weights: expected one of model\.safetensors"):
        convert_folder(tmp_path / "source", tmp_path / "result")


def test_truncated_file(tmp_path):
    write_published(tmp_path / "source")
    file = tmp_path / "source" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        convert_folder(tmp_path / "source", tmp_path / "result")


class Payload:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_bin_file_is_data_only(tmp_path, capsys):
    write_published(tmp_path / "source", form="bin")
    torch.save({"model.norm_f.weight": Payload()}, tmp_path / "source" / "pytorch_model.bin")
    with pytest.raises(ValueError, match="not a plain file of tensors"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([torch.ones(2)], "holds a list, not a dictionary of tensors"),
        ({"model.norm_f.weight": 1.0}, r"holds things other than tensors: model\.norm_f\.weight"),
        ({"model.norm_f.weight": torch.ones(2, dtype=torch.int8)}, r"model\.norm_f\.weight hold no floating point"),
    ],
)
def test_bin_file_without_weights(tmp_path, state, message):
    write_published(tmp_path / "source", form="bin")
    torch.save(state, tmp_path / "source" / "pytorch_model.bin")
    with pytest.raises(ValueError, match=rf"pytorch_model\.bin.*{message}"):
        convert_folder(tmp_path / "source", tmp_path / "result")


@pytest.mark.parametrize(("text", "message"), [("{", "is not valid JSON"), ("[]", "JSON object, found a list")])
def test_a_configuration_that_is_none(tmp_path, text, message):
    write_published(tmp_path / "source")
    (tmp_path / "source" / "config.json").write_text(text)
    with pytest.raises(ValueError, match=rf"config\.json.*{message}"):
        convert_folder(tmp_path / "source", tmp_path / "result")


def test_unknown_layout(tmp_path):
    write_published(tmp_path / "source", model_type="llama")
    with pytest.raises(ValueError, match="no published layout fits model_type 'llama'"):
        convert_folder(tmp_path / "source", tmp_path / "result")


def test_tokenizer_of_another_model(tmp_path):
    write_published(tmp_path / "source")
    config = config_of(vocab_size=200)
    (tmp_path / "source" / "config.json").write_text(json.dumps(config))
    write_weights(tmp_path / "source", weights_of(config))
    with pytest.raises(ValueError, match="tokenizer has 266 tokens, the model only 200"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert leftovers(tmp_path) == []


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    write_published(tmp_path / "source")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(OSError, match="not enough room"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    # 256 MiB beyond the weights are wanted: for code and tokenizer, with room to spare.
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=256 * 2**20))
    with pytest.raises(OSError, match="not enough room"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=300 * 2**20))
    convert_folder(tmp_path / "source", tmp_path / "result")


def test_destination_that_is_not_empty(tmp_path):
    write_published(tmp_path / "source")
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "mine").write_text("precious")
    with pytest.raises(FileExistsError, match="exists already"):
        convert_folder(tmp_path / "source", tmp_path / "result")
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["mine"]


def test_memory_is_one_shard(tmp_path, monkeypatch):
    """What is read but not yet written never exceeds the size of a shard."""
    write_published(tmp_path / "source", shards=3)
    held = largest = 0
    from codefuse_hf.hub.convert import core

    read, write = core.read_tensors, core.write_shard

    def counted_read(tensors):
        nonlocal held, largest
        for tensor, value in read(tensors):
            held += value.nbytes
            largest = max(largest, held)
            yield tensor, value

    def counted_write(tensors, file):
        nonlocal held
        held -= sum(value.nbytes for value in tensors.values())
        write(tensors, file)

    monkeypatch.setattr(core, "read_tensors", counted_read)
    monkeypatch.setattr(core, "write_shard", counted_write)
    convert_folder(tmp_path / "source", tmp_path / "result", max_shard_size=60_000)
    assert held == 0 and 0 < largest <= 60_000


# ---- the command


def test_command(tmp_path, capsys):
    write_published(tmp_path / "source")
    assert main(["convert", str(tmp_path / "source"), str(tmp_path / "result"), "--dtype", "float16"]) == 0
    out = capsys.readouterr()
    assert "trust_remote_code=True" in out.out and "weights" in out.err, "it says how to load, and shows progress"
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "result").dtype == torch.float16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all"], "neither a folder nor a repo id"),
        (["source", "--revision", "main"], "which has no revisions"),
        (["empty"], "has no config.json"),
    ],
)
def test_command_explains_errors(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_published(tmp_path / "source")
    (tmp_path / "empty").mkdir()
    assert main(["convert", arguments[0], "result", *arguments[1:]]) == 1
    assert message in capsys.readouterr().err


SLOW = """
import sys, time
from codefuse_hf.cli import main
from codefuse_hf.hub.convert import core
write = core.write_shard
def slow(tensors, file):
    write(tensors, file)
    print("written", flush=True)
    time.sleep(60)
core.write_shard = slow
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_run_leaves_nothing(tmp_path, sent, capsys):
    write_published(tmp_path / "source", shards=2)
    command = [sys.executable, "-c", SLOW, "convert", str(tmp_path / "source"), str(tmp_path / "result")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal; a job in the background of a script inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "written\n"
    assert any(name.endswith(".partial") for name in leftovers(tmp_path))
    start = time.monotonic()
    process.send_signal(sent)
    process.communicate(timeout=50)
    assert time.monotonic() - start < 50
    if sent != signal.SIGKILL:
        assert process.returncode == 130 and leftovers(tmp_path) == []
        return
    assert main(["convert", str(tmp_path / "source"), str(tmp_path / "result")]) == 0
    said = capsys.readouterr().err
    assert "going on with" in said and "which an interrupted run had left behind" in said
    assert leftovers(tmp_path) == ["result"]


FLA = {
    "architectures": ["RodimusForCausalLM"], "model_type": "rodimus", "block_type": "rodimus_plus", "hidden_size": 64,
    "num_hidden_layers": 2, "attn_mode": "chunk", "residual_in_fp32": True, "expand_ratio": 8, "input_gate_low_rank": "auto",
    "use_short_conv": True, "conv_size": 4, "hidden_ratio": 4 / 3, "intermediate_size": None, "hidden_act": "swish",
    "norm_eps": 1e-5, "k_norm_eps": None, "attn": None, "ska_attn": {"num_heads": 2, "window_size": 16}, "fuse_norm": True,
    "fuse_swiglu": True, "vocab_size": 97, "tie_word_embeddings": True,
}  # fmt: skip


def test_a_checkpoint_of_flash_linear_attentions_own_class_is_refused_by_name(tmp_path, capsys):
    """Another layout under the same model type: whatever does not fit would be random."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(FLA))
    names = ("q_proj", "k_proj", "g_gate_proj", "tau_gate_proj", "gate_proj", "up_proj", "down_proj")
    weights = {f"model.layers.0.mixer.{name}.weight": torch.zeros(2, 2) for name in names}
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    for load in (AutoConfig.from_pretrained, AutoModelForCausalLM.from_pretrained):
        with pytest.raises(ValueError, match="flash-linear-attention's own Rodimus class"):
            load(source)
    assert main(["convert", str(source), str(tmp_path / "result")]) == 1
    assert "flash-linear-attention's own Rodimus class" in capsys.readouterr().err
    assert leftovers(tmp_path) == []
